"""Where the networks stand in one series of a bank, moved on a reading at a time without the bookkeeping of many."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tsuzuki.errors import DataError
from tsuzuki.kernels.one_reading import AT, LARGE, LAST
from tsuzuki.layouts.layout import ZERO
from tsuzuki.streaming import quick_reading
from tsuzuki.streaming.bank import Bank
from tsuzuki.streaming.committee_step import CommitteeStep
from tsuzuki.streaming.upcoming_calendar import is_uniform, steps_due

if TYPE_CHECKING:
    from tsuzuki.forecasting.fitted import Fitted
    from tsuzuki.forecasting.settings import Settings

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
        self._call = bank.prepared(1)
        self._call.block.valid[0, 0], self._call.block.exits[0, 0] = 1, number
        # Where the call reads its row's number and the reading from: memory views, whose single items are written
        # sooner than an array's.
        start, reading = self._call.block.starts, self._call.readings
        self._start, self._reading = flat(start, "q"), flat(reading, "d")
        self._every, self._run, self._step = len(bank.ids), self._call.run, bank.fitted.step
        # The row behind which care is needed: the last one there is, and any where months differ.
        self._last = bank.cap - 1 if is_uniform(self._step) else -1
        # What comes with covariates, or with sizes of errors, goes the bank's way.
        self._beside = bank.covariates is not None or bank.fitted.spread is not None
        self._whole = not bank.settings.quantiles and not self._beside
        # The latest forecasts; a single network that stands alone writes them there itself.
        self._plain = bank.recent.committee is None and bank.recent.transform.kind == "none"
        self._single = self._plain and len(self._call.found) == 1
        self._bounded = bank.recent.bounded
        self._alone, self._untransformed = bank.fitted.rules.alone, bank.recent.transform.kind == "none"
        self._latest: NDArray[np.float32] = self._call.found[0][0] if self._single else bank.latest[number].copy()
        self._committee = None
        if not self._alone and bank.fitted.spread is None:
            self._committee = CommitteeStep(bank.recent, bank.rows[0], number, self._call.found, self._latest)
        # Where the series stands, which compiled code moves on, too.
        self._fields = quick_reading.row_table(self._every, number, start, reading, self._call.jobs[0])
        self._place = flat(self._fields, "q")
        quickly = self._single and self._whole and not self._bounded
        # Takes a usual reading where one network alone has to be run; says whether it did.
        self._quick = quick_reading.taker(self._fields) if quickly else quick_reading.takes_none
        # Columns known up to now that come with the next reading.
        self.past: Mapping[str, Any] | None = None
        self.resume()

    def resume(self) -> None:
        """Go to where the bank has been put."""
        bank, number = self.bank, self._number
        self._call.block.entries[0, 0] = number
        self._stand(int(bank.at[number]), int(bank.missing[number]))
        self._set_time(bank.now(number))
        self._latest[:] = bank.latest[number]
        if self._committee is not None:
            self._committee.bounded[:] = bank.recent.within(self._latest, number)

    def _stand(self, at: int, missed: int) -> None:
        self._place[AT], self._missed = at, missed
        # While readings are missing, the next one needs care.
        self._place[LAST] = -1 if missed else self._last

    def _set_time(self, now: int) -> None:
        # The time follows from the row, so that a step need not count it.
        self._origin = now - self._place[AT] * self._step

    @property
    def now(self) -> int:
        """The time of the last reading, missing or not, in nanoseconds since 1970."""
        return int(self._origin + self.at * self._step)

    @property
    def at(self) -> int:
        """Which of the series' rows was run last."""
        return int(self._place[AT])

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
            DataError: the value is infinite or no number; nothing has moved.
        """
        if self._quick(value):
            return
        if self._beside:
            self._take_beside(value)
            return
        try:
            self._reading[0] = value
            usual = -LARGE < value < LARGE  # type: ignore[operator]
        except (TypeError, ValueError, OverflowError):
            usual = False
        if not usual or self._missed or self.at >= self._last:
            self._take_with_care(value)
            return
        if self._bounded:
            self.bank.recent.free_bounds_of(self._number, self._reading[0])
        self._place[AT] = at = self.at + 1
        if not self._plain:
            self._reading[0] = self.bank.recent.take_one(self._number, at, self._reading[0], anew=False)
        self._start[0] = at * self._every + self._number
        self._run_row(at, missing=False)

    def _take_beside(self, value: float | None) -> None:
        """A step of a series with covariates: all that a bank does."""
        reading = NAN if value is None or value != value else as_number(value)
        bank = self.settle()
        if bank.recent.too_far(self._only, np.array([reading]))[0]:
            raise DataError(f"the reading {reading:g} is too far away; give None where it is missing")
        bank.advance(self._only, np.array([reading]), self.past)
        self.resume()

    def _run_row(self, at: int, *, missing: bool) -> None:
        """Run the networks over a row, and write the latest forecasts from what they have found."""
        if self._single:
            self._run()
            return
        recent = self.bank.recent
        if self._alone:
            self._run()
            outputs = self._call.mean()[0]
            self._latest[:] = outputs if self._plain else recent.finish_alone(self._number, outputs)
            return
        step = self._committee
        assert step is not None
        step.read(at, self.now, missing=missing)
        self._run()
        step.forecast()
        if not self._untransformed:
            self._latest[:] = recent.finish_alone(self._number, step.finished)
            step.bounded[:] = recent.within(self._latest, self._number)

    def _take_with_care(self, value: float | None) -> None:
        """A step at which something is missing or was, rows run out, or months differ."""
        # A comparison of NumPy's numbers has a type of its own.
        absent = value is None or bool(value != value)
        reading = NAN if absent else as_number(value)
        bank, number = self.settle(), self._number
        if bank.recent.too_far(self._only, np.array([reading]))[0]:
            raise DataError(f"the reading {reading:g} is too far away; give None where it is missing")
        later = int(bank.next_stamps(self._only)[0].astype(np.int64))
        if self.at + 1 == bank.cap:
            bank.wrap(self._only)
            self._place[AT] = bank.at[number]
        bank.recent.free_bounds(number, reading)
        anew = not absent and self._missed > self._settings.max_gap
        at = self.at + 1
        self._stand(at, self._missed + 1 if absent else 0)
        self._set_time(later)
        reading = bank.recent.take_one(number, at, reading, anew=anew)
        if anew:
            mean, scale = bank.scales[number]
            for rows in bank.rows if self._alone else ():
                rows[at - bank.before : at, number, 0] = (reading - mean) / scale
        self._call.block.entries[0, 0] = ZERO if anew else number
        self._start[0], self._reading[0] = at * self._every + number, reading
        self._run_row(at, missing=absent)
        self._call.block.entries[0, 0] = number

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
            if self._committee is not None:
                return self._committee.bounded.copy()
            return self.bank.recent.within(self._latest, self._number) if self._bounded else self._latest.copy()
        return np.asarray(self.settle().forecasts(self._only)[0])

    def settle(self) -> Bank:
        """Tell the bank where the series has got to, and return it."""
        bank, number = self.bank, self._number
        bank.at[number], bank.missing[number] = self.at, self._missed
        bank.stamps[number] = self.time
        bank.latest[number] = self._latest
        return bank


def as_number(value: Any) -> float:
    """A reading as a number.

    Raises:
        DataError: it is none, or infinite.
    """
    try:
        if value - value == 0:
            return float(value)
    except (TypeError, ValueError, OverflowError):
        raise DataError(f"the reading {value!r:.60} is no number; give a float, or None where it is missing") from None
    raise DataError(f"the reading {value} is infinite; give None where it is missing")


def flat(array: Any, kind: str) -> Any:
    """An array's memory as a memory view of items of one kind, as `struct` names them."""
    return memoryview(array).cast("B").cast(kind)  # type: ignore[call-overload]
