"""The machine code on disk: kept, found again, and never out of date."""

import ast
import os
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np

import tsuzuki
from tsuzuki.engine import machine_code

SOURCE = Path(tsuzuki.__file__).parent

SCRIPT = """
import numpy as np
from tsuzuki.engine import machine_code as engine
from tsuzuki.network.initialisers import initialise
from tsuzuki.network.layers import Dense, SimpleRNN
from tsuzuki.network.network import Network
from tsuzuki.layouts.windows import Windows
from tsuzuki.data.segments import Segment
from tsuzuki.training.predict import predict
was = engine.is_compiled()
network = Network(1, (SimpleRNN(3, "relu", use_bias=False), Dense(1)))
weights = [np.ones_like(w) for w in initialise(network, 0)]
inputs = np.arange(4, dtype=np.float32)[:, None]
import sys
from importlib import import_module
print(was, predict(network, weights, inputs, Windows(1, 1).over([Segment(0, 4)]))[3, 0], "numba" in sys.modules)
"""


TRAINING = """
import ast
import hashlib
import numpy as np
from tsuzuki import GRU, LSTM, Adam, Dense, Dropout, Huber, Network, Segment, Streams, fit, initialise
network = Network(2, (GRU(9, dropout=0.2), Dropout(0.1), LSTM(7), Dense(3, "relu"), Dense(1)))
series = np.sin(np.arange(400).reshape(200, 2) / 7).astype(np.float32)
layout = Streams(5, 6).over([Segment(0, 200)])
options = {"epochs": 3, "loss": Huber(0.3), "optimizer": Adam(clipnorm=0.5)}
trained = fit(network, initialise(network, 0), series, series[:, :1].copy(), layout, **options)
print(hashlib.sha256(b"".join(weights.tobytes() for weights in trained.weights)).hexdigest())
"""


def printed(script: str, folder: Path | str, cache: Path, **environment: str) -> list[str]:
    """Run a script with a package and a cache folder of its own; return what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(folder), "TSUZUKI_CACHE_DIR": str(cache), **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


def start(folder: Path | str, cache: Path, **environment: str) -> list[str]:
    """Start a package for the first time or again: was all compiled, a forecast, and was Numba imported."""
    return printed(SCRIPT, folder, cache, **environment)


def copied(folder: Path) -> Path:
    """The package in a folder of its own."""
    package = folder / "package" / "tsuzuki"
    shutil.copytree(SOURCE, package, ignore=shutil.ignore_patterns("__pycache__", "bitcode"))
    return package


def without_numba(folder: Path) -> Path:
    """A folder in which a Numba stands that cannot be imported."""
    (folder / "blocked" / "numba").mkdir(parents=True)
    (folder / "blocked" / "numba" / "__init__.py").write_text("raise ImportError('Numba is not to be imported here')")
    return folder / "blocked"


def edit(path: Path, before: str, after: str) -> None:
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


def test_an_edited_kernel_takes_effect_and_only_what_it_is_part_of_is_compiled_again(tmp_path):
    package, cache = copied(tmp_path), tmp_path / "cache"
    assert start(package.parent, cache) == ["False", "7.0", "False"]
    first = {path.name for path in cache.glob("*.bin")}
    assert {name.split("-")[0] for name in first} == {*machine_code.ALWAYS, "simple_rnn", "dense"}
    assert start(package.parent, cache) == ["True", "7.0", "False"]
    # `activate` is inlined into the cells and into what all kinds share; Dense only calls it.
    edit(
        package / "kernels" / "activations.py",
        "return larger(x, splat(f32(0)))",
        "return larger(x + x, splat(f32(0)))",
    )
    assert start(package.parent, cache) == ["False", "13.0", "False"]
    assert {path.name.split("-")[0] for path in cache.glob("*.bin") if path.name not in first} == {"shared"}


# Cells, dense layers, a convolution with a pool, and a table of vectors: what is trained, and what it then forecasts.
KINDS = """
import numpy as np, tsuzuki
from tsuzuki import Adam, Conv1D, Dense, Embedding, GRU, LSTM, MaxPooling1D, Network, Segment, SimpleRNN, Windows
generator = np.random.default_rng(0)
series = np.sin(np.arange(240) / 5).astype(np.float32)[:, None]
words = generator.integers(0, 7, (240, 1)).astype(np.float32)
for inputs, layers in (
    (series, (GRU(21, return_sequences=True), LSTM(13), Dense(5, "tanh"), Dense(1))),
    (series, (Conv1D(9, 3, activation="relu"), MaxPooling1D(2), SimpleRNN(17), Dense(1))),
    (words, (Embedding(7, 11), GRU(6, reset_after=False), Dense(1))),
):
    network = Network(1, layers)
    layout = Windows(8, 5, stateful=True).over([Segment(0, 240)])
    done = tsuzuki.fit(
        network, tsuzuki.initialise(network, 0), inputs, series, layout, epochs=2, optimizer=Adam(0.01)
    )
    found = tsuzuki.predict(network, done.weights, inputs, layout)
    print(*[record.loss for record in done.history], *found[np.isfinite(found)][:40])
"""


def test_narrower_vectors_learn_and_forecast_the_same(tmp_path):
    assert start(SOURCE.parent, tmp_path, TSUZUKI_VECTOR_WIDTH="8")[1] == "7.0"
    # Width 4 is that of NEON, on arm64.
    narrow = np.array(printed(KINDS, SOURCE.parent, tmp_path, TSUZUKI_VECTOR_WIDTH="4"), float)
    widest = np.array(printed(KINDS, SOURCE.parent, machine_code.cache_folder()), float)
    assert len(narrow) == 3 * 42
    np.testing.assert_allclose(narrow, widest, rtol=2e-4, atol=2e-5)


def test_the_wheels_bitcode_gives_the_bits_of_a_fresh_compilation_without_numba(tmp_path):
    package = copied(tmp_path)
    bitcode = package / "kernels" / "bitcode"
    bitcode.mkdir()
    build = [sys.executable, "-m", "tsuzuki.kernels.build", str(bitcode)]
    environment = {**os.environ, "PYTHONPATH": str(package.parent), "NUMBA_OPT": "0"}
    subprocess.run(build, env=environment, check=True)
    folder = f"{package.parent}{os.pathsep}{without_numba(tmp_path)}"
    assert start(folder, tmp_path / "cache") == ["True", "7.0", "False"]
    assert printed(TRAINING, folder, tmp_path / "cache") == printed(
        TRAINING, SOURCE.parent, machine_code.cache_folder()
    )


def test_sources_newer_than_the_bitcode_ask_for_numba_in_one_line(tmp_path):
    environment = {"PYTHONPATH": f"{SOURCE.parent}{os.pathsep}{without_numba(tmp_path)}"}
    done = subprocess.run(
        [sys.executable, "-c", "import importlib.util as u; u.find_spec = lambda name: None\n" + SCRIPT],
        env={**os.environ, **environment, "TSUZUKI_CACHE_DIR": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr.splitlines()[-1].startswith("tsuzuki.errors.MissingExtraError: kernels (")
    assert "pip install 'tsuzuki[compile]'" in done.stderr


def test_the_packages_front_imports_neither_numba_nor_pandas():
    code = "import sys, tsuzuki; print(sorted({'numba', 'pandas', 'numpy', 'keras', 'rich'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_every_public_name_can_be_had():
    for name in tsuzuki.__all__:
        assert getattr(tsuzuki, name).__module__.startswith("tsuzuki.")
        assert name in dir(tsuzuki)


def test_editors_see_the_public_names_where_they_come_from():
    tree = ast.parse((SOURCE / "__init__.py").read_text())
    (seen,) = (node for node in tree.body if isinstance(node, ast.If))
    homes = {alias.name: line.module for line in seen.body for alias in line.names}
    assert homes.pop("keras") == "tsuzuki"
    assert set(homes) == set(tsuzuki.__all__)
    for name, home in homes.items():
        assert getattr(import_module(home), name) is getattr(tsuzuki, name)
