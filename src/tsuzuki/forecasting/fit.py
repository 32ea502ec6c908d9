"""What a forecaster learns: settings and series in, trained networks with their states and intervals out.

Each network of an ensemble is checked, and its intervals calibrated, on a stretch of time that it has not seen.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tsuzuki.data.covariates import CovariateSeries
from tsuzuki.data.grid import step_of
from tsuzuki.forecasting.architecture import model_spec
from tsuzuki.forecasting.base import base_forecasts, changes_to, masked, row_units, shares_of
from tsuzuki.forecasting.bounds import bounds_of
from tsuzuki.forecasting.conformal_intervals import calibrate
from tsuzuki.forecasting.drawn_panel import PanelRows
from tsuzuki.forecasting.drawn_training import FEW_UPDATES, DrawnData, DrawnSource, Run, budget_for, train_drawn
from tsuzuki.forecasting.ensemble import run_members
from tsuzuki.forecasting.fitted import KEPT_TIMES, Fitted
from tsuzuki.forecasting.held_out import (
    HeldOut,
    base_changes,
    held_out_forecasts,
    held_out_of,
    origin_rows,
    said_by_series,
    training_layout,
)
from tsuzuki.forecasting.history import History, history_of
from tsuzuki.forecasting.known_effects import effects_in_windows, known_effects, series_without_effects
from tsuzuki.forecasting.level_shift import level_shifts, no_shifts
from tsuzuki.forecasting.panel import Panel, build_panel
from tsuzuki.forecasting.passes import first_passes, passes_again
from tsuzuki.forecasting.recent_errors import HIGH, LOW, WAIT, plain_states, recent_errors
from tsuzuki.forecasting.rules import Rules, rules_for
from tsuzuki.forecasting.scaling import covariate_scales, series_inputs, series_scales
from tsuzuki.forecasting.settings import Settings
from tsuzuki.forecasting.spread import COUNTS, are_whole, check_counts, count_units, heads, loss_of, spread_of
from tsuzuki.forecasting.stacking import alone, error_in_units, errors_of, stacked, trusted
from tsuzuki.forecasting.stepwise import ModelSpec, SeriesState, rows_kept, run_stepwise
from tsuzuki.forecasting.transforms import transform_of
from tsuzuki.forecasting.window_inputs import hidden_column, with_windows
from tsuzuki.layouts.layout import Layout
from tsuzuki.layouts.streams import Streams
from tsuzuki.network.initialisers import initialise
from tsuzuki.network.optimizers import AdamW, Cosine
from tsuzuki.training import fit as training
from tsuzuki.training.budget import Budget
from tsuzuki.training.checkpoints import identity_of
from tsuzuki.training.early_stopping import EarlyStopping
from tsuzuki.training.records import Training

# Share of a network's work that is training; the rest is running it over what it has not seen.
TRAINING_SHARE = 0.9


@dataclass(frozen=True)
class _Job:
    """What all networks of an ensemble have in common.

    Attributes:
        panel: the data.
        changes: float32 [points, horizon], the targets as changes of the forecasts that networks add to, or of counts
            as multiples of their unit; None where networks stand alone, or are trained on something else.
        histories: the last values of each series.
        rules: what was chosen from the data.
        wanted: bool [points], the rows that every network forecasts from when it is trained.
        spec: the network and how it reads.
        settings: of the forecaster.
        scales: float64 [series, 2], mean and deviation.
        points: of each series.
        on_progress: told each further share of the work done.
        checkpoint: where to go on from after a crash, or None.
        every: how often that is written.
        drawn: what the networks are trained on, where that is not the panel.
        passes: times as many over the data, where those of a first training were too many or too few.
    """

    panel: Panel
    changes: NDArray[np.float32] | None
    histories: list[History]
    rules: Rules
    wanted: NDArray[np.bool_]
    spec: ModelSpec
    settings: Settings
    scales: NDArray[np.float64]
    points: tuple[int, ...]
    on_progress: Callable[[float], object] | None
    checkpoint: str | Path | None
    every: str | float
    drawn: DrawnSource | None
    passes: float | None = None


@dataclass(frozen=True)
class _Member:
    """One trained network, its state at the end of the data, and its changes of the base at the wanted rows, with all
    that it says there [rows, outputs] where it says more; for each series."""

    training: Training
    state: SeriesState
    changes: list[NDArray[np.float32]]
    said: list[NDArray[np.float32]]


def train(
    series: Sequence[CovariateSeries],
    settings: Settings,
    on_progress: Callable[[float], object] | None = None,
    checkpoint: str | Path | None = None,
    every: str | float = 30.0,
    drawn: DrawnSource | None = None,
) -> Fitted:
    """Train on series; see `Forecaster.fit`.

    Where there is `drawn`, the networks are trained on that, and the series are a sample of it that says all else.
    """
    check_counts(series, settings)
    points = tuple(len(one.values) for one in series)
    step = step_of(series[0].times)
    read, rules = series, rules_for(series, step, settings)
    if drawn is not None:
        drawn.prepare(rules)
    transform, scales_of_covariates = (
        transform_of(rules.transform, [one.values for one in series]),
        covariate_scales(series),
    )
    effects = known_effects(series, transform, settings.columns, rules.seasons, scales_of_covariates)
    if effects:
        series = series_without_effects(series, transform, effects, scales_of_covariates)
        rules = rules_for(series, step, replace(settings, transform=rules.transform))
    spec = model_spec(settings, rules)
    scales = series_scales(series, transform)
    inputs, last_covariates = series_inputs(
        series, settings, step, rules.cycles, transform, scales, scales_of_covariates
    )
    histories = [
        history_of(one.values, one.segments, base, rules.history) for one, base in zip(inputs, rules.bases, strict=True)
    ]
    panel = build_panel(with_windows(inputs, histories, rules), spec.before, settings.horizon)
    changes = None
    if settings.loss in COUNTS:
        changes = shares_of(panel, scales, count_units(scales), settings.horizon)
    elif not rules.alone and drawn is None:
        changes = changes_to(panel.targets, base_forecasts(panel, histories, rules), row_units(panel, rules))
    held_out = [held_out_of(points, settings, member) for member in range(settings.ensemble)]
    checked = bool(held_out[0])
    if not checked:
        held_out = [HeldOut((0,) * len(points), points)] * settings.ensemble
    # Every network forecasts wherever one is held out: how far they differ says what their mean gains.
    wanted = origin_rows(panel, held_out[-1].first, points)
    told = (on_progress, checkpoint, every, drawn)
    job = _Job(panel, changes, histories, rules, wanted, spec, settings, scales, points, *told)
    members = run_members(lambda member, check: _train_and_check(job, member, check), settings.ensemble)
    again = None if drawn is not None or rules.alone else passes_again([one.training.history for one in members])
    if again is not None:
        job = replace(job, passes=again)
        members = run_members(lambda member, check: _train_and_check(job, member, check), settings.ensemble)
    committee = calibration = recent = error = spread = None
    if not settings.quantiles:
        changed, said = [member.changes for member in members], [member.said for member in members]
        found = held_out_forecasts(panel, wanted, changed, held_out, said)
        values = [one.values for one in inputs]
        if settings.committee and settings.validation_fraction:
            sizes = [last - first if checked else 0 for first, last in zip(held_out[0].first, points, strict=True)]
            judged = trusted(sizes, settings.horizon)
            committee, there = stacked(values, histories, found, rules, judged=judged)
            errors = in_sizes = there.errors
            if heads(settings) > 1 or settings.loss in COUNTS:
                outcome = there.said, there.forecasts, errors
                spread, in_sizes = spread_of(settings, rules, *outcome, scales, are_whole(read))
        else:
            committee = alone(rules)
            errors = in_sizes = errors_of(committee, values, histories, found)
            committee = None if rules.alone else committee
        calibration = calibrate(in_sizes)
        error = error_in_units(errors, rules)
        if committee is not None:
            recent = recent_errors(histories, rules, errors, calibration, spread=spread is not None)
    shifts = no_shifts(len(series), rules.history) if committee is None else level_shifts(histories, rules)
    states = plain_states(len(series)) if recent is None else recent.initial()
    since = [one.segments[-1].stop - one.segments[-1].start for one in inputs]
    states[:, [LOW, HIGH]] = [bounds_of(one.values) for one in read]
    waiting = rows_kept(settings) - 1
    states[:, WAIT] = np.maximum(shifts.season - np.array(since), 0)
    return Fitted(
        ids=tuple(one.name for one in series),
        step=step,
        way=spec,
        members=[member.training.weights for member in members],
        states=[member.state for member in members],
        times=[one.times[-KEPT_TIMES:] for one in series],
        scales=scales,
        covariate_scales=scales_of_covariates,
        last_covariates=last_covariates,
        calibration=calibration,
        histories=tuple(member.training.history for member in members),
        best_epochs=tuple(member.training.best_epoch for member in members),
        points=sum(points),
        fingerprint=fingerprint(read),
        rules=rules,
        transform=transform,
        committee=committee,
        windows=np.stack([history.last() for history in histories]),
        absent=np.stack([history.last_absent() for history in histories]),
        effects=effects,
        shifts=shifts,
        recent=recent,
        recent_states=states,
        window_shifts=np.zeros((len(series), rules.history), np.float32),
        earlier=np.stack([one.before_last(waiting, np.repeat(one.values[:1], waiting)) for one in histories]),
        unfollowed=np.ones(len(series), np.int64),
        window_effects=effects_in_windows(series, effects, scales_of_covariates, rules.history),
        spread=spread,
        checked=checked,
        held_out_error=error,
    )


def fingerprint(series: Sequence[CovariateSeries]) -> str:
    """A hash of series' names, times and values."""
    digest = hashlib.sha256()
    for one in series:
        digest.update(one.name.encode() + one.times.tobytes() + one.values.tobytes())
    return digest.hexdigest()[:16]


def _train_and_check(job: _Job, member: int, check_cancelled: Callable[[], None]) -> _Member:
    """Train one network, and run it over all data."""
    settings, panel = job.settings, job.panel

    def report_progress(share: float) -> None:
        check_cancelled()
        if job.on_progress is not None:
            # A second training was not foreseen, and all shares add up to 1.
            job.on_progress(share / settings.ensemble if job.passes is None else 0)

    held_out = held_out_of(job.points, settings, member)
    trained = _train(job, member, held_out, report_progress, check_cancelled)
    # Missing values are imputed in place, by each network with its own forecasts.
    own = replace(panel, inputs=panel.inputs.copy())
    forecasts, state = run_stepwise(job.spec, trained.weights, own, job.wanted, kept=rows_kept(settings))
    report_progress(1 - TRAINING_SHARE)
    if settings.quantiles:
        return _Member(trained, state, [], [])
    where, more = (job.histories, job.rules, settings.loss, job.scales), heads(settings) > 1
    changes = base_changes(own, job.wanted, forecasts, *where)
    return _Member(trained, state, changes, said_by_series(own, job.wanted, forecasts[:, : None if more else 0]))


def _known(job: _Job, hidden: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Targets as networks learn them, NaN where they are hidden [points]."""
    if job.changes is None:
        return np.where(hidden[:, None], np.float32(np.nan), job.panel.targets)
    return masked(job.changes, hidden)


def _train(
    job: _Job,
    member: int,
    held_out: HeldOut,
    report_progress: Callable[[float], None],
    check_cancelled: Callable[[], None],
) -> Training:
    """Train one network on all but what is held out from it."""
    settings, panel, spec = job.settings, job.panel, job.spec
    path = None if job.checkpoint is None else f"{job.checkpoint}.{member}{'' if job.passes is None else '.again'}"
    hidden = None if job.rules.alone else hidden_column(member)
    if job.drawn is not None:
        # However few they are, they are not in the panel.
        budget = budget_for(settings, FEW_UPDATES + 1, settings.ensemble)
        assert budget is not None, "a source to draw from needs a budget"
        drawn = job.drawn.rows(member, spec)
        trained = _train_drawn(job, member, drawn, budget, (path, job.drawn.identity), report_progress)
        if hidden is not None:
            trained.weights[0][hidden] = 0
        return trained
    layout, segments, held_out_segments = training_layout(panel, settings, held_out)
    validation = None
    if any(segment.stop - segment.start > 1 for segment in held_out_segments):
        validation = Streams(settings.timesteps, len(held_out_segments)).after(segments, held_out_segments)
    count = sum(segment.stop - segment.start for segment in segments)
    epochs = first_passes(settings.epochs, count, layout.updates, len(job.points))
    epochs = epochs if job.passes is None else max(2, round(job.passes * epochs))
    total = epochs * layout.updates
    # What is held out is no target of the rows before it either, and what the network is trained on none of those held
    # out: of a stretch of 250 with a horizon of 168, a third of the targets would lie behind it.
    here = np.zeros(len(panel.targets), bool)
    for segment in held_out_segments:
        here[segment.start : segment.stop] = True
    known = _known(job, here), _known(job, ~here)
    inputs = panel.inputs
    if hidden is not None:
        inputs = inputs.copy()
        inputs[:, hidden] = 0
    budget = budget_for(settings, total, settings.ensemble)
    if budget is not None:
        own = replace(panel, inputs=inputs)
        rows = PanelRows(own, *known, segments, held_out_segments, spec.before, settings.horizon)
        identity = "" if path is None else identity_of(inputs, *known)
        trained = _train_drawn(job, member, rows, budget, (path, identity), report_progress)
    else:
        trained = _train_whole(
            job, member, inputs, known, layout, epochs, validation, path, (report_progress, check_cancelled)
        )
    if hidden is not None:
        trained.weights[0][hidden] = 0
    if trained.interrupted:
        # `on_progress` raised it: half a training is none.
        raise KeyboardInterrupt
    return trained


def _train_whole(
    job: _Job,
    member: int,
    inputs: NDArray[np.float32],
    known: tuple[NDArray[np.float32], NDArray[np.float32]],
    layout: Layout,
    epochs: int,
    validation: Layout | None,
    path: str | None,
    told: tuple[Callable[[float], None], Callable[[], None]],
) -> Training:
    """Train one network by passes over its inputs and the targets known to it; validation knows the other targets."""
    settings, spec, (report_progress, check_cancelled) = job.settings, job.spec, told
    total = epochs * layout.updates
    weights = initialise(spec.network, settings.seed + 1000003 * member)
    # The first forecast is that nothing changes.
    weights[-2][:] = 0
    return training.fit(
        spec.network,
        weights,
        inputs,
        known[0],
        layout,
        epochs=epochs,
        optimizer=AdamW(
            learning_rate=Cosine(settings.learning_rate, total, warmup=total // 20),
            weight_decay=settings.weight_decay,
            global_clipnorm=1.0,
        ),
        loss=loss_of(settings, job.rules),
        horizon=None if job.changes is not None else settings.horizon,
        residual=job.changes is None,
        lags=spec.lags,
        impute_from=spec.impute_from,
        validation=validation,
        validation_targets=known[1],
        # A held-out stretch of another level picks early epochs; a cosine's last weights are an average of late ones.
        early_stopping=EarlyStopping(patience=epochs) if validation is not None and job.changes is None else None,
        seed=settings.seed + member,
        threads=1 if settings.ensemble > 1 else None,
        checkpoint=path,
        every=job.every,
        on_epoch=lambda record: report_progress(TRAINING_SHARE / epochs),
        on_progress=lambda now: check_cancelled(),
    )


def _train_drawn(
    job: _Job,
    member: int,
    rows: DrawnData,
    budget: Budget,
    kept: tuple[str | None, str],
    report_progress: Callable[[float], None],
) -> Training:
    """Train one network within a budget; `kept` are the path of its checkpoint and what tells its data from others."""
    path, identity = kept
    run = Run(lambda share: report_progress(TRAINING_SHARE * share), path, job.every, identity)
    trained = train_drawn(rows, job.spec, job.settings, member, budget, run, loss_of(job.settings, job.rules))
    if trained.interrupted:
        raise KeyboardInterrupt
    return trained
