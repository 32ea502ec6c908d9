"""A finished network run one step at a time over series: what is known up to each step in, forecasts out.

Missing values are fed with the network's own forecasts on the way. The state before the last row is kept, or before as
many as look ahead to covariates: they are run again when it is known what follows them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tsuzuki.forecasting.panel import Panel
from tsuzuki.layouts.layout import ZERO, slice_block
from tsuzuki.network.layers import Recurrent
from tsuzuki.network.network import Network

if TYPE_CHECKING:
    from tsuzuki.forecasting.settings import Settings

# Rows whose forecasts are held at once.
CALL_ROWS = 200_000


@dataclass(frozen=True)
class SeriesState:
    """Where a network stands in each of some series.

    Attributes:
        saved: float32 [series, sizes]: the recurrent layers' states before the pending rows, one layer after another
            (an LSTM's output, then its cell), and last the forecast of one step ahead.
        rows: float32 [series, before + kept, columns]: the last rows.
        pending: int64 [series], how many of them, at the end, are not yet run; at most as many as are kept.
    """

    saved: NDArray[np.float32]
    rows: NDArray[np.float32]
    pending: NDArray[np.int64]


@dataclass(frozen=True)
class ModelSpec:
    """How a network reads rows and what its outputs are.

    Attributes:
        network: the description.
        lags: as in `training.fit`.
        impute_from: the output that stands in for a missing value, of a network that stands alone and forecasts changes
            from the last value in its unit; None where it reads what stands in for it elsewhere, and forecasts changes
            of a base in the series' unit.
        of_windows: inputs that follow from the window of last values.
    """

    network: Network
    lags: tuple[tuple[int, int], ...]
    impute_from: int | None
    of_windows: int = 0

    @property
    def covariate_count(self) -> int:
        """Inputs beside the value, whether it is missing, and the lags."""
        return self.network.inputs - 2 - len(self.lags)

    @property
    def before(self) -> int:
        """Rows that the lags reach back."""
        return max((behind + over - 1 for behind, over in self.lags), default=0)


def rows_kept(settings: "Settings") -> int:
    """Rows at the end of the data that are run again when it is known what follows them."""
    return settings.horizon if settings.columns.known else 1


def state_size(network: Network) -> int:
    """Floats of a series' saved state."""
    return 1 + sum(layer.units * layer.states for layer in network.layers if isinstance(layer, Recurrent))


def run_stepwise(
    way: ModelSpec,
    weights: Sequence[NDArray[np.float32]],
    panel: Panel,
    wanted: NDArray[np.bool_],
    state: SeriesState | None = None,
    kept: int = 1,
) -> tuple[NDArray[np.float32], SeriesState]:
    """Run a network over a panel.

    Args:
        way: the network and how it reads.
        weights: its weights.
        panel: the rows; its missing values are filled in place.
        wanted: bool [points], after which rows the forecast is kept.
        state: the saved states that stretches of the panel begin with.
        kept: rows at the end that will be run again.

    Returns:
        float32 [wanted rows, outputs] in units of the scale, in the order of the rows, and the state at the end.
    """
    from tsuzuki.engine.compiled_network import CompiledNetwork
    from tsuzuki.engine.data import Data, RowShape
    from tsuzuki.engine.memory import Parameters, SavedStates

    saved = SavedStates(way.network, panel.series_count)
    if state is not None:
        saved.set_states(state.saved, slice(len(state.saved)))
    data = Data(panel.inputs, None, 1, residual=way.impute_from is not None, lags=way.lags, impute_from=way.impute_from)
    compiled = CompiledNetwork(
        way.network,
        RowShape(panel.series_count),
        data,
        parameters=Parameters(way.network, weights),
        saved_states=saved,
    )
    block = panel.single_step_rows(kept)
    found = np.empty((int(wanted.sum()), way.network.outputs), np.float32)
    place = np.cumsum(wanted) - 1
    # Only the pages that are written take memory, and each forecast stands one row behind the row it was made from.
    forecasts = np.empty((len(panel.inputs) + 1, way.network.outputs), np.float32)
    updates = len(block.starts)
    step = max(1, CALL_ROWS // panel.series_count)
    for first in range(0, updates, step):
        some = slice_block(block, first, min(updates, first + step))
        rows = some.starts[some.starts >= 0]
        rows = rows[wanted[rows]]
        compiled.forward(some, forecasts if len(rows) else None)
        found[place[rows]] = forecasts[rows + 1]
    pending = np.array([panel.pending(track, kept) for track in range(panel.series_count)])
    for track in range(panel.series_count):
        final = panel.stretches_of(track)[-1]
        if final.stop - final.start == pending[track] and final.entry == ZERO:
            saved.clear(track)
    last = np.array([panel.rows_of(track)[0][-1] for track in range(panel.series_count)])
    # What would lie before the first row of all belongs to no pending row.
    tails = panel.inputs[np.maximum(last[:, None] + np.arange(1 - way.before - kept, 1)[None, :], 0)]
    return found, SeriesState(saved.states(), tails, pending)
