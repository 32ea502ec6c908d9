"""Penalties on what layers give: those of a plain twin, training as Keras's, the same bits on threads."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reference
import tsuzuki
from keras_models import difference, keras
from tsuzuki import GRU, LSTM, ActivityRegularization, Dense, Network
from tsuzuki.engine.compiled_network import CompiledNetwork
from tsuzuki.engine.data import Data, RowShape
from tsuzuki.errors import SettingError, UnsupportedModel
from tsuzuki.layouts.layout import NOWHERE, ZERO, Block
from tsuzuki.network.optimizers import SGD

L, R = keras.layers, keras.regularizers


def rows_of(lanes, steps, empty=0):
    """A block of one update whose last lanes hold nothing."""
    starts, valid = np.arange(lanes)[None] * steps, np.full((1, lanes), steps, np.int32)
    valid[0, lanes - empty :] = 0
    zero = np.full((1, lanes), ZERO, np.int32)
    return Block(np.where(valid > 0, starts, -1), valid, zero, np.full((1, lanes), NOWHERE, np.int32))


def trained(network, weights, lanes, steps, empty=0, threads=None):
    """Loss, penalty and weights after an update of plain SGD, and the inputs and targets."""
    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(lanes * steps + 1, network.inputs)).astype(np.float32)
    targets = generator.normal(size=(lanes * steps + 1, network.outputs)).astype(np.float32)
    data, shape = Data(inputs, targets, network.outputs), RowShape(lanes, steps, False)
    compiled = CompiledNetwork(network, shape, data, optimizer=SGD(learning_rate=0.5), threads=threads)
    compiled.set_weights(weights)
    loss = compiled.run(rows_of(lanes, steps, empty))[0, 0]
    return loss, compiled.weights(), inputs, targets


@given(st.integers(2, 6), st.integers(1, 5), st.integers(1, 5), st.floats(0, 0.3), st.floats(0, 0.3), st.booleans())
@settings(max_examples=20)
def test_a_penalty_is_that_of_the_plain_twin(lanes, steps, units, l1, l2, short):
    layers = (GRU(units, return_sequences=True), ActivityRegularization(l1, l2), LSTM(3), Dense(2))
    network = Network(2, layers)
    weights = tsuzuki.initialise(network, 1)
    found, _, inputs, _ = trained(network, weights, lanes, steps, int(short))
    without = Network(2, (*layers[:1], *layers[2:]))
    plain, *_ = trained(without, weights, lanes, steps, int(short))
    real = lanes - int(short)
    x = inputs[: lanes * steps].reshape(lanes, steps, 2).swapaxes(0, 1).astype(np.float64)
    inner = Network(2, layers[:1])
    seen, _ = reference.run(inner, weights[:3], x, reference.zero_states(inner, lanes))
    values = seen[:, :real]
    assert found - plain == pytest.approx(
        (l1 * np.abs(values).sum() + l2 * (values**2).sum()) / real, rel=1e-3, abs=1e-5
    )


def test_a_penalty_gives_the_same_bits_with_any_number_of_threads():
    network = Network(4, (GRU(48, return_sequences=True), ActivityRegularization(0.1, 0.1), GRU(48), Dense(1)))
    weights = tsuzuki.initialise(network, 1)
    one, two = (trained(network, weights, 96, 12, threads=threads) for threads in (1, 2))
    assert one[0] == two[0]
    for mine, other in zip(one[1], two[1], strict=True):
        np.testing.assert_array_equal(mine, other)


def a_model():
    keras.utils.set_random_seed(2)
    words, series = keras.Input((5,)), keras.Input((5, 2))
    table = L.Embedding(6, 3, activity_regularizer=R.L1(0.01))(words)
    both = L.Concatenate()([table, L.LSTM(4, return_sequences=True, activity_regularizer=R.L2(0.05))(series)])
    last = L.ActivityRegularization(0.02, 0.01)(L.GRU(3)(both))
    model = keras.Model([words, series], L.Dense(1, activation="relu", activity_regularizer=R.L1L2(0.01, 0.02))(last))
    model.compile("sgd", "mse", metrics=["mse"])
    return model


def test_models_with_activity_regularizers_are_trained_as_in_keras():
    generator = np.random.default_rng(0)
    x = [generator.integers(0, 6, (11, 5)), generator.normal(size=(11, 5, 2)).astype(np.float32)]
    y = generator.normal(size=(11, 1)).astype(np.float32)
    ours, theirs = a_model(), a_model()
    options = {"batch_size": 4, "epochs": 3, "shuffle": False, "verbose": 0, "validation_data": (x, y)}
    expected, found = theirs.fit(x, y, **options).history, tsuzuki.fit(ours, x, y, **options).history
    for name, values in expected.items():
        assert found[name] == pytest.approx(values, rel=1e-5), name
    assert difference(ours, theirs) < 1e-6


def test_what_has_no_penalty_here_is_refused():
    inside = L.Bidirectional(L.GRU(2, activity_regularizer="l2"))
    model = keras.Sequential([keras.Input((3, 1)), inside, L.Dense(1, activity_regularizer=R.OrthogonalRegularizer())])
    with pytest.raises(UnsupportedModel) as refused:
        tsuzuki.from_keras(model)
    assert "holds a layer with an activity_regularizer" in str(refused.value)
    assert "has a activity_regularizer of another kind than l1, l2 or l1_l2" in str(refused.value)
    with pytest.raises(SettingError, match="below 0"):
        ActivityRegularization(-1.0)
