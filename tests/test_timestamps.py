"""Dates in files: each read by its own form, none turned round, and one line where it cannot be read."""

import datetime

import numpy as np
import pandas as pd
import pytest

from tsuzuki.data.readers import read
from tsuzuki.errors import DataError


def dated(path, *dates, header="time"):
    path = path / "a.csv"
    path.write_text("\n".join([f"{header};value", *(f"{date};{i}.5" for i, date in enumerate(dates))]) + "\n")
    return path


def stamps(path, *dates, header="time"):
    return [str(stamp) for stamp in read(dated(path, *dates, header=header)).frame["ds"]]


READ = {
    "1949-01": "1949-01-01 00:00:00",
    "1949/1": "1949-01-01 00:00:00",
    "1949年1月": "1949-01-01 00:00:00",
    "2023年1月1日0時": "2023-01-01 00:00:00",
    "２０２３年１月１日１３時５分": "2023-01-01 13:05:00",
    "2023/1/1 24:00": "2023-01-02 00:00:00",
    "2023-12-31T24:00:00Z": "2024-01-01 00:00:00",
    "2020-01-01 00:00:00+01": "2019-12-31 23:00:00",
    "2020-01-01 00:00:00.123456-0330": "2020-01-01 03:30:00.123456",
    "2020-01-01 09:00 JST": "2020-01-01 00:00:00",
    "2020-01-01T00:00+09:00[Asia/Tokyo]": "2019-12-31 15:00:00",
    "31 Jan 2020 6:05 PM": "2020-01-31 18:05:00",
    "Jan 31, 2020 12:00 am": "2020-01-31 00:00:00",
    "2020Q3": "2020-07-01 00:00:00",
    "1678-01-01": "1678-01-01 00:00:00",
    "2262-04-09 23:59": "2262-04-09 23:59:00",
    "20200131": "2020-01-31 00:00:00",
    "202001311805": "2020-01-31 18:05:00",
    "1577836800": "2020-01-01 00:00:00",
    "1577836800.25": "2020-01-01 00:00:00.250000",
    "1577836800123": "2020-01-01 00:00:00.123000",
    "1577836800123456": "2020-01-01 00:00:00.123456",
    "1577836800123456789": "2020-01-01 00:00:00.123456789",
}


@pytest.mark.parametrize("text", READ)
def test_a_date_in_this_form_is_that_instant(tmp_path, text):
    assert stamps(tmp_path, text) == [READ[text]]


REFUSED = {
    "9000-01-01": r"holds '9000-01-01' in line 2, outside the years 1678 to 2262 that nanoseconds can count; correct",
    "1600-01-01": "outside the years 1678 to 2262",
    "0001-01-01": "outside the years 1678 to 2262",
    "1-01": "outside the years 1678 to 2262",
    "2262-05-01": "outside the years 1678 to 2262",
    "12020-01-01": "outside the years 1678 to 2262",
    "2023-01-01 24:01": "which is no date",
    "2023-01-01 23:60": "which is no date",
    "2023-02-29": "which is no date",
    "2023-01-01 13:00 PM": "which is no date",
    "2020-01 05:00": "which is no date",
    "5 Foo 2020": "which is no date",
    "now": "which is no date",
    "2020.5.": "which is no date",
}


@pytest.mark.parametrize("text", REFUSED)
def test_a_date_that_is_none_or_too_far_is_named_in_one_line(tmp_path, text):
    with pytest.raises(DataError, match=REFUSED[text]) as caught:
        stamps(tmp_path, text)
    assert "\n" not in str(caught.value)


def test_iso_dates_are_never_turned_round_by_their_neighbours(tmp_path):
    assert stamps(tmp_path, "2020-02-01", "13/02/2020", "2020-02-03") == [
        f"2020-02-{day} 00:00:00" for day in ("01", "13", "03")
    ]


def test_mixed_forms_that_nothing_decides_are_refused_with_two_lines(tmp_path):
    with pytest.raises(DataError, match=r"'01/02/2020' in line 3 beside '2020-02-01' in line 2, and nothing tells"):
        stamps(tmp_path, "2020-02-01", "01/02/2020")


@pytest.mark.parametrize("day", [12, 13])
def test_a_number_is_a_day_and_no_month_from_13_on(tmp_path, day):
    if day > 12:
        assert stamps(tmp_path, f"01/{day}/2020") == [f"2020-01-{day} 00:00:00"]
        assert stamps(tmp_path, f"{day}/01/2020") == [f"2020-01-{day} 00:00:00"]
    else:
        with pytest.raises(DataError, match="nothing tells whether the day or the month comes first"):
            stamps(tmp_path, f"01/{day}/2020")
        with pytest.raises(DataError, match="nothing tells whether the day or the month comes first"):
            stamps(tmp_path, f"{day}/01/2020")


@pytest.mark.parametrize("missing", ["", "NA", "null", "NaT", " "])
def test_a_value_without_a_date_is_named_and_a_row_without_either_is_none(tmp_path, missing):
    path = tmp_path / "a.csv"
    path.write_text(f"time,value\n2020-01-01,1\n\n{missing},2\n")
    with pytest.raises(
        DataError, match=r"column 'time' of a.csv has no date in line 4, where 'value' has a value; write"
    ):
        read(path)
    path.write_text(f"time,value\n2020-01-01,1\n{missing},{missing}\n2020-01-02,2\n")
    assert list(read(path).frame["y"]) == [1, 2]


@pytest.mark.parametrize("dates", [("2020-01-01 00:00 UTC", "2020-01-01 01:00"), ("2020-01-01 00:00+01", "2020-01-01")])
def test_stamps_with_and_without_a_zone_are_not_mixed(tmp_path, dates):
    for order in (dates, dates[::-1]):
        with pytest.raises(DataError, match=r"mixes stamps with and without a time zone \(line 3: "):
            stamps(tmp_path, *order)


@pytest.mark.parametrize(
    ("zones", "name"),
    [
        (("+09", "+09"), "+09:00"),
        (("+09:00", "+09:00"), "+09:00"),
        (("Z", "+00"), "UTC"),
        (("+01", "+02"), "several offsets"),
        (("-03:30", "-03:30"), "-03:30"),
    ],
)
def test_the_zone_is_told_and_the_stamps_are_plain_utc(tmp_path, zones, name):
    found = read(dated(tmp_path, *(f"2020-01-01 00:00{zone}" for zone in zones)))
    assert found.zone == name
    assert str(found.frame["ds"].dtype) == "datetime64[ns]"


JOINED = {
    "date,time,value": ["2020-01-01,00:30,1", "2020-01-01,23:30,2", "2020-01-02,0:30,3"],
    "Date,Hour,value": ["1/13/2020,1,1", "1/13/2020,24,2", "1/14/2020,1,3"],
    "日付,時刻,値": ["2020年1月1日,1時,1", "2020年1月1日,2時,2", "2020年1月1日,24時,3"],
    "year,month,day,hour,value": ["2020,1,1,0,1", "2020,1,1,1,2", "2020,1,1,24,3"],
    "No,year,month,value": ["1,2020,1,1", "2,2020,2,2", "3,2020,12,3"],
    "date,hour,minute,value": ["2020-01-01,5,0,1", "2020-01-01,5,10,2", "2020-01-01,24,0,3"],
}
TIMES = {
    "date,time,value": ["2020-01-01 00:30", "2020-01-01 23:30", "2020-01-02 00:30"],
    "Date,Hour,value": ["2020-01-13 01:00", "2020-01-14 00:00", "2020-01-14 01:00"],
    "日付,時刻,値": ["2020-01-01 01:00", "2020-01-01 02:00", "2020-01-02 00:00"],
    "year,month,day,hour,value": ["2020-01-01 00:00", "2020-01-01 01:00", "2020-01-02 00:00"],
    "No,year,month,value": ["2020-01-01", "2020-02-01", "2020-12-01"],
    "date,hour,minute,value": ["2020-01-01 05:00", "2020-01-01 05:10", "2020-01-02 00:00"],
}


@pytest.mark.parametrize("header", JOINED)
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_date_and_a_time_in_columns_of_their_own_are_joined(tmp_path, header, kind):
    path = tmp_path / "a.csv"
    path.write_text("\n".join([header, *JOINED[header]]) + "\n")
    if kind == "parquet":
        pd.read_csv(path).to_parquet(path.with_suffix(".parquet"))
        path = path.with_suffix(".parquet")
    found = read(path, column=header.split(",")[-1]).frame
    assert list(found["ds"]) == list(pd.to_datetime(TIMES[header]))
    assert list(found["y"]) == [1, 2, 3]


def test_a_time_of_day_beside_whole_stamps_or_that_is_none_is_left_alone(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("time,hour,value\n2020-01-01 05:30,5,1\n2020-01-01 06:30,6,2\n")
    assert list(read(path, column="value").frame["ds"]) == list(
        pd.to_datetime(["2020-01-01 05:30", "2020-01-01 06:30"])
    )
    path.write_text("date,hour,value\n2020-01-01,500,1\n2020-01-01,600,2\n")
    assert list(read(path, column="value").frame["ds"]) == list(pd.to_datetime(["2020-01-01", "2020-01-01"]))
    # The hour of a daily maximum is no part of the day's date.
    path.write_text("unique_id,date,hour,value\na,2020-01-01,14,1\na,2020-01-02,15,2\nb,2020-01-01,13,3\n")
    days = ["2020-01-01", "2020-01-02", "2020-01-01"]
    assert list(read(path, column="value").frame["ds"]) == list(pd.to_datetime(days))


def test_two_columns_of_time_can_be_named(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("on,at,value\n2020-01-01,5:00,1\n2020-01-01,6:00,2\n")
    found = read(path, time="on,at", column="value").frame
    assert list(found["ds"]) == list(pd.to_datetime(["2020-01-01 05:00", "2020-01-01 06:00"]))
    with pytest.raises(
        DataError, match=r"column 'noon' is not in a.csv \(it has: on, at, value\); name one with --time"
    ):
        read(path, time="on,noon")


def test_typed_columns_of_parquet_are_read_with_what_they_lack(tmp_path):
    path = tmp_path / "a.parquet"
    times = pd.Series(pd.to_datetime(["2020-01-01 05:00", None, "2020-01-02 05:00"]))
    pd.DataFrame({"time": times, "value": [1.0, None, 2.0]}).to_parquet(path)
    assert list(read(path).frame["y"]) == [1, 2]
    pd.DataFrame({"time": times, "value": [1.0, 7.0, 2.0]}).to_parquet(path)
    with pytest.raises(DataError, match="has no date in row 2, where 'value' has a value"):
        read(path)
    pd.DataFrame({"time": [datetime.date(2020, 1, 1)], "value": [1.0]}).to_parquet(path)
    assert list(read(path).frame["ds"]) == [pd.Timestamp("2020-01-01")]
    far = np.array(["9000-01-01"], "datetime64[us]")
    pd.DataFrame({"time": far, "value": [1.0]}).to_parquet(path)
    with pytest.raises(DataError, match="in row 1, outside the years 1678 to 2262"):
        read(path)
    tokyo = times.dt.tz_localize("Asia/Tokyo")
    pd.DataFrame({"time": tokyo, "value": [1.0, None, 2.0]}).to_parquet(path)
    found = read(path)
    assert found.zone == "Asia/Tokyo"
    assert found.frame["ds"][0] == pd.Timestamp("2019-12-31 20:00")


@pytest.mark.parametrize(
    "numbers", [("1", "2"), ("1577836800", "1577836800000"), ("99", "20200101"), ("true", "false")]
)
def test_numbers_that_are_no_times_are_named(tmp_path, numbers):
    with pytest.raises(DataError, match=r"column 'time' of a.csv holds (numbers|true and false), not dates; name the"):
        stamps(tmp_path, *numbers)
