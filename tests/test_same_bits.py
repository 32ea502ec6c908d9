"""A series comes to the same bits however its readings arrive: alone or among others, in one run or after restarts."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tsuzuki.engine.row_product import RowProduct
from tsuzuki.forecaster import Forecaster
from tsuzuki.streaming.cursor import Cursor

SERIES = 150
KINDS = {
    "one GRU": {"ensemble": 1, "committee": False, "cell": "gru", "units": 5, "head": 3},
    "two LSTMs in a committee, logarithms": {
        "ensemble": 2,
        "cell": "lstm",
        "units": 20,
        "transform": "log",
        "layers": 2,
    },
    "three simple cells in a committee": {"ensemble": 3, "cell": "simple_rnn", "units": 33, "transform": "asinh"},
    "quantiles": {"ensemble": 2, "cell": "gru", "units": 17, "quantiles": (0.1, 0.5, 0.9)},
}


@pytest.fixture(scope="module", params=KINDS)
def forecaster(request):
    hours = pd.date_range("2020-01-01", periods=300, freq="h")
    generator = np.random.default_rng(0)
    frames = []
    for name, scale, season in (("a", 1.0, 24), ("b", 100.0, 24), ("c", 7.0, 300)):
        y = scale * (2 + np.sin(np.arange(300) * 2 * np.pi / season) + generator.normal(0, 0.1, 300))
        frames.append(pd.DataFrame({"unique_id": name, "ds": hours, "y": y}))
    return Forecaster(1 if request.param == "one GRU" else 5, epochs=1, max_gap=3, **KINDS[request.param]).fit(
        pd.concat(frames)
    )


def bank_of(forecaster):
    ids = ["a", "b", "c", *(f"new {i}" for i in range(SERIES - 3))]
    return forecaster.bank(ids, start="2020-01-13 11:00")


def readings_of(seed, rounds):
    """Readings [rounds, series] of all kinds: usual ones, far ones, missing ones."""
    generator = np.random.default_rng(seed)
    found = generator.uniform(0.1, 4, (rounds, SERIES)) * np.where(np.arange(SERIES) == 1, 100, 1)
    found[generator.random(found.shape) < 0.02] *= 1e3
    found[generator.random(found.shape) < 0.2] = np.nan
    return found


def everything(bank):
    """All bits of where a bank stands."""
    which = np.arange(SERIES)
    return bank.state_of(which), bank.latest.copy(), bank.stamps.copy(), bank.missing.copy()


def assert_same(found, expected):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.view(np.uint8), other.view(np.uint8))


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), data=st.data())
def test_every_grouping_number_of_threads_and_restart_gives_the_same_bits(forecaster, seed, data):
    readings = readings_of(seed, 6)
    whole = bank_of(forecaster)
    for row in readings:
        whole.advance(whole._all, row)
    expected = everything(whole)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("TSUZUKI_NUM_THREADS", data.draw(st.sampled_from(["1", "2", "5"])))
        patched.setattr("tsuzuki.streaming.prepared_step.WORTH_A_THREAD", 1)
        parted = bank_of(forecaster)
        for row in readings:
            order = np.random.default_rng(data.draw(st.integers(0, 99))).permutation(SERIES)
            cuts = data.draw(st.lists(st.integers(1, SERIES - 1), max_size=8, unique=True))
            for some in np.split(order, sorted(cuts)):
                if len(some) < 6 and data.draw(st.booleans()):
                    for number in some.tolist():
                        cursor = Cursor(parted, number)
                        cursor.take(None if np.isnan(row[number]) else float(row[number]))
                        cursor.settle()
                else:
                    parted.advance(some, row[some])
            if data.draw(st.booleans()):
                fresh = bank_of(forecaster)
                fresh.restore(np.arange(SERIES), parted.state_of(np.arange(SERIES)), parted.stamps, parted.missing)
                parted = fresh
        assert_same(everything(parted), expected)


def test_a_product_of_rows_is_that_of_each_row_by_itself_to_the_bit_and_of_numpy_to_rounding():
    generator = np.random.default_rng(1)
    for depth, columns in ((1, 1), (5, 3), (48, 24), (337, 168), (2000, 33)):
        matrix = generator.normal(size=(depth, columns)).astype(np.float32)
        rows = generator.normal(size=(45, depth)).astype(np.float32)
        product = RowProduct(matrix)
        found = product(rows)
        np.testing.assert_allclose(found, rows.astype(np.float64) @ matrix, rtol=1e-3, atol=1e-3)
        for count in (1, 2, 7, 11):
            np.testing.assert_array_equal(product(rows[3 : 3 + count]), found[3 : 3 + count])
        np.testing.assert_array_equal(product(rows[::-1])[::-1], found)
