"""The machine code on disk: kept, found again, and never out of date."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import tsuzuki
from tsuzuki.engine import machine_code as engine

SOURCE = Path(tsuzuki.__file__).parent

SCRIPT = """
import numpy as np
from tsuzuki.engine import machine_code as engine
from tsuzuki.network.layers import *
from tsuzuki.layouts.windows import Windows
from tsuzuki.data.segments import Segment
from tsuzuki.training.predict import predict
was = engine.is_compiled()
network = Network(1, (SimpleRNN(3, "relu", use_bias=False), Dense(1)))
weights = [np.ones_like(w) for w in initialise(network, 0)]
inputs = np.arange(4, dtype=np.float32)[:, None]
import sys
print(was, predict(network, weights, inputs, Windows(1, 1).over([Segment(0, 4)]))[3, 0], "numba" in sys.modules)
"""


def start(folder: Path, cache: Path, **environment: str) -> list[str]:
    """Run the script with a package and a cache folder of its own; return what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={**os.environ, "PYTHONPATH": str(folder), "TSUZUKI_CACHE_DIR": str(cache), **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


def test_an_edited_callee_takes_effect_and_a_warm_start_needs_no_numba(tmp_path):
    package = tmp_path / "package" / "tsuzuki"
    shutil.copytree(SOURCE, package, ignore=shutil.ignore_patterns("__pycache__"))
    cache = tmp_path / "cache"
    assert start(package.parent, cache) == ["False", "7.0", "True"]
    assert start(package.parent, cache) == ["True", "7.0", "False"]
    dense = package / "kernels" / "activations.py"
    text = dense.read_text()
    edited = text.replace("return larger(x, splat(f32(0)))", "return larger(x + x, splat(f32(0)))")
    assert edited != text
    dense.write_text(edited)
    assert start(package.parent, cache) == ["False", "13.0", "True"]


def test_narrower_vectors_give_the_same_forecasts(tmp_path):
    for width in ("4", "8"):
        assert start(SOURCE.parent, tmp_path, TSUZUKI_VECTOR_WIDTH=width)[1] == "7.0"


def test_a_damaged_file_is_compiled_again_and_an_unwritable_folder_does_no_harm(tmp_path, monkeypatch):
    path = tmp_path / "kernels.bin"
    engine._write(path, "symbol", b"code")
    assert engine._read(path) == ("symbol", b"code")
    path.write_bytes(path.read_bytes()[:-1])
    assert engine._read(path) is None
    assert engine._read(tmp_path / "absent") is None
    (tmp_path / "file").write_text("")
    engine._write(tmp_path / "file" / "kernels.bin", "symbol", b"code")
    assert not (tmp_path / "file").is_dir()


def test_the_packages_front_imports_neither_numba_nor_pandas():
    code = "import sys, tsuzuki; print(sorted({'numba', 'pandas', 'numpy', 'keras', 'rich'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_every_public_name_can_be_had():
    for name in tsuzuki.__all__:
        assert getattr(tsuzuki, name).__module__.startswith("tsuzuki.")
        assert name in dir(tsuzuki)
