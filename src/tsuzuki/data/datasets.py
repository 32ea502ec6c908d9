"""The small real series bundled with the package; see `data/bundled/ATTRIBUTION.md` for origins and licences."""

from collections.abc import Sequence
from importlib import resources

from tsuzuki.data.readers import Reading
from tsuzuki.errors import DataError

UNITS = {"beijing": "°C", "nyc": "°C"}


def names() -> tuple[str, ...]:
    """The names of the bundled series."""
    return tuple(UNITS)


def load(name: str, *, column: Sequence[str] = (), time: str | None = None) -> Reading:
    """Read a bundled series.

    Args:
        name: "beijing" (hourly temperature 2010 to 2014, no gaps) or "nyc" (three airports in 2013, real gaps).
        column: y, the only one, or nothing.
        time: ds, the only one, or None.

    Raises:
        DataError: no series of that name, or no such column.
    """
    import pandas as pd

    if name not in UNITS:
        raise DataError(f"there is no bundled series {name!r}; choose one of {', '.join(UNITS)}")
    with resources.as_file(resources.files("tsuzuki") / "data" / "bundled" / f"{name}.parquet") as path:
        frame = pd.read_parquet(path)
    named = [(one, "y", "leave out --column, --past, --known and --static") for one in column]
    for given, only, remedy in [*named, (time, "ds", "leave out --time")]:
        if given not in (None, only):
            raise DataError(f"column {given!r} is not in {name} (it has: {', '.join(frame.columns)}); {remedy}")
    return Reading(name, frame.astype({"y": "float64"}), UNITS[name])
