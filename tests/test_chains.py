"""Layers that look across steps, against the plain twin and against Keras."""

import os
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reference
from drawn_chains import chains, windowed
from tsuzuki.data.segments import Segment
from tsuzuki.engine import plan
from tsuzuki.engine.compiled_network import CompiledNetwork
from tsuzuki.engine.data import Data, RowShape
from tsuzuki.engine.memory import plan_for
from tsuzuki.engine.padding import unpad
from tsuzuki.errors import SettingError
from tsuzuki.layouts.layout import NOWHERE, ZERO, Block
from tsuzuki.layouts.streams import Streams
from tsuzuki.network.activation_layers import ELU, LeakyReLU, ReLU
from tsuzuki.network.activations import FROM_INPUT, FROM_VALUE
from tsuzuki.network.dropout import SpatialDropout1D
from tsuzuki.network.embedding import Embedding
from tsuzuki.network.initialisers import initialise
from tsuzuki.network.layers import GRU, Activation, Dense, SimpleRNN
from tsuzuki.network.network import Network, graph, parameters
from tsuzuki.network.optimizers import SGD
from tsuzuki.network.shaping import RepeatVector

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

RARE = [*map(Activation, (*FROM_VALUE, *FROM_INPUT)), ReLU(3.0, 0.1, 0.5), ReLU(threshold=-1.0), LeakyReLU(), ELU(0.5)]


class Case:
    """A network with weights and rows that do not overlap, one update of them."""

    def __init__(self, chain, lanes, every_step, seed):
        network, timesteps = chain.network, chain.timesteps
        self.network, self.lanes, self.every_step = network, lanes, every_step
        self.steps = network.steps(timesteps)[-1] if every_step else 1
        generator = np.random.default_rng(seed)
        room = max(timesteps, self.steps) + 1
        self.inputs = generator.normal(size=(lanes * room, network.inputs)).astype(np.float32)
        if chain.numbers:
            self.inputs = generator.integers(0, chain.numbers, self.inputs.shape).astype(np.float32)
        self.targets = generator.normal(size=(lanes * room, network.outputs)).astype(np.float32)
        self.weights = [(w + generator.normal(0, 0.1, w.shape)).astype(np.float32) for w in initialise(network, seed)]
        starts = np.arange(lanes)[None] * room
        whole, zero, nowhere = (np.full((1, lanes), value, np.int32) for value in (timesteps, ZERO, NOWHERE))
        self.block = Block(starts, whole, zero, nowhere)
        self.rows = starts[0][:, None] + np.arange(timesteps)
        first = max(0, timesteps - self.steps)
        self.y = self.targets[self.rows[:, :1] + first + 1 + np.arange(self.steps)]
        data = Data(self.inputs, self.targets, network.outputs)
        shape = RowShape(lanes, timesteps, every_step)
        self.compiled = CompiledNetwork(network, shape, data, optimizer=SGD(learning_rate=0.0))
        self.compiled.set_weights(self.weights)

    def gradients(self):
        """The gradients of the last update."""
        session = self.compiled._session
        # The sum over all blocks stands in the place of the first.
        summed = session.gradients[: session.plan.size]
        found = zip(parameters(self.network), unpad(session.plan, summed), strict=True)
        return [gradient for parameter, gradient in found if parameter.trained]


@given(chains(), st.integers(1, 7), st.booleans(), st.integers(0, 10**6))
@settings(max_examples=60)
def test_losses_of_chains_agree_with_the_plain_twin(chain, lanes, every_step, seed):
    case = Case(chain, lanes, every_step, seed)
    states = reference.zero_states(chain.network, lanes)
    exact = [w.astype(np.float64) for w in case.weights]
    wide = case.inputs.astype(np.float64), case.targets.astype(np.float64)
    loss, outputs = reference.MSE(), chain.network.outputs
    expected, _ = reference.update_loss(chain.network, exact, *wide, case.block, 0, loss, every_step, states, outputs)
    assert case.compiled.run(case.block)[0, 0] == pytest.approx(expected, rel=2e-4, abs=2e-5)


@given(chains(), st.integers(1, 6), st.booleans(), st.integers(0, 999))
@settings(max_examples=40)
def test_gradients_of_chains_agree_with_tensorflows(chain, lanes, every_step, seed):
    keras = pytest.importorskip("keras", reason='Keras is not installed: pip install "tsuzuki[keras]"')
    tf = pytest.importorskip("tensorflow", reason='TensorFlow is not installed: pip install "tsuzuki[keras]"')
    from tsuzuki.keras.network_to_model import to_keras

    case = Case(chain, lanes, every_step, seed)
    loss = case.compiled.run(case.block)[0, 0]
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    try:
        model = to_keras(chain.network, case.weights, timesteps=chain.timesteps, every_step=every_step)
    finally:
        keras.config.set_floatx("float32")
        keras.config.set_dtype_policy("float32")
    with tf.GradientTape() as tape:
        rows = case.inputs[case.rows]
        given_ = model(tf.constant(rows[..., 0] if chain.numbers else rows, "float64"), training=True)
        if len(given_.shape) == 3 and not every_step:
            given_ = given_[:, -1]
        value = tf.reduce_mean((given_ - tf.reshape(tf.constant(case.y, "float64"), given_.shape)) ** 2)
    # A functional model lists its layers by their depth.
    variables = [
        next(v for v in model.trainable_variables if v.shape == w.shape and np.array_equal(np.asarray(v), w))
        for w, parameter in zip(case.weights, parameters(chain.network), strict=True)
        if parameter.trained
    ]
    found = tape.gradient(value, [variable.value for variable in variables])
    expected = [tf.convert_to_tensor(gradient) for gradient in found]
    assert loss == pytest.approx(float(value), rel=2e-5)
    scale = max(np.abs(np.asarray(exact)).max() for exact in expected)
    for gradient, exact in zip(case.gradients(), expected, strict=True):
        np.testing.assert_allclose(gradient, np.asarray(exact), rtol=2e-4, atol=2e-5 * scale)


def in_thirds(network, lanes, steps):
    """Blocks of a third of the lanes, however little there is to do."""
    each = -(-lanes // 3)
    return -(-lanes // each), each


@given(windowed(), st.integers(2, 9), st.integers(0, 999))
@settings(max_examples=25)
def test_windows_give_the_same_gradients_in_blocks_of_lanes(chain, lanes, seed):
    whole = Case(chain, lanes, True, seed)
    plan_for.cache_clear()
    with patch.object(plan, "split_lanes", in_thirds):
        parts = Case(chain, lanes, True, seed)
    plan_for.cache_clear()
    assert parts.compiled._session.plan.blocks > 1
    assert parts.compiled.run(parts.block)[0, 0] == pytest.approx(whole.compiled.run(whole.block)[0, 0], rel=1e-5)
    scale = max(np.abs(gradient).max() for gradient in whole.gradients())
    for one, other in zip(parts.gradients(), whole.gradients(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5 * scale)


@pytest.mark.parametrize("layer", RARE, ids=str)
def test_a_rare_activation_is_exact_to_float32(layer):
    values = np.concatenate([np.linspace(-20, 20, 4001), np.geomspace(1e-6, 1, 200), -np.geomspace(1e-6, 1, 200)])
    inputs = values.astype(np.float32)[:, None]
    network = graph(1, {"y": (layer, "inputs"), "cell": (SimpleRNN(1), "inputs")}, ["y", "cell"])
    compiled = CompiledNetwork(network, RowShape(1, len(inputs)), Data(inputs, None, 2))
    forecasts = np.zeros((len(inputs) + 1, 2), np.float32)
    row = (np.array([[value]], np.int32) for value in (len(inputs), ZERO, NOWHERE))
    compiled.forward(Block(np.zeros((1, 1), np.int64), *row), forecasts)
    expected = reference.without_state(layer, [], [inputs.astype(np.float64)], None)
    np.testing.assert_allclose(forecasts[1:, :1], expected, rtol=2e-6, atol=3e-7)


def test_rows_that_end_early_are_refused_where_steps_change():
    network = Network(1, (GRU(3), RepeatVector(4), Dense(1)))
    series = np.zeros((40, 1), np.float32)
    layout = Streams(6, 3).over([Segment(0, 33)])
    compiled = CompiledNetwork(network, RowShape.of(layout), Data(series, series, 1), optimizer=SGD())
    with pytest.raises(SettingError, match=r"row \d of update \d has \d steps of 6.*use a layout of whole rows"):
        compiled.run(layout.block(0, layout.updates))


@pytest.mark.parametrize("steps", [3, 9])
def test_a_decoder_of_other_steps_trains_and_predicts_as_in_keras(steps):
    keras = pytest.importorskip("keras", reason='Keras is not installed: pip install "tsuzuki[keras]"')
    import tsuzuki
    from tsuzuki.keras.forward import prepare_predict

    generator = np.random.default_rng(0)
    x = generator.normal(size=(40, 6, 2)).astype(np.float32)
    y = generator.normal(size=(40, steps, 1)).astype(np.float32)
    weights = generator.uniform(0.5, 2, (40, steps)).astype(np.float32)
    model = keras.Sequential(
        [
            keras.Input((6, 2)),
            keras.layers.LSTM(5),
            keras.layers.RepeatVector(steps),
            keras.layers.GRU(4, return_sequences=True),
            keras.layers.TimeDistributed(keras.layers.Dense(1)),
        ]
    )
    model.compile("rmsprop", "mse", metrics=["mae"])
    other = keras.models.clone_model(model)
    other.set_weights(model.get_weights())
    other.compile("rmsprop", "mse", metrics=["mae"])
    theirs = other.fit(x, y, 8, epochs=10, shuffle=False, sample_weight=weights, verbose=0).history
    ours = tsuzuki.fit(model, x, y, batch_size=8, epochs=10, shuffle=False, sample_weight=weights, verbose=0).history
    for name in ("loss", "mae"):
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-4)
    for mine, exact in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(mine, exact, atol=1e-3)
    np.testing.assert_allclose(prepare_predict(model, x, verbose=0).predict(), other.predict(x, verbose=0), atol=1e-3)


def stacks(layers):
    """Models as people write them: texts, activity recognition, a normalised series."""
    text = [layers.Embedding(20, 6, mask_zero=True), layers.LSTM(5), layers.Dense(1, "elu")]
    activity = [
        layers.Conv1D(6, 3, activation="relu", padding="causal"),
        layers.MaxPooling1D(2),
        layers.TimeDistributed(layers.LeakyReLU(0.1)),
        layers.LSTM(5, return_sequences=True),
        layers.Flatten(),
        layers.Dense(1, "gelu"),
    ]
    series = [
        layers.Rescaling(0.5, -0.1),
        layers.GRU(5, return_sequences=True, activation="softsign"),
        layers.LayerNormalization(),
        layers.Reshape((6, 10)),
        layers.Conv1D(4, 2, strides=2, activation="swish"),
        layers.GlobalAveragePooling1D(),
        layers.Dense(1),
    ]
    tags = [
        layers.Embedding(20, 6, mask_zero=True),
        layers.GRU(5, return_sequences=True),
        layers.TimeDistributed(layers.Dense(2, "tanh")),
    ]
    return {"tags": (tags, (12,)), "text": (text, (12,)), "activity": (activity, (12, 3)), "series": (series, (12, 2))}


@pytest.mark.parametrize("name", ["text", "tags", "activity", "series"])
def test_fifty_updates_of_models_that_look_across_steps_agree_with_keras(name):
    keras = pytest.importorskip("keras", reason='Keras is not installed: pip install "tsuzuki[keras]"')
    import tsuzuki
    from tsuzuki.keras.forward import prepare_predict

    generator = np.random.default_rng(0)
    layers, shape = stacks(keras.layers)[name]
    x = generator.normal(size=(40, *shape)).astype(np.float32)
    if shape == (12,):
        x = np.where(np.arange(12) < generator.integers(0, 12, (40, 1)), generator.integers(1, 20, (40, 12)), 0)
    model = keras.Sequential([keras.Input(shape), *layers])
    y = generator.normal(size=(40, *model.output_shape[1:])).astype(np.float32)
    # Keras on TensorFlow squares the gradient of each occurrence of a number by itself, for Adam's second moment.
    optimizer = "sgd" if shape == (12,) else "adam"
    model.compile(optimizer, "mse")
    other = keras.models.clone_model(model)
    other.set_weights(model.get_weights())
    other.compile(optimizer, "mse")
    theirs = other.fit(x, y, 8, epochs=10, shuffle=False, verbose=0).history
    ours = tsuzuki.fit(model, x, y, batch_size=8, epochs=10, shuffle=False, verbose=0).history
    np.testing.assert_allclose(ours["loss"], theirs["loss"], rtol=1e-4)
    for mine, exact in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(mine, exact, atol=1e-3)
    np.testing.assert_allclose(prepare_predict(model, x, verbose=0).predict(), other.predict(x, verbose=0), atol=1e-3)


def test_numbers_that_are_not_in_the_table_are_named():
    network = Network(1, (Embedding(5, 2), GRU(2), Dense(1)))
    series = np.array([[0.0], [4.0], [2.5], [5.0]], np.float32)
    with pytest.raises(SettingError, match=r"the inputs have 2.5 in row 2, column 0, but Embedding.* from 0 to 4"):
        CompiledNetwork(network, RowShape(1, 2), Data(series, series, 1), optimizer=SGD())


def test_half_the_values_are_dropped_alike_at_all_steps():
    network = graph(
        {"x": 8, "y": 1},
        {"dropped": (SpatialDropout1D(0.5), "x"), "cell": (SimpleRNN(1), "y")},
        ["dropped", "cell"],
    )
    inputs = np.ones((40, 9), np.float32)
    compiled = CompiledNetwork(network, RowShape(4, 9), Data(inputs, np.zeros((41, 9), np.float32), 9), optimizer=SGD())
    forecasts = np.zeros((41, 9), np.float32)
    row = (np.full((1, 4), value, np.int32) for value in (9, ZERO, NOWHERE))
    compiled.run(Block(np.arange(4)[None] * 10, *row), forecasts)
    seen = np.stack([forecasts[lane * 10 + 1 : lane * 10 + 10, :8] for lane in range(4)])
    assert set(np.unique(seen)) == {0.0, 2.0}
    assert (seen == seen[:, :1]).all()
    assert 0.2 < seen.mean() / 2 < 0.8
