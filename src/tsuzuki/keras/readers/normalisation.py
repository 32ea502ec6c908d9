"""Layers that bring values to one size."""

import keras
import numpy as np

from tsuzuki.keras.readers.call import Call, Reader
from tsuzuki.network.layers import Layer
from tsuzuki.network.normalisation import (
    BatchNormalization,
    LayerNormalization,
    Normalization,
    Rescaling,
    RMSNormalization,
    UnitNormalization,
)

L = keras.layers


def layer_normalization(call: Call) -> Layer:
    """Read a LayerNormalization over the values of a step."""
    _check_axis(call)
    if getattr(call.layer, "rms_scaling", False):
        call.refuse("has rms_scaling=True, which is not supported; use RMSNormalization")
    return LayerNormalization(float(call.layer.epsilon), call.layer.center, call.layer.scale)


def rms_normalization(call: Call) -> Layer:
    """Read an RMSNormalization over the values of a step."""
    _check_axis(call)
    return RMSNormalization(float(call.layer.epsilon))


def unit_normalization(call: Call) -> Layer:
    """Read a UnitNormalization over the values of a step."""
    _check_axis(call)
    return UnitNormalization()


def batch_normalization(call: Call) -> Layer:
    """Read a BatchNormalization of each value of a step."""
    _check_axis(call)
    layer = call.layer
    if getattr(layer, "renorm", False):
        call.refuse("has renorm=True, which is not supported; leave it out")
    return BatchNormalization(layer.momentum, float(layer.epsilon), layer.center, layer.scale, layer.trainable)


def normalization(call: Call) -> Layer:
    """Read a Normalization of each value of a step, adapted or with mean and variance given."""
    layer = call.layer
    rank = len(call.shapes[0] or (0, 0, 0))
    if layer.axis not in ((), (-1,), (rank - 1,)):
        call.refuse(f"has axis={layer.axis}; use the last axis, -1")
    mean, variance = layer.input_mean, layer.input_variance
    if mean is None and layer.built:
        mean, variance = (keras.ops.convert_to_numpy(one) for one in (layer.adapt_mean, layer.adapt_variance))
    if mean is None:
        return Normalization(invert=layer.invert)
    mean, variance = (tuple(map(float, np.ravel(one))) for one in (mean, variance))
    if len(mean) == 1:
        return Normalization(mean[0], variance[0], layer.invert)
    return Normalization(mean, variance, layer.invert)


def rescaling(call: Call) -> Layer:
    """Read a Rescaling by one factor."""
    layer = call.layer
    if not isinstance(layer.scale, int | float) or not isinstance(layer.offset, int | float):
        call.refuse("has a scale or offset for each value, which is not supported; give numbers")
        return Rescaling(1.0)
    return Rescaling(float(layer.scale), float(layer.offset))


def _check_axis(call: Call) -> None:
    rank, axis = len(call.shapes[0] or (0, 0, 0)), call.layer.axis
    if isinstance(axis, list | tuple) and len(axis) == 1:
        axis = axis[0]
    if axis not in (-1, rank - 1):
        call.refuse(f"has axis={call.layer.axis}; use the last axis, -1")


READERS: dict[type, Reader] = {
    L.LayerNormalization: layer_normalization,
    L.RMSNormalization: rms_normalization,
    L.UnitNormalization: unit_normalization,
    L.BatchNormalization: batch_normalization,
    L.Normalization: normalization,
    L.Rescaling: rescaling,
}
