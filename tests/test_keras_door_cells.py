"""Cells as Keras has them, through the door: masks, directions, states; trained in both engines alike."""

import numpy as np
import pytest

import tsuzuki
from keras_models import WAVE, Resets, difference, keras, windows

pytestmark = pytest.mark.xdist_group("keras")
L = keras.layers
STEPS, ROWS = 6, 8
X, Y = windows(WAVE[: 400 + STEPS], STEPS)


def compiled(*layers, stateful=False, optimizer="adam", **options):
    """A compiled model of these layers, the same weights each time."""
    keras.utils.set_random_seed(1)
    shape = keras.Input(batch_shape=(ROWS if stateful else None, STEPS, 1))
    model = keras.Sequential([shape, *(make() for make in layers)])
    model.compile(keras.optimizers.get(optimizer), "mse", **options)
    return model


def assert_trains_as_keras(make, x=X, y=Y, tolerance=1e-3, **options):
    """Fifty updates of the same model in both engines end in the same weights and losses."""
    ours, theirs = make(), make()
    options = {"batch_size": ROWS, "epochs": 1, "verbose": 0} | options
    expected = theirs.fit(x, y, shuffle=False, callbacks=[Resets()], **options).history
    found = tsuzuki.fit(ours, x, y, shuffle=False, **options).history
    assert list(found) == list(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-3, err_msg=name)
    scale = max(np.abs(weight).max() for weight in theirs.get_weights())
    assert difference(ours, theirs) <= tolerance * scale
    return ours, theirs


def padded(seed=0):
    """Windows of which some steps, at the front and elsewhere, are masked."""
    generator = np.random.default_rng(seed)
    x = np.array(X)
    x[generator.random(x.shape[:2]) < 0.3] = 0
    x[::3, :2] = 0
    x[::7] = 0
    return x


@pytest.mark.parametrize("stateful", [False, True])
@pytest.mark.parametrize("zeros", [False, True])
@pytest.mark.parametrize("cell", [L.SimpleRNN, L.GRU, L.LSTM])
def test_masked_steps_are_trained_as_in_keras(cell, zeros, stateful):
    options = {"stateful": stateful, "zero_output_for_mask": zeros}
    assert_trains_as_keras(
        lambda: compiled(
            L.Masking,
            lambda: L.Dense(5, "tanh"),
            lambda: cell(6, return_sequences=True, **options),
            lambda: cell(4, **options),
            lambda: L.Dense(1),
            stateful=stateful,
        ),
        padded(),
    )


def test_a_masked_network_goes_to_keras_and_back():
    network = tsuzuki.Network(
        1, (tsuzuki.Masking(0.5), tsuzuki.GRU(4, return_sequences=False, zero_output_for_mask=True), tsuzuki.Dense(1))
    )
    weights = tsuzuki.initialise(network, 0)
    model = tsuzuki.to_keras(network, weights, timesteps=STEPS)
    back, found = tsuzuki.from_keras(model)
    assert back == network
    for one, other in zip(weights, found, strict=True):
        np.testing.assert_array_equal(one, other)
