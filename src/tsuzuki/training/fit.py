"""Training: the loop over epochs.

It knows layouts, optimisers and losses by their descriptions, and not which cell it trains. States are zero at the
start of every epoch because the layouts say so; validation goes on from the states that training saved at the ends of
its segments and never touches those that training carries.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tsuzuki.engine.compiled_network import CompiledNetwork
from tsuzuki.engine.data import RowShape
from tsuzuki.engine.memory import Parameters, SavedStates
from tsuzuki.errors import SettingError
from tsuzuki.layouts.layout import Layout
from tsuzuki.network.losses import Loss
from tsuzuki.network.network import Network, check_weights
from tsuzuki.network.optimizers import Optimizer, RMSprop
from tsuzuki.training.arrays import Lags, as_data, as_held_out, as_objective, check_returns
from tsuzuki.training.checkpoints import Checkpoint, identity_of, rows_of
from tsuzuki.training.early_stopping import EarlyStopping, LossMonitor, ReduceOnPlateau
from tsuzuki.training.epoch import EpochRows, HeldOut, Layouts, diverged, layout_of, train_epoch
from tsuzuki.training.imputation import Imputer
from tsuzuki.training.records import EpochRecord, Progress, Training
from tsuzuki.training.state import TrainingState


def fit(
    network: Network,
    weights: Sequence[NDArray[np.float32]],
    inputs: NDArray[np.float32],
    targets: NDArray[np.float32],
    layout: Layouts,
    *,
    epochs: int,
    optimizer: Optimizer | None = None,
    loss: str | Loss = "mse",
    horizon: int | None = None,
    residual: bool = False,
    lags: Lags = (),
    impute_from: int | None = None,
    sample_weights: NDArray[np.float32] | None = None,
    output_weights: NDArray[np.float32] | None = None,
    validation: Layout | None = None,
    validation_targets: NDArray[np.float32] | None = None,
    early_stopping: EarlyStopping | None = None,
    reduce_on_plateau: ReduceOnPlateau | None = None,
    seed: int = 0,
    threads: int | None = None,
    checkpoint: str | Path | None = None,
    every: str | float = 30.0,
    on_epoch: Callable[[EpochRecord], object] | None = None,
    on_progress: Callable[[Progress], object] | None = None,
) -> Training:
    """Train a network on rows of flat arrays.

    Args:
        network: the description.
        weights: arrays to start from (`network.initialise`); they are not changed.
        inputs: [points, features], finite where a row reads them, except a missing first input where there is
            `impute_from`.
        targets: [points, stride]; row i belongs to the forecast made from the inputs up to i - 1. NaN is missing:
            it is not scored.
        layout: the rows of an epoch, or a function of the epoch (from 0) that gives them.
        epochs: how often every target is visited, >= 1.
        optimizer: `RMSprop()` if None, as in the classic recipe.
        loss: a loss or its Keras name.
        horizon: target values of a forecast, if more than the columns of `targets`: with one column and a horizon of
            24, the rows i to i + 23 are the targets at i.
        residual: the network forecasts the change from the first input one step before the target.
        lags: pairs (behind, over), each an input more: the mean of `over` first inputs that end `behind` steps before
            a position, less the one at it. As many rows as they reach back must stand before each row read.
        impute_from: the output whose own forecast replaces a first input that is NaN. The forecasts are renewed
            before the first epochs and then ever more rarely (1, 2, 4, 8 ...), as the network changes less.
        sample_weights: [points], a factor for the loss at each target's position.
        output_weights: [outputs], a factor for the loss of each output.
        validation: rows to score at the end of each epoch (`layout.after`), from the states training ended in.
        validation_targets: [points, stride], where they differ from `targets`: there, what is held out can be missing.
        early_stopping: when to stop early.
        reduce_on_plateau: when to lower the learning rate.
        seed: of dropout's masks.
        threads: as many as there is work for if None; the bits do not depend on it.
        checkpoint: a file to go on from. A run that was killed and is started again in the same way ends with the same
            bits as one that was not.
        every: how often the checkpoint is written, in seconds or as "30s", "5m", "1h".
        on_epoch: called with each epoch's record; what it raises ends the run.
        on_progress: called several times a second; `progress.progress_bar` draws what it is told.

    Returns:
        The finished (or, with early stopping or Ctrl-C, the best) weights and a record of each epoch.

    Raises:
        SettingError: sizes that do not fit one another.
        DivergedError: the loss is not finite. The error's `weights` are the best so far.
        FileError: the checkpoint cannot be read or written.
    """
    if epochs < 1:
        raise SettingError(f"a run of {epochs} epochs trains nothing; give at least 1")
    check_weights(network, weights)
    data = as_data(
        network, inputs, targets, sample_weights, horizon, residual=residual, lags=lags, impute_from=impute_from
    )
    first = layout_of(layout, 0)
    check_returns(network, first)
    objective = as_objective(network, loss, output_weights, residual=residual)
    parameters, imputer = Parameters(network, weights), None
    if impute_from is not None:
        imputer = Imputer(parameters, data, first, validation)
        data = imputer.filled
    compiled = CompiledNetwork(
        network,
        RowShape.of(first),
        data,
        objective,
        optimizer or RMSprop(),
        parameters=parameters,
        saved_states=SavedStates(network, max(first.slots, validation.slots if validation else 0)),
        seed=seed,
        threads=threads,
    )
    held_out = HeldOut(compiled, validation, as_held_out(data, validation_targets)) if validation else None
    run = TrainingState(compiled, imputer, LossMonitor(early_stopping, reduce_on_plateau))
    keeper = None
    if checkpoint is not None:
        described = (network, optimizer, loss, horizon, residual, lags, impute_from, early_stopping, reduce_on_plateau)
        arrays = (inputs, targets, validation_targets, sample_weights, output_weights, *weights)
        keeper = Checkpoint(
            checkpoint, every, identity_of(described, epochs, seed, *rows_of(first, validation), *arrays)
        )
        run.restore(keeper.load())
    rows, interrupted = EpochRows(layout, data), False
    try:
        while run.epoch < epochs and not run.done:
            now, block = rows.of(run.epoch)
            run.begin_epoch()
            for _, result in train_epoch(compiled, now, block, first=run.at):
                run.count(result)
                if not np.isfinite(result[-1, 0]):
                    raise diverged(run.epoch + 1, run.at, (run.best if run.history else parameters).weights())
                if on_progress is not None:
                    on_progress(Progress(run.epoch + 1, epochs, run.at, now.updates, run.loss))
                if keeper is not None and keeper.due():
                    run.store(keeper)
            record = run.finish_epoch(None if held_out is None else held_out.loss(), now.updates)
            if on_epoch is not None:
                on_epoch(record)
            if run.monitor.stops:
                break
        if early_stopping is None and optimizer is not None and optimizer.use_ema and not run.done:
            compiled.adopt_averages()
            run.best.set_weights(parameters.weights())
        run.done = True
        if keeper is not None:
            run.store(keeper)
    except KeyboardInterrupt:
        interrupted = True
    return Training(run.best.weights(), tuple(run.history), run.best_epoch, interrupted)
