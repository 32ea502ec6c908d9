"""Public holidays as a column that is known ahead by itself: 1 on a holiday, 0 on other days.

The days come from the package `holidays`. A column is called "holidays in JP": whoever aligns columns to a grid finds
in the name all that is needed to compute it.
"""

from typing import TYPE_CHECKING, Any

from tsuzuki.errors import DataError, MissingExtraError, SettingError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PREFIX = "holidays in "


def column_of(where: str) -> str:
    """The name of the column for a country, region and zone."""
    return PREFIX + where


def is_computed(column: str) -> bool:
    """Whether a column's values follow from the times alone."""
    return column.startswith(PREFIX)


def check_holidays(where: str) -> None:
    """Check that the holidays of a country can be told.

    Args:
        where: "JP"; with a region "US-CA"; with the zone of the dates, where times are in UTC, "JP@Asia/Tokyo" or
            "JP@+09:00".

    Raises:
        SettingError: an unknown country, region or zone.
        MissingExtraError: the package `holidays` is not installed.
    """
    _country(where, range(2024, 2025))
    _zone(where)


def on_holiday(times: "NDArray[np.datetime64]", where: str) -> "NDArray[np.float64]":
    """1 for each time on a public holiday, 0 for others, [points].

    Args:
        times: datetime64 [points], the country's own or, where a zone is named, UTC.
        where: as for `check_holidays`.

    Raises:
        DataError: times weeks apart, of which a date would say nothing.
    """
    import numpy as np
    import pandas as pd

    # From Friday to Monday business days are three days apart.
    gap = np.diff(times[:14]).min() / np.timedelta64(1, "D") if len(times) > 1 else 0.0
    if gap > 3:
        raise DataError(
            f"holidays are read on grids of days or less, and these times are {gap:g} days apart; leave out holidays"
        )
    stamps, zone = pd.DatetimeIndex(times), _zone(where)
    if zone is not None:
        stamps = stamps.tz_localize("UTC").tz_convert(zone).tz_localize(None)
    days, at = np.unique(stamps.to_numpy("datetime64[D]"), return_inverse=True)
    free = _country(where, range(int(stamps.year.min()), int(stamps.year.max()) + 1)) if len(days) else {}
    return np.array([float(day in free) for day in days.tolist()])[at]


def with_zone(where: str, zone: str | None) -> str:
    """Name the zone of a file's times too, where the file names one and the user none.

    Raises:
        SettingError: the file names several, so none of them is the country's.
    """
    if not where or "@" in where or zone in (None, "UTC"):
        return where
    if zone == "several offsets":
        raise SettingError(
            f"the times have several offsets from UTC; name the zone of the holidays: --holidays {where}@Europe/Berlin"
        )
    return f"{where}@{zone}"


def _country(where: str, years: range) -> Any:
    try:
        import holidays
    except ImportError:
        raise MissingExtraError(
            "holidays= needs the package holidays, which is not installed; install it with: "
            'pip install "tsuzuki[holidays]"'
        ) from None
    country, _, region = where.partition("@")[0].partition("-")
    try:
        return holidays.country_holidays(country, subdiv=region or None, years=years)
    except NotImplementedError:
        known = holidays.list_supported_countries().get(country)
        if known:
            remedy = f"{country}'s regions are {', '.join(known)}"
        elif known is not None:
            remedy = f"{country} has no regions here; leave {region!r} out"
        else:
            remedy = "give a country's two letters, such as JP, or with a region US-CA"
        raise SettingError(f"holidays is {where!r}, of which no holidays are known; {remedy}") from None


def _zone(where: str) -> Any:
    from datetime import UTC, datetime
    from zoneinfo import ZoneInfo

    _, there, name = where.partition("@")
    if not there:
        return None
    try:
        if name[:1] in ("+", "-"):
            return datetime.fromisoformat(f"2000-01-01T00:00:00{name}").tzinfo
        return UTC if name == "UTC" else ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        raise SettingError(
            f"holidays is {where!r}, but there is no zone {name!r}; give one such as Asia/Tokyo or +09:00"
        ) from None
