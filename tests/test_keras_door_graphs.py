"""Keras models that branch, merge and nest: read, written back and trained as in Keras."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tsuzuki
from drawn_graphs import graphs
from keras_models import WAVE, difference, keras, windows
from tsuzuki.errors import SettingError
from tsuzuki.keras.forward import prepare_evaluate, prepare_predict

tf = pytest.importorskip("tensorflow")
L = keras.layers
X, Y = windows(WAVE[:106], 6)


@given(graphs(), st.booleans(), st.integers(0, 10**6))
@settings(max_examples=12)
def test_a_graph_written_as_a_keras_model_forecasts_the_same_and_is_read_back(network, every_step, seed):
    generator = np.random.default_rng(seed)
    weights = [w + generator.normal(0, 0.1, w.shape).astype(np.float32) for w in tsuzuki.initialise(network, 1)]
    series = generator.normal(size=(25, network.inputs)).astype(np.float32)
    segments = [tsuzuki.Segment(start, start + 5) for start in range(0, 25, 5)]
    layout = (tsuzuki.Streams(4, 5) if every_step else tsuzuki.Windows(4, 5)).over(segments)
    model = tsuzuki.to_keras(network, weights, timesteps=4, every_step=every_step)
    samples = np.stack([series[segment.start : segment.stop - 1] for segment in segments])
    parts = np.split(samples, np.cumsum(network.input_sizes or (network.inputs,))[:-1], axis=-1)
    forecasts = keras.tree.flatten(model([*parts] if len(parts) > 1 else parts[0], training=False))
    forecasts = np.concatenate([np.asarray(one) for one in forecasts], axis=-1)
    rows = [[s.start + k for k in range(1, 5)] if every_step else s.start + 4 for s in segments]
    for one, arrays in ((network, weights), tsuzuki.from_keras(model)):
        np.testing.assert_allclose(tsuzuki.predict(one, arrays, series, layout)[rows], forecasts, atol=1e-5)


def branched(merge):
    inputs = keras.Input((6, 1))
    state = L.LSTM(4, return_sequences=True)(inputs)
    return keras.Model(inputs, L.Dense(1)(merge(L.GRU(3)(state), L.SimpleRNN(3)(inputs))))


def residual():
    inputs = keras.Input((6, 1))
    wide = L.Dense(4)(inputs)
    return keras.Model(inputs, L.Dense(1)(L.GRU(4)(wide + L.LSTM(4, return_sequences=True)(wide))))


def nested():
    inputs = keras.Input((6, 1))
    inner = keras.Sequential([keras.Input((6, 1)), L.Dense(3, "tanh"), L.GRU(4, return_sequences=True)])
    a, b = keras.Input((6, 4)), keras.Input((6, 1))
    mixing = keras.Model([a, b], L.Concatenate()([L.Dense(2)(a), b]))
    # The inner model's weights stand at two places.
    twice = L.Add()([inner(inputs), inner(-0.5 * inputs)])
    return keras.Sequential([keras.Model(inputs, mixing([twice, inputs])), L.LSTM(3), L.Dense(1)])


class Own(keras.Model):
    """What users write who come from PyTorch."""

    def __init__(self):
        super().__init__()
        self.wide, self.cells = L.Dense(4), [L.GRU(4, return_sequences=True), L.LSTM(3)]
        self.drop, self.out = L.Dropout(0.0), L.Dense(1)

    def call(self, inputs, training=None):
        wide = self.wide(inputs)
        state = self.drop(wide + self.cells[0](wide), training=training)
        return self.out(self.cells[1](state))

    @classmethod
    def from_config(cls, config):
        return cls()


def own():
    model = Own()
    model(np.zeros((1, 6, 1), np.float32))
    return model


def last_step():
    inputs = keras.Input((6, 1))
    state = L.GRU(4, return_sequences=True)(inputs)
    return keras.Model(inputs, L.Dense(1)(L.Concatenate()([state[:, -1], L.LSTM(3)(state[:, -3:])])))


def masked():
    inputs = keras.Input((6, 1))
    known = L.Masking(0.0)(inputs)
    state = L.GRU(4, return_sequences=True)(known)
    return keras.Model(inputs, L.Dense(1)(L.LSTM(3)(L.Concatenate()([state, known]))))


def attention():
    """Weights of steps from Dense, softmax, RepeatVector and Permute, as many wrote them before there was a layer."""
    state = L.GRU(4, return_sequences=True)(inputs := keras.Input((6, 1)))
    weights = L.Activation("softmax")(L.Flatten()(L.Dense(1, activation="tanh")(state)))
    weighted = L.Multiply()([state, L.Permute((2, 1))(L.RepeatVector(4)(weights))])
    return keras.Model(inputs, L.Dense(1)(L.GlobalAveragePooling1D()(weighted)))


def scaled():
    return branched(lambda a, b: L.Lambda(lambda t: (2.0 * t - 0.3) / 4.0)(a) + (1.0 - b) * 0.5)


def compared():
    return branched(lambda a, b: L.Dot(1, normalize=True)([a, b]))


def concatenated():
    return branched(lambda a, b: L.Concatenate()([a, b]))


@pytest.mark.parametrize("make", [concatenated, residual, nested, last_step, masked, own, attention, scaled, compared])
def test_a_model_that_branches_is_trained_as_in_keras(make):
    keras.utils.set_random_seed(3)
    ours = make()
    theirs = make() if make in (own, scaled) else keras.models.clone_model(ours)
    theirs.set_weights(ours.get_weights())
    for model in (ours, theirs):
        model.compile(keras.optimizers.SGD(0.05), "mse", run_eagerly=False)
    found = tsuzuki.fit(ours, X, Y, batch_size=10, epochs=3, shuffle=False, verbose=0).history["loss"]
    expected = theirs.fit(X, Y, batch_size=10, epochs=3, shuffle=False, verbose=0).history["loss"]
    assert found == pytest.approx(expected, rel=1e-4)
    assert difference(ours, theirs) < 1e-5


class Steps(Own):
    def train_step(self, data):
        return {}


class Branching(Own):
    def call(self, inputs, training=None):
        return self.out(self.cells[1](self.wide(inputs))) if training else super().call(inputs)


class Mixed(Own):
    def call(self, inputs):
        return super().call(inputs * float(inputs[0, 0, 0]))


class Disordered(Own):
    def call(self, inputs):
        return self.out(self.cells[1](self.wide(self.cells[0](inputs))))


CLASSES = [
    (Steps, "the model's class Steps has a train_step of its own; leave it out"),
    (Branching, "the model is a Branching, whose call uses other layers in training"),
    (Mixed, "the model is a Mixed, whose call cannot be followed"),
    (Disordered, "the model is a Disordered whose layers are not made in the order in which call uses them"),
]


@pytest.mark.parametrize(("make", "message"), CLASSES)
def test_classes_that_cannot_be_followed_are_named(make, message):
    model = make()
    model.compile("adam", "mse")
    with pytest.raises(tsuzuki.UnsupportedModel, match=message):
        tsuzuki.fit(model, X, Y, verbose=0)


def test_a_class_of_ones_own_that_is_not_built_is_built_by_fit():
    models = []
    for fit in (tsuzuki.fit, keras.Model.fit):
        keras.utils.set_random_seed(2)
        models.append(Own())
        models[-1].compile("adam", "mse")
        fit(models[-1], X, Y, batch_size=20, epochs=2, shuffle=False, verbose=0)
    assert difference(*models) < 1e-5


def two_inputs():
    keras.utils.set_random_seed(5)
    load, season = keras.Input((6, 1), name="load"), keras.Input((6, 2), name="season")
    state = L.LSTM(4, return_sequences=True)(load)
    model = keras.Model([load, season], L.Dense(1)(L.GRU(4)(L.Concatenate()([state, season]))))
    model.compile("adam", "mse", metrics=["mae"])
    return model


def test_several_inputs_are_trained_evaluated_and_predicted_as_in_keras():
    season = np.random.default_rng(0).normal(size=(len(X), 6, 2)).astype(np.float32)
    as_list, by_name = [np.array(X), season], {"season": season, "load": np.array(X)}
    batches = tf.data.Dataset.from_tensor_slices((by_name, Y)).batch(10)
    theirs = two_inputs()
    options = {"epochs": 2, "shuffle": False, "verbose": 0}
    expected = theirs.fit(as_list, Y, batch_size=10, validation_split=0.2, **options).history
    for x in (as_list, by_name, batches):
        ours = two_inputs()
        if x is batches:
            held = {"validation_data": batches.skip(8)}
            x = batches.take(8)
        else:
            held = {"validation_split": 0.2, "batch_size": 10}
        found = tsuzuki.fit(ours, x, None if "validation_data" in held else Y, **held, **options).history
        for name, values in expected.items():
            assert found[name] == pytest.approx(values, rel=1e-4), name
        assert difference(ours, theirs) < 1e-5
    forward = prepare_predict(ours, by_name, batch_size=10)
    np.testing.assert_allclose(forward.predict(), theirs.predict(as_list, verbose=0), atol=1e-5)
    logs = prepare_evaluate(ours, as_list, Y, batch_size=10, verbose=0).evaluate()
    assert logs == pytest.approx(theirs.evaluate(by_name, Y, verbose=0, return_dict=True), rel=1e-4)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ({"load": X}, "x has no season; the model's inputs are load, season"),
        (["a"], "x is not one array for each of the model's inputs"),
        (np.array(X), r"x has shape \(100, 6, 1\); the model takes \(samples, 6, 3\)"),
        ([X, X[:7]], r"x season has shape \(7, 6, 1\), load .*; give as many samples of each input"),
        ([X, X], r"x has shape \(100, 6, 2\); the model takes \(samples, 6, 3\)"),
    ],
)
def test_inputs_that_do_not_fit_are_named(x, message):
    with pytest.raises(SettingError, match=message):
        tsuzuki.fit(two_inputs(), x, Y, verbose=0)


REFUSED = [
    (lambda: branched(lambda a, b: L.Concatenate(axis=0)([a, b])), "has axis=0; use the last axis, -1"),
    (lambda: branched(lambda a, b: a * np.ones(3) + b), "Multiply.* computes with a constant that is not one number"),
    (lambda: branched(lambda a, b: 2.0 / a + b), "Divide.* computes with a constant that is not one number"),
    (lambda: branched(lambda a, b: a / b), "divides by another layer"),
    (lambda: branched(lambda a, b: L.Permute((1, 2))(a[:, None])), "takes a part that is not supported"),
    (lambda: branched(lambda a, b: a[:, 1:] + b[:, 1:]), "takes a part that is not supported; use x"),
    (lambda: branched(lambda a, b: L.Attention()([a, b])), r"Attention\) is not supported; use one of Input"),
]


@pytest.mark.parametrize(("make", "message"), REFUSED)
def test_merges_without_an_equal_are_named(make, message):
    with pytest.raises(tsuzuki.UnsupportedModel, match=message):
        tsuzuki.from_keras(make())


def masked(operation):
    inputs = keras.Input((6, 1))
    return keras.Model(inputs, L.Dense(1)(L.GRU(3, return_sequences=True)(operation(L.Masking()(inputs)))))


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        (lambda x: x + x, r"Add\) is an operation, behind which Keras knows no mask any more; use keras.layers.Add"),
        (lambda x: keras.ops.concatenate([x, x], axis=-1), "no mask any more; use keras.layers.Concatenate"),
        (lambda x: keras.ops.flip(x, axis=1), "no mask any more; use go_backwards=True"),
    ],
)
def test_an_operation_that_loses_the_mask_is_refused_where_there_is_one(operation, message):
    with pytest.raises(tsuzuki.UnsupportedModel, match=message):
        tsuzuki.from_keras(masked(operation))


@pytest.mark.parametrize(
    "layer",
    [
        lambda x: L.Add()([x, x]),
        lambda x: L.Concatenate()([x, x]),
        lambda x: L.Bidirectional(L.GRU(2, return_sequences=True))(x),
    ],
)
def test_a_mask_goes_through_layers_as_in_keras_where_windows_overlap(layer):
    keras.utils.set_random_seed(0)
    values = np.random.default_rng(0).normal(size=(40, 1)).astype(np.float32)
    values[[3, 4, 11, 20, 29]] = 0
    x = np.lib.stride_tricks.sliding_window_view(values[:, 0], 6)[:32, :, None]
    y = np.random.default_rng(1).normal(size=(32, 6, 1)).astype(np.float32)
    ours, theirs = masked(layer), masked(layer)
    theirs.set_weights(ours.get_weights())
    for model in (ours, theirs):
        model.compile(keras.optimizers.SGD(0.1), "mse")
    options = {"batch_size": 8, "epochs": 3, "shuffle": False, "verbose": 0}
    expected = theirs.fit(x, y, **options).history["loss"]
    assert tsuzuki.fit(ours, x, y, **options).history["loss"] == pytest.approx(expected, rel=1e-4)
    assert difference(ours, theirs) < 1e-4
