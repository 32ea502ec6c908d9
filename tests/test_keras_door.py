"""`tsuzuki.fit` on Keras models against `model.fit` with resets: the same numbers, whatever is asked for."""

import subprocess
import sys
import warnings

import numpy as np
import pytest

import tsuzuki
from keras_models import WAVE, Resets, classic, difference, keras, reset, states, windows
from tsuzuki.keras.compile_config import Evaluated

X, Y = windows(WAVE[:607], 6)
X, Y = X[:600], Y[:600]


def both(make, x=X, y=Y, *, theirs=None, **options):
    """Train two equal models, one in each engine; return the models and their histories."""
    ours, other = make(), make()
    options = {"batch_size": 6, "epochs": 2, "verbose": 0} | options
    expected = other.fit(x, y, shuffle=False, callbacks=[Resets()], **options, **(theirs or {}))
    shuffle = {} if ours.layers[0].stateful else {"shuffle": False}
    found = tsuzuki.fit(ours, x, y, **options, **shuffle)
    return ours, other, found.history, expected.history


def assert_same_history(found, expected, tolerance=1e-4):
    assert list(found) == list(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=tolerance, err_msg=name)


@pytest.mark.parametrize("stateful", [True, False])
@pytest.mark.parametrize("cell", ["SimpleRNN", "GRU", "LSTM"])
def test_three_epochs_on_real_samples_agree_with_keras(jfk, cell, stateful):
    series = np.loadtxt(jfk, delimiter=",", skiprows=1, usecols=1, max_rows=2008).astype(np.float32)
    x, y = windows((series - series.mean()) / series.std(), 8)
    assert len(x) == 2000
    ours, theirs, found, expected = both(
        lambda: classic(cell, stateful=stateful, steps=8, rows=8, metrics=["mae"]), x, y, batch_size=8, epochs=3
    )
    assert_same_history(found, expected, 1e-3)
    reset(ours)
    reset(theirs)
    forecasts = [model.predict(x, batch_size=8, verbose=0) for model in (ours, theirs)]
    assert np.abs(forecasts[0] - forecasts[1]).max() < 1e-3


OPTIMIZERS = {
    "sgd": lambda: keras.optimizers.SGD(0.05),
    "sgd, momentum": lambda: keras.optimizers.SGD(0.02, momentum=0.9),
    "sgd, nesterov": lambda: keras.optimizers.SGD(0.02, momentum=0.9, nesterov=True),
    "sgd, decayed": lambda: keras.optimizers.SGD(0.02, weight_decay=0.1),
    "rmsprop": lambda: keras.optimizers.RMSprop(),
    "rmsprop, momentum": lambda: keras.optimizers.RMSprop(momentum=0.5, rho=0.8, epsilon=1e-5),
    "rmsprop, centered": lambda: keras.optimizers.RMSprop(centered=True, clipnorm=0.1),
    "adam": lambda: keras.optimizers.Adam(beta_1=0.8, beta_2=0.99),
    "adam, amsgrad": lambda: keras.optimizers.Adam(amsgrad=True, clipvalue=0.05),
    "adam, decayed": lambda: keras.optimizers.Adam(weight_decay=0.1),
    "adam, averaged": lambda: keras.optimizers.Adam(use_ema=True, ema_momentum=0.9),
    "nadam": lambda: keras.optimizers.Nadam(),
    "adagrad": lambda: keras.optimizers.Adagrad(0.05),
    "ftrl, averaged": lambda: keras.optimizers.Ftrl(0.1, use_ema=True, ema_overwrite_frequency=7),
    "adamw": lambda: keras.optimizers.AdamW(weight_decay=0.1, global_clipnorm=0.5),
    "cosine": lambda: keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.01, 150, alpha=0.1)),
    "cosine, warmed up": lambda: keras.optimizers.Adam(
        keras.optimizers.schedules.CosineDecay(0.001, 100, warmup_target=0.01, warmup_steps=50)
    ),
    "exponential": lambda: keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(0.05, 50, 0.5)),
    "steps": lambda: keras.optimizers.SGD(keras.optimizers.schedules.PiecewiseConstantDecay([60], [0.05, 0.01])),
    "polynomial": lambda: keras.optimizers.SGD(keras.optimizers.schedules.PolynomialDecay(0.05, 150)),
    "restarts": lambda: keras.optimizers.SGD(keras.optimizers.schedules.CosineDecayRestarts(0.05, 70)),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_goes_on_where_keras_left_off_and_back(name):
    make = OPTIMIZERS[name]
    ours, theirs = classic("GRU", optimizer=make()), classic("GRU", optimizer=make())
    options = {"batch_size": 6, "verbose": 0}
    # Fifty updates each time: where schedules bend lies within the hundred and fifty.
    x, y = X[:300], Y[:300]
    for model in (ours, theirs):
        model.fit(x, y, epochs=1, shuffle=False, callbacks=[Resets()], **options)
    found = tsuzuki.fit(ours, x, y, epochs=1, **options)
    expected = theirs.fit(x, y, epochs=1, shuffle=False, callbacks=[Resets()], **options)
    assert found.history["loss"] == pytest.approx(expected.history["loss"], rel=1e-4)
    for mine, other in zip(ours.optimizer.variables, theirs.optimizer.variables, strict=True):
        mine, other = np.asarray(mine), np.asarray(other)
        # A mean of slopes of both signs is small beside what it has been rounded at.
        assert np.abs(mine - other).max() <= 1e-4 * max(1e-2, np.abs(other).max()), mine.shape
    for mine, other in zip(states(ours), states(theirs), strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-4)
    # And back: Keras goes on from slots, iterations and weights that were written into the model.
    for model in (ours, theirs):
        model.fit(x, y, epochs=1, shuffle=False, callbacks=[Resets()], **options)
    assert difference(ours, theirs) < 2e-4


class Noam(keras.optimizers.schedules.LearningRateSchedule):
    """The schedule of TensorFlow's tutorial on transformers."""

    def __call__(self, step):
        step = keras.ops.cast(step, "float32")
        return 0.1 * keras.ops.minimum(keras.ops.rsqrt(step + 1), (step + 1) * 30**-1.5)


class Halved(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule that asks for one step at a time."""

    def __call__(self, step):
        return 0.05 if int(step) < 60 else 0.025


@pytest.mark.parametrize("schedule", [Noam, Halved])
def test_a_schedule_of_ones_own_gives_keras_rates(schedule):
    found = Evaluated(schedule()).at(np.arange(40.0, 120.0))
    expected = [float(schedule()(keras.ops.convert_to_tensor(step))) for step in range(40, 120)]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_biases_left_out_of_weight_decay_in_keras_are_left_out_here():
    def make():
        optimizer = keras.optimizers.AdamW(weight_decay=0.5)
        optimizer.exclude_from_weight_decay(var_names=["bias"])
        return classic("LSTM", optimizer=optimizer)

    ours, theirs, _, _ = both(make)
    assert difference(ours, theirs) < 1e-4


@pytest.mark.parametrize("loss", ["mse", "mean_absolute_error", "huber"])
def test_losses_and_metrics_agree_with_keras(loss):
    metrics = ["mse", "mae", keras.metrics.RootMeanSquaredError(name="off_by")]
    _, _, found, expected = both(
        lambda: classic(loss=keras.losses.Huber(0.2) if loss == "huber" else loss, metrics=metrics),
        validation_split=0.2,
    )
    assert_same_history(found, expected)


def test_sample_weights_and_weighted_metrics_agree_with_keras():
    def make():
        model = classic(stateful=False)
        model.compile(
            "adam", "mse", metrics=["mae"], weighted_metrics=["mse", keras.metrics.RootMeanSquaredError(name="rmse")]
        )
        return model

    weights = np.linspace(0, 2, len(X)).astype(np.float32)
    x, y = X[:100] + 0.1, Y[:100]
    ours, theirs, found, expected = both(
        make, sample_weight=weights, validation_data=(x, y, weights[:100]), batch_size=7
    )
    assert_same_history(found, expected)
    assert difference(ours, theirs) < 1e-4


def test_a_smaller_last_batch_of_a_stateless_model_counts_as_in_keras():
    ours, theirs, found, expected = both(
        lambda: classic(stateful=False, metrics=["mae"]), X[:100], Y[:100], batch_size=32
    )
    assert_same_history(found, expected)
    assert difference(ours, theirs) < 1e-5


def test_validation_of_a_stateful_model_goes_on_from_the_training_states_as_in_keras():
    _, _, found, expected = both(lambda: classic("LSTM"), validation_data=(X[480:540], Y[480:540]))
    assert_same_history(found, expected)


def test_validation_leaves_the_states_in_the_model_as_training_left_them():
    alone, watched = classic("LSTM"), classic("LSTM")
    options = {"batch_size": 6, "epochs": 2, "verbose": 0}
    tsuzuki.fit(alone, X[:480], Y[:480], **options)
    tsuzuki.fit(watched, X[:480], Y[:480], validation_data=(X[480:], Y[480:]), **options)
    assert np.abs(states(alone)[1]).max() > 0
    for one, other in zip(states(alone), states(watched), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_last_samples_of_a_stateful_model_are_masked_not_dropped():
    model = classic()
    found = tsuzuki.fit(model, X[:45], Y[:45], batch_size=6, verbose=0)
    whole = classic()
    tsuzuki.fit(whole, X[:42], Y[:42], batch_size=6, verbose=0)
    # The eighth update has three samples in it, and lanes without one keep their states.
    assert int(model.optimizer.iterations) == 8
    assert found.params["steps"] == 8
    np.testing.assert_array_equal(states(model)[0][3:], states(whole)[0][3:])
    assert (states(model)[0][:3] != states(whole)[0][:3]).any()


@pytest.mark.parametrize("stateful", [True, False])
@pytest.mark.parametrize("wrapped", [True, False])
def test_models_that_return_sequences_agree_with_keras(wrapped, stateful):
    def make():
        keras.utils.set_random_seed(3)
        dense = keras.layers.Dense(2)
        model = keras.Sequential(
            [
                keras.Input(batch_shape=(5 if stateful else None, 4, 1)),
                keras.layers.LSTM(7, return_sequences=True, stateful=stateful),
                keras.layers.TimeDistributed(dense) if wrapped else dense,
            ]
        )
        model.compile("adam", "mse", metrics=["mae"])
        return model

    y = np.stack([np.roll(WAVE, -1), np.roll(WAVE, -2)], axis=1)[:800].reshape(200, 4, 2)
    ours, theirs, found, expected = both(make, WAVE[:800].reshape(200, 4, 1), y, batch_size=5)
    assert_same_history(found, expected)
    assert difference(ours, theirs) < 1e-4


def test_overlapping_windows_that_return_sequences_agree_with_keras_with_and_without_metrics():
    x = np.lib.stride_tricks.sliding_window_view(WAVE[:300], 6)[:, :, None]
    y = np.lib.stride_tricks.sliding_window_view(WAVE[1:301], 6)[:, :, None]
    weights = np.linspace(0, 2, x.shape[0] * 6).reshape(-1, 6)
    for metrics, extra in ((None, {}), (["mae"], {}), (None, {"sample_weight": weights})):
        ours, theirs, found, expected = both(
            lambda metrics=metrics: classic(stateful=False, return_sequences=True, metrics=metrics), x, y, **extra
        )
        assert_same_history(found, expected)
        assert difference(ours, theirs) < 1e-4


def test_a_functional_model_with_activations_of_their_own_agrees_with_keras():
    def make():
        keras.utils.set_random_seed(1)
        layers = keras.layers
        inputs = keras.Input((6, 1))
        h = layers.Activation("tanh")(inputs)
        h = layers.Dense(4)(h)
        h = layers.GRU(6, return_sequences=True, reset_after=False, recurrent_activation="hard_sigmoid")(h)
        h = layers.Activation("sigmoid")(h)
        h = layers.LSTM(5)(h)
        h = layers.Activation("relu")(h)
        model = keras.Model(inputs, layers.Activation("linear")(layers.Dense(1)(h)))
        model.compile("adam", "mse")
        model.layers[0].stateful = False
        return model

    ours, theirs, found, expected = both(make)
    assert_same_history(found, expected)
    assert difference(ours, theirs) < 1e-4


def test_dropout_layers_scale_what_they_keep():
    # With a rate of 0 for learning, the loss of outputs s m h w against 0 is known: (sum h w)^2 + p/(1-p) sum (h w)^2.
    keras.utils.set_random_seed(2)
    model = keras.Sequential(
        [keras.Input((6, 1)), keras.layers.SimpleRNN(8), keras.layers.Dropout(0.4), keras.layers.Dense(1)]
    )
    model.compile(keras.optimizers.SGD(0.0), "mse")
    inner = keras.Model(model.inputs, model.layers[0].output)
    h, w = inner.predict(X, verbose=0), model.get_weights()[3][:, 0]
    expected = np.mean((h @ w) ** 2 + 0.4 / 0.6 * ((h * w) ** 2).sum(axis=1))
    found = tsuzuki.fit(model, X, np.zeros(len(X)), epochs=60, verbose=0).history["loss"]
    assert np.mean(found) == pytest.approx(expected, rel=0.02)
    assert len(set(found)) == 60


def test_dropout_before_a_recurrent_layer_draws_anew_for_each_step():
    # A sum over the steps (identity recurrence): its variance tells one mask for all steps from one for each.
    model = keras.Sequential(
        [keras.Input((20, 1)), keras.layers.Dropout(0.5), keras.layers.SimpleRNN(1, activation="linear")]
    )
    model.compile(keras.optimizers.SGD(0.0), "mse")
    model.set_weights([np.ones((1, 1)), np.ones((1, 1)), np.zeros(1)])
    found = tsuzuki.fit(model, np.ones((500, 20, 1)), np.full(500, 20.0), epochs=20, verbose=0).history["loss"]
    # Each step gives 0 or 2: variance 1 a step, 20 in all; one mask would give 0 or 40, variance 400.
    assert np.mean(found) == pytest.approx(20, rel=0.1)


def test_a_run_repeats_after_keras_utils_set_random_seed():
    runs = []
    for seed in (1, 1, 2):
        model = classic(stateful=False, dropout=0.2)
        keras.utils.set_random_seed(seed)
        runs.append(tsuzuki.fit(model, X, Y, epochs=2, verbose=0).history["loss"])
    assert runs[0] == runs[1] != runs[2]


def test_a_stateless_model_is_shuffled_unless_told_otherwise():
    losses = [
        tsuzuki.fit(classic(stateful=False), X, Y, batch_size=6, verbose=0, **options).history["loss"]
        for options in ({}, {"shuffle": True}, {"shuffle": False})
    ]
    assert losses[0] == losses[1] != losses[2]


def test_a_sliding_window_view_is_read_without_a_copy():
    from tsuzuki.keras.epoch_data import from_arrays
    from tsuzuki.keras.shape import Output, Shape

    for columns in (1, 3):
        series = np.zeros((500, columns), np.float32)
        x = np.moveaxis(np.lib.stride_tricks.sliding_window_view(series[:-1], 6, axis=0), -1, 1)
        epoch = from_arrays(Shape(columns, (Output(1),), False, True, 6), x, np.zeros(len(x)), None, scored_apart=False)
        assert np.shares_memory(epoch.data.inputs, series)
        assert len(epoch.data.inputs) == 499


@pytest.mark.parametrize(
    "change",
    [np.array, lambda x: x.astype(np.float64), lambda x: x[::-1][::-1], lambda x: x[..., 0], lambda x: x.tolist()],
    ids=["copied", "double", "reversed twice", "without the last axis", "list"],
)
def test_any_array_of_the_same_numbers_gives_the_same_run(change):
    expected, found = classic(stateful=False), classic(stateful=False)
    tsuzuki.fit(expected, X, Y, batch_size=7, shuffle=False, verbose=0)
    tsuzuki.fit(found, change(X), Y[:, None], batch_size=7, shuffle=False, verbose=0)
    assert difference(expected, found) == 0


def test_windows_that_step_by_more_than_one_are_read_through_their_strides():
    x, y = windows(WAVE, 6)
    expected, found = classic(stateful=False), classic(stateful=False)
    tsuzuki.fit(found, x[::2], y[::2], shuffle=False, verbose=0)
    tsuzuki.fit(expected, np.array(x[::2]), y[::2], shuffle=False, verbose=0)
    assert difference(expected, found) == 0


def test_a_model_that_is_not_built_yet_is_built_by_the_samples():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.layers.GRU(4, stateful=True), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    tsuzuki.fit(model, X, Y, batch_size=6, verbose=0)
    assert states(model)[0].shape == (6, 4)


def test_epochs_are_counted_from_the_initial_epoch():
    history = tsuzuki.fit(classic(), X, Y, batch_size=6, epochs=5, initial_epoch=3, verbose=0)
    assert history.epoch == [3, 4]
    assert len(history.history["loss"]) == 2


def test_keras_prints_its_own_progress(capsys):
    tsuzuki.fit(classic(metrics=["mae"]), X, Y, batch_size=6, epochs=2, verbose=2)
    shown = capsys.readouterr().out
    assert "Epoch 2/2" in shown
    assert "100/100" in shown
    assert "mae: " in shown


def test_ctrl_c_leaves_the_weights_so_far_in_the_model():
    class Interrupt(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt

    model, expected = classic(), classic()
    with pytest.raises(KeyboardInterrupt):
        tsuzuki.fit(model, X, Y, batch_size=6, epochs=9, verbose=0, callbacks=[Interrupt()])
    tsuzuki.fit(expected, X, Y, batch_size=6, epochs=2, verbose=0)
    assert difference(model, expected) == 0
    assert int(model.optimizer.iterations) == 200


def test_missing_targets_are_not_scored():
    y = Y.copy()
    y[::2] = np.nan
    history = tsuzuki.fit(classic(metrics=["mae"]), X, y, batch_size=6, epochs=2, verbose=0).history
    assert np.isfinite(history["loss"] + history["mae"]).all()


@pytest.mark.parametrize("stateful", [True, False])
@pytest.mark.parametrize("every_step", [True, False])
@pytest.mark.parametrize("rows", [6, 4])
def test_a_series_is_cut_into_rows_by_itself_and_held_out_at_its_end(rows, every_step, stateful):
    model = classic("GRU", rows=rows, stateful=stateful, return_sequences=every_step, metrics=["mae"])
    history = tsuzuki.fit(
        model, series=WAVE, timesteps=6, batch_size=rows, epochs=8, validation_split=0.2, verbose=0
    ).history
    assert history["val_loss"][-1] < history["val_loss"][0] < 1
    assert history["loss"][-1] < 0.5 * history["loss"][0]
    assert list(history) == ["loss", "mae", "val_loss", "val_mae"]


def test_a_series_gives_the_samples_of_keras_own_windows():
    dataset = keras.utils.timeseries_dataset_from_array(WAVE[:-1, None], WAVE[6:], 6, batch_size=32)
    ours, theirs = classic(stateful=False), classic(stateful=False)
    expected = theirs.fit(dataset, epochs=2, verbose=0)
    found = tsuzuki.fit(ours, series=WAVE, timesteps=6, batch_size=32, epochs=2, shuffle=False, verbose=0)
    assert_same_history(found.history, expected.history)
    assert difference(ours, theirs) < 1e-4


def test_a_series_in_the_classic_sizes_is_the_classic_batches():
    as_arrays, as_series = classic(), classic()
    tsuzuki.fit(as_arrays, X, Y, batch_size=6, epochs=2, verbose=0)
    tsuzuki.fit(as_series, series=WAVE[:606], timesteps=6, batch_size=6, epochs=2, verbose=0)
    assert difference(as_arrays, as_series) == 0
    np.testing.assert_array_equal(states(as_arrays)[0], states(as_series)[0])


def test_the_steps_of_a_series_are_those_the_model_was_built_for():
    named, left_out = classic(), classic()
    tsuzuki.fit(named, series=WAVE, timesteps=6, verbose=0)
    tsuzuki.fit(left_out, series=WAVE, verbose=0)
    assert difference(named, left_out) == 0
    open_ended = classic(stateful=False, steps=None)
    tsuzuki.fit(open_ended, series=WAVE, timesteps=9, verbose=0)
    two = keras.Sequential([keras.Input((None, 2)), keras.layers.GRU(2), keras.layers.Dense(1)])
    two.compile("sgd", "mse")
    with pytest.raises(tsuzuki.SettingError, match=r"x has shape \(600, 6\); .*timesteps, 2"):
        tsuzuki.fit(two, X[..., 0], Y, verbose=0)
    with pytest.raises(tsuzuki.SettingError, match="series is given with timesteps=None; give the steps of a row"):
        tsuzuki.fit(open_ended, series=WAVE, verbose=0)


def test_a_series_takes_targets_weights_and_another_series_to_validate_on():
    series = np.stack([WAVE, -WAVE], axis=1)
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input(batch_shape=(4, 6, 2)), keras.layers.LSTM(5, stateful=True), keras.layers.Dense(1)]
    )
    model.compile("adam", "mse")
    history = tsuzuki.fit(
        model,
        series=series[:800],
        targets=WAVE[:800],
        timesteps=6,
        batch_size=4,
        epochs=5,
        sample_weight=np.linspace(0, 1, 800),
        validation_data=(series[800:], WAVE[800:]),
        verbose=0,
    ).history
    assert history["val_loss"][-1] < history["val_loss"][0]


def test_batches_of_windows_that_do_not_continue_one_another_are_warned_of():
    model = classic(rows=4)
    with pytest.warns(
        UserWarning,
        match=r"row 0 of batch 1 \(sample 4 of x\) does not go on where row 0 of batch 0 \(sample 0\) ended: it begins "
        r"4 steps later, and a sample has 6, so the carried state is wrong; give the series itself",
    ):
        tsuzuki.fit(model, X, Y, batch_size=4, verbose=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        tsuzuki.fit(classic(), X, Y, batch_size=6, verbose=0)
        tsuzuki.fit(classic(), np.array(X), Y, batch_size=6, verbose=0)
    with pytest.warns(UserWarning, match="row 0 of batch 1"):
        tsuzuki.fit(model, np.array(X), Y, batch_size=4, verbose=0)


def test_the_flat_call_still_trains_a_description():
    network = tsuzuki.Network(1, (tsuzuki.GRU(4), tsuzuki.Dense(1)))
    layout = tsuzuki.Windows(6, 6).over([tsuzuki.Segment(0, 300)])
    weights = tsuzuki.initialise(network, 0)
    series = WAVE[:300, None]
    for call in (
        lambda: tsuzuki.fit(network, weights, series, series, layout, epochs=1),
        lambda: tsuzuki.fit(network=network, weights=weights, inputs=series, targets=series, layout=layout, epochs=1),
    ):
        assert isinstance(call(), tsuzuki.Training)


def test_keras_is_imported_only_by_its_door():
    code = (
        "import sys, tsuzuki, numpy as np\n"
        "n = tsuzuki.Network(1, (tsuzuki.GRU(2), tsuzuki.Dense(1)))\n"
        "s, w = np.zeros((50, 1), np.float32), tsuzuki.initialise(n, 0)\n"
        "tsuzuki.fit(n, w, s, s, tsuzuki.Windows(6, 6).over([tsuzuki.Segment(0, 50)]), epochs=1)\n"
        "assert 'keras' not in sys.modules and 'tensorflow' not in sys.modules\n"
        "tsuzuki.keras.__all__\n"
        "assert 'keras' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
