"""The Japan Meteorological Agency's downloads as they are: every step, every sub-label, every mark."""

import numpy as np
import pandas as pd
import pytest

from conftest import SHARED
from tsuzuki.data.grid import following_times
from tsuzuki.data.readers import read
from tsuzuki.data.segments import Segment
from tsuzuki.data.series import collect
from tsuzuki.errors import DataError


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


def download(path, above, *rows):
    """Write a download: rows of stations, elements, sub-labels and roles, then data."""
    lines = ["ダウンロードした時刻：2026/07/20 12:31:33", "", *above, *rows, ""]
    path.write_bytes("\r\n".join(lines).encode("cp932"))
    return path


@pytest.mark.parametrize("above", [[], [",東京"]])
def test_a_download_without_its_header_is_refused(tmp_path, above):
    with pytest.raises(DataError, match="has no rows of stations and elements above its data"):
        read(download(tmp_path / "data.csv", above, "2013/10/20,1.5", "2013/10/21,2.5"))


WHEN = {
    "daily": ("年月日", ["2013/10/20", "2013/10/21"], ["2013-10-20", "2013-10-21"]),
    "monthly": ("年月", ["2013/12", "2014/1"], ["2013-12-01", "2014-01-01"]),
    "hourly": ("年月日時", ["2013/10/20 23:00:00", "2013/10/21 0:00:00"], ["2013-10-20 23:00", "2013-10-21 00:00"]),
    "ten minutes": ("年月日時分", ["2013/10/20 23:50", "2013/10/20 24:00"], ["2013-10-20 23:50", "2013-10-21 00:00"]),
    "ten days": ("年月旬", ["2013年12月下旬", "2014年1月上旬"], ["2013-12-21", "2014-01-01"]),
    "ten days, sloped": ("年月旬", ["2013/12/下旬", "2014/1/上旬"], ["2013-12-21", "2014-01-01"]),
    "five days": ("年月半旬", ["2013年12月第6半旬", "2014年1月第1半旬"], ["2013-12-26", "2014-01-01"]),
    "kanji": ("", ["2021年1月1日", "2021年1月2日"], ["2021-01-01", "2021-01-02"]),
    "apart": ("年,月,日,時", ["2013,10,20,23", "2013,10,20,24"], ["2013-10-20 23:00", "2013-10-21 00:00"]),
    "apart by the day": ("年,月,日", ["2013,10,20", "2013,10,21"], ["2013-10-20", "2013-10-21"]),
    "apart by the month": ("年,月", ["2013,12", "2014,1"], ["2013-12-01", "2014-01-01"]),
    "apart by ten days": ("年,月,旬", ["2013,12,下旬", "2014,1,上旬"], ["2013-12-21", "2014-01-01"]),
    "with the day of the week": ("年月日,曜日", ["2013/10/20,日", "2013/10/21,月"], ["2013-10-20", "2013-10-21"]),
}


@pytest.mark.parametrize("kind", WHEN)
@pytest.mark.parametrize("roles", [True, False])
def test_every_step_is_read_with_and_without_roles(tmp_path, kind, roles):
    label, dates, expected = WHEN[kind]
    blank = "," * label.count(",")
    above = [f"{blank},東京{',東京,東京' * roles}", f"{label},気温(℃){',気温(℃),気温(℃)' * roles}"]
    rows = [f"{date},{value}{',8,1' * roles}" for date, value in zip(dates, ("1.5", "-2.5"), strict=True)]
    path = download(tmp_path / "data.csv", [*above, *([f"{blank},,品質情報,均質番号"] if roles else [])], *rows)
    frame = read(path).frame
    assert list(frame["ds"]) == list(pd.to_datetime(expected))
    assert list(frame["y"]) == [1.5, -2.5]
    # Nothing has changed, and nothing says that it has.
    assert list(frame["change"]) == [0, 0]


def test_of_a_period_with_beginning_and_end_the_beginning_counts(tmp_path):
    above = ["集計開始,,,集計終了,,,東京,東京", "年,月,日,年,月,日,気温(℃),気温(℃)", ",,,,,,,品質情報"]
    rows = ["2013,10,1,2013,10,10,1.5,8", "2013,10,11,2013,10,20,2.5,8"]
    frame = read(download(tmp_path / "data.csv", above, *rows)).frame
    assert list(frame["ds"]) == list(pd.to_datetime(["2013-10-01", "2013-10-11"]))


EXTREMES = [
    "," + ",".join(["東京"] * 16),
    "年月日,最高気温(℃),最高気温(℃),最高気温(℃),最高気温(℃),最高気温(℃),最大風速(m/s),最大風速(m/s),最大風速(m/s),"
    "最大風速(m/s),最大風速(m/s),最大風速(m/s),最大風速(m/s),"
    "最多風向(16方位),最多風向(16方位),最多風向(16方位),天気概況(昼：06時～18時)",
    ",,,時分,時分,,,,風向,風向,時分,時分,,,,,",
    ",,品質情報,,品質情報,均質番号,,品質情報,,品質情報,,品質情報,均質番号,,品質情報,均質番号,",
]


def test_times_and_directions_of_extremes_and_texts_are_no_series(tmp_path):
    rows = [
        f"2013/10/{day},{day}.5,8,2013/10/{day} 13:46,4,1,"
        f"{day}.2,5,北,4,2013/10/{day} 1:00,1,{1 + (day > 22)},北北西,8,1,雨後晴"
        for day in (20, 21, 22, 23, 24)
    ]
    path = download(tmp_path / "data.csv", EXTREMES, *rows)
    with pytest.raises(
        DataError, match=r"has several series \('東京 最高気温\(℃\)', '東京 最大風速\(m/s\)'\); name one"
    ):
        read(path)
    for name in ("最大風速", "東京 最大風速", "最大風速(m/s)", "東京 最大風速(m/s)", "最大風速(ｍ/ｓ)"):
        frame = read(path, column=name).frame
        assert list(frame["y"]) == [20.2, 21.2, 22.2, 23.2, 24.2]
        assert list(frame["change"]) == [0, 0, 0, 1, 1]
    assert list(read(path, column="最高気温").frame["y"]) == [20.5, 21.5, 22.5, 23.5, 24.5]
    for name in ("最多風向", "天気概況(昼:06時～18時)", "天気概況"):
        with pytest.raises(DataError, match="holds no numbers; name another with --column: '東京 最高気温"):
            read(path, column=name)


def test_a_normal_beside_an_element_is_a_series_of_its_own_name(tmp_path):
    above = [
        "," + ",".join(["盛岡"] * 6),
        "年月日," + ",".join(["平均気温(℃)"] * 6),
        ",,,平年値(℃),平年差(℃),,",
        ",,品質情報,,,均質番号,",
    ]
    above = [line.rsplit(",", 1)[0] for line in above]
    rows = [f"2021/1/{day},{day}.5,8,{day}.0,0.5,1" for day in range(1, 6)]
    path = download(tmp_path / "data.csv", above, *rows)
    assert list(read(path, column="平均気温").frame["y"]) == [1.5, 2.5, 3.5, 4.5, 5.5]
    assert list(read(path, column="平均気温 平年値").frame["y"]) == [1, 2, 3, 4, 5]
    assert list(read(path, column="盛岡 平均気温(℃) 平年差(℃)").frame["y"]) == [0.5] * 5


MARKS = {
    "5.2 )": 5.2, "5.2)": 5.2, "5.2 ]": None, "5.2]": None, "5.2 #": None, "#": None, "×": None, "///": None,
    "5.2 *": 5.2, "-0.3": -0.3, "": None, "５.２）": 5.2, "--": None, "]": None,
}  # fmt: skip


@pytest.mark.parametrize("cell", MARKS)
def test_the_agencys_marks_are_read_in_its_download_and_in_any_table(tmp_path, cell):
    expected = np.array([1.0, np.nan if MARKS[cell] is None else MARKS[cell], 2.0])
    above = [",東京", "年月日,気温(℃)"]
    path = download(tmp_path / "data.csv", above, "2021/1/1,1", f"2021/1/2,{cell}", "2021/1/3,2")
    np.testing.assert_array_equal(read(path).frame["y"], expected)
    (tmp_path / "a.csv").write_text(f"date,value\n2021/1/1,1\n2021/1/2,{cell}\n2021/1/3,2\n")
    np.testing.assert_array_equal(read(tmp_path / "a.csv").frame["y"], expected)


def test_no_phenomenon_is_none_of_it_where_a_column_says_so(tmp_path):
    above = [",東京,東京,東京", "年月日,降水量(mm),降水量(mm),降水量(mm)", ",,現象なし情報,品質情報"]
    path = download(tmp_path / "data.csv", above, "2021/1/1,--,1,8", "2021/1/2,1.5,0,8", "2021/1/3,,,1")
    np.testing.assert_array_equal(read(path).frame["y"], [0, 1.5, np.nan])


def test_a_season_of_each_year_becomes_a_segment_of_each_year(tmp_path):
    days = [pd.Timestamp(year, 4, 29) + pd.Timedelta(days=day) for year in range(1967, 2017) for day in range(8)]
    rows = [f"{day.year}/{day.month}/{day.day},{i % 7},8,1" for i, day in enumerate(days)]
    above = [",東京,東京,東京", "年月日,平均気温(℃),平均気温(℃),平均気温(℃)", ",,品質情報,均質番号"]
    reading = read(download(tmp_path / "data.csv", above, *rows))
    collection = collect(reading.name, reading.frame)
    assert collection.series[0].step == "day"
    assert [segment.stop - segment.start for segment in collection.segments] == [8] * 50
    short = collect("here", reading.frame[reading.frame["ds"].dt.day < 4][["unique_id", "ds", "y"]])
    assert [segment.stop - segment.start for segment in short.segments] == [3] * 50


@pytest.mark.parametrize(("size", "name"), [(10, "third of a month"), (5, "sixth of a month")])
def test_parts_of_months_are_a_grid_that_goes_on(size, name):
    days = [day for day in pd.date_range("2013-10-21", "2016-03-01") if day.day in range(1, 30 - size + 2, size)]
    frame = pd.DataFrame({"unique_id": "a", "ds": days, "y": np.arange(len(days)) % 7.0}).drop(index=[4, 9])
    series = collect("here", frame).series[0]
    assert (series.step, list(series.times)) == (name, list(np.array(days, "datetime64[ns]")))
    assert series.repairs.missing == 2
    ahead = [day for day in pd.date_range("2016-03-02", "2017-06-01") if day.day in range(1, 30 - size + 2, size)]
    assert list(following_times(series.times, len(ahead))) == list(np.array(ahead, "datetime64[ns]"))


@pytest.fixture(scope="module")
def tokyo():
    """Two real downloads of a year of days each, where the folder of real series is at hand."""
    paths = sorted((SHARED / "jma").glob("tokyo_daily_*.csv"))
    if len(paths) < 2:
        pytest.skip("the real downloads are not at hand: ../shared/data/jma is absent")
    return paths


def test_a_real_download_gives_each_element_by_its_name(tokyo):
    text = tokyo[0].read_bytes().decode("cp932")
    rows = [line.split(",") for line in text.split("\r\n") if line][1:]
    names, sub, roles, data = rows[1], rows[2], rows[3], rows[4:]
    checked = 0
    for at in range(1, len(names)):
        if sub[at] or roles[at] or not any(row[at].replace(".", "").isdigit() for row in data):
            continue
        # The value's own quality is the first behind it that has no sub-label.
        quality = next(i for i in range(at, len(names)) if roles[i] == "品質情報" and not sub[i])
        expected = [float(row[at]) if row[quality] in "58" and row[at] else np.nan for row in data]
        found = read(tokyo[0], column=names[at].split("(")[0])
        assert (found.columns, found.unit) == ((f"東京 {names[at]}",), names[at].split("(")[1][:-1].translate(UNITS))
        np.testing.assert_array_equal(found.frame["y"], expected)
        checked += 1
    assert checked == 19


UNITS = {ord("℃"): "°C", ord("％"): "%"}


def test_a_pattern_makes_a_series_of_each_element_that_is_called_like_it(tokyo):
    found = read(tokyo, column="*気温")
    assert found.columns == ("東京 平均気温(℃)", "東京 最高気温(℃)", "東京 最低気温(℃)")
    one = read(tokyo, column="最高気温").frame["y"].to_numpy()
    np.testing.assert_array_equal(found.frame["y"][found.frame["unique_id"] == found.columns[1]], one)
    # Elements of text are no series, and a pattern that none is called like is named.
    assert len(read(tokyo[0], column="*").columns) == 19
    with pytest.raises(DataError, match=r"has no column '\*x'"):
        read(tokyo[0], column="*x")
