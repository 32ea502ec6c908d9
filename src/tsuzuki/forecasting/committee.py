"""Forecasts of several kinds, each trusted as far as held-out stretches say: networks, ridge, seasonal, mean and drift.

Stacking (Wolpert 1992; Breiman 1996): the changes from the last value that each member forecasts are added with
weights from 0, together at most 1, for each group of steps ahead, and for each group of series with one kind of base;
what lacks to 1 is the weight of the last value. All members but the networks are linear in the last values, so that
together they are one matrix for each kind.
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

if TYPE_CHECKING:
    import pandas as pd

    from tsuzuki.engine.row_product import RowProduct
    from tsuzuki.forecasting.rules import Rules

# The member that forecasts the mean of the training data, which is 0 on the networks' scale.
LEVEL = "level"
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
        weights: float64 [kinds of base, members, horizon].
        maps: float32 [kinds of base, size, horizon]: windows less their last value to all that is linear in them.
        bases: int64 [series], the kind of base of each series.
        units: float32 [series], what networks measure changes of the base in.
        seasons: the season of each kind of base, 0 for the last value.
    """

    members: tuple[str, ...]
    weights: NDArray[np.float64]
    maps: NDArray[np.float32]
    bases: NDArray[np.int64]
    units: NDArray[np.float32]
    seasons: tuple[int, ...]

    def combine(
        self, changes: NDArray[np.float32], windows: NDArray[np.float32], series: int | NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """The forecast.

        Args:
            changes: float32 [rows, horizon], by how much the networks say that the base changes.
            windows: float32 [rows, size], the last values.
            series: whose windows they are; one for all rows, or one for each.

        Returns:
            float32 [rows, horizon], in units of the series' scale.
        """
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
    def products(self) -> "list[RowProduct]":
        """The maps, made ready."""
        from tsuzuki.engine.row_product import RowProduct

        return [RowProduct(one) for one in self.maps]


def weights_table(one: Committee | None) -> "pd.DataFrame":
    """A committee's weights as a table; see `Forecaster.weights_`."""
    import pandas as pd

    if one is None:
        raise SettingError("the networks of this forecaster stand alone; fit with committee=True and without quantiles")
    kinds, _, horizon = one.weights.shape
    table = pd.DataFrame(np.concatenate([own.T for own in one.weights]), columns=list(one.members))
    ahead = pd.RangeIndex(1, horizon + 1, name="horizon")
    table.index = ahead if kinds == 1 else pd.MultiIndex.from_product([one.seasons, ahead], names=["base", "horizon"])
    return table.assign(**{"last value": (1 - table.sum(axis=1)).clip(lower=0)})


def committee(
    members: dict[str, NDArray[np.float32]],
    weights: NDArray[np.float64],
    rules: "Rules",
) -> Committee:
    """Put a committee together.

    Args:
        members: the linear members by name, [size, horizon] each; that of the level is not looked at.
        weights: float64 [kinds of base, 1 + members, horizon], the networks' first.
        rules: what was chosen from the data.
    """
    size, horizon, bases = rules.history, rules.horizon, rules.bases
    kinds, maps = sorted(set(bases)), []
    for season, trusted in zip(kinds, weights, strict=True):
        linear = np.zeros((size, horizon))
        for (name, one), own in zip(members.items(), trusted[1:], strict=True):
            if name != LEVEL:
                linear += own * one
        maps.append(linear + trusted[0] * change_map(size, horizon, season))
    return Committee(
        ("network", *members),
        weights,
        np.stack(maps).astype(np.float32),
        np.array([kinds.index(season) for season in bases], np.int64),
        np.array(rules.units, np.float32),
        tuple(kinds),
    )


def stack(
    targets: NDArray[np.float32],
    forecasts: Sequence[NDArray[np.float32]],
    importance: NDArray[np.float64],
    spread: NDArray[np.float32] | None = None,
    every: int = 1,
) -> NDArray[np.float64]:
    """Weights from held-out forecasts.

    Args:
        targets: float32 [rows, horizon], the changes from the last value that came; NaN where unknown.
        forecasts: for each member float32 [rows, horizon], the changes that it forecast.
        importance: float64 [rows], how much the errors of each row count.
        spread: float32 [rows, horizon], the part of the first member's squared forecasts that its mean with others has
            not.
        every: so many steps the rows lie apart.

    Returns:
        float64 [members, horizon], from 0, at each step together at most 1.
    """
    horizon = targets.shape[1]
    found = np.zeros((len(forecasts), horizon))
    before: NDArray[np.float64] | None = None
    for steps in np.array_split(np.arange(horizon), min(GROUPS, horizon)):
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
