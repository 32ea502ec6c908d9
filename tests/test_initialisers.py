"""Weights that networks start with: the distributions of Keras's initialisers by name."""

import numpy as np
import pytest

import tsuzuki
from tsuzuki.errors import SettingError
from tsuzuki.network.initialisers import INITIALISERS
from tsuzuki.network.network import parameters

NETWORK = tsuzuki.Network(3, (tsuzuki.Conv1D(64, 5, padding="same"), tsuzuki.LSTM(80), tsuzuki.Dense(60)))
RANDOM = [name for name in INITIALISERS if name not in ("zeros", "ones", "constant", "orthogonal", "identity")]


def drawn(name, layer):
    kernels = [
        values
        for one, values in zip(parameters(NETWORK), tsuzuki.initialise(NETWORK, 3, {"kernel": name}), strict=True)
        if one.name == "kernel"
    ]
    return kernels[layer]


@pytest.mark.parametrize("name", RANDOM)
@pytest.mark.parametrize("layer", [0, 1, 2])
def test_random_weights_spread_as_those_of_keras(name, layer):
    keras = pytest.importorskip("keras")
    mine = drawn(name, layer)
    theirs = np.array(keras.initializers.get(name)(mine.shape))
    assert mine.std() == pytest.approx(theirs.std(), rel=0.1)
    assert np.abs(mine).max() == pytest.approx(
        np.abs(theirs).max(), rel=0.05 if "normal" not in name and name != "variance_scaling" else 0.6
    )
    assert abs(mine.mean()) < 4 * theirs.std() / np.sqrt(mine.size)


@pytest.mark.parametrize("shape", [(80, 320), (320, 80), (5, 3, 40)])
def test_orthogonal_weights_stand_at_right_angles(shape):
    flat = INITIALISERS["orthogonal"](shape, np.random.default_rng(0)).reshape(-1, shape[-1])
    both = flat @ flat.T if len(flat) < shape[-1] else flat.T @ flat
    np.testing.assert_allclose(both, np.eye(len(both)), atol=1e-12)


def test_a_seed_gives_the_weights_that_it_gave_in_every_version():
    _, recurrent, *_ = tsuzuki.initialise(tsuzuki.Network(1, (tsuzuki.SimpleRNN(3), tsuzuki.Dense(1))), 0)
    expected = [[0.057635, 0.716450, -0.695254], [-0.940994, 0.271612, 0.201887], [-0.333481, -0.642594, -0.689829]]
    np.testing.assert_allclose(recurrent, expected, atol=1e-6)


def test_an_array_of_one_layer_starts_otherwise_than_its_like():
    other = lambda shape, generator: np.full(shape, 0.5)  # noqa: E731
    found = tsuzuki.initialise(NETWORK, 3, {"bias": "ones", (2, "bias"): other, (1, "recurrent_kernel"): "zeros"})
    first = {(one.layer, one.name): values for one, values in zip(parameters(NETWORK), found, strict=True)}
    assert (first[0, "bias"] == 1).all()
    assert (first[2, "bias"] == 0.5).all()
    assert not first[1, "recurrent_kernel"].any()
    np.testing.assert_array_equal(first[0, "kernel"], tsuzuki.initialise(NETWORK, 3)[0])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"kernel": "best"}, "there is no initialiser 'best'"),
        ({"gamma": "ones"}, "no weights 'gamma'"),
        ({"bias": "identity"}, "the identity has two axes, not 1"),
        ({"bias": "orthogonal"}, "two axes or more, not 1"),
        ({"bias": lambda shape, generator: np.zeros(2)}, r"gives \(2,\); give values of shape"),
    ],
)
def test_what_cannot_be_initialised_is_refused(given, message):
    with pytest.raises(SettingError, match=message):
        tsuzuki.initialise(NETWORK, 0, given)
