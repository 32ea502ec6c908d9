"""Epochs: what happens between the calls of the compiled program.

It knows layouts, optimisers and losses by their descriptions, and not which cell it trains. States are zero at the
start of every epoch because the layouts say so; validation goes on from the states that training saved at the ends of
its segments and never touches those that training carries.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tsuzuki.errors import DivergedError, SettingError
from tsuzuki.layouts.layout import Block, Layout, blocks, slice_block
from tsuzuki.network.losses import GaussianNLL, Loss, named
from tsuzuki.network.network import Network, check_weights
from tsuzuki.network.optimizers import Optimizer, RMSprop
from tsuzuki.training.imputation import Imputer
from tsuzuki.training.records import EarlyStopping, EpochRecord, LossMonitor, Progress, ReduceOnPlateau, Training
from tsuzuki.training.state import TrainingState

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tsuzuki.engine.session import Data, Session

# One call of the compiled program lasts about this long: Ctrl-C, progress and checkpoints wait no longer.
CALL_SECONDS = 0.2
# Layouts of up to this many rows are computed once and kept over the epochs (about 20 bytes a row).
KEPT_ROWS = 2_000_000
# Updates whose rows stand for a layout in a checkpoint's identity: no other begins like it.
IDENTIFYING = 64


Layouts = Layout | Callable[[int], Layout]
Lags = Sequence[tuple[int, int]]


def fit(
    network: Network,
    weights: "Sequence[NDArray[np.float32]]",
    inputs: "NDArray[np.float32]",
    targets: "NDArray[np.float32]",
    layout: Layouts,
    *,
    epochs: int,
    optimizer: Optimizer | None = None,
    loss: str | Loss = "mse",
    horizon: int | None = None,
    residual: bool = False,
    lags: Lags = (),
    impute_from: int | None = None,
    sample_weights: "NDArray[np.float32] | None" = None,
    output_weights: "NDArray[np.float32] | None" = None,
    validation: Layout | None = None,
    validation_targets: "NDArray[np.float32] | None" = None,
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
    import numpy as np

    from tsuzuki.engine.padding import aligned, pad, unpad
    from tsuzuki.engine.plan import lower
    from tsuzuki.engine.session import Objective, Session
    from tsuzuki.kernels.host import WIDTH
    from tsuzuki.training.checkpoints import Checkpoint, identity_of

    if epochs < 1:
        raise SettingError(f"a run of {epochs} epochs trains nothing; give at least 1")
    check_weights(network, weights)
    data = _data(network, inputs, targets, horizon, residual, sample_weights, lags, impute_from)
    of_epoch = layout if callable(layout) else lambda epoch: layout
    first = of_epoch(0)
    imputer = Imputer(network, data, first, validation) if impute_from is not None else None
    data = replace(data, impute_from=None) if imputer is None else imputer.filled
    _check_returns(network, first)
    plan = lower(network, first.lanes, first.timesteps, first.every_step)
    bank = aligned(max(1, first.slots, validation.slots if validation else 0) * plan.state_size)
    if output_weights is not None and len(output_weights) != network.outputs:
        raise SettingError(
            f"there are {len(output_weights)} output_weights for {network.outputs} outputs; give one for each"
        )
    if residual and isinstance(named(loss), GaussianNLL):
        raise SettingError("GaussianNLL has a head that is no forecast, so none can be residual; use residual=False")
    judged = Objective(named(loss), output_weights)
    session = Session(plan, data, judged, optimizer or RMSprop(), bank=bank, seed=seed, threads=threads)
    pad(plan, weights, session.parameters)
    checker = None
    if validation is not None:
        check_plan = lower(network, validation.lanes, validation.timesteps, validation.every_step)
        held_out = data if validation_targets is None else replace(data, targets=_flat("targets", validation_targets))
        if held_out.targets is None or data.targets is None or held_out.targets.shape != data.targets.shape:
            raise SettingError("validation_targets are not as many as the targets; give both the same shape")
        checker = Session(check_plan, held_out, judged, bank=bank, threads=1)
    run = TrainingState(session, bank, imputer, LossMonitor(early_stopping, reduce_on_plateau))
    history, monitor, interrupted = run.history, run.monitor, False
    keeper = None
    if checkpoint is not None:
        head = first.block(0, min(first.updates, IDENTIFYING))
        described = (network, optimizer, loss, horizon, residual, lags, impute_from, early_stopping, reduce_on_plateau)
        shapes = [
            (one.lanes, one.timesteps, one.updates, one.targets, one.every_step, one.slots)
            for one in (first, validation)
            if one
        ]
        rows_of_it = (head.starts, head.valid, head.entries, head.exits)
        given = (inputs, targets, validation_targets, sample_weights, output_weights, *weights, *rows_of_it)
        keeper = Checkpoint(checkpoint, every, identity_of(described, shapes, epochs, seed, WIDTH, *given))
        run.restore(keeper.load())
    kept: tuple[Layout, Block] | None = None
    try:
        for epoch in range(run.epoch, epochs if not run.done else run.epoch):
            rows = of_epoch(epoch)
            if imputer is not None and epoch & (epoch - 1) == 0 and run.at == 0:
                imputer.renew(session.parameters)
            if kept is None or kept[0] is not rows:
                small = rows.updates * rows.lanes <= KEPT_ROWS
                kept = (rows, within(rows.block(0, rows.updates), data)) if small else None
            since = time.perf_counter()
            for _, result in calls(session, rows, kept[1] if kept else None, first=run.at):
                run.count(result, time.perf_counter() - since)
                since = time.perf_counter()
                if not np.isfinite(result[-1, 0]):
                    best = run.best if history else session.parameters
                    raise diverged(epoch + 1, run.at, unpad(plan, best))
                if on_progress is not None:
                    on_progress(Progress(epoch + 1, epochs, run.at, rows.updates, run.loss))
                if keeper is not None and keeper.due():
                    run.store(keeper)
            checked = None
            if checker is not None and validation is not None:
                checker.parameters[:] = session.parameters
                checked = _score(checker, validation)
            record = EpochRecord(epoch + 1, run.loss, checked, run.seconds, rows.updates)
            history.append(record)
            improved = monitor.see(record)
            if improved or early_stopping is None:
                run.best[:], run.best_epoch = session.parameters, epoch + 1
            session.rate_factor = monitor.rate_factor
            run.next_epoch()
            if on_epoch is not None:
                on_epoch(record)
            if monitor.stops:
                break
        run.done = True
        if keeper is not None:
            run.store(keeper)
    except KeyboardInterrupt:
        interrupted = True
    return Training(unpad(plan, run.best), tuple(history), run.best_epoch, interrupted)


def predict(
    network: Network,
    weights: "Sequence[NDArray[np.float32]]",
    inputs: "NDArray[np.float32]",
    layout: Layout,
    *,
    residual: bool = False,
    lags: Lags = (),
    threads: int | None = None,
) -> "NDArray[np.float32]":
    """Forecast every target of a layout with finished weights, states carried along its lanes from zero.

    Args:
        network: the description.
        weights: arrays as `network.parameters` lists them.
        inputs: [points, features].
        layout: which rows to run; uncut ones (`Windows(T, T, stateful=True)`, `Streams(T, 1)`) carry the state
            through whole segments.
        residual: as in `fit`; the change is added to what it changes.
        lags: as in `fit`.
        threads: as many as there is work for if None.

    Returns:
        float32 [points, outputs]: row i is the forecast of the target at position i, NaN where the layout has none.
    """
    import numpy as np

    from tsuzuki.engine.padding import aligned, pad
    from tsuzuki.engine.plan import lower
    from tsuzuki.engine.session import Session

    check_weights(network, weights)
    _check_returns(network, layout)
    plan = lower(network, layout.lanes, layout.timesteps, layout.every_step)
    data = _data(network, inputs, None, 1, residual, None, lags, None)
    bank = aligned(max(1, layout.slots) * plan.state_size)
    session = Session(plan, data, bank=bank, threads=threads)
    pad(plan, weights, session.parameters)
    forecasts = np.full((len(inputs), network.outputs), np.nan, np.float32)
    for block in blocks(layout):
        session.forward(within(block, data), forecasts)
    return forecasts


def _check_returns(network: Network, layout: Layout) -> None:
    """Raise where the last recurrent layer is said to return something else than the layout scores."""
    last = network.layers[network.last_recurrent]
    returns = getattr(last, "return_sequences", None)
    if returns is not None and returns != layout.every_step:
        scored = "every step" if layout.every_step else "only the last step of a window"
        raise SettingError(
            f"layer {network.last_recurrent + 1} has return_sequences={returns}, but the layout scores {scored}; "
            "leave return_sequences out, or use Streams to score every step and Windows to score the last"
        )


def _flat(name: str, array: "NDArray[np.float32]") -> "NDArray[np.float32]":
    import numpy as np

    if array.ndim != 2:
        raise SettingError(f"{name} have {array.ndim} axes; give them as [points, columns]")
    return np.ascontiguousarray(array, np.float32)


def _data(
    network: Network,
    inputs: "NDArray[np.float32]",
    targets: "NDArray[np.float32] | None",
    horizon: int | None,
    residual: bool,
    sample_weights: "NDArray[np.float32] | None",
    lags: Lags,
    impute_from: int | None,
) -> "Data":
    import numpy as np

    from tsuzuki.engine.session import Data

    inputs = _flat("inputs", inputs)
    columns = inputs.shape[1] + len(lags)
    if columns != network.inputs:
        raise SettingError(
            f"inputs have {columns} columns{' with their lags' if lags else ''}, but the network takes "
            f"{network.inputs}; change one of the two"
        )
    if targets is not None:
        targets = _flat("targets", targets)
        if len(targets) != len(inputs):
            raise SettingError(f"there are {len(inputs)} inputs but {len(targets)} targets; give as many of both")
    if sample_weights is not None:
        sample_weights = np.ascontiguousarray(sample_weights, np.float32)
        if sample_weights.shape != (len(inputs),):
            raise SettingError(
                f"sample_weights have shape {sample_weights.shape}; give one for each of {len(inputs)} points"
            )
    for behind, over in lags:
        if behind < 0 or over < 1:
            raise SettingError(f"lag ({behind}, {over}) looks ahead or at nothing; give behind >= 0 and over >= 1")
    stride = 1 if targets is None else targets.shape[1]
    return Data(inputs, targets, horizon or stride, residual, sample_weights, tuple(lags), impute_from=impute_from)


def within(block: Block, data: "Data") -> Block:
    """The same rows, if the arrays hold all that they read and forecast.

    Raises:
        SettingError: they do not; the program would read what lies beside the arrays.
    """
    there = block.valid > 0
    if not there.any():
        return block
    first, last = int(block.starts[there].min()), int((block.starts + block.valid)[there].max())
    reach = max((behind + over - 1 for behind, over in data.lags), default=0)
    points, ahead = len(data.inputs), 0
    if data.targets is not None:
        ahead = -(-max(0, data.horizon - data.targets.shape[1]) // data.targets.shape[1])
    if last + ahead >= points:
        raise SettingError(
            f"the layout's last target is at position {last} (and {ahead} further), but there are {points} points; lay "
            "out fewer, or append rows of NaN targets"
        )
    if first < reach:
        raise SettingError(
            f"the lags reach {reach} rows back, but the layout begins at position {first}; begin its segments later"
        )
    return block


def calls(
    session: "Session",
    layout: Layout,
    kept: Block | None,
    forecasts: "NDArray[np.float32] | None" = None,
    first: int = 0,
) -> "Iterator[tuple[int, NDArray[np.float64]]]":
    """Train through an epoch from its update `first` on, call by call; yield where each call began and what it gave."""
    at = first
    while at < layout.updates:
        until = min(layout.updates, at + session.pace)
        block = within(layout.block(at, until), session.data) if kept is None else slice_block(kept, at, until)
        began = time.perf_counter()
        result = session.run(block, forecasts)
        spent = time.perf_counter() - began
        yield at, result
        at = until
        # The next call is as long as this one's speed allows, but grows carefully from a short first one.
        wanted = int(len(result) * min(8.0, CALL_SECONDS / max(spent, 1e-6)))
        session.pace = max(1, min(max(session.pace if spent < CALL_SECONDS else 1, wanted), KEPT_ROWS // layout.lanes))


def _score(session: "Session", layout: Layout) -> float:
    """The loss over a layout, forward only."""
    import numpy as np

    results = np.concatenate([session.forward(within(block, session.data)) for block in blocks(layout)])
    return float(results[:, 0] @ results[:, 1] / max(results[:, 1].sum(), 1.0))


def diverged(epoch: int, update: int, weights: "list[NDArray[np.float32]]") -> DivergedError:
    """The error for a loss that is not finite, with the weights to keep."""
    return DivergedError(
        f"the loss is not finite in update {update} of epoch {epoch}; try a lower learning rate, clipnorm=1.0, or look "
        "for extreme values in the data",
        weights,
    )
