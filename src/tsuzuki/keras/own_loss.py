"""Losses that no kernel knows, as a user's own: Keras's backend computes them and their slopes, once for each update.

It differentiates on the outputs alone; the network itself is trained by the compiled program, from these slopes. Where
one of several outputs has such a loss, the backend computes those of all.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from tsuzuki.engine.compiled_network import CompiledNetwork
from tsuzuki.errors import UnsupportedModel
from tsuzuki.layouts.layout import Block, slice_block

# Of the outputs side by side, and of each output's targets, weights and mask, the last two of which may be None: the
# loss, that of each output, and the slopes at the outputs.
Slopes = Callable[[Any, Any, Any, Any], tuple[Any, Any, Any]]
# Updates after which the loss so far is told.
CHUNK = 64


@dataclass(frozen=True)
class Targets:
    """What such a loss is given besides the outputs.

    Attributes:
        y: [samples, …], as it came; of several outputs side by side.
        weights: [samples] or [samples, steps], or None; with a last axis of the outputs, or of 1, where there are
            several.
        mask: [samples, steps], which steps count, or None; with a last axis of the outputs where there are several.
        step: rows from one sample's start to the next one's.
        every_step: whether each step is scored.
        columns: of each of several outputs how many values of y are its own, and whether they came without a last axis.
    """

    y: NDArray[Any]
    weights: NDArray[np.float32] | None
    mask: NDArray[np.bool_] | None
    step: int
    every_step: bool
    columns: tuple[tuple[int, bool], ...] = ()

    def of(self, rows: Any) -> tuple[tuple[Any, ...], tuple[Any, ...], tuple[Any, ...]]:
        """Targets, weights and mask of some samples, of each output."""
        y, weights, mask = (None if one is None else one[rows] for one in (self.y, self.weights, self.mask))
        if not self.columns:
            return (y,), (weights,), (mask,)
        parts = np.split(self.y[rows], np.cumsum([count for count, _ in self.columns])[:-1], axis=-1)
        targets = (part[..., 0] if flat else part for part, (_, flat) in zip(parts, self.columns, strict=True))
        numbers = range(len(self.columns))
        weights, mask = (
            tuple(None if one is None else one[..., min(i, one.shape[-1] - 1)] for i in numbers)
            for one in (weights, mask)
        )
        return tuple(targets), weights, mask

    def first(self, rows: int, shape: tuple[int, ...]) -> tuple[Any, ...]:
        """What the loss is given of the first rows, with zeros for outputs of this shape."""
        return np.zeros((min(rows, len(self.y)), *shape), np.float32), *self.of(slice(rows))


@dataclass(frozen=True)
class Part:
    """The loss of one output.

    Attributes:
        loss: a `keras.losses.Loss`; None: the output is not scored.
        weight: its factor.
        size: values of the output.
    """

    loss: Any
    weight: float
    size: int


class OwnLoss:
    """A loss of Keras's or of a user's, or the sum of those of several outputs.

    Args:
        parts: the loss of each output.
        eager: whether it is to be run as it is written, as with `run_eagerly`.
    """

    def __init__(self, parts: Sequence[Part], eager: bool) -> None:
        self._parts, self._eager = tuple(parts), eager
        self.name = ", ".join(part.loss.name for part in parts if part.loss is not None)
        self._slopes: Slopes | None = None
        self._checked = False

    def __call__(self, outputs: Any, y: Any, weights: Any, mask: Any) -> tuple[list[float], NDArray[np.float32]]:
        """The loss of a batch, behind it that of each output where there are several, and the slopes at the outputs."""
        if self._slopes is None:
            self._slopes = _BACKENDS[keras.backend.backend()](self._value, self._eager)
        value, each, slopes = self._slopes(outputs, y, weights, mask)
        losses = [float(value), *(map(float, each) if len(self._parts) > 1 else ())]
        return losses, np.asarray(slopes, np.float32)

    def check(self, outputs: Any, y: Any, weights: Any, mask: Any) -> None:
        """Try a loss for the first time.

        Raises:
            UnsupportedModel: it fails, is no number, or reads weights, for which it would have slopes too.
        """
        if self._checked:
            return
        seen, given = _Seen(), (outputs, y, weights, mask)
        tensors = keras.tree.map_structure(lambda one: None if one is None else keras.ops.convert_to_tensor(one), given)
        try:
            with seen:
                each = self._each(*tensors)
        except Exception as error:
            raise UnsupportedModel(f"the loss {self.name} fails: {type(error).__name__}: {error}") from error
        for part, value in zip(self._parts, each, strict=True):
            if tuple(value.shape) != ():
                shown = f"the loss {part.loss.name} gives {tuple(value.shape)} values"
                raise UnsupportedModel(f"{shown}; reduce them to one")
        if seen.weights:
            raise UnsupportedModel(
                f"the loss {self.name} reads weights ({', '.join(seen.weights)}); use a regulariser for them"
            )
        self._checked = True

    def _value(self, outputs: Any, y: Any, weights: Any, mask: Any) -> tuple[Any, tuple[Any, ...]]:
        each = self._each(outputs, y, weights, mask)
        return sum(part.weight * value for part, value in zip(self._parts, each, strict=True)), each

    def _each(self, outputs: Any, y: Any, weights: Any, mask: Any) -> tuple[Any, ...]:
        """The loss of each output, without its factor."""
        first, found = 0, []
        for i, part in enumerate(self._parts):
            own = outputs if len(self._parts) == 1 else outputs[..., first : first + part.size]
            first += part.size
            if part.loss is None:
                found.append(keras.ops.zeros((), "float32"))
                continue
            if mask[i] is not None:
                _set_mask(own, mask[i])
            found.append(keras.ops.cast(part.loss(y[i], own, weights[i]), "float32"))
        return tuple(found)


def updates(
    loss: OwnLoss, targets: Targets, compiled: CompiledNetwork, places: Any, block: Block, forecasts: Any
) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Train through a block, as `train_epoch` does.

    Args:
        loss: what is minimised.
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
        (value, *each), slopes = loss(*given)
        result = np.array([[value, float(len(at)), *each]])
        if np.isfinite(value):
            assert compiled.data.targets is not None
            compiled.data.targets[at] = slopes.reshape(*at.shape, -1)
            result[:, 0] += compiled.finish_update(part)[:, 0]
        done.append(result)
        if len(done) == CHUNK or k == count - 1 or not np.isfinite(result[0, 0]):
            yield k + 1 - len(done), np.concatenate(done)
            if not np.isfinite(result[0, 0]):
                return
            done = []


def scores(
    loss: OwnLoss,
    targets: Targets,
    places: Any,
    block: Block,
    forecasts: NDArray[np.float32],
    result: NDArray[np.float64],
) -> NDArray[np.float64]:
    """The losses of forecasts that are there already, shaped as `result`, which has penalties."""
    found = np.zeros((len(block.starts), result.shape[1]))
    found[: len(result), 0] = result[:, 0]
    for k in range(len(found)):
        at, given = _batch(targets, places, slice_block(block, k, k + 1), forecasts)
        (value, *each), _ = loss(*given)
        found[k] += value, len(at), *each
    return found


def _batch(targets: Targets, places: Any, block: Block, forecasts: NDArray[np.float32]) -> tuple[Any, tuple[Any, ...]]:
    """Where the forecasts of an update lie, [rows] or [rows, steps], and what its loss is given."""
    starts = block.starts[block.valid > 0]
    rows, at = starts // targets.step, places(starts)
    at = at if targets.every_step else at[:, 0]
    return at, (forecasts[at], *targets.of(rows))


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

    def slopes(outputs: Any, y: Any, weights: Any, mask: Any) -> tuple[Any, Any, Any]:
        outputs, y = tf.convert_to_tensor(outputs), tuple(map(tf.convert_to_tensor, y))
        # Keras names what a loss computes after it, and in no other scope may a name begin with an underscore.
        with tf.name_scope("loss"), tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(outputs)
            found, each = value(outputs, y, weights, mask)
        return found, each, tape.gradient(found, outputs, unconnected_gradients=tf.UnconnectedGradients.ZERO)

    return slopes if eager else tf.function(slopes)


def _by_jax(value: Callable[..., Any], eager: bool) -> Slopes:
    import jax

    differentiated = jax.value_and_grad(value, has_aux=True)
    compiled = differentiated if eager else jax.jit(differentiated)

    def slopes(outputs: Any, y: Any, weights: Any, mask: Any) -> tuple[Any, Any, Any]:
        (found, each), slope = compiled(outputs, y, weights, mask)
        return found, each, slope

    return slopes


def _by_torch(value: Callable[..., Any], eager: bool) -> Slopes:
    import torch

    def slopes(outputs: Any, y: Any, weights: Any, mask: Any) -> tuple[Any, Any, Any]:
        given = torch.tensor(outputs, requires_grad=True)
        with torch.enable_grad():
            others = (
                tuple(None if one is None else torch.as_tensor(one) for one in all_) for all_ in (y, weights, mask)
            )
            found, each = value(given, *others)
        losses = found.item(), [one.item() for one in each]
        if not found.requires_grad:
            return *losses, np.zeros_like(outputs)
        (slope,) = torch.autograd.grad(found, given, allow_unused=True)
        return *losses, np.zeros_like(outputs) if slope is None else slope.numpy()

    return slopes


_BACKENDS: dict[str, Callable[[Callable[..., Any], bool], Slopes]] = {
    "tensorflow": _by_tensorflow,
    "jax": _by_jax,
    "torch": _by_torch,
}
