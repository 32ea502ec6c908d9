"""One or many series on a regular grid, and the unbroken stretches that a state may be carried through.

Readings as they come (late, twice, a minute off, missing) go in; values on a grid come out, with a record of what was
done to them. Short gaps are interpolated; a long one, or a station that moved, ends a *segment*.
"""

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from tsuzuki.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

MAX_GAP = 24
NANOSECONDS = {"second": 10**9, "minute": 60 * 10**9, "hour": 3600 * 10**9, "day": 86400 * 10**9}
# A grid on which readings fill less than this share is no grid.
FEWEST = 0.02


@dataclass(frozen=True)
class Segment:
    """An unbroken stretch: positions start to stop (exclusive) of a flat array."""

    start: int
    stop: int


@dataclass(frozen=True)
class Repairs:
    """What was done to make a series regular, in counts of readings or steps.

    Attributes:
        duplicates: readings merged into another of the same step (their mean is kept).
        snapped: readings moved to their step, because their stamp lay beside the grid's.
        missing: steps without a reading.
        interpolated: missing steps filled in a straight line.
        open: missing steps left open, in gaps longer than max_gap or across a break.
    """

    duplicates: int = 0
    snapped: int = 0
    missing: int = 0
    interpolated: int = 0
    open: int = 0


@dataclass(frozen=True)
class Series:
    """One series on a regular grid.

    Attributes:
        name: its id.
        values: float64 [points]; NaN only inside long gaps.
        observed: bool [points], where a reading stood.
        times: datetime64 in nanoseconds [points].
        step: the grid's step as people say it: "hour", "15 minutes", "month".
        segments: the unbroken stretches, in positions of `values`.
        repairs: what was done.
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
    """One or several series laid one after another.

    Attributes:
        name: where they come from.
        series: the series.
        unit: of the values, or None.
    """

    name: str
    series: tuple[Series, ...]
    unit: str | None = None

    @property
    def values(self) -> "NDArray[np.float64]":
        """All values, [points], one series after another."""
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
        """The unbroken stretches of all series, in positions of `values`; none crosses from series to series."""
        return tuple(
            Segment(offset + segment.start, offset + segment.stop)
            for offset, series in zip(self.offsets, self.series, strict=False)
            for segment in series.segments
        )

    @property
    def repairs(self) -> Repairs:
        """What was done to all series together."""
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


def collect(name: str, frame: "pd.DataFrame", *, unit: str | None = None, max_gap: int = MAX_GAP) -> Collection:
    """Put a long frame's series on regular grids.

    Args:
        name: where the frame comes from, for messages.
        frame: columns unique_id, ds and y as `readers.read` gives them, and `change` where breaks are known.
        unit: of the values.
        max_gap: longest gap in steps that is interpolated, >= 0.

    Returns:
        The series in the order in which they first appear.

    Raises:
        DataError: a series without values, with infinite ones or without a grid; or nothing that varies.
    """
    series = [
        regularize(group, f"series {key!r} of {name}" if frame["unique_id"].nunique() > 1 else name, str(key), max_gap)
        for key, group in frame.groupby("unique_id", sort=False)
    ]
    for one in series[:1]:
        # One series among several may rest; where nothing varies at all there is nothing to learn.
        level = one.values[one.observed][0]
        if all((other.values[other.observed] == level).all() for other in series):
            raise DataError(f"{name} is constant ({level:g} throughout); there is nothing to learn from it")
    steps = {one.step for one in series}
    if len(steps) > 1:
        raise DataError(f"the series of {name} have different steps ({', '.join(sorted(steps))}); read them one by one")
    return Collection(name, tuple(series), unit)


def regularize(frame: "pd.DataFrame", where: str, name: str, max_gap: int = MAX_GAP) -> Series:
    """Put one series' readings on a regular grid; see `collect`.

    Args:
        frame: columns ds, y and perhaps change, in any order of time.
        where: how to call the series in messages.
        name: its id.
        max_gap: longest gap in steps that is interpolated.
    """
    import numpy as np

    frame = frame.sort_values("ds", kind="stable")
    y = frame["y"].to_numpy(np.float64)
    if not np.isfinite(y).any():
        raise DataError(f"{where} has no values: all {len(y)} are missing; name another column with --column")
    if np.isinf(y).any():
        raise DataError(f"{where} has {int(np.isinf(y).sum())} infinite values; leave them empty if they are missing")
    stamps = frame["ds"].to_numpy("datetime64[ns]").astype(np.int64)
    position, times, step, snapped = _grid(stamps, where)

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
    if "change" in frame:
        change = np.full(first + len(values), -1)
        inside = position < last
        change[position[inside]] = frame["change"].to_numpy()[inside]
        known = np.flatnonzero(observed)
        moved = np.flatnonzero(np.diff(change[first:][known]) != 0)
        breaks[known[moved + 1]] = True
    filled, segments = _fill(values, observed, breaks, max_gap)
    missing = int((~observed).sum())
    repairs = Repairs(
        duplicates=len(position) - len(np.unique(position)),
        snapped=snapped,
        missing=missing,
        interpolated=int((~np.isnan(filled)).sum()) - int(observed.sum()),
        open=int(np.isnan(filled).sum()),
    )
    return Series(name, filled, observed, times, step, segments, repairs)


def _fill(
    values: "NDArray[np.float64]", observed: "NDArray[np.bool_]", breaks: "NDArray[np.bool_]", max_gap: int
) -> "tuple[NDArray[np.float64], tuple[Segment, ...]]":
    """Interpolate short gaps; return the values and the stretches between what stays open."""
    import numpy as np

    known = np.flatnonzero(observed)
    gaps = np.diff(known) - 1
    # A gap is named by the reading behind it; where a break lies there, nothing is carried over.
    ends = (gaps > max_gap) | breaks[known[1:]]
    filled = np.interp(np.arange(len(values)), known, values[known])
    for gap in np.flatnonzero(ends & (gaps > 0)):
        filled[known[gap] + 1 : known[gap + 1]] = np.nan
    starts = [int(known[0]), *(int(at) for at in known[1:][ends])]
    stops = [*(int(at) + 1 for at in known[:-1][ends]), int(known[-1]) + 1]
    return filled, tuple(Segment(start, stop) for start, stop in zip(starts, stops, strict=True))


def _grid(stamps: "NDArray[np.int64]", where: str) -> "tuple[NDArray[np.int64], NDArray[np.datetime64], str, int]":
    """Infer the grid; return each reading's position on it, its times, its step's name and how many stamps snapped."""
    import numpy as np

    distinct = np.unique(stamps)
    if len(distinct) < 3:
        raise DataError(f"{where} has {len(distinct)} different times; at least 3 are needed to tell its step")
    gaps = np.diff(distinct)
    monthly = _months(stamps, gaps)
    if monthly is not None:
        return monthly
    step = _step(stamps, gaps)
    phase = _phase(stamps, step)
    position = np.rint((stamps - phase) / step).astype(np.int64)
    away = np.abs(stamps - phase - position * step)
    beside = away > step / 4
    if beside.mean() > 0.1 or len(distinct) < FEWEST * (position.max() - position.min() + 1):
        odd = np.datetime64(int(stamps[beside.argmax()]), "ns").astype("datetime64[s]")
        raise DataError(
            f"{where} follows no regular grid: the most common step is {_name(step)}, but times such as "
            f"{str(odd).replace('T', ' ')} do not fit it; resample the readings first"
        )
    first = int(position.min())
    times = (phase + (first + np.arange(int(position.max()) - first + 1)) * step).astype("datetime64[ns]")
    return position - first, times, _name(step), int((away > 0).sum())


def _phase(stamps: "NDArray[np.int64]", step: int) -> int:
    """Where in a step the readings stand: 51 minutes past the hour, say."""
    import numpy as np

    residuals, counts = np.unique(stamps % step, return_counts=True)
    if counts.max() > len(stamps) / 2:
        return int(residuals[counts.argmax()])
    # The circular mean: 59 and 1 minute past are near each other.
    angle = np.exp(2j * np.pi * (stamps % step) / step).mean()
    return round(float(np.angle(angle)) / (2 * np.pi) * step)


def _step(stamps: "NDArray[np.int64]", gaps: "NDArray[np.int64]") -> int:
    """The grid's step in nanoseconds: of the common gaps and the round times about as long, the likeliest.

    A step is likely if many stamps lie near its grid, if it leaves few steps empty (half of a step fits wherever the
    step does), and a little more so if it is round (a gap between two late readings is no step).
    """
    import numpy as np

    values, counts = np.unique(gaps, return_counts=True)
    common = {int(np.quantile(gaps, 0.2)), int(np.median(gaps)), int(values[counts.argmax()])}
    round_times = {
        count * unit
        for unit in NANOSECONDS.values()
        for count in (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 30)
        if 0.8 * min(common) <= count * unit <= 1.2 * max(common)
    }
    span, distinct = int(gaps.sum()), len(gaps) + 1

    def likely(step: int) -> float:
        away = (stamps - _phase(stamps, step)) % step
        fits = float((np.minimum(away, step - away) <= step / 4).mean())
        filled = min(1.0, distinct / (span / step + 1))
        return fits + 0.5 * filled + 0.1 * (step in round_times)

    return max(common | round_times, key=likely)


def _name(step: int) -> str:
    for unit in ("day", "hour", "minute", "second"):
        size = NANOSECONDS[unit]
        if step % size == 0:
            return unit if step == size else f"{step // size} {unit}s"
    return f"{step / 1e9:g} seconds"


def _months(
    stamps: "NDArray[np.int64]", gaps: "NDArray[np.int64]"
) -> "tuple[NDArray[np.int64], NDArray[np.datetime64], str, int] | None":
    """A grid of calendar months, quarters or years: the same day of the month (or always its last day)."""
    import numpy as np

    if np.median(gaps) < 27.5 * NANOSECONDS["day"]:
        return None
    days = stamps.astype("datetime64[ns]").astype("datetime64[D]")
    months = days.astype("datetime64[M]")
    day = (days - months).astype(int)
    last = (((months + 1).astype("datetime64[D]") - 1) == days).all()
    if not last and len(np.unique(day)) > 1:
        return None
    number = months.astype(int)
    stride = int(np.gcd.reduce(np.diff(np.unique(number))))
    position = (number - number.min()) // stride
    grid = months.min() + stride * np.arange(int(position.max()) + 1)
    times = ((grid + 1).astype("datetime64[D]") - 1) if last else grid.astype("datetime64[D]") + int(day[0])
    name = {1: "month", 3: "quarter", 12: "year"}.get(stride, f"{stride} months")
    return position, times.astype("datetime64[ns]"), name, 0


def later(times: "NDArray[np.datetime64]", count: int) -> "NDArray[np.datetime64]":
    """The `count` times of a grid that follow its last one; `times` holds at least two of the grid."""
    import numpy as np

    gap = times[-1] - times[-2]
    months = times.astype("datetime64[M]")
    ahead = np.arange(1, count + 1)
    if gap < np.timedelta64(27, "D") or bool((np.diff(times[-14:]) == gap).all() and len(times) > 13):
        return np.asarray(times[-1] + ahead * gap)
    days = times.astype("datetime64[D]")
    first_days = months.astype("datetime64[D]")
    grid = months[-1] + ahead * (months[-1] - months[-2])
    if bool((((months + 1).astype("datetime64[D]") - 1) == days).all()):
        return np.asarray((grid + 1).astype("datetime64[D]") - 1, times.dtype)
    return np.asarray((grid.astype("datetime64[D]") + (days[-1] - first_days[-1])), times.dtype)


def locate(times: "NDArray[np.datetime64]", stamps: "NDArray[np.datetime64]") -> "NDArray[np.int64]":
    """The position on a grid that each stamp is nearest to, -1 where it is more than half a step off either end."""
    import numpy as np

    place = np.searchsorted(times, stamps)
    left, right = np.clip(place - 1, 0, len(times) - 1), np.clip(place, 0, len(times) - 1)
    nearest = np.where(np.abs(stamps - times[left]) <= np.abs(times[right] - stamps), left, right)
    reach = (times[1] - times[0]) / 2 if len(times) > 1 else np.timedelta64(0, "ns")
    return np.where(np.abs(stamps - times[nearest]) <= reach, nearest, -1)


def segments_of(observed: "NDArray[np.bool_]", max_gap: int) -> tuple[tuple[Segment, ...], bool]:
    """The stretches of values that go on from earlier ones, and whether the first does go on.

    The first begins at 0, on missing steps if need be, unless so many are missing that it begins anew behind them.
    """
    import numpy as np

    known = np.flatnonzero(observed)
    if len(known) == 0:
        return (), False
    ends = np.flatnonzero(np.diff(known) - 1 > max_gap)
    starts = [int(known[0]), *(int(known[at + 1]) for at in ends)]
    stops = [*(int(known[at]) + 1 for at in ends), int(known[-1]) + 1]
    goes_on = starts[0] <= max_gap
    if goes_on:
        starts[0] = 0
    return tuple(Segment(start, stop) for start, stop in zip(starts, stops, strict=True)), goes_on
