"""What is known ahead counts from the moment it is known: `predict` at an origin says what a backtest says there."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tsuzuki.forecaster import Forecaster

HORIZON, END, ORIGINS = 5, 400, 12
SMALL = {"units": 6, "layers": 1, "head": 0, "ensemble": 2, "epochs": 3, "known": ["promo"], "past": ["wind"]}


def frame_of(seed, promo, name="a", missing=0.05):
    generator = np.random.default_rng(seed)
    points = len(promo)
    values = 10 + 3 * np.sin(np.arange(points) * 2 * np.pi / 24) + 8 * promo + generator.normal(0, 0.3, points)
    values[generator.random(points) < missing] = np.nan
    values[[0, -1]] = 10.0
    times = pd.date_range("2024-01-01", periods=points, freq="h")
    wind = generator.normal(size=points)
    return pd.DataFrame({"unique_id": name, "ds": times, "y": values, "promo": promo, "wind": wind})


@pytest.fixture(scope="module")
def history():
    generator = np.random.default_rng(3)
    return np.repeat(generator.integers(0, 2, END // 10), 10).astype(float)


def future_of(frame, origin):
    return frame[["unique_id", "ds", "promo"]][origin : origin + HORIZON]


@settings(max_examples=12)
@given(st.lists(st.sampled_from([0.0, 1.0, -2.0, 40.0]), min_size=ORIGINS + HORIZON, max_size=ORIGINS + HORIZON))
def test_predict_with_a_future_says_what_a_backtest_says_for_every_pattern_of_the_future(history, pattern):
    frame = frame_of(0, np.concatenate([history, pattern]))
    # A forecast is made behind a reading; of the first origin on, some are missing.
    frame.loc[END - 1, "y"] = 12.0
    whole = Forecaster(HORIZON, **SMALL)
    table = whole.backtest(frame, windows=ORIGINS + 1, step=1)
    fitted = Forecaster(HORIZON, **SMALL).fit(frame[:END])
    for origin in range(END, END + ORIGINS + 1):
        if np.isnan(frame["y"][origin - 1]):
            continue
        found = fitted.predict(frame[:origin], future=future_of(frame, origin))
        then = table[table["cutoff"] == frame["ds"][origin - 1]].set_index("ds")
        found = found.set_index("ds").loc[then.index]
        for name in ("tsuzuki", "tsuzuki-lo-80", "tsuzuki-hi-95"):
            np.testing.assert_allclose(found[name], then[name], rtol=2e-4, atol=2e-4)


@settings(max_examples=12)
@given(st.lists(st.integers(END + 1, END + ORIGINS), min_size=1, max_size=4, unique=True))
def test_newer_rows_give_the_same_forecast_however_they_are_split(history, cuts):
    frame = frame_of(1, np.concatenate([history, np.arange(ORIGINS + HORIZON) % 3]), missing=0)
    whole, parts = (Forecaster(HORIZON, **SMALL).fit(frame[:END]) for _ in range(2))
    last = max(cuts)
    for cut in sorted(cuts):
        parts.update(frame[:cut])
    expected = whole.predict(frame[:last], future=future_of(frame, last))
    found = parts.predict(future=future_of(frame, last))
    np.testing.assert_allclose(found["tsuzuki"], expected["tsuzuki"], rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("points", [3, 4, 7])
def test_a_stretch_shorter_than_the_horizon_is_gone_on_from_too(history, points):
    frame = pd.concat([frame_of(0, history), frame_of(1, history[: points + 9], "short", missing=0)])
    rest = frame[(frame["unique_id"] != "short") | (frame["ds"] < frame["ds"].iloc[points])]
    fitted = Forecaster(HORIZON, **SMALL).fit(rest)
    short = frame[frame["unique_id"] == "short"]
    future = pd.concat([frame_of(0, np.ones(END + HORIZON))[["unique_id", "ds", "promo"]][END:], short[points + 1 :]])
    usual = fitted.predict(short[: points + 1], future=future)
    other = fitted.predict(short[: points + 1], future=future.assign(promo=1 - future["promo"]))
    assert np.isfinite(usual["tsuzuki"]).all()
    assert not np.allclose(usual["tsuzuki"], other["tsuzuki"])


def test_a_promotion_moves_a_forecast_by_what_promotions_moved_before():
    generator = np.random.default_rng(0)
    promo = (np.arange(3010) % 70 < 14).astype(float)
    times = pd.date_range("2015-01-01", periods=3010, freq="D")
    values = 100 + 30 * promo + 10 * np.sin(2 * np.pi * np.arange(3010) / 7) + generator.normal(0, 2, 3010)
    frame = pd.DataFrame({"unique_id": "a", "ds": times, "y": values, "promo": promo})
    # Before the last forecast nothing was promoted for weeks; then it is.
    cut = 70 * 42
    fitted = Forecaster(7, units=24, ensemble=2, known="promo").fit(frame[:cut])
    found = fitted.predict(future=frame[["unique_id", "ds", "promo"]][cut : cut + 7])["tsuzuki"].to_numpy()
    assert promo[cut : cut + 7].all()
    assert abs(np.mean(found - values[cut : cut + 7])) < 1.5 + 1.2
