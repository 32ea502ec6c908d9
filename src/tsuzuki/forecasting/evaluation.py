"""Metrics of forecasts: MAE, RMSE, MASE, sMAPE, skill, pinball loss, coverage and width, for each model in a table.

The table is long (unique_id, ds, cutoff, y, and a column for each model), so that other libraries' metrics work on it
too. MASE's scale, which needs the training data, is in the table's `attrs`.
"""

import re
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tsuzuki.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

KEYS = ("unique_id", "ds", "cutoff", "y")
_BOUND = re.compile(r"(.+)-(lo|hi)-([0-9.]+)")


def model_names(table: "pd.DataFrame") -> list[str]:
    """The point forecasts in a table."""
    return [name for name in table.columns if name not in KEYS and not _BOUND.fullmatch(name)]


def interval_levels(table: "pd.DataFrame", model: str) -> list[float]:
    """The levels of the intervals that a model has in a table."""
    found = [_BOUND.fullmatch(name) for name in table.columns]
    return sorted(float(match[3]) for match in found if match and match[1] == model and match[2] == "lo")


def steps_ahead(table: "pd.DataFrame") -> NDArray[np.int64]:
    """The number of steps from each row's cutoff to its time."""
    ahead = (table["ds"] - table["cutoff"]).to_numpy("timedelta64[ns]")
    step = ahead.min()
    if step < np.timedelta64(27, "D"):
        return np.asarray(np.rint(ahead / step), np.int64)
    # Months are those of the zone's calendar.
    ds, cutoff = (table[name].dt.tz_localize(None).to_numpy("datetime64[M]") for name in ("ds", "cutoff"))
    months = ds - cutoff
    return np.asarray(months.astype(np.int64) // int(months.min().astype(np.int64)))


def evaluate(table: "pd.DataFrame", *, by_horizon: bool = False) -> "pd.DataFrame":
    """Score every model in a table.

    Args:
        table: what `Forecaster.backtest` returns, or one with the same columns.
        by_horizon: a row for each model and step ahead, instead of one for each model.

    Returns:
        Columns model, (horizon,) mae, rmse, mase (Hyndman and Koehler 2006), smape (per cent, 0 to 200), skill (1 less
        the ratio of its RMSE to the best other model's), and for models with intervals pinball (mean over their ends
        and the point forecast), and coverage (per cent) and width for each level. Sorted by rmse.

    Raises:
        DataError: an empty table.
    """
    import pandas as pd

    names = model_names(table)
    if len(table) == 0 or not names:
        raise DataError("the table holds no forecasts to score; give what backtest returns")
    ahead = steps_ahead(table)
    groups = [(int(h), ahead == h) for h in np.unique(ahead)] if by_horizon else [(0, np.ones(len(table), bool))]
    rows = []
    for horizon, chosen in groups:
        some = table[chosen]
        scale = some["unique_id"].map(table.attrs.get("mase_scale", {})).to_numpy(np.float64)
        scored = {name: _scores(some, name, scale) for name in names}
        for name in names:
            others = [scored[other]["rmse"] for other in names if other != name]
            skill = 1 - scored[name]["rmse"] / min(others) if others and min(others) > 0 else np.nan
            first = {"model": name, "horizon": horizon} if by_horizon else {"model": name}
            rows.append(first | scored[name] | {"skill": skill})
    found = pd.DataFrame(rows)
    leading = ["model", *(["horizon"] if by_horizon else []), "mae", "rmse", "mase", "smape", "skill"]
    found = found[[*leading, *(name for name in found.columns if name not in leading)]]
    return found.sort_values(["horizon", "rmse"] if by_horizon else "rmse", ignore_index=True)


def _scores(table: "pd.DataFrame", model: str, scale: NDArray[np.float64]) -> dict[str, float]:
    y, forecast = table["y"].to_numpy(np.float64), table[model].to_numpy(np.float64)
    error = forecast - y
    size = np.abs(error)
    total = np.abs(y) + np.abs(forecast)
    found = {
        "mae": float(size.mean()),
        "rmse": float(np.sqrt((error**2).mean())),
        "mase": float((size / scale).mean()) if np.isfinite(scale).all() and len(scale) else float("nan"),
        "smape": float(200 * np.where(total > 0, size / np.where(total > 0, total, 1), 0).mean()),
    }
    losses = [_pinball(y, forecast, 0.5)]
    for level in interval_levels(table, model):
        low, high = (table[f"{model}-{end}-{level:g}"].to_numpy(np.float64) for end in ("lo", "hi"))
        found[f"coverage-{level:g}"] = float(100 * ((y >= low) & (y <= high)).mean())
        found[f"width-{level:g}"] = float((high - low).mean())
        losses += [_pinball(y, low, 0.5 - level / 200), _pinball(y, high, 0.5 + level / 200)]
    if len(losses) > 1:
        found["pinball"] = float(np.mean(losses))
    return found


def _pinball(y: NDArray[np.float64], forecast: NDArray[np.float64], quantile: float) -> float:
    below = y - forecast
    return float(np.maximum(quantile * below, (quantile - 1) * below).mean())
