"""A slow reader of CSV that reads little and guesses nothing: the twin of `tsuzuki.data.readers`.

What it reads, the real one must read to the same times and values; it says nothing about what it refuses.
"""

import re
from datetime import datetime, timedelta
from fractions import Fraction

YEAR_FIRST = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(.*)")
YEAR_LAST = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4})(.*)")
JAPANESE = re.compile(r"(\d{4})()年(\d{1,2})月(\d{1,2})日(.*)")
CLOCK = re.compile(r"[ T](\d{1,2}):(\d\d)(?::(\d\d))?(Z|[+-]\d\d(?::?\d\d)?)?")
MISSING = ("", "NA", "NaN", "null", "-")


class Refused(Exception):  # noqa: N818
    """This reader is not sure."""


def strict(data: bytes) -> list[tuple[datetime, float | None]]:
    """Read `time` and `value` of a table of two columns without quotes."""
    text = data.decode("utf-8-sig").replace("\r\n", "\n")
    if '"' in text or "\r" in text or not text.endswith("\n"):
        raise Refused
    lines = [line for line in text[:-1].split("\n") if line.strip()]
    separators = [separator for separator in ",;\t" if separator in lines[0]]
    if len(separators) != 1:
        raise Refused
    rows = [[cell.strip() for cell in line.split(separators[0])] for line in lines]
    if any(len(row) != 2 for row in rows) or sorted(rows[0]) != ["time", "value"]:
        raise Refused
    time, value = rows[0].index("time"), rows[0].index("value")
    rows = [row for row in rows[1:] if row[time] not in MISSING or row[value] not in MISSING]
    numbers = [number(row[value], separators[0] != ",") for row in rows]
    if len({"," in row[value] for row in rows if re.search("[.,]", row[value])}) > 1:
        raise Refused
    return list(zip(dates([row[time] for row in rows]), numbers, strict=True))


def strict_line(line: bytes, separator: str) -> tuple[str, str, float] | None:
    """The name, the time as it is written, and the number of a line of a stream; None where this reader is not sure."""
    try:
        name, stamp, value = line.decode().split(separator)
    except ValueError:
        return None
    parts = re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ]([0-9:.]+))?", stamp)
    clock = parts and re.fullmatch(r"[0-9]{2}(:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?)?", parts[1] or "00")
    is_name = name and name.isprintable() and name == name.strip() and '"' not in name
    if not is_name or not clock or not re.fullmatch(r"[-+]?[0-9]+(\.[0-9]*)?", value):
        return None
    whole, _, rest = value.lstrip("+-").partition(".")
    size = Fraction(int(whole + rest), 10 ** len(rest))
    return name, stamp, float(-size if value.startswith("-") else size)


def number(cell: str, comma: bool) -> float | None:
    """A number, None where it is missing."""
    if cell in MISSING:
        return None
    if not re.fullmatch(r"-?\d+([.,]\d+)?" if comma else r"-?\d+(\.\d+)?", cell):
        raise Refused
    return float(cell.replace(",", "."))


def dates(cells: list[str]) -> list[datetime]:
    """Dates of forms that say what is what, and of one order where the year comes last."""
    last = [found for cell in cells if (found := YEAR_LAST.fullmatch(cell))]
    day_first = any(int(one[1]) > 12 for one in last)
    if last and day_first == any(int(one[3]) > 12 for one in last):
        raise Refused
    found, zones = [], set()
    for cell in cells:
        if one := YEAR_FIRST.fullmatch(cell) or JAPANESE.fullmatch(cell):
            year, month, day, rest = int(one[1]), int(one[3]), int(one[4]), one[5]
        elif one := YEAR_LAST.fullmatch(cell):
            year, rest = int(one[4]), one[5]
            day, month = (int(one[1]), int(one[3])) if day_first else (int(one[3]), int(one[1]))
        else:
            raise Refused
        clock = CLOCK.fullmatch(rest)
        if (rest and clock is None) or not 1678 <= year <= 2261:
            raise Refused
        hour, minute, second, zone = clock.groups() if clock else ("0", "0", "0", None)
        zones.add(zone is None)
        since = timedelta(hours=int(hour), minutes=int(minute), seconds=int(second or 0))
        if since > timedelta(days=1) or int(minute) > 59 or int(second or 0) > 59:
            raise Refused
        if zone not in (None, "Z"):
            shift = timedelta(hours=int(zone[1:3]), minutes=int(zone[3:].removeprefix(":") or 0))
            since -= shift if zone[0] == "+" else -shift
        try:
            found.append(datetime(year, month, day) + since)
        except ValueError:
            raise Refused from None
    if len(zones) > 1:
        raise Refused
    return found
