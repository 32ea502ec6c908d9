"""Convert a user's frame to the long form that all other modules read: unique_id, ds, y and covariates.

Column names are those of the Nixtla family's libraries. Polars and other frames are converted with narwhals.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tsuzuki.errors import DataError

if TYPE_CHECKING:
    import pandas as pd


def as_long(frame: Any, covariates: Sequence[str] = (), *, needs_y: bool = True) -> "pd.DataFrame":
    """Bring a frame into long form.

    Args:
        frame: a pandas Series or DataFrame with a DatetimeIndex, a long DataFrame (ds, y, and unique_id where there are
            several series), or such a frame of Polars or another library that narwhals knows.
        covariates: further columns to keep.
        needs_y: whether y is required; a frame of future covariates has none.

    Returns:
        A new frame with the columns unique_id (str), ds (datetime64[ns]; UTC where the times have a zone), y (float64)
        if present, covariates. `zone_of` tells the zone.

    Raises:
        DataError: no times, no values, a name or a covariate missing, or columns that are not numbers.
    """
    import pandas as pd

    if not isinstance(frame, pd.DataFrame | pd.Series):
        frame = _of_pandas(frame)
    if isinstance(frame, pd.Series):
        frame = frame.to_frame("y" if frame.name is None else str(frame.name))
    if not isinstance(frame, pd.DataFrame):
        raise DataError(f"a {type(frame).__name__} is not a frame; give a pandas Series or DataFrame, or a Polars one")
    if len(frame) == 0:
        raise DataError("the frame has no rows; give it readings")
    frame = frame.copy(deep=False)
    frame.columns = [str(column) for column in frame.columns]
    if "ds" not in frame:
        if not isinstance(frame.index, pd.DatetimeIndex):
            raise DataError(
                f"the frame has no times (columns: {', '.join(frame.columns)}); give it a DatetimeIndex or a column ds"
            )
        frame = frame.assign(ds=frame.index)
    if "y" not in frame and needs_y:
        others = [name for name in frame.columns if name not in ("ds", "unique_id", *covariates)]
        if len(others) != 1:
            raise DataError(
                f"the frame has no column y, and {len(others)} columns could be it ({', '.join(others)}); "
                "rename the one to forecast to y"
            )
        frame = frame.rename(columns={others[0]: "y"})
        if "unique_id" not in frame:
            frame["unique_id"] = others[0]
    if "unique_id" not in frame:
        frame["unique_id"] = "y"
    missing = [name for name in covariates if name not in frame]
    if missing:
        raise DataError(f"the frame has no column {missing[0]!r} (it has: {', '.join(frame.columns)}); add it")
    wanted = ["unique_id", "ds", *(["y"] if "y" in frame else []), *covariates]
    found: pd.DataFrame = frame[wanted].reset_index(drop=True)
    if nameless := int(found["unique_id"].isna().sum()):
        raise DataError(f"column unique_id has {nameless} missing names; give every row one")
    found["unique_id"] = found["unique_id"].astype(str)
    found["ds"], found.attrs["zone"] = _stamps(found["ds"])
    for name in wanted[2:]:
        found[name] = _numbers(found[name], name)
    return found


def _of_pandas(frame: Any) -> Any:
    """A frame or series of another library that narwhals knows as one of pandas; anything else as it is."""
    import narwhals as nw

    native = nw.from_native(frame, pass_through=True, allow_series=True)
    if isinstance(native, nw.LazyFrame):
        native = native.collect()
    return native.to_pandas() if isinstance(native, nw.DataFrame | nw.Series) else frame


def zone_of(long: "pd.DataFrame") -> str | None:
    """The time zone of the frame that `as_long` made a long one of, None where it named none."""
    return long.attrs.get("zone")


def _stamps(times: "pd.Series[Any]") -> "tuple[pd.Series[pd.Timestamp], str | None]":
    import pandas as pd

    from tsuzuki.data.timestamps import instants

    zone = None
    try:
        if pd.api.types.is_numeric_dtype(times):
            # Numbers are nanoseconds, as pandas itself takes them.
            stamps = pd.to_datetime(times).astype("datetime64[ns]")
        elif times.isna().all():
            stamps = pd.to_datetime(times)
        else:
            read = instants(times, "it", lambda at: f"row {at + 1}")
            stamps, zone = read.stamps, read.zone
    except (ValueError, TypeError, OverflowError) as error:
        said = " ".join(str(error).split()).partition(";")[0]
        raise DataError(f"column ds does not hold times ({said[:160]}); convert it") from None
    if missing := int(stamps.isna().sum()):
        raise DataError(f"column ds has {missing} missing times; drop those rows")
    return stamps, zone


def _numbers(values: "pd.Series[Any]", name: str) -> "pd.Series[float]":
    import pandas as pd

    from tsuzuki.data.value_columns import check_size

    if pd.api.types.is_complex_dtype(values):
        raise DataError(f"column {name} does not hold real numbers ({values.dtype}); convert it")
    try:
        numbers = values.astype("float64")
    except (ValueError, TypeError):
        raise DataError(f"column {name} does not hold numbers ({values.dtype}); convert it") from None
    check_size(numbers.to_numpy("float64"), f"column {name}", lambda at: f"row {at + 1}")
    return numbers
