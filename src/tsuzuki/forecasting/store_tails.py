"""The last steps of some series of a store, and the networks run over them, all series side by side.

A network is run from a zero state, as it was trained on stretches that begin with one. Where recent errors are
followed, they are those of the forecasts made at these steps.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tsuzuki.data.panel_store import PanelStore
from tsuzuki.forecasting.follow import combined, follower_of, phases_at
from tsuzuki.forecasting.predict import in_units
from tsuzuki.forecasting.recent_errors import WIDTH
from tsuzuki.forecasting.store_rows import calendar_of
from tsuzuki.forecasting.store_windows import SEASONS_BEFORE
from tsuzuki.forecasting.window_inputs import WindowInputs
from tsuzuki.layouts.layout import CARRY, NOWHERE, ZERO, Block

if TYPE_CHECKING:
    from tsuzuki.forecasting.fitted import Fitted
    from tsuzuki.forecasting.rules import Rules
    from tsuzuki.forecasting.settings import Settings

# Steps of a series that its state is made of, at least. M4's hourly series 48 steps ahead, before their test part: MASE
# .821 by 24, .805 by 48, .800 by 96, .801 by 192, .800 by 480.
WARM_UP = 48


def steps_run(horizon: int) -> int:
    """Steps of each series that networks are run over; a forecast is judged only when its last step has come."""
    return max(WARM_UP, 2 * horizon)


def forecasts_of(
    fitted: "Fitted", learned: "Rules", settings: "Settings", store: PanelStore, first: int, *, followed: bool
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """The next steps of some series of a store.

    Args:
        fitted: for these series, see `store_predict`.
        learned: the rules of the series that the networks have learned from.
        settings: of the forecaster.
        store: the readings.
        first: the first of the series.
        followed: whether the errors of forecasts made at the last steps are followed.

    Returns:
        Forecasts [series, horizon, quantiles or 1], in their units, transformed; and how many times as wide as in usual
        times their intervals are, [series].
    """
    count, rules, before = len(fitted.scales), fitted.rules, fitted.way.before
    followed = followed and fitted.recent is not None
    steps = steps_run(rules.horizon)
    seasons = np.array(rules.bases, np.int64)
    earlier = before if rules.alone else rules.history - 1 + SEASONS_BEFORE * max(1, int(seasons.max()))
    values = last_values(fitted, store, first, earlier + steps)
    begins = unbroken(values, settings.max_gap)
    # What stands before an unbroken stretch is its first value.
    lead = np.arange(values.shape[1]) < begins[:, None]
    values = np.where(lead, values[np.arange(count), begins][:, None], values)
    missing = np.isnan(values[:, -steps:])
    calendar = _calendar(fitted, store, first, before + steps)
    if rules.alone:
        # A gap that lies before the first row to run is read by lags only, and not imputed any more.
        known, upto = _without_gaps(values), np.arange(earlier + steps) <= np.maximum(begins, earlier)[:, None]
        shown = [np.where(upto, known, values)[..., None], np.isnan(values)[..., None]]
    else:
        values = _filled(values, seasons)
        shown = [
            values[:, -steps:, None],
            missing[..., None],
            _window_inputs(WindowInputs(rules, learned), values, rules.history, steps),
        ]
    rows = np.concatenate([*shown, calendar], axis=2, dtype=np.float32)
    begins = np.maximum(begins - earlier, 0)
    outputs = _run(fitted, rows.reshape(count * (before + steps), -1), begins, before, steps, every=followed)
    if fitted.committee is None:
        return in_units(fitted, outputs[:, -1], np.arange(count)), np.ones(count, np.float32)
    last = values[:, -rules.history :]
    ends = last_times(store, first, count)[:, None] + store.step * np.arange(1 - steps, 1)
    times = ends.astype("datetime64[ns]")
    if not followed:
        together = combined(fitted, outputs[:, -1], last, np.arange(count), phases_at(fitted, times[:, -1]))
        return in_units(fitted, together, np.arange(count)), np.ones(count, np.float32)
    return _followed(fitted, outputs, values, missing, begins, times)


def _followed(
    fitted: "Fitted",
    outputs: NDArray[np.float32],
    values: NDArray[np.float32],
    missing: NDArray[np.bool_],
    begins: NDArray[np.int64],
    times: NDArray[np.datetime64],
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Forecasts that follow recent errors, all series moved on a step at a time.

    Args:
        fitted: for these series.
        outputs: float32 [series, steps, horizon], what the networks say.
        values: float32 [series, ...], without gaps, the last steps at the end.
        missing: bool [series, steps].
        begins: int64 [series], the step that each begins with.
        times: datetime64 [series, steps].
    """
    states, size, (count, steps) = fitted.recent_states.copy(), fitted.rules.history, missing.shape
    follower, every = follower_of(fitted, states), np.arange(count)
    assert follower is not None
    for step in range(steps):
        windows = values[:, values.shape[1] - steps + step + 1 - size : values.shape[1] - steps + step + 1]
        follower.begin_anew(every[begins == step])
        here = every[begins <= step]
        follower.follow(here, windows[here], missing[here, step])
        if step < steps - 1:
            # Of the others nothing is kept.
            here = here[follower.due(here)]
        if len(here) == 0:
            continue
        own = np.ascontiguousarray(windows[here])
        phases = phases_at(fitted, times[here, step])
        found = follower.mixed(here, combined(fitted, outputs[here, step], own, here, phases), own)
    return in_units(fitted, found, every), states[:, WIDTH]


def last_values(fitted: "Fitted", store: PanelStore, first: int, size: int) -> NDArray[np.float32]:
    """The last values of some series in units of their scales, [series, size], NaN where there are none."""
    count = len(fitted.scales)
    found = np.full((count, size), np.nan, np.float32)
    for place in range(count):
        start, stop = store.offsets[first + place], store.offsets[first + place + 1]
        own = store.values[max(start, stop - size) : stop]
        found[place, size - len(own) :] = own
    which = np.arange(count)
    moved = fitted.transform.forward(found, which) - fitted.scales[:, :1]
    return np.asarray(moved / fitted.scales[:, 1:], np.float32)


def unbroken(values: NDArray[np.float32], max_gap: int) -> NDArray[np.int64]:
    """Where the last unbroken stretch of each row [size] begins, int64 [series]."""
    known, at = ~np.isnan(values), np.arange(values.shape[1])
    nowhere = -max_gap - 2
    last = np.maximum.accumulate(np.where(known, at, nowhere), axis=1)
    before = np.concatenate([np.full((len(values), 1), nowhere), last[:, :-1]], axis=1)
    found = np.where(known & (at - before - 1 > max_gap), at, 0).max(axis=1)
    return np.asarray(np.where(known.any(axis=1), found, len(at) - 1), np.int64)


def _without_gaps(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows with each missing value replaced by the one before, or the first one known."""
    known = ~np.isnan(values)
    first = known.argmax(axis=1)[:, None]
    place = np.maximum.accumulate(np.where(known, np.arange(values.shape[1]), first), axis=1)
    return np.take_along_axis(values, place, axis=1)


def _filled(values: NDArray[np.float32], seasons: NDArray[np.int64]) -> NDArray[np.float32]:
    """Rows with each missing value replaced by the one a season before, 0: by the last one, as a history has them."""
    found, back, missing = values.copy(), np.maximum(seasons, 1), np.isnan(values)
    for at in np.flatnonzero(missing.any(axis=0)):
        here = np.flatnonzero(missing[:, at])
        found[here, at] = found[here, np.maximum(at - back[here], 0)]
    return found


def _window_inputs(of_windows: WindowInputs, values: NDArray[np.float32], size: int, steps: int) -> NDArray[np.float32]:
    """What networks of a committee read of the windows [size] at the last steps, [series, steps, columns]."""
    every, width = np.arange(len(values)), values.shape[1]
    found = np.empty((len(values), steps, of_windows.count), np.float32)
    for step in range(steps):
        stop = width - steps + step + 1
        found[:, step] = of_windows.of(values[:, stop - size : stop], every)
    return found


def _calendar(fitted: "Fitted", store: PanelStore, first: int, size: int) -> NDArray[np.float32]:
    """The calendar of each series' last steps, [series, size, columns]."""
    cycles, count = fitted.rules.cycles, len(fitted.scales)
    found = np.zeros((count, size, 2 * len(cycles)), np.float32)
    if cycles:
        ends = last_times(store, first, count)
        for end in np.unique(ends):
            found[ends == end] = calendar_of(int(end) - store.step * (size - 1), size, store.step, cycles)
    return found


def last_times(store: PanelStore, first: int, count: int) -> NDArray[np.int64]:
    """The last time of some series."""
    steps = np.diff(store.offsets[first : first + count + 1])
    return np.asarray(store.starts[first : first + count] + store.step * (steps - 1))


def _run(
    fitted: "Fitted", rows: NDArray[np.float32], begins: NDArray[np.int64], before: int, steps: int, *, every: bool
) -> NDArray[np.float32]:
    """The mean of what the networks say at every row, or at the last one, float32 [series, steps or 1, outputs].

    Args:
        fitted: for these series.
        rows: float32 [series * (before + steps), columns].
        begins: int64 [series], the step that each is run from.
        before: rows of each that only lags read.
        steps: rows behind them.
        every: whether all rows are asked for.
    """
    from tsuzuki.engine.compiled_network import CompiledNetwork
    from tsuzuki.engine.data import Data, RowShape
    from tsuzuki.engine.memory import Parameters, SavedStates

    count = len(begins)
    block, size = _single_steps(begins, count, before, steps), before + steps
    # Each forecast stands one row behind the row it was made from; pages that nobody writes take no memory.
    outputs = fitted.way.network.outputs
    forecasts = np.empty((count * size + 1, outputs), np.float32)
    total = np.zeros((count, steps if every else 1, outputs), np.float32)
    parts = (slice(0, steps),) if every else (slice(0, steps - 1), slice(steps - 1, steps))
    for way, weights in zip(fitted.ways, fitted.members, strict=True):
        # Networks that stand alone replace missing values in place.
        own = rows.copy() if way.impute_from is not None else rows
        compiled = CompiledNetwork(
            way.network,
            RowShape(count),
            Data(own, None, 1, residual=way.impute_from is not None, lags=way.lags, impute_from=way.impute_from),
            parameters=Parameters(way.network, weights),
            saved_states=SavedStates(way.network, 1),
            threads=1,
        )
        for some in parts:
            part = Block(block.starts[some], block.valid[some], block.entries[some], block.exits[some])
            compiled.forward(part, forecasts if every or some.stop == steps else None)
        found = forecasts[1:].reshape(count, size, -1)[:, before:]
        total += found if every else found[:, -1:]
    return total / np.float32(len(fitted.members))


def _single_steps(begins: NDArray[np.int64], count: int, before: int, steps: int) -> Block:
    """All rows of all series, a step an update and a series a lane.

    Args:
        begins: int64 [series], the step of each to begin with.
        count: of the series.
        before: rows of each that only lags read.
        steps: rows behind them.
    """
    places = np.arange(steps)[:, None]
    runs = places >= begins[None, :]
    starts = np.where(runs, before + places + (before + steps) * np.arange(count)[None, :], -1)
    entries = np.where(runs & (places > begins[None, :]), CARRY, ZERO).astype(np.int32)
    return Block(starts.astype(np.int64), runs.astype(np.int32), entries, np.full(starts.shape, NOWHERE, np.int32))
