"""Missing readings inside a segment, replaced by what the network itself would have forecast.

Nothing is invented: a missing value is not scored, and the network reads its own forecast in its place, as it will have
to when it runs on data that come in one by one. The forecasts change while the network learns, so they are renewed.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tsuzuki.layouts.layout import Layout, blocks, one_step_updates
from tsuzuki.network.network import Network

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tsuzuki.engine.session import Data


class Imputer:
    """The missing first inputs of flat arrays, and the forward passes that fill them in.

    Attributes:
        filled: the data with an array of inputs of its own, into which `renew` writes.
    """

    def __init__(self, network: Network, data: "Data", training: Layout, held_out: Layout | None) -> None:
        from tsuzuki.engine.padding import aligned
        from tsuzuki.engine.plan import lower
        from tsuzuki.engine.session import Session

        self._holes = np.flatnonzero(np.isnan(data.inputs[:, 0]))
        # Without holes nothing is copied: the inputs may be a memory-mapped file.
        own = data if len(self._holes) == 0 else replace(data, inputs=data.inputs.copy())
        self.filled = replace(own, impute_from=None)
        self._passes: list[tuple[Session, Layout]] = []
        if len(self._holes) == 0:
            return
        slots = max(1, training.slots, held_out.slots if held_out else 0)
        # Held-out rows go on from where the pass over the training rows ended.
        bank = None
        for layout in (training, held_out):
            if layout is None:
                continue
            plan = lower(network, layout.lanes, 1, True)
            bank = aligned(slots * plan.state_size) if bank is None else bank
            fed = replace(own, targets=None, horizon=1, sample_weights=None)
            self._passes.append((Session(plan, fed, bank=bank, threads=1), layout))

    @property
    def values(self) -> "NDArray[np.float32]":
        """What stands in the missing places."""
        return np.asarray(self.filled.inputs[self._holes, 0])

    @values.setter
    def values(self, values: "NDArray[np.float32]") -> None:
        if len(self._holes):
            self.filled.inputs[self._holes, 0] = values

    def renew(self, parameters: "NDArray[np.float32]") -> None:
        """Fill the missing inputs with the forecasts of a network with these (padded) parameters."""
        self.filled.inputs[self._holes, 0] = np.nan
        for session, layout in self._passes:
            session.parameters[:] = parameters
            for block in blocks(layout):
                session.forward(one_step_updates(block, layout.timesteps))
