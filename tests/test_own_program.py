"""A small network that trains for long gets a program of its own, and nobody can tell but by the clock."""

import numpy as np
import pytest

import tsuzuki
from tsuzuki import GRU, LSTM, Conv1D, Dense, Dropout, LayerNormalization, Masking, MaxPooling1D, Network, SimpleRNN
from tsuzuki.engine import own_program
from tsuzuki.network.optimizers import SGD, Adam, RMSprop

STEPS = 6
CASES = {
    "tutorial": (Network(1, (SimpleRNN(10), Dense(10, "tanh"), Dense(1))), RMSprop()),
    "masked": (Network(2, (Masking(0.0), LSTM(5), LayerNormalization(), Dense(3, "softmax"))), Adam(global_clipnorm=1)),
    "convolved": (Network(2, (Conv1D(4, 2), MaxPooling1D(2), GRU(5), Dropout(0.3), Dense(1))), SGD(0.01, momentum=0.9)),
}


@pytest.fixture
def made(monkeypatch):
    """The programs that were asked for; each is made at the first update."""
    monkeypatch.setenv("TSUZUKI_OWN_PROGRAMS", "1")
    found = {}

    def own(request):
        if request not in found:
            found[request] = own_program._Own(request)
        return found[request]

    monkeypatch.setattr(own_program, "_own", own)
    monkeypatch.setattr(own_program, "LOOK_FOR", 0)
    monkeypatch.setattr(own_program, "MAKE", -1)
    monkeypatch.setattr(own_program, "threads_allowed", lambda: 2)
    return found


def train(network, optimizer, **options):
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(1200, network.inputs)).astype(np.float32)
    inputs[::7] = 0
    targets = np.eye(network.outputs, dtype=np.float32)[rng.integers(0, network.outputs, 1200)]
    if network.outputs == 1:
        targets = inputs[:, :1]
    layout = tsuzuki.Windows(STEPS, 4, stateful=True).over([tsuzuki.Segment(0, 1200)])
    weights = tsuzuki.initialise(network, 0)
    return tsuzuki.fit(network, weights, inputs, targets, layout, epochs=2, optimizer=optimizer, seed=3, **options)


def counted(own):
    """Count the updates that a program has run from here on."""
    calls, native = [], own._native

    def program(address, thread):
        calls.append(address)
        return native(address, thread)

    own._native = program
    return calls


@pytest.mark.parametrize("case", CASES)
def test_the_own_program_gives_the_bits_of_the_general_one(case, made):
    network, optimizer = CASES[case]
    general = train(network, optimizer)
    (own,) = made.values()
    if own._maker is not None:
        own._maker.wait()
    assert own.program() is not None
    calls = counted(own)
    again = train(network, optimizer)
    assert len(calls) > 1
    for one, other in zip(general.weights, again.weights, strict=True):
        assert np.array_equal(one, other)
    assert [record.loss for record in general.history] == [record.loss for record in again.history]


def test_a_job_that_differs_asks_for_another_program(made, monkeypatch):
    monkeypatch.setattr(own_program._Own, "_begin", lambda self: None)
    network, _ = CASES["tutorial"]
    for optimizer in (RMSprop(), RMSprop(momentum=0.5), Adam()):
        train(network, optimizer)
    # Momentum is a setting, which stands outside the table.
    assert len(made) == 2
    train(Network(1, (SimpleRNN(11), Dense(10, "tanh"), Dense(1))), RMSprop())
    assert len(made) == 3


def test_a_compiler_that_fails_is_not_asked_again(made, monkeypatch):
    monkeypatch.setattr(own_program.sys, "executable", "/bin/false")
    network = Network(1, (SimpleRNN(7), Dense(1)))
    train(network, RMSprop())
    (own,) = made.values()
    own._maker.wait()
    assert own.program() is None
    maker = own._maker
    train(network, RMSprop())
    assert own._maker is maker
    assert own._given_up


@pytest.mark.parametrize("reason", ["forbidden", "one core"])
def test_none_is_made_where_it_is_forbidden_or_there_is_no_other_core(reason, made, monkeypatch):
    if reason == "one core":
        monkeypatch.setattr(own_program, "threads_allowed", lambda: 1)
    else:
        monkeypatch.setenv("TSUZUKI_OWN_PROGRAMS", "0")
    train(Network(1, (SimpleRNN(8), Dense(1))), RMSprop())
    (own,) = made.values()
    assert own._maker is None


def test_short_trainings_and_large_networks_ask_for_none(monkeypatch):
    asked = []
    monkeypatch.setattr(own_program, "_own", asked.append)
    train(CASES["tutorial"][0], RMSprop())
    monkeypatch.setattr(own_program, "LOOK_FOR", 0)
    large = Network(1, (LSTM(256), Dense(1)))
    values = np.zeros((2 * 48 * 32 + 1, 1), np.float32)
    layout = tsuzuki.Streams(48, 32).over([tsuzuki.Segment(0, len(values))])
    tsuzuki.fit(large, tsuzuki.initialise(large, 0), values, values, layout, epochs=1)
    assert asked == []
