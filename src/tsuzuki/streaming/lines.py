"""Lines of readings in, lines of forecasts out: CSV in the forms that files have, too, and NDJSON.

The first line tells the form: what separates cells, whether decimals have commas, which column is which. A line is a
reading or a `ValueError` that says what is wrong with it, whatever it holds.
"""

import contextlib
import csv
import functools
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tsuzuki.data.columns import is_part, joined_cells, part_of_date
from tsuzuki.data.date_forms import year_begun
from tsuzuki.data.files import NO_LETTERS
from tsuzuki.data.timestamps import FIRST_YEAR, LAST_YEAR
from tsuzuki.errors import DataError
from tsuzuki.streaming.line_headers import PLAIN, Places, places_in

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# No reading needs more; what is longer would be kept whole in memory, and printed.
MAX_LINE = 10_000
ISO = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d(?::\d\d(?::\d\d(?:\.\d{1,9})?)?)?)?")
_NUMBER = re.compile(r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?|[-+]?(?:inf|infinity)", re.IGNORECASE | re.ASCII)
_MISSING = frozenset(("", "nan", "NaN", "NA", "N/A", "null", "NULL", "None"))
# Seconds, milli-, micro- or nanoseconds since 1970.
_EPOCH = re.compile(r"\d{9,19}", re.ASCII)


def whole_lines(chunks: Iterator[bytes]) -> Iterator[list[bytes]]:
    """Complete lines as they arrive, without waiting for more; of an endless one only as much as shows that it is."""
    rest, most = b"", 4 * MAX_LINE + 4
    for chunk in chunks:
        *lines, last = chunk.split(b"\n")
        if lines:
            lines[0] = rest + lines[0][:most]
            rest = b""
            yield [line.removesuffix(b"\r") for line in lines]
        rest += last[: most - len(rest)]
    if rest.strip():
        yield [rest.removesuffix(b"\r")]


def text_of(line: bytes, encoding: str = "utf-8") -> str:
    """A line as text.

    Raises:
        ValueError: it is too long, or not of that encoding.
    """
    if len(line) > MAX_LINE:
        raise ValueError(f"{line[:40].decode(encoding, 'replace')!r} and so on is longer than {MAX_LINE:,} bytes")
    try:
        return line.decode(encoding)
    except UnicodeDecodeError:
        what = "UTF-8" if encoding == "utf-8" else encoding
        raise ValueError(f"{line[:60].decode(encoding, 'replace')!r} is no {what}") from None


def encoding_of(first: bytes) -> str:
    """What a first line is in: UTF-8, or cp932 where it can be nothing but that."""
    for encoding in ("utf-8", "cp932"):
        with contextlib.suppress(UnicodeDecodeError):
            if not NO_LETTERS.search(first.decode(encoding)):
                return encoding
    return "utf-8"


@dataclass(frozen=True)
class LineFormat:
    """The form of input and output lines.

    Attributes:
        kind: csv or ndjson.
        horizon: forecasts of a line.
        separator: what stands between cells.
        places: which cells say what.
        cells: how many cells a line has.
        decimal: the decimal mark.
        only: the name of the series where lines do not name it.
        has_header: whether the first line names columns.
        has_blanks: whether that has blanks around its names, and so other cells may have them, too.
        encoding: of CSV.
        labels: the columns that the header names.
    """

    kind: str
    horizon: int
    separator: str = ","
    places: Places = PLAIN
    cells: int = 3
    decimal: str = "."
    only: str = ""
    has_header: bool = False
    has_blanks: bool = False
    encoding: str = "utf-8"
    labels: tuple[str, ...] = ()

    def header(self) -> str:
        """The header line of the output."""
        if self.kind == "ndjson":
            return ""
        return ",".join(["line", "unique_id", "ds", *(f"tsuzuki-{h + 1}" for h in range(self.horizon))]) + "\n"

    def parse(self, line: str) -> tuple[str, str, float]:
        """A line's unique_id, ds and y (NaN where it is missing).

        Raises:
            ValueError: the line is malformed; the message says how.
        """
        name, stamp, y = self._values(line) if self.kind == "ndjson" else self._cells(line)
        if not name.isprintable():
            raise ValueError(f"the series name {name[:40]!r} holds what cannot be printed")
        if name != name.strip():
            raise ValueError(f"the series name {name[:40]!r} has blanks around it")
        return name, stamp, y

    def name_in(self, line: bytes) -> str:
        """The series that a line names, found without reading the rest; anything where `parse` refuses the line."""
        if self.kind == "csv" and self.places.name < 0:
            return self.only
        if self.kind == "ndjson" or b'"' in line:
            with contextlib.suppress(ValueError):
                return self.parse(text_of(line, self.encoding))[0]
            return ""
        cells = line.split(self.separator.encode(), self.places.name + 1)
        if len(cells) <= self.places.name:
            return ""
        name = cells[self.places.name].decode(self.encoding, "replace")
        return name.strip() if self.has_blanks else name

    def name_cells(self, lines: Sequence[bytes]) -> list[bytes]:
        """Of each line the cell of the name where that is its first, else all of it: equal ones name equal series."""
        if self.kind == "csv" and self.places.name == 0:
            separator = self.separator.encode()
            return [line if b'"' in line else line.partition(separator)[0] for line in lines]
        return list(lines)

    def beside(self, line: str, columns: Sequence[str]) -> dict[str, float]:
        """The numbers of other columns of a line, NaN where one is missing.

        Raises:
            ValueError: one is no number, or no header names it.
        """
        if self.kind == "ndjson":
            found = json.loads(line)
        else:
            cells = (
                line.split(self.separator) if '"' not in line else next(csv.reader([line], delimiter=self.separator))
            )
            found = dict(zip(self.labels, cells, strict=False))
            for name in columns:
                if name not in found:
                    raise ValueError(f"no header of the lines names the column {name!r}, which the model reads")
        numbers = {}
        for name in columns:
            given = found.get(name)
            text = "" if given is None else str(given).strip()
            text = text.replace(",", ".") if self.decimal == "," else text
            if text not in _MISSING and not _NUMBER.fullmatch(text):
                raise ValueError(f"{text[:40]!r} is no number of the column {name!r}")
            numbers[name] = float("nan") if text in _MISSING else float(text)
        return numbers

    def _cells(self, line: str) -> tuple[str, str, float]:
        try:
            found = (
                line.split(self.separator) if '"' not in line else next(csv.reader([line], delimiter=self.separator))
            )
        except csv.Error as error:
            raise ValueError(f"{line[:60]!r} cannot be split into cells ({error})") from None
        if len(found) != self.cells:
            raise ValueError(f"{line[:60]!r} is not {self._shape()}")
        places = self.places
        y = found[places.value].strip()
        name = self.only if places.name < 0 else found[places.name]
        stamp = found[places.times[0]] if len(places.times) == 1 else self._joined(found)
        if self.has_blanks:
            name, stamp = name.strip(), stamp.strip()
        if self.decimal == ",":
            y = y.replace(",", ".")
        if y in _MISSING:
            return name, stamp, float("nan")
        if not _NUMBER.fullmatch(y):
            raise ValueError(f"{line[:60]!r} is not {self._shape()}")
        return name, stamp, float(y)

    def _joined(self, cells: Sequence[str]) -> str:
        parts = [part_of_date(self.labels[at], cells[at].strip()) for at in self.places.times]
        return joined_cells(parts, is_part(parts[0]))

    def _shape(self) -> str:
        names = {self.places.name: "unique_id", self.places.value: "y"}
        names |= dict.fromkeys(self.places.times[1:], "time") | {self.places.times[0]: "ds"}
        return self.separator.join(names.get(place, "...") for place in range(self.cells))

    def _values(self, line: str) -> tuple[str, str, float]:
        try:
            found = json.loads(line)
            y, name, stamp = found["y"], found.get("unique_id", self.only or None), found["ds"]
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise ValueError(f"{line[:60]!r} is not an object with unique_id, ds and y") from None
        if not isinstance(y, int | float | None) or isinstance(y, bool) or not isinstance(name, str | int):
            raise ValueError(f"{line[:60]!r} is not an object with unique_id, ds and y")
        try:
            return str(name), str(stamp), float("nan") if y is None else float(y)
        except OverflowError:
            return str(name), str(stamp), float("inf")

    def render(
        self, lines: Sequence[int], names: Sequence[str], stamps: Sequence[str], forecasts: "NDArray[np.float32]"
    ) -> list[str]:
        """Lines of output.

        Args:
            lines: the number of each line of input.
            names: their series.
            stamps: their times.
            forecasts: float32 [lines, horizon].
        """
        if self.kind == "csv":
            from tsuzuki.streaming.number_text import rows_as_text

            # Most lines of a batch have the name and the time of others.
            quoted = {cell: _quoted(cell) for cell in {*names, *stamps}}
            written = (map(quoted.__getitem__, cells) for cells in (names, stamps))
            cells = zip(lines, *written, rows_as_text(forecasts), strict=True)
            return [f"{line},{name},{stamp},{row}" for line, name, stamp, row in cells]
        return [
            json.dumps(
                {"line": line, "unique_id": name, "ds": stamp, "tsuzuki": [float(f"{value:.6g}") for value in row]},
                ensure_ascii=False,
            )
            for line, name, stamp, row in zip(lines, names, stamps, forecasts.tolist(), strict=True)
        ]


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if "," in cell or '"' in cell else cell


def format_of(
    first: str, kind: str, ids: Sequence[str], horizon: int, columns: Sequence[str] = (), encoding: str = "utf-8"
) -> LineFormat:
    """The form that a first line tells.

    Args:
        first: the line.
        kind: csv, ndjson, or auto.
        ids: the series that the model knows; lines need not name a single one.
        horizon: forecasts of a line.
        columns: the names of the columns that the model was trained on, where they are known.
        encoding: of the lines.

    Raises:
        DataError: a header that names no time or no value, or another value than the model's.
    """
    only = ids[0] if len(ids) == 1 else ""
    if kind == "ndjson" or (kind == "auto" and first.lstrip().startswith("{")):
        return LineFormat("ndjson", horizon, only=only)
    separator = next((one for one in ("\t", ";") if one in first), ",")
    try:
        cells = next(csv.reader([first], delimiter=separator))
    except (csv.Error, StopIteration):
        cells = []
    labels = [cell.strip() for cell in cells]
    decimal = "." if separator == "," else ","
    places = places_in(labels, columns, named=not only)
    if places is not None:
        blanks = cells != labels
        return LineFormat(
            "csv", horizon, separator, places, len(labels), decimal, only, True, blanks, encoding, tuple(labels)
        )
    if len(labels) == 2 and only:
        return LineFormat("csv", horizon, separator, Places(-1, (0,), 1), 2, decimal, only)
    return LineFormat("csv", horizon, separator, decimal=decimal)


def is_plain(stamp: str) -> bool:
    """Whether a time is written as NumPy reads it: an ISO date, and perhaps a time of day.

    NumPy reads `now`, too, and takes a year that nanoseconds cannot count for one of another century.
    """
    return ISO.fullmatch(stamp) is not None and FIRST_YEAR <= int(stamp[:4]) < LAST_YEAR


@functools.lru_cache(maxsize=4096)
def moment(stamp: str, day_first: bool | None = None) -> tuple[int, bool]:
    """A time in any form that files have, in nanoseconds since 1970, and whether it names a time zone.

    Args:
        stamp: the time.
        day_first: whether the model's dates such as 03/02/2020 began with the day; None where nothing tells.

    Raises:
        DataError: it is no time, or its order is not certain.
    """
    import pandas as pd

    from tsuzuki.data.timestamps import instants

    stamp = year_begun(stamp.strip())
    is_number = _EPOCH.fullmatch(stamp) is not None and int(stamp) < 2**63
    cells = pd.Series([int(stamp)]) if is_number else pd.Series([stamp], dtype=str)
    found = instants(cells, "ds", lambda _: "the line", day_first)
    if pd.isna(found.stamps.iloc[0]):
        raise DataError(f"{stamp[:40]!r} is no time such as 2026-01-31 12:00")
    return int(found.stamps.to_numpy().astype("datetime64[ns]").astype("int64")[0]), found.zone is not None
