"""Where backtests forecast from, and what of training and of held-out stretches goes with it, written out."""

import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsuzuki.data.calendar import DAY
from tsuzuki.data.segments import Segment
from tsuzuki.errors import DataError, SettingError, TooShortError
from tsuzuki.forecasting import backtest, conformal_intervals, predict, stepwise
from tsuzuki.forecasting.backtest import _rows_before, _seasonal_naive_mae, fitting_windows, origins_of
from tsuzuki.forecasting.evaluation import evaluate
from tsuzuki.forecasting.panel import SeriesInputs
from tsuzuki.forecasting.predict import interval_bounds, interval_quantiles, point_forecast
from tsuzuki.forecasting.settings import Settings


@given(st.integers(3, 60), st.integers(1, 6), st.integers(1, 9), st.integers(1, 7))
def test_origins_leave_two_horizons_and_two_values_to_learn_from(points, horizon, windows, step):
    one = SimpleNamespace(values=np.zeros(points), name="a")

    def wanted(count):
        return [points - horizon - step * back for back in range(count - 1, -1, -1)]

    def fits(count):
        return wanted(count)[0] >= 2 * horizon + 2

    if fits(windows):
        assert origins_of(one, horizon, windows, step).tolist() == wanted(windows)
        return
    most = max((count for count in range(1, 61) if fits(count)), default=0)
    with pytest.raises(TooShortError, match=re.escape(f"too few for {windows} windows {step} steps")) as caught:
        origins_of(one, horizon, windows, step)
    assert f"at most {most} windows fit" in str(caught.value)


def test_windows_and_steps_are_at_least_one():
    one = SimpleNamespace(values=np.zeros(50), name="a")
    for windows, step in ((0, 1), (1, 0), (-1, 5)):
        with pytest.raises(SettingError, match=f"windows={windows} and step={step} are not both at least 1"):
            origins_of(one, 2, windows, step)


@given(st.integers(1, 2000), st.integers(1, 50), st.integers(0, 30))
def test_the_last_fifth_holds_as_many_origins_as_are_chosen(points, horizon, step):
    last, count = int(points * backtest.BACKTESTED), 1
    while count < backtest.MOST_WINDOWS and horizon + max(1, step) * count <= last:
        count += 1
    assert fitting_windows(points, horizon, step) == count


def test_mases_scale_skips_what_is_missing_and_has_the_season_of_the_grid():
    values = np.array([1.0, 3.0, np.nan, 4.0, 8.0])
    assert _seasonal_naive_mae(values, DAY // 24) == pytest.approx((2 + 4) / 2)
    week = np.arange(20.0) ** 2
    assert _seasonal_naive_mae(week, DAY) == pytest.approx(np.mean([week[i] - week[i - 7] for i in range(7, 20)]))


def test_the_row_before_an_origin_is_found_where_there_is_one():
    rows = {0: (np.array([0, 1, 2, 3]), np.array([2, 3, 5, 6])), 1: (np.array([5, 6]), np.array([0, 9]))}
    panel = SimpleNamespace(inputs=np.zeros((8, 1)), rows_of=rows.get)
    wanted, order, seen = _rows_before(panel, [np.array([3, 4, 5, 7, 8]), np.array([1, 2, 10])])
    assert np.flatnonzero(wanted).tolist() == [0, 1, 3, 5, 6]
    assert [one.tolist() for one in order] == [[0, 1, 2], [3, 4]]
    assert [one.tolist() for one in seen] == [[True, True, False, True, False], [True, False, True]]


def test_the_two_quantiles_of_a_level_bound_its_interval():
    settings = Settings(3, quantiles=(0.05, 0.1, 0.5, 0.9, 0.95))
    assert interval_quantiles(settings, 80) == (1, 3)
    assert interval_quantiles(settings, 90) == (0, 4)
    with pytest.raises(SettingError, match=r"level 50 needs the quantile 0\.25, but the network forecasts 0\.05, 0\.1"):
        interval_quantiles(settings, 50)
    forecasts = np.arange(30.0).reshape(2, 3, 5)
    np.testing.assert_array_equal(point_forecast(settings, forecasts), forecasts[..., 2])
    np.testing.assert_array_equal(point_forecast(Settings(3), forecasts[..., :1]), forecasts[..., 0])
    low, high = interval_bounds(SimpleNamespace(calibration=None), settings, forecasts, 0, 80)
    np.testing.assert_array_equal(low, forecasts[..., 1])
    np.testing.assert_array_equal(high, forecasts[..., 3])


@pytest.mark.parametrize("shared", [True, False])
def test_an_interval_lies_around_the_forecast_by_what_errors_were_in_the_series_scale(shared):
    low, high = np.array([[-1.0, -2, -3], [-4, -5, -6]]), np.array([[1.0, 2, 3], [4, 5, 6]])
    kept = slice(0, 1) if shared else slice(0, 2)
    calibration = SimpleNamespace(interval_offsets=lambda level: (low[kept], high[kept]))
    fitted = SimpleNamespace(calibration=calibration, scales=np.array([[0.0, 10.0], [0.0, 100.0]]))
    forecasts = np.full((3, 1), 7.0)
    own = 0 if shared else 1
    for options, scale in (({}, 100), ({"scale": 2.0}, 2), ({"width": 3.0}, 300), ({"scale": 2.0, "width": 3.0}, 6)):
        found = interval_bounds(fitted, Settings(3), forecasts, 1, 80, **options)
        np.testing.assert_array_equal(found[0], 7 + low[own] * scale)
        np.testing.assert_array_equal(found[1], 7 + high[own] * scale)


def weibull(values, probability):
    """The percentile that counts one unseen value as well."""
    ordered = sorted(values)
    place = min(max(probability * (len(ordered) + 1) - 1, 0), len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


@pytest.mark.parametrize("rows", [7, 60, 61, 200])
def test_percentiles_count_one_unseen_error_and_few_errors_have_the_tails_of_a_normal_distribution(rows, monkeypatch):
    errors = np.random.default_rng(rows).normal(size=(rows, 3)).astype(np.float32)
    errors[0, 0] = np.nan
    few = []
    monkeypatch.setattr(conformal_intervals, "_with_tails", lambda found: (few.append(1), found)[1])
    found = conformal_intervals._percentiles(errors)
    for step in range(3):
        known = [one for one in errors[:, step].tolist() if one == one]
        expected = [weibull(known, one) for one in conformal_intervals.PROBABILITIES]
        np.testing.assert_allclose(found[:, step], expected, rtol=1e-5, atol=1e-6)
    # Of the first step one error is missing.
    assert len(few) == sum(count < conformal_intervals.FEW * 3 for count in (rows - 1, rows, rows))


def test_a_step_without_errors_is_as_wide_as_the_one_before_it():
    errors = np.random.default_rng(0).normal(size=(100, 3)).astype(np.float32)
    errors[:, 1] = np.nan
    found = conformal_intervals._percentiles(errors)
    np.testing.assert_array_equal(found[:, 1], found[:, 0])
    assert (found[:, 2] != found[:, 0]).any()
    assert conformal_intervals.calibrate([errors, errors]).offsets.shape == (
        1,
        len(conformal_intervals.PROBABILITIES),
        3,
    )


def test_intervals_are_scored_by_what_they_hold_their_width_and_the_pinball_loss_of_all_that_is_forecast():
    times = pd.date_range("2024-01-01", periods=5, freq="h")
    y, middle = [1.0, 2.0, 3.0, 4.0], [1.5, 2.5, 2.0, 4.0]
    ends = {80: ([1.0, 2.5, 1.0, 3.0], [2.0, 3.0, 2.5, 4.0]), 50: ([1.2, 2.6, 1.5, 3.5], [1.8, 2.8, 2.2, 3.9])}
    table = pd.DataFrame({"unique_id": "a", "ds": times[1:], "cutoff": times[0], "y": y, "m": middle, "n": y})
    for level, (low, high) in ends.items():
        table[f"m-lo-{level}"], table[f"m-hi-{level}"] = low, high

    def pinball(forecast, share):
        return [max(share * (a - f), (share - 1) * (a - f)) for a, f in zip(y, forecast, strict=True)]

    found = evaluate(table).set_index("model").loc["m"]
    assert (found["coverage-80"], found["coverage-50"]) == (50, 0)
    assert found["width-80"] == pytest.approx(np.mean([1, 0.5, 1.5, 1]))
    losses = [pinball(middle, 0.5)]
    for level, (low, high) in ends.items():
        losses += [pinball(low, 0.5 - level / 200), pinball(high, 0.5 + level / 200)]
    assert found["pinball"] == pytest.approx(np.mean(losses))
    assert np.isnan(found["mase"])
    assert found["smape"] == pytest.approx(
        np.mean([200 * abs(a - b) / (a + b) for a, b in zip(y, middle, strict=True)])
    )
    nothing = table.assign(y=0.0, m=0.0)[["unique_id", "ds", "cutoff", "y", "m"]]
    assert evaluate(nothing)["smape"].item() == 0
    assert "pinball" not in evaluate(nothing)


def test_rows_that_wait_are_all_run_and_all_but_the_last_are_asked(monkeypatch):
    seen = []
    rows = np.zeros((6, 3), np.float32)
    rows[4, 1] = 1

    def run(way, weights, panel, wanted, state):
        seen.append((np.flatnonzero(wanted).tolist(), panel.stretches))
        said = np.full((int(wanted.sum()), 2), weights, np.float32)
        return said, SimpleNamespace(rows=[f"rows {weights}"], saved=f"saved {weights}")

    monkeypatch.setattr(stepwise, "run_stepwise", run)
    monkeypatch.setattr(predict, "pending_rows", lambda *given: rows)
    monkeypatch.setattr(predict, "select_series", lambda state, which: (state, which))
    state = SimpleNamespace(pending=np.array([0, 4]))
    fitted = SimpleNamespace(members=[1.0, 3.0], states=[state, state], unfollowed=np.array([1, 3]), ways=[None, None])
    found, outputs, missing = predict.rows_that_wait(fitted, 1, np.zeros((2, 1)))
    assert [asked for asked, _ in seen] == [[3, 4], [3, 4]]
    ((one,), _) = (stretches for _, stretches in seen)
    assert (one.start, one.stop) == (2, 6)
    assert found == [("rows 1.0", "saved 1.0"), ("rows 3.0", "saved 3.0")]
    np.testing.assert_array_equal(outputs, np.full((2, 2), 2))
    assert missing.tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("segments", "cut", "goes_on"),
    [
        ([(0, 40)], 15, True),
        ([(0, 20), (25, 40)], 15, True),
        ([(0, 20), (25, 40)], 22, False),
        ([(0, 20), (22, 40)], 22, False),
        ([(0, 20)], 30, False),
        ([(0, 22), (25, 40)], 22, False),
        ([(0, 22)], 22, False),
    ],
)
def test_a_level_is_compared_with_what_was_before_a_cut_only_where_a_stretch_goes_on_over_it(
    segments, cut, goes_on, monkeypatch
):
    seen = []

    def take_off(shifts, number, values, rest, past, season, standing):
        seen.append((rest, past))
        return SimpleNamespace(offsets=np.zeros(len(values), np.float32), breaks=())

    monkeypatch.setattr(backtest, "take_off_shifts", take_off)
    monkeypatch.setattr(backtest, "standing_of", lambda state: None)
    shifts = SimpleNamespace(only_outages=None)
    fitted = SimpleNamespace(rules=SimpleNamespace(bases=(0,), history=4), recent_states=[None], shifts=shifts)
    values = np.arange(40, dtype=np.float32)
    one = SeriesInputs(values, np.zeros((40, 0), np.float32), tuple(Segment(*ends) for ends in segments))
    backtest._without_shifts(fitted, one, 0, cut)
    (learned, nothing), (rest, past) = seen
    # Outages in what was learned from are looked for first.
    assert [(own.start, own.stop) for own in learned] == [
        (start, min(stop, cut)) for start, stop in segments if start < cut
    ]
    assert nothing is None
    assert [(own.start, own.stop) for own in rest] == [
        (max(start, cut) - cut, stop - cut) for start, stop in segments if stop > cut
    ]
    assert (past is not None) == goes_on
    if goes_on:
        np.testing.assert_array_equal(past[0], values[cut - 4 : cut])


@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize(("count", "columns", "before"), [(1, 1, 0), (2, 1, 3), (4, 2, 1), (3, 3, 0), (3, 0, 2)])
def test_rows_that_wait_see_what_is_known_behind_them(alone, count, columns, before):
    horizon, generator = 3, np.random.default_rng(count)
    rows = generator.normal(size=(2, before + 6, 2 + 1 + horizon * columns)).astype(np.float32)
    rows[:, :, 1] = generator.random((2, before + 6)) < 0.5
    state = SimpleNamespace(rows=rows.copy(), pending=np.array([5, count]))
    fitted = SimpleNamespace(way=SimpleNamespace(before=before), rules=SimpleNamespace(horizon=horizon, alone=alone))
    known = generator.normal(size=(horizon, columns))
    found = predict.pending_rows(fitted, state, 1, known)
    expected = rows[1, len(rows[1]) - before - count :].copy()
    for row in range(count if columns else 0):
        own = expected[before + row]
        if alone and own[1]:
            own[0] = np.nan
        for step in range(horizon):
            at = row + step
            first = rows[1, len(rows[1]) - count, 3:].reshape(horizon, columns)
            # Behind the last time that is known, its values go on.
            value = first[at] if at < count - 1 else known[min(at - count + 1, horizon - 1)]
            own[3 + step * columns : 3 + (step + 1) * columns] = value
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(state.rows, rows)


def test_a_future_that_lacks_a_value_is_named():
    times = [pd.date_range("2024-01-01", periods=5).to_numpy("datetime64[ns]")] * 2
    scales = np.array([[9.0, 9.0], [1.0, 2.0], [3.0, 4.0]])
    settings = Settings(2, past="wind", known=("promo", "price"))
    fitted = SimpleNamespace(ids=("a", "b"), times=times, zone=None, covariate_scales=scales)
    days = pd.date_range("2024-01-06", periods=2)
    parts = [pd.DataFrame({"unique_id": name, "ds": days, "promo": [1.0, 3], "price": [7, unit]}) for name, unit in
             (("a", 11.0), ("b", 15.0))]  # fmt: skip
    found = predict._known_ahead(fitted, settings, pd.concat(parts))
    np.testing.assert_array_equal(found, [[[0, 1], [1, 2]], [[0, 1], [1, 3]]])
    with pytest.raises(DataError, match=r"reads columns known ahead \(promo, price\); give them for the forecast"):
        predict._known_ahead(fitted, settings, None)
    parts[1].loc[1, "price"] = np.nan
    with pytest.raises(DataError, match="future has no price for series 'b' at 2024-01-07 00:00:00"):
        predict._known_ahead(fitted, settings, pd.concat(parts))
    with pytest.raises(DataError, match="future has no promo for series 'b' at 2024-01-06 00:00:00"):
        predict._known_ahead(fitted, settings, parts[0])
