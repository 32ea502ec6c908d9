"""How many threads compute, and the compiled program run by several of them at once."""

import os
import threading

import numpy as np
from numpy.typing import NDArray

from tsuzuki.engine.machine_code import Program
from tsuzuki.errors import SettingError


def threads_allowed() -> int:
    """TSUZUKI_NUM_THREADS, or else the cores that this process may use.

    Raises:
        SettingError: the environment names something that is no whole number from 1.
    """
    named = os.environ.get("TSUZUKI_NUM_THREADS", "")
    if named and not (named.isdigit() and int(named) > 0):
        raise SettingError(f"TSUZUKI_NUM_THREADS is {named!r} in the environment; set it to a whole number from 1")
    if named:
        return int(named)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def threads_for(blocks: int, asked: int | None) -> int:
    """How many threads to use: what is asked, or what is allowed; never more than there are blocks of lanes."""
    # How threads wait for each other has been tried with POSIX's sched_yield alone.
    return 1 if os.name == "nt" else max(1, min(threads_allowed() if asked is None else asked, blocks))


def run_threads(program: Program, address: int, threads: int, barrier: NDArray[np.int64]) -> int:
    """Run a job in this thread and `threads` - 1 others; return how many updates were finite.

    Args:
        program: the compiled program.
        address: of the job.
        threads: how many.
        barrier: int64 [8], where the threads wait for each other.
    """
    barrier[:] = 0
    others = [threading.Thread(target=program, args=(address, i)) for i in range(1, threads)]
    for thread in others:
        thread.start()
    done = program(address, 0)
    for thread in others:
        thread.join()
    return done
