"""Masked steps: held states and outputs, their gradients, and the way of a mask through layers, as in Keras."""

import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reference
from tsuzuki.data.segments import Segment
from tsuzuki.engine.data import Data
from tsuzuki.engine.padding import aligned, pad, unpad
from tsuzuki.engine.plan import lower
from tsuzuki.engine.session import Session
from tsuzuki.errors import SettingError
from tsuzuki.keras.output_mask import masks_of
from tsuzuki.layouts.streams import Streams
from tsuzuki.layouts.windows import Windows
from tsuzuki.network.embedding import Embedding
from tsuzuki.network.initialisers import initialise
from tsuzuki.network.layers import (
    GRU,
    LSTM,
    Activation,
    Add,
    Average,
    Concatenate,
    Dense,
    Masking,
    Recurrent,
    SimpleRNN,
)
from tsuzuki.network.network import Network, graph
from tsuzuki.network.optimizers import SGD
from tsuzuki.network.shaping import Reverse

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

NO_VALUE = -0.7


@st.composite
def masked_networks(draw) -> Network:
    """Masking, then one to three cells with layers between that pass the mask on; sometimes two branches."""

    def cell():
        made = draw(st.sampled_from([SimpleRNN, GRU, LSTM]))
        options = {"reset_after": draw(st.booleans())} if made is GRU else {}
        return made(draw(st.integers(1, 20)), zero_output_for_mask=draw(st.booleans()), **options)

    inputs = draw(st.integers(1, 3))
    if draw(st.booleans()):
        layers = [Masking(NO_VALUE)]
        for _ in range(draw(st.integers(1, 3))):
            layers += [Dense(draw(st.integers(1, 5)), "tanh")] * draw(st.booleans()) + [cell()]
        return Network(inputs, (*layers, Dense(1)))
    one, merge = cell(), draw(st.sampled_from([Add, Average, Concatenate]))
    layers = {
        "mask": (Masking(NO_VALUE), "inputs"),
        "other": (draw(st.sampled_from([Masking(0.25), Dense(inputs)])), "inputs"),
        "first": (one, "mask"),
        "second": (Dense(one.units), "other"),
        "both": (merge(), "first", "second"),
        "last": (cell(), "both"),
        "y": (Dense(1), "last"),
    }
    return graph(inputs, layers, "y")


def masked_data(network, points, generator):
    """Inputs of which a third of the rows has the value that is masked, and targets."""
    inputs = generator.normal(size=(points, network.inputs)).astype(np.float32)
    inputs[generator.random(points) < 0.3] = NO_VALUE
    inputs[generator.random(points) < 0.1] = 0.25
    return inputs, generator.normal(size=(points, 1)).astype(np.float32)


def session_of(network, weights, inputs, targets, layout, threads=None, horizon=1):
    plan = lower(network, layout.lanes, layout.timesteps, layout.every_step)
    bank = aligned(max(1, layout.slots) * plan.state_size)
    session = Session(plan, Data(inputs, targets, horizon), None, SGD(learning_rate=0.0), bank=bank, threads=threads)
    pad(plan, weights, session.parameters)
    return session


@given(masked_networks(), st.integers(1, 6), st.integers(1, 7), st.integers(0, 999), st.sampled_from("swc"))
@settings(max_examples=40)
def test_losses_with_masked_steps_agree_with_the_plain_twin(network, steps, lanes, seed, how):
    generator = np.random.default_rng(seed)
    inputs, targets = masked_data(network, 60, generator)
    made = {"s": Streams(steps, lanes), "w": Windows(steps, lanes), "c": Windows(steps, lanes, stateful=True)}[how]
    layout = made.over([Segment(0, 60)])
    weights = initialise(network, seed)
    block = layout.block(0, layout.updates)
    found = session_of(network, weights, inputs, targets, layout).run(block)
    states = reference.zero_states(network, layout.lanes)
    exact = [w.astype(np.float64) for w in weights]
    for k in range(layout.updates):
        expected, states = reference.update_loss(
            network, exact, inputs.astype(np.float64), targets.astype(np.float64), block, k, reference.MSE(),
            layout.every_step, states, 1,
        )  # fmt: skip
        assert found[k, 0] == pytest.approx(expected, rel=2e-4, abs=2e-5)


def keras_model(keras, network, lanes, steps, every_step):
    """The functional Keras model of a network in float64, and its layers with weights, in the network's order."""
    given_ = keras.Input(batch_shape=(lanes, steps, network.inputs), dtype="float64")
    values, weighted = [], []
    for i, (layer, read) in enumerate(zip(network.layers, network.sources, strict=True)):
        inputs = [values[source] if source >= 0 else given_ for source in read]
        options = {"dtype": "float64"}
        if layer.shapes(1):
            options |= {"units": layer.units, "activation": layer.activation}
        if isinstance(layer, Recurrent):
            options["return_sequences"] = every_step or network.recurrent_follows[i]
            options["zero_output_for_mask"] = layer.zero_output_for_mask
        if isinstance(layer, GRU):
            options["reset_after"] = layer.reset_after
        if isinstance(layer, Masking):
            options["mask_value"] = float(np.float32(layer.mask_value))
        made = getattr(keras.layers, type(layer).__name__)(**options)
        values.append(made(inputs if layer.merges else inputs[0]))
        weighted += [made] * bool(layer.shapes(1))
    return keras.Model(given_, values[-1]), weighted


@given(masked_networks(), st.integers(1, 6), st.integers(1, 6), st.booleans(), st.integers(0, 999))
@settings(max_examples=25)
def test_gradients_with_masked_steps_agree_with_tensorflows(network, steps, lanes, every_step, seed):
    keras = pytest.importorskip("keras", reason='Keras is not installed: pip install "tsuzuki[keras]"')
    tf = pytest.importorskip("tensorflow", reason='TensorFlow is not installed: pip install "tsuzuki[keras]"')
    generator = np.random.default_rng(seed)
    inputs, targets = masked_data(network, lanes * (steps + 1), generator)
    segments = [Segment(lane * (steps + 1), (lane + 1) * (steps + 1)) for lane in range(lanes)]
    layout = (Streams(steps, lanes) if every_step else Windows(steps, lanes)).over(segments)
    block = layout.block(0, 1)
    weights = [(w + generator.normal(0, 0.05, w.shape)).astype(np.float32) for w in initialise(network, seed)]
    session = session_of(network, weights, inputs, targets, layout)
    found = session.run(block)[0, 0]
    model, weighted = keras_model(keras, network, lanes, steps, every_step)
    for layer, own in zip(weighted, [own for own in reference.split(network, weights) if own], strict=True):
        layer.set_weights([w.astype(np.float64) for w in own])
    rows = block.starts[0][:, None] + np.arange(steps)
    y = targets[rows + 1] if every_step else targets[rows[:, -1] + 1]
    with tf.GradientTape() as tape:
        value = tf.reduce_mean((model(inputs[rows].astype(np.float64)) - y) ** 2)
    variables = [variable.value for layer in weighted for variable in layer.trainable_variables]
    expected = tape.gradient(value, variables, unconnected_gradients="zero")
    assert found == pytest.approx(float(value), rel=2e-5, abs=1e-6)
    scale = max(np.abs(np.asarray(exact)).max() for exact in expected)
    for gradient, exact in zip(unpad(session.plan, session.gradients[: session.plan.size]), expected, strict=True):
        np.testing.assert_allclose(gradient, np.asarray(exact), rtol=1e-4, atol=1e-4 * scale + 1e-7)


def test_masked_steps_give_the_same_bits_with_any_number_of_threads():
    network = Network(2, (Masking(NO_VALUE), LSTM(40), GRU(40), Dense(1)))
    inputs, targets = masked_data(network, 4000, np.random.default_rng(3))
    layout = Streams(20, 64).over([Segment(0, 4000)])
    weights, block = initialise(network, 0), layout.block(0, layout.updates)
    runs = [session_of(network, weights, inputs, targets, layout, threads).run(block) for threads in (1, 2)]
    np.testing.assert_array_equal(*runs)


def test_a_network_whose_masks_mask_nothing_computes_as_without_them():
    plain = Network(1, (GRU(7), Activation("tanh"), LSTM(5), Dense(1)))
    masked = Network(1, (Masking(99.0), *plain.layers))
    generator = np.random.default_rng(0)
    inputs, targets = (generator.normal(size=(80, 1)).astype(np.float32) for _ in range(2))
    layout, weights = Streams(6, 3).over([Segment(0, 80)]), initialise(plain, 0)
    block = layout.block(0, layout.updates)
    found = [session_of(network, weights, inputs, targets, layout).run(block) for network in (plain, masked)]
    np.testing.assert_allclose(*found, rtol=1e-6)


def test_a_mask_goes_as_far_as_keras_lets_it():
    network = graph(
        1,
        {
            "mask": (Masking(), "inputs"),
            "dense": (Dense(3), "mask"),
            "open": (Dense(3), "inputs"),
            "one": (Add(), "dense", "open"),
            "both": (Add(), "dense", "dense"),
            "all": (LSTM(3), "both"),
            "last": (GRU(3, return_sequences=False), "all"),
            "y": (Concatenate(), "one", "last"),
        },
        "y",
    )
    assert network.masked == (True, True, False, False, True, True, False, False)


def test_a_value_that_nothing_equals_is_refused():
    with pytest.raises(SettingError, match="no finite mask_value"):
        Masking(float("nan"))


@given(st.lists(st.lists(st.booleans(), min_size=5, max_size=5), min_size=1, max_size=4), st.booleans())
def test_the_mask_of_an_output_is_told_from_the_inputs_and_follows_their_order(rows, comes_back):
    counts = np.array(rows)
    there_and_back = [Reverse()] * comes_back
    network = Network(1, (Masking(NO_VALUE), Reverse(), SimpleRNN(2), *there_and_back, Dense(1)))
    found = masks_of(network)[0](np.where(counts, 1, NO_VALUE).astype(np.float32)[..., None])
    np.testing.assert_array_equal(found, counts if comes_back else counts[:, ::-1])


def test_a_table_masks_the_number_zero_in_its_output():
    network = Network(1, (Embedding(4, 2, mask_zero=True), SimpleRNN(2), Dense(1)))
    found = masks_of(network)[0](np.array([[[0.0], [2.0], [0.0], [1.0]]], np.float32))
    np.testing.assert_array_equal(found, [[False, True, False, True]])


def pooled_models(layers):
    """A mask that ends in a window, and one that a mean over all steps heeds."""
    return {
        "windows": [layers.Masking(), layers.Conv1D(4, 2), layers.MaxPooling1D(2), layers.LSTM(3), layers.Dense(1)],
        "mean": [
            layers.Masking(),
            layers.LSTM(3, return_sequences=True),
            layers.GlobalAveragePooling1D(),
            layers.Dense(1),
        ],
    }


@pytest.mark.parametrize("kind", ["windows", "mean"])
def test_windows_end_a_mask_and_a_mean_over_all_steps_heeds_it_as_in_keras(kind):
    keras = pytest.importorskip("keras", reason='Keras is not installed: pip install "tsuzuki[keras]"')
    import tsuzuki

    generator = np.random.default_rng(0)
    x = generator.normal(size=(40, 6, 2)).astype(np.float32)
    x[:, 2:][generator.random((40, 4)) < 0.4] = 0
    y = generator.normal(size=(40, 1)).astype(np.float32)
    model = keras.Sequential([keras.Input((6, 2)), *pooled_models(keras.layers)[kind]])
    other = keras.models.clone_model(model)
    other.set_weights(model.get_weights())
    options = {"batch_size": 8, "epochs": 4, "shuffle": False, "verbose": 0}
    for one in (model, other):
        one.compile("adam", "mse", jit_compile=False)
    theirs = other.fit(x, y, **options).history["loss"]
    np.testing.assert_allclose(tsuzuki.fit(model, x, y, **options).history["loss"], theirs, rtol=1e-4)
    for mine, exact in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(mine, exact, atol=1e-4)


def test_a_cloned_model_hands_on_the_same_masks():
    keras = pytest.importorskip("keras", reason='Keras is not installed: pip install "tsuzuki[keras]"')
    import tsuzuki

    L = keras.layers
    numbers, values = keras.Input((5,)), keras.Input((5, 2))
    models = [
        keras.Model(numbers, L.Dense(1)(L.LSTM(3)(L.Embedding(9, 4, mask_zero=True)(numbers)))),
        keras.Model(values, L.Dense(1)(L.GRU(3)(L.LSTM(2, return_sequences=True)(L.Masking(-1.0)(values))))),
    ]
    for model in models:
        clone = keras.models.clone_model(model)
        assert tsuzuki.from_keras(clone)[0] == tsuzuki.from_keras(model)[0]
        assert tsuzuki.from_keras(keras.models.clone_model(clone))[0] == tsuzuki.from_keras(model)[0]
    own = keras.ops.not_equal(numbers, 1)
    model = keras.Model(numbers, L.LSTM(3)(L.Embedding(9, 4, mask_zero=True)(numbers), mask=own))
    with pytest.raises(tsuzuki.UnsupportedModel, match="is called with mask"):
        tsuzuki.from_keras(model)


AFTER_A_MASK = {
    "Dense": lambda L: L.Dense(2),
    "Activation": lambda L: L.Activation("tanh"),
    "ReLU": lambda L: L.ReLU(),
    "PReLU": lambda L: L.PReLU(shared_axes=[1]),
    "Softmax": lambda L: L.Softmax(),
    "Dropout": lambda L: L.Dropout(0.2),
    "SpatialDropout1D": lambda L: L.SpatialDropout1D(0.2),
    "GaussianNoise": lambda L: L.GaussianNoise(0.2),
    "AlphaDropout": lambda L: L.AlphaDropout(0.2),
    "LayerNormalization": lambda L: L.LayerNormalization(),
    "RMSNormalization": lambda L: L.RMSNormalization(),
    "UnitNormalization": lambda L: L.UnitNormalization(),
    "BatchNormalization": lambda L: L.BatchNormalization(),
    "Rescaling": lambda L: L.Rescaling(2.0),
    "Identity": lambda L: L.Identity(),
    "ActivityRegularization": lambda L: L.ActivityRegularization(0.1),
    "TimeDistributed": lambda L: L.TimeDistributed(L.Dense(2)),
    "Bidirectional": lambda L: L.Bidirectional(L.GRU(2, return_sequences=True)),
    "SimpleRNN": lambda L: L.SimpleRNN(2, return_sequences=True),
    "Conv1D": lambda L: L.Conv1D(2, 1),
    "MaxPooling1D": lambda L: L.MaxPooling1D(1),
    "Reshape": lambda L: L.Reshape((5, 2)),
    "Reshape of other steps": lambda L: L.Reshape((2, 5)),
    "Permute": lambda L: L.Permute((2, 1)),
}


@pytest.mark.parametrize("kind", AFTER_A_MASK)
def test_each_layer_hands_a_mask_on_or_ends_it_as_keras_does(kind):
    keras = pytest.importorskip("keras", reason='Keras is not installed: pip install "tsuzuki[keras]"')
    import tsuzuki

    L = keras.layers
    before = [keras.Input((5, 2)), L.Masking(), L.GRU(2, return_sequences=True)]
    model = keras.Sequential([*before, AFTER_A_MASK[kind](L)])
    network = tsuzuki.from_keras(model)[0]
    assert network.masked[network.last[0]] == (getattr(model.outputs[0], "_keras_mask", None) is not None)
