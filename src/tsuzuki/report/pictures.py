"""The picture of series: readings, gaps, segments, and what is held out."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsuzuki.data.series import Collection, Series
from tsuzuki.report.page import Figure, Ink
from tsuzuki.report.texts import Both, joined
from tsuzuki.report.thinning import BUCKETS, merged, numbers, spread, stamps, thin

# More rows than this would be no picture; which are shown is said.
MOST_SERIES = 6
ROW_HEIGHT = 210
READINGS, FILLED = Both("readings", "観測値"), Both("interpolated", "補間した値")
LONG, HELD, SEGMENT = Both("long gap", "長い欠測"), Both("held out", "評価用"), Both("segments", "区間")


def picture(collection: Collection, cuts: tuple[int, ...] | None = None) -> Figure:
    """Draw a collection.

    Args:
        collection: the series.
        cuts: where the held-out part of each begins, in positions of all values (`Collection.split`), if any.
    """
    shown = [int(i) for i in spread(len(collection.series), MOST_SERIES)]
    data: list[dict[str, Any]] = []
    ends = [collection.series[i].times[[0, -1]] for i in shown]
    span = stamps(np.array([min(first for first, _ in ends), max(last for _, last in ends)]))
    axis = {"type": "date", "showgrid": False, "range": span}
    layout: dict[str, Any] = {"shapes": [], "annotations": [], "xaxis": axis}
    size = 1 / len(shown)
    for row, number in enumerate(shown):
        series = collection.series[number]
        cut = None if cuts is None else cuts[number] - collection.offsets[number]
        top = 1 - row * size
        bottom = top - size * (0.8 if len(shown) > 1 else 1)
        _row(data, layout, series, cut, row, (bottom, top))
        suffix = "" if row == 0 else str(2 * row + 1)
        layout[f"yaxis{suffix}"]["title"] = {"text": collection.unit or ""}
        if len(collection.series) > 1:
            layout["annotations"].append(
                {
                    "text": series.name,
                    "xref": "paper",
                    "yref": "paper",
                    "x": 0,
                    "y": top,
                    "xanchor": "left",
                    "yanchor": "bottom",
                    "showarrow": False,
                    "font": {"color": Ink("text")},
                }
            )
    if len(shown) > 1:
        layout["legend"] = {"y": 1 + 40 / (ROW_HEIGHT * len(shown))}
    margin = {"margin": {"l": 56, "r": 14, "t": 60, "b": 36}}
    return Figure(data, layout | margin, 110 + ROW_HEIGHT * len(shown), says(collection, len(shown), cuts is not None))


def _row(
    data: list[dict[str, Any]],
    layout: dict[str, Any],
    series: Series,
    cut: int | None,
    row: int,
    domain: tuple[float, float],
) -> None:
    """The traces and axes of one series: its line above, the strip of its segments below."""
    above, below = "" if row == 0 else str(2 * row + 1), str(2 * row + 2)
    strip = 0.1 * (domain[1] - domain[0])
    shared = {"xaxis": "x", "yaxis": f"y{above}", "legendgroup": "", "hoverinfo": "x+y"}
    times, values = series.times, series.values
    at = thin(values)
    first = row == 0

    def trace(name: Both, x: NDArray[np.datetime64], y: NDArray[np.float64], **how: Any) -> None:
        data.append(
            {"name": name, "x": stamps(x), "y": numbers(y), "type": "scatter", "showlegend": first} | shared | how
        )

    trace(READINGS, times[at], values[at], mode="lines", line={"color": Ink("c1"), "width": 1}, legendgroup="r")
    filled = np.flatnonzero(~series.observed & ~np.isnan(values))
    bucket = max(1, len(values) // BUCKETS)
    filled = filled[np.unique(filled // bucket, return_index=True)[1]]
    if len(filled):
        marker = {"color": Ink("c2"), "size": 4}
        # The first row that has any of them stands for all in the legend.
        told = any(one["name"] == FILLED for one in data)
        trace(
            FILLED, times[filled], values[filled], mode="markers", marker=marker, legendgroup="f", showlegend=not told
        )
    open_ = np.isnan(values).astype(np.int8)
    edges = np.diff(np.concatenate([[0], open_, [0]]))
    gaps = merged(np.flatnonzero(edges > 0), np.flatnonzero(edges < 0), bucket)
    for start, stop in gaps:
        _band(layout, series, start, stop, above, "gap")
    if gaps:
        _swatch(data, LONG, "gap")
    if cut is not None and cut < len(values):
        _band(layout, series, cut, len(values), above, "held")
        _swatch(data, HELD, "held")
    pieces = merged(
        np.array([one.start for one in series.segments]), np.array([one.stop for one in series.segments]), 0
    )
    for turn, ink in enumerate(("c7", "c3")):
        x: list[str | None] = []
        words: list[Any] = []
        for index, (start, stop) in list(enumerate(pieces))[turn::2]:
            ends = stamps(times[[start, stop - 1]])
            x += [*ends, None]
            words += [f"{index + 1}: {ends[0]} – {ends[1]} ({stop - start:,})"] * 2 + [None]
        if x:
            told = any(one["name"] == SEGMENT for one in data)
            data.append(
                {
                    "name": SEGMENT,
                    "type": "scatter",
                    "mode": "lines",
                    "x": x,
                    "y": [None if one is None else 0 for one in x],
                    "text": words,
                    "hoverinfo": "text",
                    "line": {"color": Ink(ink), "width": 7},
                    "xaxis": "x",
                    "yaxis": f"y{below}",
                    "showlegend": not told,
                    "legendgroup": "s",
                }
            )
    layout[f"yaxis{above}"] = {"domain": [domain[0] + 1.5 * strip, domain[1]], "anchor": "x"}
    layout[f"yaxis{below}"] = {
        "domain": [domain[0], domain[0] + strip],
        "anchor": "x",
        "range": [-1, 1],
        "showticklabels": False,
        "ticks": "",
        "showline": False,
        "showgrid": False,
        "zeroline": False,
        "fixedrange": True,
    }
    layout["xaxis"]["anchor"] = f"y{below}"


def _band(layout: dict[str, Any], series: Series, start: int, stop: int, axis: str, ink: str) -> None:
    ends = stamps(series.times[[max(0, start - 1), min(stop, len(series.times) - 1)]])
    layout["shapes"].append(
        {
            "type": "rect",
            "xref": "x",
            "yref": f"y{axis} domain",
            "x0": ends[0],
            "x1": ends[1],
            "y0": 0,
            "y1": 1,
            "fillcolor": Ink(ink),
            "line": {"width": 0},
            "layer": "below",
        }
    )


def _swatch(data: list[dict[str, Any]], name: Both, ink: str) -> None:
    """A square in the legend for a shade in the picture, once."""
    if any(one["name"] == name for one in data):
        return
    marker = {"color": Ink(ink), "size": 12, "symbol": "square", "line": {"color": Ink("soft"), "width": 1}}
    data.append({"name": name, "type": "scatter", "mode": "markers", "x": [None], "y": [None], "marker": marker})


def says(collection: Collection, shown: int, tested: bool) -> Both:
    """The picture in words."""
    repairs, unit = collection.repairs, collection.unit or ""
    values = collection.values
    low, high = np.nanmin(values), np.nanmax(values)
    count = len(collection.segments)
    parts = [
        Both(
            f"{len(values):,} steps of the series between {low:,.4g} and {high:,.4g} {unit}".rstrip()
            + f", in {count:,} segment{'' if count == 1 else 's'} (the strip below).",
            f"系列は {len(values):,} ステップで、値は {low:,.4g} から {high:,.4g} {unit}".rstrip()
            + f" です。下の帯は {count:,} 個の区間を表します。",
        )
    ]
    if repairs.interpolated:
        parts.append(
            Both(
                f"{repairs.interpolated:,} missing readings are interpolated (dots).",
                f"欠測のうち {repairs.interpolated:,} 個は補間しました（点）。",
            )
        )
    if repairs.open:
        parts.append(
            Both(
                f"{repairs.open:,} missing readings lie in long gaps (shaded), after which the state begins anew.",
                f"{repairs.open:,} 個は長い欠測（網掛け）の中にあり、その後は状態を 0 から始めます。",
            )
        )
    if tested:
        parts.append(Both("The shaded end is held out.", "右端の網掛けは、評価用に取り置いた部分です。"))
    if shown < len(collection.series):
        total = len(collection.series)
        parts.append(Both(f"{shown} of {total:,} series are shown.", f"{total:,} 系列のうち {shown} 系列を示します。"))
    return joined(*parts)
