"""Backtests of a store: a model from what lies before the first origins, then some series at a time as from a frame.

Of very many series a sample is scored, drawn by the seed; training sees what lies before the first origin of all.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tsuzuki.errors import TooShortError
from tsuzuki.forecasting.backtest import (
    finished_table,
    fitting_windows,
    in_order,
    least_known,
    origins_of,
    refit_blocks,
    scored,
)
from tsuzuki.forecasting.conformal_intervals import check_levels
from tsuzuki.forecasting.history import histories_of
from tsuzuki.forecasting.level_shift import LevelShifts, level_shifts, no_shifts
from tsuzuki.forecasting.predict import interval_quantiles
from tsuzuki.forecasting.recent_errors import WAIT
from tsuzuki.forecasting.scaling import series_inputs
from tsuzuki.forecasting.store_cut import without_last
from tsuzuki.forecasting.store_fit import check_settings, series_of, shows_step, train_on_store
from tsuzuki.forecasting.store_predict import fitted_for
from tsuzuki.forecasting.store_statistics import SeriesStatistics, statistics_of

if TYPE_CHECKING:
    import pandas as pd

    from tsuzuki.data.arrow_batches import PanelColumns
    from tsuzuki.data.covariates import CovariateSeries
    from tsuzuki.data.panel_store import PanelStore
    from tsuzuki.forecasting.fitted import Fitted
    from tsuzuki.forecasting.settings import Settings
    from tsuzuki.training.workers import Workers

# Series that are scored at most, and forecasts of them; and series that are held at once.
MOST_SERIES, MOST_FORECASTS, TOGETHER = 1000, 1_500_000, 64
# Shares of the work: reading the files, and then training.
READING, TRAINING = 0.2, 0.6


def backtest_files(
    paths: Sequence[Path],
    settings: "Settings",
    windows: int | None,
    step: int,
    levels: Sequence[float],
    cache: str | Path | None = None,
    columns: "PanelColumns | None" = None,
    on_progress: Callable[[float], object] | None = None,
    checkpoint: str | Path | None = None,
    every: str | float = 30.0,
    workers: "Workers | None" = None,
    *,
    refit: bool | int = False,
) -> "tuple[pd.DataFrame, Fitted]":
    """Forecast from past origins of files; see `Forecaster.backtest`.

    Returns:
        The table, with the series that are scored and all of the files in `attrs["series"]`; and what training left.
    """
    from tsuzuki.data.panel_store import panel_store

    check_settings(settings)
    check_levels(levels)
    if settings.quantiles:
        for level in levels:
            interval_quantiles(settings, level)
    report = on_progress or (lambda share: None)
    store = panel_store(paths, cache, columns, lambda share: report(READING * share))
    steps = np.diff(store.offsets)
    enough = steps - settings.horizon >= least_known(settings.horizon)
    if windows is None and enough.any():
        windows = fitting_windows(int(steps[enough].min()), settings.horizon, step)
    windows = 1 if windows is None else windows
    behind = settings.horizon + step * (windows - 1)
    numbers = np.flatnonzero(steps - behind >= least_known(settings.horizon))
    if len(numbers) == 0 or windows < 1 or step < 1:
        longest = int(steps.argmax())
        origins_of(series_of(store, [longest], settings)[0], settings.horizon, windows, step)
        raise TooShortError(f"no series is long enough for {windows} windows {step} steps apart; ask for fewer")
    tables: list[pd.DataFrame] = []
    scales: dict[str, float] = {}
    blocks = refit_blocks(windows, refit)
    share = (1 - READING) / len(blocks)
    for turn, block in enumerate(blocks):
        path = checkpoint if checkpoint is None or turn == 0 else f"{checkpoint}.refit{turn}"
        with without_last(store, behind - step * block.start) as (before, which):
            fitted = train_on_store(
                before, settings, lambda done: report(share * TRAINING * done), path, every, workers
            )
            statistics = statistics_of(before, fitted.rules)
        if turn == 0:
            numbers = _to_score(store, numbers[np.isin(numbers, which)], settings, windows)
        for first in range(0, len(numbers), TOGETHER):
            some = numbers[first : first + TOGETHER]
            own = statistics.select(np.searchsorted(which, some))
            of_store = series_of(store, some.tolist(), settings)
            origins = [origins_of(one, settings.horizon, windows, step)[block] for one in of_store]
            table, of_these = _scored(fitted, settings, of_store, own, origins, levels)
            tables.append(table)
            if turn == 0:
                # MASE's scale is that of what lies before the first origin.
                scales |= of_these
            report(share * (1 - TRAINING) * len(some) / len(numbers))
    found = finished_table(in_order(tables, scales), scales, store.zone)
    found.attrs["series"] = (len(scales), len(store.ids))
    fitted.zone = store.zone
    return found, fitted


def _to_score(store: "PanelStore", numbers: NDArray[np.int64], settings: "Settings", windows: int) -> NDArray[np.int64]:
    """Those of the series with enough readings that are scored, a sample of very many.

    Raises:
        TooShortError: there are none.
    """
    # Who has too few readings to learn from is not scored.
    if len(numbers) == 0:
        raise TooShortError("no series has two readings before its first origin; ask for fewer windows")
    most = max(1, min(MOST_SERIES, MOST_FORECASTS // (windows * settings.horizon)))
    if len(numbers) > most:
        drawn = np.random.default_rng([settings.seed, len(numbers)]).permutation(len(numbers))[:most]
        numbers = numbers[np.sort(drawn)]
    numbers = numbers[[shows_step(store, number) for number in numbers.tolist()]]
    if len(numbers) == 0:
        raise TooShortError("no series shows the step that the files have in common; give more readings")
    return numbers


def _scored(
    fitted: "Fitted",
    settings: "Settings",
    series: "list[CovariateSeries]",
    statistics: SeriesStatistics,
    origins: Sequence[NDArray[np.int64]],
    levels: Sequence[float],
) -> "tuple[pd.DataFrame, dict[str, float]]":
    """Forecasts of some series from their origins; `statistics` are of what lies before the first of these."""
    own = fitted_for(fitted, statistics, [one.name for one in series])
    before = [one.cut_at(int(known[0])) for one, known in zip(series, origins, strict=True)]
    shifts, states = _shifts(own, settings, before), own.recent_states.copy()
    since = [one.segments[-1].stop - one.segments[-1].start for one in before]
    states[:, WAIT] = np.maximum(shifts.season - np.array(since), 0)
    own = replace(
        own,
        ids=tuple(one.name for one in series),
        shifts=shifts,
        recent_states=states,
        effects=replace(own.effects, slopes=np.zeros((len(series), own.effects.slopes.shape[1]))),
    )
    return scored(own, settings, series, origins, levels, fitted.rules)


def _shifts(fitted: "Fitted", settings: "Settings", before: "list[CovariateSeries]") -> LevelShifts:
    """How shifts of the level are seen in these series, by what lies before the first origin of each."""
    rules = fitted.rules
    if fitted.committee is None:
        return no_shifts(len(before), rules.history)
    inputs, _ = series_inputs(
        before, settings, fitted.step, rules.cycles, fitted.transform, fitted.scales, fitted.covariate_scales
    )
    histories = histories_of(inputs, rules)
    # Networks of what is drawn have learned from outages as they were.
    return level_shifts(histories, np.full(len(before), np.inf, np.float32), rules)
