"""fit, forecast, backtest and info as a user runs them."""

import json
import os
import stat

import numpy as np
import pandas as pd
import pytest

from test_cli import run

SMALL = ["--units", "4", "--layers", "1", "--ensemble", "2", "--epochs", "1", "--horizon", "3"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Readings, newer ones, and a model."""
    folder = tmp_path_factory.mktemp("forecasting")
    times = pd.date_range("2024-01-01", periods=500, freq="h")
    frame = pd.DataFrame({"time": times, "temperature": 10 + np.sin(np.arange(500) / 4)})
    frame["temperature"] += np.random.default_rng(0).normal(0, 0.3, 500)
    frame[:450].to_csv(folder / "readings.csv", index=False)
    frame.to_csv(folder / "newer.csv", index=False)
    done = run("fit", folder / "readings.csv", "-o", folder / "m.tsuzuki", *SMALL)
    assert done.exit_code == 0, done.stderr
    assert "trained 2 x gru(4) x 1 on 450 points of 1 series" in done.stdout
    assert f"next: tsuzuki forecast {folder / 'm.tsuzuki'}" in done.stdout
    return folder


def test_a_forecast_goes_on_from_the_model_or_from_a_newer_file(folder):
    for source, first in (([], "2024-01-19 18:00:00"), ([folder / "newer.csv"], "2024-01-21 20:00:00")):
        done = run("forecast", folder / "m.tsuzuki", *source, "--json", "-")
        rows = json.loads(done.stdout)
        assert rows[0]["ds"] == first
        assert len(rows) == 3
        assert rows[0]["tsuzuki-lo-80"] < rows[0]["tsuzuki"] < rows[0]["tsuzuki-hi-95"]


def test_the_table_of_a_forecast_fits_eighty_columns_without_colours(folder):
    done = run("forecast", folder / "m.tsuzuki", "--levels", "80", env={"COLUMNS": "80"})
    assert "\x1b" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "lo-80" in done.stdout
    assert "lo-95" not in done.stdout


def test_csv_is_what_the_library_gives(folder, tmp_path):
    import tsuzuki

    path = tmp_path / "out.csv"
    assert run("forecast", folder / "m.tsuzuki", "--csv", path).exit_code == 0
    expected = tsuzuki.load(folder / "m.tsuzuki").predict()
    pd.testing.assert_frame_equal(pd.read_csv(path, parse_dates=["ds"]), expected, check_dtype=False, rtol=1e-6)
    assert run("forecast", folder / "m.tsuzuki", "--csv", "-").stdout == path.read_text()


def test_a_backtest_shows_the_references_and_says_who_is_best(folder):
    done = run(
        "backtest", folder / "newer.csv", *SMALL, "--windows", "4", "--json", folder / "b.json", env={"COLUMNS": "80"}
    )
    assert done.exit_code == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80
    for name in ("tsuzuki", "persistence", "seasonal-naive-24", "drift", "climatology", "ridge"):
        assert name in done.stdout
    assert "than that of the best reference" in done.stdout
    found = json.loads((folder / "b.json").read_text())
    assert {row["horizon"] for row in found["by_horizon"]} == {1, 2, 3}
    own = next(row for row in found["scores"] if row["model"] == "tsuzuki")
    assert {"mae", "rmse", "mase", "smape", "skill", "pinball", "coverage-80", "width-95"} <= set(own)


def test_info_says_what_a_file_holds(folder):
    shown = run("info", folder / "m.tsuzuki").stdout
    assert "gru(4) x 1" in shown
    assert "temperature" in shown or "readings" in shown
    found = json.loads(run("info", folder / "m.tsuzuki", "--json", "-").stdout)
    assert (found["kind"], found["networks"], found["points"], found["horizon"]) == ("forecaster", 2, 450, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["forecast", "nowhere.tsuzuki"], "nowhere.tsuzuki"),
        (["forecast", "{folder}/readings.csv"], "readings.csv is no tsuzuki file, or it is cut short; name one"),
        (
            ["forecast", "{folder}/m.tsuzuki", "--levels", "eighty"],
            "--levels is 'eighty'; give percentages",
        ),
        (["forecast", "{folder}/m.tsuzuki", "--csv", "{folder}/no/out.csv"], "--csv"),
        (["fit", "{folder}/readings.csv", "-o", "{folder}/no/m.tsuzuki"], "--output"),
        (["fit", "{folder}/readings.csv", "-o", "{folder}"], "--output"),
        (["fit", "{folder}/readings.csv", "--cell", "rnn"], "cell is 'rnn'; choose simple_rnn, gru or lstm"),
        (["backtest", "{folder}/readings.csv", "--windows", "1000"], "at most 16 windows fit"),
        (["info", "{folder}/readings.csv"], "readings.csv"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_exit_code_two(folder, arguments, message):
    done = run(*(one.replace("{folder}", str(folder)) for one in arguments))
    assert done.exit_code == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_folder_that_cannot_be_written_is_named_before_training(folder, tmp_path):
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    assert "--output" in run("fit", folder / "readings.csv", "-o", tmp_path / "m.tsuzuki").stderr
