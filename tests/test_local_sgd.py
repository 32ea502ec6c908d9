"""One network trained on shards by workers: the same bits with any number of them, whatever happens to one."""

import os
import signal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from test_store_fit import as_files, readings
from tsuzuki import Forecaster, SettingError, load
from tsuzuki.cli import app
from tsuzuki.data.panel_store import panel_store
from tsuzuki.distributed.workers import open_pool
from tsuzuki.forecasting import shard_training
from tsuzuki.forecasting.drawn_training import drawing_of
from tsuzuki.forecasting.shard_training import shards_of
from tsuzuki.forecasting.store_fit import train_on_store
from tsuzuki.forecasting.store_statistics import statistics_of
from tsuzuki.forecasting.store_windows import rows_of
from tsuzuki.training.drawn_fit import usual_steps
from tsuzuki.training.replica import Replica

SMALL = {"units": 4, "head": 0, "ensemble": 2, "cycles": ("hour",), "lags": ((2, 1), (0, 4)), "timesteps": 4}
# Two rounds.
ALONE = Forecaster(5, **SMALL, committee=False, budget=256)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Fourteen series in two files."""
    return as_files(readings(14, (300, 190, 45)), tmp_path_factory.mktemp("files") / "readings")


@pytest.fixture(scope="module")
def store(files, tmp_path_factory):
    """Their store."""
    return panel_store(files, tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def one_worker(store):
    """What one worker comes to."""
    with open_pool(1) as pool:
        return train_on_store(store, ALONE.settings, workers=pool)


def assert_same(found, wanted):
    """The same weights to the bit, and the same losses."""
    for ours, theirs in zip(found.members, wanted.members, strict=True):
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(one, other)
    losses = [[(r.loss, r.validation_loss) for history in own.histories for r in history] for own in (found, wanted)]
    assert losses[0] == losses[1]


@given(st.lists(st.integers(2, 10**6), min_size=1, max_size=60))
def test_shards_are_as_long_as_each_other_as_far_as_series_allow(steps):
    shards = shards_of(np.array(steps))
    own = np.bincount(shards, weights=steps)
    assert len(own) == min(2, len(steps))
    assert own.max() - own.min() <= max(steps)


def test_large_data_have_more_shards_whoever_works_on_them(monkeypatch):
    monkeypatch.setattr(shard_training, "SHARD_STEPS", 100)
    assert shards_of(np.full(50, 20)).max() == 9
    assert shards_of(np.full(5000, 20)).max() == shard_training.MOST_SHARDS - 1


def test_a_round_is_the_mean_of_replicas_that_each_train_on_their_shard(store, one_worker):
    """The slow twin: each replica anew, with its own weights and moments from the means of the round before."""
    settings, steps = ALONE.settings, np.diff(store.offsets)
    spec, rules = one_worker.way, one_worker.rules
    rows = rows_of(store, statistics_of(store, rules), rules, spec.before, settings, 1)
    whole = drawing_of(rows, spec, settings, 1, settings.loss)
    shards = shards_of(steps)
    shares = np.bincount(shards, weights=steps) / steps.sum()
    common = None
    for number in range(2):
        ends, scored = [], []
        for shard in range(2):
            replica = Replica(whole.recipe, whole.weights, rows, usual_steps(whole.pieces_of(0)), 2)
            network = replica.compiled
            # The rate falls in the last two fifths of the updates, and so in neither of two rounds.
            network.rate_factor = 1.0
            if common is not None:
                network.set_weights(common[0])
                network.set_slot(0, common[1])
                network.set_slot(1, common[2])
                network.updates_done = 128
            pieces = whole.among(*rows.of(shards == shard).bounds(), shard).pieces_of(number)
            scored += list(replica.round(pieces))
            ends.append((network.weights(), network.slot(0), network.slot(1)))
        results = np.concatenate(scored)
        record = one_worker.histories[1][number]
        assert record.loss == pytest.approx(results[:, 0] @ results[:, 1] / results[:, 1].sum())
        assert record.updates == len(results) == 256
        common = [
            [
                sum(share * end[part][at] for share, end in zip(shares, ends, strict=True))
                for at in range(len(ends[0][part]))
            ]
            for part in range(3)
        ]
    for one, other in zip(common[0], one_worker.members[1], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_a_shard_without_stretches_stays_where_the_others_go_on_from(tmp_path):
    found = panel_store(as_files(readings(2, (300, 1), gaps=0), tmp_path / "two"), tmp_path / "cache")
    with open_pool(1) as pool:
        fitted = train_on_store(found, ALONE.settings, workers=pool)
    assert [record.updates for record in fitted.histories[0]] == [128, 128]


@pytest.mark.parametrize("count", [2, 4])
def test_workers_come_to_the_bits_of_one_though_some_are_killed(store, one_worker, count):
    shares, killed = [], []
    with open_pool(count) as pool:

        def kill_one(share):
            shares.append(share)
            if share and len(killed) < count - 1:
                worker = next(worker for worker in pool._at_work if worker.pid not in killed)
                killed.append(worker.pid)
                os.kill(worker.pid, signal.SIGKILL)

        found = train_on_store(store, ALONE.settings, kill_one, workers=pool)
    assert len(killed) == count - 1
    assert sum(shares) == pytest.approx(1)
    assert_same(found, one_worker)


def test_a_fit_whose_own_process_ends_goes_on_to_the_same_bits(store, one_worker, tmp_path):
    told = []

    def stop(share):
        told.append(share)
        if sum(told) > 0.5:
            raise KeyboardInterrupt

    kept = {"checkpoint": tmp_path / "kept", "every": 0}
    with open_pool(1) as pool:
        with pytest.raises(KeyboardInterrupt):
            train_on_store(store, ALONE.settings, stop, **kept, workers=pool)
        assert_same(train_on_store(store, ALONE.settings, **kept, workers=pool), one_worker)
        # What one machine trains without shards is another run.
    with pytest.raises(SettingError, match="belongs to another run"):
        train_on_store(store, ALONE.settings, **kept)


def test_a_backtest_is_the_same_with_any_number_of_workers(files, tmp_path):
    asked = {"windows": 2, "cache": tmp_path / "cache", "levels": [80]}
    tables = [Forecaster(5, **SMALL, committee=False, budget=128).backtest(files, workers=n, **asked) for n in (1, 2)]
    pd.testing.assert_frame_equal(*tables, check_exact=True)


def test_networks_of_a_frame_are_trained_in_workers_to_the_bits_of_this_process():
    frame, shares = readings(3, (90,)), []
    asked = SMALL | {"epochs": 2, "quantiles": (0.1, 0.5, 0.9)}
    alone = Forecaster(5, **asked).fit(frame)
    spread = Forecaster(5, **asked).fit(frame, workers=2, on_progress=shares.append)
    assert sum(shares) == pytest.approx(1)
    pd.testing.assert_frame_equal(spread.predict(), alone.predict(), check_exact=True)


def test_the_same_from_the_command_line(files, tmp_path, monkeypatch):
    monkeypatch.setenv("TSUZUKI_CACHE_DIR", os.environ.get("TSUZUKI_CACHE_DIR", str(tmp_path)))
    small = ["--units", "4", "--head", "0", "--ensemble", "2", "--timesteps", "4", "--budget", "256", "--horizon", "5"]
    small.append("--no-committee")
    cache = ["--cache", str(tmp_path / "cache")]
    models = []
    for count in ("1", "2"):
        models.append(str(tmp_path / count))
        done = CliRunner().invoke(app, ["fit", str(files), "-o", models[-1], *small, *cache, "--workers", count])
        assert done.exit_code == 0, done.output
        assert "14 series" in done.output
    assert_same(*(load(model).fitted for model in models))
    done = CliRunner().invoke(app, ["fit", str(files), *small, *cache, "--workers", "0"])
    assert done.exit_code == 2
    assert "workers is 0" in done.output


def test_a_backtest_and_a_search_of_the_command_line_take_workers(tmp_path):
    csv, small = (
        tmp_path / "one.csv",
        ["--units", "4", "--head", "0", "--ensemble", "2", "--epochs", "1", "--horizon", "3"],
    )
    readings(1, (120,), gaps=0)[["ds", "y"]].to_csv(csv, index=False)
    tables = []
    for workers in ([], ["--workers", "2"]):
        tables.append(tmp_path / f"{len(tables)}.csv")
        given = ["backtest", str(csv), *small, "--windows", "2", "--csv", str(tables[-1]), "--quiet", *workers]
        done = CliRunner().invoke(app, given)
        assert done.exit_code == 0, done.output
    assert tables[0].read_text() == tables[1].read_text()
    given = ["search", str(csv), *small, "--seconds", "0.01", "-o", str(tmp_path / "m"), "--quiet", "--workers", "2"]
    done = CliRunner().invoke(app, given)
    assert done.exit_code == 0, done.output
    assert len(load(tmp_path / "m").fitted.members) == 2
