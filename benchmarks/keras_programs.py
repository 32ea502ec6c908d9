"""Programs with recurrent Keras models in the styles that people write, tried with `tsuzuki.fit` and with Keras.

    python benchmarks/keras_programs.py [--only NAME …]

Each is a function of a few lines that returns a compiled model and what `fit` is given. It counts as accepted where
`tsuzuki.fit` trains it and every loss and metric of two epochs is Keras's within 0.1 % (not compared where dropout
draws). What is refused is listed with the reason.
"""

import argparse
import os
import warnings
from collections.abc import Callable
from typing import Any

os.environ |= {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}

import keras
import numpy as np
import tensorflow as tf
from keras import layers as L  # noqa: N812
from keras import ops

import tsuzuki

Case = tuple[Any, dict[str, Any]]
PROGRAMS: dict[str, Callable[[np.random.Generator], Case]] = {}


def program(make: Callable[[np.random.Generator], Case]) -> Callable[[np.random.Generator], Case]:
    """Take a program into the list; its docstring says what it is."""
    PROGRAMS[make.__name__] = make
    return make


def floats(draw: np.random.Generator, *shape: int) -> np.ndarray:
    """Numbers around zero."""
    return draw.normal(size=shape).astype(np.float32)


def classes(draw: np.random.Generator, count: int, *shape: int) -> np.ndarray:
    """One-hot classes."""
    return np.eye(count, dtype=np.float32)[draw.integers(0, count, shape)]


def compiled(model: Any, optimizer: Any = "adam", loss: Any = "mse", **options: Any) -> Any:
    """The model, compiled."""
    model.compile(optimizer=optimizer, loss=loss, **options)
    return model


# --- regression of series -------------------------------------------------------------------------------------------
@program
def lstm_batch_of_one(draw):
    """A stateful LSTM fed one sample at a time."""
    m = keras.Sequential([keras.Input(batch_shape=(1, 1, 1)), L.LSTM(10, stateful=True), L.Dense(1)])
    return compiled(m), {"x": floats(draw, 30, 1, 1), "y": floats(draw, 30, 1), "batch_size": 1, "shuffle": False}


@program
def two_lstms_stateful(draw):
    """Two stateful LSTMs with a look-back of three."""
    m = keras.Sequential()
    m.add(L.Input(batch_shape=(1, 3, 1)))
    m.add(L.LSTM(4, stateful=True, return_sequences=True))
    m.add(L.LSTM(4, stateful=True))
    m.add(L.Dense(1))
    return compiled(m, loss="mean_squared_error"), {
        "x": floats(draw, 30, 3, 1),
        "y": floats(draw, 30),
        "batch_size": 1,
        "shuffle": False,
    }


@program
def four_lstms_with_dropout(draw):
    """The stock-price tutorial: four LSTMs with Dropout between."""
    m = keras.models.Sequential()
    m.add(L.LSTM(units=12, return_sequences=True, input_shape=(20, 1)))
    m.add(L.Dropout(0.2))
    m.add(L.LSTM(units=12, return_sequences=True))
    m.add(L.Dropout(0.2))
    m.add(L.LSTM(units=12))
    m.add(L.Dropout(0.2))
    m.add(L.Dense(units=1))
    return compiled(m, loss="mean_squared_error"), {
        "x": floats(draw, 64, 20, 1),
        "y": floats(draw, 64),
        "batch_size": 32,
    }


@program
def weather(draw):
    """LSTM(32) on windows of seven columns, Adam with a rate."""
    i = L.Input(shape=(24, 7))
    m = keras.Model(inputs=i, outputs=L.Dense(1)(L.LSTM(32)(i)))
    return compiled(m, keras.optimizers.Adam(learning_rate=0.001)), {
        "x": floats(draw, 64, 24, 7),
        "y": floats(draw, 64, 1),
        "validation_split": 0.25,
        "shuffle": False,
    }


@program
def simple_rnn_linear_no_bias(draw):
    """The M4 organisers' network."""
    m = keras.Sequential(
        [
            keras.Input((6, 1)),
            L.SimpleRNN(
                6,
                activation="linear",
                use_bias=False,
                kernel_initializer="glorot_uniform",
                recurrent_initializer="orthogonal",
            ),
            L.Dense(1, use_bias=False, activation="linear"),
        ]
    )
    return compiled(m, "rmsprop"), {
        "x": floats(draw, 20, 6, 1),
        "y": floats(draw, 20, 1),
        "batch_size": 1,
        "shuffle": False,
    }


@program
def relu_lstm(draw):
    """LSTM with relu."""
    m = keras.Sequential([L.Input((3, 1)), L.LSTM(50, activation="relu"), L.Dense(1)])
    return compiled(m), {"x": floats(draw, 20, 3, 1), "y": floats(draw, 20), "shuffle": False}


@program
def gru_reset_before(draw):
    """GRU with reset_after=False and hard_sigmoid gates, as Keras 1 had it."""
    m = keras.Sequential(
        [
            L.Input((8, 2)),
            L.GRU(9, reset_after=False, recurrent_activation="hard_sigmoid", return_sequences=True),
            L.GRU(5, reset_after=False),
            L.Dense(1),
        ]
    )
    return compiled(m, keras.optimizers.RMSprop(1e-3, rho=0.9)), {
        "x": floats(draw, 64, 8, 2),
        "y": floats(draw, 64, 1),
        "shuffle": False,
    }


@program
def bidirectional_stack(draw):
    """Two Bidirectional LSTMs one upon another."""
    m = keras.Sequential(
        [
            L.Input((10, 3)),
            L.Bidirectional(L.LSTM(8, return_sequences=True)),
            L.Bidirectional(L.LSTM(6)),
            L.Dense(16, activation="relu"),
            L.Dense(1),
        ]
    )
    return compiled(m, loss="mae", metrics=["mse", keras.metrics.RootMeanSquaredError()]), {
        "x": floats(draw, 64, 10, 3),
        "y": floats(draw, 64, 1),
        "shuffle": False,
    }


@program
def cnn_lstm(draw):
    """Conv1D, pooling, LSTM: Huber with SGD and momentum, as in the time-series course."""
    m = keras.models.Sequential(
        [
            keras.Input((20, 1)),
            L.Conv1D(filters=16, kernel_size=3, strides=1, activation="relu", padding="causal"),
            L.LSTM(16, return_sequences=True),
            L.LSTM(16),
            L.Dense(8, activation="relu"),
            L.Dense(1),
        ]
    )
    return compiled(m, keras.optimizers.SGD(learning_rate=1e-4, momentum=0.9), keras.losses.Huber(), metrics=["mae"]), {
        "x": floats(draw, 64, 20, 1),
        "y": floats(draw, 64),
        "shuffle": False,
    }


@program
def cnn_lstm_by_subsequences(draw):
    """TimeDistributed Conv1D over subsequences before an LSTM (Brownlee's CNN-LSTM)."""
    m = keras.Sequential(
        [
            L.Input((2, 4, 1)),
            L.TimeDistributed(L.Conv1D(8, 1, activation="relu")),
            L.TimeDistributed(L.MaxPooling1D(2)),
            L.TimeDistributed(L.Flatten()),
            L.LSTM(10, activation="relu"),
            L.Dense(1),
        ]
    )
    return compiled(m), {"x": floats(draw, 20, 2, 4, 1), "y": floats(draw, 20), "shuffle": False}


@program
def conv_lstm(draw):
    """ConvLSTM2D."""
    m = keras.Sequential([L.Input((2, 1, 2, 1)), L.ConvLSTM2D(4, (1, 2), activation="relu"), L.Flatten(), L.Dense(1)])
    return compiled(m), {"x": floats(draw, 20, 2, 1, 2, 1), "y": floats(draw, 20), "shuffle": False}


@program
def encoder_decoder_repeat(draw):
    """RepeatVector encoder and decoder, TimeDistributed output."""
    m = keras.Sequential(
        [
            L.Input((7, 2)),
            L.LSTM(10, activation="relu"),
            L.RepeatVector(3),
            L.LSTM(10, activation="relu", return_sequences=True),
            L.TimeDistributed(L.Dense(6, activation="relu")),
            L.TimeDistributed(L.Dense(1)),
        ]
    )
    return compiled(m), {"x": floats(draw, 40, 7, 2), "y": floats(draw, 40, 3, 1), "batch_size": 16, "shuffle": False}


@program
def lstm_autoencoder(draw):
    """LSTM autoencoder for anomalies."""
    m = keras.Sequential(
        [
            L.Input((10, 1)),
            L.LSTM(16),
            L.Dropout(rate=0.0),
            L.RepeatVector(n=10),
            L.LSTM(16, return_sequences=True),
            L.Dropout(rate=0.0),
            L.TimeDistributed(L.Dense(units=1)),
        ]
    )
    x = floats(draw, 50, 10, 1)
    return compiled(m, loss="mae"), {"x": x, "y": x, "batch_size": 16, "validation_split": 0.2, "shuffle": False}


@program
def multi_step_dense_reshape(draw):
    """One shot: LSTM, Dense(steps * features) from zeros, Reshape (the TensorFlow forecasting tutorial)."""
    m = keras.Sequential(
        [
            L.Input((12, 3)),
            L.LSTM(16, return_sequences=False),
            L.Dense(6 * 3, kernel_initializer=keras.initializers.zeros()),
            L.Reshape([6, 3]),
        ]
    )
    return compiled(m, loss=keras.losses.MeanSquaredError(), metrics=[keras.metrics.MeanAbsoluteError()]), {
        "x": floats(draw, 64, 12, 3),
        "y": floats(draw, 64, 6, 3),
        "shuffle": False,
    }


@program
def residual_wrapper(draw):
    """Its residual wrapper: a class that adds what an inner model says to the inputs."""

    class ResidualWrapper(keras.Model):
        def __init__(self, model):
            super().__init__()
            self.model = model

        def call(self, inputs, *args, **kwargs):
            delta = self.model(inputs, *args, **kwargs)
            return inputs + delta

    m = ResidualWrapper(
        keras.Sequential([L.LSTM(8, return_sequences=True), L.Dense(3, kernel_initializer=keras.initializers.zeros())])
    )
    x = floats(draw, 64, 12, 3)
    return compiled(m, metrics=["mae"]), {"x": x, "y": x, "shuffle": False}


@program
def feedback_model(draw):
    """Its autoregressive model: an LSTMCell called in a Python loop."""

    class FeedBack(keras.Model):
        def __init__(self, units, out_steps):
            super().__init__()
            self.out_steps = out_steps
            self.lstm_cell = L.LSTMCell(units)
            self.lstm_rnn = L.RNN(self.lstm_cell, return_state=True)
            self.dense = L.Dense(2)

        def call(self, inputs, training=None):
            x, *state = self.lstm_rnn(inputs)
            predictions = [self.dense(x)]
            for _ in range(1, self.out_steps):
                x, state = self.lstm_cell(predictions[-1], states=state, training=training)
                predictions.append(self.dense(x))
            return ops.transpose(ops.stack(predictions), [1, 0, 2])

    return compiled(FeedBack(8, 4)), {"x": floats(draw, 32, 6, 2), "y": floats(draw, 32, 4, 2), "shuffle": False}


@program
def dropout_in_cells(draw):
    """dropout and recurrent_dropout."""
    m = keras.Sequential(
        [
            L.Input((10, 4)),
            L.LSTM(16, dropout=0.1, recurrent_dropout=0.2, return_sequences=True),
            L.LSTM(16, dropout=0.1, recurrent_dropout=0.2),
            L.Dense(1),
        ]
    )
    return compiled(m, "rmsprop", "mae"), {"x": floats(draw, 64, 10, 4), "y": floats(draw, 64), "batch_size": 16}


@program
def flatten_sequences(draw):
    """A sequence flattened before Dense."""
    m = keras.Sequential(
        [L.Input((6, 2)), L.GRU(8, return_sequences=True), L.Flatten(), L.Dense(10, activation="relu"), L.Dense(1)]
    )
    return compiled(m, keras.optimizers.Adam(1e-3, clipnorm=1.0), "mae"), {
        "x": floats(draw, 40, 6, 2),
        "y": floats(draw, 40),
        "shuffle": False,
    }


@program
def lambda_scale(draw):
    """The course's Lambda layers: expand_dims before, times 100 after."""
    m = keras.models.Sequential(
        [
            keras.Input((20,)),
            L.Lambda(lambda x: ops.expand_dims(x, axis=-1)),
            L.SimpleRNN(16, return_sequences=True),
            L.SimpleRNN(16),
            L.Dense(1),
            L.Lambda(lambda x: x * 100.0),
        ]
    )
    return compiled(m, keras.optimizers.SGD(1e-6, momentum=0.9), keras.losses.Huber(), metrics=["mae"]), {
        "x": floats(draw, 64, 20),
        "y": floats(draw, 64),
        "shuffle": False,
    }


@program
def two_inputs_concatenated(draw):
    """A series beside numbers that do not change with time."""
    a, b = keras.Input((12, 1), name="series"), keras.Input((4,), name="meta")
    h = L.concatenate([L.LSTM(16)(a), L.Dense(8, activation="relu")(b)])
    m = keras.Model([a, b], L.Dense(1)(L.Dense(16, activation="relu")(h)))
    return compiled(m), {
        "x": [floats(draw, 48, 12, 1), floats(draw, 48, 4)],
        "y": floats(draw, 48, 1),
        "shuffle": False,
    }


@program
def two_inputs_by_name(draw):
    """Two series by name, merged, two outputs with loss weights and metrics by name."""
    a, b = keras.Input((8, 2), name="past"), keras.Input((8, 1), name="weather")
    h = L.Concatenate()([L.LSTM(8)(a), L.GRU(8)(b)])
    m = keras.Model(
        {"past": a, "weather": b},
        {"load": L.Dense(1, name="load")(h), "peak": L.Dense(1, activation="sigmoid", name="peak")(h)},
    )
    return compiled(
        m,
        "adam",
        {"load": "mse", "peak": "binary_crossentropy"},
        loss_weights={"load": 1.0, "peak": 0.3},
        metrics={"load": ["mae"], "peak": ["accuracy"]},
    ), {
        "x": {"past": floats(draw, 48, 8, 2), "weather": floats(draw, 48, 8, 1)},
        "y": {"load": floats(draw, 48, 1), "peak": draw.integers(0, 2, (48, 1)).astype("float32")},
        "shuffle": False,
    }


@program
def schedule_and_clipping(draw):
    """Exponential decay, clipvalue, early stopping and a checkpoint of the rate."""
    m = keras.Sequential([L.Input((6, 2)), L.LSTM(8), L.Dense(1)])
    rate = keras.optimizers.schedules.ExponentialDecay(1e-2, decay_steps=3, decay_rate=0.9, staircase=True)
    calls = [keras.callbacks.EarlyStopping(monitor="val_loss", patience=5, restore_best_weights=True)]
    return compiled(m, keras.optimizers.Adam(rate, clipvalue=0.5)), {
        "x": floats(draw, 64, 6, 2),
        "y": floats(draw, 64),
        "validation_split": 0.25,
        "callbacks": calls,
        "shuffle": False,
    }


@program
def rate_scheduler_callback(draw):
    """LearningRateScheduler, the course's search for a rate."""
    m = keras.Sequential([L.Input((6, 1)), L.GRU(8), L.Dense(1)])
    calls = [
        keras.callbacks.LearningRateScheduler(lambda epoch: 1e-4 * 10 ** (epoch / 2)),
        keras.callbacks.ReduceLROnPlateau(monitor="loss", patience=3),
    ]
    return compiled(m, keras.optimizers.SGD(1e-4, momentum=0.9)), {
        "x": floats(draw, 64, 6, 1),
        "y": floats(draw, 64),
        "callbacks": calls,
        "shuffle": False,
    }


@program
def custom_rmse_loss(draw):
    """A loss of one's own."""

    def rmse(y_true, y_pred):
        return ops.sqrt(ops.mean(ops.square(y_pred - y_true)))

    m = keras.Sequential([L.Input((6, 1)), L.LSTM(8), L.Dense(1)])
    return compiled(m, loss=rmse, metrics=["mae"]), {
        "x": floats(draw, 64, 6, 1),
        "y": floats(draw, 64, 1),
        "shuffle": False,
    }


@program
def quantile_losses(draw):
    """Three quantiles as outputs with pinball losses of one's own."""

    def pinball(q):
        def loss(y, f):
            e = y - f
            return ops.mean(ops.maximum(q * e, (q - 1) * e))

        return loss

    i = keras.Input((6, 1))
    h = L.LSTM(8)(i)
    m = keras.Model(i, [L.Dense(1, name=f"q{n}")(h) for n in (10, 50, 90)])
    y = floats(draw, 64, 1)
    return compiled(m, loss=[pinball(0.1), pinball(0.5), pinball(0.9)]), {
        "x": floats(draw, 64, 6, 1),
        "y": [y, y, y],
        "shuffle": False,
    }


@program
def regularised(draw):
    """l2 on kernels, recurrent l1, a maximal norm, batch normalisation."""
    r = keras.regularizers
    m = keras.Sequential(
        [
            L.Input((8, 3)),
            L.LSTM(
                8,
                kernel_regularizer=r.l2(0.01),
                recurrent_regularizer=r.L1(1e-3),
                bias_regularizer="l2",
                kernel_constraint=keras.constraints.MaxNorm(3),
            ),
            L.BatchNormalization(),
            L.Dense(1, kernel_regularizer=r.l1_l2(1e-4, 1e-4)),
        ]
    )
    return compiled(m), {"x": floats(draw, 64, 8, 3), "y": floats(draw, 64), "shuffle": False}


@program
def activity_regularised(draw):
    """activity_regularizer on a cell and a Dense."""
    r = keras.regularizers
    m = keras.Sequential(
        [
            L.Input((8, 3)),
            L.LSTM(8, activity_regularizer=r.l2(0.01)),
            L.Dense(4, activation="relu", activity_regularizer=r.l1(0.01)),
            L.Dense(1),
        ]
    )
    return compiled(m), {"x": floats(draw, 64, 8, 3), "y": floats(draw, 64), "shuffle": False}


@program
def gaussian_noise_and_layer_norm(draw):
    """Noise on the inputs, LayerNormalization, leaky activations."""
    m = keras.Sequential(
        [
            L.Input((8, 3)),
            L.GaussianNoise(0.1),
            L.GRU(8, return_sequences=True),
            L.LayerNormalization(),
            L.GRU(8),
            L.Dense(8),
            L.LeakyReLU(negative_slope=0.1),
            L.Dense(1),
        ]
    )
    return compiled(m, keras.optimizers.AdamW(1e-3, weight_decay=1e-4)), {
        "x": floats(draw, 64, 8, 3),
        "y": floats(draw, 64),
    }


@program
def rnn_of_cells(draw):
    """keras.layers.RNN over a list of cells."""
    m = keras.Sequential([L.Input((8, 3)), L.RNN([L.LSTMCell(8), L.LSTMCell(6)]), L.Dense(1)])
    return compiled(m), {"x": floats(draw, 64, 8, 3), "y": floats(draw, 64), "shuffle": False}


@program
def stacked_rnn_cells(draw):
    """StackedRNNCells with sequences."""
    m = keras.Sequential(
        [
            L.Input((8, 3)),
            L.RNN(L.StackedRNNCells([L.GRUCell(8), L.GRUCell(6)]), return_sequences=True),
            L.TimeDistributed(L.Dense(1)),
        ]
    )
    return compiled(m), {"x": floats(draw, 64, 8, 3), "y": floats(draw, 64, 8, 1), "shuffle": False}


@program
def nested_encoder(draw):
    """A Sequential encoder inside a functional model."""
    encoder = keras.Sequential([keras.Input((8, 3)), L.LSTM(8, return_sequences=True), L.LSTM(4)], name="encoder")
    i = keras.Input((8, 3))
    m = keras.Model(i, L.Dense(1)(L.Dense(4, activation="relu")(encoder(i))))
    return compiled(m), {"x": floats(draw, 64, 8, 3), "y": floats(draw, 64), "shuffle": False}


@program
def siamese(draw):
    """One LSTM over two inputs."""
    a, b, shared = keras.Input((8, 3)), keras.Input((8, 3)), L.LSTM(6)
    h = L.Subtract()([shared(a), shared(b)])
    m = keras.Model([a, b], L.Dense(1, activation="sigmoid")(h))
    return compiled(m, loss="binary_crossentropy", metrics=["accuracy"]), {
        "x": [floats(draw, 64, 8, 3), floats(draw, 64, 8, 3)],
        "y": draw.integers(0, 2, 64),
        "shuffle": False,
    }


@program
def siamese_dot(draw):
    """One encoder over two texts, compared by their cosine."""
    a, b = keras.Input((8,)), keras.Input((8,))
    encoder = keras.Sequential([L.Embedding(30, 6), L.LSTM(6)])
    m = keras.Model([a, b], L.Dense(1, activation="sigmoid")(L.Dot(axes=1, normalize=True)([encoder(a), encoder(b)])))
    return compiled(m, loss="binary_crossentropy"), {
        "x": [draw.integers(0, 30, (64, 8)), draw.integers(0, 30, (64, 8))],
        "y": draw.integers(0, 2, 64),
        "shuffle": False,
    }


@program
def nadam_msle(draw):
    """Nadam and the mean squared logarithmic error."""
    m = keras.Sequential([L.Input((8, 3)), L.LSTM(8), L.Dense(1, activation="softplus")])
    return compiled(m, "nadam", "msle", metrics=["mape"]), {
        "x": floats(draw, 64, 8, 3),
        "y": 1 + np.abs(floats(draw, 64)),
        "shuffle": False,
    }


@program
def adagrad_poisson(draw):
    """Counts: exponential output, Poisson loss, Adagrad."""
    m = keras.Sequential([L.Input((8, 2)), L.GRU(8), L.Dense(1, activation="exponential")])
    return compiled(m, keras.optimizers.Adagrad(0.01), keras.losses.Poisson()), {
        "x": floats(draw, 64, 8, 2),
        "y": draw.poisson(2.0, 64).astype("float32"),
        "shuffle": False,
    }


@program
def masked_lengths(draw):
    """Padded sequences, Masking, every step scored with sample weights."""
    m = keras.Sequential(
        [L.Input((9, 2)), L.Masking(mask_value=0.0), L.LSTM(8, return_sequences=True), L.TimeDistributed(L.Dense(1))]
    )
    x = floats(draw, 40, 9, 2) * (np.arange(9) < draw.integers(3, 10, (40, 1)))[..., None]
    return compiled(m, "adamax"), {
        "x": x.astype("float32"),
        "y": floats(draw, 40, 9, 1),
        "sample_weight": draw.random((40, 9)).astype("float32"),
        "shuffle": False,
    }


@program
def go_backwards(draw):
    """A cell that reads backwards beside one that reads forwards, added."""
    i = keras.Input((8, 2))
    m = keras.Model(i, L.Dense(1)(L.add([L.GRU(6)(i), L.GRU(6, go_backwards=True)(i)])))
    return compiled(m), {"x": floats(draw, 64, 8, 2), "y": floats(draw, 64), "shuffle": False}


@program
def dataset_windows(draw):
    """timeseries_dataset_from_array."""
    series = floats(draw, 120, 3)
    data = keras.utils.timeseries_dataset_from_array(series[:-5], series[5:, :1], sequence_length=6, batch_size=16)
    m = keras.Sequential([L.Input((6, 3)), L.LSTM(8), L.Dense(1)])
    return compiled(m), {"x": data, "validation_data": data, "shuffle": False}


@program
def mixed_stateful(draw):
    """A stateful LSTM behind one that forgets."""
    m = keras.Sequential(
        [L.Input(batch_shape=(4, 6, 2)), L.LSTM(6, return_sequences=True), L.LSTM(5, stateful=True), L.Dense(1)]
    )
    return compiled(m), {"x": floats(draw, 40, 6, 2), "y": floats(draw, 40), "batch_size": 4, "shuffle": False}


@program
def static_category(draw):
    """A series, numbers without time and the number of a shop in an Embedding."""
    a, b, c = keras.Input((12, 2)), keras.Input((3,)), keras.Input((1,))
    shop = L.Flatten()(L.Embedding(7, 4)(c))
    h = L.concatenate([L.LSTM(8)(a), L.Dense(4, activation="relu")(b), shop])
    m = keras.Model([a, b, c], L.Dense(2)(h))
    return compiled(m), {
        "x": [floats(draw, 48, 12, 2), floats(draw, 48, 3), draw.integers(0, 7, (48, 1))],
        "y": floats(draw, 48, 2),
        "shuffle": False,
    }


@program
def states_from_static(draw):
    """A decoder that begins with states made of numbers without time."""
    a, b = keras.Input((6, 2)), keras.Input((3,))
    h = L.GRU(5, return_sequences=True)(a, initial_state=L.Dense(5, activation="tanh")(b))
    m = keras.Model([a, b], L.TimeDistributed(L.Dense(1))(h))
    return compiled(m), {
        "x": [floats(draw, 48, 6, 2), floats(draw, 48, 3)],
        "y": floats(draw, 48, 6, 1),
        "shuffle": False,
    }


@program
def caption(draw):
    """Numbers without time repeated over the steps of a decoder."""
    m = keras.Sequential(
        [
            L.Input((5,)),
            L.Dense(6, activation="relu"),
            L.RepeatVector(4),
            L.LSTM(6, return_sequences=True),
            L.Dense(3, activation="softmax"),
        ]
    )
    return compiled(m, loss="categorical_crossentropy"), {
        "x": floats(draw, 48, 5),
        "y": classes(draw, 3, 48, 4),
        "shuffle": False,
    }


@program
def reshaped_input(draw):
    """(samples, steps) made steps of one value by Reshape."""
    m = keras.Sequential([L.Input((8,)), L.Reshape((8, 1)), L.GRU(6), L.Dense(1)])
    return compiled(m), {"x": floats(draw, 48, 8), "y": floats(draw, 48), "shuffle": False}


@program
def seq2seq_words_other_length(draw):
    """Encoder and decoder over masked words, of other lengths."""
    e, d = keras.Input((None,)), keras.Input((None,))
    _, h, c = L.LSTM(10, return_state=True)(L.Embedding(20, 6, mask_zero=True)(e))
    out = L.LSTM(10, return_sequences=True)(L.Embedding(15, 6, mask_zero=True)(d), initial_state=[h, c])
    m = keras.Model([e, d], L.Dense(15, activation="softmax")(out))
    x = [
        draw.integers(1, n, (48, t)) * (np.arange(t) < draw.integers(3, t + 1, (48, 1))) for n, t in ((20, 5), (15, 9))
    ]
    return compiled(m, "adam", "sparse_categorical_crossentropy"), {
        "x": x,
        "y": np.roll(x[1], -1, 1),
        "batch_size": 16,
        "shuffle": False,
    }


# --- text, classes --------------------------------------------------------------------------------------------------
@program
def guide_three_lstms(draw):
    """The Keras guide's stacked stateful classifier."""
    m = keras.Sequential(
        [
            L.Input(batch_shape=(8, 8, 16)),
            L.LSTM(12, return_sequences=True, stateful=True),
            L.LSTM(12, return_sequences=True, stateful=True),
            L.LSTM(12, stateful=True),
            L.Dense(10, activation="softmax"),
        ]
    )
    return compiled(m, "rmsprop", "categorical_crossentropy", metrics=["accuracy"]), {
        "x": floats(draw, 32, 8, 16),
        "y": classes(draw, 10, 32),
        "batch_size": 8,
        "validation_data": (floats(draw, 16, 8, 16), classes(draw, 10, 16)),
        "shuffle": False,
    }


@program
def imdb_lstm(draw):
    """Embedding, LSTM, sigmoid."""
    m = keras.Sequential([L.Input((20,)), L.Embedding(100, 16), L.LSTM(16), L.Dense(1, activation="sigmoid")])
    return compiled(m, "adam", "binary_crossentropy", metrics=["acc"]), {
        "x": draw.integers(0, 100, (64, 20)),
        "y": draw.integers(0, 2, 64),
        "shuffle": False,
    }


@program
def imdb_bidirectional(draw):
    """Two Bidirectional LSTMs over masked text of any length."""
    i = keras.Input(shape=(None,), dtype="int32")
    h = L.Embedding(100, 16, mask_zero=True)(i)
    h = L.Bidirectional(L.LSTM(8, return_sequences=True))(h)
    h = L.Bidirectional(L.LSTM(8))(h)
    m = keras.Model(i, L.Dense(1, activation="sigmoid")(h))
    x = draw.integers(1, 100, (64, 20)) * (np.arange(20) < draw.integers(5, 21, (64, 1)))
    return compiled(m, "adam", "binary_crossentropy", metrics=["accuracy", keras.metrics.AUC()]), {
        "x": x,
        "y": draw.integers(0, 2, 64),
        "shuffle": False,
    }


@program
def text_classes_cnn_lstm(draw):
    """Embedding, SpatialDropout1D, Conv1D, pooling, LSTM, softmax over sparse classes."""
    m = keras.Sequential(
        [
            L.Input((24,)),
            L.Embedding(100, 12),
            L.SpatialDropout1D(0.0),
            L.Conv1D(16, 5, activation="relu"),
            L.MaxPooling1D(pool_size=4),
            L.LSTM(10),
            L.Dense(5, activation="softmax"),
        ]
    )
    return compiled(m, "adam", "sparse_categorical_crossentropy", metrics=["accuracy"]), {
        "x": draw.integers(0, 100, (64, 24)),
        "y": draw.integers(0, 5, 64),
        "shuffle": False,
    }


@program
def global_pooling(draw):
    """A GRU's sequence pooled both ways."""
    i = keras.Input((16,))
    h = L.GRU(8, return_sequences=True)(L.Embedding(100, 12)(i))
    h = L.concatenate([L.GlobalAveragePooling1D()(h), L.GlobalMaxPooling1D()(h)])
    m = keras.Model(i, L.Dense(3, activation="softmax")(L.Dropout(0.0)(h)))
    return compiled(m, "adam", "categorical_crossentropy", metrics=["categorical_accuracy"]), {
        "x": draw.integers(0, 100, (64, 16)),
        "y": classes(draw, 3, 64),
        "shuffle": False,
    }


@program
def char_rnn(draw):
    """The Keras example: LSTM over one-hot characters."""
    m = keras.Sequential([keras.Input(shape=(20, 12)), L.LSTM(32), L.Dense(12, activation="softmax")])
    return compiled(m, keras.optimizers.RMSprop(learning_rate=0.01), "categorical_crossentropy"), {
        "x": classes(draw, 12, 64, 20),
        "y": classes(draw, 12, 64),
        "batch_size": 16,
        "shuffle": False,
    }


@program
def tensorflow_text(draw):
    """The TensorFlow tutorial: Embedding, stateful GRU, logits."""
    m = keras.Sequential(
        [
            L.Input(batch_shape=(8, 10)),
            L.Embedding(20, 8),
            L.GRU(24, return_sequences=True, stateful=True, recurrent_initializer="glorot_uniform"),
            L.Dense(20),
        ]
    )

    def loss(labels, logits):
        return keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)

    x = draw.integers(0, 20, (32, 10))
    return compiled(m, "adam", loss), {"x": x, "y": np.roll(x, -1, 1), "batch_size": 8, "shuffle": False}


@program
def tensorflow_text_class(draw):
    """The same of 2021: a class with states as an argument of its call."""

    class MyModel(keras.Model):
        def __init__(self, vocab_size, embedding_dim, rnn_units):
            super().__init__()
            self.embedding = L.Embedding(vocab_size, embedding_dim)
            self.gru = L.GRU(rnn_units, return_sequences=True, return_state=True)
            self.dense = L.Dense(vocab_size)

        def call(self, inputs, states=None, return_state=False, training=False):
            x = inputs
            x = self.embedding(x, training=training)
            if states is None:
                states = self.gru.get_initial_state(ops.shape(x)[0])
            x, states = self.gru(x, initial_state=states, training=training)
            x = self.dense(x, training=training)
            return (x, states) if return_state else x

    x = draw.integers(0, 20, (32, 10))
    return compiled(MyModel(20, 8, 24), "adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True)), {
        "x": x,
        "y": np.roll(x, -1, 1),
        "batch_size": 8,
        "shuffle": False,
    }


@program
def seq2seq(draw):
    """The Keras translation example: an encoder's states begin the decoder."""
    e = keras.Input((None, 7))
    _, h, c = L.LSTM(10, return_state=True)(e)
    d = keras.Input((None, 6))
    out, _, _ = L.LSTM(10, return_sequences=True, return_state=True)(d, initial_state=[h, c])
    m = keras.Model([e, d], L.Dense(6, activation="softmax")(out))
    return compiled(m, "rmsprop", "categorical_crossentropy", metrics=["accuracy"]), {
        "x": [classes(draw, 7, 48, 9), classes(draw, 6, 48, 9)],
        "y": classes(draw, 6, 48, 9),
        "batch_size": 16,
        "shuffle": False,
    }


@program
def seq2seq_other_length(draw):
    """The same with inputs longer than targets."""
    e = keras.Input((None, 7))
    _, h, c = L.LSTM(10, return_state=True)(e)
    d = keras.Input((None, 6))
    out, _, _ = L.LSTM(10, return_sequences=True, return_state=True)(d, initial_state=[h, c])
    m = keras.Model([e, d], L.Dense(6, activation="softmax")(out))
    return compiled(m, "rmsprop", "categorical_crossentropy", metrics=["accuracy"]), {
        "x": [classes(draw, 7, 48, 9), classes(draw, 6, 48, 5)],
        "y": classes(draw, 6, 48, 5),
        "batch_size": 16,
        "shuffle": False,
    }


@program
def seq2seq_embedded(draw):
    """Encoder and decoder over words, the decoder's a GRU."""
    e, d = keras.Input((9,)), keras.Input((9,))
    _, h = L.GRU(10, return_state=True)(L.Embedding(20, 6, mask_zero=True)(e))
    out = L.GRU(10, return_sequences=True)(L.Embedding(15, 6, mask_zero=True)(d), initial_state=h)
    m = keras.Model([e, d], L.TimeDistributed(L.Dense(15, activation="softmax"))(out))
    x = [draw.integers(1, n, (48, 9)) * (np.arange(9) < draw.integers(3, 10, (48, 1))) for n in (20, 15)]
    return compiled(m, "adam", "sparse_categorical_crossentropy"), {
        "x": x,
        "y": np.roll(x[1], -1, 1),
        "batch_size": 16,
        "shuffle": False,
    }


@program
def addition(draw):
    """The Keras addition example: RepeatVector and softmax for each digit."""
    m = keras.Sequential(
        [
            L.Input((7, 12)),
            L.LSTM(24),
            L.RepeatVector(4),
            L.LSTM(24, return_sequences=True),
            L.Dense(12, activation="softmax"),
        ]
    )
    return compiled(m, "adam", "categorical_crossentropy", metrics=["accuracy"]), {
        "x": classes(draw, 12, 64, 7),
        "y": classes(draw, 12, 64, 4),
        "shuffle": False,
    }


@program
def tagging(draw):
    """Tags for each word: Bidirectional, TimeDistributed softmax, sparse classes."""
    m = keras.Sequential(
        [
            L.Input((12,)),
            L.Embedding(50, 10, mask_zero=True),
            L.Bidirectional(L.LSTM(8, return_sequences=True)),
            L.TimeDistributed(L.Dense(6, activation="softmax")),
        ]
    )
    x = draw.integers(1, 50, (48, 12)) * (np.arange(12) < draw.integers(3, 13, (48, 1)))
    return compiled(m, "adam", "sparse_categorical_crossentropy", metrics=["accuracy"]), {
        "x": x,
        "y": draw.integers(0, 6, (48, 12)),
        "shuffle": False,
    }


@program
def notes_with_callback(draw):
    """Two GRUs with dropout, TimeDistributed softmax, a callback that resets."""

    class Reset(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            for layer in self.model.layers:
                if hasattr(layer, "reset_state"):
                    layer.reset_state()

    m = keras.Sequential(
        [
            L.Input(batch_shape=(4, 10, 6)),
            L.GRU(12, return_sequences=True, stateful=True, dropout=0.2, recurrent_dropout=0.2),
            L.GRU(12, return_sequences=True, stateful=True, dropout=0.2, recurrent_dropout=0.2),
            L.TimeDistributed(L.Dense(6, activation="softmax")),
        ]
    )
    return compiled(m, "adam", "sparse_categorical_crossentropy", metrics=["sparse_categorical_accuracy"]), {
        "x": classes(draw, 6, 16, 10),
        "y": draw.integers(0, 6, (16, 10, 1)),
        "batch_size": 4,
        "shuffle": False,
        "callbacks": [Reset()],
    }


@program
def class_weights(draw):
    """class_weight with softmax, stateful, a batch of one."""
    m = keras.Sequential([L.Input(batch_shape=(1, 4, 2)), L.LSTM(6, stateful=True), L.Dense(3, activation="softmax")])
    return compiled(m, "adam", "sparse_categorical_crossentropy", metrics=["accuracy"]), {
        "x": floats(draw, 24, 4, 2),
        "y": draw.integers(0, 3, 24),
        "batch_size": 1,
        "class_weight": {0: 1.0, 1: 2.0, 2: 0.5},
        "shuffle": False,
    }


@program
def activity_recognition(draw):
    """Two branches of convolutions and an LSTM, batch normalisation, SGD."""
    i = keras.Input((32, 9))
    a = L.MaxPooling1D()(L.ReLU()(L.BatchNormalization()(L.Conv1D(8, 5, padding="same")(i))))
    h = L.concatenate([L.LSTM(8)(a), L.GlobalAveragePooling1D()(a)])
    m = keras.Model(i, L.Dense(6, activation="softmax")(h))
    return compiled(
        m,
        keras.optimizers.SGD(0.01, nesterov=True, momentum=0.9),
        keras.losses.CategoricalCrossentropy(label_smoothing=0.1),
        metrics=[
            keras.metrics.CategoricalAccuracy(),
            keras.metrics.Precision(),
            keras.metrics.TopKCategoricalAccuracy(3),
        ],
    ), {"x": floats(draw, 64, 32, 9), "y": classes(draw, 6, 64), "shuffle": False}


@program
def lstm_fcn(draw):
    """LSTM-FCN: a Permute before the LSTM, three convolutions beside it."""
    i = keras.Input((12, 2))
    a = L.LSTM(8)(L.Permute((2, 1))(i))
    b = i
    for filters, size in ((8, 8), (16, 5), (8, 3)):
        b = L.Activation("relu")(
            L.BatchNormalization()(L.Conv1D(filters, size, padding="same", kernel_initializer="he_uniform")(b))
        )
    m = keras.Model(i, L.Dense(3, activation="softmax")(L.concatenate([a, L.GlobalAveragePooling1D()(b)])))
    return compiled(m, "adam", "categorical_crossentropy", metrics=["accuracy"]), {
        "x": floats(draw, 64, 12, 2),
        "y": classes(draw, 3, 64),
        "shuffle": False,
    }


@program
def attention(draw):
    """keras.layers.Attention over an LSTM's sequence."""
    i = keras.Input((10, 3))
    h = L.LSTM(8, return_sequences=True)(i)
    m = keras.Model(i, L.Dense(1)(L.GlobalAveragePooling1D()(L.Attention()([h, h]))))
    return compiled(m), {"x": floats(draw, 64, 10, 3), "y": floats(draw, 64), "shuffle": False}


@program
def own_attention_layer(draw):
    """An attention layer of one's own with weights."""

    class Attend(L.Layer):
        def build(self, shape):
            self.w = self.add_weight(shape=(shape[-1], 1), name="w")

        def call(self, x):
            a = ops.softmax(ops.tanh(ops.matmul(x, self.w)), axis=1)
            return ops.sum(x * a, axis=1)

    m = keras.Sequential([L.Input((10, 3)), L.LSTM(8, return_sequences=True), Attend(), L.Dense(1)])
    return compiled(m), {"x": floats(draw, 64, 10, 3), "y": floats(draw, 64), "shuffle": False}


@program
def attention_of_layers(draw):
    """Attention from Dense, softmax, RepeatVector, Permute and Multiply."""
    i = keras.Input((10, 3))
    h = L.LSTM(8, return_sequences=True)(i)
    a = L.Flatten()(L.Dense(1, activation="tanh")(h))
    a = L.Permute([2, 1])(L.RepeatVector(8)(L.Activation("softmax")(a)))
    m = keras.Model(i, L.Dense(1)(L.GlobalAveragePooling1D()(L.multiply([h, a]))))
    return compiled(m), {"x": floats(draw, 64, 10, 3), "y": floats(draw, 64), "shuffle": False}


@program
def own_train_step(draw):
    """A train_step of one's own with a GradientTape."""
    import tensorflow as tf

    class Custom(keras.Model):
        def train_step(self, data):
            x, y = data
            with tf.GradientTape() as tape:
                loss = self.compute_loss(y=y, y_pred=self(x, training=True))
            self.optimizer.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
            return {"loss": loss}

    i = keras.Input((6, 2))
    return compiled(Custom(i, L.Dense(1)(L.LSTM(6)(i)))), {
        "x": floats(draw, 64, 6, 2),
        "y": floats(draw, 64, 1),
        "shuffle": False,
    }


@program
def add_loss(draw):
    """A layer of one's own that adds a loss."""

    class Variational(keras.Model):
        def __init__(self):
            super().__init__()
            self.cell, self.head = L.LSTM(6), L.Dense(1)

        def call(self, x):
            h = self.cell(x)
            self.add_loss(0.01 * ops.mean(ops.square(h)))
            return self.head(h)

    return compiled(Variational()), {"x": floats(draw, 64, 6, 2), "y": floats(draw, 64, 1), "shuffle": False}


@program
def wavenet_like(draw):
    """Dilated causal convolutions with residuals before a GRU."""
    i = keras.Input((16, 2))
    h = L.Conv1D(8, 1)(i)
    for rate in (1, 2, 4):
        h = L.add([h, L.Conv1D(8, 2, dilation_rate=rate, padding="causal", activation="relu")(h)])
    m = keras.Model(i, L.Dense(1)(L.GRU(8)(h)))
    return compiled(m, loss=keras.losses.LogCosh()), {
        "x": floats(draw, 64, 16, 2),
        "y": floats(draw, 64),
        "shuffle": False,
    }


@program
def kl_cosine(draw):
    """A distribution as target, KL divergence; cosine similarity as metric."""
    m = keras.Sequential([L.Input((6, 2)), L.LSTM(6), L.Dense(4), L.Softmax()])
    y = draw.dirichlet(np.ones(4), 64).astype("float32")
    return compiled(m, keras.optimizers.Lion(1e-3), "kl_divergence", metrics=["cosine_similarity"]), {
        "x": floats(draw, 64, 6, 2),
        "y": y,
        "shuffle": False,
    }


# --- as scripts feed and write them ---------------------------------------------------------------------------------
@program
def windows_of_tf_data(draw):
    """The time-series course as it is: windows by flat_map, Lambda layers with tf.expand_dims, SGD by Huber."""

    def windowed(series):
        windows = tf.data.Dataset.from_tensor_slices(series).window(13, shift=1, drop_remainder=True)
        windows = windows.flat_map(lambda window: window.batch(13))
        return windows.map(lambda steps: (steps[:-1], steps[-1])).batch(16).prefetch(1)

    m = keras.Sequential(
        [
            keras.Input((None,)),
            L.Lambda(lambda x: tf.expand_dims(x, axis=-1)),
            L.SimpleRNN(10, return_sequences=True),
            L.SimpleRNN(10),
            L.Dense(1),
            L.Lambda(lambda x: x * 100.0),
        ]
    )
    data = windowed(np.sin(np.arange(120, dtype=np.float32) / 5))
    model = compiled(m, keras.optimizers.SGD(5e-5, momentum=0.9), keras.losses.Huber(), metrics=["mae"])
    return model, {"x": data, "shuffle": False}


@program
def tensorflow_text_as_it_is(draw):
    """TensorFlow's text tutorial of today: tf.shape in a class that is not built, fed by a dataset."""

    class MyModel(keras.Model):
        def __init__(self):
            super().__init__()
            self.embedding = L.Embedding(20, 8)
            self.gru = L.GRU(24, return_sequences=True, return_state=True)
            self.dense = L.Dense(20)

        def call(self, inputs, states=None, return_state=False, training=False):
            x = self.embedding(inputs, training=training)
            if states is None:
                states = self.gru.get_initial_state(tf.shape(x)[0])
            x, states = self.gru(x, initial_state=states, training=training)
            x = self.dense(x, training=training)
            return (x, states) if return_state else x

    ids = tf.data.Dataset.from_tensor_slices(draw.integers(0, 20, 32 * 11))
    pairs = ids.batch(11, drop_remainder=True).map(lambda piece: (piece[:-1], piece[1:]))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return compiled(MyModel(), "adam", loss), {"x": pairs.batch(8, drop_remainder=True), "shuffle": False}


@program
def residual_wrapper_of_windows(draw):
    """The forecasting tutorial's residual wrapper, not built, on windows cut by a dataset's map."""

    class ResidualWrapper(keras.Model):
        def __init__(self, model):
            super().__init__()
            self.model = model

        def call(self, inputs, *args, **kwargs):
            return inputs + self.model(inputs, *args, **kwargs)

    m = ResidualWrapper(keras.Sequential([L.LSTM(8, return_sequences=True), L.Dense(3, kernel_initializer="zeros")]))
    windows = keras.utils.timeseries_dataset_from_array(floats(draw, 90, 3), None, sequence_length=13, batch_size=16)
    return compiled(m, metrics=["mae"]), {"x": windows.map(lambda w: (w[:, :-1], w[:, 1:])), "shuffle": False}


@program
def pooled_by_tensorflow(draw):
    """A class that pools a GRU's steps by tf.reduce_mean and tf.reduce_max, joined by tf.concat."""

    class Pooled(keras.Model):
        def __init__(self):
            super().__init__()
            self.gru, self.one, self.two = L.GRU(8, return_sequences=True), L.Dense(8), L.Dense(1)

        def call(self, x):
            steps = self.gru(x)
            both = tf.concat([tf.reduce_mean(steps, axis=1), tf.reduce_max(steps, axis=1)], axis=-1)
            return self.two(tf.nn.relu(self.one(both)))

    return compiled(Pooled()), {"x": floats(draw, 64, 10, 2), "y": floats(draw, 64, 1), "shuffle": False}


@program
def batches_by_index(draw):
    """A keras.utils.Sequence with a remainder, Masking, layer and batch normalisation between cells."""

    class Batches(keras.utils.Sequence):
        def __init__(self, x, y):
            super().__init__()
            self.x, self.y = x, y

        def __len__(self):
            return -(-len(self.x) // 16)

        def __getitem__(self, i):
            return self.x[16 * i : 16 * (i + 1)], self.y[16 * i : 16 * (i + 1)]

    m = keras.Sequential([keras.Input((9, 4)), L.Masking(), L.LSTM(12, return_sequences=True), L.LayerNormalization()])
    for layer in (L.GRU(8), L.BatchNormalization(), L.Dense(2, activation="softmax")):
        m.add(layer)
    x = floats(draw, 70, 9, 4)
    data = Batches(x, (x[:, :, 0].sum(1) > 0).astype(int))
    return compiled(m, "nadam", "sparse_categorical_crossentropy", metrics=["acc"]), {"x": data, "shuffle": False}


@program
def teacher_forcing_by_generator(draw):
    """A translator of words fed by an endless generator of pairs of inputs, its padding masked by the loss."""
    source, target = keras.Input((None,)), keras.Input((None,))
    _, h, c = L.LSTM(8, return_state=True)(L.Embedding(15, 6, mask_zero=True)(source))
    steps = L.LSTM(8, return_sequences=True)(L.Embedding(14, 6, mask_zero=True)(target), initial_state=[h, c])
    m = keras.Model([source, target], L.Dense(14, activation="softmax")(steps))
    x, y = draw.integers(0, 15, (48, 7)), draw.integers(0, 14, (48, 8))

    def masked_loss(y, p):
        loss = keras.losses.SparseCategoricalCrossentropy(reduction="none")(y, p)
        mask = tf.cast(tf.not_equal(y, 0), loss.dtype)
        return tf.reduce_sum(loss * mask) / tf.reduce_sum(mask)

    def pairs():
        while True:
            for i in range(0, 48, 12):
                yield (x[i : i + 12], y[i : i + 12, :-1]), y[i : i + 12, 1:]

    return compiled(m, "adam", masked_loss), {"x": pairs(), "steps_per_epoch": 4, "shuffle": False}


@program
def gaussian_likelihood(draw):
    """Mean and log deviation of one target, scored by a likelihood with tf.split; a metric of a class of one's own."""

    def likelihood(y, found):
        mean, log = tf.split(found, 2, axis=-1)
        return 0.5 * tf.square((y - mean) / tf.exp(log)) + log

    m = keras.Sequential([keras.Input((9, 2)), L.LSTM(8), L.Dense(2)])
    return compiled(m, "adam", likelihood), {"x": floats(draw, 60, 9, 2), "y": floats(draw, 60), "shuffle": False}


@program
def focal_with_weights(draw):
    """Rare events: focal cross-entropy, weights of classes, precision and recall."""
    m = keras.Sequential([keras.Input((9, 2)), L.SimpleRNN(8), L.Dense(1, activation="sigmoid")])
    metrics = ["accuracy", keras.metrics.Precision(), keras.metrics.Recall()]
    return compiled(m, "rmsprop", keras.losses.BinaryFocalCrossentropy(gamma=2.0), metrics=metrics), {
        "x": floats(draw, 60, 9, 2),
        "y": draw.integers(0, 2, 60),
        "class_weight": {0: 1.0, 1: 4.0},
        "shuffle": False,
    }


@program
def cyclic_rate(draw):
    """A callback that moves the rate at every batch."""

    class Cyclic(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            self.model.optimizer.learning_rate = 1e-3 + 9e-3 * (1 - abs(batch / 2 % 2 - 1))

    m = keras.Sequential([keras.Input((9, 2)), L.LSTM(8), L.Dense(1)])
    data = {"x": floats(draw, 64, 9, 2), "y": floats(draw, 64, 1), "batch_size": 8}
    return compiled(m), data | {"callbacks": [Cyclic()], "shuffle": False}


@program
def manhattan(draw):
    """Two texts compared by the exponential of their negative Manhattan distance in a Lambda."""
    one, other = keras.Input((8,)), keras.Input((8,))
    words, lstm = L.Embedding(20, 6), L.LSTM(5)
    apart = L.Lambda(lambda x: ops.exp(-ops.sum(ops.abs(x[0] - x[1]), axis=1, keepdims=True)))
    m = keras.Model([one, other], apart([lstm(words(one)), lstm(words(other))]))
    x = [draw.integers(0, 20, (32, 8)) for _ in range(2)]
    return compiled(m), {"x": x, "y": draw.integers(0, 2, 32), "shuffle": False}


@program
def texts_as_strings(draw):
    """TensorFlow's text classification: TextVectorization inside the model."""
    texts = [" ".join(draw.choice(["good", "bad", "film", "the", "plot"], 6)) for _ in range(32)]
    data = tf.data.Dataset.from_tensor_slices((texts, draw.integers(0, 2, 32))).batch(8)
    encoder = L.TextVectorization(max_tokens=20)
    encoder.adapt(data.map(lambda text, label: text))
    m = keras.Sequential([encoder, L.Embedding(20, 6, mask_zero=True), L.Bidirectional(L.LSTM(6)), L.Dense(1)])
    return compiled(m, "adam", keras.losses.BinaryCrossentropy(from_logits=True)), {"x": data, "shuffle": False}


@program
def steps_and_state(draw):
    """A model whose outputs are steps and a state, of which the steps alone are scored."""
    x = keras.Input((9, 2))
    steps, state = L.GRU(6, return_sequences=True, return_state=True)(x)
    m = keras.Model(x, [L.TimeDistributed(L.Dense(1))(steps), state])
    return compiled(m, "adam", ["mse", None]), {
        "x": floats(draw, 32, 9, 2),
        "y": floats(draw, 32, 9, 1),
        "shuffle": False,
    }


def run_one(name: str) -> str:
    """Why a program is not accepted, "" where it is."""
    keras.utils.set_random_seed(1)
    ours, arguments = PROGRAMS[name](np.random.default_rng(3))
    keras.utils.clear_session()
    keras.utils.set_random_seed(1)
    theirs, same = PROGRAMS[name](np.random.default_rng(3))
    quiet = {"epochs": 2, "verbose": 0}
    stateful = any(getattr(layer, "stateful", False) for layer in ours.layers)
    try:
        found = tsuzuki.fit(ours, **arguments, **quiet, **({"reset_states": "never"} if stateful else {})).history
    except (tsuzuki.TsuzukiError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    expected = theirs.fit(**same, **quiet).history
    if same.get("shuffle") is not False or name == "notes_with_callback":
        return ""
    if list(found) != list(expected):
        return f"WRONG names {list(found)} instead of {list(expected)}"
    for key, values in expected.items():
        if not np.allclose(found[key], values, rtol=1e-3, atol=1e-5):
            return f"WRONG {key}: {found[key]} instead of {values}"
    apart = max(np.abs(a - b).max() for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True))
    return "" if apart < 2e-3 else f"WRONG weights by {apart:.1e}"


def main() -> None:
    """Run the programs that are asked for and count them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=list(PROGRAMS), choices=list(PROGRAMS), metavar="NAME")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    refused = 0
    for name in given.only:
        try:
            reason = run_one(name)
        except Exception as error:
            reason = f"WRONG {type(error).__name__}: {error}"
        keras.utils.clear_session()
        refused += bool(reason)
        print(f"{name:26} {'accepted' if not reason else ' '.join(reason.split())[:400]}", flush=True)
    print(f"{len(given.only) - refused} of {len(given.only)} programs are accepted")


if __name__ == "__main__":
    main()
