"""Shifts of the level are taken off, and weights and intervals follow recent errors."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tsuzuki import Forecaster, load
from tsuzuki.data.segments import Segment
from tsuzuki.errors import FileError
from tsuzuki.forecasting.conformal_intervals import calibrate
from tsuzuki.forecasting.level_shift import LevelShifts, Standing, take_off_shifts
from tsuzuki.forecasting.recent_errors import LOSSES, WIDTH, Follower, RecentErrors, _leads, recent_errors

CUT, SHIFT, POINTS = 700, 745, 1000


@pytest.fixture(scope="module")
def shifted():
    """Hourly readings that leap by four amplitudes behind the training data, and a forecaster."""
    steps = np.arange(POINTS)
    noise = np.random.default_rng(0).normal(0, 0.4, len(steps))
    values = 20 + 4 * np.sin(2 * np.pi * steps / 24) + noise + np.where(steps < SHIFT, 0, 16)
    series = pd.Series(values, pd.date_range("2024-01-01", periods=len(steps), freq="h"), name="a")
    return series, Forecaster(24, units=8, head=8, ensemble=2, epochs=4)


def test_after_a_shift_of_four_amplitudes_forecasts_are_good_again_within_a_day_and_so_are_intervals(shifted):
    series, forecaster = shifted
    table = forecaster.backtest(series, windows=POINTS - CUT - 24, step=1)
    behind = (table["cutoff"] - series.index[SHIFT]) / pd.Timedelta(1, "h")
    error = table[["tsuzuki", "seasonal-naive-24"]].sub(table["y"], axis=0).abs()
    inside = (table["tsuzuki-lo-80"] <= table["y"]) & (table["y"] <= table["tsuzuki-hi-80"])
    for first, last in ((24, 48), (48, 168)):
        some = (behind >= first) & (behind < last)
        own, naive = error[some].mean()
        assert own <= 1.05 * naive
        assert inside[some].mean() > 0.7
    assert error[(behind >= 8) & (behind < 24)]["tsuzuki"].mean() < 1
    before = behind < -24
    assert error[before]["tsuzuki"].mean() < error[before]["seasonal-naive-24"].mean()


def test_streams_banks_files_and_newer_rows_agree_behind_a_shift(shifted, tmp_path):
    from tsuzuki import storage

    series, forecaster = shifted
    series = series.copy()
    series.iloc[[CUT + 10, SHIFT + 3, SHIFT + 20]] = np.nan
    forecaster.fit(series[:CUT]).save(tmp_path / "m")
    stream, bank = forecaster.stream(), forecaster.bank(["new", "a"])
    for value in series[CUT : SHIFT + 50]:
        one = stream.update(value)
        both = bank.update([value, value])
    np.testing.assert_array_equal(both[1], one)
    np.testing.assert_array_equal(bank.interval(80)[0][1], stream.interval(80)[0])
    found = load(tmp_path / "m").update(series[CUT : SHIFT + 50]).predict(levels=(80,))
    np.testing.assert_allclose(found["tsuzuki"], one, rtol=1e-5)
    np.testing.assert_allclose(found["tsuzuki-lo-80"], stream.interval(80)[0], rtol=1e-5)
    halves = load(tmp_path / "m").update(series[CUT : SHIFT + 4]).update(series[: SHIFT + 50]).predict(levels=(80,))
    np.testing.assert_allclose(halves.iloc[:, 2:], found.iloc[:, 2:], rtol=1e-5)
    assert abs(found["tsuzuki"] - series[SHIFT + 26 : SHIFT + 50].to_numpy()).mean() < 1
    stored = storage.read(tmp_path / "m")
    arrays = stored.arrays | {"shift limits": -stored.arrays["shift limits"]}
    storage.write(tmp_path / "bent", "forecaster", stored.facts, arrays)
    with pytest.raises(FileError, match="bent is not a consistent forecaster"):
        load(tmp_path / "bent")


def test_readings_before_a_shift_are_drawn_where_they_were(shifted):
    from tsuzuki.forecasting.outlook import outlooks

    series, forecaster = shifted
    forecaster.fit(series[:CUT])
    forecaster.update(series[CUT : SHIFT + 30])
    drawn = outlooks(forecaster.fitted, 24, forecaster.predict())[0]
    expected = series[: SHIFT + 30][-len(drawn.values) :].to_numpy()
    # The first readings behind the shift are seen as such only a few steps later.
    assert (np.abs(drawn.values - expected) < 0.1).mean() > 0.9
    np.testing.assert_allclose(drawn.values[:30], expected[:30], atol=1e-3)


def errors_of(generator, horizon, naive, series=2):
    leads = _leads(horizon)
    usual = generator.uniform(0.5, 2, (series, len(leads)))
    ends = np.stack([-generator.uniform(0.5, 2, usual.shape), generator.uniform(0.5, 2, usual.shape)])
    return RecentErrors(horizon, leads, naive, usual, ends, generator.uniform(0.8, 1.5, (series, 1 + len(naive))))


@settings(max_examples=30)
@given(st.integers(0, 999), st.integers(1, 30), st.integers(1, 60))
def test_one_series_is_followed_to_the_bits_of_many(seed, horizon, count):
    generator = np.random.default_rng(seed)
    errors = errors_of(generator, horizon, (0, 4))
    size = 40
    one, many = (Follower(errors, errors.initial(), size) for _ in range(2))
    both = np.arange(2)
    for _ in range(count):
        windows = generator.normal(0, 3, (2, size)).astype(np.float32)
        forecasts = generator.normal(0, 9, (2, horizon)).astype(np.float32)
        missing = generator.random(2) < 0.2
        many.follow(both, windows, missing)
        together = many.mixed(both, forecasts, windows)
        for number in both:
            one.follow_one(number, windows[number], missing=bool(missing[number]))
            np.testing.assert_array_equal(one.mixed_one(number, forecasts[number], windows[number]), together[number])
        np.testing.assert_array_equal(one.states, many.states)


def test_every_lead_has_its_turn_and_lies_within_the_horizon():
    for horizon in range(1, 200):
        leads = _leads(horizon)
        assert (leads % len(leads) == np.arange(len(leads))).all()
        assert leads.min() >= 1
        assert horizon - len(leads) < leads.max() <= horizon


def followed(steps, error, level=0.0, seed=0):
    """A follower of a noisy level that is forecast with an error of a size, and the share of readings inside."""
    generator, horizon, size = np.random.default_rng(seed), 4, 20
    leads = _leads(horizon)
    ones = np.ones((1, len(leads)))
    errors = RecentErrors(horizon, leads, (0,), 0.8 * ones, np.stack([-1.28 * ones, 1.28 * ones]), np.ones((1, 2)))
    follower, inside = Follower(errors, errors.initial(), size), []
    window, before = np.zeros(size, np.float32), None
    for _ in range(steps):
        window = np.append(window[1:], np.float32(generator.normal(0, error)))
        if before is not None:
            inside.append(abs(window[-1] - before[0]) < 1.28 * follower.widths(0))
        follower.follow_one(0, window, missing=False)
        before = follower.mixed_one(0, np.full(horizon, np.float32(level)), window)
    return follower, np.mean(inside[len(inside) // 3 :]), before


@pytest.mark.parametrize("error", [0.6, 1.0, 3.0])
def test_intervals_come_to_hold_four_of_five_whatever_errors_become(error):
    follower, inside, _ = followed(3000, error)
    assert 0.76 < inside < 0.84
    assert 0.75 * error < follower.widths(0) < 1.35 * error


@pytest.mark.parametrize(("count", "rate"), [(8, 0.15), (40, 0.1), (400, 0.03)])
def test_intervals_follow_the_faster_the_fewer_errors_there_were_to_calibrate_by(count, rate):
    errors = [np.random.default_rng(0).normal(size=(count, 4)).astype(np.float32)]
    history = SimpleNamespace(values=np.arange(50, dtype=np.float32), ends=np.arange(9, 50))
    rules = SimpleNamespace(horizon=4, history=9, seasons=(), transform="none")
    found = recent_errors([history], rules, errors, calibrate(errors), spread=False)
    assert found.rate == pytest.approx(rate)
    follower = Follower(found, found.initial(), 9)
    window = np.full(9, 99, np.float32)
    widths = []
    for _ in range(9):
        follower.follow_one(0, window, missing=False)
        follower.mixed_one(0, np.zeros(4, np.float32), window)
        widths.append(follower.widths(0))
    # As soon as a reading was forecast it lies far outside.
    first = next(width for width in widths if width != 1)
    assert first == pytest.approx(np.exp(0.8 * rate), rel=1e-5)


@pytest.mark.parametrize(("transform", "widest"), [("none", 20.0), ("log", 4.0), ("asinh", 4.0)])
def test_intervals_widen_to_a_multiple_that_their_scale_allows(transform, widest):
    """Twenty times the width of logarithms was a factor of 10^8 on counts that are almost always zero."""
    errors = [np.random.default_rng(0).normal(size=(8, 4)).astype(np.float32)]
    history = SimpleNamespace(values=np.arange(50, dtype=np.float32), ends=np.arange(9, 50))
    rules = SimpleNamespace(horizon=4, history=9, seasons=(), transform=transform)
    found = recent_errors([history], rules, errors, calibrate(errors), spread=False)
    one, many = (Follower(found, found.initial(), 9) for _ in range(2))
    window, which = np.array([0] * 8 + [99], np.float32), np.zeros(1, np.int64)
    for _ in range(60):
        one.follow_one(0, window, missing=False)
        one.mixed_one(0, np.zeros(4, np.float32), window)
        many.follow(which, window[None], np.zeros(1, bool))
        many.mixed(which, np.zeros((1, 4), np.float32), window[None])
    assert one.widths(0) == many.widths(0) == widest


def test_a_committee_that_has_erred_more_than_a_naive_forecast_gives_way_to_it():
    _, _, good = followed(300, 1.0)
    np.testing.assert_array_equal(good, 0)
    follower, _, bad = followed(300, 1.0, level=20.0)
    assert follower.states[0, LOSSES] > 10 * follower.states[0, LOSSES + 1]
    assert np.abs(bad).max() < 4
    assert follower.states[0, WIDTH] > 1


def test_outliers_and_levels_that_training_knew_are_no_shift():
    shifts = LevelShifts(np.array([2.0], np.float32), np.full(1, np.inf, np.float32), 4, 3, 12)
    values = np.zeros(40, np.float32)
    values[[5, 11, 12]] = 9
    values[20:] = 1.9
    window, gaps = np.zeros(12, np.float32), np.zeros(12, bool)
    found = take_off_shifts(shifts, 0, values, (Segment(0, 40),), (window, gaps), 1, Standing())
    np.testing.assert_array_equal(found.values, values)
    assert not found.breaks
    values[30:] = 9
    found = take_off_shifts(shifts, 0, values, (Segment(0, 40),), (window, gaps), 1, Standing())
    assert [one.place for one in found.breaks] == [32]
    assert found.standing.offset == pytest.approx(7.1)
    np.testing.assert_allclose(found.values[32:], 1.9, atol=1e-5)
    np.testing.assert_allclose(found.breaks[0].window[-3:], 1.9, atol=1e-5)


def test_of_series_that_training_has_not_seen_errors_are_as_much_larger_as_is_said():
    one = RecentErrors(2, np.array([1, 2]), (0,), np.array([[1.0, 2.0], [3.0, 4.0]]),
                       np.array([[[-1.0, -2.0], [-3.0, -4.0]], [[1.0, 2.0], [3.0, 4.0]]]), np.ones((2, 2)))  # fmt: skip
    found = one.select([1, None], np.array([7.0, 10.0]))
    assert found.usual.tolist() == [[3, 4], [20, 30]]
    assert found.ends.tolist() == [[[-3, -4], [-20, -30]], [[3, 4], [20, 30]]]
    assert found.losses.tolist() == [[1, 1], [1, 1]]
