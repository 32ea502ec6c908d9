"""Softmax, cross-entropies and rarer losses: against the plain twin, and where float32 rounds probabilities to 0."""

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
from tsuzuki.errors import SettingError
from tsuzuki.layouts.streams import Streams
from tsuzuki.layouts.windows import Windows
from tsuzuki.network.initialisers import initialise
from tsuzuki.network.layers import GRU, LSTM, Activation, Dense, SimpleRNN
from tsuzuki.network.losses import (
    MAPE,
    MSE,
    MSLE,
    BinaryCrossentropy,
    CategoricalCrossentropy,
    CategoricalHinge,
    CosineSimilarity,
    Hinge,
    KLDivergence,
    LogCosh,
    LogCounts,
    Poisson,
    SparseCategoricalCrossentropy,
    SquaredHinge,
)
from tsuzuki.network.network import Network
from tsuzuki.network.optimizers import SGD

smoothing = st.sampled_from([0.0, 0.2])


RARE = (MAPE, MSLE, LogCosh, Poisson, LogCounts, Hinge, SquaredHinge, KLDivergence, CategoricalHinge, CosineSimilarity)
POSITIVE = (MSLE, Poisson, KLDivergence)


@st.composite
def ends(draw, classes):
    """A loss, and layers that give what it scores; classes straight from their activation, or clipped, or as logits."""
    if draw(st.booleans()):
        rare = draw(st.sampled_from(RARE))
        options = {"dispersion": draw(st.sampled_from([0.0, 0.5]))} if rare is LogCounts else {}
        return rare(**options), (Dense(classes, "sigmoid" if rare in POSITIVE else "linear"),)
    kind = draw(st.sampled_from([CategoricalCrossentropy, SparseCategoricalCrossentropy, BinaryCrossentropy]))
    options = {"from_logits": draw(st.booleans())}
    if kind is SparseCategoricalCrossentropy:
        options["ignore_class"] = draw(st.sampled_from([None, 0, -1]))
    else:
        options["label_smoothing"] = draw(smoothing)
    if options["from_logits"]:
        return kind(**options), (Dense(classes),)
    name = "sigmoid" if kind is BinaryCrossentropy else "softmax"
    clipped = (Dense(classes, "hard_sigmoid"),)
    if kind is CategoricalCrossentropy:
        # Probabilities that are all 0 cannot be made to add up to 1.
        clipped = (Dense(classes, "sigmoid"), Activation("relu"))
    layers = [(Dense(classes, name),), (Dense(classes), Activation(name)), clipped]
    return kind(**options), draw(st.sampled_from(layers))


def targets_of(loss, points, classes, generator):
    """Targets as a loss wants them."""
    if isinstance(loss, SparseCategoricalCrossentropy):
        return generator.integers(-1 if loss.ignore_class == -1 else 0, classes, (points, 1)).astype(np.float32)
    if isinstance(loss, BinaryCrossentropy):
        return generator.integers(0, 2, (points, classes)).astype(np.float32)
    if isinstance(loss, Hinge | SquaredHinge):
        return generator.choice(generator.choice([[0, 1], [-1, 1]]), (points, classes)).astype(np.float32)
    if isinstance(loss, MAPE | MSLE | LogCosh | Poisson | LogCounts | CosineSimilarity):
        return generator.uniform(0.1, 2, (points, classes)).astype(np.float32)
    return generator.dirichlet(np.ones(classes), points).astype(np.float32)


@st.composite
def cases(draw):
    """A network that classifies, weights, data, a layout and a loss."""
    classes = draw(st.sampled_from([1, 2, 3, 16, 17, 40]))
    loss, last = draw(ends(classes))
    layers = [draw(st.sampled_from([SimpleRNN, GRU, LSTM]))(draw(st.integers(1, 20)))]
    layers += [Dense(draw(st.integers(1, 20)), draw(st.sampled_from(["softmax", "log_softmax"])))] * draw(st.booleans())
    network = Network(2, (*layers, *last))
    steps, lanes = draw(st.integers(1, 5)), draw(st.integers(1, 7))
    layouts = (Streams(steps, lanes), Windows(steps, lanes), Windows(steps, lanes, stateful=True))
    layout = draw(st.sampled_from(layouts)).over([Segment(0, 40)])
    generator = np.random.default_rng(draw(st.integers(0, 10**6)))
    inputs = generator.normal(size=(40, 2)).astype(np.float32)
    targets = targets_of(loss, 40, classes, generator)
    if draw(st.booleans()):
        targets[generator.random(40) < 0.2] = np.nan
    weights = [w + generator.normal(0, 0.3, w.shape).astype(np.float32) for w in initialise(network, 1)]
    return network, weights, inputs, targets, layout, loss


def session_of(case):
    network, weights, inputs, targets, layout, loss = case
    plan = lower(network, layout.lanes, layout.timesteps, layout.every_step)
    bank = aligned(max(1, layout.slots) * plan.state_size)
    data = Data(inputs, targets, targets.shape[1])
    session = Session(plan, data, Objective(loss), SGD(learning_rate=0.0), bank=bank)
    pad(plan, weights, session.parameters)
    return session


def twin_loss(case, weights, block, k, states):
    network, _, inputs, targets, layout, loss = case
    wide = inputs.astype(np.float64), targets.astype(np.float64)
    return reference.update_loss(network, weights, *wide, block, k, loss, layout.every_step, states, targets.shape[1])


@given(cases())
@settings(max_examples=100)
def test_losses_agree_with_the_plain_twin(case):
    block = case[4].block(0, case[4].updates)
    found = session_of(case).run(block)
    weights, states = [w.astype(np.float64) for w in case[1]], reference.zero_states(case[0], case[4].lanes)
    for k in range(case[4].updates):
        expected, states = twin_loss(case, weights, block, k, states)
        assert found[k, 0] == pytest.approx(expected, rel=2e-4, abs=2e-5)


@given(cases(), st.integers(0, 10**6))
@settings(max_examples=100)
def test_their_gradients_agree_with_the_slope_of_the_twins_loss(case, seed):
    session, block = session_of(case), case[4].block(0, 1)
    session.run(block)
    gradients = unpad(session.plan, session.gradients[: session.plan.size])
    exact, states = [w.astype(np.float64) for w in case[1]], reference.zero_states(case[0], case[4].lanes)
    generator = np.random.default_rng(seed)
    norm = max(np.linalg.norm(gradient) for gradient in gradients)
    for i, gradient in enumerate(gradients):
        direction = generator.normal(size=exact[i].shape)
        direction /= np.linalg.norm(direction)
        sides = [
            twin_loss(case, [*exact[:i], exact[i] + step * direction, *exact[i + 1 :]], block, 0, states)[0]
            for step in (-1e-6, 0, 1e-6)
        ]
        # Where a probability is clipped on the way, any slope between the two sides is right.
        slopes = [(sides[1] - sides[0]) / 1e-6, (sides[2] - sides[1]) / 1e-6]
        slack = 2e-4 * norm + 5e-5
        assert min(slopes) - slack <= float((gradient * direction).sum()) <= max(slopes) + slack


@pytest.mark.parametrize(
    ("loss", "activation"), [(CategoricalCrossentropy(), "softmax"), (BinaryCrossentropy(), "sigmoid")]
)
def test_a_certain_wrong_answer_still_has_its_whole_loss_and_slope(loss, activation):
    network = Network(1, (SimpleRNN(1, use_bias=False), Dense(2, activation)))
    weights = [np.zeros((1, 1)), np.zeros((1, 1)), np.zeros((1, 2)), np.array([200.0, -200.0])]
    inputs, targets = np.zeros((3, 1), np.float32), np.array([[0, 1]] * 3, np.float32)
    layout = Streams(1, 1).over([Segment(0, 2)])
    session = session_of((network, [w.astype(np.float32) for w in weights], inputs, targets, layout, loss))
    forecasts = np.zeros((3, 2), np.float32)
    assert session.run(layout.block(0, 1), forecasts)[0, 0] == pytest.approx(400 if activation == "softmax" else 200)
    assert forecasts[1] == pytest.approx([1, 0])
    slope = unpad(session.plan, session.gradients[: session.plan.size])[-1]
    assert slope == pytest.approx([1, -1] if activation == "softmax" else [0.5, -0.5])


def test_a_class_that_there_is_not_makes_the_loss_nan_and_moves_nothing():
    network = Network(1, (SimpleRNN(2), Dense(3, "softmax")))
    layout = Streams(1, 1).over([Segment(0, 2)])
    weights, targets = initialise(network, 0), np.full((3, 1), 3, np.float32)
    case = network, weights, np.zeros((3, 1), np.float32), targets, layout, SparseCategoricalCrossentropy()
    session = session_of(case)
    assert np.isnan(session.run(layout.block(0, 1))[0, 0])
    for after, before in zip(unpad(session.plan, session.parameters), weights, strict=True):
        np.testing.assert_array_equal(after, before)


def test_what_does_not_fit_a_cross_entropy_is_refused():
    network = Network(1, (SimpleRNN(2), Dense(3, "softmax")))
    inputs, plan = np.zeros((5, 1), np.float32), lower(Network(1, (SimpleRNN(2), Dense(3, "softmax"))), 1, 1, True)
    with pytest.raises(SettingError, match="SparseCategoricalCrossentropy needs one target value"):
        Session(plan, Data(inputs, np.zeros((5, 3), np.float32), 3), Objective(SparseCategoricalCrossentropy()))
    with pytest.raises(SettingError, match="3 outputs, but CategoricalCrossentropy on 2 target values needs 2"):
        Session(plan, Data(inputs, np.zeros((5, 2), np.float32), 2), Objective(CategoricalCrossentropy()))
    with pytest.raises(SettingError, match="use residual=False"):
        Session(plan, Data(inputs, np.zeros((5, 3), np.float32), 3, True), Objective(CategoricalCrossentropy()))
    objective = Objective(CategoricalCrossentropy(), np.ones(3, np.float32))
    with pytest.raises(SettingError, match="leave output_weights out"):
        Session(plan, Data(inputs, np.zeros((5, 3), np.float32), 3), objective)
    with pytest.raises(SettingError, match="label_smoothing=2"):
        BinaryCrossentropy(label_smoothing=2)
    with pytest.raises(SettingError, match="use it in a Dense or Activation behind it"):
        SimpleRNN(2, "softmax")
    assert network.outputs == 3
    assert MSE() != BinaryCrossentropy()
