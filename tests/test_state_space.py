"""Exponential smoothing with states of its own, averaged: against recursions written out and regressions by NumPy."""

from dataclasses import replace

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
from tsuzuki.forecasting.conformal_intervals import PROBABILITIES, Calibration, calibrate
from tsuzuki.forecasting.history import differences, history_of
from tsuzuki.forecasting.rules import held_whole
from tsuzuki.forecasting.seasonal_profile import no_profiles
from tsuzuki.forecasting.settings import Settings
from tsuzuki.forecasting.smoothing import Constants
from tsuzuki.forecasting.state_space import FINE_SERIES, FLATTERED, OWN, SHARP_TOGETHER, averaged_smoothing, joined


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


def test_of_many_series_a_fifth_of_the_models_say_about_the_same():
    steps = np.arange(60)
    noise = np.random.default_rng(5).normal(0, 1, 60)
    values = history(steps / 2 + 8 * np.sin(steps * np.pi / 6) + noise)
    fine, fewer = (averaged_smoothing(values, 6, (12,), series) for series in (FINE_SERIES, FINE_SERIES + 1))
    counts = [sum(len(one.constants) for one in state_space._families(12, fine=fine)) for fine in (True, False)]
    assert counts == [792, 165]
    apart = differences(values.windows(np.array([59])))
    assert 0 < np.abs(apart @ fine.map - apart @ fewer.map).max() < 0.5


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


def beside(series, points, weights, map_of):
    """A committee of so many series without profiles, and intervals that are the same at all of its steps."""
    maps, none = np.full((1, points, 2), map_of, np.float32), (no_profiles(series), np.zeros((1, 0, 2)))
    bases, units = np.zeros(series, np.int64), np.ones(series, np.float32)
    shown = np.linspace(-1, 1, len(PROBABILITIES), dtype=np.float32)[None, :, None].repeat(2, axis=2)
    return Committee(("network",), np.full((1, 1, 2), weights), maps, bases, units, (0,), *none), Calibration(shown)


@pytest.mark.parametrize(("times", "share"), [(1.0, 0.5), (2.0, 1 / (1 + np.exp(-4))), (0.5, 1 / (1 + np.exp(4)))])
def test_each_side_has_a_share_by_its_errors(times, share):
    values = np.random.default_rng(1).normal(size=20).cumsum()
    averaged = averaged_smoothing(history(values), 2, ())
    places = np.arange(10, 17)
    # Their errors count 1.15 times.
    times /= 1.15
    own = averaged.errors[places]
    together, calibration, errors = joined([averaged], *beside(1, 20, 0.75, 1), [-times * own], [places], [places + 9])
    assert together.members == ("network", "state space")
    kind = together.bases[0]
    np.testing.assert_allclose(together.weights[kind], [[0.75 * (1 - share)] * 2, [share] * 2], rtol=1e-5)
    np.testing.assert_allclose(together.maps[kind], share * averaged.map + (1 - share), rtol=1e-5)
    left = share - (1 - share) * times
    np.testing.assert_allclose(errors[0], left * own, rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(
        calibration.offsets, np.sqrt(abs(left)) * averaged.calibration.offsets, rtol=1e-4, atol=1e-6
    )
    # A series that comes later has the committee without them.
    np.testing.assert_array_equal(together.weights[0], [[0.75] * 2, [0] * 2])
    np.testing.assert_array_equal(together.maps[0], 1)


@settings(max_examples=15)
@given(st.floats(0.3, 3), st.floats(0.3, 3), st.floats(0.01, 100))
def test_of_several_series_each_has_a_map_and_a_share_by_its_own_errors_and_those_of_all(first, second, unit):
    generator = np.random.default_rng(2)
    averaged = [averaged_smoothing(history(generator.normal(size=20).cumsum()), 2, ()) for _ in range(2)]
    places = [np.arange(10, 17)] * 2
    said = [one.errors[at] for one, at in zip(averaged, places, strict=True)]
    others, calibration = beside(3, 20, 0.75, 1)
    errors = [first * said[0], second * said[1], said[0]]
    stops = [places[0] + 9] * 3
    together, intervals, mixed = joined([*averaged, None], others, calibration, errors, [*places, places[0]], stops)
    own = np.array([first, second]) * FLATTERED
    ahead = SHARP_TOGETHER * (1 - own) / np.minimum(own, 1)
    of_all = (2 / (1 + own)).mean(), (2 * own / (1 + own)).mean()
    ahead = OWN * ahead + (1 - OWN) * SHARP_TOGETHER * (of_all[0] - of_all[1]) / min(of_all)
    share = 1 / (1 + np.exp(-ahead))
    for number, one in enumerate(averaged):
        kind = together.bases[number]
        np.testing.assert_allclose(
            together.maps[kind], share[number] + (1 - share[number]) * one.map, rtol=1e-4, atol=1e-6
        )
        np.testing.assert_allclose(together.weights[kind, 1], 1 - share[number], rtol=1e-4, atol=1e-6)
    assert len({*together.bases}) == 3
    # One that is too short for them keeps what it has.
    np.testing.assert_array_equal(together.maps[together.bases[2]], others.maps[0])
    np.testing.assert_array_equal(intervals.offsets[2], calibration.offsets[0])
    np.testing.assert_array_equal(mixed[2], errors[2])
    # Intervals are the same where those of the committee are in units of each series' usual errors.
    in_units = replace(calibration, sizes=np.array([2, 3, 4], np.float32))
    others_in_units = joined([*averaged, None], others, in_units, errors, [*places, places[0]], stops)[1]
    np.testing.assert_allclose(others_in_units.percentile(0.9)[:2], intervals.percentile(0.9)[:2], rtol=1e-5)
    np.testing.assert_allclose(others_in_units.percentile(0.9)[2], in_units.percentile(0.9)[2], rtol=1e-5)
    # A series that has weights of its own keeps them, beside such models and without.
    alone = np.array([0, 0, 1])
    maps = np.concatenate([others.maps, others.maps + 1])
    own_kind = replace(others, bases=alone, seasons=(0, 0), maps=maps, weights=others.weights.repeat(2, axis=0))
    own_kind = replace(own_kind, profile_maps=others.profile_maps.repeat(2, axis=0))
    kept = joined([*averaged, None], own_kind, calibration, errors, [*places, places[0]], stops)[0]
    np.testing.assert_array_equal(kept.maps[kept.bases[2]], maps[1])
    np.testing.assert_array_equal(kept.maps[kept.bases[0]], together.maps[together.bases[0]])
    assert len(kept.seasons) == len(kept.maps) == len(kept.weights) == 4
    # What networks have learned from is not compared: here the second step of each row.
    near, worse = [at + 2 for at in [*places, places[0]]], [errors[0] * [1, 9], *errors[1:]]
    some = [
        joined([*averaged, None], others, calibration, own, [*places, places[0]], near)[0] for own in (errors, worse)
    ]
    np.testing.assert_allclose(some[0].weights, some[1].weights, rtol=1e-5)
    # Neither the unit of a series nor what it is called changes a share.
    scaled = [replace(averaged[0], errors=averaged[0].errors * np.float32(unit)), averaged[1], None]
    again = joined(scaled, others, calibration, [unit * errors[0], *errors[1:]], [*places, places[0]], stops)[0]
    np.testing.assert_allclose(again.weights, together.weights, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("points", "half"), [(100, False), (101, True)])
def test_errors_of_more_points_give_half_of_the_percentiles(points, half):
    averaged = averaged_smoothing(history(np.random.default_rng(1).normal(size=points).cumsum()), 2, ())
    places = np.arange(50, points)
    others = beside(1, points, 1.0, 0)
    _, calibration, errors = joined([averaged], *others, [averaged.errors[places]], [places], [places + 9])
    offsets = averaged.calibration.offsets
    expected = (offsets + calibrate(errors).offsets) / 2 if half else offsets
    np.testing.assert_allclose(calibration.offsets, expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("points", "step", "whole"),
    [([9], DAY, False), ([10], DAY, True), ([250], DAY, True), ([251], DAY, False), ([40, 9], DAY, True),
     ([40, 100], DAY, True), ([40, 101], DAY, False), ([40] * 200, DAY, True), ([40] * 201, DAY, False),
     ([100], DAY // 24, True), ([101], DAY // 24, False)],
)  # fmt: skip
def test_windows_hold_few_short_series(points, step, whole):
    assert held_whole(points, step, Settings(3)) == whole


def test_a_backtest_says_what_updates_say(made, months):
    table = Forecaster(3, ensemble=1, epochs=2).backtest(months, windows=6, step=1)
    later = Forecaster(3, ensemble=1, epochs=2).fit(months[:40])
    for before, cut in ((39, 40), (40, 42), (42, 45)):
        later.update(months[before:cut])
        own = table[table["cutoff"] == months["ds"][cut - 1]]
        np.testing.assert_allclose(later.predict()["tsuzuki"], own["tsuzuki"], rtol=1e-5)


@pytest.fixture(scope="module")
def panel(months):
    other = months.assign(unique_id="b", y=300 - 2 * months["y"])[10:]
    return pd.concat([months, other, months.assign(unique_id="c", y=5 + months["y"] % 3)[-12:]])


def test_each_short_series_of_a_panel_has_models_of_its_own(panel, months, tmp_path):
    before = panel[panel["ds"] < "2023-10-01"]
    made = Forecaster(3, ensemble=1, epochs=2).fit(before)
    committee = made.fitted.committee
    # The third has nine readings, which are too few.
    shares = made.weights_["state space"].unstack()
    assert (shares.loc[["a", "b"]] > 0.01).all(axis=None)
    assert (shares.loc["c"] == 0).all()
    assert len({*committee.bases[:2]} - {*range(committee.kinds_in_common)}) == 2
    made.save(tmp_path / "model.tsuzuki")
    again = load(tmp_path / "model.tsuzuki")
    pd.testing.assert_frame_equal(again.predict(), made.predict())
    pd.testing.assert_frame_equal(again.weights_, made.weights_)
    # A bank, newer rows and a backtest come to the same forecasts; a new series is forecast without such models.
    table = Forecaster(3, ensemble=1, epochs=2).backtest(panel, windows=1)
    np.testing.assert_allclose(table["tsuzuki"], made.predict()["tsuzuki"], rtol=1e-5)
    bank, newer = made.bank(), panel[panel["ds"] == "2023-10-01"]
    said = bank.update(newer["y"].to_numpy(), list(newer["unique_id"]))
    then = made.predict(panel[panel["ds"] <= "2023-10-01"])
    np.testing.assert_allclose(said.ravel(), then["tsuzuki"], rtol=1e-4)
    known = made.predict(pd.concat([newer, months[:40].assign(unique_id="d")]))
    np.testing.assert_allclose(known["tsuzuki"][:9], then["tsuzuki"], rtol=1e-4)


@pytest.mark.parametrize("settings", [{"committee": False}, {"quantiles": (0.1, 0.5, 0.9)}, {"loss": "gaussian"}])
def test_networks_that_were_asked_for_stay(months, settings):
    own = Forecaster(3, ensemble=1, epochs=2, **settings).fit(months[:40])
    assert own.fitted.windows.shape[1] < 40
