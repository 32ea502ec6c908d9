"""Models whose functions call TensorFlow, are seen only with the samples' shape, or decode one step: read as others."""

import numpy as np
import pytest

import tsuzuki
from keras_models import keras
from tsuzuki.errors import UnsupportedModel
from tsuzuki.keras.forward import prepare_predict

tf = pytest.importorskip("tensorflow")
L = keras.layers
if keras.backend.backend() != "tensorflow":
    pytest.skip("TensorFlow's functions compute on its own backend alone", allow_module_level=True)


class Text(keras.Model):
    """The TensorFlow tutorial's model of characters."""

    def __init__(self):
        super().__init__()
        self.embedding, self.gru = L.Embedding(12, 4), L.GRU(5, return_sequences=True, return_state=True)
        self.dense = L.Dense(12)

    def call(self, inputs, states=None, return_state=False, training=False):
        x = self.embedding(inputs, training=training)
        if states is None:
            states = self.gru.get_initial_state(tf.shape(x)[0])
        x, states = self.gru(x, initial_state=states, training=training)
        x = self.dense(x, training=training)
        return (x, states) if return_state else x


class Residual(keras.Model):
    """The forecasting tutorial's wrapper."""

    def __init__(self):
        super().__init__()
        self.model = keras.Sequential([L.LSTM(4, return_sequences=True), L.Dense(3)])

    def call(self, inputs, *arguments, **options):
        return inputs + self.model(inputs, *arguments, **options)


class Pooled(keras.Model):
    """Functions of TensorFlow between layers."""

    def __init__(self):
        super().__init__()
        self.gru, self.dense = L.GRU(4, return_sequences=True), L.Dense(3)

    def call(self, x):
        steps = self.gru(tf.reverse(tf.cast(x, tf.float32), [1]))
        both = tf.concat([tf.reduce_mean(steps, axis=1), tf.reduce_max(steps, 1), tf.tanh(steps[:, -1])], axis=-1)
        return tf.squeeze(tf.expand_dims(tf.nn.softmax(self.dense(tf.nn.relu(both))), 1), axis=1)


LAMBDAS = [
    ((None,), lambda x: tf.expand_dims(x, axis=-1)),
    ((6,), lambda x: tf.reshape(x, [-1, 3, 2])),
    ((6, 2), lambda x: tf.transpose(x, [0, 2, 1])),
    ((6, 2), lambda x: tf.sigmoid(tf.multiply(tf.subtract(x, 1.0), 2.0))),
]


def forecasts_agree(model, x):
    np.testing.assert_allclose(prepare_predict(model, x, verbose=0).predict(), np.asarray(model(x)), atol=1e-6)


@pytest.mark.parametrize("number", range(len(LAMBDAS)))
def test_a_lambda_written_with_tensorflow_computes_what_it_does_in_keras(number):
    shape, function = LAMBDAS[number]
    model = keras.Sequential([keras.Input(shape), L.Lambda(function), L.SimpleRNN(3), L.Dense(1)])
    forecasts_agree(model, np.random.default_rng(1).normal(size=(4, *(size or 6 for size in shape))))


def test_a_class_written_with_tensorflow_computes_what_it_does_in_keras():
    x = np.random.default_rng(1).normal(size=(4, 6, 2)).astype(np.float32)
    model = Pooled()
    model(x)
    forecasts_agree(model, x)


@pytest.mark.parametrize(
    "function", [lambda x: tf.reduce_mean(x, axis=2, keepdims=True), lambda x: tf.reshape(x, [-1, 2, 2]), tf.square]
)
def test_what_has_no_equal_is_refused(function):
    model = keras.Sequential([keras.Input((6, 2)), L.Lambda(function), L.GRU(2)])
    with pytest.raises(UnsupportedModel, match="Lambda"):
        tsuzuki.from_keras(model)


def test_tensorflow_refuses_symbols_where_nothing_is_followed():
    tsuzuki.from_keras(keras.Sequential([keras.Input((6, 2)), L.Lambda(lambda x: tf.identity(x)), L.GRU(2)]))
    with pytest.raises(ValueError, match="KerasTensor"):
        tf.expand_dims(keras.Input((3,)), 0)


@pytest.mark.parametrize("kind", [Text, Residual])
def test_a_class_that_is_not_built_is_trained_on_batches_as_on_arrays(kind):
    draw = np.random.default_rng(2)
    x = draw.integers(0, 12, (20, 5)) if kind is Text else draw.normal(size=(20, 5, 3)).astype(np.float32)
    y = np.roll(x, -1, 1)
    found = []
    for batches in (False, True):
        keras.utils.set_random_seed(1)
        model = kind()
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True) if kind is Text else "mse"
        model.compile("adam", loss)
        given = (tf.data.Dataset.from_tensor_slices((x, y)).batch(8),) if batches else (x, y, 8)
        found.append(tsuzuki.fit(model, *given, epochs=2, shuffle=False, verbose=0).history["loss"])
        forecasts_agree(model, x[:8])
    assert found[0] == found[1]


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("cell", [L.LSTM, L.GRU])
def test_a_decoder_of_one_step_gives_its_step_and_its_states(cell, masked):
    tokens, states = keras.Input((None,)), [keras.Input((4,)) for _ in range(2 if cell is L.LSTM else 1)]
    layer = cell(4, return_sequences=True, return_state=True)
    steps, *ends = layer(L.Embedding(9, 3, mask_zero=masked)(tokens), initial_state=states)
    model = keras.Model([tokens, *states], [L.Dense(9, "softmax")(steps), *ends])
    draw = np.random.default_rng(3)
    for rows in (1, 3):
        x = [np.arange(rows)[:, None], *(draw.normal(size=(rows, 4)).astype(np.float32) for _ in states)]
        expected = model(x)
        for found in (prepare_predict(model, x, verbose=0).predict(), tsuzuki.keras.predict(model, x)):
            for one, other in zip(found, expected, strict=True):
                np.testing.assert_allclose(one, np.asarray(other), atol=1e-6)
    with pytest.raises(UnsupportedModel, match="some outputs have a value for each step"):
        tsuzuki.keras.predict(model, [np.ones((1, 2), int), *(np.zeros((1, 4)) for _ in states)])
