"""One shard of a bank of series: a bank in memory, its states and the readings since on the disk.

States are written now and then, readings at each update. What a shard is after a crash follows from both: the last
states, and the readings taken again. An update is taken by all shards or by none, so readings that the others lack are
left out.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsuzuki.distributed.update_log import UpdateLog, updates_in
from tsuzuki.errors import FileError
from tsuzuki.forecasting.fitted import Fitted
from tsuzuki.forecasting.settings import Settings
from tsuzuki.streaming.bank import Bank
from tsuzuki.streaming.state_file import adopt, arrays_of


class Shard:
    """Some series of a bank, whose states survive the process.

    Args:
        fitted: what training left.
        settings: of the forecaster.
        ids: the series.
        folder: where its files lie.
        name: what their names begin with.

    Attributes:
        bank: the series in memory.
        number: of the last update that it took, 0 before the first.
    """

    def __init__(self, fitted: Fitted, settings: Settings, ids: Sequence[str], folder: Path, name: str) -> None:
        self.bank = Bank(fitted, settings, ids)
        self.number = 0
        self._folder, self._name = Path(folder), name
        self._log: UpdateLog | None = None
        # The readings in the log, by number, until `start` says which of them count.
        self._logged: dict[int, tuple[NDArray[np.int32], NDArray[np.float64]]] = {}
        self._read_states()

    def _read_states(self) -> None:
        written = self._written()
        if written:
            self.number = written[-1]
            self.bank.load(self._states(self.number))
        for number, which, values, _ in updates_in(self._log_path(self.number)):
            self._logged[number] = (which, values)

    def _written(self) -> list[int]:
        """The updates after which states were written, in order."""
        return sorted(int(path.suffixes[-2][1:]) for path in self._folder.glob(f"{self._name}.*.states"))

    def _states(self, number: int) -> Path:
        return self._folder / f"{self._name}.{number}.states"

    def _log_path(self, number: int) -> Path:
        return self._folder / f"{self._name}.{number}.log"

    @property
    def last_logged(self) -> int:
        """The last update on the disk."""
        return max(self._logged, default=self.number)

    @property
    def limits(self) -> NDArray[np.float64]:
        """What a reading of each series may be away from 0 at most."""
        return self.bank.recent.limits(np.arange(len(self.bank.ids)))

    def start(self, upto: int) -> int:
        """Take the readings in the log again, up to an update that all shards have, and be ready for the next.

        Returns:
            The number of the last update taken.

        Raises:
            FileError: updates are missing that other shards have.
        """
        begun = self.number
        for number in range(begun + 1, upto + 1):
            if number not in self._logged:
                raise FileError(
                    f"{self._log_path(begun)} lacks update {number}, which other shards have; "
                    "restore that folder from a copy"
                )
            self._take(number, *self._logged[number])
        self._logged.clear()
        if self._log is None:
            # What was logged after `upto` was taken by no other shard.
            path = self._log_path(begun)
            ends = [end for number, _, _, end in updates_in(path) if number <= upto]
            if path.exists():
                with path.open("r+b") as file:
                    file.truncate(ends[-1] if ends else 0)
            self._log = UpdateLog(path)
        return self.number

    def update(self, number: int, which: NDArray[np.int32], values: NDArray[np.float64]) -> NDArray[np.float32]:
        """Take an update and forecast, [series, horizon]; one that was taken already is not taken again.

        Args:
            number: of the update, one more than the last.
            which: int32 [series], the places of the series in this shard.
            values: float64 [series], NaN for a reading that is missing.
        """
        assert self._log is not None, "start it first"
        if number > self.number:
            assert number == self.number + 1, f"update {number} after {self.number}"
            self._log.append(number, which, values)
            self._take(number, which, values)
        return self.bank.forecasts(which.astype(np.int64))

    def _take(self, number: int, which: NDArray[np.int32], values: NDArray[np.float64]) -> None:
        if len(which):
            self.bank.advance(which.astype(np.int64), values)
        self.number = number

    def write_states(self) -> None:
        """Write the states as they are now, and begin a new log."""
        assert self._log is not None, "start it first"
        before = self._written()
        self.bank.save(self._states(self.number))
        log, self._log = self._log, UpdateLog(self._log_path(self.number))
        log.close()
        if log.path != self._log.path:
            log.path.unlink(missing_ok=True)
        for number in before:
            if number != self.number:
                self._states(number).unlink(missing_ok=True)
                self._log_path(number).unlink(missing_ok=True)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Where the series stand, a row for each."""
        return arrays_of(self.bank)

    def adopt(self, arrays: dict[str, NDArray[Any]], number: int) -> None:
        """Stand where another shard's series stood after update `number`, and write that down."""
        adopt(self.bank, arrays)
        self.number = number
        self.bank.save(self._states(number))
        self._logged.clear()

    def interval(self, level: float, which: NDArray[np.int32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The ends of the intervals around the latest forecasts of some series, [series, horizon] each."""
        if len(which) == 0:
            nothing = np.zeros((0, self.bank.horizon))
            return nothing, nothing
        return self.bank.interval(level, [self.bank.ids[number] for number in which])

    def close(self) -> None:
        """Close the log."""
        if self._log is not None:
            self._log.close()
