"""`tsuzuki stream` as a user runs it, killed at any moment included."""

import json
import random
import resource
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tsuzuki.forecaster import Forecaster
from tsuzuki.forecasting.serialization import model_id
from tsuzuki.streaming.state_store import StateStore


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model of one hourly series, its file, and where its data end."""
    times = pd.date_range("2024-01-01", periods=300, freq="h")
    series = pd.Series(10 + np.sin(np.arange(300) / 4), times, name="trained")
    path = tmp_path_factory.mktemp("model") / "m.tsuzuki"
    settings = {"units": 4, "layers": 1, "head": 0, "ensemble": 1, "epochs": 1, "max_gap": 5}
    Forecaster(2, **settings).fit(series).save(path)
    return path


def lines_of(count, series=3, seed=0, start="2024-02-01"):
    """CSV lines of some series that take turns, hour by hour."""
    generator = np.random.default_rng(seed)
    stamps = pd.date_range(start, periods=count // series + 1, freq="h").astype(str)
    return [f"s{i % series},{stamps[i // series]},{generator.normal(10, 1):.3f}" for i in range(count)]


def start(model, state, *options, **more):
    command = [sys.executable, "-m", "tsuzuki", "stream", str(model), "--state", str(state), *options]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | more
    return subprocess.Popen(command, **pipes)


def stream(model, state, lines, *options):
    """Run to the end of the input: the exit code, the lines of output, what was said."""
    process = start(model, state, *options)
    out, said = process.communicate("\n".join(lines) + ("\n" if lines else ""), timeout=120)
    return process.returncode, out.splitlines(), said


def states(model, folder):
    import tsuzuki

    with StateStore(folder, model_id(tsuzuki.load(model).fitted)) as store:
        return store.line, {name: (moment, missing, state.tobytes()) for name, moment, missing, state in store.load()}


def test_forecasts_are_those_of_streams(model, tmp_path):
    import tsuzuki

    lines = ["unique_id,ds,y", *lines_of(60)]
    code, out, said = stream(model, tmp_path / "states", lines)
    assert (code, said) == (0, "")
    assert out[0] == "line,unique_id,ds,tsuzuki-1,tsuzuki-2"
    bank = tsuzuki.load(model).bank(["s0", "s1", "s2"], start="2024-01-31 23:00")
    for number, (line, found) in enumerate(zip(lines[1:], out[1:], strict=True), start=1):
        name, stamp, value = line.split(",")
        expected = bank.update([float(value)], [name])[0]
        cells = found.split(",")
        assert cells[:3] == [str(number), name, stamp]
        np.testing.assert_allclose([float(cell) for cell in cells[3:]], expected, rtol=1e-4)


def test_ndjson_gives_the_same_forecasts(model, tmp_path):
    lines = lines_of(30)
    _, out, _ = stream(model, tmp_path / "a", lines)
    objects = [
        json.dumps({"unique_id": name, "ds": stamp, "y": float(value)})
        for name, stamp, value in (line.split(",") for line in lines)
    ]
    code, rows, _ = stream(model, tmp_path / "b", objects)
    assert code == 0
    for row, line in zip(rows, out[1:], strict=True):
        found = json.loads(row)
        assert [str(found["line"]), found["unique_id"], found["ds"]] == line.split(",")[:3]
        assert found["tsuzuki"] == [float(cell) for cell in line.split(",")[3:]]


def test_lines_that_cannot_be_taken_are_named_and_the_others_are(model, tmp_path):
    good = lines_of(4, series=1)
    bad = [
        "what is this",
        "s0,2024-02-01 02:00:00,warm",
        "s0,yesterday,1.0",
        "z,,1.0",
        "s0,2024-02-01 03:00:00,inf",
        good[2],
        "s0,2024-01-31 00:00:00,1.0",
        "s0,2024-02-01 03:30:00,1.0",
        "",
    ]
    code, out, said = stream(model, tmp_path / "s", [*good[:3], *bad, good[3]])
    assert code == 2
    assert [line.split(",")[0] for line in out[1:]] == ["1", "2", "3", "13"]
    told = said.splitlines()
    assert [line.split(":")[0] for line in told[:8]] == [f"line {i}" for i in range(4, 12)]
    for line, words in zip(
        told,
        [
            "'what is this' is not unique_id,ds,y; left out",
            "is not unique_id,ds,y; left out",
            "'yesterday' is no time such as 2026-01-31 12:00; left out",
            "'' is no time such as 2026-01-31 12:00; left out",
            "the reading of series 's0' is infinite; left out",
            "is a second one for 2024-02-01T02:00:00, where the series stands; left out",
            "is late: it lies before 2024-02-01T02:00:00, where the series stands; left out",
            "lies beside the grid, -0.50 steps from a time that one is due; left out",
            "8 lines were left out",
        ],
        strict=True,
    ):
        assert words in line


@settings(max_examples=3)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4))
def test_missing_readings_gaps_and_batches_of_any_size_end_in_the_same_states(model, tmp_path_factory, seed, series):
    generator = random.Random(seed)
    lines = []
    for line in lines_of(240, series, seed):
        name, stamp, value = line.split(",")
        if generator.random() < 0.8:
            lines.append(f"{name},{stamp},{'' if generator.random() < 0.1 else value}")
    folder = tmp_path_factory.mktemp("states")
    _, whole, _ = stream(model, folder / "a", lines)
    parts, at = [], 0
    while at < len(lines):
        size = generator.randint(1, len(lines) // 2)
        parts += stream(model, folder / "b", lines[at : at + size])[1][1:]
        at += size
    found = [[float(cell) for cell in line.split(",")[3:]] for line in whole[1:]]
    again = [[float(cell) for cell in line.split(",")[3:]] for line in parts]
    # One line at a time, or a line of each series together: the same up to rounding.
    np.testing.assert_allclose(again, found, rtol=1e-3, atol=1e-4)
    one, other = states(model, folder / "a"), states(model, folder / "b")
    assert one[0] == other[0] == len(lines)
    assert {name: state[:2] for name, state in one[1].items()} == {name: state[:2] for name, state in other[1].items()}


def test_a_process_killed_at_any_moment_goes_on_without_losing_or_repeating_a_line(model, tmp_path):
    """The input comes in pieces; the process is killed at random moments and started again with --replay."""
    generator = random.Random(1)
    lines = lines_of(3000, series=5)
    pieces = [lines[at : at + 100] for at in range(0, len(lines), 100)]
    reference = start(model, tmp_path / "whole", stderr=subprocess.DEVNULL)
    expected, acknowledged = [], {}
    for piece in pieces:
        _send(reference, piece)
        expected += [reference.stdout.readline() for _ in range(len(piece) + (not expected))]
    reference.stdin.close()
    reference.wait(60)
    for kill in range(12):
        output = tmp_path / f"out{kill}"
        with output.open("w") as file:
            process = start(model, tmp_path / "killed", "--replay", stdout=file, stderr=subprocess.DEVNULL)
            limit, begun = generator.uniform(0.3, 1.2), time.monotonic()
            for piece in pieces:
                _send(process, piece)
                time.sleep(0.002)
                if time.monotonic() - begun > limit:
                    break
            time.sleep(max(0, limit - (time.monotonic() - begun)))
            process.send_signal(signal.SIGKILL)
            process.wait()
        for line in output.read_text().splitlines()[1:]:
            number = int(line.split(",")[0])
            if line.count(",") == 4:
                # No line comes twice.
                assert number not in acknowledged
                acknowledged[number] = line
    code, out, _ = stream(model, tmp_path / "killed", lines, "--replay")
    assert code == 0
    for line in out[1:]:
        number = int(line.split(",")[0])
        assert number not in acknowledged
        acknowledged[number] = line
    # A line that the kill cut off between commit and output is in the state, but was never acknowledged.
    assert len(acknowledged) > len(lines) / 2
    for number, line in acknowledged.items():
        np.testing.assert_allclose(
            [float(cell) for cell in line.split(",")[3:]],
            [float(cell) for cell in expected[number].split(",")[3:]],
            rtol=1e-3,
        )
    one, other = states(model, tmp_path / "whole"), states(model, tmp_path / "killed")
    assert one[0] == other[0] == len(lines)
    assert one[1].keys() == other[1].keys()
    for name in one[1]:
        assert one[1][name][:2] == other[1][name][:2]
        np.testing.assert_allclose(
            np.frombuffer(one[1][name][2], np.float32),
            np.frombuffer(other[1][name][2], np.float32),
            rtol=1e-3,
            atol=1e-4,
        )


def _send(process, lines):
    process.stdin.write("\n".join(lines) + "\n")
    process.stdin.flush()


def test_tail_follows_a_file_that_grows(model, tmp_path):
    path, lines = tmp_path / "readings.csv", lines_of(9)
    path.write_text("")
    tail = subprocess.Popen(["tail", "-n", "+1", "-f", str(path)], stdout=subprocess.PIPE)
    process = start(model, tmp_path / "states", stdin=tail.stdout)
    try:
        for number, line in enumerate(lines, start=1):
            with path.open("a") as file:
                file.write(line + "\n")
            if number == 1:
                assert process.stdout.readline().startswith("line,unique_id")
            # The forecast comes while the input is still open.
            assert process.stdout.readline().startswith(f"{number},{line.split(',')[0]},")
    finally:
        tail.kill()
        tail.wait()
    assert process.wait(30) == 0


def test_ctrl_c_ends_with_130_and_keeps_what_was_acknowledged(model, tmp_path):
    process = start(model, tmp_path / "states")
    _send(process, lines_of(10))
    found = [process.stdout.readline() for _ in range(11)]
    assert found[-1].startswith("10,")
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in said
    assert states(model, tmp_path / "states")[0] == 10


def test_a_reader_that_goes_away_is_no_traceback(model, tmp_path):
    process = start(model, tmp_path / "states")
    process.stdout.close()
    process.stdin.write("\n".join(lines_of(3000)) + "\n")
    process.stdin.close()
    said = process.stderr.read()
    process.wait(60)
    assert "Traceback" not in said
    assert len(said.splitlines()) <= 1


def test_a_full_disk_is_named_and_the_states_before_it_stay(model, tmp_path):
    stream(model, tmp_path / "states", lines_of(30))
    before = states(model, tmp_path / "states")

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    process = start(model, tmp_path / "states", preexec_fn=limit)
    later = [f"new{i},2024-02-01 00:00:00,1.0" for i in range(2000)]
    out, said = process.communicate("\n".join(later) + "\n", timeout=60)
    assert process.returncode == 2
    assert "free some space" in said or "cannot be used" in said
    assert "Traceback" not in said
    # Nothing was written out that is not kept.
    assert len(out.splitlines()) <= 1
    assert states(model, tmp_path / "states") == before


def test_two_processes_do_not_share_a_folder(model, tmp_path):
    first = start(model, tmp_path / "states")
    _send(first, lines_of(3))
    assert [first.stdout.readline() for _ in range(4)][3].startswith("3,")
    code, out, said = stream(model, tmp_path / "states", lines_of(3, start="2024-03-01"))
    assert (code, out) == (2, [])
    assert "is in use by another process; wait for its end or name another folder" in said
    first.communicate(timeout=30)
    assert first.returncode == 0


def test_empty_input_is_no_error_and_another_models_folder_is_one(model, tmp_path):
    assert stream(model, tmp_path / "states", [])[0] == 0
    series = pd.Series(np.sin(np.arange(99)), pd.date_range("2024-01-01", periods=99, freq="h"), name="a")
    other = tmp_path / "other.tsuzuki"
    Forecaster(1, units=2, layers=1, head=0, ensemble=1, epochs=1).fit(series).save(other)
    code, _, said = stream(other, tmp_path / "states", lines_of(2))
    assert code == 2
    assert "holds the states of another model" in said


def test_names_may_hold_commas_in_quotes(model, tmp_path):
    code, out, _ = stream(model, tmp_path / "s", ['"a, b",2024-02-01,1.5', '"say ""hi""",2024-02-01,2.5'])
    assert code == 0
    assert [line.rsplit(",", 3)[0] for line in out[1:]] == ['1,"a, b"', '2,"say ""hi"""']
    assert set(states(model, tmp_path / "s")[1]) == {"a, b", 'say "hi"'}


AWFUL = [
    '{"unique_id": "\\ud800", "ds": "2024-02-01", "y": 1}',
    "[" * 9_000,
    '{"unique_id": "s0", "ds": "2024-02-01", "y": 1' + "0" * 400 + "}",
    '{"unique_id": "s0", "ds": "2024-02-01", "y": "4"}',
    '{"unique_id": ["s0"], "ds": "2024-02-01", "y": 4}',
    '{"unique_id": "s0", "ds": {"a": 1}, "y": 4}',
    "{}",
    "[]",
    "null",
]
AWFUL_CSV = [
    "[" * 100_000,
    "s0,2024-02-01," + "1" * 400,
    '"' + "s" * 200_000 + '",2024-02-01,1',
    "s0,now,1",
    "s0,today,1",
    "s0,2024-02-01,1_000",
    "s0,2024-02-01,１２",
    " s0,2024-02-01,1",
    "s0 ,2024-02-01,1",
    "s\u200b0,2024-02-01,1",
    "s\ufeff0,2024-02-01,1",
    "s0,01/02/2024,1",
    "s0,2024-02-01,1e39",
    "s0,2024-02-01,1e33",
    "s0,2024-02-01T00:00:00+09:00,1",
]


@pytest.mark.parametrize(("awful", "as_line"), [(AWFUL, json.dumps), (AWFUL_CSV, None)])
def test_a_bad_line_is_counted_named_and_left_out_whatever_it_holds(model, tmp_path, awful, as_line):
    good = lines_of(3, series=1)
    if as_line:
        good = [
            json.dumps({"unique_id": name, "ds": stamp, "y": float(y)})
            for name, stamp, y in (line.split(",") for line in good)
        ]
    code, out, said = stream(model, tmp_path / "s", [good[0], *awful, *good[1:]])
    assert code == 2
    assert "Traceback" not in said
    *told, last = said.splitlines()
    assert [line.split(":")[0] for line in told] == [f"line {number}" for number in range(2, 2 + len(awful))]
    assert all(line.endswith("; left out") and len(line) < 200 for line in told), told
    assert last == f"{len(awful)} lines were left out"
    assert len(out) == 3 + (as_line is None)
    assert stream(model, tmp_path / "t", good)[1][-1].split(",", 1)[1] == out[-1].split(",", 1)[1]


def test_bytes_that_are_no_utf_8_and_endless_lines_are_left_out(model, tmp_path):
    process = start(model, tmp_path / "s", text=False)
    good = [line.encode() for line in lines_of(2, series=1)]
    content = b"\n".join([b"\xef\xbb\xbf" + good[0], b"s\xff,2024-02-01,1", b"x" * 3_000_000, good[1], b""])
    out, said = process.communicate(content, timeout=60)
    assert process.returncode == 2
    assert [line.split(b",")[:2] for line in out.splitlines()[1:]] == [[b"1", b"s0"], [b"4", b"s0"]]
    assert b"line 2: 's\xef\xbf\xbd,2024-02-01,1' is no UTF-8; left out" in said
    assert b"is longer than 10,000 bytes; left out" in said
    assert len(said) < 400


@pytest.mark.parametrize(
    "written",
    [
        "unique_id;ds;y\na;01.02.2024 00:00;1,5\na;2024-02-01 01:00;2,5\n",
        "ds,y\n2024-02-01,1.5\n2024-02-01 01:00,2.5\n",
        "2024-02-01,1.5\n2024-02-01 01:00,2.5\n",
        "y,ds,unique_id\n1.5,2024/2/1 0:00,a\n2.5,2024年2月1日1時,a\n",
        "\ufefftime\tunique_id\ty\n2024-02-01\ta\t1.5\n2024-02-01 01:00\ta\t2.5\n",
        "unique_id,ds,y\na,2024-02-01T00:00:00Z,1.5\na,2024-02-01T10:00:00+09:00,2.5\n",
    ],
)
def test_a_stream_reads_the_forms_that_files_have(written):
    from tsuzuki.streaming import lines

    first, *rest = written.removeprefix("\ufeff").splitlines()
    form = lines.format_of(first, "auto", ["a"], 2)
    rest = rest if form.has_header else [first, *rest]
    found = [form.parse(line) for line in rest]
    assert [(name, y) for name, _, y in found] == [("a", 1.5), ("a", 2.5)]
    moments = [lines.moment(stamp)[0] for _, stamp, _ in found]
    assert moments == [pd.Timestamp(f"2024-02-01 0{hour}:00").value for hour in (0, 1)]


def test_a_header_that_does_not_say_which_column_is_which_is_refused(model, tmp_path):
    code, out, said = stream(model, tmp_path / "s", ["time,a,b", "2024-02-01,1,2"])
    assert (code, out) == (2, [])
    assert "does not say which column is which; name them unique_id, ds and y" in said


def test_new_series_are_refused_where_the_model_knows_its_series(model, tmp_path, tmp_path_factory):
    frame = pd.concat(
        [
            pd.DataFrame(
                {"unique_id": name, "ds": pd.date_range("2024-01-01", periods=99, freq="h"), "y": np.sin(np.arange(99))}
            )
            for name in ("a", "b")
        ]
    )
    two = tmp_path / "two.tsuzuki"
    Forecaster(1, units=2, layers=1, head=0, ensemble=1, epochs=1).fit(frame).save(two)
    lines = ["a,2024-01-05 03:00,1", "aa,2024-01-05 03:00,1"]
    code, out, said = stream(two, tmp_path / "s", lines)
    assert (code, len(out)) == (2, 2)
    assert "line 2: series 'aa' is not known; --new-series allow takes it; left out" in said
    code, out, _ = stream(two, tmp_path / "t", lines, "--new-series", "allow")
    assert (code, len(out)) == (0, 3)
    assert stream(two, tmp_path / "t", ["aa,2024-01-05 04:00,1"])[0] == 0
    assert stream(model, tmp_path / "u", lines, "--new-series", "refuse")[0] == 2
    assert "choose allow, refuse or auto" in stream(model, tmp_path / "u", lines, "--new-series", "perhaps")[2]


def test_a_full_disk_behind_standard_output_and_closed_ends_are_named(model, tmp_path):
    lines = lines_of(30)
    with open("/dev/full", "w") as full:
        process = start(model, tmp_path / "s", stdout=full)
        _, said = process.communicate("\n".join(lines) + "\n", timeout=60)
    assert process.returncode == 2
    assert said.startswith("error: standard output cannot be written (No space left on device); the states hold every")
    assert "Traceback" not in said
    for closed, word in ((">&-", "output"), ("<&-", "input")):
        command = f"{sys.executable} -m tsuzuki stream {model} --state {tmp_path / word} {closed}"
        done = subprocess.run(["sh", "-c", command], input=None, capture_output=True, text=True, timeout=60)
        assert done.returncode == 2
        assert f"error: standard {word} is closed; give the command one" in done.stderr


def test_a_damaged_series_begins_anew_and_info_lists_what_a_folder_holds(model, tmp_path):
    import sqlite3

    from typer.testing import CliRunner

    from tsuzuki.cli import app
    from tsuzuki.streaming.state_store import NAME

    stream(model, tmp_path / "s", lines_of(9))
    base = sqlite3.connect(tmp_path / "s" / NAME, isolation_level=None)
    base.execute("UPDATE series SET missing = 3 WHERE id = 's1'")
    base.close()
    told = CliRunner().invoke(app, ["info", str(tmp_path / "s")]).output
    assert "series             3" in told
    assert "damaged            s1" in told
    later = lines_of(3, start="2024-02-01 03:00")
    code, _, said = stream(model, tmp_path / "s", later)
    assert code == 2
    assert "where it holds series 's1'; --begin-anew s1 lets this series begin anew" in said
    code, out, _ = stream(model, tmp_path / "s", later, "--begin-anew", "s1")
    assert (code, len(out)) == (0, 4)
