"""The usual shape of a season in each series, from all of its training data: of a day, of a day and a week, of a year.

A window of last values holds a season a few times, so that a mean of its days errs by the noise of a few days. What all
of the training data say of a step's place in the season is known far better, as far as it stays the same: how much of
the deviations from a moving mean it explains is measured on stretches that it was not learned from (classical
decomposition; Hyndman and Athanasopoulos 2021, chapter 3).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tsuzuki.data.calendar import DAY
from tsuzuki.data.grid import BUSINESS_STEP

# A season must be held so many times.
HELD = 3
# A longer season is looked at beside the shortest one where it is at most so many of it: a week of days, not a year.
MULTIPLES = 12
# What is tried: how far a mean shape is trusted.
SHARES = (0.5, 0.8, 1.0)
# A series has a profile where it explains so much of the variance about a moving mean; the differences of a week's days
# in shape and in level are among it where they explain so much of what is left.
EXPLAINED, OWN_SHAPE, OWN_LEVEL = 0.3, 0.02, 0.1
# Of larger panels no profiles are kept: a forecast's part for each series, place in the season and step ahead.
MOST_NUMBERS = 4_000_000
# A grid whose step is at least so long (nanoseconds) is one of months; the mean length of one.
_MONTHS, _MONTH = 27 * DAY, 365.2425 * DAY / 12


@dataclass(frozen=True)
class SeasonalProfiles:
    """Profiles of all series.

    Attributes:
        shapes: float32 [series, season], what is added to a level at each phase, in units of the series' scale; zeros
            where a series has none. [series, 0] where there are none.
        step: of the grid, in nanoseconds.
    """

    shapes: NDArray[np.float32]
    step: int

    def __bool__(self) -> bool:
        return self.season > 0

    @property
    def season(self) -> int:
        """Steps after which a phase comes again."""
        return int(self.shapes.shape[1])

    @property
    def there(self) -> NDArray[np.bool_]:
        """Which series have a profile, [series]."""
        return np.asarray(self.shapes.any(axis=1))

    def phases(self, times: NDArray[np.datetime64]) -> NDArray[np.int64]:
        """The places of times of the grid in the season, int64, as many as there are times."""
        if not self:
            return np.zeros(len(times), np.int64)
        return np.asarray(grid_places(times, self.step) % self.season)

    def phase(self, now: int) -> int:
        """The same of one time, in nanoseconds since 1970."""
        if self.step < _MONTHS:
            return now // self.step % self.season
        return int(self.phases(np.array([now], "datetime64[ns]"))[0])

    def select(self, which: Sequence[int | None]) -> "SeasonalProfiles":
        """Those of some series; None for one that has none. None at all where no one of them has one."""
        there = self.there
        own = {place: number for place, number in enumerate(which) if number is not None and there[number]}
        found = np.zeros((len(which), self.season if own else 0), np.float32)
        for place, number in own.items():
            found[place] = self.shapes[number]
        return replace(self, shapes=found)


def no_profiles(series: int, step: int = 1) -> SeasonalProfiles:
    """None for any of so many series."""
    return SeasonalProfiles(np.zeros((series, 0), np.float32), step)


def grid_places(times: NDArray[np.datetime64], step: int) -> NDArray[np.int64]:
    """The number of each time on a grid that goes on for ever, int64, as many as there are times."""
    if step >= _MONTHS:
        months = times.astype("datetime64[M]").astype(np.int64)
        return np.asarray(months // max(1, round(step / _MONTH)))
    return np.asarray(times.astype("datetime64[ns]").astype(np.int64) // step)


def profile_season(seasons: Sequence[int], step: int, points: int) -> tuple[int, int]:
    """The shortest season and that of profiles, in steps, of a grid with this step; 0, 0 where there are none.

    Args:
        seasons: of the series, the shortest first.
        step: in nanoseconds.
        points: of the longest series.
    """
    uniform = step < _MONTHS and (DAY % step == 0 or step % DAY == 0)
    held = [one for one in seasons if HELD * one <= points]
    if not held or step == BUSINESS_STEP or not (uniform or step >= _MONTHS):
        return 0, 0
    longer = [one for one in held[1:2] if one % held[0] == 0 and one <= MULTIPLES * held[0]]
    return held[0], longer[0] if longer else held[0]


def profile_of(
    values: NDArray[np.floating], short: int, season: int, held_out: tuple[int, int] = (0, 0)
) -> tuple[NDArray[np.float64], float]:
    """The profile of one series, [season], from its first point on, and the share of the variance about a moving mean
    that it explains.

    Args:
        values: [points], NaN where missing.
        short: the shortest season.
        season: that of the profile, a multiple of it.
        held_out: positions first to last (exclusive) that are not learned from.
    """
    if len(values) < HELD * short:
        return np.zeros(season), 0.0
    places, out = np.arange(len(values)) % season, slice(max(0, held_out[0]), held_out[1])
    level = moving_mean(values, short)
    apart = values - level
    apart[out] = np.nan
    day, explained = mean_shape(apart, short)
    found = np.tile(day, season // short)
    if season > short and len(values) >= HELD * season:
        own, share = mean_shape(apart - found[places], season)
        if share > OWN_SHAPE:
            found = found + own
        slow = level - moving_mean(values, season)
        slow[out] = np.nan
        own, share = mean_shape(slow, season)
        explained = max(explained, share)
        if share > OWN_LEVEL:
            found = found + own
    return found - found.mean(), explained


@dataclass(frozen=True)
class LearnedProfiles:
    """Profiles from all data, and for each network those from what is not held out from it.

    Attributes:
        whole: from all data.
        without: for each network.
        first: int64 [series], the phase of each series' first point.
    """

    whole: SeasonalProfiles
    without: tuple[SeasonalProfiles, ...]
    first: NDArray[np.int64]


def learned_profiles(
    values: Sequence[NDArray[np.floating]],
    firsts: NDArray[np.datetime64],
    step: int,
    seasons: Sequence[int],
    held_out: Sequence[Sequence[tuple[int, int]]],
    horizon: int,
) -> LearnedProfiles:
    """Learn the profiles.

    Args:
        values: of each series [points], scaled, NaN where missing.
        firsts: datetime64 [series], the time of each one's first point.
        step: of the grid, in nanoseconds.
        seasons: in steps, the shortest first.
        held_out: for each network the positions first to last (exclusive) of each series that it is not trained on.
        horizon: steps ahead.
    """
    count = len(values)
    short, season = profile_season(seasons, step, max(len(one) for one in values))
    none = no_profiles(count, step)
    nothing = LearnedProfiles(none, (none,) * len(held_out), np.zeros(count, np.int64))
    if season == 0 or count * season * horizon > MOST_NUMBERS:
        return nothing
    found = [np.zeros((count, season), np.float32) for _ in range(1 + len(held_out))]
    first = np.asarray(grid_places(firsts, step) % season)
    for number, own in enumerate(values):
        shape, explained = profile_of(own, short, season)
        if explained < EXPLAINED:
            continue
        found[0][number] = np.roll(shape, first[number])
        for shapes, stretches in zip(found[1:], held_out, strict=True):
            shapes[number] = np.roll(profile_of(own, short, season, stretches[number])[0], first[number])
    if not found[0].any():
        return nothing
    whole, *without = (SeasonalProfiles(one, step) for one in found)
    return LearnedProfiles(whole, tuple(without), first)


def mean_shape(apart: NDArray[np.float64], season: int) -> tuple[NDArray[np.float64], float]:
    """The mean of deviations [points], NaN where unknown, at each phase, [season], drawn to 0 by the share that serves
    seasons left out best, and how much of their variance it explains there."""
    laid = np.concatenate([apart, np.full(-len(apart) % season, np.nan)]).reshape(-1, season)
    known = np.isfinite(laid)
    counts, sums = known.sum(axis=0), np.where(known, laid, 0).sum(axis=0)
    judged = known & (counts > 1)
    others = (sums - np.where(known, laid, 0)) / np.maximum(counts - 1, 1)
    whole = float((laid[judged] ** 2).sum())
    if not whole > 0:
        return np.zeros(season), 0.0
    left = [float(((laid - share * others)[judged] ** 2).sum()) / whole for share in SHARES]
    best = int(np.argmin(left))
    if left[best] >= 1:
        return np.zeros(season), 0.0
    return SHARES[best] * sums / np.maximum(counts, 1), 1 - left[best]


def moving_mean(values: NDArray[np.floating], over: int) -> NDArray[np.float64]:
    """The mean of the `over` values around each, [points], a missing one on the line between its neighbours; NaN near
    both ends."""
    known = np.flatnonzero(~np.isnan(values))
    found = np.full(len(values), np.nan)
    if len(values) < over or len(known) == 0:
        return found
    filled = np.interp(np.arange(len(values)), known, values[known].astype(np.float64))
    sums = np.concatenate([[0.0], np.cumsum(filled)])
    first = over // 2
    found[first : first + len(values) - over + 1] = (sums[over:] - sums[:-over]) / over
    return found


def offsets_of(
    profiles: SeasonalProfiles,
    weights: NDArray[np.float64],
    maps: NDArray[np.float64],
    kinds: NDArray[np.int64],
) -> NDArray[np.float32]:
    """What members that see values without their profile, and put it on again, add to maps of whole windows.

    Args:
        profiles: of all series.
        weights: float64 [kinds, horizon], of these members together.
        maps: float64 [kinds, size, horizon], these members', weighed.
        kinds: int64 [series].

    Returns:
        float32 [1 + series with a profile, season, horizon], by the phase of the last value; the first for all others.
    """
    size, horizon = maps.shape[1:]
    season = profiles.season
    there = np.flatnonzero(profiles.there)
    found = np.zeros((1 + len(there), season, horizon), np.float32)
    # Values of a window that stand at one phase count together.
    whole = -(-size // season) * season
    padded = np.concatenate([maps, np.zeros((len(maps), whole - size, horizon))], axis=1)
    folded = padded.reshape(len(maps), -1, season, horizon).sum(axis=1)
    phases = np.arange(season)[:, None]
    past, ahead = (phases + 1 - size + np.arange(season)) % season, (phases + np.arange(1, horizon + 1)) % season
    for row, number in enumerate(there, 1):
        shape, kind = profiles.shapes[number].astype(np.float64), kinds[number]
        now = shape[:, None]
        found[row] = weights[kind] * (shape[ahead] - now) - (shape[past] - now) @ folded[kind]
    return found


def around(
    shape: NDArray[np.float32], phases: NDArray[np.int64], size: int, horizon: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A profile [season] around some phases [rows]: in a window, [rows, size], and ahead, [rows, horizon]."""
    places = (phases[:, None] + np.arange(1 - size, horizon + 1)) % len(shape)
    return shape[places[:, :size]], shape[places[:, size:]]
