"""Draw how batches are laid out, for the documentation, from the layouts themselves: docs/images/*.svg.

python tools/make_drawings.py
"""

from pathlib import Path

from tsuzuki import Segment, Streams, Windows
from tsuzuki.layouts.layout import CARRY, Layout, blocks

IMAGES = Path(__file__).parents[1] / "docs" / "images"
BOX, GAP, TOP, LEFT, LINE = 22, 34, 30, 58, 30
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #1b1f24; text-anchor: middle; dominant-baseline: central }
.name { text-anchor: start; fill: #57606a } .step { fill: #dbe9fb; stroke: #0b63b0 }
.target { fill: #fdf3d7; stroke: #8a6500; stroke-dasharray: 3 2 } .carry { stroke: #c2410c; stroke-width: 2 }
.tip { fill: #c2410c } .zero { fill: none; stroke: #57606a }
.rest { fill: none; stroke: #8c959f; stroke-dasharray: 2 3 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .name { fill: #9da7b1 } .step { fill: #16304f; stroke: #6cb6ff }
.target { fill: #3d3213; stroke: #e3b341 } .carry { stroke: #ff9d5c } .tip { fill: #ff9d5c } .zero { stroke: #9da7b1 }
.rest { stroke: #6e7681 } }
"""


def drawing(layout: Layout, updates: int, *, every_step: bool) -> str:
    """The first updates of a layout as SVG: a row for each lane, a box for each step, what is scored dashed."""
    shapes = []
    width = layout.timesteps * BOX + (0 if every_step else BOX + 6) + GAP
    done = 0
    for block in blocks(layout):
        for k in range(len(block.starts)):
            if done == updates:
                break
            left = LEFT + 30 + done * width
            middle = left + layout.timesteps * BOX / 2
            shapes.append(f'<text class="name" x="{middle - 26:g}" y="12">update {done + 1}</text>')
            for lane in range(layout.lanes):
                y = TOP + lane * LINE
                start, valid = int(block.starts[k, lane]), int(block.valid[k, lane])
                shapes += _row(left, y, start, valid, layout.timesteps, every_step)
                if valid and block.entries[k, lane] == CARRY:
                    shapes.append(f'<path class="carry" d="M{left - GAP + 4} {y + 10}H{left - 8}"/>')
                    shapes.append(f'<path class="tip" d="M{left - 2} {y + 10}l-8 -4v8z"/>')
                elif valid:
                    shapes.append(f'<circle class="zero" cx="{left - 13}" cy="{y + 10}" r="9"/>')
                    shapes.append(f'<text x="{left - 13}" y="{y + 10}">0</text>')
            done += 1
    names = [
        f'<text class="name" x="4" y="{TOP + lane * LINE + 10}">lane {lane + 1}</text>' for lane in range(layout.lanes)
    ]
    wide, high = LEFT + 30 + done * width, TOP + layout.lanes * LINE
    inside = "\n".join([*names, *shapes])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" width="{wide}" height="{high}">'
        f"<style>{STYLE}</style>\n{inside}\n</svg>\n"
    )


def _row(left: int, y: int, start: int, valid: int, steps: int, every_step: bool) -> list[str]:
    found = []
    for step in range(steps):
        x, kind = left + step * BOX, "step" if step < valid else "rest"
        found.append(f'<rect class="{kind}" x="{x + 1}" y="{y}" width="{BOX - 2}" height="20" rx="3"/>')
        if step < valid:
            found.append(f'<text x="{x + BOX / 2:g}" y="{y + 10}">{start + step}</text>')
            if every_step:
                found.append(f'<path class="target" d="M{x + 3} {y + 24}h{BOX - 6}"/>')
    if not every_step and valid == steps:
        x = left + steps * BOX + 6
        found.append(f'<rect class="target" x="{x}" y="{y}" width="{BOX - 2}" height="20" rx="3"/>')
        found.append(f'<text x="{x + BOX / 2 - 1:g}" y="{y + 10}">{start + steps}</text>')
    return found


def drawings() -> dict[str, str]:
    """File names and their content."""
    series = [Segment(0, 24)]
    return {
        "stateless.svg": drawing(Windows(4, 4).over(series), 3, every_step=False),
        "stateful.svg": drawing(Windows(4, 4, stateful=True).over(series), 3, every_step=False),
        "streams.svg": drawing(Streams(4, 3).over([Segment(0, 37)]), 3, every_step=True),
        "ragged.svg": drawing(Windows(4, 4, stateful=True).over([Segment(0, 15)]), 3, every_step=False),
    }


if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    for name, text in drawings().items():
        (IMAGES / name).write_text(text)
        print(f"written to {IMAGES / name}")
