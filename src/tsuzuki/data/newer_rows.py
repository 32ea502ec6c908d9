"""Rows that are newer than what a model knows: on its grid, continued, and refused where they are on another one."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tsuzuki.data.covariates import align_to_grid
from tsuzuki.data.grid import following_times, nearest_positions, step_name
from tsuzuki.data.summary import MERGED_UNASKED
from tsuzuki.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

# Beyond, the newest row's time is taken to be wrong.
MOST_STEPS = 50_000_000
# The share of rows that may lie more than a quarter of a step beside the grid, as in training data.
MOST_BESIDE = 0.1
# So many times say that none of them follows another by a step because that is not their grid.
FEWEST_SPARSE = 4


def newer_rows(
    frame: "pd.DataFrame", times: NDArray[np.datetime64], columns: Sequence[str], *, merge: bool
) -> tuple[NDArray[np.datetime64], NDArray[np.float64]]:
    """The rows of one series after the last of `times`, on the continued grid.

    Args:
        frame: unique_id, ds and the columns.
        times: at least the last two of the series' grid.
        columns: what to read, the readings first.
        merge: whether means of any number of rows of the same step are wanted.

    Returns:
        The times, and the columns [points, columns], NaN where missing.

    Raises:
        DataError: the rows are implausibly far ahead of `times`, or on another grid.
    """
    stamps = frame["ds"].to_numpy("datetime64[ns]")
    # Months and business days lie unequally far apart.
    step = np.diff(times[-14:]).min()
    fresh = stamps > times[-1] + step / 2
    if not fresh.any():
        return times[:0], np.zeros((0, len(columns)))
    count = int((stamps.max() - times[-1]) / step) + 2
    if count > MOST_STEPS:
        raise DataError(
            f"the newest row ({stamps.max()}) is {count:,} steps after the last known time ({times[-1]}); "
            "check its time"
        )
    ahead = following_times(times, count)
    _check_grid(str(frame["unique_id"].iloc[0]), stamps[fresh], ahead, int(step.astype(np.int64)), merge=merge)
    values = align_to_grid(frame[fresh], ahead, columns)
    known = np.flatnonzero(~np.isnan(values[:, 0]))
    # Rows without a reading only show that time has passed; the last one shows how much.
    stop = int(known[-1]) + 1 if len(known) else int(nearest_positions(ahead, stamps[fresh].max()[None])[0]) + 1
    return ahead[:stop], values[:stop]


def _check_grid(
    name: str, stamps: NDArray[np.datetime64], ahead: NDArray[np.datetime64], step: int, *, merge: bool
) -> None:
    """Raise DataError where newer stamps are on a finer or coarser grid than a series' own, or beside it."""
    place = nearest_positions(ahead, stamps)
    own = f"the grid that the model knows of series {name!r}, one every {step_name(step)}"
    beside = np.abs(stamps - ahead[place]).astype("timedelta64[ns]").astype(np.int64) > step / 4
    if beside.mean() > MOST_BESIDE:
        odd = str(stamps[beside.argmax()].astype("datetime64[s]")).replace("T", " ")
        raise DataError(
            f"{int(beside.sum()):,} of {len(stamps):,} newer readings, such as that of {odd}, are beside {own}; "
            "give readings on that grid, or fit with freq= (--freq)"
        )
    positions = np.unique(place)
    merged = len(place) - len(positions)
    if not merge and merged > MERGED_UNASKED * len(place):
        raise DataError(
            f"{merged:,} of {len(place):,} newer readings are of the same step as another of {own}; "
            "name the series in unique_id, or take their means with merge=True (--merge)"
        )
    closest = int(np.diff(positions).min()) if len(positions) >= FEWEST_SPARSE else 1
    if closest > 1:
        raise DataError(
            f"newer readings follow each other after {closest} steps at the closest, which is not {own}; "
            "give readings on that grid"
        )
