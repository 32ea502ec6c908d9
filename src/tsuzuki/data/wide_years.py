"""Tables with a row for each year and a column for each month or quarter, turned into long ones."""

import re
from collections.abc import Sequence

from tsuzuki.data.date_forms import MONTHS
from tsuzuki.data.delimited import Table
from tsuzuki.data.timestamps import are_years, cells_of
from tsuzuki.data.value_columns import Wanted

# How the columns of the long table are called.
TIME, VALUE = "month", "y"
YEAR_NAMES = ("year", "年")
# Month names, short or in full, numbers, 1月; and quarters as Q1, Qtr1, 1Q.
_MONTH = re.compile(
    r"(?P<name>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?|(?P<number>0?[1-9]|1[0-2])月?",
    re.IGNORECASE,
)
_QUARTER = re.compile(r"(?:q|qtr\.?\s?|quarter\s?)(?P<before>[1-4])|(?P<behind>[1-4])q", re.IGNORECASE)


def long_table(table: Table, wanted: Wanted) -> Table:
    """The table with a row for each month or quarter; the table itself where it is no such one.

    Months behind the last value of a series are no readings: its last year goes on.

    Args:
        table: as the file holds it.
        wanted: what the user names; a table of which columns are named is left as it is.
    """
    import numpy as np
    import pandas as pd

    frame, labels = table.frame, [str(label) for label in table.frame.columns]
    named = wanted.time or wanted.covariates or not wanted.needs_value or wanted.values not in ((), (VALUE,))
    periods = _periods(labels)
    if named or VALUE in labels or not periods:
        return table
    year = next((label for label in labels if label.lower() in YEAR_NAMES), labels[0])
    if year in periods or not are_years(frame[year]):
        return table
    form = "{}-{:02}" if len(periods) == 12 else "{}Q{}"
    years, count = cells_of(frame[year]), len(periods)
    stamps = [own and form.format(own, 1 + place) for own in years for place in range(count)]
    cells = frame[list(periods)]
    found = pd.DataFrame({TIME: stamps, VALUE: cells.to_numpy().ravel()})
    series = [label for label in labels if label == "unique_id"]
    for label in series:
        found[label] = frame[label].repeat(count).to_numpy()
    there = found[VALUE].notna()[::-1]
    kept = np.flatnonzero((there.groupby(found[series[0]]).cummax() if series else there.cummax())[::-1])
    rest = [label for label in table.labels if label not in (year, *periods, *series)]
    return Table(
        table.name,
        found.iloc[kept].reset_index(drop=True),
        (*series, TIME, VALUE, *rest),
        lambda row: f"{table.line(int(kept[row]) // count)} ({periods[kept[row] % count]})",
    )


def _periods(labels: Sequence[str]) -> tuple[str, ...]:
    """The twelve columns of months or four of quarters in order; none where one is missing or there twice."""
    for form, count in ((_MONTH, 12), (_QUARTER, 4)):
        found: dict[int, str] = {}
        places = [(form.fullmatch(label.strip()), label) for label in labels]
        matching = [(one, label) for one, label in places if one is not None]
        for one, label in matching:
            name = one.groupdict().get("name")
            found[MONTHS.index(name[:3].lower()) + 1 if name else int(one[one.lastgroup or 0])] = label
        if len(found) == len(matching) == count:
            return tuple(found[number] for number in sorted(found))
    return ()
