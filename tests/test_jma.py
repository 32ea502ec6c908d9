"""The Japan Meteorological Agency's downloads as they are: every step, every sub-label, every mark."""

import numpy as np
import pandas as pd
import pytest

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
