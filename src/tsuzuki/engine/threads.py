"""How many threads compute, and the compiled program run by several of them at once; and NumPy's own threads."""

import ctypes
import functools
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

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


@functools.cache
def _blas() -> tuple[Callable[[], int], Callable[[int], object]] | None:
    """What asks and says how many threads NumPy's OpenBLAS has; None where NumPy computes with another library."""
    try:
        # What its linear algebra is linked with is found through it.
        library = ctypes.CDLL(np.linalg._umath_linalg.__file__)
    except (AttributeError, OSError):
        return None
    for prefix, suffix in (("scipy_", "64_"), ("", "64_"), ("", "")):
        ask, say = (getattr(library, f"{prefix}openblas_{verb}_num_threads{suffix}", None) for verb in ("get", "set"))
        if ask is not None and say is not None:
            return ask, say
    return None


_lock = threading.Lock()
# How many contexts of `products_alone` there are, and the threads before the first of them.
_alone = [0, 0]


@contextmanager
def products_alone() -> Iterator[None]:
    """Have NumPy compute products and solutions in the thread that asks for them, in this process, while this lasts.

    OpenBLAS spreads even small ones over all cores, and its threads spin while they wait for one another: where cores
    are busy, a fit of 40,000 points spent a fifth of its CPU so. Results do not depend on the number of cores either.
    """
    blas = _blas()
    if blas is None:
        yield
        return
    ask, say = blas
    with _lock:
        if _alone[0] == 0:
            _alone[1] = ask()
            say(1)
        _alone[0] += 1
    try:
        yield
    finally:
        with _lock:
            _alone[0] -= 1
            if _alone[0] == 0:
                say(_alone[1])
