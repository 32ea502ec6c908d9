"""Exponential smoothing as one matrix against the recursion written out, value by value."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsuzuki.data.segments import Segment
from tsuzuki.forecasting.history import differences, history_of
from tsuzuki.forecasting.smoothing import Constants, smoothing_map, smoothing_maps

SHARES = st.floats(0.01, 0.99)


def written_out(values, horizon, one, season):
    first = max(1, season)
    level, trend = float(np.mean(values[:first])), 0.0
    if one.line:
        trend, at_first = np.polyfit(np.arange(min(10, len(values))), values[:10], 1)
        level = at_first + one.level * (values[0] - at_first)
    shape = [value - level for value in values[:first]] if season else [0.0]
    if season and one.damping:
        trend = (float(np.mean(values[first : 2 * first])) - level) / first
    for step in range(first, len(values)):
        surprise = values[step] - shape[step % first] - level - one.damping * trend
        level = level + one.damping * trend + one.level * surprise
        trend = one.damping * trend + one.trend * one.level * surprise
        if season:
            shape[step % first] += one.season * (1 - one.level) * surprise
    slope = np.polyfit(np.arange(len(values)), values, 1)[0] / 2 if one.slope else 0.0
    found, growth = [], 0.0
    for ahead in range(1, horizon + 1):
        growth += one.damping**ahead * trend + slope
        found.append(level + growth + shape[(len(values) + ahead - 1) % first])
    return np.array(found)


@given(st.integers(0, 2**32 - 1), st.integers(8, 40), st.integers(1, 9), st.sampled_from([0, 3, 4]), st.data())
def test_the_matrix_says_what_the_recursion_says(seed, size, horizon, season, data):
    values = np.random.default_rng(seed).normal(size=size).cumsum()
    one = Constants(
        data.draw(SHARES),
        data.draw(SHARES),
        data.draw(st.sampled_from([0.0, 0.9, 0.98])),
        data.draw(SHARES) if season else 0.0,
        data.draw(st.booleans()),
        data.draw(st.booleans()) if not season else False,
    )
    window = values.astype(np.float32)[None]
    found = differences(window) @ smoothing_map(size, horizon, one, season) + window[:, -1:]
    np.testing.assert_allclose(found[0], written_out(values, horizon, one, season), atol=2e-3)


def history(values, size):
    return history_of(np.asarray(values, np.float32), (Segment(0, len(values)),), 0, size)


@pytest.mark.parametrize("kind", ["level", "line", "season"])
def test_the_constants_are_those_that_the_series_asks_for(kind):
    steps, noise = np.arange(120), np.random.default_rng(3).normal(size=120)
    values = {"level": noise, "line": 0.5 * steps + 0.1 * noise, "season": 5 * np.sin(steps * np.pi / 3) + 0.3 * noise}
    own = history(values[kind][:-6], 60)
    maps = smoothing_maps([own], 6, (6,), np.ones(1))
    assert list(maps) == ["smoothing", "smoothing-6"]
    window = own.last()[None]
    said = {name: (differences(window) @ one + window[:, -1:])[0] for name, one in maps.items()}
    ahead = steps[-6:]
    if kind == "level":
        assert np.abs(said["smoothing"]).max() < 1
    elif kind == "line":
        np.testing.assert_allclose(said["smoothing"], 0.5 * ahead, atol=1.5)
    else:
        np.testing.assert_allclose(said["smoothing-6"], 5 * np.sin(ahead * np.pi / 3), atol=1)


def test_a_line_under_noise_goes_on_where_it_is_short():
    """Smoothing that begins with no trend would see too little of it in eighteen values."""
    noise = np.random.default_rng(5).normal(size=36)
    values = 20 + 2.0 * np.arange(36) + noise
    own = history(values[:30], 18)
    one, window = smoothing_maps([own], 6, (), np.ones(1))["smoothing"], own.last()[None]
    said = (differences(window) @ one + window[:, -1:])[0]
    np.testing.assert_allclose(said, 20 + 2.0 * np.arange(30, 36), atol=1.5)


@pytest.mark.parametrize("points", [2, 3, 5])
def test_hardly_any_values_give_finite_forecasts_or_none(points):
    own = history(np.arange(points), 4)
    for one in smoothing_maps([own], 3, (2,), np.ones(1)).values():
        assert np.isfinite(one).all()
