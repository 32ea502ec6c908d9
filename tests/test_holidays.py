"""Public holidays: known ahead by themselves, by the dates of the country."""

import json
from datetime import date

import holidays
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from test_cli import run
from tsuzuki.data.public_holidays import check_holidays, on_holiday, with_zone
from tsuzuki.errors import DataError, MissingExtraError, SettingError
from tsuzuki.forecaster import Forecaster, load

SMALL = {"units": 8, "layers": 1, "head": 0, "ensemble": 1, "epochs": 40, "committee": False}
OPTIONS = ["--horizon", "5", "--units", "4", "--ensemble", "1", "--epochs", "1", "--quiet"]


@settings(max_examples=20)
@given(st.dates(date(1950, 1, 1), date(2080, 1, 1)), st.integers(1, 500), st.sampled_from(["JP", "US-CA", "DE"]))
def test_a_day_is_a_holiday_where_the_package_says_so(first, count, where):
    times = pd.date_range(first, periods=count, freq="7h")
    country, _, region = where.partition("-")
    known = holidays.country_holidays(country, subdiv=region or None, years=range(1950, 2082))
    found = on_holiday(times.to_numpy("datetime64[ns]"), where)
    assert found.tolist() == [float(time.date() in known) for time in times]


def test_the_date_is_that_of_the_zone():
    # New Year's Day in Tokyo begins at 15:00 UTC of the day before.
    times = pd.date_range("2023-12-31 13:00", periods=4, freq="h").to_numpy("datetime64[ns]")
    for zone in ("Asia/Tokyo", "+09:00"):
        assert on_holiday(times, f"JP@{zone}").tolist() == [0, 0, 1, 1]
    assert on_holiday(times, "JP").tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("XX", "holidays is 'XX', of which no holidays are known; give a country's two letters, such as JP"),
        ("US-QQ", "US's regions are AK, AL"),
        ("JP-13", "JP has no regions here; leave '13' out"),
        ("JP@Nowhere/City", "there is no zone 'Nowhere/City'; give one such as Asia/Tokyo or +09:00"),
        ("JP@../etc", "there is no zone '../etc'"),
        ("JP@+99", "there is no zone '+99'"),
    ],
)
def test_what_cannot_be_told_is_refused_before_training(where, message):
    with pytest.raises(SettingError) as refused:
        Forecaster(holidays=where)
    assert message in str(refused.value)


def test_a_grid_of_weeks_has_no_holidays_and_one_of_business_days_has():
    with pytest.raises(DataError, match="holidays are read on grids of days or less, and these times are 7 days"):
        on_holiday(pd.date_range("2024-01-01", periods=5, freq="7D").to_numpy(), "JP")
    weekend = pd.DatetimeIndex(["2024-05-03", "2024-05-06"]).to_numpy()
    assert on_holiday(weekend, "JP").tolist() == [1, 1]


def test_a_missing_package_is_answered_with_the_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "holidays", None)
    with pytest.raises(MissingExtraError, match=r'pip install "tsuzuki\[holidays\]"'):
        check_holidays("JP")


def test_a_files_zone_is_taken_unless_it_is_named():
    assert with_zone("JP", "+09:00") == "JP@+09:00"
    assert with_zone("JP@Asia/Tokyo", "+09:00") == "JP@Asia/Tokyo"
    assert [with_zone("JP", zone) for zone in (None, "UTC")] == ["JP", "JP"]
    assert with_zone("", "+09:00") == ""
    with pytest.raises(SettingError, match="--holidays DE@Europe/Berlin"):
        with_zone("DE", "several offsets")


@pytest.fixture(scope="module")
def daily_load():
    """Three years of days whose load falls by 8 on Japan's holidays."""
    times = pd.date_range("2021-01-01", "2023-12-28", freq="D")
    free = np.array([time.date() in holidays.country_holidays("JP", years=range(2021, 2024)) for time in times])
    noise = np.random.default_rng(0).normal(0, 0.3, len(times))
    return pd.Series(20 - 8.0 * free + noise, times, name="load")


def test_a_forecaster_knows_the_holidays_to_come_by_itself(daily_load, tmp_path):
    model = Forecaster(6, holidays="JP", **SMALL).fit(daily_load)
    found = model.predict().set_index("ds")["tsuzuki"]
    # Of 29 December to 3 January only New Year's Day is one.
    assert found.idxmin() == pd.Timestamp("2024-01-01")
    assert (found.drop(pd.Timestamp("2024-01-01")) > found["2024-01-01"] + 2).all()
    blind = Forecaster(6, **SMALL).fit(daily_load).predict()["tsuzuki"]
    assert np.ptp(blind) < np.ptp(found) / 2

    model.save(tmp_path / "m.tsuzuki")
    pd.testing.assert_frame_equal(load(tmp_path / "m.tsuzuki").predict(), model.predict())
    newer = pd.Series([20.0, 20.0], pd.date_range("2023-12-29", periods=2, freq="D"), name="load")
    moved = model.predict(newer).set_index("ds")["tsuzuki"]
    assert moved.idxmin() == pd.Timestamp("2024-01-01")


def test_holidays_stand_beside_other_columns_known_ahead(daily_load):
    frame = daily_load.rename("y").rename_axis("ds").reset_index().assign(unique_id="load", plan=1.0)
    model = Forecaster(3, holidays="JP", known="plan", **SMALL | {"epochs": 1}).fit(frame)
    with pytest.raises(DataError, match=r"columns known ahead \(plan\); give them"):
        model.predict()
    ahead = pd.DataFrame({"ds": pd.date_range("2023-12-29", periods=3), "unique_id": "load", "plan": 1.0})
    assert len(model.predict(future=ahead)) == 3
    with pytest.raises(DataError, match="future has no plan for series 'load' at 2023-12-31"):
        model.predict(future=ahead[:2])
    assert set(model.backtest(frame, windows=3).columns) >= {"tsuzuki", "persistence"}
    with pytest.raises(DataError, match="nothing is known of plan"):
        model.stream().update(20.0)


def test_the_command_line_reads_holidays_without_a_file_of_the_future(daily_load, tmp_path):
    stamped = daily_load.rename_axis("time").reset_index()
    stamped["time"] = stamped["time"].dt.strftime("%Y-%m-%dT00:00:00+09:00")
    stamped.to_csv(tmp_path / "load.csv", index=False)
    model = tmp_path / "m.tsuzuki"
    done = run("fit", tmp_path / "load.csv", "-o", model, "--holidays", "JP", *OPTIONS)
    assert done.exit_code == 0, done.stderr
    assert load(model).settings.holidays == "JP@+09:00"
    assert json.loads(run("info", model, "--json", "-").stdout)["holidays"] == "JP@+09:00"
    done = run("forecast", model, "--json", "-")
    assert done.exit_code == 0, done.stderr
    assert len(json.loads(done.stdout)) == 5
    done = run("backtest", tmp_path / "load.csv", "--holidays", "JP", *OPTIONS, "--windows", "3", "--json", "-")
    assert done.exit_code == 0, done.stderr
