"""Weights of each kind of series, and of single series where held-out stretches show that these deserve their own."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tsuzuki.forecasting.committee import ENOUGH, Kinds, stack

# So many series may have weights of their own, each with a map.
MOST_SERIES = 32
# A series' own weights are half-way to those of its kind where so many of its errors lie a horizon apart: what is best
# is seen on stretches that no weight was found from. They must take off so much there.
ENOUGH_OWN, GAINED = (30.0, 100.0), 0.002
# So many rows, values and groups of steps ahead are looked at for that.
JUDGED_ROWS, JUDGED_VALUES, JUDGED_GROUPS = 1_200, 150_000, 2


@dataclass(frozen=True)
class WeighedRows:
    """Held-out rows that weights are found from.

    Attributes:
        targets, forecasts, importance, spread, every, groups: see `committee.stack`.
        kinds: int64 [rows], of the series of each.
        series: int64 [rows], the number of the series of each.
        stretches: int64 [rows], the number of the network that lacked each.
    """

    targets: NDArray[np.float32]
    forecasts: Sequence[NDArray[np.float32]]
    importance: NDArray[np.float64]
    spread: NDArray[np.float32] | None
    every: int
    groups: int
    kinds: NDArray[np.int64]
    series: NDArray[np.int64]
    stretches: NDArray[np.int64]

    def weights(self, here: NDArray[np.bool_], members: int) -> NDArray[np.float64]:
        """Weights of so many members from some of the rows, [members, horizon]."""
        some = self if here.all() else self.select(here)
        forecasts = some.forecasts[:members]
        return stack(some.targets, forecasts, some.importance, some.spread, some.every, some.groups)

    def select(self, which: NDArray[np.bool_] | slice) -> "WeighedRows":
        """Some of the rows; a slice's step is how many times as far apart they lie."""
        every = (which.step or 1) if isinstance(which, slice) else 1
        return WeighedRows(
            self.targets[which],
            [one[which] for one in self.forecasts],
            self.importance[which],
            None if self.spread is None else self.spread[which],
            self.every * every,
            self.groups,
            self.kinds[which],
            self.series[which],
            self.stretches[which],
        )

    @property
    def apart(self) -> float:
        """How many of the errors lie a horizon apart."""
        return float(self.every * np.isfinite(self.targets).sum() / self.targets.shape[1] ** 2)

    def error(self, weights: NDArray[np.float64]) -> float:
        """The sum of absolute errors, as far as each row counts, with the weights of each series."""
        total = 0.0
        for number in np.unique(self.series):
            here = self.series == number
            said = sum(own * one[here] for own, one in zip(weights[number], self.forecasts, strict=True))
            errors = np.abs(self.targets[here] - said) * self.importance[here, None]
            total += float(np.nansum(errors))
        return total


def weights_by_kind(rows: WeighedRows, kinds: Kinds, profiled: int) -> NDArray[np.float64]:
    """Weights of each kind, float64 [kinds, members, horizon], of whom the last so many members need a profile.

    They are nearer to those of all series the fewer errors of a kind are independent of one another.
    """
    members, horizon, bases = len(rows.forecasts), rows.targets.shape[1], len(set(kinds.seasons))
    found = np.zeros((len(kinds.seasons), members, horizon))
    for first in range(0, len(found), bases):
        # Series without a profile, of whom there may be none yet, learn from all.
        some = members if first else members - profiled
        every_row = rows.kinds >= first if first else np.ones(len(rows.kinds), bool)
        whole = rows.weights(every_row, some)
        for kind in range(first, first + bases):
            found[kind, :some] = whole
            here = every_row & (rows.kinds % bases == kind - first)
            if bases > 1 and here.any():
                apart = rows.select(here).apart
                found[kind, :some] += apart / (apart + ENOUGH) * (rows.weights(here, some) - whole)
    return found


def with_own(
    rows: WeighedRows, kinds: Kinds, weights: NDArray[np.float64], profiled: int
) -> tuple[Kinds, NDArray[np.float64]]:
    """Give every series weights of its own where those err less on stretches that they were not found from.

    Args:
        rows: that weights are found from.
        kinds: of the series.
        weights: float64 [kinds, members, horizon], of each kind.
        profiled: so many of the members, the last ones, need a profile.

    Returns:
        The kinds, to which each series is added as one more, and the weights; both as they were where none is added.
    """
    if not 2 <= len(kinds.of_series) <= MOST_SERIES or rows.apart < ENOUGH * len(kinds.of_series):
        return kinds, weights
    enough = _enough(rows, kinds, profiled)
    if not np.isfinite(enough):
        return kinds, weights
    own = _Own(rows, kinds, weights, profiled).near(enough)
    seasons = tuple(kinds.seasons[kind] for kind in kinds.of_series)
    return Kinds(kinds.seasons + seasons, np.arange(len(own)) + len(weights)), np.concatenate([weights, own])


class _Own:
    """Weights of each series by itself, and those of its kind, both float64 [series, members, horizon]."""

    def __init__(self, rows: WeighedRows, kinds: Kinds, weights: NDArray[np.float64], profiled: int) -> None:
        bases = len(set(kinds.seasons))
        self.of_kinds = weights[kinds.of_series]
        self._own, self._apart = self.of_kinds.copy(), np.zeros(len(self.of_kinds))
        for number, kind in enumerate(kinds.of_series):
            here = rows.series == number
            self._apart[number] = rows.select(here).apart
            if self._apart[number] > 0:
                some = self._own.shape[1] - (0 if kind >= bases else profiled)
                self._own[number, :some] = rows.weights(here, some)

    def near(self, enough: float) -> NDArray[np.float64]:
        """Their means, half-way where a series has `enough` errors that lie a horizon apart."""
        shares = self._apart / (self._apart + enough)
        return np.asarray(self.of_kinds + shares[:, None, None] * (self._own - self.of_kinds))


def _enough(rows: WeighedRows, kinds: Kinds, profiled: int) -> float:
    """The number of errors that forecasts stretches best which no weight was found from; inf where all have those of
    their kind."""
    most = min(JUDGED_ROWS, JUDGED_VALUES // rows.targets.shape[1])
    fewer = replace(rows.select(slice(None, None, -(-len(rows.targets) // max(1, most)))), groups=JUDGED_GROUPS)
    common, errors = 0.0, np.zeros(len(ENOUGH_OWN))
    for stretch in np.unique(fewer.stretches):
        rest, out = fewer.select(fewer.stretches != stretch), fewer.select(fewer.stretches == stretch)
        if np.isfinite(rest.targets).any():
            own = _Own(rest, kinds, weights_by_kind(rest, kinds, profiled), profiled)
            common += out.error(own.of_kinds)
            errors += [out.error(own.near(enough)) for enough in ENOUGH_OWN]
    best = int(np.argmin(errors))
    return ENOUGH_OWN[best] if errors[best] < (1 - GAINED) * common else np.inf
