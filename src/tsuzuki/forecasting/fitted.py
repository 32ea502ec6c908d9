"""What training leaves behind: trained networks with their states, scales and intervals."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tsuzuki.forecasting.committee import Committee
    from tsuzuki.forecasting.conformal_intervals import Calibration
    from tsuzuki.forecasting.known_effects import KnownEffects
    from tsuzuki.forecasting.level_shift import LevelShifts
    from tsuzuki.forecasting.recent_errors import RecentErrors
    from tsuzuki.forecasting.rules import Rules
    from tsuzuki.forecasting.spread import Spread
    from tsuzuki.forecasting.stepwise import ModelSpec, SeriesState
    from tsuzuki.forecasting.transforms import Transform
    from tsuzuki.training.records import EpochRecord

# Points kept so that the grid can go on from its end.
KEPT_TIMES = 14


@dataclass(frozen=True)
class Source:
    """What a file said of the readings that a forecaster was trained on.

    Attributes:
        columns: the names of the value columns.
        unit: of the values, or None.
        day_first: whether its dates such as 03/02/2020 began with the day; None where it had none.
    """

    columns: tuple[str, ...]
    unit: str | None
    day_first: bool | None = None


@dataclass
class Fitted:
    """All that a forecast needs, and nothing of the data but their last rows.

    Attributes:
        ids: the series, in order.
        step: the grid's step in nanoseconds.
        ways: each network and how it reads; all read the same rows and say as much.
        members: the weights of each.
        states: where each network stands at the end of the data.
        times: for each series its last times.
        scales: float64 [series, 2], mean and deviation, transformed.
        covariate_scales: float64 [covariates, 2].
        last_covariates: float64 [series, covariates], scaled, the last ones known.
        calibration: the intervals, or None where networks stand alone.
        histories: each network's epochs.
        best_epochs: the epoch whose weights each network has.
        points: readings in the data.
        fingerprint: a hash of the data.
        rules: what the data suggested.
        transform: between the series' units and the scale on which mean, deviation and errors are.
        committee: how far each forecast is trusted, or None where quantiles are forecast.
        windows: float32 [series, values], the last values of each series, scaled, without gaps and without effects.
        absent: bool [series, values], where something stands in for a value there.
        effects: by how much columns known ahead move the values.
        window_effects: float32 [series, values], what was taken off the windows, transformed; [series, 0] if nothing.
        shifts: how shifts of the level are seen.
        recent: what recent errors are measured by, or None where none are followed.
        recent_states: float32 [series, numbers], the shift of each series and its recent errors; see `recent_errors`.
        window_shifts: float32 [series, values], the shifts that were taken off the windows.
        earlier: float32 [series, values], those before the windows, which rows look back on that wait for what is known
            ahead.
        unfollowed: int64 [series], the rows at the end whose forecasts recent errors have yet to take up; the reading
            of the first of them is counted.
        spread: how large errors are expected to be, where that differs from row to row; else None.
        checked: whether a held-out stretch was there to choose weights and calibrate by.
        held_out_error: mean absolute error where networks were held out, in units of the best naive forecast's; None
            where it is not known, as of a model from a file.
        source: what the file said that the readings come from, or None where they come from a frame.
        zone: the time zone that the readings' times named, in which those of forecasts are given; None for none.
    """

    ids: tuple[str, ...]
    step: int
    ways: "list[ModelSpec]"
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
    rules: "Rules"
    transform: "Transform"
    committee: "Committee | None"
    windows: "NDArray[np.float32]"
    absent: "NDArray[np.bool_]"
    effects: "KnownEffects"
    window_effects: "NDArray[np.float32]"
    shifts: "LevelShifts"
    recent: "RecentErrors | None"
    recent_states: "NDArray[np.float32]"
    window_shifts: "NDArray[np.float32]"
    earlier: "NDArray[np.float32]"
    unfollowed: "NDArray[np.int64]"
    spread: "Spread | None" = None
    checked: bool = True
    held_out_error: float | None = None
    source: Source | None = None
    zone: str | None = None

    @property
    def way(self) -> "ModelSpec":
        """How the first network reads, which is how all of them do."""
        return self.ways[0]
