"""Draw the packages and their imports, for the page about contributing: docs/images/rooms.svg.

    python tools/draw_rooms.py

A package stands one floor above the highest that it imports from. An arrow that other arrows lead to as well is left
out, so that the picture shows the way and not every import. The ground floor is used from everywhere and has no arrows.
"""

import itertools
import textwrap
from collections.abc import Iterator
from pathlib import Path

import rooms

IMAGE = Path(__file__).resolve().parents[1] / "docs" / "images" / "rooms.svg"
WIDE, HIGH, ACROSS, DOWN, LEFT, TOP = 196, 56, 116, 88, 92, 14
GROUND = tuple(rooms.FLOORS[-1])
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #57606a; text-anchor: middle }
.name { font: 600 14px ui-monospace, monospace; fill: #1b1f24 }
.package { fill: #dbe9fb; stroke: #0b63b0 } .module { fill: #fdf3d7; stroke: #8a6500 }
.ground { fill: #eaeef2; stroke: #8c959f }
.arrow { fill: none; stroke: #57606a; stroke-width: 1.4 } .tip { fill: #57606a }
.way { fill: none; stroke: #c2410c; stroke-width: 3 } .waytip { fill: #c2410c } .wayname { fill: #c2410c }
@media (prefers-color-scheme: dark) {
text { fill: #9da7b1 } .name { fill: #e6edf3 } .package { fill: #16304f; stroke: #6cb6ff }
.module { fill: #3d3213; stroke: #e3b341 } .ground { fill: #21262d; stroke: #6e7681 }
.arrow { stroke: #9da7b1 } .tip { fill: #9da7b1 }
.way { stroke: #ff9d5c } .waytip { fill: #ff9d5c } .wayname { fill: #ff9d5c } }
"""


def heights(edges: set[tuple[str, str]]) -> dict[str, int]:
    """The floor of each package, 0 for one that imports only from the ground floor."""
    found: dict[str, int] = {}
    for name in reversed(rooms.ORDER):
        if name not in GROUND:
            found[name] = 1 + max((found[below] for above, below in edges if above == name), default=-1)
    return found


def shortest(edges: set[tuple[str, str]]) -> list[tuple[str, str]]:
    """The edges without those that a longer way leads along as well."""
    below = {name: {to for at, to in edges if at == name} for name in rooms.ORDER}
    reached: dict[str, set[str]] = {}
    for name in reversed(rooms.ORDER):
        reached[name] = below[name].union(*(reached[to] for to in below[name]))
    return sorted((at, to) for at, to in edges if not any(to in reached[way] for way in below[at]))


def columns(floors: dict[str, int], edges: list[tuple[str, str]]) -> dict[str, int]:
    """A column for each package, two of them to a box, so that arrows are short and run neither over boxes nor across.

    Two neighbouring floors at a time are put where the rest wants them, until nothing moves any more.
    """
    levels = [[name for name in rooms.ORDER if floors.get(name) == level] for level in range(max(floors.values()) + 1)]
    slots = 2 * max(map(len, levels)) - 1
    found = {name: 2 * place for level in levels for place, name in enumerate(level)}

    def cost(columns: dict[str, int]) -> float:
        total = 0.0
        for above, below in edges:
            total += abs(columns[above] - columns[below]) ** 1.5
            for name, level in floors.items():
                if floors[below] < level < floors[above]:
                    share = (floors[above] - level) / (floors[above] - floors[below])
                    passes = columns[above] + (columns[below] - columns[above]) * share
                    total += 20 * (abs(passes - columns[name]) < 0.95)
        for (a, b), (c, d) in itertools.combinations(edges, 2):
            if floors[b] < floors[c] and floors[d] < floors[a]:
                total += 10 * ((columns[a] - columns[c]) * (columns[b] - columns[d]) < 0)
        return total

    def choices(level: list[str]) -> Iterator[dict[str, int]]:
        for places in itertools.permutations(range(slots), len(level)):
            if all(abs(a - b) > 1 for a, b in itertools.combinations(places, 2)):
                yield dict(zip(level, places, strict=True))

    while True:
        before = cost(found)
        for low, high in itertools.pairwise(levels):
            both = itertools.product(choices(low), choices(high))
            found = min(({**found, **one, **other} for one, other in both), key=cost)
        if cost(found) >= before:
            return found


def _label(name: str) -> str:
    """A package's name with a slash behind it, a module's with its ending."""
    return f"{name}.py" if (rooms.PACKAGE / f"{name}.py").is_file() else f"{name}/"


def _box(name: str, x: float, y: float, wide: float, kind: str) -> Iterator[str]:
    """A box with a package's name and what it knows, its middle at x, its top at y."""
    yield f'<rect class="{kind}" x="{x - wide / 2:g}" y="{y}" width="{wide:g}" height="{HIGH}" rx="7"/>'
    text = rooms.KNOWS[name].replace("`", "")
    # Two lines about as long as each other, where one is too short.
    lines = [text] if len(text) <= 27 else textwrap.wrap(text, len(text) // 2 + 6)
    first = y + (24 if len(lines) == 1 else 19)
    yield f'<text class="name" x="{x:g}" y="{first}">{_label(name)}</text>'
    for number, line in enumerate(lines, start=1):
        yield f'<text x="{x:g}" y="{first + 3 + 14 * number}">{line}</text>'


def _arrow(x: float, y: float, to_x: float, to_y: float) -> Iterator[str]:
    """An arrow from the bottom of one box to the top of another."""
    bend = (to_y - y) / 2
    yield f'<path class="arrow" d="M{x:g} {y:g}C{x:g} {y + bend:g} {to_x:g} {to_y - bend:g} {to_x:g} {to_y - 6:g}"/>'
    yield f'<path class="tip" d="M{to_x:g} {to_y:g}l-4 -8h8z"/>'


def drawing() -> str:
    """The picture as SVG."""
    edges = {(above, below) for above, below in rooms.edges() if above not in GROUND and below not in GROUND}
    floors, drawn = heights(edges), shortest(edges)
    place = columns(floors, drawn)
    highest, slots = max(floors.values()), max(place.values())
    middle = {name: LEFT + WIDE / 2 + column * ACROSS for name, column in place.items()}
    top = {name: TOP + (highest - floor) * DOWN for name, floor in floors.items()}
    wide, ground = LEFT + WIDE + slots * ACROSS + 8, TOP + (highest + 1) * DOWN

    def port(name: str, other: str, ends: list[tuple[str, str]], own: int) -> float:
        """Where an arrow leaves or enters a box: arrows share its edge in the order of their other ends."""
        others = sorted((edge[1 - own] for edge in ends if edge[own] == name), key=lambda one: (middle[one], top[one]))
        return middle[name] + (others.index(other) - (len(others) - 1) / 2) * 26

    shapes = []
    for above, below in drawn:
        start, end = port(above, below, drawn, 0), port(below, above, drawn, 1)
        shapes += _arrow(start, top[above] + HIGH, end, top[below])
    for name in floors:
        kind = "module" if _label(name).endswith(".py") else "package"
        shapes += _box(name, middle[name], top[name], WIDE, kind)
    share = (wide - LEFT - 8 + 12) / len(GROUND)
    for number, name in enumerate(GROUND):
        shapes += _box(name, LEFT + share * (number + 0.5) - 6, ground, share - 12, "ground")
    bottom = ground - (DOWN - HIGH)
    shapes += [
        f'<path class="way" d="M30 {bottom}V{TOP + 12}"/>',
        f'<path class="waytip" d="M30 {TOP}l-8 16h16z"/>',
        f'<text class="wayname" transform="translate(58 {(TOP + bottom) / 2:g}) rotate(-90)">'
        "data flow: readings, batches, trained networks, forecasts, answers</text>",
    ]
    inside, high = "\n".join(shapes), ground + HIGH + 8
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide:g} {high}" width="{wide:g}" height="{high}">'
        f"<style>{STYLE}</style>\n{inside}\n</svg>\n"
    )


def table() -> str:
    """The packages and what each knows, as the page shows them below the picture."""
    lines = [f"| `{_label(name)}` | {what} |" for name, what in rooms.KNOWS.items()]
    return "\n".join(["| | knows |", "|---|---|", *lines]) + "\n"


if __name__ == "__main__":
    IMAGE.write_text(drawing(), "utf-8")
    print(f"written to {IMAGE}; below it on the page stands")
    print(table(), end="")
