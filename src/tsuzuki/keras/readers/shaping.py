"""Layers that look at several steps together: other numbers of steps, convolution and pooling."""

from typing import Any

import keras

from tsuzuki.keras.readers.call import Call, Found, Reader, Shape
from tsuzuki.keras.tensorflow_calls import on_symbols
from tsuzuki.network.layers import Layer
from tsuzuki.network.shaping import Flatten, Permute, RepeatVector, Reshape
from tsuzuki.network.windows import (
    AveragePooling1D,
    Conv1D,
    GlobalAveragePooling1D,
    GlobalMaxPooling1D,
    MaxPooling1D,
)

L = keras.layers


def repeat_vector(call: Call) -> Layer:
    """Read a RepeatVector."""
    return RepeatVector(call.layer.n)


def reshape(call: Call) -> Found:
    """Read a Flatten or Reshape between steps and values, or parts of steps and values."""
    shape = call.shapes[0]
    if shape is None or any(size is None for size in shape[1:]):
        call.refuse("reads any number of steps; begin the model with keras.Input of a fixed number of timesteps")
        return None
    target = tuple(call.layer.compute_output_spec(keras.KerasTensor(shape)).shape)[1:]
    if len(target) > 3 or len(shape) > 4:
        call.refuse(f"gives the shape {target}; give (values,), (timesteps, values) or (parts, timesteps, values)")
        return None
    if len(shape) == 4 or len(target) == 3:
        return _with_parts(call, shape, target)
    timesteps = int(shape[1] or 1) if len(shape) == 3 else 1
    same = target == shape[1:] and not call.reads_a_mask
    if same or (len(shape) == 2 and target == (shape[1], 1) and call.sources[0] < 0):
        # An input (samples, steps) is read as steps of one value anyhow. Of the same shape, it ends a mask.
        return []
    return Flatten(timesteps) if len(target) == 1 else Reshape((int(target[0]), int(target[1])), timesteps)


def _with_parts(call: Call, shape: Shape, target: Shape) -> int:
    """The number of a Reshape or Flatten from parts of steps, or to such, by way of a step for each part."""
    draft, (source, *_) = call.draft, call.sources
    if len(shape) == 4:
        with draft.parts():
            source = draft.add(Flatten(int(shape[2] or 1)), (source,))
        shape = (*shape[:2], int(shape[2] or 1) * int(shape[3] or 1))
    steps = int(shape[1] or 1) if len(shape) == 3 else 1
    wanted = target if len(target) < 3 else (target[0], int(target[1] or 1) * int(target[2] or 1))
    if wanted != shape[1:]:
        layer = Flatten(steps) if len(wanted) == 1 else Reshape((int(wanted[0] or 1), int(wanted[1] or 1)), steps)
        source = draft.add(layer, (source,))
    if len(target) == 3:
        with draft.parts():
            source = draft.add(Reshape((int(target[1] or 1), int(target[2] or 1)), 1), (source,))
    return source


def permute(call: Call) -> Found:
    """Read a Permute of steps and values."""
    shape = call.shapes[0]
    if tuple(call.layer.dims) == (1, 2) and not call.reads_a_mask:
        return []
    if tuple(call.layer.dims) != (2, 1) or shape is None or None in shape[1:]:
        call.refuse("permutes other axes than steps and values of known sizes; use dims=(2, 1) behind such")
        return None
    return Permute(int(shape[1] or 1), int(shape[2] or 1))


def adds_axis(layer: Any) -> bool:
    """Whether a Keras layer makes steps of one value each of (samples, steps)."""
    if isinstance(layer, L.Lambda):
        return _expands(layer)
    return isinstance(layer, L.Reshape) and len(layer.target_shape) == 2 and layer.target_shape[1] == 1


def _expands(layer: Any) -> bool:
    """Whether a Lambda begins with `keras.ops.expand_dims` of its last axis."""
    given = keras.Input((2,))
    try:
        with on_symbols():
            layer.function(given, **layer.arguments)
    except Exception:
        # Whatever a user's function does with what is no array.
        return False
    read = [node.operation for node in given._keras_history.operation._outbound_nodes]
    return bool(read) and all(type(one).__name__ == "ExpandDims" and one.axis in (-1, 2, (-1,), (2,)) for one in read)


def expand_dims(call: Call) -> Found:
    """Read `keras.ops.expand_dims` of values without steps: each becomes a step, or all of them one."""
    shape, axis = call.shapes[0], call.layer.axis
    (axis,) = axis if isinstance(axis, tuple | list) and len(axis) == 1 else (axis,)
    known = shape is not None and (shape[1:] != (None,) or call.sources[0] < 0)
    if shape is None or not known or len(shape) != 2 or axis not in (-1, 1, 2):
        call.refuse("adds an axis that is not supported; use it on (samples, values), or keras.layers.Reshape")
        return None
    # An input (samples, steps) is read as steps of one value anyhow, and values without steps are one.
    return [] if axis == 1 or call.sources[0] < 0 else Reshape((int(shape[1] or 1), 1), 1)


def reshaped(call: Call) -> Found:
    """Read `keras.ops.reshape` or `keras.ops.squeeze` of what follows the samples."""
    shape = call.shapes[0]
    if shape is not None and None not in shape[1:]:
        given = keras.KerasTensor((shape[0] or 1, *shape[1:]))
        if call.layer.compute_output_spec(given).shape[:1] != given.shape[:1]:
            call.refuse("moves values from sample to sample; keep the first axis")
            return None
    call.refuse_masks("use keras.layers.Reshape")
    return reshape(call)


def transposed(call: Call) -> Found:
    """Read `keras.ops.transpose` of steps and values."""
    shape = call.shapes[0]
    if tuple(call.layer.axes or ()) != (0, 2, 1) or shape is None or None in shape[1:]:
        call.refuse("transposes other axes than steps and values of known sizes; use axes (0, 2, 1) behind such")
        return None
    call.refuse_masks("use keras.layers.Permute")
    return Permute(int(shape[1] or 1), int(shape[2] or 1))


def over_steps(call: Call) -> Found:
    """Read `keras.ops.mean` or `keras.ops.max` over all steps."""
    kind = type(call.layer).__name__
    pools = f"Global{'Average' if kind == 'Mean' else 'Max'}Pooling1D"
    if len(call.shapes[0] or ()) != 3 or list(call.layer.axis or ()) not in ([1], [-2]) or call.layer.keepdims:
        call.refuse(f"is over other axes than the steps, axis 1; use keras.layers.{pools}")
    call.refuse_masks(f"use keras.layers.{pools}")
    return GlobalAveragePooling1D() if kind == "Mean" else GlobalMaxPooling1D()


def convolution(call: Call) -> Layer:
    """Read a Conv1D."""
    layer = call.layer
    if layer.groups != 1:
        call.refuse(f"has groups={layer.groups}; leave it out")
    if layer.data_format != "channels_last":
        call.refuse(f"has data_format={layer.data_format!r}; leave it out")
    if getattr(layer, "lora_enabled", False):
        call.refuse("has LoRA enabled, which is not supported; use a plain Conv1D")
    window = layer.kernel_size[0], layer.strides[0], layer.padding, layer.dilation_rate[0]
    return Conv1D(layer.filters, *window, call.activation(), layer.use_bias)


def pooling(call: Call) -> Layer:
    """Read a pooling over windows."""
    layer = call.layer
    if layer.data_format != "channels_last":
        call.refuse(f"has data_format={layer.data_format!r}; leave it out")
    return POOLING[type(layer)](layer.pool_size[0], layer.strides[0], layer.padding)


def global_pooling(call: Call) -> Layer:
    """Read a pooling over all steps."""
    layer = call.layer
    if layer.data_format != "channels_last" or layer.keepdims:
        call.refuse("has keepdims or data_format; leave them out")
    return GLOBAL[type(layer)]()


POOLING: dict[type, type[MaxPooling1D] | type[AveragePooling1D]] = {
    L.MaxPooling1D: MaxPooling1D,
    L.AveragePooling1D: AveragePooling1D,
}
GLOBAL: dict[type, type[GlobalMaxPooling1D] | type[GlobalAveragePooling1D]] = {
    L.GlobalMaxPooling1D: GlobalMaxPooling1D,
    L.GlobalAveragePooling1D: GlobalAveragePooling1D,
}
OPERATIONS: dict[str, Reader] = {
    "ExpandDims": expand_dims,
    **dict.fromkeys(("Reshape", "Squeeze"), reshaped),
    "Transpose": transposed,
    **dict.fromkeys(("Mean", "Max"), over_steps),
}
READERS: dict[type, Reader] = {
    L.RepeatVector: repeat_vector,
    L.Flatten: reshape,
    L.Reshape: reshape,
    L.Permute: permute,
    L.Conv1D: convolution,
    **dict.fromkeys(POOLING, pooling),
    **dict.fromkeys(GLOBAL, global_pooling),
}
