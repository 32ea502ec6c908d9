"""Numbers as people read them below one another, with as many decimals as tell something; and the language of words."""

import math
import os
import sys
from collections.abc import Sequence

# Powers of ten from which numbers are written with an exponent: as 1.235e+07 and 1.235e-05.
LARGE, SMALL = 7, -5

# The languages that are spoken.
LANGUAGES = ("en", "ja")


def aligned(values: Sequence[float], usual: int) -> list[str]:
    """Numbers with one number of decimals; nothing for one that is not finite.

    `usual` decimals where the largest is below 10, one fewer for each further digit before the point, and more where
    fewer than two digits of it would be left.
    """
    largest = _largest(values)
    decimals = max(0, max(usual, 1 - largest) - max(0, largest))
    return [_written(value, largest, usual, decimals) for value in values]


def column(values: Sequence[float], usual: int) -> list[str]:
    """Numbers of very different size: likewise, but the larger ones alone have fewer decimals."""
    largest = _largest(values)
    most = max(usual, 1 - largest)
    return [_written(value, largest, usual, max(0, most - max(0, _power(value)))) for value in values]


def _largest(values: Sequence[float]) -> int:
    return _power(max((abs(value) for value in values if math.isfinite(value)), default=0.0))


def _power(value: float) -> int:
    return math.floor(math.log10(abs(value))) if value and math.isfinite(value) else 0


def _written(value: float, largest: int, usual: int, decimals: int) -> str:
    if not math.isfinite(value):
        return ""
    return f"{value:.{usual}e}" if largest >= LARGE or largest <= SMALL else f"{value:,.{decimals}f}"


def shares(values: Sequence[float], decimals: int) -> list[str]:
    """Numbers as per cent with a sign, what is far below -1 in short; nothing for one that is not finite."""
    shown = [f"{value:+.{decimals}%}" if value >= -9.99 else "<-999%" for value in values]
    return [text if math.isfinite(value) else "" for value, text in zip(values, shown, strict=True)]


def scores(name: str, values: Sequence[float]) -> list[str]:
    """A column of a table of scores, by the name that `evaluation` gives it."""
    if name == "skill":
        return shares(values, 1)
    if name == "smape" or name.startswith("coverage-"):
        return [f"{value:.1f}" if math.isfinite(value) else "" for value in values]
    return column(values, 3)


def of_environment() -> str:
    """The language of the environment (LC_ALL, LC_MESSAGES, LANG): ja, or en for all others."""
    named = next((os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), "")
    if not named and sys.platform == "win32":
        import locale

        named = locale.getlocale()[0] or ""
    return "ja" if named.lower().startswith("ja") else "en"
