"""Forecasts of several kinds, each trusted as far as held-out stretches say: networks, ridge, seasonal, mean and drift.

Stacking (Wolpert 1992; Breiman 1996): the changes from the last value that each member forecasts are added with
weights from 0, together at most 1, for each group of steps ahead; what lacks to 1 is the weight of the last value. All
members but the networks are linear in the last values, so that together they are one matrix.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tsuzuki.forecasting.base import change_map
from tsuzuki.forecasting.history import differences

if TYPE_CHECKING:
    from tsuzuki.engine.row_product import RowProduct
    from tsuzuki.forecasting.rules import Rules

# Groups of steps ahead that have weights of their own.
GROUPS = 8
# The weights are found anew so often, errors above the mean one counting less (Huber 1964).
ROUNDS = 4
# Until there are so many errors apart by a whole horizon, the weights are pulled towards the best single member.
ENOUGH = 6.0


@dataclass(frozen=True)
class Committee:
    """Who is trusted how far.

    Attributes:
        members: the names, the networks first; the last value has what their weights lack to 1.
        weights: float64 [members, horizon].
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
        found = changes * self._network_weights + windows[:, -1:]
        apart = differences(windows)
        kinds = self.bases[series]
        if len(self.maps) == 1 or kinds.ndim == 0:
            return found + self._products[kinds if kinds.ndim == 0 else 0](apart)
        for kind in np.unique(kinds):
            here = kinds == kind
            found[here] += self._products[kind](apart[here])
        return found

    def combine_one(
        self, changes: NDArray[np.float32], window: NDArray[np.float32], series: int
    ) -> NDArray[np.float32]:
        """The forecast of one series, [horizon], from changes [horizon] and a window [size]; bits as `combine`."""
        last = window[-1]
        product = self._products[self.bases[series]].one(window - last)
        return np.asarray(changes * self._network_weights + last + product)

    @functools.cached_property
    def _network_weights(self) -> NDArray[np.float32]:
        return np.asarray(self.weights[0], np.float32)

    @functools.cached_property
    def _products(self) -> "list[RowProduct]":
        from tsuzuki.engine.row_product import RowProduct

        return [RowProduct(one) for one in self.maps]


def committee(
    members: dict[str, NDArray[np.float32]],
    weights: NDArray[np.float64],
    rules: "Rules",
) -> Committee:
    """Put a committee together.

    Args:
        members: the linear members by name, [size, horizon] each.
        weights: float64 [1 + members, horizon], the networks' first.
        rules: what was chosen from the data.
    """
    size, horizon, bases = rules.history, rules.horizon, rules.bases
    linear = sum((own * one for one, own in zip(weights[1:], members.values(), strict=True)), np.zeros((size, horizon)))
    kinds = sorted(set(bases))
    maps = [linear + weights[0] * change_map(size, horizon, season) for season in kinds]
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
) -> NDArray[np.float64]:
    """Weights from held-out forecasts.

    Args:
        targets: float32 [rows, horizon], the changes from the last value that came; NaN where unknown.
        forecasts: for each member float32 [rows, horizon], the changes that it forecast.
        importance: float64 [rows], how much the errors of each row count.
        spread: float32 [rows, horizon], the part of the first member's squared forecasts that its mean with others has
            not.

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
            apart = known.sum() / horizon / len(steps)
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
    best = np.zeros(x.shape[1])
    if single.argmin() < x.shape[1]:
        best[single.argmin()] = 1
    counts, found = np.ones(len(y)), best
    for _ in range(ROUNDS):
        products, sides = x.T @ (x * counts[:, None]), x.T @ (y * counts)
        # What the mean of the networks lacks of the noise of one; never more than half of what there is.
        products[0, 0] -= min(float(gained @ counts), float((y - x[:, 0]) ** 2 @ counts) / 2)
        pull = (1e-6 + ENOUGH / max(apart, 1e-9) / 10) * np.trace(products) / len(products)
        found = nonnegative(products + pull * np.eye(len(products)), sides + pull * best)
        errors = np.abs(y - x @ found)
        usual = errors.mean()
        if not usual > 0:
            break
        counts = 1 / np.maximum(errors / usual, 1)
    return found


def nonnegative(products: NDArray[np.float64], sides: NDArray[np.float64]) -> NDArray[np.float64]:
    """Minimise w'Aw/2 - b'w over w >= 0 with a sum of at most 1.

    Each of the few sets of members that may have a weight is solved for, with and without the sum bound to 1, so that
    the best of those that obey is the minimum itself.
    """
    count = len(sides)
    best, least = np.zeros(count), 0.0
    for size in range(1, count + 1):
        for some in combinations(range(count), size):
            own = list(some)
            a, b = products[np.ix_(own, own)], sides[own]
            try:
                free, ones = np.linalg.solve(a, np.stack([b, np.ones(size)], axis=1)).T
            except np.linalg.LinAlgError:
                continue
            for found in (free, free + ones * (1 - free.sum()) / ones.sum()):
                if (found >= -1e-12).all() and found.sum() <= 1 + 1e-9:
                    value = float(found @ a @ found / 2 - b @ found)
                    if value < least:
                        least, best = value, np.zeros(count)
                        best[own] = np.maximum(found, 0)
    return best
