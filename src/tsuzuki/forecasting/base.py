"""What networks of a committee learn: the change of a base forecast, in the unit of their series.

The base is the last value, or the seasonal naive forecast where that is much better. A network that stands alone
forecasts the change from the last value itself, in deviations, and needs none of this.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tsuzuki.forecasting.history import History, seasonal_map

if TYPE_CHECKING:
    from tsuzuki.forecasting.panel import Panel
    from tsuzuki.forecasting.rules import Rules


def change_map(size: int, horizon: int, season: int) -> NDArray[np.float32]:
    """[size, horizon]: windows less their last value to the base's change from it; nothing where that is the base."""
    return seasonal_map(size, horizon, season) if season else np.zeros((size, horizon), np.float32)


def base_forecasts(panel: "Panel", histories: Sequence[History], rules: "Rules") -> NDArray[np.float32]:
    """The bases of the forecasts that each flat row is the first target of, float32 [points, horizon]."""
    found = np.zeros((len(panel.targets), rules.horizon), np.float32)
    for number, (history, season) in enumerate(zip(histories, rules.bases, strict=True)):
        rows, places = panel.rows_of(number)
        found[rows + 1] = panel.inputs[rows, :1]
        if season:
            found[rows + 1] += history.base_changes(places, season, rules.horizon)
    return found


def row_units(panel: "Panel", rules: "Rules") -> NDArray[np.float32]:
    """The unit of the series that each flat row, as the first target, belongs to, float32 [points, 1]."""
    found = np.ones((len(panel.targets), 1), np.float32)
    for number, unit in enumerate(rules.units):
        found[panel.rows_of(number)[0] + 1] = unit
    return found


def changes_to(
    targets: NDArray[np.float32], bases: NDArray[np.float32], units: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Targets [points, 1] as changes of the bases, [points, horizon], in the units [points, 1]; NaN where unknown."""
    beyond = np.full(bases.shape[1] - 1, np.nan, np.float32)
    ahead = np.lib.stride_tricks.sliding_window_view(np.concatenate([targets[:, 0], beyond]), bases.shape[1])
    return np.asarray((ahead - bases) / units, np.float32)


def shares_of(
    panel: "Panel", scales: NDArray[np.float64], units: NDArray[np.float64], horizon: int
) -> NDArray[np.float32]:
    """The targets that each flat row is the first of as multiples of their series' unit, [points, horizon].

    Args:
        panel: the series.
        scales: [series, 2], mean and deviation.
        units: [series], what values are divided by.
        horizon: steps ahead.
    """
    found = np.full((len(panel.targets), 2), (0, 1), np.float32)
    for number, ((mean, deviation), unit) in enumerate(zip(scales, units, strict=True)):
        found[panel.rows_of(number)[0] + 1] = -mean / deviation, unit / deviation
    bases = np.repeat(found[:, :1], horizon, axis=1)
    return np.maximum(changes_to(panel.targets, bases, found[:, 1:]), 0)


def masked(changes: NDArray[np.float32], hidden: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Changes [points, horizon] of bases with NaN for the targets that are hidden [points]."""
    horizon = changes.shape[1]
    shown = np.where(np.concatenate([hidden, np.zeros(horizon - 1, bool)]), np.float32(np.nan), np.float32(0))
    return np.asarray(changes + np.lib.stride_tricks.sliding_window_view(shown, horizon))
