"""Models read and written: nothing is lost on the way, and what has no equal is named before anything is changed."""

import numpy as np
import pytest

import tsuzuki
from keras_models import WAVE, classic, keras, windows
from tsuzuki import UnsupportedModel
from tsuzuki.errors import DataError, MissingExtraError, SettingError, TooShortError
from tsuzuki.network.activations import ACTIVATIONS, WHOLE_STEP

L = keras.layers
X, Y = windows(WAVE[:106], 6)


def cells():
    """Every recurrent layer with every option that changes what it computes."""
    for activation in (name for name in ACTIVATIONS if name not in (*WHOLE_STEP, "exponential")):
        yield tsuzuki.SimpleRNN(5, activation)
        yield tsuzuki.GRU(4, activation, recurrent_activation="hard_sigmoid")
        yield tsuzuki.LSTM(4, activation, recurrent_activation="hard_sigmoid")
    for kind in (tsuzuki.SimpleRNN, tsuzuki.GRU, tsuzuki.LSTM):
        yield kind(3, use_bias=False)
        yield kind(3, dropout=0.25, recurrent_dropout=0.5)
    yield tsuzuki.GRU(4, reset_after=False)
    yield tsuzuki.LSTM(4, unit_forget_bias=False)


NETWORKS = [
    *(tsuzuki.Network(2, (cell, tsuzuki.Dense(1))) for cell in cells()),
    tsuzuki.Network(1, (tsuzuki.GRU(4), tsuzuki.LSTM(3), tsuzuki.SimpleRNN(2))),
    tsuzuki.Network(
        3, (tsuzuki.Dense(2, "relu"), tsuzuki.LSTM(3), tsuzuki.Dropout(0.5), tsuzuki.Dense(2, use_bias=False))
    ),
    *(tsuzuki.Network(1, (tsuzuki.GRU(3), tsuzuki.Activation(name), tsuzuki.Dense(2, name))) for name in ACTIVATIONS),
]


def weights_of(network):
    return [w + np.float32(0.05) for w in tsuzuki.initialise(network, 4)]


@pytest.mark.parametrize("every_step", [False, True])
@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_a_keras_file_holds_a_network_without_loss(tmp_path, network, every_step):
    weights = weights_of(network)
    tsuzuki.to_keras(network, weights, timesteps=6, every_step=every_step).save(tmp_path / "a.keras")
    model = keras.saving.load_model(tmp_path / "a.keras")
    series = np.random.default_rng(0).normal(size=(41, network.inputs)).astype(np.float32)
    segments = [tsuzuki.Segment(start, start + 7) for start in range(0, 35, 7)]
    layout = (tsuzuki.Streams(6, 5) if every_step else tsuzuki.Windows(6, 5)).over(segments)
    starts = np.array([segment.start for segment in segments])
    # Called, not asked to predict: that would trace each of them.
    x = series[starts[:, None] + np.arange(6)]
    forecasts = np.asarray(model(x))
    there, back = tsuzuki.from_keras(model)
    for given, read in zip(weights, back, strict=True):
        np.testing.assert_array_equal(given, read)
    for described, expected in zip(there.layers, network.layers, strict=True):
        assert type(described) is type(expected)
        for name, value in vars(expected).items():
            assert getattr(described, name) == value or value is None
    found = tsuzuki.predict(there, back, series, layout)
    rows = starts[:, None] + np.arange(1, 7) if every_step else starts + 6
    assert np.abs(found[rows] - forecasts).max() < 1e-5
    again = tsuzuki.to_keras(there, back, timesteps=6)
    again.save(tmp_path / "b.keras")
    np.testing.assert_array_equal(np.asarray(keras.saving.load_model(tmp_path / "b.keras")(x)), forecasts)


def test_a_trained_model_is_saved_loaded_and_trained_on(tmp_path):
    straight, saved = classic("LSTM"), classic("LSTM")
    tsuzuki.fit(straight, X, Y, batch_size=6, epochs=2, verbose=0)
    tsuzuki.fit(saved, X, Y, batch_size=6, epochs=1, verbose=0)
    saved.save(tmp_path / "a.keras")
    loaded = keras.saving.load_model(tmp_path / "a.keras")
    tsuzuki.fit(loaded, X, Y, batch_size=6, epochs=1, verbose=0)
    for one, other in zip(straight.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_stateful_model_is_written_with_its_states():
    network = tsuzuki.Network(1, (tsuzuki.LSTM(3), tsuzuki.Dense(1)))
    model = tsuzuki.to_keras(network, weights_of(network), timesteps=6, batch_size=4, stateful=True)
    assert model.layers[0].states[0].shape == (4, 3)
    whole = tsuzuki.predict(
        network,
        weights_of(network),
        WAVE[:25, None],
        tsuzuki.Windows(6, 6, stateful=True).over([tsuzuki.Segment(0, 25)]),
    )
    x = WAVE[:24].reshape(4, 6)
    found = [model.predict(np.repeat(row[None, :, None], 4, axis=0), verbose=0)[0, 0] for row in x]
    np.testing.assert_allclose(found, whole[6::6, 0], atol=1e-5)


def test_carried_states_go_with_a_model_from_keras_and_back():
    model = sequential(L.LSTM(3, stateful=True, return_sequences=True), L.GRU(2, stateful=True), L.Dense(1), rows=2)
    x = WAVE[:24].reshape(2, 2, 6, 1)
    model.predict(x[:, 0], verbose=0)
    network, weights = tsuzuki.from_keras(model)
    states = tsuzuki.keras.carried_states(model)
    assert [state.shape for state in states] == [(2, 3), (2, 3), (2, 2)]
    again = tsuzuki.to_keras(network, weights, timesteps=6, batch_size=2, stateful=True, states=states)
    there, back = (one.predict(x[:, 1], verbose=0) for one in (model, again))
    np.testing.assert_array_equal(there, back)
    with pytest.raises(tsuzuki.SettingError, match=r"states have the shapes .*\(2, 2\)\], but those .* are \[\]; give"):
        tsuzuki.to_keras(network, weights, states=states)


def test_time_distributed_dense_and_functional_models_are_read():
    inputs = keras.Input((6, 2))
    model = keras.Model(inputs, L.TimeDistributed(L.Dense(3, "relu"))(L.GRU(4, return_sequences=True)(inputs)))
    network, weights = tsuzuki.from_keras(model)
    assert network.layers[1] == tsuzuki.Dense(3, "relu")
    assert [w.shape for w in weights] == [w.shape for w in model.get_weights()]


def sequential(*layers, shape=(6, 1), rows=None):
    return keras.Sequential([keras.Input(shape, rows), *layers])


def twice():
    inputs, layer = keras.Input(batch_shape=(2, 6, 1)), L.GRU(1, return_sequences=True, stateful=True)
    return keras.Model(inputs, layer(layer(inputs)))


def joined():
    inputs = keras.Input((6, 1))
    return keras.Model(inputs, L.Add()([L.LSTM(2)(inputs), L.GRU(2)(inputs)]))


def two_outputs():
    inputs = keras.Input((6, 1))
    h = L.GRU(2)(inputs)
    return keras.Model(inputs, [L.Dense(1)(h), L.Dense(1)(h)])


class Own(keras.Model):
    """A model whose computation cannot be read."""


def lora():
    model = sequential(L.GRU(2), L.Dense(4))
    model.layers[1].enable_lora(1)
    return model


def several_ends():
    inputs = keras.Input((6, 1))
    every = L.GRU(2, return_sequences=True)(inputs)
    return keras.Model(inputs, [every, L.LSTM(1)(every)])


class OwnCell(L.GRUCell):
    """A cell of the user's own."""


MODELS = [
    (
        lambda: sequential(L.RNN(L.StackedRNNCells([L.GRUCell(2), OwnCell(2)]))),
        "holds a OwnCell; use SimpleRNN",
    ),
    (
        lambda: keras.Model(given := keras.Input((6, 1)), L.GRU(2)(given, initial_state=keras.ops.ones((1, 2)))),
        "begins with states that are constants other than zero; make them an input",
    ),
    (lambda: sequential(L.Discretization(bin_boundaries=[0.0]), L.GRU(2)), "use the same layer on the data beforehand"),
    (lambda: sequential(L.GRU(2), L.Lambda(abs)), "Lambda.* use the computation done on the arrays beforehand"),
    (
        lambda: sequential(L.SeparableConv1D(2, 2), L.GRU(2)),
        r"layer 1 .*SeparableConv1D\) is not supported; use one of Input, SimpleRNN",
    ),
    (
        lambda: sequential(L.Dense(2), L.Masking(), L.GRU(2, return_sequences=True)),
        "output has a mask that a Masking layer makes of computed values",
    ),
    (lambda: sequential(L.TimeDistributed(L.Lambda(abs)), L.GRU(2)), "holds a Lambda; use one of SimpleRNN, GRU"),
    (
        lambda: sequential(L.LSTM(2, activation="softmax")),
        "has activation 'softmax', which looks at all units together; use it in a Dense or Activation behind it",
    ),
    (lambda: sequential(L.GRU(2, recurrent_activation="glu")), "has recurrent_activation='glu'"),
    (lambda: sequential(L.GRU(2), L.Dense(1, activation=lambda x: x)), "has activation='<lambda>'"),
    (lambda: sequential(L.GRU(2), L.Activation("tanh_shrink")), "has activation='tanh_shrink'"),
    (lambda: sequential(L.GRU(2, dropout=1.0)), "dropout 1.0; give a share of at least 0 and below 1"),
    (lambda: sequential(L.GRU(2), L.Dropout(1.0)), "rate 1.0; give a share of at least 0 and below 1"),
    (
        lambda: sequential(L.Dropout(0.1, noise_shape=(None, 1, 1)), L.GRU(2)),
        "noise_shape=.* the next recurrent layer's own",
    ),
    (lambda: sequential(L.GRU(2, dtype="mixed_float16")), "computes in mixed_float16; make the model under float32"),
    (lora, "has LoRA enabled, which is not supported; use a plain Dense"),
    (twice, r"GRU\) is called at several places and carries its state from one to the other"),
    (several_ends, "some outputs have a value for each step and others one; give all of them alike"),
    (Own, "the model is a Own, wh"),
    (lambda: sequential(L.Dense(1)), "no layer of the network is recurrent; put a SimpleRNN, GRU or LSTM"),
]


@pytest.mark.parametrize(("make", "message"), MODELS, ids=lambda value: value[:30] if isinstance(value, str) else "")
def test_what_has_no_equal_is_named_and_nothing_is_changed(make, message):
    model = make()
    model.compile("adam", "mse")
    before = [np.array(w) for w in model.get_weights()]
    for call in (lambda: tsuzuki.from_keras(model), lambda: tsuzuki.fit(model, X, Y, verbose=0)):
        with pytest.raises(UnsupportedModel, match=message):
            call()
    assert not model.optimizer.built
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


O = keras.optimizers  # noqa: E741
S = keras.optimizers.schedules


class OwnAdam(O.Adam):
    """Could compute anything."""


def test_all_that_stands_in_the_way_is_named_at_once():
    model = sequential(
        L.Dense(2, activation=lambda x: x),
        keras.Sequential([L.LSTM(2, dropout=1.5, dtype="mixed_float16"), L.Lambda(abs, name="own")]),
        L.Lambda(abs, name="another"),
        L.Dense(1),
    )
    model.compile(OwnAdam(), ["mse", "mae"])
    with pytest.raises(UnsupportedModel) as caught:
        tsuzuki.fit(model, X, Y, verbose=0)
    first, *lines = str(caught.value).splitlines()
    assert first == f"{len(lines)} things have no equal here:"
    named = ["<lambda>", "mixed_float16", "dropout 1.0", "'own'", "'another'", "2 losses", "OwnAdam"]
    assert len(lines) == len(named) == len(caught.value.problems)
    assert [word for word in named if not any(word in line for line in lines)] == [], lines


def test_a_model_of_several_outputs_is_read():
    model = two_outputs()
    network, weights = tsuzuki.from_keras(model)
    assert len(network.last) == 2
    for given, read in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(given, read)


def test_models_that_cannot_be_read_at_all_are_named():
    with pytest.raises(UnsupportedModel, match=r"the model is a builtins.int, not a Keras 3 model; build it with"):
        tsuzuki.from_keras(3)
    with pytest.raises(UnsupportedModel, match=r"input has shape None; begin it with keras.Input"):
        tsuzuki.from_keras(keras.Sequential([L.GRU(2)]))
    with pytest.raises(UnsupportedModel, match=r"an output has values for each step of several parts; give such for"):
        tsuzuki.from_keras(keras.Sequential([keras.Input((3, 4, 5)), L.Dense(2)]))
    with pytest.raises(SettingError, match=r"fit was given a builtins.int; give a tsuzuki.Network with its weights"):
        tsuzuki.fit(3)
    with pytest.raises(SettingError, match=r"fit was given a builtins.NoneType"):
        tsuzuki.fit()


def partly_decayed():
    optimizer = O.AdamW()
    optimizer.exclude_from_weight_decay(var_names=["recurrent_kernel"])
    return optimizer


COMPILED = [
    (
        {"optimizer": lambda: O.Lamb()},
        "the optimiser is Lamb, which is not supported; use Adam, Nadam, RMSprop or SGD",
    ),
    ({"optimizer": OwnAdam}, "the optimiser is OwnAdam"),
    ({"optimizer": lambda: O.LossScaleOptimizer(O.Adam())}, "LossScaleOptimizer.* compile under float32"),
    (
        {"optimizer": lambda: O.Ftrl(learning_rate_power=-0.7)},
        "the optimiser Ftrl has learning_rate_power=-0.7; leave it out, it is -0.5",
    ),
    (
        {"optimizer": lambda: O.SGD(gradient_accumulation_steps=2)},
        "gradient_accumulation_steps=2.* use a larger batch_size",
    ),
    ({"optimizer": lambda: O.SGD(loss_scale_factor=8.0)}, "loss_scale_factor=8.0.* everything is float32"),
    ({"optimizer": lambda: O.SGD(lambda: 0.1)}, "a function as learning_rate; give a number or a schedule"),
    ({"optimizer": partly_decayed}, "leaves some kernels out of weight decay; leave out all biases, or nothing"),
    ({"loss": keras.losses.CTC()}, "the loss ctc fails: "),
    ({"loss": ["mse", "mae"]}, "the output has 2 losses"),
    ({"loss": keras.losses.MeanSquaredError(reduction=None)}, "gives .* values; reduce them to one"),
    ({"metrics": ["rmse"]}, "the metric 'rmse' is none that Keras knows; give a name, a function or an object"),
]


@pytest.mark.parametrize(
    ("options", "message"), COMPILED, ids=lambda value: value[:30] if isinstance(value, str) else ""
)
def test_a_compilation_without_an_equal_is_named_and_nothing_is_changed(options, message):
    model = classic()
    before = model.get_weights()
    model.compile(
        **{"optimizer": options.get("optimizer", lambda: "adam")(), "loss": "mse"}
        | {k: v for k, v in options.items() if k != "optimizer"}
    )
    with pytest.raises(UnsupportedModel, match=message):
        tsuzuki.fit(model, X, Y, batch_size=6, verbose=0)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


NAN = X.copy()
NAN[7, 3] = np.nan
GAP = WAVE[:100].copy()
GAP[11] = np.inf
SERIES = {"x": None, "y": None, "series": WAVE[:100], "timesteps": 6}
ARGUMENTS = [
    (
        {"batch_size": 5},
        SettingError,
        r"batch_size is 5, but the stateful model was built for batches of 6; give batch_size=6, or",
    ),
    ({"batch_size": 0}, SettingError, "batch_size is 0; give a whole number from 1"),
    ({"batch_size": True}, SettingError, "batch_size is True; give a whole number from 1"),
    ({"shuffle": True}, SettingError, "shuffle=True with a stateful model: shuffled rows do not continue one another"),
    ({"shuffle": "batch"}, SettingError, "shuffle is 'batch'; give True or False"),
    ({"validation_split": 1.0}, SettingError, "validation_split is 1.0; give a share"),
    (
        {"x": X[:1], "y": Y[:1], "validation_split": 0.5},
        SettingError,
        "validation_split=0.5 of 1 samples leaves one part empty",
    ),
    ({"validation_data": (X,)}, SettingError, r"validation_data has 1 parts; give \(x, y\) or \(x, y, sample_weight\)"),
    (
        {"validation_data": (X, Y[:3])},
        SettingError,
        r"validation y has shape \(3,\); for 100 samples the model gives \(100, 1\)",
    ),
    ({"validation_data": (NAN, Y)}, DataError, "validation x has nan in sample 7, step 3, feature 0; fill it in"),
    ({"x": None}, SettingError, "x is missing; give an array"),
    ({"y": None}, SettingError, "y is missing; give an array"),
    ({"x": (i for i in range(3))}, SettingError, "x is a generator, whose batches hold y and the weights; leave y"),
    ({"x": np.array(["a"])}, SettingError, "x has dtype <U1; give numbers"),
    ({"x": X[:, :, [0, 0]]}, SettingError, r"x has shape \(100, 6, 2\); the model takes \(samples, 6, 1\), at least"),
    ({"x": X[:, :5]}, SettingError, r"x has shape \(100, 5, 1\); the model takes \(samples, 6, 1\), at least one"),
    ({"x": X[:0], "y": Y[:0]}, SettingError, r"x has shape \(0, 6, 1\); .* at least one of each"),
    ({"y": Y[:99]}, SettingError, r"y has shape \(99,\); for 100 samples the model gives \(100, 1\): change y or"),
    ({"sample_weight": np.ones(3)}, SettingError, r"sample_weight has shape \(3,\); give it as \(100,\)"),
    ({"x": NAN}, DataError, "x has nan in sample 7, step 3, feature 0; fill it in, or split the series there"),
    ({"timesteps": 6}, SettingError, "timesteps is given without series; leave it out"),
    ({"series": WAVE, "timesteps": 6}, SettingError, "series is given together with x or y; give one or the other"),
    (
        SERIES | {"timesteps": 7},
        SettingError,
        "timesteps is 7, but the model was built for 6; leave it out, or rebuild the model with None",
    ),
    (SERIES | {"timesteps": 0}, SettingError, "series is given with timesteps=0; give the steps of a row, from 1"),
    (SERIES | {"timesteps": 2.5}, SettingError, "series is given with timesteps=2.5"),
    (
        SERIES | {"series": np.ones((9, 2))},
        SettingError,
        r"series has shape \(9, 2\); the model has 1 features: give \(points, 1\)",
    ),
    (SERIES | {"targets": WAVE[:99]}, SettingError, "series has 100 points but targets 99; give as many of both"),
    (
        SERIES | {"sample_weight": WAVE[:99]},
        SettingError,
        r"sample_weight has shape \(99,\); give one for each point: \(100,\)",
    ),
    (SERIES | {"series": GAP}, DataError, "series has inf at point 11, column 0; fill it in"),
    (SERIES | {"series": WAVE[:6]}, TooShortError, "has 6 points, but a window of 6 steps with its target needs 7"),
]


@pytest.mark.parametrize(
    ("options", "error", "message"), ARGUMENTS, ids=lambda value: value[:40] if isinstance(value, str) else ""
)
def test_arguments_that_do_not_fit_are_named(options, error, message):
    with pytest.raises(error, match=message):
        tsuzuki.fit(classic(), **({"x": X, "y": Y, "verbose": 0} | options))


def test_other_things_that_do_not_fit_are_named(monkeypatch):
    plain = keras.Sequential([keras.Input((6, 1)), L.GRU(2)])
    with pytest.raises(SettingError, match=r"the model is not compiled; call model.compile\(optimizer"):
        tsuzuki.fit(plain, X, Y)
    plain.compile("sgd")
    with pytest.raises(UnsupportedModel, match="the loss is None, which is not supported; compile with"):
        tsuzuki.fit(plain, X, Y)
    two = keras.Sequential([keras.Input((6, 1)), L.GRU(2)])
    two.compile("sgd", "mse")
    with pytest.raises(SettingError, match="the model has 2 outputs, but the series 1 columns; give targets="):
        tsuzuki.fit(two, series=WAVE, timesteps=6)
    with pytest.raises(TooShortError, match="has 4 points"):
        tsuzuki.fit(classic(stateful=False), series=WAVE[:4], timesteps=6)
    network = tsuzuki.Network(1, (tsuzuki.GRU(2),))
    with pytest.raises(SettingError, match="stateful=True without batch_size; give the rows of a batch"):
        tsuzuki.to_keras(network, tsuzuki.initialise(network, 0), stateful=True)
    with pytest.raises(SettingError, match="the network has 3 arrays of weights, not 0"):
        tsuzuki.to_keras(network, [])
    with pytest.raises(SettingError, match="has activation 'glu'; choose one of"):
        tsuzuki.Activation("glu")
    with pytest.raises(SettingError, match=r"Dropout\(rate=1.5\) has rate 1.5; give a share"):
        tsuzuki.Dropout(1.5)
    with pytest.raises(AttributeError, match=r"module 'tsuzuki.keras' has no attribute 'fitt'"):
        tsuzuki.keras.fitt  # noqa: B018
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"needs the package keras, .* pip install \"tsuzuki\[keras\]\""):
        tsuzuki.keras.StateKeeper  # noqa: B018


def test_a_lambda_that_adds_an_axis_makes_steps_of_values_as_reshape_does():
    from tsuzuki.keras.forward import prepare_predict

    def model(first):
        return keras.Sequential([keras.Input((5,)), first, L.SimpleRNN(3), L.Dense(1), L.Lambda(lambda x: x * 100.0)])

    lengthened = model(L.Lambda(lambda x: keras.ops.expand_dims(x, axis=-1)))
    assert tsuzuki.from_keras(lengthened)[0] == tsuzuki.from_keras(model(L.Reshape((5, 1))))[0]
    x = np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32)
    found = prepare_predict(lengthened, x, verbose=0).predict()
    np.testing.assert_allclose(found, np.asarray(lengthened(x)), rtol=1e-5)
    scaled = tsuzuki.from_keras(model(L.Lambda(lambda x: keras.ops.expand_dims(2.0 * x, axis=-1))))[0]
    assert scaled.layers[1] == tsuzuki.Reshape((5, 1), 1)
    steps = keras.Input((5, 2))
    other = keras.Model(steps, L.SimpleRNN(3)(keras.ops.expand_dims(steps, axis=-1)[:, :, 0]))
    with pytest.raises(UnsupportedModel, match="adds an axis that is not supported; use it on"):
        tsuzuki.from_keras(other)
