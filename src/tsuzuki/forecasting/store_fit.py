"""One global model from a store of readings that do not fit in memory.

What is chosen from the data, the committee beside the networks and the intervals come from a sample of the series,
drawn by the seed; the networks are trained within a budget on stretches drawn from all series. A store of few steps is
gone through whole, as a frame is.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from tsuzuki.errors import SettingError
from tsuzuki.forecasting.drawn_training import ROUND
from tsuzuki.forecasting.fit import train
from tsuzuki.forecasting.rules import Rules
from tsuzuki.forecasting.shard_training import ShardJob, ShardWork, rounds_on_shards
from tsuzuki.forecasting.spread import COUNTS, GAUSSIAN
from tsuzuki.forecasting.store_rows import StoreRows
from tsuzuki.forecasting.store_statistics import statistics_of
from tsuzuki.forecasting.store_windows import rows_of

if TYPE_CHECKING:
    from tsuzuki.data.arrow_batches import PanelColumns
    from tsuzuki.data.covariates import CovariateSeries
    from tsuzuki.data.panel_store import PanelStore
    from tsuzuki.forecasting.fitted import Fitted
    from tsuzuki.forecasting.settings import Settings
    from tsuzuki.forecasting.stepwise import ModelSpec
    from tsuzuki.training.drawn_fit import Rounds
    from tsuzuki.training.workers import Workers

# The sample has at most so many series, and stops at the series with which it has so many steps.
SAMPLE_SERIES, SAMPLE_STEPS = 300, 300_000
# So many series are looked at for it.
LOOKED_AT = 5_000
# A store of so many steps at most is gone through whole where the budget is "auto", as a frame is: to draw from so few
# saves no time. The 353,500 of M4's hourly series take 15 s of CPU in passes and 37 s drawn. A network has a target at
# each step for each step ahead: at most so many of them, or memory would grow with the horizon.
WHOLE_STEPS, WHOLE_TARGETS = 500_000, 24_000_000
# Shares of the work that reading the files is, and of the rest looking at all series.
READING, LOOKING = 0.3, 0.05


def check_settings(settings: "Settings") -> None:
    """Raise SettingError for settings that a store cannot be read with."""
    if settings.columns.all:
        raise SettingError(
            f"files larger than memory are read without covariates, but {settings.columns.all[0]!r} is named; leave "
            "it out, or give a frame"
        )
    if settings.search:
        raise SettingError(
            "files larger than memory are not searched for better settings; leave search out, or give a frame"
        )
    if settings.loss in (GAUSSIAN, *COUNTS):
        raise SettingError(
            f"networks of files larger than memory learn values alone, not with loss={settings.loss!r}; choose another "
            "loss, or give a frame"
        )
    if settings.freq:
        raise SettingError(
            f"files larger than memory are read on their own grid, not every {settings.freq}; leave freq out, or give "
            "a frame"
        )


def sample_of(store: "PanelStore", seed: int) -> list[int]:
    """The numbers of the series that rules and committee are found from, in order; all where they are few.

    Series whose own readings do not show the store's step are left out where there are others.
    """
    order = np.random.default_rng([seed, len(store.ids)]).permutation(len(store.ids))[:LOOKED_AT].tolist()
    some: list[int] = []
    left = SAMPLE_STEPS
    for number in order:
        if shows_step(store, number):
            left -= int(store.offsets[number + 1] - store.offsets[number])
            if some and left < 0:
                break
            some.append(number)
        if len(some) == SAMPLE_SERIES:
            break
    return sorted(some or order[:1])


def whole_of(store: "PanelStore") -> list[int]:
    """The numbers of all series but, where there are others, those whose own readings do not show the store's step."""
    return [number for number in range(len(store.ids)) if shows_step(store, number)] or [0]


def shows_step(store: "PanelStore", number: int) -> bool:
    """Whether most readings of a series are a step of the store's grid behind the one before."""
    values = store.values[store.offsets[number] : store.offsets[number + 1]]
    gaps = np.diff(np.flatnonzero(~np.isnan(values)))
    return len(gaps) > 1 and int((gaps == 1).sum()) * 2 > len(gaps)


def series_of(store: "PanelStore", numbers: list[int], settings: "Settings") -> "list[CovariateSeries]":
    """Some series of a store as they are read from a frame."""
    from tsuzuki.data.covariates import covariate_series

    return covariate_series(store.frame(numbers), settings.columns, settings.max_gap, merge=True)


def fit_files(
    paths: Sequence[Path],
    settings: "Settings",
    cache: str | Path | None = None,
    columns: "PanelColumns | None" = None,
    on_progress: Callable[[float], object] | None = None,
    checkpoint: str | Path | None = None,
    every: str | float = 30.0,
    workers: "Workers | None" = None,
) -> "Fitted":
    """Train on files; see `Forecaster.fit`."""
    from tsuzuki.data.panel_store import panel_store

    check_settings(settings)
    report = on_progress or (lambda share: None)
    store = panel_store(paths, cache, columns, lambda share: report(READING * share))
    return train_on_store(store, settings, lambda share: report((1 - READING) * share), checkpoint, every, workers)


def train_on_store(
    store: "PanelStore",
    settings: "Settings",
    on_progress: Callable[[float], object] | None = None,
    checkpoint: str | Path | None = None,
    every: str | float = 30.0,
    workers: "Workers | None" = None,
) -> "Fitted":
    """Train on all series of a store, with workers on shards of it; see `Forecaster.fit`.

    Returns:
        What training leaves, standing at the end of the series of the sample.
    """
    check_settings(settings)
    report = on_progress or (lambda share: None)
    if settings.recipes:
        raise SettingError("networks of files larger than memory are of one kind; leave recipes out, or give a frame")
    few = store.points <= min(WHOLE_STEPS, WHOLE_TARGETS // settings.horizon)
    whole = few and settings.budget in ("", "auto")
    series = series_of(store, whole_of(store) if whole else sample_of(store, settings.seed), settings)
    if whole:
        fitted = train(series, settings, report, checkpoint, every, workers=workers)
    else:
        budgeted = replace(settings, budget=settings.budget or "auto")
        if settings.quantiles or not settings.committee:
            # Networks that stand alone forecast changes of the last value.
            budgeted = replace(budgeted, committee=False, base="last")
        drawn = _Drawn(store, budgeted, lambda share: report(LOOKING * share), workers)
        fitted = train(series, budgeted, lambda share: report((1 - LOOKING) * share), checkpoint, every, drawn, workers)
    return replace(fitted, points=store.readings, fingerprint=store.fingerprint, zone=store.zone)


class _Drawn:
    """A store as networks draw from it; see `DrawnSource`."""

    def __init__(
        self,
        store: "PanelStore",
        settings: "Settings",
        report: Callable[[float], object],
        workers: "Workers | None",
    ) -> None:
        self._store, self._settings, self._report, self._workers = store, settings, report, workers
        self.identity = store.fingerprint
        self._work: ShardWork | None = None
        self._lock = Lock()

    def prepare(self, rules: Rules) -> None:
        self._rules = rules
        self._statistics = statistics_of(self._store, rules, self._report)

    def rows(self, member: int, spec: "ModelSpec") -> StoreRows:
        return rows_of(self._store, self._statistics, self._rules, spec.before, self._settings, member)

    def rounds(self, member: int, spec: "ModelSpec", on_wait: Callable[[], object]) -> "Rounds | None":
        if self._workers is None:
            return None
        with self._lock:
            if self._work is None:
                job = ShardJob(self._store, self._statistics, self._rules, spec, self._settings)
                self._work = ShardWork(job)
        return rounds_on_shards(self._workers, self._work, member, np.diff(self._store.offsets), ROUND, on_wait)
