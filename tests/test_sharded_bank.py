"""A bank over several shards gives the forecasts of one bank, and loses no reading that was acknowledged."""

import os
import shutil
import signal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tsuzuki import Forecaster
from tsuzuki.distributed import sharded_bank
from tsuzuki.distributed.shard import Shard
from tsuzuki.distributed.sharded_bank import ShardedBank
from tsuzuki.distributed.shards import LocalShards
from tsuzuki.errors import DataError, FileError, SettingError

NAMES = tuple(f"s{number}" for number in range(5))


@pytest.fixture(scope="module")
def model():
    """A forecaster of five series."""
    times = pd.date_range("2024-01-01", periods=150, freq="h")
    rng = np.random.default_rng(1)
    frames = [
        pd.DataFrame(
            {"unique_id": name, "ds": times, "y": 10 + np.sin(np.arange(150) / (3 + i)) + rng.normal(0, 0.1, 150)}
        )
        for i, name in enumerate(NAMES)
    ]
    return Forecaster(3, units=4, head=0, ensemble=2, epochs=1, cycles=(), lags=((2, 1),)).fit(pd.concat(frames))


def made(count, seed=0):
    """Readings of all series, some of them missing."""
    rng = np.random.default_rng(seed)
    values = 10 + rng.normal(0, 1, (count, len(NAMES)))
    return np.where(rng.random(values.shape) < 0.1, np.nan, values)


@pytest.fixture
def in_one_process(monkeypatch):
    """Shards without Ray, which has nothing to do with what they compute."""
    monkeypatch.setattr(sharded_bank, "shards_for", lambda workers, address: LocalShards())


@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_shards_forecast_what_one_bank_does(model, tmp_path, in_one_process, count):
    bank = model.bank()
    with ShardedBank(model, tmp_path, workers=count) as sharded:
        for values in made(6):
            np.testing.assert_allclose(sharded.update(values), bank.update(values), rtol=1e-5)
        some = ["s3", "s0"]
        np.testing.assert_allclose(sharded.update([9.0, np.nan], some), bank.update([9.0, np.nan], some), rtol=1e-5)
        for ours, theirs in zip(sharded.interval(80, some), bank.interval(80, some), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-5)


@settings(max_examples=15)
@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4), st.booleans()), min_size=1, max_size=4))
def test_a_bank_goes_on_in_its_folder_with_any_number_of_workers(model, tmp_path_factory, runs):
    """Whether it was closed or its process died."""
    folder, bank, seed = tmp_path_factory.mktemp("bank"), model.bank(), 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sharded_bank, "shards_for", lambda workers, address: LocalShards())
        for workers, updates, closes in runs:
            sharded = ShardedBank(model, folder, workers=workers)
            assert sharded.number == seed
            for _ in range(updates):
                values = made(1, seed)[0]
                np.testing.assert_allclose(sharded.update(values), bank.update(values), rtol=1e-5)
                seed += 1
            if closes:
                sharded.close()


@settings(max_examples=25)
@given(st.integers(0, 400), st.integers(0, 3))
def test_a_log_cut_short_anywhere_loses_only_what_was_not_acknowledged(model, tmp_path_factory, cut, written):
    folder, values = tmp_path_factory.mktemp("shard"), made(4)
    every = np.arange(len(NAMES), dtype=np.int32)

    def shard():
        return Shard(model.fitted, model.settings, NAMES, folder, "1-0")

    first, ends = shard(), []
    first.start(0)
    for number in range(4):
        if number == written:
            first.write_states()
        first.update(number + 1, every, values[number])
        ends.append((folder / f"1-0.{written if number >= written else 0}.log").stat().st_size)
    log = folder / f"1-0.{written}.log"
    size = min(cut, log.stat().st_size)
    with log.open("r+b") as file:
        file.truncate(size)
    whole = written + sum(end <= size for end in ends[written:])
    again, bank = shard(), model.bank()
    assert again.last_logged == whole
    again.start(whole)
    for number in range(whole):
        bank.update(values[number])
    for number in range(whole, 4):
        np.testing.assert_array_equal(again.update(number + 1, every, values[number]), bank.update(values[number]))


def test_an_update_that_only_some_shards_took_was_taken_by_none(model, tmp_path, in_one_process):
    values = made(3)
    bank = ShardedBank(model, tmp_path, workers=2)
    bank.update(values[0])
    lucky = next(shard for shard in bank._shards.shards if shard is not None)
    lucky.update(2, np.arange(len(lucky.bank.ids), dtype=np.int32), np.zeros(len(lucky.bank.ids)))
    again, alone = ShardedBank(model, tmp_path, workers=2), model.bank()
    assert again.number == 1
    alone.update(values[0])
    np.testing.assert_allclose(again.update(values[1]), alone.update(values[1]), rtol=1e-5)
    once_more = ShardedBank(model, tmp_path, workers=2)
    alone.update(values[2])
    np.testing.assert_allclose(once_more.update(values[2]), alone.forecasts(), rtol=1e-5)


def test_an_update_is_taken_once_however_often_it_is_given(model, tmp_path, in_one_process, monkeypatch):
    values = made(2)
    bank, alone = ShardedBank(model, tmp_path, workers=2), model.bank()
    failing = [shard for shard in bank._shards.shards if shard is not None][-1]

    def full(*given):
        raise FileError("the disk is full; make room")

    with monkeypatch.context() as patch:
        patch.setattr(failing._log, "append", full)
        with pytest.raises(FileError, match="the disk is full"):
            bank.update(values[0])
    for row in values:
        np.testing.assert_allclose(bank.update(row), alone.update(row), rtol=1e-5)


def test_states_are_written_now_and_then_and_old_files_go(model, tmp_path, in_one_process, monkeypatch):
    monkeypatch.setattr(sharded_bank, "WRITTEN_EVERY", 2)
    bank = ShardedBank(model, tmp_path)
    for values in made(5):
        bank.update(values)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1-0.4.log", "1-0.4.states", "bank.json"]


def test_a_folder_of_another_bank_is_refused(model, tmp_path, in_one_process):
    ShardedBank(model, tmp_path).close()
    with pytest.raises(FileError, match="other series"):
        ShardedBank(model, tmp_path, NAMES[:2])
    other = Forecaster(3, units=4, head=0, ensemble=1, epochs=1, cycles=(), lags=((2, 1),), seed=5)
    other.fit(
        pd.DataFrame({"unique_id": "s0", "ds": pd.date_range("2024", periods=99, freq="h"), "y": np.arange(99.0)})
    )
    with pytest.raises(FileError, match="another model"):
        ShardedBank(other, tmp_path)
    (tmp_path / "bank.json").write_text("{")
    with pytest.raises(FileError, match="damaged"):
        ShardedBank(model, tmp_path)


def test_readings_that_cannot_be_taken_are_named_and_nothing_is_taken(model, tmp_path, in_one_process):
    bank = ShardedBank(model, tmp_path, workers=2)
    for values, ids, says in (
        ([1.0], None, "shape"),
        ([np.inf, 1.0], ["s0", "s1"], "'s0' is infinite"),
        ([np.nan, 1e300], ["s0", "s1"], "'s1' is too far away: 1e\\+300"),
        ([1.0, 1.0], ["s0", "s0"], "twice"),
        ([1.0], ["nobody"], "not in the bank"),
        (["x"] * 5, None, "no number"),
    ):
        with pytest.raises(DataError, match=says):
            bank.update(values, ids)
    assert bank.number == 0
    with pytest.raises(SettingError, match="not been fitted"):
        ShardedBank(Forecaster(3), tmp_path / "new")


def test_a_worker_that_is_killed_is_replaced_and_nothing_is_lost_or_repeated(model, tmp_path, cluster):
    alone = model.bank()
    with ShardedBank(model, tmp_path, workers=2) as bank:
        for number, values in enumerate(made(9)):
            if number in (3, 7):
                os.kill(bank._shards.process_ids()[number % 2], signal.SIGKILL)
            np.testing.assert_allclose(bank.update(values), alone.update(values), rtol=1e-5)
    copy = shutil.copytree(tmp_path, tmp_path.parent / "copy")
    with ShardedBank(model, copy, workers=1) as bank:
        assert bank.number == 9
