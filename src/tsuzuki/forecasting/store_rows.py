"""Readings of a panel store as data to draw stretches from, scaled and given their calendar where they are read.

Nothing of the store is held but what is drawn, and two numbers for each series.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tsuzuki.data.calendar import calendar
from tsuzuki.data.panel_store import PanelStore
from tsuzuki.forecasting.rules import Rules
from tsuzuki.forecasting.store_statistics import SeriesStatistics
from tsuzuki.training.drawn_rows import Piece

# Steps of all series together whose calendar is kept.
KEPT_CALENDAR = 4_000_000


@dataclass(frozen=True)
class StoreRows:
    """A store as one network of an ensemble reads it.

    Attributes:
        store: the readings.
        statistics: of each series.
        rules: what a sample of the series suggested.
        before: rows that lags reach back.
        after: rows that a target reaches beyond its own: the horizon.
        max_gap: longest gap in steps that a state is carried through.
        held_out: int64 [2, series], positions first to last (exclusive) that are held out of each series.
        which: bool [series], those that are drawn from; all if None.
    """

    store: PanelStore
    statistics: SeriesStatistics
    rules: Rules
    before: int
    after: int
    max_gap: int
    held_out: NDArray[np.int64]
    which: NDArray[np.bool_] | None = None

    def of(self, which: NDArray[np.bool_]) -> "StoreRows":
        """The same where only some series, bool [series], are drawn from."""
        return replace(self, which=which)

    @property
    def columns(self) -> int:
        """Columns of the inputs: the value, whether it is missing, and the calendar."""
        return 2 + 2 * len(self.rules.cycles)

    @property
    def stride(self) -> int:
        """Columns of the targets."""
        return 1

    def bounds(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """See `DrawnData`."""
        begins, ends = self.store.offsets[:-1], self.store.offsets[1:]
        starts = np.stack([begins, begins + self.held_out[1]], axis=1).ravel()
        stops = np.stack([begins + self.held_out[0], ends], axis=1).ravel()
        enough = stops - starts > 1
        if self.which is not None:
            enough &= np.repeat(self.which, 2)
        return starts[enough], stops[enough]

    def held_out_bounds(self) -> list[tuple[int, int, int]]:
        """See `DrawnData`."""
        begins = self.store.offsets[:-1]
        first, last = begins + self.held_out[0], begins + self.held_out[1]
        some = np.flatnonzero(last > first)
        # Some thousand series are enough to draw a hundred pieces from.
        some = some[np.linspace(0, len(some) - 1, min(len(some), 4096)).astype(np.int64)] if len(some) else some
        return [(int(first[one]), int(last[one]), int(begins[one])) for one in some]

    def read(self, piece: Piece, inputs: NDArray[np.float32], targets: NDArray[np.float32]) -> int:
        """See `RowSource`."""
        number = int(np.searchsorted(self.store.offsets, piece.start, side="right")) - 1
        begin, end = int(self.store.offsets[number]), int(self.store.offsets[number + 1])
        first, last = piece.start - self.before, piece.stop + self.after
        values = np.full(last - first, np.nan, np.float32)
        low, high = max(first, begin), min(last, end)
        values[low - first : high - first] = self.statistics.scaled(self.store.values[low:high], number)
        start = self.before
        count, stop = _unbroken(values, start, piece.stop - piece.start, self.max_gap)
        if count == 0:
            return 0
        inputs[:, 0], inputs[:, 1] = values, np.isnan(values)
        inputs[:, 2:] = self.calendar(number, first - begin, last - first)
        values[stop:] = np.nan
        held = np.maximum(self.held_out[:, number] + begin - first, 0)
        if piece.scored:
            values[: piece.scored - first], values[held[1] :] = np.nan, np.nan
        else:
            values[held[0] : held[1]] = np.nan
        targets[:, 0] = values
        return count

    def calendar(self, number: int, first: int, count: int) -> NDArray[np.float32]:
        """The calendar of some steps of a series, which may lie outside it, [count, columns]."""
        start = int(self.store.starts[number]) + first * self.store.step
        places, beside = divmod(start - self._earliest, self.store.step)
        if beside == 0 and self._kept is not None and places >= 0 and places + count <= len(self._kept):
            return self._kept[places : places + count]
        return calendar_of(start, count, self.store.step, self.rules.cycles)

    @cached_property
    def _earliest(self) -> int:
        return int(self.store.starts.min()) - self.before * self.store.step

    @cached_property
    def _kept(self) -> NDArray[np.float32] | None:
        steps = np.diff(self.store.offsets)
        last = int((self.store.starts + (steps + self.after) * self.store.step).max())
        count = (last - self._earliest) // self.store.step + 1
        if count > KEPT_CALENDAR:
            return None
        return calendar_of(self._earliest, count, self.store.step, self.rules.cycles)


def calendar_of(start: int, count: int, step: int, cycles: tuple[str, ...]) -> NDArray[np.float32]:
    """The calendar of so many steps from a time in nanoseconds since 1970, [count, 2 * cycles]."""
    times = (start + step * np.arange(count, dtype=np.int64)).view("datetime64[ns]")
    return calendar(times, step, cycles)


def _unbroken(values: NDArray[np.float32], start: int, count: int, max_gap: int) -> tuple[int, int]:
    """Put the rows before a long gap, or before the first value, in order.

    Args:
        values: float32 [rows], NaN where missing; what lies before a long gap that ends at or before `start` is
            replaced by the first value behind it, so that no lag reads beyond a gap.
        start: the first row of a piece.
        count: its rows.
        max_gap: longest run of missing values that a state is carried through.

    Returns:
        How many rows of the piece lie before the next long gap, and where that begins.
    """
    known = np.flatnonzero(~np.isnan(values))
    if len(known) == 0 or known[0] > start:
        return 0, start
    first, stop = stretch_at(known, start, max_gap)
    if first > known[0]:
        values[:first] = values[first]
    return max(0, min(count, stop - start)), stop


def stretch_at(known: NDArray[np.int64], start: int, max_gap: int) -> tuple[int, int]:
    """Where the unbroken stretch of a row begins and stops (exclusive); it stops before the row if that is in a gap.

    Args:
        known: int64, the rows that have a value, the first of them no later than `start`.
        start: the row.
        max_gap: longest run of missing values in a stretch.
    """
    long = np.flatnonzero(np.diff(known) - 1 > max_gap)
    begins, ends = known[long], known[long + 1]
    past, inside = ends[ends <= start], np.flatnonzero(ends > start)
    # A gap that has no end here may be a long one, and its rows have no target.
    stop = int(begins[inside[0]]) + 1 if len(inside) else int(known[-1]) + 1
    return int(past[-1]) if len(past) else int(known[0]), stop
