"""What one small slip in a reader would change: an hour too many, a column that is lost, a comma that is a point."""

import warnings

import numpy as np
import pandas as pd
import pytest

from tsuzuki.data import columns, delimited, jma, timestamps
from tsuzuki.data.calendar import seasons
from tsuzuki.data.covariates import CovariateNames, CovariateSeries, covariate_series
from tsuzuki.data.date_forms import date_numbers, is_clock, is_date, match, offset_minutes
from tsuzuki.data.files import text_of
from tsuzuki.data.frames import as_long
from tsuzuki.data.grid import BUSINESS_STEP, following_times, infer_grid, nearest_positions, step_of
from tsuzuki.data.newer_rows import newer_rows
from tsuzuki.data.readers import read
from tsuzuki.data.resampling import fitting_freq, on_grid
from tsuzuki.data.segments import Segment, fill_short_gaps, segments_between_gaps
from tsuzuki.data.timestamps import instants
from tsuzuki.errors import DataError, IrregularError, TooShortError
from tsuzuki.layouts.streams import Streams

DAY = 86400 * 10**9


@pytest.mark.parametrize("text", ["0", "9", "18", "24", "18:00", "24:00", "6 PM", "18時", "0:59:59"])
def test_what_is_a_time_of_day(text):
    assert is_clock(text)


@pytest.mark.parametrize("text", ["25", "25:00", "-1", "noon", "18:00 x", "2020-01-01", ""])
def test_what_is_none(text):
    assert not is_clock(text)


def test_a_year_of_two_digits_is_like_a_date_and_a_number_is_not():
    assert is_date(" 01/02/20 ")
    assert is_date("2020-01-02")
    assert not is_date("1.5")
    assert not is_date("x 01/02/20")


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("2020-03-04", (2020, 3, 4, 0, 0, 0, 0)),
        ("2020-03", (2020, 3, 1, 0, 0, 0, 0)),
        ("2020-03-04 05:06:07.25", (2020, 3, 4, 5, 6, 7, 250_000_000)),
        ("2020年3月中旬", (2020, 3, 11, 0, 0, 0, 0)),
        ("2020年3月上旬", (2020, 3, 1, 0, 0, 0, 0)),
        ("2020年3月下旬", (2020, 3, 21, 0, 0, 0, 0)),
        ("2020年3月第2半旬", (2020, 3, 6, 0, 0, 0, 0)),
        ("2020Q3", (2020, 7, 1, 0, 0, 0, 0)),
        ("4 Mar 2020", (2020, 3, 4, 0, 0, 0, 0)),
        ("2020-03-04 12:30 AM", (2020, 3, 4, 0, 30, 0, 0)),
        ("2020-03-04 12:30 PM", (2020, 3, 4, 12, 30, 0, 0)),
        ("2020-03-04 01:30 PM", (2020, 3, 4, 13, 30, 0, 0)),
        ("2020-03-04 13:30 PM", (2020, 3, 4, 99, 30, 0, 0)),
        ("2020-03-04 00:30 AM", (2020, 3, 4, 99, 30, 0, 0)),
    ],
)
def test_the_numbers_of_a_date(text, numbers):
    found = match(text, 0)
    if found is None:
        pytest.skip(f"{text} is none of the forms")
    assert date_numbers(found[1]) == numbers
    # The form that is tried first decides nothing.
    assert match(text, found[0]) == found


def test_how_far_zones_are_ahead_of_utc():
    assert [offset_minutes(zone) for zone in ("Z", "+09:00", "+0530", "-03", "-09:30")] == [0, 540, 330, -180, -570]


@pytest.mark.parametrize("offset", ["+24:00", "+16", "-16:00", "+00:60", "+0960", "+99"])
def test_an_offset_that_no_clock_has_is_named(tmp_path, offset):
    (tmp_path / "a.csv").write_text(f"time,y\n2020-01-01T00:00{offset},1\n2020-01-01T01:00{offset},2\n")
    with pytest.raises(DataError, match=r"which is no date"):
        read(tmp_path / "a.csv")


def test_of_very_many_columns_those_are_kept_that_are_named_or_tell_what_they_are(monkeypatch):
    text = "first,unique_id,wanted,TIME,other\nNA,NA,NA,2020-01-01,5\n1,007,2.5,,6\n"
    monkeypatch.setattr(delimited, "WIDE", 4)
    found = delimited.parse(text, "x", frozenset({"unique_id", "wanted", "time"}))
    assert list(found.frame.columns) == ["first", "unique_id", "wanted", "TIME"]
    assert found.labels == ("first", "unique_id", "wanted", "TIME", "other")
    assert found.frame["unique_id"].tolist() == ["NA", "007"]
    assert found.frame["wanted"].isna().tolist() == [True, False]
    assert found.frame["TIME"].isna().tolist() == [False, True]
    assert found.line(1) == "line 3"
    monkeypatch.setattr(delimited, "WIDE", 5)
    assert list(delimited.parse(text, "x", frozenset()).frame.columns) == list(found.labels)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("time;value\n2020-01-01;1,5\n2020-01-02;2,5\n2020-01-03;3\n", [1.5, 2.5, 3.0]),
        ("time;value\n2020-01-01;1.5\n2020-01-02;2.5\n2020-01-03;3\n", [1.5, 2.5, 3.0]),
        ("time,value\n2020-01-01,1.5\n2020-01-02,2.5\n2020-01-03,3\n", [1.5, 2.5, 3.0]),
        ('time,value,note\n2020-01-01,1.5,"a;1,5;b"\n2020-01-02,2.5,x\n2020-01-03,3,y\n', [1.5, 2.5, 3.0]),
    ],
)
def test_commas_are_points_only_where_they_separate_nothing(tmp_path, text, values):
    (tmp_path / "a.csv").write_text(text)
    assert read(tmp_path / "a.csv", column="value").frame["y"].tolist() == values


def test_columns_that_hold_a_date_together_give_way_to_one_that_holds_it_alone(tmp_path):
    (tmp_path / "a.csv").write_text("year,month,date,value\n2020,1,2021-05-01,1\n2020,2,2021-05-02,2\n")
    assert read(tmp_path / "a.csv", column="value").frame["ds"].tolist() == [
        pd.Timestamp("2021-05-01"),
        pd.Timestamp("2021-05-02"),
    ]
    (tmp_path / "b.csv").write_text("year,month,value\n2020,1,1\n2020,2,2\n")
    assert read(tmp_path / "b.csv").frame["ds"].tolist() == [pd.Timestamp("2020-01-01"), pd.Timestamp("2020-02-01")]


def test_an_hour_beside_days_is_part_of_the_time_only_where_days_have_several_rows(tmp_path):
    (tmp_path / "a.csv").write_text(
        "date,hour,value\n" + "".join(f"2020-01-0{1 + h // 2},{h % 2},{h}\n" for h in range(6))
    )
    assert read(tmp_path / "a.csv").frame["ds"].tolist()[:3] == [
        pd.Timestamp("2020-01-01 00:00"),
        pd.Timestamp("2020-01-01 01:00"),
        pd.Timestamp("2020-01-02 00:00"),
    ]
    (tmp_path / "b.csv").write_text("date,hour,value\n" + "".join(f"2020-01-0{1 + h},{h},{h}\n" for h in range(6)))
    assert read(tmp_path / "b.csv", column="value").frame["ds"].tolist()[1] == pd.Timestamp("2020-01-02")


def test_two_files_are_joined_reading_by_reading(tmp_path):
    (tmp_path / "a1.csv").write_text("time,y\n2020-01-01,1\n2020-01-02,\n2020-01-03,3\n")
    (tmp_path / "a2.csv").write_text("time,y\n2020-01-02,2\n2020-01-03,3\n2020-01-04,4\n")
    found = read([tmp_path / "a2.csv", tmp_path / "a1.csv"]).frame
    assert list(found.columns) == ["unique_id", "ds", "y"]
    assert found.index.tolist() == list(range(4))
    assert found.sort_values("ds")["y"].tolist() == [1, 2, 3, 4]
    (tmp_path / "a3.csv").write_text("time,y\n2020-01-03,30\n2020-01-04,4\n2020-01-05,5\n")
    with pytest.raises(
        DataError, match=r"a1.csv and a3.csv disagree on series 'a' at 2020-01-03 00:00:00 \(3 and 30\)"
    ):
        read([tmp_path / "a1.csv", tmp_path / "a3.csv"])


def inferred(times):
    return infer_grid(np.asarray(times, "datetime64[ns]").astype(np.int64), "here")


@pytest.mark.parametrize("freq", ["ME", "MS", "QE", "QS", "YS", "YE", "B", "D", "h", "15min"])
def test_a_grid_is_found_with_its_holes_and_goes_on(freq):
    times = pd.date_range("2019-01-31", periods=80, freq=freq).to_numpy("datetime64[ns]")
    kept = np.ones(60, bool)
    kept[[5, 17, 18, 40]] = False
    position, grid, name, snapped = inferred(times[:60][kept])
    np.testing.assert_array_equal(grid, times[:60])
    np.testing.assert_array_equal(position, np.flatnonzero(kept))
    assert snapped == 0
    assert name in ("month", "quarter", "year", "business day", "day", "hour", "15 minutes")
    np.testing.assert_array_equal(following_times(grid, 20), times[60:])
    assert step_of(grid) == (BUSINESS_STEP if freq == "B" else int(np.median(np.diff(times).astype(np.int64))))


@pytest.mark.parametrize(
    ("days", "name"), [((1, 11, 21), "third of a month"), ((1, 6, 11, 16, 21, 26), "sixth of a month")]
)
def test_parts_of_months_are_grids_too(days, name):
    times = np.array([f"2020-{month:02}-{day:02}" for month in range(1, 9) for day in days], "datetime64[ns]")
    position, grid, found, _ = inferred(times[:-6])
    assert found == name
    np.testing.assert_array_equal(position, np.arange(len(times) - 6))
    np.testing.assert_array_equal(following_times(grid, 6), times[-6:])


def test_business_days_at_one_time_of_day_are_a_grid_and_at_two_are_none():
    days = pd.bdate_range("2020-01-01", periods=40).to_numpy("datetime64[ns]")
    for clock in (0, 9):
        assert inferred(days + np.timedelta64(clock, "h"))[2] == "business day"
    late = days.copy()
    late[20] += np.timedelta64(1, "h")
    assert inferred(late)[2] == "day"
    assert inferred(days[:10])[2] == "day"
    assert inferred(days[:11])[2] == "business day"


def test_stamps_belong_to_the_nearest_time_and_to_none_beyond_half_a_step():
    times = np.array(["2020-01-01", "2020-01-02", "2020-01-03"], "datetime64[ns]")
    hours = np.array([-13, -12, 0, 11, 12, 13, 36, 37, 48, 60, 61])
    stamps = times[0] + hours.astype("timedelta64[h]")
    assert nearest_positions(times, stamps).tolist() == [-1, 0, 0, 0, 0, 1, 1, 2, 2, 2, -1]
    assert nearest_positions(times[:1], times).tolist() == [0, -1, -1]


def test_gaps_are_filled_on_a_line_and_breaks_end_a_segment_without_a_gap():
    nan = np.nan
    values = np.array([1.0, nan, 3.0, 4.0, nan, nan, nan, 8.0, 9.0])
    observed = ~np.isnan(values)
    breaks = np.zeros(9, bool)
    breaks[3] = True
    filled, segments = fill_short_gaps(values, observed, breaks, 2)
    np.testing.assert_array_equal(filled, [1, 2, 3, 4, nan, nan, nan, 8, 9])
    assert segments == (Segment(0, 3), Segment(3, 4), Segment(7, 9))
    assert segments_between_gaps(observed, 2) == ((Segment(0, 4), Segment(7, 9)), True)
    assert segments_between_gaps(~observed, 2) == ((Segment(0, 7),), True)
    assert segments_between_gaps(np.array([False, False, False, True]), 2) == ((Segment(3, 4),), False)
    assert segments_between_gaps(np.zeros(3, bool), 2) == ((), False)


def test_the_seasons_of_grids():
    assert seasons(3600 * 10**9, 10_000) == (24, 168)
    assert seasons(DAY, 10_000) == (7, 365)
    assert seasons(DAY, 20) == (7,)
    assert seasons(DAY, 13) == ()
    assert seasons(DAY, 14) == (7,)


@pytest.mark.parametrize("head", [f"{'a' * 3000},b", '"time,\nvalue\n1",b', f"{'a' * 3000},{'b' * 3000}"])
def test_a_message_names_an_endless_column_in_one_line(tmp_path, head):
    (tmp_path / "a.csv").write_text(f"{head}\n1,2\n3,4\n")
    for column in (None, "value"):
        with pytest.raises(DataError) as caught:
            read(tmp_path / "a.csv", column=column)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 400


def test_compact_times_that_are_no_dates_are_seconds_or_refused():
    def read_as(numbers):
        return instants(pd.Series(numbers), "ds", lambda at: f"line {at + 1}")

    found = read_as([202001311800, 202001311900])
    assert (found.stamps.tolist(), found.zone) == (
        [pd.Timestamp("2020-01-31 18:00"), pd.Timestamp("2020-01-31 19:00")],
        None,
    )
    # Twelve digits that are no date are milliseconds since 1970; eight and fourteen can be nothing else.
    found = read_as([201999999999, 202000000000])
    assert (found.stamps.iloc[0], found.zone) == (pd.Timestamp(201999999999, unit="ms"), "UTC")
    for numbers in ([20201399, 20200101], [20201399000000, 20200101000000]):
        with pytest.raises(DataError, match="2020"):
            read_as(numbers)


def test_hours_with_a_gap_in_their_column_are_whole_numbers():
    column = pd.Series([1.0, np.nan, 2.5, 24.0])
    assert columns._sample(column) == ["1", "2.5", "24"]
    assert timestamps.cells_of(column) == ["1", "", "2.5", "24"]
    assert timestamps.cells_of(pd.Series([" 5 ", None, "NA", "x"])) == ["5", "", "", "x"]


def test_merged_readings_are_named_where_the_caller_stands():
    days = pd.date_range("2024-01-01", periods=30)
    frame = pd.DataFrame({"unique_id": "a", "ds": [*days, days[3]], "y": np.arange(31.0)})
    with pytest.warns(UserWarning, match="1 readings of the frame are of the same day as another") as seen:
        covariate_series(frame, CovariateNames(), 3, merge=False)
    assert [one.filename for one in seen] == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        covariate_series(frame, CovariateNames(), 3, merge=True)
        covariate_series(frame[:30], CovariateNames(), 3, merge=False)


def test_beyond_a_day_a_week_or_a_month_is_suggested():
    day = 86400 * 10**9
    assert fitting_freq(np.arange(9) * 13 * day) == "W"
    assert fitting_freq(np.arange(9) * 14 * day) == "MS"


@pytest.mark.parametrize("columns", ["y,z", "z,y", "note,y,z"])
def test_of_several_columns_y_is_the_value(tmp_path, columns):
    names = columns.split(",")
    cells = {"y": "1.5", "z": "7", "note": "3"}
    row = ",".join(cells[name] for name in names)
    (tmp_path / "a.csv").write_text(f"time,{columns}\n2024-01-01,{row}\n2024-01-02,{row}\n")
    assert read(tmp_path / "a.csv").frame["y"].tolist() == [1.5, 1.5]


@pytest.mark.parametrize("frame", [[1.0, 2.0], "a.csv", None, 5, {"ds": [1], "y": [2]}])
def test_what_is_no_frame_is_named(frame):
    with pytest.raises(DataError, match=f"a {type(frame).__name__} is not a frame; give a pandas Series"):
        as_long(frame)


def test_parts_of_seconds_are_added_in_every_form():
    for text in (
        "2020-03-04 05:06:07.25",
        "04.03.2020 05:06:07.25",
        "14/03/2020 05:06:07.25",
        "2020年3月4日 05:06:07.25",
    ):
        (found,) = instants(pd.Series([text], dtype=str), "ds", lambda _: "line", day_first=True).stamps
        assert (found.hour, found.minute, found.second, found.microsecond) == (5, 6, 7, 250_000)


@pytest.mark.parametrize("freq", ["30s", "5min", "7h", "h", "D", "24h"])
@pytest.mark.parametrize("start", ["2024-01-01", "2024-05-17 13:41:07"])
def test_the_steps_of_all_frames_are_the_same_wherever_they_begin(freq, start):
    length = pd.Timedelta(freq if freq[0].isdigit() else f"1{freq}")
    times = pd.date_range(start, periods=12, freq=length / 3)
    made = on_grid(pd.DataFrame({"unique_id": "a", "ds": times, "y": 1.0}), freq, "sum")
    assert (made["ds"].astype("int64") % length.value == 0).all()
    np.testing.assert_array_equal(made["ds"].diff()[1:], np.full(len(made) - 1, length.to_timedelta64()))
    assert made["ds"].iloc[0] <= times[0] < made["ds"].iloc[0] + length
    assert made["ds"].iloc[-1] <= times[-1] < made["ds"].iloc[-1] + length


@pytest.mark.parametrize(("stamp", "joined"), [("x", True), ("", True), ("2021-05-0{day}", False)])
def test_columns_of_a_year_a_month_and_a_day_are_the_date_where_no_other_column_is(tmp_path, stamp, joined):
    rows = [f"2020,3,{day},{stamp.format(day=day)},{day}.5" for day in range(1, 6)]
    (tmp_path / "a.csv").write_text("\n".join(["year,month,day,timestamp,v", *rows, ""]))
    found = read(tmp_path / "a.csv", column="v").frame
    first = "2020-03-01" if joined else "2021-05-01"
    assert list(found["ds"]) == list(pd.date_range(first, periods=5))


@pytest.mark.parametrize(
    ("gaps", "share", "regular"), [((1, 3, 3), 0.4, True), ((1, 3, 3), 0.5, False), ((1, 1, 7), 0.5, True)]
)
def test_readings_that_fill_few_steps_and_seldom_follow_one_another_have_no_grid(gaps, share, regular, monkeypatch):
    monkeypatch.setattr("tsuzuki.data.grid.MIN_FILLED_SHARE", share)
    hours = np.cumsum([0, *gaps * 30])
    stamps = hours * 3600 * 10**9
    if regular:
        position, _, name, _ = infer_grid(stamps, "it")
        assert name == "hour"
        np.testing.assert_array_equal(position, hours)
        return
    with pytest.raises(IrregularError, match="follows no regular grid: the most common step is hour"):
        infer_grid(stamps, "it")


def line(at):
    return f"line {at}"


@pytest.mark.parametrize(("missing", "parts"), [(2, 1), (3, 1), (4, 2)])
def test_a_gap_of_exactly_max_gap_is_bridged_and_one_more_is_not(missing, parts):
    observed = np.ones(20, bool)
    observed[8 : 8 + missing] = False
    values = np.where(observed, np.arange(20.0), np.nan)
    assert len(fill_short_gaps(values, observed, np.zeros(20, bool), 3)[1]) == parts
    assert len(segments_between_gaps(observed, 3)[0]) == parts
    ahead = np.concatenate([np.zeros(missing, bool), np.ones(3, bool)])
    assert segments_between_gaps(ahead, 3)[1] == (parts == 1)


def test_thirteen_is_a_day_and_twelve_decides_nothing():
    day_first = instants(pd.Series(["13/01/2020", "02/01/2020"], dtype=str), "ds", line)
    assert list(day_first.stamps.dt.strftime("%m-%d")) == ["01-13", "01-02"]
    month_first = instants(pd.Series(["01/13/2020", "02/01/2020"], dtype=str), "ds", line)
    assert list(month_first.stamps.dt.strftime("%m-%d")) == ["01-13", "02-01"]
    for twelve in ("12/01/2020", "01/12/2020"):
        with pytest.raises(DataError, match="nothing tells whether the day or the month comes first"):
            instants(pd.Series([twelve, "02/01/2020"], dtype=str), "ds", line)


def test_cp932_has_letters_that_shift_jis_lacks():
    text = "地点,髙①\n"
    assert text_of(text.encode("cp932"), "x.csv") == text


@pytest.mark.parametrize(("first", "last", "whole"), [(30, 210, True), (31, 211, False), (29, 209, False)])
def test_a_step_is_covered_where_its_readings_leave_one_and_a_half_of_their_distance_free(first, last, whole):
    minutes = np.arange(first, last + 1, 20)
    times = pd.Timestamp("2020-01-01") + pd.to_timedelta(minutes, "min")
    made = on_grid(pd.DataFrame({"unique_id": "a", "ds": times, "y": np.arange(len(times), dtype=float)}), "h", "mean")
    known = made["y"].notna().tolist()
    # Thirty minutes before the first reading and behind the last one are free.
    assert known[1:-1] == [True] * (len(known) - 2)
    assert known[0] == (first <= 30)
    assert known[-1] == (last >= 210)
    assert whole == (known[0] and known[-1])


def test_rows_that_are_known_already_bring_nothing():
    times = pd.date_range("2020-01-01", periods=5, freq="h").to_numpy("datetime64[ns]")
    frame = pd.DataFrame({"unique_id": "a", "ds": times[:4], "y": 1.0})
    for old in (frame, frame[:1], pd.DataFrame({"unique_id": "a", "ds": times[-1:], "y": 2.0})):
        found, values = newer_rows(old, times, ["y"], merge=False)
        assert len(found) == 0
        assert values.shape == (0, 1)


def test_a_stretch_of_one_reading_says_that_it_needs_two():
    with pytest.raises(TooShortError, match="has 1 points, but a step with its target needs 2"):
        Streams(5, 2).after([], [Segment(3, 4)])


def test_what_stands_beside_a_value_belongs_to_the_element_and_the_station_of_its_own_column():
    stations = ["", "A", "A", "A", "A", "B", "B", "B"]
    names = ["day", "rain", "rain", "wind", "wind", "wind", "wind", "wind"]
    below = [["", "", jma.QUALITY, "", jma.QUALITY, "", jma.QUALITY, jma.HOMOGENEITY]]
    found = jma._elements(stations, names, below, 1)
    assert [(one.label, one.value, one.beside) for one in found] == [
        ("A rain", 1, {jma.QUALITY: 2}),
        ("A wind", 3, {jma.QUALITY: 4}),
        ("B wind", 5, {jma.QUALITY: 6, jma.HOMOGENEITY: 7}),
    ]


def test_a_series_is_cut_with_its_segments():
    times = pd.date_range("2020-01-01", periods=10, freq="h").to_numpy("datetime64[ns]")
    values = np.array([np.nan, 1, 2, 3, np.nan, np.nan, 6, 7, np.nan, 9])
    one = CovariateSeries("a", values, times, (Segment(1, 4), Segment(6, 10)), np.arange(20.0).reshape(10, 2))
    for stop, segments in ((10, one.segments), (7, (Segment(1, 4), Segment(6, 7))), (6, (Segment(1, 4),)), (1, ())):
        cut = one.cut_at(stop)
        assert (len(cut.values), len(cut.times), len(cut.covariates), cut.segments) == (stop, stop, stop, segments)
    for count, first, segments in (
        (99, 1, (Segment(0, 3), Segment(5, 9))),
        (8, 2, (Segment(0, 2), Segment(4, 8))),
        (6, 6, (Segment(0, 4),)),
        (4, 6, (Segment(0, 4),)),
        (2, 9, (Segment(0, 1),)),
    ):
        last = one.last_points(count)
        np.testing.assert_array_equal(last.values, values[first:])
        np.testing.assert_array_equal(last.times, times[first:])
        np.testing.assert_array_equal(last.covariates, one.covariates[first:])
        assert last.segments == segments


@pytest.mark.parametrize(("separator", "point"), [(",", "."), (";", ","), (";", ".")])
def test_a_dash_with_blanks_is_missing_and_its_column_one_of_numbers(tmp_path, separator, point):
    rows = [("time", "value", "note"), ("2020-01-01", f"1{point}5", "a"), ("2020-01-02", " - ", "b"),
            ("2020-01-03", f"25{point}25", "c")]  # fmt: skip
    (tmp_path / "a.csv").write_text("\n".join(separator.join(row) for row in rows) + "\n")
    found = read(tmp_path / "a.csv")
    assert found.columns == ("value",)
    np.testing.assert_array_equal(found.frame["y"], [1.5, np.nan, 25.25])


def test_times_with_a_type_keep_the_name_of_their_zone():
    times = pd.Series(pd.date_range("2020-01-01", periods=3, freq="h", tz="Asia/Tokyo"))
    found = instants(times, "ds", str)
    assert found.zone == "Asia/Tokyo"
    assert found.stamps.tolist() == times.dt.tz_convert("UTC").dt.tz_localize(None).tolist()


def test_newer_rows_end_with_the_last_reading_whatever_is_known_beside_it():
    times = pd.date_range("2024-01-01", periods=4, freq="h").to_numpy("datetime64[ns]")
    later = pd.date_range(times[-1], periods=5, freq="h")[1:]
    frame = pd.DataFrame({"unique_id": "a", "ds": later, "y": [1.0, 2.0, np.nan, np.nan], "x": [5.0, 6.0, 7.0, np.nan]})
    found, values = newer_rows(frame, times, ["y", "x"], merge=False)
    assert list(found) == list(later[:2].to_numpy("datetime64[ns]"))
    np.testing.assert_array_equal(values, [[1, 5], [2, 6]])
    # Without any reading the last row says how much time has passed.
    found, values = newer_rows(frame.assign(y=np.nan), times, ["y", "x"], merge=False)
    assert len(found) == 4
    np.testing.assert_array_equal(values[:, 1], [5, 6, 7, np.nan])
