"""Layers that change values at random while training: their distribution, their gradients, and none in forecasts."""

import numpy as np
import pytest

from keras_models import keras
from tsuzuki.engine.compiled_network import CompiledNetwork
from tsuzuki.engine.data import Data, RowShape
from tsuzuki.errors import SettingError
from tsuzuki.layouts.layout import NOWHERE, ZERO, Block
from tsuzuki.network.dropout import AlphaDropout, GaussianDropout, GaussianNoise
from tsuzuki.network.layers import Dense, SimpleRNN
from tsuzuki.network.network import Network, graph
from tsuzuki.network.optimizers import SGD

LANES, STEPS, WIDE = 40, 10, 50
NOISES = [GaussianNoise(0.7), GaussianDropout(0.3), AlphaDropout(0.2)]


def made(layer, inputs, threads=None):
    """Noise beside a cell: a function that runs one update, or forecasts, and gives [lanes, steps, wide]."""
    network = graph({"x": WIDE, "y": 1}, {"noise": (layer, "x"), "cell": (SimpleRNN(1), "y")}, ["noise", "cell"])
    data = Data(inputs, np.zeros((len(inputs), WIDE + 1), np.float32), WIDE + 1)
    compiled = CompiledNetwork(network, RowShape(LANES, STEPS), data, optimizer=SGD(learning_rate=0.0), threads=threads)
    row = [np.full((1, LANES), value, np.int32) for value in (STEPS, ZERO, NOWHERE)]

    def run(how):
        forecasts = np.zeros((len(inputs) + 1, WIDE + 1), np.float32)
        getattr(compiled, how)(Block(np.arange(LANES)[None] * (STEPS + 1), *row), forecasts)
        rows = np.arange(LANES)[:, None] * (STEPS + 1) + 1 + np.arange(STEPS)
        return forecasts[rows, :WIDE]

    return run


def ones(value=1.0):
    return np.full((LANES * (STEPS + 1), WIDE + 1), value, np.float32)


@pytest.mark.parametrize("layer", NOISES, ids=str)
def test_noise_has_the_distribution_of_keras(layer):
    found = made(layer, ones(1.5))("run").ravel()
    keras.utils.set_random_seed(0)
    theirs = getattr(keras.layers, type(layer).__name__)(**vars(layer))
    expected = np.asarray(theirs(np.full((LANES * STEPS, WIDE), 1.5, np.float32), training=True)).ravel()
    # 20,000 draws each; the bounds are about four standard errors.
    assert found.mean() == pytest.approx(expected.mean(), abs=0.03)
    assert found.std() == pytest.approx(expected.std(), rel=0.05)
    if isinstance(layer, AlphaDropout):
        np.testing.assert_allclose(np.unique(found), np.unique(expected), rtol=1e-5)
    else:
        levels = [0.05, 0.25, 0.5, 0.75, 0.95]
        np.testing.assert_allclose(np.quantile(found, levels), np.quantile(expected, levels), atol=0.1)


@pytest.mark.parametrize("layer", NOISES, ids=str)
def test_noise_is_new_in_each_update_the_same_for_any_number_of_threads_and_none_in_forecasts(layer):
    one, other = made(layer, ones(), 1), made(layer, ones(), 2)
    first, second = one("run"), one("run")
    assert (first != second).mean() > 0.1
    assert (first[:, 0] != first[:, 1]).mean() > 0.1
    np.testing.assert_array_equal(first, other("run"))
    np.testing.assert_array_equal(one("forward"), 1)


@pytest.mark.parametrize("layer", NOISES, ids=str)
def test_gradients_through_noise_are_differences_of_the_loss(layer):
    network = Network(2, (Dense(3), layer, SimpleRNN(2), Dense(1)))
    generator = np.random.default_rng(0)
    inputs, targets = (generator.normal(size=(200, n)).astype(np.float32) for n in (2, 1))
    weights = [generator.normal(size=s).astype(np.float32) for s in ((2, 3), (3,), (3, 2), (2, 2), (2,), (2, 1), (1,))]
    row = [np.full((1, 20), value, np.int32) for value in (6, ZERO, NOWHERE)]
    block = Block(np.arange(20)[None] * 8, *row)

    def loss(changed, session=None):
        compiled = CompiledNetwork(
            network, RowShape(20, 6), Data(inputs, targets, 1), optimizer=SGD(learning_rate=1.0), seed=5
        )
        compiled.set_weights(changed)
        value = compiled.run(block)[0, 0]
        return value, compiled.weights()

    _, moved = loss(weights)
    gradients = [w - m for w, m in zip(weights, moved, strict=True)]
    for i, gradient in enumerate(gradients[:2]):
        at = np.unravel_index(np.abs(gradient).argmax(), gradient.shape)
        values = []
        for step in (-1e-2, 1e-2):
            changed = [w.copy() for w in weights]
            changed[i][at] += step
            values.append(loss(changed)[0])
        assert gradient[at] == pytest.approx((values[1] - values[0]) / 2e-2, rel=2e-2)


@pytest.mark.parametrize(
    "make", [lambda: GaussianNoise(-1.0), lambda: AlphaDropout(1.0), lambda: GaussianDropout(-0.1)]
)
def test_noise_that_cannot_be_is_refused(make):
    with pytest.raises(SettingError):
        make()


def test_a_keras_model_with_noise_is_trained_and_forecasts_without():
    import tsuzuki
    from tsuzuki.keras.forward import prepare_predict

    L = keras.layers
    x = np.random.default_rng(0).normal(size=(60, 5, 2)).astype(np.float32)
    y = x.sum(axis=(1, 2))[:, None] / 5
    model = keras.Sequential(
        [keras.Input((5, 2)), L.GaussianNoise(0.1), L.GRU(6), L.GaussianDropout(0.1), L.AlphaDropout(0.1), L.Dense(1)]
    )
    model.compile(keras.optimizers.Adam(0.02), "mse", jit_compile=False)
    history = tsuzuki.fit(model, x, y, epochs=40, verbose=0).history["loss"]
    assert history[-1] < 0.6 * history[0]
    np.testing.assert_allclose(prepare_predict(model, x, verbose=0).predict(), model.predict(x, verbose=0), atol=1e-5)
