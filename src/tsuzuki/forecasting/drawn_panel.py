"""A panel in memory as data to draw stretches from, see `drawn_training`."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tsuzuki.data.segments import Segment
from tsuzuki.forecasting.panel import Panel
from tsuzuki.training.drawn_rows import Piece


@dataclass(frozen=True)
class PanelRows:
    """Flat rows of a panel.

    Attributes:
        panel: the series.
        targets: float32 [points, stride], NaN where nothing is to be scored.
        scored: float32 [points, stride], those of what is held out too.
        segments: the flat stretches to draw from.
        held_out: and those held out.
        before: rows that lags reach back.
        after: rows that a target reaches beyond its own.
    """

    panel: Panel
    targets: NDArray[np.float32]
    scored: NDArray[np.float32]
    segments: Sequence[Segment]
    held_out: Sequence[Segment]
    before: int
    after: int

    @property
    def columns(self) -> int:
        """Columns of the inputs."""
        return int(self.panel.inputs.shape[1])

    @property
    def stride(self) -> int:
        """Columns of the targets."""
        return int(self.targets.shape[1])

    def read(self, piece: Piece, inputs: NDArray[np.float32], targets: NDArray[np.float32]) -> int:
        """See `RowSource`. Every stretch of a panel has as many rows around it as are copied."""
        first, last = piece.start - self.before, piece.stop + self.after
        inputs[:] = self.panel.inputs[first:last]
        targets[:] = (self.scored if piece.scored else self.targets)[first:last]
        targets[: max(0, piece.scored - first)] = np.nan
        return piece.stop - piece.start

    def bounds(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """See `DrawnData`."""
        found = [(one.start, one.stop) for one in self.segments if one.stop - one.start > 1]
        starts, stops = np.array(found, np.int64).reshape(-1, 2).T
        return starts, stops

    def held_out_bounds(self) -> list[tuple[int, int, int]]:
        """See `DrawnData`."""
        starts = np.array([one.start for one in self.panel.stretches], np.int64)
        places = np.searchsorted(starts, [one.start for one in self.held_out], side="right") - 1
        return [(one.start, one.stop, int(starts[at])) for one, at in zip(self.held_out, places, strict=True)]
