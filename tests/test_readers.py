"""Files as people have them, and every way in which they can be wrong, read as a user reads the message."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsuzuki.data.readers import read
from tsuzuki.data.segments import Segment
from tsuzuki.data.series import collect
from tsuzuki.errors import DataError, FileError

HOURS = pd.date_range("2020-01-01", periods=30, freq="1h")
VALUES = [f"{value:.1f}" for value in np.arange(30) % 7]


def write(path, rows, header="time,temp", encoding="utf-8", newline="\n"):
    path.write_bytes((newline.join([header, *rows]) + newline).encode(encoding))
    return path


def plain(separator=","):
    return [f"{time}{separator}{value}" for time, value in zip(HOURS, VALUES, strict=True)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_file_in_the_tutorials_format_is_read_as_it_is(tmp_path, encoding, separator):
    rows = plain(separator)
    rows[3] = f"{HOURS[3]}{separator}"
    reading = read(write(tmp_path / "大阪.csv", rows, separator.join(["日時", "気温(℃)"]), encoding, "\r\n"))
    assert reading.unit == "°C"
    assert list(reading.frame["ds"]) == list(HOURS)
    assert np.isnan(reading.frame["y"][3])
    assert (reading.frame["unique_id"] == "大阪").all()


@pytest.mark.parametrize("separator", [";", "\t"])
def test_a_comma_may_be_the_decimal_point_where_it_does_not_separate_cells(tmp_path, separator):
    rows = [row.replace(".", ",") for row in plain(separator)]
    rows[3] = f"{HOURS[3]}{separator}"
    reading = read(write(tmp_path / "a.csv", rows, separator.join(["time", "temp"])))
    assert list(reading.frame["y"].drop(3)) == [float(value) for i, value in enumerate(VALUES) if i != 3]


def test_parquet_with_a_time_index_is_read(tmp_path):
    pd.DataFrame({"load": np.arange(30.0)}, index=HOURS.rename("when")).to_parquet(tmp_path / "a.parquet")
    reading = read(tmp_path / "a.parquet")
    assert list(reading.frame["y"]) == list(range(30))


def test_a_long_frame_is_several_series(tmp_path):
    rows = [f"{name},{time},{value}" for name in "ab" for time, value in zip(HOURS, VALUES, strict=True)]
    reading = read(write(tmp_path / "long.csv", rows, "unique_id,ds,y"))
    assert [series.name for series in collect("long", reading.frame).series] == ["a", "b"]


@pytest.mark.parametrize("form", ["%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%Y/%m/%d"])
@pytest.mark.parametrize("clock", ["", " %H:%M"])
def test_day_or_month_may_come_first_but_the_same_in_all_dates(tmp_path, form, clock):
    days = pd.date_range("2021-02-03", periods=300, freq="D")
    path = write(tmp_path / "a.csv", [f"{day.strftime(form + clock)},1" for day in days])
    assert list(read(path).frame["ds"]) == list(days)


def test_a_cell_beyond_the_header_may_only_be_empty(tmp_path):
    assert len(read(write(tmp_path / "a.csv", [f"{row}," for row in plain()])).frame) == 30


def test_the_names_of_series_are_text_as_they_stand(tmp_path):
    rows = [f"{name},{time},{value}" for name in ("007", "NA") for time, value in zip(HOURS, VALUES, strict=True)]
    reading = read(write(tmp_path / "long.csv", rows, "unique_id,ds,y"))
    assert list(reading.frame["unique_id"].unique()) == ["007", "NA"]


def test_stamps_with_offsets_become_utc_over_a_change_to_summer_time(tmp_path):
    times = pd.date_range("2024-03-30 20:00", periods=30, freq="1h", tz="Europe/Berlin")
    rows = [f"{time.isoformat()},{value}" for time, value in zip(times, VALUES, strict=True)]
    reading = read(write(tmp_path / "a.csv", rows))
    assert list(reading.frame["ds"]) == list(times.tz_convert("UTC").tz_localize(None))


def test_columns_can_be_named(tmp_path):
    rows = [f"{time},{time},{value},1" for time, value in zip(HOURS, VALUES, strict=True)]
    path = write(tmp_path / "a.csv", rows, "sent,received,temp,wind")
    reading = read(path, time="received", column="wind")
    assert (reading.frame["y"] == 1).all()


def content(*rows, header="time,temp"):
    return "\n".join([header, *rows]) + "\n"


WRONG = {
    "empty.csv": (b"", FileError, "empty.csv is empty; give a file with"),
    "blank.csv": (b"\n \n", FileError, "blank.csv is empty"),
    "rubbish.csv": (bytes(range(256)) * 4, FileError, r"rubbish.csv is not text \(it holds NUL bytes\); give CSV"),
    "archive.csv": (b"PK\x03\x04" + b"x" * 40, FileError, "is an archive or an Excel workbook; unpack it, or save"),
    "packed.csv": (b"\x1f\x8b" + b"x" * 40, FileError, "is an archive or an Excel workbook; unpack it, or save"),
    "half.csv": (b"\xff\xfea", FileError, "begins like UTF-16 text but cannot be read; save it as UTF-8"),
    "nameless.csv": (
        b"2020-01-01 00:00,1.5\n2020-01-01 01:00,2.5\n",
        DataError,
        r"the first line of nameless.csv holds a reading, not the names of its columns \(2020-01-01 00:00,1.5\); write",
    ),
    "wide.csv": (
        content("2020-01-01 00:00,1,5", "2020-01-01 01:00,2,5").encode(),
        DataError,
        "line 2 of wide.csv has 3 cells, but the header has 2; where commas are decimal points, separate",
    ),
    "order.csv": (
        content("13/02/2021,1", "02/14/2021,2").encode(),
        DataError,
        r"has the day first in line 2 \('13/02/2021'\) and the month first in line 3 \('02/14/2021'\); write dates",
    ),
    "years.csv": (
        content("20/02/03,1", "20/02/04,2").encode(),
        DataError,
        r"writes the year with two digits in line 2 \('20/02/03'\); write dates like 2020-01-31",
    ),
    "either.csv": (
        content("01/02/2021,1", "01/03/2021,2").encode(),
        DataError,
        "dates such as '01/02/2021', and nothing tells whether the day or the month comes first; write them like",
    ),
    "unnamed.csv": (
        b"unique_id,ds,y\na,2020-01-01,1\n,2020-01-02,2\n",
        DataError,
        "unnamed.csv has no unique_id in line 3; write every row's series there",
    ),
    "wrong.csv": (b"time,\xff\xfe\xfd\n1,2\n", FileError, r"is neither UTF-8 nor cp932 \(Shift_JIS\) text; save it as"),
    "cut.parquet": (b"PAR1" + b"x" * 40, FileError, "begins like Parquet but cannot be read .*; write it again"),
    "head.csv": (content().encode(), DataError, "has a header but no rows"),
    "one.csv": (b"temp\n1\n2\n", DataError, r"has a single column \('temp'\); give a time column and"),
    "notime.csv": (b"a,b\n1,2\n3,4\n", DataError, r"has no column of dates \(it has: a, b\).*--time"),
    "times.csv": (
        b"a,from,until,b\n1,2020-01-01,2020-01-02,5\n1,2020-01-02,2020-01-03,5\n",
        DataError,
        r"has several columns of dates \(from, until\); name one with --time",
    ),
    "columns.csv": (
        b"time,a,b\n2020-01-01,2,3\n",
        DataError,
        r"several columns that could hold the values \(a, b\); name one with --column",
    ),
    "alone.csv": (b"time,\n2020-01-01,\n", DataError, "has no column beside the time"),
    "words.csv": (
        content("2020-01-01,1.5", "2020-01-02,warm").encode(),
        DataError,
        "column 'temp' of words.csv holds 'warm' in line 3, which is no number; correct it",
    ),
    "endless.csv": (content("2020-01-01,1.5", "2020-01-02,inf").encode(), DataError, "is infinite in line 3; leave"),
    "date.csv": (
        content("2020-01-01,1.5", "2020-13-45,2").encode(),
        DataError,
        "column 'time' of date.csv holds '2020-13-45' in line 3, which is no date",
    ),
    "zones.csv": (
        content("2020-01-01 00:00+09:00,1", "2020-01-01 01:00,2").encode(),
        DataError,
        r"mixes stamps with and without a time zone \(line 3: '2020-01-01 01:00'\); write all",
    ),
    "numbers.csv": (b"time,temp\n1,2\n2,3\n", DataError, "column 'time' of numbers.csv holds numbers, not dates"),
    "ragged.csv": (b"time,temp\n2020-01-01,2\n2020-01-02,3,4,5\n", DataError, "ragged.csv is no table .*same number"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_file_that_cannot_be_used_is_answered_in_one_line(tmp_path, name):
    data, kind, message = WRONG[name]
    (tmp_path / name).write_bytes(data)
    with pytest.raises(kind, match=message) as caught:
        read(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_or_a_folder_is_named(tmp_path):
    with pytest.raises(FileError, match=r"there is no file .*absent.csv; check the name, or name a bundled series"):
        read(tmp_path / "absent.csv")
    with pytest.raises(FileError, match="is a folder; name a file in it"):
        read(tmp_path)


def test_a_column_that_is_not_there_is_answered_with_those_that_are(tmp_path):
    path = write(tmp_path / "a.csv", plain())
    with pytest.raises(DataError, match=r"column 'temperature' is not in a.csv \(it has: time, temp\); name one with"):
        read(path, column="temperature")
    with pytest.raises(DataError, match=r"column 'when' is not in a.csv \(it has: time, temp\); name one with --time"):
        read(path, time="when")


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused_in_words(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("any") / "any.csv"
    path.write_bytes(data)
    try:
        reading = read(path)
    except (FileError, DataError) as error:
        outcome = str(error)
    else:
        outcome = ", ".join(reading.frame.columns[:3])
    assert outcome
    assert "\n" not in outcome


def jma(rows, stations, elements, roles, extra=()):
    lines = ["ダウンロードした時刻：2026/07/20 12:31:33", "", ",".join(stations), ",".join(elements)]
    return "\r\n".join([*lines, *extra, ",".join(roles), *rows, ""]).encode("cp932")


def jma_hours(values, quality=None, homogeneity=None):
    rows = []
    for i, (time, value) in enumerate(
        zip(pd.date_range("2016-01-01 01:00", periods=len(values), freq="1h"), values, strict=True)
    ):
        stamp = f"{time.year}/{time.month}/{time.day} {time.hour}:00:00"
        rows.append(
            f"{stamp},{value},{8 if quality is None else quality[i]},{1 if homogeneity is None else homogeneity[i]}"
        )
    return rows


ONE = (["", "東京", "東京", "東京"], ["年月日時", "気温(℃)", "気温(℃)", "気温(℃)"], ["", "", "品質情報", "均質番号"])


def test_the_agencys_download_is_read_with_its_quality_and_breaks(tmp_path):
    quality = [8] * 20
    quality[3], quality[4], quality[5], quality[6] = 5, 4, 2, 1
    values = [f"{i / 2}" for i in range(20)]
    values[5] = values[6] = ""
    (tmp_path / "data.csv").write_bytes(jma(jma_hours(values, quality, [1] * 12 + [2] * 8), *ONE))
    reading = read(tmp_path / "data.csv")
    assert reading.unit == "°C"
    assert list(np.flatnonzero(reading.frame["y"].isna())) == [4, 5, 6]
    collection = collect(reading.name, reading.frame)
    assert collection.segments == (Segment(0, 12), Segment(12, 20))
    assert collection.series[0].name == "東京"


def test_hour_24_of_four_date_columns_is_the_next_days_midnight(tmp_path):
    rows = [
        f"2016,{1 + (day > 31)},{day if day < 32 else day - 31},{hour},{hour / 2},8,1"
        for day in (31, 32)
        for hour in range(1, 25)
    ]
    stations, elements, roles = (
        ["", "", "", ""] + ["東京"] * 3,
        ["年", "月", "日", "時"] + ["気温(℃)"] * 3,
        [""] * 5 + ["品質情報", "均質番号"],
    )
    (tmp_path / "data.csv").write_bytes(jma(rows, stations, elements, roles))
    frame = read(tmp_path / "data.csv").frame
    assert list(frame["ds"]) == list(pd.date_range("2016-01-31 01:00", periods=48, freq="1h"))


def test_a_deeper_header_and_wider_groups_are_found_by_their_roles(tmp_path):
    stations = [""] + ["大阪"] * 4 + ["大阪"] * 5
    elements = ["年月日時"] + ["降水量(mm)"] * 4 + ["風速(m/s)"] * 5
    extra = [",".join([""] * 7 + ["風向", "風向", ""])]
    roles = ["", "", "現象なし情報", "品質情報", "均質番号", "", "品質情報", "", "品質情報", "均質番号"]
    rows = [f"2016/1/1 {hour}:00:00,{hour % 3},0,8,1,{hour / 10},8,北,8,1" for hour in range(1, 24)]
    (tmp_path / "data.csv").write_bytes(jma(rows, stations, elements, roles, extra))
    frame = read(tmp_path / "data.csv", column="降水量").frame
    assert list(frame["y"]) == [hour % 3 for hour in range(1, 24)]
    with pytest.raises(DataError, match=r"has several series .*風速.*; name one with --column"):
        read(tmp_path / "data.csv")
    with pytest.raises(DataError, match="has no column '湿度'"):
        read(tmp_path / "data.csv", column="湿度")


def test_several_stations_are_chosen_by_name(tmp_path):
    stations = ["", "東京", "東京", "東京", "大阪", "大阪", "大阪"]
    elements, roles = ["年月日時"] + ["気温(℃)"] * 6, ["", "", "品質情報", "均質番号", "", "品質情報", "均質番号"]
    rows = [f"2016/1/1 {hour}:00:00,{hour},8,1,{-hour},8,1" for hour in range(1, 24)]
    (tmp_path / "data.csv").write_bytes(jma(rows, stations, elements, roles))
    assert list(read(tmp_path / "data.csv", column="大阪").frame["y"]) == [-hour for hour in range(1, 24)]
    with pytest.raises(DataError, match=r"'東京 気温\(℃\)', '大阪 気温\(℃\)'"):
        read(tmp_path / "data.csv")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "has the agency's header but no row of data"),
        (["2016/1/1 1:00:00,5.2,8"], "row 1 of the data .* has 3 cells instead of 4; the file seems cut off"),
        (["2016/1/1 1:00:00,cold,8,1"], r"row 1 of the data .* holds 'cold' under 気温\(℃\), which is no number"),
        (["2016/1/99 1:00:00,5.2,8,1"], "row 1 of the data .* has the date '2016/1/99 1:00:00', which is none"),
    ],
)
def test_an_agencys_download_that_is_broken_is_answered_in_one_line(tmp_path, rows, message):
    (tmp_path / "data.csv").write_bytes(jma(rows, *ONE))
    with pytest.raises(DataError, match=message) as caught:
        read(tmp_path / "data.csv")
    assert "\n" not in str(caught.value)
