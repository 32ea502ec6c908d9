"""Which columns of a table are the times and the series' names; and these with the values as a long frame.

What is not unambiguous is an error that lists the choices.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tsuzuki.data.date_forms import MISSING, date_numbers, has_clock, is_clock, is_date, match, year_begun
from tsuzuki.data.delimited import Table
from tsuzuki.data.timestamps import Instants, are_years, cells_of, instants
from tsuzuki.data.value_columns import (
    SAMPLE,
    Wanted,
    clipped,
    covariate_columns,
    listed,
    unit_of,
    value_columns,
    values,
)
from tsuzuki.data.wide_years import YEAR_NAMES, long_table
from tsuzuki.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

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
PARTS = (YEAR_NAMES, ("month", "月"), ("day", "日"), ("hour", "時"), ("minute", "分"))
QUARTER_NAMES = ("quarter", "qtr", "四半期")
KNOWN_NAMES = frozenset((*TIME_NAMES, *CLOCK_NAMES, *(name for names in PARTS for name in names)))


@dataclass(frozen=True)
class Picked:
    """A table's columns as a long frame.

    Attributes:
        frame: unique_id, ds, y and the covariates.
        columns: the names of the columns that hold the values; each is a series where there are several.
        unit: of the values, where their columns say one.
        zone: of the times, or None.
        dropped: the columns that are not used.
        day_first: whether dates such as 03/02/2020 begin with the day; None where there are none.
    """

    frame: "pd.DataFrame"
    columns: tuple[str, ...]
    unit: str | None
    zone: str | None
    dropped: tuple[str, ...]
    day_first: bool | None


def frame_of(table: Table, stem: str, wanted: Wanted) -> Picked:
    """Pick a table's columns.

    Args:
        table: the table.
        stem: the series' name where no column names series.
        wanted: the columns that the user names.
    """
    import numpy as np
    import pandas as pd

    if table.frame.empty:
        raise DataError(f"{table.name} has a header but no rows; give a file with readings")
    table = long_table(table, wanted)
    frame, name = table.frame, table.name
    times = _time_columns(table, wanted.time)
    series = "unique_id" if "unique_id" in frame.columns and "unique_id" not in times else None
    beside = covariate_columns(table, wanted)
    taken = {*times, *beside, *([series] if series else [])}
    columns = value_columns(table, wanted, taken)
    found = _stamps(table, times, wanted.day_first)
    numbers = {column: values(table, column) for column in (*columns, *beside)}
    dated = found.stamps.notna().to_numpy()
    for column, own in numbers.items():
        lost = np.flatnonzero(~dated & own.notna().to_numpy())
        if len(lost):
            raise DataError(
                f"column {clipped(times[0])!r} of {name} has no date in {table.line(int(lost[0]))}, where "
                f"{clipped(column)!r} has a value; write the date, or remove the row"
            )
    ids = frame[series] if series else pd.Series(stem, frame.index)
    nameless = np.flatnonzero((ids.isna() | (ids.astype(str).str.strip() == "")).to_numpy() & dated)
    if len(nameless):
        raise DataError(f"{name} has no unique_id in {table.line(int(nameless[0]))}; write every row's series there")
    common = {"ds": found.stamps, **{name: numbers[name] for name in beside}}
    parts = [pd.DataFrame({"unique_id": ids.astype(str), **common})]
    if len(columns) == 1:
        parts[0].insert(2, "y", numbers[columns[0]])
    elif columns:
        names = [ids.astype(str) + f" {one}" if series else pd.Series(one, frame.index) for one in columns]
        parts = [parts[0].assign(unique_id=own, y=numbers[one]) for own, one in zip(names, columns, strict=True)]
    # A row of nothing but separators, such as Excel leaves at the end.
    long = pd.concat([part[dated] for part in parts], ignore_index=True)
    units = {unit_of(column) for column in columns}
    used = {*taken, *columns}
    dropped = tuple(label for label in table.labels if label and label not in used)
    unit = units.pop() if len(units) == 1 else None
    return Picked(long, columns, unit, found.zone, dropped, found.day_first)


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
    parts = date_parts(labels)
    if len(parts) > 1 and not any(label not in parts and _is_time(frame[label]) for label in known):
        return parts
    if len(known) > 1:
        known = [label for label in known if _is_time(frame[label])] or known
    found = known if len(known) == 1 else [label for label in labels if _is_time(frame[label])]
    if not found and len(parts) == 1 and are_years(frame[parts[0]]):
        return parts
    if len(found) == 1 or (found and found[0] == labels[0] and len(known) != len(found)):
        return _with_clock(frame, found[0])
    if not found:
        raise DataError(
            f"{name} has no column of dates (it has: {listed(table.labels)}); name the time column with --time"
        )
    raise DataError(f"{name} has several columns of dates ({listed(found)}); name one with --time")


def date_parts(labels: Iterable[str]) -> tuple[str, ...]:
    """Columns year, month, day, hour and minute, as far as they are there without a hole, or year and quarter."""
    by_name = {label.lower(): label for label in labels}
    found = []
    for names in PARTS:
        label = next((by_name[name] for name in names if name in by_name), None)
        if label is None:
            break
        found.append(label)
    if len(found) == 1:
        found += [by_name[name] for name in QUARTER_NAMES if name in by_name][:1]
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
        if label != date and _is_time(frame[label]) and _same_days_with_clock(_sample(frame[label]), days):
            return (label,)
    for label in frame.columns:
        if label != date and label.lower() in CLOCK_NAMES:
            sample = _sample(frame[label])
            if sample and all(is_clock(cell) for cell in sample):
                minutes = [one for one in frame.columns if one.lower() in PARTS[-1]]
                return (date, label, *(minutes[:1] if all(cell.isdigit() for cell in sample) else []))
    return (date,)


def _same_days_with_clock(cells: Sequence[str], days: Sequence[str]) -> bool:
    """Whether dates are of the same days as others, with a time of day beside them."""
    together = [(match(cell, 0), match(day, 0)) for cell, day in zip(cells, days, strict=False)]
    return any(has_clock(cell) and not cell.endswith("00:00:00") for cell in cells) and all(
        one is not None and other is not None and date_numbers(one[1])[:3] == date_numbers(other[1])[:3]
        for one, other in together
    )


def _stamps(table: Table, times: tuple[str, ...], day_first: bool | None) -> Instants:
    import pandas as pd

    frame = table.frame
    where = f"column {clipped(times[0])!r} of {table.name}"
    if len(times) == 1 and times[0].lower() in PARTS[0] and are_years(frame[times[0]]):
        years = pd.Series([*map(year_begun, cells_of(frame[times[0]]))], frame.index)
        return instants(years, where, table.line)
    if len(times) == 1:
        return instants(frame[times[0]], where, table.line, day_first)
    where = f"columns {' and '.join(repr(clipped(one)) for one in times)} of {table.name}"
    cells = [[part_of_date(label, cell) for cell in cells_of(frame[label])] for label in times]
    in_parts = all(is_part(cell) for cell in cells[0] if cell)
    together = [joined_cells(row, in_parts) for row in zip(*cells, strict=True)]
    # A row that lacks all of them has no date; one that lacks a part is named with what it has.
    empty = [not any(row) for row in zip(*cells, strict=True)]
    joined = pd.Series(["" if none else text for text, none in zip(together, empty, strict=True)], frame.index)
    return instants(joined, where, table.line, day_first)


def part_of_date(label: str, cell: str) -> str:
    """A cell of a column so called that holds a part of the date; of a quarter's number what says so."""
    return f"Q{cell}" if label.lower() in QUARTER_NAMES and len(cell) == 1 else cell


def joined_cells(cells: Sequence[str], in_parts: bool) -> str:
    """The cells that hold a time together, as one: a date and a time of day, or year, month, day, hour and minute."""
    if not in_parts:
        day, *clock = cells
        return f"{day.removesuffix(' 00:00:00')} {':'.join([clock[0], *(cell.zfill(2) for cell in clock[1:])])}"
    day, clock = "-".join([cells[0], *(cell.zfill(2) for cell in cells[1:3])]), [cell.zfill(2) for cell in cells[3:]]
    return f"{day} {':'.join(clock)}" if clock else day


def is_part(cell: str) -> bool:
    """Whether a cell is a number that a year, a month or a day can be."""
    return cell.isdigit() and len(cell) <= 4
