"""Which cells of a stream's lines say what, told by a header as files have it."""

from collections.abc import Sequence
from dataclasses import dataclass

from tsuzuki.data.columns import CLOCK_NAMES, TIME_NAMES, date_parts
from tsuzuki.data.date_forms import is_date
from tsuzuki.data.delimited import NUMBER
from tsuzuki.errors import DataError


@dataclass(frozen=True)
class Places:
    """Where in a line stands what.

    Attributes:
        name: of the series' name; -1 where lines do not name it.
        times: of the time, in one cell, or a date and a time of day, or a year, a month, a day and so on.
        value: of the reading.
    """

    name: int
    times: tuple[int, ...]
    value: int


# Of a line without a header.
PLAIN = Places(0, (1,), 2)
# Names of a day, beside which a time of day says when.
DATES = ("date", "日付", "年月日")


def places_in(labels: Sequence[str], columns: Sequence[str], *, named: bool) -> Places | None:
    """What a first line says of the lines behind it; None where it is no header.

    Args:
        labels: its cells, without blanks around them.
        columns: the names of the columns that the model was trained on, where they are known.
        named: whether lines must name their series.

    Raises:
        DataError: it names no time or no value, or another value than the model's.
    """
    known = [at for at, label in enumerate(labels) if label.lower() in TIME_NAMES]
    if not known and not any(label in ("unique_id", "y", *columns) for label in labels):
        return None
    if any(NUMBER.fullmatch(label) or is_date(label) for label in labels):
        # A series may be called like a column.
        return None
    name = labels.index("unique_id") if "unique_id" in labels else -1
    times = _times(labels, known, {name, *(labels.index(one) for one in ("y", *columns) if one in labels)})
    rest = [at for at in range(len(labels)) if at not in (*times, name)]
    values = [at for at in rest if labels[at] in columns] or [at for at in rest if labels[at] == "y"]
    if not values and len(rest) == 1:
        if columns and labels[rest[0]].lower() != "value":
            raise DataError(
                f"the header has {labels[rest[0]][:40]!r}, but the model was trained on {columns[0][:40]!r}; call the "
                "column so, or y"
            )
        values = rest
    if len(values) != 1 or not times or (name < 0 and named):
        shown = ",".join(labels)[:60]
        raise DataError(f"the header {shown!r} does not say which column is which; name them unique_id, ds and y")
    return Places(name, times, values[0])


def _times(labels: Sequence[str], known: Sequence[int], taken: set[int]) -> tuple[int, ...]:
    """The cells that hold the time: one that is called so, with a clock beside a date, or the only one left."""
    parts = date_parts(labels)
    if len(parts) > 1 and not any(labels[at] not in parts for at in known):
        return tuple(labels.index(label) for label in parts)
    dates = [at for at in known if labels[at].lower() not in CLOCK_NAMES]
    clocks = [at for at, label in enumerate(labels) if label.lower() in CLOCK_NAMES]
    if dates and clocks and labels[dates[0]].lower() in DATES:
        return (dates[0], clocks[0])
    if known:
        return ((dates or known)[0],)
    left = [at for at in range(len(labels)) if at not in taken]
    return tuple(left) if len(left) == 1 else ()
