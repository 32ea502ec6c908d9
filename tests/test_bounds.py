"""Forecasts and intervals of counts do not fall below 0, nor percentages out of their range."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tsuzuki import Forecaster
from tsuzuki.forecasting.bounds import bounds_of, states_at
from tsuzuki.forecasting.recent_errors import HIGH, LOW, plain_states

SMALL = {"units": 4, "head": 0, "ensemble": 2, "epochs": 1}
INFINITE = float("inf")


@pytest.mark.parametrize(
    ("values", "bounds"),
    [
        ([0, 3, 1], (0, INFINITE)),
        ([2.5, np.nan, 7], (0, INFINITE)),
        ([-0.1, 3], (-INFINITE, INFINITE)),
        ([0, 40, 100, 99.5], (0, 100)),
        ([12, 100, np.nan], (0, 100)),
        ([0.2, 1.0, 0.7], (0, 1)),
        ([1, 1, 1], (0, INFINITE)),
        ([0, 100.5], (0, INFINITE)),
        ([-1, 100], (-INFINITE, INFINITE)),
    ],
)
def test_bounds_follow_from_the_training_data(values, bounds):
    assert bounds_of(np.array(values, float)) == bounds


@settings(max_examples=50)
@given(st.lists(st.one_of(st.just(float("nan")), st.floats(-5, 120)), min_size=1, max_size=12))
def test_a_bound_holds_until_a_reading_lies_beyond_it(values):
    state = plain_states(1)[0]
    state[LOW], state[HIGH] = 0, 100
    found = states_at(state, np.array(values), np.arange(len(values) + 1))
    for known in range(len(values) + 1):
        assert (found[known, LOW] == 0) == all(not value < 0 for value in values[:known])
        assert (found[known, HIGH] == 100) == all(not value > 100 for value in values[:known])


@pytest.mark.parametrize("kind", ["counts", "percentages", "networks alone", "quantiles"])
def test_streams_banks_predict_and_backtest_keep_to_the_bounds_until_a_reading_does_not(kind):
    generator = np.random.default_rng(0)
    values = np.where(generator.random(430) < 0.3, generator.poisson(4, 430), 0).astype(float)
    if kind == "percentages":
        values = np.clip(50 + 60 * np.sin(np.arange(430) / 4) + generator.normal(0, 9, 430), 0, 100)
    series = pd.Series(values, pd.date_range("2024-01-01", periods=430, freq="h"), name="a")
    settings_ = {"networks alone": {"committee": False}, "quantiles": {"quantiles": (0.1, 0.5, 0.9)}}.get(kind, {})
    model = Forecaster(4, **SMALL, **settings_).fit(series[:400])
    most = 100 if kind == "percentages" else INFINITE
    level = 80 if kind == "quantiles" else 99
    for table in (
        model.predict(series[400:], levels=[level]),
        model.backtest(series, windows=20, step=1, levels=[level]),
    ):
        own = table[["tsuzuki", f"tsuzuki-lo-{level}", f"tsuzuki-hi-{level}"]]
        assert own.min().min() >= 0
        assert own.max().max() <= most
        assert kind in ("quantiles", "percentages") or own.min().min() == 0
    stream, bank = model.stream(), model.bank()
    for value in [*series[400:], -50.0]:
        one, both = stream.update(value), bank.update([value])[0]
        np.testing.assert_array_equal(one, both)
        assert value < 0 or (one.min() >= 0 and stream.interval(level)[0].min() >= 0)
        assert value < 0 or one.max() <= most
    assert stream.interval(level)[0].min() < 0
    newer = pd.Series(-50.0, pd.date_range("2024-01-18 22:00", periods=1, freq="h"), name="a")
    found = model.predict(pd.concat([series[400:], newer]), levels=[level])
    np.testing.assert_allclose(found[f"tsuzuki-lo-{level}"], stream.interval(level)[0], rtol=1e-4, atol=1e-4)
