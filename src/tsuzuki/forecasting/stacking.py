"""How far each forecast is trusted: held-out stretches in, a committee out, and the errors that intervals come from."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsuzuki.forecasting.base import change_map
from tsuzuki.forecasting.committee import ENOUGH, LEVEL, Committee, committee, stack
from tsuzuki.forecasting.history import History, differences, drift_map, mean_map, seasonal_map, seasonal_mean_map
from tsuzuki.forecasting.naive_errors import naive_errors_of
from tsuzuki.forecasting.ridge import ridge
from tsuzuki.forecasting.rules import Rules, ridge_values, wander
from tsuzuki.forecasting.smoothing import smoothing_maps
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
class _Rows:
    """A network's held-out rows of one series.

    Attributes:
        number: of the series.
        targets: float32 [rows, horizon], the changes that came.
        forecasts: for each member float32 [rows, horizon], the changes that it forecasts.
        spread: as `HeldOutForecasts` has it.
        last: float32 [rows, 1], the last values.
        said: as `HeldOutForecasts` has it.
        count: how much the errors of these rows count.
    """

    number: int
    targets: NDArray[np.float32]
    forecasts: list[NDArray[np.float32]]
    spread: NDArray[np.float32]
    last: NDArray[np.float32]
    said: NDArray[np.float32]
    count: float


def trusted(held_out: Sequence[int], horizon: int) -> bool:
    """Whether held-out stretches (their lengths, by series) are long enough to judge networks by."""
    return max(held_out) >= horizon or (len(held_out) >= MANY_SERIES and max(held_out) > 0)


def stacked(
    values: Sequence[NDArray[np.float32]],
    histories: Sequence[History],
    found: Sequence[Sequence[HeldOutForecasts]],
    rules: Rules,
    *,
    judged: bool,
) -> tuple[Committee, Judged]:
    """Find out who is trusted how far.

    Args:
        values: of each series float32 [points], NaN where missing.
        histories: of the series.
        found: for each network what it forecasts in each series.
        rules: what was chosen from the data.
        judged: whether networks and ridge are judged; if not, only the forecasts that learn nothing have a weight.

    Returns:
        The committee, and what it forecasts on these rows.
    """
    size, horizon = rules.history, rules.horizon
    importance = _importance(values, rules, horizon)
    simple = {f"seasonal-{season}": seasonal_map(size, horizon, season) for season in rules.seasons}
    simple |= {
        f"seasonal-mean-{season}": seasonal_mean_map(size, horizon, season)
        for season in rules.seasons
        if 2 * season <= size
    }
    simple |= {"drift": drift_map(size, horizon), "mean": mean_map(size, horizon)}
    learned: tuple[Callable[[], Any], ...] = (
        lambda: smoothing_maps(histories, horizon, rules.seasons, importance),
        lambda: _ridge_maps(values, histories, found, rules, importance) if judged else ({}, [{} for _ in found]),
    )
    smoothing, (whole, own_ridge) = run_side_by_side(lambda number, check: learned[number](), len(learned))
    simple |= smoothing
    wandering = wander(values)
    if judged and not wandering:
        simple[LEVEL] = np.zeros((size, horizon), np.float32)
    strict = _reach_the_horizon(found, horizon)
    between = BETWEEN if wandering else 1.0
    every = _apart(sum(len(one.places) for network in found for one in network), MOST_ROWS, rules)

    def rows_of(member: int) -> list[_Rows]:
        """What one network and the others forecast where it was held out, series by series."""
        made = []
        for number, one in enumerate(found[member]):
            places = one.places[::every]
            if len(places) == 0:
                continue
            windows = histories[number].windows(places)
            stop = one.last if strict and judged else len(values[number])
            targets = _targets(values[number], windows[:, -1], places, horizon, stop)
            apart = differences(windows)
            base = apart @ change_map(size, horizon, rules.bases[number])
            others = [
                -windows[:, -1:].repeat(horizon, axis=1) if name == LEVEL else apart @ one_map
                for name, one_map in (own_ridge[member] | simple).items()
            ]
            forecasts = [one.changes[::every] + base, *others]
            count = between if member and judged else 1.0
            made.append(
                _Rows(number, targets, forecasts, one.spread[::every], windows[:, -1:], one.said[::every], count)
            )
        return made

    rows = [one for own in run_side_by_side(lambda member, check: rows_of(member), len(found)) for one in own]
    lengths = [len(one.targets) for one in rows]
    series = np.repeat([one.number for one in rows], lengths)
    y = np.concatenate([one.targets for one in rows])
    by_member = [np.concatenate([one.forecasts[member] for one in rows]) for member in range(len(rows[0].forecasts))]
    skipped = 0 if judged else 1
    spread = None if skipped else np.concatenate([one.spread for one in rows])
    weighed = _apart(len(y), MOST_WEIGHED, rules)
    some = slice(None, None, weighed)
    heavy = importance[series] * np.repeat([one.count for one in rows], lengths)
    kinds = np.array([sorted(set(rules.bases)).index(season) for season in rules.bases])[series]
    weights = _by_kind(
        y[some],
        [one[some] for one in by_member[skipped:]],
        heavy[some],
        None if spread is None else spread[some],
        every * weighed,
        kinds[some],
        len(set(rules.bases)),
    )
    weights = np.concatenate([np.zeros((len(weights), skipped, horizon)), weights], axis=1)
    changes = np.empty_like(y)
    for kind, trusted_here in enumerate(weights.astype(np.float32)):
        here = kinds == kind if len(weights) > 1 else slice(None)
        changes[here] = sum(one[here] * row for one, row in zip(by_member, trusted_here, strict=True))
    last, said = (np.concatenate([getattr(one, name) for one in rows]) for name in ("last", "said"))
    outcome = (y - changes, last + changes, said)
    together = committee(whole | simple, weights, rules)
    return together, Judged(*([one[series == number] for number in range(len(values))] for one in outcome))


def _ridge_maps(
    values: Sequence[NDArray[np.float32]],
    histories: Sequence[History],
    found: Sequence[Sequence[HeldOutForecasts]],
    rules: Rules,
    importance: NDArray[np.float64],
) -> tuple[dict[str, NDArray[np.float32]], list[dict[str, NDArray[np.float32]]]]:
    """The regression on all data, and for each network that on what is not held out from it."""
    held_out = [
        (
            [int(one.places[0]) + 1 if len(one.places) else 0 for one in network],
            [one.last if len(one.places) else 0 for one in network],
        )
        for network in found
    ]
    lags = min(rules.history, ridge_values(max(len(own) for own in values)))
    linear, parts = ridge(histories, held_out, rules.horizon, lags, importance)
    return {"ridge": linear}, [{"ridge": part} for part in parts]


def _by_kind(
    targets: NDArray[np.float32],
    forecasts: Sequence[NDArray[np.float32]],
    importance: NDArray[np.float64],
    spread: NDArray[np.float32] | None,
    every: int,
    kinds: NDArray[np.int64],
    count: int,
) -> NDArray[np.float64]:
    """Weights of each kind of base, float64 [kinds, members, horizon], from rows of these kinds [rows], of so many; see
    `stack`.

    They are nearer to those of all series the fewer errors of a kind are independent of one another.
    """
    whole = stack(targets, forecasts, importance, spread, every)
    if count == 1:
        return whole[None]
    found = np.repeat(whole[None], count, axis=0)
    for kind in range(count):
        here = kinds == kind
        apart = every * float(np.isfinite(targets[here]).sum()) / targets.shape[1] ** 2
        if apart > 0:
            own = None if spread is None else spread[here]
            alike = stack(targets[here], [one[here] for one in forecasts], importance[here], own, every)
            found[kind] += apart / (apart + ENOUGH) * (alike - whole)
    return found


def alone(rules: Rules) -> Committee:
    """A committee of the networks only."""
    return committee({}, np.ones((len(set(rules.bases)), 1, rules.horizon)), rules)


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
