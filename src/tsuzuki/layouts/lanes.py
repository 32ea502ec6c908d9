"""How segments become batches: index arithmetic, no copies. The heart of statefulness.

A *lane* is one row of the batch, followed through time. What a carried state needs is that the row a lane holds in
update k + 1 begins where its row in update k ended; everything here serves that rule, and it is checked as a property.

Windows, many to one. A window is `timesteps` inputs and the value after them; window w begins at position w. A lane
that carries its state must step by `timesteps`, so each lane sees only every `timesteps`-th window: one *phase*. With
3 steps and batches of 3, the classic case:

    update      0          1          2
    lane 0   0 1 2 |    3 4 5 |    6 7 8 |     phase 0: windows 0, 3, 6 ...
    lane 1   1 2 3 |    4 5 6 |    7 8 9 |     phase 1: windows 1, 4, 7 ...
    lane 2   2 3 4 |    5 6 7 |    8 9 10 |    phase 2: windows 2, 5, 8 ...

For other batch sizes the windows are cut into S = batch / gcd(batch, timesteps) *stretches*; the timesteps * S rows
(stretch by stretch, phase by phase) are dealt out to the lanes in timesteps / gcd(batch, timesteps) *passes*, each row
starting from a zero state. So every window is trained on exactly once an epoch, whatever the sizes.

Streams, many to many. Every step is scored, so each lane reads a stretch of its own from end to end, once:

    update      0          1                   2
    lane 0   0 1 2      3 4 5      ...
    lane 1   40 41 42   43 44 45   ...
    lane 2   80 81 82   83 84 85   ...

Nothing is cut off at the end: rows that have run out are masked. A stretch that crosses from one segment into another
goes on from a zero state there.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import gcd
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tsuzuki.data.series import Segment
from tsuzuki.errors import SettingError, TooShortError

CARRY, ZERO = -2, -1
NOWHERE = -1


@dataclass(frozen=True)
class Block:
    """The rows of some consecutive updates, as the kernels take them; all arrays are [updates, lanes].

    Attributes:
        starts: int64, position of the row's first input, -1 where the lane has run out.
        valid: int32, how many of the row's steps are real, 0 where run out.
        entries: int32, the state before the row: CARRY on from the lane's last row, ZERO, or k >= 0: saved state k.
        exits: int32, where to save the state after the last valid step: NOWHERE, or k >= 0.
    """

    starts: NDArray[np.int64]
    valid: NDArray[np.int32]
    entries: NDArray[np.int32]
    exits: NDArray[np.int32]


def part(block: Block, first: int, last: int) -> Block:
    """The updates first to last (exclusive) of a block, sharing its arrays."""
    return Block(block.starts[first:last], block.valid[first:last], block.entries[first:last], block.exits[first:last])


def single_steps(block: Block, timesteps: int) -> Block:
    """The same rows one step at a time: each update becomes `timesteps` updates of one step."""
    updates, lanes = block.starts.shape
    step = np.arange(timesteps)[None, :, None]
    valid = block.valid[:, None, :]
    there = step < valid
    starts = np.where(there, block.starts[:, None, :] + step, -1)
    entries = np.where(there & (step == 0), block.entries[:, None, :], CARRY)
    exits = np.where(step == valid - 1, block.exits[:, None, :], NOWHERE)
    shape = (updates * timesteps, lanes)
    return Block(
        starts.reshape(shape),
        there.astype(np.int32).reshape(shape),
        entries.astype(np.int32).reshape(shape),
        exits.astype(np.int32).reshape(shape),
    )


class Rows(Protocol):
    """Where the rows of a layout lie."""

    def block(self, first: int, last: int, lanes: int, timesteps: int) -> Block:
        """The rows of the updates first to last."""
        ...


@dataclass(frozen=True)
class Layout:
    """Which rows each update holds; made by `Windows` and `Streams`.

    Attributes:
        timesteps: steps of a row.
        lanes: rows of an update.
        updates: updates of an epoch.
        every_step: whether each valid step is scored (step t's target is position start + t + 1), or only the last
            step of a full row (target: start + timesteps).
        targets: target positions scored in an epoch.
        slots: states that can be saved at the ends of segments.
        rows: where the rows lie.
    """

    timesteps: int
    lanes: int
    updates: int
    every_step: bool
    targets: int
    slots: int
    rows: Rows

    def block(self, first: int, last: int) -> Block:
        """The rows of the updates first to last (exclusive), computed when asked for."""
        return self.rows.block(first, last, self.lanes, self.timesteps)


# Rows of a block that is made at once: about 20 bytes each.
BLOCK_ROWS = 500_000


def blocks(layout: Layout) -> Iterator[Block]:
    """All rows of a layout, in blocks that fit in memory."""
    step = max(1, BLOCK_ROWS // layout.lanes)
    for first in range(0, layout.updates, step):
        yield layout.block(first, min(layout.updates, first + step))


@dataclass(frozen=True)
class _Numbered:
    """Windows by number, lane by lane and update by update; each begins from a zero state."""

    first_starts: NDArray[np.int64]  # [segments] where each segment's first window begins
    first_numbers: NDArray[np.int64]  # [segments] that window's number
    count: int
    order: NDArray[np.int64] | None  # a permutation, if shuffled

    def block(self, first: int, last: int, lanes: int, timesteps: int) -> Block:
        numbers = np.arange(first * lanes, last * lanes)
        there = numbers < self.count
        numbers = np.minimum(numbers, self.count - 1)
        if self.order is not None:
            numbers = self.order[numbers]
        segment = np.searchsorted(self.first_numbers, numbers, side="right") - 1
        starts = np.where(there, self.first_starts[segment] + numbers - self.first_numbers[segment], -1)
        shape = (last - first, lanes)
        return Block(
            starts.reshape(shape),
            np.where(there, timesteps, 0).astype(np.int32).reshape(shape),
            np.full(shape, ZERO, np.int32),
            np.full(shape, NOWHERE, np.int32),
        )


@dataclass(frozen=True)
class _Run:
    """Rows of one lane that follow one another in time: `rows` of them from `start`, inputs ending before `stop`."""

    lane: int
    start: int
    stop: int
    rows: int
    entry: int = ZERO
    exit: int = NOWHERE


@dataclass(frozen=True)
class _Runs:
    """The runs of all lanes, in the order of (lane, update)."""

    lane: NDArray[np.int64]
    first: NDArray[np.int64]  # the update at which the run begins
    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    rows: NDArray[np.int64]
    entry: NDArray[np.int32]
    exit: NDArray[np.int32]
    updates: int

    def block(self, first: int, last: int, lanes: int, timesteps: int) -> Block:
        updates = np.arange(first, last)[:, None]
        lane = np.arange(lanes)[None, :]
        # One sorted key for (lane, update) finds every row's run in one search.
        span = self.updates + 1
        run = np.searchsorted(self.lane * span + self.first, lane * span + updates, side="right") - 1
        number = updates - self.first[run]
        there = (number < self.rows[run]) & (self.lane[run] == lane)
        starts = np.where(there, self.start[run] + number * timesteps, -1)
        valid = np.where(there, np.minimum(timesteps, self.stop[run] - starts), 0)
        entries = np.where(number == 0, self.entry[run], CARRY)
        exits = np.where(number == self.rows[run] - 1, self.exit[run], NOWHERE)
        return Block(
            starts,
            valid.astype(np.int32),
            np.where(there, entries, ZERO).astype(np.int32),
            np.where(there, exits, NOWHERE).astype(np.int32),
        )


def _gather_runs(runs: Sequence[_Run]) -> tuple[_Runs, int]:
    """Put runs, given in each lane's order, one after another in their lanes; also count the lanes."""
    ordered = sorted((run for run in runs if run.rows > 0), key=lambda run: run.lane)
    lane = np.array([run.lane for run in ordered], np.int64)
    rows = np.array([run.rows for run in ordered], np.int64)
    before = np.cumsum(rows) - rows
    begins = np.concatenate([[True], lane[1:] != lane[:-1]])
    first = before - np.maximum.accumulate(np.where(begins, before, 0))
    found = _Runs(
        lane=lane,
        first=first,
        start=np.array([run.start for run in ordered], np.int64),
        stop=np.array([run.stop for run in ordered], np.int64),
        rows=rows,
        entry=np.array([run.entry for run in ordered], np.int32),
        exit=np.array([run.exit for run in ordered], np.int32),
        updates=int((first + rows).max()),
    )
    return found, int(lane.max()) + 1


def _cut(counts: Sequence[int], parts: int) -> list[list[tuple[int, int, int]]]:
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


def _check_sizes(kind: str, **sizes: int) -> None:
    for name, size in sizes.items():
        if size < 1:
            raise SettingError(f"{kind} has {name}={size}; give a whole number from 1")


def check_length(segments: Sequence[Segment], needed: int, what: str) -> None:
    """Raise TooShortError unless some segment has `needed` points."""
    longest = max((segment.stop - segment.start for segment in segments), default=0)
    if longest < needed:
        raise TooShortError(
            f"the longest unbroken stretch of the series has {longest} points, but {what} needs {needed}; "
            "use fewer timesteps, a longer series, or a larger max_gap"
        )


def _predecessors(training: Sequence[Segment], held_out: Sequence[Segment]) -> list[int | None]:
    """For each held-out segment the training segment that it goes on from."""
    ends = {segment.stop: index for index, segment in enumerate(training)}
    return [ends.get(segment.start) for segment in held_out]


@dataclass(frozen=True)
class Windows:
    """Overlapping windows, the value after each one scored.

    Attributes:
        timesteps: inputs of a window, >= 1.
        batch_size: windows of an update, >= 1.
        stateful: whether each row goes on from the state its lane has reached.
        shuffle: whether the windows come in a new random order each epoch; refuses `stateful`.
        seed: of the order.

    Raises:
        SettingError: a size below 1, or shuffled and stateful at once.
    """

    timesteps: int
    batch_size: int
    stateful: bool = False
    shuffle: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        _check_sizes("Windows", timesteps=self.timesteps, batch_size=self.batch_size)
        if self.stateful and self.shuffle:
            raise SettingError(
                "Windows has stateful=True and shuffle=True, but shuffled rows do not continue one another, so a "
                "carried state would be wrong; leave out one of the two"
            )

    def over(self, segments: Sequence[Segment], epoch: int = 0) -> Layout:
        """Lay out the windows inside segments; `epoch` counts only where they are shuffled.

        Raises:
            TooShortError: no segment has timesteps + 1 points.
        """
        check_length(segments, self.timesteps + 1, f"a window of {self.timesteps} steps with its target")
        firsts = [segment.start for segment in segments]
        counts = [max(0, segment.stop - segment.start - self.timesteps) for segment in segments]
        if not self.stateful:
            return self._numbered(firsts, counts, epoch)
        steps, common = self.timesteps, gcd(self.batch_size, self.timesteps)
        runs = []
        for stretch, pieces in enumerate(_cut(counts, self.batch_size // common)):
            for phase in range(steps):
                lane = (stretch * steps + phase) % self.batch_size
                for index, begin, stop in pieces:
                    rows = len(range(begin + phase, stop, steps))
                    last = begin + phase + (rows - 1) * steps
                    # The last window of its phase in the whole segment is where held-out data will go on.
                    ends = last + steps >= counts[index]
                    start = firsts[index] + begin + phase
                    runs.append(
                        _Run(
                            lane,
                            start,
                            start + rows * steps,
                            rows,
                            exit=index * steps + last % steps if ends else NOWHERE,
                        )
                    )
        return self._in_lanes(runs, sum(counts), len(segments) * steps)

    def after(self, training: Sequence[Segment], held_out: Sequence[Segment]) -> Layout:
        """Lay out held-out windows so that each goes on from the state its phase had at the end of training.

        The windows of a segment that begins where a training segment stops are those whose target is held out; their
        inputs reach back. Segments that stand alone begin from zero. Lanes are the phases: cutting the rows for
        more of them would lose the state.

        Raises:
            TooShortError: no held-out window has a target.
        """
        before = _predecessors(training, held_out)
        steps = self.timesteps
        runs, firsts, counts = [], [], []
        for segment, index in zip(held_out, before, strict=True):
            earliest = segment.start if index is None else max(training[index].start, segment.start - steps)
            firsts.append(earliest)
            counts.append(max(0, segment.stop - steps - earliest))
        if sum(counts) == 0:
            check_length(held_out, steps + 1, f"a window of {steps} steps with its target")
        if not self.stateful:
            return self._numbered(firsts, counts, 0)
        for first, count, index in zip(firsts, counts, before, strict=True):
            for offset in range(min(steps, count)):
                start, rows, entry = first + offset, len(range(offset, count, steps)), ZERO
                if index is not None and start - steps >= training[index].start:
                    entry = index * steps + (start - training[index].start) % steps
                runs.append(_Run(offset, start, start + rows * steps, rows, entry=entry))
        return self._in_lanes(runs, sum(counts), len(training) * steps)

    def _numbered(self, firsts: list[int], counts: list[int], epoch: int) -> Layout:
        full = [(first, count) for first, count in zip(firsts, counts, strict=True) if count > 0]
        count = sum(count for _, count in full)
        order = np.random.default_rng([self.seed, epoch]).permutation(count) if self.shuffle else None
        rows = _Numbered(
            np.array([first for first, _ in full], np.int64),
            np.cumsum([0] + [count for _, count in full[:-1]]).astype(np.int64),
            count,
            order,
        )
        return Layout(self.timesteps, self.batch_size, -(-count // self.batch_size), False, count, 0, rows)

    def _in_lanes(self, runs: list[_Run], targets: int, slots: int) -> Layout:
        rows, lanes = _gather_runs(runs)
        return Layout(self.timesteps, lanes, rows.updates, False, targets, slots, rows)


@dataclass(frozen=True)
class Streams:
    """Lanes spread over the whole series, every step scored, each observation visited once an epoch.

    Attributes:
        timesteps: steps of an update, through which the gradient flows back, >= 1.
        lanes: rows of the batch, >= 1; fewer are used where there are fewer steps.

    Raises:
        SettingError: a size below 1.
    """

    timesteps: int
    lanes: int

    def __post_init__(self) -> None:
        _check_sizes("Streams", timesteps=self.timesteps, lanes=self.lanes)

    def over(self, segments: Sequence[Segment], epoch: int = 0) -> Layout:
        """Lay out the steps inside segments.

        Raises:
            TooShortError: no segment has two points.
        """
        check_length(segments, 2, "a step with its target")
        counts = [max(0, segment.stop - segment.start - 1) for segment in segments]
        runs = []
        for lane, pieces in enumerate(_cut(counts, min(self.lanes, sum(counts)))):
            for index, begin, stop in pieces:
                start = segments[index].start
                rows = -(-(stop - begin) // self.timesteps)
                ends = index if stop == counts[index] else NOWHERE
                runs.append(_Run(lane, start + begin, start + stop, rows, exit=ends))
        return self._in_lanes(runs, sum(counts), len(segments))

    def after(self, training: Sequence[Segment], held_out: Sequence[Segment]) -> Layout:
        """Lay out held-out steps so that each segment goes on from the state at the end of training.

        A segment that begins where a training segment stops has its first input there, one position before its first
        target. Each segment is one run: cutting it would lose the state.

        Raises:
            TooShortError: no held-out step has a target.
        """
        runs, targets = [], 0
        for number, (segment, index) in enumerate(zip(held_out, _predecessors(training, held_out), strict=True)):
            start, stop = segment.start - (index is not None), segment.stop - 1
            if stop <= start:
                continue
            # The state at the end of training has seen all inputs that have a target there: all but the last.
            known = index is not None and training[index].stop - training[index].start > 1
            entry = index if known and index is not None else ZERO
            rows = -(-(stop - start) // self.timesteps)
            runs.append(_Run(number % self.lanes, start, stop, rows, entry=entry))
            targets += stop - start
        if not runs:
            check_length(held_out, 2, "a step with its target")
        return self._in_lanes(_close_up(runs), targets, len(training))

    def _in_lanes(self, runs: list[_Run], targets: int, slots: int) -> Layout:
        rows, lanes = _gather_runs(runs)
        return Layout(self.timesteps, lanes, rows.updates, True, targets, slots, rows)


def _close_up(runs: list[_Run]) -> list[_Run]:
    """Number the lanes that are used from 0."""
    used = {lane: number for number, lane in enumerate(sorted({run.lane for run in runs}))}
    return [_Run(used[run.lane], run.start, run.stop, run.rows, run.entry, run.exit) for run in runs]
