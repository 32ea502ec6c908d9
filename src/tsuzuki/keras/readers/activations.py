"""Activations that are layers by themselves."""

import keras

from tsuzuki.keras.readers.call import Call, Reader
from tsuzuki.network.activation_layers import ELU, LeakyReLU, ReLU
from tsuzuki.network.layers import Activation, Layer


def activation(call: Call) -> Layer:
    """Read an Activation."""
    return Activation(call.activation())


def softmax(call: Call) -> Layer:
    """Read a Softmax over the last axis."""
    if call.layer.axis not in (-1, 2):
        call.refuse(f"has axis={call.layer.axis}, which is not supported; leave it out")
    return Activation("softmax")


def relu(call: Call) -> Layer:
    """Read a ReLU."""
    layer = call.layer
    highest = None if layer.max_value is None else float(layer.max_value)
    return ReLU(highest, float(layer.negative_slope), float(layer.threshold))


def leaky_relu(call: Call) -> Layer:
    """Read a LeakyReLU."""
    return LeakyReLU(float(call.layer.negative_slope))


def elu(call: Call) -> Layer:
    """Read an ELU."""
    return ELU(float(call.layer.alpha))


READERS: dict[type, Reader] = {
    keras.layers.Activation: activation,
    keras.layers.Softmax: softmax,
    keras.layers.ReLU: relu,
    keras.layers.LeakyReLU: leaky_relu,
    keras.layers.ELU: elu,
}
