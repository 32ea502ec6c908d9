"""An epoch that the engine leaves to Keras in the middle, at a batch whose loss is not finite.

Keras trains on where the engine stopped: with the samples that are left, the sums of the loss and metrics so far, and
callbacks that hear nothing twice.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from tsuzuki.keras.epoch_data import Epoch
from tsuzuki.keras.metrics import EpochMetrics
from tsuzuki.layouts.layout import Block, slice_block


@dataclass(frozen=True)
class Unfinished:
    """What is left.

    Attributes:
        epoch: counted from 0.
        batches: those of it that are done.
        heard: whether callbacks have heard of the batch that is next.
        x: the samples left.
        y: their targets.
        weights: their sample weights, or None.
        rows: samples of a batch.
        callbacks: Keras's list of them, which has heard the epoch begin.
        put_sums: puts the loss and metrics so far into the model's own objects, which Keras resets first.
    """

    epoch: int
    batches: int
    heard: bool
    x: NDArray[Any]
    y: NDArray[Any]
    weights: NDArray[Any] | None
    rows: int
    callbacks: Any
    put_sums: Callable[[], None]


def samples_left(data: Epoch, block: Block, first: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None]:
    """The samples of the updates from `first` on, of a model with one input and one output: x, y and weights."""
    left = slice_block(block, first, len(block.starts))
    starts = left.starts[left.valid > 0]
    places = data.places(starts) if data.layout.every_step else data.places(starts)[:, 0]
    targets = data.data.targets if data.unmasked is None else data.unmasked
    assert targets is not None
    weights = data.data.sample_weights
    x, y = data.data.inputs[starts[:, None] + np.arange(data.layout.timesteps)], targets[places]
    # A last axis that was left out stays so, or Keras would trace its step for another shape.
    x, y = (array[..., 0] if array.ndim > rank else array for array, rank in zip((x, y), data.ranks, strict=True))
    return x, y, None if weights is None else weights[places]


def sums_of(tally: EpochMetrics, model: Any, samples: int) -> Callable[[], None]:
    """A function that puts what a tally has counted in `samples` samples into the model's own objects."""
    logs = tally.logs()
    # Those of `compile` stand in a group of their own.
    objects = {one.name: one for group in model.metrics for one in (group, *getattr(group, "metrics", ()))}
    values: dict[str, list[Any]] = {"loss": [logs["loss"] * samples, samples]}
    for metric in tally.metrics:
        if metric.fed is not None:
            values[metric.name] = [np.array(keras.ops.convert_to_numpy(one)) for one in metric.fed.variables]
        elif metric.name in tally.sums:
            values[metric.name] = list(tally.sums[metric.name])
        else:
            count = samples * tally.epoch.scored_steps
            values[metric.name] = [logs[metric.name] ** (2 if metric.root else 1) * count, count]

    def put() -> None:
        for name, numbers in values.items():
            if name in objects and len(objects[name].variables) == len(numbers):
                for variable, number in zip(objects[name].variables, numbers, strict=True):
                    variable.assign(number)

    return put


class RestOfCallbacks(keras.callbacks.CallbackList):  # type: ignore[misc]
    """The callbacks of a run that goes on: what they have heard is not said again, and batches are counted on.

    Args:
        left: the epoch that they are in the middle of.
        model: that is trained.
        epochs: where the run ends.
    """

    def __init__(self, left: Unfinished, model: Any, epochs: int) -> None:
        self.__dict__.update(vars(left.callbacks))
        self._left, self._trained, self._epochs = left, model, epochs
        self._heard, self._before, self._running = left.heard, left.batches, left.epoch

    def on_train_begin(self, logs: Any = None) -> None:
        """Say nothing: the run began long ago."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Say it, but for the epoch that is running; its sums so far go into the model instead."""
        if epoch == self._left.epoch:
            self._left.put_sums()
            return
        self._before, self._running = 0, epoch
        super().on_epoch_begin(epoch, logs)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Say it with the batch's number in the whole epoch, unless it has been heard."""
        if not self._heard:
            super().on_train_batch_begin(batch + self._before, logs)
        self._heard = False

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Say it with the batch's number in the whole epoch."""
        super().on_train_batch_end(batch + self._before, logs)

    def on_train_end(self, logs: Any = None) -> None:
        """Say it where the run ends."""
        if self._running > self._left.epoch or self.ends():
            super().on_train_end(logs)

    def ends(self) -> bool:
        """Whether the run ends with the epoch that was left."""
        return bool(self._left.epoch + 1 >= self._epochs or self._trained.stop_training)
