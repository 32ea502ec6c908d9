"""States that are carried as Keras carries them, and samples that come in batches."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tsuzuki
from keras_models import WAVE, classic, difference, keras, reset, states, windows
from tsuzuki.errors import SettingError

X, Y = windows(WAVE[:246], 6)
PLAIN = {"batch_size": 6, "verbose": 0}


class ResetsAt(keras.callbacks.Callback):
    """Sets states to zero in one of its hooks."""

    def __init__(self, hook):
        super().__init__()
        setattr(self, hook, lambda *arguments, **named: reset(self.model))


def same_states(ours, theirs):
    for mine, expected in zip(states(ours), states(theirs), strict=True):
        np.testing.assert_allclose(mine, expected, atol=2e-5)


@pytest.fixture(scope="module")
def pair():
    models = (
        classic("LSTM", optimizer=keras.optimizers.SGD(0.01)),
        classic("LSTM", optimizer=keras.optimizers.SGD(0.01)),
    )
    return (*models, models[0].get_weights())


def test_two_fits_in_a_row_carry_the_state_as_in_keras():
    ours, theirs = (classic(optimizer=keras.optimizers.SGD(0.0)) for _ in range(2))
    for part in (slice(0, 6), slice(6, 12)):
        found = tsuzuki.fit(ours, X[part], Y[part], **PLAIN, reset_states="never").history["loss"]
        assert found == pytest.approx(theirs.fit(X[part], Y[part], shuffle=False, **PLAIN).history["loss"], rel=1e-5)
    same_states(ours, theirs)
    reset(ours)
    assert found != pytest.approx(tsuzuki.fit(ours, X[part], Y[part], **PLAIN).history["loss"], rel=1e-3)


calls = st.lists(
    st.one_of(
        st.just(("reset",)),
        st.tuples(st.just("fit"), st.integers(0, 20), st.integers(1, 12), st.integers(1, 3), st.booleans()),
    ),
    min_size=2,
    max_size=5,
)


@settings(max_examples=12)
@given(calls)
def test_any_fits_and_resets_leave_the_states_of_keras(pair, calls):
    ours, theirs, weights = pair
    for model in (ours, theirs):
        reset(model)
        model.set_weights(weights)
    for what, *how in calls:
        if what == "reset":
            reset(ours)
            reset(theirs)
            continue
        first, count, epochs, checked = how
        part = slice(6 * first, 6 * (first + count))
        options = PLAIN | {"epochs": epochs, "validation_data": (X[:12], Y[:12]) if checked else None}
        found = tsuzuki.fit(ours, X[part], Y[part], **options, reset_states="never").history
        expected = theirs.fit(X[part], Y[part], shuffle=False, **options).history
        for name, values in expected.items():
            assert found[name] == pytest.approx(values, rel=1e-3, abs=1e-6)
        same_states(ours, theirs)


@pytest.mark.parametrize("hook", ["on_epoch_begin", "on_epoch_end", "on_train_batch_begin", "on_test_begin"])
def test_a_callback_that_resets_does_so_as_in_keras(hook):
    ours, theirs = classic("GRU"), classic("GRU")
    options = PLAIN | {"epochs": 2, "validation_data": (X[180:], Y[180:])}
    found = tsuzuki.fit(ours, X[:180], Y[:180], callbacks=[ResetsAt(hook)], reset_states="never", **options).history
    expected = theirs.fit(X[:180], Y[:180], shuffle=False, callbacks=[ResetsAt(hook)], **options).history
    for name, values in expected.items():
        assert found[name] == pytest.approx(values, rel=1e-3)
    same_states(ours, theirs)


def test_states_that_are_lost_are_warned_of_unless_that_is_meant():
    model = classic()
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        tsuzuki.fit(model, X, Y, **PLAIN)
        tsuzuki.fit(model, X, Y, **PLAIN, reset_states="epoch")
        tsuzuki.fit(model, X, Y, **PLAIN, reset_states="never")
    with pytest.warns(UserWarning, match='states are not zero, and are reset now.*reset_states="never"'):
        tsuzuki.fit(model, X, Y, **PLAIN)


class Pairs(keras.utils.PyDataset):
    """Batches of six windows; counts how many are read."""

    read = 0

    def __len__(self):
        return 30

    def __getitem__(self, i):
        self.read += 1
        return np.array(X[6 * i : 6 * i + 6]), Y[6 * i : 6 * i + 6]


def tf_dataset(rows=6):
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices((np.array(X[:180]), Y[:180])).batch(rows)


def endless():
    while True:
        for i in range(30):
            yield np.array(X[6 * i : 6 * i + 6]), Y[6 * i : 6 * i + 6]


@pytest.mark.parametrize(
    ("make", "steps"),
    [(tf_dataset, None), (lambda: tf_dataset().repeat(), 30), (tf_dataset, 10), (Pairs, None), (endless, 30)],
    ids=["dataset", "endless dataset", "a third at a time", "PyDataset", "generator"],
)
def test_batches_are_read_as_keras_reads_them(make, steps):
    ours, theirs = classic("GRU", metrics=["mae"]), classic("GRU", metrics=["mae"])
    options = {"epochs": 3, "verbose": 0, "shuffle": False, "steps_per_epoch": steps}
    held_out = tf_dataset().take(5)
    found = tsuzuki.fit(ours, make(), **options, reset_states="never", validation_data=held_out).history
    expected = theirs.fit(make(), **options, validation_data=held_out).history
    for name, values in expected.items():
        assert found[name] == pytest.approx(values, rel=1e-3), name
    same_states(ours, theirs)


def test_the_last_batch_of_a_dataset_may_be_smaller_for_a_stateless_model():
    ours, theirs = classic(stateful=False), classic(stateful=False)
    found = tsuzuki.fit(ours, tf_dataset(32), epochs=2, verbose=0).history["loss"]
    assert found == pytest.approx(theirs.fit(tf_dataset(32), epochs=2, verbose=0).history["loss"], rel=1e-4)


def test_a_pydataset_is_read_once_an_epoch_and_not_at_all_for_a_model_that_has_no_equal():
    pairs, model = Pairs(), classic()
    tsuzuki.fit(model, pairs, epochs=2, verbose=0)
    assert pairs.read == 60
    other = keras.Sequential([keras.Input((6, 1)), keras.layers.SeparableConv1D(3, 2), keras.layers.LSTM(2)])
    other.compile("adam", "mse")
    with pytest.raises(tsuzuki.UnsupportedModel):
        tsuzuki.fit(other, pairs, verbose=0)
    assert pairs.read == 60


def test_the_other_arguments_of_fit_mean_what_they_mean_in_keras():
    ours, theirs = classic(stateful=False, metrics=["mae"]), classic(stateful=False, metrics=["mae"])
    ones = (Y[:180] > 0).astype(int)
    options = {
        "batch_size": 10,
        "epochs": 4,
        "verbose": 0,
        "shuffle": False,
        "validation_data": (X[180:], Y[180:]),
        "validation_freq": 2,
        "validation_steps": 3,
        "validation_batch_size": 15,
        "class_weight": {0: 0.5, 1: 3.0},
    }
    found = tsuzuki.fit(ours, X[:180], ones, **options).history
    expected = theirs.fit(X[:180], ones, **options).history
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        assert found[name] == pytest.approx(values, rel=1e-3), name
    assert difference(ours, theirs) < 1e-4


def test_arguments_may_stand_in_keras_order_without_names():
    named, in_order = classic(), classic()
    tsuzuki.fit(named, X, Y, batch_size=6, epochs=2, verbose=0, validation_split=0.1)
    tsuzuki.fit(in_order, [X], Y, 6, 2, 0, None, 0.1)
    assert difference(named, in_order) == 0


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((X, Y), {"nb_epoch": 2}, "fit has no argument nb_epoch; it is epochs now"),
        ((X, Y), {"colour": 2}, "fit has no argument colour; leave it out"),
        ((X, Y, 6, 1, 0, *[None] * 12), {}, "fit was given 18 arguments in a row, but takes 17"),
        ((X, Y), {"x": X}, "fit was called with multiple values for argument 'x'; give each argument once"),
        ((X, Y), {"epochs": "2"}, "epochs is '2'; give a whole number from 0"),
        ((X, Y), {"reset_states": True}, 'reset_states is True; give "epoch" or "never"'),
        ((X, Y), {"steps_per_epoch": 7}, "steps_per_epoch is 7, but x has 240 samples in batches of 6"),
        ((X, Y), {"validation_freq": 0}, "validation_freq is 0; give a whole number from 1"),
        ((X, Y), {"class_weight": [1, 2]}, "class_weight is a list; give a dict"),
        ((X, Y), {"class_weight": {}, "sample_weight": Y}, "class_weight and sample_weight are both given"),
        (({"a": X, "b": X}, Y), {}, "x is a dict of 2 arrays"),
        ((endless(),), {"epochs": 2}, "x is a generator that does not say how many batches"),
        ((Pairs(), Y), {}, "x is a Pairs, whose batches hold y and the weights"),
        ((Pairs(),), {"batch_size": 7}, "batch_size is 7, but the batches of x hold 6 samples"),
        ((Pairs(),), {"steps_per_epoch": 7, "epochs": 5}, "x has 30 batches, which 7 steps an epoch do not divide"),
        ((iter([(X[:6], Y[:6])] * 2),), {"steps_per_epoch": 3}, "x ran out of batches 1 short of an epoch's 3"),
        ((iter([X[:6]]),), {}, "a batch of x is a ndarray; it must be"),
        ((iter([(X[:6], Y[:6]), (X[:5], Y[:5]), (X[:6], Y[:6])]),), {}, "batch 1 of x has 5 samples, batch 0 6"),
    ],
)
def test_arguments_that_cannot_be_used_are_named(arguments, options, message):
    with pytest.raises(SettingError, match=message):
        tsuzuki.fit(classic(), *arguments, **options)
