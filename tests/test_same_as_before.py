"""The weights that version 0.1.0 gave: the same seed goes on giving them.

`tools/record_weights.py` wrote them down with that version, before the modules moved.
"""

import numpy as np
import pytest

from tooling import ROOT, tool

recorder = tool("record_weights")
RECORDED = ROOT / "tests" / "recorded" / "weights-0.1.0.npz"


@pytest.fixture(scope="module")
def recorded():
    with np.load(RECORDED) as file:
        return {name: file[name] for name in file.files}


@pytest.mark.parametrize("case", recorder.CASES)
def test_a_seed_gives_the_weights_and_forecasts_of_version_0_1_0(recorded, case):
    # Version 0.1.0 let the compiler join products and sums to fused ones, which the kernels now say themselves, and
    # another vector width sums in another order: a last bit or two.
    expected = {name.partition("/")[2]: array for name, array in recorded.items() if name.startswith(f"{case}/")}
    found = recorder.CASES[case]()
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)
        error = np.abs(found[name].astype(np.float64) - array) / np.maximum(1, np.abs(array))
        assert error.max() <= 1e-6, name


def test_what_is_recorded_is_what_is_compared(recorded):
    assert {name.partition("/")[0] for name in recorded} - {"machine"} == set(recorder.CASES)
    for name, array in recorded.items():
        if name != "machine":
            assert np.isfinite(array).all(), name
            assert array.std() > 0 or array.size == 1, name
