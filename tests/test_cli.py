"""The command line as a person or a program meets it."""

import functools
import importlib
import inspect
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from tsuzuki.cli import app
from tsuzuki.commands import straight
from tsuzuki.commands.grouped import MODULES

SHORT = ["--seeds", "2", "--epochs", "1"]


def run(*arguments, **options):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], **options)


@pytest.fixture
def readings(tmp_path):
    """A small file of hourly readings."""
    times = pd.date_range("2020-01-01", periods=300, freq="1h")
    values = np.sin(np.arange(300) / 5).round(3)
    pd.DataFrame({"time": times, "temp": values, "wind": values + 1}).to_csv(tmp_path / "readings.csv", index=False)
    return tmp_path / "readings.csv"


def test_compare_shows_the_data_a_table_and_a_verdict(readings):
    shown = run("compare", readings, "--column", "temp", *SHORT)
    assert shown.exit_code == 0
    assert shown.stdout.startswith("readings.csv: 300 readings, one every hour, 2020-01-01 to 2020-01-13")
    for word in ("stateless", "stateful", "streams, decayed", "persistence", "skill", "Over 2 paired seeds"):
        assert word in shown.stdout
    assert max(len(line) for line in shown.stdout.splitlines()) <= 80
    assert "…" not in shown.stdout
    # The conclusion stands between the data and the table.
    _, after = shown.stdout.split("to train on, ", 1)
    conclusion = " ".join(after[: after.index("ms per")].split())
    assert conclusion.startswith("60 held out Carrying the state from window to window")
    assert conclusion.endswith(".")


@pytest.mark.parametrize("cell", ["simple_rnn", "gru", "lstm"])
def test_every_cell_and_depth_can_be_compared(readings, cell):
    assert run("compare", readings, "--column", "temp", *SHORT, "--cell", cell, "--layers", 2).exit_code == 0


def test_a_bundled_series_is_compared_by_its_name():
    assert "nyc: 26,190 readings in 3 series" in run("compare", "nyc", *SHORT).stdout


def test_json_goes_to_a_file_or_stands_alone(readings, tmp_path):
    target = tmp_path / "out.json"
    shown = run("compare", readings, "--column", "wind", *SHORT, "--json", target, "--quiet")
    assert (shown.exit_code, shown.output) == (0, "")
    alone = run("compare", readings, "--column", "wind", *SHORT, "--json", "-")
    a, b = json.loads(target.read_text()), json.loads(alone.stdout)
    assert a["rows"][1]["test_mse"] == b["rows"][1]["test_mse"]
    assert a["dataset"]["name"] == "readings.csv"
    assert not list(tmp_path.glob("tmp*"))


def test_runs_of_a_comparison_have_the_same_bits_in_workers(readings):
    here, there = (
        json.loads(run("compare", readings, "--column", "wind", *SHORT, "--json", "-", *spread).stdout)
        for spread in ((), ("--workers", "2"))
    )
    for outcome in (here, there):
        for row in outcome["rows"]:
            for name in ("seconds_per_epoch", "us_per_update", "us_per_sample"):
                del row[name]
    assert here == there


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["absent.csv"], "error: there is no file absent.csv; check the name, or name a bundled series: beijing, nyc"),
        (["FILE"], "error: readings.csv has several columns that could hold the values (temp, wind); name one with"),
        (["FILE", "--column", "temp", "--workers", "0"], "error: workers is 0; give a whole number from 1"),
        (["FILE", "--column", "rain"], "error: column 'rain' is not in readings.csv (it has: time, temp, wind); name"),
        (["FILE", "--column", "temp", "--timesteps", "400"], "needs 402; use fewer timesteps, a longer series"),
        (
            ["beijing", "--column", "nope"],
            "error: column 'nope' is not in beijing (it has: unique_id, ds, y); leave out",
        ),
        (["nyc", "--time", "when"], "error: column 'when' is not in nyc (it has: unique_id, ds, y); leave out"),
        (["beijing", "--engine", "torch"], "error: --engine is 'torch'; choose tsuzuki or keras"),
        (["beijing", "--units", "0"], "error: --units is 0; give a whole number from 1"),
        (["beijing", "--json", "no/such/folder/out.json"], "but there is no folder no/such/folder; make it first"),
        (["beijing", "--json", "."], "error: --json names ., which is a folder; name a file in it"),
    ],
)
def test_wrong_input_ends_in_one_line_and_exit_code_2(readings, arguments, message):
    shown = run("compare", *[str(readings) if one == "FILE" else one for one in arguments])
    assert shown.exit_code == 2
    assert message in shown.stderr
    assert shown.stderr.count("\n") == 1
    assert shown.stdout == ""


def test_debug_shows_where_an_error_comes_from():
    shown = run("compare", "absent.csv", "--debug")
    assert type(shown.exception).__name__ == "FileError"


def test_a_run_that_diverges_ends_with_exit_code_3(readings):
    shown = run("compare", readings, "--column", "temp", *SHORT, "--learning-rate", "1e37")
    assert shown.exit_code == 3
    assert "error: the loss is not finite in update" in shown.stderr


def test_ctrl_c_ends_a_run_with_exit_code_130():
    process = subprocess.Popen(
        [sys.executable, "-m", "tsuzuki", "compare", "beijing", "--epochs", "100000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.strip().splitlines()[-1] == "interrupted"
    assert "Traceback" not in errors


def test_ctrl_c_while_the_command_line_is_imported_ends_as_later_on(tmp_path):
    (tmp_path / "typer.py").write_text("raise KeyboardInterrupt\n")
    places = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    command = [sys.executable, "-m", "tsuzuki", "compare", "beijing"]
    ended = subprocess.run(command, env=os.environ | {"PYTHONPATH": places}, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "interrupted\n")


@pytest.mark.parametrize("name", straight.STRAIGHT)
def test_a_command_without_options_gets_what_reading_its_options_gives(name, monkeypatch):
    module = importlib.import_module(f"tsuzuki.commands.{MODULES[name]}")
    told = []
    # Typer reads types from the signature alone.
    recorder = functools.wraps(getattr(module, name), assigned=("__doc__", "__module__", "__name__"))(
        lambda **given: told.append(given)
    )
    recorder.__signature__ = inspect.signature(getattr(module, name))
    monkeypatch.setattr(module, name, recorder)
    described = typer.Typer()
    described.command()(recorder)
    assert CliRunner().invoke(described, ["a.csv", "b.csv"]).exit_code == 0
    straight.command_of([name, "a.csv", "b.csv"]).main([], standalone_mode=False)
    by_typer, directly = ({key: value or None for key, value in one.items()} for one in told)
    assert by_typer == directly
    assert directly["source"] == ["a.csv", "b.csv"]


@pytest.mark.parametrize(
    "arguments", [[], ["fit"], ["compare", "beijing", "--seeds"], ["stream", "a"], ["absent", "a"]]
)
def test_anything_else_is_read_with_its_options(arguments):
    assert straight.command_of(arguments) is None


def test_a_command_without_options_ends_in_one_line_and_its_exit_code():
    shown = subprocess.run([sys.executable, "-m", "tsuzuki", "info", "absent.csv"], capture_output=True, text=True)
    assert shown.returncode == 2
    assert shown.stderr.startswith("error: there is no file absent.csv")
    assert len(shown.stderr.splitlines()) == 1


def test_a_bundled_series_is_compared_without_pandas():
    asked = (
        "import sys; from tsuzuki.cli import main; sys.argv[1:] = 'compare nyc --epochs 1 --seeds 1 --quiet'.split()\n"
        "try: main()\nfinally: print({'pandas', 'pyarrow', 'keras'} & set(sys.modules))"
    )
    shown = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True)
    assert (shown.returncode, shown.stdout) == (0, "set()\n")


def test_help_fits_a_screen_and_names_the_first_steps():
    shown = run("--help", env={"COLUMNS": "80"})
    assert "tsuzuki compare beijing" in shown.stdout
    assert len(shown.stdout.splitlines()) <= 30
    assert "Example: tsuzuki compare" in run("compare", "--help").stdout


def test_the_version_is_told():
    assert run("--version").stdout == "tsuzuki 0.1.0\n"


def test_keras_on_jax_is_refused_because_it_forgets_the_state(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    shown = run("compare", "beijing", "--engine", "keras")
    assert shown.exit_code == 2
    assert "Keras 3.15 silently trains stateful layers as if they were stateless; unset it" in shown.stderr


def test_a_missing_keras_is_answered_with_the_extra_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    shown = run("compare", "beijing", "--engine", "keras")
    assert shown.exit_code == 2
    assert (
        'needs the package keras, which is not installed; install it with: pip install "tsuzuki[keras]"' in shown.stderr
    )


@pytest.mark.parametrize("batch", ["6", "4"])
def test_real_keras_stands_beside_with_the_same_losses(readings, batch, monkeypatch):
    pytest.importorskip("keras", reason='Keras is not installed: pip install "tsuzuki[keras]"')
    monkeypatch.setattr(os, "environ", {k: v for k, v in os.environ.items() if k != "KERAS_BACKEND"})
    # 300 readings, 240 to train on: 234 windows, a whole number of batches of 6 and of each of the passes of 4.
    options = ["--column", "temp", *SHORT, "--engine", "keras", "--json", "-", "--batch-size", batch]
    shown = run("compare", readings, *options)
    assert shown.exit_code == 0, shown.stderr
    found = json.loads(shown.stdout)
    assert [row["name"] for row in found["keras"]] == ["stateless", "stateful"]
    for ours, theirs in zip(found["rows"][:2], found["keras"], strict=True):
        tolerance = 1e-3 if ours["name"] == "stateless" or batch == "6" else 0.05
        np.testing.assert_allclose(ours["running_loss"], theirs["running_loss"], rtol=tolerance)
        assert theirs["seconds_per_epoch"] > ours["seconds_per_epoch"]


@pytest.mark.parametrize("name", sorted(MODULES))
def test_no_command_shows_how_it_fails_or_is_quiet_unasked(name):
    module = importlib.import_module(f"tsuzuki.commands.{MODULES[name]}")
    parameters = inspect.signature(getattr(module, name)).parameters
    for option in {"debug", "quiet", "merge", "replay"} & parameters.keys():
        assert parameters[option].default is False, option
