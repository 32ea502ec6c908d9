"""Which columns of a table hold values and covariates, and the numbers in them.

A column is named as it stands, or by a pattern such as temp*. What is not unambiguous is an error that lists the
choices.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from tsuzuki.data.delimited import Table
from tsuzuki.data.series import LARGEST
from tsuzuki.errors import DataError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

SAMPLE = 20
# Letters of a name that a message shows.
LONGEST = 40


@dataclass(frozen=True)
class Wanted:
    """The columns that a user names.

    Attributes:
        values: of each a series is made; none where the only possible one is meant.
        time: of the times, or two or more that hold them, separated by commas; None where it can be told.
        covariates: kept beside the values.
        needs_value: whether there must be a column of values; a file of future covariates has none.
        day_first: whether dates such as 03/02/2020 begin with the day; None where the file must tell.
    """

    values: tuple[str, ...] = ()
    time: str | None = None
    covariates: tuple[str, ...] = ()
    needs_value: bool = True
    day_first: bool | None = None

    @property
    def names(self) -> set[str]:
        """All names, of which some may be patterns."""
        return {name.strip() for name in (*self.values, *(self.time or "").split(","), *self.covariates) if name}


def is_pattern(name: str) -> bool:
    """Whether a name stands for all columns that are called like it."""
    return "*" in name or "?" in name


def unit_of(label: str) -> str | None:
    """The unit in a column's name, as in 気温(℃)."""
    unit = re.search(r"[(\[（]([^)\]）]{1,12})[)\]）]\s*$", label)
    return unit.group(1).replace("℃", "°C").replace("％", "%") if unit else None


def clipped(label: str) -> str:
    """A name as a message shows it: in one line, and not for ever."""
    words = " ".join(label.split())
    return words if len(words) <= LONGEST else f"{words[:LONGEST]}..."


def listed(labels: Sequence[str]) -> str:
    """Names as a message lists them."""
    shown = ", ".join(clipped(label) for label in labels[:SAMPLE])
    return shown if len(labels) <= SAMPLE else f"{shown} and {len(labels) - SAMPLE:,} more"


def value_columns(table: Table, wanted: Wanted, taken: Iterable[str]) -> tuple[str, ...]:
    """The columns that hold values, in the order in which they are named.

    Args:
        table: the table.
        wanted: what is named.
        taken: columns that hold times, names of series and covariates.

    Raises:
        DataError: a name that no column has, or a choice to make.
    """
    found: list[str] = []
    numeric = _numeric(table, taken)
    for name in map(str.strip, wanted.values):
        if name in table.frame.columns:
            found.append(name)
        elif is_pattern(name) and (matching := [label for label in numeric if fnmatchcase(label, name)]):
            found += matching
        else:
            raise DataError(
                f"column {name!r} is not in {table.name} (it has: {listed(table.labels)}); name one with --column"
            )
    if found or not wanted.needs_value:
        return tuple(dict.fromkeys(found))
    return (_only_column(table, numeric, taken),)


def covariate_columns(table: Table, wanted: Wanted) -> tuple[str, ...]:
    """The columns of covariates.

    Raises:
        DataError: one is not there; the message names all that are looked for.
    """
    for name in wanted.covariates:
        if name not in table.frame.columns:
            raise DataError(
                f"column {name!r} is not in {table.name}, where the covariates {', '.join(wanted.covariates)} are "
                f"looked for (it has: {listed(table.labels)}); add it, or name others with --past, --known and --static"
            )
    return wanted.covariates


def _numeric(table: Table, taken: Iterable[str]) -> list[str]:
    import pandas as pd

    frame, others = table.frame, _others(table, taken)
    return [label for label in others if label in frame and pd.api.types.is_numeric_dtype(frame[label])]


def _others(table: Table, taken: Iterable[str]) -> list[str]:
    """The columns that have a name and no other task."""
    taken = set(taken)
    others = [label for label in table.labels if label and label not in taken and not re.fullmatch(r"\.\d+", label)]
    return [label for label in others if not label.startswith("Unnamed:")]


def _only_column(table: Table, numeric: list[str], taken: Iterable[str]) -> str:
    name, others = table.name, _others(table, taken)
    for found in (others, numeric):
        if len(found) == 1:
            return found[0]
    if "y" in others:
        return "y"
    if not others:
        raise DataError(f"{name} has no column beside the time (it has: {listed(table.labels)}); give one with values")
    raise DataError(
        f"{name} has several columns that could hold the values ({listed(numeric or others)}); name one with --column, "
        "or all of them as series with --column '*'"
    )


def values(table: Table, column: str) -> "pd.Series[float]":
    import numpy as np
    import pandas as pd

    values, where = table.frame[column], f"column {clipped(column)!r} of {table.name}"
    if pd.api.types.is_complex_dtype(values) or pd.api.types.is_datetime64_any_dtype(values):
        raise DataError(f"{where} holds {values.dtype}, not numbers; name another column with --column")
    try:
        numbers = pd.to_numeric(values, errors="coerce").astype("float64")
    except (TypeError, ValueError):
        raise DataError(f"{where} does not hold numbers but lists or tables; name another column") from None
    wrong = np.flatnonzero((numbers.isna() & values.notna()).to_numpy())
    if len(wrong):
        found = numbers.to_numpy("float64", copy=True)
        found[wrong] = [marked(str(cell)) for cell in values.iloc[wrong]]
        numbers = pd.Series(found, values.index)
        wrong = wrong[np.isinf(found[wrong])]
    if len(wrong):
        raise DataError(
            f"{where} holds {str(values.iloc[wrong[0]])[:40]!r} in {table.line(int(wrong[0]))}, which is no "
            "number; correct it, leave it empty, or name another column with --column"
        )
    check_size(numbers.to_numpy("float64"), where, table.line)
    return numbers


def check_size(numbers: "NDArray[Any]", where: str, line: Any) -> None:
    """Raise DataError where a number is infinite or too large to compute with."""
    import numpy as np

    wrong = np.flatnonzero(np.abs(numbers) > LARGEST)
    if not len(wrong):
        return
    at = line(int(wrong[0]))
    if np.isinf(numbers[wrong[0]]):
        raise DataError(f"{where} is infinite in {at}; leave the cell empty if it is missing")
    raise DataError(f"{where} holds {numbers[wrong[0]]:g} in {at}; numbers up to 3.4e+38 can be computed with")


def marked(cell: str) -> float:
    """The number in a cell with one of the Japan Meteorological Agency's marks behind it.

    `)` is quasi-normal and `*` an extreme of several days: the number holds. `]` is insufficient, `#` questionable:
    missing, as is a cell with such a mark alone.

    Returns:
        The number, NaN where it is missing, infinity where the cell is no such number.
    """
    found = re.fullmatch(r"([-+]?\d+(?:\.\d+)?)?\s*([)\]#*×]|///|--)?", unicodedata.normalize("NFKC", cell).strip())
    if found is None:
        return float("inf")
    number, mark = found.groups()
    return float(number) if number is not None and mark in (None, ")", "*") else float("nan")
