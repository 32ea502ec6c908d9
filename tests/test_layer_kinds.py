"""A layer kind is one file: nothing else names it, and a new one needs no other."""

import os
import pkgutil
import re
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import tsuzuki
import tsuzuki.network
from tsuzuki.kernels.layers import kinds
from tsuzuki.network import layers

SOURCE = Path(tsuzuki.__file__).parent
KINDS = {
    name: value
    for found in pkgutil.iter_modules(tsuzuki.network.__path__)
    for name, value in vars(import_module(f"tsuzuki.network.{found.name}")).items()
    # What is around another layer has no kernels of its own.
    if isinstance(value, type) and issubclass(value, layers.Layer) and name != "TimeDistributed"
}
# Only what can be put into a network is a dataclass; what several share is not.
CONCRETE = sorted(name for name, value in KINDS.items() if "__dataclass_params__" in vars(value))
# Where a kind may be named: its description, the table of public names, what reads it from Keras or PyTorch and
# writes it back, and Keras's own names of old.
ALLOWED = {
    *(f"network/{path.name}" for path in (SOURCE / "network").glob("*.py")),
    "__init__.py",
    *(f"keras/readers/{path.name}" for path in (SOURCE / "keras" / "readers").glob("*.py")),
    "keras/network_to_model.py",
    *(f"torch/{path.name}" for path in (SOURCE / "torch").glob("*.py")),
    "adapters/onnx.py",
    "autofit/keras_1.py",
    "autofit/old_names.py",
}
# Layers that recipes and plans are made of.
USES = {
    "Dense": {
        "adapters/scikit_learn.py",
        "experiment/recipe.py",
        "forecasting/architecture.py",
        "experiment/keras_process.py",
    },
    "Concatenate": {"engine/plan.py"},
    "FinalState": {"engine/plan.py"},
    "Reshape": {"keras/model_to_network.py"},
    "LastSteps": {"keras/model_to_network.py", "keras/readers/merges.py"},
}


@pytest.mark.parametrize("name", CONCRETE)
def test_a_layer_kind_is_named_only_by_its_own_file_and_its_description(name):
    own = next(key for key, kind in kinds().items() if KINDS[name] in kind.DESCRIPTIONS)
    named = set()
    for path in SOURCE.rglob("*.py"):
        code = re.sub(r'""".*?"""|#[^\n]*|"[^"\n]*"', "", path.read_text("utf-8"), flags=re.DOTALL)
        code = re.sub(r"from typing import [^\n]*|Concatenate\[", "", code)
        if re.search(rf"\b{name}\b", code):
            named.add(path.relative_to(SOURCE).as_posix())
    assert named - ALLOWED - USES.get(name, set()) <= {f"kernels/layers/{own}.py"}


def test_every_layer_is_computed_by_exactly_one_kind():
    described = [layer.__name__ for kind in kinds().values() for layer in kind.DESCRIPTIONS]
    assert sorted(described) == sorted(CONCRETE)


DESCRIPTION = '''

@dataclass(frozen=True)
class Leaky(Recurrent):
    """h[t] = (h[t-1] + x[t] W + b) / 2."""

    units: int
    activation: str = "linear"
    use_bias: bool = True
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    return_sequences: bool | None = None
    go_backwards: bool = False
    zero_output_for_mask: bool = False
    stateful: bool = True
'''

KERNEL = '''"""A toy: half of what was, half of what comes in."""

import numpy as np

from tsuzuki.kernels.language import procedure, shift
from tsuzuki.kernels.memory import take_recurrent
from tsuzuki.kernels.projection import project, project_back
from tsuzuki.kernels.recurrence import d_state
from tsuzuki.kernels.table import INPUT_STEPS, OUT, RETURNS_ALL, WIDE, Z
from tsuzuki.network.layers import Leaky

DESCRIPTIONS = (Leaky,)
lay_out = lambda layer, place: take_recurrent(place, layer)
half = np.float32(0.5)


@procedure("ttfiii")
def forward(job, row, work, lanes, update, first_lane):
    size, z = lanes * row[WIDE], shift(work, row[Z])
    project(job, row, work, lanes, row[INPUT_STEPS], z, update, first_lane)
    for step in range(row[INPUT_STEPS]):
        before, out = shift(work, row[OUT] + step * size), shift(work, row[OUT] + (step + 1) * size)
        for i in range(size):
            out[i] = half * (before[i] + z[step * size + i])


@procedure("ttfif")
def backward(job, row, work, lanes, gradients):
    size, slopes = lanes * row[WIDE], shift(work, row[Z])
    for back in range(row[INPUT_STEPS]):
        step = row[INPUT_STEPS] - 1 - back
        d_out, d_before = d_state(job, row, work, lanes, step), d_state(job, row, work, lanes, max(step - 1, 0))
        for i in range(size):
            share = half * d_out[i]
            slopes[step * size + i] = share
            d_before[i] = share + (d_before[i] if row[RETURNS_ALL] and step > 0 else np.float32(0))
    project_back(job, row, work, lanes, row[INPUT_STEPS], slopes, gradients)
'''

SCRIPT = """
import numpy as np
from tsuzuki import Dense, Network, Segment, Streams, fit, initialise
from tsuzuki.network.layers import Leaky
from tsuzuki.network.optimizers import Adam
network = Network(1, (Leaky(3), Dense(1)))
inputs = np.random.default_rng(0).normal(size=(800, 1)).astype(np.float32)
targets, level = np.zeros_like(inputs), 0.0
for i in range(799):
    level = (level + inputs[i, 0]) / 2
    targets[i + 1] = level
layout = Streams(6, 4).over([Segment(0, 800)])
history = fit(network, initialise(network, 1), inputs, targets, layout, epochs=40, optimizer=Adam(0.01)).history
print(history[0].loss, history[-1].loss)
"""


def test_a_new_cell_needs_a_description_and_a_file_and_learns(tmp_path):
    package = tmp_path / "tsuzuki"
    shutil.copytree(SOURCE, package, ignore=shutil.ignore_patterns("__pycache__"))
    description = package / "network" / "layers.py"
    text = description.read_text()
    description.write_text(text.replace("\n\nCELLS: dict", f"{DESCRIPTION}\n\nCELLS: dict"))
    (package / "kernels" / "layers" / "leaky.py").write_text(KERNEL)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={**os.environ, "PYTHONPATH": str(tmp_path), "TSUZUKI_CACHE_DIR": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=True,
    )
    first, last = map(float, done.stdout.split())
    assert last < 1e-3 < first
