"""The forms in which dates are written: which number of a cell is the year, the month, the day and the time of day."""

import re
import unicodedata

MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "NaT", "-", "--", "///", "×", "*")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
FIXED_OFFSETS = {"Z": 0, "UTC": 0, "GMT": 0, "JST": 540}

_DATES = (
    r"(?P<year>\d{4})(?P<sep>[-/.])(?P<month>\d{1,2})(?:(?P=sep)(?P<day>\d{1,2}))?",
    r"(?P<year>\d{4})\s*年\s*(?P<month>\d{1,2})\s*月(?:\s*(?P<day>\d{1,2})\s*日)?",
    r"(?P<a>\d{1,2})(?P<sep>[-/.])(?P<b>\d{1,2})(?P=sep)(?P<year>\d{4})",
    r"(?P<month>\d{1,2})[-/.](?P<year>\d{4})",
    r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})",
    r"(?:[A-Za-z]{3,9}\.?,?\s+)?(?P<day>\d{1,2})[-\s]+(?P<name>[A-Za-z]{3,9})\.?,?[-\s]+(?P<year>\d{4})",
    r"(?:[A-Za-z]{3,9}\.?,?\s+)?(?P<name>[A-Za-z]{3,9})\.?\s+(?P<day>\d{1,2}),?\s+(?P<year>\d{4})",
    r"(?P<year>\d{4})[-\s]?Q(?P<quarter>[1-4])",
    # Ten-day and five-day means of the Japan Meteorological Agency stand at the day they begin with.
    r"(?P<year>\d{4})\s*[/年]\s*(?P<month>\d{1,2})\s*[/月]?\s*(?P<ten>[上中下])旬",
    r"(?P<year>\d{4})\s*[/年]\s*(?P<month>\d{1,2})\s*[/月]?\s*第?(?P<five>[1-6])半旬",
    # A year that cannot be one; the month behind it tells it from a decimal number.
    r"(?P<year>\d{1,3}|\d{5,9})-(?P<month>\d{2})(?:-(?P<day>\d{2}))?",
    # Months and quarters as R writes them and as statistical offices do: 1991 Jul, 1977-Jan, Jan 1977, Q1 1970.
    r"(?P<year>\d{4})[-\s/]\s*(?P<name>[A-Za-z]{3,9})\.?(?:[-\s/]\s*(?P<day>\d{1,2}))?",
    r"(?P<name>[A-Za-z]{3,9})\.?,?[-\s/]\s*(?:(?P<day>\d{1,2})[-/])?(?P<year>\d{4})",
    r"Q(?P<quarter>[1-4])[-\s/]\s*(?P<year>\d{4})",
)
_TIMES = (
    r"(?P<hour>\d{1,2})(?::(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?)?"
    r"(?:\s*(?P<half>[AaPp])\.?[Mm]\.?)?",
    r"(?P<hour>\d{1,2})\s*時(?:\s*(?P<minute>\d{1,2})\s*分(?:\s*(?P<second>\d{1,2})\s*秒)?)?",
    r"(?P<hour>\d{2})(?P<minute>\d{2})(?P<second>\d{2})?",
)
# No clock is sixteen hours from UTC, and none can be a day.
_ZONE = r"(?:\s*(?P<zone>Z|UTC|GMT|JST|[-+](?:0\d|1[0-5])(?::?[0-5]\d)?)(?:\[[\w/+-]+\])?)?"
_BETWEEN = r"(?:\s*[T,]\s*|\s+)"
_FORMS = [
    re.compile(rf"{date}(?:{_BETWEEN}{'?' if '日' in date else ''}{time}{_ZONE})?")
    for date in _DATES
    for time in _TIMES[:2]
] + [re.compile(rf"{_DATES[4]}T?{_TIMES[2]}{_ZONE}")]
_YEAR = re.compile(r"\d{4}")
TWO_DIGITS = re.compile(r"\d{1,2}[-/.]\d{1,2}[-/.]\d{2}(?!\d).*")


def is_date(text: str) -> bool:
    """Whether a cell is written like a date (there need be no such day)."""
    return match(text, 0) is not None or bool(TWO_DIGITS.fullmatch(text.strip()))


def year_begun(cell: str) -> str:
    """The day that a bare year begins with; any other cell as it is."""
    return f"{cell}-01-01" if _YEAR.fullmatch(cell) else cell


def has_clock(text: str) -> bool:
    """Whether a date has a time of day beside it."""
    found = match(text, 0)
    return found is not None and found[1].get("hour") is not None


def is_clock(text: str) -> bool:
    """Whether a cell is a time of day alone: 18:00, 6 PM, 18時, 18."""
    found = re.fullmatch(rf"(?:{_TIMES[0]})", text) or re.fullmatch(_TIMES[1], text)
    return found is not None and int(found["hour"]) <= 24


def match(text: str, form: int) -> tuple[int, dict[str, str | None]] | None:
    """The number of the form that a cell is written in, and its parts; `form` is tried first."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    text = text.strip()
    found = _FORMS[form].fullmatch(text)
    if found is None:
        form = next((number for number, one in enumerate(_FORMS) if one.fullmatch(text)), -1)
        found = _FORMS[form].fullmatch(text)
    if found is None:
        return None
    parts = found.groupdict()
    if (name := parts.get("name")) is not None and name[:3].lower() not in MONTHS:
        return None
    if parts.get("hour") is not None and parts.get("day") is None and parts.get("a") is None:
        return None
    return form, parts


def date_numbers(parts: dict[str, str | None]) -> tuple[int, ...]:
    """Year, month, day (or the two numbers before a year), hour, minute, second, nanosecond."""

    def number(name: str, otherwise: int) -> int:
        return int(parts.get(name) or otherwise)

    month, day = number("a", number("month", 1)), number("b", number("day", 1))
    if (name := parts.get("name")) is not None:
        month = MONTHS.index(name[:3].lower()) + 1
    if (quarter := parts.get("quarter")) is not None:
        month = 3 * int(quarter) - 2
    if (ten := parts.get("ten")) is not None:
        day = {"上": 1, "中": 11, "下": 21}[ten]
    if (five := parts.get("five")) is not None:
        day = 5 * int(five) - 4
    hour = number("hour", 0)
    if (half := parts.get("half")) is not None:
        # 12 AM is midnight; an hour of 13 PM or 0 AM is none.
        hour = (hour % 12 + (12 if half in "Pp" else 0)) if 1 <= hour <= 12 else 99
    fraction = (parts.get("fraction") or "").ljust(9, "0")
    return number("year", 0), month, day, hour, number("minute", 0), number("second", 0), int(fraction)


def offset_minutes(zone: str) -> int:
    """How far a zone is ahead of UTC."""
    if zone in FIXED_OFFSETS:
        return FIXED_OFFSETS[zone]
    digits = zone[1:].replace(":", "")
    return (int(digits[:2]) * 60 + int(digits[2:] or 0)) * (-1 if zone[0] == "-" else 1)
