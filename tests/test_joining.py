"""Several files as one source: a table that is cut up, and put together again."""

import gzip
import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import SHARED
from tsuzuki.data.readers import read
from tsuzuki.data.series import collect
from tsuzuki.errors import DataError, FileError

HOURS = pd.date_range("2020-01-01", periods=60, freq="1h")


def write(path, frame):
    frame.to_csv(path, index=False)
    return path


@given(st.lists(st.integers(1, 59), max_size=4, unique=True), st.integers(0, 5), st.randoms(use_true_random=False))
def test_a_table_cut_into_files_is_the_same_table_again(tmp_path_factory, cuts, overlap, random):
    folder = tmp_path_factory.mktemp("cut")
    generator = np.random.default_rng(random.randrange(10**6))
    values = np.where(generator.random(60) < 0.2, np.nan, generator.normal(size=60).round(3))
    table = pd.DataFrame({"time": HOURS, "temp": values, "wind": values + 1})
    ends = [0, *sorted(cuts), 60]
    paths = []
    for number, (start, stop) in enumerate(itertools.pairwise(ends)):
        columns = ["time", "temp", "wind"]
        random.shuffle(columns)
        piece = table.iloc[max(0, start - overlap) : stop][columns]
        if number % 2:
            # What is missing here stands in the file before.
            piece = piece.assign(temp=piece["temp"].where(np.arange(len(piece)) >= min(overlap, start)))
        paths.append(write(folder / f"data{2010 + number}.csv", piece))
    random.shuffle(paths)
    whole = read(write(folder / "whole.csv", table), column="temp").frame
    joined = read(paths, column="temp").frame.sort_values("ds")
    assert list(joined["ds"]) == list(whole["ds"])
    np.testing.assert_array_equal(joined["y"], whole["y"])
    assert set(joined["unique_id"]) == {"data" if len(paths) > 1 else "data2010"}


def test_a_pattern_and_a_folder_mean_their_files(tmp_path):
    for year in (2013, 2014):
        table = pd.DataFrame({"time": pd.date_range(f"{year}-01-01", periods=9), "y": np.arange(9.0)})
        write(tmp_path / f"data{year}.csv", table)
    (tmp_path / "notes.md").write_text("no readings")
    for source in (
        tmp_path / "data*.csv",
        str(tmp_path / "data201?.csv"),
        tmp_path,
        [tmp_path, tmp_path / "data*.csv"],
    ):
        reading = read(source)
        assert len(reading.frame) == 18
        assert reading.name == "data2013.csv and 1 more"
    with pytest.raises(FileError, match=r"no file is called like .*other\*.csv; check the pattern and the folder"):
        read(tmp_path / "other*.csv")
    with pytest.raises(FileError, match="no file is named; name one"):
        read([])
    # A name that is there is that file, whatever it looks like.
    write(tmp_path / "odd[1].csv", pd.DataFrame({"time": HOURS, "y": 1.0}))
    assert len(read(tmp_path / "odd[1].csv").frame) == 60


def test_files_that_disagree_are_named_with_the_reading(tmp_path):
    table = pd.DataFrame({"time": HOURS, "y": np.arange(60.0)})
    a, b = (
        write(tmp_path / "a.csv", table[:40]),
        write(tmp_path / "b.csv", table[30:].assign(y=table["y"] + (HOURS.hour == 9))),
    )
    message = r"a.csv and b.csv disagree on series .* at 2020-01-02 09:00:00 \(33 and 34\); give one of them"
    with pytest.raises(DataError, match=message):
        read([b, a])


def test_series_of_the_same_names_are_joined_each_by_itself(tmp_path):
    frames = [
        pd.DataFrame({"unique_id": name, "ds": HOURS, "y": np.arange(60.0) * 2 ** (name == "007")})
        for name in ("a", "007")
    ]
    table = pd.concat(frames)
    first, second = table[table["ds"] < HOURS[20]], table[table["ds"] >= HOURS[15]]
    joined = read([write(tmp_path / "1.csv", first), write(tmp_path / "2.csv", second)])
    collection = collect(joined.name, joined.frame)
    assert [series.name for series in collection.series] == ["a", "007"]
    assert collection.repairs.duplicates == 0
    assert all(len(series.values) == 60 for series in collection.series)


def test_duplicates_within_a_file_stay_duplicates(tmp_path):
    table = pd.DataFrame({"time": [*HOURS[:10], HOURS[3]], "y": [*np.arange(10.0), 9.0]})
    later = pd.DataFrame({"time": HOURS[8:20], "y": np.arange(8.0, 20)})
    joined = read([write(tmp_path / "1.csv", table), write(tmp_path / "2.csv", later)])
    collection = collect(joined.name, joined.frame)
    assert collection.repairs.duplicates == 1
    assert collection.series[0].values[3] == 6


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("time,rain", r"column 'temp' is not in 2.csv \(it has: time, rain\)"),
        ("when,temp", None),
    ],
)
def test_further_files_must_have_the_column_of_the_first(tmp_path, header, message):
    write(tmp_path / "1.csv", pd.DataFrame({"time": HOURS[:30], "temp": 1.0}))
    path = write(tmp_path / "2.csv", pd.DataFrame({"time": HOURS[30:], "temp": 2.0}))
    path.write_text(path.read_text().replace("time,temp", header))
    if message is None:
        assert len(read([tmp_path / "1.csv", path]).frame) == 60
        return
    with pytest.raises(DataError, match=message):
        read([tmp_path / "1.csv", path])


def test_files_with_and_without_zones_or_with_other_units_are_not_joined(tmp_path):
    write(tmp_path / "1.csv", pd.DataFrame({"time": HOURS[:30], "temp": 1.0}))
    write(tmp_path / "2.csv", pd.DataFrame({"time": HOURS[30:].tz_localize("UTC"), "temp": 2.0}))
    with pytest.raises(DataError, match=r"1.csv has no time zone and 2.csv has UTC time zone; give files of one kind"):
        read([tmp_path / "1.csv", tmp_path / "2.csv"])
    summer = pd.date_range("2020-03-28", periods=60, freq="1h", tz="Europe/Berlin")
    texts = [time.isoformat() for time in summer]
    write(tmp_path / "3.csv", pd.DataFrame({"time": texts[:30], "temp": 1.0}))
    (tmp_path / "4.csv.gz").write_bytes(
        gzip.compress(write(tmp_path / "4.csv", pd.DataFrame({"time": texts[30:], "temp": 2.0})).read_bytes())
    )
    joined = read([tmp_path / "3.csv", tmp_path / "4.csv.gz"])
    assert joined.zone == "several offsets"
    assert list(joined.frame["ds"]) == list(summer.tz_convert("UTC").tz_localize(None))


def test_years_of_a_station_are_one_series_whose_breaks_are_those_within_the_files():
    paths = sorted((SHARED / "jma").glob("tokyo_daily_*.csv"))
    if len(paths) < 2:
        pytest.skip("the real downloads are not at hand: ../shared/data/jma is absent")
    joined = read(paths[::-1], column="平均気温")
    series = collect(joined.name, joined.frame).series[0]
    assert (len(series.values), series.name, series.step) == (730, "東京", "day")
    # The second file's number goes from 1 to 2 on December 2, 2014; both files begin with 1.
    assert [str(series.times[segment.start])[:10] for segment in series.segments] == ["2013-10-20", "2014-12-02"]


def test_a_break_in_the_first_file_is_no_break_where_the_next_begins(tmp_path):
    # The numbers run 1, 2 in the first file, and begin with 1 again in the second, at the same place.
    for name, numbers, start in (("1.csv", [1] * 10 + [2] * 10, 0), ("2.csv", [1] * 20, 20)):
        days = pd.date_range("2020-01-01", periods=20) + pd.Timedelta(days=start)
        rows = [f"{day:%Y/%m/%d},{i},8,{number}" for i, (day, number) in enumerate(zip(days, numbers, strict=True))]
        above = ["ダウンロードした時刻：2026/07/20 12:31:33", "", ",東京,東京,東京", "年月日,気温(℃),気温(℃),気温(℃)"]
        (tmp_path / name).write_bytes("\r\n".join([*above, ",,品質情報,均質番号", *rows, ""]).encode("cp932"))
    joined = read([tmp_path / "1.csv", tmp_path / "2.csv"])
    segments = collect(joined.name, joined.frame).segments
    assert [(segment.start, segment.stop) for segment in segments] == [(0, 10), (10, 40)]
