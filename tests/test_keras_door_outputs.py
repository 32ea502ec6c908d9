"""Keras models with several outputs: trained, scored and asked as Keras does, each output with its own loss."""

from random import Random

import numpy as np
import pytest

import tsuzuki
from keras_models import difference, keras
from tsuzuki.errors import SettingError, UnsupportedModel
from tsuzuki.keras.forward import prepare_evaluate, prepare_predict

tf = pytest.importorskip("tensorflow")
L = keras.layers
ROWS, STEPS, SAMPLES = 4, 3, 12
# Of each kind of output: units, activation, loss, metrics.
KINDS = {
    "values": (2, None, "mse", ["mae", "mse"]),
    "value": (1, None, keras.losses.Huber(0.5), ["mae"]),
    "shares": (3, "softmax", "categorical_crossentropy", ["accuracy", "mae"]),
    "class": (4, None, keras.losses.SparseCategoricalCrossentropy(from_logits=True), ["accuracy"]),
    "two classes": (1, "sigmoid", "binary_crossentropy", ["accuracy", "auc"]),
}


def aim(kind, generator, shape):
    """Targets of a kind."""
    units = KINDS[kind][0]
    if kind == "class":
        return generator.integers(0, units, shape)
    if kind == "shares":
        return np.eye(units, dtype=np.float32)[generator.integers(0, units, shape)]
    if kind == "two classes":
        return generator.integers(0, 2, (*shape, 1)).astype(np.float32)
    return generator.normal(size=(*shape, units)).astype(np.float32)


def drawn(seed):
    """A model with two or three outputs, x, y, sample weights and the options of `fit`, in words too."""
    random, generator = Random(seed), np.random.default_rng(seed)
    keras.utils.set_random_seed(seed)
    stateful, every_step, masked = (random.random() < 0.5 for _ in range(3))
    kinds = random.sample(list(KINDS), random.choice([2, 3]))
    inputs = keras.Input(batch_shape=(ROWS if stateful else None, STEPS, 2))
    first = L.Masking(0.0)(inputs) if masked else inputs
    state = L.GRU(4, return_sequences=True, stateful=stateful)(first)
    state = L.LSTM(3, return_sequences=every_step, stateful=stateful)(state)
    # One output is read by another, and one is as the cell gives it.
    ends = [L.Dense(KINDS[kind][0], KINDS[kind][1], name=f"end_{i}")(state) for i, kind in enumerate(kinds)]
    names = [f"end_{i}" for i in range(len(kinds))]
    keyed = random.random() < 0.5
    keys = [f"{chr(ord('c') - i)}_{name}" if keyed else name for i, name in enumerate(names)]
    by_name = keyed or random.random() < 0.5

    def given(parts):
        return dict(zip(keys, parts, strict=True)) if by_name else list(parts)

    model = keras.Model(inputs, dict(zip(keys, ends, strict=True)) if keyed else ends)
    weighted = random.random() < 0.5
    model.compile(
        keras.optimizers.Adam(0.01),
        given([KINDS[kind][2] for kind in kinds]),
        loss_weights=given([random.choice([0.3, 1.0, 2.0]) for _ in kinds]) if random.random() < 0.6 else None,
        metrics=given([KINDS[kind][3] for kind in kinds]) if random.random() < 0.8 else None,
        weighted_metrics=given([KINDS[kind][3][:1] for kind in kinds]) if weighted else None,
    )
    x = generator.normal(size=(SAMPLES, STEPS, 2)).astype(np.float32)
    if masked:
        x[generator.random((SAMPLES, STEPS)) < 0.3] = 0
    shape = (SAMPLES, STEPS) if every_step else (SAMPLES,)
    y = given([aim(kind, generator, shape) for kind in kinds])
    weights = given([generator.uniform(0.2, 2, shape).astype(np.float32) for _ in kinds]) if weighted else None
    words = f"{kinds}, stateful {stateful}, every step {every_step}, masked {masked}, keyed {keyed}, by name {by_name}"
    return model, x, y, weights, words


def as_keras(model, x, y, weights, epochs):
    options = {"batch_size": ROWS, "epochs": epochs, "shuffle": False, "verbose": 0}
    held_out = (x, y) if weights is None else (x, y, weights)
    return model.fit(x, y, sample_weight=weights, validation_data=held_out, **options).history


@pytest.mark.parametrize("seed", range(4))
def test_a_drawn_model_of_several_outputs_is_trained_scored_and_asked_as_in_keras(seed):
    (ours, x, y, weights, words), (theirs, *_) = drawn(seed), drawn(seed)
    held_out = (x, y) if weights is None else (x, y, weights)
    options = {"batch_size": ROWS, "epochs": 2, "shuffle": False, "verbose": 0, "reset_states": "never"}
    found = tsuzuki.fit(ours, x, y, sample_weight=weights, validation_data=held_out, **options).history
    expected = as_keras(theirs, x, y, weights, 2)
    assert list(found) == list(expected), words
    for name, values in expected.items():
        assert found[name] == pytest.approx(values, rel=2e-4, abs=1e-6), f"{name} of {words}"
    assert difference(ours, theirs) < 1e-4, words
    ours.set_weights(theirs.get_weights())
    for layer, other in zip(ours.layers, theirs.layers, strict=True):
        for mine, state in zip(getattr(layer, "states", None) or [], getattr(other, "states", None) or [], strict=True):
            mine.assign(state)
    forward = prepare_evaluate(ours, x, y, ROWS, 0, weights)
    scores = theirs.evaluate(x, y, ROWS, 0, weights)
    assert forward.score(as_dict=False) == pytest.approx(scores, rel=2e-4, abs=1e-6), words
    mine, forecasts = prepare_predict(ours, x, ROWS, 0).predict(), theirs.predict(x, ROWS, 0)
    keras.tree.assert_same_structure(mine, forecasts)
    for one, other in zip(keras.tree.flatten(mine), keras.tree.flatten(forecasts), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    keras.utils.clear_session()


def pair(**compiled):
    """A small model with the outputs "level" and "kind", the same each time."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input((STEPS, 2))
    state = L.SimpleRNN(4)(inputs)
    model = keras.Model(inputs, [L.Dense(1, name="level")(state), L.Dense(3, "softmax", name="kind")(state)])
    options = {"loss": ["mse", "sparse_categorical_crossentropy"], "optimizer": "sgd"} | compiled
    model.compile(**options)
    return model


def pair_data():
    generator = np.random.default_rng(0)
    x = generator.normal(size=(SAMPLES, STEPS, 2)).astype(np.float32)
    return x, [generator.normal(size=SAMPLES).astype(np.float32), generator.integers(0, 3, SAMPLES)]


OPTIONS = {"shuffle": False, "verbose": 0, "epochs": 2}


def batches_of_tuples():
    x, (level, kind) = pair_data()
    for _ in range(2):
        for at in range(0, SAMPLES, ROWS):
            here = slice(at, at + ROWS)
            yield (
                x[here],
                {"level": level[here], "kind": kind[here]},
                {"level": np.ones(ROWS), "kind": np.full(ROWS, 0.5)},
            )


def test_datasets_and_generators_give_targets_and_weights_of_each_output():
    x, (level, kind) = pair_data()
    weights = (np.ones(SAMPLES), np.full(SAMPLES, 0.5))
    expected = pair()
    history = tsuzuki.fit(expected, x, [level, kind], ROWS, sample_weight=weights, **OPTIONS).history
    dataset = tf.data.Dataset.from_tensor_slices((x, {"level": level, "kind": kind}, weights)).batch(ROWS)
    for source, steps in ((dataset, None), (batches_of_tuples(), SAMPLES // ROWS)):
        model = pair()
        assert tsuzuki.fit(model, source, steps_per_epoch=steps, **OPTIONS).history == history
        assert difference(model, expected) == 0
    theirs = pair()
    theirs.fit(dataset, **OPTIONS)
    assert difference(theirs, expected) < 1e-5
    scores = prepare_evaluate(theirs, dataset, verbose=0)
    assert scores.score(as_dict=False) == pytest.approx(theirs.evaluate(dataset, verbose=0), rel=1e-5)


@pytest.mark.parametrize(
    ("loss", "y"),
    [
        (["mse", None], lambda level, kind: level),
        ([None, "sparse_categorical_crossentropy"], lambda level, kind: [kind]),
    ],
)
def test_an_output_without_a_loss_takes_no_targets_and_is_moved_by_the_others_alone(loss, y):
    ours, theirs = pair(loss=loss), pair(loss=loss)
    x, aims = pair_data()
    found = tsuzuki.fit(ours, x, y(*aims), ROWS, **OPTIONS).history
    expected = theirs.fit(x, y(*aims), ROWS, **OPTIONS).history
    assert list(found) == list(expected)
    assert found["loss"] == pytest.approx(expected["loss"], rel=1e-5)
    assert difference(ours, theirs) < 1e-5


def test_one_weight_for_each_sample_counts_for_all_outputs():
    ours, theirs = pair(weighted_metrics=[["mae"], ["accuracy"]]), pair(weighted_metrics=[["mae"], ["accuracy"]])
    x, y = pair_data()
    weights = np.linspace(0, 2, SAMPLES, dtype=np.float32)
    found = tsuzuki.fit(ours, x, y, ROWS, sample_weight=weights, **OPTIONS).history
    expected = theirs.fit(x, y, ROWS, sample_weight=weights, **OPTIONS).history
    for name, values in expected.items():
        assert found[name] == pytest.approx(values, rel=1e-4), name


@pytest.mark.parametrize(
    ("compiled", "words"),
    [
        ({"loss": {"level": "mse"}}, "the losses do not fit the model's outputs"),
        ({"loss": ["mse", keras.losses.CTC()]}, "the loss mse, ctc fails: ValueError: Targets"),
        ({"loss": ["mse", "ce"]}, "depends on y"),
        ({"loss": [None, None]}, "no output has a loss"),
        ({"metrics": {"levels": ["mae"]}}, "the metrics do not fit the model's outputs"),
    ],
)
def test_losses_and_metrics_that_have_no_equal_are_refused(compiled, words):
    x, y = pair_data()
    with pytest.raises(UnsupportedModel, match=words):
        tsuzuki.fit(pair(**compiled), x, y, **OPTIONS)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"y": {"level": np.zeros(SAMPLES)}}, "the model's outputs are level, kind"),
        ({"y": [np.zeros(SAMPLES)]}, "y is not one array for each output"),
        ({"y": [np.zeros((SAMPLES, 2)), np.zeros(SAMPLES)]}, r"y of output 'level' has shape \(12, 2\)"),
        ({"y": [np.zeros(SAMPLES), np.full(SAMPLES, 7)]}, "y has class 7"),
        ({"y": [np.zeros(SAMPLES), np.zeros(5)]}, "give as many samples and steps of each"),
        ({"class_weight": {0: 1.0}}, "class_weight is given for a model with several outputs"),
        ({"sample_weight": [np.ones(SAMPLES), np.ones(5)]}, "give as many weights for each output"),
    ],
)
def test_arrays_that_do_not_fit_the_outputs_are_refused(options, words):
    x, y = pair_data()
    with pytest.raises(SettingError, match=words):
        tsuzuki.fit(pair(), x, **({"y": y} | options), **OPTIONS)


def test_a_metric_that_is_the_loss_leaves_penalties_out():
    def model():
        keras.utils.set_random_seed(2)
        model = keras.Sequential([keras.Input((STEPS, 2)), L.GRU(3, kernel_regularizer="l2"), L.Dense(1)])
        model.compile("sgd", "mse", metrics=["mse"])
        return model

    x, (level, _) = pair_data()
    ours, theirs = (m.history for m in (tsuzuki.fit(model(), x, level, **OPTIONS), model().fit(x, level, **OPTIONS)))
    assert ours["mse"] == pytest.approx(theirs["mse"], rel=1e-5)
    assert ours["loss"] == pytest.approx(theirs["loss"], rel=1e-5)


def test_a_loss_in_a_list_with_a_weight_is_that_of_the_one_output():
    def model():
        keras.utils.set_random_seed(2)
        model = keras.Sequential([keras.Input((STEPS, 2)), L.GRU(3), L.Dense(1)])
        model.compile("sgd", ["mse"], loss_weights=[0.25], metrics=["mse"])
        return model

    x, (level, _) = pair_data()
    ours, theirs = model(), model()
    found = tsuzuki.fit(ours, x, level, ROWS, **OPTIONS).history
    expected = theirs.fit(x, level, ROWS, **OPTIONS).history
    for name, values in expected.items():
        assert found[name] == pytest.approx(values, rel=1e-5), name
    assert difference(ours, theirs) < 1e-6
