"""Threads that stay between the rounds of a bank, so that the next round finds them awake (see `kernels`)."""

import ctypes
import functools
import os
import threading
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from tsuzuki.engine import machine_code
from tsuzuki.kernels import standing_worker as table

UNIT = "standing_worker"


class StandingWorker:
    """One thread, and where work is posted for it."""

    def __init__(self) -> None:
        machine_code.load((UNIT,))
        self._fields = np.zeros(table.FIELDS, np.int64)
        self._address = ctypes.c_int64(self._fields.ctypes.data)
        place = machine_code.address_of
        # Only the worker and who waits for it let go of the interpreter.
        self._serve = ctypes.CFUNCTYPE(None, ctypes.c_int64)(place(UNIT, "serve"))
        self._post = ctypes.PYFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(place(UNIT, "post"))
        self._wait = ctypes.CFUNCTYPE(None, ctypes.c_int64)(place(UNIT, "wait"))
        self._bell = threading.Semaphore(0)
        threading.Thread(target=self._live, name="tsuzuki-standing", daemon=True).start()

    def _live(self) -> None:
        while True:
            self._serve(self._address)
            self._bell.acquire()
            self._fields[table.ASLEEP] = 0

    def begin(self, jobs: NDArray[np.int64]) -> None:
        """Have jobs run, given by their addresses, which have to live until `end`."""
        self._fields[table.JOBS], self._fields[table.COUNT] = jobs.ctypes.data, len(jobs)
        if self._post(self._address):
            self._bell.release()

    def end(self) -> None:
        """Wait until they have been run."""
        # An interrupt may have come between the post and the bell; to ring once too often only wakes the worker.
        if self._fields[table.ASLEEP]:
            self._bell.release()
        self._wait(self._address)


class StandingWorkers:
    """Several such threads, for one round at a time.

    Args:
        count: how many.
    """

    def __init__(self, count: int) -> None:
        self._workers = [StandingWorker() for _ in range(count)]
        self._free = threading.Lock()

    def run(self, first: Callable[[], object], others: Sequence[NDArray[np.int64]]) -> bool:
        """Run jobs beside a function that runs others itself; False where the threads are at another round.

        Args:
            first: what is run in this thread.
            others: the addresses of jobs, for a thread each.
        """
        if not self._free.acquire(blocking=False):
            return False
        busy = self._workers[: len(others)]
        try:
            for worker, jobs in zip(busy, others, strict=True):
                worker.begin(jobs)
            first()
        finally:
            # Whatever happens here, nobody may change what they still read.
            for worker in busy:
                worker.end()
            self._free.release()
        return True


@functools.cache
def standing_workers(count: int) -> StandingWorkers:
    """The threads of this process."""
    return StandingWorkers(count)


# A forked child has none of the threads, and would wait for them for ever.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=standing_workers.cache_clear)
