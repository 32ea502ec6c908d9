"""What is there to draw of a series and its forecasts: the readings before, the forecast, its intervals, the cut-off.

The terminal's chart, the page, the PNG file and `Forecaster.plot` draw the same `Outlook`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tsuzuki.data.grid import BUSINESS_STEP
from tsuzuki.data.zones import shown_zone, wall_offset, without_zone, zone_name
from tsuzuki.errors import DataError, SettingError

if TYPE_CHECKING:
    import pandas as pd

    from tsuzuki.forecasting.fitted import Fitted

OWN = "tsuzuki"
# Readings before the forecast, in horizons, and at least: a course to go on from, and the forecast no sliver beside it.
HORIZONS, FEWEST = 3, 72


@dataclass(frozen=True)
class Fan:
    """A forecast from one origin.

    Attributes:
        times: [1 + horizon], the origin first.
        point: [1 + horizon], the reading at the origin first, NaN where it is missing.
        bands: for each level in per cent, the widest first, both ends, each [1 + horizon] likewise.
    """

    times: NDArray[np.datetime64]
    point: NDArray[np.float64]
    bands: Mapping[float, tuple[NDArray[np.float64], NDArray[np.float64]]]


@dataclass(frozen=True)
class Outlook:
    """One series with its forecasts.

    Attributes:
        name: its id.
        times: [points] of the readings, by the clocks of the zone.
        values: [points], NaN where one is missing.
        fans: in time order.
        zone: the time zone with its offset at the last reading, which all times have; None where none is known.
    """

    name: str
    times: NDArray[np.datetime64]
    values: NDArray[np.float64]
    fans: tuple[Fan, ...]
    zone: str | None = None


def named(ids: Sequence[str], name: str | None) -> str:
    """The series that is meant; None where there is only one.

    Raises:
        SettingError: several series and no name.
        DataError: an unknown name.
    """
    if name is None and len(ids) > 1:
        raise SettingError(f"the forecaster knows {len(ids)} series; name one: unique_id={ids[0]!r}")
    if name is not None and name not in ids:
        raise DataError(f"the forecaster knows no series {name!r}; it knows: {', '.join(ids[:5])}")
    return ids[0] if name is None else name


def outlooks(
    fitted: "Fitted", horizon: int, forecasts: "pd.DataFrame", frame: "pd.DataFrame | None" = None
) -> list[Outlook]:
    """Every series and what comes next.

    Args:
        fitted: where the forecasts begin.
        horizon: theirs.
        forecasts: what `predict.forecast_frame` gives.
        frame: long readings to draw where they reach further back than what the forecaster keeps for its lags.
    """
    most = max(FEWEST, HORIZONS * horizon)
    groups = {} if frame is None else dict(iter(frame.groupby("unique_id", sort=False)))
    ahead = dict(iter(forecasts.groupby("unique_id", sort=False)))
    found = []
    for number, name in enumerate(fitted.ids):
        times, values = _kept(fitted, number)
        if name in groups:
            longer = _read(groups[name], fitted.step, times[-1])
            # The networks may have read on behind the frame, or with other readings at the end.
            if len(longer[0]) > len(times) and longer[0][-1] == times[-1]:
                times, values = longer
        last, zone = times[-1], fitted.zone
        rows = ahead[name].assign(ds=without_zone(ahead[name]["ds"], zone, last))
        times = times[-most:] + wall_offset(last, zone)
        fan = _fan(rows, times[-1], float(values[-1]))
        found.append(Outlook(name, times, values[-most:], (fan,), shown_zone(last, zone)))
    return found


def _kept(fitted: "Fitted", number: int) -> tuple[NDArray[np.datetime64], NDArray[np.float64]]:
    """The last readings of a series that a forecaster looks back on."""
    absent, times = fitted.absent[number], fitted.times[number]
    mean, scale = fitted.scales[number]
    scaled = fitted.windows[number].astype(np.float64) + fitted.window_shifts[number]
    values = fitted.transform.inverse(scaled * scale + mean, number)
    if fitted.effects:
        moved = fitted.window_effects[number].astype(np.float64)
        values = fitted.effects.put_on(values, moved, fitted.transform, number)
    values = np.where(absent, np.nan, values)
    # Before a beginning stands nothing that was read.
    read = np.flatnonzero(~absent)
    values = values[(read[0] if len(read) else len(values) - 1) :]
    gaps = np.diff(times)
    if len(values) > len(times) and len(gaps) and (gaps == gaps[-1]).all():
        return times[-1] - gaps[-1] * np.arange(len(values))[::-1], values
    # Months are unequally long: of these no more are drawn than there are times of.
    count = min(len(values), len(times))
    return times[-count:], values[-count:]


def _read(rows: "pd.DataFrame", step: int, last: np.datetime64) -> tuple[NDArray[np.datetime64], NDArray[np.float64]]:
    """A frame's readings up to a time, with a missing one in each gap, where the line is to break."""
    own = rows.dropna(subset="y").drop_duplicates("ds").sort_values("ds")
    times, values = own["ds"].to_numpy("datetime64[ns]"), own["y"].to_numpy(np.float64)
    times, values = times[times <= last], values[times <= last]
    gaps = np.flatnonzero(np.diff(times).astype(np.int64) > (2.5 if step == BUSINESS_STEP else 1.5) * step) + 1
    return np.insert(times, gaps, times[gaps - 1] + np.timedelta64(step, "ns")), np.insert(values, gaps, np.nan)


def outlook_back(name: str, backtest: "pd.DataFrame") -> Outlook:
    """A series and its forecasts from past origins, those that follow one another without overlapping.

    Args:
        name: its id.
        backtest: what `Forecaster.backtest` gives.

    Raises:
        DataError: the series has no rows.
    """
    import pandas as pd

    some = backtest[backtest["unique_id"] == name]
    if some.empty:
        shown = ", ".join(map(str, backtest["unique_id"].unique()[:5]))
        raise DataError(f"the backtest has no series {name!r}; it has: {shown}")
    zone = None if some["ds"].dt.tz is None else zone_name(some["ds"].dt.tz)
    last = some["ds"].max().to_datetime64()
    some = some.assign(**{column: without_zone(some[column], zone, last) for column in ("ds", "cutoff")})
    readings = some.drop_duplicates("ds").sort_values("ds")
    times, values = readings["ds"].to_numpy("datetime64[ns]"), readings["y"].to_numpy(np.float64)
    fans: list[Fan] = []
    for cutoff, own in some.groupby("cutoff"):
        origin = pd.Timestamp(str(cutoff)).to_datetime64().astype("datetime64[ns]")
        if fans and origin < fans[-1].times[-1]:
            continue
        at = int(np.searchsorted(times, origin))
        known = at < len(times) and times[at] == origin
        fans.append(_fan(own, origin, float(values[at]) if known else np.nan))
    return Outlook(name, times, values, tuple(fans), shown_zone(last, zone))


def levels_of(table: "pd.DataFrame") -> list[float]:
    """The levels of the intervals in a table of forecasts, the widest first."""
    start = f"{OWN}-lo-"
    return sorted((float(name.removeprefix(start)) for name in table.columns if name.startswith(start)), reverse=True)


def _fan(rows: "pd.DataFrame", origin: Any, reading: float) -> Fan:
    def behind(column: str) -> NDArray[np.float64]:
        return np.concatenate([[reading], rows[column].to_numpy(np.float64)])

    times = np.concatenate([[origin], rows["ds"].to_numpy("datetime64[ns]")]).astype("datetime64[ns]")
    bands = {level: (behind(f"{OWN}-lo-{level:g}"), behind(f"{OWN}-hi-{level:g}")) for level in levels_of(rows)}
    return Fan(times, behind(OWN), bands)
