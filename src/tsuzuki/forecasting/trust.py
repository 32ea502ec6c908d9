"""How far trained networks and the forecasts beside them are trusted, and how wide intervals are: all that held-out
stretches say."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tsuzuki.data.covariates import CovariateSeries
from tsuzuki.data.grid import step_of
from tsuzuki.forecasting.committee import Committee
from tsuzuki.forecasting.conformal_intervals import Calibration, calibrate
from tsuzuki.forecasting.held_out import HeldOut, by_stretch, held_out_forecasts
from tsuzuki.forecasting.history import histories_of
from tsuzuki.forecasting.member_training import Job, Member
from tsuzuki.forecasting.panel import SeriesInputs
from tsuzuki.forecasting.recent_errors import RecentErrors, recent_errors
from tsuzuki.forecasting.rules import held_whole
from tsuzuki.forecasting.seasonal_profile import LearnedProfiles, learned_profiles
from tsuzuki.forecasting.spread import COUNTS, Spread, heads, spread_of
from tsuzuki.forecasting.stacking import alone, error_in_units, errors_of, stacked, trusted
from tsuzuki.forecasting.state_space import Averaged, averaged_smoothing, joined
from tsuzuki.training.side_by_side import run_side_by_side


@dataclass(frozen=True)
class Trust:
    """What held-out stretches say.

    Attributes:
        committee: who is trusted how far; None where networks stand alone.
        calibration: the percentiles of errors; None where networks forecast quantiles.
        recent: what errors are usual, by which later ones are followed, or None.
        spread: how large errors are expected to be, or None where they are all the same.
        error: the mean absolute error in units of the best naive forecast's, or None if there is none.
        errors: the committee's on held-out rows, float32 [rows, horizon] for each series; empty without one.
    """

    committee: Committee | None = None
    calibration: Calibration | None = None
    recent: RecentErrors | None = None
    spread: Spread | None = None
    error: float | None = None
    errors: Sequence[NDArray[np.float32]] = ()


def trust_in(
    job: Job,
    members: Sequence[Member],
    held_out: Sequence[HeldOut],
    inputs: Sequence[SeriesInputs],
    steady: Sequence[SeriesInputs],
    series: Sequence[CovariateSeries],
    *,
    checked: bool,
    whole: bool,
) -> Trust:
    """Judge trained networks.

    Args:
        job: what they have in common.
        members: the networks.
        held_out: for each stretch what is held out.
        inputs: what they read of the series.
        steady: the same without outages, from which all learn that are no networks.
        series: the training data.
        checked: whether networks lack what is held out.
        whole: whether the readings are whole numbers.
    """
    settings, rules, histories = job.settings, job.rules, job.histories
    if settings.quantiles:
        return Trust()
    each = [member.changes for member in members], [member.said for member in members]
    changed, said = (by_stretch(own, settings.ensemble) for own in each)
    found = held_out_forecasts(job.panel, job.wanted, changed, held_out, said)
    values = [one.values for one in inputs]
    if not (settings.committee and settings.validation_fraction):
        committee = alone(rules)
        errors = errors_of(committee, values, histories, found)
        calibration, error = calibrate(errors, held_out=True), error_in_units(errors, rules)
        if rules.alone:
            return Trust(calibration=calibration, error=error)
        recent = recent_errors(histories, rules, errors, calibration, spread=False)
        return Trust(committee, calibration, recent, error=error)
    sizes = [last - first if checked else 0 for first, last in zip(held_out[0].first, job.points, strict=True)]
    judged = trusted(sizes, settings.horizon)
    profiles = _profiles(job, held_out, steady, series, checked=checked)
    # The same objects where no series has an outage.
    calm = histories if all(a is b for a, b in zip(inputs, steady, strict=True)) else histories_of(steady, rules)
    both = (values, [one.values for one in steady]), (histories, calm)
    committee, there = stacked(*both, found, rules, profiles, judged=judged, single=job.drawn is None)
    errors = in_sizes = there.errors
    spread = None
    if heads(settings) > 1 or settings.loss in COUNTS:
        spread, in_sizes = spread_of(settings, rules, there.said, there.forecasts, errors, job.scales, whole)
    calibration = calibrate(in_sizes, held_out=judged, units=None if spread is not None else rules.units)
    averaged: list[Averaged | None] = []
    if held_whole(job.points, step_of(series[0].times), settings):
        averaged = run_side_by_side(
            lambda number, check: averaged_smoothing(calm[number], settings.horizon, rules.seasons, len(calm)),
            len(calm),
        )
    if any(averaged):
        places = [np.concatenate([network[number].places for network in found]) for number in range(len(series))]
        stops = [
            np.concatenate([np.full(len(network[number].places), network[number].last) for network in found])
            for number in range(len(series))
        ]
        committee, calibration, errors = joined(averaged, committee, calibration, errors, places, stops)
    recent = recent_errors(histories, rules, errors, calibration, spread=spread is not None)
    return Trust(committee, calibration, recent, spread, error_in_units(errors, rules), there.errors)


def _profiles(
    job: Job,
    held_out: Sequence[HeldOut],
    inputs: Sequence[SeriesInputs],
    series: Sequence[CovariateSeries],
    *,
    checked: bool,
) -> LearnedProfiles:
    """The seasonal profiles of the series; what is drawn has none, as the series are a sample of it."""
    # Where nothing is checked, all rows are looked at, and profiles are those of all.
    nothing = [(0, 0)] * len(series)
    out = [[*zip(own.first, own.last, strict=True)] if checked else nothing for own in held_out]
    firsts = np.array([one.times[0] for one in series])
    seasons = job.rules.seasons if job.drawn is None else ()
    values = [one.values for one in inputs]
    return learned_profiles(values, firsts, step_of(series[0].times), seasons, out, job.rules.horizon)
