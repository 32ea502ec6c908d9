"""Where the networks stand in one series of a bank, moved on a reading at a time without the bookkeeping of many."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tsuzuki.errors import DataError
from tsuzuki.lanes import ZERO
from tsuzuki.streaming import MONTH, Bank

if TYPE_CHECKING:
    from tsuzuki.fitting import Fitted, Settings


class Cursor:
    """One series of a bank.

    While a cursor moves, the bank does not know how far its series has got: `settle` tells it. After somebody else has
    moved the series, `resume` tells the cursor.

    Args:
        bank: holds the series.
        number: its place there.
    """

    def __init__(self, bank: Bank, number: int) -> None:
        self.bank, self._number, self._only = bank, number, np.array([number])
        self._fitted: Fitted = bank.fitted
        self._settings: Settings = bank.settings
        self._calls = bank.prepared(1)
        self._first = [rows[number] for rows in bank.rows]
        for block, _, _ in self._calls:
            block.valid[0, 0], block.exits[0, 0] = 1, number
        self.resume()

    def resume(self) -> None:
        """Go to where the bank has been put."""
        bank, number = self.bank, self._number
        self._mean, self._scale = (float(value) for value in bank.scales[number])
        self._at, self._missed = int(bank.at[number]), int(bank.missing[number])
        self._time = int(bank.stamps[number].astype(np.int64))
        self._base = number * bank.cap
        for _, found, _ in self._calls:
            found[0] = bank.latest[number]

    @property
    def at(self) -> int:
        """Which of the series' rows was run last."""
        return self._at

    @property
    def missed(self) -> int:
        """How many readings in a row are missing; one that begins anew counts as too many."""
        return self._missed

    @property
    def time(self) -> np.datetime64:
        """The time of the last reading, missing or not."""
        return np.datetime64(self._time, "ns")

    def take(self, value: float | None) -> None:
        """Move on by one step. What a bank does for many, here for one.

        Raises:
            DataError: the value is infinite; nothing has moved.
        """
        bank = self.bank
        absent = value is None or value != value
        scaled = float("nan") if absent else (float(value) - self._mean) / self._scale  # type: ignore[arg-type]
        if not absent and scaled - scaled != 0:
            raise DataError(f"the reading {value} is infinite; give None where it is missing")
        if self._at + 1 == bank.cap or self._fitted.step >= MONTH:
            self.settle()
            if self._at + 1 == bank.cap:
                bank.wrap(self._only)
                self._at = int(bank.at[self._number])
        entry = self._number
        if absent:
            self._missed += 1
        else:
            if self._missed > self._settings.max_gap:
                entry = ZERO
                for rows in self._first:
                    rows[self._at + 1 - bank.before : self._at + 1, 0] = scaled
            self._missed = 0
        self._at += 1
        self._time = self._time + self._fitted.step if self._fitted.step < MONTH else self._next_month()
        for rows, (block, _, call) in zip(self._first, self._calls, strict=True):
            rows[self._at, 0] = scaled
            rows[self._at, 1] = absent
            block.starts[0, 0] = self._base + self._at
            block.entries[0, 0] = entry
            call()

    def _next_month(self) -> int:
        return int(self.bank.next_stamps(self._only)[0].astype(np.int64))

    def reach(self, stamp: int) -> None:
        """Pass over the steps before a time (nanoseconds since 1970); they are missing readings.

        Raises:
            DataError: the time is late, that of the last reading, or beside the grid; nothing has moved.
        """
        missed = self.bank.steps_due(self._number, stamp, self._time) - 1
        if missed > self._settings.max_gap:
            self.skip(missed)
        else:
            for _ in range(missed):
                self.take(None)

    def skip(self, steps: int) -> None:
        """Let so many readings be missed that the series begins anew with the next one."""
        self.settle().jump(self._number, steps)
        self.resume()

    def forecast(self) -> NDArray[np.float32]:
        """The latest forecast, float32 [horizon], in the series' unit."""
        if self._settings.quantiles:
            return np.asarray(self.settle().forecasts(self._only)[0])
        found = self._calls[0][1][0]
        if len(self._calls) > 1:
            found = np.add.reduce([call[1][0] for call in self._calls])
            return np.asarray(found * np.float32(self._scale / len(self._calls)) + np.float32(self._mean))
        return np.asarray(found * np.float32(self._scale) + np.float32(self._mean))

    def settle(self) -> Bank:
        """Tell the bank where the series has got to, and return it."""
        bank, number = self.bank, self._number
        bank.at[number], bank.missing[number] = self._at, self._missed
        bank.stamps[number] = np.datetime64(self._time, "ns")
        bank.latest[number] = np.mean([call[1][0] for call in self._calls], axis=0)
        return bank


def nanoseconds(ds: Any) -> int:
    """A time as nanoseconds since 1970.

    Raises:
        DataError: it is no time.
    """
    try:
        return int(np.datetime64(ds, "ns").astype(np.int64))
    except (ValueError, TypeError):
        raise DataError(f"{ds!r} is no time; give one such as 2026-01-31 12:00") from None
