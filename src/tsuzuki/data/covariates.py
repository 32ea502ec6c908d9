"""Series with their covariates on regular grids, and the network inputs made of them."""

import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tsuzuki.data.calendar import calendar
from tsuzuki.data.frames import zone_of
from tsuzuki.data.grid import nearest_positions
from tsuzuki.data.public_holidays import PREFIX, is_computed, on_holiday
from tsuzuki.data.segments import Segment
from tsuzuki.data.series import collect
from tsuzuki.data.summary import check_merged
from tsuzuki.data.zones import in_zone
from tsuzuki.errors import DataError, SettingError

if TYPE_CHECKING:
    import pandas as pd

    from tsuzuki.data.series import Collection


@dataclass(frozen=True)
class CovariateNames:
    """Names of the covariates, by when their values are known.

    Attributes:
        past: known up to now, such as another sensor.
        known: known for future times too, such as a plan or another model's forecast; holidays among them.
        static: the same at all times of a series, such as an altitude.
    """

    past: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    static: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        """Every covariate's name."""
        return (*self.past, *self.known, *self.static)

    @property
    def given(self) -> tuple[str, ...]:
        """Those that a frame or a file must have; the others follow from the times."""
        return tuple(name for name in self.all if not is_computed(name))

    @property
    def given_ahead(self) -> tuple[str, ...]:
        """Those that must be given for the times to come."""
        return tuple(name for name in self.known if not is_computed(name))

    def check(self) -> None:
        """Raise SettingError where a column is named twice, or cannot be a covariate."""
        for name in self.all:
            if self.all.count(name) > 1:
                raise SettingError(f"column {name!r} is named twice among past, known and static; name it once")
            if name in ("unique_id", "ds", "y"):
                raise SettingError(f"column {name!r} cannot be a covariate; leave it out")


@dataclass(frozen=True)
class CovariateSeries:
    """One series and its covariates on a regular grid.

    Attributes:
        name: its unique_id.
        values: float64 [points], NaN where missing.
        times: datetime64[ns] [points].
        segments: the unbroken stretches.
        covariates: float64 [points, columns], in the order of `CovariateNames.all`, NaN where missing.
    """

    name: str
    values: NDArray[np.float64]
    times: NDArray[np.datetime64]
    segments: tuple[Segment, ...]
    covariates: NDArray[np.float64]

    def cut_at(self, stop: int) -> "CovariateSeries":
        """The first `stop` points of the series."""
        segments = tuple(Segment(one.start, min(one.stop, stop)) for one in self.segments if one.start < stop)
        return CovariateSeries(self.name, self.values[:stop], self.times[:stop], segments, self.covariates[:stop])

    def last_points(self, count: int) -> "CovariateSeries":
        """The last points of the series, at most so many, from the first one that has a value."""
        known = np.flatnonzero(~np.isnan(self.values[-count:]))
        first = max(0, len(self.values) - count) + (int(known[0]) if len(known) else 0)
        segments = tuple(
            Segment(max(0, one.start - first), one.stop - first) for one in self.segments if one.stop > first
        )
        return CovariateSeries(self.name, self.values[first:], self.times[first:], segments, self.covariates[first:])


def covariate_series(
    frame: "pd.DataFrame", columns: CovariateNames, max_gap: int, *, merge: bool
) -> list[CovariateSeries]:
    """Put a long frame's series and their covariates on regular grids.

    Args:
        frame: as `frames.as_long` gives it.
        columns: the covariates.
        max_gap: longest run of missing steps that a state is carried through.
        merge: whether means of any number of readings are wanted; if not, a few are merged with a warning.

    Raises:
        DataError: as `series.collect`; more than a tenth of a series' readings are of the same step as another; or a
            static column that changes.
    """
    collection = collect("the frame", frame, max_gap=max_gap)
    if not merge:
        _refuse_or_warn(collection, frame)
    groups = dict(iter(frame.groupby("unique_id", sort=False)))
    found = []
    for series in collection.series:
        values = np.where(series.observed, series.values, np.nan)
        rows = groups[series.name]
        for name in columns.static:
            if rows[name].nunique() > 1:
                raise DataError(
                    f"static column {name!r} changes within series {series.name!r}; name it in past= instead"
                )
        aligned = align_to_grid(rows, series.times, columns.all)
        found.append(CovariateSeries(series.name, values, series.times, series.segments, aligned))
    return found


def _refuse_or_warn(collection: "Collection", frame: "pd.DataFrame") -> None:
    remedy = "name the series in unique_id, or take their means with merge=True, or what freq= and resample= say"
    check_merged(collection, frame["unique_id"].value_counts().to_dict(), remedy)
    if merged := collection.repairs.duplicates:
        said = f"{merged:,} readings of the frame are of the same {collection.series[0].step} as another"
        remark = f"{said} and give way to their mean; merge=True says that they are to"
        warnings.warn(remark, UserWarning, stacklevel=_caller_outside())


def _caller_outside() -> int:
    """The first caller outside the package, as `warnings.warn` counts for the function that asks."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "tsuzuki":
        frame, level = frame.f_back, level + 1
    return level


def align_to_grid(frame: "pd.DataFrame", times: NDArray[np.datetime64], columns: Sequence[str]) -> NDArray[np.float64]:
    """Columns of one series' rows on its grid, [points, columns].

    The mean where several rows share a step, NaN where there is none. Holidays are computed from the grid.
    """
    place = nearest_positions(times, frame["ds"].to_numpy("datetime64[ns]"))
    found = np.full((len(times), len(columns)), np.nan)
    # A holiday begins at midnight of the zone that it names, or of that of the data.
    clock = in_zone(times, zone_of(frame)).dt.tz_localize(None).to_numpy("datetime64[ns]")
    for number, name in enumerate(columns):
        if is_computed(name):
            where = name.removeprefix(PREFIX)
            found[:, number] = on_holiday(times if "@" in where else clock, where)
            continue
        values = frame[name].to_numpy(np.float64)
        there = (place >= 0) & ~np.isnan(values)
        count = np.bincount(place[there], minlength=len(times))
        total = np.bincount(place[there], weights=values[there], minlength=len(times))
        found[:, number] = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return found


def covariate_inputs(
    times: NDArray[np.datetime64],
    step: int,
    covariates: NDArray[np.float64],
    columns: CovariateNames,
    horizon: int,
    *,
    cycles: Sequence[str],
) -> NDArray[np.float32]:
    """A network's inputs other than the value itself, [points, columns].

    They are the calendar, then past and static covariates, then those known ahead at each of the next `horizon` steps
    (the last row of `covariates` is repeated beyond its end; it may be longer than `times`).

    Args:
        times: datetime64 [points].
        step: the grid's step in nanoseconds.
        covariates: float [points or more, columns], scaled and without gaps.
        columns: their names.
        horizon: steps of a forecast.
        cycles: of the calendar that are inputs.
    """
    count, past, known = len(times), len(columns.past), len(columns.known)
    parts: list[NDArray[Any]] = [calendar(times, step, cycles)]
    parts.append(covariates[:count, :past])
    parts.append(covariates[:count, past + known :])
    if known:
        ahead = np.minimum(np.arange(count)[:, None] + np.arange(1, horizon + 1), len(covariates) - 1)
        parts.append(covariates[ahead, past : past + known].reshape(count, -1))
    return np.concatenate(parts, axis=1).astype(np.float32)
