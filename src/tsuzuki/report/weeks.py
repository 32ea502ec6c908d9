"""Actual against forecast, a week at a time: what a slider moves through."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsuzuki.report.page import Figure, Ink
from tsuzuki.report.texts import Both
from tsuzuki.report.thinning import numbers, spread, stamps

# A stretch of more points than this shows no forecast's shape, one of fewer no course.
MOST_POINTS, FEWEST_POINTS = 1500, 28
# Numbers of all lines together: about 8 bytes each in the page.
BUDGET = 250_000
SECOND = 10**9
LENGTHS = (7 * 86400, 86400, 3600, 60)


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
        times: [points], never decreasing; a time stands twice where a line is broken between two of its points.
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


def points_of(times: NDArray[np.datetime64]) -> int:
    """How many steps a stretch has: a week's where that makes a picture."""
    gaps = np.diff(times).astype("timedelta64[ns]").astype(np.int64)
    step = int(np.median(gaps)) if len(gaps) else SECOND
    for seconds in LENGTHS:
        count = seconds * SECOND // step
        if count <= MOST_POINTS:
            return max(FEWEST_POINTS, int(count))
    return MOST_POINTS


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
    groups = []
    for course in courses:
        place = np.unique(course.times, return_inverse=True)[1]
        count = max(shortest, points_of(np.unique(course.times)))
        stretches = -(-int(place[-1] + 1) // count)
        # Where not all fit into a page, evenly spread ones stand for them.
        most = max(4, BUDGET // (len(courses) * (len(lines) + 2 * len(areas)) * count))
        frames = []
        for number in spread(stretches, most).tolist():
            # The last stretch is a whole one too.
            start = max(0, min(number * count, int(place[-1]) + 1 - count))
            frames.append(_frame(course, np.flatnonzero((place >= start) & (place < start + count))))
        groups.append({"name": course.name, "frames": frames})
    layout: dict[str, Any] = {
        "xaxis": {"type": "date"},
        "yaxis": {"title": {"text": unit or ""}},
        "hovermode": "x unified",
        "margin": {"l": 56, "r": 14, "t": 20, "b": 40},
    }
    # Areas lie below the lines.
    data = [_area(name, ink) for name, ink in areas] + [_trace(line) for line in lines]
    return Figure(data, layout, 420, says, groups, menu=Both("Series", "系列"), slider=Both("Week", "週"))


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
