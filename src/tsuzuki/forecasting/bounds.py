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
    least, most = float(np.nanmin(values)), float(np.nanmax(values))
    if least < 0:
        return -np.inf, np.inf
    # One and the same value at all times says nothing of what others there may be.
    return 0.0, most if most in WHOLES and least < most else np.inf


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
