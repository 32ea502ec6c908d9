"""What stands in for a committee where a series has left the levels of its training data."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tsuzuki import Forecaster, load
from tsuzuki.errors import FileError
from tsuzuki.forecasting.level_guard import LevelGuard

SIZE, HORIZON, SEASON = 30, 6, 4
CUT, SHIFT = 700, 760


@pytest.fixture(scope="module")
def shifted():
    """Hourly readings that leap by four amplitudes behind the training data, and a forecaster."""
    steps = np.arange(1100)
    noise = np.random.default_rng(0).normal(0, 0.4, len(steps))
    values = 20 + 4 * np.sin(2 * np.pi * steps / 24) + noise + np.where(steps < SHIFT, 0, 16)
    series = pd.Series(values, pd.date_range("2024-01-01", periods=len(steps), freq="h"), name="a")
    return series, Forecaster(24, units=8, head=8, ensemble=2, epochs=4)


def test_after_a_shift_of_four_amplitudes_forecasts_are_no_worse_than_seasonal_naive_within_two_days(shifted):
    series, forecaster = shifted
    table = forecaster.backtest(series, windows=1100 - CUT - 24, step=1)
    behind = (table["cutoff"] - series.index[SHIFT]) / pd.Timedelta(1, "h")
    error = table[["tsuzuki", "seasonal-naive-24"]].sub(table["y"], axis=0).abs()
    later, before = error[behind >= 48].mean(), error[behind < -24].mean()
    assert later["tsuzuki"] <= 1.02 * later["seasonal-naive-24"]
    inside = (table["tsuzuki-lo-80"] <= table["y"]) & (table["y"] <= table["tsuzuki-hi-80"])
    assert inside[behind >= 48].mean() > 0.7
    assert before["tsuzuki"] < before["seasonal-naive-24"]


def test_streams_banks_files_and_newer_rows_agree_behind_a_shift(shifted, tmp_path):
    from tsuzuki import storage

    series, forecaster = shifted
    forecaster.fit(series[:CUT]).save(tmp_path / "m")
    stream, bank = forecaster.stream(), forecaster.bank(["new", "a"])
    for value in series[CUT : SHIFT + 50]:
        one = stream.update(value)
        both = bank.update([value, value])
    np.testing.assert_array_equal(both[1], one)
    found = load(tmp_path / "m").update(series[CUT : SHIFT + 50]).predict(levels=(80,))
    np.testing.assert_allclose(found["tsuzuki"], one, rtol=1e-5)
    np.testing.assert_allclose(found["tsuzuki-lo-80"], stream.interval(80)[0], rtol=1e-5)
    np.testing.assert_allclose(found["tsuzuki"], series[SHIFT + 26 : SHIFT + 50], rtol=1e-5)
    stored = storage.read(tmp_path / "m")
    arrays = stored.arrays | {"guard ranges": np.ascontiguousarray(stored.arrays["guard ranges"][:, ::-1])}
    storage.write(tmp_path / "bent", "forecaster", stored.facts, arrays)
    with pytest.raises(FileError, match="bent is not a consistent forecaster"):
        load(tmp_path / "bent")


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.floats(-6, 6))
def test_the_share_and_the_forecast_that_stands_in_are_those_written_out(seed, level):
    generator = np.random.default_rng(seed)
    ranges = np.sort(generator.normal(size=(1, 2)), axis=1).astype(np.float32)
    usual = generator.uniform(0.01, 1, HORIZON).astype(np.float32)
    guard = LevelGuard(ranges, usual, SEASON, (0, SEASON))
    window = (level + generator.normal(size=SIZE)).astype(np.float32)
    forecast = generator.normal(size=HORIZON).astype(np.float32)
    mean, (low, high) = window[-SEASON:].astype(float).mean(), ranges[0].astype(float)
    far = max(low - mean, mean - high, 0.0) / max(high - low, 1.0)
    share = min(1.0, max(0.0, far - 1))
    shares = guard.outside(window[None], np.array([0]))
    assert abs(shares[0] - share) < 1e-4
    assert shares[0] == np.float32(guard.outside_one(window, 0))
    # Half a horizon is 3 steps ahead: the last value then errs by what lies 3 steps apart, the season by 4.
    errors = {
        naive: np.mean([abs(float(window[-1 - i]) - float(window[-1 - i - back])) for i in range(SEASON)])
        for naive, back in ((0, 3), (SEASON, SEASON))
    }
    best = min(errors, key=errors.get)
    naive = [
        window[-1] if best == 0 else window[SIZE - 1 + h - SEASON * -(-h // SEASON)] for h in range(1, HORIZON + 1)
    ]
    expected = forecast + share * (np.array(naive) - forecast)
    np.testing.assert_allclose(guard.apply(forecast[None].copy(), window[None], shares)[0], expected, atol=1e-3)
    wide = np.maximum(errors[best] / np.maximum(usual, 1e-3), 1) if shares[0] > 0 else np.ones(HORIZON)
    np.testing.assert_allclose(guard.wider(window[None], 0)[0], wide, rtol=1e-4)
