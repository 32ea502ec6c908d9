"""What is given to series, checked: whose readings they are, when, and whether a network can take them."""

from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsuzuki.data.timestamps import LAST_DAY
from tsuzuki.data.zones import check_zone
from tsuzuki.errors import DataError
from tsuzuki.streaming.lines import is_plain, moment


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


def nanoseconds(ds: Any, zone: str | None = None) -> int:
    """A time as nanoseconds since 1970.

    Args:
        ds: a text, a `datetime`, a pandas `Timestamp`, or NumPy's `datetime64`, which is UTC where there is a zone.
        zone: the time zone that the training data name, or None.

    Raises:
        DataError: it is no time, or names a zone where the training data name none, or otherwise.
    """
    if type(ds) is str and not is_plain(ds):
        try:
            stamp, zoned = moment(ds)
        except DataError:
            raise DataError(f"{ds!r:.60} is no time; give one such as 2026-01-31 12:00") from None
    else:
        zoned = getattr(ds, "tzinfo", None) is not None
        try:
            plain = ds.astimezone(UTC).replace(tzinfo=None) if zoned else ds
            found = np.datetime64(plain, "ns")
            # NumPy takes a year that nanoseconds cannot count for one of another century.
            if abs(np.datetime64(plain, "D").astype(np.int64)) > LAST_DAY:
                found = np.datetime64("NaT")
        except (ValueError, TypeError, OverflowError):
            found = np.datetime64("NaT")
        if np.isnat(found):
            raise DataError(f"{ds!r:.60} is no time; give one such as 2026-01-31 12:00")
        stamp = int(found.astype(np.int64))
    if zoned != (zone is not None) and type(ds) is not np.datetime64:
        check_zone("a time zone" if zoned else None, zone, f"the time {ds}")
    return stamp
