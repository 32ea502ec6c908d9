"""A worker that is an actor of Ray, on this machine or another of its cluster."""

import contextlib
from collections.abc import Callable
from typing import Any

from tsuzuki.distributed.local_process import ONE_THREAD
from tsuzuki.distributed.worker_pool import WorkerLostError


class RayActor:
    """See `Worker`."""

    def __init__(self) -> None:
        import ray

        made: Any = ray.remote(num_cpus=1, runtime_env={"env_vars": ONE_THREAD})(_Works)
        self._actor: Any = made.remote()
        self._kept: dict[int, Any] = {}

    def wait_ready(self) -> None:
        """See `Worker`. Where the cluster has too few cores, it waits for one, and others do all units meanwhile."""
        self._answer(self._actor.ready.remote())

    def do(self, key: int, work: Callable[[Any], Any], unit: Any) -> Any:
        """See `Worker`."""
        import ray

        if key not in self._kept:
            self._kept[key] = ray.put(work)
        # In a list it comes as a reference, to be fetched by a worker that does not have it yet.
        return self._answer(self._actor.do.remote(key, [self._kept[key]], unit))

    def _answer(self, pending: Any) -> Any:
        import ray

        try:
            return ray.get(pending)
        except ray.exceptions.RayTaskError as error:
            raise (error.cause or error) from None
        except ray.exceptions.RayError as error:
            # The actor, its machine, or an answer that lay on it.
            raise WorkerLostError from error

    def end(self) -> None:
        """See `Worker`."""
        import ray

        with contextlib.suppress(ray.exceptions.RayError, ValueError):
            ray.kill(self._actor)


class _Works:
    """What runs in the actor: the works that it was handed, by their keys."""

    def __init__(self) -> None:
        self._works: dict[int, Callable[[Any], Any]] = {}

    def ready(self) -> None:
        """Answer, which says that it lives."""

    def do(self, key: int, handed: list[Any], unit: Any) -> Any:
        import ray

        if key not in self._works:
            self._works[key] = ray.get(handed[0])
        return self._works[key](unit)
