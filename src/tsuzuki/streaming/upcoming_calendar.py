"""When readings are due: the times behind a series' last one, their calendar, and how far another time lies from them.

Times are nanoseconds since 1970 where they are integers. Grids are a sum of steps, but for months and business
days, which are not all as long as each other: there the grid of the training data goes on.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tsuzuki.data.calendar import calendar
from tsuzuki.data.grid import BUSINESS_STEP, following_times, times_before
from tsuzuki.errors import DataError
from tsuzuki.forecasting.fitted import Fitted

# A grid whose step is at least so long (nanoseconds) is one of months.
_MONTH = 27 * 86400 * 10**9
# How many steps a reading's time may be off the grid.
GRID_TOLERANCE = 0.25


def is_uniform(step: int) -> bool:
    """Whether the times of a grid with this step are a sum of steps; those of months and business days are not."""
    return step < _MONTH and step != BUSINESS_STEP


def ahead(fitted: Fitted, name: str, now: int, count: int) -> NDArray[np.datetime64]:
    """The next `count` times of a series behind `now`, datetime64 [count]."""
    if is_uniform(fitted.step):
        steps: NDArray[np.int64] = now + fitted.step * np.arange(1, count + 1)
        return steps.astype("datetime64[ns]")
    stamp = np.datetime64(now, "ns")
    trained = dict(zip(fitted.ids, fitted.times, strict=True))
    grid = times_before(trained.get(name, fitted.times[0]), stamp)
    while grid[-1] < stamp:
        grid = np.concatenate([grid, following_times(grid, 12)])
    return following_times(grid[grid <= stamp], count)


def next_stamps(
    fitted: Fitted, ids: Sequence[str], which: NDArray[np.int64], stamps: NDArray[np.datetime64]
) -> NDArray[np.datetime64]:
    """The next time of some series `which` among `ids`, from where they stand, datetime64 [series]."""
    if is_uniform(fitted.step):
        return np.asarray((stamps.view(np.int64) + fitted.step).view("datetime64[ns]"))
    moments = stamps.astype(np.int64).tolist()
    found = [ahead(fitted, ids[number], now, 1)[0] for number, now in zip(which.tolist(), moments, strict=True)]
    return np.array(found, "datetime64[ns]")


def calendar_ahead(
    fitted: Fitted, names: Sequence[str], stamps: NDArray[np.datetime64], count: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The calendar of the times behind `stamps`, [distinct times, count, columns], and which of them each series has.

    Args:
        fitted: of which the grid is.
        names: the series.
        stamps: datetime64 [series], where each stands.
        count: times ahead.
    """
    if not is_uniform(fitted.step):
        moments = stamps.astype(np.int64).tolist()
        times = np.stack([ahead(fitted, name, now, count) for name, now in zip(names, moments, strict=True)])
        place = np.arange(len(names))
    else:
        distinct, place = np.unique(stamps.astype(np.int64), return_inverse=True)
        times = (distinct[:, None] + np.arange(1, count + 1) * fitted.step).astype("datetime64[ns]")
    return calendar(times.ravel(), fitted.step, fitted.rules.cycles).reshape(*times.shape, -1), place


def steps_to(fitted: Fitted, name: str, now: int, stamp: int) -> float:
    """How many steps of the grid the time `stamp` lies behind `now`."""
    steps = (stamp - now) / fitted.step
    if is_uniform(fitted.step) or steps < 0.5:
        return steps
    # Months differ, so the grid itself is asked.
    grid = ahead(fitted, name, now, int(steps * 1.2) + 3).astype(np.int64)
    place = int(np.argmin(np.abs(grid - stamp)))
    return place + 1 + (stamp - int(grid[place])) / fitted.step


def steps_due(fitted: Fitted, name: str, now: int, stamp: int) -> int:
    """How many steps a reading's time `stamp` lies behind `now`, where the series stands; at least one.

    Raises:
        DataError: it is late, a second reading for the time where the series stands, or beside the grid.
    """
    exact = steps_to(fitted, name, now, stamp)
    steps = round(exact)
    what = f"the reading of series {name!r} at {_seconds(stamp)}"
    if steps < 1:
        word = "a second one for" if steps == 0 else "late: it lies before"
        raise DataError(f"{what} is {word} {_seconds(now)}, where the series stands; leave it out")
    if abs(exact - steps) > GRID_TOLERANCE:
        raise DataError(
            f"{what} lies beside the grid, {exact - steps:+.2f} steps from a time that one is due; correct its time"
        )
    return steps


def _seconds(moment: int) -> str:
    return str(np.datetime64(moment, "ns").astype("M8[s]"))
