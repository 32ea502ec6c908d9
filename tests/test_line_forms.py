"""Lines of a stream in the forms of the file that the model was trained on."""

import datetime
import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from test_cli import run
from tsuzuki.commands import streaming
from tsuzuki.data.timestamps import instants
from tsuzuki.errors import DataError
from tsuzuki.forecaster import Forecaster, load
from tsuzuki.streaming.line_headers import Places, places_in
from tsuzuki.streaming.line_runner import LineRunner
from tsuzuki.streaming.lines import LineFormat, encoding_of, format_of, is_plain, moment
from tsuzuki.streaming.plain_lines import plain_readings
from tsuzuki.streaming.readings import nanoseconds

NETWORK = ["--units", "2", "--layers", "1", "--head", "0", "--ensemble", "1", "--epochs", "1"]
SMALL = [*NETWORK, "--horizon", "2", "--quiet"]
DAYS = pd.date_range("2024-01-13", periods=40)
MONTHS = pd.date_range("2001-01-01", periods=40, freq="MS")
HOURS = pd.date_range("2024-01-01 01:00", periods=72, freq="h")


def written(header, cells, separator=","):
    return "\n".join([header, *(separator.join(map(str, row)) for row in cells), ""])


def hour_24(at):
    return f"{at - pd.Timedelta('1h'):%Y/%-m/%-d} {at.hour or 24}:00"


FORMS = {
    "day first": written("date,sales", [(day.strftime("%d/%m/%Y"), at % 7) for at, day in enumerate(DAYS)]),
    "month first": written("date,sales", [(day.strftime("%m/%d/%Y"), at % 7) for at, day in enumerate(DAYS)]),
    "date and clock": written("date,time,v", [(f"{at:%Y-%m-%d}", f"{at:%H:%M}", at.hour % 5 + at.day) for at in HOURS]),
    "parts": written("年,月,日,時,値", [(at.year, at.month, at.day, at.hour, at.hour % 5 + at.day) for at in HOURS]),
    "other columns": written(
        "time;humidity;temperature", [(day.date(), 50, f"{at % 7},5") for at, day in enumerate(DAYS)], ";"
    ),
    "seconds": written("timestamp,y", [(at.value // 10**9, at.hour % 5 + at.day) for at in HOURS]),
    "blanks": written(" time , value ", [(f" {day.date()} ", f" {at % 7}.5 ") for at, day in enumerate(DAYS)]),
    "years": written("year,volume", [(1950 + at, at % 7) for at in range(40)]),
    "year and month": written("year,month,sales", [(at.year, at.month, at.month % 5) for at in MONTHS]),
    "hour 24": written("日時,値", [(hour_24(at), at.hour % 5 + at.day) for at in HOURS]),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_stream_reads_the_file_that_its_model_was_trained_on(form, tmp_path, monkeypatch, capfdbinary):
    header, *lines = FORMS[form].splitlines(keepends=True)
    cut = 2 * len(lines) // 3
    encoding = "cp932" if form in ("parts", "hour 24") else "utf-8"
    (tmp_path / "known.csv").write_bytes("".join([header, *lines[:cut]]).encode(encoding))
    (tmp_path / "newer.csv").write_bytes("".join([header, *lines[cut:]]).encode(encoding))
    named = ["--column", "temperature"] if form == "other columns" else []
    model = tmp_path / "m"
    done = run("fit", tmp_path / "known.csv", "-o", model, *SMALL, *named)
    assert done.exit_code == 0, done.stderr
    expected = run("forecast", model, tmp_path / "newer.csv", "--csv", "-").stdout.splitlines()[1].split(",")[2]
    capfdbinary.readouterr()
    with (tmp_path / "newer.csv").open("rb") as file:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(file))
        left_out = streaming._follow(str(model), str(tmp_path / "states"), "auto", "auto", (), "", False, 1, True)
    said = capfdbinary.readouterr().out.decode().splitlines()
    assert (left_out, len(said)) == (0, 1 + len(lines) - cut)
    assert float(said[-1].split(",")[-2]) == pytest.approx(float(expected), rel=1e-4, abs=1e-4)


def test_the_order_of_dates_is_the_models(tmp_path):
    path, model = tmp_path / "days.csv", tmp_path / "m"
    path.write_text("".join(FORMS["day first"].splitlines(keepends=True)[:20]))
    assert run("fit", path, "-o", model, *SMALL).exit_code == 0
    assert load(model).fitted.source.day_first is True
    for second, code in (("03/02/2024", 0), ("02/13/2024", 2)):
        (tmp_path / "newer.csv").write_text(f"date,sales\n02/02/2024,1\n{second},2\n04/02/2024,3\n")
        done = run("forecast", model, tmp_path / "newer.csv")
        assert done.exit_code == code
    assert "has the month first in line 3 ('02/13/2024'), where the readings before it had the day first" in done.stderr
    assert moment("03/02/2024", True)[0] == pd.Timestamp("2024-02-03").value
    assert moment("03/02/2024", False)[0] == pd.Timestamp("2024-03-02").value
    for told in (None, True):
        with pytest.raises(DataError):
            moment("03/02/2024" if told is None else "02/13/2024", told)


@given(st.dates(pd.Timestamp("1900-01-01").date(), pd.Timestamp("2200-01-01").date()), st.booleans())
@settings(max_examples=20)
def test_a_told_order_reads_every_day(day, day_first):
    text = f"{day:%d/%m/%Y}" if day_first else f"{day:%m/%d/%Y}"
    found = instants(pd.Series([text], dtype=str), "ds", str, day_first)
    assert (found.stamps.iloc[0].date(), found.day_first) == (day, day_first)


@pytest.mark.parametrize(
    ("labels", "columns", "places"),
    [
        ("unique_id,ds,y", (), (0, (1,), 2)),
        ("y,time", (), (-1, (1,), 0)),
        ("date,time,v", (), (-1, (0, 1), 2)),
        ("date,hour,v", (), (-1, (0, 1), 2)),
        ("ds,hour,temperature", ("temperature",), (-1, (0,), 2)),
        ("year,month,day,v", (), (-1, (0, 1, 2), 3)),
        ("Datum,Wert", ("Wert",), (-1, (0,), 1)),
        ("ds,a,b", ("b",), (-1, (0,), 2)),
        ("ds,a,y", ("b",), (-1, (0,), 2)),
        ("ds,value", ("b",), (-1, (0,), 1)),
        ("a,2024-01-01,1", (), None),
        ("y,2024-01-01,1", (), None),
        ("a,now,x", (), None),
    ],
)
def test_where_a_header_says_that_cells_stand(labels, columns, places):
    assert places_in(labels.split(","), columns, named=False) == (None if places is None else Places(*places))


@pytest.mark.parametrize(
    ("labels", "columns", "message"),
    [
        ("time,a,b", (), "the header 'time,a,b' does not say which column is which"),
        ("time,humidity", ("temperature",), "the header has 'humidity', but the model was trained on 'temperature'"),
        ("when,who,temperature", ("temperature",), "does not say which column is which"),
    ],
)
def test_headers_that_name_no_time_or_another_value_are_refused(labels, columns, message):
    with pytest.raises(DataError, match=message):
        places_in(labels.split(","), columns, named=False)
    with pytest.raises(DataError, match="name them unique_id, ds and y"):
        places_in(["ds", "y"], (), named=True)


def test_a_name_with_a_comma_in_quotes_is_one_cell():
    form = format_of('"a, ""b""",2024-01-01,1', "auto", ["a", "b"], 1)
    assert form.parse('"a, ""b""",2024-01-01,1.5') == ('a, "b"', "2024-01-01", 1.5)
    one = np.array([[0.5]], np.float32)
    assert form.render([3], ['a, "b"'], ["2024-01-01"], one) == ['3,"a, ""b""",2024-01-01,0.5']
    for line in ("a,b,2024-01-01,1", "a,2024-01-01", '"a,2024-01-01,1'):
        with pytest.raises(ValueError, match=r"is not unique_id,ds,y|cannot be split"):
            form.parse(line)


def test_lines_without_a_zone_are_left_out_where_the_model_has_one(tmp_path):
    hours = pd.date_range("2024-01-01", periods=60, freq="h", tz="Asia/Tokyo")
    series = pd.Series([float(at % 5) for at in range(60)], hours, name="a")
    made = Forecaster(1, units=2, layers=1, head=0, ensemble=1, epochs=1).fit(series)
    runner = LineRunner(made.bank(), allows_new=False)
    form = format_of("a,2024-01-03 12:00,1", "auto", ["a"], 1)
    without = runner.run([1, 2], [b"a,2024-01-03 12:00,1", b"a,2024-01-03 13:00,1"], form)
    assert not without.forecasts
    assert without.notes == [
        (line, f"'2024-01-03 {hour}:00' names no time zone, but the model's readings did; left out")
        for line, hour in ((1, 12), (2, 13))
    ]
    done = runner.run([3], [b"a,2024-01-03 12:00+09:00,1"], form)
    (forecast,) = done.forecasts
    assert done.taken == [3]
    assert forecast.startswith("3,a,2024-01-03 12:00+09:00,")


def test_no_year_is_taken_for_one_of_another_century():
    """2^64 nanoseconds are 584 years: a year so far away would come out as one of the next hours."""
    far = ["9000-01-01", "2608-07-31 00:00", "1439-01-01", "0001-01-01T00:00:00", "2262-05-01"]
    assert not any(map(is_plain, far))
    assert all(map(is_plain, ("1678-01-01", "2261-12-31 23:59:59")))
    for stamp in far:
        with pytest.raises(DataError):
            moment(stamp)
        for given_as in (stamp, datetime.datetime.fromisoformat(stamp), np.datetime64(stamp)):
            with pytest.raises(DataError, match="is no time; give one such as"):
                nanoseconds(given_as)
    for known in ("2024-01-01", datetime.datetime(2024, 1, 1), np.datetime64("2024-01-01"), pd.Timestamp("2024-01-01")):
        assert nanoseconds(known) == pd.Timestamp("2024-01-01").value


@given(st.integers(1678, 2261))
@settings(max_examples=20)
def test_a_bare_year_is_where_it_begins(year):
    known = pd.Timestamp(year, 1, 1).value
    assert moment(str(year)) == (known, False)
    assert nanoseconds(f" {year}") == known
    # Whatever names the series, and in both forms of lines.
    assert format_of(f"s,{year},3.2", "auto", ["s", "b"], 1).parse(f"s,{year},3.2") == ("s", str(year), 3.2)
    line = f'{{"ds": {year}, "y": 3.2}}'
    assert format_of(line, "auto", ["s"], 1).parse(line) == ("s", str(year), 3.2)


@pytest.mark.parametrize("cell", ["3", "Q3"])
def test_a_quarter_in_a_cell_of_its_own_is_one_of_the_year_beside_it(cell):
    read = format_of("year,quarter,y", "auto", ["s"], 1).parse(f"1991,{cell},3.2")
    assert moment(read[1])[0] == pd.Timestamp("1991-07-01").value


def test_lines_are_in_cp932_where_their_header_is():
    header = "日時,髙①".encode("cp932")
    assert encoding_of(header) == "cp932"
    assert encoding_of("日時,髙①".encode()) == encoding_of(b"s\xff,1") == "utf-8"
    form = format_of(header.decode("cp932"), "auto", ["a"], 1, (), "cp932")
    assert (form.has_header, form.encoding) == (True, "cp932")
    assert format_of("a,2024-01-01,1", "auto", ["a"], 1, (), "cp932").encoding == "utf-8"


PLAIN_CELLS = st.tuples(
    st.sampled_from(["a", "b ", "sensor-1", "東京", 'q"', "", "\x7f"]),
    st.sampled_from(["2024-01-01", "2024-01-01 05:00", "2024-01-01T05:00:00.5", "now", "2024-1-1", "٢٠٢٤-01-01"]),
    st.sampled_from(["1", "-2.5", "+.5", "3.", "1e3", "nan", "", "9" * 25, "1_0", " 4"]),
)


@given(st.lists(PLAIN_CELLS, min_size=1, max_size=6), st.sampled_from([",", ";", "\t"]))
def test_a_batch_that_is_read_at_once_is_what_its_lines_are_one_by_one(rows, separator):
    lines = [separator.join(row).encode() for row in rows]
    text = LineFormat("csv", 2, separator)
    at_once = plain_readings(lines, text)
    if at_once is None:
        return
    assert list(zip(*at_once, strict=True)) == [text.parse(line.decode()) for line in lines]
    assert all(is_plain(stamp) for stamp in at_once[1])


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 28), st.floats(-1e6, 1e6)), min_size=1, max_size=9))
def test_plain_batches_are_read_at_once(rows):
    lines = [f"{name},2024-01-{day:02d},{value:.4f}".encode() for name, day, value in rows]
    assert plain_readings(lines, LineFormat("csv", 2)) is not None
