"""How far each forecast is trusted: held-out stretches in, a committee out, and the errors that intervals come from."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tsuzuki.forecasting.base import change_map
from tsuzuki.forecasting.committee import GROUPS, LEVEL, PROFILE, Committee, committee, kinds_of
from tsuzuki.forecasting.history import History, differences
from tsuzuki.forecasting.linear_members import linear_members
from tsuzuki.forecasting.naive_errors import naive_errors_of
from tsuzuki.forecasting.rules import Rules, wander
from tsuzuki.forecasting.seasonal_profile import LearnedProfiles, around
from tsuzuki.forecasting.weights_by_kind import WeighedRows, weights_by_kind, with_own
from tsuzuki.training.side_by_side import run_side_by_side

# Held-out rows that intervals are found from at most, and those of them that weights are.
MOST_ROWS, MOST_WEIGHED = 36_000, 9_000
# A series counts at most so many times as much as the usual one.
MOST_IMPORTANCE = 20.0
# Where series wander, a stretch that the network has also seen what follows counts so much: between two known levels a
# random walk looks as if it came back to its mean.
BETWEEN = 0.15
# So many series show together what a held-out stretch shorter than the horizon does not show for one.
MANY_SERIES = 10


@dataclass(frozen=True)
class HeldOutForecasts:
    """What one network forecasts in one series where it was not trained.

    Attributes:
        places: int64 [rows], the positions known last.
        changes: float32 [rows, horizon], by how much it says that the base changes.
        spread: float32 [rows, horizon], by how much less its squared error is in the mean of all networks, as far as
            they differ from one another.
        last: the position behind the stretch.
        said: float32 [rows, outputs], all that it says; [rows, 0] where the changes are all that is used.
    """

    places: NDArray[np.int64]
    changes: NDArray[np.float32]
    spread: NDArray[np.float32]
    last: int
    said: NDArray[np.float32]


@dataclass(frozen=True)
class Judged:
    """What a committee forecasts where its networks were held out.

    Attributes:
        errors: for each series float32 [rows, horizon], actual less forecast, NaN where unknown.
        forecasts: of the same rows, in units of the series' scale.
        said: for each series float32 [rows, outputs], what the network that was held out says.
    """

    errors: list[NDArray[np.float32]]
    forecasts: list[NDArray[np.float32]]
    said: list[NDArray[np.float32]]


@dataclass(frozen=True)
class _Part:
    """Held-out rows of one network and series, their windows and targets; see `HeldOutForecasts`."""

    series: int
    member: int
    windows: NDArray[np.float32]
    targets: NDArray[np.float32]
    phases: NDArray[np.int64]
    changes: NDArray[np.float32]
    spread: NDArray[np.float32]
    said: NDArray[np.float32]


def trusted(held_out: Sequence[int], horizon: int) -> bool:
    """Whether held-out stretches (their lengths, by series) are long enough to judge networks by."""
    return max(held_out) >= horizon or (len(held_out) >= MANY_SERIES and max(held_out) > 0)


def stacked(
    values: tuple[Sequence[NDArray[np.float32]], Sequence[NDArray[np.float32]]],
    histories: tuple[Sequence[History], Sequence[History]],
    found: Sequence[Sequence[HeldOutForecasts]],
    rules: Rules,
    profiles: LearnedProfiles,
    *,
    judged: bool,
    single: bool,
) -> tuple[Committee, Judged]:
    """Find out who is trusted how far.

    Args:
        values: of each series float32 [points], NaN where missing; and the same with outages missing.
        histories: of these two, the first as members see them.
        found: for each network what it forecasts in each series.
        rules: what was chosen from the data.
        profiles: of the series.
        judged: whether networks and ridge are judged; if not, only the forecasts that learn nothing have a weight.
        single: whether single series may have weights of their own.

    Returns:
        The committee, and what it forecasts on these rows.
    """
    (seen, learned), (whole, steady), size, horizon = histories, values, rules.history, rules.horizon
    importance = _importance(steady, rules, horizon)
    wandering = wander(steady)
    linear = linear_members(
        steady, learned, found, rules, importance, profiles, judged=judged, level=judged and not wandering
    )
    kinds = kinds_of(rules, profiles.whole)
    strict = _reach_the_horizon(found, horizon)
    between = BETWEEN if wandering else 1.0
    every = rows_apart(found, rules)

    def part_of(member: int) -> list[_Part]:
        """Where one network was held out, series by series."""
        made = []
        for number, one in enumerate(found[member]):
            places = one.places[::every]
            if len(places) == 0:
                continue
            windows = seen[number].windows(places)
            stop = one.last if strict and judged else len(whole[number])
            targets = _targets(steady[number], windows[:, -1], places, horizon, stop)
            if steady[number] is not whole[number]:
                # Nobody can know of an outage before it begins.
                inside = np.isnan(steady[number][places])
                targets[inside] = _targets(whole[number], windows[inside, -1], places[inside], horizon, stop)
            phases = (profiles.first[number] + places) % max(1, profiles.whole.season)
            said = (own[::every] for own in (one.changes, one.spread, one.said))
            made.append(_Part(number, member, windows, targets, phases, *said))
        return made

    parts = [one for own in run_side_by_side(lambda member, check: part_of(member), len(found)) for one in own]
    firsts = np.cumsum([0, *(len(part.targets) for part in parts)])
    weighed = _apart(int(firsts[-1]), MOST_WEIGHED, rules)

    def each_of(member: int) -> list[list[NDArray[np.float32]]]:
        """What each member of the committee forecasts by itself, only on the rows that weights are found from."""
        made, profiled = [], any(name.startswith(PROFILE) for name in linear.without[member])
        for part, first in zip(parts, firsts[:-1], strict=True):
            if part.member != member:
                continue
            some = slice(int(-first % weighed), None, weighed)
            windows = part.windows[some]
            apart, others = differences(windows), []
            if profiled:
                shape = profiles.without[member].shapes[part.series]
                past, ahead = around(shape, part.phases[some], size, horizon)
                usual, ahead = differences(windows - past), ahead - past[:, -1:]
            for name, one_map in linear.without[member].items():
                if name.startswith(PROFILE):
                    others.append(usual @ one_map + ahead)
                else:
                    others.append(-windows[:, -1:].repeat(horizon, axis=1) if name == LEVEL else apart @ one_map)
            made.append([part.changes[some] + apart @ change_map(size, horizon, rules.bases[part.series]), *others])
        return made

    forecasts = [one for own in run_side_by_side(lambda member, check: each_of(member), len(found)) for one in own]
    lengths = [len(own[0]) for own in forecasts]
    series = np.repeat([part.series for part in parts], lengths)
    heavy = importance[series] * np.repeat([between if part.member and judged else 1.0 for part in parts], lengths)
    skipped = 0 if judged else 1
    rows = WeighedRows(
        np.concatenate([part.targets for part in parts])[::weighed],
        [np.concatenate([own[member] for own in forecasts]) for member in range(skipped, len(forecasts[0]))],
        heavy,
        None if skipped else np.concatenate([part.spread for part in parts])[::weighed],
        every * weighed,
        GROUPS,
        kinds.of_series[series],
        series,
        np.repeat([part.member for part in parts], lengths),
    )
    profiled = sum(name.startswith(PROFILE) for name in linear.whole)
    weights = weights_by_kind(rows, kinds, profiled)
    if judged and single:
        kinds, weights = with_own(rows, kinds, weights, profiled)
    weights = np.concatenate([np.zeros((len(weights), skipped, horizon)), weights], axis=1)
    together = committee(linear.whole, weights, rules, profiles.whole, kinds)

    def combined(member: int) -> list[NDArray[np.float32]]:
        """What all forecast on all rows: the linear ones are one map, with the regression of this network."""
        # Of its own, as several threads may not make one product at a time.
        own = committee(linear.without[member], weights, rules, profiles.without[member], kinds)
        return [
            own.combine(part.changes, part.windows, part.series, part.phases) for part in parts if part.member == member
        ]

    whole_rows = [one for own in run_side_by_side(lambda member, check: combined(member), len(found)) for one in own]
    nothing = np.zeros((0, horizon), np.float32)
    by_series = [[(nothing, nothing, one.said[:0])] for one in found[0]]
    for part, forecast in zip(parts, whole_rows, strict=True):
        by_series[part.series].append((part.targets + part.windows[:, -1:] - forecast, forecast, part.said))
    joined = [[np.concatenate(one) for one in zip(*own_rows, strict=True)] for own_rows in by_series]
    return together, Judged(*([one[kind] for one in joined] for kind in range(3)))


def alone(rules: Rules) -> Committee:
    """A committee of the networks only."""
    return committee({}, np.ones((len(set(rules.bases)), 1, rules.horizon)), rules)


def rows_apart(found: Sequence[Sequence[HeldOutForecasts]], rules: Rules) -> int:
    """Every how many held-out rows of each stretch and series a committee's errors are known of."""
    return _apart(sum(len(one.places) for network in found for one in network), MOST_ROWS, rules)


def _apart(rows: int, most: int, rules: Rules) -> int:
    """Every how many held-out rows are looked at, so that each step of a season is met as often."""
    every = max(1, -(-rows // most))
    while any(math.gcd(every, season) > 1 for season in rules.seasons):
        every += 1
    return every


def _importance(values: Sequence[NDArray[np.float32]], rules: Rules, horizon: int) -> NDArray[np.float64]:
    """How much the errors of each series count: the less, the more the best naive forecast errs."""
    errors = np.array([naive_errors_of(own, (0, *rules.seasons), horizon).min() for own in values])
    known = errors[np.isfinite(errors) & (errors > 0)]
    usual = float(np.median(known)) if len(known) else 1.0
    errors = np.where(np.isfinite(errors), errors, usual)
    return np.asarray(usual / np.maximum(errors, usual / MOST_IMPORTANCE))


def _targets(
    values: NDArray[np.float32], last: NDArray[np.float32], places: NDArray[np.int64], horizon: int, stop: int
) -> NDArray[np.float32]:
    """The changes from the last value that came, [rows, horizon]; NaN from the position `stop`."""
    rows = places[:, None] + np.arange(1, horizon + 1)
    there = values[np.minimum(rows, len(values) - 1)]
    return np.asarray(np.where(rows < min(stop, len(values)), there, np.nan) - last[:, None], np.float32)


def _reach_the_horizon(found: Sequence[Sequence[HeldOutForecasts]], horizon: int) -> bool:
    """Whether held-out stretches are as long as the horizon, so that errors behind them, where networks have been
    trained, need not count."""
    return max((len(one.places) for network in found for one in network), default=0) >= horizon


def errors_of(
    together: Committee,
    values: Sequence[NDArray[np.float32]],
    histories: Sequence[History],
    found: Sequence[Sequence[HeldOutForecasts]],
) -> list[NDArray[np.float32]]:
    """The errors of a committee on held-out rows, [rows, horizon] for each series."""
    errors: list[list[NDArray[np.float32]]] = [[] for _ in values]
    horizon = together.weights.shape[2]
    strict = _reach_the_horizon(found, horizon)
    for network in found:
        for number, one in enumerate(network):
            windows = histories[number].windows(one.places)
            last = windows[:, -1]
            forecasts = together.combine(one.changes, windows, number) - last[:, None]
            stop = one.last if strict else len(values[number])
            errors[number].append(_targets(values[number], last, one.places, horizon, stop) - forecasts)
    return [np.concatenate(own) for own in errors]


def error_in_units(errors: Sequence[NDArray[np.float32]], rules: Rules) -> float | None:
    """The mean absolute error over all series, each in units of its best naive forecast's; None if there is none."""
    means = [
        float(np.nanmean(np.abs(own))) / unit
        for own, unit in zip(errors, rules.units, strict=True)
        if np.isfinite(own).any()
    ]
    return float(np.mean(means)) if means else None
