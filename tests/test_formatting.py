"""Columns of numbers on a terminal and on a page."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsuzuki import formatting as numerals

NUMBERS = st.lists(st.floats(-1e6, 1e6) | st.just(math.nan), min_size=1)


def read(text):
    return float(text.replace(",", ""))


def decimals(text):
    return len(text.partition(".")[2])


@given(NUMBERS, st.integers(0, 4))
def test_aligned_numbers_have_as_many_decimals_and_read_back_to_the_last_of_them(values, usual):
    shown = numerals.aligned(values, usual)
    assert len({decimals(text) for text in shown if text}) <= 1
    for value, text in zip(values, shown, strict=True):
        assert text == "" if math.isnan(value) else abs(read(text) - value) <= 0.5001 * 10.0 ** -decimals(text)


@given(NUMBERS, st.integers(1, 4))
def test_a_large_number_of_a_column_takes_no_decimals_from_a_small_one(values, usual):
    small = [value if abs(value) < 10 else 0.0 for value in values]
    both = zip(values, numerals.column(values, usual), numerals.column([*small, 1.0], usual), strict=False)
    assert all(text == alone for value, text, alone in both if abs(value) < 10 and max(map(abs, values)) >= 1)


@given(st.floats(1e-12, 1e12), st.integers(1, 4))
def test_two_digits_of_the_largest_number_are_left_at_least(value, usual):
    for show in (numerals.aligned, numerals.column):
        assert abs(read(show([value], usual)[0]) - value) <= 0.05 * value


@pytest.mark.parametrize(
    ("values", "usual", "shown"),
    [
        ([0.0286, 0.0107], 4, ["0.0286", "0.0107"]),
        ([2500.0, 0.0165], 4, ["2,500.0", "0.0165"]),
        ([1031.8, 25.7], 3, ["1,032", "25.70"]),
        ([0.00012, 0.00001], 3, ["0.00012", "0.00001"]),
        ([12.5e6, 25.0], 3, ["1.250e+07", "2.500e+01"]),
        ([1.25e-7, 0.0, math.nan], 3, ["1.250e-07", "0.000e+00", ""]),
        ([], 3, []),
    ],
)
def test_a_column_says_what_its_numbers_are_whatever_their_size(values, usual, shown):
    assert numerals.column(values, usual) == shown


def test_a_skill_that_is_far_below_nothing_is_told_in_short():
    assert numerals.shares([0.294, -2.66, -277.0, math.nan], 0) == ["+29%", "-266%", "<-999%", ""]


def test_a_share_of_just_ten_times_less_is_still_written_out():
    assert numerals.shares([-9.99, -10.0, float("nan")], 0) == ["-999%", "<-999%", ""]


def test_columns_of_scores_are_written_as_their_names_say():
    assert numerals.scores("skill", [0.5]) == ["+50.0%"]
    assert numerals.scores("smape", [12.34, float("nan")]) == ["12.3", ""]
    assert numerals.scores("coverage-80", [80.04]) == ["80.0"]
    assert numerals.scores("rmse", [1.23456]) == ["1.235"]
