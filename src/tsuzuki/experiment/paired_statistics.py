"""The mean of paired differences between two variants, with its confidence interval."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class PairedDifference:
    """Stateful minus stateless, seed by seed.

    Attributes:
        mean_difference: below 0 where stateful is better.
        ci95: the 95 % confidence interval of the mean (Student's t), or None with a single seed.
        stateful_better_share: the share of seeds in which stateful is lower.
    """

    mean_difference: float
    ci95: tuple[float, float] | None
    stateful_better_share: float


def paired_difference(stateless: Sequence[float], stateful: Sequence[float]) -> PairedDifference:
    """Compare two variants seed by seed."""
    differences = [b - a for a, b in zip(stateless, stateful, strict=True)]
    count = len(differences)
    mean = sum(differences) / count
    interval = None
    if count > 1:
        deviation = math.sqrt(sum((d - mean) ** 2 for d in differences) / (count - 1))
        half = student_t_quantile(count - 1) * deviation / math.sqrt(count)
        interval = (mean - half, mean + half)
    return PairedDifference(mean, interval, sum(d < 0 for d in differences) / count)


def student_t_quantile(freedom: int) -> float:
    """The 97.5 % quantile of Student's t distribution.

    Solved by bisection on the distribution's closed form for whole degrees of freedom (Abramowitz and Stegun 26.7.3
    and 26.7.4).
    """

    def within(t: float) -> float:
        angle = math.atan2(t, math.sqrt(freedom))
        cosine2 = math.cos(angle) ** 2
        if freedom % 2:
            total = term = math.cos(angle) if freedom > 1 else 0.0
            for k in range(3, freedom - 1, 2):
                term *= cosine2 * (k - 1) / k
                total += term
            return 2 / math.pi * (angle + math.sin(angle) * total)
        total = term = 1.0
        for k in range(2, freedom - 1, 2):
            term *= cosine2 * (k - 1) / k
            total += term
        return math.sin(angle) * total

    low, high = 0.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if within(middle) < 0.95 else (low, middle)
    return (low + high) / 2
