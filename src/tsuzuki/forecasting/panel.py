"""Several series as the flat arrays that the kernels read: stretches one after another, each padded on both sides.

Before each stretch are `before` rows that repeat its first value, so that a lag never reads another stretch. After it
are `after` rows without a target, so that a forecast of several steps is never scored on another stretch. A stretch
that continues from a saved state has its own last rows before it instead.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tsuzuki.data.segments import Segment
from tsuzuki.layouts.layout import CARRY, NOWHERE, ZERO, Block


@dataclass(frozen=True)
class SeriesInputs:
    """One series as inputs of a network.

    Attributes:
        values: float32 [points], in units of its scale; NaN is missing.
        covariates: float32 [points, columns], the other inputs of each step.
        segments: unbroken stretches, each beginning and ending with a value.
        past_rows: float32 [rows, 2 + columns], rows of an earlier panel up to those not yet run, if the first segment
            continues from a saved state; it must then begin at 0.
        pending: how many of them are not yet run.
        filled: float32 [points], the values with what stands in for missing ones, or None if nothing does.
    """

    values: NDArray[np.float32]
    covariates: NDArray[np.float32]
    segments: tuple[Segment, ...]
    past_rows: NDArray[np.float32] | None = None
    pending: int = 1
    filled: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Stretch:
    """Rows start to stop of the flat arrays; they follow one another in time.

    Attributes:
        series: its number.
        start: the first row to run.
        stop: the end of the stretch (exclusive).
        first: position in the series of the row `start`; below 0 where that is one of the past rows.
        entry: its initial state, ZERO or the number of a saved one.
    """

    series: int
    start: int
    stop: int
    first: int
    entry: int


@dataclass(frozen=True)
class Panel:
    """Flat arrays of one or several series.

    Attributes:
        inputs: float32 [points, 2 + columns]: the value (NaN is missing), whether it is missing, the other inputs.
        targets: float32 [points, 1], NaN where missing and between stretches.
        stretches: in the order of the series and of time.
        series_count: number of series.
    """

    inputs: NDArray[np.float32]
    targets: NDArray[np.float32]
    stretches: tuple[Stretch, ...]
    series_count: int

    def segments(self, first: Sequence[int], last: Sequence[int]) -> tuple[Segment, ...]:
        """The flat stretches of each series' positions first to last (exclusive)."""
        found = []
        for one in self.stretches:
            begin = one.start + max(0, first[one.series] - one.first)
            end = one.start + min(one.stop - one.start, last[one.series] - one.first)
            if begin < end:
                found.append(Segment(begin, end))
        return tuple(found)

    def stretches_of(self, number: int) -> list[Stretch]:
        """Those of a series, in the order of time."""
        return self._by_series[number]

    @functools.cached_property
    def _by_series(self) -> list[list[Stretch]]:
        found: list[list[Stretch]] = [[] for _ in range(self.series_count)]
        for one in self.stretches:
            found[one.series].append(one)
        return found

    def rows_of(self, number: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The flat rows of a series, and their positions in it."""
        own = self.stretches_of(number)
        rows = [np.arange(one.start, one.stop) for one in own]
        places = [np.arange(one.stop - one.start) + one.first for one in own]
        nothing = [np.zeros(0, np.int64)]
        return np.concatenate(rows or nothing), np.concatenate(places or nothing)

    def pending(self, number: int, kept: int) -> int:
        """How many of a series' last rows are to be run again: `kept`, or all of its last stretch."""
        final = self.stretches_of(number)[-1]
        return min(kept, final.stop - final.start)

    def single_step_rows(self, kept: int = 1) -> Block:
        """All rows of all series, one step per update and one series per lane. The state is saved before the last
        `kept` rows, so that they can be run again when their future covariates are known."""
        own = [self.rows_of(number)[0] for number in range(self.series_count)]
        updates = max(len(rows) for rows in own)
        starts = np.full((updates, self.series_count), -1, np.int64)
        entries = np.full((updates, self.series_count), CARRY, np.int32)
        exits = np.full((updates, self.series_count), NOWHERE, np.int32)
        for number, rows in enumerate(own):
            starts[: len(rows), number] = rows
            at = 0
            for one in self.stretches_of(number):
                entries[at, number] = one.entry
                at += one.stop - one.start
                final = one
            pending = self.pending(number, kept)
            if final.stop - final.start > pending:
                exits[len(rows) - pending - 1, number] = number
        return Block(starts, (starts >= 0).astype(np.int32), entries, exits)


def build_panel(series: Sequence[SeriesInputs], before: int, after: int) -> Panel:
    """Concatenate series with padding.

    Args:
        series: the series.
        before: the longest lag, in rows.
        after: steps of a forecast.
    """
    inputs, targets, stretches, at = [], [], [], 0
    for number, one in enumerate(series):
        read = one.values if one.filled is None else one.filled
        rows = np.concatenate([read[:, None], np.isnan(one.values)[:, None], one.covariates], axis=1, dtype=np.float32)
        for index, segment in enumerate(one.segments):
            own = rows[segment.start : segment.stop]
            if index == 0 and one.past_rows is not None:
                # Its last rows have not been run yet; they are the first of this stretch.
                lead, pending = one.past_rows, one.pending
            else:
                lead, pending = np.zeros((before, own.shape[1]), np.float32), 0
                lead[:, 0] = own[0, 0]
            trail = np.zeros((after, own.shape[1]), np.float32)
            start = at + len(lead) - pending
            entry = number if pending else ZERO
            stop = at + len(lead) + len(own)
            stretches.append(Stretch(number, start, stop, segment.start - pending, entry))
            inputs += [lead, own, trail]
            nothing = np.full((len(lead), 1), np.nan, np.float32)
            targets += [
                nothing,
                one.values[segment.start : segment.stop, None],
                np.full((after, 1), np.nan, np.float32),
            ]
            at += len(lead) + len(own) + after
    return Panel(np.concatenate(inputs), np.concatenate(targets), tuple(stretches), len(series))
