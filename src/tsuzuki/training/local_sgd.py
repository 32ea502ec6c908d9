"""Local SGD: replicas of a network go on from common weights, each on its shard of the data, and are averaged.

Between two averages nothing travels (Stich 2019, "Local SGD converges fast and communicates little"; McMahan et al.
2017). The optimiser's moments are averaged, too (Douillard et al. 2023 begin them anew). Who computes which replica
does not matter: each depends on its arguments alone, and they are added up in the order of the shards.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tsuzuki.engine.compiled_network import CompiledNetwork
from tsuzuki.errors import TooShortError
from tsuzuki.training.drawn_rows import Piece
from tsuzuki.training.replica import Replica

# What Adam keeps for each weight; see `CompiledNetwork.slot`.
MOMENTS = 2


@dataclass(frozen=True)
class Common:
    """Where all replicas begin a round, and where each of them ends.

    Attributes:
        arrays: float32, the weights, then the optimiser's moments, in the order of `network.parameters`.
        updates_done: what the learning rate's schedule and Adam's correction count.
        rate_factor: of the learning rate.
    """

    arrays: list[NDArray[np.float32]]
    updates_done: int
    rate_factor: float

    @classmethod
    def of(cls, compiled: CompiledNetwork) -> "Common":
        """Where a network stands."""
        slots = [array for number in range(MOMENTS) for array in compiled.slot(number)]
        return cls([*compiled.weights(), *slots], compiled.updates_done, compiled.rate_factor)

    def put(self, compiled: CompiledNetwork) -> None:
        """Let a network stand there."""
        count = len(self.arrays) // (1 + MOMENTS)
        compiled.set_weights(self.arrays[:count])
        for number in range(MOMENTS):
            compiled.set_slot(number, self.arrays[(1 + number) * count : (2 + number) * count])
        compiled.updates_done, compiled.rate_factor = self.updates_done, self.rate_factor


@dataclass(frozen=True)
class Outcome:
    """A replica at the end of a round.

    Attributes:
        end: where it stands.
        results: float64 [updates, 2], the losses and what they scored.
    """

    end: Common
    results: NDArray[np.float64]


def train_replica(replica: Replica, begin: Common, pieces: Sequence[Piece]) -> Outcome:
    """Train through the pieces of a round.

    Args:
        replica: any that has the same recipe and data; nothing of what it did before matters.
        begin: where it begins.
        pieces: of a shard; where none of them has a row that can be used, the replica stays where it is.
    """
    begin.put(replica.compiled)
    results = [np.zeros((0, 2))]
    with contextlib.suppress(TooShortError):
        results += replica.round(pieces)
    return Outcome(Common.of(replica.compiled), np.concatenate(results))


def average(ends: Sequence[Common], shares: Sequence[float]) -> Common:
    """The mean of replicas, in float64 and in their order, so that it has the same bits everywhere.

    Args:
        ends: where they stand.
        shares: of each in the mean, which add up to 1.
    """
    arrays = []
    for own in zip(*(end.arrays for end in ends), strict=True):
        total = np.zeros(own[0].shape)
        for array, share in zip(own, shares, strict=True):
            total += share * array.astype(np.float64)
        arrays.append(total.astype(np.float32))
    return Common(arrays, max(end.updates_done for end in ends), ends[0].rate_factor)


class Replicas(Protocol):
    """Who trains the replicas of one network, and scores it."""

    @property
    def identity(self) -> str:
        """What tells how the data are cut from other ways to."""
        ...

    def train(self, number: int, begin: Common) -> list[Outcome]:
        """Train all replicas through a round (from 0); those of all shards, in order."""
        ...

    def loss(self, weights: list[NDArray[np.float32]]) -> float | None:
        """The loss of what is held out; None where there is nothing."""
        ...


class AveragedRounds:
    """Rounds of which each ends in the mean of all shards' replicas; see `drawn_fit.Rounds`.

    Args:
        replicas: who trains them.
        shares: of each shard in the mean, which add up to 1.
        updates: of each replica in a round, which is what a budget counts.
    """

    def __init__(self, replicas: Replicas, shares: Sequence[float], updates: int) -> None:
        self._replicas, self._shares = replicas, shares
        # A mean of several replicas is further by little more than each of them: on M4's hourly series, four that made
        # a quarter of the updates each were 14 % worse than one that made all.
        self.updates, self.identity = updates, replicas.identity

    def round(self, number: int, compiled: CompiledNetwork) -> Iterator[NDArray[np.float64]]:
        """See `Rounds`."""
        found = self._replicas.train(number, Common.of(compiled))
        if not any(len(one.results) for one in found):
            raise TooShortError("no shard holds stretches of readings to learn from; give more of them")
        for one in found:
            if len(one.results):
                yield one.results
        average([one.end for one in found], self._shares).put(compiled)

    def loss(self, compiled: CompiledNetwork) -> float | None:
        """See `Rounds`."""
        return self._replicas.loss(compiled.weights())
