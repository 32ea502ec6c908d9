"""Training in rounds, each on stretches drawn anew, until a budget is used up; see `drawn_rows` and `budget`.

Where `fit` goes through all data again and again, here a round is as long for ten million readings as for ten billion.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tsuzuki.engine.compiled_network import CompiledNetwork
from tsuzuki.training.budget import Budget
from tsuzuki.training.checkpoints import Checkpoint, identity_of
from tsuzuki.training.drawn_rows import Piece, RowSource
from tsuzuki.training.early_stopping import EarlyStopping, LossMonitor
from tsuzuki.training.epoch import diverged
from tsuzuki.training.records import Training
from tsuzuki.training.replica import Recipe, Replica
from tsuzuki.training.state import TrainingState


class Rounds(Protocol):
    """Who makes the updates of a round, and scores what is held out."""

    @property
    def updates(self) -> int:
        """Updates of a round, at most, as a budget counts them."""
        ...

    @property
    def identity(self) -> str:
        """What tells these rounds from others of the same data; for the checkpoint."""
        ...

    def round(self, number: int, compiled: CompiledNetwork) -> Iterator[NDArray[np.float64]]:
        """Make the updates of a round (from 0), from where the network stands, and leave it where they end.

        Yields:
            What some updates came to, [updates, 2]; as of `Replica.round`.
        """
        ...

    def loss(self, compiled: CompiledNetwork) -> float | None:
        """The loss of what is held out, with the weights as they are; None where there is nothing."""
        ...


class OwnRounds:
    """Rounds of one network, here.

    Args:
        replica: the network.
        pieces_of: the pieces of a round (from 0); the same ones whenever it is asked.
        held_out: pieces to score.
        updates: of a round.
    """

    identity = ""

    def __init__(
        self, replica: Replica, pieces_of: Callable[[int], Sequence[Piece]], held_out: Sequence[Piece], updates: int
    ) -> None:
        self.updates, self._replica, self._pieces_of = updates, replica, pieces_of
        self._scored = replica.scored(held_out)

    def round(self, number: int, compiled: CompiledNetwork) -> Iterator[NDArray[np.float64]]:
        """See `Rounds`."""
        yield from self._replica.round(self._pieces_of(number))

    def loss(self, compiled: CompiledNetwork) -> float | None:
        """See `Rounds`."""
        return None if self._scored is None else self._scored.loss()


def fit_drawn(
    recipe: Recipe,
    weights: Sequence[NDArray[np.float32]],
    source: RowSource,
    pieces_of: Callable[[int], Sequence[Piece]],
    budget: Budget,
    *,
    held_out: Sequence[Piece] = (),
    rounds: Rounds | None = None,
    threads: int | None = None,
    checkpoint: str | Path | None = None,
    every: str | float = 30.0,
    identity: str = "",
    on_progress: Callable[[float], object] | None = None,
) -> Training:
    """Train a network on drawn pieces of data.

    Args:
        recipe: the network and how it is trained; the budget lowers the learning rate.
        weights: arrays to start from; they are not changed.
        source: the data.
        pieces_of: the pieces of a round (from 0); the same ones whenever it is asked.
        budget: what ends the training.
        held_out: pieces to score after each round; the weights of the best round are kept. Without, the last ones are.
        rounds: who makes the updates; this process if None.
        threads: as many as there is work for if None; the bits do not depend on it.
        checkpoint: a file to go on from, written after whole rounds.
        every: how often it is written, in seconds or as "30s", "5m", "1h".
        identity: what tells these data from others; for the checkpoint.
        on_progress: called with each further share of the work done, the shares adding up to 1; what it raises ends the
            training.

    Returns:
        The finished weights and a record of each round.

    Raises:
        DivergedError: the loss is not finite.
        FileError: the checkpoint cannot be read or written.
    """
    began = time.monotonic()
    replica = Replica(recipe, weights, source, usual_steps(pieces_of(0)), threads)
    compiled = replica.compiled
    if rounds is None:
        rounds = OwnRounds(replica, pieces_of, held_out, recipe.shape.updates)
    scores = rounds.loss(compiled) is not None
    run = TrainingState(compiled, None, LossMonitor(EarlyStopping(patience=2**62) if scores else None, None))
    keeper = None
    if checkpoint is not None:
        described = (recipe, budget, identity, rounds.identity)
        keeper = Checkpoint(checkpoint, every, identity_of(described, tuple(held_out), *weights))
        run.restore(keeper.load())
    before, interrupted, reported = sum(record.seconds for record in run.history), False, 0.0
    try:
        while not run.done:
            elapsed = before + time.monotonic() - began
            done = budget.done(run.history, rounds.updates, elapsed)
            if on_progress is not None:
                on_progress(max(0.0, done - reported))
                reported = max(reported, done)
            if done == 1:
                break
            compiled.rate_factor = 1 - budget.fallen(run.history, rounds.updates, elapsed)
            run.begin_epoch()
            for result in rounds.round(run.epoch, compiled):
                run.count(result)
                if not np.isfinite(result[-1, 0]):
                    best = run.best.weights() if run.history else list(weights)
                    raise diverged(run.epoch + 1, run.at, best)
            run.finish_epoch(rounds.loss(compiled), run.at)
            if keeper is not None and keeper.due():
                run.store(keeper)
        run.done = True
        if keeper is not None:
            run.store(keeper)
    except KeyboardInterrupt:
        interrupted = True
    return Training(run.best.weights(), tuple(run.history), run.best_epoch, interrupted)


def usual_steps(pieces: Sequence[Piece]) -> float:
    """How many steps a piece has, in the mean."""
    return float(np.mean([piece.stop - piece.start for piece in pieces]))
