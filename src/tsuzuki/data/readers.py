"""Files in, one long frame out: CSV, Parquet, Excel, and the Japan Meteorological Agency's raw download.

The frame has the columns `unique_id`, `ds` (naive; UTC where the file names time zones) and `y`, and `change` where a
file says that a series was broken (a station moved). What is not unambiguous is an error that lists the choices.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tsuzuki.data import columns, delimited, files, jma, joining, parquet
from tsuzuki.data.value_columns import Wanted, unit_of

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Reading:
    """What a file holds, or several files together.

    Attributes:
        name: the file's name.
        frame: columns unique_id, ds, y, where known change, and the covariates that were asked for.
        unit: the values' unit where the file says it.
        columns: the names of the value columns in the file; of several each is a series.
        zone: the time zone that the file names ("UTC", "+09:00"), or None; `ds` is UTC where it names one.
        dropped: the columns that were not used.
        resampled: what the frame's values are of, where they are not the readings themselves.
        day_first: whether dates such as 03/02/2020 begin with the day; None where there are none.
    """

    name: str
    frame: "pd.DataFrame"
    unit: str | None
    columns: tuple[str, ...] = ()
    zone: str | None = None
    dropped: tuple[str, ...] = ()
    resampled: str | None = None
    day_first: bool | None = None

    @property
    def zoned(self) -> "pd.DataFrame":
        """The frame with times in the zone that the file names."""
        from tsuzuki.data.zones import in_zone

        return self.frame if self.zone is None else self.frame.assign(ds=in_zone(self.frame["ds"], self.zone))


def read(
    source: str | Path | Sequence[str | Path],
    *,
    column: str | Sequence[str] | None = None,
    time: str | None = None,
    covariates: Sequence[str] = (),
    day_first: bool | None = None,
) -> Reading:
    """Read a time series, or several, from a file or several.

    Args:
        source: a CSV file (comma, semicolon or tab; decimal commas where cells are separated otherwise; UTF-8 with or
            without a mark, UTF-16 with one, or cp932; also packed as .gz or .zst), a Parquet file, an Excel workbook,
            or the Japan Meteorological Agency's download; - is standard input. A pattern, a folder or a list are
            several files, which are joined in time and must have the same columns, in whatever order.
        column: the value column; needed where there are several. In the agency's file a station or an element. Several
            names, or a pattern such as temp*, make a series of each column.
        time: the time column, or "date,hour" where two hold it; needed where it cannot be told.
        covariates: columns to keep beside the values.
        day_first: whether dates such as 03/02/2020 begin with the day; None where the file must tell.

    Returns:
        The readings as they stand in the file, in its order, gaps and duplicates included.

    Raises:
        FileError: no such file, not readable, empty, or no text.
        DataError: columns, stamps or values that cannot be used, or files that disagree; the message names them.
        MissingExtraError: an Excel workbook, and openpyxl is not installed.
    """
    columns = () if column is None else (column,) if isinstance(column, str) else tuple(column)
    return _joined(files.named(source), Wanted(columns, time, tuple(covariates), day_first=day_first))


def read_future(
    source: str | Path, covariates: Sequence[str], time: str | None = None, day_first: bool | None = None
) -> "pd.DataFrame":
    """Read the values of covariates at times to come.

    Args:
        source: as for `read`; several files are one source.
        covariates: the columns to read.
        time: as for `read`.
        day_first: as for `read`.

    Returns:
        A frame of unique_id, ds (in the zone that the file names) and the covariates; the file's name is the unique_id
        where no column names series.

    Raises:
        DataError: as for `read`; or a covariate has two values at one time.
    """
    import pandas as pd

    paths = files.named(source)
    wanted = Wanted((), time, tuple(covariates), needs_value=False, day_first=day_first)
    found = _of_one_series([_read(path, wanted) for path in paths], paths)
    joining.check_kinds(found)
    together = pd.concat([one.zoned for one in found], ignore_index=True)
    joining.check_single(together, covariates, " and ".join(one.name for one in found[:2]))
    return together


def _joined(paths: list[Path], wanted: Wanted) -> Reading:
    found = [_read(paths[0], wanted)]
    if len(paths) > 1 and found[0].columns:
        wanted = replace(wanted, values=found[0].columns)
    for path in paths[1:]:
        found.append(_read(path, wanted))
    if len(found) == 1:
        return found[0]
    found = _of_one_series(found, paths)
    zones = {one.zone for one in found}
    return replace(
        found[0],
        name=f"{found[0].name} and {len(found) - 1} more",
        frame=joining.join(found),
        zone=zones.pop() if len(zones) == 1 else "several offsets",
        dropped=tuple(dict.fromkeys(label for one in found for label in one.dropped)),
        day_first=next((one.day_first for one in found if one.day_first is not None), None),
    )


def _of_one_series(found: list[Reading], paths: list[Path]) -> list[Reading]:
    """What several files hold; series that are called by their files are stretches of one."""
    stems = [files.stem_of(path) for path in paths]
    if any(set(one.frame["unique_id"]) != {stem} for stem, one in zip(stems, found, strict=True)):
        return found
    return [replace(one, frame=one.frame.assign(unique_id=_common_stem(stems))) for one in found]


def _common_stem(stems: Sequence[str]) -> str:
    """What the names of files begin with together, but for the number that tells them apart."""
    shared = stems[0]
    while not all(stem.startswith(shared) for stem in stems):
        shared = shared[:-1]
    return shared.rstrip("0123456789-_. ") or stems[0]


def _read(path: Path, wanted: Wanted) -> Reading:
    name = files.name_of(path)
    content = files.content(path)
    if parquet.is_parquet(content):
        table = parquet.parse(content, name)
    elif parquet.is_workbook(content):
        table = parquet.parse_workbook(content, name)
    else:
        text = files.text_of(content, name)
        if jma.is_jma(text):
            frame, labels = jma.read_elements(text, name, wanted)
            units = {unit_of(label) for label in labels}
            return Reading(name, frame, units.pop() if len(units) == 1 else None, labels)
        table = delimited.parse(text, name, frozenset(wanted.names | {*columns.KNOWN_NAMES, "unique_id", "y"}))
    found = columns.frame_of(table, files.stem_of(path), wanted)
    return Reading(name, found.frame, found.unit, found.columns, found.zone, found.dropped, day_first=found.day_first)
