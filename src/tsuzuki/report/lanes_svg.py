"""The lanes of a very run, drawn: which steps each row of an update holds, and where its state comes from.

What is drawn is read from the layout that trained, not from a notion of it: every number in a box is a position in the
series, every arrow a state that the kernels carried on.
"""

import html
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tsuzuki.formatting import LANGUAGES
from tsuzuki.layouts.layout import CARRY, Layout, blocks
from tsuzuki.report.texts import Both, scrolling
from tsuzuki.report.thinning import merged

LANES = 6
ROW, BOX_HEIGHT = 36, 22
# Runs of a lane drawn one by one; more would be a solid bar anyway.
MOST_RUNS = 40


@dataclass(frozen=True)
class _Sheet:
    """How much of a layout is drawn, and how wide: on a screen with room, or on a phone.

    Attributes:
        name: of the drawing's class in `page.css`.
        updates: drawn at most.
        steps: boxes of a row at most, one of them for those that are left out.
        label: width of the lanes' names.
        pad: of a box, beside its number.
        gap: between two updates, room for a circle or an arrow.
        map_width: of the series in the drawing of the epoch.
    """

    name: str
    updates: int
    steps: int
    label: int
    pad: int
    gap: int
    map_width: int


# A phone of 360 pixels has 334 for a drawing.
SHEETS = (_Sheet("roomy", 3, 6, 64, 8, 44, 640), _Sheet("narrow", 2, 3, 58, 4, 30, 262))


@dataclass(frozen=True)
class _Reach:
    """Where a lane goes in an epoch: stretches of positions that one carried state runs through."""

    lane: int
    runs: tuple[tuple[int, int], ...]


def zoom(layout: Layout, what: Both, places: NDArray[np.int64] | None = None) -> str:
    """The first rows of the first updates, step by step, as SVG.

    Args:
        layout: what trained.
        what: what the drawing shows, for who cannot see it.
        places: the position in the series that each row of the flat inputs stands for; None if they are the same.
    """
    return _drawings(what, lambda sheet: _zoom(layout, places, sheet))


def whole(
    layout: Layout,
    points: int,
    segments: list[tuple[int, int]],
    what: Both,
    places: NDArray[np.int64] | None = None,
) -> str:
    """The whole epoch: where in the series each lane goes, and where its state begins at zero, as SVG.

    Args:
        layout: what trained.
        points: positions of the series.
        segments: its unbroken stretches, start and stop.
        what: what the drawing shows, for who cannot see it.
        places: as for `zoom`.
    """
    reaches, carried = _reaches(layout)
    if places is not None:
        reaches = [
            _Reach(one.lane, tuple((int(places[a]), int(places[b - 1]) + 1) for a, b in one.runs)) for one in reaches
        ]
    return _drawings(what, lambda sheet: _whole(reaches, carried, points, segments, sheet))


def _drawings(what: Both, draw: Callable[[_Sheet], tuple[str, int, int]]) -> str:
    """The drawing for each sheet, of which the page shows one; its words stand in it in both languages."""

    def one(sheet: _Sheet) -> str:
        inside, width, height = draw(sheet)
        # Read aloud in the language that is shown, which an attribute could not follow.
        key = f"lanes-{zlib.crc32((sheet.name + inside).encode()):08x}"
        drawn = (
            f'<svg class="lanes" role="img" aria-labelledby="{key}" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">{inside}</svg>'
        )
        box = scrolling(drawn, f'aria-labelledby="{key}"')
        return f'<div class="drawing {sheet.name}"><p class="unseen" id="{key}">{what.html()}</p>{box}</div>'

    return "".join(one(sheet) for sheet in SHEETS)


def _text(x: float, y: float, text: str) -> str:
    """A number or a sign in the middle of a box."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle">{html.escape(text)}</text>'


def _label(x: float, y: float, text: Both) -> str:
    return "".join(
        f'<text x="{x:.1f}" y="{y:.1f}" class="soft" lang="{lang}">{html.escape(getattr(text, lang))}</text>'
        for lang in LANGUAGES
    )


def _lane(y: float, number: int) -> str:
    return _label(0, y, Both(f"lane {number + 1}", f"レーン {number + 1}"))


def _zoom(layout: Layout, places: NDArray[np.int64] | None, sheet: _Sheet) -> tuple[str, int, int]:
    updates = min(sheet.updates, layout.updates)
    block = layout.block(0, updates)
    lanes = min(LANES, layout.lanes)
    # The widest number decides the boxes' width; monospace digits are 6.7 wide at this size.
    last = int(block.starts[:, :lanes].max())
    digits = len(str((last if places is None else int(places[last])) + layout.timesteps))
    box = max(20, round(6.7 * digits + sheet.pad))
    span = min(layout.timesteps, sheet.steps) * box + (0 if layout.every_step else box + 6)
    column = span + sheet.gap
    first = sheet.label + 22
    width = first + updates * column - sheet.gap + 4
    top = 26
    out = []
    for update in range(updates):
        label = Both(f"update {update + 1}", f"更新 {update + 1}")
        out.append(_label(first + update * column, 14, label))
    for lane in range(lanes):
        y = top + lane * ROW
        out.append(_lane(y + 15, lane))
        for update in range(updates):
            start, valid = int(block.starts[update, lane]), int(block.valid[update, lane])
            if start < 0:
                continue
            x = first + update * column
            # The steps of a row follow one another in the series too.
            begin = start if places is None else int(places[start])
            out.append(_row(layout, begin, valid, x, y, box, sheet.steps))
            middle = y + BOX_HEIGHT / 2
            if block.entries[update, lane] == CARRY and update > 0:
                out.append(
                    f'<path class="carry" d="M{x - sheet.gap + 4} {middle}H{x - 9}"/>'
                    f'<path class="tip" d="M{x - 10} {middle - 5}l8 5l-8 5z"/>'
                )
            else:
                out.append(f'<circle class="fresh" cx="{x - 12}" cy="{middle}" r="8"/>')
                out.append(_text(x - 12, middle + 4, "0"))
    height = top + lanes * ROW
    if layout.lanes > lanes:
        more = layout.lanes - lanes
        out.append(_label(0, height + 10, Both(f"and {more:,} more lanes", f"ほか {more:,} レーン")))
        height += 18
    return "".join(out), width, height + 4


def _row(layout: Layout, start: int, valid: int, x: float, y: float, box: int, most: int) -> str:
    """The boxes of one row: its inputs, and the target of a window."""
    steps = list(range(valid))
    if valid > most:
        # The first ones, a gap, and the last ones.
        steps = [*range(most // 2), -1, *range(valid - (most - 1) // 2, valid)]
    out = []
    for place, step in enumerate(steps):
        left = x + place * box
        if step < 0:
            out.append(_text(left + box / 2, y + 15, "…"))
            continue
        out.append(f'<rect class="box" x="{left}" y="{y}" width="{box - 2}" height="{BOX_HEIGHT}" rx="3"/>')
        out.append(_text(left + box / 2 - 1, y + 15, str(start + step)))
        if layout.every_step:
            out.append(f'<rect class="aim" x="{left + 3}" y="{y + BOX_HEIGHT + 3}" width="{box - 8}" height="4"/>')
    if not layout.every_step:
        left = x + len(steps) * box + 6
        out.append(f'<rect class="aim" x="{left}" y="{y}" width="{box - 2}" height="{BOX_HEIGHT}" rx="3"/>')
        out.append(_text(left + box / 2 - 1, y + 15, str(start + layout.timesteps)))
    return "".join(out)


def _reaches(layout: Layout) -> tuple[list[_Reach], bool]:
    """Where each of the first lanes goes, and whether states are carried at all."""
    lanes = min(LANES, layout.lanes)
    begins: list[list[int]] = [[] for _ in range(lanes)]
    ends: list[list[int]] = [[] for _ in range(lanes)]
    carried = False
    for block in blocks(layout):
        for lane in range(lanes):
            there = block.starts[:, lane] >= 0
            if not there.any():
                continue
            starts, stops = block.starts[there, lane], block.starts[there, lane] + block.valid[there, lane]
            fresh = np.flatnonzero(block.entries[there, lane] != CARRY)
            carried |= len(fresh) < len(starts)
            last = np.append(fresh[1:], len(starts)) - 1
            if ends[lane] and (len(fresh) == 0 or fresh[0] > 0):
                # The block before ended in the middle of a run.
                ends[lane][-1] = int(stops[fresh[0] - 1] if len(fresh) else stops[-1])
            begins[lane] += starts[fresh].tolist()
            ends[lane] += stops[last[: len(fresh)]].tolist()
    return [_Reach(i, tuple(zip(begins[i], ends[i], strict=True))) for i in range(lanes)], carried


def _whole(
    reaches: list[_Reach],
    carried: bool,
    points: int,
    segments: list[tuple[int, int]],
    sheet: _Sheet,
) -> tuple[str, int, int]:
    scale = sheet.map_width / points
    out = [_label(0, 14, Both("series", "系列"))]
    # Those less than a pixel apart are drawn as one.
    starts, stops = np.array(segments, np.int64).reshape(-1, 2).T
    for start, stop in merged(starts, stops, round(1 / scale)):
        width = max(0.7, (stop - start) * scale - 0.6)
        out.append(f'<rect class="seg" x="{sheet.label + start * scale:.2f}" y="5" width="{width:.2f}" height="9"/>')
    for reach in reaches:
        y = 26 + reach.lane * 18
        out.append(_lane(y + 10, reach.lane))
        if not reach.runs:
            continue
        if not carried or len(reach.runs) > MOST_RUNS:
            low, high = min(a for a, _ in reach.runs), max(b for _, b in reach.runs)
            out.append(_bar("run" if carried else "alone", sheet.label + low * scale, sheet.label + high * scale, y))
            continue
        # Passes through the same part of the series lie beneath one another, within the lane's height.
        tiers = _tiers(reach.runs)
        deep = max(tiers) + 1
        for (start, stop), tier in zip(reach.runs, tiers, strict=True):
            tall = 12 / deep
            left, right = sheet.label + start * scale, sheet.label + stop * scale
            out.append(_bar("run", left, right, y + tier * tall, max(1.5, tall - 1)))
            if deep <= 3:
                out.append(f'<circle class="fresh" cx="{left:.2f}" cy="{y + (tier + 0.5) * tall:.2f}" r="4"/>')
    return "".join(out), sheet.label + sheet.map_width + 8, 26 + len(reaches) * 18 + 4


def _tiers(runs: tuple[tuple[int, int], ...]) -> list[int]:
    """For each run the first tier in which it overlaps none before it."""
    found: list[int] = []
    for index, (start, stop) in enumerate(runs):
        taken = {found[i] for i, (a, b) in enumerate(runs[:index]) if a < stop and start < b}
        found.append(next(tier for tier in range(index + 1) if tier not in taken))
    return found


def _bar(kind: str, left: float, right: float, y: float, high: float = 11) -> str:
    width = max(1.0, right - left)
    return f'<rect class="{kind}" x="{left:.2f}" y="{y:.2f}" width="{width:.2f}" height="{high:.2f}" rx="2"/>'
