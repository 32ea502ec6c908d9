"""The rows of each update as arrays of integers, from `Windows` and `Streams` to the engine."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tsuzuki.data.segments import Segment
from tsuzuki.errors import SettingError, TooShortError

CARRY, ZERO = -2, -1
NOWHERE = -1


@dataclass(frozen=True)
class Block:
    """The rows of consecutive updates, as the kernels read them; all arrays are [updates, lanes].

    Attributes:
        starts: int64, position of the row's first input, -1 where the lane has run out.
        valid: int32, how many of the row's steps are real, 0 where the lane has run out.
        entries: int32, the state before the row: CARRY (the lane's own), ZERO, or k >= 0: saved state k.
        exits: int32, where to save the state after the last valid step: NOWHERE, or k >= 0.
    """

    starts: NDArray[np.int64]
    valid: NDArray[np.int32]
    entries: NDArray[np.int32]
    exits: NDArray[np.int32]


def slice_block(block: Block, first: int, last: int) -> Block:
    """The updates first to last (exclusive) of a block, sharing its arrays."""
    return Block(block.starts[first:last], block.valid[first:last], block.entries[first:last], block.exits[first:last])


def one_step_updates(block: Block, timesteps: int) -> Block:
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
    """Positions of a layout's rows."""

    def block(self, first: int, last: int, lanes: int, timesteps: int) -> Block:
        """The rows of the updates first to last."""
        ...


@dataclass(frozen=True)
class Layout:
    """Which rows each update holds; made by `Windows` and `Streams`.

    Attributes:
        timesteps: steps of a row.
        lanes: rows of an update.
        updates: updates per epoch.
        every_step: whether each valid step is scored (step t's target is position start + t + 1), or only the last
            step of a full row (target: start + timesteps).
        targets: target positions scored per epoch.
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
        """The rows of the updates first to last (exclusive), computed on demand."""
        return self.rows.block(first, last, self.lanes, self.timesteps)


# Rows of a block that is computed at once: about 20 bytes each.
BLOCK_ROWS = 500_000


def blocks(layout: Layout) -> Iterator[Block]:
    """All rows of a layout, in blocks that fit in memory."""
    step = max(1, BLOCK_ROWS // layout.lanes)
    for first in range(0, layout.updates, step):
        yield layout.block(first, min(layout.updates, first + step))


def check_sizes(kind: str, **sizes: int) -> None:
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
