"""What a forecaster learns: settings and series in, trained networks with their states and intervals out.

Each network of an ensemble is checked, and its intervals calibrated, on a stretch of time that it has not seen.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from threading import Event
from typing import TYPE_CHECKING, Any

from tsuzuki.errors import SettingError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from tsuzuki.data.covariates import CovariateNames, CovariateSeries
    from tsuzuki.data.segments import Segment
    from tsuzuki.forecasting.conformal_intervals import Calibration
    from tsuzuki.forecasting.panel import Panel, SeriesInputs
    from tsuzuki.forecasting.stepwise import ModelSpec, SeriesState
    from tsuzuki.layouts.layout import Layout
    from tsuzuki.training.records import EpochRecord

# An epoch of few updates teaches little: short series are gone through more often, up to this many updates in all.
FEWEST_UPDATES = 1200
MOST_EPOCHS = 200
# Means of long stretches cost their length at every step.
LONGEST_LAG = 1024
# Points kept so that the grid can go on from its end.
KEPT_TIMES = 14


@dataclass(frozen=True)
class Settings:
    """All that a forecaster can be told; see `Forecaster`."""

    horizon: int
    cell: str = "gru"
    units: int = 64
    layers: int = 2
    head: int = 64
    timesteps: int = 12
    lanes: int = 8
    epochs: int = 20
    learning_rate: float = 5e-3
    weight_decay: float = 0.1
    ensemble: int = 4
    validation_fraction: float = 0.125
    past: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    static: tuple[str, ...] = ()
    with_calendar: bool = True
    lags: tuple[tuple[int, int], ...] | None = None
    quantiles: tuple[float, ...] = ()
    max_gap: int = 24
    seed: int = 0

    def __post_init__(self) -> None:
        from tsuzuki.network.losses import Pinball

        for name in ("horizon", "units", "layers", "timesteps", "lanes", "epochs", "ensemble"):
            value = getattr(self, name)
            if not (hasattr(value, "__index__") and value >= 1):
                raise SettingError(f"{name} is {value}; give a whole number from 1")
        if not (self.learning_rate > 0 and self.weight_decay >= 0):
            raise SettingError(
                f"learning_rate is {self.learning_rate} and weight_decay {self.weight_decay}; give a rate above 0 and "
                "a decay from 0"
            )
        if self.cell not in ("simple_rnn", "gru", "lstm"):
            raise SettingError(f"cell is {self.cell!r}; choose simple_rnn, gru or lstm")
        if self.head < 0 or self.max_gap < 0:
            raise SettingError("head and max_gap cannot be negative; give 0 for none")
        if not 0 <= self.validation_fraction < 0.5:
            raise SettingError(f"validation_fraction is {self.validation_fraction}; give a share from 0 to below 0.5")
        if self.ensemble * self.validation_fraction > 1:
            raise SettingError(
                f"{self.ensemble} networks with {self.validation_fraction:g} of the data held out from each need more "
                "than there is; lower one of the two"
            )
        self.columns.check()
        if self.quantiles:
            Pinball(self.quantiles)
            if 0.5 not in self.quantiles:
                raise SettingError("quantiles lack 0.5, the point forecast; add it")

    @property
    def levels(self) -> tuple[float, ...]:
        """Levels of the intervals that are shown where none are asked for, in per cent."""
        if not self.quantiles:
            return (80, 95)
        lower = [q for q in self.quantiles if q < 0.5 and any(abs(q + other - 1) < 1e-9 for other in self.quantiles)]
        return tuple(round(100 - 200 * q, 9) for q in sorted(lower, reverse=True))

    @property
    def columns(self) -> "CovariateNames":
        """The covariates."""
        from tsuzuki.data.covariates import CovariateNames

        return CovariateNames(self.past, self.known, self.static)


@dataclass
class Fitted:
    """What training leaves behind: all that a forecast needs, and nothing of the data but their last rows.

    Attributes:
        ids: the series, in order.
        step: the grid's step in nanoseconds.
        way: the network and how it reads.
        members: the weights of each network.
        states: where each network stands at the end of the data.
        times: for each series its last times.
        scales: float64 [series, 2], mean and deviation.
        covariate_scales: float64 [covariates, 2].
        last_covariates: float64 [series, covariates], scaled, the last ones known.
        calibration: the intervals, or None where quantiles are forecast.
        histories: each network's epochs.
        best_epochs: the epoch whose weights each network has.
        points: readings in the data.
        fingerprint: a hash of the data.
        checked: whether a held-out stretch was there to choose weights and calibrate by.
    """

    ids: tuple[str, ...]
    step: int
    way: "ModelSpec"
    members: "list[list[NDArray[np.float32]]]"
    states: "list[SeriesState]"
    times: "list[NDArray[np.datetime64]]"
    scales: "NDArray[np.float64]"
    covariate_scales: "NDArray[np.float64]"
    last_covariates: "NDArray[np.float64]"
    calibration: "Calibration | None"
    histories: "tuple[tuple[EpochRecord, ...], ...]"
    best_epochs: tuple[int, ...]
    points: int
    fingerprint: str
    checked: bool = field(default=True)


def default_lags(step: int, points: int) -> tuple[tuple[int, int], ...]:
    """Lags that a grid suggests: the step before, quarters of a day and the day; means of these and of a week."""
    from tsuzuki.data.calendar import seasons

    found = {(1, 1)}
    usual = [season for season in seasons(step, points) if season <= LONGEST_LAG]
    if usual:
        day = usual[0]
        found |= {(day * quarter // 4, 1) for quarter in (1, 2, 3) if day * quarter // 4 > 0}
        found |= {(day - 1, 1), (day, 1)}
        found |= {(0, season) for season in (*usual, day // 2, day // 4)}
    return tuple(sorted(lag for lag in found if lag[0] + lag[1] > 1 and lag[1] > 0))


def model_spec(settings: Settings, step: int, lags: tuple[tuple[int, int], ...]) -> "ModelSpec":
    """The network that settings describe for data on a grid, and how it reads."""
    from tsuzuki.data.calendar import cycles
    from tsuzuki.forecasting.stepwise import ModelSpec
    from tsuzuki.network.layers import GRU, LSTM, Dense, SimpleRNN
    from tsuzuki.network.network import Network

    beside = 2 * len(cycles(step)) if settings.with_calendar else 0
    beside += len(settings.past) + len(settings.static) + len(settings.known) * settings.horizon
    kind = {"simple_rnn": SimpleRNN, "gru": GRU, "lstm": LSTM}[settings.cell]
    head = (Dense(settings.head, "relu"),) if settings.head else ()
    heads = len(settings.quantiles) or 1
    layers = (*(kind(settings.units) for _ in range(settings.layers)), *head, Dense(settings.horizon * heads))
    impute_from = settings.quantiles.index(0.5) if settings.quantiles else 0
    return ModelSpec(Network(2 + beside + len(lags), layers), lags, impute_from)


def train(
    sources: "Sequence[CovariateSeries]",
    settings: Settings,
    on_progress: Callable[[float], object] | None = None,
    checkpoint: "str | Path | None" = None,
    every: str | float = 30.0,
) -> Fitted:
    """Train on series; see `Forecaster.fit`."""
    import numpy as np

    from tsuzuki.forecasting.conformal_intervals import calibrate
    from tsuzuki.forecasting.panel import build_panel
    from tsuzuki.forecasting.stepwise import run_stepwise

    points = [len(source.values) for source in sources]
    step = int(np.median(np.diff(sources[0].times)).astype(np.int64))
    way = model_spec(settings, step, default_lags(step, max(points)) if settings.lags is None else settings.lags)
    scales = np.array([_scale(source.values) for source in sources])
    covariate_scales = _covariate_scales(sources)
    tracks, last_covariates = series_inputs(sources, settings, step, scales, covariate_scales)
    panel = build_panel(tracks, way.before, settings.horizon)
    told = on_progress or (lambda share: None)
    stopped = Event()

    def tell(share: float) -> None:
        check_cancelled()
        told(share)

    def check_cancelled() -> None:
        if stopped.is_set():
            raise _StoppedError

    def one(member: int) -> "tuple[Any, SeriesState, list[NDArray[np.float32]]]":
        first, last = held_out_of(points, settings, member)
        held_out = [stop - start for start, stop in zip(first, last, strict=True)]
        kept = None if checkpoint is None else f"{checkpoint}.{member}"
        trained = _member(panel, way, settings, member, first, last, tell, check_cancelled, kept, every)
        wanted = rows_before(panel, first, last) if sum(held_out) else rows_before(panel, [0] * len(points), points)
        own = replace(panel, inputs=panel.inputs.copy())
        forecasts, state = run_stepwise(way, trained.weights, own, wanted)
        errors = _errors(panel, wanted, forecasts, settings.horizon) if not settings.quantiles else []
        tell(0.1 / settings.ensemble)
        return trained, state, errors

    with ThreadPoolExecutor(cores()) as pool:
        try:
            results = list(pool.map(one, range(settings.ensemble)))
        except BaseException:
            # Ctrl-C reaches this thread alone, and leaving the pool waits for the others.
            stopped.set()
            raise
    by_series = (
        [np.concatenate([errors[i] for _, _, errors in results]) for i in range(len(points))]
        if (not settings.quantiles)
        else None
    )
    return Fitted(
        ids=tuple(source.name for source in sources),
        step=step,
        way=way,
        members=[trained.weights for trained, _, _ in results],
        states=[state for _, state, _ in results],
        times=[source.times[-KEPT_TIMES:] for source in sources],
        scales=scales,
        covariate_scales=covariate_scales,
        last_covariates=last_covariates,
        calibration=None if by_series is None else calibrate(by_series),
        histories=tuple(trained.history for trained, _, _ in results),
        best_epochs=tuple(trained.best_epoch for trained, _, _ in results),
        points=sum(points),
        fingerprint=fingerprint(sources),
        checked=sum(held_out_of(points, settings, 0)[1]) > sum(held_out_of(points, settings, 0)[0]),
    )


class _StoppedError(Exception):
    """Raised in the training of a network when that of all was stopped."""


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def fingerprint(sources: "Sequence[CovariateSeries]") -> str:
    """A hash of series' names, times and values."""
    import hashlib

    digest = hashlib.sha256()
    for source in sources:
        digest.update(source.name.encode() + source.times.tobytes() + source.values.tobytes())
    return digest.hexdigest()[:16]


def _scale(values: "NDArray[np.float64]") -> tuple[float, float]:
    """Mean and deviation of what is there; a deviation of 1 where nothing varies."""
    import numpy as np

    return float(np.nanmean(values)), float(np.nanstd(values)) or 1.0


def _covariate_scales(sources: "Sequence[CovariateSeries]") -> "NDArray[np.float64]":
    import numpy as np

    together = np.concatenate([source.covariates for source in sources])
    return np.array([_scale(column) if np.isfinite(column).any() else (0.0, 1.0) for column in together.T]).reshape(
        -1, 2
    )


def without_gaps(covariates: "NDArray[np.float64]", scales: "NDArray[np.float64]", last: Any) -> Any:
    """Scaled covariates [points, columns], the last known value in a gap, `last` before the first."""
    import numpy as np

    scaled = np.concatenate([last[None], (covariates - scales[:, 0]) / scales[:, 1]]) if len(scales) else covariates
    if len(scales):
        place = np.maximum.accumulate(np.where(np.isnan(scaled), 0, np.arange(len(scaled))[:, None]), axis=0)
        scaled = np.take_along_axis(scaled, place, axis=0)[1:]
    return scaled


def series_inputs(
    sources: "Sequence[CovariateSeries]",
    settings: Settings,
    step: int,
    scales: "NDArray[np.float64]",
    covariate_scales: "NDArray[np.float64]",
) -> "tuple[list[SeriesInputs], NDArray[np.float64]]":
    """Series as a network reads them, from their beginning, and the last covariates of each."""
    import numpy as np

    from tsuzuki.data.covariates import covariate_inputs
    from tsuzuki.forecasting.panel import SeriesInputs

    tracks, last = [], np.zeros((len(sources), len(covariate_scales)))
    for number, (source, (mean, scale)) in enumerate(zip(sources, scales, strict=True)):
        covariates = without_gaps(source.covariates, covariate_scales, last[number])
        if len(covariate_scales):
            last[number] = covariates[-1]
        others = covariate_inputs(
            source.times, step, covariates, settings.columns, settings.horizon, with_calendar=settings.with_calendar
        )
        tracks.append(SeriesInputs(((source.values - mean) / scale).astype(np.float32), others, source.segments))
    return tracks, last


def held_out_of(points: Sequence[int], settings: Settings, member: int) -> tuple[list[int], list[int]]:
    """The positions first to last (exclusive) that are held out from a network, in each series; none of a short one."""
    first, last = [], []
    for count in points:
        size = int(count * settings.validation_fraction)
        if size < 2:
            size = 0
        last.append(count - member * size)
        first.append(last[-1] - size)
    return first, last


def rows_before(panel: "Panel", first: Sequence[int], last: Sequence[int]) -> "NDArray[np.bool_]":
    """Which flat rows forecast from the positions first - 1 to last - 2: those whose first target is held out."""
    import numpy as np

    wanted = np.zeros(len(panel.inputs), bool)
    for track in range(panel.series_count):
        rows, places = panel.rows_of(track)
        wanted[rows[(places >= first[track] - 1) & (places < last[track] - 1)]] = True
    return wanted


def layout_of(
    panel: "Panel", settings: Settings, first: Sequence[int], last: Sequence[int]
) -> "tuple[Layout, tuple[Segment, ...], tuple[Segment, ...]]":
    """How a network reads a panel without the positions first to last of each series.

    Returns:
        The layout, the flat stretches that it reads, and those held out.
    """
    from tsuzuki.layouts.streams import Streams

    ends = [10**18] * panel.series_count
    segments = (*panel.segments([0] * panel.series_count, first), *panel.segments(last, ends))
    count = sum(segment.stop - segment.start for segment in segments)
    lanes = max(1, min(settings.lanes, count // (4 * settings.timesteps)))
    return Streams(settings.timesteps, lanes).over(segments), segments, panel.segments(first, last)


def _member(
    panel: "Panel",
    way: "ModelSpec",
    settings: Settings,
    member: int,
    first: Sequence[int],
    last: Sequence[int],
    tell: Callable[[float], object],
    check_cancelled: Callable[[], object],
    checkpoint: str | None,
    every: str | float,
) -> Any:
    """Train one network of the ensemble."""
    import numpy as np

    from tsuzuki.layouts.streams import Streams
    from tsuzuki.network.initialisers import initialise
    from tsuzuki.network.losses import Pinball
    from tsuzuki.network.optimizers import AdamW, Cosine
    from tsuzuki.training import fit as training
    from tsuzuki.training.records import EarlyStopping

    layout, segments, held_out = layout_of(panel, settings, first, last)
    validation = None
    if any(segment.stop - segment.start > 1 for segment in held_out):
        validation = Streams(settings.timesteps, len(held_out)).after(segments, held_out)
    epochs = max(settings.epochs, min(MOST_EPOCHS, -(-FEWEST_UPDATES // layout.updates)))
    total = epochs * layout.updates
    # What is held out is no target of the rows before it either.
    targets = panel.targets.copy()
    for segment in held_out:
        targets[segment.start : segment.stop] = np.nan
    weights = initialise(way.network, settings.seed + 1000003 * member)
    # The first forecast is that nothing changes.
    weights[-2][:] = 0

    def on_epoch(record: Any) -> None:
        tell(0.9 / epochs / settings.ensemble)

    return training.fit(
        way.network,
        weights,
        panel.inputs,
        targets,
        layout,
        epochs=epochs,
        optimizer=AdamW(
            learning_rate=Cosine(settings.learning_rate, total, warmup=total // 20),
            weight_decay=settings.weight_decay,
            global_clipnorm=1.0,
        ),
        loss=Pinball(settings.quantiles) if settings.quantiles else "mse",
        horizon=settings.horizon,
        residual=True,
        lags=way.lags,
        impute_from=way.impute_from,
        validation=validation,
        validation_targets=panel.targets,
        early_stopping=EarlyStopping(patience=epochs) if validation is not None else None,
        seed=settings.seed + member,
        threads=1 if settings.ensemble > 1 else None,
        checkpoint=checkpoint,
        every=every,
        on_epoch=on_epoch,
        on_progress=lambda now: check_cancelled(),
    )


def _errors(
    panel: "Panel", wanted: "NDArray[np.bool_]", forecasts: "NDArray[np.float32]", horizon: int
) -> "list[NDArray[np.float32]]":
    """Actual less forecast for each series, [rows, horizon], in units of its scale."""
    import numpy as np

    place = np.cumsum(wanted) - 1
    found = []
    for track in range(panel.series_count):
        rows = panel.rows_of(track)[0]
        rows = rows[wanted[rows]]
        actual = panel.targets[rows[:, None] + np.arange(1, horizon + 1)[None, :], 0]
        found.append(actual - forecasts[place[rows]])
    return found
