"""The small real series bundled with the package; see `data/bundled/ATTRIBUTION.md` for origins and licences.

They are kept as NumPy's arrays, which read in two milliseconds; pandas takes a quarter of a second to import.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tsuzuki.data.series import Readings
from tsuzuki.errors import DataError

if TYPE_CHECKING:
    from tsuzuki.data.readers import Reading

UNITS = {"beijing": "°C", "nyc": "°C"}
_COLUMNS = ("unique_id", "ds", "y")
_HOUR = 3600 * 10**9


def names() -> tuple[str, ...]:
    """The names of the bundled series."""
    return tuple(UNITS)


def load_readings(name: str, *, column: Sequence[str] = (), time: str | None = None) -> tuple[Readings, ...]:
    """Read a bundled series as arrays.

    Args:
        name: as for `load`.
        column: likewise.
        time: likewise.

    Returns:
        The readings of each of its series.

    Raises:
        DataError: as `load`.
    """
    import numpy as np

    if name not in UNITS:
        raise DataError(f"there is no bundled series {name!r}; choose one of {', '.join(UNITS)}")
    named = [(one, "y", "leave out --column, --past, --known and --static") for one in column]
    for given, only, remedy in [*named, (time, "ds", "leave out --time")]:
        if given not in (None, only):
            raise DataError(f"column {given!r} is not in {name} (it has: {', '.join(_COLUMNS)}); {remedy}")
    with np.load(Path(__file__).parent / "bundled" / f"{name}.npz") as file:
        stamps = np.cumsum(file["hours"], dtype=np.int64) * _HOUR
        values = file["values"][file["codes"]].astype(np.float64)
        ends = np.cumsum(file["counts"])[:-1]
        series = zip(file["names"].tolist(), np.split(stamps, ends), np.split(values, ends), strict=True)
        return tuple(Readings(*one) for one in series)


def load(name: str, *, column: Sequence[str] = (), time: str | None = None) -> "Reading":
    """Read a bundled series.

    Args:
        name: "beijing" (hourly temperature 2010 to 2014, no gaps) or "nyc" (three airports in 2013, real gaps).
        column: y, the only one, or nothing.
        time: ds, the only one, or None.

    Raises:
        DataError: no series of that name, or no such column.
    """
    import numpy as np
    import pandas as pd

    from tsuzuki.data.readers import Reading

    series = load_readings(name, column=column, time=time)
    content = (
        [one.name for one in series for _ in one.values],
        np.concatenate([one.stamps for one in series]).view("datetime64[ns]").astype("datetime64[ms]"),
        np.concatenate([one.values for one in series]),
    )
    return Reading(name, pd.DataFrame(dict(zip(_COLUMNS, content, strict=True))), UNITS[name])
