"""One network of an ensemble trained on shards of a store: what a worker does, and who asks the workers.

The series are dealt to shards by their lengths, so a shard depends on the data alone. A worker keeps a replica of each
network from unit to unit; what comes of a unit depends on its arguments alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tsuzuki.forecasting.drawn_training import Drawing, drawing_of
from tsuzuki.forecasting.rules import Rules
from tsuzuki.forecasting.spread import loss_of
from tsuzuki.forecasting.store_windows import rows_of
from tsuzuki.training.drawn_fit import usual_steps
from tsuzuki.training.local_sgd import AveragedRounds, Common, Outcome, train_replica
from tsuzuki.training.replica import Replica, ScoredPieces
from tsuzuki.training.workers import Workers, result_of

if TYPE_CHECKING:
    from tsuzuki.data.panel_store import PanelStore
    from tsuzuki.forecasting.settings import Settings
    from tsuzuki.forecasting.stepwise import ModelSpec
    from tsuzuki.forecasting.store_statistics import SeriesStatistics

# Shards of a store, and of one that is so large that a shard would have more steps than these; at most so many.
SHARDS, SHARD_STEPS, MOST_SHARDS = 2, 25_000_000, 32


def shards_of(steps: NDArray[np.int64]) -> NDArray[np.int64]:
    """The shard of each series, int64 [series]: dealt out one by one, the longest first.

    Args:
        steps: int64 [series], how long they are.
    """
    count = max(SHARDS, min(MOST_SHARDS, int(steps.sum()) // SHARD_STEPS))
    found = np.empty(len(steps), np.int64)
    found[np.argsort(-steps, kind="stable")] = np.arange(len(steps)) % min(count, len(steps))
    return found


@dataclass(frozen=True)
class ShardJob:
    """What all workers need to know, as it is sent to them.

    Attributes:
        store: the readings, of which only the names, times and places are sent.
        statistics: of its series.
        rules: what a sample of them suggested.
        spec: the networks and how they read.
        settings: of the forecaster.
    """

    store: "PanelStore"
    statistics: "SeriesStatistics"
    rules: Rules
    spec: "ModelSpec"
    settings: "Settings"


@dataclass(frozen=True)
class TrainUnit:
    """A replica's round.

    Attributes:
        member: the network.
        shard: its data.
        number: of the round.
        begin: where the replica begins.
    """

    member: int
    shard: int
    number: int
    begin: Common


@dataclass(frozen=True)
class ScoreUnit:
    """Held-out pieces of a network, to be scored with its weights as they are."""

    member: int
    weights: list[NDArray[np.float32]]


class ShardWork:
    """Does units, in a worker.

    Args:
        job: what it needs to know.
    """

    def __init__(self, job: ShardJob) -> None:
        self._job = job
        self._members: dict[int, _Member] = {}

    def __reduce__(self) -> "tuple[Any, ...]":
        # What a worker keeps is its own.
        return ShardWork, (self._job,)

    def __call__(self, unit: TrainUnit | ScoreUnit) -> Outcome | float | None:
        """Do one unit."""
        member = self._member(unit.member)
        if isinstance(unit, ScoreUnit):
            return member.loss(unit.weights)
        return train_replica(member.replica, unit.begin, member.drawing_on(unit.shard).pieces_of(unit.number))

    def _member(self, number: int) -> "_Member":
        if number not in self._members:
            self._members[number] = _Member(self._job, number)
        return self._members[number]


class _Member:
    """One network in a worker."""

    def __init__(self, job: ShardJob, number: int) -> None:
        self._rows = rows_of(job.store, job.statistics, job.rules, job.spec.before, job.settings, number)
        self._shards = shards_of(np.diff(job.store.offsets))
        self._whole = drawing_of(self._rows, job.spec, job.settings, number, loss_of(job.settings, job.rules))
        usual = usual_steps(self._whole.pieces_of(0))
        self.replica = Replica(self._whole.recipe, self._whole.weights, self._rows, usual, threads=1)
        self._drawings: dict[int, Drawing] = {}
        self._scored: ScoredPieces | None = None

    def drawing_on(self, shard: int) -> Drawing:
        """How a replica is trained on one shard."""
        if shard not in self._drawings:
            self._drawings[shard] = self._whole.among(*self._rows.of(self._shards == shard).bounds(), shard)
        return self._drawings[shard]

    def loss(self, weights: list[NDArray[np.float32]]) -> float | None:
        if self._scored is None:
            self._scored = self.replica.scored(self._whole.held_out)
        self.replica.compiled.set_weights(weights)
        return None if self._scored is None else self._scored.loss()


class ShardReplicas:
    """Asks workers for the replicas of one network; see `local_sgd.Replicas`.

    Args:
        workers: who are asked.
        work: what they do.
        member: the network.
        shards: how many there are.
        on_wait: called now and then while it waits; what it raises ends the waiting.
    """

    def __init__(
        self, workers: Workers, work: ShardWork, member: int, shards: int, on_wait: Callable[[], object]
    ) -> None:
        self._workers, self._work, self._member = workers, work, member
        self._shards, self._on_wait = shards, on_wait
        self.identity = f"{shards} shards"

    def train(self, number: int, begin: Common) -> list[Outcome]:
        """See `Replicas`."""
        units = [TrainUnit(self._member, shard, number, begin) for shard in range(self._shards)]
        return [result_of(one, self._on_wait) for one in [self._workers.submit(self._work, unit) for unit in units]]

    def loss(self, weights: list[NDArray[np.float32]]) -> float | None:
        """See `Replicas`."""
        found: float | None = result_of(
            self._workers.submit(self._work, ScoreUnit(self._member, weights)), self._on_wait
        )
        return found


def rounds_on_shards(
    workers: Workers,
    work: ShardWork,
    member: int,
    steps: NDArray[np.int64],
    updates: int,
    on_wait: Callable[[], object],
) -> AveragedRounds:
    """The rounds of one network, made by workers.

    Args:
        workers: who are asked.
        work: what they do.
        member: the network.
        steps: int64 [series], how long the series are.
        updates: of a replica in a round.
        on_wait: as for `ShardReplicas`.
    """
    own = np.bincount(shards_of(steps), weights=steps)
    return AveragedRounds(ShardReplicas(workers, work, member, len(own), on_wait), own / own.sum(), updates)
