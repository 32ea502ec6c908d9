"""Shared by the tests of the Keras door: Keras itself, small models, real windows, and resets by hand."""

import os

import numpy as np
import pytest

from traced_once import trace_once

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
keras = pytest.importorskip("keras", reason='Keras is not installed: pip install "tsuzuki[keras]"')
pytest.importorskip("tensorflow", reason='TensorFlow is not installed: pip install "tsuzuki[keras]"')
trace_once()

WAVE = np.sin(np.arange(1001, dtype=np.float32) / 7) + np.float32(0.1) * np.cos(np.arange(1001, dtype=np.float32))


class Resets(keras.callbacks.Callback):
    """What tutorials do by hand: zero states at the start of every epoch."""

    def on_epoch_begin(self, epoch, logs=None):
        reset(self.model)


def reset(model):
    """Set the states of a model's stateful layers to zero."""
    for layer in model.layers:
        if getattr(layer, "stateful", False):
            layer.reset_state()


def windows(series, steps):
    """Sliding windows [samples, steps, 1] of a series, as a view, and the value after each."""
    x = np.lib.stride_tricks.sliding_window_view(series[:-1], steps)[:, :, None]
    return x, series[steps:]


def classic(
    cell="SimpleRNN", *, stateful=True, steps=6, rows=6, optimizer=None, loss="mse", metrics=None, seed=0, **options
):
    """A compiled model of the classic tutorial's shape, the same weights for the same seed."""
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input(batch_shape=(rows if stateful else None, steps, 1)),
            getattr(layers, cell)(10, stateful=stateful, **options),
            layers.Dense(10, activation="tanh"),
            layers.Dense(1),
        ]
    )
    model.compile(optimizer or keras.optimizers.RMSprop(), loss, metrics=metrics)
    return model


def difference(a, b):
    """The largest difference between two models' weights."""
    return max(np.abs(p - q).max() for p, q in zip(a.get_weights(), b.get_weights(), strict=True))


def states(model):
    """All states of a model."""
    return [np.array(state) for layer in model.layers if getattr(layer, "stateful", False) for state in layer.states]
