"""Do the finished weights follow the season in which training ended, or only grow old? Asked of their errors.

Trained in time order, the weights could simply become worse with the time since the training's end; or they could fit
the time of year at which it ended, and be bad half a year from it in every year. The two differ in the years before:
errors are summed by half-years counted from the training's end, those around its time of year and those opposite, and
each sum is divided by persistence's, since some seasons are harder than others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tsuzuki.data.distinct import counted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tsuzuki.experiment.prepared_data import PreparedData

# A quarter of a year, in seconds.
QUARTER = 365.2425 * 86400 / 4
# A half-year of which less has been scored than this share says nothing.
ENOUGH = 0.5


@dataclass(frozen=True)
class Season:
    """What the time of year at which training ended means for the finished weights.

    Attributes:
        near: their squared error in the half-years around that time of year, in times persistence's.
        far: likewise in the opposite half-years.
        chased: whether in every year, however far from the training's end, the opposite half-year is worse than each
            of those around that time of year.
    """

    near: float
    far: float
    chased: bool


def half_years(data: "PreparedData") -> "NDArray[np.int64]":
    """The half-year of each point, [points]: 0 is that around its series' end of training, even ones are like it."""
    import numpy as np

    collection = data.collection
    found = np.zeros(len(collection.values), np.int64)
    ends = [segment.stop for segment in data.training]
    for series, start, stop in zip(collection.series, collection.offsets, collection.offsets[1:], strict=False):
        last = max((end for end in ends if start < end <= stop), default=stop) - 1 - start
        away = (series.times - series.times[last]) / np.timedelta64(1, "s")
        found[start:stop] = np.floor((away + QUARTER) / (2 * QUARTER))
    return found


def season(data: "PreparedData", forecasts: "Sequence[NDArray[np.float32]]") -> Season | None:
    """Compare the half-years' errors of several weights' forecasts, each [points] of scaled values.

    Returns:
        None where fewer than two whole half-years of either kind have been scored.
    """
    import numpy as np

    halves = half_years(data)
    scored = data.train_targets | data.test_targets
    numbers, counts = counted(halves[scored])
    at = np.searchsorted(numbers, halves[scored])
    seconds = np.median(np.diff(data.collection.series[0].times)) / np.timedelta64(1, "s")
    whole = counts >= ENOUGH * 2 * QUARTER / seconds * len(data.collection.series)
    near, far = whole & (numbers % 2 == 0), whole & (numbers % 2 == 1)
    if near.sum() < 2 or far.sum() < 2:
        return None
    values = data.scaled[:, 0].astype(np.float64)
    persistence = np.bincount(at, (values - np.roll(values, 1))[scored] ** 2)
    sums = np.array([np.bincount(at, (values - one)[scored] ** 2) for one in forecasts])
    if not persistence[whole].all():
        return None
    ratios = sums.mean(axis=0) / persistence

    def mean(part: "NDArray[np.bool_]") -> float:
        return float(sums.mean(axis=0)[part].sum() / persistence[part].sum())

    return Season(mean(near), mean(far), bool(ratios[far].min() > ratios[near].max()))
