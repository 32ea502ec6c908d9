"""The shards of a bank, in this process or each in a worker that Ray runs; both are asked the same way."""

from collections.abc import Sequence
from typing import Any, Protocol

from tsuzuki.distributed.local_process import ONE_THREAD
from tsuzuki.distributed.shard import Shard
from tsuzuki.distributed.workers import join_ray
from tsuzuki.errors import FileError

# Workers in a row that a shard may lose.
TRIES = 3
# Before these a shard that was made anew has to be where the others are.
_GOES_ON = ("update", "write_states", "interval")

# What a shard is made of; None where it has no series.
Arguments = tuple[Any, ...] | None
# A method of a shard, or an attribute, and its arguments.
Call = tuple[Any, ...]


class Shards(Protocol):
    """Some shards."""

    def make(self, arguments: Sequence[Arguments]) -> None:
        """Make them."""

    def ask(self, calls: Sequence[Call], upto: int) -> list[Any]:
        """Call each shard that has series, all at once.

        Args:
            calls: one for each shard.
            upto: the last update that all shards have taken.
        """

    def close(self) -> None:
        """End them."""


class LocalShards:
    """Shards in this process, one after another."""

    def __init__(self) -> None:
        self.shards: list[Shard | None] = []

    def make(self, arguments: Sequence[Arguments]) -> None:
        """See `Shards`."""
        self.shards = [None if own is None else Shard(*own) for own in arguments]

    def ask(self, calls: Sequence[Call], upto: int) -> list[Any]:
        """See `Shards`."""
        return [answer(shard, *call) for shard, call in zip(self.shards, calls, strict=True) if shard is not None]

    def close(self) -> None:
        """See `Shards`."""
        self.shards = []


class RayShards:
    """Shards side by side, each in a process of its own; one that dies is made anew from its files."""

    def __init__(self, workers: int, address: str | None) -> None:
        self._started_ray = join_ray(workers, address)
        self._arguments: list[Arguments] = []
        self._actors: list[Any] = []

    def make(self, arguments: Sequence[Arguments]) -> None:
        """See `Shards`."""
        self._arguments = list(arguments)
        self._actors = [None if own is None else self._actor(own) for own in arguments]

    def _actor(self, arguments: tuple[Any, ...]) -> Any:
        import ray

        return ray.remote(num_cpus=1, runtime_env={"env_vars": ONE_THREAD})(_Actor).remote(*arguments)

    def ask(self, calls: Sequence[Call], upto: int) -> list[Any]:
        """See `Shards`."""
        pending = {
            shard: actor.call.remote(*calls[shard]) for shard, actor in enumerate(self._actors) if actor is not None
        }
        return [self._answer(shard, first, calls[shard], upto) for shard, first in pending.items()]

    def _answer(self, shard: int, pending: Any, call: Call, upto: int) -> Any:
        import ray

        for _ in range(TRIES):
            try:
                return ray.get(pending)
            except ray.exceptions.RayTaskError as error:
                raise (error.cause or error) from None
            except ray.exceptions.RayActorError:
                arguments = self._arguments[shard]
                assert arguments is not None
                actor = self._actors[shard] = self._actor(arguments)
                if call[0] in _GOES_ON:
                    actor.call.remote("start", upto)
                pending = actor.call.remote(*call)
        raise FileError(f"shard {shard} of the bank dies again and again; look at the memory of its machine")

    def process_ids(self) -> list[int]:
        """The processes of the shards that have series."""
        import ray

        found: list[int] = ray.get([actor.process_id.remote() for actor in self._actors if actor is not None])
        return found

    def close(self) -> None:
        """See `Shards`."""
        import ray

        for actor in self._actors:
            if actor is not None:
                ray.kill(actor)
        self._actors = []
        if self._started_ray:
            ray.shutdown()


class _Actor:
    """A shard in a worker."""

    def __init__(self, *arguments: Any) -> None:
        self._shard = Shard(*arguments)

    def call(self, method: str, *arguments: Any) -> Any:
        return answer(self._shard, method, *arguments)

    def process_id(self) -> int:
        import os

        return os.getpid()


def shards_for(workers: int, address: str | None) -> Shards:
    """Shards in this process for one worker without a cluster, else over Ray."""
    return LocalShards() if workers == 1 and address is None else RayShards(workers, address)


def answer(shard: Shard, method: str, *arguments: Any) -> Any:
    """Call a method of a shard, or read an attribute."""
    found = getattr(shard, method)
    return found(*arguments) if callable(found) else found
