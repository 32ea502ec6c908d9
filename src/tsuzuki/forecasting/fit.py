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
from tsuzuki.forecasting import last_passes
from tsuzuki.forecasting.bounds import bounds_of
from tsuzuki.forecasting.drawn_training import DrawnSource
from tsuzuki.forecasting.fitted import KEPT_TIMES, Fitted
from tsuzuki.forecasting.history import histories_of
from tsuzuki.forecasting.known_effects import effects_in_windows
from tsuzuki.forecasting.level_shift import level_shifts, no_shifts
from tsuzuki.forecasting.member_training import Job, Member, train_members
from tsuzuki.forecasting.passes import passes_again
from tsuzuki.forecasting.preparation import Prepared, prepared
from tsuzuki.forecasting.products_alone import products_alone
from tsuzuki.forecasting.recent_errors import HIGH, LOW, OUT, WAIT, plain_states
from tsuzuki.forecasting.settings import Settings
from tsuzuki.forecasting.spread import are_whole
from tsuzuki.forecasting.stepwise import rows_kept
from tsuzuki.forecasting.trust import trust_in
from tsuzuki.training.workers import Workers

if TYPE_CHECKING:
    from tsuzuki.forecasting.trial import Trial


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
    networks: Sequence[Member] | None = None
    series = covariate_series(long, settings.columns, settings.max_gap, merge=merge)
    if settings.search:
        found = search(series, settings, checkpoint, workers=workers)
        settings, trials, networks = found.settings, found.trials, found.networks
    fitted = train(series, settings, on_progress, checkpoint, every, workers=workers, networks=networks)
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
    networks: Sequence[Member] | None = None,
    *,
    last: bool = True,
) -> Fitted:
    """Train on series; see `Forecaster.fit`.

    Without `last`, networks do not go through what was held out from them: what is asked for is how they fared there.

    Where there is `drawn`, the networks are trained on that, and the series are a sample of it that says all else.
    Workers train the networks, which have the same bits then; what is drawn they train in their own way. `networks`
    are trained already, by `trained_networks` on the same series.
    """
    made = prepared(series, settings, drawn)
    job, report = made.job(on_progress, checkpoint, every, workers), on_progress
    go_on = last and last_passes.foreseen(job)
    if go_on and report is not None:
        job = replace(job, on_progress=lambda share: report((1 - last_passes.WORK) * share))
    if networks is None:
        members = trained_networks(job)
    else:
        members = list(networks)
        if job.on_progress is not None:
            job.on_progress(1.0)
    return finished(made, job, members, report, go_on=go_on)


def trained_networks(job: Job) -> list[Member]:
    """The networks of a job, those of each kind a second time where their first training says so."""
    members = train_members(job)
    if job.drawn is not None or job.rules.alone:
        return members
    count = job.settings.ensemble
    kinds = [members[first : first + count] for first in range(0, len(members), count)]
    passes = [passes_again([one.training.history for one in kind]) for kind in kinds]
    which = [number for number in range(len(members)) if passes[number // count] is not None]
    if not which:
        return members
    for number, member in zip(which, train_members(replace(job, passes=tuple(passes)), which), strict=True):
        members[number] = member
    return members


def finished(
    made: Prepared, job: Job, members: list[Member], report: Callable[[float], object] | None, *, go_on: bool
) -> Fitted:
    """What a forecast needs, from networks that are trained.

    Args:
        made: the series.
        job: of the networks.
        members: the networks.
        report: told each further share of the work, or None.
        go_on: whether they go over what was held out, too.
    """
    rules, settings, histories, read = made.rules, made.settings, made.histories, made.read
    told = made.held_out, made.inputs, made.steady, made.series
    trust = trust_in(job, members, *told, checked=made.checked, whole=are_whole(read))
    committee, recent = trust.committee, trust.recent
    if go_on:
        told_last = None if report is None else lambda share: report(last_passes.WORK * share)
        if committee is not None and committee.network_weights.any():
            members = last_passes.over_all(job, members, told_last)
        elif told_last is not None:
            told_last(1.0)
    shifts = no_shifts(len(read), rules.history)
    if committee is not None:
        # An outage that training knew is no shift later on either.
        shifts = level_shifts(histories_of(made.inputs, rules), made.far, rules)
    states = plain_states(len(read)) if recent is None else recent.initial()
    since = [one.segments[-1].stop - one.segments[-1].start for one in made.inputs]
    states[:, [LOW, HIGH]], states[:, OUT] = [bounds_of(one.values) for one in read], made.out
    waiting = rows_kept(settings) - 1
    states[:, WAIT] = np.maximum(shifts.season - np.array(since), 0)
    return Fitted(
        ids=tuple(one.name for one in read),
        step=made.step,
        ways=list(job.specs),
        members=[member.training.weights for member in members],
        states=[member.state for member in members],
        times=[one.times[-KEPT_TIMES:] for one in read],
        scales=made.scales,
        covariate_scales=made.covariate_scales,
        last_covariates=made.last_covariates,
        calibration=trust.calibration,
        histories=tuple(member.training.history for member in members),
        best_epochs=tuple(member.training.best_epoch for member in members),
        points=sum(made.points),
        fingerprint=fingerprint(read),
        rules=rules,
        transform=made.transform,
        committee=committee,
        windows=np.stack([history.last() for history in histories]),
        absent=np.stack([history.last_absent() for history in histories]),
        effects=made.effects,
        shifts=shifts,
        recent=recent,
        recent_states=states,
        window_shifts=np.zeros((len(read), rules.history), np.float32),
        earlier=np.stack([one.before_last(waiting, np.repeat(one.values[:1], waiting)) for one in histories]),
        unfollowed=np.ones(len(read), np.int64),
        window_effects=effects_in_windows(made.series, made.effects, made.covariate_scales, rules.history),
        spread=trust.spread,
        checked=made.checked,
        held_out_error=trust.error,
    )


def fingerprint(series: Sequence[CovariateSeries]) -> str:
    """A hash of series' names, times and values."""
    digest = hashlib.sha256()
    for one in series:
        digest.update(one.name.encode() + one.times.tobytes() + one.values.tobytes())
    return digest.hexdigest()[:16]
