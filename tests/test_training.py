"""Epochs from outside: resets, validation, stopping, interruption, and problems with a known answer."""

import numpy as np
import pytest

from tsuzuki.data.segments import Segment
from tsuzuki.errors import DivergedError, SettingError
from tsuzuki.layouts.streams import Streams
from tsuzuki.layouts.windows import Windows
from tsuzuki.network.initialisers import initialise
from tsuzuki.network.layers import GRU, LSTM, Dense, SimpleRNN
from tsuzuki.network.losses import GaussianNLL, Pinball
from tsuzuki.network.network import Network
from tsuzuki.network.optimizers import SGD, Adam, Cosine, RMSprop
from tsuzuki.training.early_stopping import EarlyStopping, ReduceOnPlateau
from tsuzuki.training.fit import fit
from tsuzuki.training.predict import predict
from tsuzuki.training.progress import _state, progress_bar
from tsuzuki.training.records import Progress

SERIES = np.sin(np.arange(400) / 7).astype(np.float32)[:, None]
SMALL = Network(1, (SimpleRNN(6), Dense(1)))


def train(layout, network=SMALL, series=SERIES, **options):
    options = {"epochs": 2} | options
    return fit(network, initialise(network, 0), series, series, layout, **options)


def assert_same(a, b):
    for one, other in zip(a, b, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("settings", [Windows(6, 6, stateful=True), Windows(5, 4), Streams(8, 3)])
def test_validation_leaves_the_training_state_as_it_was(settings):
    training, held_out = [Segment(0, 300)], [Segment(300, 400)]
    layout = settings.over(training)
    alone = train(layout, epochs=3)
    watched = train(layout, epochs=3, validation=settings.after(training, held_out))
    assert_same(alone.weights, watched.weights)
    assert all(record.validation_loss is not None for record in watched.history)


@pytest.mark.parametrize("settings", [Windows(6, 6, stateful=True), Streams(8, 1)])
@pytest.mark.parametrize("cell", [SimpleRNN, GRU, LSTM])
def test_validation_goes_on_from_the_state_that_training_ended_in(settings, cell):
    network = Network(1, (cell(5), cell(4), Dense(1)))
    training, held_out = [Segment(0, 300)], [Segment(300, 400)]
    # A rate of 0 keeps the weights, so the state at the end of training is that of one uncut forward run.
    found = train(
        settings.over(training),
        network,
        epochs=1,
        optimizer=SGD(learning_rate=0.0),
        validation=settings.after(training, held_out),
    )
    forecasts = predict(network, initialise(network, 0), SERIES, settings.over([Segment(0, 400)]))
    expected = np.mean((forecasts[300:] - SERIES[300:]) ** 2)
    assert found.history[0].validation_loss == pytest.approx(expected, rel=1e-5)


def test_every_epoch_begins_from_a_zero_state():
    layout = Windows(6, 6, stateful=True).over([Segment(0, 400)])
    records = train(layout, epochs=3, optimizer=SGD(learning_rate=0.0)).history
    assert records[0].loss == records[1].loss == records[2].loss


def test_a_carried_state_changes_the_loss():
    losses = [
        train(Windows(6, 6, stateful=carried).over([Segment(0, 400)]), optimizer=SGD(learning_rate=0.0)).history[0]
        for carried in (False, True)
    ]
    assert losses[0].loss != losses[1].loss


def test_the_same_seed_gives_the_same_bits_twice():
    network = Network(1, (LSTM(7, dropout=0.2, recurrent_dropout=0.2), Dense(1)))
    runs = [train(Streams(8, 4).over([Segment(0, 400)]), network, seed=seed) for seed in (1, 1, 2)]
    assert_same(runs[0].weights, runs[1].weights)
    assert any((a != b).any() for a, b in zip(runs[0].weights, runs[2].weights, strict=True))


def test_shuffled_windows_come_in_a_new_order_each_epoch():
    windows = Windows(6, 6, shuffle=True, seed=4)
    found = train(lambda epoch: windows.over([Segment(0, 400)], epoch))
    same = train(windows.over([Segment(0, 400)], 0))
    assert found.history[0].loss == same.history[0].loss
    assert found.history[1].loss != same.history[1].loss


def test_early_stopping_gives_the_best_weights_back():
    training, held_out = [Segment(0, 300)], [Segment(300, 400)]
    settings = Streams(8, 3)
    layout, validation = settings.over(training), settings.after(training, held_out)
    rough = Adam(learning_rate=0.1)
    found = train(layout, epochs=60, optimizer=rough, validation=validation, early_stopping=EarlyStopping(patience=4))
    losses = [record.validation_loss for record in found.history]
    assert losses[found.best_epoch - 1] == min(losses)
    assert len(losses) == found.best_epoch + 4 < 60
    again = train(layout, epochs=found.best_epoch, optimizer=rough)
    assert_same(found.weights, again.weights)


def test_the_rate_falls_on_a_plateau():
    layout = Streams(8, 3).over([Segment(0, 400)])
    still = ReduceOnPlateau(factor=0.0, patience=1, min_delta=1e9)
    stopped = train(layout, epochs=6, reduce_on_plateau=still)
    once = train(layout, epochs=2)
    assert_same(stopped.weights, once.weights)


def test_a_run_that_diverges_names_the_place_and_keeps_finite_weights():
    network = Network(1, (SimpleRNN(6, "linear"), Dense(1)))
    with pytest.raises(
        DivergedError, match=r"not finite in update \d+ of epoch \d+; try a lower learning rate"
    ) as caught:
        train(Streams(8, 3).over([Segment(0, 400)]), network, epochs=50, optimizer=SGD(learning_rate=1e4))
    assert all(np.isfinite(array).all() for array in caught.value.weights)


def test_ctrl_c_ends_a_run_with_the_weights_so_far():
    def interrupt(record):
        if record.epoch == 2:
            raise KeyboardInterrupt

    layout = Streams(8, 3).over([Segment(0, 400)])
    found = train(layout, epochs=50, on_epoch=interrupt)
    assert found.interrupted
    assert len(found.history) == 2
    assert_same(found.weights, train(layout, epochs=2).weights)


def test_progress_is_told_up_to_the_last_update():
    seen = []
    layout = Windows(6, 6).over([Segment(0, 400)])
    train(layout, on_progress=seen.append)
    assert [(now.epoch, now.update) for now in seen if now.update == now.updates] == [
        (1, layout.updates),
        (2, layout.updates),
    ]


def test_the_bar_shows_epoch_loss_speed_and_time_left():
    shown = _state(Progress(epoch=2, epochs=5, update=30, updates=100, loss=0.0123), elapsed=2.0)
    assert shown == {
        "description": "epoch 2/5",
        "total": 500,
        "completed": 130,
        "words": "loss 0.01230  65 updates/s",
    }


def test_the_bar_is_drawn_on_a_terminal_and_nowhere_else(monkeypatch, capsys):
    layout = Windows(6, 6).over([Segment(0, 400)])
    with progress_bar() as show:
        train(layout, on_progress=show)
    assert capsys.readouterr().err == ""
    monkeypatch.setenv("FORCE_COLOR", "1")
    with progress_bar() as show:
        train(layout, on_progress=show)
    assert "epoch 2/2" in capsys.readouterr().err


def test_a_layer_that_returns_other_steps_than_are_scored_is_named():
    layout = Windows(6, 6).over([Segment(0, 400)])
    with pytest.raises(SettingError, match="has return_sequences=True, but the layout scores only the last"):
        train(layout, Network(1, (GRU(3, return_sequences=True), Dense(1))))
    train(layout, Network(1, (GRU(3, return_sequences=False), Dense(1))))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "a run of 0 epochs trains nothing"),
        ({"loss": "wing"}, "no loss named 'wing'; choose one of mse"),
        ({"loss": Pinball((0.1, 0.9))}, "has 1 outputs, but Pinball on 1 target values needs 2"),
        ({"series": np.zeros((400, 2), np.float32)}, "inputs have 2 columns, but the network takes 1"),
        ({"series": np.zeros(400, np.float32)}, "inputs have 1 axes; give them as"),
        ({"series": SERIES[:399]}, r"last target is at position 399 \(and 0 further\), but there are 399 points"),
        (
            {"horizon": 3, "network": Network(1, (SimpleRNN(6), Dense(3)))},
            r"last target is at position 399 \(and 2 further\), but there are 400 points; lay out fewer, or",
        ),
        (
            {"lags": ((20, 1),), "network": Network(2, (SimpleRNN(6), Dense(1)))},
            "the lags reach 20 rows back, but the layout begins at position 0; begin its segments later",
        ),
        (
            {"sample_weights": np.ones(7, np.float32)},
            r"sample_weights have shape \(7,\); give one for each of 400",
        ),
        (
            {"loss": GaussianNLL(), "residual": True, "network": Network(1, (SimpleRNN(6), Dense(2)))},
            "GaussianNLL has a head that is no forecast, so none can be residual; use",
        ),
        ({"output_weights": np.ones(2, np.float32)}, "there are 2 output_weights for 1 outputs; give one for each"),
    ],
)
def test_settings_that_do_not_fit_are_named(options, message):
    with pytest.raises(SettingError, match=message):
        train(Windows(6, 6).over([Segment(0, 400)]), **options)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SimpleRNN(0), r"SimpleRNN\(0\) has no units"),
        (lambda: GRU(3, "swish"), r"GRU\(3\) has activation 'swish'; choose one of linear, tanh"),
        (lambda: LSTM(3, go_backwards=True), "go_backwards=True, but a state carried from the past"),
        (lambda: LSTM(3, dropout=1.0), "has dropout 1.0; give a share of at least 0 and below 1"),
        (lambda: Network(1, (Dense(3),)), "no layer of the network is recurrent"),
        (lambda: Network(0, (GRU(3),)), "needs at least 1 input, not 0"),
        (
            lambda: Network(1, (GRU(3, return_sequences=False), GRU(3))),
            r"layer 1 \(GRU\(3\)\) has return_sequences",
        ),
        (lambda: SGD(clipnorm=1.0, clipvalue=1.0), "SGD has clipvalue and clipnorm; set only one way"),
        (lambda: Pinball((0.5, 1.5)), "give one or more between 0 and 1"),
    ],
)
def test_descriptions_that_cannot_work_are_refused_in_words(make, message):
    with pytest.raises(SettingError, match=message):
        make()


def test_threads_are_named_in_the_environment_or_refused(monkeypatch):
    monkeypatch.setenv("TSUZUKI_NUM_THREADS", "many")
    with pytest.raises(SettingError, match="TSUZUKI_NUM_THREADS is 'many' in the environment; set it to"):
        train(Windows(6, 6).over([Segment(0, 400)]))


def test_a_delayed_echo_is_learned_only_with_a_carried_state():
    # The target is the input 6 steps back and a row has 10 steps: what the first 6 of them need lies in the row before.
    generator = np.random.default_rng(0)
    inputs = generator.choice([-1.0, 1.0], (10_001, 1)).astype(np.float32)
    targets = np.roll(inputs, 7, axis=0)
    network = Network(1, (GRU(32), Dense(1)))

    def loss(segments):
        layout = Streams(10, 20).over(segments)
        rate = Cosine(0.01, 40 * layout.updates)
        found = fit(
            network, initialise(network, 0), inputs, targets, layout, epochs=40, optimizer=Adam(learning_rate=rate)
        )
        return found.history[-1].loss

    assert loss([Segment(0, 10_001)]) < 0.03
    # A segment to a row is a zero state for each: the same rows, nothing carried, and 6 of 10 answers are a guess.
    assert loss([Segment(start, start + 11) for start in range(0, 10_000, 10)]) > 0.5


def test_numbers_marked_fifty_steps_back_are_added():
    # The adding problem (Hochreiter and Schmidhuber 1997): two of 50 numbers are marked, the answer is their sum.
    generator = np.random.default_rng(0)
    count, steps = 2000, 50
    inputs = np.zeros((count * (steps + 1), 2), np.float32)
    targets = np.full((len(inputs), 1), np.nan, np.float32)
    for i in range(count):
        rows = slice(i * (steps + 1), i * (steps + 1) + steps)
        inputs[rows, 0] = generator.random(steps)
        marked = generator.choice(steps // 2, 2, replace=False) + np.array([0, steps // 2])
        inputs[rows.start + marked, 1] = 1
        targets[rows.stop] = inputs[rows.start + marked, 0].sum()
    segments = [Segment(i * (steps + 1), (i + 1) * (steps + 1)) for i in range(count)]
    network = Network(2, (GRU(32), Dense(1)))
    found = fit(
        network,
        initialise(network, 1),
        inputs,
        targets,
        Windows(steps, 50).over(segments),
        epochs=60,
        optimizer=Adam(learning_rate=0.003, global_clipnorm=1.0),
    )
    # Always answering 1 scores 1/6.
    assert found.history[-1].loss < 0.01


def test_forecasts_reach_every_target_and_nothing_else():
    network = Network(1, (GRU(4), Dense(2)))
    segments = [Segment(3, 90), Segment(120, 300)]
    for layout in (Streams(7, 4).over(segments), Windows(7, 4, stateful=True).over(segments)):
        found = np.isfinite(predict(network, initialise(network, 0), SERIES, layout)).all(axis=1)
        first = 1 if layout.every_step else 7
        expected = np.zeros(400, bool)
        for segment in segments:
            expected[segment.start + first : segment.stop] = True
        np.testing.assert_array_equal(found, expected)


def test_training_in_place_of_rmsprop_defaults_is_the_classic_recipe():
    layout = Windows(6, 6).over([Segment(0, 400)])
    assert_same(train(layout).weights, train(layout, optimizer=RMSprop(learning_rate=0.001, rho=0.9)).weights)
