"""Segments: the unbroken stretches of a series, and which gaps end one.

A gap of up to `max_gap` missing steps is interpolated or carried through; a longer one splits the series.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Segment:
    """An unbroken stretch: positions start to stop (exclusive) of a flat array."""

    start: int
    stop: int


def fill_short_gaps(
    values: "NDArray[np.float64]", observed: "NDArray[np.bool_]", breaks: "NDArray[np.bool_]", max_gap: int
) -> "tuple[NDArray[np.float64], tuple[Segment, ...]]":
    """Interpolate short gaps; return the values and the segments between the long ones."""
    import numpy as np

    known = np.flatnonzero(observed)
    gaps = np.diff(known) - 1
    # A gap is identified by the reading after it; a break there ends the segment whatever the gap's length.
    ends = (gaps > max_gap) | breaks[known[1:]]
    filled = np.interp(np.arange(len(values)), known, values[known])
    for gap in np.flatnonzero(ends & (gaps > 0)):
        filled[known[gap] + 1 : known[gap + 1]] = np.nan
    starts = [int(known[0]), *(int(at) for at in known[1:][ends])]
    stops = [*(int(at) + 1 for at in known[:-1][ends]), int(known[-1]) + 1]
    return filled, tuple(Segment(start, stop) for start, stop in zip(starts, stops, strict=True))


def segments_between_gaps(observed: "NDArray[np.bool_]", max_gap: int) -> tuple[tuple[Segment, ...], bool]:
    """The segments of values that follow earlier ones, and whether the first continues them.

    The first begins at 0, even if steps are missing there, unless more than `max_gap` are; then it starts after them.
    """
    import numpy as np

    known = np.flatnonzero(observed)
    if len(known) == 0:
        return (), False
    ends = np.flatnonzero(np.diff(known) - 1 > max_gap)
    starts = [int(known[0]), *(int(known[at + 1]) for at in ends)]
    stops = [*(int(known[at]) + 1 for at in ends), int(known[-1]) + 1]
    goes_on = starts[0] <= max_gap
    if goes_on:
        starts[0] = 0
    return tuple(Segment(start, stop) for start, stop in zip(starts, stops, strict=True)), goes_on
