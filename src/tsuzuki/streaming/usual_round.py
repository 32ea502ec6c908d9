"""A usual round of a bank: each series has its next reading, no series begins anew, and nothing follows but forecasts.

Of a round of ten thousand series, what NumPy does around the network took nearly as long as the network: here it is a
few passes over what may have changed, and forecasts stay where the program writes them.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from tsuzuki.streaming.quick_reading import takes_none
from tsuzuki.streaming.upcoming_calendar import is_uniform

if TYPE_CHECKING:
    from tsuzuki.streaming.bank import Bank


def usual_round(bank: "Bank") -> Callable[[Any], bool]:
    """A function that takes the next reading of all series of a bank, if the round is a usual one; it says whether.

    The bank's latest forecasts lie where the program writes them from then on. Where there is more to do than to run
    one network alone, in its series' own units and on a uniform grid, no round is a usual one.
    """
    fitted, recent = bank.fitted, bank.recent
    alone = fitted.rules.alone and len(bank.saved_states) == 1 and fitted.spread is None and not recent.bounded
    plain = fitted.transform.kind == "none" and is_uniform(fitted.step)
    if not alone or not plain or bank.covariates is not None or bank.settings.quantiles:
        return takes_none
    return UsualRound(bank).take


class UsualRound:
    """A prepared call for all series of a bank, and where it reads what a round changes; see `usual_round`."""

    def __init__(self, bank: "Bank") -> None:
        count = len(bank.ids)
        self._bank, self._call = bank, bank.call_for(count)
        self._numbers = np.arange(count, dtype=np.int64)
        block = self._call.block
        self._starts, self._valid, self._entries, self._exits = (
            array.ravel()[:count] for array in (block.starts, block.valid, block.entries, block.exits)
        )
        forecasts = self._call.found[0][:count]
        forecasts[:] = bank.latest
        bank.latest = forecasts

    def take(self, values: Any) -> bool:
        """Take the readings, float64 [series], if the round is a usual one; say whether it was."""
        bank = self._bank
        if type(values) is not np.ndarray or values.dtype != np.float64 or values.shape != bank.at.shape:
            return False
        at, limit = bank.at[0], bank.recent.least_limit
        # A reading that is missing is the least and the largest of all, and no comparison holds for it.
        near = values.min() >= -limit and values.max() <= limit
        if not near or at + 1 >= bank.cap or bank.missing.any() or (bank.at != at).any():
            return False
        bank.at += 1
        bank.stamps += np.timedelta64(bank.fitted.step, "ns")
        np.add(self._numbers, (at + 1) * len(self._numbers), out=self._starts)
        # Another round may have begun series anew, or taken them in another order.
        self._valid[:], self._entries[:], self._exits[:] = 1, self._numbers, self._numbers
        self._call.readings[: len(values)] = values
        self._call.run()
        return True
