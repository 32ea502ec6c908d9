"""Keras's gelu with approximate=True, for which Keras has no name: a function that its files can hold."""

from functools import partial
from typing import Any

import keras


@keras.saving.register_keras_serializable(package="tsuzuki")  # type: ignore[untyped-decorator]
def gelu_tanh(x: Any) -> Any:
    """Gelu by a tanh."""
    return keras.activations.gelu(x, approximate=True)


def is_gelu_tanh(function: Any) -> bool:
    """Whether a function is this one, or a `functools.partial` of Keras's that does the same."""
    if isinstance(function, partial):
        same: bool = (function.func, function.args) == (keras.activations.gelu, ())
        return same and function.keywords == {"approximate": True}
    return function is gelu_tanh
