"""What one small slip would change in what a committee reads, learns and trusts: a level, a penalty, a stretch."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from tsuzuki.forecaster import Forecaster
from tsuzuki.forecasting import member_training, ridge, rules, trust
from tsuzuki.forecasting.conformal_intervals import PROBABILITIES, _with_tails
from tsuzuki.forecasting.ridge import Sums
from tsuzuki.forecasting.transforms import Transform
from tsuzuki.forecasting.window_inputs import SEASONS, change_maps, level_map


@pytest.mark.parametrize(
    ("size", "seasons"),
    [
        (1, ()),
        (2, ()),
        (9, (4,)),
        (8, (4,)),
        (7, (4,)),
        (5, (4,)),
        (4, (4,)),
        (40, (3, 12)),
        (15, (3, 12)),
        (14, (3, 12)),
    ],
)
def test_a_windows_level_and_changes_are_those_written_out(size, seasons):
    window = np.random.default_rng(size).normal(size=size)
    rules = SimpleNamespace(history=size, seasons=seasons, weekly=size % 2 == 0)
    long = [season for season in seasons if 2 * season <= size]
    half = max(long) if long else max(1, size // 4)
    weights = [0.5 ** (age / half) for age in range(size - 1, -1, -1)]
    mean = sum(weight * value for weight, value in zip(weights, window, strict=True)) / sum(weights)
    assert level_map(rules) @ (window - window[-1]) == pytest.approx(window[-1] - mean, abs=1e-5)
    expected = [window[-1] - window[-2]] if size > 1 else []
    for season in seasons[: SEASONS if rules.weekly else 1]:
        if season < size:
            expected.append(window[-1] - window[-1 - season])
        over = seasons[0]
        if season + over <= size:
            expected.append(window[size - over :].mean() - window[size - over - season : size - season].mean())
    if size > 1:
        np.testing.assert_allclose([one @ window for one in change_maps(rules)], expected, atol=1e-5)


def test_the_tails_of_few_errors_lie_on_their_own_side_of_the_forecast():
    middle = int(np.searchsorted(PROBABILITIES, 0.5))
    for moved in (-3.0, 0.0, 3.0):
        found = _with_tails((np.linspace(-1, 1, len(PROBABILITIES)) + moved).astype(np.float32))
        assert (found[:middle] <= 0).all()
        assert (found[middle + 1 :] >= 0).all()
        assert found[0] < -0.5 or moved > 0
        assert found[-1] > 0.5 or moved < 0
        assert (np.diff(found) >= 0).all()
    # Only tails are made longer; what lies between the 10th and the 90th percentile is as it was.
    short = np.interp(PROBABILITIES, [0, 0.1, 0.12, 0.88, 0.9, 1], [-0.9, -0.8, -0.1, 0.1, 0.8, 0.9]).astype(np.float32)
    found, inner = _with_tails(short), (PROBABILITIES > 0.1) & (PROBABILITIES < 0.9)
    np.testing.assert_array_equal(found[inner], short[inner])
    assert (found[~inner] != short[~inner]).sum() >= (~inner).sum() - 2


def test_a_penalty_weighs_the_same_in_every_unit():
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(20, 3)), generator.normal(size=(20, 2))
    found = [
        ridge._solve(Sums((unit * x).T @ (unit * x), (unit * x).T @ y, float((y**2).sum()), 20), [1.0])[0] * unit
        for unit in (1.0, 10.0, 0.1)
    ]
    np.testing.assert_allclose(found[1:], [found[0]] * 2)
    trace = (x**2).sum() / 3
    np.testing.assert_allclose(found[0], np.linalg.solve(x.T @ x + trace * np.eye(3), x.T @ y))


def test_values_of_many_series_are_transformed_each_with_its_own_mark():
    marks, values = np.array([1.0, 2.0, 5.0]), np.arange(1.0, 13.0).reshape(3, 4)
    for kind in ("asinh", "log"):
        transform = Transform(kind, marks)
        own = np.array([transform.forward(values[series], series) for series in range(3)])
        np.testing.assert_array_equal(transform.forward(values, np.arange(3)), own)
        back = np.array([transform.inverse(own[series], series) for series in range(3)])
        np.testing.assert_array_equal(transform.inverse(own, np.arange(3)), back)
        np.testing.assert_array_equal(transform.forward(values[:, 0], np.arange(3)), own[:, 0])


def test_how_much_a_window_holds_follows_from_the_length():
    assert [rules.ridge_values(points) for points in (1, 8, 12, 100, 1344, 10_000)] == [2, 2, 3, 25, 336, 336]
    assert rules.history_held((), 100) == 50
    assert rules.history_held((), 300) == 100
    assert rules.history_held((24, 168), 300) == 168


@pytest.mark.parametrize(("points", "sizes"), [(15, [0]), (16, [2])])
def test_what_is_held_out_of_a_short_series_judges_nobody(points, sizes, monkeypatch):
    seen, trusted = [], trust.trusted
    monkeypatch.setattr(trust, "trusted", lambda *given: (seen.append(given), trusted(*given))[1])
    days = pd.date_range("2024-01-01", periods=points)
    series = pd.Series(np.arange(points) % 3 + np.sqrt(np.arange(points)), days, name="a")
    made = Forecaster(1, units=2, layers=1, head=0, ensemble=1, epochs=1).fit(series)
    assert seen == [(sizes, 1)]
    assert made.fitted.checked == bool(sizes[0])


def test_the_shares_of_a_training_that_are_told_add_up_to_one():
    told = []
    for passes, expected in ((None, 0.125), (2.0, 0)):
        job = SimpleNamespace(on_progress=told.append, settings=SimpleNamespace(networks=4), passes=passes)
        member_training._report(job, 0.5)
        assert told.pop() == expected
    member_training._report(SimpleNamespace(on_progress=None), 0.5)
    assert not told
    days = pd.date_range("2024-01-01", periods=60)
    series = pd.Series(np.sin(np.arange(60)), days, name="a")
    for options in ({}, {"budget": 8}):
        told.clear()
        Forecaster(1, units=2, layers=1, head=0, ensemble=2, epochs=2, **options).fit(series, on_progress=told.append)
        assert sum(told) == pytest.approx(1)


def test_networks_train_on_as_many_threads_as_are_allowed_and_wait_for_workers_on_one_each(monkeypatch):
    monkeypatch.setattr(member_training, "run_side_by_side", lambda work, count, threads: (count, threads))
    for workers, drawn, threads in ((None, None, None), (None, "drawn", None), ("workers", "drawn", 5)):
        job = SimpleNamespace(settings=SimpleNamespace(networks=5), workers=workers, drawn=drawn)
        assert member_training.train_members(job) == (5, threads)


def test_held_out_readings_of_which_none_follow_one_another_check_no_network():
    days = pd.date_range("2024-01-01", periods=40)
    series = pd.Series(np.sin(np.arange(40.0)), days, name="a")
    series.iloc[[34, 35, 37, 38]] = np.nan
    made = Forecaster(1, units=2, layers=1, head=0, ensemble=1, epochs=1, max_gap=1).fit(series)
    assert {one.validation_loss for one in made.fitted.histories[0]} == {None}
    assert np.isfinite(made.predict()["tsuzuki"]).all()
