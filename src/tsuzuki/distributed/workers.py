"""Whole units of work in this process, or in workers that Ray runs on this machine or on a cluster.

A unit depends on its arguments alone, so it may be done again: one whose worker dies is given to another. Nothing of
Ray is imported where there is one worker and no cluster.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from tsuzuki.errors import MissingExtraError, SettingError

Unit = TypeVar("Unit")
Result = TypeVar("Result")

# Units that wait at the workers while others are done, for each worker.
WAITING = 2
# How often a unit is tried whose worker died.
TRIES = 5


def check_workers(workers: int, address: str | None) -> None:
    """Raise before any work where workers cannot be had.

    Raises:
        SettingError: no worker.
        MissingExtraError: Ray is needed and not installed.
    """
    from importlib.util import find_spec

    if not (hasattr(workers, "__index__") and workers >= 1):
        raise SettingError(f"workers is {workers!r}; give a whole number from 1")
    if (workers > 1 or address is not None) and find_spec("ray") is None:
        raise MissingExtraError(
            'several workers need the package ray; install it with: pip install "tsuzuki[ray]", or leave workers at 1'
        )


def run_units(
    work: Callable[[Unit], Result], units: Sequence[Unit], workers: int = 1, address: str | None = None
) -> Iterator[tuple[int, Result]]:
    """Do some units of work.

    Args:
        work: does one unit; with several workers it runs in other processes, so it must be a function of a module.
        units: what it is given.
        workers: how many work at once; each computes in one thread.
        address: of a Ray cluster to join; None starts Ray on this machine where there are several workers. A Ray that
            runs in this process already is used as it is.

    Yields:
        The number of a unit and what came of it, as they are done.

    Raises:
        MissingExtraError: Ray is not installed.
        SettingError: the cluster cannot be reached.
        Exception: what `work` raised.
    """
    check_workers(workers, address)
    if workers == 1 and address is None:
        for number, unit in enumerate(units):
            yield number, work(unit)
        return
    import ray

    started = join_ray(workers, address)
    try:
        yield from _spread(ray, work, units, workers)
    finally:
        if started:
            ray.shutdown()


def join_ray(workers: int, address: str | None) -> bool:
    """Start or join Ray unless it runs already; return whether it did.

    Raises:
        SettingError: it cannot be reached.
    """
    import ray

    if ray.is_initialized():
        return False
    own: dict[str, Any] = {} if address is not None else {"num_cpus": workers, "include_dashboard": False}
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **own)
    except (ConnectionError, OSError, ValueError, RuntimeError) as error:
        said = " ".join(str(error).split())[:160]
        raise SettingError(
            f"Ray cannot be reached at {address or 'this machine'} ({said}); check the address"
        ) from None
    return True


def _spread(
    ray: Any, work: Callable[[Unit], Result], units: Sequence[Unit], workers: int
) -> Iterator[tuple[int, Result]]:
    remote = ray.remote(
        num_cpus=1, max_retries=TRIES, runtime_env={"env_vars": {"TSUZUKI_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}}
    )(work)
    numbers: dict[Any, int] = {}
    waiting = iter(enumerate(units))
    try:
        while True:
            while len(numbers) < WAITING * workers:
                following = next(waiting, None)
                if following is None:
                    break
                numbers[remote.remote(following[1])] = following[0]
            if not numbers:
                return
            done, _ = ray.wait(list(numbers), num_returns=1)
            number = numbers.pop(done[0])
            try:
                found = ray.get(done[0])
            except ray.exceptions.RayTaskError as error:
                raise (error.cause or error) from None
            yield number, found
    finally:
        for pending in numbers:
            ray.cancel(pending, force=True)
