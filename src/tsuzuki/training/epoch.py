"""One epoch: its rows, the calls of the compiled program that train on them, and the loss of held-out rows."""

import time
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from tsuzuki.engine.compiled_network import CompiledNetwork
from tsuzuki.engine.data import Data, RowShape
from tsuzuki.errors import DivergedError
from tsuzuki.layouts.layout import Block, Layout, blocks, slice_block
from tsuzuki.training.arrays import within

# One call of the compiled program lasts about this long: Ctrl-C, progress and checkpoints wait no longer.
CALL_SECONDS = 0.2
# Layouts of up to this many rows are computed once and kept over the epochs (about 20 bytes a row).
KEPT_ROWS = 2_000_000

Layouts = Layout | Callable[[int], Layout]


class EpochRows:
    """The layout of each epoch; one that stays the same is computed once.

    Args:
        layouts: one for all epochs, or a function of the epoch (from 0) that gives them.
        data: the arrays that the rows must lie within.
    """

    def __init__(self, layouts: Layouts, data: Data) -> None:
        self._layouts, self._data = layouts, data
        self._layout: Layout | None = None
        self._block: Block | None = None

    def of(self, epoch: int) -> tuple[Layout, Block | None]:
        """An epoch's layout, and all of its rows where they are few enough to be kept.

        Raises:
            SettingError: the rows reach beyond the arrays.
        """
        layout = layout_of(self._layouts, epoch)
        if layout is not self._layout or self._block is None:
            few = layout.updates * layout.lanes <= KEPT_ROWS
            self._block = within(layout.block(0, layout.updates), self._data) if few else None
            self._layout = layout
        return layout, self._block


def layout_of(layouts: Layouts, epoch: int) -> Layout:
    """The layout of an epoch (from 0)."""
    return layouts(epoch) if callable(layouts) else layouts


def train_epoch(
    compiled: CompiledNetwork,
    layout: Layout,
    kept: Block | None,
    forecasts: NDArray[np.float32] | None = None,
    first: int = 0,
) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Train through an epoch, call by call, each about CALL_SECONDS long.

    Args:
        compiled: the network, with an optimiser.
        layout: the rows.
        kept: all of them, if they are computed already.
        forecasts: float32 [points, outputs], written at each target's position; or None.
        first: the update to begin with.

    Yields:
        The update that a call began with, and what it came to, [updates, 2] (`CompiledNetwork.run`).

    Raises:
        SettingError: the rows reach beyond the arrays.
    """
    at = first
    while at < layout.updates:
        until = min(layout.updates, at + compiled.updates_per_call)
        block = within(layout.block(at, until), compiled.data) if kept is None else slice_block(kept, at, until)
        began = time.perf_counter()
        result = compiled.run(block, forecasts)
        spent = time.perf_counter() - began
        yield at, result
        at = until
        # The next call is as long as this one's speed allows, but grows carefully from a short first one.
        wanted = int(len(result) * min(8.0, CALL_SECONDS / max(spent, 1e-6)))
        longest = max(compiled.updates_per_call if spent < CALL_SECONDS else 1, wanted)
        compiled.updates_per_call = max(1, min(longest, KEPT_ROWS // layout.lanes))


class HeldOut:
    """Rows that are scored with the weights as they are, from the states that training has saved.

    Args:
        compiled: the network that trains.
        layout: the rows.
        data: what they read.
    """

    def __init__(self, compiled: CompiledNetwork, layout: Layout, data: Data) -> None:
        self._compiled, self._layout = compiled.sharing(RowShape.of(layout), data), layout

    def loss(self) -> float:
        """The mean loss over what is scored.

        Raises:
            SettingError: the rows reach beyond the arrays.
        """
        compiled = self._compiled
        results = np.concatenate([compiled.forward(within(block, compiled.data)) for block in blocks(self._layout)])
        return float(results[:, 0] @ results[:, 1] / max(results[:, 1].sum(), 1.0))


def diverged(epoch: int, update: int, weights: list[NDArray[np.float32]]) -> DivergedError:
    """The error for a loss that is not finite.

    Args:
        epoch: counted from 1.
        update: of the epoch, counted from 1.
        weights: those to keep, as `network.parameters` lists them.
    """
    return DivergedError(
        f"the loss is not finite in update {update} of epoch {epoch}; try a lower learning rate, clipnorm=1.0, or look "
        "for extreme values in the data",
        weights,
    )
