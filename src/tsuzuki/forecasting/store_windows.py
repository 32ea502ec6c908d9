"""Readings of a panel store as the networks of a committee read them: rows with what follows from their windows, and
the changes of a base as targets, made where they are drawn."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tsuzuki.data.panel_store import PanelStore
from tsuzuki.data.segments import Segment
from tsuzuki.forecasting.held_out import held_out_of
from tsuzuki.forecasting.history import history_of
from tsuzuki.forecasting.rules import Rules
from tsuzuki.forecasting.store_rows import StoreRows, stretch_at
from tsuzuki.forecasting.store_statistics import SeriesStatistics
from tsuzuki.forecasting.window_inputs import WindowInputs, hidden_column
from tsuzuki.training.drawn_rows import Piece

if TYPE_CHECKING:
    from tsuzuki.forecasting.settings import Settings

# Seasons that are read before the first window, for values that stand in for missing ones.
SEASONS_BEFORE = 2


@dataclass(frozen=True)
class StoreWindows(StoreRows):
    """A store as one network of a committee reads it.

    Attributes:
        hidden: the column that this network does not read.
    """

    hidden: int = 0

    @property
    def columns(self) -> int:
        """Columns of the inputs: the value, whether it is missing, what follows from the window, and the calendar."""
        return super().columns + self._of_windows.count

    @property
    def stride(self) -> int:
        """Columns of the targets."""
        return self.rules.horizon

    def read(self, piece: Piece, inputs: NDArray[np.float32], targets: NDArray[np.float32]) -> int:
        """See `RowSource`."""
        number = int(np.searchsorted(self.store.offsets, piece.start, side="right")) - 1
        begin, end = int(self.store.offsets[number]), int(self.store.offsets[number + 1])
        season, size, horizon = int(self.statistics.bases[number]), self.rules.history, self.rules.horizon
        first = max(begin, piece.start - size - SEASONS_BEFORE * max(season, 1))
        last = min(piece.stop + horizon, end)
        values = self.statistics.scaled(self.store.values[first:last], number)
        known, start = np.flatnonzero(~np.isnan(values)), piece.start - first
        if len(known) == 0 or known[0] > start:
            return 0
        own = Segment(*stretch_at(known, start, self.max_gap))
        count = min(piece.stop - piece.start, own.stop - start)
        if count <= 0:
            return 0
        history = history_of(values, (own,), season, size)
        places = start + np.arange(count)
        windows = history.windows(places)
        inputs[:], targets[:] = 0, np.nan
        inputs[:count, 0], inputs[:count, 1] = windows[:, -1], np.isnan(values[places])
        behind = 2 + self._of_windows.count
        inputs[:count, 2:behind] = self._of_windows.of(windows, np.full(count, number))
        inputs[:count, behind:] = self.calendar(number, piece.start - begin, count)
        inputs[:, self.hidden] = 0
        base = windows[:, -1:]
        if season:
            base = base + history.base_changes(places, season, horizon)
        changes = self._ahead(piece, number, values[start : own.stop], count) - base
        targets[1 : count + 1] = changes / np.float32(self.statistics.units[number])
        targets[: max(0, piece.scored - piece.start)] = np.nan
        return count

    def _ahead(self, piece: Piece, number: int, values: NDArray[np.float32], count: int) -> NDArray[np.float32]:
        """The values behind each row that the network may learn from, or is scored by, [rows, horizon].

        Args:
            piece: whose rows.
            number: of the series.
            values: from the first row to the end of its stretch.
            count: rows.
        """
        horizon = self.rules.horizon
        shown = np.full(count + horizon, np.nan, np.float32)
        shown[: min(len(values), len(shown))] = values[: len(shown)]
        low, high = np.maximum(self.held_out[:, number] + int(self.store.offsets[number]) - piece.start, 0)
        if piece.scored:
            shown[:low], shown[high:] = np.nan, np.nan
        else:
            shown[low:high] = np.nan
        return np.lib.stride_tricks.sliding_window_view(shown[1:], horizon)

    @cached_property
    def _of_windows(self) -> WindowInputs:
        return WindowInputs(self.statistics.rules(self.rules), self.rules)


def rows_of(
    store: PanelStore, statistics: SeriesStatistics, rules: Rules, before: int, settings: "Settings", member: int
) -> StoreRows:
    """A store as one network of an ensemble reads it, alone or of a committee; its lags reach `before` rows back."""
    held_out = held_out_of(np.diff(store.offsets).tolist(), settings, member)
    bounds: NDArray[np.int64] = np.array([held_out.first, held_out.last], np.int64)
    read = (store, statistics, rules, before, settings.horizon, settings.max_gap, bounds)
    return StoreRows(*read) if rules.alone else StoreWindows(*read, hidden=hidden_column(member))
