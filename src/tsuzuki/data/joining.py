"""Several files as one source: their readings joined in time, what they overlap in compared."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tsuzuki.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

    from tsuzuki.data.readers import Reading


def join(readings: "Sequence[Reading]") -> "pd.DataFrame":
    """Join the frames of several files, each a stretch of the same series.

    Args:
        readings: what the files hold; a reading that several of them have must be the same in all.

    Returns:
        One long frame, the files in order of their first time. A gap between files is a gap; a break (`change`) is
        none where one file ends and the next begins, for the numbers that say it begin anew in each file.

    Raises:
        DataError: two files disagree on a reading, a unit, or whether times have a zone.
    """
    import pandas as pd

    ordered = sorted(readings, key=lambda one: one.frame["ds"].min())
    check_kinds(ordered)
    together = pd.concat(_numbered(ordered), ignore_index=True)
    keys = ["unique_id", "ds"]
    overlap = together[together.duplicated(keys, keep=False)]
    overlap = overlap[overlap.groupby(keys)["file"].transform("nunique") > 1]
    for column in sorted(set(together.columns) - {*keys, "change", "file"}, key=lambda name: name != "y"):
        _check_agreement(overlap, column, [one.name for one in ordered])
    # Of equal readings the first file's stay; one that is missing there is taken from the next that has it.
    overlap = overlap.assign(missing=overlap["y"].isna()).sort_values(["missing", "file"], kind="stable")
    gone = overlap.index[overlap.groupby(keys)["file"].transform("first") != overlap["file"]]
    return together[~together.index.isin(gone)].drop(columns="file").reset_index(drop=True)


def check_kinds(readings: "Sequence[Reading]") -> None:
    """Raise DataError where files have other units, or times with and without a zone."""
    first = readings[0]
    for one in readings[1:]:
        for what, a, b in (("unit", first.unit, one.unit), ("time zone", first.zone, one.zone)):
            if a != b and (what == "unit" or (a is None) != (b is None)):
                raise DataError(
                    f"{first.name} has {a or 'no'} {what} and {one.name} has {b or 'no'} {what}; "
                    "give files of one kind, or read them one by one"
                )


def check_single(frame: "pd.DataFrame", columns: Sequence[str], name: str) -> None:
    """Raise DataError where a column of a long frame has two values for a series at one time.

    Args:
        frame: unique_id, ds and the columns.
        columns: those to look at.
        name: of the file.
    """
    for column in columns:
        own = frame[["unique_id", "ds", column]].dropna().drop_duplicates()
        twice = own[own.duplicated(["unique_id", "ds"], keep=False)]
        if len(twice):
            series, time, value = twice.iloc[0]
            other = twice[(twice["unique_id"] == series) & (twice["ds"] == time)][column].iloc[1]
            raise DataError(f"{name}: {column} of series {series!r} is {value:g} and {other:g} at {time}; give it once")


def _numbered(ordered: "Sequence[Reading]") -> "list[pd.DataFrame]":
    """The frames with the number of their file, their breaks counted on from file to file."""
    import pandas as pd

    broken = any("change" in one.frame for one in ordered)
    last: dict[str, int] = {}
    found = []
    for number, one in enumerate(ordered):
        frame = one.frame.assign(file=number)
        if broken:
            before = pd.Series([last.get(name, 0) for name in frame["unique_id"]], frame.index)
            frame["change"] = frame.get("change", 0) + before
            last.update({str(name): int(count) for name, count in frame.groupby("unique_id")["change"].max().items()})
        found.append(frame)
    return found


def _check_agreement(overlap: "pd.DataFrame", column: str, names: Sequence[str]) -> None:
    """Raise DataError where two files have different values for one reading, or for a covariate beside it."""
    known = overlap[overlap[column].notna()]
    means = known.groupby(["unique_id", "ds", "file"])[column].mean().reset_index()
    spread = means.groupby(["unique_id", "ds"])[column].agg(["min", "max"]).reset_index()
    odd = spread[spread["min"] != spread["max"]]
    if len(odd):
        series, time = odd["unique_id"].iloc[0], odd["ds"].iloc[0]
        two = means[(means["unique_id"] == series) & (means["ds"] == time)].sort_values(column).iloc[[0, -1]]
        (a, b), (low, high) = two["file"], two[column]
        of = "" if column == "y" else f"{column} of "
        raise DataError(
            f"{names[a]} and {names[b]} disagree on {of}series {series!r} at {time} ({low:g} and {high:g}); "
            "give one of them"
        )
