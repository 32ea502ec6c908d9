"""Windows: overlapping rows with one target each, with or without a carried state."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd

import numpy as np
from numpy.typing import NDArray

from tsuzuki.data.segments import Segment
from tsuzuki.errors import SettingError
from tsuzuki.layouts.layout import NOWHERE, ZERO, Block, Layout, check_length, check_sizes
from tsuzuki.layouts.row_sequences import RowSequence, arrange_in_lanes, preceding_segments, split_evenly


@dataclass(frozen=True)
class Windows:
    """Overlapping windows; the value after each window is scored.

    Attributes:
        timesteps: inputs of a window, >= 1.
        batch_size: windows per update, >= 1.
        stateful: whether each row starts from the state that its lane has reached.
        shuffle: whether the windows have a new random order in each epoch; not with `stateful`.
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
        check_sizes("Windows", timesteps=self.timesteps, batch_size=self.batch_size)
        if self.stateful and self.shuffle:
            raise SettingError(
                "Windows has stateful=True and shuffle=True, but shuffled rows do not continue one another, so a "
                "carried state would be wrong; leave out one of the two"
            )

    def over(self, segments: Sequence[Segment], epoch: int = 0) -> Layout:
        """Lay out the windows inside segments; `epoch` matters only where they are shuffled.

        Raises:
            TooShortError: no segment has timesteps + 1 points.
        """
        check_length(segments, self.timesteps + 1, f"a window of {self.timesteps} steps with its target")
        firsts = [segment.start for segment in segments]
        counts = [max(0, segment.stop - segment.start - self.timesteps) for segment in segments]
        if not self.stateful:
            return self._numbered(firsts, counts, epoch)
        steps, common = self.timesteps, gcd(self.batch_size, self.timesteps)
        sequences = []
        for stretch, pieces in enumerate(split_evenly(counts, self.batch_size // common)):
            for phase in range(steps):
                lane = (stretch * steps + phase) % self.batch_size
                for index, begin, stop in pieces:
                    rows = len(range(begin + phase, stop, steps))
                    last = begin + phase + (rows - 1) * steps
                    # Held-out data continue from the last window of each phase in the whole segment.
                    ends = last + steps >= counts[index]
                    start = firsts[index] + begin + phase
                    sequences.append(
                        RowSequence(
                            lane,
                            start,
                            start + rows * steps,
                            rows,
                            exit=index * steps + last % steps if ends else NOWHERE,
                        )
                    )
        return self._layout(sequences, sum(counts), len(segments) * steps)

    def after(self, training: Sequence[Segment], held_out: Sequence[Segment]) -> Layout:
        """Lay out held-out windows so that each continues from the state of its phase at the end of training.

        Where a segment begins at the end of a training segment, its windows are those with a held-out target; their
        inputs reach back into the training segment. Other segments begin from a zero state. Lanes are the phases:
        splitting the rows over more lanes would lose the state.

        Raises:
            TooShortError: no held-out window has a target.
        """
        before = preceding_segments(training, held_out)
        steps = self.timesteps
        sequences, firsts, counts = [], [], []
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
                sequences.append(RowSequence(offset, start, start + rows * steps, rows, entry=entry))
        return self._layout(sequences, sum(counts), len(training) * steps)

    def _numbered(self, firsts: list[int], counts: list[int], epoch: int) -> Layout:
        full = [(first, count) for first, count in zip(firsts, counts, strict=True) if count > 0]
        count = sum(count for _, count in full)
        order = np.random.default_rng([self.seed, epoch]).permutation(count) if self.shuffle else None
        rows = _NumberedWindows(
            np.array([first for first, _ in full], np.int64),
            np.cumsum([0] + [count for _, count in full[:-1]]).astype(np.int64),
            count,
            order,
        )
        return Layout(self.timesteps, self.batch_size, -(-count // self.batch_size), False, count, 0, rows)

    def _layout(self, sequences: list[RowSequence], targets: int, slots: int) -> Layout:
        rows, lanes = arrange_in_lanes(sequences)
        return Layout(self.timesteps, lanes, rows.updates, False, targets, slots, rows)


@dataclass(frozen=True)
class _NumberedWindows:
    """Windows by number, over lanes and then updates; each begins from a zero state."""

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
