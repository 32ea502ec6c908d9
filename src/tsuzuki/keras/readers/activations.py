"""Activations that are layers by themselves."""

import keras

from tsuzuki.keras.readers.call import Call, Reader
from tsuzuki.network.activation_layers import ELU, LeakyReLU, PReLU, ReLU
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


def prelu(call: Call) -> Layer:
    """Read a PReLU whose slopes are shared by all steps or by none."""
    layer, shape = call.layer, call.shapes[0] or (None, None, None)
    if layer.shared_axes not in (None, [1]) or (layer.shared_axes and len(shape) == 2):
        call.refuse(f"has shared_axes={layer.shared_axes}; use [1], or leave it out")
    if len(shape) == 2:
        return PReLU(None)
    if layer.shared_axes is None and shape[1] is None:
        call.refuse("has slopes for each step of any number; give shared_axes=[1]")
        return PReLU()
    return PReLU(1 if layer.shared_axes else shape[1])


def nothing(call: Call) -> list[Layer]:
    """Read a layer that is nothing but its options, as ActivityRegularization or a name in a graph."""
    return []


def operation(call: Call) -> Layer:
    """Read `keras.ops.relu` and the like."""
    name = type(call.layer).__name__.lower()
    if getattr(call.layer, "axis", -1) not in (-1, len(call.shapes[0] or ()) - 1):
        call.refuse(f"has axis={call.layer.axis}, which is not supported; leave it out")
    call.refuse_masks(f'use keras.layers.Activation("{name}")')
    return Activation(name)


OPERATIONS: dict[str, Reader] = dict.fromkeys(("Relu", "Sigmoid", "Softmax", "Tanh"), operation)
READERS: dict[type, Reader] = {
    keras.layers.ActivityRegularization: nothing,
    keras.layers.Identity: nothing,
    keras.layers.Activation: activation,
    keras.layers.Softmax: softmax,
    keras.layers.ReLU: relu,
    keras.layers.LeakyReLU: leaky_relu,
    keras.layers.ELU: elu,
    keras.layers.PReLU: prelu,
}
