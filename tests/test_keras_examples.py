"""The programs under examples/keras print the same in Keras and under `tsuzuki run`, where every call is swapped."""

import json
import os
import re
import subprocess
import sys

import pytest

from tooling import ROOT

pytest.importorskip("keras", reason='Keras is not installed: pip install "tsuzuki[keras]"')
pytest.importorskip("tensorflow", reason='TensorFlow is not installed: pip install "tsuzuki[keras]"')
EXAMPLES = sorted((ROOT / "examples" / "keras").glob("*.py"))
NUMBER = re.compile(r"[-+]?\d+\.?\d*(?:[eE][-+]?\d+)?")


@pytest.fixture(scope="module")
def ran():
    """What each example printed, and the calls that were made, in Keras and under run."""
    found = {}
    for way in ("today", "once"):
        command = [sys.executable, str(ROOT / "tests" / "scripts" / "drive.py"), way, *map(str, EXAMPLES)]
        environment = os.environ | {"PYTHONWARNINGS": "ignore"}
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr[-3000:]
        found |= json.loads(done.stdout.strip().splitlines()[-1])
    return found


@pytest.mark.parametrize("name", [path.stem for path in EXAMPLES])
def test_an_example_prints_the_same_in_both_engines(ran, name):
    found, expected = ran["once"][name], ran["today"][name]
    assert NUMBER.sub("#", found["out"]) == NUMBER.sub("#", expected["out"])
    numbers = [[float(number) for number in NUMBER.findall(one["out"])] for one in (found, expected)]
    assert numbers[0] == pytest.approx(numbers[1], rel=1e-3, abs=1e-4)
    assert found["calls"]
    assert not [call for call in found["calls"] if call[2]]
