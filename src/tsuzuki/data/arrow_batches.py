"""The rows of Parquet and CSV files, some at a time, as arrays of series, times and values."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tsuzuki.data.files import stem_of
from tsuzuki.errors import DataError, FileError

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_ROWS = 1 << 19


@dataclass(frozen=True)
class PanelColumns:
    """How the columns are called.

    Attributes:
        series: of the series' names, or None where each file holds one series and is called like it.
        time: of the times.
        value: of the readings.
    """

    series: str | None = "unique_id"
    time: str = "ds"
    value: str = "y"


def columns_of(path: Path, value: str | None = None, time: str | None = None) -> PanelColumns:
    """The columns of a file, and of those like it: one without a column unique_id holds one series.

    Raises:
        FileError: it cannot be read.
    """
    usual = PanelColumns()
    return PanelColumns(
        usual.series if usual.series in _names(path) else None, time or usual.time, value or usual.value
    )


def _names(path: Path) -> list[str]:
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    try:
        if path.suffix.lower() == ".parquet":
            return list(pyarrow.parquet.read_schema(path).names)
        with pyarrow.csv.open_csv(path) as head:
            return list(head.schema.names)
    except (pa.ArrowException, OSError) as error:
        raise FileError(
            f"{path.name} cannot be read ({' '.join(str(error).split())[:160]}); give Parquet or CSV"
        ) from None


def batches(path: Path, columns: PanelColumns, *, with_values: bool) -> Iterator["pa.RecordBatch"]:
    """The rows of a file, some at a time, with only the columns that are needed."""
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    wanted = [name for name in (columns.series, columns.time, columns.value if with_values else None) if name]
    try:
        if path.suffix.lower() == ".parquet":
            file = pyarrow.parquet.ParquetFile(path)
            _check_columns(path, file.schema_arrow.names, wanted)
            yield from file.iter_batches(BATCH_ROWS, columns=wanted)
        else:
            options = pyarrow.csv.ConvertOptions(include_columns=wanted, timestamp_parsers=[pyarrow.csv.ISO8601])
            if columns.series is not None:
                options.column_types = {columns.series: pa.string()}
            head = pyarrow.csv.open_csv(path)
            _check_columns(path, head.schema.names, wanted)
            head.close()
            with pyarrow.csv.open_csv(path, convert_options=options) as reader:
                yield from reader
    except (pa.ArrowException, OSError) as error:
        said = " ".join(str(error).split())[:160]
        raise FileError(
            f"{path.name} cannot be read ({said}); give Parquet, or CSV with commas and ISO times"
        ) from None


def _check_columns(path: Path, present: Sequence[str], wanted: Sequence[str]) -> None:
    for name in wanted:
        if name not in present:
            raise DataError(f"{path.name} has no column {name!r} but {', '.join(present[:8])}; name the right one")


def series_and_times(
    path: Path, batch: "pa.RecordBatch", columns: PanelColumns
) -> tuple[list[str], NDArray[np.int64], NDArray[np.int64]]:
    """The distinct series of some rows, and for each row its series among these and its time in nanoseconds."""
    import pyarrow as pa
    import pyarrow.compute

    times = batch.column(columns.time)
    if times.null_count:
        raise DataError(f"{path.name} has rows without a time in column {columns.time!r}; drop them")
    if not (pa.types.is_timestamp(times.type) or pa.types.is_date(times.type)):
        raise DataError(f"{path.name}: column {columns.time!r} holds {times.type}, not times; name the right one")
    stamps = times.cast(pa.timestamp("ns", getattr(times.type, "tz", None))).cast(pa.int64()).to_numpy()
    if columns.series is None:
        return [stem_of(path)], np.zeros(len(stamps), np.int64), stamps
    names = batch.column(columns.series)
    if names.null_count:
        raise DataError(f"{path.name} has rows without a name in column {columns.series!r}; drop them")
    coded = names if isinstance(names, pa.DictionaryArray) else names.dictionary_encode()
    labels = [str(label) for label in coded.dictionary.to_pylist()]
    return labels, coded.indices.to_numpy().astype(np.int64), stamps


def zone_in(batch: "pa.RecordBatch", columns: PanelColumns) -> str | None:
    """The time zone that some rows' times are of, None for none; a CSV's offsets are in UTC by now."""
    from tsuzuki.data.zones import zone_name

    zone = getattr(batch.column(columns.time).type, "tz", None)
    return None if zone is None else zone_name(zone)


def numbers_of(path: Path, batch: "pa.RecordBatch", columns: PanelColumns) -> NDArray[np.float64]:
    import pyarrow as pa

    values = batch.column(columns.value)
    try:
        found: NDArray[Any] = values.cast(pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowException:
        raise DataError(
            f"{path.name}: column {columns.value!r} holds {values.type}, not numbers; name the right one"
        ) from None
    return found
