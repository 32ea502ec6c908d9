"""How far naive forecasts err, the last value and that of a season before: what series are measured in, and choose
their base by."""

import ctypes
import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsuzuki.engine.machine_code import address_of, load

# Origins of a series that are looked at, spread evenly.
ORIGINS = 300


@functools.cache
def _errors() -> Callable[..., None]:
    load(("naive_errors",))
    return ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 8)(address_of("naive_errors", "errors"))


def naive_errors(
    values: NDArray[np.floating[Any]], edges: NDArray[np.int64], seasons: Sequence[int], horizon: int
) -> NDArray[np.float64]:
    """Mean absolute errors over a horizon, float64 [series, seasons]; infinity where nobody knows them.

    Args:
        values: of all series behind one another, [points], NaN where missing.
        edges: int64 [series + 1], where each begins, and last where they end.
        seasons: in steps; 0 is the last value.
        horizon: steps ahead.
    """
    own, edges = np.ascontiguousarray(values, np.float64), np.ascontiguousarray(edges, np.int64)
    kinds, found = np.array(seasons, np.int64), np.empty((len(edges) - 1, len(seasons)))
    where = (one.ctypes.data for one in (own, edges, kinds, found))
    values_at, edges_at, kinds_at, found_at = where
    _errors()(values_at, edges_at, len(found), kinds_at, len(kinds), horizon, ORIGINS, found_at)
    return found


def naive_errors_of(values: NDArray[np.floating[Any]], seasons: Sequence[int], horizon: int) -> NDArray[np.float64]:
    """Those of one series [points], float64 [seasons]."""
    found: NDArray[np.float64] = naive_errors(values, np.array([0, len(values)], np.int64), seasons, horizon)[0]
    return found
