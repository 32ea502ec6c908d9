"""Forecasts from past origins know nothing of what came after."""

import numpy as np
import pandas as pd
import pytest
import utilsforecast.losses as losses
from hypothesis import given, settings
from hypothesis import strategies as st

from tsuzuki import evaluate
from tsuzuki.errors import DataError, SettingError, TooShortError
from tsuzuki.forecaster import Forecaster
from tsuzuki.forecasting.backtest import fitting_windows, refit_blocks

SMALL = {"units": 4, "layers": 1, "head": 0, "ensemble": 2, "epochs": 1}


def hourly(points, seed=0, name="a"):
    generator = np.random.default_rng(seed)
    values = 10 + 5 * np.sin(np.arange(points) * 2 * np.pi / 24) + np.cumsum(generator.normal(0, 0.1, points))
    values[generator.random(points) < 0.02] = np.nan
    values[[0, -1]] = 10
    return pd.Series(values, pd.date_range("2024-01-01", periods=points, freq="h"), name=name)


@settings(max_examples=8)
@given(st.integers(0, 2**32 - 1), st.floats(-1e6, 1e6), st.booleans())
def test_a_spike_in_the_future_moves_no_forecast_before_it(seed, spike, missing):
    series = hourly(520, seed)
    spoiled, at = series.copy(), 520 - 4 - 20
    spoiled.iloc[at:] = np.nan if missing else spike
    spoiled.iloc[-1] = 10
    usual, after = (Forecaster(4, **SMALL).backtest(some, windows=8, step=5) for some in (series, spoiled))
    known = series.index[at - 1]
    usual, after = (one[one["cutoff"] <= known].drop(columns="y") for one in (usual, after))
    assert usual["cutoff"].nunique() > 2
    # Rows whose reading is missing are not scored; the others must be the same to the bit.
    both = usual.merge(after, on=["unique_id", "ds", "cutoff"], suffixes=(" usual", " after"))
    assert missing or len(both) == len(usual)
    for name in usual.columns[3:]:
        np.testing.assert_array_equal(both[f"{name} usual"], both[f"{name} after"], err_msg=name)


def test_a_forecast_of_a_backtest_is_what_predict_says_there():
    series = hourly(600)
    table = Forecaster(3, **SMALL).backtest(series, windows=5, step=7)
    for number, cutoff in enumerate(table["cutoff"].unique()):
        if number == 0:
            alone = Forecaster(3, **SMALL).fit(series[:cutoff])
        found = alone.predict(series[:cutoff]).merge(table, on="ds", suffixes=("", " then")).query("cutoff == @cutoff")
        if np.isnan(series[cutoff]):
            continue
        for name in ("tsuzuki", "tsuzuki-lo-80", "tsuzuki-hi-95"):
            np.testing.assert_allclose(found[name], found[f"{name} then"], rtol=1e-4)


def test_what_is_trained_anew_at_an_origin_is_a_forecaster_fitted_there():
    frames = [
        pd.DataFrame({"unique_id": name, "ds": series.index, "y": series.to_numpy()})
        for name, series in (("b", hourly(90).ffill()), ("a", 10 * hourly(90, 1).ffill()))
    ]
    frame, told = pd.concat(frames), []
    own = Forecaster(3, **SMALL | {"ensemble": 1})
    once = own.backtest(frame, windows=3)
    table = own.backtest(frame, windows=3, refit=2, on_progress=told.append)
    assert sum(told) == pytest.approx(1)
    first, second, third = table["cutoff"].unique()
    columns, forecasts = ["unique_id", "ds", "cutoff", "y"], ["tsuzuki", "tsuzuki-lo-80", "tsuzuki-hi-95"]
    pd.testing.assert_frame_equal(table[columns], once[columns])
    before, after = table["cutoff"].isin([first, second]), table["cutoff"] == third
    pd.testing.assert_frame_equal(table.loc[before, forecasts], once.loc[before, forecasts])
    found = own.fit(frame[frame["ds"] <= third]).predict()
    np.testing.assert_allclose(found[forecasts], table.loc[after, forecasts], rtol=1e-4)
    assert (table.loc[after, "tsuzuki"] != once.loc[after, "tsuzuki"]).all()
    # MASE's scale stays that of the first origin.
    assert table.attrs == once.attrs


@given(st.integers(1, 60), st.one_of(st.booleans(), st.integers(0, 70)))
def test_each_origin_belongs_to_one_training(windows, refit):
    blocks = refit_blocks(windows, refit)
    origins = [np.arange(windows)[block] for block in blocks]
    np.testing.assert_array_equal(np.concatenate(origins), np.arange(windows))
    assert [len(own) for own in origins[:-1]] == [int(refit) or windows] * (len(blocks) - 1)
    assert 0 < len(origins[-1]) <= (int(refit) or windows)


def test_origins_are_as_many_and_as_far_apart_as_asked_and_end_with_the_data():
    series = hourly(600).ffill()
    table = Forecaster(6, **SMALL).backtest(series, windows=7, step=11)
    cutoffs = pd.DatetimeIndex(table["cutoff"].unique())
    assert len(cutoffs) == 7
    assert set(np.diff(cutoffs)) == {np.timedelta64(11, "h")}
    assert table["ds"].max() == series.index[-1]
    assert table.groupby("cutoff").size().unique().tolist() == [6]
    np.testing.assert_array_equal(table["y"], series[table["ds"]])


def test_references_stand_beside_the_model_and_other_libraries_read_the_table():
    frames = [
        pd.DataFrame({"unique_id": name, "ds": series.index, "y": series.to_numpy()})
        for name, series in (("a", hourly(1500)), ("b", 10 * hourly(1300, 1)))
    ]
    table = Forecaster(4, **SMALL).backtest(pd.concat(frames), windows=4, step=24)
    models = ["tsuzuki", "persistence", "seasonal-naive-24", "seasonal-naive-168", "drift", "climatology", "ridge"]
    assert set(models) <= set(table.columns)
    assert not table.isna().any().any()
    # Theirs has a row for each series and cutoff.
    theirs, ours = losses.mae(table, models), evaluate(table).set_index("model")["mae"]
    counted = theirs.merge(table.groupby(["unique_id", "cutoff"]).size().rename("count").reset_index())
    weighed = counted[models].mul(counted["count"], axis=0).sum() / len(table)
    assert ours[models].to_numpy() == pytest.approx(weighed.to_numpy())
    assert evaluate(table)["mase"].notna().all()


def test_a_wave_is_forecast_better_than_by_persistence():
    times = pd.date_range("2024-01-01", periods=2000, freq="h")
    wave = pd.Series(np.sin(np.arange(2000) * 2 * np.pi / 24), times, name="a")
    table = Forecaster(12, units=16, layers=1, ensemble=1, epochs=5).backtest(wave, windows=10)
    scores = evaluate(table).set_index("model")["rmse"]
    assert scores["tsuzuki"] < 0.3 * scores["persistence"]


def test_a_backtest_leaves_the_forecaster_as_it_was(daily, small_forecaster):
    before = small_forecaster.predict()
    small_forecaster.backtest(daily, windows=2)
    pd.testing.assert_frame_equal(small_forecaster.predict(), before)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"windows": 0}, SettingError, "windows=0 and step=4 are not both at least 1; give whole numbers from 1"),
        ({"windows": 3, "step": -1}, SettingError, "windows=3 and step=-1 are not both at least 1"),
        (
            {"windows": 900},
            TooShortError,
            "has 300 points, too few for 900 windows .*at most 72 windows fit",
        ),
        ({"refit": -1}, SettingError, r"refit=-1 is no number of origins; give 1 \(or True\)"),
        ({"refit": 1.5}, SettingError, "refit=1.5 is no number of origins"),
        ({"levels": (120,)}, SettingError, "level 120 is not a percentage"),
    ],
)
def test_backtests_that_cannot_be_are_refused_in_words(options, error, message):
    with pytest.raises(error, match=message):
        Forecaster(4, **SMALL).backtest(hourly(300), **options)


@given(st.integers(20, 5000), st.integers(1, 60), st.integers(1, 200))
def test_as_many_windows_as_the_last_fifth_has_room_for_are_chosen(points, horizon, step):
    windows = fitting_windows(points, horizon, step)
    assert 1 <= windows <= 52
    used = horizon + (windows - 1) * step
    assert windows == 1 or used <= points / 5
    assert windows == 52 or used + step > int(points / 5)


def test_a_short_series_is_backtested_without_naming_windows():
    table = Forecaster(4, **SMALL).backtest(hourly(300))
    assert table["cutoff"].nunique() == 15  # (60 - 4) // 4 + 1


def test_origins_that_all_lie_in_gaps_are_refused_with_what_else_to_ask_for():
    """Opening hours: a horizon before the last reading it is night."""
    times = pd.date_range("2020-01-01", "2020-01-20 16:00", freq="1h")
    y = pd.Series(np.where((times.hour >= 8) & (times.hour <= 16), times.hour % 5 + 1.0, np.nan), times)
    forecaster = Forecaster(horizon=9, units=4, lanes=2, timesteps=8, epochs=1, ensemble=1, max_gap=12)
    with pytest.raises(DataError, match=r"none of the 3 origins .* gap of more than 12 steps, .*--max-gap"):
        forecaster.backtest(y, windows=3, step=24, levels=(80,))
