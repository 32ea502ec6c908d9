"""What stands in for a committee's forecasts where a series has left the levels of its training data.

Networks and ridge have learned nothing of such levels, and after a shift of several amplitudes they err for weeks,
while the seasonal naive forecast is right again a season later. So where the mean of the last season lies far outside
those of training, the naive forecast that has erred least of late takes over, and intervals widen to its errors. All
of it follows from the window of last values, so that streams keep nothing for it; in usual times nothing changes.
"""

import functools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tsuzuki.engine.row_product import RowProduct
    from tsuzuki.forecasting.history import History
    from tsuzuki.forecasting.rules import Rules

# The committee begins to give way where the level lies so many widths of its range in training outside, and has given
# way wholly at one width more; a range is at least one deviation of the series wide.
OUTSIDE, LEAST_RANGE = 1.0, 1.0
# Values whose mean is the level, where a grid has no season.
NO_SEASON = 12
# Least usual error, in deviations of the series.
LEAST_ERROR = 1e-3


@dataclass(frozen=True)
class LevelGuard:
    """The levels that series have had.

    Attributes:
        ranges: float32 [series, 2], the least and the largest mean over a season in training.
        usual: float32 [horizon], the committee's mean absolute error on held-out stretches.
        season: values of a mean.
        naive: seasons of the naive forecasts that may stand in; 0 is the last value.
    """

    ranges: NDArray[np.float32]
    usual: NDArray[np.float32]
    season: int
    naive: tuple[int, ...]

    @functools.cached_property
    def _mean(self) -> "RowProduct":
        from tsuzuki.engine.row_product import RowProduct

        return RowProduct(np.full((self.season, 1), 1 / self.season, np.float32))

    def outside(self, windows: NDArray[np.float32], series: "int | NDArray[np.int64]") -> NDArray[np.float32]:
        """How far the committee gives way, [rows], from 0 to 1; windows are float32 [rows, size]."""
        level = self._mean(windows[:, -self.season :])[:, 0]
        return self._share(level, self.ranges[series])

    def outside_one(self, window: NDArray[np.float32], series: int) -> float:
        """What `outside` says of one window [size]."""
        low, high = self.ranges[series]
        level = self._mean.one(window[-self.season :])[0]
        # Most windows lie inside, and a comparison is sooner made than the share.
        return 0.0 if low <= level <= high else float(self._share(level, self.ranges[series]))

    def _share(self, level: NDArray[np.float32], ranges: NDArray[np.float32]) -> NDArray[np.float32]:
        low, high = ranges[..., 0], ranges[..., 1]
        far = np.maximum(low - level, level - high) / np.maximum(high - low, np.float32(LEAST_RANGE))
        return np.asarray(np.clip(far - np.float32(OUTSIDE), np.float32(0), np.float32(1)))

    def apply(
        self, forecasts: NDArray[np.float32], windows: NDArray[np.float32], shares: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Forecasts [rows, horizon] with naive ones in their place, as far as shares [rows] say."""
        for row in np.flatnonzero(shares > 0):
            forecasts[row] = self.apply_one(forecasts[row], windows[row], float(shares[row]))
        return forecasts

    def apply_one(
        self, forecast: NDArray[np.float32], window: NDArray[np.float32], share: float
    ) -> NDArray[np.float32]:
        """What `apply` does for one row, [horizon]."""
        ahead = np.arange(1, len(forecast) + 1)
        season = self._best(window)[0]
        naive = window[len(window) - 1 + (ahead - season * -(-ahead // season) if season else 0 * ahead)]
        return np.asarray(forecast + np.float32(share) * (naive - forecast), np.float32)

    def wider(self, windows: NDArray[np.float32], series: int) -> NDArray[np.float64]:
        """How many times as wide as in usual times the intervals of one series are, [rows, horizon]: at least 1."""
        found, usual = np.ones((len(windows), len(self.usual))), np.maximum(self.usual.astype(np.float64), LEAST_ERROR)
        for row in np.flatnonzero(self.outside(windows, series) > 0):
            found[row] = np.maximum(self._best(windows[row])[1] / usual, 1)
        return found

    def _best(self, window: NDArray[np.float32]) -> tuple[int, float]:
        """The naive forecast that has erred least over the last season, half a horizon ahead, and its error."""
        values, lead = window.astype(np.float64), max(1, len(self.usual) // 2)
        errors = {}
        for season in self.naive:
            back = int(_back(lead, season))
            last = min(self.season, len(values) - back)
            errors[season] = float(
                np.abs(values[-last:] - values[len(values) - last - back : len(values) - back]).mean()
            )
        best = min(errors, key=errors.__getitem__)
        return best, errors[best]


def _back(lead: int, season: int) -> int:
    """How far before what it says the value lies that a naive forecast takes."""
    return season * -(-lead // season) if season else lead


def level_guard(
    histories: "Sequence[History]", rules: "Rules", errors: "Sequence[NDArray[np.float32]]"
) -> LevelGuard | None:
    """A guard for series, or None where a window is too short to tell.

    Args:
        histories: of the training data.
        rules: what was chosen from them.
        errors: the committee's on held-out rows, [rows, horizon] for each series.
    """
    together = np.abs(np.concatenate(list(errors)))
    known = np.isfinite(together)
    usual = np.where(known, together, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    found = guard_of(rules, np.zeros((len(histories), 2), np.float32), usual.astype(np.float32))
    if found is None:
        return None
    return replace(found, ranges=np.array([_range_of(one, found.season) for one in histories], np.float32))


def guard_of(rules: "Rules", ranges: NDArray[np.float32], usual: NDArray[np.float32]) -> LevelGuard | None:
    """A guard with these ranges [series, 2] and usual errors [horizon]; None where a window is too short to tell."""
    size, horizon = rules.history, rules.horizon
    season = rules.seasons[0] if rules.seasons else min(NO_SEASON, size)
    lead = max(1, horizon // 2)
    naive = tuple(
        one for one in (0, *rules.seasons) if _back(lead, one) < size and (one == 0 or _back(horizon, one) < size)
    )
    return LevelGuard(ranges, usual, season, naive) if naive and 2 * season <= size else None


def _range_of(history: "History", season: int) -> tuple[float, float]:
    """The least and the largest mean over a season."""
    sums = np.concatenate([[0], np.cumsum(history.values, dtype=np.float64)])
    ends = history.ends[history.ends >= 0] + 1
    means = (sums[ends] - sums[ends - season]) / season
    return float(means.min()), float(means.max())
