"""Actual against forecast, a stretch at a time: what a slider moves through."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsuzuki.report.page import Figure, Ink
from tsuzuki.report.texts import Both, joined
from tsuzuki.report.thinning import numbers, spread, stamps

# A stretch of more points than this shows no forecast's shape, one of fewer no course.
MOST_POINTS, FEWEST_POINTS = 1500, 28
# Numbers of all lines together: about 8 bytes each in the page's data, 3 once they are packed.
BUDGET = 50_000
# Series to choose among; a menu of more is no help, and which are left out is said.
MOST_COURSES = 24
SECOND, DAY = 10**9, 86400
# In seconds: of a fine grid the longest that is a picture, of a coarse one the shortest.
SHORT, LONG = (7 * DAY, DAY, 3600, 60), (91 * DAY, 366 * DAY, 1826 * DAY, 7305 * DAY)
# What a stretch is counted in, by the seconds from which it is.
UNITS = (
    (730 * DAY, "years"),
    (56 * DAY, "months"),
    (2 * DAY, "days"),
    (7200, "hours"),
    (120, "minutes"),
    (0, "seconds"),
)


@dataclass(frozen=True)
class Line:
    """One line of the picture.

    Attributes:
        name: in the legend.
        ink: its colour in `page.css`.
        dash: Plotly's.
        width: in pixels.
        shown: False if only its name in the legend is there at first.
    """

    name: Both
    ink: str
    dash: str = "solid"
    width: float = 1.6
    shown: bool = True


@dataclass(frozen=True)
class Course:
    """One series' test part.

    Attributes:
        name: its id.
        times: [points], never decreasing; a time stands several times where a line is broken between two of its points.
        values: [lines, points], NaN where a line has none.
        marks: times to mark, such as where forecasts begin.
        low, high: [areas, points], the ends of shaded areas, NaN where there is none.
    """

    name: str
    times: NDArray[np.datetime64]
    values: NDArray[np.float64]
    marks: NDArray[np.datetime64] = field(default_factory=lambda: np.zeros(0, "datetime64[ns]"))
    low: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0)))
    high: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0)))


def step_between(times: NDArray[np.datetime64]) -> int:
    """The usual step in nanoseconds."""
    gaps = np.diff(times).astype("timedelta64[ns]").astype(np.int64)
    return max(1, int(np.median(gaps))) if len(gaps) else SECOND


def points_of(step: int) -> int:
    """How many steps a stretch has on a grid of this step (nanoseconds): a week's where that makes a picture."""
    for seconds in SHORT:
        count = seconds * SECOND // step
        if count < FEWEST_POINTS and seconds == SHORT[0]:
            break
        if count <= MOST_POINTS:
            return max(FEWEST_POINTS, count)
    else:
        return MOST_POINTS
    return next((count for seconds in LONG if (count := seconds * SECOND // step) >= FEWEST_POINTS), FEWEST_POINTS)


def unit_of(times: NDArray[np.datetime64], shortest: int = 0) -> str:
    """What the stretches of a grid are counted in: days of an hourly one, months of a daily one.

    Args:
        times: of one series, in order.
        shortest: steps that a stretch has at least.
    """
    step = step_between(np.unique(times))
    length = max(shortest, points_of(step)) * step // SECOND
    return next(name for seconds, name in UNITS if length >= seconds)


def weeks(
    courses: list[Course],
    lines: list[Line],
    unit: str | None,
    says: Both,
    *,
    areas: Sequence[tuple[Both, str]] = (),
    shortest: int = 0,
) -> Figure:
    """Draw courses.

    Args:
        courses: the series to choose among.
        lines: what the rows of their values are.
        unit: of the values.
        says: what the picture shows, in words.
        areas: name and ink of each shaded area.
        shortest: steps that a stretch has at least.
    """
    courses, says = _chosen(courses, says)
    groups = []
    for course in courses:
        place = np.unique(course.times, return_inverse=True)[1]
        count = max(shortest, points_of(step_between(np.unique(course.times))))
        stretches = -(-int(place[-1] + 1) // count)
        # Where not all fit into a page, evenly spread ones stand for them.
        most = max(2, BUDGET // (len(courses) * (len(lines) + 4 * len(areas)) * count))
        frames = []
        for number in spread(stretches, most).tolist():
            # The last stretch is a whole one too.
            start = max(0, min(number * count, int(place[-1]) + 1 - count))
            frames.append(_frame(course, np.flatnonzero((place >= start) & (place < start + count))))
        groups.append({"name": course.name, "frames": frames})
    slider = Both(unit_of(courses[0].times, shortest).capitalize(), "期間")
    return _figure(groups, lines, unit, says, areas, slider)


def whole(
    courses: list[Course], lines: list[Line], unit: str | None, says: Both, areas: Sequence[tuple[Both, str]] = ()
) -> Figure:
    """Draw courses, each in one picture; the arguments are those of `weeks`."""
    courses, says = _chosen(courses, says)
    groups = [{"name": one.name, "frames": [_frame(one, np.arange(len(one.times)))]} for one in courses]
    return _figure(groups, lines, unit, says, areas, None)


def _chosen(courses: list[Course], says: Both) -> tuple[list[Course], Both]:
    """The series to choose among, and the words, which tell if some are left out."""
    chosen = [courses[i] for i in spread(len(courses), MOST_COURSES)]
    if len(chosen) == len(courses):
        return courses, says
    left_out = Both(
        f"{len(chosen)} of {len(courses):,} series can be chosen, evenly spread.",
        f"{len(courses):,} 系列のうち、等間隔に選んだ {len(chosen)} 系列を表示できます。",
    )
    return chosen, joined(says, left_out)


def _figure(
    groups: list[dict[str, Any]],
    lines: list[Line],
    unit: str | None,
    says: Both,
    areas: Sequence[tuple[Both, str]],
    slider: Both | None,
) -> Figure:
    layout: dict[str, Any] = {
        "xaxis": {"type": "date"},
        "yaxis": {"title": {"text": unit or ""}},
        "hovermode": "x unified",
        "margin": {"l": 56, "r": 14, "t": 20, "b": 52},
    }
    # Areas lie below the lines.
    data = [_area(name, ink) for name, ink in areas] + [_trace(line) for line in lines]
    return Figure(data, layout, 420, says, groups, menu=Both("Series", "系列"), slider=slider)


def _frame(course: Course, rows: NDArray[np.int64]) -> dict[str, Any]:
    times = course.times[rows]
    x = stamps(times)
    inside = course.marks[(course.marks >= times[0]) & (course.marks <= times[-1])]
    return {
        "label": f"{x[0][:10]} – {x[-1][:10]}",
        "x": x,
        "ys": [
            *(_outline(times, low[rows], high[rows]) for low, high in zip(course.low, course.high, strict=True)),
            *(numbers(line[rows]) for line in course.values),
        ],
        "lines": stamps(inside) if len(inside) else [],
    }


def _outline(times: NDArray[np.datetime64], low: NDArray[np.float64], high: NDArray[np.float64]) -> dict[str, Any]:
    """Closed shapes around the unbroken parts of an area, None between two of them."""
    there = np.concatenate([[0], np.isfinite(low).astype(np.int8), [0]])
    x: list[str | None] = []
    y: list[float | None] = []
    for start, stop in zip(np.flatnonzero(np.diff(there) > 0), np.flatnonzero(np.diff(there) < 0), strict=True):
        along = stamps(times[start:stop])
        x += [*along, *reversed(along), None]
        y += [*numbers(high[start:stop]), *reversed(numbers(low[start:stop])), None]
    return {"x": x, "y": y}


def _area(name: Both, ink: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "fill": "toself",
        "fillcolor": Ink(ink),
        "line": {"width": 0},
        "hoverinfo": "skip",
    }


def _trace(line: Line) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": line.name,
        "line": {"color": Ink(line.ink), "width": line.width, "dash": line.dash},
        "visible": True if line.shown else "legendonly",
    }
