"""Networks that branch and merge, against the plain twin and against TensorFlow."""

import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reference
from drawn_graphs import graphs
from tsuzuki import fit, predict
from tsuzuki.data.segments import Segment
from tsuzuki.engine.data import Data
from tsuzuki.engine.padding import aligned, pad, unpad
from tsuzuki.engine.plan import lower
from tsuzuki.engine.session import Session
from tsuzuki.errors import SettingError
from tsuzuki.layouts.streams import Streams
from tsuzuki.layouts.windows import Windows
from tsuzuki.network.initialisers import initialise
from tsuzuki.network.layers import GRU, LSTM, Add, Concatenate, Dense, Recurrent, Subtract
from tsuzuki.network.network import Network, graph
from tsuzuki.network.optimizers import SGD, Adam

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")


@st.composite
def cases(draw):
    """A graph with weights, data and a layout."""
    network, steps, lanes = draw(graphs()), draw(st.integers(1, 5)), draw(st.integers(1, 7))
    generator = np.random.default_rng(draw(st.integers(0, 10**6)))
    points = 60
    layouts = (Streams(steps, lanes), Windows(steps, lanes), Windows(steps, lanes, stateful=True))
    layout = draw(st.sampled_from(layouts)).over([Segment(0, points)])
    inputs = generator.normal(size=(points, network.inputs)).astype(np.float32)
    targets = generator.normal(size=(points, network.outputs)).astype(np.float32)
    weights = [w + generator.normal(0, 0.1, w.shape).astype(np.float32) for w in initialise(network, 1)]
    return network, weights, inputs, targets, layout


def session_of(case):
    network, weights, inputs, targets, layout = case
    plan = lower(network, layout.lanes, layout.timesteps, layout.every_step)
    bank = aligned(max(1, layout.slots) * plan.state_size)
    session = Session(plan, Data(inputs, targets, network.outputs), None, SGD(learning_rate=0.0), bank=bank)
    pad(plan, weights, session.parameters)
    return session


@given(cases())
@settings(max_examples=40)
def test_losses_of_graphs_agree_with_the_plain_twin(case):
    network, weights, inputs, targets, layout = case
    block = layout.block(0, layout.updates)
    found = session_of(case).run(block)
    states = reference.zero_states(network, layout.lanes)
    exact = [w.astype(np.float64) for w in weights]
    wide = inputs.astype(np.float64), targets.astype(np.float64)
    for k in range(layout.updates):
        expected, states = reference.update_loss(
            network, exact, *wide, block, k, reference.MSE(), layout.every_step, states, network.outputs
        )
        assert found[k, 0] == pytest.approx(expected, rel=2e-4, abs=2e-5)


def keras_model(keras, network, lanes, steps, every_step):
    """The functional Keras model of a graph in float64, and its layers with weights, in the graph's order."""
    given_ = [keras.Input(batch_shape=(lanes, steps, size), dtype="float64") for size in network.input_sizes]
    values, weighted, all_made = [], [], []
    for i, (layer, read) in enumerate(zip(network.layers, network.sources, strict=True)):
        inputs = [values[source] if source >= 0 else given_[-1 - source] for source in read]
        options = {"dtype": "float64"}
        if layer.shapes(1):
            options |= {"units": layer.units, "activation": layer.activation}
        if isinstance(layer, Recurrent):
            options["return_sequences"] = True
        own = network.owner(i) == i
        made = getattr(keras.layers, type(layer).__name__)(**options) if own else all_made[network.owner(i)]
        all_made.append(made)
        values.append(made(inputs if layer.merges else inputs[0]))
        weighted += [made] * (own and bool(layer.shapes(1)))
    outputs = [values[i] if every_step else values[i][:, -1] for i in network.last]
    joined = keras.layers.Concatenate(dtype="float64")(outputs) if len(outputs) > 1 else outputs[0]
    return keras.Model(given_, joined), weighted


@given(graphs(), st.integers(1, 5), st.integers(1, 6), st.booleans(), st.integers(0, 999))
@settings(max_examples=25)
def test_gradients_of_graphs_agree_with_tensorflows(network, steps, lanes, every_step, seed):
    keras = pytest.importorskip("keras", reason='Keras is not installed: pip install "tsuzuki[keras]"')
    tf = pytest.importorskip("tensorflow", reason='TensorFlow is not installed: pip install "tsuzuki[keras]"')
    generator = np.random.default_rng(seed)
    points = lanes * (steps + 1)
    inputs = generator.normal(size=(points, network.inputs)).astype(np.float32)
    targets = generator.normal(size=(points, network.outputs)).astype(np.float32)
    segments = [Segment(lane * (steps + 1), (lane + 1) * (steps + 1)) for lane in range(lanes)]
    layout = (Streams(steps, lanes) if every_step else Windows(steps, lanes)).over(segments)
    block = layout.block(0, 1)
    weights = [(w + generator.normal(0, 0.05, w.shape)).astype(np.float32) for w in initialise(network, seed)]
    session = session_of((network, weights, inputs, targets, layout))
    found = session.run(block)[0, 0]
    model, weighted = keras_model(keras, network, lanes, steps, every_step)
    owned = [own for i, own in enumerate(reference.split(network, weights)) if own and network.owner(i) == i]
    for layer, own in zip(weighted, owned, strict=True):
        layer.set_weights([w.astype(np.float64) for w in own])
    rows = block.starts[0][:, None] + np.arange(steps)
    y = targets[rows + 1] if every_step else targets[rows[:, -1] + 1]
    pieces = np.split(inputs[rows].astype(np.float64), np.cumsum(network.input_sizes)[:-1], axis=-1)
    with tf.GradientTape() as tape:
        value = tf.reduce_mean((model(pieces) - y) ** 2)
    variables = [variable.value for layer in weighted for variable in layer.trainable_variables]
    expected = [np.asarray(gradient) for gradient in tape.gradient(value, variables)]
    assert found == pytest.approx(float(value), rel=2e-5, abs=1e-6)
    scale = max(np.abs(exact).max() for exact in expected)
    plan = session.plan
    parts = session.gradients.reshape(plan.gradient_parts, plan.size)
    # They are added into the first block's only where there are several.
    for gradient, exact in zip(unpad(plan, parts[0]), expected, strict=True):
        np.testing.assert_allclose(gradient, exact, rtol=1e-4, atol=1e-4 * scale)


def two_branches():
    """A cell over the history and a season from the calendar, joined; two outputs."""
    return graph(
        {"history": 1, "calendar": 2},
        {
            "state": (GRU(6), "history"),
            "season": (Dense(6, "tanh"), "calendar"),
            "both": (Add(), "state", "season"),
            "level": (Dense(1), "both"),
            "rest": (Dense(1), "season"),
        },
        ("level", "rest"),
    )


def test_a_graph_is_trained_and_forecasts_with_what_it_has_learned():
    network = two_branches()
    hours = np.arange(600)
    calendar = np.stack([np.sin(hours / 4), np.cos(hours / 4)], axis=1)
    inputs = np.concatenate([np.sin(hours / 9)[:, None], calendar], axis=1).astype(np.float32)
    targets = np.stack([np.sin(hours / 9), np.sin(hours / 4)], axis=1).astype(np.float32)
    layout = Streams(8, 4).over([Segment(0, 600)])
    trained = fit(network, initialise(network, 0), inputs, targets, layout, epochs=60, optimizer=Adam(0.01))
    assert trained.history[-1].loss < 0.02 < trained.history[0].loss
    forecasts = predict(network, trained.weights, inputs, Streams(8, 1).over([Segment(0, 600)]))
    assert forecasts.shape == (600, 2)
    assert np.nanmean((forecasts[200:] - targets[200:]) ** 2) < 0.05


def test_the_same_path_as_a_graph_gives_the_same_bits():
    path = Network(2, (LSTM(7), Dense(3, "tanh"), Dense(1)))
    wired = graph(2, {"a": (LSTM(7), "inputs"), "b": (Dense(3, "tanh"), "a"), "c": (Dense(1), "b")}, "c")
    generator = np.random.default_rng(0)
    inputs, targets = (generator.normal(size=(100, n)).astype(np.float32) for n in (2, 1))
    layout = Streams(5, 3).over([Segment(0, 100)])
    runs = [fit(one, initialise(one, 3), inputs, targets, layout, epochs=2).weights for one in (path, wired)]
    for first, second in zip(*runs, strict=True):
        np.testing.assert_array_equal(first, second)


def twins(second=None, shared=None, read="inputs"):
    layers = {"a": (GRU(2), "inputs"), "b": (second or GRU(2), read), "both": (Concatenate(), "a", "b")}
    return graph(1, layers, "both", shared)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: graph(1, {"a": (GRU(2), "nothing")}, "a"), "reads 'nothing'; known there: inputs"),
        (lambda: graph(1, {"a": (GRU(2), "inputs")}, "b"), "output 'b' is no layer"),
        (lambda: graph(1, {"a": (GRU(2), "inputs"), "b": (Dense(1), "a")}, "a"), "is read by no other"),
        (lambda: graph(1, {"a": (GRU(2), "inputs"), "b": (Add(), "a", "inputs")}, "b"), "inputs of 2, 1 values"),
        (lambda: graph(1, {"a": (GRU(2), "inputs"), "b": (Dense(1), "a", "a")}, "b"), "merge them first"),
        (lambda: graph(1, {"a": (GRU(2), "inputs"), "b": (Subtract(), "a")}, "b"), "takes 2 inputs, not 1"),
        (lambda: graph({"x": 1, "y": 1}, {"x": (GRU(2), "y")}, "x"), "names two layers or inputs"),
        (lambda: graph(1, {"a": (GRU(2, return_sequences=False), "inputs"), "b": (LSTM(1), "a")}, "b"), "follows it"),
        (lambda: graph(1, {"a": (Dense(2), "inputs"), "b": (Concatenate(), "a", "a")}, "b"), "recurrent"),
        (lambda: twins(shared={"b": "z"}), "shared names 'z', which is no layer"),
        (lambda: twins(shared={"a": "b"}), "layer 1 has the weights of layer 2; name the first that has them"),
        (lambda: twins(GRU(3), {"b": "a"}), "describe both alike"),
        (lambda: twins(GRU(2), {"b": "a"}, read="a"), "reads 2 values a step, but layer 1, whose weights it has, 1"),
    ],
)
def test_a_graph_that_does_not_fit_together_is_named(make, said):
    with pytest.raises(SettingError, match=said):
        make()
