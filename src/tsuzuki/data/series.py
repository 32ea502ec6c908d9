"""One or many series on a regular grid, made from readings as they come.

Readings may be late, duplicated, a minute off or missing. The result is values on a grid and a count of the repairs.
Short gaps are interpolated; a long gap, or a station that moved, ends a *segment*.
"""

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from tsuzuki.data.distinct import distinct
from tsuzuki.data.grid import infer_grid
from tsuzuki.data.segments import Segment, fill_short_gaps
from tsuzuki.data.zones import shown_zone, wall_offset
from tsuzuki.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

MAX_GAP = 24
# Differences that 32 bits, in which networks compute, hold with all their digits.
SMALLEST, LARGEST = 1.1754944e-38, 3.4028234e38


@dataclass(frozen=True)
class Repairs:
    """Repairs that made a series regular, as counts of readings or steps.

    Attributes:
        duplicates: readings merged with another of the same step (into their mean).
        snapped: readings moved to their step, because their time was off the grid.
        missing: steps without a reading.
        interpolated: missing steps filled by linear interpolation.
        open: missing steps left open, in gaps longer than max_gap or across a break.
    """

    duplicates: int = 0
    snapped: int = 0
    missing: int = 0
    interpolated: int = 0
    open: int = 0


@dataclass(frozen=True)
class Readings:
    """One series' readings as they came, in any order of time.

    Attributes:
        name: the series' id.
        stamps: int64 [readings], nanoseconds since 1970.
        values: float64 [readings]; NaN is missing.
        changes: [readings], numbers that differ where the series was broken between two readings; or None.
    """

    name: str
    stamps: "NDArray[np.int64]"
    values: "NDArray[np.float64]"
    changes: "NDArray[Any] | None" = None


@dataclass(frozen=True)
class Series:
    """One series on a regular grid.

    Attributes:
        name: its id.
        values: float64 [points]; NaN only inside long gaps.
        observed: bool [points], where there was a reading.
        times: datetime64 in nanoseconds [points].
        step: the grid's step in words: "hour", "15 minutes", "month".
        segments: the unbroken stretches, in positions of `values`.
        repairs: what was repaired.
    """

    name: str
    values: "NDArray[np.float64]"
    observed: "NDArray[np.bool_]"
    times: "NDArray[np.datetime64]"
    step: str
    segments: tuple[Segment, ...]
    repairs: Repairs


@dataclass(frozen=True)
class Collection:
    """One or several series, concatenated.

    Attributes:
        name: where they come from.
        series: the series.
        unit: of the values, or None.
        zone: the time zone that the data name, None where they name none; times are UTC where they do.
        clock: the zone by whose clocks the times are, with its offset at the last one; None where they are not.
    """

    name: str
    series: tuple[Series, ...]
    unit: str | None = None
    zone: str | None = None
    clock: str | None = None

    def by_clock(self) -> "Collection":
        """The same with times by the clocks of the zone, to be shown."""
        if self.zone is None:
            return self
        last = max(series.times[-1] for series in self.series)
        offset = wall_offset(last, self.zone)
        shown = tuple(replace(series, times=series.times + offset) for series in self.series)
        return replace(self, series=shown, zone=None, clock=shown_zone(last, self.zone))

    @property
    def values(self) -> "NDArray[np.float64]":
        """All values, [points], the series concatenated."""
        import numpy as np

        return np.concatenate([series.values for series in self.series])

    @property
    def offsets(self) -> tuple[int, ...]:
        """Where each series begins in `values`, and last where they end."""
        found = [0]
        for series in self.series:
            found.append(found[-1] + len(series.values))
        return tuple(found)

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The unbroken stretches of all series, in positions of `values`; none spans two series."""
        return tuple(
            Segment(offset + segment.start, offset + segment.stop)
            for offset, series in zip(self.offsets, self.series, strict=False)
            for segment in series.segments
        )

    @property
    def repairs(self) -> Repairs:
        """The repairs of all series together."""
        return Repairs(
            **{
                field.name: sum(getattr(series.repairs, field.name) for series in self.series)
                for field in fields(Repairs)
            }
        )

    def split(self, test_fraction: float) -> tuple[int, ...]:
        """Where the test part of each series begins, in positions of `values`; the series' end where it has none."""
        return tuple(
            offset + len(series.values) - int(len(series.values) * test_fraction)
            for offset, series in zip(self.offsets, self.series, strict=False)
        )

    def training_segments(self, test_fraction: float) -> tuple[Segment, ...]:
        """The segments before the test part, the last of them cut where it begins."""
        cuts = self.split(test_fraction)
        found = []
        for segment in self.segments:
            cut = next(cut for cut, stop in zip(cuts, self.offsets[1:], strict=True) if segment.start < stop)
            if segment.start < cut:
                found.append(Segment(segment.start, min(segment.stop, cut)))
        return tuple(found)


def collect(
    name: str, frame: "pd.DataFrame", *, unit: str | None = None, max_gap: int = MAX_GAP, zone: str | None = None
) -> Collection:
    """Put a long frame's series on regular grids.

    Args:
        name: where the frame comes from, for messages.
        frame: columns unique_id, ds and y as `readers.read` gives them, and `change` where breaks are known.
        unit: of the values.
        max_gap: longest gap in steps that is interpolated, >= 0.
        zone: the time zone that the data name, or None; `ds` is UTC where they do.

    Returns:
        The series in the order in which they first appear.

    Raises:
        DataError: a series without values, with infinite ones or without a grid; or all values equal.
    """
    several = frame["unique_id"].nunique() > 1
    series = [
        regularize(group, f"series {key!r} of {name}" if several else name, str(key), max_gap)
        for key, group in frame.groupby("unique_id", sort=False)
    ]
    return _collection(name, series, unit, zone)


def collect_readings(
    name: str, readings: "Sequence[Readings]", *, unit: str | None = None, max_gap: int = MAX_GAP
) -> Collection:
    """Put the readings of one or many series on regular grids, as `collect` does a frame's; pandas is not imported.

    Args:
        name: where they come from, for messages.
        readings: of each series.
        unit: of the values.
        max_gap: longest gap in steps that is interpolated, >= 0.

    Raises:
        DataError: as `collect`.
    """
    where = [f"series {one.name!r} of {name}" if len(readings) > 1 else name for one in readings]
    return _collection(name, [_on_grid(*both, max_gap) for both in zip(readings, where, strict=True)], unit, None)


def _collection(name: str, series: "Sequence[Series]", unit: str | None, zone: str | None) -> Collection:
    """Series on one grid together, checked."""
    for one in series[:1]:
        # One of several series may be constant; if all are, there is nothing to learn.
        level = one.values[one.observed][0]
        if all((other.values[other.observed] == level).all() for other in series):
            raise DataError(f"{name} is constant ({level:g} throughout); there is nothing to learn from it")
    steps = {one.step for one in series}
    if len(steps) > 1:
        raise DataError(f"the series of {name} have different steps ({', '.join(sorted(steps))}); read them separately")
    return Collection(name, tuple(series), unit, zone)


def regularize(frame: "pd.DataFrame", where: str, name: str, max_gap: int = MAX_GAP) -> Series:
    """Put one series' readings on a regular grid; see `collect`.

    Args:
        frame: columns ds, y and perhaps change, in any order of time.
        where: the series' name in messages.
        name: its id.
        max_gap: longest gap in steps that is interpolated.
    """
    import numpy as np

    stamps = frame["ds"].to_numpy("datetime64[ns]").astype(np.int64)
    changes = frame["change"].to_numpy() if "change" in frame else None
    return _on_grid(Readings(name, stamps, frame["y"].to_numpy(np.float64), changes), where, max_gap)


def _on_grid(readings: Readings, where: str, max_gap: int) -> Series:
    """The readings of a series on the grid that their times tell."""
    import numpy as np

    order = np.argsort(readings.stamps, kind="stable")
    y, stamps = readings.values[order], readings.stamps[order]
    if not np.isfinite(y).any():
        raise DataError(f"{where} has no values: all {len(y)} are missing; name another column with --column")
    if np.isinf(y).any():
        raise DataError(f"{where} has {int(np.isinf(y).sum())} infinite values; leave them empty if they are missing")
    if np.nanmax(np.abs(y)) > LARGEST:
        raise DataError(f"{where} has the value {y[np.nanargmax(np.abs(y))]:g}; numbers up to 3.4e+38 can be used")
    if 0 < np.nanmax(y) - np.nanmin(y) < SMALLEST:
        raise DataError(
            f"{where} varies by {np.nanmax(y) - np.nanmin(y):g} only, too little to compute with; "
            "give its values in a smaller unit"
        )
    position, times, step, snapped = infer_grid(stamps, where)

    real = ~np.isnan(y)
    count = np.bincount(position[real], minlength=len(times))
    total = np.bincount(position[real], weights=y[real], minlength=len(times))
    observed = count > 0
    values = np.where(observed, total / np.maximum(count, 1), np.nan)
    # The grid runs from the first reading with a value to the last.
    there = np.flatnonzero(observed)
    first, last = int(there[0]), int(there[-1]) + 1
    values, observed, times = values[first:last], observed[first:last], times[first:last]

    breaks = np.zeros(len(values), bool)
    if readings.changes is not None:
        change = np.full(first + len(values), -1)
        inside = position < last
        change[position[inside]] = readings.changes[order][inside]
        known = np.flatnonzero(observed)
        moved = np.flatnonzero(np.diff(change[first:][known]) != 0)
        breaks[known[moved + 1]] = True
    filled, segments = fill_short_gaps(values, observed, breaks, max_gap)
    missing = int((~observed).sum())
    repairs = Repairs(
        duplicates=len(position) - len(distinct(position)),
        snapped=snapped,
        missing=missing,
        interpolated=int((~np.isnan(filled)).sum()) - int(observed.sum()),
        open=int(np.isnan(filled).sum()),
    )
    return Series(readings.name, filled, observed, times, step, segments, repairs)
