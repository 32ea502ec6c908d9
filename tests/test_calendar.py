"""Clock and calendar as inputs: cycles that a grid can show, and nothing else."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsuzuki.data.calendar import DAY, calendar, cycles, seasons

HOUR = DAY // 24
STEPS = st.sampled_from([HOUR // 60, HOUR // 4, HOUR, DAY, 7 * DAY, 30 * DAY])
TIMES = st.datetimes(pd.Timestamp("1950-01-01").to_pydatetime(), pd.Timestamp("2100-01-01").to_pydatetime())


@given(TIMES, STEPS)
def test_every_cycle_is_a_point_on_a_circle(time, step):
    found = calendar(np.array([time], "datetime64[ns]"), step)[0].reshape(-1, 2)
    assert len(found) == len(cycles(step))
    np.testing.assert_allclose((found.astype(np.float64) ** 2).sum(axis=1), 1, rtol=1e-5)


@given(TIMES)
def test_a_minute_changes_the_hour_and_the_year_little_even_at_midnight_and_at_new_year(time):
    times = np.array([time, time + pd.Timedelta(minutes=1)], "datetime64[ns]")
    hour, _, year = np.split(calendar(times, HOUR), 3, axis=1)
    assert np.abs(np.diff(hour, axis=0)).max() < 0.005
    # The year's length is taken as 365.2425 days: at its end the circle is up to a day open.
    assert np.abs(np.diff(year, axis=0)).max() < 0.02


@given(TIMES)
def test_the_weekday_is_pandas_weekday(time):
    sine, cosine = calendar(np.array([time], "datetime64[ns]"), DAY)[0, :2].astype(np.float64)
    angle = np.arctan2(sine, cosine) % (2 * np.pi)
    assert round(angle / (2 * np.pi) * 7) % 7 == pd.Timestamp(time).weekday()


def test_a_grid_shows_no_cycle_that_it_cannot_resolve():
    assert cycles(HOUR) == ("hour", "weekday", "day of year")
    assert cycles(DAY) == ("weekday", "day of year")
    assert cycles(7 * DAY) == ("day of year",)
    assert cycles(365 * DAY) == ()
    assert calendar(np.array(["2024-01-01"], "datetime64[ns]"), 365 * DAY).shape == (1, 0)


@pytest.mark.parametrize(
    ("step", "expected"),
    [(HOUR, (24, 168)), (HOUR // 4, (96, 672)), (DAY, (7, 365)), (7 * DAY, (52,)), (30 * DAY, (12,)), (365 * DAY, ())],
)
def test_seasons_follow_from_the_step_and_need_two_of_their_length(step, expected):
    assert seasons(step, 10_000) == expected
    assert seasons(step, 3) == ()
