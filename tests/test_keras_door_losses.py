"""Losses and metrics of compiled Keras models: epochs beside Keras's own, from the same weights."""

import numpy as np
import pytest

import tsuzuki
from keras_models import keras
from tsuzuki.errors import SettingError, UnsupportedModel
from tsuzuki.keras.forward import prepare_evaluate

L, M = keras.losses, keras.metrics
CLASSES, STEPS, ROWS = 4, 5, 8


def classifier(loss, metrics=(), last="softmax", *, outputs=CLASSES, sequences=False, stateful=False, weighted=None):
    """A small network, compiled; Keras takes objects, so each call makes its own."""
    model = keras.Sequential(
        [
            keras.Input(batch_shape=(ROWS if stateful else None, STEPS, 3)),
            keras.layers.LSTM(6, return_sequences=sequences, stateful=stateful),
            keras.layers.Dense(outputs, activation=last),
        ]
    )
    model.compile("adam", loss, metrics=list(metrics), weighted_metrics=weighted)
    return model


def samples(kind, *, outputs=CLASSES, sequences=False, seed=0):
    """x and y of 80 samples; y as the loss wants it."""
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(80, STEPS, 3)).astype(np.float32)
    shape = (80, STEPS) if sequences else (80,)
    numbers = generator.integers(0, outputs, shape)
    if kind == "sparse":
        return x, numbers
    if kind == "binary":
        return x, generator.integers(0, 2, (*shape, outputs)).astype(np.float32)
    if kind == "values":
        return x, generator.uniform(0.1, 2, (*shape, outputs)).astype(np.float32)
    return x, np.eye(outputs, dtype=np.float32)[numbers]


def assert_same_epochs(make, x, y, *, epochs=5, **options):
    """Train both from the same weights; losses, metrics and weights must agree."""
    keras.utils.set_random_seed(0)
    ours, theirs = make(), make()
    theirs.set_weights(ours.get_weights())
    options = {"batch_size": ROWS, "epochs": epochs, "shuffle": False, "verbose": 0, **options}
    found = tsuzuki.fit(ours, x, y, reset_states="never", **options).history
    expected = theirs.fit(x, y, **options).history
    assert list(found) == list(expected)
    for name, values in expected.items():
        # An output that rounds to the other side of a threshold moves the area under a curve by more.
        rel = 5e-3 if "auc" in name else 1e-3
        assert found[name] == pytest.approx(values, rel=rel, abs=1e-5), name
    for mine, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        assert np.abs(mine - other).max() <= 1e-3 * max(np.abs(other).max(), 1e-2)
    return ours


CASES = {
    "categorical": lambda: (L.CategoricalCrossentropy(label_smoothing=0.1), "softmax", "one-hot"),
    "categorical from logits": lambda: (L.CategoricalCrossentropy(from_logits=True), None, "one-hot"),
    "categorical, clipped": lambda: ("categorical_crossentropy", "hard_sigmoid", "one-hot"),
    "sparse": lambda: ("sparse_categorical_crossentropy", "softmax", "sparse"),
    "sparse from logits": lambda: (L.SparseCategoricalCrossentropy(from_logits=True), None, "sparse"),
    "sparse, one ignored": lambda: (L.SparseCategoricalCrossentropy(ignore_class=2), "softmax", "sparse"),
    "mape": lambda: ("mape", None, "values"),
    "msle": lambda: (L.MeanSquaredLogarithmicError(), "sigmoid", "values"),
    "log-cosh": lambda: ("log_cosh", None, "values"),
    "poisson": lambda: (L.Poisson(), "sigmoid", "values"),
    "divergence": lambda: ("kl_divergence", "softmax", "one-hot"),
    "hinge": lambda: ("hinge", None, "binary"),
    "squared hinge": lambda: (L.SquaredHinge(), "tanh", "binary"),
    "hinge of classes": lambda: ("categorical_hinge", None, "one-hot"),
    "cosine": lambda: (L.CosineSimilarity(), None, "values"),
    "binary": lambda: (L.BinaryCrossentropy(label_smoothing=0.2), "sigmoid", "binary"),
    "binary from logits": lambda: (L.BinaryCrossentropy(from_logits=True), None, "binary"),
}


# Those that look at more than one value at a time, of steps and of rows; the others of one or the other.
BOTH = ("categorical", "sparse", "sparse, one ignored", "cosine", "binary", "hinge of classes")


@pytest.mark.parametrize(
    ("case", "sequences"),
    [(case, of) for number, case in enumerate(CASES) for of in (False, True) if case in BOTH or number % 2 == of],
)
def test_fifty_updates_of_every_loss_agree_with_keras(case, sequences):
    _, last, kind = CASES[case]()
    x, y = samples(kind, sequences=sequences)
    assert_same_epochs(
        lambda: classifier(CASES[case]()[0], ["accuracy"], last, sequences=sequences),
        x,
        y,
        validation_data=(x[:16], y[:16]),
    )


def test_the_stateful_example_of_the_keras_guide_runs():
    generator = np.random.default_rng(0)
    x, y = generator.random((320, 8, 16)), np.eye(10)[generator.integers(0, 10, 320)]

    def make():
        options = {"stateful": True}
        model = keras.Sequential(
            [
                keras.Input(batch_shape=(32, 8, 16)),
                keras.layers.LSTM(32, return_sequences=True, **options),
                keras.layers.LSTM(32, return_sequences=True, **options),
                keras.layers.LSTM(32, **options),
                keras.layers.Dense(10, activation="softmax"),
            ]
        )
        model.compile(loss="categorical_crossentropy", optimizer="rmsprop", metrics=["accuracy"])
        return model

    assert_same_epochs(make, x, y, batch_size=32, epochs=3)


METRICS = {
    "one-hot": lambda sequences: [
        "accuracy",
        M.TopKCategoricalAccuracy(2),
        M.AUC(name="auc"),
        M.Precision(name="precision"),
        M.Recall(name="recall"),
        # Keras computes it of rows without steps alone.
        *([] if sequences else [M.F1Score(average="macro", name="f1")]),
        "categorical_crossentropy",
        "mse",
    ],
    "sparse": lambda _: ["acc", M.SparseTopKCategoricalAccuracy(2), "sparse_categorical_crossentropy"],
    "binary": lambda _: [
        "accuracy",
        M.BinaryAccuracy(name="at_0_4", threshold=0.4),
        M.AUC(name="auc"),
        own_metric,
        M.RootMeanSquaredError(),
    ],
}
FITTING = {
    "one-hot": "categorical_crossentropy",
    "sparse": "sparse_categorical_crossentropy",
    "binary": "binary_crossentropy",
}


def own_metric(y, z):
    """A root, which is no mean over samples."""
    return keras.ops.sqrt(keras.ops.mean(keras.ops.square(y - z)))


@pytest.mark.parametrize("kind", list(METRICS))
@pytest.mark.parametrize("sequences", [False, True])
def test_every_metric_shows_what_keras_shows(kind, sequences):
    x, y = samples(kind, sequences=sequences)
    weights = np.random.default_rng(1).uniform(0, 2, y.shape[:2] if sequences else len(y)).astype(np.float32)

    def make():
        last = "sigmoid" if kind == "binary" else "softmax"
        return classifier(
            FITTING[kind], METRICS[kind](sequences), last, sequences=sequences, weighted=METRICS[kind](sequences)[:2]
        )

    model = assert_same_epochs(make, x, y, epochs=2, sample_weight=weights, validation_data=(x[:16], y[:16]))
    found = prepare_evaluate(model, x, y, ROWS, 0, weights).evaluate()
    expected = model.evaluate(x, y, batch_size=ROWS, verbose=0, sample_weight=weights, return_dict=True)
    assert found == pytest.approx(expected, rel=1e-3, abs=1e-5)


def test_a_softmax_layer_is_an_activation():
    def make():
        model = keras.Sequential(
            [keras.Input((STEPS, 3)), keras.layers.GRU(4), keras.layers.Dense(CLASSES), keras.layers.Softmax()]
        )
        model.compile("adam", "categorical_crossentropy")
        return model

    assert_same_epochs(make, *samples("one-hot"), epochs=2)


def test_weights_of_classes_count_as_in_keras():
    x, y = samples("sparse")
    assert_same_epochs(
        lambda: classifier("sparse_categorical_crossentropy", ["accuracy"]), x, y, class_weight={0: 0.5, 1: 2.0, 3: 3.0}
    )


def test_classes_that_there_are_not_are_named():
    x, y = samples("sparse")
    y[7] = 4
    model = classifier("sparse_categorical_crossentropy")
    with pytest.raises(SettingError, match=r"y has class 4 at \(7, 0\), but the model gives 4, counted from 0"):
        tsuzuki.fit(model, x, y, batch_size=ROWS, verbose=0)
    with pytest.raises(UnsupportedModel, match="the loss categorical_crossentropy fails: ValueError: Arguments"):
        tsuzuki.fit(classifier(L.CategoricalCrossentropy(axis=1)), x, y, verbose=0)


@pytest.mark.parametrize("weighted", [False, True])
def test_masked_steps_count_in_no_loss_but_in_metrics_as_in_keras(weighted):
    x, y = samples("sparse", sequences=True)
    lengths = np.random.default_rng(3).integers(1, STEPS + 1, len(x))
    x[np.arange(STEPS) >= lengths[:, None]] = 0
    weights = np.random.default_rng(4).uniform(0, 2, y.shape).astype(np.float32) if weighted else None

    def make():
        layers = [keras.layers.Masking(), keras.layers.GRU(5, return_sequences=True)]
        model = keras.Sequential([keras.Input((STEPS, 3)), *layers, keras.layers.Dense(CLASSES, "softmax")])
        loss = "sparse_categorical_crossentropy"
        model.compile("adam", loss, metrics=["accuracy", "sparse_categorical_crossentropy"], weighted_metrics=["acc"])
        return model

    assert_same_epochs(make, x, y, sample_weight=weights, validation_data=(x[:16], y[:16]))


def test_a_masked_metric_of_the_losss_name_is_a_mean_over_steps_and_not_over_batches():
    x, y = samples("values", outputs=2, sequences=True)
    x[np.arange(STEPS) >= np.random.default_rng(3).integers(1, STEPS + 1, len(x))[:, None]] = 0

    def make():
        layers = [keras.layers.Masking(), keras.layers.GRU(5, return_sequences=True), keras.layers.Dense(2)]
        model = keras.Sequential([keras.Input((STEPS, 3)), *layers])
        model.compile("adam", "mse", metrics=["mse", "mae", M.RootMeanSquaredError()])
        return model

    assert_same_epochs(make, x, y)
