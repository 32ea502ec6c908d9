"""Who does units of work: this process, others of this machine, or a Ray cluster.

Nothing of Ray is imported where no cluster is named.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from typing import Any, TypeVar

from tsuzuki.distributed.worker_pool import InProcess, WorkerPool
from tsuzuki.errors import MissingExtraError, SettingError
from tsuzuki.training.workers import WAKE_SECONDS

Unit = TypeVar("Unit")
Result = TypeVar("Result")


def check_workers(workers: int, address: str | None) -> None:
    """Raise before any work where workers cannot be had.

    Raises:
        SettingError: no worker.
        MissingExtraError: a cluster is named, and Ray is not installed.
    """
    if not (hasattr(workers, "__index__") and workers >= 1):
        raise SettingError(f"workers is {workers!r}; give a whole number from 1")
    if address is not None:
        check_ray("a cluster needs", "leave the address out")


def check_ray(whose: str, otherwise: str) -> None:
    """Raise MissingExtraError where Ray is not installed: whose need it is, and what to do otherwise."""
    from importlib.util import find_spec

    if find_spec("ray") is None:
        raise MissingExtraError(f'{whose} the package ray; install it with: pip install "tsuzuki[ray]", or {otherwise}')


@contextmanager
def open_pool(workers: int, address: str | None = None) -> Iterator[WorkerPool]:
    """Workers, each computing in one thread, until the context ends.

    Args:
        workers: how many; one without a cluster is this process.
        address: of a Ray cluster: HEAD:6379, "auto" for the one of this machine, "local" to start one here. A Ray that
            runs in this process already is used as it is. None: processes of this machine, without Ray.

    Raises:
        MissingExtraError: Ray is not installed.
        SettingError: no worker, or the cluster cannot be reached.
    """
    check_workers(workers, address)
    if address is None:
        from tsuzuki.distributed.local_process import LocalProcess

        with WorkerPool(InProcess if workers == 1 else LocalProcess, workers) as pool:
            yield pool
        return
    from tsuzuki.distributed.ray_actor import RayActor

    started = join_ray(workers, address)
    try:
        with WorkerPool(RayActor, workers) as pool:
            yield pool
    finally:
        if started:
            import ray

            ray.shutdown()


@contextmanager
def some_workers(workers: int | None, address: str | None = None) -> Iterator[WorkerPool | None]:
    """As `open_pool`; None, for this process, where neither workers nor a cluster are asked for."""
    if workers is None and address is None:
        yield None
        return
    with open_pool(1 if workers is None else workers, address) as pool:
        yield pool


def run_units(
    work: Callable[[Unit], Result], units: Sequence[Unit], workers: int = 1, address: str | None = None
) -> Iterator[tuple[int, Result]]:
    """Do some units of work.

    Args:
        work: does one unit; with several workers it runs in other processes, so it must be a function of a module.
        units: what it is given.
        workers: how many work at once.
        address: as for `open_pool`.

    Yields:
        The number of a unit and what came of it, as they are done.

    Raises:
        MissingExtraError, SettingError: as for `open_pool`.
        Exception: what `work` raised.
    """
    check_workers(workers, address)
    if workers == 1 and address is None:
        for number, unit in enumerate(units):
            yield number, work(unit)
        return
    with open_pool(workers, address) as pool:
        numbers: dict[Future[Result], int] = {pool.submit(work, unit): n for n, unit in enumerate(units)}
        left = set(numbers)
        while left:
            done, left = wait(left, WAKE_SECONDS, FIRST_COMPLETED)
            for future in done:
                yield numbers[future], future.result()


def join_ray(workers: int, address: str | None) -> bool:
    """Start or join Ray unless it runs already; return whether it did.

    Raises:
        SettingError: it cannot be reached.
    """
    import ray

    if ray.is_initialized():
        return False
    here = address in (None, "local")
    own: dict[str, Any] = {"num_cpus": workers, "include_dashboard": False} if here else {}
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **own)
    except (ConnectionError, OSError, ValueError, RuntimeError) as error:
        said = " ".join(str(error).split())[:160]
        raise SettingError(
            f"Ray cannot be reached at {address or 'this machine'} ({said}); check the address"
        ) from None
    return True
