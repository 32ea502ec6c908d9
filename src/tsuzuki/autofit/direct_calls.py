"""`model(x)` as it stands in loops that forecast, done by the engine where nobody can tell the difference.

That is so where the script itself calls one of Keras's own models on numbers, outside of traced functions, while no
gradient is recorded. Keras takes milliseconds for such a call, operation by operation.
"""

import sys
from collections.abc import Callable
from functools import wraps
from typing import Any
from weakref import WeakKeyDictionary

from tsuzuki.errors import TsuzukiError, UnsupportedModel
from tsuzuki.keras.private_names import built_graph, gradients_are_recorded, is_keras_own_model, mask_of

# Where a call comes from a module of these, it is a step of something larger.
INNER = ("keras", "tensorflow", "tsuzuki")
# Models that have no equal, with what they were built of then.
_left: "WeakKeyDictionary[Any, Any]" = WeakKeyDictionary()


def in_front(plain: Callable[..., Any], done: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """A model's `__call__` that asks the engine first.

    Args:
        plain: Keras's own.
        done: gives the outputs for a model and an array.
    """

    @wraps(plain)
    def __call__(self: Any, *arguments: Any, **options: Any) -> Any:  # noqa: N807
        # As cheap as can be: Keras calls models within models, and while it traces.
        if len(arguments) == 1 and not options.keys() - {"training"} and not options.get("training"):
            caller = sys._getframe(1).f_globals.get("__name__", "").split(".")[0]
            if caller not in INNER and (x := _numbers(arguments[0])) is not None and _is_plain(self):
                try:
                    return _as_tensors(done(self, x))
                except UnsupportedModel:
                    _left[self] = built_graph(self)
                except TsuzukiError:
                    pass
        return plain(self, *arguments, **options)

    return __call__


def _numbers(given: Any) -> Any:
    """An array or a tensor that has a value, as an array; None for anything else."""
    import numpy as np
    import tensorflow as tf

    if type(given) is np.ndarray:
        found = given
    elif isinstance(given, tf.Tensor) and hasattr(given, "numpy") and mask_of(given) is None:
        found = given.numpy()
    else:
        return None
    return found if found.ndim > 1 and found.size and found.dtype.kind in "fiub" else None


def _is_plain(model: Any) -> bool:
    """Whether a call of the model now has no effect but its outputs and its states."""
    import tensorflow as tf

    if not model.built or not is_keras_own_model(model) or not tf.executing_eagerly() or gradients_are_recorded():
        return False
    return model not in _left or _left[model] is not built_graph(model)


def _as_tensors(found: Any) -> Any:
    import keras

    return keras.tree.map_structure(keras.ops.convert_to_tensor, found)
