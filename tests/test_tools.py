"""What tools made, and stands in the project, is what they make now."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest

from tooling import ROOT, tool

pages = tool("pages")


def test_the_drawings_are_those_of_the_layouts():
    module = tool("make_drawings")
    for name, text in module.drawings().items():
        assert (module.IMAGES / name).read_text() == text


def test_the_coefficients_of_tanh_are_those_that_are_found():
    from tsuzuki.kernels.activations import TANH_LIMIT, TANH_P, TANH_Q

    module = tool("fit_tanh")
    p, q, error = module.fit()
    assert module.LIMIT == TANH_LIMIT
    np.testing.assert_allclose(TANH_P, p, rtol=1e-6)
    np.testing.assert_allclose(TANH_Q, q, rtol=1e-6)
    assert error < 1.4e-7


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (["", "a 1", "b 1", ""], ["", "a 2", "b 3", ""]),
        (["a 1", "[...]"], ["a 1", "[...]"]),
        (["a 1", "b 1", "c 1", "d 1"], ["a 1", "b 1", "c 1", "d 1"]),
        ([], []),
        ([""], [""]),
    ],
)
def test_what_a_page_shows_is_renewed_line_by_line_and_stays_cut(shown, expected):
    assert pages.renewed(pages.Output(shown, "a 2  \nb 3\nc 4\n", "", 0)) == expected


def test_a_page_is_renewed_where_the_output_stands_and_nowhere_else(tmp_path):
    page = tmp_path / "page.md"
    lines = ["2 is what it prints:", "", "```python", "print(1 + 2)", "```", "", "```text", "2", "```", "", "2", ""]
    page.write_text("\n".join(lines), "utf-8")
    assert pages.renew(page) == ["page.md, line 7"]
    lines[7] = "3"
    assert page.read_text("utf-8") == "\n".join(lines)
    assert pages.renew(page) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("```text\n1\n```", "page.md, line 1: shows what no code printed"),
        ("```console\n$ false\n```", "page.md, line 1: false: "),
        ("```json\n1\n```", "page.md, line 1: a block that is not run must say why"),
    ],
)
def test_a_page_whose_blocks_cannot_be_run_is_named(tmp_path, text, message):
    page = tmp_path / "page.md"
    page.write_text(text, "utf-8")
    with pytest.raises(ValueError, match=message):
        pages.renew(page)
    assert page.read_text("utf-8") == text


def test_the_reference_shows_the_settings_as_the_arguments_of_a_forecaster():
    griffe = pytest.importorskip("griffe", reason='Griffe is not installed: pip install "tsuzuki[docs]"')
    extensions = griffe.load_extensions("dataclasses", tool("reference_signatures").PassedOnArguments())
    package = griffe.load("tsuzuki", search_paths=[ROOT / "src"], extensions=extensions)
    shown = package["forecaster.Forecaster"].parameters
    assert [str(one) for one in shown] == [str(one) for one in package["forecasting.settings.Settings"].parameters]
    assert len(shown) > 2


def test_the_picture_of_a_forecast_is_one_of_the_series_it_names():
    import io

    import pandas as pd
    from matplotlib.image import imread

    module = tool("make_forecast_picture")
    drawn = module.forecast(units=4, layers=1, ensemble=1, epochs=1)
    assert drawn.name == "beijing"
    assert drawn.times[-1] == drawn.fans[0].times[0] == pd.Timestamp(module.CUT)
    assert len(drawn.fans[0].times) == 1 + module.HORIZON
    made, kept = imread(io.BytesIO(module.picture(drawn))), imread(module.PICTURE)
    assert made.shape == kept.shape
    # Title, axes and the readings before are the same; the forecast is another network's.
    assert (np.abs(made - kept).max(axis=2) < 0.1).mean() > 0.8


def test_every_planted_fault_changes_one_place_and_every_module_named_has_its_tests():
    import ast

    module = tool("mutate")
    source = "def f(a, b):\n    if a < b and not a:\n        return a + 1\n    return -b if a == 2 else b\n"
    planted = list(module.faults(source))
    # Versions of Python differ in where they set brackets.
    plain = str.maketrans("", "", "()")
    assert {(fault.before.translate(plain), fault.after.translate(plain)) for fault in planted} >= {
        ("a < b", "a <= b"),
        ("a + 1", "a - 1"),
        ("1", "2"),
        ("a < b and not a", "a < b or not a"),
        ("-b", "+b"),
        ("a == 2", "a != 2"),
    }
    for fault in planted:
        assert ast.dump(ast.parse(fault.source)) != ast.dump(ast.parse(source))
    for name, tests in module.TESTS.items():
        assert (ROOT / "src" / "tsuzuki" / name).is_file()
        assert all((ROOT / "tests" / f"{test}.py").is_file() for test in tests)
    assert len(module.drawn(5, 0, ["storage.py"])) == 5


def test_planted_faults_are_noticed_by_the_tests_that_run_their_lines():
    command = [sys.executable, str(ROOT / "tools" / "mutate.py"), "3", "--module", "formatting.py", "--first", "2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    lines = done.stdout.splitlines()
    assert lines[-1] == "2 of 2 faults were noticed", done.stdout + done.stderr
    assert all(re.match(r"  [23] killed   formatting\.py:\d+ ", line) for line in lines[:-2])
    found = json.loads(lines[-2])
    assert (found["planted"], found["killed"], found["in no time"], found["survivors"]) == (2, 2, 0, [])


def test_the_faults_that_no_test_noticed_once_can_be_planted_still():
    module = tool("mutate")
    planted = module.known_faults(None)
    assert len(planted) > 50
    assert {name for name, _ in planted} <= module.TESTS.keys()
    for name, fault in planted:
        assert fault.source != (ROOT / "src" / "tsuzuki" / name).read_text()
        compile(fault.source, name, "exec")


@pytest.mark.parametrize("kind", ["tables", "lines", "batches", "readings", "models", "checkpoints", "stores"])
def test_bent_input_is_read_as_it_is_or_refused_in_one_line(kind):
    import random

    found = tool("fuzz").run(kind, 60, seed=random.randrange(2**32), most=60)
    assert found["wrong"] == 0
    assert found["tried"] == found["read"] + found["refused"] == 60


def test_the_lowest_versions_that_are_tried_are_those_that_the_project_names():
    import tomllib

    versions = tool("try_versions")
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    pinned = versions.lowest(dependencies)
    assert "numpy==1.26" in pinned
    assert len(pinned) == sum(";" not in one for one in dependencies)
    with pytest.raises(ValueError, match=r"'numpy<3' in pyproject\.toml names no lower bound"):
        versions.lowest(["numpy<3"])


def test_the_smoke_test_refuses_the_clones_own_package():
    with pytest.raises(AssertionError, match="is the clone's, not an installed one"):
        tool("smoke").main([])


def test_commands_side_by_side_end_in_time_and_their_findings_are_added_up(capfd):
    import time

    side = tool("side_by_side")
    assert side.pieces(7, 3) == [3, 2, 2]
    assert side.pieces(2, 3) == [1, 1]
    found = []

    def says(text):
        return [sys.executable, "-c", text]

    slow, failing = "import time; time.sleep(60)", "import sys; sys.exit('no such thing')"
    commands = [says("print('{\"n\": 1}')")] * 2 + [says(failing), says(slow)]
    began = time.monotonic()
    wrong = side.gathered(commands, 4, began + 5, found.append)
    assert found == [{"n": 1}] * 2
    assert sorted(line.split(":")[0].split(" ")[0] for line in wrong) == ["-c", "not"]
    assert "ended with 1: no such thing" in "".join(wrong)
    assert "no such thing" in capfd.readouterr().err


def test_a_stream_of_many_lives_loses_no_line():
    command = [sys.executable, str(ROOT / "tools" / "soak.py"), "60", "--series", "4", "--kill", "24", "--rotate", "40"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    found = json.loads(done.stdout)
    assert (found["lines"], found["kills"], found["rotations"]) == (60, 2, 1), done.stderr


def test_a_table_that_does_not_fit_leaves_what_stood_there():
    command = [sys.executable, str(ROOT / "tools" / "interrupt.py"), "--only", "forecasts", "--places", "2"]
    done = subprocess.run([*command, "--place", "1"], capture_output=True, text=True, timeout=600, check=False)
    assert json.loads(done.stdout) == {"forecasts refused": 1, "wrong": []}, done.stderr


def test_the_build_of_a_wheel_finds_the_sources_and_what_pip_brings(monkeypatch):
    import importlib.util
    import sys
    from types import SimpleNamespace

    interface = SimpleNamespace(BuildHookInterface=object)
    monkeypatch.setitem(sys.modules, "hatchling.builders.hooks.plugin.interface", interface)
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    started = []
    monkeypatch.setattr(build.subprocess, "run", lambda command, env, check: started.append(env))
    hook = build.KernelHook()
    hook.root = "/clone"
    for given, path in (("/pip", "/clone/src:/pip"), ("", "/clone/src")):
        started.clear()
        monkeypatch.setenv("PYTHONPATH", given)
        hook.initialize("standard", {"force_include": {}})
        assert [one["TSUZUKI_VECTOR_WIDTH"] for one in started] == ["16", "8", "4"]
        assert {one["PYTHONPATH"].replace(build.os.pathsep, ":") for one in started} == {path}
    started.clear()
    hook.initialize("editable", {})
    assert not started
