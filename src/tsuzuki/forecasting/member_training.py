"""The networks of an ensemble: each trained on all but a stretch of time, then run over all data.

What they have in common is a `Job`; `train_members` trains all of them, side by side in threads, or in workers.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tsuzuki.data.segments import Segment
from tsuzuki.forecasting.base import masked
from tsuzuki.forecasting.drawn_panel import PanelRows
from tsuzuki.forecasting.drawn_training import FEW_UPDATES, DrawnData, DrawnSource, Run, budget_for, train_drawn
from tsuzuki.forecasting.held_out import (
    HeldOut,
    base_changes,
    held_out_of,
    said_by_series,
    training_layout,
)
from tsuzuki.forecasting.history import History
from tsuzuki.forecasting.panel import Panel
from tsuzuki.forecasting.passes import first_passes
from tsuzuki.forecasting.rules import Rules
from tsuzuki.forecasting.settings import Settings
from tsuzuki.forecasting.spread import heads, loss_of
from tsuzuki.forecasting.stepwise import ModelSpec, SeriesState, rows_kept, run_stepwise
from tsuzuki.forecasting.window_inputs import hidden_column
from tsuzuki.layouts.layout import Layout
from tsuzuki.layouts.streams import Streams
from tsuzuki.network.initialisers import initialise
from tsuzuki.network.optimizers import AdamW, Cosine
from tsuzuki.training import fit as training
from tsuzuki.training.budget import Budget
from tsuzuki.training.checkpoints import identity_of
from tsuzuki.training.drawn_fit import Rounds
from tsuzuki.training.early_stopping import EarlyStopping
from tsuzuki.training.records import Training
from tsuzuki.training.side_by_side import run_side_by_side
from tsuzuki.training.workers import Workers, result_of

# Share of a network's work that is training; the rest is running it over what it has not seen.
TRAINING_SHARE = 0.9


@dataclass(frozen=True)
class Job:
    """What all networks of an ensemble have in common.

    Attributes:
        panel: the data.
        changes: float32 [points, horizon], the targets as changes of the forecasts that networks add to, or of counts
            as multiples of their unit; None where networks stand alone, or are trained on something else.
        histories: the last values of each series.
        rules: what was chosen from the data.
        wanted: bool [points], the rows that every network forecasts from when it is trained.
        specs: each network and how it reads.
        settings: of the forecaster.
        scales: float64 [series, 2], mean and deviation.
        points: of each series.
        on_progress: told each further share of the work done.
        checkpoint: where to go on from after a crash, or None.
        every: how often that is written.
        drawn: what the networks are trained on, where that is not the panel.
        workers: who train the networks; this process if None.
        passes: for each kind of networks times as many over the data, where those of a first training were too many or
            too few; None for a first training.
        together: networks that are trained side by side, where that is not for this process to say.
    """

    panel: Panel
    changes: NDArray[np.float32] | None
    histories: list[History]
    rules: Rules
    wanted: NDArray[np.bool_]
    specs: Sequence[ModelSpec]
    settings: Settings
    scales: NDArray[np.float64]
    points: tuple[int, ...]
    on_progress: Callable[[float], object] | None
    checkpoint: str | Path | None
    every: str | float
    drawn: DrawnSource | None
    workers: Workers | None
    passes: Sequence[float | None] | None = None
    together: int | None = None


@dataclass(frozen=True)
class Member:
    """One trained network, its state at the end of the data, and its changes of the base at the wanted rows, with all
    that it says there [rows, outputs] where it says more; for each series."""

    training: Training
    state: SeriesState
    changes: list[NDArray[np.float32]]
    said: list[NDArray[np.float32]]


def train_members(job: Job, which: Sequence[int] | None = None) -> list[Member]:
    """Networks by their numbers, or all, side by side: in threads, or in the workers if there are any."""
    which = range(job.settings.networks) if which is None else which
    count, workers = len(which), job.workers
    if workers is None or job.drawn is not None:
        threads = None if workers is None else count
        return run_side_by_side(lambda place, check: _train_and_check(job, which[place], check), count, threads)
    work = _MemberWork(replace(job, on_progress=None, workers=None, together=min(count, workers.workers)))

    def trained(place: int, check_cancelled: Callable[[], None]) -> Member:
        found: Member = result_of(workers.submit(work, which[place]), check_cancelled)
        _report(job, 1)
        return found

    return run_side_by_side(trained, count, count)


@dataclass(frozen=True)
class _MemberWork:
    """Trains a network of a job, in a worker."""

    job: Job

    def __call__(self, member: int) -> Member:
        return _train_and_check(self.job, member, lambda: None)


def _report(job: Job, share: float) -> None:
    """Tell a further share of the work for one network."""
    if job.on_progress is not None:
        # A second training was not foreseen, and all shares add up to 1.
        job.on_progress(share / job.settings.networks if job.passes is None else 0)


def _train_and_check(job: Job, member: int, check_cancelled: Callable[[], None]) -> Member:
    """Train one network, and run it over all data."""
    settings, panel = job.settings, job.panel

    def report_progress(share: float) -> None:
        check_cancelled()
        _report(job, share)

    held_out = held_out_of(job.points, settings, member)
    trained = _train(job, member, held_out, report_progress, check_cancelled)
    # Missing values are imputed in place, by each network with its own forecasts.
    own = replace(panel, inputs=panel.inputs.copy())
    forecasts, state = run_stepwise(job.specs[member], trained.weights, own, job.wanted, kept=rows_kept(settings))
    report_progress(1 - TRAINING_SHARE)
    if settings.quantiles:
        return Member(trained, state, [], [])
    where, more = (job.histories, job.rules, settings.loss, job.scales), heads(settings) > 1
    changes = base_changes(own, job.wanted, forecasts, *where)
    return Member(trained, state, changes, said_by_series(own, job.wanted, forecasts[:, : None if more else 0]))


def targets_known(job: Job, hidden: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Targets as networks learn them, NaN where they are hidden [points]."""
    if job.changes is None:
        return np.where(hidden[:, None], np.float32(np.nan), job.panel.targets)
    return masked(job.changes, hidden)


def _train(
    job: Job,
    member: int,
    held_out: HeldOut,
    report_progress: Callable[[float], None],
    check_cancelled: Callable[[], None],
) -> Training:
    """Train one network on all but what is held out from it."""
    settings, panel, spec = job.settings.of_network(member), job.panel, job.specs[member]
    path = None if job.checkpoint is None else f"{job.checkpoint}.{member}{'' if job.passes is None else '.again'}"
    if job.drawn is not None:
        # However few they are, they are not in the panel.
        rounds = job.drawn.rounds(member, spec, check_cancelled)
        # Whoever makes the rounds makes those of all networks side by side.
        budget = budget_for(job.settings, FEW_UPDATES + 1, None if rounds is None else job.settings.networks)
        assert budget is not None, "a source to draw from needs a budget"
        drawn = job.drawn.rows(member, spec)
        trained = _train_drawn(job, member, drawn, budget, (path, job.drawn.identity), report_progress, rounds)
        return blind(job, member, trained)
    layout, segments, held_out_segments = training_layout(panel, settings, held_out)
    validation = None
    if any(segment.stop - segment.start > 1 for segment in held_out_segments):
        validation = Streams(settings.timesteps, len(held_out_segments)).after(segments, held_out_segments)
    epochs = _passes(job, member, layout, segments)
    # What is held out is no target of the rows before it either, and what the network is trained on none of those held
    # out: of a stretch of 250 with a horizon of 168, a third of the targets would lie behind it.
    here = np.zeros(len(panel.targets), bool)
    for segment in held_out_segments:
        here[segment.start : segment.stop] = True
    known = targets_known(job, here), targets_known(job, ~here)
    inputs = inputs_of(job, member)
    budget = budget_for(job.settings, epochs * layout.updates, job.together)
    if budget is not None:
        own = replace(panel, inputs=inputs)
        rows = PanelRows(own, *known, segments, held_out_segments, spec.before, settings.horizon)
        identity = "" if path is None else identity_of(inputs, *known)
        trained = _train_drawn(job, member, rows, budget, (path, identity), report_progress)
    else:
        weights = initialise(spec.network, settings.seed + 1000003 * job.settings.place(member))
        # The first forecast is that nothing changes.
        weights[-2][:] = 0
        trained = train_whole(
            job,
            member,
            (weights, settings.learning_rate),
            (inputs, *known),
            (layout, validation),
            epochs,
            path,
            (report_progress, check_cancelled),
        )
    if trained.interrupted:
        # `on_progress` raised it: half a training is none.
        raise KeyboardInterrupt
    return blind(job, member, trained)


def _passes(job: Job, member: int, layout: Layout, segments: Sequence[Segment]) -> int:
    """How often a network goes through the stretches that it is trained on."""
    count = sum(segment.stop - segment.start for segment in segments)
    epochs = first_passes(job.settings.of_network(member).epochs, count, layout.updates, len(job.points))
    times = None if job.passes is None else job.passes[member // job.settings.ensemble]
    return epochs if times is None else max(2, round(times * epochs))


def all_make_passes(job: Job) -> bool:
    """Whether all networks are trained by passes, and none on what is drawn."""
    if job.drawn is not None:
        return False
    for member in range(job.settings.networks):
        settings = job.settings.of_network(member)
        layout, segments, _ = training_layout(job.panel, settings, held_out_of(job.points, settings, member))
        updates = _passes(job, member, layout, segments) * layout.updates
        if budget_for(job.settings, updates, job.together) is not None:
            return False
    return True


def inputs_of(job: Job, member: int) -> NDArray[np.float32]:
    """What a network learns from."""
    if job.rules.alone:
        return job.panel.inputs
    inputs = job.panel.inputs.copy()
    inputs[:, hidden_column(job.settings.place(member))] = 0
    return inputs


def blind(job: Job, member: int, trained: Training) -> Training:
    """A network that does not look at what was 0 when it learned."""
    if not job.rules.alone:
        trained.weights[0][hidden_column(job.settings.place(member))] = 0
    return trained


def train_whole(
    job: Job,
    member: int,
    start: tuple[list[NDArray[np.float32]], float],
    data: tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]],
    layouts: tuple[Layout, Layout | None],
    epochs: int,
    path: str | None,
    told: tuple[Callable[[float], None], Callable[[], None]],
) -> Training:
    """Train one network by passes.

    Args:
        job: what networks have in common.
        member: its number.
        start: its weights, and the highest learning rate.
        data: inputs, the targets known to it, and those that it is validated on.
        layouts: of training, and of validation.
        epochs: passes.
        path: of its checkpoint.
        told: each further share of the work done; and asked often whether to stop.
    """
    settings, spec, (report_progress, check_cancelled) = job.settings.of_network(member), job.specs[member], told
    (weights, rate), (inputs, known, held_out), (layout, validation) = start, data, layouts
    total = epochs * layout.updates
    return training.fit(
        spec.network,
        weights,
        inputs,
        known,
        layout,
        epochs=epochs,
        optimizer=AdamW(
            learning_rate=Cosine(rate, total, warmup=total // 20),
            weight_decay=settings.weight_decay,
            global_clipnorm=1.0,
        ),
        loss=loss_of(settings, job.rules),
        horizon=None if job.changes is not None else settings.horizon,
        residual=job.changes is None,
        lags=spec.lags,
        impute_from=spec.impute_from,
        validation=validation,
        validation_targets=held_out,
        # A held-out stretch of another level picks early epochs; a cosine's last weights are an average of late ones.
        early_stopping=EarlyStopping(patience=epochs) if validation is not None and job.changes is None else None,
        seed=settings.seed + job.settings.place(member),
        threads=1 if job.settings.networks > 1 else None,
        checkpoint=path,
        every=job.every,
        on_epoch=lambda record: report_progress(TRAINING_SHARE / epochs),
        on_progress=lambda now: check_cancelled(),
    )


def _train_drawn(
    job: Job,
    member: int,
    rows: DrawnData,
    budget: Budget,
    kept: tuple[str | None, str],
    report_progress: Callable[[float], None],
    rounds: Rounds | None = None,
) -> Training:
    """Train one network within a budget; `kept` are the path of its checkpoint and what tells its data from others."""
    path, identity = kept
    run = Run(lambda share: report_progress(TRAINING_SHARE * share), path, job.every, identity)
    settings = job.settings.of_network(member)
    loss = loss_of(settings, job.rules)
    place = job.settings.place(member)
    trained = train_drawn(rows, job.specs[member], settings, place, budget, run, loss, rounds)
    if trained.interrupted:
        raise KeyboardInterrupt
    return trained
