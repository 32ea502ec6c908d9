"""Reference forecasts that a network has to beat, from simple to strong.

Persistence, seasonal naive and drift as in Hyndman and Athanasopoulos (2021), the climatological mean by hour and
day of the year, and a ridge regression on the last two weeks, one for each horizon, which is hard to beat.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tsuzuki.data.calendar import DAY, calendar, seasons
from tsuzuki.data.covariates import CovariateSeries
from tsuzuki.data.grid import following_times

# The ridge regression's lags, its largest number of training rows, and its penalty on standardised values.
RIDGE_LAGS, RIDGE_ROWS, RIDGE_PENALTY = 336, 100_000, 10.0
# Days on either side that are averaged into a day of the year, and parts of a day that have means of their own at most:
# by the second a table of a year's days took 50 s and a gigabyte, of 150 readings as of millions.
NEAR_DAYS, MOST_SLOTS = 15, 1440


def references(
    series: CovariateSeries, cut: int, origins: NDArray[np.int64], horizon: int, step: int
) -> dict[str, NDArray[np.float64]]:
    """Forecast from each origin with every reference that the series is long enough for.

    Args:
        series: the series; a missing value is replaced by the last one before it.
        cut: number of points to learn from.
        origins: number of points known at each origin, each at least `cut`.
        horizon: steps ahead.
        step: the grid's step in nanoseconds.

    Returns:
        By name float64 [origins, horizon].
    """
    values = _carried_forward(series.values)
    ahead = np.arange(1, horizon + 1)
    last = values[origins - 1][:, None]
    found = {"persistence": np.repeat(last, horizon, axis=1)}
    for season in seasons(step, cut):
        back = origins[:, None] - 1 + ahead - season * -(-ahead // season)
        found[f"seasonal-naive-{season}"] = values[back]
    found["drift"] = last + ahead * (last - values[0]) / np.maximum(origins - 1, 1)[:, None]
    rest = origins[:, None] + ahead - 1
    times = np.concatenate([series.times, following_times(series.times, horizon)])
    if step < 300 * DAY:
        found["climatology"] = _climatology(series.times[:cut], series.values[:cut], step)(times)[rest]
    lags = min(RIDGE_LAGS, cut // 4)
    if lags >= 2 and cut - lags - horizon >= 2 * lags:
        found["ridge"] = _ridge(values, calendar(series.times, step), cut, origins, horizon, lags)
    return found


def _carried_forward(values: NDArray[np.float64]) -> NDArray[np.float64]:
    place = np.maximum.accumulate(np.where(np.isnan(values), 0, np.arange(len(values))))
    return values[place]


def _climatology(
    times: NDArray[np.datetime64], values: NDArray[np.float64], step: int
) -> Callable[[NDArray[np.datetime64]], NDArray[np.float64]]:
    """The mean by step of the day (by minute, if steps are shorter) and day of the year, averaged over neighbouring
    days."""
    width = max(1, min(step, DAY), DAY // MOST_SLOTS)
    slots = max(1, DAY // width)

    def place(stamps: NDArray[np.datetime64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        days = stamps.astype("datetime64[D]")
        slot = (stamps - days).astype("timedelta64[ns]").astype(np.int64) // width
        return (days - stamps.astype("datetime64[Y]")).astype(np.int64), np.minimum(slot, slots - 1)

    known = ~np.isnan(values)
    day, slot = place(times[known])
    total, count = np.zeros((366, slots)), np.zeros((366, slots))
    np.add.at(total, (day, slot), values[known])
    np.add.at(count, (day, slot), 1)
    near = [(np.arange(366) + shift) % 366 for shift in range(-NEAR_DAYS, NEAR_DAYS + 1)]
    total, count = (np.sum([one[days] for days in near], axis=0) for one in (total, count))
    # The overall mean is used for parts of the year without data.
    mean = np.where(count > 0, total / np.maximum(count, 1), values[known].mean())

    def at(stamps: NDArray[np.datetime64]) -> NDArray[np.float64]:
        return np.asarray(mean[place(stamps)])

    return at


def _ridge(
    values: NDArray[np.float64],
    calendar_columns: NDArray[np.float32],
    cut: int,
    origins: NDArray[np.int64],
    horizon: int,
    lags: int,
) -> NDArray[np.float64]:
    """Regress the change from the last value on the last `lags` values (less the last one) and on the calendar."""
    mean, scale = values[:cut].mean(), values[:cut].std() or 1.0
    z = (values - mean) / scale
    windows = np.lib.stride_tricks.sliding_window_view(z, lags)

    def inputs(known: NDArray[np.int64]) -> NDArray[np.float64]:
        shape = windows[known - lags] - z[known - 1, None]
        return np.concatenate([shape, calendar_columns[known - 1], np.ones((len(known), 1))], axis=1)

    rows = np.arange(lags, cut - horizon + 1)
    if len(rows) > RIDGE_ROWS:
        rows = rows[np.linspace(0, len(rows) - 1, RIDGE_ROWS).astype(np.int64)]
    x = inputs(rows)
    y = z[rows[:, None] + np.arange(horizon)] - z[rows - 1, None]
    weights = np.linalg.solve(x.T @ x + RIDGE_PENALTY * np.eye(x.shape[1]), x.T @ y)
    found = np.concatenate([inputs(some) @ weights for some in np.array_split(origins, 1 + len(origins) // 20_000)])
    return np.asarray((found + z[origins - 1, None]) * scale + mean)
