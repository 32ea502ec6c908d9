"""One page that holds all it needs: sections and figures in, HTML out.

Figures are Plotly's JSON. Where a text or a colour stands in one, a `Both` or an `Ink` does: the page's script puts in
the reader's language and the colours of the light or the dark sheet. Plotly's script and the figures are packed with
gzip, and the browser unpacks them: 2 MB instead of 5.
"""

import base64
import gzip
import html
import importlib.util
import json
import re
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from tsuzuki.errors import MissingExtraError, SettingError
from tsuzuki.formatting import LANGUAGES
from tsuzuki.report.texts import Both


@dataclass(frozen=True)
class Ink:
    """A colour by the name it has in `page.css`."""

    name: str


@dataclass(frozen=True)
class Figure:
    """A plot.

    Attributes:
        data: Plotly's traces.
        layout: Plotly's layout, without what all figures share.
        height: in pixels.
        says: what the picture shows, for who cannot see it.
        groups: pictures to choose among with a menu, each a dict of `name` and `frames`; a frame, chosen with a
            slider, is a dict of `label`, `x`, `ys` (for each trace its values, or a dict of its own `x` and `y`), `lines` (times to
            mark) and perhaps the y axis's `title`.
        menu: what the menu chooses.
        slider: what the slider chooses.
    """

    data: list[dict[str, Any]]
    layout: dict[str, Any]
    height: int
    says: Both
    groups: list[dict[str, Any]] = field(default_factory=list)
    menu: Both | None = None
    slider: Both | None = None


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes:
        key: its id.
        title: its heading.
        parts: HTML, and figures, in order.
    """

    key: str
    title: Both
    parts: tuple["str | Figure", ...]


@dataclass(frozen=True)
class Page:
    """A whole page."""

    title: Both
    lead: Both
    sections: tuple[Section, ...]


NEEDS = Both(
    "The plots need JavaScript and a browser of 2023 or later; words, tables and drawings are here without it.",
    "グラフの表示には JavaScript と 2023 年以降のブラウザが必要です。文章・表・図解はそのまま読めます。",
)


def check(lang: str = "en", option: str = "--report") -> None:
    """Raise where a page could not be written, before hours are spent on its content.

    Raises:
        SettingError: a language that a page does not have.
        MissingExtraError: Plotly, whose script draws the figures, is not installed.
    """
    if lang not in LANGUAGES:
        raise SettingError(f"--lang is {lang!r}; choose {' or '.join(LANGUAGES)}")
    if importlib.util.find_spec("plotly") is None:
        raise MissingExtraError(
            f'{option} needs the package plotly, which is not installed; install it with: pip install "tsuzuki[report]"'
        )


def render(page: Page, lang: str = "en") -> str:
    """The page as HTML that needs nothing else: no network, no file beside it.

    Args:
        page: what it holds.
        lang: the language shown first, en or ja.

    Raises:
        SettingError, MissingExtraError: as `check`.
    """
    check(lang)
    from plotly.offline import get_plotlyjs

    words: list[Both] = []
    figures: dict[str, Any] = {}
    library = get_plotlyjs()
    body = "".join(_section(section, figures, words) for section in page.sections)
    links = "".join(f'<li><a href="#{section.key}">{section.title.html()}</a></li>' for section in page.sections)
    here = resources.files("tsuzuki.report")
    titles = {one: getattr(page.title, one) for one in LANGUAGES}
    data = {"figures": figures, "words": [[word.en, word.ja] for word in words], "titles": titles}
    return f"""<!doctype html>
<html lang="{lang}" data-lang="{lang}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; \
script-src 'unsafe-inline'; img-src data: blob:">
<title>{html.escape(titles[lang])}</title>
<link rel="icon" href="data:,">
<style>
{(here / "page.css").read_text("utf-8")}
</style>
</head>
<body>
<a class="skip" href="#main">{Both("Skip to the content", "本文へ移動").html()}</a>
<header>
<div class="top">
<h1>{page.title.html()}</h1>
<div class="languages" role="group" aria-label="Language / 言語">
<button type="button" data-to="en" lang="en" class="both" aria-pressed="{str(lang == "en").lower()}">English</button>
<button type="button" data-to="ja" lang="ja" class="both" aria-pressed="{str(lang == "ja").lower()}">日本語</button>
</div>
</div>
<p class="lead">{page.lead.html()}</p>
<nav aria-label="{html.escape("Sections / 目次")}"><ul>{links}</ul></nav>
</header>
<main id="main">
<noscript><p>{NEEDS.html()}</p></noscript>
<p id="old" hidden>{NEEDS.html()}</p>
{body}
</main>
<footer><p>{
        Both(
            "In a plot: the arrow keys move, + and - zoom, 0 shows everything. With a mouse: drag to zoom, double-click to "
            "go back.",
            "グラフの操作: 矢印キーで移動、+ と - で拡大・縮小、0 で全体表示。マウスではドラッグで拡大、"
            "ダブルクリックで元に戻ります。",
        ).html()
    }</p></footer>
<!-- {_license(library)} -->
<script type="application/gzip" id="library">{_packed(library)}</script>
<script type="application/gzip" id="data">{_packed(_json(data))}</script>
<script>
{(here / "page.js").read_text("utf-8")}
</script>
</body>
</html>
"""


def _section(section: Section, figures: dict[str, Any], words: list[Both]) -> str:
    parts = []
    for part in section.parts:
        if isinstance(part, str):
            parts.append(part)
            continue
        key = f"{section.key}-{len(figures)}"
        figures[key] = {
            "data": _plain(part.data, words),
            "layout": _plain(part.layout, words),
            "groups": _plain(part.groups, words),
            "height": part.height,
        }
        parts.append(_figure(key, part))
    return (
        f'<section id="{section.key}" aria-labelledby="{section.key}-title">'
        f'<h2 id="{section.key}-title">{section.title.html()}</h2>{"".join(parts)}</section>\n'
    )


def _figure(key: str, figure: Figure) -> str:
    controls = []
    if figure.menu is not None and len(figure.groups) > 1:
        options = "".join(
            f'<option value="{i}" data-en="{html.escape(_in(group["name"], "en"))}" '
            f'data-ja="{html.escape(_in(group["name"], "ja"))}">{html.escape(_in(group["name"], "en"))}</option>'
            for i, group in enumerate(figure.groups)
        )
        controls.append(f'<label>{figure.menu.html()} <select data-for="{key}">{options}</select></label>')
    if figure.slider is not None and any(len(group["frames"]) > 1 for group in figure.groups):
        last = len(figure.groups[0]["frames"]) - 1
        controls.append(
            f'<label class="slider">{figure.slider.html()} '
            f'<button type="button" data-by="-1" data-for="{key}" aria-label="-1">&#9664;</button>'
            f'<input type="range" min="0" max="{last}" value="0" step="1" data-for="{key}" '
            f'aria-label="{html.escape(figure.slider.en)}">'
            f'<button type="button" data-by="1" data-for="{key}" aria-label="+1">&#9654;</button>'
            f'</label><output data-for="{key}" aria-live="polite"></output>'
        )
    shown = f'<div class="controls">{"".join(controls)}</div>' if controls else ""
    return (
        f'<figure>{shown}<div class="plot" id="{key}" role="img" tabindex="0" aria-labelledby="{key}-says" '
        f'style="height:{figure.height}px"></div><figcaption id="{key}-says">{figure.says.html()}</figcaption></figure>'
    )


def _in(name: Both | str, lang: str) -> str:
    return name if isinstance(name, str) else str(getattr(name, lang))


def _plain(value: Any, words: list[Both]) -> Any:
    """A figure as JSON holds it, texts and colours by reference."""
    if isinstance(value, Both):
        words.append(value)
        return {"say": len(words) - 1}
    if isinstance(value, Ink):
        return {"ink": value.name}
    if isinstance(value, dict):
        return {key: _plain(one, words) for key, one in value.items()}
    if isinstance(value, list | tuple):
        # Long lists of numbers and stamps are taken as they are.
        plain = len(value) > 1000 and isinstance(value[0], float | int | str | None)
        return list(value) if plain else [_plain(one, words) for one in value]
    return value


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _packed(text: str) -> str:
    """A text as the page's script unpacks it: gzip in base 64, the same whenever it is written."""
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode()


def _license(library: str) -> str:
    """The notice at the head of Plotly's script, which its licence asks to keep."""
    found = re.match(r"\s*/\*+(.*?)\*/", library, re.S)
    return " ".join(found[1].replace("*", " ").replace("--", "-").split()) if found else "plotly.js"
