"""Axes whose ticks Plotly would set too densely, too sparsely or in other words."""

import math
from collections.abc import Iterable
from typing import Any

from tsuzuki.report.texts import Both


def log_axis(title: Both, values: Iterable[float | None]) -> dict[str, Any]:
    """A logarithmic axis: ticks at 1, 2 and 5 where the values are far apart, else at round numbers between."""
    there = [value for value in values if value is not None and value > 0]
    far = bool(there) and max(there) > 8 * min(there)
    return {"type": "log", "title": {"text": title}, "tickformat": "~g"} | ({"dtick": "D2"} if far else {})


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round percentages between two logarithms of ratios, 0 among them, as many as a narrow plot has room for."""
    steps = [base * 10.0**power for power in range(-3, 1) for base in (1, 2, 5)]
    for step in steps:
        found = [k * step for k in range(math.ceil(math.expm1(low) / step), math.floor(math.expm1(high) / step) + 1)]
        found = [share for share in found if share > -1]
        if len(found) <= most and low > -0.7 and high < 1.2:
            return sorted({0.0, *found})
    # Far apart: halved, doubled and on by the same factor.
    factor = max(2.0, 2.0 ** math.ceil((high - low) / math.log(2) / (most - 1)))
    powers = range(math.ceil(low / math.log(factor)), math.floor(high / math.log(factor)) + 1)
    return sorted({0.0, *(factor**power - 1 for power in powers)})


def percent(share: float) -> str:
    """A share in per cent, with the decimals that it needs: +0.5%, -50%, +300%."""
    text = f"{100 * share:+.1f}"
    return "0%" if float(text) == 0 else f"{text.removesuffix('.0').replace('-', '−')}%"
