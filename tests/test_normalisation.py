"""Moments over a whole batch: across blocks of lanes and threads, as Keras has them, and moving averages after it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reference
from drawn_chains import batch_normalised
from keras_models import keras
from test_masks import session_of
from tsuzuki.data.segments import Segment
from tsuzuki.engine import plan
from tsuzuki.engine.padding import unpad
from tsuzuki.errors import DivergedError, SettingError
from tsuzuki.keras.forward import prepare_evaluate, prepare_predict
from tsuzuki.layouts.streams import Streams
from tsuzuki.layouts.windows import Windows
from tsuzuki.network.initialisers import initialise
from tsuzuki.network.layers import GRU, LSTM, Dense, SimpleRNN
from tsuzuki.network.network import Network, parameters
from tsuzuki.network.normalisation import BatchNormalization, Normalization, UnitNormalization

L = keras.layers


@pytest.fixture
def split_in_three(monkeypatch):
    """Blocks of a third of the lanes, however little there is to do."""
    monkeypatch.setattr(
        plan, "split_lanes", lambda network, lanes, steps: (-(-lanes // -(-lanes // 3)), -(-lanes // 3))
    )


@pytest.mark.usefixtures("split_in_three")
@given(batch_normalised(), st.integers(1, 9), st.integers(0, 999), st.booleans())
@settings(max_examples=40)
def test_moments_over_blocks_of_lanes_and_rows_that_end_early_agree_with_the_plain_twin(chain, lanes, seed, windows):
    network, generator = chain.network, np.random.default_rng(seed)
    # Over one row or two, differences of nearly equal numbers are all there is.
    lanes += 4
    inputs = generator.normal(size=(60, network.inputs)).astype(np.float32)
    targets = generator.normal(size=(60, 2)).astype(np.float32)
    whole = windows or network.whole_rows
    layout = (Windows if whole else Streams)(chain.timesteps, lanes).over([Segment(0, 60)])
    weights = [(w + generator.normal(0, 0.1, w.shape)).astype(np.float32) for w in initialise(network, seed)]
    block = layout.block(0, layout.updates)
    session = session_of(network, weights, inputs, targets, layout, threads=2, horizon=2)
    found = session.run(block)[:, 0]
    scored = session_of(network, weights, inputs, targets, layout, threads=1, horizon=2).forward(block)[:, 0]
    for training, values in ((True, found), (False, scored)):
        states = reference.zero_states(network, layout.lanes)
        exact = [w.astype(np.float64) for w in weights]
        for k in range(layout.updates):
            expected, states = reference.update_loss(
                network, exact, inputs.astype(np.float64), targets.astype(np.float64), block, k, reference.MSE(),
                layout.every_step, states, 2, training=training,
            )  # fmt: skip
            assert values[k] == pytest.approx(expected, rel=1e-3, abs=2e-5)


@given(st.integers(2, 4), st.integers(1, 4), st.integers(0, 999))
@settings(max_examples=8)
def test_the_gradient_of_a_step_of_zeros_that_is_brought_to_one_length_is_keras_own(units, steps, seed):
    tf, generator = pytest.importorskip("tensorflow"), np.random.default_rng(seed)
    network = Network(2, (Dense(units), UnitNormalization(), SimpleRNN(2), Dense(1)))
    inputs = generator.normal(size=(steps + 1, 2)).astype(np.float32)
    inputs[generator.random(steps + 1) < 0.5] = 0
    targets, weights = np.ones((steps + 1, 1), np.float32), initialise(network, seed)
    layout = Streams(steps, 1).over([Segment(0, steps + 1)])
    session = session_of(network, weights, inputs, targets, layout, threads=1)
    session.run(layout.block(0, 1))
    layers = [L.Dense(units), L.UnitNormalization(), L.SimpleRNN(2, return_sequences=True), L.Dense(1)]
    model = keras.Sequential([keras.Input((steps, 2)), *layers])
    model.set_weights(weights)
    with tf.GradientTape() as tape:
        value = tf.reduce_mean((model(inputs[None, :-1]) - 1) ** 2)
    expected = tape.gradient(value, [variable.value for variable in model.trainable_variables])
    for found, exact in zip(unpad(session.plan, session.gradients), expected, strict=True):
        np.testing.assert_allclose(found, exact, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("lanes", [1, 16, 65])
def test_moving_averages_follow_the_moments_with_the_same_bits_for_any_number_of_threads(lanes, monkeypatch):
    monkeypatch.setattr(plan, "WORTH_SPLITTING", 0)
    network = Network(3, (BatchNormalization(0.75), LSTM(4), BatchNormalization(0.9), GRU(5), Dense(1)))
    generator = np.random.default_rng(0)
    inputs = generator.normal(2.0, 3.0, (lanes * 41, 3)).astype(np.float32)
    targets = generator.normal(size=(lanes * 41, 1)).astype(np.float32)
    layout = Streams(8, lanes).over([Segment(0, lanes * 41)])
    weights, block = initialise(network, 0), layout.block(0, layout.updates)
    ended = []
    for threads in (1, 2, 3):
        session = session_of(network, weights, inputs, targets, layout, threads)
        session.run(block)
        ended.append(unpad(session.plan, session.parameters))
    for others in ended[1:]:
        for one, other in zip(ended[0], others, strict=True):
            np.testing.assert_array_equal(one, other)
    mean, variance = np.zeros(3), np.ones(3)
    for k in range(layout.updates):
        starts, valid = block.starts[k], block.valid[k]
        rows = np.concatenate([inputs[a : a + n] for a, n in zip(starts, valid, strict=True)]).astype(np.float64)
        mean, variance = 0.75 * mean + 0.25 * rows.mean(axis=0), 0.75 * variance + 0.25 * rows.var(axis=0)
    names = [(one.layer, one.name) for one in parameters(network)]
    np.testing.assert_allclose(ended[0][names.index((0, "moving_mean"))], mean, rtol=1e-5)
    np.testing.assert_allclose(ended[0][names.index((0, "moving_variance"))], variance, rtol=1e-5)


def built(kind, frozen=False):
    """Models as people write them, a batch normalised before, between and behind cells."""
    keras.utils.set_random_seed(1)
    layers = {
        "behind": [L.LSTM(6), L.BatchNormalization(), L.Dense(4, "relu"), L.BatchNormalization(), L.Dense(1)],
        "between": [
            L.GRU(5, return_sequences=True),
            L.BatchNormalization(momentum=0.8, epsilon=1e-2, center=False),
            L.BatchNormalization(scale=False),
            L.LSTM(4, return_sequences=True),
            L.Dense(1),
        ],
        "convolved": [
            L.Conv1D(6, 3, padding="same", use_bias=False),
            L.BatchNormalization(gamma_regularizer="l2"),
            L.ReLU(),
            L.MaxPooling1D(2),
            L.SimpleRNN(5),
            L.Dense(1),
        ],
        "masked": [
            L.Masking(),
            L.BatchNormalization(),
            L.LSTM(5, return_sequences=True),
            L.BatchNormalization(),
            L.GRU(3),
            L.Dense(1),
        ],
    }[kind]
    if frozen:
        next(layer for layer in layers if isinstance(layer, L.BatchNormalization)).trainable = False
    model = keras.Sequential([keras.Input((6, 3)), *layers])
    model.compile(keras.optimizers.Adam(0.005), "mse", metrics=["mae"], jit_compile=False)
    return model


@pytest.mark.parametrize(
    ("kind", "frozen"),
    [("behind", False), ("behind", True), ("between", False), ("convolved", False), ("masked", False)],
)
def test_fifty_updates_with_batch_normalisation_agree_with_keras(kind, frozen):
    import tsuzuki

    generator = np.random.default_rng(0)
    x = generator.normal(1.0, 2.0, size=(78, 6, 3)).astype(np.float32)
    if kind == "masked":
        x[generator.random((78, 6)) < 0.3] = 0
    ours, theirs = built(kind, frozen), built(kind, frozen)
    y = generator.normal(size=(78, *ours.output_shape[1:])).astype(np.float32)
    for one in (ours, theirs):
        for layer in one.layers:
            if isinstance(layer, L.BatchNormalization):
                layer.set_weights([w + 0.25 for w in layer.get_weights()])
    options = {"batch_size": 8, "epochs": 5, "shuffle": False, "validation_data": (x[:20], y[:20]), "verbose": 0}
    expected = theirs.fit(x, y, **options).history
    found = tsuzuki.fit(ours, x, y, **options).history
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-3, err_msg=name)
    for mine, exact in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(mine, exact, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(prepare_predict(ours, x, verbose=0).predict(), theirs.predict(x, verbose=0), atol=2e-3)
    scores = prepare_evaluate(ours, x, y, verbose=0).evaluate()
    assert scores["loss"] == pytest.approx(theirs.evaluate(x, y, verbose=0)[0], rel=1e-3)


def test_what_a_normalization_has_learnt_is_read_and_comes_back():
    import tsuzuki

    generator = np.random.default_rng(0)
    x = generator.normal(5.0, [1.0, 2.0, 3.0], size=(40, 6, 3)).astype(np.float32)
    adapted, whole = L.Normalization(), L.Normalization(axis=None)
    adapted.adapt(x)
    whole.adapt(x)
    given_ = L.Normalization(mean=[0.0, 1.0, 2.0], variance=[1.0, 4.0, 9.0], invert=True)
    model = keras.Sequential([keras.Input((6, 3)), adapted, given_, whole, L.GRU(4), L.Dense(1)])
    network, weights = tsuzuki.from_keras(model)
    assert isinstance(network.layers[0], Normalization)
    assert len(network.layers[0].means) == 3
    assert len(weights) == len(model.get_weights()) - 6
    again = tsuzuki.to_keras(network, weights, timesteps=6)
    np.testing.assert_allclose(again.predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-5)
    model.compile("sgd", "mse", jit_compile=False)
    before = [np.array(w) for w in adapted.get_weights()]
    tsuzuki.fit(model, x, x[:, 0, :1], epochs=2, verbose=0)
    for one, other in zip(adapted.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_keras_normalises_over_other_axes_is_refused_all_at_once():
    import tsuzuki

    model = keras.Sequential(
        [
            keras.Input((6, 3)),
            L.BatchNormalization(axis=1),
            L.LayerNormalization(axis=1),
            L.Normalization(axis=1),
            L.BatchNormalization(renorm=True),
            L.TimeDistributed(L.BatchNormalization()),
            L.GRU(4),
            L.Dense(1),
        ]
    )
    with pytest.raises(tsuzuki.UnsupportedModel) as error:
        tsuzuki.from_keras(model)
    assert len(error.value.problems) == 5


def test_a_diverged_update_leaves_the_moving_averages_as_they_were():
    import tsuzuki

    network = Network(1, (BatchNormalization(), SimpleRNN(2, "linear"), Dense(1)))
    inputs = np.ones((40, 1), np.float32)
    inputs[20:] = 1e38
    layout = Streams(5, 1).over([Segment(0, 40)])
    with pytest.raises(DivergedError) as error:
        tsuzuki.fit(network, initialise(network, 0), inputs, inputs, layout, epochs=1)
    assert all(np.isfinite(weights).all() for weights in error.value.weights)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: BatchNormalization(momentum=1.5), "momentum 1.5; give a share from 0 to 1"),
        (lambda: BatchNormalization(epsilon=0.0), "epsilon 0.0; give a number above 0"),
        (lambda: Normalization((1.0, 2.0), 1.0), "no variance of at least 0 for each mean"),
        (lambda: Network(3, (Normalization((1.0, 2.0), (1.0, 1.0)), GRU(2))), "reads 3 values; give a mean and a var"),
    ],
)
def test_settings_that_make_no_sense_are_refused(make, message):
    with pytest.raises(SettingError, match=message):
        make()
