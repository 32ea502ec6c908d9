"""CSV text as a table: cells separated by commas, semicolons or tabs, decimal points or commas."""

import csv
import io
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tsuzuki.data.date_forms import MISSING
from tsuzuki.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

# What a date begins with, a number, and one with a decimal comma as a cell of its own.
DATE = re.compile(r"\s*\d{1,4}[-/.年]\d{1,2}[-/.月]\d{1,4}")
NUMBER = re.compile(r"\s*[-+]?\d+(?:[.,]\d+)?\s*")
DECIMAL_COMMA = re.compile(r"(?:^|[;\t])[ \"]*[-+]?\d+,\d+[ \"]*(?:[;\t]|$)", re.MULTILINE)
# Of more columns than this only those are kept that are named, or have a name that tells what they are.
WIDE = 20_000


@dataclass(frozen=True)
class Table:
    """A file's columns.

    Attributes:
        name: of the file, for messages.
        frame: the columns, their names stripped and each there once; missing cells are missing values.
        labels: all names in the file, of which `frame` may hold some only.
        line: how to call a row of `frame`, by its position.
    """

    name: str
    frame: "pd.DataFrame"
    labels: tuple[str, ...]
    line: Callable[[int], str]


def unique(labels: list[str]) -> list[str]:
    """Column names stripped of blanks around them; the second of two equal ones is called a.1, the third a.2."""
    seen: dict[str, int] = {}
    found = []
    for label in (label.strip() for label in labels):
        count = seen.get(label, 0)
        seen[label] = count + 1
        found.append(f"{label}.{count}" if count else label)
    return found


def parse(text: str, name: str, wanted: frozenset[str]) -> Table:
    """Read a table.

    Args:
        text: the file's text.
        name: the file's name for messages.
        wanted: names of columns that are kept however many there are.

    Raises:
        DataError: no header, a single column, lines with more cells than the header.
    """
    head = text.lstrip().split("\n", 1)[0]
    separator = max(",;\t", key=head.count)
    try:
        rows = _rows(text, separator)
        labels = unique(next(rows, (0, [""]))[1])
        first = next(rows, (0, []))[1]
        if len(first) > len(labels):
            # Cells beyond the header's, which may only be empty ones.
            _check_width(text, name, separator, len(labels))
        _check_header(labels, head, name)
        if len(labels) > WIDE:
            frame = _few_columns(text, separator, labels, wanted)
        else:
            frame = _all_columns(text, separator, labels)
    except (csv.Error, ValueError) as error:
        if isinstance(error, DataError):
            raise
        said = " ".join(str(error).split())[:160]
        raise DataError(f"{name} is no table ({said}); give rows with the same number of cells") from None
    return Table(name, frame, tuple(labels), lambda position: _line(text, separator, position))


def _rows(text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """The lines that are not blank, the header first, each with its number as an editor shows it."""
    reader = csv.reader(io.StringIO(text), delimiter=separator)
    return ((reader.line_num, cells) for cells in reader if cells and not (len(cells) == 1 and not cells[0].strip()))


def _line(text: str, separator: str, position: int) -> str:
    for at, (number, _) in enumerate(_rows(text, separator)):
        if at == position + 1:
            return f"line {number}"
    return f"row {position + 1}"


def _check_header(labels: list[str], head: str, name: str) -> None:
    if any(DATE.match(label) for label in labels) and any(NUMBER.fullmatch(label) for label in labels):
        raise DataError(
            f"the first line of {name} holds a reading, not the names of its columns ({head.strip()[:60]}); "
            "write a line such as time,value above it"
        )
    if len(labels) < 2:
        raise DataError(
            f"{name} has a single column ({labels[0]!r}); give a time column and a value column, "
            "separated by commas, semicolons or tabs"
        )


def _check_width(text: str, name: str, separator: str, width: int) -> None:
    """Raise DataError where a line has more cells than the header."""
    for line, cells in _rows(text, separator):
        if any(cell.strip() for cell in cells[width:]):
            raise DataError(
                f"line {line} of {name} has {len(cells)} cells, but the header has {width}; where commas are decimal "
                "points, separate the cells by semicolons"
            )


def _all_columns(text: str, separator: str, labels: list[str]) -> "pd.DataFrame":
    import pandas as pd

    # Where commas do not separate cells they may stand for the decimal point.
    decimal = "," if separator != "," and DECIMAL_COMMA.search(text) else "."
    # The name of a series is text as it stands: neither 007 nor NA is a number or missing.
    missing = {label: list(MISSING) for label in labels if label != "unique_id"}
    options: dict[str, Any] = {"sep": separator, "decimal": decimal, "keep_default_na": False, "index_col": False}
    with warnings.catch_warnings():
        # Told of cells beyond the header's, which are looked at above.
        warnings.simplefilter("ignore", pd.errors.ParserWarning)
        frame: pd.DataFrame = pd.read_csv(
            io.StringIO(text),
            header=0,
            names=labels,
            na_values=missing,
            dtype={"unique_id": str},
            low_memory=False,
            **options,
        )
    for label in labels:
        if label == "unique_id":
            frame[label] = frame[label].astype(str).str.strip()
        elif not pd.api.types.is_numeric_dtype(frame[label]):
            frame[label] = _without_blanks(frame[label], decimal)
    return frame


def _without_blanks(cells: "pd.Series[Any]", decimal: str) -> "pd.Series[Any]":
    """A column that is no number to pandas: missing cells with blanks around them are missing all the same."""
    import pandas as pd

    text = cells.astype(str).str.strip()
    text = text.mask(cells.isna() | text.isin(MISSING))
    if text.isna().equals(cells.isna()):
        return text
    try:
        return pd.to_numeric(text.str.replace(decimal, ".", regex=False))
    except (ValueError, TypeError):
        return text


def _few_columns(text: str, separator: str, labels: list[str], wanted: frozenset[str]) -> "pd.DataFrame":
    """The wanted columns as text; pandas takes 20 µs for each column, whether it is wanted or not."""
    import pandas as pd

    kept = [at for at, label in enumerate(labels) if at == 0 or label in wanted or label.lower() in wanted]
    rows = _rows(text, separator)
    next(rows)
    cells = [[row[at] if at < len(row) else "" for at in kept] for _, row in rows]
    frame = pd.DataFrame(cells, columns=[labels[at] for at in kept], dtype=object)
    return frame.mask(frame.isin(MISSING) & (frame.columns != "unique_id"))
