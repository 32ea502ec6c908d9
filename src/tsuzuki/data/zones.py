"""The time zone that data name: stamps are UTC inside, and in their zone wherever they are shown or given back."""

from typing import TYPE_CHECKING, Any

from tsuzuki.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

# What a column with several offsets is shown in.
UTC = "UTC"


def zone_name(zone: Any) -> str:
    """What a time zone object is called: UTC, +09:00, Asia/Tokyo; UTC where its name says nothing to pandas."""
    import re

    name = str(zone)
    offset = re.fullmatch(r"UTC([-+]\d\d:\d\d)", name)
    if offset:
        return UTC if offset[1] in ("+00:00", "-00:00") else offset[1]
    return name if is_zone(name) else UTC


def is_zone(name: str) -> bool:
    """Whether pandas can show stamps in the zone of this name."""
    import pandas as pd

    try:
        pd.Timestamp(0, tz=known_zone(name))
    except (ValueError, TypeError, KeyError, OSError, IndexError):
        return False
    return True


def known_zone(zone: str) -> str:
    """The zone's name as pandas and Arrow know it: UTC for several offsets."""
    return UTC if zone == "several offsets" else zone


def in_zone(times: Any, zone: str | None) -> "pd.Series[pd.Timestamp]":
    """Stamps in the zone that their data name.

    Args:
        times: datetime64 [stamps] without a zone, UTC if there is one.
        zone: UTC, +09:00, Asia/Tokyo; several offsets, which are shown in UTC; None: the stamps stay as they are.
    """
    import pandas as pd

    found = pd.Series(times).astype("datetime64[ns]")
    return found if zone is None else found.dt.tz_localize(UTC).dt.tz_convert(known_zone(zone))


def wall_offset(time: "np.datetime64", zone: str | None) -> "np.timedelta64":
    """What clocks of a zone show more than UTC at a time."""
    import numpy as np
    import pandas as pd

    if zone is None:
        return np.timedelta64(0, "ns")
    there = pd.Timestamp(time).tz_localize(UTC).tz_convert(known_zone(zone))
    gained: pd.Timedelta = there.tz_localize(None) - pd.Timestamp(time)
    return np.timedelta64(gained.value, "ns")


def shown_zone(time: "np.datetime64", zone: str | None) -> str | None:
    """How a picture calls the zone of its times, which have one offset throughout: +09:00, Europe/Berlin (+02:00)."""
    import numpy as np

    if zone is None or known_zone(zone) == UTC:
        return None if zone is None else UTC
    minutes = int(wall_offset(time, zone) // np.timedelta64(60, "s"))
    offset = f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
    return offset if zone == offset else f"{zone} ({offset})"


def without_zone(times: "pd.Series[Any]", zone: str | None, at: "np.datetime64") -> "NDArray[np.datetime64]":
    """Stamps of a table as a picture shows them: by the clocks of the zone, as they stand at the time `at`."""
    import numpy as np

    if times.dt.tz is not None:
        times = times.dt.tz_convert(UTC).dt.tz_localize(None)
    return np.asarray(times.to_numpy("datetime64[ns]") + wall_offset(at, zone))


def check_zone(found: str | None, known: str | None, what: str) -> None:
    """Raise DataError where newer readings name a zone and those that a model was trained on do not, or otherwise."""
    if (found is None) != (known is None):
        raise DataError(
            f"{what} names {found or 'no time zone'}, but the readings that the model was trained on "
            f"{known or 'none'}; write the times as they were there"
        )
