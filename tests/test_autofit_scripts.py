"""Scripts as people write them, old and new, under `tsuzuki run`: the same numbers as in Keras, and a true table."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("keras", reason='Keras is not installed: pip install "tsuzuki[keras]"')
pytest.importorskip("tensorflow", reason='TensorFlow is not installed: pip install "tsuzuki[keras]"')

SCRIPTS = Path(__file__).parent / "scripts"
OLD = sorted(path.stem for path in (SCRIPTS / "old").glob("*.py"))
TODAY = sorted(path.stem for path in (SCRIPTS / "today").glob("*.py"))
NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|nan|inf)")
# Calls that have no equal here, by script; all others must be swapped.
LEFT = {
    "two_models": {"fit"},
    "diverges": {"fit"},
    "wrong": {"predict"},
}


@pytest.fixture(scope="module")
def ran(jfk):
    """What every script printed: in Keras as of today, under run, and under run with swapping forbidden."""
    arguments = {"tutorial_2019": f" {jfk} 606"}
    under = {name: SCRIPTS / ("old" if name in OLD else "today") / f"{name}.py" for name in TODAY}
    plain = {name: SCRIPTS / "today" / f"{name}.py" for name in TODAY}
    processes = [
        subprocess.Popen(
            [
                sys.executable,
                str(SCRIPTS / "drive.py"),
                way,
                *(f"{path}{arguments.get(name, '')}" for name, path in paths.items()),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONWARNINGS": "ignore"},
        )
        for way, paths in (("run", under), ("today", plain))
    ]
    found = {}
    for process in processes:
        out, err = process.communicate()
        assert process.returncode == 0, err[-3000:]
        found |= json.loads(out.strip().splitlines()[-1])
    return found


def numbers(text):
    return [float(number) for number in NUMBER.findall(text)]


def same(found, expected):
    assert NUMBER.sub("#", found) == NUMBER.sub("#", expected), found
    assert numbers(found) == pytest.approx(numbers(expected), rel=1e-3, abs=1e-4, nan_ok=True)


@pytest.mark.parametrize("name", TODAY)
@pytest.mark.parametrize("way", ["run", "explain"])
def test_a_script_prints_what_it_prints_in_keras(ran, name, way):
    same(ran[way][name]["out"], ran["today"][name]["out"])


@pytest.mark.parametrize("name", TODAY)
def test_all_calls_are_swapped_but_those_that_have_no_equal(ran, name):
    calls = ran["run"][name]["calls"]
    assert calls
    assert {method for method, _, reason in calls if reason} == LEFT.get(name, set()), calls


def test_a_call_of_a_model_is_swapped_where_the_script_itself_forecasts_with_it(ran):
    # Six in the loop, two behind it, and one each behind the traced function, the reset and with a mask.
    assert ["model(x)", 1, ""] in ran["run"]["direct_calls"]["calls"]
    assert ["model(x)", 6, ""] in ran["run"]["direct_calls"]["calls"]
    assert sum(times for method, times, _ in ran["run"]["direct_calls"]["calls"] if method == "model(x)") == 11


@pytest.mark.parametrize("name", OLD)
def test_old_names_are_each_said_once_and_with_the_name_of_today(ran, name):
    # Each process says a name once, whichever script uses it first.
    said = [line for line in ran["run"][name]["err"].splitlines() if line.startswith("tsuzuki: ")]
    assert all(re.fullmatch(r"tsuzuki: .* is an old name; today it is .*", line) for line in said)
    assert not [line for line in ran["explain"][name]["err"].splitlines() if line.startswith("tsuzuki: ")]


def test_every_old_name_of_the_scripts_is_said(ran):
    said = "".join(ran["run"][name]["err"] for name in OLD)
    for old in (
        "batch_input_shape=",
        "input_shape= with batch_size=",
        "input_dim= with input_length=",
        "model.reset_states()",
        "layer.reset_states()",
        "lr=",
        "decay=",
        "epsilon=None",
        "nb_epoch=",
        "model.fit_generator",
        "model.evaluate_generator",
        "model.predict_generator",
        "CuDNNLSTM(…)",
        "TimeseriesGenerator",
        "model.predict_classes(x)",
        "optimizer.lr",
        "keras.utils.np_utils",
        "keras.layers.recurrent",
        "tensorflow.python.keras.layers",
        "output_dim=",
        "inner_activation=",
        "init=",
        "p=",
        "keras.backend.square",
        "keras.optimizers.legacy.Adam",
        "tf.keras.losses.mean_squared_error",
        "keras.preprocessing.text",
        "history['acc']",
        "monitor='val_acc'",
    ):
        assert said.count(f"tsuzuki: {old} is an old name; today it is ") == 1, old


def test_strict_fails_at_the_first_call_that_is_not_swapped(ran):
    assert ran["strict"]["chunks"]["out"] == ran["run"]["chunks"]["out"]
    shown = ran["strict"]["two_models"]
    assert re.search(
        r"ended with 2 error: two_models.py:\d+: fit cannot be swapped: layer 1 .*SeparableConv1D\) is not supported",
        shown["out"],
    )
    assert [(method, reason) for method, _, reason in shown["calls"]] == [("fit", "")]
