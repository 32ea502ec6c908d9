"""Regular grids out of real readings: late, twice, beside the hour, missing."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsuzuki.data import datasets, readers
from tsuzuki.data.distinct import counted
from tsuzuki.data.grid import following_times
from tsuzuki.data.scaling import Standardizer
from tsuzuki.data.segments import Segment, segments_between_gaps
from tsuzuki.data.series import Readings, collect, collect_readings, regularize
from tsuzuki.errors import DataError

STEPS = {"15 minutes": "15min", "hour": "1h", "6 hours": "6h", "day": "1D"}


def frame_of(times, values):
    return pd.DataFrame({"unique_id": "a", "ds": times, "y": np.asarray(values, float)})


@given(st.sampled_from(list(STEPS)), st.integers(30, 120), st.integers(0, 10**6), st.floats(0, 0.3), st.integers(0, 30))
def test_a_grid_survives_deletions_duplicates_jitter_and_disorder(name, points, seed, deleted, max_gap):
    generator = np.random.default_rng(seed)
    times = pd.date_range("2020-03-01 00:51", periods=points, freq=STEPS[name])
    values = generator.normal(size=points)
    kept = generator.random(points) >= deleted
    kept[[0, 1, -1]] = True
    rows = np.concatenate([np.flatnonzero(kept), generator.choice(np.flatnonzero(kept), 3)])
    generator.shuffle(rows)
    jitter = generator.uniform(-0.1, 0.1, len(rows)) * (times[1] - times[0])
    jitter[generator.random(len(rows)) < 0.6] *= 0
    series = regularize(frame_of(times[rows] + jitter, values[rows]), "here", "a", max_gap)
    assert series.step == name
    assert len(series.values) == points
    np.testing.assert_array_equal(series.observed, kept)
    np.testing.assert_allclose(series.values[kept], values[kept])
    assert series.repairs.duplicates == 3
    assert series.repairs.missing == (~kept).sum() == series.repairs.interpolated + series.repairs.open


@given(st.integers(0, 10**6), st.integers(0, 8))
def test_short_gaps_lie_between_their_neighbours_and_long_ones_split(seed, max_gap):
    generator = np.random.default_rng(seed)
    values = generator.normal(size=80)
    values[generator.random(80) < 0.5] = np.nan
    values[[0, 1, 2, -1]] = [1.0, 2.0, 3.0, 4.0]
    times = pd.date_range("2020-01-01", periods=80, freq="1h")
    series = regularize(frame_of(times, values), "here", "a", max_gap)
    covered = np.zeros(80, bool)
    for segment in series.segments:
        inside = series.values[segment.start : segment.stop]
        assert not np.isnan(inside).any()
        assert series.observed[[segment.start, segment.stop - 1]].all()
        covered[segment.start : segment.stop] = True
    assert covered[series.observed].all()
    assert np.isnan(series.values[~covered]).all()
    known = np.flatnonzero(series.observed)
    for left, right in itertools.pairwise(known):
        between = series.values[left + 1 : right]
        if right - left - 1 > max_gap:
            assert np.isnan(between).all()
        else:
            low, high = sorted(values[[left, right]])
            assert ((between >= low - 1e-12) & (between <= high + 1e-12)).all()


@pytest.mark.parametrize(("freq", "name"), [("MS", "month"), ("ME", "month"), ("QS", "quarter"), ("YS", "year")])
def test_calendar_steps_are_told_apart(freq, name):
    times = pd.date_range("2001-01-01", periods=40, freq=freq).delete([5, 6])
    series = regularize(frame_of(times, np.arange(38.0) % 7), "here", "a", 3)
    assert series.step == name
    assert len(series.values) == 40
    assert series.repairs.missing == 2


def test_a_change_of_station_ends_a_segment_without_a_gap():
    times = pd.date_range("2020-01-01", periods=20, freq="1h")
    frame = frame_of(times, np.arange(20.0)).assign(change=[0] * 8 + [1] * 12).drop(index=[8])
    series = regularize(frame, "here", "a")
    assert series.segments == (Segment(0, 8), Segment(9, 20))
    assert np.isnan(series.values[8])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([np.nan] * 5, "has no values: all 5 are missing; name another column"),
        ([1.0, np.inf, 2, 3, 4], "has 1 infinite values; leave them empty"),
    ],
)
def test_values_that_cannot_be_used_are_named(values, message):
    with pytest.raises(DataError, match=f"here {message}"):
        regularize(frame_of(pd.date_range("2020-01-01", periods=5, freq="1h"), values), "here", "a")


def test_times_without_a_grid_are_named():
    generator = np.random.default_rng(0)
    times = pd.Timestamp("2020-01-01") + pd.to_timedelta(np.cumsum(generator.exponential(3600, 200)), unit="s")
    with pytest.raises(
        DataError, match=r"follows no regular grid: the most common step .*; take the mean of each step with freq="
    ):
        regularize(frame_of(times, generator.normal(size=200)), "here", "a")
    with pytest.raises(DataError, match="has 2 different times; at least 3 are needed"):
        regularize(frame_of(times[:2], [1.0, 2.0]), "here", "a")


def test_beijing_is_five_whole_years_of_hours():
    reading = datasets.load("beijing")
    collection = collect(reading.name, reading.frame, unit=reading.unit)
    assert len(collection.values) == 43_824
    assert collection.segments == (Segment(0, 43_824),)
    assert (collection.series[0].step, collection.unit, collection.repairs.missing) == ("hour", "°C", 0)


def test_nyc_is_three_airports_with_real_gaps():
    reading = datasets.load("nyc")
    collection = collect(reading.name, reading.frame)
    assert [series.name for series in collection.series] == ["EWR", "JFK", "LGA"]
    assert collection.repairs.missing > 50
    assert [segment.start for segment in collection.segments] == list(collection.offsets[:-1])


def test_jfk_has_its_missing_and_doubled_hours_counted(jfk):
    reading = readers.read(jfk)
    collection = collect(reading.name, reading.frame)
    assert len(reading.frame) == 75_083
    assert (collection.repairs.missing, collection.repairs.duplicates) == (47, 11)
    assert len(collection.values) == 75_083 + 47 - 11
    assert str(collection.series[0].times[0]) == "2010-01-01T00:51:00.000000000"


@given(st.integers(0, 10**6), st.floats(0, 0.9))
def test_the_test_part_of_every_series_comes_after_its_training_part(seed, share):
    generator = np.random.default_rng(seed)
    frames = []
    for name in "abc":
        count = int(generator.integers(20, 90))
        values = np.where(generator.random(count) < 0.3, np.nan, generator.normal(size=count))
        values[[0, 1, -1]] = [1, 2, 3]
        frames.append(frame_of(pd.date_range("2020-01-01", periods=count, freq="1h"), values).assign(unique_id=name))
    collection = collect("here", pd.concat(frames), max_gap=1)
    cuts, offsets = collection.split(share), collection.offsets
    for start, cut, stop in zip(offsets, cuts, offsets[1:], strict=False):
        assert stop - cut == int((stop - start) * share)
    training = np.zeros(len(collection.values), bool)
    for segment in collection.training_segments(share):
        training[segment.start : segment.stop] = True
    expected = ~np.isnan(collection.values)
    for cut, stop in zip(cuts, offsets[1:], strict=True):
        expected[cut:stop] = False
    np.testing.assert_array_equal(training, expected)


@given(st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=30).filter(lambda v: np.std(v) > 1e-3))
def test_scaling_there_and_back_changes_nothing(values):
    column = np.array(values)[:, None]
    scaler = Standardizer().fit(column)
    scaled = scaler.transform(column)
    assert scaled.mean() == pytest.approx(0, abs=1e-6)
    assert scaled.std() == pytest.approx(1, rel=1e-6)
    np.testing.assert_allclose(scaler.inverse_transform(scaled), column, rtol=1e-9, atol=1e-6)


def test_one_series_may_rest_among_others_but_not_all():
    times = pd.date_range("2020-01-01", periods=5, freq="1h")
    rest, busy = (
        frame_of(times, values).assign(unique_id=name) for name, values in (("r", [2.0] * 5), ("b", range(5)))
    )
    assert [one.name for one in collect("here", pd.concat([rest, busy])).series] == ["r", "b"]
    with pytest.raises(DataError, match=r"here is constant \(2 throughout\); there is nothing to learn"):
        collect("here", rest)


def test_a_constant_training_part_cannot_be_scaled():
    with pytest.raises(DataError, match="is constant in its training part"):
        Standardizer().fit(np.ones((5, 1)))
    with pytest.raises(DataError, match="has no values; give a longer training part"):
        Standardizer().fit(np.full((5, 1), np.nan))


@pytest.mark.parametrize("name", datasets.names())
def test_arrays_and_frames_give_the_same_series(name):
    reading = datasets.load(name)
    by_frame = collect(name, reading.frame, unit="°C", max_gap=3)
    by_arrays = collect_readings(name, datasets.load_readings(name), unit="°C", max_gap=3)
    assert repr(by_frame) == repr(by_arrays)
    for one, other in zip(by_frame.series, by_arrays.series, strict=True):
        np.testing.assert_array_equal(one.values, other.values)
        np.testing.assert_array_equal(one.times, other.times)


def test_what_is_wrong_with_arrays_is_said_as_of_frames():
    hours = np.arange(5) * 3600 * 10**9
    rising, empty = Readings("a", hours, np.arange(5.0)), Readings("b", hours, np.full(5, np.nan))
    with pytest.raises(DataError, match=r"series 'b' of here has no values"):
        collect_readings("here", [rising, empty])
    with pytest.raises(DataError, match=r"^here has no values"):
        collect_readings("here", [empty])


@given(st.lists(st.integers(-5, 5)), st.booleans())
def test_distinct_values_are_those_of_numpy(values, ordered):
    given_values = np.array(sorted(values) if ordered else values, np.int64)
    found, counts = counted(given_values)
    expected = np.unique(given_values, return_counts=True)
    np.testing.assert_array_equal(found, expected[0])
    np.testing.assert_array_equal(counts, expected[1])


def test_a_name_that_is_not_bundled_is_answered_with_those_that_are():
    with pytest.raises(DataError, match="no bundled series 'osaka'; choose one of beijing, nyc"):
        datasets.load("osaka")


@pytest.mark.parametrize("max_gap", [0, 1, 3, 24])
@pytest.mark.parametrize("beyond", [0, 1])
def test_a_gap_of_exactly_max_gap_steps_is_filled_and_a_longer_one_is_not(max_gap, beyond):
    values = np.concatenate([np.arange(4.0), np.full(max_gap + beyond, np.nan), np.arange(4.0)])
    times = pd.date_range("2020-01-01", periods=len(values), freq="1h")
    series = regularize(frame_of(times, values), "here", "a", max_gap)
    assert len(series.segments) == 1 + beyond
    assert np.isnan(series.values).sum() == (max_gap + 1 if beyond else 0)
    segments, _ = segments_between_gaps(~np.isnan(values), max_gap)
    assert segments == series.segments
    # What goes on from earlier readings does so through a gap at its beginning too.
    segments, goes_on = segments_between_gaps(~np.isnan(values[4:]), max_gap)
    assert goes_on == (not beyond)
    assert segments[0].start == (max_gap + 1 if beyond else 0)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1.0, 1e39, 2, 3, 4], r"has the value 1e\+39; numbers up to 3.4e\+38 can be used"),
        ([1.0, -1e200, 2, 3, 4], r"has the value -1e\+200; numbers up to"),
        (
            [1e-200, 2e-200, 0, 3e-200, 0],
            "varies by 3e-200 only, too little to compute with; give its values in",
        ),
    ],
)
def test_values_too_large_or_too_small_to_compute_with_are_named(values, message):
    with pytest.raises(DataError, match=message):
        regularize(frame_of(pd.date_range("2020-01-01", periods=5, freq="1h"), values), "here", "a")


@pytest.mark.parametrize(("freq", "periods"), [("1h", 30), ("MS", 30), ("YS", 4), ("1D", 10)])
def test_times_beyond_2262_are_refused_and_not_turned_into_another_century(freq, periods):
    times = pd.date_range(end="2262-03-01", periods=periods, freq=freq).to_numpy("datetime64[ns]")
    assert (np.diff(following_times(times, 1 if freq != "YS" else 0)) > np.timedelta64(0)).all()
    with pytest.raises(DataError, match=r"10,000 steps after 226\d-.* lie beyond the year 2262, which nanosec"):
        following_times(times, 10_000)


def test_a_time_that_is_wrong_by_centuries_does_not_take_all_memory():
    times = [*pd.date_range("2020-01-01", periods=100, freq="1s"), pd.Timestamp("2200-01-01")]
    with pytest.raises(DataError, match=r"here spans 5,680,281,601 steps of a second; is one of its times wrong"):
        regularize(frame_of(times, np.arange(101.0) % 7), "here", "a")
