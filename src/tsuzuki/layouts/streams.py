"""Streams: lanes that together read the whole series once per epoch, with a target at every step."""

from collections.abc import Sequence
from dataclasses import dataclass

from tsuzuki.data.segments import Segment
from tsuzuki.layouts.layout import NOWHERE, ZERO, Layout, check_length, check_sizes
from tsuzuki.layouts.row_sequences import (
    RowSequence,
    arrange_in_lanes,
    preceding_segments,
    renumber_lanes,
    split_evenly,
)


@dataclass(frozen=True)
class Streams:
    """Lanes spread over the whole series; every step is scored and each observation visited once per epoch.

    Attributes:
        timesteps: steps of an update, through which the gradient flows back, >= 1.
        lanes: rows of the batch, >= 1; fewer are used where there are fewer steps.

    Raises:
        SettingError: a size below 1.
    """

    timesteps: int
    lanes: int

    def __post_init__(self) -> None:
        check_sizes("Streams", timesteps=self.timesteps, lanes=self.lanes)

    def over(self, segments: Sequence[Segment], epoch: int = 0) -> Layout:
        """Lay out the steps inside segments.

        Raises:
            TooShortError: no segment has two points.
        """
        check_length(segments, 2, "a step with its target")
        counts = [max(0, segment.stop - segment.start - 1) for segment in segments]
        sequences = []
        for lane, pieces in enumerate(split_evenly(counts, min(self.lanes, sum(counts)))):
            for index, begin, stop in pieces:
                start = segments[index].start
                rows = -(-(stop - begin) // self.timesteps)
                ends = index if stop == counts[index] else NOWHERE
                sequences.append(RowSequence(lane, start + begin, start + stop, rows, exit=ends))
        return self._layout(sequences, sum(counts), len(segments))

    def after(self, training: Sequence[Segment], held_out: Sequence[Segment]) -> Layout:
        """Lay out held-out steps so that each segment continues from the state at the end of training.

        A segment that begins where a training segment stops has its first input one position before its first target.
        Each segment is one sequence of rows: splitting it would lose the state.

        Raises:
            TooShortError: no held-out step has a target.
        """
        sequences, targets = [], 0
        for number, (segment, index) in enumerate(zip(held_out, preceding_segments(training, held_out), strict=True)):
            start, stop = segment.start - (index is not None), segment.stop - 1
            if stop <= start:
                continue
            # The state at the end of training has seen all inputs that have a target there: all but the last.
            known = index is not None and training[index].stop - training[index].start > 1
            entry = index if known and index is not None else ZERO
            rows = -(-(stop - start) // self.timesteps)
            sequences.append(RowSequence(number % self.lanes, start, stop, rows, entry=entry))
            targets += stop - start
        if not sequences:
            check_length(held_out, 2, "a step with its target")
        return self._layout(renumber_lanes(sequences), targets, len(training))

    def _layout(self, sequences: list[RowSequence], targets: int, slots: int) -> Layout:
        rows, lanes = arrange_in_lanes(sequences)
        return Layout(self.timesteps, lanes, rows.updates, True, targets, slots, rows)
