"""Forecasts of several kinds, each trusted as far as held-out stretches say: networks, ridge, seasonal, mean and drift.

Stacking (Wolpert 1992; Breiman 1996): the changes from the last value that each member forecasts are added with
weights from 0, together at most 1, for each group of steps ahead, and for each group of series with one kind of base;
what lacks to 1 is the weight of the last value. All members but the networks are linear in the last values, so that
together they are one matrix for each kind; what those add that know a series' seasonal profile follows from the phase.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tsuzuki.errors import SettingError
from tsuzuki.forecasting.base import change_map
from tsuzuki.forecasting.history import differences
from tsuzuki.forecasting.seasonal_profile import SeasonalProfiles, no_profiles, offsets_of

if TYPE_CHECKING:
    import pandas as pd

    from tsuzuki.engine.row_product import RowProduct
    from tsuzuki.forecasting.rules import Rules

# The member that forecasts the mean of the training data, which is 0 on the networks' scale.
LEVEL = "level"
# Members whose names begin so see values without their series' profile, and put it on again.
PROFILE = "profile-"
# Groups of steps ahead that have weights of their own.
GROUPS = 8
# The weights are found anew so often, errors above the mean one counting less (Huber 1964).
ROUNDS = 4
# As long as there are fewer errors apart by a whole horizon than this, the weights are nearer to a blend in which each
# member has a share by its own errors: one whose errors are an eighth larger than the least a third of the best one's.
ENOUGH, SHARPNESS = 10.0, 8.0


@dataclass(frozen=True)
class Committee:
    """Who is trusted how far.

    Attributes:
        members: the names, the networks first; the last value has what their weights lack to 1.
        weights: float64 [kinds, members, horizon].
        maps: float32 [kinds, size, horizon]: windows less their last value to all that is linear in them.
        bases: int64 [series], the kind of each series.
        units: float32 [series], what networks measure changes of the base in.
        seasons: the season of the base of each kind, 0 for the last value: those of series without a profile in order,
            then the same once more for those with one, if any has, and last one for each series that has weights of
            its own.
        profiles: of the series.
        profile_maps: float64 [kinds, size, horizon], the part of the maps that sees values without their profile.
    """

    members: tuple[str, ...]
    weights: NDArray[np.float64]
    maps: NDArray[np.float32]
    bases: NDArray[np.int64]
    units: NDArray[np.float32]
    seasons: tuple[int, ...]
    profiles: SeasonalProfiles
    profile_maps: NDArray[np.float64]

    @property
    def kinds_of_base(self) -> int:
        """Kinds of series without a profile, the first ones."""
        return len(set(self.seasons))

    @property
    def kinds_in_common(self) -> int:
        """Kinds that are not one series' own."""
        return self.kinds_of_base * (2 if self.profiles else 1)

    def combine(
        self,
        changes: NDArray[np.float32],
        windows: NDArray[np.float32],
        series: int | NDArray[np.int64],
        phases: NDArray[np.int64] | None = None,
    ) -> NDArray[np.float32]:
        """The forecast.

        Args:
            changes: float32 [rows, horizon], by how much the networks say that the base changes.
            windows: float32 [rows, size], the last values.
            series: whose windows they are; one for all rows, or one for each.
            phases: int64 [rows], the place of each last value in its profile's season; needed where there are profiles.

        Returns:
            float32 [rows, horizon], in units of the series' scale.
        """
        found = self._in_windows(changes, windows, series)
        if not self.profiles:
            return found
        assert phases is not None, "a committee with profiles has to know the time"
        return np.asarray(found + self.offsets[self.offset_rows[series], phases])

    def _in_windows(
        self, changes: NDArray[np.float32], windows: NDArray[np.float32], series: int | NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """All but what follows from phases."""
        apart = differences(windows)
        kinds = self.bases[series]
        if len(self.maps) == 1 or kinds.ndim == 0:
            kind = kinds if kinds.ndim == 0 else 0
            found = changes * self.network_weights[kind] + windows[:, -1:] * self.last_weights[kind]
            return found + self.products[kind](apart)
        found = changes * self.network_weights[kinds] + windows[:, -1:] * self.last_weights[kinds]
        for kind in np.unique(kinds):
            here = kinds == kind
            found[here] += self.products[kind](apart[here])
        return found

    @functools.cached_property
    def network_weights(self) -> NDArray[np.float32]:
        """Those of the networks, [kinds, horizon]."""
        return np.asarray(self.weights[:, 0], np.float32)

    @functools.cached_property
    def last_weights(self) -> NDArray[np.float32]:
        """What all that is not the mean of the training data adds to the last value, [kinds, horizon]."""
        level = self.weights[:, self.members.index(LEVEL)] if LEVEL in self.members else 0 * self.weights[:, 0]
        return np.asarray(1 - level, np.float32)

    @functools.cached_property
    def offsets(self) -> NDArray[np.float32]:
        """What profiles add, by the phase of the last value, [1 + series with a profile, season, horizon]."""
        named = [name.startswith(PROFILE) for name in self.members]
        weights = self.weights[:, named].sum(axis=1)
        return offsets_of(self.profiles, weights, self.profile_maps, self.bases)

    @functools.cached_property
    def offset_rows(self) -> NDArray[np.int64]:
        """Which of these each series has, [series]; the first one is for those without a profile."""
        there = self.profiles.there
        return np.asarray(there * there.cumsum())

    @functools.cached_property
    def products(self) -> "list[RowProduct]":
        """The maps, made ready."""
        from tsuzuki.engine.row_product import RowProduct

        return [RowProduct(one) for one in self.maps]


def weights_table(one: Committee | None, ids: Sequence[str]) -> "pd.DataFrame":
    """A committee's weights as a table, those of series that have their own by name; see `Forecaster.weights_`."""
    import pandas as pd

    if one is None:
        raise SettingError("the networks of this forecaster stand alone; fit with committee=True and without quantiles")
    used, horizon = np.unique(one.bases), one.weights.shape[2]
    if used.max() >= one.kinds_in_common:
        used = one.bases
    table = pd.DataFrame(np.concatenate([one.weights[kind].T for kind in used]), columns=list(one.members))
    ahead = pd.RangeIndex(1, horizon + 1, name="horizon")
    seasons = [one.seasons[kind] for kind in used]
    if len(used) == 1:
        table.index = ahead
    elif used is one.bases:
        table.index = pd.MultiIndex.from_product([ids, ahead], names=["unique_id", "horizon"])
    elif len(set(seasons)) == len(used):
        table.index = pd.MultiIndex.from_product([seasons, ahead], names=["base", "horizon"])
    else:
        rows = [(one.seasons[kind], bool(kind >= one.kinds_of_base), step) for kind in used for step in ahead]
        table.index = pd.MultiIndex.from_tuples(rows, names=["base", "profile", "horizon"])
    return table.assign(**{"last value": (1 - table.sum(axis=1)).clip(lower=0)})


def committee(
    members: dict[str, NDArray[np.float32]],
    weights: NDArray[np.float64],
    rules: "Rules",
    profiles: SeasonalProfiles | None = None,
    kinds: "Kinds | None" = None,
) -> Committee:
    """Put a committee together.

    Args:
        members: the linear members by name, [size, horizon] each; that of the level is not looked at.
        weights: float64 [kinds, 1 + members, horizon], the networks' first.
        rules: what was chosen from the data.
        profiles: of the series; none if None.
        kinds: of the series; as they follow from both if None.
    """
    size, horizon, maps, own_maps = rules.history, rules.horizon, [], []
    profiles = no_profiles(len(rules.bases)) if profiles is None else profiles
    kinds = kinds_of(rules, profiles) if kinds is None else kinds
    for season, trusted in zip(kinds.seasons, weights, strict=True):
        linear, without = np.zeros((size, horizon)), np.zeros((size, horizon))
        for (name, one), own in zip(members.items(), trusted[1:], strict=True):
            if name.startswith(PROFILE):
                without += own * one
            elif name != LEVEL:
                linear += own * one
        own_maps.append(without)
        maps.append(linear + without + trusted[0] * change_map(size, horizon, season))
    return Committee(
        ("network", *members),
        weights,
        np.stack(maps).astype(np.float32),
        kinds.of_series,
        np.array(rules.units, np.float32),
        kinds.seasons,
        profiles,
        np.stack(own_maps if profiles else [one[:0] for one in own_maps]),
    )


@dataclass(frozen=True)
class Kinds:
    """Groups of series that share weights: the season of the base of each, and the group of each series, int64
    [series]; see `Committee.seasons`."""

    seasons: tuple[int, ...]
    of_series: NDArray[np.int64]


def kinds_of(rules: "Rules", profiles: SeasonalProfiles) -> Kinds:
    """The kinds of series: by their base, and whether they have a profile."""
    bases = tuple(sorted(set(rules.bases)))
    found = np.array([bases.index(season) for season in rules.bases], np.int64)
    if not profiles:
        return Kinds(bases, found)
    return Kinds(bases + bases, found + len(bases) * profiles.there)


def stack(
    targets: NDArray[np.float32],
    forecasts: Sequence[NDArray[np.float32]],
    importance: NDArray[np.float64],
    spread: NDArray[np.float32] | None = None,
    every: int = 1,
    groups: int = GROUPS,
) -> NDArray[np.float64]:
    """Weights from held-out forecasts.

    Args:
        targets: float32 [rows, horizon], the changes from the last value that came; NaN where unknown.
        forecasts: for each member float32 [rows, horizon], the changes that it forecast.
        importance: float64 [rows], how much the errors of each row count.
        spread: float32 [rows, horizon], the part of the first member's squared forecasts that its mean with others has
            not.
        every: so many steps the rows lie apart.
        groups: of steps ahead that have the same weights.

    Returns:
        float64 [members, horizon], from 0, at each step together at most 1.
    """
    horizon = targets.shape[1]
    found = np.zeros((len(forecasts), horizon))
    before: NDArray[np.float64] | None = None
    for steps in np.array_split(np.arange(horizon), min(groups, horizon)):
        known = np.isfinite(targets[:, steps])
        if known.any():
            scale = np.broadcast_to(importance[:, None], known.shape)[known]
            y = targets[:, steps][known] * scale
            x = np.stack([one[:, steps][known] * scale for one in forecasts], axis=1)
            apart = every * known.sum() / horizon / len(steps)
            gained = np.zeros(len(y)) if spread is None else spread[:, steps][known] * scale**2
            before = _weights(x, y, gained, apart)
        if before is not None:
            found[:, steps] = before[:, None]
    return found


def _weights(
    x: NDArray[np.float64], y: NDArray[np.float64], gained: NDArray[np.float64], apart: float
) -> NDArray[np.float64]:
    """Weights for forecasts x [values, members] of y [values], of which `apart` are independent of one another."""
    single = np.abs(y[:, None] - np.concatenate([x, np.zeros((len(x), 1))], axis=1)).mean(axis=0)
    shares = np.exp(-SHARPNESS * (single / max(float(single.min()), 1e-12) - 1))
    blend = shares[:-1] / shares.sum()
    counts, found, pull = np.ones(len(y)), blend, ENOUGH / max(apart, 1e-9)
    for _ in range(ROUNDS):
        products, sides = x.T @ (x * counts[:, None]), x.T @ (y * counts)
        # What the mean of the networks lacks of the noise of one; never more than half of what there is.
        products[0, 0] -= min(float(gained @ counts), float((y - x[:, 0]) ** 2 @ counts) / 2)
        # As if as many rows as make up `ENOUGH` had come out just as the blend says.
        sides = sides + pull * (products @ blend)
        products = (1 + pull) * products + 1e-6 * np.trace(products) / len(products) * np.eye(len(products))
        found = nonnegative(products, sides)
        errors = np.abs(y - x @ found)
        usual = errors.mean()
        if not usual > 0:
            break
        counts = 1 / np.maximum(errors / usual, 1)
    return np.asarray(found)


def nonnegative(products: NDArray[np.float64], sides: NDArray[np.float64]) -> NDArray[np.float64]:
    """Minimise w'Aw/2 - b'w over w >= 0 with a sum of at most 1.

    The active set method of Lawson and Hanson (1974), with what lacks to 1 as one more weight, so that all sums are 1:
    members are let in one after the other while that lowers the value, and one goes out where it would fall below 0.
    """
    count = len(sides)
    a, b = np.zeros((count + 1, count + 1)), np.append(sides, 0.0)
    a[:count, :count] = products
    found = np.zeros(count + 1)
    found[count] = 1
    inside = found > 0
    tolerance = 1e-10 * max(float(np.abs(products).max(initial=0)), float(np.abs(sides).max(initial=0)), 1e-300)
    for _ in range(10 * (count + 1)):
        slopes = b - a @ found
        # Where all that are inside have the same slope, one outside with a steeper one lowers the value.
        gains = np.where(inside, -np.inf, slopes - slopes[inside].mean())
        if gains.max() <= tolerance:
            break
        inside[int(np.argmax(gains))] = True
        while True:
            own = np.flatnonzero(inside)
            wanted = _of_sum_one(a[np.ix_(own, own)], b[own])
            falling = wanted < 0
            if not falling.any():
                found[:] = 0
                found[own] = wanted
                break
            here = found[own]
            shares = here[falling] / (here[falling] - wanted[falling])
            found[own] = here + float(shares.min()) * (wanted - here)
            out = own[falling][int(np.argmin(shares))]
            found[out], inside[out] = 0, False
    return found[:count]


def _of_sum_one(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Minimise w'Aw/2 - b'w over w with a sum of 1."""
    count = len(b)
    bordered = np.ones((count + 1, count + 1))
    bordered[:count, :count], bordered[count, count] = a, 0
    # Members that say the same leave a choice; then the shortest of the best is taken.
    return np.asarray(np.linalg.lstsq(bordered, np.append(b, 1.0), rcond=1e-12)[0][:count])
