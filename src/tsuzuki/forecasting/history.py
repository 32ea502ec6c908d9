"""The last values of series, without gaps, and the simple forecasts that are linear maps of them.

A missing value is replaced by the value one season before it, or by the last one, so that what stands in for it never
depends on a network. Before the first value of a stretch stands that value, as often as a window reaches back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tsuzuki.data.segments import Segment

if TYPE_CHECKING:
    from tsuzuki.forecasting.panel import SeriesInputs
    from tsuzuki.forecasting.rules import Rules


@dataclass(frozen=True)
class Break:
    """Where the values of a series are seen from a new level.

    Attributes:
        place: the position from which on.
        window: float32 [size], the last values there, on the new level.
        absent: bool [size], where something stands in for one.
    """

    place: int
    window: NDArray[np.float32]
    absent: NDArray[np.bool_]


@dataclass(frozen=True)
class History:
    """One series' values behind one another, each stretch with the values that stand before it.

    Attributes:
        values: float32 [rows], in units of the series' scale.
        ends: int64 [points], the row of each position of the series, -1 outside its stretches.
        size: values of a window.
        absent: bool [rows], where something stands in for a value.
    """

    values: NDArray[np.float32]
    ends: NDArray[np.int64]
    size: int
    absent: NDArray[np.bool_]

    def windows(self, places: NDArray[np.int64]) -> NDArray[np.float32]:
        """The last values known at positions of stretches, [places, size]; the last one is the position's own."""
        every = np.lib.stride_tricks.sliding_window_view(self.values, self.size)
        return np.asarray(every[self.ends[places] - self.size + 1])

    def base_changes(self, places: NDArray[np.int64], season: int, horizon: int) -> NDArray[np.float32]:
        """By how much the seasonal naive forecast lies above the last value, [places, horizon]."""
        ends, ahead = self.ends[places][:, None], np.arange(1, horizon + 1)
        return np.asarray(self.values[ends + ahead - season * -(-ahead // season)] - self.values[ends])

    def last(self) -> NDArray[np.float32]:
        """The window at the end, [size]."""
        return self.values[-self.size :].copy()

    def before_last(self, count: int, older: NDArray[np.float32]) -> NDArray[np.float32]:
        """So many values before the window at the end, [count]; where it has fewer, from older ones [count]."""
        whole = np.concatenate([older, self.values])
        return whole[len(whole) - self.size - count : len(whole) - self.size]

    def last_absent(self) -> NDArray[np.bool_]:
        """Where something stands in for a value in the window at the end, [size]."""
        return self.absent[-self.size :].copy()


def history_of(
    values: NDArray[np.float32],
    segments: Sequence[Segment],
    season: int,
    size: int,
    past: NDArray[np.float32] | None = None,
    past_absent: NDArray[np.bool_] | None = None,
    breaks: Sequence[Break] = (),
) -> History:
    """The history of a series.

    Args:
        values: float32 [points], NaN where missing.
        segments: its stretches; at least one, each with a value at its beginning, except the first where it goes on.
        season: a missing value is replaced by the one so many steps before; 0: by the last one.
        size: values of a window, at least the season.
        past: float32 [size], the window that the first segment, which begins at 0, goes on from.
        past_absent: bool [size], where something stands in for a value in it.
        breaks: positions of its stretches from which on the level is another, in order.
    """
    parts, ends, at = [], np.full(len(values), -1, np.int64), 0
    absent = []
    for number, segment in enumerate(segments):
        here = [one for one in breaks if segment.start <= one.place < segment.stop]
        stop = here[0].place if here else segment.stop
        own = values[segment.start : stop]
        goes_on = number == 0 and past is not None
        lead = past if goes_on and past is not None else np.full(size, values[segment.start], np.float32)
        joined = np.concatenate([lead, own])
        before = past_absent if goes_on and past_absent is not None else np.ones(size, bool)
        absent += [before, np.isnan(own)]
        for place in np.flatnonzero(np.isnan(joined)):
            joined[place] = joined[place - (season or 1)]
        parts.append(joined)
        ends[segment.start : stop] = at + size + np.arange(len(own))
        at += len(joined)
        stops = [*(one.place for one in here[1:]), segment.stop]
        for one, stop in zip(here, stops[: len(here)], strict=True):
            own = values[one.place + 1 : stop]
            joined = np.concatenate([one.window, own])
            absent += [one.absent, np.isnan(own)]
            for place in np.flatnonzero(np.isnan(joined)):
                joined[place] = joined[place - (season or 1)]
            parts.append(joined)
            ends[one.place : stop] = at + size - 1 + np.arange(len(own) + 1)
            at += len(joined)
    return History(np.concatenate(parts), ends, size, np.concatenate(absent))


def histories_of(inputs: "Sequence[SeriesInputs]", rules: "Rules") -> list[History]:
    """The histories of all series, from their beginning."""
    return [
        history_of(one.values, one.segments, base, rules.history) for one, base in zip(inputs, rules.bases, strict=True)
    ]


def seasonal_map(size: int, horizon: int, season: int) -> NDArray[np.float32]:
    """[size, horizon]: the value of the step's last season known; of the last value where the season is 0.

    A window less its last value, times this map, is the forecast less the last value; so for the other maps.
    """
    found = np.zeros((size, horizon), np.float32)
    ahead = np.arange(1, horizon + 1)
    back = ahead - season * -(-ahead // season) if season else 0 * ahead
    found[size - 1 + back, ahead - 1] = 1
    return found


def seasonal_mean_map(size: int, horizon: int, season: int) -> NDArray[np.float32]:
    """[size, horizon]: the mean of the last season, and the mean shape of all seasons of the window about their means.

    A level that has just shifted is followed within a season, which a plain mean of a step's values would not do.
    """
    found = np.zeros((size, horizon), np.float32)
    count = size // season
    found[size - season :] = 1 / season
    found[size - count * season :] -= 1 / (count * season)
    for ahead in range(horizon):
        found[size - count * season + ahead % season :: season, ahead] += 1 / count
    return found


def drift_map(size: int, horizon: int) -> NDArray[np.float32]:
    """[size, horizon]: the line through the first and the last value of the window goes on."""
    found = np.zeros((size, horizon), np.float32)
    found[0] = -np.arange(1, horizon + 1) / max(1, size - 1)
    return found


def mean_map(size: int, horizon: int) -> NDArray[np.float32]:
    """[size, horizon]: the mean of the window."""
    return np.full((size, horizon), 1 / size, np.float32)


def differences(windows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Windows [rows, size] less the last value of each."""
    return windows - windows[:, -1:]
