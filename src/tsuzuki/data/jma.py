"""The Japan Meteorological Agency's hourly download (obsdl CSV), as its page "CSVファイルの形式" describes it.

The header's depth and the width of a group of columns vary, so nothing is counted: the data begin at the first row
whose first cell is a date, and the row above them says what each column is.
"""

import csv
import io
import re
from typing import TYPE_CHECKING

from tsuzuki.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

QUALITY, HOMOGENEITY, NOTHING_HAPPENED = "品質情報", "均質番号", "現象なし情報"
# 8 is normal, 5 quasi-normal; 4 is insufficient, 2 questionable, 1 missing, 0 not observed.
KEPT_QUALITY = (8, 5)


def is_jma(text: str) -> bool:
    """Whether a file's text is such a download."""
    return text.startswith("ダウンロードした時刻")


def parse(text: str, source: str, column: str | None) -> "tuple[pd.DataFrame, str | None]":
    """Read one element of one station.

    Args:
        text: the file's text.
        source: the file's name for messages.
        column: a station, an element, or "station element", where the file has several.

    Returns:
        A long frame (unique_id, ds, y, change) and the unit. `change` counts the homogeneity number's changes.

    Raises:
        DataError: no data, a choice to make, a cell that is no number or no date.
    """
    import numpy as np
    import pandas as pd

    rows = [row for row in csv.reader(io.StringIO(text)) if any(cell.strip() for cell in row)]
    first = next((i for i, row in enumerate(rows) if re.match(r"\d{4}(/|$)", row[0])), None)
    if first is None:
        raise DataError(f"{source} has the agency's header but no row of data; download it again with a longer period")
    header, data = rows[1:first], rows[first:]
    elements = next((i for i, row in enumerate(header) if row[0] in ("年月日時", "年月日", "年")), None)
    if elements is None or elements == 0 or elements + 1 >= len(header):
        raise DataError(f"{source} has no header rows 年月日時 and roles above its data; download it again as CSV")
    stations, names, roles = header[elements - 1], header[elements], header[-1]
    dates = 4 if header[elements][0] == "年" else 1
    width = len(names)
    for number, row in enumerate(data):
        if len(row) != width:
            raise DataError(
                f"row {number + 1} of the data in {source} has {len(row)} cells instead of {width}; "
                "the file seems cut off, download it again"
            )
    values = [i for i in range(dates, width) if not roles[i].strip()]
    choices = {f"{stations[i]} {names[i]}": i for i in values}
    chosen = _choose(choices, column, source)
    group = range(chosen + 1, next((i for i in values if i > chosen), width))
    role_at = {roles[i]: i for i in group}
    cells = pd.Series([row[chosen] for row in data])
    y = pd.to_numeric(cells.where(cells.str.strip() != ""), errors="coerce")
    wrong = np.flatnonzero((y.isna() & (cells.str.strip() != "")).to_numpy())
    if len(wrong):
        raise DataError(
            f"row {wrong[0] + 1} of the data in {source} holds {cells[wrong[0]]!r} under {names[chosen]}, which is no "
            "number; correct it or leave the cell empty"
        )
    if QUALITY in role_at:
        quality = pd.to_numeric(pd.Series([row[role_at[QUALITY]] for row in data]), errors="coerce")
        y = y.where(quality.isin(KEPT_QUALITY))
    change = pd.Series(0, index=y.index)
    if HOMOGENEITY in role_at:
        numbers = pd.to_numeric(pd.Series([row[role_at[HOMOGENEITY]] for row in data]), errors="coerce").ffill().bfill()
        change = (numbers.diff().fillna(0) != 0).astype(int).cumsum()
    stamps = _stamps(data, dates, source)
    unit = re.search(r"\((.*)\)", names[chosen])
    frame = pd.DataFrame({"unique_id": stations[chosen], "ds": stamps, "y": y.astype("float64"), "change": change})
    return frame, unit.group(1).replace("℃", "°C") if unit else None


def _choose(choices: dict[str, int], column: str | None, source: str) -> int:
    wanted = choices
    if column is not None:
        element = {name: at for name, at in choices.items() if re.sub(r"\(.*\)", "", name.split(" ", 1)[1]) == column}
        exact = {name: at for name, at in choices.items() if column in (name, *name.split(" ", 1))}
        wanted = exact or element
    if len(wanted) == 1:
        return next(iter(wanted.values()))
    listed = ", ".join(repr(name) for name in choices)
    if not wanted:
        raise DataError(f"{source} has no column {column!r} (it has: {listed}); name one with --column")
    raise DataError(f"{source} has several series ({listed}); name one with --column")


def _stamps(data: list[list[str]], dates: int, source: str) -> "pd.Series[pd.Timestamp]":
    """The rows' times; hour 24 is 0:00 of the next day, which adding hours to a day gives by itself."""
    import pandas as pd

    if dates == 1:
        stamps = pd.to_datetime(pd.Series([row[0] for row in data]), format="%Y/%m/%d %H:%M:%S", errors="coerce")
    else:
        parts = pd.DataFrame([row[:4] for row in data], columns=["year", "month", "day", "hour"])
        parts = parts.apply(pd.to_numeric, errors="coerce")
        days = pd.to_datetime(parts[["year", "month", "day"]], errors="coerce")
        stamps = days + pd.to_timedelta(parts["hour"], unit="h")
    wrong = [i for i, missing in enumerate(stamps.isna()) if missing]
    if wrong:
        cells = ",".join(data[wrong[0]][:dates])
        raise DataError(f"row {wrong[0] + 1} of the data in {source} has the date {cells!r}, which is none; correct it")
    return stamps
