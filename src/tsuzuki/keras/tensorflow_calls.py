"""Functions of TensorFlow on Keras's symbolic tensors, while a function of the user's own is followed on them.

TensorFlow refuses such tensors. Those of its functions that Keras has under another name are done by Keras then, so
that a `call` or a Lambda written with `tf.` shows its operations as one written with `keras.ops` does.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import keras
from keras import ops

_following = ContextVar("_following", default=False)
_registered: list[Any] = []


@contextmanager
def on_symbols() -> Iterator[None]:
    """Functions of TensorFlow take Keras's symbolic tensors meanwhile."""
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is not None and not _registered:
        _registered.append(_register(tensorflow))
    token = _following.set(True)
    try:
        yield
    finally:
        _following.reset(token)


def _register(tensorflow: Any) -> Any:
    equals = dict(_equals(tensorflow))
    dispatch = tensorflow.__internal__.dispatch.GlobalOpDispatcher

    class Dispatcher(dispatch):  # type: ignore[misc, valid-type]
        """Asked by TensorFlow after one of its functions has refused its arguments."""

        def handle(self, op: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
            """What Keras makes of the same arguments."""
            done = equals.get(op.__name__.removesuffix("_v2")) if _following.get() else None
            given = keras.tree.flatten((args, kwargs))
            if done is None or not any(isinstance(one, keras.KerasTensor) for one in given):
                return self.NOT_SUPPORTED
            try:
                return done(*args, **{name: value for name, value in kwargs.items() if name != "name"})
            except TypeError:
                # Called with an argument that is not among those below.
                return self.NOT_SUPPORTED

    found = Dispatcher()
    found.register()
    return found


def _equals(tf: Any) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Functions of TensorFlow by name, and what does the same here; its arguments have TensorFlow's names."""
    yield "shape", lambda input, out_type=None: ops.shape(input)
    yield "identity", lambda input: input
    yield "cast", lambda x, dtype: x if tf.as_dtype(x.dtype) == dtype else ops.cast(x, tf.as_dtype(dtype).name)
    yield "expand_dims", lambda input, axis: ops.expand_dims(input, axis)
    yield "squeeze", lambda input, axis=None: ops.squeeze(input, axis)
    yield "reshape", lambda tensor, shape: ops.reshape(tensor, tuple(-1 if one is None else one for one in shape))
    yield "transpose", lambda a, perm=None, conjugate=False: ops.transpose(a, perm)
    yield "concat", lambda values, axis: ops.concatenate(values, axis)
    yield "reverse", lambda tensor, axis: ops.flip(tensor, axis if isinstance(axis, int) else axis[0])
    for name in ("mean", "max"):
        same = getattr(ops, name)
        yield (
            f"reduce_{name}",
            lambda input_tensor, axis=None, keepdims=False, same=same: same(input_tensor, axis, keepdims=keepdims),
        )
    for name in ("add", "subtract", "multiply", "divide", "maximum", "minimum"):
        same = getattr(ops, name)
        yield name, lambda x, y, same=same: same(x, y)
    yield "relu", lambda features: ops.relu(features)
    yield "softmax", lambda logits, axis=None: ops.softmax(logits, -1 if axis is None else axis)
    yield "sigmoid", lambda x: ops.sigmoid(x)
    yield "tanh", lambda x: ops.tanh(x)
