"""Covariates, several columns and wide files on the command line."""

import json

import numpy as np
import pandas as pd
import pytest

from test_cli import run
from tsuzuki.commands.tables import backtest_verdict
from tsuzuki.data import readers
from tsuzuki.errors import DataError

SMALL = ["--units", "8", "--ensemble", "1", "--epochs", "1", "--horizon", "3"]
POINTS, END = 400, 380


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A file whose load follows a plan, the plan of the hours behind it, and a model that reads the plan."""
    folder = tmp_path_factory.mktemp("covariates")
    generator = np.random.default_rng(0)
    plan = generator.integers(0, 2, POINTS)
    times = pd.date_range("2024-01-01", periods=POINTS, freq="h")
    frame = pd.DataFrame(
        {"時刻": times, "load": 10.0 * plan, "load2": 5.0 * plan + 1, "wind": generator.random(POINTS)}
    )
    frame["plan"] = plan
    frame[:END].to_csv(folder / "plant.csv", index=False)
    frame[["時刻", "plan"]][END - 5 :].to_csv(folder / "plan.csv", index=False)
    frame.loc[END:, ["load", "load2"]] = np.nan
    frame.to_csv(folder / "both.csv", index=False)
    columns = ["--column", "load", "--known", "plan", "--past", "wind"]
    done = run("fit", folder / "plant.csv", "-o", folder / "m.tsuzuki", *columns, *SMALL)
    assert done.exit_code == 0, done.stderr
    assert "\nnot used: load2\n" in done.stdout
    assert "--future FILE, where FILE has plan at the times to forecast" in " ".join(done.stdout.split())
    return folder


def test_what_is_known_ahead_comes_from_a_file_or_stands_behind_the_last_reading(folder):
    plan = pd.read_csv(folder / "plan.csv")["plan"][5:8].astype(bool).tolist()
    tables = []
    for given in (["--future", folder / "plan.csv"], [folder / "both.csv", "--column", "load"]):
        done = run("forecast", folder / "m.tsuzuki", *given, "--json", "-")
        assert done.exit_code == 0, done.stderr
        tables.append(json.loads(done.stdout))
    assert tables[0] == tables[1]
    assert [row["tsuzuki"] > 5 for row in tables[0]] == plan


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["{folder}/m.tsuzuki"],
            "reads columns known ahead: plan; give their values after 2024-01-16 19:00:00 in a file",
        ),
        (["{folder}/m.tsuzuki", "--future", "{folder}/nowhere.csv"], "there is no file"),
        (
            ["{folder}/m.tsuzuki", "{folder}/plan.csv"],
            "column 'wind' is not in plan.csv, where the covariates wind, plan are looked for (it has: 時刻, plan)",
        ),
        (
            ["{folder}/m.tsuzuki", "--future", "{folder}/plant.csv"],
            "future has no plan for series 'plant' at 2024-01-16",
        ),
    ],
)
def test_a_forecast_without_what_is_known_ahead_says_which_columns_it_looks_for(folder, arguments, message):
    done = run("forecast", *(one.replace("{folder}", str(folder)) for one in arguments))
    assert done.exit_code == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_columns_of_a_wide_file_are_series_of_one_model(folder, tmp_path):
    both = ["--column", "load", "--column", "load2"]
    models = []
    for columns in (both, ["--column", "load*"]):
        models.append(tmp_path / f"{len(models)}.tsuzuki")
        done = run("fit", folder / "plant.csv", "-o", models[-1], *columns, "--known", "plan", *SMALL)
        assert "760 readings in 2 series" in done.stdout, done.stderr
    shown = [run("forecast", model, "--future", folder / "plan.csv", "--json", "-").stdout for model in models]
    assert shown[0] == shown[1]
    assert [row["unique_id"] for row in json.loads(shown[0])] == ["load"] * 3 + ["load2"] * 3
    done = run("backtest", folder / "plant.csv", *both, "--known", "plan", *SMALL, "--windows", "3")
    assert "6 origins" in done.stdout, done.stderr


def test_a_column_of_series_names_stands_before_the_columns_that_are_named(tmp_path):
    times = pd.date_range("2024-01-01", periods=9, freq="h")
    frame = pd.DataFrame({"unique_id": ["a", "b"] * 9, "ds": np.repeat(times, 2), "u": range(18), "v": range(18)})
    frame.assign(day=1).to_csv(tmp_path / "long.csv", index=False)
    found = readers.read(tmp_path / "long.csv", column=["u", "v"], covariates=["day"])
    assert found.frame["unique_id"].unique().tolist() == ["a u", "b u", "a v", "b v"]
    assert found.frame.columns.tolist() == ["unique_id", "ds", "day", "y"]
    assert (found.columns, found.dropped) == (("u", "v"), ())
    with pytest.raises(DataError, match=r"column 'w\*' is not in long.csv .it has: unique_id, ds, u, v, day"):
        readers.read(tmp_path / "long.csv", column="w*")


def test_a_covariate_is_no_choice_for_the_values(tmp_path):
    times = pd.date_range("2024-01-01", periods=9, freq="h")
    pd.DataFrame({"time": times, "day": 1, "temp": range(9)}).to_csv(tmp_path / "a.csv", index=False)
    assert readers.read(tmp_path / "a.csv", covariates=["day"]).columns == ("temp",)
    with pytest.raises(DataError, match=r"several columns .*; name one with --column, or all of them as series with"):
        readers.read(tmp_path / "a.csv")


def test_a_verdict_divides_by_no_error_of_zero():
    scores = pd.DataFrame({"model": ["naive", "tsuzuki"], "rmse": [0.0, 0.25]})
    assert backtest_verdict(scores) == "The best reference, naive, makes no error; tsuzuki's (RMSE) is 0.25."
