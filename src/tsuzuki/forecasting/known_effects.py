"""By how much columns that are known ahead move the values of series: taken off readings, put back on forecasts.

A regression with errors that follow one another, solved on differences (over a step or a season, whichever leaves
least) so that neither level nor season is taken for an effect. All members of a committee then forecast what is left,
so that a holiday moves a seasonal naive forecast, too; the networks read the columns all the same, and learn where an
effect is not the same at all times. An effect is kept only where it explains stretches that it was not learned from.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from tsuzuki.data.covariates import CovariateNames, CovariateSeries
    from tsuzuki.forecasting.transforms import Transform

# Stretches of time, each of which is explained by the others.
STRETCHES = 8
# An effect is kept where the errors of stretches left out fall by so many standard errors of their fall.
SURE = 2.0
# How many rows the effects over all series are worth beside those of a series itself.
SHARED_ROWS = (0.0, 10.0, 100.0, 1e9)
# The regression is solved anew so often, errors above the mean one counting less (Huber 1964).
ROUNDS = 4
# Over a longer season, such as a year of days, holidays are no difference.
LONGEST = 336
# Of more columns than these it is not tried to leave out single ones.
MOST_TRIED = 12


@dataclass(frozen=True)
class KnownEffects:
    """Effects of the columns known ahead.

    Attributes:
        slopes: float64 [series, known], for each deviation of a column: what is added to transformed values, or to
            logarithms of values that are not transformed otherwise.
        first: the place of the first of the columns among all covariates.
        factor: whether effects are factors of values that are not transformed.
    """

    slopes: NDArray[np.float64]
    first: int
    factor: bool = False

    def __bool__(self) -> bool:
        return bool(self.slopes.any())

    def of(self, known: NDArray[np.float64], series: int) -> NDArray[np.float64]:
        """The effect of scaled columns [..., known] in a series, [...], transformed."""
        return np.asarray(known @ self.slopes[series])

    def within(self, covariates: NDArray[np.float64], series: int) -> NDArray[np.float64]:
        """The effect of the columns known ahead among all scaled covariates [points, covariates], [points]."""
        return self.of(covariates[:, self.first : self.first + self.slopes.shape[1]], series)

    def take_off(
        self, values: NDArray[np.float64], effect: NDArray[np.float64], transform: "Transform", number: int
    ) -> NDArray[np.float64]:
        """Readings [points] of a series as they would be at the usual values of what is known ahead."""
        return self.put_on(values, -effect, transform, number)

    def put_on(
        self,
        values: NDArray[np.float64],
        effect: NDArray[np.float64],
        transform: "Transform",
        number: "int | NDArray[np.int64]",
    ) -> NDArray[np.float64]:
        """What usual values [..., horizon] of a series come to with effects [..., horizon], in its unit; with several
        series, a row of values of each."""
        if not self:
            return values
        if self.factor:
            return values * np.exp(effect)
        return values + effect if transform.kind == "none" else transform.moved(values, effect, number)


def series_without_effects(
    series: "Sequence[CovariateSeries]",
    transform: "Transform",
    effects: KnownEffects,
    scales: NDArray[np.float64],
) -> "list[CovariateSeries]":
    """Series as they would be at the usual values of what is known ahead.

    Args:
        series: from their beginning.
        transform: of the series.
        effects: of their columns.
        scales: [covariates, 2], mean and deviation of the covariates.
    """
    if not effects:
        return list(series)
    found = []
    for number, one in enumerate(series):
        effect = effects_over(one, effects, scales, number)
        found.append(replace(one, values=effects.take_off(one.values, effect, transform, number)))
    return found


def effects_in_windows(
    series: "Sequence[CovariateSeries]", effects: KnownEffects, scales: NDArray[np.float64], size: int
) -> NDArray[np.float32]:
    """The effects in the last `size` values of series, float32 [series, size]; [series, 0] where there are none."""
    if not effects:
        return np.zeros((len(series), 0), np.float32)
    found = np.zeros((len(series), size), np.float32)
    for number, one in enumerate(series):
        own = effects_over(one, effects, scales, number)[-size:]
        found[number, size - len(own) :] = own
    return found


def effects_over(
    one: "CovariateSeries", effects: KnownEffects, scales: NDArray[np.float64], number: int
) -> NDArray[np.float64]:
    """The effects at each point of a series from its beginning, [points], transformed."""
    return effects.within(_filled(one, scales), number)


def _filled(one: "CovariateSeries", scales: NDArray[np.float64]) -> NDArray[np.float64]:
    from tsuzuki.forecasting.scaling import scale_and_fill

    return scale_and_fill(one.covariates, scales, np.zeros(len(scales)))


def known_effects(
    series: "Sequence[CovariateSeries]",
    transform: "Transform",
    columns: "CovariateNames",
    seasons: Sequence[int],
    scales: NDArray[np.float64],
) -> KnownEffects:
    """Learn the effects.

    Args:
        series: the training data.
        transform: of the series.
        columns: the covariates.
        seasons: in steps.
        scales: [covariates, 2], mean and deviation of the covariates.
    """
    first, count = len(columns.past), len(columns.known)
    if count == 0:
        return KnownEffects(np.zeros((len(series), 0)), first)
    known = [_filled(one, scales)[:, first : first + count] for one in series]
    slopes, share = _effects([transform.forward(one.values, i) for i, one in enumerate(series)], known, seasons)
    positive = transform.kind == "none" and all(np.nanmin(one.values) > 0 for one in series)
    if positive and slopes.any():
        logarithms, other = _effects([np.log(one.values) for one in series], known, seasons)
        if other < share:
            return KnownEffects(logarithms, first, factor=True)
    return KnownEffects(slopes, first)


def _effects(
    values: Sequence[NDArray[np.float64]], known: Sequence[NDArray[np.float64]], seasons: Sequence[int]
) -> tuple[NDArray[np.float64], float]:
    """Effects [series, columns] of known columns on values of series, and the share of the loss that they leave."""
    count = known[0].shape[1]
    nothing = np.zeros((len(values), count))
    x, y, units = [], [], []
    for own, columns in zip(values, known, strict=True):
        back = _difference(own, seasons)
        moved = own[back:] - own[:-back]
        there = np.isfinite(moved)
        unit = float(np.abs(moved[there]).mean()) if there.any() else 0.0
        units.append(unit or 1.0)
        x.append((columns[back:] - columns[:-back])[there])
        y.append(moved[there] / units[-1])
    kept = list(range(count))
    best = _learned([own[:, kept] for own in x], y)
    while kept and count <= MOST_TRIED:
        # A column that is better left out goes, the worst first.
        others = [_learned([own[:, [k for k in kept if k != out]] for own in x], y) for out in kept]
        worst = int(np.argmin([other.error for other in others]))
        if not _falls(others[worst].errors, best.errors):
            best = others[worst]
            kept.pop(worst)
        else:
            break
    without = _learned([own[:, []] for own in x], y)
    if not kept or not _falls(without.errors, best.errors):
        return nothing, 1.0
    nothing[:, kept] = best.slopes * np.array(units)[:, None]
    return nothing, best.error / without.error


@dataclass(frozen=True)
class _Learned:
    """Slopes [series, columns], and the mean loss of each stretch explained by the others, [stretches]."""

    slopes: NDArray[np.float64]
    errors: NDArray[np.float64]

    @property
    def error(self) -> float:
        return float(self.errors.mean())


def _falls(before: NDArray[np.float64], behind: NDArray[np.float64]) -> bool:
    """Whether losses of stretches fall for certain."""
    fall = before - behind
    return bool(fall.mean() > SURE * fall.std(ddof=1) / np.sqrt(len(fall)) and fall.mean() > 0)


def _difference(values: NDArray[np.float64], seasons: Sequence[int]) -> int:
    """The steps over which values differ least, 1 or a season's."""
    found = {}
    for back in (1, *(season for season in seasons if season <= LONGEST and 2 * season < len(values))):
        apart = np.abs(values[back:] - values[:-back])
        if np.isfinite(apart).any():
            found[back] = float(np.nanmean(apart))
    return min(found, key=found.__getitem__, default=1)


def _learned(x: Sequence[NDArray[np.float64]], y: Sequence[NDArray[np.float64]]) -> _Learned:
    """Effects of columns x [rows, columns] on y [rows] of each series, as far as those of all series are trusted."""
    count = x[0].shape[1]
    slopes = np.zeros((len(x), count))
    counts = [np.ones(len(own)) for own in y]
    for _ in range(ROUNDS if count else 1):
        sums = [_sums(*one) for one in zip(x, y, counts, strict=True)]
        tried = [_solved(sums, worth) for worth in SHARED_ROWS] if count else []
        if tried:
            slopes, _ = min(tried, key=lambda one: float(one[1].mean()))
        for number, (own, target) in enumerate(zip(x, y, strict=True)):
            errors = np.abs(target - own @ slopes[number])
            counts[number] = 1 / np.maximum(errors / (errors.mean() or 1.0), 1) if len(errors) else counts[number]
    sums = [_sums(*one) for one in zip(x, y, counts, strict=True)]
    if not count:
        return _Learned(slopes, np.array([sum(one[2][b] for one in sums) for b in range(STRETCHES)]))
    slopes, errors = min((_solved(sums, worth) for worth in SHARED_ROWS), key=lambda one: float(one[1].mean()))
    return _Learned(slopes, errors)


Sums = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]


def _sums(x: NDArray[np.float64], y: NDArray[np.float64], counts: NDArray[np.float64]) -> Sums:
    """Products of columns with columns and with y, and y's squares, of each stretch."""
    parts = list(zip(*(np.array_split(one, STRETCHES) for one in (x, y, counts)), strict=True))
    inputs = np.stack([a.T @ (a * c[:, None]) for a, _, c in parts])
    sides = np.stack([a.T @ (b * c) for a, b, c in parts])
    return inputs, sides, np.array([float(b @ (b * c)) for _, b, c in parts])


def _solved(sums: Sequence[Sums], worth: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Slopes of each series [series, columns], and the loss of each stretch [stretches] by slopes of the others."""
    count = sums[0][0].shape[-1]
    losses = np.zeros(STRETCHES)
    for left_out in range(STRETCHES):
        rest = [(a.sum(axis=0) - a[left_out], b.sum(axis=0) - b[left_out]) for a, b, _ in sums]
        for (a, b, c), slopes in zip(sums, _slopes(rest, worth), strict=True):
            losses[left_out] += c[left_out] - 2 * slopes @ b[left_out] + slopes @ a[left_out] @ slopes
    return _slopes([(a.sum(axis=0), b.sum(axis=0)) for a, b, _ in sums], worth).reshape(-1, count), losses


def _slopes(sums: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]], worth: float) -> NDArray[np.float64]:
    """Slopes of each series, drawn towards those of all as if these had been seen in so many rows more."""
    inputs, sides = np.sum([a for a, _ in sums], axis=0), np.sum([b for _, b in sums], axis=0)
    unit = float(np.trace(inputs)) / len(inputs)
    if not unit > 0:
        return np.zeros((len(sums), len(inputs)))
    shared = np.linalg.solve(inputs + 1e-6 * unit * np.eye(len(inputs)), sides)
    pull = np.diag(np.maximum(np.diag(inputs), 1e-9 * unit)) / max(len(sums), 1)
    share = max(worth, 1e-6) / 100
    return np.stack([np.linalg.solve(a + share * pull, b + share * pull @ shared) for a, b in sums])
