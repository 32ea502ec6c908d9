"""Tables whose times and values are known, written in every way there is, and read back; then bent."""

import gzip
import io
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strict_reader import Refused, strict
from tsuzuki.data.readers import read
from tsuzuki.errors import DataError, FileError

# Each form with the smallest part of a time that it holds, in seconds.
FORMS = {
    "%Y-%m-%d %H:%M": 60,
    "%Y-%m-%dT%H:%M:%S": 1,
    "%Y/%m/%d %H:%M": 60,
    "%Y.%m.%d %H:%M:%S": 1,
    "%Y年%m月%d日%H時%M分": 60,
    "%Y年%m月%d日 %H:%M": 60,
    "%Y%m%dT%H%M%S": 1,
    "%Y%m%d%H%M": 60,
    "%d %b %Y %H:%M": 60,
    "%b %d, %Y %I:%M %p": 60,
    "%d.%m.%Y %H:%M": 60,
    "%Y-%m-%d %H": 3600,
    "%Y-%m-%d": 86400,
    "%Y/%m": 0,
}
ZONES = {"": 0, "Z": 0, " UTC": 0, "+09:00": 540, "+01": 60, "-0330": -210}


@st.composite
def tables(draw):
    """Times, values and a dialect to write them in."""
    form = draw(st.sampled_from(list(FORMS)))
    unit = FORMS[form]
    start = datetime(draw(st.integers(1700, 2250)), draw(st.integers(1, 12)), draw(st.integers(1, 28)))
    count = draw(st.integers(1, 12))
    steps = [draw(st.integers(0, 400)) for _ in range(count)]
    if unit:
        times = [start + timedelta(seconds=unit * step) for step in steps]
    else:
        times = [datetime(start.year + step // 12, step % 12 + 1, 1) for step in steps]
    number = st.floats(-1e6, 1e6, allow_nan=False).map(lambda value: round(value, 4))
    values = [draw(st.none() | number) for _ in times]
    return times, values, form


@given(
    tables(), st.sampled_from(",;\t"), st.sampled_from(["\n", "\r\n", "\r"]), st.sampled_from(list(ZONES)), st.data()
)
def test_a_table_comes_back_as_it_was_written_in_whatever_dialect(
    tmp_path_factory, table, separator, newline, zone, data
):
    times, values, form = table
    comma = separator != "," and data.draw(st.booleans())
    zone = zone if FORMS[form] and "%H" in form and "時" not in form and "T%H%M" not in form else ""
    missing = data.draw(st.sampled_from(["", "NA", "null", "NaN", "-"]))
    blank = data.draw(st.sampled_from(["", " ", "  "]))
    swapped, quoted = data.draw(st.booleans()), data.draw(st.booleans()) or ("," in form and separator == ",")
    lines = [["time", " 気温(℃) "]]
    for time, value in zip(times, values, strict=True):
        number = missing if value is None else f"{value:.4f}"
        lines.append([time.strftime(form) + zone, blank + (number.replace(".", ",") if comma else number)])
    if quoted:
        lines = [[f'"{cell}"' if cell.strip() not in ("",) else cell for cell in line] for line in lines]
    text = newline.join(separator.join(line[::-1] if swapped else line) for line in lines) + newline
    content = text.encode(data.draw(st.sampled_from(["utf-8", "utf-8-sig", "cp932", "utf-16"])))
    packing = data.draw(st.sampled_from(["", ".gz", ".zst"]))
    if packing:
        content = gzip.compress(content) if packing == ".gz" else pa.compress(content, "zstd", asbytes=True)
    path = tmp_path_factory.mktemp("dialect") / f"a.csv{packing}"
    path.write_bytes(content)
    found = read(path)
    assert found.unit == "°C"
    assert (found.zone is None) == (zone == "")
    assert (found.frame["unique_id"] == "a").all()
    expected = [time - timedelta(minutes=ZONES[zone]) for time in times]
    assert [stamp.to_pydatetime() for stamp in found.frame["ds"]] == expected
    np.testing.assert_array_equal(found.frame["y"], [np.nan if value is None else value for value in values])


BENT_DATES = (
    "2020-02-01 00:00", "2020/2/1", "13/02/2020", "02/13/2020", "01/02/2020", "2020-02-30",
    "2020-02-01 24:00", "", "2020-02-01 24:01", "NA", "null", "9000-01-01", "1600-01-01", "0001-01-01",
    "2020-02-01 05:00+09:00", "now", "today", "2020-02-01T05:00Z", "2020-02-01 05:00+01", "2020年2月1日",
    "20-02-01", "2020-13-01", "2020-01-01 7:61", "1.2.2020",
)  # fmt: skip
BENT_VALUES = ("", "NA", "-", "1e39", "inf", "1_000", "abc", "1,5", "1.5", "-3", "0x10", "1.5 )", "+", "--1", "１２")


@given(st.lists(st.tuples(st.integers(0, 11), st.booleans(), st.integers(0, 99)), max_size=4), st.data())
@settings(max_examples=300)
def test_a_bent_table_is_refused_in_words_or_read_as_the_strict_reader_does(tmp_path_factory, bends, data):
    separator, form = data.draw(st.sampled_from(",;\t")), data.draw(st.sampled_from(["%Y-%m-%d %H:%M", "%d/%m/%Y"]))
    rows = [[(datetime(2020, 1, 9) + timedelta(days=day)).strftime(form), f"{day}.5"] for day in range(12)]
    for at, date, which in bends:
        rows[at][not date] = BENT_DATES[which % len(BENT_DATES)] if date else BENT_VALUES[which % len(BENT_VALUES)]
    header = data.draw(st.sampled_from([["time", "value"], [" time", "value "]]))
    extra = data.draw(st.sampled_from(["", "cell", "cut", "blank", "empty", "twice"]))
    lines = [separator.join(cells) for cells in [header, *rows]]
    at = data.draw(st.integers(1, 12))
    lines[at] = {"cell": lines[at] + separator + "7", "cut": rows[at - 1][0]}.get(extra, lines[at])
    lines[at:at] = {"blank": [""], "empty": [separator], "twice": [lines[at]]}.get(extra, [])
    content = ("\n".join(lines) + "\n").encode()
    path = tmp_path_factory.mktemp("bent") / "bent.csv"
    path.write_bytes(content)
    try:
        expected = strict(content)
    except Refused:
        expected = None
    try:
        found, refused = read(path, column="value").frame, ""
    except (DataError, FileError) as error:
        found, refused = None, str(error)
    assert "\n" not in refused
    if found is None:
        assert expected is None, refused
        return
    assert found["ds"].notna().all()
    assert not np.isinf(found["y"]).any()
    if expected is not None:
        assert [stamp.to_pydatetime() for stamp in found["ds"]] == [time for time, _ in expected]
        np.testing.assert_array_equal(found["y"], [np.nan if y is None else y for _, y in expected])


@given(tables())
def test_a_parquet_file_comes_back_as_it_was_written(tmp_path_factory, table):
    times, values, _ = table
    buffer = io.BytesIO()
    frame = pd.DataFrame({"when": pd.Series(times, dtype="datetime64[us]"), "v": pd.Series(values, dtype="Float64")})
    frame.to_parquet(buffer)
    path = tmp_path_factory.mktemp("parquet") / "a.parquet"
    path.write_bytes(buffer.getvalue())
    found = read(path).frame
    assert [stamp.to_pydatetime() for stamp in found["ds"]] == times
    np.testing.assert_array_equal(found["y"], [np.nan if value is None else value for value in values])


def test_the_strict_reader_reads_what_it_should_and_refuses_the_rest():
    assert strict(b"time,value\n2020-01-31,1.5\n") == [(datetime(2020, 1, 31), 1.5)]
    assert strict(b"value;time\n-1,5;2020/1/31 24:00\n") == [(datetime(2020, 2, 1), -1.5)]
    for wrong in (b"time,value\n01/02/2020,1\n", b"time,value\n2020-02-30,1\n", b"time,value\n2020-01-01,x\n"):
        with pytest.raises(Refused):
            strict(wrong)
