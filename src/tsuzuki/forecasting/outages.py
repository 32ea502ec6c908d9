"""Outages that have ended count as missing from then on, so that no forecast repeats them a season later.

A reading lies off where it is further from the one a season before than all but the fewest in training. While readings
lie off, nothing changes: forecasts go on from what is there, and if it lasts, the level is another. Where they come
back within half a window, what lay off is replaced in the windows as a missing reading is. Training data are treated
in the same way, where it is rare there and does not come back by itself (for filters that clean before they smooth:
Gelper, Fried and Croux 2010).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from tsuzuki.data.covariates import CovariateSeries
    from tsuzuki.data.segments import Segment
    from tsuzuki.forecasting.panel import Panel, SeriesInputs
    from tsuzuki.forecasting.rules import Rules
    from tsuzuki.forecasting.transforms import Transform

# A reading lies off that is so many times as far from the one a season before as most readings of training are; what
# lies off there is met twice, as itself and a season later.
FAR, MOST_READINGS = 4.5, 0.85
# So much of training may lie off, and forecasts by what stood a season before, as soon as that is known to have lain
# off, must err so many times as much as by what is put in its place: what comes back each week is none.
RARE, WORSE = 0.05, 1.25
# What is shorter is a spike and stays: taken out, heavy tails have 1.002 of their error, counts of keys 1.02.
SHORTEST = 3
# Behind an outage the next one is looked for after so many times its length, so that a series that has become wilder
# keeps most of its readings.
REST = 4
# Seasons that training must hold.
SEASONS = 6


def longest_outage(size: int, season: int) -> int:
    """Steps that an outage lasts at most, of windows of so many values; what it is compared with lies in them."""
    return max(0, min(size - season - 1, size // 2))


def count_on(out: float, apart: float, limit: float, longest: int, season: int, *, missing: bool) -> tuple[float, int]:
    """Look at the next reading.

    Args:
        out: steps that readings have lain off for; below 0: steps until one is looked for again.
        apart: the reading less that of as many seasons before as lie before the outage.
        limit: of the series.
        longest: see `longest_outage`.
        season: in steps.
        missing: whether there is no reading.

    Returns:
        `out` behind it, and how many steps before it are an outage that has just ended.
    """
    if out < 0:
        return out + 1, 0
    if not missing and abs(apart) <= limit:
        return (float(-REST * out), int(out)) if out >= SHORTEST else (0.0, 0)
    if missing and out == 0:
        return 0.0, 0
    # What lasts longer is another level; a season later it is compared with itself.
    return (out + 1, 0) if out < longest else (float(-season), 0)


def seasons_back(out: float, season: int) -> int:
    """How many steps back stands what a reading is compared with."""
    return season * (1 + int(max(out, 0.0)) // season)


def outage_limit(values: NDArray[np.float64], season: int) -> float:
    """How far from the reading a season before one lies off, by training data [points]; inf where nobody knows."""
    if len(values) < SEASONS * season:
        return float("inf")
    apart = np.abs(values[season:] - values[:-season])
    apart = apart[np.isfinite(apart)]
    usual = float(np.quantile(apart, MOST_READINGS)) if len(apart) else 0.0
    return FAR * usual if usual > 0 else float("inf")


def outages_in(
    series: "Sequence[CovariateSeries]", transform: "Transform", rules: "Rules", season: int
) -> "tuple[NDArray[np.float64], list[CovariateSeries]]":
    """How far from the reading a season before an outage of each series lies, float64 [series], transformed, inf where
    none is looked for; and the series with those missing that have ended, the same ones where there are none.

    Args:
        series: the training data.
        transform: of their values.
        rules: what was chosen from them.
        season: in steps; 0: none is looked for.
    """
    limits, found = np.full(len(series), np.inf), list(series)
    for number, one in enumerate(series if season else ()):
        values, back = transform.forward(one.values, number), rules.bases[number] or 1
        limit = outage_limit(values, season)
        without = without_outages(values, one.segments, rules.history, season, back, limit)
        if without is values:
            limits[number] = limit
        elif are_outages(values, without, rules.seasons, back):
            limits[number] = limit
            found[number] = replace(one, values=np.where(np.isnan(without), np.nan, one.values))
    return limits, found


def inputs_without_outages(
    inputs: "Sequence[SeriesInputs]", limits: NDArray[np.float32], rules: "Rules", season: int
) -> "list[SeriesInputs]":
    """The training data with outages missing that have ended.

    Args:
        inputs: the series.
        limits: float32 [series], how far from the reading a season before an outage lies.
        rules: what was chosen from the series.
        season: in steps.
    """
    found = []
    for one, base, limit in zip(inputs, rules.bases, limits.tolist(), strict=True):
        known = one.values.astype(np.float64)
        without = without_outages(known, one.segments, rules.history, season, base or 1, limit)
        found.append(one if without is known else replace(one, values=without.astype(np.float32)))
    return found


def hide_outages_ahead(
    changes: NDArray[np.float32], panel: "Panel", inputs: "Sequence[SeriesInputs]", steady: "Sequence[SeriesInputs]"
) -> None:
    """Let no network learn of an outage before it begins, as nobody can know of it.

    Args:
        changes: float32 [points, horizon], what networks learn at each flat row as the first target; written to.
        panel: the series.
        inputs: what networks read of them.
        steady: the same without outages.
    """
    horizon = changes.shape[1]
    for number, (one, other) in enumerate(zip(inputs, steady, strict=True)):
        if one is other:
            continue
        rows, places = panel.rows_of(number)
        out = np.isnan(other.values) & ~np.isnan(one.values)
        ahead = np.lib.stride_tricks.sliding_window_view(np.concatenate([out[1:], np.zeros(horizon, bool)]), horizon)
        changes[rows + 1] = np.where(ahead[places] & ~out[places, None], np.float32(np.nan), changes[rows + 1])


def without_outages(
    values: NDArray[np.float64], segments: "Sequence[Segment]", size: int, season: int, back: int, limit: float
) -> NDArray[np.float64]:
    """Training data in which outages that have ended are missing; the same array where nothing lies off.

    Args:
        values: float64 [points], transformed.
        segments: their stretches.
        size: values of a window.
        season: in steps.
        back: steps back that what stands in for a missing value is taken from.
        limit: see `outage_limit`.
    """
    longest = longest_outage(size, season)
    if season == 0 or not np.isfinite(limit) or longest < 1:
        return values
    filled = values.copy()
    for place in np.flatnonzero(np.isnan(values)).tolist():
        filled[place] = filled[max(place - back, 0)]
    if not (np.abs(filled[season:] - filled[:-season]) > limit).any():
        return values
    found = values.copy()
    for segment in segments:
        _take_out(found[segment.start : segment.stop], season, back, limit, longest)
    return found


def _take_out(own: NDArray[np.float64], season: int, back: int, limit: float, longest: int) -> None:
    """Make outages of one stretch missing, in place."""
    filled, out = own.tolist(), 0.0
    for at, given in enumerate(own.tolist()):
        missing = given != given
        if missing:
            filled[at] = filled[max(at - back, 0)]
        if at < season:
            continue
        before = seasons_back(out, season)
        apart = filled[at] - filled[at - before] if at >= before else 0.0
        out, ended = count_on(out, apart, limit, longest, season, missing=missing)
        for place in range(at - ended, at):
            own[place], filled[place] = np.nan, filled[max(place - back, 0)]


def are_outages(values: NDArray[np.float64], without: NDArray[np.float64], seasons: Sequence[int], back: int) -> bool:
    """Whether what was taken out of training data is rare, and forecasts are better without it a season later."""
    out = np.isnan(without) & ~np.isnan(values)
    if not 0 < out.sum() <= RARE * len(values):
        return False
    errors, filled = np.zeros(2), without.copy()
    for place in np.flatnonzero(out):
        filled[place] = filled[place - back]
    for season in seasons:
        behind = np.flatnonzero(out[:-season]) + season if season < len(values) else np.zeros(0, np.int64)
        own = [np.abs(values[behind] - other[behind - season]) for other in (values, filled)]
        known = np.isfinite(own[0]) & np.isfinite(own[1])
        if not known.any():
            continue
        sums = np.array([one[known].sum() for one in own])
        if sums[0] < sums[1]:
            return False
        errors += sums
    return bool(errors[0] >= WORSE * errors[1])
