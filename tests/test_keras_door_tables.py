"""Tables of vectors: moved as Keras on TensorFlow moves them, which squares and clips each occurrence by itself."""

import numpy as np
import pytest

import tsuzuki
from keras_models import difference, keras
from tsuzuki.errors import UnsupportedModel
from tsuzuki.keras.model_variables import slots_of

pytestmark = [
    pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="only there does Keras keep occurrences apart"),
]
L, O = keras.layers, keras.optimizers  # noqa: E741
ROWS, STEPS, LETTERS = 4, 6, 5
OPTIMIZERS = {
    "adam": lambda: O.Adam(0.01, amsgrad=True),
    "adam, clipped": lambda: O.Adam(0.01, clipvalue=0.01),
    "adamw, clipped together": lambda: O.AdamW(0.01, global_clipnorm=0.1),
    "rmsprop": lambda: O.RMSprop(0.01, momentum=0.5, centered=True),
    "sgd, clipped": lambda: O.SGD(0.1, clipnorm=0.05),
    "adagrad": lambda: O.Adagrad(0.05),
    "adadelta": lambda: O.Adadelta(1.0),
    "adamax": lambda: O.Adamax(0.01, clipvalue=0.01),
    "nadam": lambda: O.Nadam(0.01, use_ema=True, ema_momentum=0.9),
    "ftrl": lambda: O.Ftrl(0.1),
}


def model(optimizer, **options):
    """Two tables side by side, of which one masks, in front of a cell."""
    keras.utils.set_random_seed(4)
    numbers, others = (keras.Input((STEPS,)) for _ in range(2))
    both = L.Concatenate()([L.Embedding(LETTERS, 3, **options)(numbers), L.Embedding(20, 2)(others)])
    found = keras.Model([numbers, others], L.Dense(LETTERS)(L.GRU(4, return_sequences=True)(L.Dense(3)(both))))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    found.compile(optimizer, loss, run_eagerly=True)
    return found


def texts():
    generator = np.random.default_rng(0)
    letters = generator.integers(0, LETTERS, (3 * ROWS, STEPS + 1))
    letters[:, 2] = letters[:, 1]
    return [letters[:, :-1], generator.integers(0, 3, (3 * ROWS, STEPS))], letters[:, 1:]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_each_optimiser_moves_a_table_as_on_tensorflow(name):
    x, y = texts()
    ours, theirs = model(OPTIMIZERS[name]()), model(OPTIMIZERS[name]())
    options = {"batch_size": ROWS, "epochs": 2, "shuffle": False, "verbose": 0}
    found = tsuzuki.fit(ours, x, y, **options).history["loss"]
    assert found == pytest.approx(theirs.fit(x, y, **options).history["loss"], rel=1e-5)
    assert difference(ours, theirs) < 2e-5
    for number, variables in slots_of(ours).items():
        for mine, other in zip(variables, slots_of(theirs)[number], strict=True):
            if mine is not None:
                np.testing.assert_allclose(mine, other, rtol=1e-3, atol=1e-6, err_msg=f"slot {number}")


@pytest.mark.parametrize("options", [{"embeddings_regularizer": "l2"}, {"embeddings_constraint": "max_norm"}])
def test_a_penalty_makes_one_gradient_of_all_occurrences_and_a_bound_does_not(options):
    x, y = texts()
    ours, theirs = model(O.Adam(0.05), **options), model(O.Adam(0.05), **options)
    arguments = {"batch_size": ROWS, "shuffle": False, "verbose": 0}
    tsuzuki.fit(ours, x, y, **arguments)
    theirs.fit(x, y, **arguments)
    assert difference(ours, theirs) < 5e-5


def test_sizes_that_are_added_up_and_clipped_by_norm_are_refused():
    with pytest.raises(UnsupportedModel, match="Adamax has clipnorm or global_clipnorm"):
        tsuzuki.fit(model(O.Adamax(clipnorm=1.0)), *texts(), verbose=0)


def test_a_text_longer_than_a_block_is_the_same_with_any_number_of_threads():
    generator = np.random.default_rng(0)
    # The table is so large that its sums of squares lie in another thread's share of the weights.
    letters = generator.integers(0, 50, (64, 41))
    weights = []
    for threads in ("1", "2"):
        keras.utils.set_random_seed(1)
        ours = keras.Sequential(
            [keras.Input((40,)), L.Embedding(2000, 16), L.GRU(64, return_sequences=True), L.Dense(50)]
        )
        ours.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TSUZUKI_NUM_THREADS", threads)
            tsuzuki.fit(ours, letters[:, :-1], letters[:, 1:], 64, epochs=2, verbose=0)
        weights.append(ours.get_weights())
    for mine, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(mine, other)
