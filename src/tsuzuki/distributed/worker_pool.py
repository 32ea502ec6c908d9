"""Workers that do units of work side by side; one that dies is replaced, and its unit is done again.

A unit's result depends on its arguments alone, so it does not matter which worker does it, or how often it is tried.
What a worker is, a process of this machine or an actor of Ray, is told by whoever makes the pool.
"""

import itertools
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import PriorityQueue
from threading import Lock, Thread
from typing import Any, Protocol

from tsuzuki.errors import TsuzukiError

# How often a unit is tried whose worker died, and how often in a row a worker is started that does not live to begin.
TRIES = 5
# Nobody can stop a unit in this process; where it is given up it is not waited for longer.
ENDING_SECONDS = 1.0


class WorkerLostError(Exception):
    """Raised where a worker is no longer there."""


class Worker(Protocol):
    """One of the pool's workers; all but `end` raise WorkerLostError when it is gone."""

    def wait_ready(self) -> None:
        """Return once it can be given units; without end where a cluster has no room for it."""

    def do(self, key: int, work: Callable[[Any], Any], unit: Any) -> Any:
        """Do a unit; what `work` raises is raised here.

        Args:
            key: tells this work from others.
            work: does the unit; it is handed over once.
            unit: its argument.
        """

    def end(self) -> None:
        """End it, whatever it does, also while another thread waits for it."""


class InProcess:
    """A worker that is this process."""

    def wait_ready(self) -> None:
        """See `Worker`."""

    def do(self, key: int, work: Callable[[Any], Any], unit: Any) -> Any:
        """See `Worker`."""
        return work(unit)

    def end(self) -> None:
        """See `Worker`."""


@dataclass(order=True)
class _Task:
    """A unit that waits; the one that was given first is done first, also when it is tried again."""

    number: float
    work: Callable[[Any], Any] | None = field(compare=False)
    unit: Any = field(compare=False)
    future: "Future[Any]" = field(compare=False)
    tries: int = field(default=0, compare=False)


class WorkerPool:
    """Some workers and the units that wait for them.

    Args:
        start: starts a worker.
        workers: how many there are at once.
    """

    def __init__(self, start: Callable[[], Worker], workers: int) -> None:
        self.workers = workers
        self._start, self._numbers = start, itertools.count()
        self._waiting: PriorityQueue[_Task] = PriorityQueue()
        self._works: dict[int, Callable[[Any], Any]] = {}
        self._lock, self._closed, self._alive = Lock(), False, workers
        self._at_work: set[Worker] = set()
        self._threads = [Thread(target=self._serve, daemon=True) for _ in range(workers)]
        for thread in self._threads:
            thread.start()

    def submit(self, work: Callable[[Any], Any], unit: Any) -> "Future[Any]":
        """Have a unit done, after those that wait already.

        Args:
            work: does it. With other processes it must be what pickle can name or take apart; it is sent to each of
                them once, and may keep there what it needs from unit to unit.
            unit: its argument.

        Returns:
            What will have come of it, or what `work` raised; a TsuzukiError where workers die of it again and again.
        """
        future: Future[Any] = Future()
        with self._lock:
            # Held on to, so that no other object gets this one's address.
            self._works[id(work)] = work
            alive = self._alive
            if alive:
                self._waiting.put(_Task(next(self._numbers), work, unit, future))
        if not alive:
            future.set_exception(_no_workers())
        return future

    def close(self) -> None:
        """End the workers; units that wait or are being done are given up."""
        with self._lock:
            self._closed = True
            working = list(self._at_work)
        for _ in self._threads:
            self._waiting.put(_Task(-1, None, None, Future()))
        for worker in working:
            worker.end()
        for thread in self._threads:
            thread.join(ENDING_SECONDS if self._start is InProcess else None)

    def __enter__(self) -> "WorkerPool":
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def _serve(self) -> None:
        """One worker after another, each until it is lost, in a thread of this process."""
        try:
            while (worker := self._started()) is not None:
                if not self._units_for(worker):
                    return
        finally:
            self._leave()

    def _started(self) -> Worker | None:
        """A worker that can be given units; None where the pool is closed, or none lives so long."""
        for _ in range(TRIES):
            if self._closed:
                break
            worker = self._start()
            with self._lock:
                closed = self._closed
                self._at_work.add(worker)
            try:
                if not closed:
                    worker.wait_ready()
                    return worker
            except WorkerLostError:
                pass
            self._end(worker)
        return None

    def _end(self, worker: Worker) -> None:
        worker.end()
        with self._lock:
            self._at_work.discard(worker)

    def _units_for(self, worker: Worker) -> bool:
        """Give a worker unit after unit; whether another one is to take its place."""
        try:
            while (task := self._waiting.get()).work is not None:
                try:
                    found = worker.do(id(task.work), task.work, task.unit)
                except WorkerLostError:
                    self._try_again(task)
                    return not self._closed
                except BaseException as error:
                    task.future.set_exception(error)
                else:
                    task.future.set_result(found)
            return False
        finally:
            self._end(worker)

    def _try_again(self, task: _Task) -> None:
        task.tries += 1
        if self._closed:
            task.future.cancel()
        elif task.tries < TRIES:
            self._waiting.put(task)
        else:
            task.future.set_exception(
                TsuzukiError(
                    f"a worker ended {TRIES} times at the same piece of work; look at the memory of its machine, or "
                    "use fewer workers"
                )
            )

    def _leave(self) -> None:
        """Behind the last worker's thread nothing is done any more."""
        with self._lock:
            self._alive -= 1
            if self._alive:
                return
        while not self._waiting.empty():
            task = self._waiting.get()
            if self._closed:
                task.future.cancel()
            else:
                task.future.set_exception(_no_workers())


def _no_workers() -> TsuzukiError:
    return TsuzukiError(
        f"no worker could be started: {TRIES} of them ended before they began; see above what they said, or leave "
        "workers out"
    )
