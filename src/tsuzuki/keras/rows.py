"""What an epoch reads: x and y of `model.fit`, or a series, as flat arrays and start offsets.

A sliding-window view of a series says so by its strides, and the series under it is read as it lies: sample s begins at
row s * step. Other samples are laid one after another, and step is then timesteps. Keras deals samples out in order, so
lane j of update k holds sample k * batch_size + j; whether these continue one another is up to the arrays.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsuzuki.errors import DataError, SettingError
from tsuzuki.kernels.session import Data
from tsuzuki.lanes import CARRY, NOWHERE, ZERO, Block, Layout, Streams, Windows, check_length
from tsuzuki.series import Segment

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Shape:
    """What a model takes and gives.

    Attributes:
        inputs: features of a step.
        outputs: values of a forecast.
        every_step: whether each step is scored.
        stateful: whether the state is carried from batch to batch.
        lanes: the batch size.
    """

    inputs: int
    outputs: int
    every_step: bool
    stateful: bool
    lanes: int


@dataclass(frozen=True)
class Kept:
    """Rows that are computed already."""

    whole: Block

    def block(self, first: int, last: int, lanes: int, timesteps: int) -> Block:
        """The rows of the updates first to last."""
        b = self.whole
        return Block(b.starts[first:last], b.valid[first:last], b.entries[first:last], b.exits[first:last])


@dataclass(frozen=True)
class Epoch:
    """Everything an epoch reads.

    Attributes:
        data: the flat arrays.
        layout: its rows, all of them kept.
        block: the same rows.
        samples: how many there are.
    """

    data: Data
    layout: Layout
    block: Block
    samples: int


def from_arrays(
    shape: Shape, x: Any, y: Any, weights: Any, *, scored_apart: bool, what: str = "", after: bool = False
) -> Epoch:
    """Lay out the samples of `model.fit`.

    Args:
        shape: what the model takes and gives.
        x: [samples, timesteps, features], or [samples, timesteps] for one feature.
        y: [samples, outputs], or [samples, timesteps, outputs] where every step is scored; the last axis may be left
            out where it is 1. NaN is missing and not scored.
        weights: of the loss: [samples], or [samples, timesteps] where every step is scored; or None.
        scored_apart: whether each sample's forecasts are wanted by themselves, so that windows that overlap may not
            share places.
        what: "validation " before the arrays' names in messages.
        after: whether the rows go on from the states that training saved.

    Raises:
        SettingError: shapes that do not fit the model or one another.
        DataError: x is not finite.
    """
    x = as_array(x, f"{what}x")
    if x.ndim == 2 and shape.inputs == 1:
        x = x[:, :, None]
    if x.ndim != 3 or x.shape[2] != shape.inputs or 0 in x.shape:
        raise SettingError(
            f"{what}x has shape {x.shape}; the model takes (samples, timesteps, {shape.inputs}), at least one of each"
        )
    samples, steps, _ = x.shape
    y = _targets(shape, as_array(y, f"{what}y"), samples, steps, what)
    if weights is not None:
        wanted = (samples, steps) if shape.every_step else (samples,)
        weights = as_array(weights, f"{what}sample_weight")
        if weights.shape not in (wanted, (*wanted, 1)):
            raise SettingError(f"{what}sample_weight has shape {weights.shape}; give it as {wanted}")
        weights = weights.reshape(wanted)
    step = _step(x)
    apart = shape.every_step and step < steps
    if apart and (scored_apart or weights is not None or _step(y) != step):
        x, step = np.ascontiguousarray(x), steps
    series = _flat(x, step)
    _check_finite(series, x, what)
    targets = np.zeros((len(series) + 1, shape.outputs), np.float32)
    placed = None if weights is None else np.zeros(len(targets), np.float32)
    if not shape.every_step:
        targets[steps::step][:samples] = y
        if placed is not None:
            placed[steps::step][:samples] = weights
    elif step < steps:
        targets[1:] = _flat(y, step)
    else:
        targets[1:] = y.reshape(-1, shape.outputs)
        if placed is not None:
            placed[1:] = weights.ravel()
    block = _deal(np.arange(samples, dtype=np.int64) * step, shape, steps, after)
    layout = Layout(
        timesteps=steps,
        lanes=shape.lanes,
        updates=len(block.starts),
        every_step=shape.every_step,
        targets=samples * (steps if shape.every_step else 1),
        slots=shape.lanes if shape.stateful else 0,
        rows=Kept(block),
    )
    return Epoch(Data(series, targets, shape.outputs, sample_weights=placed), layout, block, samples)


def from_series(
    shape: Shape, series: Any, targets: Any, weights: Any, *, timesteps: int, split: float, scored_apart: bool
) -> tuple[Epoch, Epoch | None]:
    """Lay out a series so that the rows of a stateful model continue one another, whatever the batch size.

    A stateless model sees every window, as from `keras.utils.timeseries_dataset_from_array`; a stateful one that scores
    every step sees every point once (`lanes.Streams`).

    Args:
        shape: what the model takes and gives.
        series: [points] or [points, features].
        targets: [points] or [points, outputs]: the forecast from the points before i is scored at row i. None: the
            series itself.
        weights: [points], of the loss at each target's position, or None.
        timesteps: steps of a row.
        split: share of the points at the end that is held out; they go on from the state training ends in.
        scored_apart: as in `from_arrays`.

    Returns:
        Training and validation rows; None without a split.
    """
    if isinstance(timesteps, bool) or not isinstance(timesteps, int) or timesteps < 1:
        raise SettingError(f"series is given with timesteps={timesteps}; give the steps of a window, from 1")
    values = _columns(series, "series", shape.inputs, "features")
    if targets is None and shape.outputs != shape.inputs:
        raise SettingError(
            f"the model has {shape.outputs} outputs, but the series {shape.inputs} columns; give targets=, "
            "whose row i is what the model should say after the points up to i - 1"
        )
    aims = values if targets is None else _columns(targets, "targets", shape.outputs, "outputs")
    if len(aims) != len(values):
        raise SettingError(f"series has {len(values)} points but targets {len(aims)}; give as many of both")
    if weights is not None:
        weights = np.ascontiguousarray(as_array(weights, "sample_weight"), np.float32)
        if weights.shape != (len(values),):
            raise SettingError(f"sample_weight has shape {weights.shape}; give one for each point: ({len(values)},)")
    _check_finite(values, None, "")
    cut = len(values) if not split else int(len(values) * (1 - split))
    training, held_out = [Segment(0, cut)], [Segment(cut, len(values))]
    if not shape.stateful:
        # The first held-out window is the one whose first scored value is held out.
        reach = 1 if shape.every_step else timesteps
        spans = [training[0]] + ([Segment(max(0, cut - reach), len(values))] if split else [])
        epochs = [_windows(shape, values, aims, weights, span, timesteps, scored_apart) for span in spans]
        return epochs[0], epochs[1] if split else None
    data = Data(values, aims, shape.outputs, sample_weights=weights)
    kind = Streams(timesteps, shape.lanes) if shape.every_step else Windows(timesteps, shape.lanes, stateful=True)
    first = _kept(data, kind.over(training))
    return first, _kept(data, kind.after(training, held_out)) if split else None


def shuffled(epoch: Epoch, generator: np.random.Generator) -> Block:
    """The rows of an epoch in a new random order."""
    starts = epoch.block.starts.copy()
    flat = starts.ravel()
    flat[: epoch.samples] = flat[generator.permutation(epoch.samples)]
    return replace(epoch.block, starts=starts)


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


def first_break(x: Any, lanes: int) -> tuple[int, int, str] | None:
    """Find whether samples that overlap are dealt out wrongly for a carried state.

    Samples that do not overlap say nothing about where they lie in time.

    Args:
        x: [samples, timesteps, …].
        lanes: the batch size.

    Returns:
        A sample, the one that takes over its state, and why that is wrong; or None.
    """
    samples, steps = x.shape[:2]
    if samples <= lanes:
        return None
    step = _step(x)
    if step >= steps:
        some = x[: min(samples, 4 * steps)]
        step = next((m for m in range(1, steps) if np.array_equal(some[1:, : steps - m], some[:-1, m:])), steps)
        # A constant series overlaps with itself anyhow.
        if step == steps or np.ptp(some) == 0:
            return None
    if lanes * step == steps:
        return None
    return 0, lanes, f"it begins {lanes * step} steps later, and a sample has {steps}"


def _deal(starts: NDArray[np.int64], shape: Shape, steps: int, after: bool) -> Block:
    """Deal samples out to the lanes of the updates, in order; what is left over in the last update is masked."""
    lanes, count = shape.lanes, len(starts)
    updates = -(-count // lanes)
    table = np.full((updates, lanes), -1, np.int64)
    table.ravel()[:count] = starts
    valid = np.where(table >= 0, steps, 0).astype(np.int32)
    entries = np.full(table.shape, CARRY if shape.stateful else ZERO, np.int32)
    exits = np.full(table.shape, NOWHERE, np.int32)
    if shape.stateful:
        lane = np.arange(lanes, dtype=np.int32)
        entries[0] = lane if after else ZERO
        if not after:
            # Each lane's state is saved where its last sample ends, for validation to go on from.
            exits[updates - 1] = lane
            if updates > 1:
                exits[updates - 2] = lane
    return Block(table, valid, entries, exits)


def _kept(data: Data, layout: Layout) -> Epoch:
    block = layout.block(0, layout.updates)
    # A lane that has run out keeps its state, to be given back to the model.
    entries = np.where(block.valid == 0, CARRY, block.entries).astype(np.int32)
    entries[0] = np.where(entries[0] == CARRY, ZERO, entries[0])
    block = replace(block, entries=entries)
    return Epoch(data, replace(layout, rows=Kept(block)), block, int((block.valid > 0).sum()))


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


def as_array(given: Any, name: str) -> NDArray[Any]:
    """An argument as an array of numbers, or SettingError with its name."""
    if given is None:
        raise SettingError(f"{name} is missing; give an array")
    if not (hasattr(given, "__array__") or isinstance(given, Sequence)) or isinstance(given, str):
        raise SettingError(
            f"{name} is a {type(given).__name__}; give an array, or the series: "
            "tsuzuki.fit(model, series=…, timesteps=…, batch_size=…)"
        )
    array = np.asarray(given)
    if array.dtype.kind not in "fiub":
        raise SettingError(f"{name} has dtype {array.dtype}; give numbers")
    return array


def _targets(shape: Shape, y: NDArray[Any], samples: int, steps: int, what: str) -> NDArray[Any]:
    wanted = (samples, steps, shape.outputs) if shape.every_step else (samples, shape.outputs)
    if shape.outputs == 1 and y.shape == wanted[:-1]:
        return y[..., None]
    if y.shape != wanted:
        raise SettingError(
            f"{what}y has shape {y.shape}; for {samples} samples the model gives {wanted}: change y or the last layers"
        )
    return y


def _columns(given: Any, name: str, columns: int, kind: str) -> Floats:
    array = as_array(given, name)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or array.shape[1] != columns:
        raise SettingError(
            f"{name} has shape {np.shape(given)}; the model has {columns} {kind}: give (points, {columns})"
        )
    return np.ascontiguousarray(array, np.float32)


def _step(x: NDArray[Any]) -> int:
    """Rows from one sample to the next in the series that x is a view of; timesteps where it is none."""
    samples, steps = int(x.shape[0]), int(x.shape[1])
    if samples == 1 or steps == 1:
        return steps
    if x.strides[1] <= 0 or x.strides[0] <= 0 or x.strides[0] % x.strides[1]:
        return steps
    return min(int(x.strides[0]) // int(x.strides[1]), steps)


def _flat(x: NDArray[Any], step: int) -> Floats:
    """The rows [(samples - 1) * step + timesteps, columns] under samples that begin every `step` rows."""
    samples, steps, columns = x.shape
    if step == steps:
        return np.ascontiguousarray(x.reshape(-1, columns), np.float32)
    rows = (samples - 1) * step + steps
    series = np.lib.stride_tricks.as_strided(x, (rows, columns), x.strides[1:], writeable=False)
    return np.ascontiguousarray(series, np.float32)


def _check_finite(series: Floats, x: NDArray[Any] | None, what: str) -> None:
    # One sum is finite only if all its terms are; it is looked at closely only otherwise.
    if np.isfinite(series.sum()) or np.isfinite(series).all():
        return
    advice = "fill it in, or split the series there (tsuzuki.collect does both)"
    if x is None:
        point, column = np.argwhere(~np.isfinite(series))[0]
        raise DataError(f"series has {series[point, column]} at point {point}, column {column}; {advice}")
    sample, step, feature = np.argwhere(~np.isfinite(np.asarray(x, np.float32)))[0]
    value = x[sample, step, feature]
    raise DataError(f"{what}x has {value} in sample {sample}, step {step}, feature {feature}; {advice}")
