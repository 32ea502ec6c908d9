"""Keras's callbacks under `tsuzuki.fit`: each sees what it would see under `model.fit`, and may change it."""

import csv

import numpy as np
import pytest

import tsuzuki
from keras_models import WAVE, Resets, classic, difference, keras, windows
from tsuzuki.keras.callbacks import TESTING, TRAINING, hears

X, Y = windows(WAVE[:246], 6)
HELD_OUT = (X[180:], Y[180:])
OPTIONS = {"batch_size": 6, "epochs": 2, "verbose": 0}
HOOKS = [
    f"on_{what}_{when}"
    for what in ("epoch", "train", "test", "train_batch", "test_batch", "batch")
    for when in ("begin", "end")
]


class Recorder(keras.callbacks.Callback):
    """Writes down every call with its logs and one weight of the model, as it stands then."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def note(self, hook, *arguments):
        where = [argument for argument in arguments if isinstance(argument, int)]
        logs = next((argument for argument in arguments if isinstance(argument, dict)), {})
        self.seen.append((hook, where, dict(logs), float(self.model.get_weights()[1][0, 0])))


for hook in HOOKS:
    setattr(Recorder, hook, lambda self, *arguments, hook=hook, **named: self.note(hook, *arguments, *named.values()))


class EpochRecorder(keras.callbacks.Callback):
    """The same for epochs alone."""

    seen = None

    def on_epoch_end(self, epoch, logs=None):
        self.seen = [*(self.seen or []), (epoch, logs, self.model.get_weights(), int(self.model.optimizer.iterations))]


def train(model, *callbacks, x=X[:180], y=Y[:180], **options):
    return tsuzuki.fit(model, x, y, callbacks=list(callbacks), **(OPTIONS | options))


def test_every_hook_is_called_in_keras_order_with_keras_logs_and_weights():
    ours, theirs = Recorder(), Recorder()
    model, other = classic(metrics=["mae"]), classic(metrics=["mae"])
    train(model, ours, validation_data=HELD_OUT)
    other.fit(X[:180], Y[:180], shuffle=False, validation_data=HELD_OUT, callbacks=[Resets(), theirs], **OPTIONS)
    assert [entry[:2] for entry in ours.seen] == [entry[:2] for entry in theirs.seen]
    for mine, expected in zip(ours.seen, theirs.seen, strict=True):
        assert mine[2] == pytest.approx(expected[2], rel=2e-4, abs=1e-6), mine[:2]
        assert mine[3] == pytest.approx(expected[3], abs=1e-4), mine[:2]


def test_callbacks_for_each_batch_change_nothing_in_the_run():
    alone, watched = classic(metrics=["mae"]), classic(metrics=["mae"])
    expected = train(alone, validation_data=HELD_OUT).history
    found = train(watched, Recorder(), validation_data=HELD_OUT).history
    assert difference(alone, watched) == 0
    for name, values in expected.items():
        assert found[name] == pytest.approx(values, rel=1e-9)


def test_the_weights_are_in_the_model_at_the_end_of_every_epoch():
    recorder = EpochRecorder()
    train(classic(), recorder, epochs=3)
    for epoch, _, weights, iterations in recorder.seen:
        alone = classic()
        train(alone, epochs=epoch + 1)
        assert iterations == 30 * (epoch + 1)
        for mine, expected in zip(weights, alone.get_weights(), strict=True):
            np.testing.assert_array_equal(mine, expected)


def test_weights_that_a_callback_sets_are_trained_on():
    start = classic().get_weights()

    class StartAgain(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 0:
                self.model.set_weights(start)
                for variable in self.model.optimizer.variables[2:]:
                    variable.assign(np.zeros(variable.shape))

    losses = train(classic(), StartAgain()).history["loss"]
    assert losses[0] == losses[1]


def test_early_stopping_gives_the_best_weights_back():
    stopping = keras.callbacks.EarlyStopping(patience=2, restore_best_weights=True)
    recorder, model = EpochRecorder(), classic(optimizer=keras.optimizers.RMSprop(0.05))
    history = train(model, recorder, stopping, epochs=60, validation_data=HELD_OUT).history
    best = int(np.argmin(history["val_loss"]))
    assert len(history["loss"]) == best + 3 < 60
    for mine, expected in zip(model.get_weights(), recorder.seen[best][2], strict=True):
        np.testing.assert_array_equal(mine, expected)


def test_early_stopping_finds_out_which_way_a_metric_should_go():
    stopping = keras.callbacks.EarlyStopping(monitor="val_mae", patience=1, min_delta=10.0)
    assert len(train(classic(metrics=["mae"]), stopping, epochs=9, validation_data=HELD_OUT).epoch) == 2


def test_a_checkpoint_holds_the_best_weights(tmp_path):
    path = tmp_path / "best.keras"
    checkpoint = keras.callbacks.ModelCheckpoint(path, monitor="loss", save_best_only=True)
    recorder, model = EpochRecorder(), classic()
    history = train(model, recorder, checkpoint, epochs=3).history
    best = int(np.argmin(history["loss"]))
    saved = keras.saving.load_model(path)
    for mine, expected in zip(saved.get_weights(), recorder.seen[best][2], strict=True):
        np.testing.assert_array_equal(mine, expected)
    assert int(saved.optimizer.iterations) == 30 * (best + 1)


def test_a_checkpoint_every_few_batches_is_written(tmp_path):
    train(classic(), keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}-{batch}.keras", save_freq=13))
    assert {path.name for path in tmp_path.iterdir()} == {"1-13.keras", "1-26.keras", "2-9.keras", "2-22.keras"}


def test_the_rate_that_a_callback_sets_is_used():
    class Frozen(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.optimizer.learning_rate = 0.0

    model, expected = classic(), classic()
    train(model, Frozen(), epochs=3)
    train(expected, epochs=1)
    assert difference(model, expected) == 0


@pytest.mark.parametrize("name", ["plateau", "scheduler"])
def test_callbacks_that_move_the_rate_agree_with_keras(name):
    def make():
        if name == "plateau":
            return keras.callbacks.ReduceLROnPlateau(monitor="loss", patience=1, min_delta=10.0)
        return keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.5)

    ours, theirs = classic(), classic()
    found = train(ours, make(), epochs=4).history
    options = OPTIONS | {"epochs": 4}
    expected = theirs.fit(X[:180], Y[:180], shuffle=False, callbacks=[Resets(), make()], **options).history
    assert list(found) == list(expected)
    for key, values in expected.items():
        np.testing.assert_allclose(found[key], values, rtol=1e-4)


def test_the_csv_logger_writes_the_history(tmp_path):
    history = train(
        classic(metrics=["mae"]), keras.callbacks.CSVLogger(tmp_path / "log.csv"), validation_split=0.2
    ).history
    rows = list(csv.DictReader((tmp_path / "log.csv").open()))
    assert [float(row["val_mae"]) for row in rows] == pytest.approx(history["val_mae"])
    assert [row["epoch"] for row in rows] == ["0", "1"]


def test_tensorboard_writes_its_events(tmp_path):
    pytest.importorskip("tensorboard", reason="TensorBoard is not installed: pip install tensorboard")
    board = keras.callbacks.TensorBoard(tmp_path, histogram_freq=1)
    train(classic(), board, validation_data=HELD_OUT)
    assert {path.name for path in tmp_path.iterdir()} == {"train", "validation"}
    assert not hears(board, TRAINING)
    every_batch = keras.callbacks.TensorBoard(tmp_path, update_freq="batch")
    train(classic(), every_batch)
    assert hears(every_batch, TRAINING)


def test_lambda_callbacks_are_called():
    seen = []
    train(
        classic(),
        keras.callbacks.LambdaCallback(
            on_epoch_begin=lambda epoch, logs: seen.append(f"epoch {epoch}"),
            on_train_batch_end=lambda batch, logs: seen.append(batch),
            on_train_end=lambda logs: seen.append(sorted(logs)),
        ),
    )
    assert seen == ["epoch 0", *range(30), "epoch 1", *range(30), ["loss"]]


def test_a_backup_is_restored_and_gone_on_from(tmp_path):
    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise RuntimeError("power cut")

    model = classic()
    with pytest.raises(RuntimeError, match="power cut"):
        train(model, keras.callbacks.BackupAndRestore(tmp_path), Stop(), epochs=4)
    again, expected = classic(), classic()
    history = train(again, keras.callbacks.BackupAndRestore(tmp_path), epochs=4)
    train(expected, epochs=4)
    assert history.epoch == [2, 3]
    assert difference(again, expected) == 0


def test_a_callback_that_stops_in_the_middle_of_an_epoch_stops_there():
    class Enough(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = batch == 7

    model = classic()
    history = train(model, Enough(), epochs=5)
    assert int(model.optimizer.iterations) == 8
    assert len(history.epoch) == 1


def test_one_callback_needs_no_list_and_a_callback_list_is_taken_as_it_is():
    recorder, model = EpochRecorder(), classic()
    tsuzuki.fit(model, X, Y, callbacks=recorder, **OPTIONS)
    assert len(recorder.seen) == 2
    listed = keras.callbacks.CallbackList([recorder], add_history=True, model=model, epochs=2)
    assert len(tsuzuki.fit(model, X, Y, callbacks=listed, **OPTIONS).epoch) == 2
    assert len(recorder.seen) == 4


def test_callbacks_that_look_once_an_epoch_do_not_slow_the_updates_down(tmp_path):
    quick = [
        keras.callbacks.EarlyStopping(),
        keras.callbacks.ModelCheckpoint(tmp_path / "a.keras"),
        keras.callbacks.BackupAndRestore(tmp_path),
        keras.callbacks.ReduceLROnPlateau(),
        keras.callbacks.CSVLogger(tmp_path / "log.csv"),
        keras.callbacks.LearningRateScheduler(lambda epoch: 0.1),
        keras.callbacks.TerminateOnNaN(),
        keras.callbacks.LambdaCallback(on_epoch_end=print),
        EpochRecorder(),
        Resets(),
    ]
    assert not any(hears(callback, TRAINING) or hears(callback, TESTING) for callback in quick)
    assert hears(Recorder(), TRAINING)
    assert hears(Recorder(), TESTING)


def test_a_run_that_diverges_names_the_place_and_keeps_finite_weights():
    model = classic(activation="linear", optimizer=keras.optimizers.SGD(1e4))
    with pytest.raises(
        tsuzuki.DivergedError, match=r"the loss is not finite in update \d+ of epoch 1; try a lower learning rate"
    ):
        train(model)
    assert all(np.isfinite(array).all() for array in model.get_weights())


def test_terminate_on_nan_ends_a_run_that_diverges(capsys):
    model = classic(activation="linear", optimizer=keras.optimizers.SGD(1e4))
    history = train(model, keras.callbacks.TerminateOnNaN(), epochs=5)
    assert "Invalid loss, terminating training" in capsys.readouterr().out
    assert len(history.epoch) == 1
    assert not np.isfinite(history.history["loss"][0])


def test_what_a_callback_sets_at_the_end_of_the_last_epoch_is_kept():
    class Sets(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.layers[-1].bias.assign([7.0])

    model = classic()
    train(model, Sets())
    assert model.get_weights()[-1] == 7.0
