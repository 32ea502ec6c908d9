"""Lines of a stream spread over processes: the bytes of one process, whatever happens to the others."""

import os
import signal
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tsuzuki
from test_commands_streaming import lines_of, model, start, states, stream  # noqa: F401
from tsuzuki.distributed.line_workers import LineWorkers, RunnerSettings, owner_of
from tsuzuki.streaming.lines import format_of

NAMES = st.text(st.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1, max_size=8)


def numbered(lines, first=1):
    return range(first, first + len(lines)), [line.encode() for line in lines]


def opened(path, workers):
    """Workers of a model whose series begin anew, all of which have a state of the bank's first moment."""
    found = tsuzuki.load(path)
    return LineWorkers(RunnerSettings(found.fitted, found.settings, True, None), workers, list)


def test_lines_and_states_are_those_of_one_process(model, tmp_path):  # noqa: F811
    lines = [*lines_of(200, series=7), "s1,now,1", "s3,2024-02-01,1", "", '"s, 9",2024-02-01,4', "nonsense", "a,b,c,d"]
    alone = stream(model, tmp_path / "alone", lines)
    spread = stream(model, tmp_path / "spread", lines, "--workers", "2")
    assert spread == alone
    assert alone[0] == 2
    assert states(model, tmp_path / "spread") == states(model, tmp_path / "alone")
    # The folder knows nothing of workers: it goes on with any number of them.
    more = [line.replace("2024-02", "2024-03") for line in lines_of(20, series=7)]
    assert stream(model, tmp_path / "spread", more) == stream(model, tmp_path / "alone", more, "--workers", "2")


def test_a_worker_that_dies_is_replaced_and_nothing_is_lost_or_repeated(model):  # noqa: F811
    lines = lines_of(60, series=5)
    text = format_of(lines[0], "csv", (), 2)
    with opened(model, 1) as one:
        expected = one.run(*numbered(lines), text)
    with opened(model, 2) as workers:
        os.kill(workers.pids[0], signal.SIGKILL)
        # Nothing has been committed, so the new one begins where its predecessor did.
        assert workers.run(*numbered(lines), text).forecasts == expected.forecasts


def test_ctrl_c_ends_no_worker_that_still_begins(model):  # noqa: F811
    lines = lines_of(20, series=7)
    with opened(model, 2) as workers:
        begun = workers.pids
        for pid in begun:
            os.kill(pid, signal.SIGINT)
        workers.run(*numbered(lines), format_of(lines[0], "csv", (), 2))
        assert workers.pids == begun


def test_ctrl_c_ends_all_processes_with_130(model, tmp_path):  # noqa: F811
    process = start(model, tmp_path / "states", "--workers", "2", start_new_session=True)
    process.stdin.write("\n".join(lines_of(10)) + "\n")
    process.stdin.flush()
    assert [process.stdout.readline() for _ in range(11)][-1].startswith("10,")
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in said) == (130, False)
    assert states(model, tmp_path / "states")[0] == 10
    # Python's own helper for processes ends a moment later.
    for _ in range(300):
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            break
        time.sleep(0.1)
    else:
        pytest.fail("a process is left over")


@given(name=NAMES, form=st.sampled_from(["csv", "quoted", "header", "ndjson"]), workers=st.integers(1, 9))
def test_a_line_goes_to_the_worker_of_the_series_that_it_is_of(name, form, workers):
    import json

    quoted = '"' + name.replace('"', '""') + '"' if form == "quoted" or set(name) & set(',;"') else name
    lines = {
        "csv": ("s,2024-01-01,1", f"{quoted},2024-01-01,1"),
        "quoted": ("s,2024-01-01,1", f"{quoted},2024-01-01,1"),
        "header": ("y; ds ;unique_id", f"1;2024-01-01;{quoted}"),
        "ndjson": ('{"a": 1}', json.dumps({"unique_id": name, "ds": "2024-01-01", "y": 1})),
    }
    first, line = lines[form]
    text = format_of(first, "auto", ("a", "b"), 1)
    try:
        of = text.parse(line)[0]
    except ValueError:
        return
    assert text.name_in(line.encode()) == of
    assert 0 <= owner_of(of, workers) < workers


def test_no_worker_is_a_setting_that_cannot_be_had(model, tmp_path):  # noqa: F811
    for none in ("0", "-3"):
        code, _, said = stream(model, tmp_path / "states", [], "--workers", none)
        assert (code, said.splitlines()[-1]) == (2, f"error: --workers is {none}; give a whole number from 1")
    assert not (tmp_path / "states").exists()
