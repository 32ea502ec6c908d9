"""Rows of one lane that follow one another in time, and their arrangement in lanes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tsuzuki.data.segments import Segment
from tsuzuki.layouts.layout import CARRY, NOWHERE, ZERO, Block


@dataclass(frozen=True)
class RowSequence:
    """Rows of one lane that follow one another in time: `rows` of them from `start`, inputs ending before `stop`."""

    lane: int
    start: int
    stop: int
    rows: int
    entry: int = ZERO
    exit: int = NOWHERE


@dataclass(frozen=True)
class LaneRows:
    """The row sequences of all lanes, in the order of (lane, update)."""

    lane: NDArray[np.int64]
    first: NDArray[np.int64]  # the update at which the sequence begins
    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    rows: NDArray[np.int64]
    entry: NDArray[np.int32]
    exit: NDArray[np.int32]
    updates: int

    def block(self, first: int, last: int, lanes: int, timesteps: int) -> Block:
        updates = np.arange(first, last)[:, None]
        lane = np.arange(lanes)[None, :]
        # One sorted key for (lane, update) finds every row's sequence in one search.
        span = self.updates + 1
        found = np.searchsorted(self.lane * span + self.first, lane * span + updates, side="right") - 1
        number = updates - self.first[found]
        there = (number < self.rows[found]) & (self.lane[found] == lane)
        starts = np.where(there, self.start[found] + number * timesteps, -1)
        valid = np.where(there, np.minimum(timesteps, self.stop[found] - starts), 0)
        entries = np.where(number == 0, self.entry[found], CARRY)
        exits = np.where(number == self.rows[found] - 1, self.exit[found], NOWHERE)
        return Block(
            starts,
            valid.astype(np.int32),
            np.where(there, entries, ZERO).astype(np.int32),
            np.where(there, exits, NOWHERE).astype(np.int32),
        )


def arrange_in_lanes(sequences: Sequence[RowSequence]) -> tuple[LaneRows, int]:
    """Queue the sequences in their lanes, in the given order; also return the number of lanes."""
    ordered = sorted((one for one in sequences if one.rows > 0), key=lambda one: one.lane)
    lane = np.array([one.lane for one in ordered], np.int64)
    rows = np.array([one.rows for one in ordered], np.int64)
    before = np.cumsum(rows) - rows
    begins = np.concatenate([[True], lane[1:] != lane[:-1]])
    first = before - np.maximum.accumulate(np.where(begins, before, 0))
    arranged = LaneRows(
        lane=lane,
        first=first,
        start=np.array([one.start for one in ordered], np.int64),
        stop=np.array([one.stop for one in ordered], np.int64),
        rows=rows,
        entry=np.array([one.entry for one in ordered], np.int32),
        exit=np.array([one.exit for one in ordered], np.int32),
        updates=int((first + rows).max()),
    )
    return arranged, int(lane.max()) + 1


def renumber_lanes(sequences: list[RowSequence]) -> list[RowSequence]:
    """Number the lanes in use from 0."""
    used = {lane: number for number, lane in enumerate(sorted({one.lane for one in sequences}))}
    return [RowSequence(used[one.lane], one.start, one.stop, one.rows, one.entry, one.exit) for one in sequences]


def split_evenly(counts: Sequence[int], parts: int) -> list[list[tuple[int, int, int]]]:
    """Cut a line made of `counts` items into `parts` equal stretches (their lengths differ by at most one).

    Returns:
        For each stretch its pieces (index of the count, first item, last item exclusive).
    """
    total, stretches = sum(counts), []
    ends = np.cumsum(counts)
    for part in range(parts):
        at, stop = total * part // parts, total * (part + 1) // parts
        pieces = []
        index = int(np.searchsorted(ends, at, side="right"))
        while at < stop:
            begin = int(ends[index]) - counts[index]
            until = min(stop, int(ends[index]))
            if until > at:
                pieces.append((index, at - begin, until - begin))
            at, index = until, index + 1
        stretches.append(pieces)
    return stretches


def preceding_segments(training: Sequence[Segment], held_out: Sequence[Segment]) -> list[int | None]:
    """For each held-out segment the index of the training segment that it continues, or None."""
    ends = {segment.stop: index for index, segment in enumerate(training)}
    return [ends.get(segment.start) for segment in held_out]
