"""Forecasts as they would have been made: from origin after origin, with what was known there and nothing else.

The networks are trained once, on what lies before the first origin; after that only their states move on.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tsuzuki.data.calendar import seasons
from tsuzuki.data.covariates import CovariateSeries
from tsuzuki.errors import SettingError, TooShortError
from tsuzuki.forecasting.ensemble import available_cores
from tsuzuki.forecasting.fit import train
from tsuzuki.forecasting.fitted import Fitted
from tsuzuki.forecasting.panel import Panel, build_panel
from tsuzuki.forecasting.predict import bounds, ends_of, point
from tsuzuki.forecasting.references import references
from tsuzuki.forecasting.scaling import series_inputs
from tsuzuki.forecasting.settings import Settings
from tsuzuki.forecasting.stepwise import run_stepwise

if TYPE_CHECKING:
    import pandas as pd


def backtest(
    sources: Sequence[CovariateSeries],
    settings: Settings,
    windows: int,
    step: int,
    levels: Sequence[float],
    on_progress: Callable[[float], object] | None = None,
) -> "tuple[pd.DataFrame, Fitted]":
    """Forecast from the last `windows` origins of each series, `step` steps apart; see `Forecaster.backtest`."""
    import pandas as pd

    if settings.quantiles:
        for level in levels:
            ends_of(settings, level)
    origins = [_origins(source, settings.horizon, windows, step) for source in sources]
    cuts = [int(some[0]) for some in origins]
    fitted = train([source.until(cut) for source, cut in zip(sources, cuts, strict=True)], settings, on_progress)
    forecasts, seen = _roll_on(fitted, settings, sources, origins)
    frames, scales = [], {}
    ahead = np.arange(settings.horizon)
    for number, (source, cut) in enumerate(zip(sources, cuts, strict=True)):
        known = origins[number][seen[number]]
        places = (known[:, None] + ahead).ravel()
        columns = {
            "unique_id": np.full(len(places), source.name, object),
            "ds": source.times[places],
            "cutoff": np.repeat(source.times[known - 1], settings.horizon),
            "y": source.values[places],
            "tsuzuki": point(settings, forecasts[number]).ravel(),
        }
        for level in levels:
            low, high = bounds(fitted, settings, forecasts[number], number, level)
            columns[f"tsuzuki-lo-{level:g}"], columns[f"tsuzuki-hi-{level:g}"] = low.ravel(), high.ravel()
        for name, values in references(source, cut, known, settings.horizon, fitted.step).items():
            columns[name] = values.ravel()
        frame = pd.DataFrame(columns)
        frames.append(frame[~np.isnan(frame["y"].to_numpy())])
        scales[source.name] = _naive_error(source.values[:cut], fitted.step)
    table = pd.concat(frames, ignore_index=True)
    # A reference that one of the series is too short for is none for the table.
    table = table.dropna(axis=1)
    table.attrs["mase_scale"] = scales
    return table, fitted


def _origins(source: CovariateSeries, horizon: int, windows: int, step: int) -> NDArray[np.int64]:
    """How many points are known at each origin, the last one `horizon` steps before the end."""
    if windows < 1 or step < 1:
        raise SettingError(f"a backtest of {windows} windows, {step} steps apart, is none; give whole numbers from 1")
    found = len(source.values) - horizon - step * np.arange(windows)[::-1]
    if found[0] < 2 * horizon + 2:
        most = max(0, (len(source.values) - 3 * horizon - 2) // step + 1)
        raise TooShortError(
            f"series {source.name!r} has {len(source.values)} points, too few for {windows} windows {step} steps apart "
            f"with something to train on before them; at most {most} windows fit"
        )
    return np.asarray(found, np.int64)


def _roll_on(
    fitted: Fitted, settings: Settings, sources: Sequence[CovariateSeries], origins: Sequence[NDArray[np.int64]]
) -> tuple[list[NDArray[np.float64]], list[NDArray[np.bool_]]]:
    """The mean forecasts [origins, horizon, quantiles or 1] of each series in its unit, and which origins have one."""
    tracks, _ = series_inputs(sources, settings, fitted.step, fitted.scales, fitted.covariate_scales)
    panel = build_panel(tracks, fitted.way.before, settings.horizon)
    wanted, order, seen = _wanted(panel, origins)

    def one(weights: list[NDArray[np.float32]]) -> NDArray[np.float32]:
        own = replace(panel, inputs=panel.inputs.copy())
        return run_stepwise(fitted.way, weights, own, wanted)[0]

    with ThreadPoolExecutor(available_cores()) as pool:
        together = np.stack(list(pool.map(one, fitted.members))).mean(axis=0, dtype=np.float64)
    found = []
    for number in range(len(sources)):
        mean, scale = fitted.scales[number]
        own = together[order[number]].reshape(-1, settings.horizon, fitted.way.network.outputs // settings.horizon)
        found.append(np.sort(own, axis=2) * scale + mean)
    return found, seen


def _wanted(
    panel: Panel, origins: Sequence[NDArray[np.int64]]
) -> tuple[NDArray[np.bool_], list[NDArray[np.int64]], list[NDArray[np.bool_]]]:
    """The flat rows before the origins, where each series' forecasts stand among theirs, and which origins have one."""
    wanted = np.zeros(len(panel.inputs), bool)
    rows_of, seen = [], []
    for track, known in enumerate(origins):
        rows, places = panel.rows_of(track)
        at = np.searchsorted(places, known - 1)
        there = (at < len(places)) & (places[np.minimum(at, len(places) - 1)] == known - 1)
        rows_of.append(rows[at[there]])
        seen.append(there)
        wanted[rows_of[-1]] = True
    order = np.cumsum(wanted) - 1
    return wanted, [order[rows] for rows in rows_of], seen


def _naive_error(values: NDArray[np.float64], step: int) -> float:
    """The mean absolute error of the seasonal naive forecast on the training data, MASE's scale."""
    season = next(iter(seasons(step, len(values))), 1)
    return float(np.nanmean(np.abs(values[season:] - values[:-season])))
