"""Irregular readings on a grid that is asked for: the mean, sum, last or largest of all that lie in each step.

A step that the readings cover in part only, at the beginning and the end of a series, has no value: half an hour's sum
is none of an hour.
"""

import re
from typing import TYPE_CHECKING, Any

from tsuzuki.errors import DataError, SettingError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

HOWS = ("mean", "sum", "last", "max")
# Grids by calendar; a week begins on Monday.
CALENDAR = {"B": "B", "W": "W-MON", "MS": "MS", "QS": "QS", "YS": "YS"}
# What is suggested for readings without a grid, finest first.
ROUND = ("1s", "5s", "10s", "30s", "1min", "5min", "10min", "15min", "30min", "h", "3h", "6h", "12h", "D", "W", "MS")
# A suggestion leaves so few steps between two readings empty.
FOLLOW = 0.8


def check_freq(freq: str, how: str) -> None:
    """Raise SettingError where a grid or what is done with the readings of a step is none of those that there are."""
    if how not in HOWS:
        raise SettingError(f"resample is {how!r}; choose {', '.join(HOWS)}")
    if freq and freq not in CALENDAR and not re.fullmatch(r"(?:[1-9]\d*)?(?:s|min|h|D)", freq):
        raise SettingError(
            f"freq is {freq!r}; give seconds, minutes, hours or days (30s, 15min, h, D), or one of "
            f"{', '.join(CALENDAR)} (business days, weeks, months, quarters, years)"
        )


def on_grid(frame: "pd.DataFrame", freq: str, how: str) -> "pd.DataFrame":
    """Put a long frame's readings on a grid.

    Args:
        frame: unique_id, ds, perhaps y and change, and covariates, of which the mean is taken.
        freq: the grid's step: 30s, 15min, h, D, B (business days), W, MS, QS or YS.
        how: mean, sum, last or max of a step's readings.

    Returns:
        A frame with a row for each step from a series' first to its last row, empty where there is no reading.

    Raises:
        SettingError: no such grid.
        DataError: a step so short that a series would have more steps than can be held.
    """
    import pandas as pd

    from tsuzuki.data.grid import MOST_STEPS

    check_freq(freq, how)
    parts = []
    hows = {name: "mean" for name in frame.columns if name not in ("unique_id", "ds")}
    hows |= {name: kind for name, kind in (("y", how), ("change", "last")) if name in hows}
    for name, rows in frame.groupby("unique_id", sort=False):
        rows = rows.sort_values("ds", kind="stable").set_index("ds")
        rule = CALENDAR.get(freq, freq)
        length = pd.Timedelta(days=1) if freq in CALENDAR else _length(freq)
        if (rows.index[-1] - rows.index[0]) / length > MOST_STEPS:
            raise DataError(f"series {name!r} has more than {MOST_STEPS:,} steps of {freq}; give a longer one")
        # All frames have the same steps, wherever they begin; those of a calendar do so by themselves.
        origin: Any = {} if freq in CALENDAR or length == pd.Timedelta(days=1) else {"origin": "epoch"}
        bins = rows.resample(rule, closed="left", label="left", **origin)
        columns = {
            column: bins[column].sum(min_count=1) if kind == "sum" else bins[column].agg(kind)
            for column, kind in hows.items()
        }
        made = pd.DataFrame(columns)
        if "change" in made:
            made["change"] = made["change"].ffill().astype(int)
        if "y" in made:
            made.loc[_partial(made.index, rows["y"].dropna().index, freq), "y"] = float("nan")
        made.insert(0, "ds", made.index.astype("datetime64[ns]"))
        made.insert(0, "unique_id", str(name))
        parts.append(made)
    return pd.concat(parts, ignore_index=True)


def _partial(bins: "pd.Index[Any]", stamps: "pd.Index[Any]", freq: str) -> list[Any]:
    """The first and the last step with readings, as far as readings cover them in part only."""
    import numpy as np
    import pandas as pd

    gaps = np.diff(stamps.to_numpy())
    gaps = gaps[gaps > np.timedelta64(0, "ns")]
    if len(gaps) == 0:
        return []
    reach = pd.Timedelta(np.median(gaps)) * 1.5
    places = np.searchsorted(bins.to_numpy(), stamps[[0, -1]].to_numpy(), side="right") - 1
    first, last = (bins[place] for place in places)
    # A business day ends with itself, not where the next one begins.
    end = last + (pd.Timedelta(days=1) if freq == "B" else pd.tseries.frequencies.to_offset(CALENDAR.get(freq, freq)))
    return [*([first] if stamps[0] - first > reach else []), *([last] if stamps[-1] + reach < end else [])]


def _length(freq: str) -> "pd.Timedelta":
    import pandas as pd

    return pd.Timedelta(freq if freq[0].isdigit() else f"1{freq}")


def long_frame(frame: Any, covariates: "Sequence[str]", freq: str, how: str, *, needs_y: bool = True) -> "pd.DataFrame":
    """A user's frame in long form (see `frames.as_long`), on the grid that is asked for; as it is where none is."""
    from tsuzuki.data.frames import as_long

    long = as_long(frame, covariates, needs_y=needs_y)
    if not freq:
        return long
    made = on_grid(long, freq, how)
    made.attrs |= long.attrs
    return made


def fitting_freq(stamps: "NDArray[np.int64]") -> str:
    """The shortest round step for readings at these times (distinct nanoseconds) that leaves few steps empty."""
    import numpy as np

    gap = float(np.median(np.diff(stamps)))
    for freq in ROUND[:-2]:
        length = _length(freq).value
        steps = np.diff(np.unique(stamps // length))
        if length >= 0.9 * gap and len(steps) and float((steps == 1).mean()) >= FOLLOW:
            return freq
    return "W" if gap < 14 * 86400e9 else "MS"
