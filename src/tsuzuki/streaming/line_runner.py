"""Lines of readings through a bank: forecasts as lines of output, and the states that they lead to.

What a line holds never ends a run: it is left out, and a note says why.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tsuzuki.errors import DataError
from tsuzuki.streaming.bank import Bank
from tsuzuki.streaming.cursor import Cursor
from tsuzuki.streaming.lines import LineFormat, is_plain, moment, text_of
from tsuzuki.streaming.plain_lines import plain_readings
from tsuzuki.streaming.upcoming_calendar import GRID_TOLERANCE, steps_due

if TYPE_CHECKING:
    import pandas as pd

# Below this many series per round of a batch, each line is run separately.
MIN_SERIES_PER_ROUND = 16

# A series' id, the time of its last reading (ns), how many it has missed, and its state.
StoredState = tuple[str, int, int, NDArray[np.float32]]


@dataclass
class Batch:
    """What came of some lines.

    Attributes:
        taken: the number of each line that was taken.
        forecasts: its line of output.
        states: of the series that it has changed: id, time, missing, state.
        notes: the number of each line that was left out, and why.
    """

    taken: list[int] = field(default_factory=list)
    forecasts: list[str] = field(default_factory=list)
    states: list[tuple[str, int, int, bytes]] = field(default_factory=list)
    notes: list[tuple[int, str]] = field(default_factory=list)


def restored(bank: Bank, stored: Sequence[StoredState]) -> Bank:
    """A bank where its series' stored states left off, with those that it did not have."""
    new = [name for name, *_ in stored if bank.number(name) < 0]
    if new:
        bank = bank.grown(new, {name: time for name, time, _, _ in stored})
    if stored:
        which = np.array([bank.number(name) for name, *_ in stored])
        stamps = np.array([time for _, time, _, _ in stored], np.int64).astype("datetime64[ns]")
        missing = np.array([missed for _, _, missed, _ in stored], np.int64)
        bank.restore(which, np.stack([one for *_, one in stored]), stamps, missing)
    return bank


class LineRunner:
    """Runs lines through a bank.

    Args:
        bank: the series, where they stand.
        allows_new: whether names that it does not have become new series.
        plan: columns known ahead.
        past: columns known up to now, which stand in the lines.

    Attributes:
        bank: with the series that have been added.
    """

    def __init__(
        self, bank: Bank, allows_new: bool, plan: "pd.DataFrame | None" = None, past: Sequence[str] = ()
    ) -> None:
        self._plan, self._past = plan, tuple(past)
        # By the number of its line, what came beside a reading.
        self._beside: dict[int, dict[str, float]] = {}
        if plan is not None and bank.covariates is not None:
            bank.covariates.learn_frame(plan)
        self.bank, self._allows_new = bank, allows_new
        self._notes: list[tuple[int, str]] = []
        self._zoned = bank.fitted.zone is not None
        self._day_first = None if bank.fitted.source is None else bank.fitted.source.day_first

    def run(self, numbers: Sequence[int], lines: Sequence[bytes], text: LineFormat) -> Batch:
        """Forecast after each line.

        Args:
            numbers: of the lines in the input, from 1.
            lines: what they hold.
            text: their form.
        """
        self._beside.clear()
        self._notes = []
        given, names, written, values = self._parse(numbers, lines, text)
        if not given:
            return Batch(notes=self._notes)
        stamps, good = self._stamps(written, given)
        places = [*map(self.bank.number, names)]
        if min(places) < 0:
            good = self._known_series(given, names, stamps, good)
            places = [*map(self.bank.number, names)]
        which = np.array(places, np.int64)[good]
        readings = np.array(values, np.float64)[good]
        far = self.bank.recent.too_far(which, readings)
        for at in np.flatnonzero(far).tolist():
            i = good[at]
            self._note(given[i], f"the reading {readings[at]:g} of series {names[i]!r} is too far away; left out")
        which, readings, good = which[~far], readings[~far], [i for i, out in zip(good, far, strict=True) if not out]
        found, taken = self._run(which, stamps[good], readings, [given[i] for i in good])
        touched = np.unique(which[taken])
        states = zip(
            (self.bank.ids[i] for i in touched),
            self.bank.stamps[touched].astype(np.int64).tolist(),
            self.bank.missing[touched].tolist(),
            (state.tobytes() for state in self.bank.state_of(touched)),
            strict=True,
        )
        shown = [good[i] for i in np.flatnonzero(taken)]
        if len(shown) < len(given):
            given = [given[i] for i in shown]
            names, written = [names[i] for i in shown], [written[i] for i in shown]
            found = found[taken]
        return Batch(given, text.render(given, names, written, found), list(states), self._notes)

    def _note(self, line: int, why: str) -> None:
        self._notes.append((line, why))

    def _refuse(self, line: int, error: DataError) -> None:
        self._note(line, f"{str(error).rpartition(';')[0]}; left out")

    def _parse(
        self, numbers: Sequence[int], lines: Sequence[bytes], text: LineFormat
    ) -> tuple[list[int], list[str], list[str], list[float]]:
        """The numbers, names, times and values of the lines that have them."""
        plain = None if self._past else plain_readings(lines, text)
        if plain is not None:
            return list(numbers), *plain
        taken, names, stamps, values = [], [], [], []
        for at, line in zip(numbers, lines, strict=True):
            if not line.strip():
                continue
            try:
                given = text_of(line, text.encoding)
                name, stamp, value = text.parse(given)
                if self._past:
                    self._beside[at] = text.beside(given, self._past)
            except ValueError as error:
                self._note(at, f"{error}; left out")
                continue
            if value in (float("inf"), float("-inf")):
                self._note(at, f"the reading of series {name!r} is infinite; left out")
                continue
            taken.append(at)
            names.append(name)
            stamps.append(stamp)
            values.append(value)
        return taken, names, stamps, values

    def _stamps(self, written: list[str], numbers: list[int]) -> tuple[NDArray[np.int64], list[int]]:
        """Times in nanoseconds since 1970, and which lines have one."""
        # Most lines of a batch have the time of others.
        distinct = list(set(written))
        if all(map(is_plain, distinct)) and not self._zoned:
            try:
                instants = np.array(distinct, "datetime64[ns]").astype(np.int64).tolist()
                of = dict(zip(distinct, instants, strict=True))
                return np.array([of[one] for one in written], np.int64), list(range(len(written)))
            except ValueError:
                pass
        found, good = np.zeros(len(written), np.int64), []
        for i, one in enumerate(written):
            try:
                found[i], zoned = moment(one, self._day_first)
            except DataError:
                self._note(numbers[i], f"{one[:40]!r} is no time such as 2026-01-31 12:00; left out")
                continue
            if zoned != self._zoned:
                named = "names a time zone, and the model's" if zoned else "names no time zone, but the model's"
                ends = "readings did not" if zoned else "readings did"
                self._note(numbers[i], f"{one[:40]!r} {named} {ends}; left out")
                continue
            good.append(i)
        return found, good

    def _known_series(
        self, numbers: list[int], names: list[str], stamps: NDArray[np.int64], good: list[int]
    ) -> list[int]:
        """Add new series to the bank, or leave out their lines; return which lines stay."""
        new: dict[str, int] = {}
        known = []
        for i in good:
            if self.bank.number(names[i]) < 0 and names[i] not in new:
                if not self._allows_new:
                    known_not = f"series {names[i][:60]!r} is not known; --new-series allow takes it"
                    self._note(numbers[i], f"{known_not}; left out")
                    continue
                new[names[i]] = int(stamps[i]) - self.bank.fitted.step
            known.append(i)
        if new:
            self.bank = self.bank.grown(list(new), new)
            if self._plan is not None and self.bank.covariates is not None:
                self.bank.covariates.learn_frame(self._plan)
        return known

    def _run(
        self,
        which: NDArray[np.int64],
        stamps: NDArray[np.int64],
        values: NDArray[np.float64],
        numbers: list[int],
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Forecasts after each line [lines, horizon], and which lines were accepted (not late, no duplicate)."""
        found = np.zeros((len(which), self.bank.horizon), np.float32)
        taken = np.zeros(len(which), bool)
        # Run the first lines of all series together, then the second ones, and so on.
        order = np.argsort(which, kind="stable")
        begins = np.flatnonzero(np.concatenate([[True], np.diff(which[order]) != 0]))
        rank = np.empty(len(which), np.int64)
        rank[order] = np.arange(len(which)) - np.repeat(begins, np.diff(np.append(begins, len(which))))
        turns = np.bincount(rank)
        few = len(turns) > 1 and len(which) < MIN_SERIES_PER_ROUND * len(turns)
        # What is not known ahead of one series is no matter of the others.
        if few or self.bank.covariates is not None:
            self._run_separately(which, stamps.tolist(), values.tolist(), numbers, found, taken)
            return found, taken
        for some in np.split(np.argsort(rank, kind="stable"), np.cumsum(turns)[:-1]):
            ready = self._advance_to(which[some], stamps[some], [numbers[i] for i in some])
            some = some[ready]
            if len(some):
                self.bank.advance(which[some], values[some])
                found[some] = self.bank.forecasts(which[some])
                taken[some] = True
        return found, taken

    def _run_separately(
        self,
        which: NDArray[np.int64],
        stamps: list[int],
        values: list[float],
        numbers: list[int],
        found: NDArray[np.float32],
        taken: NDArray[np.bool_],
    ) -> None:
        """`_run` for few series with many lines each."""
        cursors = {number: Cursor(self.bank, number) for number in set(which.tolist())}
        for at, number in enumerate(which.tolist()):
            cursor = cursors[number]
            try:
                cursor.reach(stamps[at])
                cursor.past = self._beside.pop(numbers[at], None)
                cursor.take(values[at])
            except DataError as error:
                self._refuse(numbers[at], error)
                continue
            found[at] = cursor.forecast()
            taken[at] = True
        for cursor in cursors.values():
            cursor.settle()

    def _advance_to(self, which: NDArray[np.int64], stamps: NDArray[np.int64], numbers: list[int]) -> NDArray[np.bool_]:
        """Advance over missed steps; return which readings are due now."""
        bank = self.bank
        ahead = (stamps - bank.stamps[which].astype(np.int64)) / bank.fitted.step
        due = np.abs(ahead - 1) <= GRID_TOLERANCE
        for i in np.flatnonzero(~due):
            number = int(which[i])
            try:
                missed = steps_due(bank.fitted, bank.ids[number], bank.now(number), int(stamps[i])) - 1
            except DataError as error:
                self._refuse(numbers[i], error)
                continue
            due[i] = True
            if missed > bank.settings.max_gap:
                bank.jump(number, missed)
            else:
                for _ in range(missed):
                    bank.advance(which[i : i + 1], np.array([np.nan]))
        return due
