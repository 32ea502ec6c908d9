"""Frames that an engine holds, of Ray, Dask or Spark: brought here partition by partition, into one Parquet file.

None of these packages is imported: whoever has such a frame has done so.
"""

import contextlib
import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tsuzuki.data.arrow_batches import BATCH_ROWS, PanelColumns
from tsuzuki.data.files import paths_of
from tsuzuki.errors import DataError, FileError

if TYPE_CHECKING:
    import pyarrow as pa


def files_of(source: object, folder: Path, columns: PanelColumns | None = None) -> list[Path] | None:
    """The files of whatever is read as files; an engine's frame is written to one first.

    Args:
        source: a path, a list of paths, a pyarrow dataset of files, or a frame of Ray, Dask or Spark.
        folder: where the file of a frame goes, named by its content.
        columns: the names of its columns; unique_id, ds and y if None.

    Returns:
        None for whatever is neither files nor such a frame.

    Raises:
        FileError: no such file, or the frame's cannot be written.
        DataError: the frame lacks a column.
    """
    paths = paths_of(source)
    if paths is not None:
        return paths
    tables = _tables(source)
    return None if tables is None else [write_readings(tables, folder, columns or PanelColumns())]


def write_readings(tables: Iterable["pa.Table"], folder: Path, columns: PanelColumns | None = None) -> Path:
    """Write some tables one behind another as a Parquet file that is named by its content.

    Raises:
        FileError: it cannot be written.
        DataError: a table lacks a column, or has it in another type than the tables before.
    """
    import pyarrow as pa
    import pyarrow.parquet

    names = columns or PanelColumns()
    wanted = [name for name in (names.series, names.time, names.value) if name]
    beside, writer = folder / f"readings-{os.getpid()}.part", None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for table in tables:
            lacking = [name for name in wanted if name not in table.column_names]
            if lacking:
                present = ", ".join(table.column_names[:8])
                raise DataError(f"the frame has no column {lacking[0]!r} but {present}; name the right one")
            table = table.select(wanted)
            if writer is None:
                # Notes that pandas leaves in a schema differ from partition to partition.
                schema = table.schema.remove_metadata()
                writer = pyarrow.parquet.ParquetWriter(beside, schema)
            writer.write_table(table.cast(schema))
        if writer is None:
            raise DataError("the frame has no rows; give one with readings")
        writer.close()
        with beside.open("rb") as written:
            path = folder / f"readings-{hashlib.file_digest(written, 'sha256').hexdigest()[:16]}.parquet"
        if not path.exists():
            beside.replace(path)
        return path
    except pa.ArrowException as error:
        said = " ".join(str(error).split())[:160]
        raise DataError(f"the frame's partitions differ in a column's type ({said}); cast it first") from None
    except OSError as error:
        raise FileError(f"{folder} cannot be written ({error.strerror}); make room, or name another folder") from None
    finally:
        if writer is not None:
            writer.close()
        with contextlib.suppress(OSError):
            beside.unlink()


def _tables(source: Any) -> Iterator["pa.Table"] | None:
    """The rows of an engine's frame, some at a time."""
    package = type(source).__module__.partition(".")[0]
    if package == "ray" and hasattr(source, "iter_batches"):
        return (batch for batch in source.iter_batches(batch_format="pyarrow", batch_size=BATCH_ROWS))
    if package in ("dask", "dask_expr") and hasattr(source, "partitions"):
        return _of_dask(source)
    if package == "pyspark" and hasattr(source, "mapInArrow"):
        return _of_spark(source)
    return None


def _of_dask(frame: Any) -> Iterator["pa.Table"]:
    import pyarrow as pa

    for number in range(frame.npartitions):
        yield pa.Table.from_pandas(frame.partitions[number].compute(), preserve_index=False)


def _of_spark(frame: Any) -> Iterator["pa.Table"]:
    import pyarrow as pa

    # A function within another travels to the executors by value, so that they need PyArrow alone.
    def packed(batches: Iterable["pa.RecordBatch"]) -> Iterator["pa.RecordBatch"]:
        import pyarrow as pa

        for batch in batches:
            sink = pa.BufferOutputStream()
            with pa.ipc.new_stream(sink, batch.schema) as stream:
                stream.write_batch(batch)
            yield pa.RecordBatch.from_arrays([pa.array([sink.getvalue().to_pybytes()], pa.binary())], ["batch"])

    for row in frame.mapInArrow(packed, "batch binary").toLocalIterator():
        with pa.ipc.open_stream(row["batch"]) as stream:
            yield stream.read_all()
