"""Updates in two calls, the slopes at the outputs computed outside: the same as those of a compiled loss."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tsuzuki.data.segments import Segment
from tsuzuki.engine.compiled_network import CompiledNetwork
from tsuzuki.engine.data import Data, Objective, RowShape
from tsuzuki.layouts.layout import slice_block
from tsuzuki.layouts.streams import Streams
from tsuzuki.layouts.windows import Windows
from tsuzuki.network.dropout import Dropout
from tsuzuki.network.initialisers import initialise
from tsuzuki.network.layers import GRU, LSTM, Dense, SimpleRNN
from tsuzuki.network.losses import MSE, GivenSlopes
from tsuzuki.network.network import Network
from tsuzuki.network.optimizers import Adam
from tsuzuki.network.weight_rules import WeightRule


@given(
    st.sampled_from([SimpleRNN, GRU, LSTM]),
    st.sampled_from([0.0, 0.3]),
    st.sampled_from([None, 0.5]),
    st.sampled_from([Streams, Windows]),
    st.sampled_from([5, 40]),
    st.integers(0, 10**6),
)
@settings(max_examples=12)
def test_slopes_from_outside_train_as_the_compiled_loss_does(cell, share, limit, kind, lanes, seed):
    generator = np.random.default_rng(seed)
    points, steps, units = 400, 4, 60 if lanes > 5 else 6
    rules = (WeightRule(0, "kernel", l2=0.01),) if seed % 2 else ()
    layers = (cell(units), *((Dropout(share),) if share else ()), Dense(2))
    network = Network(1, layers, rules=rules)
    inputs = generator.normal(size=(points, 1)).astype(np.float32)
    aims = generator.normal(size=(points, 2)).astype(np.float32)
    layout = kind(steps, lanes).over([Segment(0, points)])
    block = layout.block(0, layout.updates)
    found = []
    for loss, threads in ((MSE(), 1), (GivenSlopes(), 2)):
        targets = aims.copy() if isinstance(loss, MSE) else np.zeros_like(aims)
        optimizer = Adam(learning_rate=0.01, clipnorm=limit)
        compiled = CompiledNetwork(
            network, RowShape.of(layout), Data(inputs, targets, 2), Objective(loss), optimizer, seed=7, threads=threads
        )
        compiled.set_weights(initialise(network, 1))
        if isinstance(loss, MSE):
            compiled.run(block)
        else:
            forecasts = np.full_like(aims, np.nan)
            for k in range(layout.updates):
                forecasts[:] = np.nan
                part = slice_block(block, k, k + 1)
                compiled.begin_update(part, forecasts)
                known = np.isfinite(forecasts)
                targets[known] = (2 * (forecasts - aims) / max(known.sum(), 1))[known]
                compiled.finish_update(part)
        found.append((compiled.weights(), compiled.carried_states(), compiled.updates_done))
    assert found[0][2] == found[1][2]
    for ours, theirs in zip(*(weights for weights, _, _ in found), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-5)
    for ours, theirs in zip(*(states[0] for _, states, _ in found), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-4)
