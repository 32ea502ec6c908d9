"""Where the networks stand in one series of a bank, moved on a reading at a time without the bookkeeping of many."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tsuzuki.errors import DataError
from tsuzuki.lanes import ZERO
from tsuzuki.streaming import MONTH, Bank, mean_of

if TYPE_CHECKING:
    from tsuzuki.fitting import Fitted, Settings

NAN = float("nan")


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
        for block, _, _ in self._calls:
            block.valid[0, 0], block.exits[0, 0] = 1, number
        # For each network the series' rows, and what a call reads of where to start and with which state: memory views,
        # whose single items are written sooner than an array's.
        self._lines = [
            (flat(rows[number], "f"), flat(block.starts, "q"), flat(block.entries, "i"), call)
            for rows, (block, _, call) in zip(bank.rows, self._calls, strict=True)
        ]
        self._columns = bank.rows[0].shape[2]
        self._single, self._whole = len(self._calls) == 1, not bank.settings.quantiles
        # The latest outputs; a single network writes them there itself.
        self._latest: NDArray[np.float32] = self._calls[0][1][0] if self._single else bank.latest[number].copy()
        self._step, self._cap, self._monthly = bank.fitted.step, bank.cap, bank.fitted.step >= MONTH
        self.resume()

    def resume(self) -> None:
        """Go to where the bank has been put."""
        bank, number = self.bank, self._number
        self._mean, self._scale = (float(value) for value in bank.scales[number])
        self._at, self._missed = int(bank.at[number]), int(bank.missing[number])
        self._time = int(bank.stamps[number].astype(np.int64))
        self._base = number * bank.cap
        self._latest[:] = bank.latest[number]

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
        absent = value is None or value != value
        scaled = NAN if absent else (value - self._mean) / self._scale  # type: ignore[operator]
        if not absent and scaled - scaled != 0:
            raise DataError(f"the reading {value} is infinite; give None where it is missing")
        at, entry = self._at + 1, self._number
        if at == self._cap:
            self.settle().wrap(self._only)
            at = int(self.bank.at[entry]) + 1
        if absent:
            self._missed += 1
        elif self._missed:
            if self._missed > self._settings.max_gap:
                entry = ZERO
                before = self.bank.before
                for every in self.bank.rows:
                    every[self._number, at - before : at, 0] = scaled
            self._missed = 0
        self._time = self._next_month() if self._monthly else self._time + self._step
        self._at = at
        place, start = at * self._columns, self._base + at
        for rows, starts, entries, call in self._lines:
            rows[place] = scaled
            rows[place + 1] = absent
            starts[0] = start
            entries[0] = entry
            call()
        if not self._single:
            self._latest[:] = mean_of(self._calls)[0]

    def _next_month(self) -> int:
        return int(self.settle().next_stamps(self._only)[0].astype(np.int64))

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
        if self._whole:
            return self._latest.copy()
        return np.asarray(self.settle().forecasts(self._only)[0])

    def settle(self) -> Bank:
        """Tell the bank where the series has got to, and return it."""
        bank, number = self.bank, self._number
        bank.at[number], bank.missing[number] = self._at, self._missed
        bank.stamps[number] = np.datetime64(self._time, "ns")
        bank.latest[number] = self._latest
        return bank


def flat(array: Any, kind: str) -> Any:
    """An array's memory as a memory view of items of one kind, as `struct` names them."""
    return memoryview(array).cast("B").cast(kind)  # type: ignore[call-overload]


def nanoseconds(ds: Any) -> int:
    """A time as nanoseconds since 1970.

    Raises:
        DataError: it is no time.
    """
    try:
        return int(np.datetime64(ds, "ns").astype(np.int64))
    except (ValueError, TypeError):
        raise DataError(f"{ds!r} is no time; give one such as 2026-01-31 12:00") from None
