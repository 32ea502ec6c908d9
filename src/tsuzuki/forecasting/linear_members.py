"""The members of a committee that are linear in the last values, as maps of a window."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tsuzuki.forecasting.committee import LEVEL, PROFILE
from tsuzuki.forecasting.history import History, drift_map, mean_map, seasonal_map, seasonal_mean_map
from tsuzuki.forecasting.ridge import ridge
from tsuzuki.forecasting.rules import Rules, ridge_values
from tsuzuki.forecasting.seasonal_profile import LearnedProfiles
from tsuzuki.forecasting.smoothing import smoothing_maps
from tsuzuki.training.side_by_side import run_side_by_side

if TYPE_CHECKING:
    from tsuzuki.forecasting.stacking import HeldOutForecasts

Maps = dict[str, NDArray[np.float32]]


@dataclass(frozen=True)
class LinearMembers:
    """Maps [size, horizon] by name, those that see values without a profile the last.

    Attributes:
        whole: learned from all data.
        without: for each network, learned from what is not held out from it.
    """

    whole: Maps
    without: list[Maps]


def linear_members(
    values: Sequence[NDArray[np.float32]],
    histories: Sequence[History],
    found: "Sequence[Sequence[HeldOutForecasts]]",
    rules: Rules,
    importance: NDArray[np.float64],
    profiles: LearnedProfiles,
    *,
    judged: bool,
    level: bool,
) -> LinearMembers:
    """Learn the members; for the arguments see `stacking.stacked`.

    Args:
        importance: float64 [series], how much the errors of each count.
        judged: whether regressions are members.
        level: whether the mean of the training data is one.
    """
    size, horizon = rules.history, rules.horizon
    simple = {f"seasonal-{season}": seasonal_map(size, horizon, season) for season in rules.seasons}
    simple |= {
        f"seasonal-mean-{season}": seasonal_mean_map(size, horizon, season)
        for season in rules.seasons
        if 2 * season <= size
    }
    simple |= {"drift": drift_map(size, horizon), "mean": mean_map(size, horizon)}
    nothing: tuple[Maps, list[Maps]] = ({}, [{} for _ in found])
    learned: list[Callable[[], Any]] = [
        lambda: smoothing_maps(histories, horizon, rules.seasons, importance),
        lambda: _ridge_maps(values, histories, found, rules, importance) if judged else nothing,
    ]
    if profiles.whole:
        plain = [
            without_profile(history, profiles.whole.shapes[number], int(profiles.first[number]))
            for number, history in enumerate(histories)
        ]
        learned += [
            lambda: smoothing_maps(plain, horizon, (), importance),
            lambda: _ridge_maps(values, plain, found, rules, importance) if judged else nothing,
        ]
    smoothing, (whole, own), *more = run_side_by_side(lambda number, check: learned[number](), len(learned))
    simple |= smoothing
    if level:
        simple[LEVEL] = np.zeros((size, horizon), np.float32)
    if more:
        smooth, (ridge_whole, ridge_own) = more
        shared = {"mean": mean_map(size, horizon), **smooth}
        own = [a | simple | _named(b | shared) for a, b in zip(own, ridge_own, strict=True)]
        return LinearMembers(whole | simple | _named(ridge_whole | shared), own)
    return LinearMembers(whole | simple, [one | simple for one in own])


def without_profile(history: History, shape: NDArray[np.float32], first: int) -> History:
    """A history less its profile.

    Args:
        history: of a series.
        shape: float32 [season], its profile by phase.
        first: the phase of its first position.
    """
    rows, places = np.arange(len(history.values)), np.flatnonzero(history.ends >= 0)
    # A row belongs to the position that it ends at, or lies so many steps before the next one that does.
    ends = history.ends[places]
    next_end = np.minimum(np.searchsorted(ends, rows), len(ends) - 1)
    phases = first + places[next_end] - (ends[next_end] - rows)
    return replace(history, values=history.values - shape[phases % len(shape)])


def _named(maps: Maps) -> Maps:
    return {f"{PROFILE}{name}": one for name, one in maps.items()}


def _ridge_maps(
    values: Sequence[NDArray[np.float32]],
    histories: Sequence[History],
    found: "Sequence[Sequence[HeldOutForecasts]]",
    rules: Rules,
    importance: NDArray[np.float64],
) -> tuple[Maps, list[Maps]]:
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
