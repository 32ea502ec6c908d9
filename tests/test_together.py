"""Blocks of lanes that a thread takes through a layer together: the bits are those of one block after the other."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tsuzuki.data.segments import Segment
from tsuzuki.engine import plan as plans
from tsuzuki.engine import together
from tsuzuki.engine.data import Data
from tsuzuki.engine.padding import aligned, pad
from tsuzuki.engine.plan import lower
from tsuzuki.engine.session import Session
from tsuzuki.kernels import table
from tsuzuki.layouts.streams import Streams
from tsuzuki.layouts.windows import Windows
from tsuzuki.network.initialisers import initialise
from tsuzuki.network.layers import GRU, LSTM, Dense, Masking, SimpleRNN
from tsuzuki.network.network import Network, graph
from tsuzuki.network.optimizers import RMSprop
from tsuzuki.network.shaping import FinalState

POINTS, NO_VALUE = 500, 9.0


@st.composite
def cells(draw):
    """A cell with packed weights and any of its options."""
    kind = draw(st.sampled_from([LSTM, GRU, GRU, SimpleRNN]))
    none_or_some = st.sampled_from([0.0, 0.0, 0.3])
    options = {"dropout": draw(none_or_some), "recurrent_dropout": draw(none_or_some)}
    if kind is not SimpleRNN:
        options["recurrent_activation"] = draw(st.sampled_from(["sigmoid", "hard_sigmoid"]))
    if kind is GRU:
        options["reset_after"] = draw(st.sampled_from([True, True, False]))
    return kind(draw(st.sampled_from([22, 33, 40])), **options)


@st.composite
def networks(draw):
    """One to three cells in a row, masked or not, or a decoder that begins with an encoder's states."""
    if draw(st.booleans()):
        masks = [Masking(NO_VALUE)] * draw(st.booleans())
        return Network(2, (*masks, *draw(st.lists(cells(), min_size=1, max_size=3)), Dense(1)))
    kind = draw(st.sampled_from([LSTM, GRU]))
    states = [f"state {number}" for number in range(2 if kind is LSTM else 1)]
    layers = {"encoder": (kind(40), "inputs")} | {name: (FinalState(n), "encoder") for n, name in enumerate(states)}
    return graph(2, layers | {"decoder": (kind(40), "inputs", *states), "y": (Dense(1), "decoder")}, "y")


def trained(network, layout, threads, seed):
    """Losses, weights, gradients and saved states after an epoch, and whether a layer went together."""
    generator = np.random.default_rng(seed)
    inputs = generator.normal(size=(POINTS, network.inputs)).astype(np.float32)
    inputs[generator.random(POINTS) < 0.3] = NO_VALUE
    targets = generator.normal(size=(POINTS, 1)).astype(np.float32)
    plan = lower(network, layout.lanes, layout.timesteps, layout.every_step)
    bank = aligned(max(1, layout.slots) * plan.state_size)
    session = Session(plan, Data(inputs, targets, 1), None, RMSprop(), bank=bank, threads=threads)
    pad(plan, initialise(network, seed), session.parameters)
    block = layout.block(0, layout.updates)
    losses = session.run(block)
    forecasts = session.forward(block)
    arrays = (
        losses if threads == 1 else forecasts,
        forecasts,
        session.parameters,
        session.gradients,
        session.slots,
        bank,
    )
    return [array.tobytes() for array in arrays], bool(session._job[table.TOGETHER])


@pytest.fixture(autouse=True)
def small_work_is_split(monkeypatch):
    monkeypatch.setattr(plans, "WORTH_SPLITTING", 0)


@settings(max_examples=40)
@given(
    networks(), st.integers(33, 70), st.integers(1, 4), st.integers(1, 3), st.integers(0, 999), st.sampled_from("swc")
)
def test_blocks_that_go_together_leave_the_bits_of_blocks_that_go_alone(network, lanes, steps, threads, seed, how):
    whole = any(layer.whole_rows for layer in network.layers)
    kinds = {"s": Streams(steps, lanes), "w": Windows(steps, lanes), "c": Windows(steps, lanes, stateful=True)}
    layout = kinds["w" if whole else how].over([Segment(0, POINTS)])
    found = {}
    for large in (0, 1 << 40):
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(together, "LARGE", large)
            found[large], goes = trained(network, layout, threads, seed)
        able = any(isinstance(layer, LSTM | GRU) and layer.recurrent_dropout == 0 for layer in network.layers)
        assert goes <= (large == 0 and able)
    assert found[0] == found[1 << 40]


@pytest.mark.parametrize(("cell", "goes"), [(LSTM, True), (GRU, True), (SimpleRNN, False)])
def test_large_weights_go_together_and_small_ones_do_not(cell, goes, monkeypatch):
    network, layout = Network(2, (cell(40), Dense(1))), Windows(2, 64).over([Segment(0, POINTS)])
    assert trained(network, layout, 2, 0)[1] is False
    monkeypatch.setattr(together, "LARGE", 0)
    assert trained(network, layout, 2, 0)[1] is goes
