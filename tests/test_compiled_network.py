"""A network made ready: what goes in comes out, what is shared is shared, and what is kept goes on to the same bits."""

import ast
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tsuzuki
from tsuzuki.data.segments import Segment
from tsuzuki.engine.compiled_network import CompiledNetwork
from tsuzuki.engine.data import Data, Objective, RowShape
from tsuzuki.engine.memory import Parameters, SavedStates
from tsuzuki.engine.padding import state_places
from tsuzuki.engine.plan import lower
from tsuzuki.errors import SettingError
from tsuzuki.forecasting.stepwise import state_size
from tsuzuki.layouts.layout import NOWHERE, ZERO, Block, slice_block
from tsuzuki.layouts.streams import Streams
from tsuzuki.layouts.windows import Windows
from tsuzuki.network.initialisers import initialise
from tsuzuki.network.layers import GRU, LSTM, Concatenate, Dense, SimpleRNN
from tsuzuki.network.losses import MAE
from tsuzuki.network.network import Network, graph, parameters
from tsuzuki.network.optimizers import SGD, Adam, RMSprop

units = st.sampled_from([1, 3, 8, 16, 17])
cells = st.one_of(
    st.builds(SimpleRNN, units),
    st.builds(GRU, units, reset_after=st.booleans(), use_bias=st.booleans()),
    st.builds(LSTM, units, activation=st.sampled_from(["tanh", "sigmoid"])),
)
branched = graph(
    {"history": 1, "calendar": 2},
    {
        "state": (LSTM(5), "history"),
        "season": (GRU(3), "calendar"),
        "both": (Concatenate(), "state", "season"),
        "y": (Dense(1), "both"),
    },
    "y",
)
networks = st.one_of(
    st.builds(
        lambda inputs, recurrent: Network(inputs, (*recurrent, Dense(1))),
        st.integers(1, 3),
        st.lists(cells, min_size=1, max_size=2),
    ),
    st.just(branched),
)
layouts = st.builds(
    lambda kind, steps, lanes: (Streams(steps, lanes) if kind is None else Windows(steps, lanes, stateful=kind)).over(
        [Segment(0, 80)]
    ),
    st.sampled_from([None, False, True]),
    st.integers(1, 5),
    st.integers(1, 4),
)
OPTIMIZERS = (SGD(momentum=0.9), RMSprop(momentum=0.5, centered=True), Adam(amsgrad=True))


def numbers(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def like(arrays, seed):
    """Other numbers of the same shapes."""
    return [numbers(seed + number, *array.shape) for number, array in enumerate(arrays)]


def ready(network, layout, optimizer=None, **options):
    """The network with weights of its own, over a series of noise."""
    data = Data(numbers(1, 80, network.inputs), numbers(2, 80, 1), 1)
    options.setdefault("saved_states", SavedStates(network, layout.slots))
    compiled = CompiledNetwork(network, RowShape.of(layout), data, None, optimizer, **options)
    if "parameters" not in options:
        compiled.set_weights(initialise(network, 0))
    return compiled


def assert_same(found, expected):
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@given(networks, layouts)
@settings(max_examples=30)
def test_what_is_put_in_comes_out_again(network, layout):
    compiled = ready(network, layout, Adam())
    weights = like(compiled.weights(), 10)
    assert [array.shape for array in weights] == [parameter.shape for parameter in parameters(network)]
    compiled.set_weights(weights)
    slots = [like(weights, 20 * number) for number in (1, 2, 3)]
    for number, slot in enumerate(slots):
        compiled.set_slot(number, slot)
    carried = [like(states, 7) for states in compiled.carried_states()]
    compiled.set_carried_states(carried)
    states = compiled.saved_states
    saved = numbers(5, states.slots, states.size)
    states.set_states(saved)
    assert_same(compiled.weights(), weights)
    for number, slot in enumerate(slots):
        assert_same(compiled.slot(number), slot)
    for found, expected in zip(compiled.carried_states(), carried, strict=True):
        assert_same(found, expected)
    assert_same([states.states()], [saved])


@given(networks, st.integers(1, 6), st.data())
def test_single_saved_states_are_read_written_and_cleared_apart_from_the_others(network, slots, data):
    states = SavedStates(network, slots)
    expected = numbers(3, slots, states.size)
    states.set_states(expected)
    which = np.array(data.draw(st.lists(st.integers(0, slots - 1), unique=True)), np.int64)
    expected[which] = numbers(4, len(which), states.size)
    states.set_states(expected[which], which)
    assert_same([states.states(), states.states(which)], [expected, expected[which]])
    kept = states.snapshot()
    states.clear(which)
    assert not states.states(which).any()
    assert_same([np.delete(states.states(), which, axis=0)], [np.delete(expected, which, axis=0)])
    states.restore(kept)
    assert_same([states.states()], [expected])


@given(networks)
def test_a_saved_state_is_as_long_as_a_forecasters_file_says(network):
    assert SavedStates(network).size == state_size(network)


@given(networks, st.integers(1, 40), st.integers(1, 9), st.booleans())
def test_parameters_and_saved_states_lie_alike_for_all_lanes_and_steps(network, lanes, timesteps, every_step):
    one, other = lower(network, 1, 1, True), lower(network, lanes, timesteps, every_step)
    assert (one.places, one.size, one.state_size) == (other.places, other.size, other.state_size)
    assert state_places(one) == state_places(other)


@given(networks, layouts, st.sampled_from(OPTIMIZERS), st.data())
@settings(max_examples=30)
def test_a_run_taken_up_by_another_object_goes_on_to_the_same_bits(network, layout, optimizer, data):
    cut = data.draw(st.integers(0, layout.updates))
    block = layout.block(0, layout.updates)
    whole, first, second = (ready(network, layout, optimizer) for _ in range(3))
    expected = whole.run(block)
    begun = first.run(slice_block(block, 0, cut)) if cut else expected[:0]
    kept = {name: array.copy() for name, array in first.state_dict().items()}
    first.run(block)
    second.load_state_dict(kept)
    second.updates_done = cut
    ended = second.run(slice_block(block, cut, layout.updates)) if cut < layout.updates else expected[:0]
    assert_same([np.concatenate([begun, ended])], [expected])
    assert_same(second.weights(), whole.weights())
    for number in range(3):
        assert_same(second.slot(number), whole.slot(number))


@given(networks, layouts)
@settings(max_examples=30)
def test_rows_begun_from_carried_states_go_on_as_if_there_had_been_no_break(network, layout):
    """The states alone are taken over, without what lies between them in memory."""
    block = layout.block(0, layout.updates)
    cut = layout.updates // 2
    whole, first, second = (ready(network, layout) for _ in range(3))
    for compiled in (whole, first):
        compiled.forward(slice_block(block, 0, cut))
    second.saved_states.set_states(first.saved_states.states())
    second.set_carried_states(first.carried_states())
    rest = slice_block(block, cut, layout.updates)
    assert_same([second.forward(rest)], [whole.forward(rest)])


@given(networks, layouts, st.sampled_from(OPTIMIZERS))
@settings(max_examples=20)
def test_what_shares_the_weights_scores_with_those_that_training_has_reached(network, layout, optimizer):
    training = ready(network, layout, optimizer, threads=1)
    other = Streams(2, 3).over([Segment(0, 60)])
    data = Data(numbers(3, 60, network.inputs), numbers(4, 60, 1), 1)
    sharing = training.sharing(RowShape.of(other), data)
    alone = CompiledNetwork(network, RowShape.of(other), data, saved_states=SavedStates(network, other.slots))
    rows = other.block(0, other.updates)
    for _ in range(2):
        training.run(layout.block(0, layout.updates))
        alone.set_weights(training.weights())
        rows.exits[:] = NOWHERE
        assert_same([sharing.forward(rows)], [alone.forward(rows)])


@given(networks, layouts, st.sampled_from(OPTIMIZERS))
@settings(max_examples=20)
def test_rolling_back_puts_weights_and_slots_where_they_were_saved(network, layout, optimizer):
    compiled = ready(network, layout, optimizer)
    block = layout.block(0, layout.updates)
    for _ in range(2):
        compiled.run(block)
        kept = compiled.weights(), [compiled.slot(number) for number in range(3)]
        compiled.save_point()
        compiled.run(block)
        compiled.roll_back()
        assert_same(compiled.weights(), kept[0])
        for number in range(3):
            assert_same(compiled.slot(number), kept[1][number])
    assert compiled.updates_done == 4 * layout.updates


def test_copied_parameters_are_their_own():
    network = Network(1, (GRU(5), Dense(1)))
    weights = initialise(network, 0)
    first = Parameters(network, weights)
    second = first.copy()
    first.set_weights([array + 1 for array in weights])
    assert_same(second.weights(), weights)
    second.assign(first)
    assert_same(second.weights(), first.weights())


def test_a_shared_network_scores_with_the_same_loss():
    network = Network(1, (SimpleRNN(3), Dense(1)))
    layout = Streams(4, 2).over([Segment(0, 80)])
    data = Data(numbers(1, 80, 1), numbers(2, 80, 1), 1)
    compiled = CompiledNetwork(network, RowShape.of(layout), data, Objective(MAE()), threads=1)
    compiled.set_weights(initialise(network, 0))
    block = layout.block(0, layout.updates)
    assert_same([compiled.sharing(RowShape.of(layout), data).forward(block)], [compiled.forward(block)])


def test_outputs_that_the_loss_cannot_score_are_refused():
    network = Network(1, (SimpleRNN(3), Dense(2)))
    with pytest.raises(SettingError, match="the network has 2 outputs, but MSE on 1 target values needs 1"):
        CompiledNetwork(network, RowShape(1), Data(numbers(1, 9, 1), numbers(2, 9, 1), 1))


# What other packages may import from the engine; `machine_code` only announces that something will be compiled.
DOORS = {"compiled_network", "data", "memory", "threads", "machine_code", "row_product"}


def test_nothing_outside_the_engine_knows_plans_sessions_or_padding():
    source = Path(tsuzuki.__file__).parent
    inside = {source / "engine", source / "kernels"}
    for path in source.rglob("*.py"):
        if inside & set(path.parents):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module == "tsuzuki.engine":
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            elif isinstance(node, ast.Attribute):
                assert node.attr != "padded", f"{path}:{node.lineno} reaches into padded memory"
            for name in names:
                room, _, rest = name.partition("tsuzuki.engine.")
                assert room or not rest or rest in DOORS, (
                    f"{path}:{node.lineno} imports {name}, below the engine's doors"
                )


@pytest.mark.parametrize(("stride", "horizon", "fits"), [(1, 1, 13), (1, 5, 17), (2, 2, 13)])
def test_a_row_that_would_be_scored_behind_the_targets_is_refused(stride, horizon, fits):
    network = tsuzuki.Network(1, (tsuzuki.GRU(2), tsuzuki.Dense(horizon)))
    inputs = np.zeros((20, 1), np.float32)
    starts = np.array([[0, 8, -1]])
    valid = np.where(starts < 0, 0, 4).astype(np.int32)
    block = Block(starts, valid, np.full_like(valid, ZERO), np.full_like(valid, NOWHERE))
    for points in (fits, fits - 1):
        data = Data(inputs, np.zeros((points, stride), np.float32), horizon)
        compiled = CompiledNetwork(network, RowShape(3, 4, False), data, optimizer=SGD(learning_rate=0.0))
        if points == fits:
            assert compiled.run(block)[0, 1] == 2 * horizon
        else:
            with pytest.raises(
                SettingError, match=f"scored by {horizon} values from position 12 on, but there are {points}"
            ):
                compiled.run(block)
