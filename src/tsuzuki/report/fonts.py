"""Fonts for the letters that a picture needs: Matplotlib's own has no Japanese."""

import importlib.util
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

# Tried in this order; the first stands first because its shapes are the plainest at small sizes.
NAMES = (
    "Noto Sans CJK JP",
    "Noto Sans JP",
    "IPAexGothic",
    "IPAGothic",
    "IPAPGothic",
    "Hiragino Sans",
    "Yu Gothic",
    "Meiryo",
    "MS Gothic",
    "TakaoPGothic",
    "VL Gothic",
    "Noto Sans CJK SC",
    "Noto Sans CJK KR",
    "Droid Sans Fallback",
)
OWN = "DejaVu Sans"
# Packages that bring a font as a file; they are not imported, since that changes Matplotlib's settings for good.
BROUGHT = (("matplotlib_fontja", "fonts/ipaexg.ttf"), ("japanize_matplotlib", "fonts/ipaexg.ttf"))


def families() -> list[str]:
    """Matplotlib's font and those for Japanese that are installed, for `font.family`."""
    return [OWN, *_found()]


def lacking(texts: Iterable[str]) -> str:
    """The letters of some texts that no font of `families` has, each once."""
    from matplotlib import font_manager, ft2font

    fonts: list[Any] = [ft2font.FT2Font(font_manager.findfont(name)) for name in families()]
    letters = dict.fromkeys(letter for text in texts for letter in text if letter.isprintable())
    return "".join(letter for letter in letters if not any(font.get_char_index(ord(letter)) for font in fonts))


@lru_cache(maxsize=1)
def _found() -> tuple[str, ...]:
    from matplotlib import font_manager

    known = {font.name for font in font_manager.fontManager.ttflist}
    if not known.intersection(NAMES):
        _add_new({font.fname for font in font_manager.fontManager.ttflist})
        known = {font.name for font in font_manager.fontManager.ttflist}
    return tuple(name for name in NAMES if name in known)


def _add_new(known: set[str]) -> None:
    """Add fonts of packages, and those that were installed after Matplotlib had listed the system's."""
    from matplotlib import font_manager

    paths = [path for path in font_manager.findSystemFonts() if path not in known]
    for package, place in BROUGHT:
        spec = importlib.util.find_spec(package)
        if spec is not None and spec.origin is not None:
            paths.append(str(Path(spec.origin).parent / place))
    for path in paths:
        try:
            font_manager.fontManager.addfont(path)
        except (OSError, RuntimeError):
            # A font that cannot be read is none.
            continue
