"""What values can be at all, as the training data say: nothing below 0, nothing above 100 per cent.

A bound holds for forecasts and intervals until a reading beyond it is seen.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsuzuki.forecasting.recent_errors import HIGH, LOW

# Values that end at 1 or 100, with 0 or more as the least, are shares or percentages.
WHOLES = (1.0, 100.0)


def bounds_of(values: NDArray[np.float64]) -> tuple[float, float]:
    """The least and the largest value that a series can have.

    Args:
        values: float64 [points], NaN where missing.

    Returns:
        0 and infinity where no value lies below 0; 0 and 1 or 100 where besides none lies above that and one there;
        otherwise no bounds.
    """
    low, high = bounds_between(np.nanmin(values), np.nanmax(values))
    return float(low), float(high)


def bounds_between(least: "NDArray[Any] | float", most: "NDArray[Any] | float") -> NDArray[np.float64]:
    """The bounds of series from their extremes, both of one shape: float64 [2, ...]; see `bounds_of`."""
    free = np.less(least, 0)
    # One and the same value at all times says nothing of what others there may be.
    whole = np.isin(most, WHOLES) & np.less(least, most) & ~free
    return np.stack([np.where(free, -np.inf, 0.0), np.where(whole, most, np.inf)])


def free_bounds(states: NDArray[np.float32], values: "NDArray[np.float64] | float") -> None:
    """Drop the bounds that readings lie beyond: states [..., numbers] of series, values [...], NaN where missing."""
    states[..., LOW] = np.where(values < states[..., LOW], -np.inf, states[..., LOW])
    states[..., HIGH] = np.where(values > states[..., HIGH], np.inf, states[..., HIGH])


def within(values: NDArray[Any], states: NDArray[np.float32]) -> NDArray[Any]:
    """Values [..., horizon] not beyond the bounds of series' states [..., numbers]."""
    bound = np.minimum(np.maximum(values, states[..., LOW, None]), states[..., HIGH, None])
    return np.asarray(bound, values.dtype)


def states_at(
    state: NDArray[np.float32], values: NDArray[np.float64], places: NDArray[np.int64]
) -> NDArray[np.float32]:
    """The state [numbers] of a series with the bounds that hold behind some of its readings, [places, numbers].

    Args:
        state: before the first reading.
        values: float64 [points], the readings, NaN where missing.
        places: how many of them are known.
    """
    found = np.repeat(state[None], len(places), axis=0)
    # Before the first reading nothing is known that could lie beyond a bound.
    least, most = (np.concatenate([[np.nan], one.accumulate(values)])[places] for one in (np.fmin, np.fmax))
    free_bounds(found, least)
    free_bounds(found, most)
    return found
