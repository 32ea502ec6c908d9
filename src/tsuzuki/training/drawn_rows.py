"""Stretches of flat data that are drawn anew for each round of training, copied side by side into one small array.

What a round costs depends on how much it draws and not on how much there is, so the data may be larger than memory.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tsuzuki.errors import TooShortError
from tsuzuki.layouts.layout import Layout
from tsuzuki.layouts.row_sequences import RowSequence, arrange_in_lanes

# Pieces that are drawn at once.
DRAWN_TOGETHER = 64


@dataclass(frozen=True)
class Piece:
    """Input rows start to stop (exclusive) of flat data, one unbroken stretch; each is followed by its target.

    Targets of the rows before `scored` are not scored.
    """

    start: int
    stop: int
    scored: int = 0


class RowSource(Protocol):
    """Flat data to draw from; they may be larger than memory."""

    @property
    def columns(self) -> int:
        """Columns of the inputs."""
        ...

    @property
    def stride(self) -> int:
        """Columns of the targets."""
        ...

    @property
    def before(self) -> int:
        """Rows that lags reach back."""
        ...

    @property
    def after(self) -> int:
        """Rows that a target reaches beyond its own."""
        ...

    def read(self, piece: Piece, inputs: NDArray[np.float32], targets: NDArray[np.float32]) -> int:
        """Copy a piece with `before` rows before it and `after` behind it.

        Args:
            piece: which rows.
            inputs: float32 [before + rows + after, columns], written; the first input may be NaN where it is missing.
            targets: float32 [before + rows + after, stride], written; NaN where nothing is to be scored.

        Returns:
            Rows of the piece that can be used, from its first; fewer where a long gap ends it.
        """
        ...


@dataclass(frozen=True)
class Shape:
    """How much a round holds.

    Attributes:
        lanes: rows of an update.
        timesteps: steps of a row.
        updates: of a round.
        longest: steps of a piece at most.
    """

    lanes: int
    timesteps: int
    updates: int
    longest: int


class DrawnRows:
    """The arrays that the rows of a round are read from, and their layout.

    Args:
        source: the data.
        shape: of a round.
        room: rows of the arrays.

    Attributes:
        shape: as above.
        inputs: float32 [room, columns].
        targets: float32 [room, stride].
        holes: int64, the rows of the arrays whose first input is missing.
        with_holes: the layout of the pieces that have such rows, or None.
    """

    def __init__(self, source: RowSource, shape: Shape, room: int) -> None:
        self._source, self.shape = source, shape
        self.inputs = np.zeros((room, source.columns), np.float32)
        self.targets = np.full((room, source.stride), np.nan, np.float32)
        self.holes = np.zeros(0, np.int64)
        self.with_holes: Layout | None = None

    def fill(self, pieces: Sequence[Piece], *, together: bool = True) -> Layout:
        """Copy pieces into the arrays, one lane after another, until the lanes or the arrays are full.

        Args:
            pieces: of the data.
            together: whether a lane holds several of them.

        Returns:
            The layout of their rows; each piece begins from a zero state.

        Raises:
            TooShortError: no piece has a row that can be used.
        """
        shape, source = self.shape, self._source
        sequences: list[RowSequence] = []
        at, lane, used, holes, holed = 0, 0, 0, [], []
        for piece in pieces:
            count = min(piece.stop - piece.start, (shape.updates - used) * shape.timesteps)
            width = source.before + count + source.after
            if lane == shape.lanes or at + width > len(self.inputs):
                break
            own = self.inputs[at : at + width]
            there = source.read(
                Piece(piece.start, piece.start + count, piece.scored), own, self.targets[at : at + width]
            )
            if there == 0:
                continue
            start, rows = at + source.before, -(-there // shape.timesteps)
            sequences.append(RowSequence(lane, start, start + there, rows))
            # A state that has seen nothing cannot stand in for what came before.
            _carry_forward(own[: source.before + 1, 0], own[source.before + 1 :, 0])
            missing = np.flatnonzero(np.isnan(own[: source.before + there, 0]))
            if len(missing):
                holes.append(at + missing)
                holed.append(sequences[-1])
            at, used = at + width, used + rows
            if used == shape.updates or not together:
                lane, used = lane + 1, 0
        if not sequences:
            raise TooShortError(
                "none of the stretches drawn holds a reading: there are gaps longer than max_gap everywhere; raise "
                "max_gap, or give more readings"
            )
        self.holes = np.concatenate(holes) if holes else np.zeros(0, np.int64)
        self.with_holes = self._layout(holed) if holed else None
        return self._layout(sequences)

    def _layout(self, sequences: Sequence[RowSequence]) -> Layout:
        arranged, _ = arrange_in_lanes(sequences)
        targets = sum(one.stop - one.start for one in sequences)
        return Layout(self.shape.timesteps, self.shape.lanes, arranged.updates, True, targets, 0, arranged)


def _carry_forward(values: NDArray[np.float32], following: NDArray[np.float32]) -> None:
    """Replace missing values by the one before, or the first one known, in place."""
    missing = np.isnan(values)
    if not missing.any():
        return
    known = np.flatnonzero(~missing)
    if len(known) == 0:
        later = following[~np.isnan(following)]
        values[:] = later[0] if len(later) else 0.0
        return
    place = np.maximum.accumulate(np.where(missing, known[0], np.arange(len(values))))
    values[:] = values[place]


def room_for(shape: Shape, source: RowSource, usual: float) -> int:
    """Rows of the arrays for rounds of pieces that usually have so many steps."""
    steps = shape.lanes * shape.updates * shape.timesteps
    pieces = int(steps / max(1.0, min(usual, shape.longest))) + shape.lanes
    return steps + (pieces + 1) * (source.before + source.after + shape.timesteps)


def draw(
    starts: NDArray[np.int64], stops: NDArray[np.int64], generator: np.random.Generator, shape: Shape
) -> list[Piece]:
    """Draw pieces for a round: every step of every segment is equally likely to be in one.

    Args:
        starts: int64 [segments], where unbroken stretches of the data begin.
        stops: int64 [segments], and end (exclusive), at least two rows behind.
        generator: of random numbers.
        shape: of the round.

    Returns:
        The pieces; none where there are no segments.
    """
    if len(starts) == 0:
        return []
    counts = stops - starts - 1
    # A piece may begin so long before its segment that only its last step lies in it; it is cut there.
    ends = np.cumsum(counts + shape.longest - 1)
    wanted, steps = shape.lanes * shape.updates * shape.timesteps, 0
    pieces: list[Piece] = []
    while steps < wanted:
        drawn = generator.integers(0, ends[-1], DRAWN_TOGETHER)
        numbers = np.searchsorted(ends, drawn, side="right")
        first = starts[numbers] + drawn - (ends[numbers] - counts[numbers])
        begins = np.maximum(first, starts[numbers])
        until = np.minimum(first + shape.longest, starts[numbers] + counts[numbers])
        for begin, stop in zip(begins.tolist(), until.tolist(), strict=True):
            pieces.append(Piece(begin, stop))
            # A row that is begun counts as a whole one.
            steps += -(-(stop - begin) // shape.timesteps) * shape.timesteps
    return pieces


def draw_held_out(
    segments: Sequence[tuple[int, int, int]], generator: np.random.Generator, shape: Shape, warm_up: int
) -> list[Piece]:
    """Draw pieces to score, for as many lanes as the shape has, each as long as a round.

    Args:
        segments: for each stretch held out, in order, where it starts and stops (exclusive), and the first row before
            it that may be read.
        generator: of random numbers.
        shape: of the round; a piece scores `longest` steps at most.
        warm_up: rows that a piece reads first, where there are so many.
    """
    bounds = np.array([one for one in segments if one[1] - max(one[0] - 1, one[2]) > 1], np.int64).reshape(-1, 3)
    if len(bounds) == 0:
        return []
    earliest = np.maximum(bounds[:, 0] - 1, bounds[:, 2])
    pieces = []
    for piece in draw(earliest, bounds[:, 1], generator, shape):
        number = int(np.searchsorted(earliest, piece.start, side="right")) - 1
        begin = max(int(bounds[number, 2]), piece.start - warm_up)
        # The target of the row before `scored` is the first one scored.
        pieces.append(Piece(begin, piece.stop, piece.start + 1))
    return pieces
