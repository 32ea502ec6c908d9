"""Which columns of a table are the times, the series' names and the values; and these as a long frame.

What is not unambiguous is an error that lists the choices.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from tsuzuki.data.date_forms import MISSING, has_clock, is_clock, is_date
from tsuzuki.data.delimited import Table
from tsuzuki.data.series import LARGEST
from tsuzuki.data.timestamps import Instants, instants
from tsuzuki.errors import DataError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

TIME_NAMES = (
    "ds",
    "time",
    "date",
    "datetime",
    "timestamp",
    "month",
    "日時",
    "年月日時",
    "時刻",
    "日付",
    "年月日",
    "年月",
)
CLOCK_NAMES = ("time", "hour", "時刻", "時")
# Columns of which each holds a part of the date, the larger ones first.
PARTS = (("year", "年"), ("month", "月"), ("day", "日"), ("hour", "時"), ("minute", "分"))
KNOWN_NAMES = frozenset((*TIME_NAMES, *CLOCK_NAMES, *(name for names in PARTS for name in names)))
SAMPLE = 20


def frame_of(
    table: Table, stem: str, column: str | None, time: str | None
) -> "tuple[pd.DataFrame, str, str | None, str | None]":
    """Pick a table's columns.

    Args:
        table: the table.
        stem: the series' name where no column names series.
        column: the value column, or None.
        time: the time column, two separated by a comma, or None.

    Returns:
        A frame of unique_id, ds and y, the value column's name, its unit and the times' zone.
    """
    import numpy as np
    import pandas as pd

    frame, name = table.frame, table.name
    if frame.empty:
        raise DataError(f"{name} has a header but no rows; give a file with readings")
    times = _time_columns(table, time)
    series = "unique_id" if "unique_id" in frame.columns and "unique_id" not in times else None
    column = _value_column(table, column, {*times, series})
    found = _stamps(table, times)
    y = _values(table, column)
    dated = found.stamps.notna().to_numpy()
    lost = np.flatnonzero(~dated & y.notna().to_numpy())
    if len(lost):
        raise DataError(
            f"column {times[0]!r} of {name} has no date in {table.line(int(lost[0]))}, where {column!r} has a value; "
            "write the date, or remove the row"
        )
    ids = frame[series] if series else pd.Series(stem, frame.index)
    nameless = np.flatnonzero((ids.isna() | (ids.astype(str).str.strip() == "")).to_numpy() & dated)
    if len(nameless):
        raise DataError(f"{name} has no unique_id in {table.line(int(nameless[0]))}; write every row's series there")
    long = pd.DataFrame({"unique_id": ids.astype(str), "ds": found.stamps, "y": y})
    # A row of nothing but separators, such as Excel leaves at the end.
    long = long[dated].reset_index(drop=True)
    return long, column, unit_of(column), found.zone


def unit_of(label: str) -> str | None:
    """The unit in a column's name, as in 気温(℃)."""
    unit = re.search(r"[(\[（]([^)\]）]{1,12})[)\]）]\s*$", label)
    return unit.group(1).replace("℃", "°C").replace("％", "%") if unit else None


def listed(labels: Sequence[str]) -> str:
    """Names as a message lists them."""
    shown = ", ".join(labels[:SAMPLE])
    return shown if len(labels) <= SAMPLE else f"{shown} and {len(labels) - SAMPLE:,} more"


def _sample(values: "pd.Series[Any]") -> list[str]:
    import pandas as pd

    there = values[values.notna()].head(SAMPLE)
    if pd.api.types.is_float_dtype(there):
        # A whole column of hours with a gap in it.
        return [str(int(value)) if float(value).is_integer() else str(value) for value in there]
    return [str(value).strip() for value in there if str(value).strip() not in MISSING]


def _is_time(values: "pd.Series[Any]") -> bool:
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(values):
        return True
    if pd.api.types.is_numeric_dtype(values):
        return False
    sample = _sample(values)
    return len(sample) > 0 and all(is_date(cell) for cell in sample)


def _time_columns(table: Table, time: str | None) -> tuple[str, ...]:
    """The column of times, or the columns that hold it together."""
    frame, name = table.frame, table.name
    if time is not None:
        wanted = (time,) if time in frame.columns else tuple(part.strip() for part in time.split(","))
        if missing := [part for part in wanted if part not in frame.columns]:
            raise DataError(
                f"column {missing[0]!r} is not in {name} (it has: {listed(table.labels)}); name one with --time"
            )
        return wanted if len(wanted) > 1 else _with_clock(frame, wanted[0])
    labels = [str(label) for label in frame.columns]
    known = [label for label in labels if label.lower() in TIME_NAMES]
    parts = _parts(labels)
    if len(parts) > 1 and not any(label not in parts and _is_time(frame[label]) for label in known):
        return parts
    if len(known) > 1:
        known = [label for label in known if _is_time(frame[label])] or known
    found = known if len(known) == 1 else [label for label in labels if _is_time(frame[label])]
    if len(found) == 1 or (found and found[0] == labels[0] and len(known) != len(found)):
        return _with_clock(frame, found[0])
    if not found:
        raise DataError(
            f"{name} has no column of dates (it has: {listed(table.labels)}); name the time column with --time"
        )
    raise DataError(f"{name} has several columns of dates ({listed(found)}); name one with --time")


def _parts(labels: Iterable[str]) -> tuple[str, ...]:
    """Columns year, month, day, hour and minute, as far as they are there without a hole."""
    by_name = {label.lower(): label for label in labels}
    found = []
    for names in PARTS:
        label = next((by_name[name] for name in names if name in by_name), None)
        if label is None:
            break
        found.append(label)
    return tuple(found)


def _with_clock(frame: "pd.DataFrame", date: str) -> tuple[str, ...]:
    """A column of days with the column beside it that says the time of day, if there is one."""
    series = [label for label in frame.columns if label == "unique_id" and label != date]
    if not frame.duplicated([date, *series]).any():
        # A row for each day: an hour beside it says when something happened on that day.
        return (date,)
    days = _sample(frame[date])
    if any(has_clock(cell) and not cell.endswith("00:00:00") for cell in days) or not all(map(is_date, days)):
        return (date,)
    for label in frame.columns:
        if label != date and label.lower() in CLOCK_NAMES:
            sample = _sample(frame[label])
            if sample and all(is_clock(cell) for cell in sample):
                minutes = [one for one in frame.columns if one.lower() in PARTS[-1]]
                return (date, label, *(minutes[:1] if all(cell.isdigit() for cell in sample) else []))
    return (date,)


def _stamps(table: Table, times: tuple[str, ...]) -> Instants:
    import pandas as pd

    frame = table.frame
    where = f"column {times[0]!r} of {table.name}"
    if len(times) == 1:
        return instants(frame[times[0]], where, table.line)
    where = f"columns {' and '.join(map(repr, times))} of {table.name}"
    cells = [_cells(frame[label]) for label in times]
    if not all(_is_number(cell) for cell in cells[0] if cell):
        together = [
            f"{day.removesuffix(' 00:00:00')} {':'.join([clock[0], *(cell.zfill(2) for cell in clock[1:])])}"
            for day, *clock in zip(*cells, strict=True)
        ]
    else:
        together = []
        for row in zip(*cells, strict=True):
            day, clock = "-".join([row[0], *(cell.zfill(2) for cell in row[1:3])]), [cell.zfill(2) for cell in row[3:]]
            together.append(f"{day} {':'.join(clock)}" if clock else day)
    # A row that lacks all of them has no date; one that lacks a part is named with what it has.
    empty = [not any(row) for row in zip(*cells, strict=True)]
    joined = pd.Series(["" if none else text for text, none in zip(together, empty, strict=True)], frame.index)
    return instants(joined, where, table.line)


def _is_number(cell: str) -> bool:
    return cell.isdigit() and len(cell) <= 4


def _cells(values: "pd.Series[Any]") -> list[str]:
    """A column as text, whole numbers without a decimal point, missing cells empty."""
    import pandas as pd

    missing = values.isna()
    if pd.api.types.is_float_dtype(values):
        return [
            "" if none else (str(int(value)) if float(value).is_integer() else str(value))
            for value, none in zip(values, missing, strict=True)
        ]
    text = ["" if none else str(value).strip() for value, none in zip(values, missing, strict=True)]
    return ["" if cell in MISSING else cell for cell in text]


def _value_column(table: Table, column: str | None, taken: set[str | None]) -> str:
    import pandas as pd

    frame, name = table.frame, table.name
    if column is not None:
        column = column.strip()
        if column not in frame.columns:
            raise DataError(
                f"column {column!r} is not in {name} (it has: {listed(table.labels)}); name one with --column"
            )
        return column
    others = [label for label in table.labels if label and label not in taken and not re.fullmatch(r"\.\d+", label)]
    others = [label for label in others if not label.startswith("Unnamed:")]
    numeric = [label for label in others if label in frame and pd.api.types.is_numeric_dtype(frame[label])]
    for found in (others, numeric):
        if len(found) == 1:
            return found[0]
    if "y" in others:
        return "y"
    if not others:
        raise DataError(f"{name} has no column beside the time (it has: {listed(table.labels)}); give one with values")
    raise DataError(
        f"{name} has several columns that could hold the values ({listed(numeric or others)}); name one with --column"
    )


def _values(table: Table, column: str) -> "pd.Series[float]":
    import numpy as np
    import pandas as pd

    values, where = table.frame[column], f"column {column!r} of {table.name}"
    if pd.api.types.is_complex_dtype(values) or pd.api.types.is_datetime64_any_dtype(values):
        raise DataError(f"{where} holds {values.dtype}, not numbers; name another column with --column")
    try:
        numbers = pd.to_numeric(values, errors="coerce").astype("float64")
    except (TypeError, ValueError):
        raise DataError(f"{where} does not hold numbers but lists or tables; name another column") from None
    wrong = np.flatnonzero((numbers.isna() & values.notna()).to_numpy())
    if len(wrong):
        found = numbers.to_numpy("float64", copy=True)
        found[wrong] = [marked(str(cell)) for cell in values.iloc[wrong]]
        numbers = pd.Series(found, values.index)
        wrong = wrong[np.isinf(found[wrong])]
    if len(wrong):
        raise DataError(
            f"{where} holds {str(values.iloc[wrong[0]])[:40]!r} in {table.line(int(wrong[0]))}, which is no "
            "number; correct it, leave it empty, or name another column with --column"
        )
    check_size(numbers.to_numpy("float64"), where, table.line)
    return numbers


def check_size(numbers: "NDArray[Any]", where: str, line: Any) -> None:
    """Raise DataError where a number is infinite or too large to compute with."""
    import numpy as np

    wrong = np.flatnonzero(np.abs(numbers) > LARGEST)
    if not len(wrong):
        return
    at = line(int(wrong[0]))
    if np.isinf(numbers[wrong[0]]):
        raise DataError(f"{where} is infinite in {at}; leave the cell empty if it is missing")
    raise DataError(f"{where} holds {numbers[wrong[0]]:g} in {at}; numbers up to 3.4e+38 can be computed with")


def marked(cell: str) -> float:
    """The number in a cell with one of the Japan Meteorological Agency's marks behind it.

    `)` is quasi-normal and `*` an extreme of several days: the number holds. `]` is insufficient, `#` questionable:
    missing, as is a cell with such a mark alone.

    Returns:
        The number, NaN where it is missing, infinity where the cell is no such number.
    """
    found = re.fullmatch(r"([-+]?\d+(?:\.\d+)?)?\s*([)\]#*×]|///|--)?", unicodedata.normalize("NFKC", cell).strip())
    if found is None:
        return float("inf")
    number, mark = found.groups()
    return float(number) if number is not None and mark in (None, ")", "*") else float("nan")
