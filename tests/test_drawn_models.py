"""Models drawn at random, trained here and in Keras for a hundred updates from the same weights: the same throughout.

There are 240 of them. Keras takes seconds to trace each, so a run takes every fortieth; all with

    TSUZUKI_DRAWN_MODELS=all python -m pytest tests/test_drawn_models.py
"""

import os

import numpy as np
import pytest

import tsuzuki
from drawn_models import EPOCHS, draw
from keras_models import keras

ALL = range(240)
SEEDS = ALL if os.environ.get("TSUZUKI_DRAWN_MODELS") == "all" else ALL[7::40]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_drawn_model_is_trained_as_in_keras(seed):
    ours, theirs = draw(seed), draw(seed)
    options = {"batch_size": ours.rows, "epochs": EPOCHS, "shuffle": False, "verbose": 0}
    found = tsuzuki.fit(ours.model, ours.x, ours.y, reset_states="never", **options).history
    expected = theirs.model.fit(theirs.x, theirs.y, **options).history
    assert list(found) == list(expected), ours.described
    for name, values in expected.items():
        assert found[name] == pytest.approx(values, rel=1e-3, abs=1e-6), f"{name} of {ours.described}"
    for mine, other in zip(ours.model.get_weights(), theirs.model.get_weights(), strict=True):
        assert np.abs(mine - other).max() <= 1e-3 * max(1.0, np.abs(other).max()), ours.described
    keras.utils.clear_session()
