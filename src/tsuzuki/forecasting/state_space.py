"""Exponential smoothing of a short series: many models with states of their own, each weighed by its likelihood.

The models are the additive ones of Hyndman, Koehler, Ord and Snyder (2008): a level, with or without a trend, damped or
not, with or without a season. Their constants come from a grid; the states that a model begins with are those that
leave the least squares, which is linear regression. Akaike's criterion, corrected for few readings, counts constants
and first states as parameters. Forecasts of all are averaged instead of one being chosen (Kolassa 2011), since a few
dozen readings seldom tell them apart. With weights and constants fixed all of this is one matrix on the last values.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from tsuzuki.forecasting.committee import Committee
from tsuzuki.forecasting.conformal_intervals import PROBABILITIES, Calibration, calibrate, students_over_normal
from tsuzuki.forecasting.history import History
from tsuzuki.forecasting.rules import SHORTEST, WHOLE_VALUES
from tsuzuki.forecasting.smoothing import Constants, follow

# What is tried: how fast level and trend follow, how the trend is damped, and how fast the season follows.
LEVELS = (0.02, 0.1, 0.2, 0.3, 0.45, 0.6, 0.75, 0.9, 0.999)
TRENDS, DAMPINGS, SEASONS = (0.02, 0.1, 0.3, 0.6), (0.8, 0.9, 0.95, 0.98, 1.0), (0.02, 0.15, 0.4)
# Of more series than this fewer models are tried each, a fifth of them, which take half of the time (of 96 months 14 ms
# instead of 29); a grid of as many had 1 % more error on 183 cuts of single series.
FINE_SERIES = 50
FEWER_LEVELS, FEWER_TRENDS, FEWER_DAMPINGS, FEWER_SEASONS = (
    (0.02, 0.1, 0.3, 0.6, 0.9),
    (0.02, 0.1, 0.3),
    (0.8, 0.95, 1.0),
    (0.02, 0.15),
)
# Likelihoods are taken to this power: errors of a model that is none of these say less than those of the true one.
EVIDENCE = 0.5
# Models of less weight than this share of the heaviest one's are left out.
LEAST_WEIGHT = 1e-3
# Beside a committee that errs as much they have half of the weight, beside one that errs a quarter less a fourth, of
# several series, which tell the sides apart more surely, a hundredth.
SHARP, SHARP_TOGETHER = 4.0, 16.0
# A committee's weights and constants were chosen by the errors that it is judged by, and are so much worse behind them.
FLATTERED = 1.15
# How much a series' own errors say of its share, the rest being what those of all say.
OWN = 0.5
# Squares are at least this share of the series' own, so that a series without any error has a likelihood.
LEAST_SQUARES = 1e-10


@dataclass(frozen=True)
class Averaged:
    """What the models of a series say together.

    Attributes:
        map: float32 [size, horizon], windows less their last value to the forecast less the last value.
        errors: float32 [points, horizon], actual less forecast from each position on, NaN where unknown.
        calibration: percentiles of errors to come.
    """

    map: NDArray[np.float32]
    errors: NDArray[np.float32]
    calibration: Calibration


@dataclass(frozen=True)
class _Family:
    """Models that have the same states.

    Attributes:
        constants: of each.
        season: in steps, 1 for none.
        trend: whether they have one.
        parameters: int64 [models], constants and first states of each, and the variance.
    """

    constants: tuple[Constants, ...]
    season: int
    trend: bool
    parameters: NDArray[np.int64]

    @property
    def states(self) -> int:
        """Numbers that a model begins with: level, trend, and a season that adds to nothing."""
        return self.trend + self.season


def averaged_smoothing(history: History, horizon: int, seasons: Sequence[int], series: int = 1) -> Averaged | None:
    """What the models say together of the last stretch of a series, or None if that is too short.

    Args:
        history: of the series.
        horizon: steps ahead.
        seasons: in steps, of which the shortest counts.
        series: how many there are of which this is one.
    """
    ends = history.ends[history.ends >= 0]
    broken = np.flatnonzero(np.diff(ends) > 1)
    ends = ends[broken[-1] + 1 if len(broken) else 0 :][-history.size :]
    values = history.values[ends].astype(np.float64)
    if len(values) < SHORTEST:
        return None
    season = next((one for one in seasons[:1] if len(values) >= 2 * one + 2), 1)
    families = [one for one in _families(season, fine=series <= FINE_SERIES) if len(values) > one.parameters.min() + 1]
    seen = values - values[-1]
    fitted = [_fit(one, seen) for one in families]
    least = LEAST_SQUARES * max(float(((values - values.mean()) ** 2).sum()), LEAST_SQUARES)
    squares = [np.maximum(one, least) for _, one in fitted]
    shares = _shares(families, squares, len(values))
    found = np.zeros((horizon, len(values)))
    errors, means, variances, freedom = np.zeros((len(values), horizon)), [], [], 0.0
    weights: list[NDArray[np.float64]] = []
    for family, (first, _), own, share in zip(families, fitted, squares, shares, strict=True):
        heavy = np.flatnonzero(share > LEAST_WEIGHT * max(float(one.max()) for one in shares))
        if len(heavy) == 0:
            continue
        some = _Family(
            tuple(family.constants[model] for model in heavy), family.season, family.trend, family.parameters[heavy]
        )
        said = _forecasts(some, seen, first[heavy], horizon)
        free = np.maximum(len(values) - some.parameters, 1)
        errors += np.tensordot(share[heavy], said, 1)
        freedom += float(share[heavy] @ free)
        means.append(said[:, -1])
        variances.append((own[heavy] / free)[:, None] * _growth(some, horizon))
        weights.append(share[heavy])
        found += _map(some, len(values), horizon, share[heavy])
    share = np.concatenate(weights)
    total, mean = share.sum(), np.concatenate(means)
    share, freedom = share / total, freedom / total
    # What models differ by is as uncertain as what each errs by.
    variance = share @ (np.concatenate(variances) + (mean - share @ mean) ** 2)
    normal = np.array([NormalDist().inv_cdf(one) for one in PROBABILITIES]) * students_over_normal(freedom)
    ahead = np.arange(len(values))[:, None] + np.arange(1, horizon + 1)
    actual = np.where(ahead < len(values), seen[np.minimum(ahead, len(values) - 1)], np.nan)
    whole = np.zeros((history.size, horizon), np.float32)
    whole[history.size - len(values) :] = (found / total).T
    said_at = np.full((len(history.ends), horizon), np.nan, np.float32)
    said_at[np.flatnonzero(history.ends >= 0)[-len(values) :]] = actual - errors / total
    return Averaged(
        whole,
        said_at,
        Calibration(np.asarray(normal[:, None] * np.sqrt(variance), np.float32)[None]),
    )


def _families(season: int, *, fine: bool = True) -> list[_Family]:
    """Models without and with a trend, and with a season, where that is more than one step, too."""
    levels, rates, dampings, every_turn = (
        (LEVELS, TRENDS, DAMPINGS, SEASONS) if fine else (FEWER_LEVELS, FEWER_TRENDS, FEWER_DAMPINGS, FEWER_SEASONS)
    )
    trends = [(rate, damping) for rate, damping in product((0.0, *rates), dampings) if rate > 0 or damping == 1]
    found = []
    for length in (1,) if season == 1 else (1, season):
        turns = (0.0,) if length == 1 else every_turn
        for with_trend in (False, True):
            grid = product(levels, trends if with_trend else [(0.0, 0.0)], turns)
            constants = tuple(Constants(level, rate, damping, turn) for level, (rate, damping), turn in grid)
            # Level, season, trend and damping as far as there is one, the variance and what each begins with.
            own = [2 + (length > 1) + with_trend + (0 < one.damping < 1) + with_trend + length for one in constants]
            found.append(_Family(constants, length, with_trend, np.array(own)))
    return found


def _run(
    family: _Family, columns: NDArray[np.float64], surprises: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Run models over columns that begin with nothing and over each first state by itself.

    Args:
        family: of the models.
        columns: [steps, columns].
        surprises: [steps, models, columns + states], written.

    Returns:
        Level and trend [models, columns + states] and season [season, models, columns + states] behind the last step.
    """
    models, states, count = len(family.constants), family.states, columns.shape[1]
    values = np.concatenate([columns, np.zeros((len(columns), states))], axis=1)
    level, trend = np.zeros((2, models, count + states))
    seasonal = np.zeros((family.season, models, count + states))
    level[:, count] = 1
    if family.trend:
        trend[:, count + 1] = 1
    if family.season > 1:
        # The last step of a season is what lacks to nothing.
        turns = np.arange(family.season - 1)
        seasonal[turns, :, count + 1 + family.trend + turns] = 1
        seasonal[-1, :, count + 1 + family.trend :] = -1
    return follow(values, level, trend, seasonal, family.constants, surprises)


def _fit(family: _Family, values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The states that each model begins with [models, states], and the squares of its errors one step ahead."""
    surprises = np.empty((len(values), len(family.constants), 1 + family.states))
    _run(family, values[:, None], surprises)
    errors, moved = surprises[..., 0].T, surprises[..., 1:].transpose(1, 0, 2)
    first = _least_squares(moved, errors[..., None])[..., 0]
    left = errors + np.einsum("mns,ms->mn", moved, first)
    return first, np.asarray((left**2).sum(axis=1))


def _least_squares(moved: NDArray[np.float64], errors: NDArray[np.float64]) -> NDArray[np.float64]:
    """First states [models, states, columns] that take most off errors [models, steps, columns]."""
    turned = moved.transpose(0, 2, 1)
    products = turned @ moved
    # States that are forgotten at once leave a choice.
    traces = np.trace(products, axis1=1, axis2=2)[:, None, None]
    return np.asarray(-np.linalg.solve(products + 1e-9 * traces * np.eye(products.shape[1]), turned @ errors))


def _shares(
    families: Sequence[_Family], squares: Sequence[NDArray[np.float64]], steps: int
) -> list[NDArray[np.float64]]:
    """The weight of each model of each family: those with the same number of parameters share what their best has."""
    criteria = []
    for family, own in zip(families, squares, strict=True):
        count = family.parameters
        left = steps - count - 1
        fined = 2 * count + 2 * count * (count + 1) / np.maximum(left, 1)
        criteria.append(np.where(left > 0, steps * np.log(own / steps) + fined, np.inf))
    best, found = min(float(one.min()) for one in criteria), []
    for family, own in zip(families, criteria, strict=True):
        share = np.zeros(len(own))
        for count in np.unique(family.parameters):
            alike = family.parameters == count
            if np.isfinite(own[alike]).any():
                within = np.exp(-EVIDENCE * (own[alike] - own[alike].min()) / 2)
                share[alike] = within / within.sum() * np.exp(-EVIDENCE * (own[alike].min() - best) / 2)
        found.append(share)
    return found


def _ahead(
    family: _Family,
    level: NDArray[np.float64],
    trend: NDArray[np.float64],
    seasonal: NDArray[np.float64],
    steps: int,
    horizon: int,
) -> NDArray[np.float64]:
    """Forecasts [horizon, models, columns] of states behind so many steps."""
    damping = np.array([[one.damping] for one in family.constants])
    growth, found = np.zeros_like(level), []
    for ahead in range(horizon):
        growth = growth + damping ** (ahead + 1) * trend
        found.append(level + growth + seasonal[(steps + ahead) % family.season])
    return np.stack(found)


def _forecasts(
    family: _Family, values: NDArray[np.float64], first: NDArray[np.float64], horizon: int
) -> NDArray[np.float64]:
    """What each model forecasts behind each reading, [models, readings, horizon], from its first states."""
    gain, rate, damping, turn = (
        np.array([getattr(one, name) for one in family.constants]) for name in ("level", "trend", "damping", "season")
    )
    level, trend = first[:, 0], first[:, 1] if family.trend else np.zeros(len(first))
    seasonal = np.zeros((family.season, len(first)))
    if family.season > 1:
        seasonal[:-1] = first[:, 1 + family.trend :].T
        seasonal[-1] = -seasonal[:-1].sum(axis=0)
    levels, trends = np.empty((2, len(values), len(first)))
    # Of each step, that of the next one first.
    turns = np.empty((len(values), family.season, len(first)))
    for step, value in enumerate(values):
        place, fall = step % family.season, damping * trend
        surprise = value - seasonal[place] - level - fall
        level, trend = level + fall + gain * surprise, fall + rate * gain * surprise
        seasonal[place] += turn * (1 - gain) * surprise
        levels[step], trends[step] = level, trend
        turns[step, : family.season - 1 - place], turns[step, family.season - 1 - place :] = (
            seasonal[place + 1 :],
            seasonal[: place + 1],
        )
    found, growth = np.empty((len(first), len(values), horizon)), np.zeros(len(first))
    for ahead in range(horizon):
        growth = growth + damping ** (ahead + 1)
        found[..., ahead] = (levels + growth * trends + turns[:, ahead % family.season]).T
    return found


def _map(family: _Family, size: int, horizon: int, share: NDArray[np.float64]) -> NDArray[np.float64]:
    """[horizon, size]: values to the sum of what models forecast, each times its share, from first states of these."""
    surprises = np.empty((size, len(family.constants), size + family.states))
    level, trend, seasonal = _run(family, np.eye(size), surprises)
    said = _ahead(family, level, trend, seasonal, size, horizon)
    moved = surprises.transpose(1, 0, 2)
    first = _least_squares(moved[..., size:], moved[..., :size])
    whole = said[..., :size] + np.einsum("hms,msn->hmn", said[..., size:], first)
    return np.asarray(np.tensordot(share, whole, ((0,), (1,))))


def _growth(family: _Family, horizon: int) -> NDArray[np.float64]:
    """By how much the variance of errors so many steps ahead is that of one step, [models, horizon]."""
    ahead = np.arange(1, horizon)
    found = []
    for one in family.constants:
        moved = one.level * (1 + one.trend * np.cumsum(one.damping**ahead))
        if family.season > 1:
            moved = moved + one.season * (1 - one.level) * (ahead % family.season == 0)
        found.append(1 + np.append(0, np.cumsum(moved**2)))
    return np.stack(found)


def joined(
    averaged: Sequence[Averaged | None],
    others: Committee,
    calibration: Calibration,
    errors: Sequence[NDArray[np.float32]],
    places: Sequence[NDArray[np.int64]],
    stops: Sequence[NDArray[np.int64]],
) -> tuple[Committee, Calibration, list[NDArray[np.float32]]]:
    """A committee that these models have joined, its intervals and errors.

    Each side has a share by its own errors, those of a series and those of all. Intervals are those of the models,
    narrower by the root of what the others take off their errors; of more than `WHOLE_VALUES` points, whose errors show
    a skew, half-way to their percentiles.

    Args:
        averaged: what the models say of each series.
        others: the committee without them.
        calibration: its intervals.
        errors: for each series float32 [rows, horizon], its errors where its networks were held out.
        places: for each series int64 [rows], the positions of these.
        stops: for each series int64 [rows], the positions behind the stretches that these lie in. Networks have learned
            from what comes there; of several series it is not compared as long as there is anything else.
    """
    several, ahead = len(averaged) > 1, np.arange(1, others.weights.shape[2] + 1)
    sizes, compared = np.ones((len(averaged), 2)), [np.zeros(own.shape, bool) for own in errors]
    for number, (one, own, at, stop) in enumerate(zip(averaged, errors, places, stops, strict=True)):
        if one is None:
            continue
        both = np.isfinite(one.errors[at]) & np.isfinite(own)
        unseen = both & (at[:, None] + ahead < stop[:, None])
        compared[number] = both = unseen if several and unseen.any() else both
        if both.any():
            sizes[number] = [np.abs(some[both]).mean() for some in (one.errors[at], own)]
    sizes[:, 1] *= FLATTERED
    there = np.array([one is not None for one in averaged])
    shares = np.where(there, _shares_of_others(sizes, there), 1.0)
    common, weights = others.kinds_in_common, list[NDArray[np.float64]]()
    maps, profile_maps, bases = [], [], others.bases.copy()
    offsets = np.repeat(calibration.offsets, len(averaged) // len(calibration.offsets), axis=0)
    mixed = list(errors)
    for number, (one, own, at, share) in enumerate(zip(averaged, errors, places, shares, strict=True)):
        kind = others.bases[number]
        if one is None and kind < common:
            continue
        bases[number] = common + len(weights)
        weights.append(share * others.weights[kind])
        maps.append(share * others.maps[kind] + (0 if one is None else (1 - share) * one.map))
        profile_maps.append(share * others.profile_maps[kind])
        if one is None:
            continue
        mixed[number] = np.asarray(share * own + (1 - share) * one.errors[at], np.float32)
        both = compared[number]
        left = np.abs(mixed[number][both]).mean() / sizes[number, 0] if both.any() and sizes[number, 0] > 0 else 1.0
        reach = one.calibration.offsets[0] * np.float32(np.sqrt(left))
        if len(one.errors) > WHOLE_VALUES:
            reach = (reach + calibrate([mixed[number]]).offsets[0]) / np.float32(2)
        offsets[number] = reach if calibration.sizes is None else reach / calibration.sizes[number]
    every = np.concatenate([others.weights[:common], weights])
    trusted = np.zeros((len(every), 1, every.shape[2]))
    trusted[bases[there]] = (1 - shares[there])[:, None, None]
    alone = others.bases[bases >= common]
    together = replace(
        others,
        members=(*others.members, "state space"),
        weights=np.concatenate([every, trusted], axis=1),
        maps=np.concatenate([others.maps[:common], np.array(maps, np.float32)]),
        bases=bases,
        seasons=(*others.seasons[:common], *(others.seasons[kind] for kind in alone)),
        profile_maps=np.concatenate([others.profile_maps[:common], profile_maps]),
    )
    return together, replace(calibration, offsets=offsets), mixed


def _shares_of_others(sizes: NDArray[np.float64], there: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The share of what is beside the models, [series], by the sizes of both sides' errors [series, 2]."""
    usual = np.maximum(sizes[there].mean(axis=1, keepdims=True), 1e-12)
    both = np.stack([sizes, np.broadcast_to((sizes[there] / usual).mean(axis=0), sizes.shape)])
    sharp = SHARP if len(sizes) == 1 else SHARP_TOGETHER
    ahead = sharp * (both[..., 0] - both[..., 1]) / np.maximum(both.min(axis=2), 1e-12)
    # Beyond this the other side has a weight below float32's rounding.
    return np.asarray(1 / (1 + np.exp(-np.clip(OWN * ahead[0] + (1 - OWN) * ahead[1], -40, 40))))
