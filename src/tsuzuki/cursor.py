"""Where the networks stand in one series of a bank, moved on a reading at a time without the bookkeeping of many."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tsuzuki.calls import mean_of
from tsuzuki.errors import DataError
from tsuzuki.lanes import ZERO
from tsuzuki.schedule import MONTH, steps_due
from tsuzuki.streaming import Bank

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
        for call in self._calls:
            call.block.valid[0, 0], call.block.exits[0, 0] = 1, number
        # For each network the series' rows, where a call reads its start from, and the call: memory views, whose single
        # items are written sooner than an array's.
        self._lines = [
            (flat(rows[number], "f"), flat(call.block.starts, "q"), call.run)
            for rows, call in zip(bank.rows, self._calls, strict=True)
        ]
        self._line = self._lines[0]
        self._columns, self._base, self._step = bank.rows[0].shape[2], number * bank.cap, bank.fitted.step
        # The row behind which care is needed: the last one there is, and any where months differ.
        self._last = -1 if self._step >= MONTH else bank.cap - 1
        self._single, self._whole = len(self._calls) == 1, not bank.settings.quantiles
        # The latest outputs; a single network writes them there itself.
        self._latest: NDArray[np.float32] = self._calls[0].found[0] if self._single else bank.latest[number].copy()
        self.resume()

    def resume(self) -> None:
        """Go to where the bank has been put."""
        bank, number = self.bank, self._number
        self._mean, self._scale = (float(value) for value in bank.scales[number])
        for call in self._calls:
            call.block.entries[0, 0] = number
        self._at, self._missed = int(bank.at[number]), int(bank.missing[number])
        self._set_time(bank.now(number))
        self._latest[:] = bank.latest[number]

    def _set_time(self, now: int) -> None:
        # The time follows from the row, so that a step need not count it.
        self._origin = now - self._at * self._step

    @property
    def now(self) -> int:
        """The time of the last reading, missing or not, in nanoseconds since 1970."""
        return self._origin + self._at * self._step

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
        return np.datetime64(self.now, "ns")

    def take(self, value: float | None) -> None:
        """Move on by one step. What a bank does for many, here for one.

        Raises:
            DataError: the value is infinite; nothing has moved.
        """
        if value is None or value != value or self._missed or self._at >= self._last:
            self._take_with_care(value)
            return
        scaled = (value - self._mean) / self._scale
        if scaled - scaled != 0:
            raise _infinite(value)
        self._at = at = self._at + 1
        if not self._single:
            self._run(at, scaled, 0.0)
            return
        # The usual case once more, without anything that can be left out; the row is not flagged as missing yet.
        rows, starts, call = self._line
        rows[at * self._columns] = scaled
        starts[0] = self._base + at
        call()

    def _run(self, at: int, scaled: float, absent: float) -> None:
        place, start = at * self._columns, self._base + at
        for rows, starts, call in self._lines:
            rows[place] = scaled
            rows[place + 1] = absent
            starts[0] = start
            call()
        if not self._single:
            self._latest[:] = mean_of(self._calls)[0]

    def _take_with_care(self, value: float | None) -> None:
        """A step at which something is missing or was, rows run out, or months differ."""
        absent = value is None or value != value
        scaled = NAN if absent else (value - self._mean) / self._scale  # type: ignore[operator]
        if not absent and scaled - scaled != 0:
            raise _infinite(value)
        bank, number = self.settle(), self._number
        later = int(bank.next_stamps(self._only)[0].astype(np.int64))
        if self._at + 1 == bank.cap:
            bank.wrap(self._only)
            self._at = int(bank.at[number])
        anew = not absent and self._missed > self._settings.max_gap
        self._missed = self._missed + 1 if absent else 0
        self._at = at = self._at + 1
        self._set_time(later)
        if anew:
            for every in bank.rows:
                every[number, at - bank.before : at, 0] = scaled
        for call in self._calls:
            call.block.entries[0, 0] = ZERO if anew else number
        self._run(at, scaled, float(absent))
        for call in self._calls:
            call.block.entries[0, 0] = number

    def reach(self, stamp: int) -> None:
        """Pass over the steps before a time (nanoseconds since 1970); they are missing readings.

        Raises:
            DataError: the time is late, that of the last reading, or beside the grid; nothing has moved.
        """
        missed = steps_due(self._fitted, self.bank.ids[self._number], self.now, stamp) - 1
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
        bank.stamps[number] = self.time
        bank.latest[number] = self._latest
        return bank


def _infinite(value: float | None) -> DataError:
    return DataError(f"the reading {value} is infinite; give None where it is missing")


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
