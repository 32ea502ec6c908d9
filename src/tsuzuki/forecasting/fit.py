"""What a forecaster learns: settings and series in, trained networks with their states and intervals out.

Each network of an ensemble is checked, and its intervals calibrated, on a stretch of time that it has not seen.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tsuzuki.data.covariates import CovariateSeries, covariate_series
from tsuzuki.data.frames import zone_of
from tsuzuki.data.grid import step_of
from tsuzuki.forecasting import last_passes
from tsuzuki.forecasting.architecture import model_spec
from tsuzuki.forecasting.base import base_forecasts, changes_to, row_units, shares_of
from tsuzuki.forecasting.bounds import bounds_of
from tsuzuki.forecasting.drawn_training import DrawnSource
from tsuzuki.forecasting.fitted import KEPT_TIMES, Fitted
from tsuzuki.forecasting.held_out import HeldOut, held_out_of, origin_rows
from tsuzuki.forecasting.history import history_of
from tsuzuki.forecasting.known_effects import effects_in_windows, known_effects, series_without_effects
from tsuzuki.forecasting.level_shift import level_shifts, no_shifts
from tsuzuki.forecasting.member_training import Job, train_members
from tsuzuki.forecasting.panel import build_panel
from tsuzuki.forecasting.passes import passes_again
from tsuzuki.forecasting.products_alone import products_alone
from tsuzuki.forecasting.recent_errors import HIGH, LOW, WAIT, plain_states
from tsuzuki.forecasting.rules import rules_for
from tsuzuki.forecasting.scaling import covariate_scales, series_inputs, series_scales
from tsuzuki.forecasting.settings import Settings
from tsuzuki.forecasting.spread import COUNTS, are_whole, check_counts, count_units
from tsuzuki.forecasting.stepwise import rows_kept
from tsuzuki.forecasting.transforms import transform_of
from tsuzuki.forecasting.trust import trust_in
from tsuzuki.forecasting.window_inputs import with_windows
from tsuzuki.training.workers import Workers

if TYPE_CHECKING:
    from tsuzuki.forecasting.search import Trial


@dataclass(frozen=True)
class FitFrame:
    """What a frame was fitted to.

    Attributes:
        fitted: what training left.
        settings: those that a search chose, or that were given.
        trials: of the search.
    """

    fitted: Fitted
    settings: Settings
    trials: "tuple[Trial, ...]"


def fit_frame(
    frame: Any,
    settings: Settings,
    merge: bool,
    on_progress: Callable[[float], object] | None,
    checkpoint: str | Path | None,
    every: str | float,
    workers: Workers | None,
) -> FitFrame:
    """Train on a user's frame; see `Forecaster.fit`."""
    from tsuzuki.forecasting.search import search

    long = settings.long(frame)
    trials: tuple[Trial, ...] = ()
    series = covariate_series(long, settings.columns, settings.max_gap, merge=merge)
    if settings.search:
        found = search(series, settings, checkpoint, workers=workers)
        settings, trials = found.settings, found.trials
    fitted = train(series, settings, on_progress, checkpoint, every, workers=workers)
    fitted.zone = zone_of(long)
    return FitFrame(fitted, settings, trials)


@products_alone()
def train(
    series: Sequence[CovariateSeries],
    settings: Settings,
    on_progress: Callable[[float], object] | None = None,
    checkpoint: str | Path | None = None,
    every: str | float = 30.0,
    drawn: DrawnSource | None = None,
    workers: Workers | None = None,
    *,
    last: bool = True,
) -> Fitted:
    """Train on series; see `Forecaster.fit`.

    Without `last`, networks do not go through what was held out from them: what is asked for is how they fared there.

    Where there is `drawn`, the networks are trained on that, and the series are a sample of it that says all else.
    Workers train the networks, which have the same bits then; what is drawn they train in their own way.
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
    specs = [model_spec(settings.of_network(member), rules) for member in range(settings.networks)]
    scales = series_scales(series, transform)
    inputs, last_covariates = series_inputs(
        series, settings, step, rules.cycles, transform, scales, scales_of_covariates
    )
    histories = [
        history_of(one.values, one.segments, base, rules.history) for one, base in zip(inputs, rules.bases, strict=True)
    ]
    panel = build_panel(with_windows(inputs, histories, rules), specs[0].before, settings.horizon)
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
    told = (on_progress, checkpoint, every, drawn, workers)
    job = Job(panel, changes, histories, rules, wanted, specs, settings, scales, points, *told)
    go_on, report = last and last_passes.foreseen(job), on_progress
    if go_on and report is not None:
        job = replace(job, on_progress=lambda share: report((1 - last_passes.WORK) * share))
    members = train_members(job)
    again = None if drawn is not None or rules.alone else passes_again([one.training.history for one in members])
    if again is not None:
        job = replace(job, passes=again)
        members = train_members(job)
    trust = trust_in(job, members, held_out, inputs, series, checked=checked, whole=are_whole(read))
    committee, recent = trust.committee, trust.recent
    if go_on:
        told_last = None if report is None else lambda share: report(last_passes.WORK * share)
        if committee is not None and committee.network_weights.any():
            members = last_passes.over_all(job, members, told_last)
        elif told_last is not None:
            told_last(1.0)
    shifts = no_shifts(len(series), rules.history) if committee is None else level_shifts(histories, rules)
    states = plain_states(len(series)) if recent is None else recent.initial()
    since = [one.segments[-1].stop - one.segments[-1].start for one in inputs]
    states[:, [LOW, HIGH]] = [bounds_of(one.values) for one in read]
    waiting = rows_kept(settings) - 1
    states[:, WAIT] = np.maximum(shifts.season - np.array(since), 0)
    return Fitted(
        ids=tuple(one.name for one in series),
        step=step,
        ways=specs,
        members=[member.training.weights for member in members],
        states=[member.state for member in members],
        times=[one.times[-KEPT_TIMES:] for one in series],
        scales=scales,
        covariate_scales=scales_of_covariates,
        last_covariates=last_covariates,
        calibration=trust.calibration,
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
        spread=trust.spread,
        checked=checked,
        held_out_error=trust.error,
    )


def fingerprint(series: Sequence[CovariateSeries]) -> str:
    """A hash of series' names, times and values."""
    digest = hashlib.sha256()
    for one in series:
        digest.update(one.name.encode() + one.times.tobytes() + one.values.tobytes())
    return digest.hexdigest()[:16]
