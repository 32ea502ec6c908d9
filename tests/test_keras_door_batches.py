"""Calls for single batches, and variables whose newest values stay in the engine until somebody looks."""

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tsuzuki
from keras_models import WAVE, classic, difference, keras, reset, states, windows
from tsuzuki.errors import DivergedError, SettingError, UnsupportedModel

X, Y = windows(WAVE[:246], 6)
QUIET = {"verbose": 0}


def batch(i):
    return X[6 * i : 6 * i + 6], Y[6 * i : 6 * i + 6]


def same(ours, theirs):
    """All that two models have in their variables, without a call of ours between the two looks."""
    assert difference(ours, theirs) < 2e-5
    for mine, expected in zip(states(ours), states(theirs), strict=True):
        np.testing.assert_allclose(mine, expected, atol=2e-5)
    for mine, expected in zip(ours.optimizer.variables, theirs.optimizer.variables, strict=True):
        np.testing.assert_allclose(mine.numpy(), expected.numpy(), atol=2e-5)


OURS = {
    "train": lambda model, i: tsuzuki.train_on_batch(model, *batch(i)),
    "test": lambda model, i: tsuzuki.test_on_batch(model, *batch(i)),
    "predict": lambda model, i: tsuzuki.predict_on_batch(model, batch(i)[0]),
    "predict many": lambda model, i: tsuzuki.predict(model, X[: 6 * i + 6], batch_size=6),
    "evaluate": lambda model, i: tsuzuki.evaluate(model, X[: 6 * i + 6], Y[: 6 * i + 6], batch_size=6),
    "fit": lambda model, i: tsuzuki.fit(
        model, X[: 6 * i + 6], Y[: 6 * i + 6], batch_size=6, reset_states="never", **QUIET
    ).history["loss"],
}
THEIRS = {
    "train": lambda model, i: model.train_on_batch(*batch(i)),
    "test": lambda model, i: model.test_on_batch(*batch(i)),
    "predict": lambda model, i: model.predict_on_batch(batch(i)[0]),
    "predict many": lambda model, i: model.predict(X[: 6 * i + 6], batch_size=6, **QUIET),
    "evaluate": lambda model, i: model.evaluate(X[: 6 * i + 6], Y[: 6 * i + 6], batch_size=6, **QUIET),
    "fit": lambda model, i: model.fit(X[: 6 * i + 6], Y[: 6 * i + 6], batch_size=6, shuffle=False, **QUIET).history[
        "loss"
    ],
}


def set_rate(model, i):
    model.optimizer.learning_rate = 0.001 * (1 + i % 3)


def halve(model, i):
    model.set_weights([weight / 2 for weight in model.get_weights()])


def set_states(model, i):
    for state in model.layers[0].states:
        state.assign(state + 0.01 * i)


# What both models have done to them, by Keras alone.
BY_KERAS = {
    "reset": lambda model, i: reset(model),
    "rate": set_rate,
    "halve": halve,
    "states": set_states,
    "keras trains": THEIRS["train"],
    "keras predicts": THEIRS["predict"],
    "called": lambda model, i: np.array(model(batch(i)[0])),
    "called to train": lambda model, i: np.array(model(batch(i)[0], training=True)),
    "looked at": lambda model, i: np.concatenate([weight.ravel() for weight in model.get_weights()]),
}
calls = st.lists(st.tuples(st.sampled_from([*OURS, *BY_KERAS]), st.integers(0, 6)), min_size=3, max_size=9)


@pytest.fixture(scope="module")
def pair():
    models = [classic("LSTM", metrics=["mae"], optimizer=keras.optimizers.Adam()) for _ in range(2)]
    for model in models:
        model.optimizer.build(model.trainable_variables)
    start = [variable.numpy() for variable in [*models[0].weights, *models[0].optimizer.variables]]
    return (*models, start)


@settings(max_examples=15)
@given(calls)
def test_any_calls_in_any_order_leave_what_keras_leaves(pair, calls):
    ours, theirs, start = pair
    for model in (ours, theirs):
        reset(model)
        for variable, value in zip([*model.weights, *model.optimizer.variables], start, strict=True):
            variable.assign(value)
    for what, i in calls:
        found = OURS.get(what, BY_KERAS.get(what))(ours, i)
        expected = THEIRS.get(what, BY_KERAS.get(what))(theirs, i)
        if expected is not None:
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=2e-5, err_msg=f"{what} of {calls}")
    same(ours, theirs)


def twins(**options):
    models = [classic("GRU", **options) for _ in range(2)]
    tsuzuki.train_on_batch(models[0], *batch(0))
    models[1].train_on_batch(*batch(0))
    return models


def test_a_function_traced_by_the_user_sees_the_newest_weights_and_what_it_changes_is_seen():
    tf = pytest.importorskip("tensorflow")
    ours, theirs = twins()
    steps = []
    for model in (ours, theirs):

        @tf.function
        def step(model=model):
            for variable in model.trainable_variables:
                variable.assign(variable * 0.9)
            return model.trainable_variables[0] + 0.0

        steps.append(step)
    for _ in range(2):
        np.testing.assert_allclose(steps[0]().numpy(), steps[1]().numpy(), atol=1e-6)
        assert tsuzuki.train_on_batch(ours, *batch(1)) == pytest.approx(theirs.train_on_batch(*batch(1)), rel=1e-5)
    concrete = [step.get_concrete_function() for step in steps]
    assert tsuzuki.train_on_batch(ours, *batch(2)) == pytest.approx(theirs.train_on_batch(*batch(2)), rel=1e-5)
    np.testing.assert_allclose(concrete[0]().numpy(), concrete[1]().numpy(), atol=1e-6)
    same(ours, theirs)


def test_two_models_that_share_layers_see_what_the_other_has_trained():
    def make():
        keras.utils.set_random_seed(2)
        given = keras.Input((6, 1))
        shared = keras.layers.GRU(4)(given)
        models = [keras.Model(given, keras.layers.Dense(1)(shared)) for _ in range(2)]
        for model in models:
            model.compile("sgd", "mse")
        return models

    ours, theirs = make(), make()
    for i in (0, 1, 0, 0, 1):
        found = tsuzuki.train_on_batch(ours[i], *batch(i))
        assert found == pytest.approx(theirs[i].train_on_batch(*batch(i)), rel=1e-5)
    for mine, expected in zip(ours, theirs, strict=True):
        assert difference(mine, expected) < 1e-6


def test_a_model_compiled_anew_trains_by_its_new_optimiser_and_loss():
    ours, theirs = twins(metrics=["mae"])
    for model in (ours, theirs):
        model.compile(keras.optimizers.SGD(0.05, momentum=0.9), "mae")
    for i in range(3):
        assert tsuzuki.train_on_batch(ours, *batch(i)) == pytest.approx(theirs.train_on_batch(*batch(i)), rel=1e-5)
    for model in (ours, theirs):
        model.optimizer.momentum = 0.5
    theirs.train_function = None
    assert tsuzuki.train_on_batch(ours, *batch(3)) == pytest.approx(theirs.train_on_batch(*batch(3)), rel=1e-5)
    same(ours, theirs)


def test_a_model_that_is_given_another_layer_is_read_again():
    ours, theirs = (classic(stateful=False) for _ in range(2))
    for model in (ours, theirs):
        tsuzuki.predict(model, X[:6])
        model.pop()
        model.add(keras.layers.Dense(1, kernel_initializer="ones"))
    np.testing.assert_allclose(tsuzuki.predict(ours, X[:6]), theirs.predict(X[:6], **QUIET), atol=1e-6)


@pytest.mark.parametrize("every_step", [False, True])
def test_weights_classes_and_missing_values_count_as_in_keras(every_step):
    def make():
        keras.utils.set_random_seed(3)
        model = keras.Sequential(
            [
                keras.Input((5, 2)),
                keras.layers.Masking(),
                keras.layers.LSTM(4, return_sequences=every_step),
                keras.layers.Dense(3, "softmax"),
            ]
        )
        model.compile("rmsprop", "sparse_categorical_crossentropy", metrics=["accuracy"], weighted_metrics=["accuracy"])
        return model

    generator = np.random.default_rng(0)
    ours, theirs = make(), make()
    for rows in (4, 4, 3):
        shape = (rows, 5) if every_step else (rows,)
        x = generator.normal(size=(rows, 5, 2)).astype(np.float32)
        x[0, 2:] = 0
        y, weights = generator.integers(0, 3, shape), generator.random(shape)
        found = tsuzuki.train_on_batch(ours, x, y, weights)
        assert found == pytest.approx(theirs.train_on_batch(x, y, weights), rel=1e-4)
        named = tsuzuki.test_on_batch(ours, x, y, weights, return_dict=True)
        assert named == pytest.approx(theirs.test_on_batch(x, y, weights, return_dict=True), rel=1e-4)
        np.testing.assert_allclose(tsuzuki.predict_on_batch(ours, x), theirs.predict_on_batch(x), atol=1e-5)
    if not every_step:
        by_class = {0: 2.0, 2: 0.5}
        found = tsuzuki.train_on_batch(ours, x, y, class_weight=by_class)
        assert found == pytest.approx(theirs.train_on_batch(x, y, class_weight=by_class), rel=1e-4)
    assert difference(ours, theirs) < 1e-5


def test_a_loss_that_is_not_finite_leaves_the_model_as_it_was():
    ours, _ = twins()
    weights, carried = ours.get_weights(), states(ours)
    with pytest.raises(DivergedError):
        tsuzuki.train_on_batch(ours, X[:6], np.full(6, 1e30, np.float32))
    assert all(np.array_equal(*pair) for pair in zip(weights, ours.get_weights(), strict=True))
    assert all(np.array_equal(*pair) for pair in zip(carried, states(ours), strict=True))


def test_a_saved_and_a_copied_model_have_the_newest_weights(tmp_path):
    ours, theirs = twins()
    ours.save(tmp_path / "model.keras")
    assert difference(keras.models.load_model(tmp_path / "model.keras"), theirs) < 1e-5
    tsuzuki.train_on_batch(ours, *batch(1))
    theirs.train_on_batch(*batch(1))
    copied = copy.deepcopy(ours)
    assert difference(copied, theirs) < 1e-5
    tsuzuki.train_on_batch(copied, *batch(2))
    same(ours, theirs)


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda model: tsuzuki.train_on_batch(model, X[:5], Y[:5]), SettingError, "built for batches of 6"),
        (lambda model: tsuzuki.train_on_batch(model, X[:6]), SettingError, "y is missing; give an array"),
        (lambda model: tsuzuki.train_on_batch(model, X[:6], Y[:5]), SettingError, r"y has shape \(5,\)"),
        (lambda model: tsuzuki.predict_on_batch(model, X[0, 0]), SettingError, r"x has shape \(1,\)"),
        (lambda model: tsuzuki.predict_on_batch(model, iter([X])), SettingError, "give the arrays of one batch"),
        (
            lambda model: tsuzuki.predict(model),
            SettingError,
            "missing a required argument: 'x'; give each argument once",
        ),
        (lambda model: tsuzuki.predict(3), SettingError, "predict was given a builtins.int"),
        (lambda model: tsuzuki.predict_on_batch(3, X[:6]), UnsupportedModel, "not a Keras 3 model"),
    ],
)
def test_what_does_not_fit_is_told_in_one_line(call, error, said):
    model = classic()
    tsuzuki.train_on_batch(model, *batch(0))
    with pytest.raises(error, match=said) as caught:
        call(model)
    assert "\n" not in str(caught.value)
