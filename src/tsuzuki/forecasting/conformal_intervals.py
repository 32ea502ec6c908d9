"""Conformal intervals: percentiles of held-out forecast errors, for any level.

For each horizon the errors on a calibration stretch, which was not trained on, are sorted. The interval of level 80
lies between their 10th and 90th percentiles, moved outward by the finite-sample correction (Vovk et al. 2005; Romano et
al. 2019). As the errors grow with the horizon and are skewed, so are the intervals.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from tsuzuki.errors import SettingError

# The stored percentiles: every half per cent and, for high levels, finer towards the ends.
PROBABILITIES = np.unique(
    np.concatenate([[0.0005, 0.001, 0.0025], np.arange(1, 200) / 200, [0.9975, 0.999, 0.9995]]).round(6)
)
# Fewer errors apart by a whole horizon than these do not show their own tails, which then are at least as long as a
# normal distribution's: 95 % intervals of five years of months held 90 % without.
FEW = 20
# Errors that weights and constants were themselves found from are widened as Student's t is wider than the normal
# distribution, with as many degrees of freedom as these errors lie a horizon apart less one, but at least so many.
LEAST_FREEDOM = 4
# A series with fewer calibration errors uses those of all series, each measured in what is usual there: halfway between
# what training says and what its own errors say where so many of these lie a horizon apart.
OWN_ROWS, OWN_SERIES, ENOUGH = 500, 50, 10.0


@dataclass(frozen=True)
class Calibration:
    """Percentiles of the errors in units of each series' scale.

    Attributes:
        offsets: float32 [series or 1, PROBABILITIES, horizon], increasing along the second axis.
        sizes: float32 [series], what the errors are multiples of in each, in units of its scale; None for the scale.
    """

    offsets: NDArray[np.float32]
    sizes: NDArray[np.float32] | None = None

    def larger(self, sizes: NDArray[np.float32] | None) -> NDArray[np.float64] | None:
        """How many times as large as on average errors are in series where they are multiples of these sizes, [series];
        None where those of all are in units of the scale."""
        return None if self.sizes is None or sizes is None else np.asarray(sizes / float(self.sizes.mean()), np.float64)

    def interval_offsets(self, level: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The offsets from a forecast to the lower and the upper bound of an interval, [series or 1, horizon] each."""
        check_levels([level])
        return self.percentile(0.5 - level / 200), self.percentile(0.5 + level / 200)

    def percentile(self, probability: float) -> NDArray[np.float32]:
        """The errors' percentile, [series or 1, horizon]."""
        place = float(np.interp(probability, PROBABILITIES, np.arange(len(PROBABILITIES))))
        low = int(place)
        high = min(low + 1, len(PROBABILITIES) - 1)
        share = np.float32(place - low)
        one, other = self.offsets[:, low], self.offsets[:, high]
        # Rounding never exceeds the next percentile, so intervals are nested.
        found = np.minimum(one + (other - one) * share, other)
        return found if self.sizes is None else found * self.sizes[:, None]


def check_levels(levels: Sequence[float]) -> None:
    """Raise SettingError for a level that is not a percentage."""
    for level in levels:
        if not 0 < level < 100:
            raise SettingError(f"level {level:g} is not a percentage between 0 and 100; give levels such as 80 and 95")


def calibrate(
    errors: Sequence[NDArray[np.float32]], *, held_out: bool = True, units: Sequence[float] | None = None
) -> Calibration:
    """Learn from errors.

    Args:
        errors: for each series [rows, horizon], actual less forecast in units of its scale, NaN where unknown.
        held_out: whether forecasts were not chosen by them.
        units: what errors of each series are to be expected to be multiples of; None where they are all alike.
    """
    enough = all(len(one) >= OWN_ROWS for one in errors) and len(errors) <= OWN_SERIES
    groups, sizes = list(errors), None
    if not enough:
        if units is not None and len(errors) > 1:
            sizes = error_sizes(errors, np.array(units))
            groups = [own / size for own, size in zip(errors, sizes, strict=True)]
        groups = [np.concatenate(groups)]
    found = np.stack([_percentiles(group) for group in groups])
    if not held_out:
        for own, group in zip(found, groups, strict=True):
            apart = np.isfinite(group).sum(axis=0) / group.shape[1]
            own *= np.stack([students_over_normal(float(count) - 1) for count in apart], axis=1)
    return Calibration(found, sizes)


def error_sizes(errors: Sequence[NDArray[np.float32]], units: NDArray[np.float64]) -> NDArray[np.float32]:
    """What the errors of each series are usual multiples of, float32 [series]: its unit, and as far as it has errors of
    its own how large they are in that unit beside those of all series."""
    counts = np.array([np.isfinite(own).sum() for own in errors], np.float64)
    each = np.array([np.abs(own[np.isfinite(own)]).sum() for own in errors]) / units
    usual = each.sum() / max(1.0, counts.sum())
    apart = counts / errors[0].shape[1] ** 2
    ratios = each / np.maximum(counts, 1) / (usual if usual > 0 else 1.0)
    return np.asarray(units * (apart * ratios + ENOUGH) / (apart + ENOUGH), np.float32)


def students_over_normal(freedom: float) -> NDArray[np.float32]:
    """How many times as far from 0 as a normal distribution's Student's percentiles lie [PROBABILITIES], by Fisher's
    expansion (Abramowitz and Stegun 1964, 26.7.5); with `LEAST_FREEDOM` degrees of freedom at least."""
    freedom = max(freedom, LEAST_FREEDOM)
    z = np.array([NormalDist().inv_cdf(one) for one in PROBABILITIES])
    first, second = (z**2 + 1) / 4, (5 * z**4 + 16 * z**2 + 3) / 96
    third = (3 * z**6 + 19 * z**4 + 17 * z**2 - 15) / 384
    return np.asarray(1 + first / freedom + second / freedom**2 + third / freedom**3, np.float32)


def _percentiles(errors: NDArray[np.float32]) -> NDArray[np.float32]:
    """[PROBABILITIES, horizon]."""
    found = np.zeros((len(PROBABILITIES), errors.shape[1]), np.float32)
    for horizon in range(errors.shape[1]):
        known = errors[:, horizon][~np.isnan(errors[:, horizon])]
        if len(known) == 0:
            # The last steps of a short series have no errors: use the width of the step before.
            found[:, horizon] = found[:, horizon - 1] if horizon else 0
            continue
        # Weibull's plotting positions count one unseen error as well, so that a new one is covered at the nominal rate.
        found[:, horizon] = np.quantile(known, PROBABILITIES, method="weibull")
        if len(known) < FEW * errors.shape[1]:
            found[:, horizon] = _with_tails(found[:, horizon])
    return found


def _with_tails(percentiles: NDArray[np.float32]) -> NDArray[np.float32]:
    """Percentiles [PROBABILITIES] whose ends lie as far beyond the 10th and the 90th as a normal distribution's.

    That few errors have one sign is no reason for an interval that its own forecast lies outside of.
    """
    deviations = np.array([NormalDist().inv_cdf(one) for one in PROBABILITIES])
    low, middle, high = (int(np.searchsorted(PROBABILITIES, one)) for one in (0.1, 0.5, 0.9))
    found = percentiles.copy()
    for end, beyond in ((low, np.minimum), (high, np.maximum)):
        reach = (percentiles[end] - percentiles[middle]) * deviations / deviations[end]
        tail = np.s_[: end + 1] if end < middle else np.s_[end:]
        found[tail] = beyond(percentiles[tail], percentiles[middle] + reach[tail])
        half = np.s_[:middle] if end < middle else np.s_[middle + 1 :]
        found[half] = beyond(found[half], 0)
    return found
