"""What is given to many series at once, checked: whose readings they are, and whether a network can take them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsuzuki.errors import DataError


def places_of(ids: Sequence[str], places: Mapping[str, int]) -> NDArray[np.int64]:
    """The places of some series.

    Raises:
        DataError: an id unknown, or twice.
    """
    try:
        which = np.array([places[name] for name in ids], np.int64)
    except KeyError as error:
        raise DataError(f"series {error.args[0]!r} is not in the bank; name it when the bank is made") from None
    if len(np.unique(which)) < len(which):
        raise DataError("a series stands twice among the ids; give its readings one after the other")
    return which


def checked_readings(
    values: Any, which: NDArray[np.int64], names: Sequence[str], limits: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The next readings of some series, float64 [series], NaN where one is missing.

    Args:
        values: what was given.
        which: the series' places.
        names: of all series.
        limits: float64 [series], what a reading of each may be away from 0 at most.

    Raises:
        DataError: not one value for each series; no number, or one beyond its limit.
    """
    try:
        found = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        raise DataError("a reading is no number; give floats, NaN where one is missing") from None
    if found.shape != which.shape:
        raise DataError(f"there are {len(which)} series but values of shape {found.shape}; give one for each")
    if (far := np.abs(found) > limits).any():
        name, value = names[which[far.argmax()]], found[far.argmax()]
        said = "infinite" if np.isinf(value) else f"too far away: {value:g}"
        raise DataError(f"the reading of series {name!r} is {said}")
    return found
