"""Files as people have them, and every way in which they can be wrong, read as a user reads the message."""

import gzip
import io
import warnings
import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tsuzuki.data import delimited, files, parquet
from tsuzuki.data.columns import frame_of
from tsuzuki.data.readers import read
from tsuzuki.data.series import collect
from tsuzuki.data.summary import collected
from tsuzuki.data.value_columns import Wanted
from tsuzuki.errors import DataError, FileError, MissingExtraError

HOURS = pd.date_range("2020-01-01", periods=30, freq="1h")
DAYS = pd.to_timedelta(np.arange(15), "D")
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
    "packed.csv": (b"\x1f\x8b" + b"x" * 40, FileError, "begins like a gzip file but cannot be unpacked .*; pack it"),
    "packed.zst": (b"\x28\xb5\x2f\xfd" + b"x" * 40, FileError, "begins like a Zstandard file but cannot be unpacked"),
    "old.xls": (b"\xd0\xcf\x11\xe0" + b"x" * 40, FileError, "is an Excel workbook of the old kind; save it as .xlsx"),
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


def test_blanks_around_the_names_of_columns_are_no_part_of_them(tmp_path):
    rows = [f"007,{time},{value}" for time, value in zip(HOURS, VALUES, strict=True)]
    reading = read(write(tmp_path / "a.csv", rows, " unique_id, ds ,y "))
    assert set(reading.frame["unique_id"]) == {"007"}
    assert list(reading.frame["y"]) == [float(value) for value in VALUES]


def test_two_columns_of_one_name_are_told_apart_before_one_is_taken(tmp_path):
    rows = [f"{time},{value},1" for time, value in zip(HOURS, VALUES, strict=True)]
    path = write(tmp_path / "a.csv", rows, "time,value, value")
    with pytest.raises(
        DataError, match=r"several columns that could hold the values \(value, value.1\); name one with"
    ):
        read(path)
    assert set(read(path, column="value.1").frame["y"]) == {1}


@pytest.mark.parametrize("action", ["ignore", "error", "default"])
@pytest.mark.filterwarnings("ignore")
def test_cells_beyond_the_header_are_seen_whatever_pythons_warnings_are_set_to(tmp_path, action):
    path = write(tmp_path / "a.csv", ["2020-01-01 00:00,1,5", "2020-01-01 01:00,2,5"])
    with warnings.catch_warnings():
        warnings.simplefilter(action)
        with pytest.raises(DataError, match=r"line 2 of a.csv has 3 cells, but the header has 2"):
            read(path)
        assert len(read(write(tmp_path / "b.csv", [f"{row}," for row in plain()])).frame) == 30


@pytest.mark.parametrize("text", ["髙①", "㈱ ﾃﾝｷ", "纊Ⅷ"])
def test_letters_that_only_cp932_has_are_read(tmp_path, text):
    reading = read(
        write(tmp_path / "a.csv", [row + "," for row in plain()], f"日時,気温,{text}", "cp932"), column="気温"
    )
    assert list(reading.frame["ds"]) == list(HOURS)
    with pytest.raises(DataError, match=f"it has: 日時, 気温, {text}"):
        read(tmp_path / "a.csv", column="湿度")


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("1e39", "column 'temp' of a.csv holds 1e[+]39 in line 5; numbers up to 3.4e[+]38 can be computed with"),
        ("-1e200", "holds -1e[+]200 in line 5; numbers up to"),
        ("1e999", "is infinite in line 5; leave the cell empty"),
        ("-inf", "is infinite in line 5; leave the cell empty"),
        ("1_000", "holds '1_000' in line 5, which is no number"),
    ],
)
def test_a_number_too_large_for_a_network_is_named(tmp_path, cell, message):
    rows = plain()
    rows[3] = f"{HOURS[3]},{cell}"
    with pytest.raises(DataError, match=message):
        read(write(tmp_path / "a.csv", rows))


def test_lines_are_counted_as_an_editor_counts_them(tmp_path):
    rows = ["", '2020-01-01,"1"', "", "   ", "2020-01-02,2", "2020-01-03,warm"]
    with pytest.raises(DataError, match="holds 'warm' in line 7"):
        read(write(tmp_path / "a.csv", rows))


def test_of_very_many_columns_only_the_named_ones_are_kept(tmp_path):
    header = ",".join(["time", *(f"c{i}" for i in range(30_000))])
    cells = [",".join([str(time), *[value] * 30_000]) for time, value in zip(HOURS, VALUES, strict=True)]
    path = write(tmp_path / "wide.csv", cells, header)
    assert list(read(path, column="c29999").frame["y"]) == [float(value) for value in VALUES]
    with pytest.raises(DataError, match=r"several columns .* and 29,980 more\); name one with --column"):
        read(path)
    with pytest.raises(DataError, match=r"column 'd' is not in wide.csv .* and 29,981 more\)"):
        read(path, column="d")


def test_a_parquet_file_that_unfolds_to_too_many_rows_is_refused_before_it_is_loaded(tmp_path, monkeypatch):
    # 40 million equal rows take 364 KB.
    table = pa.table({"time": pa.array(np.zeros(1_000_000, "datetime64[us]")), "y": pa.array(np.zeros(1_000_000))})
    with pq.ParquetWriter(tmp_path / "a.parquet", table.schema, compression="zstd") as writer:
        for _ in range(40):
            writer.write_table(table)
    monkeypatch.setattr(pd, "read_parquet", None)
    with pytest.raises(FileError, match=r"a.parquet has 40,000,000 rows, and 33,554,432 can be read at once; split it"):
        read(tmp_path / "a.parquet")


def test_a_packed_file_that_unfolds_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "LARGEST", 1 << 20)
    for name, content in (
        ("a.gz", gzip.compress(bytes(1 << 21))),
        ("a.zst", pa.compress(bytes(1 << 21), "zstd", asbytes=True)),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(FileError, match=f"{name} unfolds to more than 0 GiB; split it, or give Parquet"):
            read(tmp_path / name)


def test_packed_lines_are_counted_before_they_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MOST_ROWS", len(VALUES))
    content = write(tmp_path / "a.csv", plain()).read_bytes()
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(content))
    with pytest.raises(FileError, match=r"a.csv.gz has \d+ rows, and \d+ can be read at once; split it"):
        read(tmp_path / "a.csv.gz")
    monkeypatch.setattr(files, "MOST_ROWS", content.count(b"\n"))
    assert len(read(tmp_path / "a.csv.gz").frame) == len(VALUES)


def test_standard_input_is_read_as_a_file_is(tmp_path, monkeypatch):
    content = write(tmp_path / "a.csv", plain()).read_bytes()
    for given_bytes in (content, gzip.compress(content)):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(given_bytes)))
        reading = read("-")
        assert list(reading.frame["y"]) == [float(value) for value in VALUES]
        assert reading.name == "standard input"


def test_a_gzip_file_that_was_added_to_is_read_to_its_end(tmp_path):
    lines = write(tmp_path / "a.csv", plain()).read_bytes().splitlines(keepends=True)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"".join(lines[:9])) + gzip.compress(b"".join(lines[9:])))
    assert len(read(tmp_path / "a.csv.gz").frame) == 30


def test_an_excel_workbook_is_read_like_a_table(tmp_path):
    pytest.importorskip("openpyxl", reason='openpyxl is not installed: pip install "tsuzuki[excel]"')
    values = [float(value) for value in VALUES]
    values[3] = np.nan
    pd.DataFrame({"日時": HOURS, "気温(℃)": values, "note": "x"}).to_excel(tmp_path / "a.xlsx", index=False)
    reading = read(tmp_path / "a.xlsx")
    assert list(reading.frame["ds"]) == list(HOURS)
    np.testing.assert_array_equal(reading.frame["y"], values)
    assert reading.unit == "°C"
    pd.DataFrame().to_excel(tmp_path / "empty.xlsx", index=False)
    with pytest.raises(DataError, match=r"the first sheet of empty.xlsx is empty; put the readings there"):
        read(tmp_path / "empty.xlsx")


def test_an_excel_workbook_without_its_package_is_answered_with_the_extra(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "a.xlsx", "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r'openpyxl; install it with: pip install "tsuzuki\[excel\]", or save'):
        read(tmp_path / "a.xlsx")


def test_a_damaged_excel_workbook_is_named_and_so_is_one_that_unfolds_without_end(tmp_path, monkeypatch):
    pytest.importorskip("openpyxl", reason='openpyxl is not installed: pip install "tsuzuki[excel]"')
    with zipfile.ZipFile(tmp_path / "a.xlsx", "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
    with pytest.raises(FileError, match=r"a.xlsx is an Excel workbook that cannot be read .*; save it again"):
        read(tmp_path / "a.xlsx")
    monkeypatch.setattr(parquet, "LARGEST", 10)
    with pytest.raises(FileError, match=r"a.xlsx unfolds to more than 0 GiB; save its sheet as CSV, in pieces"):
        read(tmp_path / "a.xlsx")


@pytest.mark.parametrize(
    ("first", "second", "month"),
    [
        ("1991 Jul", "1991 Aug", 7),
        ("1977-Jan", "1977-Feb", 1),
        ("Jan 2020", "Feb 2020", 1),
        ("Jan-1-1995", "Feb-1-1995", 1),
        ("1970 Q2", "1970 Q3", 4),
        ("Q4 1999", "Q1 2000", 10),
    ],
)
def test_months_and_quarters_are_read_by_their_names(tmp_path, first, second, month):
    ds = read(write(tmp_path / "a.csv", [f"{first},1", f"{second},2"])).frame["ds"]
    apart = 3 if "Q" in first else 1
    assert ds.dt.month.tolist() == [month, (month + apart - 1) % 12 + 1]
    assert (ds.dt.day == 1).all()


@pytest.mark.parametrize("header", ["year,volume", "Year,volume", "年,volume"])
def test_a_column_of_years_is_one_of_times(tmp_path, header):
    found = read(write(tmp_path / "nile.csv", ["1871,1120", "1872,1160"], header))
    assert found.frame["ds"].dt.strftime("%Y-%m-%d").tolist() == ["1871-01-01", "1872-01-01"]
    assert found.columns == ("volume",)


def test_numbers_that_are_no_years_are_not_read_as_such(tmp_path):
    with pytest.raises(DataError, match="no column of dates"):
        read(write(tmp_path / "a.csv", ["1,1120", "2,1160"], "year,volume"))


def test_a_year_and_a_quarter_are_a_date_together(tmp_path):
    found = read(write(tmp_path / "macro.csv", ["1959,1,5.8", "1959,2,5.1", "1959,3,5.3"], "year,quarter,unemp"))
    assert found.frame["ds"].dt.strftime("%Y-%m-%d").tolist() == ["1959-01-01", "1959-04-01", "1959-07-01"]


MONTH_COLUMNS = [
    "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC",
    "January February March April May June July August September October November December",
    " ".join(map(str, range(1, 13))),
    " ".join(f"{at}月" for at in range(1, 13)),
]
QUARTER_COLUMNS = ["Q1 Q2 Q3 Q4", "Qtr1 Qtr2 Qtr3 Qtr4", "1q 2q 3q 4q"]


@settings(max_examples=15)
@given(
    st.sampled_from(MONTH_COLUMNS + QUARTER_COLUMNS),
    st.sampled_from(["year", "YEAR", "年", ""]),
    st.integers(1, 5),
    st.integers(0, 3),
    st.data(),
)
def test_a_row_for_each_year_and_a_column_for_each_month_or_quarter_are_one_series(names, year, years, open_, data):
    periods = data.draw(st.permutations(names.split()))
    order = [names.split().index(label) for label in periods]
    count = len(periods)
    every = pd.period_range("1950-01", periods=years * count, freq="M" if count == 12 else "Q").to_timestamp()
    values = np.arange(years * count, dtype=float).reshape(years, count)
    values.flat[values.size - open_ :] = np.nan
    gap = data.draw(st.integers(0, values.size - open_ - 2)) if values.size - open_ > 1 else None
    if gap is not None:
        values.flat[gap] = np.nan
    rows = [
        ",".join([str(1950 + at), *("" if np.isnan(own[place]) else f"{own[place]:g}" for place in order), "7"])
        for at, own in enumerate(values)
    ]
    table = delimited.parse("\n".join([",".join([year, *periods, "mean"]), *rows]), "a.csv", frozenset())
    found = frame_of(table, "a", Wanted())
    assert found.dropped == ("mean",)
    assert found.columns == ("y",)
    assert found.frame["ds"].tolist() == list(every[: values.size - open_])
    np.testing.assert_array_equal(found.frame["y"], values.ravel()[: values.size - open_])
    if year:
        # A month that is named is a series of years.
        single = frame_of(table, "a", Wanted((names.split()[0],))).frame
        np.testing.assert_array_equal(single["y"], values[:, 0])


def test_months_in_columns_of_several_series_end_where_each_ends(tmp_path):
    header = "unique_id,year,Jan,Feb,Mar,Apr,May,Jun,Jul,Aug,Sep,Oct,Nov,Dec"
    rows = ["a,2000,1,2,3,4,5,6,7,8,9,10,11,12", "b,2000,1,,3,,,,,,,,,", "a,2001,1,2,,,,,,,,,,"]
    long = read(write(tmp_path / "two.csv", rows, header)).frame
    assert long.groupby("unique_id")["ds"].agg(["max", "size"]).to_numpy().tolist() == [
        [pd.Timestamp("2001-02-01"), 14],
        [pd.Timestamp("2000-03-01"), 3],
    ]
    rows[1] = "b,2000,1,x,3,,,,,,,,,"
    with pytest.raises(DataError, match=r"holds 'x' in line 3 \(Feb\), which is no number"):
        read(write(tmp_path / "two.csv", rows, header))


@pytest.mark.parametrize("header", ["date,ts,count", "Date,Dates,count"])
def test_of_a_column_of_days_and_one_of_the_same_days_with_their_hours_the_hours_are_taken(tmp_path, header):
    rows = [f"{time:%Y-%m-%d},{time},{at}" for at, time in enumerate(HOURS)]
    assert read(write(tmp_path / "bikes.csv", rows, header)).frame["ds"].tolist() == list(HOURS)
    # When something else happened is no time of the readings.
    rows = [f"{time:%Y-%m-%d},{time + pd.Timedelta(days=40)},{at}" for at, time in enumerate(HOURS)]
    assert read(write(tmp_path / "other.csv", rows, header)).frame["ds"].dt.hour.max() == 0


def test_readings_of_several_series_are_refused_with_the_column_that_may_name_them(tmp_path):
    rows = [f"{name},{day:%Y-%m-%d},{day.day}" for name in ("MSFT", "AAPL") for day in HOURS[::2].normalize() + DAYS]
    reading = read(write(tmp_path / "stocks.csv", rows, "symbol,date,price"))
    with pytest.raises(DataError, match=r"call the column of the series' names unique_id \(symbol\)"):
        collected(reading, 24, merge=False)
