"""Dates as files write them, read as instants: text, numbers and typed columns in, nanoseconds out.

Every form that is read says by itself which number is the year, the month and the day; each cell is read by its own
form, so that one odd cell never turns the others round. Only where the year comes last is the column asked as a whole.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tsuzuki.data.date_forms import MISSING, TWO_DIGITS, date_numbers, match, offset_minutes, year_begun
from tsuzuki.data.zones import zone_name
from tsuzuki.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

# The days from 1970 that 64 bits of nanoseconds reach, and the years that they lie in.
LAST_DAY, FIRST_YEAR, LAST_YEAR = 106_750, 1678, 2262
# What pandas reads fast and in one way only.
_ISO = r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?)?"
_ISO_ZONED = r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[-+](?:0\d|1[0-5]):?[0-5]\d)"


@dataclass(frozen=True)
class Instants:
    """A column of dates.

    Attributes:
        stamps: datetime64[ns] without a zone; UTC where the column names zones; NaT where a cell is missing.
        zone: the zone that the column names ("UTC", "+09:00", "Asia/Tokyo", "several offsets"), or None.
        day_first: whether dates such as 03/02/2020 begin with the day; None where there are none.
    """

    stamps: "pd.Series[pd.Timestamp]"
    zone: str | None
    day_first: bool | None = None


def instants(
    values: "pd.Series[Any]", where: str, line: Callable[[int], str], day_first: bool | None = None
) -> Instants:
    """Read a column of dates.

    Args:
        values: text, whole numbers (20200131, or seconds, milli-, micro- or nanoseconds since 1970), or typed times.
        where: how to call the column in messages.
        line: how to call a row, by its position.
        day_first: whether dates whose year comes last begin with the day; None where the column itself must tell.

    Raises:
        DataError: a cell that is no date, an order that nothing tells, zones in some cells only, a year too far.
    """
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(values):
        return _typed(values, where, line)
    if pd.api.types.is_bool_dtype(values):
        raise DataError(f"{where} holds true and false, not dates; name the time column with --time")
    if pd.api.types.is_numeric_dtype(values):
        return _numbers(values, where, line)
    text = values.astype(str).str.strip()
    missing = (values.isna() | text.isin(MISSING)).to_numpy()
    there = text[~missing]
    if len(there) == 0:
        raise DataError(f"{where} has no dates; name the time column with --time")
    found = _iso(there)
    if found is None:
        positions = _positions(missing)
        found = _cells(list(there), where, lambda i: line(int(positions[i])), day_first)
    stamps = pd.Series(pd.NaT, values.index, dtype="datetime64[ns]")
    stamps[~missing] = found.stamps.to_numpy()
    return Instants(stamps, found.zone, found.day_first)


def _positions(missing: "NDArray[np.bool_]") -> "NDArray[np.int64]":
    import numpy as np

    return np.flatnonzero(~missing)


def _typed(values: "pd.Series[Any]", where: str, line: Callable[[int], str]) -> Instants:
    import numpy as np
    import pandas as pd

    stamps = pd.to_datetime(values)
    zone = None if stamps.dt.tz is None else zone_name(stamps.dt.tz)
    if zone is not None:
        stamps = stamps.dt.tz_convert("UTC").dt.tz_localize(None)
    days = stamps.to_numpy().astype("datetime64[D]")
    far = np.flatnonzero(~np.isnat(days) & (np.abs(days.astype(np.int64)) > LAST_DAY))
    if len(far):
        raise DataError(_too_far(str(values.iloc[far[0]]), where, line(int(far[0]))))
    return Instants(stamps.astype("datetime64[ns]"), zone)


def _too_far(text: str, where: str, line: str) -> str:
    return (
        f"{where} holds {text[:40]!r} in {line}, outside the years {FIRST_YEAR} to {LAST_YEAR} "
        "that nanoseconds can count; correct it, or leave the row out"
    )


def _numbers(values: "pd.Series[Any]", where: str, line: Callable[[int], str]) -> Instants:
    """Numbers as compact dates (20200131, 202001311800) or as time since 1970, by their size."""
    import numpy as np
    import pandas as pd

    numbers = values.to_numpy(np.float64, na_value=np.nan)
    there = np.flatnonzero(~np.isnan(numbers))
    known = numbers[there]
    if len(known) == 0:
        raise DataError(f"{where} has no dates; name the time column with --time")
    stamps = pd.Series(pd.NaT, values.index, dtype="datetime64[ns]")
    if np.isfinite(known).all() and (known == np.floor(known)).all():
        text = [str(int(value)) for value in known]
        if all(len(one) in (8, 12, 14) and len(one) == len(text[0]) for one in text):
            try:
                stamps.iloc[there] = _cells(text, where, line).stamps.to_numpy()
            except DataError:
                if len(text[0]) != 12:
                    raise
            else:
                return Instants(stamps, None)
    for unit in (10**9, 10**6, 10**3, 1):
        # Nanoseconds of a unit; as many of it as lie between 1973 and 2262.
        if ((known * unit >= 1e17) & (known * unit < 9.2e18)).all():
            whole = np.floor(known).astype(np.int64)
            if pd.api.types.is_integer_dtype(values):
                whole = values.iloc[there].to_numpy(np.int64)
            parts = np.rint((known - np.floor(known)) * unit).astype(np.int64)
            stamps.iloc[there] = (whole * unit + parts).astype("datetime64[ns]")
            return Instants(stamps, "UTC")
    raise DataError(
        f"{where} holds numbers, not dates; name the time column with --time, or write it like 2020-01-31 18:00"
    )


def _iso(text: "pd.Series[str]") -> Instants | None:
    """A column of nothing but ISO dates (or with slashes), which is read at once; None for any other."""
    import pandas as pd

    if text.iloc[0][4:5] == "/":
        text = text.str.replace("/", "-", regex=False)
    zoned = bool(text.iloc[0][10:] and re.search(r"(?:Z|[-+]\d\d:?\d\d)$", text.iloc[0][10:]))
    if not text.str.fullmatch(_ISO_ZONED if zoned else _ISO).all():
        return None
    stamps = pd.to_datetime(text, format="ISO8601", utc=zoned, errors="coerce")
    # What is no day, or too far, is looked at cell by cell, to be named.
    if stamps.isna().any() or stamps.dt.year.min() < FIRST_YEAR or stamps.dt.year.max() >= LAST_YEAR:
        return None
    if not zoned:
        return Instants(stamps.astype("datetime64[ns]"), None)
    zones = {offset_minutes(zone) for zone in text.str.extract(r"(Z|[-+]\d\d:?\d\d)$")[0].unique()}
    return Instants(stamps.dt.tz_localize(None).astype("datetime64[ns]"), _zone_name(zones))


def _zone_name(offsets: set[int]) -> str:
    if len(offsets) > 1:
        return "several offsets"
    (offset,) = offsets
    return "UTC" if offset == 0 else f"{'-' if offset < 0 else '+'}{abs(offset) // 60:02}:{abs(offset) % 60:02}"


def _cells(text: Sequence[str], where: str, line: Callable[[int], str], day_first: bool | None = None) -> Instants:
    """Read cells one by one, each by its own form."""
    import numpy as np
    import pandas as pd

    rows, zones = np.ones((len(text), 7), np.int64), []
    swapped = np.zeros(len(text), bool)
    form = 0
    for at, cell in enumerate(text):
        if TWO_DIGITS.fullmatch(cell):
            raise DataError(
                f"{where} writes the year with two digits in {line(at)} ({cell!r}); write dates like 2020-01-31"
            )
        found = match(cell, form)
        if found is None:
            raise DataError(_no_date(cell, where, line(at)))
        form, parts = found
        rows[at] = date_numbers(parts)
        swapped[at] = parts.get("a") is not None
        zones.append(parts.get("zone"))
    if swapped.any():
        day_first = _day_first(text, swapped, rows, where, line, day_first)
        if day_first:
            rows[swapped, 1:3] = rows[swapped, 2:0:-1]
    _check_zones(text, zones, where, line)
    years, months, days, hours, minutes, seconds, nanoseconds = rows.T
    day_of = ((years - 1970) * 12 + np.clip(months, 1, 12) - 1).astype("datetime64[M]").astype("datetime64[D]")
    last = ((day_of.astype("datetime64[M]") + 1).astype("datetime64[D]") - day_of).astype(np.int64)
    wrong = (months < 1) | (months > 12) | (days < 1) | (days > last) | (minutes > 59) | (seconds > 59)
    wrong |= (hours > 24) | ((hours == 24) & ((minutes > 0) | (seconds > 0) | (nanoseconds > 0)))
    if wrong.any():
        at = int(wrong.argmax())
        raise DataError(_no_date(text[at], where, line(at)))
    far = np.abs(day_of.astype(np.int64) + days - 1) > LAST_DAY
    if far.any():
        at = int(far.argmax())
        raise DataError(_too_far(text[at], where, line(at)))
    offsets = np.array([0 if zone is None else offset_minutes(zone) for zone in zones], np.int64)
    minute = (day_of.astype(np.int64) + days - 1) * 1440 + hours * 60 + minutes - offsets
    stamps = ((minute * 60 + seconds) * 10**9 + nanoseconds).astype("datetime64[ns]")
    zone = _zone_name(set(offsets.tolist())) if zones[0] is not None else None
    return Instants(pd.Series(stamps), zone, day_first if swapped.any() else None)


def _no_date(cell: str, where: str, line: str) -> str:
    return f"{where} holds {cell[:40]!r} in {line}, which is no date; correct it, or name the time column with --time"


def _day_first(
    text: Sequence[str],
    swapped: "NDArray[np.bool_]",
    rows: "NDArray[np.int64]",
    where: str,
    line: Callable[[int], str],
    told: bool | None,
) -> bool:
    """Whether dates whose year comes last begin with the day: one order for the whole column.

    Raises:
        DataError: some can only begin with the day and others only with the month, or only in another way than is told,
            or nothing tells.
    """
    import numpy as np

    dotted = np.array([here and "." in cell[:3] for cell, here in zip(text, swapped, strict=True)])
    days, months = np.flatnonzero(swapped & (rows[:, 1] > 12)), np.flatnonzero(swapped & (rows[:, 2] > 12))
    if len(days) and len(months):
        raise DataError(
            f"{where} has the day first in {line(int(days[0]))} ({text[days[0]]!r}) and the month first in "
            f"{line(int(months[0]))} ({text[months[0]]!r}); write dates like 2020-01-31"
        )
    if told is not None:
        odd = months if told else days
        if len(odd):
            now, before = ("month", "day") if told else ("day", "month")
            raise DataError(
                f"{where} has the {now} first in {line(int(odd[0]))} ({text[odd[0]]!r}), where the readings before it "
                f"had the {before} first; write dates like 2020-01-31"
            )
        return told
    if len(days) or len(months):
        return len(days) > 0
    if dotted[swapped].all():
        return True
    here, beyond = int((swapped & ~dotted).argmax()), int((~swapped).argmax())
    beside = "" if swapped.all() else f" in {line(here)} beside {text[beyond]!r} in {line(beyond)}"
    raise DataError(
        f"{where} holds dates such as {text[here]!r}{beside}, and nothing tells whether the day or the "
        "month comes first; write them like 2020-01-31"
    )


def _check_zones(text: Sequence[str], zones: Sequence[str | None], where: str, line: Callable[[int], str]) -> None:
    """Raise DataError where some cells name a zone and others do not."""
    odd = next((at for at, zone in enumerate(zones) if (zone is None) != (zones[0] is None)), None)
    if odd is not None:
        raise DataError(
            f"{where} mixes stamps with and without a time zone ({line(odd)}: {text[odd]!r}); "
            "write all of them in one way"
        )


def are_years(values: "pd.Series[Any]") -> bool:
    """Whether a column holds nothing but whole numbers of four digits that a year can be."""
    return all(not cell or year_begun(cell) != cell for cell in cells_of(values))


def cells_of(values: "pd.Series[Any]") -> list[str]:
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
