"""A linear forecast for all series at once: one ridge regression for each step ahead, in closed form.

It explains the changes from the last value by the differences of the values before it to the last value. The sums that
it is solved from are kept for each held-out stretch apart, so that leaving a stretch out, and choosing the penalty by
the stretches left out, costs no further pass over the data.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tsuzuki.forecasting.history import History

# Penalties that are tried, in units of the mean square of the inputs.
PENALTIES = tuple(10.0**power for power in range(-6, 2))
# Rows that are learned from at most.
MOST_ROWS = 400_000
# Rows whose products are added up at once.
CHUNK = 8192


@dataclass
class Sums:
    """What a regression is solved from: products of inputs with inputs, inputs with targets, and targets' squares."""

    inputs: NDArray[np.float64]
    targets: NDArray[np.float64]
    squares: float = 0.0
    rows: int = 0

    def add(self, x: NDArray[np.float32], y: NDArray[np.float32]) -> None:
        """Take further rows into account."""
        self.inputs += x.T @ x
        self.targets += x.T @ y
        self.squares += float(np.square(y, dtype=np.float64).sum())
        self.rows += len(x)

    def without(self, other: "Sums") -> "Sums":
        """The sums over the rows that are not among the other's."""
        return Sums(
            self.inputs - other.inputs,
            self.targets - other.targets,
            self.squares - other.squares,
            self.rows - other.rows,
        )


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
    size, used = histories[0].size, lags - 1
    total = Sums(np.zeros((used, used)), np.zeros((used, horizon)))
    parts = [Sums(np.zeros((used, used)), np.zeros((used, horizon))) for _ in held_out]
    count = sum(len(history.ends) for history in histories)
    every = -(-count // MOST_ROWS)
    for number, (history, weight) in enumerate(zip(histories, weights, strict=True)):
        places = _whole(history, horizon)[::every]
        cuts = sorted({place for first, last in held_out for place in (first[number] - horizon, last[number] - 1)})
        for some in np.split(places, np.searchsorted(places, cuts)):
            for first in range(0, len(some), CHUNK):
                own = some[first : first + CHUNK]
                windows = history.windows(own)[:, -lags:]
                rows = history.ends[own][:, None] + np.arange(1, horizon + 1)
                y = (history.values[rows] - windows[:, -1:]) * np.float32(weight)
                x = (windows[:, :-1] - windows[:, -1:]) * np.float32(weight)
                one = Sums(np.zeros((used, used)), np.zeros((used, horizon)))
                one.add(x, y)
                for sums in (total, *_touched(parts, held_out, number, int(own[0]), horizon)):
                    sums.inputs += one.inputs
                    sums.targets += one.targets
                    sums.squares += one.squares
                    sums.rows += one.rows
    penalty = _penalty(total, parts)
    whole = [np.nan_to_num(_solve(sums, (penalty,))[0]) for sums in (total, *(total.without(part) for part in parts))]
    maps = [np.concatenate([np.zeros((size - lags, horizon)), one, np.zeros((1, horizon))]) for one in whole]
    found = [one.astype(np.float32) for one in maps]
    return found[0], found[1:]


def _whole(history: History, horizon: int) -> NDArray[np.int64]:
    """The positions that have all their targets in their own stretch."""
    ends = history.ends
    places = np.flatnonzero(ends[:-horizon] >= 0) if len(ends) > horizon else np.zeros(0, np.int64)
    return np.asarray(places[ends[places + horizon] == ends[places] + horizon])


def _touched(
    parts: Sequence[Sums],
    held_out: Sequence[tuple[Sequence[int], Sequence[int]]],
    number: int,
    place: int,
    horizon: int,
) -> list[Sums]:
    """The sums of the networks that have a target of this position held out."""
    return [
        part
        for part, (first, last) in zip(parts, held_out, strict=True)
        if first[number] - horizon <= place < last[number] - 1
    ]


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
