"""Numbers as people read them below one another: as many decimals as tell something, and no more."""

import math
from collections.abc import Sequence


def aligned(values: Sequence[float], usual: int) -> list[str]:
    """Numbers with one number of decimals; nothing for one that is not finite.

    `usual` decimals where the largest is below 10, one fewer for each further digit before the point, and more where
    fewer than two digits of it would be left.
    """
    largest = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    decimals = max(0, _grown(largest, usual) - max(0, _power(largest)))
    return [f"{value:,.{decimals}f}" if math.isfinite(value) else "" for value in values]


def column(values: Sequence[float], usual: int) -> list[str]:
    """Numbers of very different size: likewise, but the larger ones alone have fewer decimals."""
    most = _grown(max((abs(value) for value in values if math.isfinite(value)), default=0.0), usual)
    return [f"{value:,.{max(0, most - max(0, _power(value)))}f}" if math.isfinite(value) else "" for value in values]


def _grown(largest: float, usual: int) -> int:
    return max(usual, 1 - _power(largest))


def _power(value: float) -> int:
    return math.floor(math.log10(abs(value))) if value else 0


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
