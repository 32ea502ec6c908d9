"""The mean of paired differences between two variants, with its confidence interval."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# Squared errors of scaled values below this are float32's rounding.
LEAST = 1e-12


@dataclass(frozen=True)
class PairedDifference:
    """Stateful minus stateless, seed by seed.

    Attributes:
        mean_difference: below 0 where stateful is better.
        ci95: the 95 % confidence interval of the mean (Student's t), or None with a single seed.
        stateful_better_share: the share of seeds in which stateful is lower.
        log_ratio: the mean of log(stateful / stateless). An error cannot fall by more than 100 % but rise without end;
            its logarithm is free on both sides, as Student's t assumes.
        log_ci95: the interval of that mean, likewise.
    """

    mean_difference: float
    ci95: tuple[float, float] | None
    stateful_better_share: float
    log_ratio: float
    log_ci95: tuple[float, float] | None


def paired_difference(stateless: Sequence[float], stateful: Sequence[float]) -> PairedDifference:
    """Compare two variants seed by seed; in ratios an error below `LEAST` counts as that."""
    differences = [b - a for a, b in zip(stateless, stateful, strict=True)]
    logs = [math.log(max(b, LEAST) / max(a, LEAST)) for a, b in zip(stateless, stateful, strict=True)]
    mean, interval = _mean_with_interval(differences)
    log_ratio, log_interval = _mean_with_interval(logs)
    share = sum(d < 0 for d in differences) / len(differences)
    return PairedDifference(mean, interval, share, log_ratio, log_interval)


def mean_of(values: Iterable[float]) -> float:
    """The mean, as `statistics.fmean` gives it; that module brings fractions and decimals, 8 ms of imports."""
    listed = list(values)
    return math.fsum(listed) / len(listed)


def _mean_with_interval(values: Sequence[float]) -> tuple[float, tuple[float, float] | None]:
    """The mean and its 95 % confidence interval, None for a single value."""
    count = len(values)
    mean = sum(values) / count
    if count == 1:
        return mean, None
    deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / (count - 1))
    half = student_t_quantile(count - 1) * deviation / math.sqrt(count)
    return mean, (mean - half, mean + half)


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
