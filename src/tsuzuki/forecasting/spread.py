"""Errors whose size differs from row to row, as networks say of their own or as it follows from the mean of a count.

Held-out errors are divided by the size that they were expected to have, and the percentiles of these are multiplied by
the size expected now: locally adaptive conformal intervals (Papadopoulos et al. 2002; Lei et al. 2018). How far the
expectation is trusted, from not at all, is what makes held-out errors likeliest.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tsuzuki.errors import DataError

if TYPE_CHECKING:
    from tsuzuki.data.covariates import CovariateSeries
    from tsuzuki.forecasting.rules import Rules
    from tsuzuki.forecasting.settings import Settings
    from tsuzuki.network.losses import Loss

# Losses whose networks say more than a value, or a count's mean by its logarithm.
GAUSSIAN, NEGATIVE_BINOMIAL = "gaussian", "negative_binomial"
COUNTS = ("poisson", NEGATIVE_BINOMIAL)
# Powers of the expected size that are tried; 0 is the same width everywhere.
POWERS = (0.0, 0.25, 0.5, 0.75, 1.0)
# An error is expected to be at most so many times as large as usual, and as small.
MOST = 20.0
# A count's mean is at least this share of the series' mean where its size is looked at: one of 0 has no spread at all.
LEAST_SHARE = 0.02
# Logarithms of means lie within this.
LARGEST = 80.0


def heads(settings: "Settings") -> int:
    """Outputs of a network for each step ahead."""
    return len(settings.quantiles) or (2 if settings.loss == GAUSSIAN else 1)


def loss_of(settings: "Settings", rules: "Rules") -> "str | Loss":
    """What networks are trained with."""
    from tsuzuki.network.losses import GaussianNLL, LogCounts, Pinball

    if settings.quantiles:
        return Pinball(tuple(settings.quantiles))
    if settings.loss == GAUSSIAN:
        return GaussianNLL()
    return LogCounts(rules.dispersion) if settings.loss in COUNTS else settings.loss


def dispersion_of(values: Sequence[NDArray[np.float64]]) -> float:
    """By how much more than Poisson's the variance of counts divided by their mean grows with it, of the usual series.

    The moments' estimate: variance = mean + dispersion * mean², multiplied by the mean, which is the unit here.
    """
    found = []
    for own in values:
        mean, variance = float(np.nanmean(own)), float(np.nanvar(own))
        found.append(max(0.0, variance / mean - 1) if mean > 0 else 0.0)
    return float(np.median(found))


def check_counts(series: "Sequence[CovariateSeries]", settings: "Settings") -> None:
    """Raise DataError where readings cannot be counts, and counts are asked for."""
    if settings.loss not in COUNTS:
        return
    for one in series:
        least = float(np.nanmin(one.values))
        if least < 0:
            raise DataError(
                f"series {one.name!r} has the value {least:g}, but loss={settings.loss!r} is one of counts, from 0; "
                "choose another loss"
            )


def are_whole(series: "Sequence[CovariateSeries]") -> bool:
    """Whether all readings are whole numbers."""
    return all(bool((np.mod(one.values[~np.isnan(one.values)], 1) == 0).all()) for one in series)


def count_units(scales: NDArray[np.float64]) -> NDArray[np.float64]:
    """What counts are measured in: the mean of each series by its [series, 2] mean and deviation; 1 where that is 0."""
    return np.where(scales[..., 0] > 0, scales[..., 0], 1.0)


def changes_said(
    loss: str,
    outputs: NDArray[np.float32],
    last: NDArray[np.float32],
    units: "NDArray[np.float32] | np.float32",
    scales: NDArray[np.float64],
) -> NDArray[np.float32]:
    """By how much networks say that the base changes, float32 [rows, horizon], in units of the series' scale.

    Args:
        loss: of the networks.
        outputs: float32 [rows, outputs].
        last: float32 [rows], the last values, which are the base of counts.
        units: what changes are measured in, of all rows or [rows, 1].
        scales: [rows or 1, 2], mean and deviation.
    """
    if loss == GAUSSIAN:
        return np.asarray(outputs[:, ::2] * units, np.float32)
    if loss not in COUNTS:
        return outputs * units
    means = np.exp(np.clip(outputs, -LARGEST, LARGEST)) * count_units(scales)[:, None]
    return np.asarray((means - scales[:, :1]) / scales[:, 1:] - last[:, None], np.float32)


@dataclass(frozen=True)
class Spread:
    """How large errors are expected to be.

    Attributes:
        loss: of the networks.
        power: how far the expectation is trusted, from 0 to 1.
        usual: float64 [horizon], the mean logarithm of the deviations that networks said on held-out rows.
        dispersion: of counts, in units of a series' mean.
        whole: whether all readings are whole numbers.
    """

    loss: str
    power: float
    usual: NDArray[np.float64]
    dispersion: float
    whole: bool

    def of(
        self, outputs: NDArray[np.float32], forecasts: NDArray[np.float32], scales: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        """How many times as large as usual, float32 [rows, horizon].

        Args:
            outputs: float32 [rows, outputs], the mean of what the networks say.
            forecasts: float32 [rows, horizon], the committee's, in units of the series' scale.
            scales: [rows or 1, 2], mean and deviation.
        """
        sizes = _log_sizes(self.loss, self.dispersion, outputs, forecasts, scales) - self.usual
        most = float(np.log(MOST))
        return np.asarray(np.exp(self.power * np.clip(sizes, -most, most)), np.float32)

    def ends(self, low: NDArray[np.float64], high: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
        """The ends of intervals in the series' units, whole numbers for whole readings: those that lie between."""
        if self.loss not in COUNTS or not self.whole:
            return low, high
        # What rounding of 32 bits moved across a whole number comes back.
        first, last = np.ceil(low - 1e-4), np.floor(high + 1e-4)
        nearest, none = np.round((low + high) / 2), first > last
        # Of the two zeros the one without a sign.
        return np.where(none, nearest, first) + 0.0, np.where(none, nearest, last) + 0.0


def _log_sizes(
    loss: str,
    dispersion: float,
    outputs: NDArray[np.float32],
    forecasts: NDArray[np.float32],
    scales: NDArray[np.float64],
) -> NDArray[np.float64]:
    """The logarithm of the size that errors are expected to have, beside what a series has at all times."""
    if loss == GAUSSIAN:
        return np.asarray(outputs[:, 1::2], np.float64) / 2
    units = count_units(scales)[:, None]
    means = np.maximum((forecasts * scales[:, 1:] + scales[:, :1]) / units, LEAST_SHARE)
    return np.asarray(np.log((means + dispersion * means**2) / (1 + dispersion)) / 2)


def spread_of(
    settings: "Settings",
    rules: "Rules",
    outputs: Sequence[NDArray[np.float32]],
    forecasts: Sequence[NDArray[np.float32]],
    errors: Sequence[NDArray[np.float32]],
    scales: NDArray[np.float64],
    whole: bool,
) -> tuple[Spread, list[NDArray[np.float32]]]:
    """Find out how far what networks expect of their errors is trusted.

    Args:
        settings: of the forecaster.
        rules: what was chosen from the data.
        outputs: for each series float32 [rows, outputs], what networks say on held-out rows.
        forecasts: for each series float32 [rows, horizon], the committee's there.
        errors: for each series float32 [rows, horizon], actual less forecast, NaN where unknown.
        scales: [series, 2], mean and deviation.
        whole: whether all readings are whole numbers.

    Returns:
        What was found, and the errors in units of the size expected.
    """
    dispersion = rules.dispersion if settings.loss == NEGATIVE_BINOMIAL else 0.0
    rows = list(zip(outputs, forecasts, scales[:, None], strict=True))
    sizes = [_log_sizes(settings.loss, dispersion, *one) for one in rows]
    usual = np.zeros(settings.horizon)
    if settings.loss == GAUSSIAN and any(len(one) for one in sizes):
        usual = np.concatenate(sizes).mean(axis=0)
    found = [Spread(settings.loss, power, usual, dispersion, whole) for power in POWERS]
    best = min(found, key=lambda one: _unlikeliness(one, rows, errors))
    return best, [own / best.of(*one) for own, one in zip(errors, rows, strict=True)]


def _unlikeliness(
    one: Spread,
    rows: Sequence[tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float64]]],
    errors: Sequence[NDArray[np.float32]],
) -> float:
    """Minus the mean log likelihood of errors whose sizes have Laplace's distribution with a width of its own for each
    series, without what all powers have in common."""
    total, count = 0.0, 0
    for row, own in zip(rows, errors, strict=True):
        known = np.isfinite(own)
        if known.any():
            sizes = one.of(*row)[known]
            width = float(np.mean(np.abs(own[known]) / sizes))
            total += float(np.log(sizes).sum()) + known.sum() * float(np.log(max(width, 1e-12)))
            count += int(known.sum())
    return total / max(1, count)
