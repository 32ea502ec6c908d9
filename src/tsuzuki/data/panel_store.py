"""Readings of many series that do not fit in memory, in one memory-mapped array, series by series.

A store is a folder: `values.f32`, the readings of all series one after another on their grid (NaN is missing),
`series.parquet`, where each begins and when, and `panel.json`, what it was made of.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tsuzuki.data.arrow_batches import PanelColumns, columns_of
from tsuzuki.data.files import named
from tsuzuki.data.ingest import FORMAT, ingest
from tsuzuki.errors import FileError
from tsuzuki.storage import user_cache_folder

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class PanelStore:
    """Many series on one step, their values in a file that is read where it is needed.

    Attributes:
        folder: where the store lies.
        ids: the series' names, sorted.
        starts: int64 [series], the first time of each, in nanoseconds since 1970.
        offsets: int64 [series + 1], where each begins in `values`, and last where they end.
        values: float32 [points], memory-mapped; NaN is missing.
        step: of the grid, in nanoseconds.
        readings: values that are there.
        merged: readings that gave way to a later one of the same series and time.
        fingerprint: a hash of what the store was made of.
        zone: the time zone that the times named, in UTC inside; "several offsets", or None for none.
    """

    folder: Path
    ids: tuple[str, ...]
    starts: NDArray[np.int64]
    offsets: NDArray[np.int64]
    values: NDArray[np.float32]
    step: int
    readings: int
    merged: int
    fingerprint: str
    zone: str | None

    def __getstate__(self) -> dict[str, Any]:
        # Whoever gets it reads the values where they lie.
        values = self.values
        return self.__dict__ | {"values": values.filename if isinstance(values, np.memmap) else values}

    def __setstate__(self, state: dict[str, Any]) -> None:
        values = state["values"]
        if not isinstance(values, np.ndarray):
            try:
                values = np.memmap(values, np.float32, "r")
            except OSError as error:
                raise FileError(
                    f"{values} cannot be read ({error.strerror}); all machines must see the cache folder by this name"
                ) from None
        self.__dict__.update(state | {"values": values})

    @property
    def points(self) -> int:
        """Steps of all series together, missing ones among them."""
        return int(self.offsets[-1])

    def frame(
        self, numbers: Sequence[int], first: Sequence[int] | None = None, steps: int | None = None
    ) -> "pd.DataFrame":
        """Some series as a long frame: unique_id, ds, y, without missing readings.

        Args:
            numbers: of the series.
            first: for each the step to begin with; the beginning if None.
            steps: how many steps of each at most; all if None.
        """
        import pandas as pd

        parts = []
        for place, number in enumerate(numbers):
            start, stop = int(self.offsets[number]), int(self.offsets[number + 1])
            begin = 0 if first is None else first[place]
            values = self.values[start + begin : stop if steps is None else min(stop, start + begin + steps)]
            there = np.flatnonzero(~np.isnan(values))
            parts.append((number, self.starts[number] + (begin + there) * self.step, values[there]))
        counts = [len(values) for _, _, values in parts]
        return pd.DataFrame(
            {
                "unique_id": np.repeat(np.array([self.ids[number] for number, _, _ in parts], object), counts),
                "ds": np.concatenate([times for _, times, _ in parts]).astype("datetime64[ns]"),
                "y": np.concatenate([values for _, _, values in parts]).astype(np.float64),
            }
        )


def panel_store(
    source: str | Path | Sequence[str | Path],
    cache: str | Path | None = None,
    columns: PanelColumns | None = None,
    on_progress: Callable[[float], object] | None = None,
) -> PanelStore:
    """Open the store of some files, and make it first where there is none yet.

    Args:
        source: Parquet or CSV files, a folder of them, a pattern, or a list of these; times in ISO form.
        cache: the folder of all stores, one among the user's cached files if None; this one lies in a folder that is
            named by a hash of the files' names, sizes and dates.
        columns: their names; unique_id, ds and y if None. Files without unique_id hold one series each then.
        on_progress: called with each further share of the work done.

    Raises:
        FileError: no files, not readable, or the disk is full.
        DataError: a column is missing, a cell is no time or number, series of different steps, more than a tenth of
            the readings at times that others have, or too few to tell a step from.
    """
    paths = named(source)
    columns = columns or columns_of(paths[0])
    fingerprint = _fingerprint(paths, columns)
    folder = stores_folder(cache) / fingerprint
    report = on_progress or (lambda share: None)
    if not (folder / "panel.json").exists():
        ingest(paths, columns, folder, fingerprint, report)
    else:
        report(1.0)
    return open_store(folder)


def paths_of(source: object, cache: str | Path | None, columns: PanelColumns | None) -> list[Path] | None:
    """The files that a source is, or that an engine's frame is written to; None where it is another frame."""
    from tsuzuki.data.engine_frames import files_of

    return files_of(source, stores_folder(cache), columns)


def stores_folder(cache: str | Path | None) -> Path:
    """The folder of all stores: the one that is named, or one among the user's cached files."""
    return user_cache_folder() / "panels" if cache is None else Path(cache)


def _fingerprint(paths: Sequence[Path], columns: PanelColumns) -> str:
    digest = hashlib.sha256(repr((FORMAT, columns)).encode())
    for path in paths:
        try:
            about = path.stat()
        except OSError as error:
            raise FileError(f"{path} cannot be read ({error.strerror}); check its name and permissions") from None
        digest.update(f"\0{path.resolve()}\0{about.st_size}\0{about.st_mtime_ns}".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:24]


def open_store(folder: Path) -> PanelStore:
    """Open a store that is there.

    Raises:
        FileError: it is not, or it is damaged.
    """
    import pyarrow.parquet

    try:
        facts = json.loads((folder / "panel.json").read_text("utf-8"))
        series = pyarrow.parquet.read_table(folder / "series.parquet")
        values = np.memmap(folder / "values.f32", np.float32, "r")
        starts = series["start"].to_numpy()
        offsets = np.concatenate([[0], np.cumsum(series["steps"].to_numpy())])
        whole = len(values) == offsets[-1]
    except (OSError, ValueError, KeyError) as error:
        raise FileError(f"the store {folder} is damaged ({error}); delete that folder and start again") from None
    if not whole:
        raise FileError(f"the store {folder} is cut short; delete that folder and start again")
    return PanelStore(
        folder,
        tuple(series["unique_id"].to_pylist()),
        starts,
        offsets,
        values,
        int(facts["step"]),
        int(facts["readings"]),
        int(facts["merged"]),
        str(facts["fingerprint"]),
        facts["zone"],
    )
