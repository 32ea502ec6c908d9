"""What is known ahead counts from the moment it is known: `predict` at an origin says what a backtest says there."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tsuzuki import Forecaster, load

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


def learned_effects(kind, share, factor, seed, columns=1):
    """Effects learned of two series with a week's season, the first column of which moves values."""
    from tsuzuki.data.covariates import CovariateNames, CovariateSeries
    from tsuzuki.data.segments import Segment
    from tsuzuki.forecasting.known_effects import known_effects
    from tsuzuki.forecasting.scaling import covariate_scales
    from tsuzuki.forecasting.transforms import transform_of

    rng, points = np.random.default_rng(seed), 1100
    times = pd.date_range("2020-01-01", periods=points, freq="D").to_numpy()
    series = []
    for number in range(2):
        known = (rng.random((points, columns)) < share).astype(float)
        usual = 100 + 10 * np.sin(2 * np.pi * np.arange(points) / 7) + rng.normal(0, 2, points)
        usual = usual * np.exp(np.sin(np.arange(points) / 90)) if factor else usual
        values = usual * np.where(known[:, 0], 1.4, 1) if factor else usual + (40 + 10 * number) * known[:, 0]
        values[rng.random(points) < 0.03] = np.nan
        series.append(CovariateSeries("ab"[number], values, times, (Segment(0, points),), known))
    scales, transform = covariate_scales(series), transform_of(kind, [one.values for one in series])
    names = CovariateNames(known=tuple("pqrs"[:columns]))
    return series, transform, known_effects(series, transform, names, (7, 365), scales), scales


@pytest.mark.parametrize("share", [10 / 365, 0.25])
@pytest.mark.parametrize(("kind", "factor"), [("none", False), ("none", True), ("log", True)])
def test_an_effect_is_learned_within_five_per_cent_rare_or_frequent_added_or_a_factor(kind, share, factor):
    for seed in range(3):
        _, _, effects, scales = learned_effects(kind, share, factor, seed)
        assert effects.factor == (factor and kind == "none")
        found = effects.slopes[:, 0] / scales[0, 1]
        expected = np.log(1.4) if factor else np.array([40.0, 50.0])
        assert np.abs(found / expected - 1).max() < 0.05


def test_a_column_that_moves_nothing_is_left_alone_beside_one_that_does():
    left = 0
    for seed in range(3):
        _, _, effects, _ = learned_effects("none", 0.2, False, seed, columns=3)
        assert effects.slopes[:, 0].all()
        left += (effects.slopes[:, 1:] == 0).all(axis=0).sum()
    assert left >= 4


@pytest.mark.parametrize(("kind", "factor"), [("none", False), ("none", True), ("log", True), ("asinh", True)])
def test_what_is_taken_off_readings_is_put_on_forecasts(kind, factor):
    series, transform, effects, scales = learned_effects(kind, 0.2, factor, 0)
    known = (series[1].covariates - scales[:, 0]) / scales[:, 1]
    effect = effects.within(known, 1)
    usual = effects.take_off(series[1].values, effect, transform, 1)
    np.testing.assert_allclose(effects.put_on(usual, effect, transform, 1), series[1].values, rtol=1e-9)
    there = np.isfinite(usual)
    on = series[1].covariates[:, 0] == 1
    apart = abs(np.mean(usual[there & on]) / np.mean(usual[there & ~on]) - 1)
    assert apart < 0.2 * abs(np.nanmean(series[1].values[on]) / np.nanmean(series[1].values[~on]) - 1) + 0.05


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
    assert abs(np.mean(found - values[cut : cut + 7])) < 0.05 * 30 + 1.2


def test_intervals_follow_recent_errors_and_a_file_and_a_stream_agree(history, tmp_path):
    noise = np.random.default_rng(5).normal(0, 4, 60)
    frame = frame_of(4, np.concatenate([history, np.arange(60 + HORIZON) % 3]), missing=0)
    fitted = Forecaster(HORIZON, **SMALL).fit(frame[:END])
    before = fitted.predict(future=future_of(frame, END))
    frame.loc[END : END + 59, "y"] += noise
    fitted.update(frame[END : END + 57]).save(tmp_path / "m")
    stream = load(tmp_path / "m").stream()
    for row in range(END + 57, END + 60):
        stream.update(frame["y"][row], known={"promo": frame["promo"][row : row + HORIZON + 1]})
    after = fitted.update(frame[END + 57 : END + 60]).predict(future=future_of(frame, END + 60))

    def width(table):
        return (table["tsuzuki-hi-80"] - table["tsuzuki-lo-80"]).mean()

    assert width(after) > 1.3 * width(before)
    # The wind of a stream stays what it was last, unless it is told.
    shown = stream.predict()
    assert width(shown) == pytest.approx(width(after), rel=1e-3)
