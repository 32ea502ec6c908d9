"""The references against plain twins, one origin and one step at a time."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tsuzuki.data.calendar import DAY, calendar
from tsuzuki.data.covariates import CovariateSeries
from tsuzuki.data.segments import Segment
from tsuzuki.forecasting.references import NEAR_DAYS, RIDGE_PENALTY, references

HOUR = DAY // 24


def source_of(values, start="2023-11-20", step="h"):
    times = pd.date_range(start, periods=len(values), freq=step).to_numpy("datetime64[ns]")
    return CovariateSeries("a", values, times, (Segment(0, len(values)),), np.zeros((len(values), 0)))


def noisy(points, seed=0):
    generator = np.random.default_rng(seed)
    values = np.cumsum(generator.normal(size=points)) + 4 * np.sin(np.arange(points) * 2 * np.pi / 24)
    values[generator.random(points) < 0.05] = np.nan
    values[0] = 1.0
    return values


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(700, 900), st.integers(1, 30), st.integers(0, 40))
def test_simple_references_are_what_their_names_say(seed, cut, horizon, later):
    source = source_of(noisy(1000, seed))
    known = cut + later
    found = references(source, cut, np.array([cut, known]), horizon, HOUR)
    filled = pd.Series(source.values).ffill().to_numpy()
    assert set(found) >= {"persistence", "seasonal-naive-24", "seasonal-naive-168", "drift", "climatology"}
    for h in range(1, horizon + 1):
        assert found["persistence"][1, h - 1] == filled[known - 1]
        for season in (24, 168):
            place = known - 1 + h
            while place >= known:
                place -= season
            assert found[f"seasonal-naive-{season}"][1, h - 1] == filled[place]
        slope = (filled[known - 1] - filled[0]) / (known - 1)
        assert found["drift"][1, h - 1] == pytest.approx(filled[known - 1] + h * slope)


def test_climatology_is_the_mean_of_the_hour_on_the_days_around():
    source = source_of(noisy(24 * 500), start="2022-01-10")
    cut, horizon = 24 * 450, 6
    found = references(source, cut, np.array([cut]), horizon, HOUR)["climatology"][0]
    stamps = pd.DatetimeIndex(source.times)
    for h in range(horizon):
        at = stamps[cut + h]
        apart = np.abs((stamps[:cut].day_of_year.to_numpy() - at.day_of_year + 183) % 366 - 183)
        chosen = (stamps[:cut].hour == at.hour) & (apart <= NEAR_DAYS)
        assert found[h] == pytest.approx(np.nanmean(source.values[:cut][chosen]))


def test_climatology_of_seconds_is_the_mean_of_the_minute():
    """A table by seconds took a gigabyte and 50 s for any series."""
    source = source_of(np.arange(200.0) % 7, step="s")
    # 180 seconds are known: three whole minutes of one day, and nothing of the fourth.
    found = references(source, 180, np.array([180]), 90, DAY // 86400)["climatology"][0]
    np.testing.assert_allclose(found, source.values[:180].mean())
    source = source_of(np.concatenate([np.full(60, 3.0), np.full(60, 5.0), np.full(80, 4.0)]), step="s")
    again = references(source, 90, np.array([90]), 60, DAY // 86400)["climatology"][0]
    np.testing.assert_allclose(again[:30], 5.0)
    np.testing.assert_allclose(again[30:], source.values[:90].mean())


def test_ridge_is_the_penalised_least_squares_fit_of_the_changes():
    source = source_of(noisy(1500))
    cut, horizon, lags = 1400, 3, 336
    found = references(source, cut, np.array([cut, 1450]), horizon, HOUR)["ridge"]
    filled = pd.Series(source.values).ffill().to_numpy()
    mean, scale = filled[:cut].mean(), filled[:cut].std()
    z, clock = (filled - mean) / scale, calendar(source.times, HOUR).astype(np.float64)

    def row(known):
        return np.concatenate([z[known - lags : known] - z[known - 1], clock[known - 1], [1.0]])

    origins = range(lags, cut - horizon + 1)
    x = np.array([row(known) for known in origins])
    # The penalty as rows of data: a solution by another way.
    heavy = np.concatenate([x, np.sqrt(RIDGE_PENALTY) * np.eye(x.shape[1])])
    for h in range(horizon):
        y = np.array([z[known + h] - z[known - 1] for known in origins])
        weights, *_ = np.linalg.lstsq(heavy, np.concatenate([y, np.zeros(x.shape[1])]), rcond=None)
        for place, known in enumerate((cut, 1450)):
            expected = (row(known) @ weights + z[known - 1]) * scale + mean
            assert found[place, h] == pytest.approx(expected, rel=1e-6)


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_nothing_after_an_origin_moves_a_reference_there(seed):
    values = noisy(1000, seed)
    spiked = values.copy()
    spiked[905:] = 1e6
    origins, cut = np.array([880, 890, 905]), 880
    usual, after = (references(source_of(some), cut, origins, 8, HOUR) for some in (values, spiked))
    for name in usual:
        np.testing.assert_array_equal(usual[name], after[name], err_msg=name)


def test_references_that_a_short_series_does_not_allow_are_left_out():
    found = references(source_of(noisy(30)), 20, np.array([20, 25]), 3, HOUR)
    assert "seasonal-naive-24" not in found
    assert {"persistence", "drift"} <= set(found)
    assert all(np.isfinite(values).all() for values in found.values())
