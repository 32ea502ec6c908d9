"""The forecast that networks add to, where it is not the last value: targets as changes of the seasonal naive forecast.

The compiled program adds a network's outputs to the last value. Where the base is another, the targets are moved by
what lies between the two, and forecasts are moved back.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tsuzuki.forecasting.history import History, seasonal_map

if TYPE_CHECKING:
    from tsuzuki.forecasting.panel import Panel


def change_map(size: int, horizon: int, season: int) -> NDArray[np.float32]:
    """[size, horizon]: windows less their last value to the base's change from it; nothing where that is the base."""
    return seasonal_map(size, horizon, season) if season else np.zeros((size, horizon), np.float32)


def base_shifts(
    panel: "Panel", histories: Sequence[History], bases: Sequence[int], horizon: int
) -> NDArray[np.float32] | None:
    """By how much the last value lies above the base, for the forecasts that each flat row is the first target of.

    float32 [points, horizon], or None where the base is the last value in all series.
    """
    if not any(bases):
        return None
    found = np.zeros((len(panel.targets), horizon), np.float32)
    for number, (history, season) in enumerate(zip(histories, bases, strict=True)):
        if season:
            rows, places = panel.rows_of(number)
            found[rows + 1] = -history.base_changes(places, season, horizon)
    return found


def shifted(targets: NDArray[np.float32], shifts: NDArray[np.float32] | None) -> NDArray[np.float32]:
    """Targets [points, 1] as changes of the base instead of the last value, [points, horizon]; as they are without."""
    if shifts is None:
        return targets
    beyond = np.full(shifts.shape[1] - 1, np.nan, np.float32)
    ahead = np.lib.stride_tricks.sliding_window_view(np.concatenate([targets[:, 0], beyond]), shifts.shape[1])
    return np.asarray(ahead + shifts, np.float32)
