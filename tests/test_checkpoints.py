"""A run that is killed and started again ends as if nothing had happened."""

import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from tsuzuki.data.segments import Segment
from tsuzuki.errors import FileError, SettingError
from tsuzuki.forecaster import Forecaster
from tsuzuki.layouts.streams import Streams
from tsuzuki.layouts.windows import Windows
from tsuzuki.network.initialisers import initialise
from tsuzuki.network.layers import GRU, Dense
from tsuzuki.network.network import Network
from tsuzuki.network.optimizers import Adam
from tsuzuki.training.checkpoints import seconds_of
from tsuzuki.training.early_stopping import EarlyStopping
from tsuzuki.training.fit import fit

# A run with all that has to be kept: dropout's masks, missing values, validation, the best weights, the optimiser.
RUN = """
import sys, time
import numpy as np
from tsuzuki.layouts.streams import Streams
from tsuzuki.network.initialisers import initialise
from tsuzuki.network.layers import GRU, Dense
from tsuzuki.network.network import Network
from tsuzuki.network.optimizers import Adam
from tsuzuki.data.segments import Segment
from tsuzuki.training.early_stopping import EarlyStopping
from tsuzuki.training.fit import fit

series = np.sin(np.arange(1500) / 7).astype(np.float32)[:, None]
inputs = series.copy()
inputs[100:110] = np.nan
inputs[700] = np.nan
targets = np.where(np.isnan(inputs), np.nan, series).astype(np.float32)
network = Network(1, (GRU(6, dropout=0.1, recurrent_dropout=0.1), Dense(1)))
kinds = Streams(5, 3)
done = fit(
    network, initialise(network, 1), inputs, targets, kinds.over([Segment(0, 1200)]), epochs=6,
    optimizer=Adam(), impute_from=0, residual=True, validation=kinds.after([Segment(0, 1200)], [Segment(1200, 1500)]),
    early_stopping=EarlyStopping(3), checkpoint=sys.argv[1] or None, every=0.05,
    on_progress=lambda now: time.sleep(float(sys.argv[3])),
)
print("trained", flush=True)
np.savez(sys.argv[2], *done.weights, losses=[record.loss for record in done.history],
         checked=[record.validation_loss for record in done.history], best=done.best_epoch)
"""


def start(checkpoint, result, pause):
    # Calls of few updates each, so that there are many moments between them.
    slow = "import tsuzuki.training.epoch as t; t.CALL_SECONDS = 1e-5\n"
    return subprocess.Popen([sys.executable, "-c", slow + RUN, str(checkpoint), str(result), str(pause)])


def contents(path):
    with np.load(path) as found:
        return {name: found[name].tobytes() for name in found.files}


def test_a_run_killed_at_twenty_moments_ends_with_the_bits_of_one_that_was_not(tmp_path):
    assert start("", tmp_path / "whole.npz", 0).wait() == 0
    generator, checkpoint = random.Random(0), tmp_path / "run.checkpoint"
    stood = 0
    for _ in range(20):
        process = start(checkpoint, tmp_path / "killed.npz", 0.02)
        time.sleep(generator.uniform(0.3, 1.1))
        stood += checkpoint.exists()
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert stood > 5, "the run was never far enough to have a checkpoint"
    assert start(checkpoint, tmp_path / "killed.npz", 0).wait() == 0
    assert contents(tmp_path / "killed.npz") == contents(tmp_path / "whole.npz")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".run.checkpoint")] == []


SERIES = np.sin(np.arange(300) / 5).astype(np.float32)[:, None]
NETWORK = Network(1, (GRU(4), Dense(1)))


def train(path, **options):
    layout = Streams(5, 2).over([Segment(0, 300)])
    options = {"epochs": 3, "optimizer": Adam(), "checkpoint": path, "every": "0s"} | options
    return fit(NETWORK, initialise(NETWORK, 0), SERIES, SERIES, layout, **options)


def test_a_finished_run_is_not_done_again(tmp_path):
    first = train(tmp_path / "c")
    seen = []
    second = train(tmp_path / "c", on_epoch=seen.append)
    assert seen == []
    assert all(np.array_equal(a, b) for a, b in zip(first.weights, second.weights, strict=True))
    assert second.history == first.history


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    train(tmp_path / "c")
    with pytest.raises(SettingError, match="belongs to another run"):
        train(tmp_path / "c", epochs=4)


def test_early_stopping_remembers_across_a_restart(tmp_path):
    whole = train(None, epochs=30, early_stopping=EarlyStopping(2, min_delta=0.05))

    class StopError(Exception):
        pass

    def stop(record):
        if record.epoch == 2:
            raise StopError

    with pytest.raises(StopError):
        train(tmp_path / "c", epochs=30, early_stopping=EarlyStopping(2, min_delta=0.05), on_epoch=stop)
    resumed = train(tmp_path / "c", epochs=30, early_stopping=EarlyStopping(2, min_delta=0.05))
    assert [record.loss for record in resumed.history] == [record.loss for record in whole.history]
    assert resumed.best_epoch == whole.best_epoch


def test_a_checkpoint_that_cannot_be_written_ends_the_run_with_the_old_one_intact(tmp_path, monkeypatch):
    train(tmp_path / "c")
    before = (tmp_path / "c").read_bytes()
    (tmp_path / "d").write_bytes(before)

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FileError, match=r"c cannot be written \(No space left"):
        train(tmp_path / "c")
    assert (tmp_path / "c").read_bytes() == before


def test_a_checkpoint_in_a_folder_that_is_not_there_is_named_before_training(tmp_path):
    with pytest.raises(FileError, match="make it first"):
        train(tmp_path / "no" / "c")
    with pytest.raises(FileError, match="which is a folder"):
        train(tmp_path)


def test_a_checkpoint_of_other_rows_is_refused(tmp_path):
    windows = Windows(5, 2, shuffle=True, seed=0)
    options = {"epochs": 2, "checkpoint": tmp_path / "c"}
    fit(NETWORK, initialise(NETWORK, 0), SERIES, SERIES, windows.over([Segment(0, 300)]), **options)
    for other in (Windows(5, 2, shuffle=True, seed=1), Windows(5, 2), Windows(5, 2, stateful=True)):
        with pytest.raises(SettingError, match="belongs to"):
            fit(NETWORK, initialise(NETWORK, 0), SERIES, SERIES, other.over([Segment(0, 300)]), **options)


def test_a_damaged_checkpoint_is_named(tmp_path):
    train(tmp_path / "c")
    content = bytearray((tmp_path / "c").read_bytes())
    content[-3] ^= 1
    (tmp_path / "c").write_bytes(content)
    with pytest.raises(FileError, match="altered"):
        train(tmp_path / "c")


def test_a_forecaster_goes_on_from_its_checkpoints(tmp_path, daily):
    small = {"units": 4, "layers": 1, "head": 0, "ensemble": 2, "epochs": 2, "lags": ((1, 1),)}
    whole = Forecaster(3, **small).fit(daily)
    first = Forecaster(3, **small).fit(daily, checkpoint=tmp_path / "c", every="0s")
    again = Forecaster(3, **small).fit(daily, checkpoint=tmp_path / "c", every="0s")
    assert first.predict().equals(whole.predict())
    assert again.predict().equals(whole.predict())


@pytest.mark.parametrize(("text", "seconds"), [("30s", 30), ("5m", 300), ("1h", 3600), (2.5, 2.5), ("7", 7)])
def test_spans_of_time(text, seconds):
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["soon", "5 days", "", "1.2.3s"])
def test_what_is_no_span_of_time_is_named(text):
    with pytest.raises(SettingError, match="give a span such as 30s"):
        seconds_of(text)


def test_the_command_goes_on_from_its_checkpoint_and_ends_with_the_same_bits(tmp_path, daily):
    daily.rename_axis("time").to_csv(tmp_path / "readings.csv")
    small = ["--horizon", "3", "--units", "6", "--layers", "1", "--ensemble", "2", "--epochs", "1500"]

    def command(output, *options):
        arguments = ["fit", str(tmp_path / "readings.csv"), "-o", str(tmp_path / output), *small, *options]
        return subprocess.Popen([sys.executable, "-m", "tsuzuki", *arguments], stdout=subprocess.PIPE, text=True)

    assert command("whole.tsuzuki").wait(120) == 0
    kept = ["--checkpoint", str(tmp_path / "kept"), "--every", "0.01s"]
    killed = 0
    for pause in (1.0, 1.4, 1.8):
        process = command("killed.tsuzuki", *kept)
        time.sleep(pause)
        killed += process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert command("killed.tsuzuki", *kept).wait(120) == 0
    assert killed
    assert not list(tmp_path.glob("kept*"))
    import tsuzuki

    whole, again = (tsuzuki.load(tmp_path / name).fitted.members for name in ("whole.tsuzuki", "killed.tsuzuki"))
    for one, other in zip(whole, again, strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_what_killed_processes_left_beside_a_checkpoint_is_removed_and_what_living_ones_write_is_not(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    left, written = tmp_path / f".c.{dead.pid}-0a1b2c3d", tmp_path / f".c.{os.getpid()}-0a1b2c3d"
    others = [tmp_path / f".d.{dead.pid}-0a1b2c3d", tmp_path / ".c.mine-a"]
    for path in (left, written, *others):
        path.write_text("half")
    train(tmp_path / "c")
    assert not left.exists()
    assert all(path.exists() for path in (written, *others))


@pytest.mark.parametrize(
    "change",
    [
        {"at": -1},
        {"epoch": "1"},
        {"done": None},
        {"watch": {}},
        {"history": [7]},
        {"history": [{"epoch": 1, "loss": [], "validation_loss": None, "seconds": 0.0, "updates": 1}]},
        {"updates_done": 0.5},
    ],
)
def test_a_checkpoint_that_is_whole_but_not_consistent_is_refused_in_one_line(tmp_path, change):
    from tsuzuki.storage import read, write

    train(tmp_path / "c")
    stored = read(tmp_path / "c")
    write(tmp_path / "c", "checkpoint", stored.facts | change, stored.arrays)
    with pytest.raises(FileError, match=r"the checkpoint is not consistent .*; delete it to train from the beginning"):
        train(tmp_path / "c")
