"""What the data themselves say about how they are best forecast; each rule has a setting that fixes it instead.

The rules look at training values only. Base: the seasonal naive forecast where its error is below half of that of the
last value. Transformation: where a series' spread grows with its level. Calendar: only cycles that the data hold
several times, as a network otherwise learns the level of a stretch by its date.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tsuzuki.data.calendar import DAY, cycles, seasons
from tsuzuki.forecasting.architecture import default_lags
from tsuzuki.forecasting.naive_errors import naive_errors_of
from tsuzuki.forecasting.spread import COUNTS, GAUSSIAN, NEGATIVE_BINOMIAL, dispersion_of
from tsuzuki.forecasting.transforms import Transform, transform_of

if TYPE_CHECKING:
    from tsuzuki.data.covariates import CovariateSeries
    from tsuzuki.forecasting.settings import Settings

# Times that a cycle must be held by the longest series before it is an input.
HELD = {"hour": (DAY, 3), "weekday": (7 * DAY, 3), "day of year": (365.2425 * DAY, 2.9)}
# The seasonal naive forecast is the base where its error is below this share of the last value's.
BASE_SHARE = 0.5
# Values that the ridge regression reads, and the longest season that a window may hold.
RIDGE_VALUES, LONGEST = 336, 2048
# Of shorter series a window holds half, as far as that is no more than this.
SHORT_VALUES = 100
# Series are held whole by windows where none has more points than this, one that stands alone of days and longer steps
# than that, and there are so many at most; and then smoothing with states of its own forecasts each, too; see
# `state_space`. Of hours and minutes, with their spikes, 120 to 240 points are forecast worse with it.
SHORTEST, WHOLE_VALUES, WHOLE_DAYS, WHOLE_SERIES = 10, 100, 250, 200
# A transformation needs so steep a growth of the spread with the level (1: in proportion), seen over levels that lie so
# far apart (standard deviation of their logarithms), and so regular (correlation).
STEEP, APART, REGULAR = 0.6, 0.15, 0.6

# The days of a week differ where they explain so much of the variance within weeks, of so many at least.
# Otherwise, with columns for the weekday and the week's mean and changes, networks learn single weeks by heart.
WEEK_SHOWS, WEEKS = 0.01, 26

# Two years teach the day of the year where one is so much like the other, by the correlation of their fortnights. Two
# years of temperatures are alike to 0.81 and more, of 400 random walks none.
YEAR, FORTNIGHTS, ALIKE = 365.2425 * DAY, 26, 0.8

# Series wander where their values differ so many times more over a third to two thirds of their length than over a
# sixteenth to an eighth (a random walk: 2; noise or cycles: 1).
WANDERING = 1.25


@dataclass(frozen=True)
class Rules:
    """What was chosen.

    Attributes:
        transform: none, log or asinh.
        cycles: the calendar's inputs.
        seasons: in steps, the shortest first.
        lags: pairs (behind, over) that networks read; see `Settings`.
        bases: for each series the season of the forecast that the networks add to; 0 is the last value.
        units: for each series what its errors are measured in, in deviations of the series.
        history: values that a forecast looks back on.
        horizon: steps ahead.
        alone: whether networks read nothing of that window and stand for themselves.
        dispersion: of counts, in units of a series' mean; see `spread.dispersion_of`.
        weekly: whether networks read changes over a week where a day is a season, too.
    """

    transform: str
    cycles: tuple[str, ...]
    seasons: tuple[int, ...]
    lags: tuple[tuple[int, int], ...]
    bases: tuple[int, ...]
    units: tuple[float, ...]
    history: int
    horizon: int
    alone: bool
    dispersion: float = 0.0
    weekly: bool = True


def cycles_held(step: int, points: int) -> tuple[str, ...]:
    """The cycles of the calendar that so many points hold often enough to learn from."""
    return tuple(one for one in cycles(step) if points * step >= HELD[one][0] * HELD[one][1])


def seasons_held(step: int, points: int) -> tuple[int, ...]:
    """The seasons that so many points hold and a window can."""
    return tuple(season for season in seasons(step, points) if season <= LONGEST)


def history_held(seasons: Sequence[int], points: int) -> int:
    """Values that a window has: what the ridge regression reads, and the longest season; of a short series half."""
    return max(ridge_values(points), min(SHORT_VALUES, points // 2), *seasons)


def held_whole(points: Sequence[int], step: int, settings: "Settings") -> bool:
    """Whether windows hold series whole: few short ones, by the points of each on its grid."""
    plain = settings.committee and not settings.quantiles and settings.loss not in (GAUSSIAN, *COUNTS)
    most = WHOLE_DAYS if step >= DAY and len(points) == 1 else WHOLE_VALUES
    return plain and len(points) <= WHOLE_SERIES and SHORTEST <= max(points) <= most


def ridge_values(points: int) -> int:
    """Values that the ridge regression reads of series so long."""
    return max(2, min(RIDGE_VALUES, points // 4))


def base_of(values: NDArray[np.floating[Any]], seasons: Sequence[int], horizon: int) -> int:
    """The season whose naive forecast is much better than the last value, or 0.

    Args:
        values: float64 [points], NaN where missing.
        seasons: that may be.
        horizon: steps ahead.
    """
    return base_by(naive_errors_of(values, (0, *seasons), horizon), seasons)


def base_by(errors: NDArray[np.float64], seasons: Sequence[int]) -> int:
    """The same by naive errors, float64 [1 + seasons], the last value's first."""
    best = min(range(len(seasons)), key=lambda place: errors[1 + place], default=None)
    return seasons[best] if best is not None and errors[1 + best] < BASE_SHARE * errors[0] else 0


def bases_among(errors: NDArray[np.float64], steps: Iterable[int], learned: Rules) -> NDArray[np.int64]:
    """The bases of series that training has not seen, among those of the ones that it has, int64 [series].

    Args:
        errors: float64 [series, 1 + seasons], of naive forecasts, the last value's first.
        steps: of each series.
        learned: the rules of the series that were learned from.
    """
    kinds = sorted(set(learned.bases))
    usual = max(kinds, key=learned.bases.count)
    if len(kinds) == 1:
        return np.full(len(errors), usual, np.int64)
    found = np.empty(len(errors), np.int64)
    for number, (own, size) in enumerate(zip(errors, steps, strict=True)):
        fits = tuple(season for season in learned.seasons if season <= size // 2)
        base = base_by(own[: 1 + len(fits)], fits)
        found[number] = base if base in kinds else usual
    return found


def transform_for(values: Sequence[NDArray[np.float64]], season: int) -> str:
    """The transformation after which the spread of series no longer depends on their level.

    Args:
        values: for each series float64 [points], NaN where missing.
        season: the length of the stretches whose level and spread are compared, in steps; 0 if there is none.
    """
    known = [own[~np.isnan(own)] for own in values]
    if any(len(own) == 0 or own.min() < 0 for own in known):
        return "none"
    levels, spreads = [], []
    for own in known:
        size = max(8, season, len(own) // 50)
        count = len(own) // size
        if count < 4:
            continue
        blocks = own[: count * size].reshape(count, size)
        level, spread = blocks.mean(axis=1), blocks.std(axis=1)
        usual = (level > 0) & (spread > 0)
        if usual.sum() >= 4:
            levels.append(np.log(level[usual]) - np.log(level[usual]).mean())
            spreads.append(np.log(spread[usual]) - np.log(spread[usual]).mean())
    if not levels:
        return "none"
    level, spread = np.concatenate(levels), np.concatenate(spreads)
    together, squares = float(level @ spread), float(level @ level)
    if squares < APART**2 * len(level) or together < STEEP * squares:
        return "none"
    if together < REGULAR * float(np.sqrt(squares * (spread @ spread))):
        return "none"
    return "log" if all(own.min() > 0 for own in known) else "asinh"


def wander(values: Sequence[NDArray[np.floating[Any]]]) -> bool:
    """Whether series [points] each, NaN where missing, do not come back to a level of their own."""
    near, far = [], []
    for own in values:
        count, scale = len(own), float(np.nanstd(own))
        if count >= 32 and scale > 0:
            near.append(_mean_difference(own, count / 16, count / 8) / scale)
            far.append(_mean_difference(own, 0.3 * count, 0.6 * count) / scale)
    return bool(near) and float(np.nanmean(far)) > WANDERING * float(np.nanmean(near))


def weeks_show(values: Sequence[NDArray[np.floating[Any]]], step: int) -> bool:
    """Whether the days of a week differ in any of some series, as far as that can be told.

    Args:
        values: of each series [points], NaN where missing.
        step: the grid's step in nanoseconds.
    """
    if step > DAY or DAY % step:
        return True
    day = DAY // step
    long = [own for own in values if len(own) >= WEEKS * 7 * day]
    return not long or any(_explained_by_weekdays(own, day) > WEEK_SHOWS for own in long)


def _explained_by_weekdays(values: NDArray[np.floating[Any]], day: int) -> float:
    """The share of a series' variance within weeks that a mean week explains beyond a mean day of so many points.

    The mean of every other week is laid on the weeks between, so that nothing is explained by chance; and what it errs
    more than all weeks' would, as it is made of a few, is taken off.
    """
    count = len(values) // (7 * day)
    weeks = values[len(values) - count * 7 * day :].reshape(count, 7 * day)
    known = ~np.isnan(weeks)
    # Each about its own mean, as a level that wanders would hide all else.
    means = np.where(known, weeks, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    apart, of_week, of_day = np.where(known, weeks - means[:, None], 0), 0.0, 0.0
    for first in (0, 1):
        sums, counts = (own[first::2].sum(axis=0).reshape(7, day) for own in (apart, known))
        week, mean_day = sums / np.maximum(counts, 1), sums.sum(axis=0) / np.maximum(counts.sum(axis=0), 1)
        judged, there = apart[1 - first :: 2], known[1 - first :: 2]
        of_week += float((np.where(there, judged - week.ravel(), 0) ** 2).sum())
        of_day += float((np.where(there, judged - np.tile(mean_day, 7), 0) ** 2).sum())
    by_chance = (1 + 2 / count) / (1 + 2 / (7 * count))
    return 1 - of_week / (of_day * by_chance) if of_day > 0 else 0.0


def years_show(values: Sequence[NDArray[np.floating[Any]]], step: int) -> bool:
    """Whether two years of most series that hold them are alike, but for a trend.

    Args:
        values: of each series [points], NaN where missing.
        step: the grid's step in nanoseconds.
    """
    size = int(YEAR / step)
    long = [own[len(own) - 2 * size :] for own in values if len(own) >= 2 * size]
    if not long or size < 2 * FORTNIGHTS:
        return False
    return float(np.median([_years_alike(own) for own in long])) > ALIKE


def _years_alike(values: NDArray[np.floating[Any]]) -> float:
    """The correlation of both halves of a series, in means of stretches, less the line from mean to mean."""
    parts = np.array_split(values, 2 * FORTNIGHTS)
    if any(np.isnan(one).all() for one in parts):
        return 0.0
    first, second = np.array([float(np.nanmean(one)) for one in parts]).reshape(2, FORTNIGHTS)
    line = (second.mean() - first.mean()) / FORTNIGHTS * np.arange(FORTNIGHTS)
    first, second = (own - line - (own - line).mean() for own in (first, second))
    squares = float(first @ first) * float(second @ second)
    return float(first @ second) / float(np.sqrt(squares)) if squares > 0 else 0.0


def _mean_difference(values: NDArray[np.floating[Any]], least: float, most: float) -> float:
    """How far values lie apart over several lags on average."""
    lags = np.unique(np.linspace(least, most, 9).astype(np.int64))
    apart = [np.abs(values[lag:] - values[:-lag]) for lag in lags]
    if not np.isnan(values).any():
        return float(np.mean([one.mean() for one in apart]))
    return float(np.mean([np.nanmean(one) for one in apart if np.isfinite(one).any()]))


def rules_for(series: "Sequence[CovariateSeries]", step: int, settings: "Settings") -> Rules:
    """Choose from the training data whatever the settings leave open.

    Args:
        series: the data.
        step: the grid's step in nanoseconds.
        settings: of the forecaster.
    """
    points = max(len(one.values) for one in series)
    held = seasons_held(step, points)
    values = [one.values for one in series]
    counts = settings.loss in COUNTS
    kind = "none" if counts else settings.transform
    if kind == "auto":
        kind = transform_for(values, held[0] if held else 0)
    transform, bases = transform_of(kind, values), []
    moved = [transform.forward(own, number) for number, own in enumerate(values)]
    week, named = weeks_show(moved, step), cycles_held(step, points) if settings.with_calendar else ()
    if settings.with_calendar and "day of year" not in named and years_show(moved, step):
        named = (*named, "day of year")
    if not week:
        named = tuple(one for one in named if one != "weekday")
    if settings.cycles is not None and settings.with_calendar:
        named = tuple(one for one in cycles(step) if one in settings.cycles)
    networks_only = bool(settings.quantiles) or not settings.committee
    # A network that learns a single series learns its season from the calendar, better than last week's values tell it;
    # one that learns many cannot know the season of each.
    last = counts or settings.base == "last" or (settings.base == "auto" and (networks_only or len(values) == 1))
    for number, own in enumerate(values):
        fits = tuple(season for season in held if season <= len(own) // 2)
        if last or settings.quantiles or not fits:
            bases.append(0)
        elif settings.base == "season":
            bases.append(fits[0])
        else:
            bases.append(base_of(transform.forward(own, number), fits, settings.horizon))
    alone = networks_only and not any(bases)
    units = [1.0] * len(values) if alone else units_of(values, transform, held, settings.horizon)
    weekly = week or step >= DAY
    lags = default_lags(step, points, weekly=weekly) if settings.lags is None else tuple(settings.lags)
    reach = 0 if alone else max((behind + over for behind, over in lags), default=0)
    whole = points if held_whole([len(own) for own in values], step, settings) else 0
    history = max(history_held(held, points), reach, whole)
    dispersion = dispersion_of(values) if settings.loss == NEGATIVE_BINOMIAL else 0.0
    chosen = (kind, named, held, lags, tuple(bases), tuple(units), history, settings.horizon, alone, dispersion)
    return Rules(*chosen, weekly)


def units_of(
    values: Sequence[NDArray[np.float64]], transform: Transform, seasons: Sequence[int], horizon: int
) -> list[float]:
    """The best naive forecast's error of each series, in its deviations; 1 where it is not known."""
    moved = [transform.forward(own, number) for number, own in enumerate(values)]
    errors = np.stack([naive_errors_of(own, (0, *seasons), horizon) for own in moved])
    return [float(unit) for unit in units_by(errors, np.array([np.nanstd(own) for own in moved]))]


def units_by(errors: NDArray[np.float64], deviations: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same by naive errors [series, 1 + seasons] and deviations [series]."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.where(deviations > 0, errors.min(axis=1) / deviations, 1.0)
    return np.where(np.isfinite(found) & (found > 0), found, 1.0)
