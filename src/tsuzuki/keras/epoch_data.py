"""What an epoch reads: x and y of `model.fit`, or a series, as flat arrays and start offsets.

A sliding-window view of a series says so by its strides, and the series under it is read as it lies: sample s begins at
row s * step. Other samples are laid one after another, and step is then timesteps. Keras deals samples out in order, so
lane j of update k holds sample k * batch_size + j; whether these continue one another is up to the arrays.
"""

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsuzuki.data.segments import Segment
from tsuzuki.engine.data import Data
from tsuzuki.errors import SettingError
from tsuzuki.keras.arrays import (
    Floats,
    as_array,
    check_classes,
    check_finite,
    columns_of,
    first_break,
    flat_rows,
    step_of,
    targets_of,
)
from tsuzuki.keras.own_loss import Targets, scores
from tsuzuki.keras.shape import Shape
from tsuzuki.layouts.layout import CARRY, NOWHERE, ZERO, Block, Layout, check_length, slice_block
from tsuzuki.layouts.streams import Streams
from tsuzuki.layouts.windows import Windows


@dataclass(frozen=True)
class Kept:
    """Rows that are computed already."""

    whole: Block

    def block(self, first: int, last: int, lanes: int, timesteps: int) -> Block:
        """The rows of the updates first to last."""
        return slice_block(self.whole, first, last)


@dataclass(frozen=True)
class Epoch:
    """Everything an epoch reads.

    Attributes:
        data: the flat arrays.
        layout: its rows, all of them kept.
        block: the same rows.
        samples: how many there are.
        scored_steps: how many steps of a sample are scored.
        unmasked: the targets where `data` has something else: NaN at masked steps, or slopes; or None.
        own: what a loss is given that no kernel knows.
        counts: [points], which targets' steps count, where `data` does not tell, with an axis of several outputs; or
            None.
        ranks: how many axes the arrays of x and of y were given with.
    """

    data: Data
    layout: Layout
    block: Block
    samples: int
    scored_steps: int
    unmasked: NDArray[np.float32] | None = None
    own: Targets | None = None
    counts: NDArray[np.bool_] | None = None
    ranks: tuple[tuple[int, ...], tuple[int, ...]] = ((3,), (3,))

    def places(self, starts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where the targets of rows lie, [..., scored steps]: the last ones of a row, or from its first on."""
        return starts[..., None] + self._first + 1 + np.arange(self.scored_steps)

    def is_scored(self, valid: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Which of these are scored, of rows with so many valid steps."""
        steps = np.minimum(self._first + np.arange(self.scored_steps), self.layout.timesteps - 1)
        return steps < valid[..., None]

    def scored(
        self, shape: Shape, forecasts: NDArray[np.float32] | None, result: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """What `CompiledNetwork.forward` gave for all rows, with the loss in it where no kernel computes it."""
        if shape.own is None or self.own is None or forecasts is None:
            return result
        return scores(shape.own, self.own, self.places, self.block, forecasts, result)

    @property
    def _first(self) -> int:
        return max(0, self.layout.timesteps - self.scored_steps)


def from_arrays(
    shape: Shape,
    x: Any,
    y: Any,
    weights: Any,
    *,
    scored_apart: bool,
    what: str = "",
    after: bool = False,
    carries: bool = False,
) -> Epoch:
    """Lay out the samples of `model.fit`.

    Args:
        shape: what the model takes and gives.
        x: [samples, timesteps, features], or [samples, timesteps] for one feature.
        y: [samples, targets], or [samples, timesteps, targets] where every step is scored; the last axis may be left
            out where it is 1. NaN is missing and not scored.
        weights: of the loss: [samples], or [samples, timesteps] where every step is scored, with a last axis of the
            outputs where each has its own; or None.
        scored_apart: whether each sample's forecasts are wanted by themselves, so that windows that overlap may not
            share places.
        what: "validation " before the arrays' names in messages.
        after: whether the rows go on from the states that training saved.
        carries: whether the rows go on from the saved states, and save theirs after each update.

    Raises:
        SettingError: shapes that do not fit the model or one another.
        DataError: x is not finite.
    """
    x = as_array(x, f"{what}x")
    ranks = (x.ndim,), (np.ndim(y),)
    if x.ndim == 2 and shape.inputs == 1:
        x = x[:, :, None]
    if x.ndim != 3 or x.shape[2] != shape.inputs or 0 in x.shape or shape.timesteps not in (None, x.shape[1]):
        raise SettingError(
            f"{what}x has shape {x.shape}; the model takes (samples, {shape.timesteps or 'timesteps'}, "
            f"{shape.inputs}), at least one of each"
        )
    samples, steps, _ = x.shape
    scored = shape.scored_steps(steps)
    gives = (samples, scored, shape.targets) if shape.every_step else (samples, shape.targets)
    given, y = y, as_array(y, f"{what}y")
    if shape.own is not None:
        # Slopes will stand where targets do; the targets themselves go behind them, for metrics.
        given, y = y, y[..., None] if y.ndim == len(gives) - 1 else y
        y = targets_of((*gives[:-1], *y.shape[-1:]), y, what)
        check_finite(y.reshape(-1, 1), y.reshape(samples, scored, -1), f"{what}y as ")
        y = np.concatenate([np.zeros(gives, np.float32), y], axis=-1, dtype=np.float32)
    else:
        y = targets_of(gives, y, what)
    check_class_numbers(shape, y, f"{what}y")
    if weights is not None:
        wanted = (samples, scored) if shape.every_step else (samples,)
        weights = as_array(weights, f"{what}sample_weight")
        if weights.shape not in (wanted, (*wanted, 1), (*wanted, len(shape.each))):
            raise SettingError(f"{what}sample_weight has shape {weights.shape}; give it as {wanted}")
        weights = weights.reshape((*wanted, -1))
    step = step_of(x)
    apart = shape.every_step and step < steps
    if shape.every_step and scored != steps:
        # The targets of a sample, which may be more than its steps, take no place of the next one's.
        check_finite(x, x, what)
        step = max(steps, scored)
        x = np.pad(x, ((0, 0), (0, step - steps), (0, 0)))
    elif apart and (scored_apart or shape.own is not None or weights is not None or shape.masked or step_of(y) != step):
        x, step = np.ascontiguousarray(x), steps
    series = flat_rows(x, step)
    check_finite(series, x, what)
    targets = np.zeros((len(series) + 1, y.shape[-1]), np.float32)
    placed = None if weights is None else np.zeros((len(targets), weights.shape[-1]), np.float32)
    here = np.arange(samples)[:, None] * step + max(0, steps - scored) + 1 + np.arange(scored)
    if shape.every_step and scored != steps:
        targets[here] = y
        if placed is not None:
            placed[here] = weights
    elif not shape.every_step:
        targets[steps::step][:samples] = y
        if placed is not None:
            placed[steps::step][:samples] = weights
    elif step < steps:
        targets[1:] = flat_rows(y, step)
    else:
        targets[1:] = y.reshape(len(series), -1)
        if placed is not None:
            placed[1:] = weights.reshape(len(series), -1)
    block = _deal(np.arange(samples, dtype=np.int64) * step, shape, steps, after, carries)
    layout = Layout(
        timesteps=steps,
        lanes=shape.lanes,
        updates=len(block.starts),
        every_step=shape.every_step,
        targets=samples * scored,
        slots=shape.lanes if shape.stateful else 0,
        rows=Kept(block),
    )
    if placed is not None and placed.shape[1] == 1:
        placed = placed[:, 0]
    unmasked = own = counts = None
    if shape.own is not None:
        unmasked = np.ascontiguousarray(targets[:, shape.targets :])
        targets = np.ascontiguousarray(targets[:, : shape.targets])
        mask = shape.counting(x[:, :steps])
        if mask is not None:
            counts = np.ones((len(targets), *mask.shape[2:]), np.bool_)
            counts[here] = mask
        if weights is not None and len(shape.each) == 1:
            weights = weights[..., 0]
        own = Targets(
            given.astype(np.float32) if given.dtype.kind == "f" else given,
            None if weights is None else weights.astype(np.float32),
            mask,
            step,
            shape.every_step,
            shape.own_columns,
        )
        shape.own.check(*own.first(shape.lanes, gives[1:]))
    elif shape.masked:
        # A masked step is not scored, as if its target were missing; metrics see it all the same.
        unmasked, targets = targets, targets.copy()
    for number, output in enumerate(shape.each):
        if output.mask is not None and own is None:
            targets[here[~output.mask(x[:, :steps])], shape.columns(number)[1]] = np.nan
    data = Data(series, targets, shape.targets, sample_weights=placed)
    return Epoch(data, layout, block, samples, scored, unmasked, own, counts, ranks)


def from_series(
    shape: Shape, series: Any, targets: Any, weights: Any, *, timesteps: int | None, split: float, scored_apart: bool
) -> tuple[Epoch, Epoch | None]:
    """Lay out a series so that the rows of a stateful model continue one another, whatever the batch size.

    A stateless model sees every window, as from `keras.utils.timeseries_dataset_from_array`; a stateful one that scores
    every step sees every point once (`lanes.Streams`).

    Args:
        shape: what the model takes and gives.
        series: [points] or [points, features].
        targets: [points] or [points, targets]: the forecast from the points before i is scored at row i. None: the
            series itself.
        weights: [points], of the loss at each target's position, or None.
        timesteps: steps of a row; None: what the model was built for.
        split: share of the points at the end that is held out; they go on from the state training ends in.
        scored_apart: as in `from_arrays`.

    Returns:
        Training and validation rows; None without a split.
    """
    timesteps = shape.timesteps if timesteps is None else timesteps
    if isinstance(timesteps, bool) or not isinstance(timesteps, int) or timesteps < 1:
        raise SettingError(f"series is given with timesteps={timesteps}; give the steps of a row, from 1")
    if shape.timesteps not in (None, timesteps):
        raise SettingError(
            f"timesteps is {timesteps}, but the model was built for {shape.timesteps}; leave it out, or rebuild the "
            "model with None or another number in keras.Input"
        )
    if shape.own is not None:
        raise SettingError(f"the loss {shape.own.name} is none of ours, and needs x and y; give these for series")
    if shape.masked:
        raise SettingError("a model with masked steps is given a series, which has none; give x and y")
    values = columns_of(series, "series", shape.inputs, "features")
    if targets is None and (any(one.classes for one in shape.each) or shape.outputs != shape.inputs):
        raise SettingError(
            f"the model has {shape.outputs} outputs, but the series {shape.inputs} columns; give targets=, "
            "whose row i is what the model should say after the points up to i - 1"
        )
    aims = values if targets is None else columns_of(targets, "targets", shape.targets, "target values")
    if len(aims) != len(values):
        raise SettingError(f"series has {len(values)} points but targets {len(aims)}; give as many of both")
    if weights is not None:
        weights = np.ascontiguousarray(as_array(weights, "sample_weight"), np.float32)
        if weights.shape != (len(values),):
            raise SettingError(f"sample_weight has shape {weights.shape}; give one for each point: ({len(values)},)")
    check_finite(values, None, "")
    check_class_numbers(shape, aims, "targets")
    cut = len(values) if not split else int(len(values) * (1 - split))
    training, held_out = [Segment(0, cut)], [Segment(cut, len(values))]
    if not shape.stateful:
        # The first held-out window is the one whose first scored value is held out.
        reach = 1 if shape.every_step else timesteps
        spans = [training[0]] + ([Segment(max(0, cut - reach), len(values))] if split else [])
        epochs = [_windows(shape, values, aims, weights, span, timesteps, scored_apart) for span in spans]
        return epochs[0], epochs[1] if split else None
    data = Data(values, aims, shape.targets, sample_weights=weights)
    kind = Streams(timesteps, shape.lanes) if shape.every_step else Windows(timesteps, shape.lanes, stateful=True)
    scored = shape.scored_steps(timesteps)
    first = _kept(data, kind.over(training), scored)
    return first, _kept(data, kind.after(training, held_out), scored) if split else None


def shuffled(epoch: Epoch, generator: np.random.Generator) -> Block:
    """The rows of an epoch in a new random order."""
    starts = epoch.block.starts.copy()
    flat = starts.ravel()
    flat[: epoch.samples] = flat[generator.permutation(epoch.samples)]
    return replace(epoch.block, starts=starts)


def refill(epoch: Epoch, other: Epoch) -> None:
    """Put the samples of another epoch in place of one's own, which a session may be reading."""
    for name in ("inputs", "targets", "sample_weights"):
        mine, new = getattr(epoch.data, name), getattr(other.data, name)
        if (mine is None) != (new is None) or (mine is not None and mine.shape != new.shape):
            raise SettingError(
                f"this epoch's batches hold {other.samples} samples, those before {epoch.samples}; give every epoch as "
                "many, of the same shape"
            )
        if mine is not None:
            mine[:] = new
    pairs = [(epoch.unmasked, other.unmasked), (epoch.counts, other.counts)]
    if epoch.own is not None and other.own is not None:
        pairs += [(getattr(epoch.own, name), getattr(other.own, name)) for name in ("y", "weights", "mask")]
    for mine, new in pairs:
        if mine is not None and new is not None:
            mine[:] = new


def warn_of_breaks(shape: Shape, x: Any, what: str = "x") -> None:
    """Warn where the batches of a stateful model are seen not to continue one another, naming the first pair."""
    found = first_break(x, shape.lanes)
    if found is not None:
        sample, follower, reason = found
        warnings.warn(
            f"row 0 of batch 1 (sample {follower} of {what}) does not go on where row 0 of batch 0 (sample {sample}) "
            f"ended: {reason}, so the carried state is wrong; give the series itself: "
            "tsuzuki.fit(model, series=…, timesteps=…, batch_size=…)",
            stacklevel=3,
        )


def check_class_numbers(shape: Shape, targets: NDArray[Any], name: str) -> None:
    """Raise SettingError where targets [..., targets] that name classes name none."""
    for number, output in enumerate(shape.each):
        if output.classes:
            check_classes(targets[..., shape.columns(number)[1]], output.size, output.ignored, name)


def _deal(starts: NDArray[np.int64], shape: Shape, steps: int, after: bool, carries: bool) -> Block:
    """Deal samples out to the lanes of the updates, in order; what is left over in the last update is masked."""
    lanes, count = shape.lanes, len(starts)
    updates = -(-count // lanes)
    table = np.full((updates, lanes), -1, np.int64)
    table.ravel()[:count] = starts
    valid = np.where(table >= 0, steps, 0).astype(np.int32)
    entries = np.full(table.shape, CARRY if shape.stateful else ZERO, np.int32)
    exits = np.full(table.shape, NOWHERE, np.int32)
    lane = np.arange(lanes, dtype=np.int32)
    if shape.stateful and carries:
        # In each update, so that whoever looks or resets between two of them finds them there.
        entries[:], exits[:] = lane, lane
    elif shape.stateful:
        entries[0] = lane if after else ZERO
        if not after:
            # Each lane's state is saved where its last sample ends, for validation to go on from.
            exits[updates - 1] = lane
            if updates > 1:
                exits[updates - 2] = lane
    return Block(table, valid, entries, exits)


def _kept(data: Data, layout: Layout, scored: int) -> Epoch:
    block = layout.block(0, layout.updates)
    # A lane that has run out keeps its state, to be given back to the model.
    entries = np.where(block.valid == 0, CARRY, block.entries).astype(np.int32)
    entries[0] = np.where(entries[0] == CARRY, ZERO, entries[0])
    block = replace(block, entries=entries)
    return Epoch(data, replace(layout, rows=Kept(block)), block, int((block.valid > 0).sum()), scored)


def _windows(
    shape: Shape,
    values: Floats,
    aims: Floats,
    weights: Floats | None,
    span: Segment,
    timesteps: int,
    scored_apart: bool,
) -> Epoch:
    """All windows of a stretch of a series, each with its target, without a copy of the inputs."""
    check_length([span], timesteps + 1, f"a window of {timesteps} steps with its target")
    here = slice(span.start, span.stop)

    def rolled(array: NDArray[Any]) -> NDArray[Any]:
        return np.moveaxis(np.lib.stride_tricks.sliding_window_view(array, timesteps, axis=0), -1, 1)

    x = rolled(values[here][:-1])
    if shape.every_step:
        y = rolled(aims[here][1:])
        placed = None if weights is None else rolled(weights[here][1:])
    else:
        y = aims[here][timesteps:]
        placed = None if weights is None else weights[here][timesteps:]
    return from_arrays(shape, x, y, placed, scored_apart=scored_apart)
