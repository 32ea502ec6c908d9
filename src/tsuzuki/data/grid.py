"""The regular grid of a series: inferred from the times of its readings, continued beyond its end, and searched.

Times are nanoseconds since 1970 where they are integers. A grid has one step throughout, except one of calendar months,
quarters or years, of the thirds and sixths of a month that the Japan Meteorological Agency sums up, or of business
days, Monday to Friday.
"""

from typing import TYPE_CHECKING

from tsuzuki.data.distinct import counted, distinct
from tsuzuki.data.resampling import fitting_freq
from tsuzuki.errors import DataError, IrregularError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NANOSECONDS = {"second": 10**9, "minute": 60 * 10**9, "hour": 3600 * 10**9, "day": 86400 * 10**9}
# A grid on which readings fill less than this share is no grid, unless most follow each other: a season of each year.
MIN_FILLED_SHARE = 0.02
# Steps of one series, which take 17 bytes each.
MOST_STEPS = 200_000_000
# The last whole day that 64 bits of nanoseconds count.
LAST_DAY = "2262-04-10"
# The mean distance of two business days, which also says that a grid is one of them; and how many make a grid.
BUSINESS_STEP = 7 * NANOSECONDS["day"] // 5
FEWEST_BUSINESS_DAYS = 10
# How many parts a month has, their days, and the step's name; the last part of a month has the days that are left.
PARTS = ((3, 10, "third of a month"), (6, 5, "sixth of a month"))


def infer_grid(stamps: "NDArray[np.int64]", where: str) -> "tuple[NDArray[np.int64], NDArray[np.datetime64], str, int]":
    """Infer the grid; return each reading's position, the grid's times, its step's name and how many stamps snapped."""
    import numpy as np

    different = distinct(stamps)
    if len(different) < 3:
        raise DataError(f"{where} has {len(different)} different times; at least 3 are needed to infer its step")
    gaps = np.diff(different)
    calendar = _month_grid(stamps, gaps) or _part_grid(stamps, gaps) or _business_grid(stamps, gaps)
    if calendar is not None:
        return calendar
    step = _likeliest_step(stamps, gaps)
    phase = _phase(stamps, step)
    position = np.rint((stamps - phase) / step).astype(np.int64)
    away = np.abs(stamps - phase - position * step)
    beside = away > step / 4
    steps = int(position.max() - position.min()) + 1
    if steps > MOST_STEPS:
        raise DataError(f"{where} spans {steps:,} steps of a {step_name(step)}; is one of its times wrong by years?")
    follow = float((np.abs(gaps - step) <= step / 4).mean())
    if beside.mean() > 0.1 or (len(different) < MIN_FILLED_SHARE * steps and follow < 0.5):
        odd = np.datetime64(int(stamps[beside.argmax()]), "ns").astype("datetime64[s]")
        raise IrregularError(
            f"{where} follows no regular grid: the most common step is {step_name(step)}, but times such as "
            f"{str(odd).replace('T', ' ')} do not fit it",
            fitting_freq(different),
        )
    first = int(position.min())
    times = (phase + (first + np.arange(int(position.max()) - first + 1)) * step).astype("datetime64[ns]")
    return position - first, times, step_name(step), int((away > 0).sum())


def _phase(stamps: "NDArray[np.int64]", step: int) -> int:
    """The readings' offset within a step, such as 51 minutes past the hour."""
    import numpy as np

    residuals, counts = counted(stamps % step)
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

    values, counts = counted(gaps)
    common = {int(np.quantile(gaps, 0.2)), int(np.median(gaps)), int(values[counts.argmax()])}
    round_times = {
        count * unit
        for unit in NANOSECONDS.values()
        for count in (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 30)
        if 0.8 * min(common) <= count * unit <= 1.2 * max(common)
    }
    span, points = int(gaps.sum()), len(gaps) + 1

    def likely(step: int) -> float:
        away = (stamps - _phase(stamps, step)) % step
        fits = float((np.minimum(away, step - away) <= step / 4).mean())
        filled = min(1.0, points / (span / step + 1))
        return fits + 0.5 * filled + 0.1 * (step in round_times)

    return max(common | round_times, key=likely)


def step_name(step: int) -> str:
    """A step in nanoseconds in words."""
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
    # Midnight of another zone is the same time of day throughout; clocks that change make two.
    clocks, counts = np.unique(stamps % NANOSECONDS["day"], return_counts=True)
    clock = np.timedelta64(int(clocks[counts.argmax()]), "ns")
    return position, times.astype("datetime64[ns]") + clock, name, int(counts.sum() - counts.max())


def _part_grid(
    stamps: "NDArray[np.int64]", gaps: "NDArray[np.int64]"
) -> "tuple[NDArray[np.int64], NDArray[np.datetime64], str, int] | None":
    """A grid of the thirds of months (their days 1, 11 and 21), or of their sixths (1, 6, ..., 26)."""
    import numpy as np

    found = _part_numbers(stamps)
    if found is None or not 0.6 < np.median(gaps) / (found[1] * NANOSECONDS["day"]) < 1.3:
        return None
    numbers, days, name = found
    times = _part_days(np.arange(numbers.min(), numbers.max() + 1), days)
    return numbers - numbers.min(), times.astype("datetime64[ns]"), name, 0


def _part_numbers(stamps: "NDArray[np.int64]") -> "tuple[NDArray[np.int64], int, str] | None":
    """The number of each stamp's part of a month, its days and its name, if all parts' beginnings are there."""
    import numpy as np

    days = stamps.astype("datetime64[ns]").astype("datetime64[D]")
    if (days.astype("datetime64[ns]").astype(np.int64) != stamps).any():
        return None
    months = days.astype("datetime64[M]")
    day = (days - months).astype(np.int64)
    for parts, size, name in PARTS:
        if set(np.unique(day).tolist()) == {size * part for part in range(parts)}:
            return months.astype(np.int64) * parts + day // size, size, name
    return None


def _part_days(numbers: "NDArray[np.int64]", size: int) -> "NDArray[np.datetime64]":
    import numpy as np

    parts = next(parts for parts, days, _ in PARTS if days == size)
    return np.asarray((numbers // parts).astype("datetime64[M]").astype("datetime64[D]") + numbers % parts * size)


def _business_grid(
    stamps: "NDArray[np.int64]", gaps: "NDArray[np.int64]"
) -> "tuple[NDArray[np.int64], NDArray[np.datetime64], str, int] | None":
    """A grid of Mondays to Fridays, each at the same time of day, if most of them are there."""
    import numpy as np

    day = NANOSECONDS["day"]
    if np.median(gaps) != day or len(gaps) < FEWEST_BUSINESS_DAYS or (stamps % day != stamps[0] % day).any():
        return None
    days = stamps.astype("datetime64[ns]").astype("datetime64[D]")
    if not np.is_busday(days).all():
        return None
    position = np.busday_count(days.min(), days)
    grid = np.busday_offset(days.min(), np.arange(int(position.max()) + 1)).astype("datetime64[ns]")
    times = np.asarray(grid + np.timedelta64(int(stamps[0] % day), "ns"), "datetime64[ns]")
    return np.asarray(position, np.int64), times, "business day", 0


def _are_business_days(times: "NDArray[np.datetime64]") -> bool:
    """Whether successive times of a grid are business days: none of them on a weekend, and one is passed over."""
    import numpy as np

    gaps = np.diff(times).astype("timedelta64[ns]").astype(np.int64) // NANOSECONDS["day"]
    if set(gaps.tolist()) != {1, 3}:
        return False
    return bool(np.is_busday(times.astype("datetime64[D]")).all())


def step_of(times: "NDArray[np.datetime64]") -> int:
    """A grid's step in nanoseconds: the median one of months; of business days what five of them take of a week."""
    import numpy as np

    if _are_business_days(times[:14]):
        return BUSINESS_STEP
    return int(np.median(np.diff(times)).astype(np.int64))


def following_times(times: "NDArray[np.datetime64]", count: int) -> "NDArray[np.datetime64]":
    """The `count` times of a grid that follow its last one; `times` holds at least two of the grid.

    Raises:
        DataError: they lie beyond the year 2262, which nanoseconds cannot count.
    """
    import numpy as np

    gap, ahead = times[-1] - times[-2], np.arange(1, count + 1)
    if _are_business_days(times[-14:]):
        if count and count > np.busday_count(times[-1].astype("datetime64[D]"), LAST_DAY):
            raise DataError(_too_far(times, count))
        last = times[-1].astype("datetime64[D]")
        return np.asarray(np.busday_offset(last, ahead).astype(times.dtype) + (times[-1] - last))
    parts = _part_numbers(times[-14:].astype("datetime64[ns]").astype(np.int64))
    if parts is not None and len(times) > 2 and gap < np.timedelta64(12, "D"):
        numbers, size, _ = parts
        days = _part_days(numbers[-1] + ahead, size)
    elif gap < np.timedelta64(27, "D") or bool((np.diff(times[-14:]) == gap).all() and len(times) > 13):
        last = int(times[-1].astype("datetime64[ns]").astype(np.int64))
        if last + count * int(gap.astype("timedelta64[ns]")) >= 1 << 63:
            raise DataError(_too_far(times, count))
        return np.asarray(times[-1] + ahead * gap)
    else:
        known, months = times.astype("datetime64[D]"), times.astype("datetime64[M]")
        grid = months[-1] + ahead * (months[-1] - months[-2])
        if bool((((months + 1).astype("datetime64[D]") - 1) == known).all()):
            days = (grid + 1).astype("datetime64[D]") - 1
        else:
            days = grid.astype("datetime64[D]") + (known[-1] - months[-1].astype("datetime64[D]"))
    if count and days[-1] > np.datetime64(LAST_DAY):
        raise DataError(_too_far(times, count))
    # Parts of months begin at midnight, months with the time of day of the last one.
    return np.asarray(days.astype(times.dtype) + (times[-1] - times[-1].astype("datetime64[D]")))


def times_before(times: "NDArray[np.datetime64]", moment: "np.datetime64") -> "NDArray[np.datetime64]":
    """Times of the same grid of months or business days, as many, none of them behind a moment.

    Whole years back a grid of months is what it was, and whole weeks back one of business days.
    """
    import numpy as np

    apart = times[-1] - moment
    if apart <= np.timedelta64(0, "ns"):
        return times
    if _are_business_days(times[-14:]):
        weeks = -(-apart // np.timedelta64(7, "D"))
        return np.asarray(times - weeks * np.timedelta64(7, "D"))
    days, months = times.astype("datetime64[D]"), times.astype("datetime64[M]")
    back = months - 12 * int(-(-apart // np.timedelta64(365, "D")))
    if bool(((months + 1).astype("datetime64[D]") - 1 == days).all()):
        found = (back + 1).astype("datetime64[D]") - 1
    else:
        found = back.astype("datetime64[D]") + (days - months.astype("datetime64[D]"))
    return np.asarray(found.astype(times.dtype) + (times - days))


def _too_far(times: "NDArray[np.datetime64]", count: int) -> str:
    return (
        f"{count:,} steps after {str(times[-1])[:19].replace('T', ' ')} lie beyond the year 2262, "
        "which nanoseconds cannot count; take fewer steps, or correct the times"
    )


def nearest_positions(times: "NDArray[np.datetime64]", stamps: "NDArray[np.datetime64]") -> "NDArray[np.int64]":
    """The position on a grid that each stamp is nearest to, -1 where it is more than half a step off either end."""
    import numpy as np

    place = np.searchsorted(times, stamps)
    left, right = np.clip(place - 1, 0, len(times) - 1), np.clip(place, 0, len(times) - 1)
    nearest = np.where(np.abs(stamps - times[left]) <= np.abs(times[right] - stamps), left, right)
    reach = np.diff(times[:14]).min() / 2 if len(times) > 1 else np.timedelta64(0, "ns")
    return np.where(np.abs(stamps - times[nearest]) <= reach, nearest, -1)
