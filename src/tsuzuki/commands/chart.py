"""A forecast as a small chart of a terminal, in Braille dots."""

import os
import sys
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tsuzuki import formatting

if TYPE_CHECKING:
    from plotille import Canvas

    from tsuzuki.forecasting.outlook import Outlook

HEIGHT, NARROWEST, WIDEST = 11, 40, 110


def can_be_shown() -> bool:
    """Whether standard output is a terminal that knows Braille dots."""
    if not sys.stdout.isatty():
        return False
    try:
        "⣿".encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def chart(outlook: "Outlook", width: int, *, coloured: bool | None = None) -> str:
    """Draw the readings, the last forecast with its narrowest interval, and the cut-off line.

    Args:
        outlook: what is drawn.
        width: columns of the terminal.
        coloured: with ANSI colours; None is yes unless NO_COLOR is set.

    Returns:
        Lines of text, none wider than the terminal; nothing where it is too narrow or there is nothing to draw.
    """
    from plotille import Canvas

    if coloured is None:
        coloured = not os.environ.get("NO_COLOR")
    fan = outlook.fans[-1]
    bands = list(fan.bands.values())[-1:]
    lines: list[tuple[NDArray[np.datetime64], NDArray[np.float64], str | None]] = [
        (outlook.times, outlook.values, None),
        *((fan.times, end, "cyan") for band in bands for end in band),
        (fan.times, fan.point, "bright_blue"),
    ]
    everything = np.concatenate([values for _, values, _ in lines])
    there = everything[np.isfinite(everything)]
    if not len(there):
        return ""
    low, high = float(there.min()), float(there.max())
    if low == high:
        low, high = low - 1, high + 1
    labels = formatting.aligned([high, (low + high) / 2, low], 2)
    margin = max(map(len, labels))
    columns = min(width, WIDEST) - margin - 3
    if columns < NARROWEST:
        return ""
    start, stop, cut = (time.astype("datetime64[s]").astype(float) for time in _ends(outlook))
    canvas = Canvas(columns, HEIGHT, start, low, stop, high)
    canvas.line(cut, low, cut, high, color="bright_black" if coloured else None)
    for times, values, color in lines:
        _draw(canvas, times.astype("datetime64[s]").astype(float), values, color if coloured else None)
    at = {0: labels[0], HEIGHT // 2: labels[1], HEIGHT - 1: labels[2]}
    rows = canvas.plot().splitlines()
    text = [f" {at.get(number, ''):>{margin}} {row}" for number, row in enumerate(rows)]
    return "\n".join([*text, " " * (margin + 2) + _times(outlook, columns, (cut - start) / (stop - start))])


def _ends(outlook: "Outlook") -> tuple[np.datetime64, np.datetime64, np.datetime64]:
    fan = outlook.fans[-1]
    return min(outlook.times[0], fan.times[0]), fan.times[-1], fan.times[0]


def _draw(canvas: "Canvas", x: NDArray[np.float64], y: NDArray[np.float64], color: str | None) -> None:
    """A line, broken where a value is missing."""
    for a, b, c, d in zip(x[:-1], y[:-1], x[1:], y[1:], strict=True):
        if np.isfinite(b) and np.isfinite(d):
            canvas.line(float(a), float(b), float(c), float(d), color=color)


def _times(outlook: "Outlook", columns: int, share: float) -> str:
    """The first time, the origin's below its line, and the last where there is room for it too."""
    first, last, cut = (str(time.astype("datetime64[m]")).replace("T", " ") for time in _ends(outlook))
    short = all(time.endswith(" 00:00") for time in (first, last, cut))
    first, last, cut = (time[:10] if short else time for time in (first, last, cut))
    if outlook.zone is not None:
        first = f"{first} {outlook.zone}"
    row = [" "] * columns
    row[: len(first)] = first
    at = min(round(share * columns) - len(cut) // 2, columns - len(cut))
    if at > len(first) + 1:
        row[at : at + len(cut)] = cut
    if at + len(cut) + 1 < columns - len(last):
        row[columns - len(last) :] = last
    return "".join(row).rstrip()
