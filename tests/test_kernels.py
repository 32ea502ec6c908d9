"""The compiled program against its plain twin, over networks, layouts and losses drawn at random."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reference
from tsuzuki.data.segments import Segment
from tsuzuki.engine.data import Data, Objective
from tsuzuki.engine.padding import aligned, pad, unpad
from tsuzuki.engine.plan import lower
from tsuzuki.engine.session import Session
from tsuzuki.layouts.streams import Streams
from tsuzuki.layouts.windows import Windows
from tsuzuki.network.dropout import Dropout
from tsuzuki.network.initialisers import initialise
from tsuzuki.network.layers import ACTIVATIONS, GRU, LSTM, Activation, Dense, SimpleRNN
from tsuzuki.network.losses import MAE, MSE, GaussianNLL, Huber, Pinball
from tsuzuki.network.network import Network
from tsuzuki.network.optimizers import SGD, Adam, AdamW, RMSprop

LOSSES = (MSE(), MAE(), Huber(0.3), Pinball((0.1, 0.5, 0.8)), GaussianNLL())
HEADS = {Pinball: 3, GaussianNLL: 2}
units = st.sampled_from([1, 2, 10, 16, 17, 33, 40])
activations = st.sampled_from(ACTIVATIONS)


@st.composite
def cells(draw):
    """A recurrent layer with any of its options."""
    kind = draw(st.sampled_from([SimpleRNN, GRU, LSTM]))
    options = {"use_bias": draw(st.booleans())}
    # An unbounded activation in a random recurrence explodes, in the twin just as here.
    options["activation"] = draw(st.sampled_from(["tanh", "sigmoid", "hard_sigmoid"]))
    if kind is not SimpleRNN:
        options["recurrent_activation"] = draw(st.sampled_from(["sigmoid", "hard_sigmoid", "tanh"]))
    if kind is GRU:
        options["reset_after"] = draw(st.booleans())
    return kind(draw(units), **options)


@st.composite
def networks(draw, outputs):
    """One to three recurrent layers, Dense before, between and after, a linear output."""
    layers = []
    for _ in range(draw(st.integers(1, 3))):
        layers += [Dense(draw(units), draw(activations))] * draw(st.booleans())
        layers.append(draw(cells()))
    layers += [Dense(draw(units), draw(activations), draw(st.booleans()))] * draw(st.booleans())
    return Network(draw(st.integers(1, 4)), (*layers, Dense(outputs)))


@st.composite
def cases(draw):
    """A network, weights, data, a layout and a loss."""
    loss, horizon = draw(st.sampled_from(LOSSES)), draw(st.sampled_from((1, 2, 3, 18)))
    network = draw(networks(horizon * HEADS.get(type(loss), 1)))
    steps, lanes, seed = draw(st.integers(1, 7)), draw(st.integers(1, 9)), draw(st.integers(0, 10**6))
    lengths = draw(st.lists(st.integers(1, 40), min_size=1, max_size=3))
    lengths[0] = max(lengths[0], steps + 3)
    ends = np.cumsum([length + horizon for length in lengths])
    segments = [
        Segment(int(end - horizon - length), int(end - horizon)) for end, length in zip(ends, lengths, strict=True)
    ]
    layouts = (Streams(steps, lanes), Windows(steps, lanes), Windows(steps, lanes, stateful=True))
    layout = draw(st.sampled_from(layouts)).over(segments)
    generator = np.random.default_rng(seed)
    inputs = generator.normal(size=(int(ends[-1]) + horizon, network.inputs)).astype(np.float32)
    targets = generator.normal(size=(len(inputs) + horizon, 1)).astype(np.float32)
    if draw(st.booleans()):
        targets[generator.random(targets.shape) < 0.2] = np.nan
    weights = [w + generator.normal(0, 0.1, w.shape).astype(np.float32) for w in initialise(network, seed)]
    return network, weights, inputs, targets, layout, loss, horizon


def session_for(case, optimizer=None, threads=1):
    """A session that stands at the case's weights."""
    network, weights, inputs, targets, layout, loss, horizon = case
    plan = lower(network, layout.lanes, layout.timesteps, layout.every_step)
    bank = aligned(max(1, layout.slots) * plan.state_size)
    data = Data(inputs, targets, horizon)
    session = Session(plan, data, Objective(loss), optimizer or SGD(learning_rate=0.0), bank=bank, threads=threads)
    pad(plan, weights, session.parameters)
    return session


def as_doubles(arrays):
    return [np.asarray(array, np.float64) for array in arrays]


@given(cases())
@settings(max_examples=60)
def test_losses_and_carried_states_agree_with_the_plain_twin(case):
    network, weights, inputs, targets, layout, loss, horizon = case
    block = layout.block(0, layout.updates)
    found = session_for(case).run(block)
    states = reference.zero_states(network, layout.lanes)
    exact, wide = as_doubles(weights), (inputs.astype(np.float64), targets.astype(np.float64))
    for k in range(layout.updates):
        expected, states = reference.update_loss(
            network, exact, *wide, block, k, loss, layout.every_step, states, horizon
        )
        assert found[k, 0] == pytest.approx(expected, rel=2e-4, abs=2e-5)


@given(cases(), st.integers(0, 10**6))
@settings(max_examples=60)
def test_gradients_agree_with_the_slope_of_the_twins_loss(case, seed):
    network, weights, inputs, targets, layout, loss, horizon = case
    session = session_for(case)
    block = layout.block(0, 1)
    session.run(block)
    gradients = unpad(session.plan, session.gradients[: session.plan.size])
    exact, wide = as_doubles(weights), (inputs.astype(np.float64), targets.astype(np.float64))
    states = reference.zero_states(network, layout.lanes)

    def loss_at(moved):
        return reference.update_loss(network, moved, *wide, block, 0, loss, layout.every_step, states, horizon)[0]

    generator = np.random.default_rng(seed)
    norm = max(np.linalg.norm(gradient) for gradient in gradients)
    for i, gradient in enumerate(gradients):
        direction = generator.normal(size=exact[i].shape)
        direction /= np.linalg.norm(direction)
        ways = [[*exact[:i], exact[i] + sign * 1e-5 * direction, *exact[i + 1 :]] for sign in (-1, 1)]
        slopes = [(loss_at(ways[1]) - loss_at(exact)) / 1e-5, (loss_at(exact) - loss_at(ways[0])) / 1e-5]
        # Where the loss has a corner on the way (relu, |error|) any slope between the two sides is right.
        low, high = min(slopes), max(slopes)
        slack = 2e-4 * norm + 2e-5
        assert low - slack <= float((gradient * direction).sum()) <= high + slack


@given(cases(), st.sampled_from([RMSprop(), RMSprop(momentum=0.5, centered=True), Adam(), AdamW(), SGD(momentum=0.9)]))
@settings(max_examples=30)
def test_padding_stays_zero_through_training(case, optimizer):
    session = session_for(case, optimizer)
    session.run(case[4].block(0, case[4].updates))
    session.forward(case[4].block(0, 1))
    for array in (session.parameters, session.gradients[: session.plan.size], session.slots[: session.plan.size]):
        again = np.zeros_like(array)
        pad(session.plan, unpad(session.plan, array), again)
        np.testing.assert_array_equal(again, array)


@given(cases(), st.integers(2, 4))
@settings(max_examples=20)
def test_training_twice_gives_the_same_bits(case, threads):
    runs = [session_for(case, RMSprop(), count) for count in (1, threads)]
    for session in runs:
        session.run(case[4].block(0, case[4].updates))
    np.testing.assert_array_equal(runs[0].parameters, runs[1].parameters)


def large_case(lanes, unit_count, cell=LSTM):
    """A network large enough for several blocks of lanes."""
    steps, updates = 12, 3
    network = Network(3, (cell(unit_count), Dense(2)))
    generator = np.random.default_rng(3)
    inputs = generator.normal(size=(lanes * (steps * updates + 1), 3)).astype(np.float32)
    targets = generator.normal(size=(len(inputs), 2)).astype(np.float32)
    layout = Streams(steps, lanes).over([Segment(0, len(inputs))])
    return network, initialise(network, 0), inputs, targets, layout, MSE(), 2


@pytest.mark.parametrize("lanes", [33, 64, 70])
@pytest.mark.parametrize("optimizer", [RMSprop(), Adam(global_clipnorm=0.1)])
def test_the_bits_do_not_depend_on_the_number_of_threads(lanes, optimizer):
    case = large_case(lanes, 64)
    runs = [session_for(case, optimizer, threads) for threads in (1, 2, 4)]
    assert runs[0].plan.blocks > 1
    assert [session.threads for session in runs][:2] == [1, 2]
    for session in runs:
        session.run(case[4].block(0, case[4].updates))
    for session in runs[1:]:
        np.testing.assert_array_equal(session.parameters, runs[0].parameters)
        np.testing.assert_array_equal(session.slots, runs[0].slots)


@pytest.mark.parametrize("cell", [SimpleRNN, GRU, LSTM])
def test_blocks_of_lanes_and_packed_matrices_agree_with_the_plain_twin(cell):
    case = large_case(40, 130, cell)
    network, weights, inputs, targets, layout, loss, horizon = case
    block = layout.block(0, layout.updates)
    found = session_for(case).run(block)
    states = reference.zero_states(network, layout.lanes)
    for k in range(layout.updates):
        expected, states = reference.update_loss(
            network,
            as_doubles(weights),
            inputs.astype(np.float64),
            targets.astype(np.float64),
            block,
            k,
            loss,
            True,
            states,
            horizon,
        )
        assert found[k, 0] == pytest.approx(expected, rel=1e-5)


def test_a_value_that_is_not_finite_stops_the_run_before_it_reaches_the_weights():
    case = large_case(4, 8)
    case[2][20] = np.nan
    session = session_for(case, RMSprop())
    before = session.parameters.copy()
    result = session.run(case[4].block(0, case[4].updates))
    assert not np.isfinite(result[-1, 0])
    assert np.isfinite(result[:-1, 0]).all()
    assert np.isfinite(session.parameters).all()
    assert len(result) > 1 or np.array_equal(before, session.parameters)


@pytest.mark.parametrize("share", [0.25, 0.6])
def test_dropout_keeps_the_mean_and_drops_its_share(share):
    network = Network(1, (SimpleRNN(40, "linear", dropout=share), Dense(1)))
    lanes = 4000
    inputs = np.ones((lanes + 1, 1), np.float32)
    layout = Windows(1, lanes).over([Segment(0, lanes + 1)])
    weights = [np.ones_like(w) if i < 1 else np.zeros_like(w) for i, w in enumerate(initialise(network, 0))]
    weights[3][:] = 1 / 40
    case = network, weights, inputs, np.zeros_like(inputs), layout, MSE(), 1
    session = session_for(case)
    forecasts = np.full((lanes + 1, 1), np.nan, np.float32)
    session.run(layout.block(0, 1), forecasts)
    seen = forecasts[1:, 0]
    assert set(np.round(np.unique(seen), 4)) == {0.0, np.float32(round(1 / (1 - share), 4))}
    assert (seen == 0).mean() == pytest.approx(share, abs=0.04)
    session.forward(layout.block(0, 1), forecasts)
    np.testing.assert_allclose(forecasts[1:], 1.0, rtol=1e-5)


def test_dropouts_masks_hold_over_the_steps_and_change_with_the_update():
    network = Network(1, (SimpleRNN(16, "linear", dropout=0.5, use_bias=False), Dense(1)))
    weights = [np.ones((1, 16), np.float32), np.zeros((16, 16), np.float32), *initialise(network, 0)[2:]]
    weights[2][:] = 1 / 16
    inputs = np.ones((2 * 6 * 50 + 1, 1), np.float32)
    layout = Streams(6, 50).over([Segment(0, len(inputs))])
    session = session_for((network, weights, inputs, np.zeros_like(inputs), layout, MSE(), 1))
    forecasts = np.full((len(inputs), 1), np.nan, np.float32)
    session.run(layout.block(0, 2), forecasts)
    rows = forecasts[1:, 0].reshape(50, 2, 6)
    assert (rows == rows[:, :, :1]).all()
    assert (rows[:, 0] != rows[:, 1]).any()


@pytest.mark.parametrize("cell", [SimpleRNN, GRU, LSTM])
@pytest.mark.parametrize("reset_after", [True, False])
def test_gradients_through_dropout_are_the_slope_of_the_masked_loss(cell, reset_after):
    options = {"reset_after": reset_after} if cell is GRU else {}
    network = Network(2, (cell(9, dropout=0.4, recurrent_dropout=0.3, **options), cell(5, dropout=0.2), Dense(1)))
    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(60, 2)).astype(np.float32)
    targets = generator.normal(size=(60, 1)).astype(np.float32)
    layout = Streams(6, 4).over([Segment(0, 60)])
    weights = initialise(network, 0)

    def at(moved):
        session = session_for((network, moved, inputs, targets, layout, MSE(), 1))
        return session.run(layout.block(0, 1))[0, 0], session

    gradients = unpad(*(lambda s: (s.plan, s.gradients[: s.plan.size]))(at(weights)[1]))
    for i, gradient in enumerate(gradients):
        direction = np.sign(gradient) + (gradient == 0)
        size = 3e-3
        up, down = (
            at([w + sign * size * direction.astype(np.float32) if j == i else w for j, w in enumerate(weights)])[0]
            for sign in (1, -1)
        )
        assert (up - down) / (2 * size) == pytest.approx(float((gradient * direction).sum()), rel=0.02, abs=2e-4)


@given(st.lists(st.floats(-30, 30, width=32), min_size=1, max_size=40))
def test_tanh_is_within_a_few_units_in_the_last_place(values):
    network = Network(1, (SimpleRNN(1, "linear", use_bias=False), Dense(1, "tanh", use_bias=False)))
    inputs = np.array([*values, 0.0], np.float32)[:, None]
    layout = Windows(1, 5).over([Segment(0, len(inputs))])
    weights = [np.ones((1, 1), np.float32), np.zeros((1, 1), np.float32), np.ones((1, 1), np.float32)]
    session = session_for((network, weights, inputs, np.zeros_like(inputs), layout, MSE(), 1))
    forecasts = np.full((len(inputs), 1), np.nan, np.float32)
    session.forward(layout.block(0, layout.updates), forecasts)
    np.testing.assert_allclose(forecasts[1:, 0], np.tanh(np.float64(inputs[:-1, 0])), rtol=5 * 2**-23, atol=1e-12)


@pytest.mark.parametrize("every_step", [False, True])
def test_gradients_flow_through_the_masks_and_activations_of_layers_without_weights(every_step):
    layers = (Dropout(0.3), Dense(6), Activation("tanh"), LSTM(9), Dropout(0.4), Activation("sigmoid"), Dense(2))
    network = Network(3, (*layers, Dropout(0.2)))
    generator = np.random.default_rng(0)
    series, targets = (generator.normal(size=(140, n)).astype(np.float32) for n in (3, 2))
    segments = [Segment(start, start + 7) for start in range(0, 140, 7)]
    layout = (Streams(6, 20) if every_step else Windows(6, 20)).over(segments)
    plan = lower(network, layout.lanes, 6, every_step)

    def run(weights):
        bank = aligned(max(1, layout.slots) * plan.state_size)
        session = Session(plan, Data(series, targets, 2), None, SGD(learning_rate=0.0), bank=bank, seed=5)
        pad(plan, weights, session.parameters)
        return session.run(layout.block(0, 1))[0, 0], unpad(plan, session.gradients[: plan.size])

    weights = [w + np.float32(0.1) for w in initialise(network, 0)]
    # The same seed and update draw the same masks, so a step along a direction shows the slope there.
    ways = [generator.normal(size=w.shape).astype(np.float32) for w in weights]
    _, gradients = run(weights)
    for i, way in enumerate(ways):
        ends = [run([w + (sign * 2e-3 * way if i == j else 0) for j, w in enumerate(weights)])[0] for sign in (1, -1)]
        assert (ends[0] - ends[1]) / 4e-3 == pytest.approx(float((gradients[i] * way).sum()), rel=2e-2, abs=2e-3)
