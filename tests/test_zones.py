"""The time zone of the data: never dropped, never shifted, wherever times come out."""

import json
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from tsuzuki.cli import app
from tsuzuki.data.grid import following_times
from tsuzuki.data.readers import read
from tsuzuki.data.series import collect, regularize
from tsuzuki.data.zones import in_zone, shown_zone, wall_offset, zone_name
from tsuzuki.errors import DataError, FileError
from tsuzuki.forecaster import Forecaster, load
from tsuzuki.storage import read as read_file
from tsuzuki.storage import write

HOURS = pd.date_range("2024-03-25", periods=160, freq="h")
VALUES = 10 + np.sin(np.arange(160) * 2 * np.pi / 24)
SMALL = {"units": 3, "layers": 1, "head": 0, "ensemble": 1, "epochs": 1}
ZONES = ("UTC", "Asia/Tokyo", "Europe/Berlin", "+05:45", "-03:00")


def zoned(zone, first=0, last=160):
    return pd.Series(VALUES[first:last], HOURS[first:last].tz_localize("UTC").tz_convert(zone), name="a")


@pytest.fixture(scope="module")
def plain():
    return Forecaster(3, **SMALL).fit(pd.Series(VALUES[:120], HOURS[:120], name="a"))


@pytest.fixture(scope="module")
def tokyo():
    return Forecaster(3, **SMALL).fit(zoned("Asia/Tokyo", 0, 120))


@pytest.mark.parametrize("zone", ZONES)
def test_forecasts_are_of_the_same_instants_and_in_the_zone_of_the_data(plain, zone):
    model = Forecaster(3, **SMALL).fit(zoned(zone, 0, 120))
    found, expected = model.predict(), plain.predict()
    assert zone_name(found["ds"].dt.tz) == zone
    assert found["ds"].dt.tz_convert(None).tolist() == expected["ds"].tolist()
    pd.testing.assert_frame_equal(found.drop(columns="ds"), expected.drop(columns="ds"))
    # Whatever zone newer rows name, they are the same instants.
    moved = model.predict(zoned("America/New_York", 100, 130))
    assert zone_name(moved["ds"].dt.tz) == zone
    assert moved["ds"][0] == HOURS[130].tz_localize("UTC")


def test_stamps_with_several_offsets_come_out_in_utc_and_say_so():
    texts = [time.isoformat() for time in zoned("Europe/Berlin").index]
    assert {text[-6:] for text in texts} == {"+01:00", "+02:00"}
    found = Forecaster(3, **SMALL).fit(pd.DataFrame({"unique_id": "a", "ds": texts, "y": VALUES})).predict()
    assert str(found["ds"].dt.tz) == "UTC"
    assert found["ds"][0] == HOURS[-1].tz_localize("UTC") + pd.Timedelta(hours=1)


def test_a_backtest_and_a_stream_are_in_the_zone_too(tokyo):
    table = Forecaster(3, **SMALL).backtest(zoned("Asia/Tokyo"), windows=2)
    assert [str(table[name].dt.tz) for name in ("ds", "cutoff")] == ["Asia/Tokyo"] * 2
    assert table["ds"].iloc[-1] == HOURS[-1].tz_localize("UTC")
    stream = tokyo.stream()
    stream.update(10.0, "2024-03-30 09:00+09:00")
    stream.update(10.0, HOURS[121].tz_localize("UTC"))
    stream.update(10.0, HOURS[122].to_datetime64())
    ahead = stream.predict()["ds"]
    assert str(ahead.dt.tz) == "Asia/Tokyo"
    assert ahead[0] == HOURS[123].tz_localize("UTC")


def test_readings_without_a_zone_are_refused_by_a_model_with_one_and_otherwise(plain, tokyo):
    naive = pd.Series(VALUES[120:130], HOURS[120:130], name="a")
    with pytest.raises(DataError, match=r"the frame names no time zone, but .* trained on Asia/Tokyo; write"):
        tokyo.update(naive)
    with pytest.raises(DataError, match=r"the frame names \+09:00, but the readings .* trained on none; write"):
        plain.update(zoned("+09:00", 120, 130))
    with pytest.raises(DataError, match=r"2024-03-30 00:00:00 names no time zone"):
        tokyo.stream().update(1.0, HOURS[120])
    with pytest.raises(DataError, match=r"the time 2024-03-30T00:00Z names a time zone, but .* none"):
        plain.stream().update(1.0, "2024-03-30T00:00Z")


def test_a_future_without_the_zone_is_refused():
    frame = pd.DataFrame({"ds": zoned("+09:00").index, "y": VALUES, "plan": np.arange(160.0) % 5})
    model = Forecaster(3, known="plan", **SMALL).fit(frame[:120])
    future = frame[120:123].drop(columns="y")
    assert model.predict(future=future)["ds"].tolist() == future["ds"].tolist()
    with pytest.raises(DataError, match="future names no time zone"):
        model.predict(future=future.assign(ds=HOURS[120:123]))


def test_a_model_file_keeps_the_zone_and_a_zone_that_is_none_is_refused(tokyo, tmp_path):
    tokyo.save(tmp_path / "m")
    assert str(load(tmp_path / "m").predict()["ds"].dt.tz) == "Asia/Tokyo"
    stored = read_file(tmp_path / "m")
    write(tmp_path / "n", "forecaster", stored.facts | {"zone": "Asia/Nowhere"}, stored.arrays)
    with pytest.raises(FileError, match="time zone of the readings is none that is known here"):
        load(tmp_path / "n")


def run(*words):
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    return " ".join(done.output.split())


def test_the_command_line_says_the_zone_in_csv_json_pages_and_words(tmp_path):
    small = ["--horizon", 3, "--units", 3, "--layers", 1, "--head", 0, "--ensemble", 1, "--epochs", 1]
    for name, first, last in (("old", 0, 120), ("new", 110, 130)):
        own = zoned("+09:00", first, last)
        pd.DataFrame({"time": [time.isoformat() for time in own.index], "y": own.to_numpy()}).to_csv(
            tmp_path / f"{name}.csv", index=False
        )
    model = tmp_path / "m.tsuzuki"
    assert "2024-03-25 to 2024-03-30 (+09:00)" in run("fit", tmp_path / "old.csv", "-o", model, *small)
    outputs = {kind: tmp_path / f"out.{kind}" for kind in ("csv", "json", "report")}
    said = run(
        "forecast", model, tmp_path / "new.csv", *(word for kind, at in outputs.items() for word in (f"--{kind}", at))
    )
    assert "2024-03-30 (+09:00)" in said
    first = "2024-03-30 19:00:00+09:00"
    assert outputs["csv"].read_text().splitlines()[1].split(",")[1] == first
    assert json.loads(outputs["json"].read_text())[0]["ds"] == first
    assert read(outputs["csv"], column="tsuzuki").frame["ds"][0] == HOURS[130]
    page = outputs["report"].read_text()
    assert "after 2024-03-30 18:00 (+09:00)." in page
    assert "Times are in +09:00." in page
    assert ">2024-03-30 19:00<" in page
    assert first in run("forecast", model, tmp_path / "new.csv")
    assert "2024-03-30 09:00:00+09:00" not in run("info", model)
    assert "2024-03-30 08:00:00+09:00" in run("info", model)
    page = tmp_path / "back.html"
    said = run("backtest", tmp_path / "old.csv", *small, "--windows", 2, "--report", page, "--json", tmp_path / "b")
    assert "2024-03-30 02:00:00+09:00 to 2024-03-30 05:00:00+09:00" in said
    assert "2024-03-25 – 2024-03-30 (+09:00)" in page.read_text()
    assert "2024-03-25 to 2024-03-30 (+09:00)" in run("compare", tmp_path / "old.csv", "--seeds", 1, "--epochs", 1)


@given(
    st.sampled_from(ZONES),
    st.datetimes(min_value=pd.Timestamp(1980, 1, 1), max_value=pd.Timestamp(2030, 1, 1)).map(np.datetime64),
)
def test_a_zones_clocks_show_what_pandas_shows(zone, time):
    time = time.astype("datetime64[ns]")
    there = in_zone([time], zone)[0]
    assert there.tz_localize(None) == pd.Timestamp(time) + pd.Timedelta(wall_offset(time, zone))
    assert zone_name(there.tz) == zone
    label = shown_zone(time, zone)
    assert label == "UTC" if zone == "UTC" else str(there)[-6:] in label
    assert (in_zone([time], None)[0].tz, wall_offset(time, None), shown_zone(time, None)) == (None, 0, None)


def test_a_picture_has_the_times_of_the_zones_clocks_at_the_end_of_the_data():
    frame = pd.DataFrame({"unique_id": "a", "ds": HOURS, "y": VALUES})
    found = collect("a", frame, zone="Europe/Berlin").by_clock()
    # Clocks were put forward on the 31st.
    assert found.clock == "Europe/Berlin (+02:00)"
    assert found.series[0].times[-1] == HOURS[-1] + pd.Timedelta(hours=2)
    assert found.by_clock() is found
    assert collect("a", frame).by_clock().clock is None


@pytest.mark.parametrize("zone", ["+09:00", "-05:00", "Asia/Tokyo"])
def test_months_of_a_zone_begin_at_its_midnight(zone):
    months = pd.date_range("2020-01-01", periods=40, freq="MS", tz=zone)
    series = regularize(
        pd.DataFrame({"ds": months[:30].tz_convert("UTC").tz_localize(None), "y": np.arange(30.0)}), "here", "a"
    )
    assert (series.step, series.repairs.snapped) == ("month", 0)
    assert in_zone(following_times(series.times, 10), zone).tolist() == months[30:].tolist()


def test_months_at_another_time_of_day_than_most_are_counted_as_snapped():
    stamps = pd.date_range("2020-01-01", periods=12, freq="MS") + pd.Timedelta(hours=6)
    stamps = stamps.where(np.arange(12) != 4, stamps.normalize())
    series = regularize(pd.DataFrame({"ds": stamps, "y": np.arange(12.0)}), "here", "a")
    assert series.repairs.snapped == 1
    assert set(pd.DatetimeIndex(series.times).hour) == {6}


def test_readings_that_would_be_merged_are_refused_or_told(plain):
    twice = pd.concat([pd.Series(VALUES[:120], HOURS[:120], name="a")] * 2)
    with pytest.raises(
        DataError, match=r"120 of 240 readings of series 'a' in the frame are of the same hour .*merge=T"
    ):
        Forecaster(3, **SMALL).fit(twice)
    with pytest.raises(DataError, match="120 of 240 readings"):
        Forecaster(3, **SMALL).backtest(twice, windows=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pd.testing.assert_frame_equal(Forecaster(3, **SMALL).fit(twice, merge=True).predict(), plain.predict())
    with pytest.warns(UserWarning, match="^12 readings of the frame are of the same hour as another") as caught:
        Forecaster(3, **SMALL).fit(twice[:132])
    assert caught[0].filename == __file__


def newer(*hours):
    return pd.Series(1.0, HOURS[119] + pd.to_timedelta(hours, unit="h"), name="a")


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (newer(*np.arange(1, 60) / 6), r"28 of 56 newer readings, such as that of 2024-03-29 23:40:00, are beside"),
        (newer(*range(24, 240, 24)), "newer readings follow each other after 24 steps at the closest"),
        (newer(1, 1, 1, 2, 3), r"2 of 5 newer readings are of the same step as another of the grid .* series 'a'"),
    ],
)
def test_newer_readings_on_another_grid_are_refused(plain, frame, message):
    with pytest.raises(DataError, match=message):
        plain.predict(frame)


def test_newer_readings_with_holes_or_a_little_late_are_read(plain):
    end = pd.Timestamp(plain.predict()["ds"].min())
    for frame, steps in ((newer(1, 3, 5, 6), 6), (newer(2, 5, 8), 8), (newer(1.1, 2, 3.2, 4), 4)):
        found = plain.predict(frame)
        assert found["ds"].min() == end + pd.Timedelta(hours=steps)
        assert np.isfinite(found["tsuzuki"]).all()


@pytest.mark.parametrize("transform", ["none", "log", "asinh"])
def test_a_picture_has_the_readings_in_their_unit_whatever_the_transform(transform):
    from tsuzuki.forecasting.outlook import outlooks

    model = Forecaster(3, transform=transform, **SMALL).fit(pd.Series(VALUES[:120], HOURS[:120], name="a"))
    (found,) = outlooks(model.fitted, 3, model.predict())
    np.testing.assert_allclose(found.values, VALUES[120 - len(found.values) : 120], rtol=1e-4)
    assert len(found.values) > 20


def test_a_holiday_begins_at_midnight_of_the_datas_zone_and_is_computed_in_forecasts_too():
    pytest.importorskip("holidays")
    from tsuzuki.data.covariates import CovariateNames, covariate_series
    from tsuzuki.data.frames import as_long

    # The 29th of April, Shōwa Day, from midnight to midnight in Tokyo.
    times = pd.date_range("2024-04-25", periods=24 * 7, freq="h", tz="Asia/Tokyo")
    frame = pd.DataFrame({"unique_id": "a", "ds": times, "y": np.arange(24.0 * 7) % 11})
    for column in ("holidays in JP", "holidays in JP@Asia/Tokyo"):
        (found,) = covariate_series(as_long(frame), CovariateNames(known=(column,)), 5, merge=False)
        assert found.covariates[:, 0].tolist() == (times.day == 29).astype(float).tolist()
