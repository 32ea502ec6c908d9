"""Files in, one long frame out: CSV, Parquet, Excel, and the Japan Meteorological Agency's raw download.

The frame has the columns `unique_id`, `ds` (naive; UTC where the file names time zones) and `y`, and `change` where a
file says that a series was broken (a station moved). What is not unambiguous is an error that lists the choices.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tsuzuki.data import columns, delimited, files, jma, joining, parquet

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Reading:
    """What a file holds, or several files together.

    Attributes:
        name: the file's name.
        frame: columns unique_id, ds, y and, where known, change.
        unit: the value's unit where the file says it.
        column: the value column's name in the file.
        zone: the time zone that the file names ("UTC", "+09:00"), or None; `ds` is UTC where it names one.
    """

    name: str
    frame: "pd.DataFrame"
    unit: str | None
    column: str | None = None
    zone: str | None = None


def read(source: str | Path | Sequence[str | Path], *, column: str | None = None, time: str | None = None) -> Reading:
    """Read a time series, or several, from a file or several.

    Args:
        source: a CSV file (comma, semicolon or tab; decimal commas where cells are separated otherwise; UTF-8 with or
            without a mark, UTF-16 with one, or cp932; also packed as .gz or .zst), a Parquet file, an Excel workbook,
            or the Japan Meteorological Agency's download; - is standard input. A pattern, a folder or a list are
            several files, which are joined in time and must have the same columns, in whatever order.
        column: the value column; needed where there are several. In the agency's file a station or an element.
        time: the time column, or "date,hour" where two hold it; needed where it cannot be told.

    Returns:
        The readings as they stand in the file, in its order, gaps and duplicates included.

    Raises:
        FileError: no such file, not readable, empty, or no text.
        DataError: columns, stamps or values that cannot be used, or files that disagree; the message names them.
        MissingExtraError: an Excel workbook, and openpyxl is not installed.
    """
    paths = files.named(source)
    found = [_read(paths[0], column, time)]
    for path in paths[1:]:
        found.append(_read(path, found[0].column, time))
    if len(found) == 1:
        return found[0]
    stem = _common_stem([files.stem_of(path) for path in paths])
    if all(set(one.frame["unique_id"]) == {files.stem_of(path)} for path, one in zip(paths, found, strict=True)):
        # Series called by their file are stretches of one.
        found = [Reading(one.name, one.frame.assign(unique_id=stem), one.unit, one.column, one.zone) for one in found]
    zones = {one.zone for one in found}
    return Reading(
        f"{found[0].name} and {len(found) - 1} more",
        joining.join(found),
        found[0].unit,
        found[0].column,
        zones.pop() if len(zones) == 1 else "several offsets",
    )


def _common_stem(stems: Sequence[str]) -> str:
    """What the names of files begin with together, but for the number that tells them apart."""
    shared = stems[0]
    while not all(stem.startswith(shared) for stem in stems):
        shared = shared[:-1]
    return shared.rstrip("0123456789-_. ") or stems[0]


def _read(path: Path, column: str | None, time: str | None) -> Reading:
    name = files.name_of(path)
    content = files.content(path)
    if parquet.is_parquet(content):
        table = parquet.parse(content, name)
    elif parquet.is_workbook(content):
        table = parquet.parse_workbook(content, name)
    else:
        text = files.text_of(content, name)
        if jma.is_jma(text):
            frame, label = jma.parse(text, name, column)
            return Reading(name, frame, columns.unit_of(label), label)
        wanted = {*columns.KNOWN_NAMES, "unique_id", "y", *([] if column is None else [column.strip()])}
        table = delimited.parse(text, name, frozenset(wanted | {part.strip() for part in (time or "").split(",")}))
    frame, label, unit, zone = columns.frame_of(table, files.stem_of(path), column, time)
    return Reading(name, frame, unit, label, zone)
