"""An epoch that the engine leaves to Keras in the middle, at a batch whose loss is not finite.

Keras trains on where the engine stopped: with the samples that are left, the sums of the loss and metrics so far, and
callbacks that hear nothing twice.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from tsuzuki.keras.compiled_metrics import zeros_of
from tsuzuki.keras.epoch_data import Epoch
from tsuzuki.keras.inputs import of_rank, taken_apart_inputs
from tsuzuki.keras.metrics import EpochMetrics
from tsuzuki.keras.outputs import structure_of
from tsuzuki.keras.private_names import loss_objects, metric_objects
from tsuzuki.keras.shape import Shape
from tsuzuki.layouts.layout import Block, slice_block

# x, y and weights, in the structures that the model takes.
Samples = tuple[Any, Any, Any]


@dataclass(frozen=True)
class Unfinished:
    """What is left.

    Attributes:
        epoch: counted from 0.
        batches: those of it that are done.
        heard: whether callbacks have heard of the batch that is next.
        x: the samples left; None where the whole epoch is, and is to be read anew.
        y: their targets.
        weights: their sample weights, or None.
        rows: samples of a batch.
        callbacks: Keras's list of them, which has heard the epoch begin.
        put_sums: puts the loss and metrics so far into the model's own objects, which Keras resets first.
    """

    epoch: int
    batches: int
    heard: bool
    x: Any
    y: Any
    weights: Any
    rows: int
    callbacks: Any
    put_sums: Callable[[], None]


def samples_left(model: Any, shape: Shape, sizes: Sequence[int], data: Epoch, block: Block, first: int) -> Samples:
    """The samples of the updates from `first` on, as the model takes them: x, y and weights.

    Args:
        model: the Keras model.
        shape: what it takes and gives.
        sizes: features of each input where it has several.
        data: all samples.
        block: the rows of the epoch.
        first: the update.
    """
    left = slice_block(block, first, len(block.starts))
    starts = left.starts[left.valid > 0]
    x = data.data.inputs[starts[:, None] + np.arange(data.layout.timesteps)]
    x = taken_apart_inputs(model, x, sizes or (shape.inputs,), data.ranks[0])
    if data.own is not None:
        own_y, own_weights, _ = data.own.of(starts // data.own.step)
        if len(shape.each) == 1:
            return x, own_y[0], own_weights[0]
        packed = (keras.tree.pack_sequence_as(structure_of(model), [*one]) for one in (own_y, own_weights))
        return x, next(packed), None if data.own.weights is None else next(packed)
    places = data.places(starts) if data.layout.every_step else data.places(starts)[:, 0]
    targets = data.data.targets if data.unmasked is None else data.unmasked
    assert targets is not None
    weights = None if data.data.sample_weights is None else data.data.sample_weights[places]
    y = targets[places]
    if len(shape.each) > 1 and weights is not None and weights.ndim > places.ndim:
        columns = [weights[..., i] for i in range(len(shape.each))]
        weights = keras.tree.pack_sequence_as(structure_of(model), columns)
    parts = np.split(y, np.cumsum([one.targets for one in shape.each])[:-1], axis=-1)
    # A last axis that was left out stays so, or Keras would trace its step for another shape.
    parts = [of_rank(part, rank) for part, rank in zip(parts, data.ranks[1], strict=True)]
    return x, keras.tree.pack_sequence_as(structure_of(model), parts) if len(parts) > 1 else parts[0], weights


def sums_of(tally: EpochMetrics, model: Any, samples: int) -> Callable[[], None]:
    """A function that puts what a tally has counted in `samples` samples into the model's own objects."""
    logs = tally.logs()
    values: dict[str, list[Any]] = {"loss": [logs["loss"] * samples, samples]}
    shown = [one.scored.shown for one in tally.shape.each if one.scored.shown]
    # Where Keras's graph knows the size of a batch, it weights the losses of outputs by it.
    rows, known = tally.shape.lanes, tally.shape.stateful or not tally.epoch.samples % tally.shape.lanes
    counts = samples if tally.by_batch is None else tally.batches * (rows if known else 1)
    values |= {name: [logs[name] * counts, counts] for name in shown}
    counted: list[list[Any]] = []
    for metric in tally.metrics:
        if metric.fed is not None:
            counted.append([np.array(keras.ops.convert_to_numpy(one)) for one in metric.fed.variables])
        elif metric.name in tally.sums:
            counted.append(list(tally.sums[metric.name]))
        else:
            count = samples * tally.epoch.scored_steps
            counted.append([logs[metric.name] ** (2 if metric.root else 1) * count, count])

    def put() -> None:
        objects = {one.name: one for one in loss_objects(model, *zeros_of(structure_of(model), tally.shape.each))}
        pairs = [(objects[name], numbers) for name, numbers in values.items() if name in objects]
        for one, numbers in [*pairs, *zip(metric_objects(model), counted, strict=True)]:
            for variable, number in zip(one.variables, numbers, strict=True):
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
