"""Lines of readings spread over processes of this machine, for `tsuzuki stream --workers`.

Each series belongs to one worker, which a hash of its name says, so its lines stay in order. Workers compute; what they
return is committed by the process that holds the store, all lines of a batch in one transaction. So a store knows
nothing of workers, and a worker that dies is replaced by one that begins at the last commit and is given the batch
again.
"""

import contextlib
import os
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from tsuzuki.distributed import interrupts
from tsuzuki.errors import TsuzukiError
from tsuzuki.forecasting.fitted import Fitted
from tsuzuki.forecasting.settings import Settings
from tsuzuki.streaming.line_runner import Batch, LineRunner, StoredState, restored
from tsuzuki.streaming.lines import LineFormat

if TYPE_CHECKING:
    import pandas as pd

# How often a batch is given to a new worker whose predecessor died of it.
TRIES = 3
# Names whose worker is remembered.
MOST_NAMES = 1 << 20

# Numbers of lines, and what they hold.
Share = tuple[list[int], list[bytes]]


@dataclass(frozen=True)
class RunnerSettings:
    """What every worker's `LineRunner` is made of.

    Attributes:
        fitted, settings: of the forecaster.
        allows_new: whether unknown names become new series.
        plan: columns known ahead.
    """

    fitted: Fitted
    settings: Settings
    allows_new: bool
    plan: "pd.DataFrame | None"

    def runner(self, stored: Sequence[StoredState]) -> LineRunner:
        """A runner whose series stand where the store says."""
        from tsuzuki.streaming.bank import Bank

        bank = restored(Bank(self.fitted, self.settings), stored)
        return LineRunner(bank, self.allows_new, self.plan, self.settings.columns.past)


def owner_of(name: str, workers: int) -> int:
    """The worker that a series belongs to."""
    return zlib.crc32(name.encode("utf-8", "surrogatepass")) % workers


class LineWorkers:
    """Several `LineRunner`s, each in a process of its own.

    Args:
        made_of: what they are made of.
        workers: how many, at least one.
        stored: gives every series' state as it was committed last.
    """

    def __init__(self, made_of: RunnerSettings, workers: int, stored: Callable[[], Sequence[StoredState]]) -> None:
        self._made_of, self._count, self._stored = made_of, workers, stored
        self._processes: list[tuple[Any, Any]] = []
        # By what lines have where their series' name stands.
        self._owners: dict[bytes, int] = {}

    def __enter__(self) -> "LineWorkers":
        stored = self._stored()
        self._processes = [self._start(number, stored) for number in range(self._count)]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process, connection in self._processes:
            # A worker ends when nobody is left to write to it.
            connection.close()
            if kind is not None:
                process.kill()
            process.join()

    @property
    def pids(self) -> list[int]:
        """The process of each worker."""
        return [process.pid for process, _ in self._processes]

    def run(self, numbers: Sequence[int], lines: Sequence[bytes], text: LineFormat) -> Batch:
        """Forecast after each line, those of different workers side by side; see `LineRunner.run`.

        Raises:
            TsuzukiError: workers died again and again.
        """
        shares = self._shares(numbers, lines, text)
        busy = [number for number, share in enumerate(shares) if share[0]]
        for number in busy:
            self._give(number, shares[number], text)
        together = Batch()
        for number in busy:
            found = self._taken(number, shares[number], text)
            together.taken += found.taken
            together.forecasts += found.forecasts
            together.states += found.states
            together.notes += found.notes
        order = np.argsort(np.array(together.taken, np.int64)).tolist()
        together.taken = [together.taken[i] for i in order]
        together.forecasts = [together.forecasts[i] for i in order]
        return together

    def _shares(self, numbers: Sequence[int], lines: Sequence[bytes], text: LineFormat) -> list[Share]:
        """The lines of each worker."""
        shares: list[Share] = [([], []) for _ in range(self._count)]
        cells, owners = text.name_cells(lines), self._owners
        for number, line, cell in zip(numbers, lines, cells, strict=True):
            owner = owners.get(cell)
            if owner is None:
                # What was never a name of a series is not kept for ever.
                if len(owners) > MOST_NAMES:
                    owners.clear()
                owner = owners[cell] = owner_of(text.name_in(line), self._count)
            there = shares[owner]
            there[0].append(number)
            there[1].append(line)
        return shares

    def _give(self, number: int, share: Share, text: LineFormat) -> None:
        # One that cannot be written to is found out when it is read from.
        with contextlib.suppress(OSError):
            self._processes[number][1].send((*share, text))

    def _taken(self, number: int, share: Share, text: LineFormat) -> Batch:
        for _ in range(TRIES):
            try:
                found = self._processes[number][1].recv()
            except (EOFError, OSError):
                self._replace(number)
                self._give(number, share, text)
                continue
            if isinstance(found, BaseException):
                raise found
            assert isinstance(found, Batch)
            return found
        raise TsuzukiError(
            f"a worker ended {TRIES} times at lines {share[0][0]} to {share[0][-1]}; the states are those before them. "
            "Run them without --workers to see why"
        )

    def _replace(self, number: int) -> None:
        process, connection = self._processes[number]
        connection.close()
        process.kill()
        process.join()
        self._processes[number] = self._start(number, self._stored())

    def _start(self, number: int, stored: Sequence[StoredState]) -> tuple[Any, Any]:
        import multiprocessing
        import multiprocessing.resource_tracker

        # A fork would share the threads' locks; a process of its own imports what it needs.
        context = multiprocessing.get_context("spawn")
        here, there = context.Pipe()
        own = [one for one in stored if owner_of(one[0], self._count) == number]
        process = context.Process(target=_serve, args=(there, self._made_of), daemon=True)
        if os.name == "posix":
            # The tracker's own start would let signals through.
            multiprocessing.resource_tracker.ensure_running()
        with interrupts.held_back():
            process.start()
        # So that the end of either process is the end of the pipe.
        there.close()
        # One that ends at once is found out when it is read from.
        with contextlib.suppress(OSError):
            here.send(own)
        return process, here


def _serve(connection: Any, made_of: RunnerSettings) -> None:
    """A worker: run lines as they come, until the other end is closed."""
    interrupts.ignore()
    os.environ["TSUZUKI_NUM_THREADS"] = "1"
    try:
        runner = made_of.runner(connection.recv())
        while True:
            numbers, lines, text = connection.recv()
            try:
                found: Batch | TsuzukiError = runner.run(numbers, lines, text)
            except TsuzukiError as error:
                found = error
            connection.send(found)
    except (EOFError, OSError):
        return
