"""What a source of readings is, in two lines; and whether too many of its readings would be merged."""

from typing import TYPE_CHECKING

from tsuzuki.data.series import collect
from tsuzuki.errors import DataError

if TYPE_CHECKING:
    from tsuzuki.data.readers import Reading
    from tsuzuki.data.series import Collection

# The share of a series' readings that may be of the same step as another without being asked about.
MERGED_UNASKED = 0.1


def describe(collection: "Collection", zone: str | None) -> str:
    """Say what a collection holds and what was done to make it regular.

    Args:
        collection: the series on their grids.
        zone: the time zone that the file names, or None.
    """
    first = min(str(series.times[0].astype("datetime64[D]")) for series in collection.series)
    last = max(str(series.times[-1].astype("datetime64[D]")) for series in collection.series)
    several = f" in {len(collection.series):,} series" if len(collection.series) > 1 else ""
    utc = "" if zone is None else ", in UTC" if zone == "UTC" else f", in UTC (the file's zone: {zone})"
    repairs, segments = collection.repairs, len(collection.segments)
    counts = [
        f"{repairs.missing:,} missing",
        f"{segments:,} segment{'' if segments == 1 else 's'}",
        *([f"{repairs.duplicates:,} duplicates merged"] if repairs.duplicates else []),
        *([f"{repairs.snapped:,} stamps snapped"] if repairs.snapped else []),
    ]
    return (
        f"{collection.name}: {collection.offsets[-1]:,} readings{several}, one every {collection.series[0].step}, "
        f"{first} to {last}{utc}\n{', '.join(counts)}"
    )


def collected(reading: "Reading", max_gap: int, merge: bool) -> "Collection":
    """Put readings on their grids, and refuse them where many would be merged without anybody having asked for it.

    Args:
        reading: what a file holds.
        max_gap: longest gap in steps that is interpolated.
        merge: whether means of any number of readings are wanted.

    Raises:
        DataError: more than a tenth of a series' readings are of the same step as another; or as `series.collect`.
    """
    collection = collect(reading.name, reading.frame, unit=reading.unit, max_gap=max_gap)
    if not merge:
        counts = reading.frame["unique_id"].value_counts()
        for series in collection.series:
            merged, count = series.repairs.duplicates, int(counts[series.name])
            if merged > MERGED_UNASKED * count:
                raise DataError(
                    f"{merged:,} of {count:,} readings of series {series.name!r} in {reading.name} are of the same "
                    f"{series.step} as another; name the column of the time of day or of the series' names, or take "
                    "their means with --merge"
                )
    return collection
