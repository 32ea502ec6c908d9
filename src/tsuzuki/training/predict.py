"""Forecasts of every target of a layout, with finished weights."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tsuzuki.engine.compiled_network import CompiledNetwork
from tsuzuki.engine.data import RowShape
from tsuzuki.engine.memory import Parameters, SavedStates
from tsuzuki.layouts.layout import Layout, blocks
from tsuzuki.network.network import Network, check_weights
from tsuzuki.training.arrays import Lags, as_data, check_returns, within


def predict(
    network: Network,
    weights: Sequence[NDArray[np.float32]],
    inputs: NDArray[np.float32],
    layout: Layout,
    *,
    residual: bool = False,
    lags: Lags = (),
    threads: int | None = None,
) -> NDArray[np.float32]:
    """Forecast every target of a layout with finished weights, states carried along its lanes from zero.

    Args:
        network: the description.
        weights: arrays as `network.parameters` lists them.
        inputs: [points, features].
        layout: which rows to run; uncut ones (`Windows(T, T, stateful=True)`, `Streams(T, 1)`) carry the state
            through whole segments.
        residual: as in `fit`; the change is added to what it changes.
        lags: as in `fit`.
        threads: as many as there is work for if None.

    Returns:
        float32 [points, outputs]: row i is the forecast of the target at position i, NaN where the layout has none.

    Raises:
        SettingError: sizes that do not fit one another, or a layout that reaches beyond the arrays.
    """
    check_weights(network, weights)
    check_returns(network, layout)
    data = as_data(network, inputs, residual=residual, lags=lags)
    compiled = CompiledNetwork(
        network,
        RowShape.of(layout),
        data,
        parameters=Parameters(network, weights),
        saved_states=SavedStates(network, layout.slots),
        threads=threads,
    )
    forecasts = np.full((len(inputs), network.outputs), np.nan, np.float32)
    for block in blocks(layout):
        compiled.forward(within(block, data), forecasts)
    return forecasts
