"""Exponential smoothing with states of its own, averaged: against recursions written out and regressions by NumPy."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tsuzuki import Forecaster, load
from tsuzuki.data.calendar import DAY
from tsuzuki.data.segments import Segment
from tsuzuki.forecasting import state_space
from tsuzuki.forecasting.committee import Committee
from tsuzuki.forecasting.conformal_intervals import PROBABILITIES, calibrate
from tsuzuki.forecasting.history import differences, history_of
from tsuzuki.forecasting.rules import held_whole
from tsuzuki.forecasting.seasonal_profile import no_profiles
from tsuzuki.forecasting.settings import Settings
from tsuzuki.forecasting.smoothing import Constants
from tsuzuki.forecasting.state_space import averaged_smoothing, joined


def surprises(values, first, one, season, trend):
    """Errors one step ahead and the states behind them, of one model from its first states."""
    level, slope = first[0], first[1] if trend else 0.0
    shape = [*first[1 + trend :], -np.sum(first[1 + trend :])]
    found = []
    for step, value in enumerate(values):
        found.append(value - level - one.damping * slope - shape[step % season])
        level += one.damping * slope + one.level * found[-1]
        slope = one.damping * slope + one.trend * one.level * found[-1]
        shape[step % season] += one.season * (1 - one.level) * found[-1]
    return np.array(found), level, slope, shape


def written_out(values, horizon, one, season, trend):
    """Forecasts of one model, whose first states leave the least squares, and these squares."""
    states = trend + season
    nothing = surprises(values, np.zeros(states), one, season, trend)[0]
    moved = np.stack([surprises(values, unit, one, season, trend)[0] - nothing for unit in np.eye(states)], axis=1)
    first = np.linalg.lstsq(moved, -nothing, rcond=None)[0]
    errors, level, slope, shape = surprises(values, first, one, season, trend)
    found, growth = [], 0.0
    for ahead in range(1, horizon + 1):
        growth += one.damping**ahead * slope
        found.append(level + growth + shape[(len(values) + ahead - 1) % season])
    return np.array(found), (errors**2).sum()


@settings(max_examples=15)
@given(st.integers(0, 2**32 - 1), st.integers(14, 30), st.integers(1, 7), st.sampled_from([1, 4]), st.booleans())
def test_each_model_forecasts_what_its_recursion_says_from_the_best_first_states(seed, size, horizon, season, trend):
    draw = np.random.default_rng(seed)
    values = draw.normal(size=size).cumsum()
    families = state_space._families(season)
    family = next(one for one in families if one.season == season and one.trend == trend)
    first, squares = state_space._fit(family, values)
    said = state_space._forecasts(family, values, first, horizon)
    for model in draw.integers(0, len(family.constants), 3):
        expected, least = written_out(values, horizon, family.constants[model], season, trend)
        np.testing.assert_allclose(said[model, -1], expected, rtol=1e-4, atol=1e-4)
        assert squares[model] == pytest.approx(least, rel=1e-4, abs=1e-6)
        alone = state_space._Family((family.constants[model],), season, trend, family.parameters[[model]])
        mapped = state_space._map(alone, size, horizon, np.ones(1)) @ values
        np.testing.assert_allclose(mapped, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("season", [1, 3])
def test_variances_grow_as_an_error_moves_all_that_follow_it(season):
    one = Constants(0.4, 0.3, 0.9, 0.2 if season > 1 else 0.0)
    family = state_space._Family((one,), season, True, np.array([9]))
    _, level, slope, shape = surprises([1.0], np.zeros(1 + season), one, season, True)
    later = [
        level + sum(one.damping**k * slope for k in range(1, ahead + 1)) + shape[ahead % season]
        for ahead in range(1, 8)
    ]
    expected = 1 + np.concatenate([[0], np.cumsum(np.square(later))])
    np.testing.assert_allclose(state_space._growth(family, 8)[0], expected)


def test_parameters_are_counted_as_the_literature_does():
    counts = [sorted(set(own.parameters.tolist())) for own in state_space._families(12)]
    # ETS(A,N,N), (A,A,N) and (A,Ad,N), (A,N,A), (A,A,A) and (A,Ad,A) of 12 months, each with its variance.
    assert counts == [[3], [5, 6], [15], [17, 18]]


def history(values):
    return history_of(np.asarray(values, np.float32), (Segment(0, len(values)),), 0, len(values))


@pytest.mark.parametrize("kind", ["line", "season", "walk"])
def test_models_that_fit_are_trusted(kind):
    draw, steps = np.random.default_rng(8), np.arange(42)
    noise = draw.normal(size=42)
    values = {
        "line": 2.0 * steps + noise,
        "season": 10 * np.sin(steps * np.pi / 3) + 0.3 * noise,
        "walk": 3 * noise.cumsum(),
    }
    own = history(values[kind][:36])
    found = averaged_smoothing(own, 6, (6,))
    window = own.last()[None]
    said = (differences(window) @ found.map + window[:, -1:])[0]
    ahead = steps[36:]
    if kind == "line":
        np.testing.assert_allclose(said, 2.0 * ahead, atol=2)
    elif kind == "season":
        np.testing.assert_allclose(said, 10 * np.sin(ahead * np.pi / 3), atol=1)
    else:
        np.testing.assert_allclose(said, window[0, -1], atol=6)
    assert np.isfinite(found.errors).tolist() == [[place + lead < 36 for lead in range(1, 7)] for place in range(36)]


@settings(max_examples=10)
@given(st.integers(0, 2**32 - 1), st.floats(-1e4, 1e4), st.floats(1e-3, 1e3))
def test_forecasts_and_intervals_move_and_stretch_with_the_series(seed, moved, stretched):
    values = np.random.default_rng(seed).normal(size=24).cumsum()
    one, other = (averaged_smoothing(history(own), 3, ()) for own in (values, moved + stretched * values))
    # The history keeps 32 bits.
    rounding = 1e-6 * (abs(moved) / stretched + 10)
    np.testing.assert_allclose(one.map, other.map, atol=2e-3 + 50 * rounding)
    if abs(moved) < 100 * stretched:
        np.testing.assert_allclose(stretched * one.calibration.offsets, other.calibration.offsets, rtol=2e-2, atol=1e-6)


def test_intervals_widen_ahead_and_outwards():
    values = np.random.default_rng(2).normal(size=30).cumsum()
    offsets = averaged_smoothing(history(values), 5, ()).calibration.offsets[0]
    assert (np.diff(offsets, axis=0) > 0).all()
    outer = PROBABILITIES > 0.55
    assert (np.diff(offsets[outer], axis=1) > 0).all()


def test_a_series_without_change_has_a_forecast_without_error():
    found = averaged_smoothing(history(np.zeros(12)), 2, ())
    assert np.isfinite(found.map).all()
    assert np.abs(found.calibration.offsets).max() < 1e-3


def test_only_the_last_stretch_is_read_and_nine_readings_are_too_few():
    draw = np.random.default_rng(4)
    values = np.concatenate([draw.normal(size=20), np.full(9, np.nan), 50 + draw.normal(size=16)]).astype(np.float32)
    own = history_of(values, (Segment(0, 20), Segment(29, 45)), 0, 45)
    found = averaged_smoothing(own, 2, ())
    assert not found.map[: 45 - 16].any()
    assert found.map[45 - 16 :].any(axis=1).all()
    assert averaged_smoothing(history(values[:9]), 2, ()) is None


@pytest.fixture(scope="module")
def months():
    steps = np.arange(48)
    values = 100 + steps + 8 * np.sin(steps * np.pi / 6) + np.random.default_rng(6).normal(0, 2, 48)
    return pd.DataFrame({"unique_id": "a", "ds": pd.date_range("2020-01-01", periods=48, freq="MS"), "y": values})


@pytest.fixture(scope="module")
def made(months):
    return Forecaster(3, ensemble=1, epochs=2).fit(months[:40])


def test_models_with_states_join_the_committee_of_a_short_series(made, tmp_path):
    shares = made.weights_["state space"].to_numpy()
    assert (shares > 0.1).all()
    assert (made.weights_.sum(axis=1) <= 1 + 1e-6).all()
    assert made.fitted.windows.shape == (1, 40)
    made.save(tmp_path / "model.tsuzuki")
    pd.testing.assert_frame_equal(load(tmp_path / "model.tsuzuki").predict(), made.predict())


@pytest.mark.parametrize(("times", "share"), [(1.0, 0.5), (2.0, 1 / (1 + np.exp(-4))), (0.5, 1 / (1 + np.exp(4)))])
def test_each_side_has_a_share_by_its_errors(times, share):
    values = np.random.default_rng(1).normal(size=20).cumsum()
    averaged = averaged_smoothing(history(values), 2, ())
    places = np.arange(10, 17)
    maps = np.ones((1, 20, 2), np.float32)
    weights = np.full((1, 1, 2), 0.75)
    # Their errors count 1.15 times.
    times /= 1.15
    none = no_profiles(1), np.zeros((1, 0, 2))
    others = Committee(("network",), weights, maps, np.zeros(1, np.int64), np.ones(1, np.float32), (0,), *none)
    own = averaged.errors[places]
    together, calibration, errors = joined(averaged, others, -times * own, places)
    assert together.members == ("network", "state space")
    np.testing.assert_allclose(together.weights[0], [[0.75 * (1 - share)] * 2, [share] * 2], rtol=1e-5)
    np.testing.assert_allclose(together.maps[0], share * averaged.map + (1 - share), rtol=1e-5)
    left = share - (1 - share) * times
    np.testing.assert_allclose(errors[0], left * own, rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(
        calibration.offsets, np.sqrt(abs(left)) * averaged.calibration.offsets, rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize(("points", "half"), [(100, False), (101, True)])
def test_errors_of_more_points_give_half_of_the_percentiles(points, half):
    averaged = averaged_smoothing(history(np.random.default_rng(1).normal(size=points).cumsum()), 2, ())
    maps, weights, places = np.zeros((1, points, 2), np.float32), np.full((1, 1, 2), 1.0), np.arange(50, points)
    none = no_profiles(1), np.zeros((1, 0, 2))
    others = Committee(("network",), weights, maps, np.zeros(1, np.int64), np.ones(1, np.float32), (0,), *none)
    _, calibration, errors = joined(averaged, others, averaged.errors[places], places)
    offsets = averaged.calibration.offsets
    expected = (offsets + calibrate(errors).offsets) / 2 if half else offsets
    np.testing.assert_allclose(calibration.offsets, expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("points", "step", "whole"),
    [([9], DAY, False), ([10], DAY, True), ([250], DAY, True), ([251], DAY, False), ([40, 40], DAY, False),
     ([100], DAY // 24, True), ([101], DAY // 24, False)],
)  # fmt: skip
def test_a_window_holds_a_short_series_that_stands_alone(points, step, whole):
    assert held_whole(points, step, Settings(3)) == whole


def test_a_backtest_says_what_updates_say(made, months):
    table = Forecaster(3, ensemble=1, epochs=2).backtest(months, windows=6, step=1)
    later = Forecaster(3, ensemble=1, epochs=2).fit(months[:40])
    for before, cut in ((39, 40), (40, 42), (42, 45)):
        later.update(months[before:cut])
        own = table[table["cutoff"] == months["ds"][cut - 1]]
        np.testing.assert_allclose(later.predict()["tsuzuki"], own["tsuzuki"], rtol=1e-5)


@pytest.mark.parametrize("settings", [{"committee": False}, {"quantiles": (0.1, 0.5, 0.9)}, {"loss": "gaussian"}])
def test_networks_that_were_asked_for_stay(months, settings):
    own = Forecaster(3, ensemble=1, epochs=2, **settings).fit(months[:40])
    assert own.fitted.windows.shape[1] < 40
