"""A linear forecast for all series at once: one ridge regression for each step ahead, in closed form.

It explains the changes from the last value by the differences of the values before it to the last value. The sums that
it is solved from are kept for each held-out stretch apart, so that leaving a stretch out, and choosing the penalty by
the stretches left out, costs no further pass over the data.

Over rows that follow one another the products of all pairs of lags need not be added up: that of two lags is that of
the two before them, but for one row at either end. So a row costs as many products as there are lags, not their square.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from tsuzuki.forecasting.history import History

# Penalties that are tried, in units of the mean square of the inputs.
PENALTIES = tuple(10.0**power for power in range(-6, 2))
# Stretches whose ends are multiplied at once.
CHUNK = 512


@dataclass(frozen=True)
class Sums:
    """What a regression is solved from: products of inputs with inputs, inputs with targets, and targets' squares."""

    inputs: NDArray[np.float64]
    targets: NDArray[np.float64]
    squares: float
    rows: int

    def without(self, other: "Sums") -> "Sums":
        """The sums over the rows that are not among the other's."""
        return Sums(
            self.inputs - other.inputs,
            self.targets - other.targets,
            self.squares - other.squares,
            self.rows - other.rows,
        )


class _Products:
    """Products of all pairs of values around a row, from the last target to the first lag, summed over rows.

    Args:
        horizon: steps ahead.
        used: lags.
    """

    def __init__(self, horizon: int, used: int) -> None:
        self._horizon, self._used, count = horizon, used, horizon + 1 + used
        self._first, self._moved, self.rows = np.zeros(count), np.zeros((count - 1, count - 1)), 0

    def add(
        self,
        first: NDArray[np.float64],
        before: NDArray[np.float64],
        last: NDArray[np.float64],
        weights: NDArray[np.float64],
        rows: int,
    ) -> None:
        """Take stretches of rows into account.

        Args:
            first: float64 [stretches, values], the last target times all values, summed over the rows of each.
            before: float64 [stretches, values - 1], all values but the first lag around the row before each.
            last: float64 [stretches, values - 1], and around its last row.
            weights: float64 [stretches], how much the squares of each count.
            rows: of all.
        """
        self._first += weights @ first
        self._moved += (before * weights[:, None]).T @ before - (last * weights[:, None]).T @ last
        self.rows += rows

    def sums(self) -> Sums:
        """Of what a regression reads, less the last value: lags, the furthest first; targets, the next one first."""
        count, horizon = len(self._first), self._horizon
        products = np.empty((count, count))
        products[0], products[:, 0] = self._first, self._first
        for place in range(1, count):
            products[place, 1:] = products[place - 1, :-1] + self._moved[place - 1]
        apart = products - products[:, horizon : horizon + 1] - products[horizon] + products[horizon, horizon]
        lags, ahead = np.arange(count - 1, horizon, -1), np.arange(horizon - 1, -1, -1)
        squares = float(apart[ahead, ahead].sum())
        return Sums(apart[np.ix_(lags, lags)], apart[np.ix_(lags, ahead)], squares, self.rows)


def ridge(
    histories: Sequence[History],
    held_out: Sequence[tuple[Sequence[int], Sequence[int]]],
    horizon: int,
    lags: int,
    weights: NDArray[np.float64],
) -> tuple[NDArray[np.float32], list[NDArray[np.float32]]]:
    """Learn the linear forecast.

    Args:
        histories: of the series.
        held_out: for each network the positions first to last (exclusive) of each series that it is not trained on.
        horizon: steps ahead.
        lags: values that are read, the last one among them.
        weights: float64 [series], how much the errors of each count.

    Returns:
        Maps [size, horizon] of windows less their last value to changes from it: that of all data, and for each network
        that of all rows without a target in its held-out stretch. Zeros where there are too few rows.
    """
    size = histories[0].size
    total, *parts = _sums(histories, held_out, horizon, lags - 1, weights)
    penalty = _penalty(total, parts)
    whole = [np.nan_to_num(_solve(sums, (penalty,))[0]) for sums in (total, *(total.without(part) for part in parts))]
    maps = [np.concatenate([np.zeros((size - lags, horizon)), one, np.zeros((1, horizon))]) for one in whole]
    found = [one.astype(np.float32) for one in maps]
    return found[0], found[1:]


def _sums(
    histories: Sequence[History],
    held_out: Sequence[tuple[Sequence[int], Sequence[int]]],
    horizon: int,
    used: int,
    weights: NDArray[np.float64],
) -> list[Sums]:
    """The sums over all rows, and over those that each network has held out."""
    products = [_Products(horizon, used) for _ in range(1 + len(held_out))]
    for some in _chunks(_stretches(histories, held_out, horizon, used, weights)):
        first, before, last = (np.stack([getattr(one, name) for one in some]) for name in ("first", "before", "last"))
        weighed, rows = np.array([one.weight for one in some]), np.array([one.rows for one in some])
        touched = np.array([(True, *one.touched) for one in some])
        for own, here in zip(products, touched.T, strict=True):
            own.add(first[here], before[here], last[here], weighed[here], int(rows[here].sum()))
    return [one.sums() for one in products]


def _whole(history: History, horizon: int) -> NDArray[np.int64]:
    """The positions that have all their targets in their own stretch."""
    ends = history.ends
    places = np.flatnonzero(ends[:-horizon] >= 0) if len(ends) > horizon else np.zeros(0, np.int64)
    return np.asarray(places[ends[places + horizon] == ends[places] + horizon])


@dataclass(frozen=True)
class _Stretch:
    """Rows that follow one another, all held out from the same networks; see `_Products.add`."""

    first: NDArray[np.float64]
    before: NDArray[np.float64]
    last: NDArray[np.float64]
    weight: float
    rows: int
    touched: tuple[bool, ...]


def _stretches(
    histories: Sequence[History],
    held_out: Sequence[tuple[Sequence[int], Sequence[int]]],
    horizon: int,
    used: int,
    weights: NDArray[np.float64],
) -> Iterator[_Stretch]:
    for number, (history, weight) in enumerate(zip(histories, weights, strict=True)):
        places, values = _whole(history, horizon), history.values.astype(np.float64)
        rows = history.ends[places]
        # A network has targets of these positions held out.
        bounds = [(first[number] - horizon, last[number] - 1) for first, last in held_out]
        cuts = np.searchsorted(places, sorted({place for own in bounds for place in own}))
        cuts = np.union1d(cuts, np.flatnonzero(np.diff(rows) != 1) + 1)
        for own in np.split(np.arange(len(rows)), cuts):
            if len(own) == 0:
                continue
            begin, stop, place = int(rows[own[0]]), int(rows[own[-1]]) + 1, int(places[own[0]])
            yield _Stretch(
                np.correlate(values[begin - used : stop + horizon], values[begin + horizon : stop + horizon])[::-1],
                values[begin - used : begin + horizon][::-1],
                values[stop - used : stop + horizon][::-1],
                float(weight) ** 2,
                stop - begin,
                tuple(low <= place < high for low, high in bounds),
            )


def _chunks(stretches: Iterable[_Stretch]) -> Iterator[list[_Stretch]]:
    """Some at a time, so that memory does not grow with the data."""
    own = iter(stretches)
    while some := list(islice(own, CHUNK)):
        yield some


def _penalty(total: Sums, parts: Sequence[Sums]) -> float:
    """The penalty with the least error on the stretches left out."""
    errors = np.zeros(len(PENALTIES))
    for part in parts:
        if part.rows == 0 or part.rows == total.rows:
            continue
        for i, found in enumerate(_solve(total.without(part), PENALTIES)):
            error = part.squares - 2 * np.sum(found * part.targets) + np.sum(found * (part.inputs @ found))
            # With hardly any penalty what is solved may be singular to rounding, and say anything.
            errors[i] += error if np.isfinite(error) and error > 0 else np.inf
    return PENALTIES[int(np.argmin(errors))] if errors.any() and np.isfinite(errors).any() else PENALTIES[-1]


def _solve(sums: Sums, penalties: Sequence[float]) -> list[NDArray[np.float64]]:
    """The regression for several penalties, [lags - 1, horizon] each."""
    unit = float(np.trace(sums.inputs)) / max(1, len(sums.inputs))
    if sums.rows < 2 or not unit > 0:
        return [np.zeros_like(sums.targets) for _ in penalties]
    found: list[NDArray[np.float64]] = []
    for penalty in penalties:
        # One factorisation each is a twentieth of the eigenvectors that would serve all penalties.
        raised = sums.inputs + penalty * unit * np.eye(len(sums.inputs))
        try:
            found.append(np.asarray(np.linalg.solve(raised, sums.targets), np.float64))
        except np.linalg.LinAlgError:
            found.append(np.full_like(sums.targets, np.nan))
    return found
