"""The Japan Meteorological Agency's download (obsdl CSV), as its page "CSVファイルの形式" describes it.

Hourly, daily, five-day, ten-day and monthly values and those of 10 minutes have the same shape: rows of station names,
of elements, of sub-labels and of roles above the data. Their number and the width of a group of columns vary, so
nothing is counted: the data begin at the first row whose first cell is a year or a date.
"""

import csv
import io
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from tsuzuki.data.timestamps import instants
from tsuzuki.data.value_columns import Wanted, check_size, is_pattern, marked
from tsuzuki.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

QUALITY, HOMOGENEITY, NOTHING_HAPPENED = "品質情報", "均質番号", "現象なし情報"
# 8 is normal, 5 quasi-normal; 4 is insufficient, 2 questionable, 1 missing, 0 not observed.
KEPT_QUALITY = (8, 5)
# What a column beside an element says of it: when an extreme occurred, and from where the wind blew.
NO_SERIES = ("時分", "風向", "起時", "起日")
FIRST_CELL = re.compile(r"\d{4}(?:[-/年].*)?")
PERIOD = ("集計開始", "集計終了")


@dataclass
class _Element:
    """One element of one station: where its value stands, and what stands beside it.

    Attributes:
        label: station, element with its unit, and a sub-label such as 平年値(℃).
        value: the column of the value.
        beside: the columns of the roles that belong to it, by role.
    """

    label: str
    value: int
    beside: dict[str, int] = field(default_factory=dict)


def is_jma(text: str) -> bool:
    """Whether a file's text is such a download."""
    return text.startswith("ダウンロードした時刻")


@dataclass(frozen=True)
class _Download:
    """A file in its parts.

    Attributes:
        source: its name for messages.
        stations, names: the header's two first rows.
        dates: how many columns hold dates.
        elements: all of them.
        numeric: those of which some value is a number.
        data: the rows.
    """

    source: str
    stations: Sequence[str]
    names: Sequence[str]
    dates: int
    elements: list[_Element]
    numeric: list[_Element]
    data: list[list[str]]


def read_elements(text: str, source: str, wanted: Wanted) -> "tuple[pd.DataFrame, tuple[str, ...]]":
    """Read elements as series, and others beside them as covariates.

    Args:
        text: the file's text.
        source: the file's name for messages.
        wanted: the elements by name, as `parse` takes them, or patterns such as *気温*; of several values each is a
            series called by its label.

    Returns:
        A long frame (unique_id, ds, y, change and the covariates) and the names of the elements that are its values.

    Raises:
        DataError: as `parse`.
    """
    import pandas as pd

    whole = _opened(text, source)
    beside = {name: _one(whole, name)[0]["y"] for name in wanted.covariates}
    if not wanted.needs_value:
        frame, _ = _one(whole, wanted.covariates[0])
        return frame[["unique_id", "ds"]].assign(**beside), ()
    names = [name for given in wanted.values for name in _matching(whole, given)]
    found = [_one(whole, name) for name in dict.fromkeys(names)] if names else [_one(whole, None)]
    frames = [(frame if len(found) == 1 else frame.assign(unique_id=label)).assign(**beside) for frame, label in found]
    return pd.concat(frames, ignore_index=True), tuple(label for _, label in found)


def parse(text: str, source: str, column: str | None) -> "tuple[pd.DataFrame, str]":
    """Read one element of one station.

    Args:
        text: the file's text.
        source: the file's name for messages.
        column: a station, an element, or both with a blank between; with or without the unit.

    Returns:
        A long frame (unique_id, ds, y, change) and the element's name. `change` counts the homogeneity number's
        changes.

    Raises:
        DataError: no data, a choice to make, a cell that is no number or no date.
    """
    return _one(_opened(text, source), column)


def _opened(text: str, source: str) -> _Download:
    rows = [row for row in csv.reader(io.StringIO(text)) if any(cell.strip() for cell in row)]
    first = next((i for i, row in enumerate(rows) if i and FIRST_CELL.fullmatch(row[0].strip())), None)
    if first is None:
        raise DataError(f"{source} has the agency's header but no row of data; download it again with a longer period")
    header, data = [[cell.strip() for cell in row] for row in rows[1:first]], rows[first:]
    if len(header) < 2:
        raise DataError(f"{source} has no rows of stations and elements above its data; download it again as CSV")
    stations, names = header[:2]
    width = len(names)
    for number, row in enumerate([*header, *data]):
        if len(row) != width:
            where = f"row {number - len(header) + 1} of the data" if number >= len(header) else "the header"
            raise DataError(
                f"{where} in {source} has {len(row)} cells instead of {width}; "
                "the file seems cut off, download it again"
            )
    dates = next((i for i, cell in enumerate(stations) if cell and cell not in PERIOD), width)
    elements = _elements(stations, names, header[2:], dates)
    # What holds text alone (天気概況, 最多風向) is no series.
    numeric = [one for one in elements if any(_is_number(row[one.value]) for row in data)]
    return _Download(source, stations, names, dates, elements, numeric, data)


def _matching(whole: _Download, name: str) -> list[str]:
    """The elements that a pattern means, with or without their station and unit; a plain name as it is."""
    if not is_pattern(name):
        return [name]
    found = []
    for one in whole.numeric:
        forms = [told(one.label) for told in (_narrow, _plain)]
        if any(fnmatchcase(form, _narrow(name)) for label in forms for form in (label, label.partition(" ")[2])):
            found.append(one.label)
    # What no element is called is named in the message about a plain name.
    return found or [name]


def _one(whole: _Download, column: str | None) -> "tuple[pd.DataFrame, str]":
    """See `parse`."""
    import pandas as pd

    data = whole.data
    chosen = _choose(whole.numeric, whole.elements, column, whole.source)
    y = _values(data, chosen, whole.source)
    change = pd.Series(0, index=y.index)
    if HOMOGENEITY in chosen.beside:
        cells = pd.Series([row[chosen.beside[HOMOGENEITY]] for row in data])
        numbers = pd.to_numeric(cells, errors="coerce").ffill().bfill()
        change = (numbers.diff().fillna(0) != 0).astype(int).cumsum()
    stamps = _stamps(data, whole.stations[: whole.dates], whole.names[: whole.dates], whole.source)
    frame = pd.DataFrame({"unique_id": whole.stations[chosen.value], "ds": stamps, "y": y, "change": change})
    return frame, chosen.label


def _elements(
    stations: Sequence[str], names: Sequence[str], below: Sequence[Sequence[str]], dates: int
) -> list[_Element]:
    """The header's columns by element: a value and, with the same sub-label, what tells of its quality."""
    found: list[_Element] = []
    roles = (QUALITY, HOMOGENEITY, NOTHING_HAPPENED)
    group: dict[str, _Element] = {}
    for at in range(dates, len(names)):
        cells = [row[at] for row in below if row[at]]
        role = next((cell for cell in cells if cell in roles), None)
        sub = " ".join(cell for cell in cells if cell not in roles)
        if at == dates or (stations[at], names[at]) != (stations[at - 1], names[at - 1]):
            group = {}
        if role is None:
            label = " ".join(part for part in (stations[at], names[at], sub) if part)
            # A second value under one label: the same element of another station of that name.
            if sub in group:
                group = {}
            group[sub] = _Element(label, at)
            if sub not in NO_SERIES:
                found.append(group[sub])
        elif sub in group:
            group[sub].beside.setdefault(role, at)
    return found


def _plain(label: str) -> str:
    """A name without its unit, in one width of letters."""
    return re.sub(r"\s*\([^()]*\)", "", _narrow(label)).strip()


def _narrow(label: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", label).split())


def _choose(numeric: list[_Element], elements: list[_Element], column: str | None, source: str) -> _Element:
    listed = ", ".join(repr(one.label) for one in numeric)
    if not numeric and len(elements) == 1:
        return elements[0]
    if not numeric:
        raise DataError(f"{source} holds no numbers, only text or missing values; download another element")
    if column is None:
        if len(numeric) == 1:
            return numeric[0]
        raise DataError(f"{source} has several series ({listed}); name one with --column")
    # From the whole name down to a part of it: the first that finds anything decides.
    for told in (_narrow, _plain):
        for parts in (lambda names: [" ".join(names)], lambda names: [*names, " ".join(names[1:])]):
            wanted = told(column)
            found = [one for one in elements if wanted in parts(told(one.label).split(" "))]
            if len(found) > 1 and len({one.label for one in found}) > 1:
                # A normal stands beside its element: the element is meant unless the normal is named.
                shortest = min(len(one.label.split()) for one in found)
                found = [one for one in found if len(one.label.split()) == shortest]
            if len(found) == 1 and found[0] not in numeric:
                raise DataError(f"column {column!r} of {source} holds no numbers; name another with --column: {listed}")
            if len(found) == 1:
                return found[0]
            if found:
                several = ", ".join(repr(one.label) for one in found)
                raise DataError(f"{source} has several series ({several}); name one with --column")
    raise DataError(f"{source} has no column {column!r} (it has: {listed}); name one with --column")


def _is_number(cell: str) -> bool:
    number = marked(cell)
    return number == number and abs(number) != float("inf")


def _values(data: list[list[str]], chosen: _Element, source: str) -> "pd.Series[float]":
    import numpy as np
    import pandas as pd

    cells = [row[chosen.value] for row in data]
    y = pd.Series([marked(cell) for cell in cells], dtype="float64")
    name = chosen.label.split(" ", 1)[1]
    wrong = np.flatnonzero(np.isinf(y.to_numpy()))
    if len(wrong):
        raise DataError(
            f"row {wrong[0] + 1} of the data in {source} holds {cells[wrong[0]]!r} under {name}, which is no "
            "number; correct it or leave the cell empty"
        )
    check_size(y.to_numpy("float64"), f"{name} of {source}", lambda at: f"row {at + 1}")
    if NOTHING_HAPPENED in chosen.beside:
        # -- says that there was none of it.
        y = y.mask(pd.Series([cell.strip() == "--" for cell in cells]), 0.0)
    if QUALITY in chosen.beside:
        quality = pd.to_numeric(pd.Series([row[chosen.beside[QUALITY]] for row in data]), errors="coerce")
        y = y.where(quality.isin(KEPT_QUALITY))
    return y


def _stamps(
    data: list[list[str]], above: Sequence[str], names: Sequence[str], source: str
) -> "pd.Series[pd.Timestamp]":
    """The rows' times: in one cell, or the year, month, day and hour in one each; of a period its beginning.

    Hour 24 is 0:00 of the next day.
    """
    import pandas as pd

    # Of a period that begins and ends in columns of their own the beginning counts; a day of the week is left out.
    stop = above.index(PERIOD[1]) if PERIOD[1] in above else len(names)
    kept = [at for at in range(stop) if names[at] != "曜日"]
    texts = []
    for row in data:
        cells = [row[at].strip() for at in kept]
        if len(cells) == 1:
            texts.append(cells[0])
        elif cells[-1].endswith("旬"):
            texts.append(f"{cells[0]}/{cells[1]}/{cells[-1]}")
        else:
            day = "-".join([cells[0], *(cell.zfill(2) for cell in cells[1:3])])
            texts.append(" ".join([day, ":".join(cell.zfill(2) for cell in cells[3:5])]).strip())
    shown = [",".join(row[at] for at in kept) for row in data]
    try:
        return instants(pd.Series(texts), f"the data in {source}", lambda at: f"row {at + 1}").stamps
    except DataError:
        pass
    for at, text in enumerate(texts):
        try:
            instants(pd.Series([text]), "it", str)
        except DataError:
            raise DataError(
                f"row {at + 1} of the data in {source} has the date {shown[at]!r}, which is none; correct it"
            ) from None
    raise DataError(f"the dates of {source} are written in several ways; download it again")
