"""Layers that go through each part of the steps by itself, against Keras."""

import os

import numpy as np
import pytest

from tsuzuki.errors import SettingError, UnsupportedModel
from tsuzuki.network.layers import GRU, LSTM, Dense, SimpleRNN
from tsuzuki.network.network import Network
from tsuzuki.network.normalisation import BatchNormalization
from tsuzuki.network.shaping import Flatten, Reshape
from tsuzuki.network.time_distributed import TimeDistributed
from tsuzuki.network.windows import Conv1D

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
keras = pytest.importorskip("keras", reason='Keras is not installed: pip install "tsuzuki[keras]"')
L, TD = keras.layers, keras.layers.TimeDistributed


def subsequences():
    """The CNN-LSTM of tutorials, any number of subsequences, with cells and a model inside beside it."""
    inputs = keras.Input((None, 6, 2))
    windows = TD(L.Conv1D(4, 3, activation="relu", kernel_regularizer="l2"))(inputs)
    windows = TD(L.Flatten())(TD(L.MaxPooling1D(2))(L.Dropout(0.0)(windows)))
    cells = TD(L.Bidirectional(L.GRU(3, return_sequences=True)))(L.BatchNormalization(epsilon=0.1)(inputs))
    cells = TD(L.LSTM(3))(TD(L.PReLU())(TD(L.Permute((2, 1)))(cells)))
    inner = keras.Sequential([keras.Input((6, 2)), L.Conv1D(3, 2, activation="tanh"), L.GlobalMaxPooling1D()])
    both = L.Concatenate()([windows, cells, TD(inner)(inputs)])
    return keras.Model(inputs, L.Dense(1)(L.LSTM(5)(both))), (4, 6, 2)


def sentences():
    """Words of sentences, and a series cut up behind a cell and put together again."""
    words = keras.Input((4, 6))
    values = TD(L.Bidirectional(L.LSTM(3)))(TD(L.Embedding(9, 4))(words))
    cut = L.Reshape((2, 4, 3))(L.SimpleRNN(6, return_sequences=True)(values))
    cut = L.Reshape((8, 2))(TD(L.Conv1D(2, 3, padding="same", activation="tanh"))(cut))
    return keras.Model(words, L.Dense(2)(L.GRU(4, return_sequences=True)(cut))), (4, 6)


@pytest.mark.parametrize("made", [subsequences, sentences])
def test_parts_are_forecast_as_in_keras(made):
    from tsuzuki.keras.forward import prepare_predict

    keras.utils.set_random_seed(2)
    generator, (model, shape) = np.random.default_rng(0), made()
    x = generator.integers(0, 9, (5, *shape)) if len(shape) == 2 else generator.normal(size=(5, *shape))
    found = prepare_predict(model, x.astype(np.float32), verbose=0).predict()
    np.testing.assert_allclose(found, np.asarray(model(x)), atol=1e-5)


def test_fifty_updates_of_the_tutorials_model_agree_with_keras():
    import tsuzuki

    keras.utils.set_random_seed(2)
    generator, inputs = np.random.default_rng(0), keras.Input((2, 6, 2))
    windows = TD(L.MaxPooling1D(2))(TD(L.Conv1D(4, 3, activation="relu", kernel_regularizer="l2"))(inputs))
    both = L.Concatenate()([TD(L.Flatten())(windows), TD(L.SimpleRNN(3))(inputs)])
    model = keras.Model(inputs, L.Dense(1)(L.SimpleRNN(5)(both)))
    other = keras.models.clone_model(model)
    other.set_weights(model.get_weights())
    for one in (model, other):
        one.compile("adam", "mse", jit_compile=False)
    x, y = (generator.normal(size=(40, *shape)).astype(np.float32) for shape in ((2, 6, 2), (1,)))
    options = {"batch_size": 8, "epochs": 10, "shuffle": False, "verbose": 0}
    found, expected = tsuzuki.fit(model, x, y, **options).history, other.fit(x, y, **options).history
    np.testing.assert_allclose(found["loss"], expected["loss"], rtol=1e-4)
    for mine, exact in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(mine, exact, atol=1e-3)


def test_a_network_of_parts_goes_to_keras_and_comes_back():
    import tsuzuki
    from tsuzuki.network.initialisers import initialise

    inner = (TimeDistributed(Reshape((4, 2), 1), 1), TimeDistributed(Conv1D(3, 2), 4), TimeDistributed(Flatten(3), 3))
    network = Network(8, (*inner, LSTM(4, return_sequences=False), Dense(1)))
    weights = initialise(network, 0)
    model = tsuzuki.to_keras(network, weights, timesteps=3)
    assert [type(layer).__name__ for layer in model.layers] == ["TimeDistributed"] * 3 + ["LSTM", "Dense"]
    back, same = tsuzuki.from_keras(model)
    assert back == network
    assert all(map(np.array_equal, same, weights))


def sequential(*layers, shape=(4, 6, 2), rows=None):
    return keras.Sequential([keras.Input(shape, rows), *layers, L.GRU(2), L.Dense(1)])


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda: sequential(TD(L.Conv2D(2, 2)), TD(L.Flatten()), shape=(4, 6, 6, 1)), "holds a Conv2D; use one of"),
        (
            lambda: sequential(TD(L.LSTM(2, stateful=True)), rows=3),
            r"begins each part with zeros.*give its layer stateful=False",
        ),
        (
            lambda: sequential(TD(L.BatchNormalization()), TD(L.Flatten())),
            "moments of a BatchNormalization there of each",
        ),
        (
            lambda: sequential(TD(L.Embedding(5, 2, mask_zero=True)), TD(L.LSTM(2)), shape=(4, 6)),
            "reads masked steps; leave out the mask",
        ),
        (lambda: sequential(L.PReLU(), TD(L.Flatten())), "put it in a TimeDistributed"),
        (
            lambda: keras.Model(a := keras.Input((4, 6, 2)), TD(L.LSTM(2, return_sequences=True))(a)),
            "has values for each step of several parts",
        ),
    ],
)
def test_what_keras_distributes_otherwise_is_refused(model, message):
    import tsuzuki

    with pytest.raises(UnsupportedModel, match=message):
        tsuzuki.from_keras(model())


@pytest.mark.parametrize(
    ("layers", "timesteps", "message"),
    [
        ((TimeDistributed(Conv1D(2, 2), 3),), 4, r"reads 4 steps; give rows for which these are a multiple of 3"),
        ((SimpleRNN(6), TimeDistributed(Reshape((3, 2), 1), 1)), 4, "put a linear activation between them"),
    ],
)
def test_steps_that_are_no_parts_are_refused(layers, timesteps, message):
    from tsuzuki.engine.plan import lower

    with pytest.raises(SettingError, match=message):
        lower(Network(2, (*layers, GRU(2))), 3, timesteps, False)


@pytest.mark.parametrize("inner", [BatchNormalization(), LSTM(2), TimeDistributed(Flatten(2), 2)], ids=str)
def test_what_takes_no_part_by_itself_is_refused(inner):
    with pytest.raises(SettingError, match=r"cannot take each part by itself|begins each part with zeros"):
        TimeDistributed(inner, 2)


def test_inputs_of_other_parts_are_named():
    import tsuzuki

    model = sequential(TD(L.Flatten()))
    model.compile("sgd", "mse")
    with pytest.raises(SettingError, match=r"x has shape \(8, 4, 6, 3\); the model takes \('samples', 4, 6, 2\)"):
        tsuzuki.fit(model, np.zeros((8, 4, 6, 3), np.float32), np.zeros((8, 1), np.float32), verbose=0)
