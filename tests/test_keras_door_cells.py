"""Cells as Keras has them, through the door: masks, directions, states; trained in both engines alike."""

import numpy as np
import pytest

import tsuzuki
from keras_models import WAVE, Resets, difference, keras, windows

L = keras.layers
STEPS, ROWS = 6, 8
X, Y = windows(WAVE[: 400 + STEPS], STEPS)


def compiled(*layers, stateful=False, optimizer="adam", **options):
    """A compiled model of these layers, the same weights each time."""
    keras.utils.set_random_seed(1)
    shape = keras.Input(batch_shape=(ROWS if stateful else None, STEPS, 1))
    model = keras.Sequential([shape, *(make() for make in layers)])
    model.compile(keras.optimizers.get(optimizer), "mse", **options)
    return model


def assert_trains_as_keras(make, x=X, y=Y, tolerance=1e-3, **options):
    """Fifty updates of the same model in both engines end in the same weights and losses."""
    ours, theirs = make(), make()
    options = {"batch_size": ROWS, "epochs": 1, "verbose": 0} | options
    expected = theirs.fit(x, y, shuffle=False, callbacks=[Resets()], **options).history
    found = tsuzuki.fit(ours, x, y, shuffle=False, **options).history
    assert list(found) == list(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-3, err_msg=name)
    scale = max(np.abs(weight).max() for weight in theirs.get_weights())
    assert difference(ours, theirs) <= tolerance * scale
    return ours, theirs


def padded(seed=0):
    """Windows of which some steps, at the front and elsewhere, are masked."""
    generator = np.random.default_rng(seed)
    x = np.array(X)
    x[generator.random(x.shape[:2]) < 0.3] = 0
    x[::3, :2] = 0
    x[::7] = 0
    return x


# Keras takes seconds to trace each: every pair of these, not every combination.
@pytest.mark.parametrize(
    ("cell", "zeros", "stateful"),
    [
        (L.SimpleRNN, False, True),
        (L.SimpleRNN, True, False),
        (L.GRU, False, False),
        (L.GRU, True, True),
        (L.LSTM, False, True),
        (L.LSTM, True, False),
    ],
)
def test_masked_steps_are_trained_as_in_keras(cell, zeros, stateful):
    options = {"stateful": stateful, "zero_output_for_mask": zeros}
    assert_trains_as_keras(
        lambda: compiled(
            L.Masking,
            lambda: L.Dense(5, "tanh"),
            lambda: cell(6, return_sequences=True, **options),
            lambda: cell(4, **options),
            lambda: L.Dense(1),
            stateful=stateful,
        ),
        padded(),
    )


def test_a_masked_network_goes_to_keras_and_back():
    network = tsuzuki.Network(
        1, (tsuzuki.Masking(0.5), tsuzuki.GRU(4, return_sequences=False, zero_output_for_mask=True), tsuzuki.Dense(1))
    )
    weights = tsuzuki.initialise(network, 0)
    model = tsuzuki.to_keras(network, weights, timesteps=STEPS)
    back, found = tsuzuki.from_keras(model)
    assert back == network
    for one, other in zip(weights, found, strict=True):
        np.testing.assert_array_equal(one, other)


MODES = ("concat", "sum", "mul", "ave")


# Of each way to join both orders of the two others.
@pytest.mark.parametrize(
    ("mode", "returns", "stateful"),
    [(mode, returns, returns == (mode in ("concat", "mul"))) for mode in MODES for returns in (False, True)],
)
def test_both_directions_are_trained_as_in_keras(mode, returns, stateful):
    def layer():
        cell = L.GRU if mode == "sum" else L.LSTM
        return L.Bidirectional(cell(5, stateful=stateful, return_sequences=returns), merge_mode=mode)

    behind = [lambda: L.SimpleRNN(3, stateful=stateful)] * returns
    ours, theirs = assert_trains_as_keras(lambda: compiled(layer, *behind, lambda: L.Dense(1), stateful=stateful))
    if stateful:
        for mine, other in zip(ours.layers[0].states, theirs.layers[0].states, strict=True):
            np.testing.assert_allclose(np.array(mine), np.array(other), atol=1e-4)


def test_masks_run_backwards_with_the_steps():
    assert_trains_as_keras(
        lambda: compiled(
            L.Masking,
            lambda: L.Bidirectional(L.LSTM(4, return_sequences=True)),
            lambda: L.GRU(3, go_backwards=True),
            lambda: L.Dense(1),
        ),
        padded(),
    )


def test_a_mask_that_keras_leaves_in_its_old_order_is_refused():
    model = compiled(
        L.Masking, lambda: L.GRU(3, return_sequences=True, go_backwards=True), lambda: L.GRU(2), lambda: L.Dense(2)
    )
    with pytest.raises(tsuzuki.UnsupportedModel, match="Keras hands the mask on in the old order; use Bidirectional"):
        tsuzuki.from_keras(model)


def test_both_outputs_of_two_directions_are_read_apart():
    def make():
        keras.utils.set_random_seed(1)
        given = keras.Input((STEPS, 1))
        one, other = L.Bidirectional(
            L.GRU(3, return_sequences=True),
            backward_layer=L.LSTM(3, return_sequences=True, go_backwards=True),
            merge_mode=None,
        )(given)
        model = keras.Model(given, L.Dense(1)(L.Concatenate()([L.SimpleRNN(3)(one), L.GRU(2)(other)])))
        model.compile("adam", "mse")
        return model

    assert_trains_as_keras(make)


STACKS = {
    "a cell": lambda **options: L.RNN(L.GRUCell(5, reset_after=False), **options),
    "a stack": lambda **options: L.RNN([L.LSTMCell(4, unit_forget_bias=False), L.SimpleRNNCell(3)], **options),
    "StackedRNNCells": lambda **options: L.RNN(L.StackedRNNCells([L.GRUCell(4), L.LSTMCell(3)]), **options),
    "backwards": lambda **options: L.RNN([L.GRUCell(4), L.GRUCell(3)], go_backwards=True, **options),
}


# Keras itself cannot carry the states of a stack.
@pytest.mark.parametrize(("name", "stateful"), [("a cell", True), *((name, False) for name in STACKS)])
def test_cells_in_a_layer_are_trained_as_in_keras(name, stateful):
    make = STACKS[name]
    # Where cells run backwards and return all steps, Keras hands the mask on in the old order.
    masks = [L.Masking] * (name != "backwards")
    assert_trains_as_keras(
        lambda: compiled(
            *masks,
            lambda: make(stateful=stateful, return_sequences=True),
            lambda: make(stateful=stateful),
            lambda: L.Dense(1),
            stateful=stateful,
        ),
        padded(),
    )


def test_stateful_and_stateless_layers_are_trained_together_as_in_keras():
    def make():
        return compiled(
            lambda: L.GRU(4, stateful=True, return_sequences=True),
            lambda: L.LSTM(3, return_sequences=True),
            lambda: L.SimpleRNN(3, stateful=True),
            lambda: L.Dense(1),
            stateful=True,
        )

    ours, theirs = assert_trains_as_keras(make, epochs=2)
    for layer in (0, 2):
        mine, other = (np.array(model.layers[layer].states[0]) for model in (ours, theirs))
        np.testing.assert_allclose(mine, other, atol=1e-4)
    assert [layer.stateful for layer in tsuzuki.from_keras(ours)[0].layers[:3]] == [True, False, True]


def test_a_network_that_looks_ahead_is_not_trained_where_that_makes_no_sense():
    network = tsuzuki.Network(1, (tsuzuki.Reverse(), tsuzuki.GRU(3), tsuzuki.Dense(1)))
    weights, series = tsuzuki.initialise(network, 0), WAVE[:100, None]
    segment = [tsuzuki.Segment(0, 100)]
    for layout, said in (
        (tsuzuki.Streams(6, 4), "looks ahead in its row.* targets that lie ahead in the row; use Windows"),
        (tsuzuki.Windows(6, 4, stateful=True), "looks ahead in its row.* the layout carries states; use Windows"),
    ):
        with pytest.raises(tsuzuki.SettingError, match=said):
            tsuzuki.fit(network, weights, series, series, layout.over(segment), epochs=1)
    done = tsuzuki.fit(network, weights, series, series, tsuzuki.Windows(6, 4).over(segment), epochs=3)
    assert done.history[-1].loss < done.history[0].loss


R, C = keras.regularizers, keras.constraints
RULES = {
    "regularised": lambda: [
        L.LSTM(5, kernel_regularizer=R.L1L2(0.01, 0.02), recurrent_regularizer="l2", bias_regularizer=R.L1(0.01)),
        L.Dense(1, kernel_regularizer="l1"),
    ],
    "both ways": lambda: [L.Bidirectional(L.GRU(3, kernel_regularizer="l2")), L.Dense(1)],
    "bounded": lambda: [
        L.GRU(5, kernel_constraint=C.MaxNorm(0.5), recurrent_constraint="unit_norm", bias_constraint="non_neg"),
        L.Dense(4, kernel_constraint=C.MinMaxNorm(0.3, 0.8, 0.5), bias_constraint=C.MaxNorm(0.01)),
        L.Dense(1, kernel_constraint="non_neg"),
    ],
    "frozen": lambda: [
        L.GRU(5, return_sequences=True, trainable=False, kernel_regularizer="l2"),
        L.SimpleRNN(3),
        L.Dense(1),
    ],
}


@pytest.mark.parametrize("optimizer", ["sgd, clipped", "nadam, decayed and averaged"])
@pytest.mark.parametrize("name", RULES)
def test_rules_for_weights_are_kept_as_in_keras(name, optimizer):
    def make():
        keras.utils.set_random_seed(1)
        model = keras.Sequential([keras.Input((STEPS, 1)), *RULES[name]()])
        if optimizer == "sgd, clipped":
            chosen = keras.optimizers.SGD(0.05, momentum=0.9, global_clipnorm=0.1)
        else:
            chosen = keras.optimizers.Nadam(weight_decay=0.05, use_ema=True, ema_overwrite_frequency=10)
        model.compile(chosen, "mse", metrics=["mae"])
        return model

    ours, theirs = assert_trains_as_keras(make, validation_split=0.2)
    for mine, other in zip(ours.optimizer.variables, theirs.optimizer.variables, strict=True):
        np.testing.assert_allclose(np.array(mine), np.array(other), rtol=1e-3, atol=1e-4)
    for mine, other in zip(ours.get_weights(), make().get_weights(), strict=False):
        if name == "frozen" and mine.shape[-1] == 15:
            np.testing.assert_array_equal(mine, other)


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        (
            lambda: L.GRU(2, kernel_regularizer="orthogonal_regularizer"),
            "kernel_regularizer of another kind than l1, l2",
        ),
        (
            lambda: L.GRU(2, activity_regularizer=keras.regularizers.OrthogonalRegularizer()),
            "has a activity_regularizer of another kind than l1, l2 or l1_l2",
        ),
        (lambda: L.GRU(2, kernel_constraint=C.MaxNorm(1, axis=1)), "kernel_constraint of another kind than MaxNorm"),
    ],
)
def test_rules_without_an_equal_are_named(layer, said):
    with pytest.raises(tsuzuki.UnsupportedModel, match=said):
        tsuzuki.from_keras(keras.Sequential([keras.Input((STEPS, 1)), layer()]))


def test_rules_of_a_network_hold_with_any_number_of_threads():
    rules = (
        tsuzuki.WeightRule(0, "kernel", l1=0.001, l2=0.002, constraint=tsuzuki.MaxNorm(0.5)),
        tsuzuki.WeightRule(0, "recurrent_kernel", trainable=False),
    )
    network = tsuzuki.Network(1, (tsuzuki.LSTM(40), tsuzuki.Dense(1)), rules=rules)
    weights, series = tsuzuki.initialise(network, 0), np.resize(WAVE, (4000, 1))
    layout = tsuzuki.Streams(20, 64).over([tsuzuki.Segment(0, 4000)])
    one, two = (
        tsuzuki.fit(network, weights, series, series, layout, epochs=2, threads=threads).weights for threads in (1, 2)
    )
    for first, second in zip(one, two, strict=True):
        np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(one[1], weights[1])
    assert np.linalg.norm(one[0], axis=0).max() <= 0.5 + 1e-6
    with pytest.raises(tsuzuki.SettingError, match="there is a rule for 'bias2' of layer 1, which has none"):
        tsuzuki.Network(1, (tsuzuki.LSTM(4),), rules=(tsuzuki.WeightRule(0, "bias2"),))


def encoder_and_decoder(cell, masked, both_ways):
    """A decoder that reads the series again from the encoder's states, and the states themselves."""
    keras.utils.set_random_seed(1)
    given = keras.Input((STEPS, 1))
    seen = L.Masking()(given) if masked else given
    if both_ways:
        _, *states = L.Bidirectional(cell(3, return_state=True))(seen)
        decoded = L.Bidirectional(cell(3, return_sequences=True))(given, initial_state=states)
    else:
        _, *states = cell(4, return_state=True)(seen)
        decoded = cell(4, return_sequences=True)(given, initial_state=states)
    model = keras.Model(given, L.Dense(1)(L.Concatenate()([L.SimpleRNN(3)(decoded), states[-1]])))
    model.compile("adam", "mse")
    return model


@pytest.mark.parametrize(
    ("cell", "masked", "both_ways"),
    [
        (L.LSTM, False, False),
        (L.GRU, True, False),
        (L.LSTM, True, False),
        (L.SimpleRNN, False, False),
        (L.LSTM, False, True),
        (L.GRU, False, True),
    ],
)
def test_encoders_and_decoders_are_trained_as_in_keras(cell, masked, both_ways):
    assert_trains_as_keras(
        lambda: encoder_and_decoder(cell, masked, both_ways), padded() if masked else X, validation_split=0.2
    )


def test_a_state_may_be_an_output_of_another_layer():
    def make():
        keras.utils.set_random_seed(1)
        given = keras.Input((STEPS, 1))
        begin = L.Dense(3, "tanh")(L.LSTM(4)(given))
        all_steps, last = L.GRU(3, return_sequences=True, return_state=True)(given, initial_state=begin)
        model = keras.Model(given, L.Dense(1)(L.Add()([L.SimpleRNN(3)(all_steps), last])))
        model.compile("adam", "mse")
        return model

    assert_trains_as_keras(make)


def test_states_that_do_not_fit_are_named():
    def network(*read):
        layers = {"a": (tsuzuki.GRU(3), "inputs"), "state": (tsuzuki.FinalState(), "a")}
        return tsuzuki.graph(1, layers | {"b": (tsuzuki.LSTM(3), *read), "y": (tsuzuki.Dense(1), "b")}, "y")

    with pytest.raises(tsuzuki.SettingError, match=r"LSTM\(3\) begins with states of 3 values; give 2 of 3"):
        network("inputs", "state")
    with pytest.raises(tsuzuki.SettingError, match="a state that no cell has; give number 0, or 1"):
        tsuzuki.FinalState(2)
