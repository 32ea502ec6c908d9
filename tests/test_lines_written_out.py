"""Lines of a stream as they arrive, cut, named and read: each way to read them says the same."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsuzuki.streaming import lines as lines_module
from tsuzuki.streaming.line_headers import PLAIN, Places
from tsuzuki.streaming.lines import LineFormat, encoding_of, format_of, is_plain, moment, text_of, whole_lines

PIECES = st.lists(st.sampled_from([b"", b"a", b"bc\n", b"\n", b"\r\n", b"d\r", b"x" * 50, b"\n\ne"]), max_size=12)


@given(PIECES)
def test_lines_are_those_of_the_whole_wherever_pieces_end(pieces):
    found = [line for some in whole_lines(iter(pieces)) for line in some]
    expected = b"".join(pieces).split(b"\n")
    last = expected.pop()
    expected = [line.removesuffix(b"\r") for line in expected]
    assert found == expected + ([last.removesuffix(b"\r")] if last.strip() else [])
    # A line is given as soon as it is whole.
    assert [len(some) for some in whole_lines(iter(pieces))] == [
        piece.count(b"\n") for piece in pieces if b"\n" in piece
    ] + [1] * bool(last.strip())


def test_of_a_line_without_end_only_as_much_is_kept_as_shows_that(monkeypatch):
    monkeypatch.setattr(lines_module, "MAX_LINE", 10)
    (first, second), (third,) = whole_lines(iter([b"y" * 30, b"y" * 30, b"y\nb\nc" + b"z" * 90]))
    assert 10 < len(first) <= 2 * 44
    assert second == b"b"
    assert len(third) == 44
    for line, fits in ((b"1" * 10, True), (b"1" * 11, False)):
        if fits:
            assert text_of(line) == "1" * 10
        else:
            with pytest.raises(ValueError, match="'11111111111' and so on is longer than 10 bytes"):
                text_of(line)
    with pytest.raises(ValueError, match="is no UTF-8"):
        text_of(b"\xff")
    with pytest.raises(ValueError, match="is no cp932"):
        text_of(b"\x81", "cp932")


def test_a_header_is_in_cp932_where_it_can_be_nothing_else():
    assert encoding_of("時刻,気温".encode("cp932")) == "cp932"
    assert encoding_of("時刻,気温".encode()) == "utf-8"
    assert encoding_of(b"ds,y") == "utf-8"
    assert encoding_of(b"\xff\xff") == "utf-8"


NAMES = st.sampled_from(["a", "b c", " d", "e ", 'f"', '"g,h"', "", "東京", "\x00", "\u2028"])
VALUES = st.sampled_from(["1", "-2.5", "+.5", "3.", "1e3", "1E-3", "inf", "-Infinity", "nan", "", "1_0", "x", " 4 "])


@given(NAMES, VALUES, st.sampled_from([",", ";", "\t"]), st.booleans())
def test_the_series_of_a_line_is_found_without_reading_the_rest(name, value, separator, blanks):
    text = LineFormat("csv", 1, separator, has_blanks=blanks)
    line = separator.join((name, "2024-01-01", value))
    try:
        parsed = text.parse(line)
    except ValueError:
        return
    assert text.name_in(line.encode()) == parsed[0]
    assert parsed[0].isprintable()
    assert parsed[0] == parsed[0].strip()
    expected = float("nan") if value.strip() in ("", "nan") else float(value)
    np.testing.assert_equal(parsed[2], expected)


def test_names_values_and_objects_that_cannot_be_are_said_to():
    text = LineFormat("csv", 1)
    for line, message in (
        ("a\x00,2024-01-01,1", "holds what cannot be printed"),
        (" a,2024-01-01,1", "has blanks around it"),
        ("a,2024-01-01,1_0", "is not unique_id,ds,y"),
        ("a,2024-01-01", "is not unique_id,ds,y"),
        ("a,2024-01-01,1,2", "is not unique_id,ds,y"),
    ):
        with pytest.raises(ValueError, match=message):
            text.parse(line)
    labels = ("y", "unique_id", "date", "time")
    named = LineFormat("csv", 1, ";", Places(1, (2, 3), 0), 4, ",", has_blanks=True, labels=labels)
    assert named.parse(" 1,5 ; a ; 2024-01-01 ; 18:00 ") == ("a", "2024-01-01 18:00", 1.5)
    with pytest.raises(ValueError, match="is not y;unique_id;ds;time"):
        named.parse("1,5;a;2024-01-01")
    single = LineFormat("csv", 1, places=Places(-1, (0,), 1), cells=2, only="s")
    assert single.parse("2024-01-01,2") == ("s", "2024-01-01", 2.0)
    assert single.name_in(b"2024-01-01,2") == "s"


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        ({"unique_id": "a", "ds": "2024", "y": 1}, ("a", "2024", 1.0)),
        ({"unique_id": 7, "ds": "2024", "y": 1.5}, ("7", "2024", 1.5)),
        ({"ds": "2024", "y": None}, ("s", "2024", None)),
        ({"ds": 5, "y": 2}, ("s", "5", 2.0)),
        ({"ds": "2024", "y": 10**400}, ("s", "2024", float("inf"))),
        ({"ds": "2024", "y": True}, ValueError),
        ({"ds": "2024", "y": "1"}, ValueError),
        ({"unique_id": 1.5, "ds": "2024", "y": 1}, ValueError),
        ({"unique_id": ["a"], "ds": "2024", "y": 1}, ValueError),
        ({"y": 1}, ValueError),
        ([1, 2, 3], ValueError),
        (5, ValueError),
    ],
)
def test_objects_are_read_as_json_has_them(given_, expected):
    text = LineFormat("ndjson", 1, only="s")
    line = json.dumps(given_)
    if expected is ValueError:
        with pytest.raises(ValueError, match="is not an object with unique_id, ds and y"):
            text.parse(line)
        assert text.name_in(line.encode()) == ""
        return
    found = text.parse(line)
    np.testing.assert_equal(found, tuple(float("nan") if one is None else one for one in expected))
    assert text.name_in(line.encode()) == expected[0]


def test_an_object_of_no_series_needs_a_model_of_one():
    with pytest.raises(ValueError, match="is not an object with unique_id, ds and y"):
        LineFormat("ndjson", 1).parse('{"ds": "2024", "y": 1}')


def test_the_first_line_tells_the_form():
    def short(first, *ids, kind="auto"):
        one = format_of(first, kind, ids, 2)
        return one.kind, one.separator, one.decimal, one.cells, one.only, one.has_header, one.has_blanks, one.places

    assert short('{"ds": 1}', "a") == ("ndjson", ",", ".", 3, "a", False, False, PLAIN)
    assert short("a,2024-01-01,1", "a", "b") == ("csv", ",", ".", 3, "", False, False, PLAIN)
    assert short("a;2024-01-01;1", "a", "b") == ("csv", ";", ",", 3, "", False, False, PLAIN)
    assert short("2024-01-01,1", "a") == ("csv", ",", ".", 2, "a", False, False, Places(-1, (0,), 1))
    assert short("2024-01-01,1", "a", "b")[3] == 3
    assert short("ds, y", "a") == ("csv", ",", ".", 2, "a", True, True, Places(-1, (0,), 1))
    assert short("y\tunique_id\tds", "a", "b") == ("csv", "\t", ",", 3, "", True, False, Places(1, (2,), 0))
    assert short("{}", "a", kind="csv")[0] == "csv"
    assert short("ds,y", "a", kind="ndjson")[0] == "ndjson"


def test_lines_of_output_are_rounded_alike_in_both_forms():
    forecasts = np.array([[1.23456789, 2], [3e-7, 4]], np.float32)
    csv = LineFormat("csv", 2).render([5, 6], ["a", 'b,"'], ["t", "u"], forecasts)
    assert csv == ["5,a,t,1.23457,2", '6,"b,""",u,3e-07,4']
    (apart,), (quoted,) = (LineFormat("csv", 2).render([1], [name], ["t"], forecasts[1:]) for name in ("a,b", 'c"d'))
    assert (apart, quoted) == ('1,"a,b",t,3e-07,4', '1,"c""d",t,3e-07,4')
    objects = [
        json.loads(line) for line in LineFormat("ndjson", 2).render([5, 6], ["a", "東京"], ["t", "u"], forecasts)
    ]
    assert objects == [
        {"line": 5, "unique_id": "a", "ds": "t", "tsuzuki": [1.23457, 2.0]},
        {"line": 6, "unique_id": "東京", "ds": "u", "tsuzuki": [3e-07, 4.0]},
    ]


def test_other_columns_of_a_line_are_numbers_or_missing():
    text = LineFormat("csv", 1, ";", Places(-1, (0,), 1), 4, ",", "s", True, labels=("ds", "y", "wind", "rain"))
    assert text.beside("2024;1;2,5;", ["wind"]) == {"wind": 2.5}
    assert text.beside('"20;24";1;"2,5";', ["wind"]) == {"wind": 2.5}
    assert np.isnan(text.beside("2024;1;2,5;", ["rain"])["rain"])
    for line, columns, message in (
        ("2024;1;x;", ["wind"], "'x' is no number of the column 'wind'"),
        ("2024;1;2;3", ["snow"], "no header of the lines names the column 'snow'"),
    ):
        with pytest.raises(ValueError, match=message):
            text.beside(line, columns)
    objects = LineFormat("ndjson", 1, only="s")
    assert objects.beside('{"ds": 1, "y": 1, "wind": 2.5}', ["wind"]) == {"wind": 2.5}
    assert np.isnan(objects.beside('{"ds": 1, "y": 1}', ["wind"])["wind"])


def test_what_numpy_reads_of_itself_is_an_iso_time_of_a_year_that_can_be_counted():
    for stamp in ("2024-01-01", "2024-01-01 05", "2024-01-01T05:06", "1678-01-01", "2261-12-31 00:00:00.123456789"):
        assert is_plain(stamp)
        assert moment(stamp) == (int(np.datetime64(stamp, "ns").astype(np.int64)), False)
    for stamp in ("now", "today", "2024-1-1", "1677-12-31", "2262-01-01", "2024-01-01 5", "2024-01-01Z", ""):
        assert not is_plain(stamp)
    assert moment("1704067200") == (1704067200 * 10**9, True)
    assert moment(" 2024-01-01T09:00+09:00 ") == (1704067200 * 10**9, True)
