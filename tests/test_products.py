"""Products of matrices, in every way that they are taken, against sums of their own."""

import ctypes

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tsuzuki.engine.machine_code import address_of, load
from tsuzuki.engine.padding import aligned
from tsuzuki.kernels.host import WIDTH, padded
from tsuzuki.kernels.matrix import scratch_floats


@pytest.fixture(scope="module")
def product():
    """The kernels' product: C = start + A B, A read by its strides."""
    load()
    call = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 14)(address_of("matrix", "product"))

    def compute(a, b, start, in_order=False, transposed=False):
        m, depth, columns = *a.shape, b.shape[1]
        n = padded(columns)
        own = np.ascontiguousarray(a.T if transposed else a, np.float32)
        strides = (1, m) if transposed else (depth, 1)
        left, right, found = (aligned(size + WIDTH) for size in (own.size, depth * n, m * n))
        scratch = aligned(scratch_floats(m))
        scratch[:] = np.nan
        left[: own.size] = own.ravel()
        right[: depth * n].reshape(depth, n)[:, :columns] = b
        beginning = aligned(n + WIDTH)
        beginning[:columns] = start
        sizes, places = (
            (int(in_order), m, n, depth),
            [one.ctypes.data for one in (left, right, beginning, found, scratch)],
        )
        call(*sizes, places[0], *strides, places[1], n, places[2], 0, places[3], n, places[4])
        return found[: m * n].reshape(m, n)[:, :columns].copy()

    return compute


SIZES = {
    "m": st.integers(1, 40) | st.sampled_from([319, 321, 330]),
    "depth": st.integers(1, 60) | st.integers(250, 520),
}


@given(**SIZES, columns=st.integers(1, 150), seed=st.integers(0, 99), transposed=st.booleans(), in_order=st.booleans())
@example(m=321, depth=257, columns=70, seed=0, transposed=True, in_order=False)
@example(m=7, depth=513, columns=33, seed=1, transposed=True, in_order=False)
@settings(deadline=None)
def test_a_product_is_the_sum_of_its_products(product, m, depth, columns, seed, transposed, in_order):
    generator = np.random.default_rng(seed)
    a, b, start = (generator.normal(size=shape).astype(np.float32) for shape in ((m, depth), (depth, columns), columns))
    found = product(a, b, start, in_order and not transposed, transposed)
    exact = start + a.astype(np.float64) @ b
    np.testing.assert_allclose(found, exact, atol=1e-5 * np.sqrt(depth) + 1e-6 * depth)


@given(m=st.integers(11, 40), depth=st.integers(2, 300), columns=st.integers(1, 150), seed=st.integers(0, 99))
@settings(deadline=None)
def test_how_the_left_side_lies_in_memory_does_not_change_the_bits(product, m, depth, columns, seed):
    generator = np.random.default_rng(seed)
    a, b = (generator.normal(size=shape).astype(np.float32) for shape in ((m, depth), (depth, columns)))
    assert np.array_equal(product(a, b, 0, transposed=True), product(a, b, 0))
