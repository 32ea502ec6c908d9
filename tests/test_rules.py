"""What the data say about how they are forecast, on panels of several kinds, and that a setting fixes each rule."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsuzuki.data.calendar import DAY
from tsuzuki.errors import SettingError
from tsuzuki.forecaster import Forecaster
from tsuzuki.forecasting.naive_errors import naive_errors
from tsuzuki.forecasting.rules import base_of, cycles_held, history_held, seasons_held, transform_for, wander
from tsuzuki.forecasting.transforms import transform_of

HOUR = DAY // 24


def made(kind, seed=0, points=600):
    generator = np.random.default_rng(seed)
    steps = np.arange(points)
    wave, noise = np.sin(2 * np.pi * steps / 24), generator.normal(size=points)
    return {
        "season": 20 + 5 * wave + 0.5 * noise,
        "walk": 50 + noise.cumsum(),
        "noise": noise,
        "growing": np.exp(0.003 * steps) * (10 + 3 * wave + 0.3 * noise),
        "counts": np.exp(np.sin(2 * np.pi * steps / 300)) * generator.poisson(1.0, points) * 3,
        "negative": -30 + wave + noise,
        "share": np.clip(50 + 20 * wave + 5 * noise, 0, 100),
        "constant stretches": np.where(steps // 100 % 2, 7.0, 20 + 5 * wave),
    }[kind]


@pytest.mark.parametrize(
    ("kind", "transform", "base"),
    [
        ("season", "none", 24),
        ("walk", "none", 0),
        ("noise", "none", 0),
        ("growing", "log", 24),
        ("counts", "asinh", 0),
        ("negative", "none", 0),
        ("share", "none", 24),
    ],
)
def test_base_and_transformation_follow_from_the_data(kind, transform, base):
    values = made(kind)
    assert transform_for([values], 24) == transform
    changed = transform_of(transform, [values]).forward(values, 0)
    assert base_of(changed, (24,), 24) == base


@pytest.mark.parametrize("missing", [0, 0.2])
@pytest.mark.parametrize(
    ("kind", "expected"),
    [("walk", True), ("growing", True), ("season", False), ("noise", False), ("share", False), ("negative", False)],
)
def test_series_that_do_not_come_back_to_their_level_are_told_from_those_that_do(kind, expected, missing):
    panel = [made(kind, seed) for seed in range(6)]
    for own in panel:
        own[np.random.default_rng(0).random(len(own)) < missing] = np.nan
    assert wander(panel) is expected


@pytest.mark.parametrize("kind", ["season", "growing", "counts", "negative", "share", "constant stretches"])
def test_gaps_change_no_rule_and_never_break_one(kind):
    values = made(kind)
    spoiled = values.copy()
    spoiled[np.random.default_rng(1).random(len(values)) < 0.1] = np.nan
    assert transform_for([spoiled], 24) == transform_for([values], 24)
    assert base_of(spoiled, (24,), 24) == base_of(values, (24,), 24)


@given(
    st.sampled_from(["none", "log", "asinh"]),
    st.lists(st.floats(1e-3, 1e6), min_size=1, max_size=30),
    st.integers(1, 4),
)
def test_a_transformation_is_undone(kind, values, repeats):
    given_values = np.array(values)
    transform = transform_of(kind, [given_values] * repeats)
    series = np.arange(repeats)
    rows = np.repeat(given_values[None], repeats, axis=0)
    np.testing.assert_allclose(transform.inverse(transform.forward(rows, series), series), rows, rtol=1e-9)
    np.testing.assert_allclose(transform.inverse(transform.forward(given_values, 0), 0), given_values, rtol=1e-9)


@given(st.floats(1e-3, 1e3), st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=20))
def test_below_the_least_known_value_the_logarithm_is_a_line(least, values):
    transform = transform_of("log", [np.array([least, 3 * least])])
    below = least * np.minimum(np.array(values), 1)
    said = transform.forward(below, 0)
    np.testing.assert_allclose(said, np.log(least) + below / least - 1, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(transform.inverse(said, 0), below, rtol=1e-9, atol=1e-9 * least)
    # No step and no bend where the line begins.
    near = transform.forward(least * np.array([1 - 1e-6, 1, 1 + 1e-6]), 0)
    np.testing.assert_allclose(np.diff(near), 1e-6, rtol=1e-3)


def test_intervals_do_not_vanish_where_a_series_falls_below_all_that_was_known():
    """Errors of two per cent, and a level that falls to a hundredth of the least one of training."""
    rng = np.random.default_rng(0)
    known = 50 * np.exp(0.02 * rng.normal(size=300))
    transform = transform_of("log", [known])
    width = np.diff(transform.inverse(transform.forward(0.5, 0) + np.array([-0.02, 0.02]), 0))
    np.testing.assert_allclose(width, 0.04 * known.min(), rtol=1e-6)


def test_a_calendar_that_the_data_cannot_teach_is_no_input():
    assert cycles_held(HOUR, 24 * 2) == ()
    assert cycles_held(HOUR, 24 * 20) == ("hour",)
    assert cycles_held(HOUR, 24 * 30) == ("hour", "weekday")
    assert cycles_held(DAY, 365 * 2) == ("weekday",)
    assert cycles_held(DAY, 365 * 3) == ("weekday", "day of year")


@given(st.sampled_from([HOUR // 12, HOUR // 4, HOUR, DAY, 7 * DAY, 30 * DAY]), st.integers(2, 5000))
def test_a_window_holds_every_season_and_never_more_than_the_data(step, points):
    seasons = seasons_held(step, points)
    size = history_held(seasons, points)
    assert all(season <= size for season in seasons)
    assert 2 <= size <= max(2, points // 2)


@pytest.mark.parametrize(
    ("setting", "value", "rule", "expected"),
    [
        ("transform", "asinh", "transform", "asinh"),
        ("base", "last", "bases", (0,)),
        ("base", "season", "bases", (24,)),
        ("cycles", ["weekday", "hour"], "cycles", ("hour", "weekday")),
        ("cycles", "day of year", "cycles", ("day of year",)),
        ("with_calendar", False, "cycles", ()),
    ],
)
def test_a_setting_fixes_a_rule(setting, value, rule, expected):
    series = pd.Series(made("season", points=450), pd.date_range("2024-01-01", periods=450, freq="h"), name="a")
    fitted = Forecaster(4, units=3, ensemble=1, epochs=1, **{setting: value}).fit(series)
    assert getattr(fitted.fitted.rules, rule) == expected
    assert np.isfinite(fitted.predict()["tsuzuki"]).all()


@pytest.mark.parametrize("name", ["base", "transform", "loss"])
def test_a_rule_that_does_not_exist_is_refused(name):
    with pytest.raises(SettingError, match="cycles hold 'month'; choose among hour, weekday, day of year"):
        Forecaster(2, cycles=["hour", "month"])
    with pytest.raises(SettingError, match=f"{name} is 'best'; choose "):
        Forecaster(2, **{name: "best"})


@pytest.mark.parametrize("kind", ["noise", "growing", "counts", "negative", "share", "constant stretches"])
def test_forecasts_of_every_kind_stream_as_they_are_predicted(kind):
    values = made(kind)
    series = pd.Series(values, pd.date_range("2024-01-01", periods=600, freq="h"), name="a")
    fitted = Forecaster(6, units=4, ensemble=2, epochs=1).fit(series[:500])
    stream, bank = fitted.stream(), fitted.bank()
    for value in values[500:]:
        found = stream.update(value)
        by_bank = bank.update([value])
    expected = fitted.predict(series)["tsuzuki"]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(by_bank[0], expected, rtol=1e-4, atol=1e-4)


def test_the_transformation_is_the_same_in_every_unit():
    generator = np.random.default_rng(0)
    level = np.repeat(np.exp(generator.normal(0, 1, 60)), 24)
    values = level * (1 + 0.1 * generator.random(len(level)))
    assert [transform_for([unit * values], 24) for unit in (1e-6, 1.0, 1e6)] == ["log"] * 3


def naive_error(values, season, horizon):
    """The slow twin, and what `naive_errors` is named after."""
    ahead = np.arange(1, horizon + 1)
    back = ahead - season * -(-ahead // season) if season else 0 * ahead
    origins = np.arange(max(season, 1), len(values))
    origins = origins[np.linspace(0, len(origins) - 1, min(300, len(origins))).astype(np.int64)]
    target = origins[:, None] + ahead - 1
    errors = np.abs(values[np.minimum(target, len(values) - 1)] - values[origins[:, None] - 1 + back])
    errors = errors[(target < len(values)) & np.isfinite(errors)]
    return errors.mean() if len(errors) else np.inf


@given(
    st.lists(st.integers(1, 900), min_size=1, max_size=4), st.integers(1, 60), st.integers(1, 40), st.integers(0, 99)
)
def test_naive_forecasts_of_many_series_err_as_each_by_itself(sizes, horizon, season, seed):
    rng = np.random.default_rng(seed)
    series = [np.where(rng.random(size) < rng.choice([0, 0.1, 0.9]), np.nan, rng.normal(size=size)) for size in sizes]
    edges = np.concatenate([[0], np.cumsum(sizes)])
    found = naive_errors(np.concatenate(series), edges, (0, season, 168), horizon)
    wanted = [[naive_error(own, one, horizon) for one in (0, season, 168)] for own in series]
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
