"""fit, forecast, backtest and info as a user runs them."""

import json
import os
import stat

import numpy as np
import pandas as pd
import pytest

from test_cli import run
from tsuzuki.data import readers, summary
from tsuzuki.errors import DataError

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


def test_newer_readings_on_a_finer_grid_are_refused_unless_their_means_are_asked_for(folder, tmp_path):
    times = [f"2024-01-20 {hour:02d}:{minute:02d}" for hour in range(9) for minute in (0, 5, 10)]
    pd.DataFrame({"time": times, "temperature": 10.0}).to_csv(tmp_path / "finer.csv", index=False)
    refused = run("forecast", folder / "m.tsuzuki", tmp_path / "finer.csv")
    assert refused.exit_code == 2
    assert "are of the same step as another of the grid that the model knows" in refused.stderr
    assert run("forecast", folder / "m.tsuzuki", tmp_path / "finer.csv", "--merge").exit_code == 0


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
        (["backtest", "{folder}/readings.csv", "--refit", "-1"], "refit=-1 is no number of origins; give 1"),
        (["info", "{folder}/nowhere.csv"], "there is no file"),
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


@pytest.fixture
def days(tmp_path):
    """Hours whose time of day stands where no reader looks for it."""
    times = pd.date_range("2024-01-01", periods=480, freq="h")
    frame = pd.DataFrame({"date": times.date, "when": times.hour, "temp": np.sin(np.arange(480) / 4)})
    frame.to_csv(tmp_path / "days.csv", index=False)
    return tmp_path / "days.csv"


def test_readings_of_the_same_step_are_not_merged_unasked(folder, days, tmp_path):
    for command in (["fit"], ["backtest"], ["compare"], ["forecast", folder / "m.tsuzuki"]):
        done = run(*command, days, "--column", "temp")
        assert done.exit_code == 2
        assert "460 of 480 readings of series 'days' in days.csv are of the same day as another" in done.stderr
        assert "with --merge" in done.stderr
        assert done.stderr.count("\n") == 1
    asked = run("fit", days, "--column", "temp", "-o", tmp_path / "m.tsuzuki", *SMALL, "--merge")
    assert asked.exit_code == 0, asked.stderr
    assert "460 duplicates merged" in asked.stdout
    joined = run("fit", days, "--column", "temp", "--time", "date,when", "-o", tmp_path / "m.tsuzuki", *SMALL)
    assert joined.exit_code == 0, joined.stderr
    assert joined.stdout.startswith(
        "days.csv: 480 readings, one every hour, 2024-01-01 to 2024-01-20\n0 missing, 1 seg"
    )


def test_a_tenth_of_the_readings_may_be_merged_and_no_more(tmp_path):
    times = list(pd.date_range("2024-01-01", periods=100, freq="h"))
    for extra, code in ((9, 0), (10, 0), (11, 2)):
        frame = pd.DataFrame({"time": [*times[: 100 - extra], *times[:extra]], "y": np.arange(100.0) % 7})
        frame.to_csv(tmp_path / "twice.csv", index=False)
        found = readers.read(tmp_path / "twice.csv")
        if code == 0:
            assert summary.collected(found, 24, False).repairs.duplicates == extra
        else:
            with pytest.raises(DataError, match=r"11 of 100 readings of series 'twice' in .* are of the same hour"):
                summary.collected(found, 24, False)


def test_commands_say_what_they_read_unless_it_would_stand_among_data(folder):
    newer = folder / "newer.csv"
    said = "newer.csv: 500 readings, one every hour, 2024-01-01 to 2024-01-21\n0 missing, 1 segment\n"
    assert run("forecast", folder / "m.tsuzuki", newer).stdout.startswith(said)
    assert run("backtest", newer, *SMALL, "--windows", "4").stdout.startswith(said)
    for quiet in (["--json", "-"], ["--csv", "-"], ["--quiet"]):
        assert "one every hour" not in run("forecast", folder / "m.tsuzuki", newer, *quiet).stdout


def test_one_newer_reading_is_enough_to_go_on_from(folder, tmp_path):
    (tmp_path / "one.csv").write_text("time,temperature\n2024-01-19 18:00,10.5\n")
    done = run("forecast", folder / "m.tsuzuki", tmp_path / "one.csv")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.startswith("one.csv: 1 readings, the last of 2024-01-19 18:00:00\n")
    assert "2024-01-19 19:00:00" in done.stdout


def test_several_files_are_one_source_for_every_command(folder, tmp_path):
    table = pd.read_csv(folder / "newer.csv")
    table[:300].to_csv(tmp_path / "data1.csv", index=False)
    table[250:][["temperature", "time"]].to_csv(tmp_path / "data2.csv", index=False)
    both = [tmp_path / "data2.csv", tmp_path / "data1.csv"]
    for sources in (both, [tmp_path / "data?.csv"], [tmp_path]):
        done = run("fit", *sources, "-o", tmp_path.parent / "m2.tsuzuki", *SMALL)
        assert done.exit_code == 0, done.stderr
        assert "500 readings, one every hour" in done.stdout
        assert "duplicates" not in done.stdout
    one, joined = (
        run("forecast", folder / "m.tsuzuki", *source, "--json", "-") for source in ([folder / "newer.csv"], both)
    )
    assert json.loads(joined.stdout) == json.loads(one.stdout)
    assert run("plot", *both, "--png", tmp_path / "a.png").exit_code == 0
    assert run("compare", *both, "--seeds", "1", "--epochs", "1").stdout.startswith("data")
    for sources in (both, [tmp_path / "data?.csv"], [tmp_path]):
        refused = run("fit", *sources, "-o", both[1])
        assert "which is the file that is read" in " ".join(refused.stderr.split())


def test_the_zone_of_a_file_is_told(tmp_path):
    times = pd.date_range("2024-01-01", periods=100, freq="h", tz="Asia/Tokyo")
    texts = [time.isoformat() for time in times]
    pd.DataFrame({"time": texts, "y": np.arange(100.0) % 7}).to_csv(tmp_path / "a.csv", index=False)
    done = run("fit", tmp_path / "a.csv", "-o", tmp_path / "m.tsuzuki", *SMALL)
    assert "2024-01-01 to 2024-01-05 (+09:00)" in " ".join(done.stdout.split())
    compared = run("compare", tmp_path / "a.csv", "--seeds", "1", "--epochs", "1")
    assert "2024-01-01 to 2024-01-05 (+09:00)" in " ".join(compared.stdout.split())


def test_a_forecast_beyond_2262_is_refused_and_not_of_another_century(tmp_path):
    times = pd.date_range(end="2262-04-10", periods=100, freq="D").astype("datetime64[us]")
    frame = pd.DataFrame({"time": times.strftime("%Y-%m-%d"), "y": np.arange(100.0) % 7})
    frame.to_csv(tmp_path / "a.csv", index=False)
    done = run("fit", tmp_path / "a.csv", "-o", tmp_path / "m.tsuzuki", *SMALL)
    assert done.exit_code == 0, done.stderr
    done = run("forecast", tmp_path / "m.tsuzuki")
    assert done.exit_code == 2
    assert "3 steps after 2262-04-10 00:00:00 lie beyond the year 2262" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_model_finds_its_column_by_itself_and_refuses_a_file_without_it_or_with_another_zone(tmp_path):
    import numpy as np
    import pandas as pd
    from typer.testing import CliRunner

    from tsuzuki.cli import app
    from tsuzuki.forecaster import load

    hours = pd.date_range("2024-01-01", periods=140, freq="h")
    table = pd.DataFrame({"time": hours, "temp(℃)": np.sin(np.arange(140) / 4), "humidity": np.arange(140) % 7 + 50.0})
    table[:100].to_csv(tmp_path / "old.csv", index=False)
    table[100:].to_csv(tmp_path / "new.csv", index=False)
    table[100:].drop(columns="temp(℃)").to_csv(tmp_path / "other.csv", index=False)
    table[100:].assign(time=hours[100:].astype(str) + "+09:00").to_csv(tmp_path / "zoned.csv", index=False)

    def run(*words):
        done = CliRunner().invoke(app, [str(word) for word in words])
        return done.exit_code, " ".join(done.output.split())

    model = tmp_path / "m.tsuzuki"
    small = ["--horizon", 2, "--units", 3, "--layers", 1, "--head", 0, "--ensemble", 1, "--epochs", 1, "--quiet"]
    code, said = run("fit", tmp_path / "old.csv", "--column", "temp(℃)", "-o", model, *small)
    assert code == 0, said
    fitted = load(model).fitted
    assert (fitted.source.columns, fitted.source.unit, fitted.zone) == (("temp(℃)",), "°C", None)
    found = [
        run("forecast", model, tmp_path / "new.csv", *more, "--csv", "-", "--quiet")
        for more in ((), ("--column", "temp(℃)"))
    ]
    assert found[0] == found[1]
    assert found[0][0] == 0
    code, said = run("forecast", model, tmp_path / "other.csv", "--quiet")
    assert code == 2
    assert "temp(℃)" in said
    assert "other.csv" in said
    assert run("forecast", model, tmp_path / "other.csv", "--column", "humidity", "--quiet")[0] == 0
    code, said = run("forecast", model, tmp_path / "zoned.csv", "--quiet")
    assert code == 2
    assert "zoned.csv names +09:00, but the readings that the model was trained on none" in said
