"""Backtests: forecasts from past origins, each with only what was known there.

The networks are trained on the data before the first origin, and anew every so many origins if that is asked for;
between, only their states advance.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tsuzuki.data.calendar import seasons
from tsuzuki.data.covariates import CovariateSeries
from tsuzuki.data.segments import Segment
from tsuzuki.engine.threads import threads_allowed
from tsuzuki.errors import DataError, SettingError, TooShortError
from tsuzuki.forecasting.bounds import states_at, within
from tsuzuki.forecasting.fit import train
from tsuzuki.forecasting.fitted import Fitted
from tsuzuki.forecasting.follow import combined, follow_panel, follower_of, phases_from, sizes_of, standing_of
from tsuzuki.forecasting.history import History, history_of
from tsuzuki.forecasting.known_effects import effects_over, series_without_effects
from tsuzuki.forecasting.level_shift import Standing, take_off_shifts
from tsuzuki.forecasting.panel import Panel, SeriesInputs, build_panel
from tsuzuki.forecasting.predict import in_units, interval_bounds, interval_quantiles, point_forecast, whole_ends
from tsuzuki.forecasting.references import references
from tsuzuki.forecasting.scaling import series_inputs
from tsuzuki.forecasting.search import search
from tsuzuki.forecasting.settings import Settings
from tsuzuki.forecasting.stepwise import ModelSpec, run_stepwise
from tsuzuki.forecasting.window_inputs import with_windows

if TYPE_CHECKING:
    import pandas as pd

    from tsuzuki.forecasting.rules import Rules
    from tsuzuki.training.workers import Workers


# Where the number of origins is not given: those in this share of the shortest series, at most so many.
BACKTESTED, MOST_WINDOWS = 0.2, 52


def backtest(
    series: Sequence[CovariateSeries],
    settings: Settings,
    windows: int | None,
    step: int,
    levels: Sequence[float],
    on_progress: Callable[[float], object] | None = None,
    zone: str | None = None,
    checkpoint: str | Path | None = None,
    every: str | float = 30.0,
    workers: "Workers | None" = None,
    *,
    refit: bool | int = False,
) -> "tuple[pd.DataFrame, Fitted]":
    """Forecast from the last `windows` origins of each series, `step` steps apart; see `Forecaster.backtest`.

    `zone` is the time zone in which times are given, or None.

    Returns:
        A row for each reading that was forecast, and what the last training left.
    """
    if settings.quantiles:
        for level in levels:
            interval_quantiles(settings, level)
    if windows is None:
        windows = fitting_windows(min(len(one.values) for one in series), settings.horizon, step)
    origins = [origins_of(one, settings.horizon, windows, step) for one in series]
    blocks = refit_blocks(windows, refit)
    report = None if on_progress is None else lambda share: on_progress(share / len(blocks))
    tables: list[pd.DataFrame] = []
    scales: dict[str, float] = {}
    for number, block in enumerate(blocks):
        own = [known[block] for known in origins]
        before = [one.cut_at(int(known[0])) for one, known in zip(series, own, strict=True)]
        networks = None
        if number == 0 and settings.search:
            searched = search(before, settings, checkpoint, workers=workers)
            settings, networks = searched.settings, searched.networks
        path = checkpoint if checkpoint is None or number == 0 else f"{checkpoint}.refit{number}"
        fitted = train(before, settings, report, path, every, workers=workers, networks=networks)
        found, of_block = scored(fitted, settings, series, own, levels)
        tables.append(found)
        # MASE's scale is that of what lies before the first origin.
        scales = scales or of_block
    table = in_order(tables, scales)
    if table.empty:
        raise DataError(
            f"none of the {windows} origins that lie {step} steps apart can be forecast from: each is in a gap of more "
            f"than {settings.max_gap} steps, or at its end; give another step= (--step) or max_gap= (--max-gap)"
        )
    fitted.zone = zone
    return finished_table(table, scales, zone), fitted


def refit_blocks(windows: int, refit: bool | int) -> list[slice]:
    """Origins that are forecast from by one training each.

    Args:
        windows: origins.
        refit: whether each has a training of its own, or for how many one serves; False or 0: for all.
    """
    if not isinstance(refit, int) or refit < 0:
        raise SettingError(
            f"refit={refit!r} is no number of origins; give 1 (or True) to train anew at each, 3 at every third, "
            "0 (or False) to train once"
        )
    each = int(refit) or max(1, windows)
    return [slice(first, first + each) for first in range(0, windows, each)]


def in_order(tables: "Sequence[pd.DataFrame]", names: Iterable[str]) -> "pd.DataFrame":
    """Tables of blocks of origins as one: all origins of a series, then those of the next one of these names."""
    import pandas as pd

    places = {name: place for place, name in enumerate(names)}
    together = pd.concat(tables, ignore_index=True)
    return together.sort_values("unique_id", key=lambda ids: ids.map(places), kind="stable", ignore_index=True)


def finished_table(tables: "pd.DataFrame", scales: dict[str, float], zone: str | None) -> "pd.DataFrame":
    """What a backtest gives, of all its series' rows."""
    from tsuzuki.data.zones import in_zone

    # A reference that is missing for one series is left out for all.
    table = tables.dropna(axis=1)
    table = table.assign(ds=in_zone(table["ds"], zone), cutoff=in_zone(table["cutoff"], zone))
    table.attrs["mase_scale"] = scales
    return table


def scored(
    fitted: Fitted,
    settings: Settings,
    series: Sequence[CovariateSeries],
    origins: Sequence[NDArray[np.int64]],
    levels: Sequence[float],
    learned: "Rules | None" = None,
) -> "tuple[pd.DataFrame, dict[str, float]]":
    """Forecasts of series from their origins, beside references.

    Args:
        fitted: to these series, on what lies before the first origin of each.
        settings: of the forecaster.
        series: whole.
        origins: for each int64 [origins], how many points are known at each.
        levels: of the intervals, in per cent.
        learned: the rules of the series that the networks have learned from, where they are others.

    Returns:
        A row for each reading that was forecast, and MASE's scale of each series.
    """
    import pandas as pd

    cuts = [int(some[0]) for some in origins]
    forecasts, seen, moved, widths = _forecast_from_origins(fitted, settings, series, origins, learned)

    def back(values: NDArray[np.float64], number: int) -> NDArray[np.float64]:
        usual = fitted.transform.inverse(values, number)
        return within(fitted.effects.put_on(usual, moved[number], fitted.transform, number), bounds[number])

    bounds = [
        states_at(state, one.values[cut:], known[there] - cut)
        for state, one, cut, known, there in zip(fitted.recent_states, series, cuts, origins, seen, strict=True)
    ]
    frames, scales = [], {}
    ahead = np.arange(settings.horizon)
    for number, (one, cut) in enumerate(zip(series, cuts, strict=True)):
        known = origins[number][seen[number]]
        places = (known[:, None] + ahead).ravel()
        columns = {
            "unique_id": np.full(len(places), one.name, object),
            "ds": one.times[places],
            "cutoff": np.repeat(one.times[known - 1], settings.horizon),
            "y": one.values[places],
            "tsuzuki": back(point_forecast(settings, forecasts[number]), number).ravel(),
        }
        for level in levels:
            low, high = interval_bounds(fitted, settings, forecasts[number], number, level, width=widths[number])
            ends = whole_ends(fitted, back(low, number), back(high, number))
            columns[f"tsuzuki-lo-{level:g}"], columns[f"tsuzuki-hi-{level:g}"] = (end.ravel() for end in ends)
        for name, values in references(one, cut, known, settings.horizon, fitted.step).items():
            columns[name] = values.ravel()
        frame = pd.DataFrame(columns)
        frames.append(frame[~np.isnan(frame["y"].to_numpy())])
        scales[one.name] = _seasonal_naive_mae(one.values[:cut], fitted.step)
    return pd.concat(frames, ignore_index=True), scales


def least_known(horizon: int) -> int:
    """Points that must be known at a first origin."""
    return 2 * horizon + 2


def fitting_windows(points: int, horizon: int, step: int) -> int:
    """How many origins the last fifth of a series has room for, at most 52 and at least one.

    Args:
        points: of the series.
        horizon: steps ahead.
        step: steps between two origins.
    """
    return max(1, min(MOST_WINDOWS, (int(points * BACKTESTED) - horizon) // max(1, step) + 1))


def origins_of(one: CovariateSeries, horizon: int, windows: int, step: int) -> NDArray[np.int64]:
    """The number of points known at each origin, the last one `horizon` steps before the end."""
    if windows < 1 or step < 1:
        raise SettingError(f"windows={windows} and step={step} are not both at least 1; give whole numbers from 1")
    found = len(one.values) - horizon - step * np.arange(windows)[::-1]
    if found[0] < least_known(horizon):
        most = max(0, (len(one.values) - 3 * horizon - 2) // step + 1)
        raise TooShortError(
            f"series {one.name!r} has {len(one.values)} points, too few for {windows} windows {step} steps apart "
            f"with training data before them; at most {most} windows fit"
        )
    return np.asarray(found, np.int64)


def _forecast_from_origins(
    fitted: Fitted,
    settings: Settings,
    series: Sequence[CovariateSeries],
    origins: Sequence[NDArray[np.int64]],
    learned: "Rules | None",
) -> tuple[list[NDArray[np.float64]], list[NDArray[np.bool_]], list[NDArray[np.float64]], list[NDArray[np.float64]]]:
    """The forecasts [origins, horizon, quantiles or 1] of each series in its unit, transformed, which origins have one,
    what is known ahead adds to them, [origins, horizon], and how wide intervals are, [origins, 1 or horizon]."""
    rules, transform = fitted.rules, fitted.transform
    usual = series_without_effects(series, transform, fitted.effects, fitted.covariate_scales)
    inputs, _ = series_inputs(
        usual, settings, fitted.step, rules.cycles, transform, fitted.scales, fitted.covariate_scales
    )
    cuts = [int(known[0]) for known in origins]
    leveled = [
        _without_shifts(fitted, one, number, cut) for number, (one, cut) in enumerate(zip(inputs, cuts, strict=True))
    ]
    inputs, histories = [one for one, _, _ in leveled], [one for _, one, _ in leveled]
    panel = build_panel(with_windows(inputs, histories, rules, learned), fitted.way.before, settings.horizon)
    follower = follower_of(fitted, fitted.recent_states.copy())
    # Errors are followed from the first origin on.
    every = [np.arange(cut, known[-1] + 1) if follower else known for cut, known in zip(cuts, origins, strict=True)]
    wanted, order, _ = _rows_before(panel, every)

    def one(way: ModelSpec, weights: list[NDArray[np.float32]]) -> NDArray[np.float32]:
        # Networks that stand alone replace missing values in place.
        own = replace(panel, inputs=panel.inputs.copy()) if rules.alone else panel
        return run_stepwise(way, weights, own, wanted)[0]

    with ThreadPoolExecutor(threads_allowed()) as pool:
        outputs = np.mean(list(pool.map(one, fitted.ways, fitted.members)), axis=0)
    found, seen, moved, widths = [], [], [], []
    for number, (history, known) in enumerate(zip(histories, origins, strict=True)):
        own, places = outputs[order[number]], panel.rows_of(number)[1]
        there = np.isin(known - 1, places)
        wide, first = np.ones((len(own), 1)), series[number].times[0]
        # The rows that the forecasts were made at, and those of the origins among them.
        at = places[np.isin(places, every[number] - 1)]
        if follower is not None:
            own, wide = follow_panel(fitted, follower, number, own, panel, number, history, at, first)
        elif fitted.committee is not None:
            phases = phases_from(fitted, first, at)
            said, own = own, combined(fitted, own, history.windows(at), number, phases)
            sizes = sizes_of(fitted, said, own, number)
            wide = wide if sizes is None else sizes.astype(np.float64)
        place = np.searchsorted(at, known[there] - 1)
        offsets = leveled[number][2][known[there] - 1]
        found.append(in_units(fitted, own[place], np.full(len(place), number), offsets))
        effect = effects_over(series[number], fitted.effects, fitted.covariate_scales, number)
        moved.append(effect[known[there][:, None] + np.arange(settings.horizon)])
        widths.append(wide[place])
        seen.append(there)
    return found, seen, moved, widths


def _without_shifts(
    fitted: Fitted, one: SeriesInputs, number: int, cut: int
) -> tuple[SeriesInputs, History, NDArray[np.float32]]:
    """A series with shifts from `cut` on taken off, its last values, and the shift at each point."""
    season, size, shifts = fitted.rules.bases[number], fitted.rules.history, fitted.shifts
    known = tuple(replace(own, stop=min(own.stop, cut)) for own in one.segments if own.start < cut)
    first = take_off_shifts(shifts.only_outages, number, one.values[:cut], known, None, season or 1, Standing())
    before = history_of(one.values, one.segments, season, size, breaks=first.breaks)
    past = None
    if before.ends[cut - 1] >= 0:
        at = int(before.ends[cut - 1])
        past = before.values[at + 1 - size : at + 1], before.absent[at + 1 - size : at + 1]
    # Positions from `cut` on, where the stretch that it lies in goes on.
    rest = [Segment(max(own.start, cut) - cut, own.stop - cut) for own in one.segments if own.stop > cut]
    if past is not None and not (rest and rest[0].start == 0):
        past = None
    stands = standing_of(fitted.recent_states[number])
    found = take_off_shifts(shifts, number, one.values[cut:], tuple(rest), past, season or 1, stands)
    offsets = np.concatenate([np.zeros(cut, np.float32), found.offsets])
    if not found.offsets.any() and not found.breaks:
        return one, before, offsets
    values = np.concatenate([one.values[:cut], found.values])
    breaks = [*first.breaks, *(replace(own, place=own.place + cut) for own in found.breaks)]
    history = history_of(values, one.segments, season, size, breaks=breaks)
    return replace(one, values=values), history, offsets


def _rows_before(
    panel: Panel, origins: Sequence[NDArray[np.int64]]
) -> tuple[NDArray[np.bool_], list[NDArray[np.int64]], list[NDArray[np.bool_]]]:
    """The flat rows before the origins, the position of each series' rows among them, and which origins have one."""
    wanted = np.zeros(len(panel.inputs), bool)
    rows_of, seen = [], []
    for number, known in enumerate(origins):
        rows, places = panel.rows_of(number)
        at = np.searchsorted(places, known - 1)
        there = (at < len(places)) & (places[np.minimum(at, len(places) - 1)] == known - 1)
        rows_of.append(rows[at[there]])
        seen.append(there)
        wanted[rows_of[-1]] = True
    order = np.cumsum(wanted) - 1
    return wanted, [order[rows] for rows in rows_of], seen


def _seasonal_naive_mae(values: NDArray[np.float64], step: int) -> float:
    """The mean absolute error of the seasonal naive forecast on the training data, MASE's scale."""
    season = next(iter(seasons(step, len(values))), 1)
    return float(np.nanmean(np.abs(values[season:] - values[:-season])))
