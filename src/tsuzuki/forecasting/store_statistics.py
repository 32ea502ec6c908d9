"""Mean, deviation and bounds of each series of a store, in passes over pieces of the store."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tsuzuki.data.panel_store import PanelStore
from tsuzuki.forecasting.bounds import bounds_between
from tsuzuki.forecasting.transforms import Transform, transform_of

# Readings that are held at once.
PIECE = 2_000_000


@dataclass(frozen=True)
class SeriesStatistics:
    """What a network needs to know of each series of a store.

    Attributes:
        transform: with a mark for each series.
        scales: float64 [series, 2], mean and deviation, transformed.
        bounds: float64 [2, series], the least and the largest value that each can have; see `bounds`.
    """

    transform: Transform
    scales: NDArray[np.float64]
    bounds: NDArray[np.float64]

    def scaled(self, values: NDArray[np.float32], number: int) -> NDArray[np.float32]:
        """Values of one series in units of its scale."""
        mean, deviation = self.scales[number]
        return np.asarray((self.transform.forward(values, number) - mean) / deviation, np.float32)

    def of(self, first: int, last: int) -> "SeriesStatistics":
        """Those of the series first to last (exclusive)."""
        marks = replace(self.transform, marks=self.transform.marks[first:last])
        return SeriesStatistics(marks, self.scales[first:last], self.bounds[:, first:last])


def statistics_of(
    store: PanelStore, kind: str, on_progress: Callable[[float], object] = lambda share: None
) -> SeriesStatistics:
    """Look at all series of a store.

    Args:
        store: the readings.
        kind: of the transformation.
        on_progress: called with each further share of the work done.
    """
    count = len(store.ids)
    marks, scales, bounds = np.ones(count), np.zeros((count, 2)), np.zeros((2, count))
    for first, last in parts_of(store):
        values = np.asarray(store.values[store.offsets[first] : store.offsets[last]], np.float64)
        edges = store.offsets[first:last] - store.offsets[first]
        steps = np.diff(np.append(edges, len(values)))
        bounds[:, first:last] = bounds_between(np.fmin.reduceat(values, edges), np.fmax.reduceat(values, edges))
        if kind != "none":
            own = transform_of(kind, np.split(values, edges[1:]))
            marks[first:last] = own.marks
            repeated = Transform(kind, np.repeat(own.marks, steps))
            values = repeated.forward(values[:, None], np.arange(len(values)))[:, 0]
        missing = np.isnan(values)
        known = np.maximum(np.add.reduceat(~missing, edges), 1)
        mean = np.add.reduceat(np.where(missing, 0.0, values), edges) / known
        apart = np.where(missing, 0.0, values - np.repeat(mean, steps))
        deviation = np.sqrt(np.add.reduceat(apart**2, edges) / known)
        scales[first:last, 0], scales[first:last, 1] = mean, np.where(deviation > 0, deviation, 1.0)
        on_progress((last - first) / count)
    return SeriesStatistics(Transform(kind, marks), scales, bounds)


def parts_of(store: PanelStore, most: int = PIECE, series: int = 1 << 30) -> Iterator[tuple[int, int]]:
    """The series cut into parts [first, last) of about so many steps, or so many series, at most."""
    first, count = 0, len(store.ids)
    while first < count:
        last = int(np.searchsorted(store.offsets, store.offsets[first] + most, side="right")) - 1
        last = min(max(last, first + 1), first + series, count)
        yield first, last
        first = last
