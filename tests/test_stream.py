"""A stream never recomputes the past, and never differs from one that does."""

import sys
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tsuzuki.errors import DataError, FileError, SettingError
from tsuzuki.forecaster import Forecaster
from tsuzuki.streaming import quick_reading
from tsuzuki.streaming.quick_reading import takes_none

START = 24 * 50
WALK = pd.Series(
    np.cumsum(np.random.default_rng(2).normal(size=150)), pd.date_range("2024-01-01", periods=150, freq="h")
)
SMALL = {"units": 5, "layers": 1, "head": 0, "ensemble": 1, "epochs": 1}


def same(forecaster):
    """A forecaster that stands where this one does."""
    found = Forecaster(forecaster.settings.horizon)
    found.settings, found.fitted = forecaster.settings, forecaster.fitted
    return found


@settings(max_examples=25)
@given(st.integers(START + 1, 24 * 60 - 1), st.lists(st.integers(START, 24 * 60 - 1), max_size=80), st.booleans())
def test_a_stream_forecasts_what_predict_does_at_any_point_and_over_missing_readings(
    daily, small_forecaster, stop, missing, by_time
):
    series = daily.copy()
    series.iloc[missing] = np.nan
    # predict knows how far time has gone by the last reading.
    series.iloc[stop - 1] = 12.5
    stream = small_forecaster.stream()
    for time, value in series.iloc[START:stop].items():
        if by_time and not np.isnan(value):
            found = stream.update(value, time)
        elif not by_time:
            found = stream.update(None if np.isnan(value) else value)
    expected = small_forecaster.predict(series[:stop])
    np.testing.assert_allclose(found, expected["tsuzuki"], rtol=1e-4, atol=1e-4)
    shown = stream.predict()
    assert shown["ds"].tolist() == expected["ds"].tolist()
    columns = expected.columns[2:]
    np.testing.assert_allclose(shown[columns], expected[columns], rtol=1e-4, atol=1e-4)


@settings(max_examples=15)
@given(st.integers(6, 400), st.integers(1, 60))
def test_behind_a_gap_longer_than_max_gap_a_stream_begins_anew_as_predict_does(daily, small_forecaster, gap, more):
    times = pd.date_range(daily.index[START - 1], periods=gap + more + 1, freq="h")[gap + 1 :]
    later = pd.Series(np.sin(np.arange(more)) + 10, times, name="sensor")
    stream = small_forecaster.stream()
    for time, value in later.items():
        found = stream.update(value, time)
    np.testing.assert_allclose(found, small_forecaster.predict(later)["tsuzuki"], rtol=1e-4, atol=1e-4)
    by_none = small_forecaster.stream()
    for value in [None] * gap + list(later):
        again = by_none.update(value)
    np.testing.assert_allclose(again, found, rtol=1e-4, atol=1e-4)


@settings(max_examples=20)
@given(st.integers(0, 150), st.integers(1, 150))
def test_a_saved_stream_goes_on_elsewhere_bit_for_bit(tmp_path_factory, daily, small_forecaster, first, later):
    path = tmp_path_factory.mktemp("stream") / "osaka.state"
    values = [None if np.isnan(value) else value for value in daily.iloc[START:]] + [11.0] * 100
    stream = small_forecaster.stream()
    for value in values[:first]:
        stream.update(value)
    stream.save(path)
    assert path.stat().st_size < 5000
    other = small_forecaster.stream().load(path)
    np.testing.assert_array_equal(other.forecast(), stream.forecast())
    for value in values[first : first + later]:
        np.testing.assert_array_equal(stream.update(value), other.update(value))
    assert stream.time == other.time


def test_late_repeated_and_odd_times_are_named_and_leave_the_stream_where_it_was(small_forecaster):
    stream = small_forecaster.stream()
    now = pd.Timestamp(stream.time)
    stream.update(10.0, now + pd.Timedelta(hours=1))
    before, forecast = stream.time, stream.forecast().copy()
    for time, message in (
        (before, "is a second one for 2024-02-20T00:00:00, where the series stands; leave it out"),
        (now - pd.Timedelta(hours=5), "is late: it lies before"),
        (now + pd.Timedelta(hours=2, minutes=30), r"lies beside the grid, .* steps from a time that one is due"),
        ("soon", "'soon' is no time; give one such as"),
    ):
        with pytest.raises(DataError, match=message):
            stream.update(99.0, time)
    for later in (None, now + pd.Timedelta(hours=4)):
        with pytest.raises(DataError, match="infinite; give None"):
            stream.update(float("inf"), later)
    with pytest.raises(DataError, match="is no time; give one such as"):
        stream.update(1.0, "")
    for value in ("21.4", [1.0], 10**400):
        with pytest.raises(DataError, match="is no number; give a float, or None where it is missing"):
            stream.update(value)
    assert stream.time == before
    np.testing.assert_array_equal(stream.forecast(), forecast)


def test_a_reading_a_little_off_the_hour_is_taken_as_the_hours(small_forecaster):
    one, other = small_forecaster.stream(), small_forecaster.stream()
    due = pd.Timestamp(one.time) + pd.Timedelta(hours=1)
    np.testing.assert_array_equal(one.update(9.0, due + pd.Timedelta(minutes=9)), other.update(9.0, due))
    assert one.time == np.datetime64(due)


def test_streams_leave_the_forecaster_and_one_another_alone(small_forecaster):
    before = small_forecaster.predict()
    one, other = small_forecaster.stream(), small_forecaster.stream()
    for _ in range(30):
        one.update(50.0)
    np.testing.assert_allclose(other.forecast(), before["tsuzuki"], rtol=1e-5)
    pd.testing.assert_frame_equal(small_forecaster.predict(), before)


def test_every_month_has_its_own_length():
    months = pd.Series(np.sin(np.arange(120)), pd.date_range("2010-01-01", periods=120, freq="MS"), name="a")
    forecaster = Forecaster(3, **SMALL).fit(months[:60])
    stream = forecaster.stream()
    for time, value in months[60:].items():
        found = stream.update(value, time)
    assert stream.time == np.datetime64("2019-12-01")
    np.testing.assert_allclose(found, forecaster.predict(months)["tsuzuki"], rtol=1e-4, atol=1e-5)
    assert stream.predict()["ds"].tolist() == list(pd.date_range("2020-01-01", periods=3, freq="MS"))


def test_quantile_heads_stream_like_they_predict(daily):
    forecaster = Forecaster(2, **SMALL, quantiles=(0.1, 0.5, 0.9)).fit(daily[:START])
    stream = forecaster.stream()
    for value in daily.iloc[START : START + 20]:
        stream.update(value)
    last = START + 20
    while np.isnan(daily.iloc[last]):
        stream.update(None)
        last += 1
    stream.update(daily.iloc[last])
    expected = forecaster.predict(daily[: last + 1], levels=(80,))
    np.testing.assert_allclose(
        stream.predict(levels=(80,))[expected.columns[2:]], expected[expected.columns[2:]], rtol=1e-4
    )


def test_states_of_another_model_or_series_are_refused(tmp_path, daily, small_forecaster):
    small_forecaster.stream().save(tmp_path / "s.state")
    other = Forecaster(4, **SMALL).fit(daily)
    with pytest.raises(FileError, match=r"s\.state holds the states of another model; load them with the model that"):
        other.stream().load(tmp_path / "s.state")
    small_forecaster.bank(["x"]).save(tmp_path / "b.state")
    with pytest.raises(FileError, match=r"b\.state holds the states of other series; make the bank of the same ids"):
        small_forecaster.stream().load(tmp_path / "b.state")


def test_a_stream_of_many_series_must_be_told_which(daily):
    frame = pd.concat(
        [pd.DataFrame({"unique_id": name, "ds": daily.index, "y": daily.to_numpy(), "wind": 1.0}) for name in "ab"]
    )
    forecaster = Forecaster(2, **SMALL).fit(frame)
    with pytest.raises(SettingError, match="the forecaster knows 2 series; name one: unique_id='a'"):
        forecaster.stream()
    with pytest.raises(SettingError, match=r"series 'c' is not known .a, b.; use a bank for new series"):
        forecaster.stream("c")
    assert forecaster.stream("b").forecast().shape == (2,)


@pytest.fixture(scope="module")
def alone():
    """One network without a committee."""
    return Forecaster(2, committee=False, **SMALL).fit(WALK)


READINGS = st.lists(
    st.sampled_from([1.5, -3.25, 8, True, None, float("nan"), 2e9, np.float64(4.5), np.float32(0.5), 1e300, "x", 0.1]),
    min_size=1,
    max_size=40,
)


@settings(max_examples=30)
@given(READINGS)
def test_readings_that_compiled_code_takes_leave_the_bits_of_those_that_python_takes(alone, readings):
    quick, slow = alone.stream(), alone.stream()
    assert takes_none not in (quick._quick, quick._update_quickly)
    slow._quick = slow._update_quickly = takes_none

    def said(stream, value):
        try:
            return stream.update(value).tobytes(), stream.at, stream.now
        except DataError as error:
            return str(error)

    for value in readings:
        assert said(quick, value) == said(slow, value)


def test_a_quick_reading_counts_who_holds_true_and_false_as_python_does(alone):
    stream = alone.stream()
    before = sys.getrefcount(True), sys.getrefcount(False)
    for _ in range(2000):
        stream._quick(1.0)
        stream.resume()
        stream._quick("no float")
    assert np.abs(np.subtract((sys.getrefcount(True), sys.getrefcount(False)), before)).max() < 50
    assert stream._quick(np.float64(1.0)) is True
    assert stream._quick(np.float32(1.0)) is False
    assert stream._quick() is False
    assert stream._quick(1.0, 2.0) is False


def test_another_interpreter_takes_readings_in_python(alone, monkeypatch):
    monkeypatch.setattr(quick_reading, "can_be_called", lambda: False)
    assert alone.stream()._quick is takes_none


@pytest.mark.parametrize("committee", [False, True])
def test_a_stream_that_learns_learns_from_each_reading(committee):
    stream = Forecaster(2, committee=committee, **SMALL).fit(WALK).stream(learn=True, learning_rate=0.01)
    weights = []
    for value in np.random.default_rng(3).normal(size=4):
        stream.update(value)
        weights.append(np.concatenate([array.ravel() for array in stream.weights()[0]]))
    assert stream.report().readings == 4
    assert all((before != after).any() for before, after in pairwise(weights))
