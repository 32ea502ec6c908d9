"""Missing readings inside a segment, replaced by what the network itself would have forecast.

Nothing is invented: a missing value is not scored, and the network reads its own forecast in its place, as it will have
to when it runs on data that come in one by one. The forecasts change while the network learns, so they are renewed.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tsuzuki.engine.compiled_network import CompiledNetwork
from tsuzuki.engine.data import Data, RowShape
from tsuzuki.engine.memory import Parameters, SavedStates
from tsuzuki.layouts.layout import Layout, blocks, one_step_updates


class Imputer:
    """The missing first inputs of flat arrays, and the forward passes that fill them in.

    Args:
        parameters: of the network that trains, shared: what it learns is what the next `renew` forecasts with.
        data: the arrays, with `impute_from`; they are not changed.
        training: the rows of training.
        held_out: the rows of validation, or None.

    Attributes:
        filled: the data with an array of inputs of its own, into which `renew` writes.
    """

    def __init__(self, parameters: Parameters, data: Data, training: Layout, held_out: Layout | None) -> None:
        self._holes = np.flatnonzero(np.isnan(data.inputs[:, 0]))
        # Without holes nothing is copied: the inputs may be a memory-mapped file.
        own = data if len(self._holes) == 0 else replace(data, inputs=data.inputs.copy())
        self.filled = replace(own, impute_from=None)
        self._passes: list[tuple[CompiledNetwork, Layout]] = []
        if len(self._holes) == 0:
            return
        layouts = [layout for layout in (training, held_out) if layout is not None]
        # Held-out rows go on from where the pass over the training rows ended.
        states = SavedStates(parameters.network, max(layout.slots for layout in layouts))
        fed = replace(own, targets=None, horizon=1, sample_weights=None)
        for layout in layouts:
            compiled = CompiledNetwork(
                parameters.network,
                RowShape(layout.lanes),
                fed,
                parameters=parameters,
                saved_states=states,
                threads=1,
            )
            self._passes.append((compiled, layout))

    @property
    def values(self) -> NDArray[np.float32]:
        """What stands in the missing places."""
        return np.asarray(self.filled.inputs[self._holes, 0])

    @values.setter
    def values(self, values: NDArray[np.float32]) -> None:
        if len(self._holes):
            self.filled.inputs[self._holes, 0] = values

    def begin_epoch(self, epoch: int) -> None:
        """Renew what stands in the missing places before the epochs 0, 1, 2, 4, 8 ..."""
        if epoch & (epoch - 1) == 0:
            self.renew()

    def renew(self) -> None:
        """Fill the missing inputs with the forecasts that the network makes with the parameters as they are now."""
        self.filled.inputs[self._holes, 0] = np.nan
        for compiled, layout in self._passes:
            for block in blocks(layout):
                compiled.forward(one_step_updates(block, layout.timesteps))
