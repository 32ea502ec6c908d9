"""Backtests of files: trained on what lies before the first origins alone, scored as a frame is."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from test_store_fit import SMALL, as_files, readings, short_rounds  # noqa: F401
from tsuzuki import Forecaster, SettingError, TooShortError, evaluate
from tsuzuki.cli import app
from tsuzuki.data.panel_store import panel_store
from tsuzuki.forecasting import store_backtest
from tsuzuki.forecasting.store_backtest import backtest_files
from tsuzuki.forecasting.store_cut import without_last

SETTINGS = SMALL | {"committee": True, "lags": None, "budget": 24}


@pytest.fixture(scope="module")
def frame():
    """Seven series, one of them too short for two windows."""
    return readings(7, (300, 190, 45, 300, 190, 300, 14))


@pytest.fixture(scope="module")
def files(frame, tmp_path_factory):
    """The same in two files."""
    return as_files(frame, tmp_path_factory.mktemp("files") / "readings")


@pytest.fixture(scope="module")
def store(files, tmp_path_factory):
    """Their store."""
    return panel_store(files, tmp_path_factory.mktemp("cache"))


@settings(max_examples=25)
@given(st.integers(0, 320), st.integers(200, 3000))
def test_a_store_cut_short_holds_what_its_series_begin_with(store, steps, piece):
    with pytest.MonkeyPatch.context() as patch, without_last(store, steps) as (found, which):
        patch.setattr("tsuzuki.forecasting.store_statistics.PIECE", piece)
        places = []
        for number in range(len(store.ids)):
            own = np.array(store.values[store.offsets[number] : store.offsets[number + 1]])
            own = own[: max(0, len(own) - steps)]
            known = np.flatnonzero(~np.isnan(own))
            if len(known) < 2:
                continue
            place = len(places)
            places.append(number)
            assert found.ids[place] == store.ids[number]
            np.testing.assert_array_equal(
                found.values[found.offsets[place] : found.offsets[place + 1]], own[: known[-1] + 1]
            )
        np.testing.assert_array_equal(which, places)
        np.testing.assert_array_equal(found.starts, store.starts[which])
        assert found.readings == (~np.isnan(found.values)).sum()
    assert not list(store.folder.parent.glob("*.f32"))


def test_files_are_scored_as_a_frame_is(frame, files, tmp_path, monkeypatch):
    monkeypatch.setattr(store_backtest, "TOGETHER", 2)
    shares = []
    model = Forecaster(5, **SETTINGS)
    found = model.backtest(files, windows=3, refit=2, cache=tmp_path, on_progress=shares.append)
    assert sum(shares) == pytest.approx(1)
    assert model.fitted is None
    assert found.attrs["series"] == (6, 7)
    assert "s006" not in set(found["unique_id"])
    theirs = model.backtest(frame[frame["unique_id"] != "s006"], windows=3, refit=2)
    assert list(found.columns) == list(theirs.columns)
    joined = found.merge(theirs, on=["unique_id", "ds", "cutoff"], suffixes=("", "-theirs"))
    assert len(joined) == len(found) == len(theirs)
    for name in set(found.columns) - {"unique_id", "ds", "cutoff"}:
        if not name.startswith("tsuzuki"):
            np.testing.assert_allclose(joined[name], joined[f"{name}-theirs"], rtol=1e-4, atol=1e-4)
    ours, other = (evaluate(one).set_index("model").loc["tsuzuki"] for one in (found, theirs))
    assert ours["mase"] == pytest.approx(other["mase"], rel=0.2)
    assert ours["coverage-95"] > 80
    assert found.attrs["mase_scale"] == pytest.approx(theirs.attrs["mase_scale"], rel=1e-5)


def test_what_is_forecast_does_not_depend_on_the_series_scored_beside(files, tmp_path, monkeypatch):
    # By themselves series have one unit and one base, and networks read what tells them from others all the same.
    asked = Forecaster(5, **SETTINGS).settings
    found = []
    for together in (1, 64):
        monkeypatch.setattr(store_backtest, "TOGETHER", together)
        found.append(backtest_files([*files.iterdir()], asked, 2, 5, (80,), tmp_path)[0])
    pd.testing.assert_frame_equal(*found, rtol=1e-6)


def test_what_comes_behind_the_first_origin_is_not_learned_from(frame, files, tmp_path):
    spoiled = frame.copy()
    late = spoiled.groupby("unique_id").cumcount(ascending=False) < 8
    spoiled.loc[late, "y"] *= 50
    other = as_files(spoiled, tmp_path / "spoiled")
    asked = Forecaster(5, **SETTINGS).settings
    read = [backtest_files([*folder.iterdir()], asked, 2, 5, (80,), tmp_path / "cache") for folder in (files, other)]
    (table, one), (_, two) = read
    np.testing.assert_array_equal(one.members[0][0], two.members[0][0])
    np.testing.assert_array_equal(one.committee.weights, two.committee.weights)
    assert (table["cutoff"] < table["ds"]).all()


def test_of_many_series_some_are_scored_by_the_seed_and_the_command_says_so(files, tmp_path, monkeypatch):
    monkeypatch.setattr(store_backtest, "MOST_SERIES", 3)
    small = ["--units", "4", "--head", "0", "--ensemble", "2", "--timesteps", "4", "--budget", "16", "--horizon", "5"]
    command = ["backtest", str(files), *small, "--windows", "2", "--cache", str(tmp_path / "cache")]
    done = CliRunner().invoke(app, [*command, "--csv", str(tmp_path / "out.csv")])
    assert done.exit_code == 0, done.output
    assert "scored: 3 of 7 series" in done.output
    assert "persistence" in done.output
    assert pd.read_csv(tmp_path / "out.csv")["unique_id"].nunique() == 3
    done = CliRunner().invoke(app, [*command, "--report", str(tmp_path / "page.html")])
    assert done.exit_code == 2
    assert "leave out --report" in done.output


def test_windows_that_no_series_has_room_for_are_refused(files, tmp_path):
    with pytest.raises(TooShortError, match="too few for 90 windows"):
        Forecaster(5, **SETTINGS).backtest(files, windows=90, cache=tmp_path)
    with pytest.raises(SettingError, match="at least 1"):
        Forecaster(5, **SETTINGS).backtest(files, windows=0, cache=tmp_path)
    with pytest.raises(SettingError, match="covariates"):
        Forecaster(5, past="wind").backtest(files, cache=tmp_path)
