"""Long series as a picture of some thousand pixels needs them: the lowest and the highest value of every pixel."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

# Twice this many points are drawn at most: no screen shows more columns.
BUCKETS = 1500


def thin(values: NDArray[np.float64], buckets: int = BUCKETS) -> NDArray[np.int64]:
    """The positions to draw so that a line looks as it would with all of them.

    Args:
        values: [points], NaN where the line is broken.
        buckets: equal stretches to cut them into.

    Returns:
        Increasing positions: of each bucket the lowest and the highest value, or a NaN where it holds nothing else;
        the first and the last position always; all of them where there are no more than twice the buckets.
    """
    count = len(values)
    if count <= 2 * buckets:
        return np.arange(count)
    first = np.arange(buckets) * count // buckets
    lowest = np.minimum.reduceat(np.where(np.isnan(values), np.inf, values), first)
    highest = np.maximum.reduceat(np.where(np.isnan(values), -np.inf, values), first)
    bucket = np.searchsorted(first, np.arange(count), side="right") - 1
    empty = np.isinf(lowest)
    with np.errstate(invalid="ignore"):
        extreme = (values == lowest[bucket]) | (values == highest[bucket])
    found = [first[empty], np.array([0, count - 1])]
    for end in (lowest, highest):
        there = np.flatnonzero(extreme & (values == end[bucket]))
        # The first of equal values will do.
        found.append(there[np.unique(bucket[there], return_index=True)[1]])
    return np.unique(np.concatenate(found).astype(np.int64))


def spread(count: int, most: int) -> NDArray[np.int64]:
    """At most `most` of `count` positions, evenly spread, the first and the last among them."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))


def merged(starts: NDArray[np.int64], stops: NDArray[np.int64], near: int) -> list[tuple[int, int]]:
    """Stretches in time order, those less than `near` apart drawn as one."""
    found: list[tuple[int, int]] = []
    for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
        if found and start - found[-1][1] < near:
            found[-1] = (found[-1][0], stop)
        else:
            found.append((start, stop))
    return found


def numbers(values: NDArray[Any]) -> list[float | None]:
    """Values as JSON takes them, rounded to what a picture can show: a 20,000th of their range."""
    values = np.asarray(values, np.float64)
    there = np.isfinite(values)
    if not there.any():
        return [None] * len(values)
    span = float(np.ptp(values[there])) or float(np.abs(values[there]).max()) or 1.0
    digits = int(np.ceil(np.log10(20_000 / span)))
    return [round(float(value), digits) if ok else None for value, ok in zip(values, there, strict=True)]


def stamps(times: NDArray[np.datetime64]) -> list[str]:
    """Times as Plotly reads them, no longer than they need to be."""
    for unit in ("D", "m", "s", "ms"):
        short = times.astype(f"datetime64[{unit}]")
        if (short == times).all():
            return [str(one).replace("T", " ") for one in short]
    return [str(one).replace("T", " ") for one in times]
