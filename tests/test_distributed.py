"""Many series, one forecaster each: the same results with any number of workers, whatever happens to one of them."""

import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import ray

import worker_units
from tsuzuki import Forecaster, fit_each, load
from tsuzuki.data.engine_frames import files_of
from tsuzuki.data.panel_store import panel_store
from tsuzuki.data.series import collect
from tsuzuki.distributed import workers
from tsuzuki.distributed.workers import open_pool, run_units
from tsuzuki.errors import FileError, MissingExtraError, SettingError
from tsuzuki.experiment.comparison import compare
from tsuzuki.experiment.prepared_data import prepare_data
from tsuzuki.experiment.recipe import Recipe
from tsuzuki.forecasting.store_fit import train_on_store

SMALL = {"horizon": 4, "units": 4, "head": 0, "ensemble": 2, "epochs": 1, "cycles": (), "lags": ((2, 1),)}


def readings(count=4, hours=120):
    """A long frame of waves with noise."""
    times = pd.date_range("2024-01-01", periods=hours, freq="h")
    rng = np.random.default_rng(3)
    parts = [
        pd.DataFrame(
            {"unique_id": f"s{i}", "ds": times, "y": np.sin(np.arange(hours) / (4 + i)) + rng.normal(0, 0.1, hours)}
        )
        for i in range(count)
    ]
    return pd.concat(parts, ignore_index=True).astype({"y": np.float32})


def forecasts(folder):
    """All forecasts of a folder."""
    return pd.concat(
        [pd.read_parquet(path) for path in sorted(Path(folder).glob("forecasts-*.parquet"))], ignore_index=True
    )


@pytest.fixture
def small_units(monkeypatch):
    """A unit for every two series."""
    monkeypatch.setattr("tsuzuki.distributed.fit_each.UNIT_SERIES", 2)


def test_each_series_is_forecast_by_a_forecaster_of_its_own(tmp_path, small_units):
    frame = readings(3)
    shares: list[float] = []
    listed = fit_each(
        frame, Forecaster(**SMALL), tmp_path / "out", levels=[80], keep_models=True, on_progress=shares.append
    )
    assert sum(shares) == pytest.approx(1)
    assert list(listed["unique_id"]) == ["s0", "s1", "s2"]
    assert listed["error"].isna().all()
    found = forecasts(tmp_path / "out")
    for name, own in frame.groupby("unique_id"):
        alone = Forecaster(**SMALL).fit(own).predict(levels=[80])
        here = found[found["unique_id"] == name].reset_index(drop=True)
        pd.testing.assert_frame_equal(here, alone)
    model = listed.loc[1, "model"]
    pd.testing.assert_frame_equal(
        load(tmp_path / "out" / model).predict(levels=[80]),
        found[found["unique_id"] == "s1"].reset_index(drop=True),
    )


def test_forecasts_of_files_are_in_the_zone_of_the_files(tmp_path):
    frame = readings(1).assign(ds=lambda one: one["ds"].dt.tz_localize("Asia/Tokyo"))
    frame.to_parquet(tmp_path / "own.parquet", index=False)
    fit_each(tmp_path / "own.parquet", Forecaster(**SMALL), tmp_path / "out", levels=[80])
    pd.testing.assert_frame_equal(forecasts(tmp_path / "out"), Forecaster(**SMALL).fit(frame).predict(levels=[80]))


def test_readings_without_a_grid_are_put_on_the_one_that_is_asked_for(tmp_path):
    frame = readings(2)
    frame["ds"] += pd.to_timedelta(np.random.default_rng(0).integers(0, 3000, len(frame)), "s")
    asked = Forecaster(**SMALL, freq="2h")
    fit_each(frame, asked, tmp_path / "out", levels=[80])
    found = forecasts(tmp_path / "out")
    for name, own in frame.groupby("unique_id"):
        alone = Forecaster(**SMALL, freq="2h").fit(own).predict(levels=[80])
        here = found[found["unique_id"] == name].reset_index(drop=True)
        assert list(here["ds"]) == list(alone["ds"])
        np.testing.assert_allclose(here["tsuzuki"], alone["tsuzuki"], rtol=1e-4, atol=1e-4)


def test_a_series_that_fails_is_listed_and_the_others_go_on(tmp_path):
    frame = readings(3)
    frame = frame[(frame["unique_id"] != "s1") | (frame["ds"] < "2024-01-01 02:00")]
    listed = fit_each(frame, Forecaster(**SMALL), tmp_path / "out").set_index("unique_id")
    assert listed["error"].isna().tolist() == [True, False, True]
    assert "at least 3 are needed" in listed.loc["s1", "error"]
    assert set(forecasts(tmp_path / "out")["unique_id"]) == {"s0", "s2"}


def test_series_of_a_group_have_one_model_and_fail_together(tmp_path, small_units):
    frame = readings(5)
    short = frame["unique_id"].isin(["s1", "s3"]) & (frame["ds"] >= "2024-01-01 02:00")
    frame = frame[~short]
    groups = {"s0": "east", "s1": "south", "s2": "west", "s3": "south", "s4": "east"}
    listed = fit_each(frame, Forecaster(**SMALL), tmp_path / "out", groups=pd.Series(groups), keep_models=True)
    assert list(zip(listed["unique_id"], listed["group"], strict=True)) == [
        (name, groups[name]) for name in ("s0", "s4", "s1", "s3", "s2")
    ]
    assert listed["error"].isna().tolist() == [True, True, False, False, True]
    assert listed["model"].nunique() == 2
    found, together = forecasts(tmp_path / "out"), frame[frame["unique_id"].isin(["s0", "s4"])]
    pd.testing.assert_frame_equal(
        found[found["unique_id"].isin(["s0", "s4"])].reset_index(drop=True),
        Forecaster(**SMALL).fit(together).predict(levels=[80, 95]),
    )
    with pytest.raises(FileError, match=r"another run \(other groups\)"):
        fit_each(frame, Forecaster(**SMALL), tmp_path / "out", groups=lambda name: name, keep_models=True)
    some = dict.fromkeys(("s0", "s1", "s2", "s3"), "one")
    for unnamed in (some, pd.Series({**some, "s4": np.nan}), {**some, "s4": None}, some.get):
        with pytest.raises(SettingError, match="no group for the series 's4'"):
            fit_each(frame, Forecaster(**SMALL), tmp_path / "other", groups=unnamed)


def test_a_run_that_was_stopped_goes_on_where_it_stopped(tmp_path, small_units, monkeypatch):
    frame, whole = readings(6), tmp_path / "whole"
    fit_each(frame, Forecaster(**SMALL), whole)
    fitted: list[int] = []
    original = workers.run_units

    def stop_after_two(work, units, *given):
        for done in original(work, units, *given):
            fitted.append(units[done[0]].models[0][0])
            if len(fitted) == 2:
                raise KeyboardInterrupt
            yield done

    monkeypatch.setattr("tsuzuki.distributed.fit_each.run_units", stop_after_two)
    with pytest.raises(KeyboardInterrupt):
        fit_each(frame, Forecaster(**SMALL), tmp_path / "out")
    fit_each(frame, Forecaster(**SMALL), tmp_path / "out")
    assert fitted == [0, 2, 4]
    pd.testing.assert_frame_equal(forecasts(tmp_path / "out"), forecasts(whole))


def test_a_folder_of_another_run_is_refused(tmp_path):
    frame = readings(1)
    fit_each(frame, Forecaster(**SMALL), tmp_path / "out")
    with pytest.raises(FileError, match=r"another run \(other settings\)"):
        fit_each(frame, Forecaster(**SMALL, seed=1), tmp_path / "out")
    with pytest.raises(FileError, match=r"another run \(other data\)"):
        fit_each(readings(2), Forecaster(**SMALL), tmp_path / "out")


def test_what_cannot_be_done_is_said_before_any_work(tmp_path, monkeypatch):
    with pytest.raises(SettingError, match="covariates"):
        fit_each(readings(1), Forecaster(**SMALL, past="wind"), tmp_path / "out")
    with pytest.raises(SettingError, match="workers is 0"):
        fit_each(readings(1), Forecaster(**SMALL), tmp_path / "out", workers=0)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"tsuzuki\[ray\]"):
        fit_each(readings(1), Forecaster(**SMALL), tmp_path / "out", workers=2, address="auto")
    assert not (tmp_path / "out").exists()


class TestOnACluster:
    """On two nodes; the last test takes one away, and gives another."""

    @pytest.fixture(autouse=True)
    def _workers_are_sent_this_module(self):
        # The workers know no module of this folder, and any of these tests may be the first in its process.
        ray.cloudpickle.register_pickle_by_value(worker_units)
        yield
        ray.cloudpickle.unregister_pickle_by_value(worker_units)

    def test_a_worker_that_dies_is_replaced_and_its_unit_done_again(self, cluster, tmp_path):
        units = [(number, str(tmp_path)) for number in range(8)]
        found = sorted(run_units(worker_units.square_or_die, units, 2, cluster.address))
        assert found == [(number, number**2) for number in range(8)]

    def test_an_error_in_a_worker_is_the_callers(self, cluster):
        with pytest.raises(SettingError, match="unit 7 cannot be done; leave it out"):
            list(run_units(worker_units.fail, [7], 2, cluster.address))

    def test_two_workers_give_the_bits_of_one(self, cluster, tmp_path, small_units):
        frame = readings(4)
        for count, address in ((1, None), (2, cluster.address)):
            fit_each(frame, Forecaster(**SMALL), tmp_path / str(count), workers=count, address=address)
        pd.testing.assert_frame_equal(forecasts(tmp_path / "1"), forecasts(tmp_path / "2"), check_exact=True)

    def test_one_network_over_shards_has_the_bits_of_one_worker_though_workers_die(self, cluster, tmp_path):
        readings(5).to_parquet(tmp_path / "own.parquet", index=False)
        store = panel_store(tmp_path / "own.parquet", tmp_path / "cache")
        # Two rounds.
        asked = Forecaster(**SMALL, timesteps=4, budget=256, committee=False).settings
        died = []

        def end_workers(share):
            if share and not died:
                # One in the middle of a replica's round, and one between two units. For a moment there may be none.
                while not (working := list(pool._at_work)):
                    time.sleep(0.01)
                working[0].end()
                died.append(pool.submit(worker_units.square_or_die, (3, str(tmp_path))))

        with open_pool(1) as pool:
            alone = train_on_store(store, asked, workers=pool)
        with open_pool(2, cluster.address) as pool:
            spread = train_on_store(store, asked, end_workers, workers=pool)
            assert died[0].result() == 9
        for ours, theirs in zip(spread.members, alone.members, strict=True):
            for one, other in zip(ours, theirs, strict=True):
                np.testing.assert_array_equal(one, other)

    def test_the_runs_of_a_comparison_have_the_bits_of_threads_though_a_worker_dies(self, cluster, tmp_path):
        recipe = Recipe(seeds=2, epochs=1)
        long = readings(1, 200)
        data = prepare_data(collect("made", long, max_gap=2), recipe)
        died = []

        def end_a_worker(share):
            if not died:
                while not (working := list(pool._at_work)):
                    time.sleep(0.01)
                working[0].end()
                died.append(share)

        alone = compare(data, recipe, threads=2)
        with open_pool(2, cluster.address) as pool:
            spread = compare(data, recipe, 2, end_a_worker, pool)
        assert died
        for ours, theirs in zip(spread.results, alone.results, strict=True):
            assert (ours.running_loss, ours.scores) == (theirs.running_loss, theirs.scores)
            np.testing.assert_array_equal(ours.forecasts, theirs.forecasts)

    def test_a_dataset_of_ray_is_read_as_its_frame_is(self, cluster, tmp_path):
        import ray.data

        frame = readings(3)
        parts = [pa.Table.from_pandas(one, preserve_index=False) for one in (frame[:200], frame[200:])]
        frame.to_parquet(tmp_path / "own.parquet", index=False)
        paths = files_of(ray.data.from_arrow(parts), tmp_path)
        found, expected = (panel_store(one, tmp_path / "cache") for one in (paths, tmp_path / "own.parquet"))
        assert (found.ids, found.readings) == (expected.ids, 360)
        np.testing.assert_array_equal(found.values, expected.values)

    def test_a_machine_that_goes_takes_no_result_with_it(self, cluster, tmp_path, small_units):
        frame = readings(6)
        second, gone = cluster.list_all_nodes()[-1], []

        def lose_a_machine(share):
            if share and not gone:
                gone.append(second)
                cluster.remove_node(second)

        fit_each(frame, Forecaster(**SMALL), tmp_path / "one")
        fit_each(
            frame, Forecaster(**SMALL), tmp_path / "two", workers=2, address=cluster.address, on_progress=lose_a_machine
        )
        cluster.add_node(num_cpus=1)
        assert gone
        pd.testing.assert_frame_equal(forecasts(tmp_path / "one"), forecasts(tmp_path / "two"), check_exact=True)
