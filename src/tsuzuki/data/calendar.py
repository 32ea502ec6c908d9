"""Calendar features: hour, weekday and day of year as inputs of a network; and the seasons that a grid suggests.

Each cycle is a sine and a cosine, so that 23:59 is close to 00:00. The grid's step decides which cycles there are: a
daily series has no hour, a yearly one no day of the year.
"""

from typing import TYPE_CHECKING

from tsuzuki.data.grid import BUSINESS_STEP

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

DAY = 86400 * 10**9


def cycles(step: int) -> tuple[str, ...]:
    """Name the cycles that a grid with this step (nanoseconds) can show: hour, weekday, day of year."""
    found = []
    if step < DAY:
        found.append("hour")
    if step <= DAY or step == BUSINESS_STEP:
        found.append("weekday")
    if step < 300 * DAY:
        found.append("day of year")
    return tuple(found)


def calendar(times: "NDArray[np.datetime64]", step: int, named: "Sequence[str] | None" = None) -> "NDArray[np.float32]":
    """Sine and cosine of each cycle at each time.

    Args:
        times: datetime64 [points].
        step: the grid's step in nanoseconds.
        named: the cycles; all that the step can show if None.

    Returns:
        float32 [points, 2 * cycles].
    """
    import numpy as np

    days = times.astype("datetime64[D]")
    shares = {
        "hour": (times - days) / np.timedelta64(1, "D"),
        # 1970-01-01 was a Thursday.
        "weekday": ((days.astype(np.int64) + 3) % 7) / 7,
        "day of year": (times - times.astype("datetime64[Y]")) / np.timedelta64(1, "D") / 365.2425,
    }
    columns = []
    for cycle in cycles(step) if named is None else named:
        angle = 2 * np.pi * shares[cycle]
        columns += [np.sin(angle), np.cos(angle)]
    return np.stack(columns, axis=1).astype(np.float32) if columns else np.zeros((len(times), 0), np.float32)


def seasons(step: int, points: int) -> tuple[int, ...]:
    """The seasons in steps that a grid suggests: a day and a week, a week and a year, a year.

    Args:
        step: the grid's step in nanoseconds.
        points: length of the series; a season of which it does not hold two is left out.
    """
    found: tuple[int, ...] = ()
    if step < DAY:
        found = (round(DAY / step), round(7 * DAY / step))
    elif step < 6 * DAY:
        found = (round(7 * DAY / step), round(365 * DAY / step))
    elif step < 300 * DAY:
        found = (round(365.2425 * DAY / step),)
    return tuple(season for season in found if 1 < season <= points // 2)
