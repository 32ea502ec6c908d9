"""Who is trusted how far: weights keep their bounds and are the best, and one matrix says what all members do."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tsuzuki import Forecaster
from tsuzuki.forecasting import history as maps
from tsuzuki.forecasting.base import change_map
from tsuzuki.forecasting.committee import committee, nonnegative, stack
from tsuzuki.forecasting.rules import Rules
from tsuzuki.forecasting.seasonal_profile import SeasonalProfiles, no_profiles

SEEDS = st.integers(0, 2**32 - 1)


@given(SEEDS, st.integers(1, 6))
def test_no_weights_within_the_bounds_are_better_than_those_found(seed, count):
    generator = np.random.default_rng(seed)
    x, y = generator.normal(size=(30, count)), generator.normal(size=30)
    x += generator.normal() * y[:, None]
    products, sides = x.T @ x, x.T @ y
    found = nonnegative(products, sides)
    assert (found >= 0).all()
    assert found.sum() <= 1 + 1e-9

    def value(weights):
        return weights @ products @ weights / 2 - sides @ weights

    for _ in range(50):
        other = generator.dirichlet(np.ones(count + 1))[:count]
        near = np.maximum(found + 1e-3 * (other - found), 0)
        assert value(found) <= value(other) + 1e-9
        assert value(found) <= value(near) + 1e-9


@given(SEEDS)
def test_a_member_that_forecasts_what_comes_has_all_the_weight_and_noise_has_none(seed):
    generator = np.random.default_rng(seed)
    targets = generator.normal(size=(400, 10)).astype(np.float32)
    targets[generator.random(targets.shape) < 0.1] = np.nan
    true, noise = np.nan_to_num(targets), generator.normal(size=targets.shape).astype(np.float32)
    weights = stack(targets, [noise, true], np.ones(400))
    assert (weights[1] > 0.97).all()
    assert (weights[0] < 0.02).all()


def test_steps_that_are_never_seen_take_the_weights_before_them():
    generator = np.random.default_rng(0)
    targets = generator.normal(size=(100, 16)).astype(np.float32)
    members = [targets + 0.1, -targets]
    targets[:, 10:] = np.nan
    weights = stack(targets, members, np.ones(100))
    np.testing.assert_array_equal(weights[:, 10:], np.repeat(weights[:, 9:10], 6, axis=1))


@settings(max_examples=40)
@given(SEEDS, st.integers(1, 9), st.lists(st.sampled_from([0, 3, 7]), min_size=1, max_size=4), st.booleans())
def test_one_matrix_says_what_all_members_say_one_by_one(seed, horizon, bases, profiled):
    generator = np.random.default_rng(seed)
    size = 21
    members = {
        "seasonal-7": maps.seasonal_map(size, horizon, 7),
        "seasonal-mean-7": maps.seasonal_mean_map(size, horizon, 7),
        "drift": maps.drift_map(size, horizon),
        "mean": maps.mean_map(size, horizon),
    }
    kinds = sorted(set(bases))
    by_kind = np.stack([generator.dirichlet(np.ones(6), horizon).T[:5] for _ in kinds])
    rules = Rules("none", (), (7,), (), tuple(bases), (1.0,) * len(bases), size, horizon, False)
    profiles = no_profiles(len(bases))
    if profiled:
        # The first series has none.
        shapes = generator.normal(size=(len(bases), 14)) * (np.arange(len(bases)) > 0)[:, None]
        profiles = SeasonalProfiles(shapes.astype(np.float32), 1)
        members["profile-drift"] = members["drift"]
        by_kind = np.stack([generator.dirichlet(np.ones(7), horizon).T[:6] for _ in (*kinds, *kinds)])
        by_kind[: len(kinds), 5] = 0
    both = committee(members, by_kind, rules, profiles)
    series, phases = generator.integers(0, len(bases), 12), generator.integers(0, 14, 12)
    windows = generator.normal(size=(12, size)).astype(np.float32)
    changes = generator.normal(size=(12, horizon)).astype(np.float32)
    found = both.combine(changes, windows, series, phases)
    for row, number in enumerate(series):
        window, last = windows[row].astype(float), float(windows[row, -1])
        with_one = profiled and bool(profiles.there[number])
        ahead, weights = np.arange(1, horizon + 1), by_kind[kinds.index(bases[number]) + len(kinds) * with_one]

        def season(length, window=window, ahead=ahead):
            return np.array([window[size - 1 + h - length * int(np.ceil(h / length))] for h in ahead])

        base = season(bases[number]) if bases[number] else np.full(horizon, last)
        weeks = window.reshape(3, 7)
        shape = (weeks - weeks.mean(axis=1, keepdims=True)).mean(axis=0)
        means = np.array([weeks[2].mean() + shape[(h - 1) % 7] for h in ahead])
        slope = (last - window[0]) / (size - 1)
        said = [base + changes[row], season(7), means, last + slope * ahead, np.full(horizon, window.mean())]
        if profiled:
            shape, now = (profiles.shapes[number].astype(float), phases[row])
            first, end = window[0] - shape[(now - size + 1) % 14], last - shape[now]
            said.append(end + (end - first) / (size - 1) * ahead + shape[(now + ahead) % 14])
        expected = sum(w * one for w, one in zip(weights, said, strict=True)) + (1 - weights.sum(axis=0)) * last
        np.testing.assert_allclose(found[row], expected, rtol=1e-4, atol=1e-4)


@given(st.integers(2, 40), st.integers(1, 20), st.integers(0, 12))
def test_no_base_changes_where_it_is_the_last_value(size, horizon, season):
    change = change_map(max(size, season), horizon, season)
    assert change.shape == (max(size, season), horizon)
    np.testing.assert_array_equal(change.sum(axis=0), np.full(horizon, 1.0 if season else 0.0))


@pytest.mark.parametrize("gap", [1, 2, 9])
def test_a_gap_in_a_history_holds_what_stood_a_season_before(gap):
    from tsuzuki.data.segments import Segment

    values = np.arange(20, dtype=np.float32)
    spoiled = values.copy()
    spoiled[10 : 10 + gap] = np.nan
    daily = maps.history_of(spoiled, (Segment(0, 20),), 4, 6)
    places = np.arange(10, 10 + gap)
    np.testing.assert_array_equal(daily.windows(places)[:, -1], 6 + np.arange(gap) % 4)
    plain = maps.history_of(spoiled, (Segment(0, 20),), 0, 6)
    np.testing.assert_array_equal(plain.windows(places)[:, -1], np.full(gap, 9.0))
    np.testing.assert_array_equal(plain.windows(np.array([2]))[0], [0, 0, 0, 0, 1, 2])


def test_a_panel_of_short_series_learns_across_them_what_none_of_them_shows():
    # Oscillations of one kind about levels of their own, some thirty months of each.
    generator, parts = np.random.default_rng(0), []
    for number in range(30):
        points = int(generator.integers(26, 36))
        noise, swing = generator.normal(0, 0.1, points), np.zeros(points)
        for step in range(2, points):
            swing[step] = 1.5 * swing[step - 1] - 0.8 * swing[step - 2] + noise[step]
        times = pd.date_range("2020-01-01", periods=points, freq="MS")
        level = np.exp(generator.normal(4, 1))
        parts.append(pd.DataFrame({"unique_id": f"s{number}", "ds": times, "y": level * (1 + swing)}))
    frame = pd.concat(parts)
    table = Forecaster(6, units=16, head=16, ensemble=2).backtest(frame, windows=1, step=1)
    # The series are of very different sizes; each counts in its own.
    size = table["unique_id"].map(frame.groupby("unique_id")["y"].mean())
    error = table[["tsuzuki", "persistence", "climatology", "drift"]].sub(table["y"], axis=0).abs()
    error = error.div(size, axis=0).mean()
    assert error["tsuzuki"] < 0.85 * error.drop("tsuzuki").min()
