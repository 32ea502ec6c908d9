"""Exponential smoothing as maps of a window: level, damped trend and season, with constants chosen by training errors.

With its smoothing constants fixed, the method of Holt (1957) and Winters (1960), with the damped trend of Gardner and
McKenzie (1985), is linear in the values, so each choice of constants is one matrix. The recursion runs over unit
vectors instead of values.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from tsuzuki.forecasting.history import History, differences
from tsuzuki.forecasting.rules import SHORT_VALUES

# What is tried: how fast level, trend and season follow, and how the trend is damped.
LEVELS, TREND, DAMPINGS, GAINS = (0.03, 0.1, 0.25, 0.5, 0.9), 0.1, (0.9, 0.98), (0.05, 0.3)
# In windows of short series the trend may also begin as that of the line through the first values, so many of them, and
# then follow at one of these rates, damped so or not at all.
LINE_VALUES, LINE_TRENDS, LINE_DAMPINGS = 10, (0.0, 0.1, 0.3), (0.8, 0.9, 0.98, 1.0)
# Origins that the constants are chosen by at most, over all series.
ORIGINS = 400
# Columns that are smoothed together.
TOGETHER = 128


@dataclass(frozen=True)
class Constants:
    """How smoothing follows the values.

    Attributes:
        level: share of a step's surprise that the level takes over.
        trend: share of a level's surprise that the trend takes over.
        damping: of the trend with each step, 0 for no such trend.
        season: share of a step's surprise that the season takes over.
        slope: whether half of the slope of the line through the window is added instead of a trend (the theta method of
            Assimakopoulos and Nikolopoulos 2000, as Hyndman and Billah 2003 write it).
        line: whether level and trend begin as the line through the first `LINE_VALUES` says; without a season only.
    """

    level: float
    trend: float = 0.0
    damping: float = 0.0
    season: float = 0.0
    slope: bool = False
    line: bool = False


def smoothed(
    values: NDArray[np.float64], horizon: int, constants: Sequence[Constants], season: int = 0
) -> NDArray[np.float64]:
    """Forecasts by exponential smoothing.

    Level and season begin with the first season (the first value if there is none), the trend with 0, with the change
    from the first season to the second, or with that of a line through the first values.

    Args:
        values: [steps, columns], at least two seasons.
        horizon: steps ahead.
        constants: that are tried.
        season: in steps; 0 for none.

    Returns:
        [constants, horizon, columns].
    """
    gain, damping = (np.array([[getattr(one, name)] for one in constants]) for name in ("level", "damping"))
    first = max(1, season)
    level = np.repeat(values[:first].mean(axis=0)[None], len(constants), axis=0)
    seasonal = values[:first, None] - level if season else np.zeros((1, *level.shape))
    trend = np.zeros_like(level)
    if season:
        trend = np.where(damping > 0, (values[first : 2 * first].mean(axis=0) - values[:first].mean(axis=0)) / first, 0)
    elif any(one.line for one in constants):
        begins = np.array([[one.line] for one in constants])
        some = values[:LINE_VALUES]
        rise, middle = _slope(some), (len(some) - 1) / 2
        level = np.where(begins, some.mean(axis=0) - middle * rise, level)
        trend = np.where(begins, rise, trend)
        level += np.where(begins, gain * (values[0] - level), 0)
    for begin in range(0, values.shape[1], TOGETHER):
        own = slice(begin, begin + TOGETHER)
        level[:, own], trend[:, own], seasonal[..., own] = follow(
            values[first:, own], level[:, own], trend[:, own], seasonal[..., own], constants
        )
    half = np.array([[0.5 * one.slope] for one in constants]) * _slope(values)
    found = np.empty((len(constants), horizon, values.shape[1]))
    growth = np.zeros_like(level)
    for ahead_of in range(horizon):
        growth = growth + damping ** (ahead_of + 1) * trend + half
        found[:, ahead_of] = level + growth + seasonal[(len(values) + ahead_of) % first]
    return found


def follow(
    values: NDArray[np.float64],
    level: NDArray[np.float64],
    trend: NDArray[np.float64],
    seasonal: NDArray[np.float64],
    constants: Sequence[Constants],
    surprises: NDArray[np.float64] | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Level and trend [constants, columns] and season [season, constants, columns] behind the last step.

    Everything is computed in place, in arrays that stay in the first caches.

    Args:
        values: [steps, columns], the first of which the first place of the season is for.
        level: [constants, columns], before the first step.
        trend: the same.
        seasonal: [season, constants, columns]; [1, constants, columns] of zeros for no season.
        constants: of each row.
        surprises: [steps, constants, columns], where errors one step ahead are written, if anywhere.
    """
    # Of one shape with the rest, so that an operation is one loop.
    gain, rate, damping, turn = (
        np.repeat([[getattr(one, name)] for one in constants], level.shape[1], axis=1)
        for name in ("level", "trend", "damping", "season")
    )
    of_trend, of_season, turns = rate * gain, turn * (1 - gain), bool(turn.any())
    level, trend, seasonal = level.copy(), trend.copy(), seasonal.copy()
    fall, ahead, surprise, share = (np.empty_like(level) for _ in range(4))
    for step, value in enumerate(values):
        place = seasonal[step % len(seasonal)]
        np.multiply(damping, trend, out=fall)
        np.add(level, fall, out=ahead)
        np.subtract(value, place, out=surprise)
        np.subtract(surprise, ahead, out=surprise)
        np.add(ahead, np.multiply(gain, surprise, out=share), out=level)
        np.add(fall, np.multiply(of_trend, surprise, out=share), out=trend)
        if turns:
            np.add(place, np.multiply(of_season, surprise, out=share), out=place)
        if surprises is not None:
            surprises[step] = surprise
    return level, trend, seasonal


def _slope(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """By how much the line through values [steps, columns] rises with each step, [columns]."""
    steps = np.arange(len(values)) - (len(values) - 1) / 2
    return np.asarray(steps @ values / max(float(steps @ steps), 1.0))


def smoothing_map(size: int, horizon: int, constants: Constants, season: int = 0) -> NDArray[np.float32]:
    """[size, horizon]: windows less their last value to the forecast less the last value."""
    return np.asarray(smoothed(np.eye(size), horizon, [constants], season)[0].T, np.float32)


def smoothing_maps(
    histories: Sequence[History], horizon: int, seasons: Sequence[int], importance: NDArray[np.float64]
) -> dict[str, NDArray[np.float32]]:
    """The maps whose constants err least on the training data: without a season, and with each that fits twice.

    Args:
        histories: of the series.
        horizon: steps ahead.
        seasons: in steps.
        importance: float64 [series], how much the errors of each count.
    """
    size, found = histories[0].size, {}
    for season in (0, *(one for one in seasons if 2 * one <= size)):
        windows, targets, counts = _origins(histories, horizon, 2 * season, importance)
        if len(windows) == 0:
            continue
        candidates = _candidates(season, short=size <= SHORT_VALUES)
        forecasts = smoothed(windows.T.astype(np.float64), horizon, candidates, season)
        errors = np.nansum(np.abs(forecasts - targets.T) * counts, axis=(1, 2))
        best = candidates[int(np.argmin(errors))]
        found[f"smoothing-{season}" if season else "smoothing"] = smoothing_map(size, horizon, best, season)
    return found


def _candidates(season: int, *, short: bool) -> list[Constants]:
    trends = [(0.0, 0.0, False), (0.0, 0.0, True), *((TREND, damping, False) for damping in DAMPINGS)]
    gains = GAINS if season else (0.0,)
    found = [
        Constants(level, trend, damping, gain, slope)
        for level in LEVELS
        for trend, damping, slope in trends
        for gain in gains
    ]
    if short and not season:
        lines = product(LEVELS, LINE_TRENDS, LINE_DAMPINGS)
        found += [Constants(level, trend, damping, line=True) for level, trend, damping in lines]
    return found


def _origins(
    histories: Sequence[History], horizon: int, least: int, importance: NDArray[np.float64]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float64]]:
    """Windows less their last value, the changes that came, and how much each counts, at origins of all series.

    Origins are those behind `least` values; of a series that has none, none.
    """
    each = max(1, ORIGINS // len(histories))
    windows, targets, counts = [], [], []
    every = max(1, len(histories) // ORIGINS)
    for history, weight in list(zip(histories, importance, strict=True))[::every]:
        ends = history.ends
        places = np.flatnonzero(ends >= 0)
        places = places[max(least - 1, 1) : -1]
        if len(places) == 0:
            continue
        places = places[np.unique(np.linspace(0, len(places) - 1, min(each, len(places))).astype(np.int64))]
        own = history.windows(places)
        rows = ends[places][:, None] + np.arange(1, horizon + 1)
        last = ends[ends >= 0].max()
        there = rows <= last
        y = np.where(there, history.values[np.minimum(rows, last)] - own[:, -1:], np.nan)
        windows.append(differences(own))
        targets.append(y.astype(np.float32))
        counts.append(np.full(len(places), weight))
    if not windows:
        nothing = np.zeros((0, horizon), np.float32)
        return np.zeros((0, histories[0].size), np.float32), nothing, np.zeros(0)
    return np.concatenate(windows), np.concatenate(targets), np.concatenate(counts)
