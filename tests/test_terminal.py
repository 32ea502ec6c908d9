"""The command line as a whole: help, completion, colours, exit codes."""

import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from typer.main import get_command

from test_cli import run
from tsuzuki.cli import app

COMMANDS = sorted(get_command(app).commands)


@pytest.fixture(scope="module")
def readings(tmp_path_factory):
    """A small file."""
    path = tmp_path_factory.mktemp("terminal") / "readings.csv"
    times = pd.date_range("2020-01-01", periods=300, freq="1h")
    pd.DataFrame({"time": times, "temp": np.sin(np.arange(300) / 5).round(3)}).to_csv(path, index=False)
    return path


def start(*arguments, **environment):
    """Run the command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "tsuzuki", *map(str, arguments)],
        env={**os.environ, "COLUMNS": "80", **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_an_example_in_its_help_and_fits_eighty_columns(command):
    shown = run(command, "--help", env={"COLUMNS": "80"})
    assert f"Example: tsuzuki {command}" in shown.stdout or f"| tsuzuki {command}" in shown.stdout
    assert max(map(len, shown.stdout.splitlines())) <= 80


def test_help_shows_the_first_three_things_to_do_and_what_exit_codes_mean():
    shown = run("--help", env={"COLUMNS": "80"}).stdout
    for words in ("tsuzuki compare beijing", "tsuzuki fit FILE.csv", "tsuzuki forecast model.tsuzuki"):
        assert words in shown
    assert "0 done, 2 wrong input, 3 diverged, 130 interrupted" in shown
    assert len(shown.splitlines()) <= 30


def test_help_lists_every_command_once_under_what_it_is_for():
    from tsuzuki.commands.grouped import GROUPS

    assert sorted(name for names in GROUPS.values() for name in names) == COMMANDS
    lines = run("--help", env={"COLUMNS": "80"}).stdout.splitlines()
    for heading, names in GROUPS.items():
        at = lines.index(f"{heading}:")
        assert [line.split()[0] for line in lines[at + 1 : at + 1 + len(names)]] == list(names)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fit", "{data}", "-o", "{data}"], "--output names {data}, which is the file that is read; name another file"),
        (["fit", "{data}", "-o", "{m}", "--json", "{m}"], "--json names {m}, which is that of --output; name another"),
        (["fit", "{data}", "-o", "-"], "--output cannot be printed; name a file"),
        (["compare", "{data}", "--json", "{data}"], "--json names {data}, which is the file that is read"),
        (["compare", "{data}", "--report", "{data}"], "--report names {data}, which is the file that is read"),
        (["backtest", "{data}", "--csv", "{data}"], "--csv names {data}, which is the file that is read"),
        (["plot", "{data}", "--png", "{data}"], "--png names {data}, which is the file that is read"),
        (["forecast", "{m}", "--csv", "{m}"], "--csv names {m}, which is the file that is read"),
    ],
)
def test_no_command_writes_over_what_it_reads(readings, tmp_path, arguments, message):
    names = {"data": str(readings), "m": str(tmp_path / "m.tsuzuki")}
    before = readings.read_bytes()
    shown = run(*(one.format(**names) for one in arguments))
    assert shown.exit_code == 2
    assert message.format(**names) in " ".join(shown.stderr.split())
    assert readings.read_bytes() == before
    assert list(tmp_path.iterdir()) == []


def test_a_network_larger_than_the_memory_is_named(readings):
    shown = run("compare", readings, "--units", "10000000", "--seeds", "1")
    assert shown.exit_code == 2
    assert "error: this needs more memory than is available (" in shown.stderr


def test_completion_is_written_for_a_shell(tmp_path):
    shown = start(
        "--show-completion", HOME=str(tmp_path), SHELL="/bin/bash", _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1"
    )
    done = subprocess.run(
        [sys.executable, "-m", "tsuzuki"],
        env={**os.environ, "_TSUZUKI_COMPLETE": "complete_bash", "COMP_WORDS": "tsuzuki back", "COMP_CWORD": "1"},
        capture_output=True,
        text=True,
    )
    assert "backtest" in done.stdout
    assert "Traceback" not in shown.stderr


def test_there_are_no_colours_without_a_terminal_or_with_no_color(readings):
    for environment in ({}, {"NO_COLOR": "1"}):
        shown = start("compare", readings, "--seeds", 2, "--epochs", 1, **environment)
        assert shown.returncode == 0
        assert "\x1b" not in shown.stdout + shown.stderr


def test_json_on_standard_output_is_json_and_nothing_else(readings):
    for arguments in (
        ("compare", readings, "--seeds", 2, "--epochs", 1),
        ("backtest", readings, "--horizon", 2, "--units", 3, "--ensemble", 1, "--epochs", 1, "--windows", 3),
    ):
        shown = start(*arguments, "--json", "-")
        assert shown.returncode == 0, shown.stderr
        json.loads(shown.stdout)


def test_tables_keep_to_eighty_columns(readings):
    shown = start("compare", readings, "--seeds", 2, "--epochs", 1)
    assert max(map(len, shown.stdout.splitlines())) <= 80


def test_wrong_input_is_one_line_and_exit_code_two(tmp_path):
    shown = start("compare", tmp_path / "nowhere.csv")
    assert shown.returncode == 2
    assert len(shown.stderr.strip().splitlines()) == 1


def test_a_run_that_diverges_is_exit_code_three(readings):
    shown = start("compare", readings, "--seeds", 1, "--learning-rate", 1e30)
    assert shown.returncode == 3
    assert "Traceback" not in shown.stderr


def test_progress_is_logged_where_there_is_no_terminal(readings, tmp_path):
    arguments = ("fit", readings, "-o", tmp_path / "m.tsuzuki", "--units", 3, "--ensemble", 1, "--epochs", 2)
    shown = start(*arguments, TSUZUKI_LOG="info")
    assert shown.returncode == 0, shown.stderr
    told = [line for line in shown.stderr.splitlines() if " tsuzuki INFO training: " in line]
    shares = [int(line.split("training: ")[1].split()[0]) for line in told]
    assert shares == sorted(set(shares))
    assert shares[-1] == 100
    assert "INFO" not in start(*arguments).stderr
    refused = start(*arguments, TSUZUKI_LOG="loud")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "TSUZUKI_LOG is 'loud' in the environment; set it to debug, info or warning" in refused.stderr


def test_each_epoch_is_logged_where_there_is_no_terminal(caplog):
    from tsuzuki import progress_bar
    from tsuzuki.training.records import Progress

    with caplog.at_level("INFO", "tsuzuki"), progress_bar() as show:
        for epoch in (1, 2):
            for update in (5, 10):
                show(Progress(epoch, 2, update, 10, 0.5 / epoch))
    words = [message.partition(" after")[0] for message in caplog.messages]
    assert words == ["epoch 1 of 2: loss 0.50000", "epoch 2 of 2: loss 0.25000"]
