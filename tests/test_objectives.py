"""Networks with several ends, each with its own loss, weight and sample weights, against the plain twin."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reference
from drawn_graphs import graphs
from tsuzuki.data.segments import Segment
from tsuzuki.engine.compiled_network import CompiledNetwork
from tsuzuki.engine.data import Data, Objective, RowShape
from tsuzuki.engine.memory import SavedStates
from tsuzuki.engine.padding import aligned, pad, unpad
from tsuzuki.engine.plan import lower
from tsuzuki.engine.session import Session
from tsuzuki.errors import SettingError
from tsuzuki.layouts.streams import Streams
from tsuzuki.layouts.windows import Windows
from tsuzuki.network.initialisers import initialise
from tsuzuki.network.layers import GRU, Dense
from tsuzuki.network.losses import MAE, MSE, Huber, SparseCategoricalCrossentropy
from tsuzuki.network.network import graph
from tsuzuki.network.optimizers import SGD, Adam

POINTS = 40


@st.composite
def cases(draw):
    """A graph with two ends, an objective for each, weights, data and a layout."""
    network = draw(graphs().filter(lambda network: len(network.last) > 1))
    losses = st.sampled_from([MSE(), MAE(), Huber(0.3)])
    objectives = [Objective(draw(losses), weight=draw(st.sampled_from([1.0, 0.25, 3.0]))) for _ in network.last]
    steps, lanes = draw(st.integers(1, 5)), draw(st.integers(1, 7))
    layouts = (Streams(steps, lanes), Windows(steps, lanes), Windows(steps, lanes, stateful=True))
    layout = draw(st.sampled_from(layouts)).over([Segment(0, POINTS)])
    generator = np.random.default_rng(draw(st.integers(0, 10**6)))
    inputs = generator.normal(size=(POINTS, network.inputs)).astype(np.float32)
    targets = generator.normal(size=(POINTS, network.outputs)).astype(np.float32)
    if draw(st.booleans()):
        targets[generator.random(targets.shape) < 0.2] = np.nan
    weights = [w + generator.normal(0, 0.1, w.shape).astype(np.float32) for w in initialise(network, 1)]
    return network, objectives, weights, inputs, targets, layout


def session_of(case, sample_weights=None):
    network, objectives, weights, inputs, targets, layout = case
    plan = lower(network, layout.lanes, layout.timesteps, layout.every_step, apart=True)
    bank = aligned(max(1, layout.slots) * plan.state_size)
    data = Data(inputs, targets, network.outputs, sample_weights=sample_weights)
    session = Session(plan, data, objectives, SGD(learning_rate=0.0), bank=bank)
    pad(plan, weights, session.parameters)
    return session


def twin_losses(case, weights, block, k, states):
    """The loss of each end in update k, and the states carried out of it."""
    network, objectives, _, inputs, targets, layout = case
    found, at, later = [], 0, states
    for objective, end in zip(objectives, network.last, strict=True):
        columns = slice(at, at + network.widths[end])
        own = targets[:, columns].astype(np.float64)
        loss, later = reference.update_loss(
            network,
            weights,
            inputs.astype(np.float64),
            own,
            block,
            k,
            objective.loss,
            layout.every_step,
            states,
            own.shape[1],
            columns,
        )
        found.append(loss)
        at = columns.stop
    return found, later


@given(cases())
@settings(max_examples=30)
def test_the_loss_of_each_end_agrees_with_the_plain_twin(case):
    network, objectives, weights, *_, layout = case
    block = layout.block(0, layout.updates)
    found = session_of(case).run(block)
    exact, states = [w.astype(np.float64) for w in weights], reference.zero_states(network, layout.lanes)
    for k in range(layout.updates):
        expected, states = twin_losses(case, exact, block, k, states)
        assert found[k, 2:] == pytest.approx(expected, rel=2e-4, abs=2e-5)
        total = sum(loss * objective.weight for loss, objective in zip(expected, objectives, strict=True))
        assert found[k, 0] == pytest.approx(total, rel=2e-4, abs=2e-5)


@given(cases(), st.integers(0, 10**6))
@settings(max_examples=30)
def test_gradients_are_those_of_the_weighted_sum(case, seed):
    network, objectives, weights, *_, layout = case
    session, block = session_of(case), layout.block(0, 1)
    session.run(block)
    gradients = unpad(session.plan, session.gradients[: session.plan.size])
    exact, states = [w.astype(np.float64) for w in weights], reference.zero_states(network, layout.lanes)

    def loss_at(moved):
        losses = twin_losses(case, moved, block, 0, states)[0]
        return sum(loss * objective.weight for loss, objective in zip(losses, objectives, strict=True))

    generator = np.random.default_rng(seed)
    norm = max(np.linalg.norm(gradient) for gradient in gradients)
    for i, gradient in enumerate(gradients):
        direction = generator.normal(size=exact[i].shape)
        direction /= np.linalg.norm(direction)
        sides = [loss_at([*exact[:i], exact[i] + step * direction, *exact[i + 1 :]]) for step in (-1e-5, 0, 1e-5)]
        # Where the loss has a corner on the way any slope between the two sides is right.
        slopes = [(sides[1] - sides[0]) / 1e-5, (sides[2] - sides[1]) / 1e-5]
        slack = 2e-4 * norm + 5e-5
        assert min(slopes) - slack <= float((gradient * direction).sum()) <= max(slopes) + slack


@given(cases())
@settings(max_examples=10)
def test_each_end_has_its_own_sample_weights(case):
    block = case[-1].block(0, case[-1].updates)
    plain, doubled = session_of(case), session_of(case, np.array([[2, 0]] * POINTS, np.float32))
    once, twice = plain.run(block)[:, 2:], doubled.run(block)[:, 2:]
    np.testing.assert_allclose(twice[:, 0], 2 * once[:, 0], rtol=1e-6)
    assert not twice[:, 1].any()


def level_and_direction():
    """A value and a class, from the same cell."""
    layers = {"state": (GRU(8), "x"), "level": (Dense(1), "state"), "direction": (Dense(3, "softmax"), "state")}
    return graph({"x": 1}, layers, ("level", "direction"))


def test_a_network_learns_a_level_and_a_class_together_and_forecasts_both():
    network, generator = level_and_direction(), np.random.default_rng(0)
    inputs = generator.integers(-1, 2, (2000, 1)).astype(np.float32)
    # What is asked for is what was read last.
    targets = np.roll(np.concatenate([inputs * 0.5, inputs + 1], axis=1), 1, axis=0)
    layout = Streams(8, 16).over([Segment(0, 1999)])
    objectives = [Objective(MSE()), Objective(SparseCategoricalCrossentropy(), weight=0.5)]
    data = Data(inputs, targets, 2)
    compiled = CompiledNetwork(
        network,
        RowShape.of(layout),
        data,
        objectives,
        Adam(0.02),
        saved_states=SavedStates(network, layout.slots),
    )
    compiled.set_weights(initialise(network, 0))
    block = layout.block(0, layout.updates)
    results = [compiled.run(block) for _ in range(100)]
    assert results[-1][-1, 2:].max() < 0.05 < results[0][0, 2:].min()
    forecasts = np.zeros((len(inputs), 4), np.float32)
    compiled.sharing(RowShape.of(layout), data).forward(block, forecasts)
    seen = forecasts[:, 1:].sum(axis=1) > 0
    assert forecasts[seen, 1:].sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert (forecasts[seen, 1:].argmax(axis=1) == targets[seen, 1]).mean() > 0.99


def test_objectives_that_do_not_fit_the_ends_are_named():
    network = level_and_direction()
    data = Data(np.zeros((5, 1), np.float32), np.zeros((5, 3), np.float32), 3)
    with pytest.raises(SettingError, match="there are 1 objectives for 2 outputs; give one for each"):
        CompiledNetwork(network, RowShape(1), data, [Objective(MSE())])
    with pytest.raises(SettingError, match="the losses need 2 target values, but there are 3"):
        CompiledNetwork(network, RowShape(1), data, [Objective(MSE()), Objective(SparseCategoricalCrossentropy())])
