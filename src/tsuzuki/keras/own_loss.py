"""Losses that no kernel knows, as a user's own: Keras's backend computes them and their slopes, once for each update.

It differentiates on the outputs alone; the network itself is trained by the compiled program, from these slopes.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from tsuzuki.engine.compiled_network import CompiledNetwork
from tsuzuki.errors import UnsupportedModel
from tsuzuki.layouts.layout import Block, slice_block

# Of outputs, targets, weights and mask, the last two of which may be None: the loss and its slopes at the outputs.
Slopes = Callable[[Any, Any, Any, Any], tuple[Any, Any]]
# Updates after which the loss so far is told.
CHUNK = 64


@dataclass(frozen=True)
class Targets:
    """What such a loss is given besides the outputs.

    Attributes:
        y: [samples, …], as it came.
        weights: [samples] or [samples, steps], or None.
        mask: [samples, steps], which steps count, or None.
        step: rows from one sample's start to the next one's.
        every_step: whether each step is scored.
    """

    y: NDArray[Any]
    weights: NDArray[np.float32] | None
    mask: NDArray[np.bool_] | None
    step: int
    every_step: bool

    def first(self, rows: int, shape: tuple[int, ...]) -> tuple[Any, ...]:
        """What the loss is given of the first rows, with zeros for outputs of this shape."""
        parts = (None if one is None else one[:rows] for one in (self.y, self.weights, self.mask))
        return np.zeros((min(rows, len(self.y)), *shape), np.float32), *parts


class OwnLoss:
    """A loss of Keras's or of a user's.

    Args:
        loss: a `keras.losses.Loss`.
        eager: whether it is to be run as it is written, as with `run_eagerly`.
    """

    def __init__(self, loss: Any, eager: bool) -> None:
        self.loss, self._eager = loss, eager
        self._slopes: Slopes | None = None
        self._checked = False

    def __call__(self, outputs: Any, y: Any, weights: Any, mask: Any) -> tuple[float, NDArray[np.float32]]:
        """The loss of a batch, and its slopes at the outputs."""
        if self._slopes is None:
            self._slopes = _BACKENDS[keras.backend.backend()](self._value, self._eager)
        value, slopes = self._slopes(outputs, y, weights, mask)
        return float(value), np.asarray(slopes, np.float32)

    def check(self, outputs: Any, y: Any, weights: Any, mask: Any) -> None:
        """Try a loss for the first time.

        Raises:
            UnsupportedModel: it fails, is no number, or reads weights, for which it would have slopes too.
        """
        if self._checked:
            return
        seen, given = _Seen(), (outputs, y, weights, mask)
        try:
            with seen:
                value = self._value(*(None if one is None else keras.ops.convert_to_tensor(one) for one in given))
        except Exception as error:
            raise UnsupportedModel(f"the loss {self.loss.name} fails: {type(error).__name__}: {error}") from error
        if tuple(value.shape) != ():
            raise UnsupportedModel(f"the loss {self.loss.name} gives {tuple(value.shape)} values; reduce them to one")
        if seen.weights:
            raise UnsupportedModel(
                f"the loss {self.loss.name} reads weights ({', '.join(seen.weights)}); use a regulariser for them"
            )
        self._checked = True

    def _value(self, outputs: Any, y: Any, weights: Any, mask: Any) -> Any:
        if mask is not None:
            _set_mask(outputs, mask)
        return keras.ops.cast(self.loss(y, outputs, weights), "float32")


def updates(
    loss: OwnLoss, weight: float, targets: Targets, compiled: CompiledNetwork, places: Any, block: Block, forecasts: Any
) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Train through a block, as `train_epoch` does.

    Args:
        loss: what is minimised.
        weight: its factor.
        targets: what it is given.
        compiled: the network, trained by `GivenSlopes`.
        places: of rows' starts: where their forecasts lie.
        block: the rows.
        forecasts: float32 [points, outputs], to fill.
    """
    done, count = list[NDArray[np.float64]](), len(block.starts)
    for k in range(count):
        part = slice_block(block, k, k + 1)
        compiled.begin_update(part, forecasts)
        at, given = _batch(targets, places, part, forecasts)
        value, slopes = loss(*given)
        result = np.array([[weight * value, float(len(at))]])
        if np.isfinite(value):
            assert compiled.data.targets is not None
            compiled.data.targets[at] = (weight * slopes).reshape(*at.shape, -1)
            result[:, 0] += compiled.finish_update(part)[:, 0]
        done.append(result)
        if len(done) == CHUNK or k == count - 1 or not np.isfinite(result[0, 0]):
            yield k + 1 - len(done), np.concatenate(done)
            if not np.isfinite(result[0, 0]):
                return
            done = []


def scores(
    loss: OwnLoss,
    weight: float,
    targets: Targets,
    places: Any,
    block: Block,
    forecasts: NDArray[np.float32],
    result: NDArray[np.float64],
) -> NDArray[np.float64]:
    """The losses of forecasts that are there already, [updates, 2], behind penalties that `result` has."""
    found = np.zeros((len(block.starts), 2))
    found[: len(result), 0] = result[:, 0]
    for k in range(len(found)):
        at, given = _batch(targets, places, slice_block(block, k, k + 1), forecasts)
        found[k] += weight * loss(*given)[0], len(at)
    return found


def _batch(targets: Targets, places: Any, block: Block, forecasts: NDArray[np.float32]) -> tuple[Any, tuple[Any, ...]]:
    """Where the forecasts of an update lie, [rows] or [rows, steps], and what its loss is given."""
    starts = block.starts[block.valid > 0]
    rows, at = starts // targets.step, places(starts)
    at = at if targets.every_step else at[:, 0]
    weights, mask = (None if one is None else one[rows] for one in (targets.weights, targets.mask))
    return at, (forecasts[at], targets.y[rows], weights, mask)


class _Seen(keras.StatelessScope):  # type: ignore[misc]
    """Notes which trainable variables are read."""

    def __init__(self) -> None:
        super().__init__()
        self.weights: list[str] = []

    def get_current_value(self, ref: Any) -> Any:
        if ref.trainable:
            self.weights.append(ref.path)
        return super().get_current_value(ref)


def _set_mask(outputs: Any, mask: Any) -> None:
    from keras.src.backend import set_keras_mask

    set_keras_mask(outputs, mask)


def _by_tensorflow(value: Callable[..., Any], eager: bool) -> Slopes:
    import tensorflow as tf

    def slopes(outputs: Any, y: Any, weights: Any, mask: Any) -> tuple[Any, Any]:
        outputs, y = tf.convert_to_tensor(outputs), tf.convert_to_tensor(y)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(outputs)
            found = value(outputs, y, weights, mask)
        return found, tape.gradient(found, outputs, unconnected_gradients=tf.UnconnectedGradients.ZERO)

    return slopes if eager else tf.function(slopes)


def _by_jax(value: Callable[..., Any], eager: bool) -> Slopes:
    import jax

    slopes: Slopes = jax.value_and_grad(value)
    compiled: Slopes = slopes if eager else jax.jit(slopes)
    return compiled


def _by_torch(value: Callable[..., Any], eager: bool) -> Slopes:
    import torch

    def slopes(outputs: Any, y: Any, weights: Any, mask: Any) -> tuple[Any, Any]:
        given = torch.tensor(outputs, requires_grad=True)
        with torch.enable_grad():
            others = (None if one is None else torch.as_tensor(one) for one in (y, weights, mask))
            found = value(given, *others)
        if not found.requires_grad:
            return found.item(), np.zeros_like(outputs)
        (slope,) = torch.autograd.grad(found, given, allow_unused=True)
        return found.item(), np.zeros_like(outputs) if slope is None else slope.numpy()

    return slopes


_BACKENDS: dict[str, Callable[[Callable[..., Any], bool], Slopes]] = {
    "tensorflow": _by_tensorflow,
    "jax": _by_jax,
    "torch": _by_torch,
}
