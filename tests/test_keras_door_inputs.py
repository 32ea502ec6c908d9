"""Inputs of a Keras model that differ in their steps, or have none: trained here as Keras trains them."""

import numpy as np
import pytest

import tsuzuki
from keras_models import difference, keras

L = keras.layers
SAMPLES = 10


def floats(*shape):
    return np.random.default_rng(sum(shape)).normal(size=(SAMPLES, *shape)).astype(np.float32)


def words(count, steps):
    generator = np.random.default_rng(steps)
    lengths = generator.integers(1, steps + 1, (SAMPLES, 1))
    return generator.integers(1, count, (SAMPLES, steps)) * (np.arange(steps) < lengths)


def a_series_beside_values_without_time():
    series, place, shop = keras.Input((4, 2)), keras.Input((3,)), keras.Input((1,))
    table = L.Flatten()(L.Embedding(7, 2)(shop))
    begin = L.Dense(3, activation="tanh")(place)
    both = L.concatenate([L.GRU(3)(series, initial_state=begin), L.Dense(4, activation="relu")(place), table])
    x = [floats(4, 2), floats(3), words(7, 1)]
    return (
        keras.Model([series, place, shop], [L.Dense(2, name="load")(both), L.Dense(1, name="peak")(both)]),
        x,
        [floats(2), floats(1)],
    )


def sentences_of_other_lengths():
    given, wanted = keras.Input((None,)), keras.Input((None,))
    states = L.LSTM(4, return_state=True)(L.Embedding(20, 3, mask_zero=True)(given))[1:]
    steps = L.LSTM(4, return_sequences=True)(L.Embedding(9, 3, mask_zero=True)(wanted), initial_state=states)
    x = [words(20, 6), words(9, 4)]
    return keras.Model([given, wanted], L.Dense(2)(steps)), x, floats(4, 2)


def values_repeated_over_steps():
    layers = [keras.Input((3,)), L.Dense(4), L.RepeatVector(4), L.SimpleRNN(3, return_sequences=True)]
    return keras.Sequential(layers), floats(3), floats(4, 3)


def steps_reshaped_to_one_value():
    return keras.Sequential([keras.Input((5,)), L.Reshape((5, 1)), L.GRU(3), L.Dense(1)]), floats(5), floats(1)


MODELS = [
    a_series_beside_values_without_time,
    sentences_of_other_lengths,
    values_repeated_over_steps,
    steps_reshaped_to_one_value,
]


@pytest.mark.parametrize("make", MODELS)
def test_inputs_of_other_steps_are_read_as_in_keras(make):
    models = []
    for _ in range(2):
        keras.utils.set_random_seed(2)
        model, x, y = make()
        model.compile("sgd", "mse")
        models.append(model)
    # The last batch is smaller: Keras on TensorFlow shows outputs' losses as their mean over batches.
    options = {"batch_size": 4, "epochs": 2, "shuffle": False, "verbose": 0}
    expected = models[1].fit(x, y, **options).history
    found = tsuzuki.fit(models[0], x, y, **options).history
    assert sorted(found) == sorted(expected)
    for name in expected:
        assert found[name] == pytest.approx(expected[name], rel=1e-4)
    assert difference(*models) < 1e-5
    mine, other = (keras.tree.flatten(one) for one in (tsuzuki.predict(models[0], x), models[1].predict(x, verbose=0)))
    for found, expected in zip(mine, other, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_model_takes_other_lengths_in_the_next_call():
    model, x, y = sentences_of_other_lengths()
    model.compile("sgd", "mse")
    tsuzuki.fit(model, x, y, verbose=0)
    shorter = [x[0][:, :3], x[1]]
    np.testing.assert_allclose(tsuzuki.predict(model, shorter), model.predict(shorter, verbose=0), atol=1e-5)
