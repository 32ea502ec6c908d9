"""The regular grid of a series: inferred from the times of its readings, continued beyond its end, and searched.

Times are nanoseconds since 1970 where they are integers. A grid has one step throughout, except one of calendar months,
quarters or years.
"""

from typing import TYPE_CHECKING

from tsuzuki.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NANOSECONDS = {"second": 10**9, "minute": 60 * 10**9, "hour": 3600 * 10**9, "day": 86400 * 10**9}
# A grid on which readings fill less than this share is no grid.
MIN_FILLED_SHARE = 0.02


def infer_grid(stamps: "NDArray[np.int64]", where: str) -> "tuple[NDArray[np.int64], NDArray[np.datetime64], str, int]":
    """Infer the grid; return each reading's position, the grid's times, its step's name and how many stamps snapped."""
    import numpy as np

    distinct = np.unique(stamps)
    if len(distinct) < 3:
        raise DataError(f"{where} has {len(distinct)} different times; at least 3 are needed to infer its step")
    gaps = np.diff(distinct)
    monthly = _month_grid(stamps, gaps)
    if monthly is not None:
        return monthly
    step = _likeliest_step(stamps, gaps)
    phase = _phase(stamps, step)
    position = np.rint((stamps - phase) / step).astype(np.int64)
    away = np.abs(stamps - phase - position * step)
    beside = away > step / 4
    if beside.mean() > 0.1 or len(distinct) < MIN_FILLED_SHARE * (position.max() - position.min() + 1):
        odd = np.datetime64(int(stamps[beside.argmax()]), "ns").astype("datetime64[s]")
        raise DataError(
            f"{where} follows no regular grid: the most common step is {_step_name(step)}, but times such as "
            f"{str(odd).replace('T', ' ')} do not fit it; resample the readings first"
        )
    first = int(position.min())
    times = (phase + (first + np.arange(int(position.max()) - first + 1)) * step).astype("datetime64[ns]")
    return position - first, times, _step_name(step), int((away > 0).sum())


def _phase(stamps: "NDArray[np.int64]", step: int) -> int:
    """The readings' offset within a step, such as 51 minutes past the hour."""
    import numpy as np

    residuals, counts = np.unique(stamps % step, return_counts=True)
    if counts.max() > len(stamps) / 2:
        return int(residuals[counts.argmax()])
    # The circular mean: 59 and 1 minutes past the hour are close to each other.
    angle = np.exp(2j * np.pi * (stamps % step) / step).mean()
    return round(float(np.angle(angle)) / (2 * np.pi) * step)


def _likeliest_step(stamps: "NDArray[np.int64]", gaps: "NDArray[np.int64]") -> int:
    """The grid's step in nanoseconds: the likeliest of the common gaps and of round durations about as long.

    A step is likely if many stamps are near its grid and few steps stay empty (half the true step fits all stamps as
    well), and slightly likelier if it is round (a gap between two late readings is not).
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


def _step_name(step: int) -> str:
    for unit in ("day", "hour", "minute", "second"):
        size = NANOSECONDS[unit]
        if step % size == 0:
            return unit if step == size else f"{step // size} {unit}s"
    return f"{step / 1e9:g} seconds"


def _month_grid(
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


def following_times(times: "NDArray[np.datetime64]", count: int) -> "NDArray[np.datetime64]":
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


def nearest_positions(times: "NDArray[np.datetime64]", stamps: "NDArray[np.datetime64]") -> "NDArray[np.int64]":
    """The position on a grid that each stamp is nearest to, -1 where it is more than half a step off either end."""
    import numpy as np

    place = np.searchsorted(times, stamps)
    left, right = np.clip(place - 1, 0, len(times) - 1), np.clip(place, 0, len(times) - 1)
    nearest = np.where(np.abs(stamps - times[left]) <= np.abs(times[right] - stamps), left, right)
    reach = (times[1] - times[0]) / 2 if len(times) > 1 else np.timedelta64(0, "ns")
    return np.where(np.abs(stamps - times[nearest]) <= reach, nearest, -1)
