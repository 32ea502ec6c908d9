"""Training in rounds, each on stretches drawn anew, until a budget is used up; see `drawn_rows` and `budget`.

Where `fit` goes through all data again and again, here a round is as long for ten million readings as for ten billion.
"""

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tsuzuki.engine.compiled_network import CompiledNetwork
from tsuzuki.engine.data import RowShape
from tsuzuki.engine.memory import Parameters, SavedStates
from tsuzuki.errors import TooShortError
from tsuzuki.layouts.layout import blocks, one_step_updates
from tsuzuki.network.losses import Loss
from tsuzuki.network.network import Network, check_weights
from tsuzuki.network.optimizers import Optimizer
from tsuzuki.training.arrays import Lags, as_data, as_objective, within
from tsuzuki.training.budget import Budget
from tsuzuki.training.checkpoints import Checkpoint, identity_of
from tsuzuki.training.drawn_rows import DrawnRows, Piece, RowSource, Shape, room_for
from tsuzuki.training.early_stopping import EarlyStopping, LossMonitor
from tsuzuki.training.epoch import HeldOut, diverged, train_epoch
from tsuzuki.training.records import Training
from tsuzuki.training.state import TrainingState


def fit_drawn(
    network: Network,
    weights: Sequence[NDArray[np.float32]],
    source: RowSource,
    pieces_of: Callable[[int], Sequence[Piece]],
    shape: Shape,
    budget: Budget,
    *,
    optimizer: Optimizer,
    loss: str | Loss,
    horizon: int | None = None,
    lags: Lags = (),
    impute_from: int | None = 0,
    residual: bool = True,
    held_out: Sequence[Piece] = (),
    seed: int = 0,
    threads: int | None = None,
    checkpoint: str | Path | None = None,
    every: str | float = 30.0,
    identity: str = "",
    on_progress: Callable[[float], object] | None = None,
) -> Training:
    """Train a network on drawn pieces of data.

    Args:
        network: the description.
        weights: arrays to start from; they are not changed.
        source: the data.
        pieces_of: the pieces of a round (from 0); the same ones whenever it is asked.
        shape: of a round.
        budget: what ends the training.
        optimizer: its learning rate is the highest one; the budget lowers it.
        loss: a loss or its Keras name.
        horizon: target values of a forecast, if more than the columns of the targets.
        lags: as in `training.fit`.
        impute_from: the output whose own forecast replaces a first input that is missing; None where none is.
        residual: the outputs are changes from the first input.
        held_out: pieces to score after each round; the weights of the best round are kept. Without, the last ones are.
        seed: of dropout's masks.
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
    check_weights(network, weights)
    began = time.monotonic()
    usual = np.mean([piece.stop - piece.start for piece in pieces_of(0)])
    rows = DrawnRows(source, shape, room_for(shape, source, float(usual)))
    parameters = Parameters(network, weights)

    compiled = CompiledNetwork(
        network,
        RowShape(shape.lanes, shape.timesteps),
        as_data(network, rows.inputs, rows.targets, None, horizon, residual=residual, lags=lags),
        as_objective(network, loss, None, residual=residual),
        optimizer,
        parameters=parameters,
        saved_states=SavedStates(network, 1),
        seed=seed,
        threads=threads,
    )
    imputation = _Imputation(rows, compiled, impute_from)
    scored = _scored(source, shape, held_out, compiled, impute_from)
    run = TrainingState(compiled, None, LossMonitor(EarlyStopping(patience=2**62) if scored else None, None))
    keeper = None
    if checkpoint is not None:
        described = (network, optimizer, loss, horizon, lags, impute_from, shape, budget, seed, identity)
        keeper = Checkpoint(checkpoint, every, identity_of(described, tuple(held_out), *weights))
        run.restore(keeper.load())
    before, interrupted, reported = sum(record.seconds for record in run.history), False, 0.0
    try:
        while not run.done:
            elapsed = before + time.monotonic() - began
            done = budget.done(run.history, shape.updates, elapsed)
            if on_progress is not None:
                on_progress(max(0.0, done - reported))
                reported = max(reported, done)
            if done == 1:
                break
            compiled.rate_factor = 1 - budget.fallen(run.history, shape.updates, elapsed)
            run.begin_epoch()
            layout = rows.fill(pieces_of(run.epoch))
            imputation.renew()
            for _, result in train_epoch(compiled, layout, within(layout.block(0, layout.updates), compiled.data)):
                run.count(result)
                if not np.isfinite(result[-1, 0]):
                    raise diverged(run.epoch + 1, run.at, (run.best if run.history else parameters).weights())
            run.finish_epoch(None if scored is None else scored.loss(), layout.updates)
            if keeper is not None and keeper.due():
                run.store(keeper)
        run.done = True
        if keeper is not None:
            run.store(keeper)
    except KeyboardInterrupt:
        interrupted = True
    return Training(run.best.weights(), tuple(run.history), run.best_epoch, interrupted)


class _Imputation:
    """The network's own forecasts in place of missing first inputs, with the weights as they are."""

    def __init__(self, rows: DrawnRows, trained: CompiledNetwork, impute_from: int | None) -> None:
        self._rows, self._trained = rows, trained
        data = replace(trained.data, inputs=rows.inputs, targets=None, horizon=1, impute_from=impute_from)
        network, shape = trained.network, rows.shape
        self._compiled = CompiledNetwork(
            network,
            RowShape(shape.lanes),
            data,
            parameters=trained.parameters,
            saved_states=SavedStates(network, 1),
            threads=1,
        )

    def renew(self) -> None:
        """Forecast them anew."""
        if self._rows.with_holes is None:
            return
        self._rows.inputs[self._rows.holes, 0] = np.nan
        for block in blocks(self._rows.with_holes):
            self._compiled.forward(one_step_updates(block, self._rows.shape.timesteps))


def _scored(
    source: RowSource, shape: Shape, pieces: Sequence[Piece], trained: CompiledNetwork, impute_from: int | None
) -> "_Scored | None":
    """What is scored after each round; None where nothing is held out, or nothing but gaps."""
    if not pieces:
        return None
    with contextlib.suppress(TooShortError):
        return _Scored(source, shape, pieces, trained, impute_from)
    return None


class _Scored:
    """Held-out pieces, and their loss with the weights as they are."""

    def __init__(
        self,
        source: RowSource,
        shape: Shape,
        pieces: Sequence[Piece],
        trained: CompiledNetwork,
        impute_from: int | None,
    ) -> None:
        # A piece a lane.
        longest = max(piece.stop - piece.start for piece in pieces)
        own = replace(shape, lanes=len(pieces), updates=-(-longest // shape.timesteps))
        rows = DrawnRows(source, own, len(pieces) * (source.before + longest + source.after))
        layout = rows.fill(pieces, together=False)
        data = replace(trained.data, inputs=rows.inputs, targets=rows.targets)
        self._imputation = _Imputation(rows, trained, impute_from)
        self._held_out = HeldOut(trained, layout, data)

    def loss(self) -> float:
        self._imputation.renew()
        return self._held_out.loss()
