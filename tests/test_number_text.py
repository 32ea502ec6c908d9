"""Numbers as text: what compiled code writes is what Python's own format writes, for every float32."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tsuzuki.streaming.number_text import rows_as_text


# Few digits, so that many lie just between two texts; and all that a float32 can be.
def times_powers(base, most, lowest, highest):
    whole, power = st.integers(-most, most), st.integers(lowest, highest)
    return st.tuples(whole, power).map(lambda one: np.float32(one[0] * float(base) ** one[1]))


SHORT, HALVES = times_powers(10, 10**7, -9, 12), times_powers(2, 2**24, -12, 12)
NUMBERS = st.one_of(SHORT, HALVES, st.floats(width=32).map(np.float32))


def in_python(values):
    return [",".join(map("{:.6g}".format, row)) for row in values.tolist()]


@settings(max_examples=400, deadline=None)
@given(st.lists(st.lists(NUMBERS, min_size=3, max_size=3), min_size=1, max_size=20))
def test_rows_are_written_as_python_writes_them(rows):
    values = np.array(rows, np.float32)
    assert rows_as_text(values) == in_python(values)


def test_a_hundred_thousand_patterns_of_bits_are_written_as_python_writes_them():
    values = np.random.default_rng(0).integers(0, 2**32, (10_000, 10), np.uint32).view(np.float32)
    assert rows_as_text(values) == in_python(values)


def test_numbers_about_one_keep_their_digits():
    values = np.random.default_rng(1).normal(0, 10.0 ** np.arange(-6, 7), (5_000, 13)).astype(np.float32)
    assert rows_as_text(values) == in_python(values)


def test_no_rows_are_no_text():
    assert rows_as_text(np.zeros((0, 5), np.float32)) == []


def test_a_row_that_python_writes_alone_is_no_text_of_the_others():
    values = np.array([[np.nan, 1], [2, 3], [1e20, 4]], np.float32)
    for rows in (values, values[:1], values[::-1]):
        assert rows_as_text(rows) == in_python(rows)
