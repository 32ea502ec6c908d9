"""What a forecast needs to know of each series of a store: mean, deviation, bounds, base and unit, in passes over
pieces of the store."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tsuzuki.data.panel_store import PanelStore
from tsuzuki.forecasting.bounds import bounds_between
from tsuzuki.forecasting.naive_errors import naive_errors
from tsuzuki.forecasting.rules import Rules, bases_among, units_by
from tsuzuki.forecasting.transforms import Transform, transform_of

# Readings that are held at once.
PIECE = 2_000_000


@dataclass(frozen=True)
class SeriesStatistics:
    """What is known of each series of a store.

    Attributes:
        transform: with a mark for each series.
        scales: float64 [series, 2], mean and deviation, transformed.
        bounds: float64 [2, series], the least and the largest value that each can have; see `bounds`.
        bases: int64 [series], the season of the forecast that networks add to; 0 is the last value.
        units: float64 [series], what its errors are measured in, in its deviations.
    """

    transform: Transform
    scales: NDArray[np.float64]
    bounds: NDArray[np.float64]
    bases: NDArray[np.int64]
    units: NDArray[np.float64]

    def scaled(self, values: NDArray[np.float32], number: int) -> NDArray[np.float32]:
        """Values of one series in units of its scale."""
        mean, deviation = self.scales[number]
        return np.asarray((self.transform.forward(values, number) - mean) / deviation, np.float32)

    def of(self, first: int, last: int) -> "SeriesStatistics":
        """Those of the series first to last (exclusive)."""
        return self.select(slice(first, last))

    def select(self, which: "slice | NDArray[np.int64]") -> "SeriesStatistics":
        """Those of some series."""
        marks = replace(self.transform, marks=self.transform.marks[which])
        return SeriesStatistics(marks, self.scales[which], self.bounds[:, which], self.bases[which], self.units[which])

    def rules(self, learned: Rules) -> Rules:
        """The rules for these series, by those of the series that were learned from."""
        return replace(learned, bases=tuple(self.bases.tolist()), units=tuple(self.units.tolist()))


def statistics_of(
    store: PanelStore, rules: Rules, on_progress: Callable[[float], object] = lambda share: None
) -> SeriesStatistics:
    """Look at all series of a store.

    Args:
        store: the readings.
        rules: what a sample of series suggested.
        on_progress: called with each further share of the work done.
    """
    count = len(store.ids)
    marks, scales, bounds = np.ones(count), np.zeros((count, 2)), np.zeros((2, count))
    bases, units = np.zeros(count, np.int64), np.ones(count)
    for first, last in parts_of(store):
        values = np.asarray(store.values[store.offsets[first] : store.offsets[last]], np.float64)
        edges = store.offsets[first:last] - store.offsets[first]
        steps = np.diff(np.append(edges, len(values)))
        bounds[:, first:last] = bounds_between(np.fmin.reduceat(values, edges), np.fmax.reduceat(values, edges))
        if rules.transform != "none":
            own = transform_of(rules.transform, np.split(values, edges[1:]))
            marks[first:last] = own.marks
            repeated = Transform(rules.transform, np.repeat(own.marks, steps))
            values = repeated.forward(values[:, None], np.arange(len(values)))[:, 0]
        missing = np.isnan(values)
        known = np.maximum(np.add.reduceat(~missing, edges), 1)
        mean = np.add.reduceat(np.where(missing, 0.0, values), edges) / known
        apart = np.where(missing, 0.0, values - np.repeat(mean, steps))
        deviation = np.sqrt(np.add.reduceat(apart**2, edges) / known)
        scales[first:last, 0], scales[first:last, 1] = mean, np.where(deviation > 0, deviation, 1.0)
        if not rules.alone:
            errors = naive_errors(values, np.append(edges, len(values)), (0, *rules.seasons), rules.horizon)
            units[first:last] = units_by(errors, deviation)
            bases[first:last] = bases_among(errors, steps.tolist(), rules)
        on_progress((last - first) / count)
    return SeriesStatistics(Transform(rules.transform, marks), scales, bounds, bases, units)


def parts_of(store: PanelStore, most: int = PIECE, series: int = 1 << 30) -> Iterator[tuple[int, int]]:
    """The series cut into parts [first, last) of about so many steps, or so many series, at most."""
    first, count = 0, len(store.ids)
    while first < count:
        last = int(np.searchsorted(store.offsets, store.offsets[first] + most, side="right")) - 1
        last = min(max(last, first + 1), first + series, count)
        yield first, last
        first = last
