"""The same weights and the same batches in Keras: gradients in float64, and weights after many updates."""

import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tsuzuki.data.segments import Segment
from tsuzuki.engine.data import Data, Objective
from tsuzuki.engine.padding import aligned, pad, unpad
from tsuzuki.engine.plan import lower
from tsuzuki.engine.session import Session
from tsuzuki.layouts.streams import Streams
from tsuzuki.layouts.windows import Windows
from tsuzuki.network.initialisers import initialise
from tsuzuki.network.layers import ACTIVATIONS, GRU, LSTM, Dense, Recurrent, SimpleRNN
from tsuzuki.network.losses import MAE, MSE, GaussianNLL, Huber, Pinball
from tsuzuki.network.network import Network
from tsuzuki.network.optimizers import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Cosine,
    Exponential,
    Ftrl,
    Lion,
    Nadam,
    RMSprop,
    Step,
)
from tsuzuki.training.fit import fit

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
keras = pytest.importorskip("keras", reason='Keras is not installed: pip install "tsuzuki[keras]"')
tf = pytest.importorskip("tensorflow", reason='TensorFlow is not installed: pip install "tsuzuki[keras]"')
# All of them in one worker: importing TensorFlow twice takes longer than the tests.

LOSSES = {
    MSE(): lambda y, z: tf.reduce_mean((z - y) ** 2),
    MAE(): lambda y, z: tf.reduce_mean(tf.abs(z - y)),
    Huber(0.4): lambda y, z: tf.reduce_mean(keras.losses.huber(y, z, delta=0.4)),
    Pinball((0.2, 0.7)): lambda y, z: _pinball(y, z, (0.2, 0.7)),
    GaussianNLL(): lambda y, z: _gaussian(y, z),
}
HEADS = {Pinball: 2, GaussianNLL: 2}


def _pinball(y, z, levels):
    error = tf.reshape(z, (*y.shape, len(levels))) - y[..., None]
    level = tf.constant(levels, y.dtype)
    return tf.reduce_mean(tf.maximum(-level * error, (1 - level) * error))


def _gaussian(y, z):
    heads = tf.reshape(z, (*y.shape, 2))
    mean, log_variance = heads[..., 0], heads[..., 1]
    return tf.reduce_mean(0.5 * (log_variance + (y - mean) ** 2 / tf.exp(log_variance)))


def keras_model(network, lanes, timesteps, *, stateful, every_step, dtype="float32"):
    """The Keras model of a network."""
    layers = [keras.Input(batch_shape=(lanes, timesteps, network.inputs), dtype=dtype)]
    for i, layer in enumerate(network.layers):
        options = {"activation": layer.activation, "use_bias": layer.use_bias, "dtype": dtype}
        if isinstance(layer, Recurrent):
            options |= {"stateful": stateful, "return_sequences": every_step or i != network.last_recurrent}
            if not isinstance(layer, SimpleRNN):
                options["recurrent_activation"] = layer.recurrent_activation
        if isinstance(layer, GRU):
            options["reset_after"] = layer.reset_after
        layers.append(getattr(keras.layers, type(layer).__name__)(layer.units, **options))
    return keras.Sequential(layers)


@st.composite
def networks(draw, outputs):
    """Depth 1 to 3, any cell and activation; large sizes only where the depth leaves them quick."""
    depth = draw(st.integers(1, 3))
    units = st.integers(1, 130 if depth == 1 else 40)
    layers = []
    for _ in range(depth):
        kind = draw(st.sampled_from([SimpleRNN, GRU, LSTM]))
        options = {"activation": draw(st.sampled_from(["tanh", "sigmoid", "hard_sigmoid", "linear", "relu"]))}
        if kind is not SimpleRNN:
            options["recurrent_activation"] = draw(st.sampled_from(["sigmoid", "hard_sigmoid"]))
        if kind is GRU:
            options["reset_after"] = draw(st.booleans())
        layers.append(kind(draw(units), use_bias=draw(st.booleans()), **options))
        layers += [Dense(draw(st.integers(1, 20)), draw(st.sampled_from(ACTIVATIONS)))] * draw(st.booleans())
    return Network(draw(st.integers(1, 20)), (*layers, Dense(outputs)))


@given(
    st.data(), st.sampled_from(list(LOSSES)), st.integers(1, 70), st.integers(1, 50), st.booleans(), st.integers(0, 999)
)
@settings(max_examples=40)
def test_gradients_agree_with_tensorflows_in_double_precision(data, loss, lanes, steps, every_step, seed):
    horizon = data.draw(st.integers(1, 3))
    network = data.draw(networks(horizon * HEADS.get(type(loss), 1)))
    generator = np.random.default_rng(seed)
    # Recurrent weights at a quarter of the usual size keep unbounded activations from exploding over 50 steps.
    weights = [w * (0.25 if w.ndim == 2 and w.shape[0] > 1 else 1) for w in initialise(network, seed)]
    weights = [(w + generator.normal(0, 0.02, w.shape)).astype(np.float32) for w in weights]
    points = lanes * (steps + 1)
    inputs = generator.normal(size=(points, network.inputs)).astype(np.float32)
    targets = generator.normal(size=(points, horizon)).astype(np.float32)
    segments = [Segment(lane * (steps + 1), (lane + 1) * (steps + 1)) for lane in range(lanes)]
    layout = (Streams(steps, lanes) if every_step else Windows(steps, lanes)).over(segments)
    block = layout.block(0, 1)
    plan = lower(network, layout.lanes, steps, every_step)
    bank = aligned(max(1, layout.slots) * plan.state_size)
    session = Session(plan, Data(inputs, targets, horizon), Objective(loss), SGD(learning_rate=0.0), bank=bank)
    pad(plan, weights, session.parameters)
    found = session.run(block)[0, 0]

    rows = block.starts[0][:, None] + np.arange(steps)
    y = targets[rows + 1] if every_step else targets[rows[:, -1] + 1]

    def in_keras(dtype, weights):
        model = keras_model(network, lanes, steps, stateful=False, every_step=every_step, dtype=dtype)
        model.set_weights([w.astype(dtype) for w in weights])
        with tf.GradientTape() as tape:
            value = LOSSES[loss](tf.constant(y, dtype), model(tf.constant(inputs[rows], dtype)))
        return float(value), [np.asarray(g) for g in tape.gradient(value, [v.value for v in model.trainable_variables])]

    value, expected = in_keras("float64", weights)
    assert found == pytest.approx(value, rel=2e-5, abs=1e-6)
    scale = max(np.abs(exact).max() for exact in expected)
    pairs = list(zip(unpad(plan, session.gradients[: plan.size]), expected, strict=True))
    doubt = 0.0
    if not all(np.allclose(gradient, exact, rtol=2e-5, atol=2e-5 * scale) for gradient, exact in pairs):
        # On a corner, in a saturated cell or where a sum cancels, float32 has no better answer: neither has Keras, from
        # weights that lie a rounding away.
        for _ in range(8):
            _, others = in_keras("float32", [w * (1 + generator.normal(0, 3e-7, w.shape)) for w in weights])
            off = max(np.abs(other - exact).max() for other, exact in zip(others, expected, strict=True))
            doubt = max(doubt, 2 * off)
    for gradient, exact in pairs:
        np.testing.assert_allclose(gradient, exact, rtol=2e-5, atol=2e-5 * scale + doubt)


def train_both(network, ours, theirs, *, updates, stateful, keras_loss="mse", loss="mse", lanes=6, steps=6):
    """Train the same updates in both; return the weights of each after every update asked for."""
    generator = np.random.default_rng(5)
    points = lanes * updates + steps
    series = np.cumsum(generator.normal(0, 0.1, (points, network.inputs)), axis=0).astype(np.float32)
    targets = np.ascontiguousarray(series[:, :1])
    layout = Windows(steps, lanes, stateful=stateful).over([Segment(0, points)])
    weights = initialise(network, 0)
    model = keras_model(network, lanes, steps, stateful=stateful, every_step=False)
    model.compile(theirs, keras_loss)
    model.set_weights(weights)
    block = layout.block(0, layout.updates)
    first = None
    for k in range(layout.updates):
        rows = block.starts[k]
        model.train_on_batch(series[rows[:, None] + np.arange(steps)], targets[rows + steps])
        first = first or model.get_weights()
    one = fit(
        network,
        weights,
        series[: lanes + steps],
        targets[: lanes + steps],
        Windows(steps, lanes, stateful=stateful).over([Segment(0, lanes + steps)]),
        epochs=1,
        optimizer=ours,
        loss=loss,
    )
    many = fit(network, weights, series, targets, layout, epochs=1, optimizer=ours, loss=loss)
    return (one.weights, first), (many.weights, model.get_weights())


def assert_near(pair, tolerance):
    for ours, theirs in zip(*pair, strict=True):
        assert np.abs(ours - theirs).max() <= tolerance * max(np.abs(theirs).max(), 1e-2)


@pytest.mark.parametrize("stateful", [False, True])
@pytest.mark.parametrize("units", [1, 10, 16, 17, 40])
def test_a_hundred_updates_of_the_classic_network_agree_with_keras(units, stateful):
    network = Network(1, (SimpleRNN(units), Dense(10, "tanh"), Dense(1)))
    one, hundred = train_both(network, RMSprop(), keras.optimizers.RMSprop(), updates=100, stateful=stateful)
    assert_near(one, 1e-5)
    assert_near(hundred, 1e-3)


CELLS = [
    SimpleRNN(12, "relu"),
    GRU(12),
    GRU(12, reset_after=False, recurrent_activation="hard_sigmoid"),
    LSTM(12),
    LSTM(12, use_bias=False),
    LSTM(12, "sigmoid", unit_forget_bias=False),
]


@pytest.mark.parametrize("stateful", [False, True])
@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_fifty_updates_of_every_cell_agree_with_keras(cell, stateful):
    network = Network(2, (cell, Dense(1)))
    one, fifty = train_both(network, RMSprop(), keras.optimizers.RMSprop(), updates=50, stateful=stateful)
    assert_near(one, 1e-5)
    assert_near(fifty, 1e-3)


OPTIMIZERS = [
    (SGD(learning_rate=0.05), lambda: keras.optimizers.SGD(0.05)),
    (SGD(learning_rate=0.05, momentum=0.9), lambda: keras.optimizers.SGD(0.05, 0.9)),
    (SGD(learning_rate=0.05, momentum=0.9, nesterov=True), lambda: keras.optimizers.SGD(0.05, 0.9, nesterov=True)),
    (RMSprop(momentum=0.5), lambda: keras.optimizers.RMSprop(momentum=0.5)),
    (RMSprop(centered=True, rho=0.8), lambda: keras.optimizers.RMSprop(centered=True, rho=0.8)),
    (Adam(), lambda: keras.optimizers.Adam()),
    (Adam(amsgrad=True), lambda: keras.optimizers.Adam(amsgrad=True)),
    (AdamW(weight_decay=0.1, decay_biases=True), lambda: keras.optimizers.AdamW(weight_decay=0.1)),
    (Adagrad(learning_rate=0.05), lambda: keras.optimizers.Adagrad(0.05)),
    (Adadelta(learning_rate=1.0), lambda: keras.optimizers.Adadelta(1.0)),
    (Adamax(), lambda: keras.optimizers.Adamax()),
    (Nadam(weight_decay=0.1, decay_biases=True), lambda: keras.optimizers.Nadam(weight_decay=0.1)),
    (Lion(), lambda: keras.optimizers.Lion()),
    (
        Ftrl(
            learning_rate=0.1,
            l1_regularization_strength=0.01,
            l2_regularization_strength=0.02,
            l2_shrinkage_regularization_strength=0.03,
            beta=0.1,
        ),
        lambda: keras.optimizers.Ftrl(
            0.1,
            l1_regularization_strength=0.01,
            l2_regularization_strength=0.02,
            l2_shrinkage_regularization_strength=0.03,
            beta=0.1,
        ),
    ),
    (
        RMSprop(use_ema=True, ema_momentum=0.8, ema_overwrite_frequency=5),
        lambda: keras.optimizers.RMSprop(use_ema=True, ema_momentum=0.8, ema_overwrite_frequency=5),
    ),
    (Adam(clipvalue=0.01), lambda: keras.optimizers.Adam(clipvalue=0.01)),
    (SGD(clipnorm=0.02), lambda: keras.optimizers.SGD(clipnorm=0.02)),
    (SGD(global_clipnorm=0.02), lambda: keras.optimizers.SGD(global_clipnorm=0.02)),
    (
        RMSprop(learning_rate=Cosine(0.01, 40)),
        lambda: keras.optimizers.RMSprop(keras.optimizers.schedules.CosineDecay(0.01, 40)),
    ),
    (
        Adam(learning_rate=Cosine(0.01, 40, warmup=8)),
        lambda: keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(0.0, 32, warmup_target=0.01, warmup_steps=8)
        ),
    ),
    (
        SGD(learning_rate=Exponential(0.05, 10, 0.5, staircase=True)),
        lambda: keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(0.05, 10, 0.5, staircase=True)),
    ),
    (
        SGD(learning_rate=Step((10, 30), (0.05, 0.01, 0.001))),
        lambda: keras.optimizers.SGD(keras.optimizers.schedules.PiecewiseConstantDecay([10, 30], [0.05, 0.01, 0.001])),
    ),
]


@pytest.mark.parametrize(
    ("ours", "theirs"), OPTIMIZERS, ids=lambda value: str(value) if hasattr(value, "learning_rate") else ""
)
def test_fifty_updates_of_every_optimiser_and_schedule_agree_with_keras(ours, theirs):
    network = Network(1, (GRU(10), Dense(1)))
    one, fifty = train_both(network, ours, theirs(), updates=50, stateful=True)
    assert_near(one, 1e-5)
    assert_near(fifty, 1e-3)


@pytest.mark.parametrize(
    ("loss", "theirs"), [("mae", "mae"), (Huber(0.1), lambda: keras.losses.Huber(0.1))], ids=["mae", "huber"]
)
def test_fifty_updates_of_every_keras_loss_agree_with_keras(loss, theirs):
    network = Network(1, (SimpleRNN(10), Dense(1)))
    chosen = theirs if isinstance(theirs, str) else theirs()
    one, fifty = train_both(
        network, Adam(), keras.optimizers.Adam(), updates=50, stateful=False, loss=loss, keras_loss=chosen
    )
    assert_near(one, 1e-5)
    assert_near(fifty, 1e-3)
