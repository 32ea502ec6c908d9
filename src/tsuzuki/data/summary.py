"""What a source of readings is, in two lines or as facts; and whether too many of its readings would be merged."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tsuzuki.data.series import collect
from tsuzuki.errors import DataError, IrregularError

if TYPE_CHECKING:
    import pandas as pd

    from tsuzuki.data.readers import Reading
    from tsuzuki.data.series import Collection, Series

# The share of a series' readings that may be of the same step as another without being asked about.
MERGED_UNASKED = 0.1


def describe(collection: "Collection") -> str:
    """Say what a collection holds and what was done to make it regular."""
    collection = collection.by_clock()
    first = min(str(series.times[0].astype("datetime64[D]")) for series in collection.series)
    last = max(str(series.times[-1].astype("datetime64[D]")) for series in collection.series)
    several = f" in {len(collection.series):,} series" if len(collection.series) > 1 else ""
    repairs, segments = collection.repairs, len(collection.segments)
    counts = [
        f"{repairs.missing:,} missing",
        f"{segments:,} segment{'' if segments == 1 else 's'}",
        *([f"{repairs.duplicates:,} duplicates merged"] if repairs.duplicates else []),
        *([f"{repairs.snapped:,} stamps snapped"] if repairs.snapped else []),
    ]
    return (
        f"{collection.name}: {collection.offsets[-1]:,} readings{several}, one every {collection.series[0].step}, "
        f"{first} to {last}{span_zone(collection)}\n{', '.join(counts)}"
    )


def span_zone(collection: "Collection") -> str:
    """What is said of the zone behind a span of times."""
    return "" if collection.clock is None else f" ({collection.clock})"


def collected(reading: "Reading", max_gap: int, merge: bool) -> "Collection":
    """Put readings on their grids, and refuse them where many would be merged without anybody having asked for it.

    Args:
        reading: what a file holds.
        max_gap: longest gap in steps that is interpolated.
        merge: whether means of any number of readings are wanted.

    Raises:
        DataError: more than a tenth of a series' readings are of the same step as another; or as `series.collect`.
    """
    collection = collect(reading.name, reading.frame, unit=reading.unit, max_gap=max_gap, zone=reading.zone)
    if not merge:
        unused = f" ({', '.join(reading.dropped[:3])})" if reading.dropped else ""
        remedy = (
            f"call the column of the series' names unique_id{unused}, name that of the time of day with --time, "
            "or take their means with --merge"
        )
        check_merged(collection, reading.frame["unique_id"].value_counts().to_dict(), remedy)
    return collection


def reading_facts(reading: "Reading", max_gap: int) -> dict[str, Any]:
    """What is worth knowing of readings before a network is trained on them.

    Args:
        reading: what a file holds.
        max_gap: longest gap in steps that is interpolated.

    Returns:
        Names and values as JSON holds them; without a grid, the step that would suit.

    Raises:
        DataError: as `series.collect`, except that there may be no grid.
    """
    import numpy as np

    frame = reading.frame
    facts: dict[str, Any] = {
        "kind": "readings",
        "name": reading.name,
        "series": int(frame["unique_id"].nunique()),
        "ids": [str(name) for name in frame["unique_id"].unique()],
        "columns": list(reading.columns),
        "not_used": list(reading.dropped),
        "unit": reading.unit,
        "zone": reading.zone,
        "readings": len(frame),
        "first": str(reading.zoned["ds"].min()),
        "last": str(reading.zoned["ds"].max()),
    }
    if switches := _switches(frame):
        facts["only_0_and_1"] = switches
    values = frame["y"].to_numpy(np.float64)
    if np.isfinite(values).any():
        facts |= {
            "least": float(np.nanmin(values)),
            "mean": float(np.nanmean(values)),
            "most": float(np.nanmax(values)),
        }
    try:
        collection = collect(reading.name, frame, unit=reading.unit, max_gap=max_gap)
    except IrregularError as error:
        return facts | {"step": None, "no_grid": error.what, "suits": error.freq}
    repairs = collection.repairs
    longest = max(collection.series, key=lambda one: len(one.values))
    return facts | {
        "step": longest.step,
        "points": collection.offsets[-1],
        "missing": repairs.missing,
        "longest_gap": max(_longest_gap(one) for one in collection.series),
        "segments": len(collection.segments),
        "duplicates": repairs.duplicates,
        "snapped": repairs.snapped,
        "seasons": _seasons(longest),
    }


def _switches(frame: "pd.DataFrame") -> list[str]:
    """Those of several series that hold nothing but 0 and 1: most often columns known ahead, as holidays are."""
    known = frame.dropna(subset="y").groupby("unique_id", sort=False)["y"]
    if len(known) < 2:
        return []
    return [str(name) for name, values in known if set(values.unique()) == {0.0, 1.0}]


def _longest_gap(series: "Series") -> int:
    """The most successive steps without a reading."""
    import numpy as np

    return int(np.diff(np.flatnonzero(series.observed)).max(initial=1)) - 1


def _seasons(series: "Series") -> list[dict[str, Any]]:
    import numpy as np

    from tsuzuki.data.grid import step_of
    from tsuzuki.data.season_strength import season_strengths

    if len(series.times) < 2:
        return []
    values = np.where(series.observed, series.values, np.nan)
    return [
        {"name": one.name, "steps": round(one.steps, 2), "explains": round(one.explained, 3)}
        for one in season_strengths(values, step_of(series.times))
    ]


def check_merged(collection: "Collection", counts: Mapping[Any, int], remedy: str) -> None:
    """Refuse a collection for which many readings were merged.

    Args:
        collection: the series on their grids.
        counts: readings of each series by its name.
        remedy: what to do.

    Raises:
        DataError: more than a tenth of a series' readings are of the same step as another.
    """
    for series in collection.series:
        merged, count = series.repairs.duplicates, int(counts[series.name])
        if merged > MERGED_UNASKED * count:
            raise DataError(
                f"{merged:,} of {count:,} readings of series {series.name!r} in {collection.name} are of the same "
                f"{series.step} as another; {remedy}"
            )
