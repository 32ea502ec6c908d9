"""Which of the seasons that a grid can show a series has, and how much of its variation each explains.

The strength is that of Wang, Smith and Hyndman (2006), "Characteristic-based clustering for time series data": the
share of the variance about a moving average of one season that the season's mean shape explains. What repeats only a
few times explains something by chance, of which the share to be expected is taken off.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DAY = 86400 * 10**9
LENGTHS = {"hour": DAY / 24, "day": DAY, "week": 7 * DAY, "year": 365.2425 * DAY}
BUSINESS_LENGTHS = {"week": 5.0, "year": 5 * 365.2425 / 7}
# A season is told from this many repetitions on, and where it explains this share, and more of a few repetitions: of
# 2,400 random walks and noises three have a season then. Without the second number it were one walk in twenty.
REPEATS, FOUND, CHANCE = 4, 0.1, 1.5
# Parts of a season whose means make its shape.
PARTS = 48


@dataclass(frozen=True)
class SeasonStrength:
    """A season that a series has.

    Attributes:
        name: hour, day, week or year.
        steps: its length, not always a whole number.
        explained: the share of the variance about the moving average that its mean shape explains.
    """

    name: str
    steps: float
    explained: float


def season_strengths(values: "NDArray[np.float64]", step: int) -> list[SeasonStrength]:
    """The seasons of a series, the shortest first; what a shorter one explains is no part of a longer one.

    Args:
        values: float64 [points], NaN where missing.
        step: the grid's step in nanoseconds; `grid.BUSINESS_STEP` for business days.
    """
    import numpy as np

    from tsuzuki.data.grid import BUSINESS_STEP

    lengths = BUSINESS_LENGTHS if step == BUSINESS_STEP else {name: length / step for name, length in LENGTHS.items()}
    if step > 27 * DAY:
        # Months and quarters are unequally long, but of each year there are as many.
        lengths = {"year": float(round(LENGTHS["year"] / step))}
    left = np.asarray(values, np.float64).copy()
    found = []
    for name, steps in lengths.items():
        repeats = len(left) / steps
        if steps < 2 or repeats < REPEATS:
            continue
        about = left - _moving_mean(left, round(steps))
        part = (np.arange(len(left)) % steps * min(PARTS, steps) / steps).astype(np.int64)
        shape = _shape(about, part)
        there = np.isfinite(about)
        if not there.any():
            break
        total, rest = np.var(about[there]), np.var((about - shape)[there])
        explained = 1 - rest / total * repeats / (repeats - 1) if total > 0 else 0.0
        if explained >= FOUND + CHANCE / repeats:
            found.append(SeasonStrength(name, steps, float(explained)))
            left -= shape
    return found


def _shape(values: "NDArray[np.float64]", part: "NDArray[np.int64]") -> "NDArray[np.float64]":
    """The mean of each part of a season, at every point."""
    import numpy as np

    known = np.isfinite(values)
    count = np.bincount(part[known], minlength=part.max() + 1)
    return np.asarray((np.bincount(part[known], values[known], part.max() + 1) / np.maximum(count, 1))[part])


def _moving_mean(values: "NDArray[np.float64]", size: int) -> "NDArray[np.float64]":
    """The mean of the `size` steps around each point, of fewer at the ends; NaN where none is known."""
    import numpy as np

    known = np.isfinite(values)
    total = np.concatenate([[0.0], np.cumsum(np.where(known, values, 0.0))])
    count = np.concatenate([[0], np.cumsum(known)])
    start = np.maximum(np.arange(len(values)) - size // 2, 0)
    stop = np.minimum(np.arange(len(values)) - size // 2 + size, len(values))
    there = count[stop] - count[start]
    return np.where(there > 0, (total[stop] - total[start]) / np.maximum(there, 1), np.nan)
