"""Losses that no kernel knows, a user's own or rarer ones: differentiated by the backend on the outputs alone."""

import os
import subprocess
import sys

import numpy as np
import pytest

import tsuzuki
from keras_models import classic, difference, keras, states
from tsuzuki.errors import DataError, SettingError, UnsupportedModel
from tsuzuki.keras.batch_calls import test_on_batch as score_batch
from tsuzuki.keras.batch_calls import train_on_batch
from tsuzuki.keras.forward import prepare_evaluate

pytest.importorskip("tensorflow")
L, ops = keras.layers, keras.ops
ROWS, STEPS, SAMPLES = 4, 5, 18
OPTIONS = {"batch_size": ROWS, "epochs": 2, "shuffle": False, "verbose": 0}


def wobbly(y, z):
    return ops.mean(ops.log(1 + ops.square(y - z)), axis=-1)


def one_number(y, z):
    return ops.max(ops.abs(y - z))


class Own(keras.losses.Loss):
    """A class with a setting and a reduction of its own."""

    def call(self, y, z):
        return 0.3 * ops.sum(ops.abs(y - z) ** 1.5, axis=-1)


# Of each case: the loss, units and activation of the output, whether each step is scored, masked, stateful, weighted.
CASES = {
    "a function": (wobbly, 2, None, False, False, False, True),
    "a function of masked steps": (wobbly, 2, None, True, True, False, True),
    "one number for all steps": (one_number, 1, None, True, True, True, False),
    "a class that sums": (Own(reduction="sum"), 2, "tanh", True, False, True, False),
    "a rare one of Keras's": (keras.losses.CategoricalFocalCrossentropy(), 3, "softmax", False, True, False, False),
    "numbers of classes": ("ignored", 3, "softmax", True, True, False, False),
}
CASES["numbers of classes"] = (
    keras.losses.SparseCategoricalCrossentropy(reduction="sum"),
    *CASES["numbers of classes"][1:],
)


def model(name):
    loss, units, activation, every_step, masked, stateful, weighted = CASES[name]
    keras.utils.set_random_seed(3)
    layers = [keras.Input(batch_shape=(ROWS if stateful else None, STEPS, 2))]
    layers += [L.Masking(0.0)] if masked else []
    layers += [L.GRU(4, return_sequences=every_step, stateful=stateful, kernel_regularizer=keras.regularizers.L2(0.01))]
    found = keras.Sequential([*layers, L.Dense(units, activation)])
    metrics = ["accuracy"] if activation == "softmax" else ["mae"]
    # Two ways of saying how much the loss counts.
    weight = {"loss_weights": [0.5]} if weighted else {}
    found.compile(keras.optimizers.Adam(0.01), loss, metrics=metrics, weighted_metrics=metrics, **weight)
    return found


def data(name):
    _, units, activation, every_step, masked, stateful, weighted = CASES[name]
    generator = np.random.default_rng(1)
    samples = 16 if stateful else SAMPLES
    x = generator.normal(size=(samples, STEPS, 2)).astype(np.float32)
    if masked:
        x[generator.random((samples, STEPS)) < 0.3] = 0
    shape = (samples, STEPS) if every_step else (samples,)
    y = generator.normal(size=(*shape, units)).astype(np.float32)
    if activation == "softmax":
        y = generator.integers(0, units, shape) if name == "numbers of classes" else np.eye(units)[y.argmax(-1)]
    return x, y, generator.uniform(0.2, 2, shape).astype(np.float32) if weighted else None


@pytest.mark.parametrize("name", CASES)
def test_it_is_trained_and_scored_as_in_keras(name):
    x, y, weights = data(name)
    ours, theirs = model(name), model(name)
    held_out = (x[:8], y[:8]) if weights is None else (x[:8], y[:8], weights[:8])
    options = OPTIONS | {"sample_weight": weights, "validation_data": held_out}
    found = tsuzuki.fit(ours, x, y, reset_states="never", **options).history
    expected = theirs.fit(x, y, **options).history
    assert list(found) == list(expected)
    for key, values in expected.items():
        assert found[key] == pytest.approx(values, rel=2e-4, abs=1e-6), key
    assert difference(ours, theirs) < 2e-5
    for mine, other in zip(states(ours), states(theirs), strict=True):
        np.testing.assert_allclose(mine, other, atol=2e-5)
    if name == "a function of masked steps":
        batch = x[:ROWS], y[:ROWS], weights[:ROWS]
        found, expected = train_on_batch(ours, *batch), theirs.train_on_batch(*batch)
        assert found == pytest.approx(expected, rel=2e-4)
        assert score_batch(ours, *batch) == pytest.approx(theirs.test_on_batch(*batch), rel=2e-4)
        assert difference(ours, theirs) < 2e-5
    forward = prepare_evaluate(theirs, x, y, ROWS, 0, weights)
    logs = forward.evaluate()
    scores = [logs[name] for name in forward.job.in_order(logs)]
    for layer in theirs.layers:
        if getattr(layer, "stateful", False):
            layer.reset_state()
    if not states(theirs):
        assert scores == pytest.approx(theirs.evaluate(x, y, ROWS, 0, weights), rel=2e-4, abs=1e-6)
    keras.utils.clear_session()


def several(every_step):
    """Three outputs, one of classes and two with losses of one's own; or one of these and one that is not scored."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input((STEPS, 2))
    value = L.Masking(0.0)(inputs) if every_step else inputs
    value = L.SimpleRNN(4, return_sequences=every_step, kernel_regularizer="l2")(value)
    ends = {"kind": L.Dense(3, "softmax")(value), "value": L.Dense(2)(value), "rest": L.Dense(1)(value)}
    found = keras.Model(inputs, ends)
    losses = {"kind": "sparse_categorical_crossentropy", "value": wobbly, "rest": Own(reduction="sum")}
    weights, metrics = {"kind": 1.0, "value": 0.5, "rest": 2.0}, {"kind": ["accuracy"], "value": ["mae"]}
    if not every_step:
        losses["rest"] = weights = None
    found.compile("adam", losses, loss_weights=weights, metrics=metrics, jit_compile=False)
    return found


@pytest.mark.parametrize("every_step", [True, False])
def test_outputs_with_losses_of_their_own_are_trained_and_scored_as_in_keras(every_step):
    generator, steps = np.random.default_rng(0), (STEPS,) if every_step else ()
    x = generator.normal(size=(SAMPLES, STEPS, 2)).astype(np.float32)
    x[generator.random(x.shape[:2]) < 0.3] = 0
    y = {"kind": generator.integers(0, 3, (SAMPLES, *steps))}
    y |= {
        name: generator.normal(size=(SAMPLES, *steps, n)).astype(np.float32) for name, n in (("value", 2), ("rest", 1))
    }
    weights = {name: generator.uniform(0.5, 2, (SAMPLES, *steps)).astype(np.float32) for name in y}
    if not every_step:
        y["rest"] = weights = None
    ours, theirs = several(every_step), several(every_step)
    expected = theirs.fit(x, y, sample_weight=weights, **OPTIONS).history
    found = tsuzuki.fit(ours, x, y, sample_weight=weights, **OPTIONS).history
    assert list(found) == list(expected)
    for name, values in expected.items():
        assert found[name] == pytest.approx(values, rel=1e-4)
    assert difference(ours, theirs) < 1e-5
    if every_step:
        some = [{name: part[:ROWS] for name, part in one.items()} for one in (y, weights)]
        batches = train_on_batch(ours, x[:ROWS], *some), theirs.train_on_batch(x[:ROWS], *some)
        assert batches[0] == pytest.approx(batches[1], rel=1e-4)
    scores = prepare_evaluate(ours, x, y, ROWS).score(False), theirs.evaluate(x, y, ROWS, verbose=0)
    assert scores[0] == pytest.approx(scores[1], rel=1e-4)


def test_epochs_in_new_orders_and_calls_trace_a_loss_once():
    traced = []

    def counted(y, z):
        traced.append(1)
        return wobbly(y, z)

    x, y, _ = data("a function")
    ours = classic(stateful=False, steps=STEPS, loss=counted)
    for _ in range(3):
        tsuzuki.fit(ours, x[:16, :, :1], y[:16, :1], ROWS, epochs=2, verbose=0)
    # Tried once, and traced for a batch.
    assert len(traced) == 2


def test_callbacks_that_hear_of_batches_see_every_update():
    heard = []
    x, y, _ = data("a function")
    ours = classic(stateful=False, steps=STEPS, loss=wobbly)
    hears = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: heard.append(logs["loss"]))
    history = tsuzuki.fit(ours, x[..., :1], y[:, :1], ROWS, verbose=0, callbacks=[hears]).history
    assert len(heard) == 5
    assert heard[-1] == history["loss"][0]


def test_losses_whose_slopes_lie_elsewhere_too_are_refused():
    x, y, _ = data("a function")
    ours = classic(stateful=False, steps=STEPS)
    ours.compile("sgd", lambda a, b: wobbly(a, b) + ops.sum(ours.layers[0].cell.kernel.value))
    with pytest.raises(UnsupportedModel, match=r"reads weights \(.*kernel\); use a regulariser"):
        tsuzuki.fit(ours, x[..., :1], y[:, :1], verbose=0)
    for loss, words in ((lambda a, b: a / 0 + b.nothing, "fails: AttributeError"), ([wobbly, "mse"], "2 losses")):
        with pytest.raises(UnsupportedModel, match=words):
            tsuzuki.fit(classic(stateful=False, steps=STEPS, loss=loss), x[..., :1], y[:, :1], verbose=0)
    ours = classic(stateful=False, steps=STEPS, loss=wobbly)
    with pytest.raises(DataError, match="y as x has nan"):
        tsuzuki.fit(ours, x[..., :1], np.full((SAMPLES, 1), np.nan), verbose=0)
    with pytest.raises(SettingError, match="needs x and y"):
        tsuzuki.fit(ours, series=x[:4, :, 0].ravel(), timesteps=STEPS, verbose=0)


OTHER = """
import keras, numpy as np, tsuzuki
def model():
    keras.utils.set_random_seed(1)
    found = keras.Sequential([keras.Input((4, 2)), keras.layers.Masking(), keras.layers.GRU(3, return_sequences=True),
        keras.layers.Dense(2)])
    found.compile("adam", lambda y, z: keras.ops.mean(keras.ops.log(1 + keras.ops.square(y - z)), axis=-1))
    return found
generator = np.random.default_rng(0)
x, y = (generator.normal(size=(10, 4, 2)).astype("float32") for _ in range(2))
x[:3, 1] = 0
weights = generator.uniform(size=(10, 4)).astype("float32")
ours, theirs = model(), model()
options = {"batch_size": 4, "epochs": 2, "shuffle": False, "verbose": 0, "sample_weight": weights}
print(*tsuzuki.fit(ours, x, y, **options).history["loss"])
print(*theirs.fit(x, y, **options).history["loss"])
print(max(abs(a - b).max() for a, b in zip(ours.get_weights(), theirs.get_weights())))
"""


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backends_differentiate_it_too(backend):
    pytest.importorskip(backend)
    environment = os.environ | {"KERAS_BACKEND": backend, "PYTHONWARNINGS": "ignore"}
    done = subprocess.run([sys.executable, "-c", OTHER], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    ours, theirs, apart = ([float(word) for word in line.split()] for line in done.stdout.splitlines()[-3:])
    assert ours == pytest.approx(theirs, rel=1e-4)
    assert apart[0] < 1e-5
