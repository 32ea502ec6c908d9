"""Files in, one long frame out: CSV, Parquet, and the Japan Meteorological Agency's raw download.

The frame has the columns `unique_id`, `ds` (naive; UTC where the file names time zones) and `y`, and `change` where a
file says that a series was broken (a station moved). What is not unambiguous is an error that lists the choices.
"""

import csv
import io
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tsuzuki.data import jma
from tsuzuki.errors import DataError, FileError

if TYPE_CHECKING:
    import pandas as pd

TIME_NAMES = ("ds", "time", "date", "datetime", "timestamp", "日時", "年月日時", "時刻", "日付", "年月日")
MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "-", "--", "///", "×", "*")
# What a date begins with, a number, and one with a decimal comma as a cell of its own.
TIME = re.compile(r"\s*\d{1,4}[-/.年]\d{1,2}[-/.月]\d{1,4}")
NUMBER = re.compile(r"\s*[-+]?\d+(?:[.,]\d+)?\s*")
DECIMAL_COMMA = re.compile(r"(?:^|[;\t])\s*[-+]?\d+,\d+\s*(?:[;\t]|$)", re.MULTILINE)
# A date whose year comes last: which of the other two numbers is the day?
YEAR_LAST = re.compile(r"^(\d{1,2})([-/.])(\d{1,2})[-/.]\d{4}(?!\d)")
# A time of day with a zone behind it: 00:00Z, 00:00+09:00.
ZONE = r"\d:\d\d.*(?:Z|[+-]\d\d:?\d\d)$"


@dataclass(frozen=True)
class Reading:
    """What a file holds.

    Attributes:
        name: the file's name.
        frame: columns unique_id, ds, y and, where known, change.
        unit: the value's unit where the file says it.
    """

    name: str
    frame: "pd.DataFrame"
    unit: str | None


def read(path: str | Path, *, column: str | None = None, time: str | None = None) -> Reading:
    """Read a time series, or several, from a file.

    Args:
        path: a CSV file (comma, semicolon or tab; decimal commas where cells are separated otherwise;
            UTF-8 with or without a mark, UTF-16 with one, or cp932), a Parquet file, or the
            Japan Meteorological Agency's hourly download.
        column: the value column; needed where there are several. In the agency's file a station or an element.
        time: the time column; needed where it cannot be told.

    Returns:
        The readings as they stand in the file, in its order, gaps and duplicates included.

    Raises:
        FileError: no such file, a folder, not readable, empty, or no text.
        DataError: columns, stamps or values that cannot be used; the message names them.
    """
    path = Path(path)
    content = _content(path)
    name = path.name
    if content[:4] == b"PAR1":
        return _from_table(_parquet(content, name), name, column, time)
    text = _text(content, name)
    if jma.is_jma(text):
        frame, unit = jma.parse(text, name, column)
        return Reading(name, frame, unit)
    return _from_table(_csv(text, name), name, column, time)


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise FileError(f"there is no file {path}; check the name, or name a bundled series: beijing, nyc") from None
    except IsADirectoryError:
        raise FileError(f"{path} is a folder; name a file in it") from None
    except OSError as error:
        raise FileError(f"{path} cannot be read ({error.strerror}); check its permissions") from None
    if not content.strip():
        raise FileError(f"{path.name} is empty; give a file with a time column and a value column")
    return content


def _text(content: bytes, name: str) -> str:
    if content.startswith((b"PK\x03\x04", b"\x1f\x8b")):
        raise FileError(
            f"{name} is an archive or an Excel workbook; unpack it, or save the sheet as CSV, and give that file"
        )
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        # What Excel calls Unicode text.
        try:
            return content.decode("utf-16")
        except UnicodeDecodeError:
            raise FileError(f"{name} begins like UTF-16 text but cannot be read; save it as UTF-8") from None
    if b"\0" in content[:65536]:
        raise FileError(f"{name} is not text (it holds NUL bytes); give CSV in UTF-8 or cp932, or Parquet")
    for encoding in ("utf-8-sig", "cp932"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        # The codec gives private characters for bytes that Shift_JIS does not have.
        if not re.search("[\x80\uf8f0-\uf8f3]", text):
            return text
    raise FileError(f"{name} is neither UTF-8 nor cp932 (Shift_JIS) text; save it as UTF-8")


def _parquet(content: bytes, name: str) -> "pd.DataFrame":
    import pandas as pd

    try:
        frame = pd.read_parquet(io.BytesIO(content))
    except Exception as error:
        raise FileError(f"{name} begins like Parquet but cannot be read ({_line(error)}); write it again") from None
    if not isinstance(frame.index, pd.RangeIndex):
        frame = frame.reset_index()
    return frame


def _csv(text: str, name: str) -> "pd.DataFrame":
    import pandas as pd

    head = text.lstrip().split("\n", 1)[0]
    separator = max(",;\t", key=head.count)
    # Where commas do not separate cells they may stand for the decimal point.
    decimal = "," if separator != "," and DECIMAL_COMMA.search(text) else "."
    options: dict[str, Any] = {"sep": separator, "decimal": decimal, "keep_default_na": False, "index_col": False}
    try:
        with warnings.catch_warnings(record=True, category=pd.errors.ParserWarning) as dropped:
            frame: pd.DataFrame = pd.read_csv(io.StringIO(text), na_values=list(MISSING), **options)
        if dropped:
            # Cells beyond the header's, which may only be empty ones.
            _check_width(text, name, separator, len(frame.columns))
        if "unique_id" in frame.columns:
            # The name of a series is text as it stands: neither 007 nor NA is a number or missing.
            ids = pd.read_csv(io.StringIO(text), usecols=["unique_id"], dtype=str, na_filter=False, **options)
            frame["unique_id"] = ids["unique_id"].str.strip()
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError) as error:
        raise DataError(f"{name} is no table ({_line(error)}); give rows with the same number of cells") from None
    frame.columns = [str(label).strip() for label in frame.columns]
    if any(TIME.match(label) for label in frame.columns) and any(NUMBER.fullmatch(label) for label in frame.columns):
        raise DataError(
            f"the first line of {name} holds a reading, not the names of its columns ({head.strip()[:60]}); "
            "write a line such as time,value above it"
        )
    if len(frame.columns) < 2:
        raise DataError(
            f"{name} has a single column ({frame.columns[0]!r}); give a time column and a value column, "
            "separated by commas, semicolons or tabs"
        )
    return frame


def _check_width(text: str, name: str, separator: str, width: int) -> None:
    """Raise DataError where a line has more cells than the header."""
    for line, cells in enumerate(csv.reader(io.StringIO(text), delimiter=separator), start=1):
        if any(cell.strip() for cell in cells[width:]):
            raise DataError(
                f"line {line} of {name} has {len(cells)} cells, but the header has {width}; where commas are decimal "
                "points, separate the cells by semicolons"
            )


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:160]


def _from_table(table: "pd.DataFrame", name: str, column: str | None, time: str | None) -> Reading:
    import numpy as np
    import pandas as pd

    if table.empty:
        raise DataError(f"{name} has a header but no rows; give a file with readings")
    table.columns = [str(label) for label in table.columns]
    time = _time_column(table, name, time)
    series = "unique_id" if "unique_id" in table.columns and time != "unique_id" else None
    if series:
        nameless = np.flatnonzero((table[series].isna() | (table[series].astype(str) == "")).to_numpy())
        if len(nameless):
            raise DataError(f"{name} has no unique_id in {_row(nameless[0])}; write every row's series there")
    column = _value_column(table, name, column, {time, series})
    frame = pd.DataFrame(
        {
            "unique_id": table[series].astype(str) if series else Path(name).stem,
            "ds": _stamps(table[time], time, name),
            "y": _values(table[column], column, name),
        }
    )
    unit = re.search(r"[(\[（]([^)\]）]{1,12})[)\]）]\s*$", column)
    return Reading(name, frame, unit.group(1).replace("℃", "°C") if unit else None)


def _listed(table: "pd.DataFrame") -> str:
    return ", ".join(table.columns)


def _time_column(table: "pd.DataFrame", name: str, time: str | None) -> str:
    if time is not None:
        if time not in table.columns:
            raise DataError(f"column {time!r} is not in {name} (it has: {_listed(table)}); name one with --time")
        return time
    known = [label for label in table.columns if label.lower() in TIME_NAMES]
    found = known if len(known) == 1 else [label for label in table.columns if _looks_like_time(table[label])]
    if len(found) == 1 or (found and found[0] == table.columns[0] and len(known) != len(found)):
        return found[0]
    if not found:
        raise DataError(f"{name} has no column of dates (it has: {_listed(table)}); name the time column with --time")
    raise DataError(f"{name} has several columns of dates ({', '.join(found)}); name one with --time")


def _looks_like_time(values: "pd.Series[str]") -> bool:
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(values):
        return True
    if pd.api.types.is_numeric_dtype(values):
        return False
    sample = values.dropna().astype(str).head(20)
    return len(sample) > 0 and bool(sample.str.match(TIME).all())


def _value_column(table: "pd.DataFrame", name: str, column: str | None, taken: set[str | None]) -> str:
    import pandas as pd

    if column is not None:
        if column not in table.columns:
            raise DataError(f"column {column!r} is not in {name} (it has: {_listed(table)}); name one with --column")
        return column
    others = [label for label in table.columns if label not in taken and not label.startswith("Unnamed:")]
    numeric = [label for label in others if pd.api.types.is_numeric_dtype(table[label])]
    for found in (others, numeric):
        if len(found) == 1:
            return found[0]
    if "y" in others:
        return "y"
    if not others:
        raise DataError(f"{name} has no column beside the time (it has: {_listed(table)}); give one with the values")
    raise DataError(
        f"{name} has several columns that could hold the values ({', '.join(numeric or others)}); "
        "name one with --column"
    )


def _row(position: int) -> str:
    # Counted as an editor shows it: the header is line 1.
    return f"line {position + 2}"


def _values(values: "pd.Series[float]", column: str, name: str) -> "pd.Series[float]":
    import numpy as np
    import pandas as pd

    numbers = pd.to_numeric(values, errors="coerce").astype("float64")
    wrong = np.flatnonzero((numbers.isna() & values.notna()).to_numpy())
    if len(wrong):
        raise DataError(
            f"column {column!r} of {name} holds {str(values.iloc[wrong[0]])[:40]!r} in {_row(wrong[0])}, which is no "
            "number; correct it, leave it empty, or name another column with --column"
        )
    endless = np.flatnonzero(np.isinf(numbers.to_numpy()))
    if len(endless):
        raise DataError(
            f"column {column!r} of {name} is infinite in {_row(endless[0])}; leave the cell empty if it is missing"
        )
    return numbers


def _stamps(values: "pd.Series[str]", column: str, name: str) -> "pd.Series[pd.Timestamp]":
    import numpy as np
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(values):
        stamps = pd.to_datetime(values)
        return stamps.dt.tz_convert("UTC").dt.tz_localize(None) if stamps.dt.tz is not None else stamps
    if pd.api.types.is_numeric_dtype(values):
        raise DataError(
            f"column {column!r} of {name} holds numbers, not dates; name the time column with --time, "
            "or write it like 2020-01-31 18:00"
        )
    text = values.astype(str).str.strip()
    zoned = text.str.contains(ZONE, regex=True)
    if zoned.any() and not zoned.all():
        odd = int(np.flatnonzero((~zoned).to_numpy())[0] if zoned.iloc[0] else np.flatnonzero(zoned.to_numpy())[0])
        raise DataError(
            f"column {column!r} of {name} mixes stamps with and without a time zone ({_row(odd)}: "
            f"{text.iloc[odd]!r}); write all of them in one way"
        )
    utc, day_first = bool(zoned.all()), _day_first(text, column, name)
    try:
        stamps = pd.to_datetime(text, utc=utc, dayfirst=day_first)
    except (ValueError, TypeError, OverflowError):
        stamps = pd.to_datetime(text, utc=utc, dayfirst=day_first, errors="coerce", format="mixed")
    wrong = np.flatnonzero(stamps.isna().to_numpy())
    if len(wrong):
        raise DataError(
            f"column {column!r} of {name} holds {text.iloc[wrong[0]][:40]!r} in {_row(wrong[0])}, which is no date; "
            "correct it, or name the time column with --time"
        )
    return stamps.dt.tz_localize(None) if utc else stamps


def _day_first(text: "pd.Series[str]", column: str, name: str) -> bool:
    """Whether dates whose year comes last begin with the day: one order for the whole column.

    Raises:
        DataError: some can only begin with the day and others only with the month, or nothing tells.
    """
    import numpy as np

    short = np.flatnonzero(text.str.match(r"\d{1,2}[-/.]\d{1,2}[-/.]\d{2}(?!\d)").to_numpy())
    if len(short):
        raise DataError(
            f"column {column!r} of {name} writes the year with two digits in {_row(short[0])} "
            f"({text.iloc[short[0]]!r}); write dates like 2020-01-31"
        )
    parts = text.str.extract(YEAR_LAST)
    there = parts[0].notna().to_numpy()
    if not there.any() or (parts[1][there] == ".").all():
        return bool(there.any())
    first, second = (parts[number].fillna("1").astype(int).to_numpy() for number in (0, 2))
    days, months = np.flatnonzero(first > 12), np.flatnonzero(second > 12)
    if len(days) and len(months):
        raise DataError(
            f"column {column!r} of {name} has the day first in {_row(days[0])} ({text.iloc[days[0]]!r}) and the month "
            f"first in {_row(months[0])} ({text.iloc[months[0]]!r}); write dates like 2020-01-31"
        )
    if len(days) == len(months) == 0:
        raise DataError(
            f"column {column!r} of {name} holds dates such as {text.iloc[int(there.argmax())]!r}, and nothing tells "
            "whether the day or the month comes first; write them like 2020-01-31"
        )
    return len(days) > 0
