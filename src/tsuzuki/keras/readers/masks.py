"""Masks that Keras hands from layer to layer by itself, told from those that a user computes."""

from typing import Any

import keras


def is_handed_on(mask: Any, tensor: Any) -> bool:
    """Whether a tensor given as `mask` beside another is the mask that this has anyhow.

    `keras.models.clone_model` gives each layer the mask that stood at the original's as an argument of the call, made
    by operations of its own.
    """
    operation, node = _made_by(mask)
    if type(operation).__name__ == "Any":
        operation, node = _made_by(node.input_tensors[0])
    if type(operation).__name__ != "NotEqual" or len(node.arguments.args) < 2:
        return False
    value = node.arguments.args[1]
    return isinstance(value, int | float) and _makers(tensor) == {(id(node.input_tensors[0]), float(value))}


def _made_by(tensor: Any) -> tuple[Any, Any]:
    operation, index, _ = tensor._keras_history
    return operation, operation._inbound_nodes[index]


def _makers(tensor: Any) -> set[tuple[int, float]]:
    """What the layers that make a mask before a tensor read, and the value that they compare it with."""
    found, seen, left = set(), set[int](), [tensor]
    while left:
        one = left.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        operation, node = _made_by(one)
        if isinstance(operation, keras.layers.Masking):
            found.add((id(node.input_tensors[0]), float(operation.mask_value)))
        elif isinstance(operation, keras.layers.Embedding) and operation.mask_zero:
            found.add((id(node.input_tensors[0]), 0.0))
        elif isinstance(operation, keras.layers.Layer):
            left += node.input_tensors
    return found
