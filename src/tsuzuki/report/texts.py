"""Words in both languages of a page, English and Japanese, and how they become HTML.

Both stand in the page; which of them is seen is a matter of one attribute of its root, so that a reader can switch
without loading anything.
"""

import html
import re
from dataclasses import dataclass

from tsuzuki.formatting import LANGUAGES

_STEPS = {
    "second": "秒",
    "minute": "分",
    "hour": "時間",
    "day": "日",
    "month": "か月",
    "quarter": "四半期",
    "year": "年",
}


@dataclass(frozen=True)
class Both:
    """A text in both languages."""

    en: str
    ja: str

    def html(self, tag: str = "span") -> str:
        """Both texts as elements of which one is shown."""
        return "".join(
            f'<{tag} lang="{lang}">{html.escape(getattr(self, lang), quote=False)}</{tag}>' for lang in LANGUAGES
        )


def same(text: str) -> Both:
    """A text that is the same in both: a name, a number."""
    return Both(text, text)


def joined(*texts: Both) -> Both:
    """Sentences one after another; Japanese ones need no space between them."""
    return Both(" ".join(text.en for text in texts), "".join(text.ja for text in texts))


def step_of(step: str) -> Both:
    """A grid's step, such as "hour" or "15 minutes", in both languages."""
    match = re.fullmatch(r"(?:([0-9.]+) )?([a-z]+?)s?", step)
    if match is None or match[2] not in _STEPS:
        return same(step)
    return Both(step, f"{match[1] or '1'} {_STEPS[match[2]]}")


_HINT = Both("Scroll sideways to see the rest.", "横にスクロールすると続きが見えます。").html()


def scrolling(inside: str, label: str) -> str:
    """What may be wider than the screen: a box that scrolls sideways.

    The page's script shows the hint above it, and an arrow at the edge behind which more lies.

    Args:
        inside: HTML.
        label: the attribute that names it, such as aria-label="...".
    """
    return (
        f'<p class="hint" hidden>{_HINT}</p>'
        f'<div class="edge"><div class="wide" tabindex="0" role="region" {label}>{inside}</div></div>'
    )


def table(head: list[Both], rows: list[list[Both | str]], caption: Both) -> str:
    """An HTML table; the first cell of each row is its header, the others are numbers."""

    def cell(content: Both | str) -> str:
        return content.html() if isinstance(content, Both) else html.escape(content, quote=False)

    heads = "".join(f'<th scope="col">{cell(one)}</th>' for one in head)
    body = "".join(
        f'<tr><th scope="row">{cell(row[0])}</th>{"".join(f"<td>{cell(one)}</td>" for one in row[1:])}</tr>'
        for row in rows
    )
    # The caption stands outside what scrolls, so that it is never wider than the screen.
    content = f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
    box = scrolling(content, f'aria-label="{html.escape(caption.en)}"')
    return f'<div class="table"><p class="caption">{caption.html()}</p>{box}</div>'
