"""How far readings of a stream lie ahead on grids that are uniform and on those of months and business days."""

import contextlib
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from tsuzuki.data.calendar import calendar
from tsuzuki.data.grid import BUSINESS_STEP, following_times, times_before
from tsuzuki.errors import DataError
from tsuzuki.streaming.upcoming_calendar import ahead, calendar_ahead, is_uniform, next_stamps, steps_due, steps_to

HOUR, MONTH = 3600 * 10**9, 2_629_746 * 10**9
GRIDS = {"h": HOUR, "MS": MONTH, "B": BUSINESS_STEP}


def fitted_on(freq):
    times = pd.date_range("2020-01-01", periods=14, freq=freq).to_numpy("datetime64[ns]")
    return SimpleNamespace(
        step=GRIDS[freq], ids=("a",), times=(times,), rules=SimpleNamespace(cycles=("hour", "weekday"))
    )


def test_a_grid_is_uniform_below_the_shortest_month_and_not_of_business_days():
    day = 24 * HOUR
    assert [is_uniform(step) for step in (HOUR, day, 27 * day - 1, 27 * day, MONTH, BUSINESS_STEP)] == [
        True, True, True, False, False, False
    ]  # fmt: skip


@pytest.mark.parametrize("freq", GRIDS)
@pytest.mark.parametrize("name", ["a", "new"])
def test_the_next_times_are_those_of_pandas_from_wherever_a_series_stands(freq, name):
    fitted, long = fitted_on(freq), pd.date_range("2020-01-01", periods=80, freq=freq)
    for at in (0, 5, 13, 14, 40):
        now = long[at].value
        expected = long[at + 1 : at + 8].to_numpy("datetime64[ns]")
        np.testing.assert_array_equal(ahead(fitted, name, now, 7), expected)
        for steps in range(1, 8):
            assert steps_to(fitted, name, now, long[at + steps].value) == pytest.approx(steps, abs=1e-6)
            assert steps_due(fitted, name, now, long[at + steps].value) == steps
    stamps = long[[3, 30]].to_numpy("datetime64[ns]")
    np.testing.assert_array_equal(
        next_stamps(fitted, ("x", "a", "b"), np.array([1, 2]), stamps), long[[4, 31]].to_numpy("datetime64[ns]")
    )


@pytest.mark.parametrize("freq", GRIDS)
def test_every_series_has_the_calendar_of_its_own_times_which_equal_times_share(freq):
    fitted, long = fitted_on(freq), pd.date_range("2020-01-01", periods=80, freq=freq)
    which = [9, 2, 9]
    found, place = calendar_ahead(fitted, ("a", "b", "c"), long[which].to_numpy("datetime64[ns]"), 3)
    assert len(found) == (2 if freq == "h" else 3)
    for number, at in enumerate(which):
        times = long[at + 1 : at + 4].to_numpy("datetime64[ns]")
        np.testing.assert_array_equal(found[place[number]], calendar(times, fitted.step, fitted.rules.cycles))


def test_readings_late_twice_or_beside_the_grid_are_told_apart():
    fitted, now = fitted_on("h"), pd.Timestamp("2020-01-02").value
    for minutes, steps in ((45, 1), (60, 1), (75, 1), (105, 2), (135, 2)):
        assert steps_due(fitted, "a", now, now + minutes * 60 * 10**9) == steps
    for minutes, message in (
        (0, "at 2020-01-02T00:00:00 is a second one for 2020-01-02T00:00:00, where the series stands"),
        (15, "is a second one for"),
        (-60, "at 2020-01-01T23:00:00 is late: it lies before 2020-01-02T00:00:00"),
        (80, r"lies beside the grid, \+0\.33 steps from a time that one is due"),
        (100, r"lies beside the grid, -0\.33 steps"),
    ):
        with pytest.raises(DataError, match=message):
            steps_due(fitted, "a", now, now + minutes * 60 * 10**9)


@pytest.mark.parametrize("freq", ["MS", "ME", "QS", "YS", "2MS", "B"])
@pytest.mark.parametrize("hours", [0, 9])
def test_a_grid_goes_back_as_far_as_a_moment_and_stays_the_same_grid(freq, hours):
    times = (pd.date_range("2021-01-04", periods=14, freq=freq) + pd.Timedelta(hours=hours)).to_numpy("datetime64[ns]")
    long = (pd.date_range("1980-12-20", "2040-01-01", freq=freq) + pd.Timedelta(hours=hours)).to_numpy("datetime64[ns]")
    if freq == "2MS":
        # Every other month, counted from the grid's own.
        long = np.concatenate([long, long.astype("datetime64[M]") + 1]).astype("datetime64[ns]")
    for moment in ("2021-01-10", "2021-02-01", "2020-12-31", "2019-03-01T08:00", "2005-06-17T10:30"):
        moment = np.datetime64(moment, "ns")
        found = times_before(times, moment)
        assert len(found) == len(times)
        if moment >= times[-1]:
            np.testing.assert_array_equal(found, times)
            continue
        assert found[-1] <= moment
        assert moment - found[-1] <= np.timedelta64(7 if freq == "B" else 2 * 366 + 31, "D")
        if freq != "2MS":
            at = np.searchsorted(long, found[0])
            np.testing.assert_array_equal(found, long[at : at + len(found)])
        else:
            assert set(np.diff(found.astype("datetime64[M]")).astype(int)) == {2}
    np.testing.assert_array_equal(times_before(times, times[-1]), times)
    np.testing.assert_array_equal(times_before(times, times[-1] + np.timedelta64(1, "D")), times)


def steps_left(times):
    count = 0
    with contextlib.suppress(DataError):
        while len(following_times(times, count + 1)):
            count += 1
    return count


@pytest.mark.parametrize("freq", ["h", "B", "MS", "ME"])
def test_a_grid_ends_with_the_times_that_nanoseconds_can_count(freq):
    long = pd.date_range("2260-01-01", "2262-04-10 22:00", freq=freq).to_numpy("datetime64[ns]")
    most = steps_left(long)
    with pytest.raises(DataError, match=r"steps after 2262.* lie beyond the year 2262"):
        following_times(long, most + 1)
    found = following_times(long, most)
    assert len(found) == most
    # None is of another century.
    assert (np.diff(np.concatenate([long[-1:], found])) > np.timedelta64(0, "ns")).all()
    assert most <= 26


def test_a_grid_of_four_weeks_is_none_of_months():
    times = np.datetime64("2020-01-06", "ns") + np.timedelta64(28, "D") * np.arange(16)
    expected = times[-1] + np.timedelta64(28, "D") * np.arange(1, 5)
    np.testing.assert_array_equal(following_times(times, 4), expected)
    months = pd.date_range("2021-01-31", periods=16, freq="31D").to_numpy("datetime64[ns]")
    np.testing.assert_array_equal(following_times(months, 2), months[-1] + np.timedelta64(31, "D") * np.arange(1, 3))
    # Two of a few times are as far apart as a month may be.
    few = np.array(["2021-07-01", "2021-08-01"], "datetime64[ns]")
    np.testing.assert_array_equal(following_times(few, 1), np.array(["2021-09-01"], "datetime64[ns]"))
