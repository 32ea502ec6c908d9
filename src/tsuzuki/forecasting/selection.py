"""Which recipes' networks forecast together: chosen greedily by what all of them forecast where they were held out.

Ensemble selection (Caruana et al. 2004): beside networks of the settings given, whichever recipe lowers the error of
the mean the most is let in, one after the other; no network is trained for it. The mean of different networks errs less
than they do, on average over series by more than a held-out stretch can show, so one that raises the error a little is
let in, too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tsuzuki.forecasting.held_out import by_stretch, held_out_forecasts
from tsuzuki.forecasting.stacking import rows_apart

if TYPE_CHECKING:
    from tsuzuki.forecasting.committee import Committee
    from tsuzuki.forecasting.member_training import Job, Member
    from tsuzuki.forecasting.preparation import Prepared

# A recipe may raise the held-out error by this share of it.
TOLERATED = 0.002
# Values that the error of a choice is found from at most.
MOST_VALUES = 2_000_000


@dataclass(frozen=True)
class HeldOutValues:
    """What networks say where they are held out, by how much it moves the committee's forecasts.

    Attributes:
        said: float32 [values], in units of each series' best naive forecast's error, times the networks' weight.
        stretches: int64 [values], which stretch each lies in.
        errors: float32 [values], of the committee with these networks, in the same units; NaN where unknown.
    """

    said: NDArray[np.float32]
    stretches: NDArray[np.int64]
    errors: NDArray[np.float32]


def held_out_values(
    made: "Prepared",
    job: "Job",
    members: "Sequence[Member]",
    committee: "Committee",
    errors: Sequence[NDArray[np.float32]],
) -> HeldOutValues:
    """Gather what networks say.

    Args:
        made: the series.
        job: of the networks.
        members: the networks, of one kind.
        committee: whose weights count.
        errors: of the committee on held-out rows, [rows, horizon] for each series.
    """
    rules, count = job.rules, job.settings.ensemble
    changed, said = (
        by_stretch(own, count) for own in ([one.changes for one in members], [one.said for one in members])
    )
    found = held_out_forecasts(job.panel, job.wanted, changed, made.held_out, said)
    every = rows_apart(found, rules)
    rows = [[network[number].changes[::every] for network in found] for number in range(len(errors))]
    thinner = max(1, -(-sum(one.size for one in errors) // MOST_VALUES))
    weights = committee.network_weights[committee.bases] / np.array(rules.units, np.float32)[:, None]
    parts: list[list[NDArray[np.generic]]] = [[], [], []]
    for own, wrong, weight, unit in zip(rows, errors, weights, rules.units, strict=True):
        stretches = np.repeat(np.arange(count), [len(one) for one in own])
        together = np.concatenate(own) * weight
        parts[0].append(together[::thinner].ravel())
        parts[1].append(np.repeat(stretches[::thinner], rules.horizon))
        parts[2].append((wrong[::thinner] / np.float32(unit)).ravel())
    joined = [np.concatenate(one) for one in parts]
    return HeldOutValues(
        np.asarray(joined[0], np.float32), np.asarray(joined[1], np.int64), np.asarray(joined[2], np.float32)
    )


def chosen_together(own: HeldOutValues, others: Sequence[NDArray[np.float32]], most: int) -> list[int]:
    """Choose whose networks forecast beside those of the settings given.

    Args:
        own: of these.
        others: of each recipe what its networks say (`HeldOutValues.said`).
        most: recipes in all, that of the settings among them.

    Returns:
        Numbers of the others, the first let in the first.
    """
    known = np.isfinite(own.errors)
    errors, stretches = own.errors[known].astype(np.float64), own.stretches[known]
    counts = np.bincount(stretches)
    apart = [(own.said - said)[known].astype(np.float64) for said in others]

    def error_with(moved: NDArray[np.float64], networks: int) -> float:
        """The mean absolute error, each stretch counting as much."""
        sums = np.bincount(stretches, np.abs(errors + moved / networks))
        return float(np.sum(sums[counts > 0] / counts[counts > 0]))

    found: list[int] = []
    if not any(one.any() for one in apart):
        # Networks have no weight.
        return found
    together, now = np.zeros(len(errors)), error_with(np.zeros(len(errors)), 1)
    while len(found) + 1 < most and len(found) < len(others):
        left = [number for number in range(len(others)) if number not in found]
        after = [error_with(together + apart[number], len(found) + 2) for number in left]
        best = int(np.argmin(after))
        if after[best] > (1 + TOLERATED) * now:
            break
        found.append(left[best])
        together, now = together + apart[left[best]], after[best]
    return found
