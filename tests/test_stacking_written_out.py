"""How a committee's weights follow from held-out forecasts, written out row by row."""

import math
from dataclasses import replace

import numpy as np
import pytest

from tsuzuki.data.segments import Segment
from tsuzuki.errors import SettingError
from tsuzuki.forecasting import committee, stacking, weights_by_kind
from tsuzuki.forecasting.base import change_map
from tsuzuki.forecasting.committee import LEVEL, Committee, Kinds, nonnegative, stack, weights_table
from tsuzuki.forecasting.history import drift_map, history_of, mean_map, seasonal_map, seasonal_mean_map
from tsuzuki.forecasting.ridge import ridge
from tsuzuki.forecasting.rules import Rules, ridge_values
from tsuzuki.forecasting.seasonal_profile import SeasonalProfiles, learned_profiles, no_profiles
from tsuzuki.forecasting.smoothing import smoothing_maps
from tsuzuki.forecasting.stacking import HeldOutForecasts, stacked
from tsuzuki.forecasting.weights_by_kind import WeighedRows, with_own

HOUR = 3600 * 10**9


def weights_of(rows, apart):
    """Weights by rows of (forecasts, what came, how much of the first one's square its mean with others has not)."""
    members = range(len(rows[0][0]))
    errors = [sum(abs(y - x[m]) for x, y, _ in rows) / len(rows) for m in members]
    errors.append(sum(abs(y) for _, y, _ in rows) / len(rows))
    shares = [math.exp(-committee.SHARPNESS * (one / max(min(errors), 1e-12) - 1)) for one in errors]
    blend = np.array([one / sum(shares) for one in shares[:-1]])
    counts, pull, found = [1.0] * len(rows), committee.ENOUGH / max(apart, 1e-9), blend
    for _ in range(committee.ROUNDS):
        products = np.array([[sum(c * x[m] * x[n] for c, (x, _, _) in zip(counts, rows, strict=True)) for n in members]
                             for m in members])  # fmt: skip
        sides = np.array([sum(c * x[m] * y for c, (x, y, _) in zip(counts, rows, strict=True)) for m in members])
        gain = sum(c * own for c, (_, _, own) in zip(counts, rows, strict=True))
        first = sum(c * (y - x[0]) ** 2 for c, (x, y, _) in zip(counts, rows, strict=True))
        products[0, 0] -= min(gain, first / 2)
        sides = sides + pull * (products @ blend)
        products = (1 + pull) * products
        products += 1e-6 * np.trace(products) / len(products) * np.eye(len(products))
        found = nonnegative(products, sides)
        errors = [abs(y - sum(x[m] * found[m] for m in members)) for x, y, _ in rows]
        usual = sum(errors) / len(errors)
        counts = [1 / max(one / usual, 1) for one in errors]
    return found


@pytest.mark.parametrize(
    ("seed", "horizon", "every", "noisy"), [(0, 1, 1, 0), (1, 3, 1, 0.3), (2, 9, 4, 0.3), (3, 9, 2, 9)]
)
def test_weights_are_those_written_out(seed, horizon, every, noisy):
    generator = np.random.default_rng(seed)
    rows = 14
    targets = generator.normal(size=(rows, horizon)).astype(np.float32)
    members = [(targets + generator.normal(0, s, targets.shape)).astype(np.float32) for s in (0.8, 1.2, 0.9)]
    targets[generator.random(targets.shape) < 0.2] = np.nan
    importance = generator.uniform(0.5, 2, rows)
    spread = None if not noisy else (noisy * generator.random((rows, horizon))).astype(np.float32)
    found = stack(targets, members, importance, spread, every)
    assert found.shape == (3, horizon)
    groups = np.array_split(np.arange(horizon), min(committee.GROUPS, horizon))
    for steps in groups:
        given = [
            (
                [float(one[row, step]) * importance[row] for one in members],
                float(targets[row, step]) * importance[row],
                0.0 if spread is None else float(spread[row, step]) * importance[row] ** 2,
            )
            for row in range(rows)
            for step in steps
            if not math.isnan(targets[row, step])
        ]
        expected = weights_of(given, every * len(given) / horizon / len(steps))
        for step in steps:
            np.testing.assert_allclose(found[:, step], expected, atol=2e-4)


def test_the_table_of_weights_has_what_is_left_to_the_last_value():
    weights = np.array([[0.5, 0.7], [0.2, 0.4]])
    one = Committee(("network", "ridge"), weights[None], np.zeros((1, 3, 2), np.float32), np.zeros(1, np.int64),
                    np.ones(1, np.float32), (0,), no_profiles(1), np.zeros((1, 0, 2)))  # fmt: skip
    table = weights_table(one, ["a", "b"])
    assert table.index.tolist() == [1, 2]
    assert list(table.columns) == ["network", "ridge", "last value"]
    np.testing.assert_allclose(table.to_numpy(), [[0.5, 0.2, 0.3], [0.7, 0.4, 0]], atol=1e-12)
    with pytest.raises(SettingError, match="the networks of this forecaster stand alone"):
        weights_table(None, [])


def test_series_of_a_kind_have_weights_of_their_own_as_far_as_their_errors_are_many():
    """Of 40 rows two steps ahead, two steps apart, 40 errors are independent; a kind without rows has all series'."""
    generator = np.random.default_rng(4)
    targets = generator.normal(size=(60, 2)).astype(np.float32)
    kinds = np.repeat([0, 1], [40, 20])
    noise = np.where(np.array([[0, 1]]) == kinds[:, None], 0.3, 2.0)
    members = [(targets + noise[:, [m]] * generator.normal(size=(60, 2))).astype(np.float32) for m in (0, 1)]
    importance, spread = np.ones(60), np.zeros((60, 2), np.float32)
    whole = stack(targets, members, importance, spread, 2)
    rows_of = WeighedRows(targets, members, importance, spread, 2, 8, kinds, kinds, kinds)
    one = replace(rows_of, kinds=0 * kinds)
    np.testing.assert_array_equal(weights_by_kind.weights_by_kind(one, Kinds((0,), kinds), 0), whole[None])
    found = weights_by_kind.weights_by_kind(rows_of, Kinds((0, 24, 168), kinds), 0)
    for kind, rows, apart in ((0, slice(40), 40), (1, slice(40, 60), 20)):
        own = stack(targets[rows], [one[rows] for one in members], importance[rows], spread[rows], 2)
        np.testing.assert_allclose(found[kind], (apart * own + 10 * whole) / (apart + 10), rtol=1e-12)
        assert found[kind, kind].min() > 0.6 > 0.4 > found[kind, 1 - kind].max()
    np.testing.assert_array_equal(found[2], whole)


def drawn_rows(generator, noise):
    """Rows of two series, each with two stretches, and as much noise in the forecasts of each member there."""
    series, stretches = np.repeat([0, 1], 400), np.tile(np.repeat([0, 1], 200), 2)
    targets = generator.normal(size=(800, 2)).astype(np.float32)
    members = [targets + np.array(own)[series][:, None] * generator.normal(size=(800, 2)) for own in noise]
    members = [one.astype(np.float32) for one in members]
    return WeighedRows(targets, members, np.ones(800), None, 1, 2, 0 * series, series, stretches)


def test_series_have_weights_of_their_own_where_others_are_to_be_trusted():
    generator, kinds = np.random.default_rng(6), Kinds((24,), np.zeros(2, np.int64))
    rows = drawn_rows(generator, [(0.2, 2.0), (2.0, 0.2)])
    common = weights_by_kind.weights_by_kind(rows, kinds, 0)
    found, weights = with_own(rows, kinds, common, 0)
    assert (found.seasons, found.of_series.tolist()) == ((24, 24, 24), [1, 2])
    np.testing.assert_array_equal(weights[:1], common)
    for number, first in ((0, 0), (1, 400)):
        here = slice(first, first + 400)
        own = stack(rows.targets[here], [one[here] for one in rows.forecasts], np.ones(400), None, 1, 2)
        # Of 400 rows two steps ahead 200 are independent of one another.
        np.testing.assert_allclose(weights[1 + number], (200 * own + 30 * common[0]) / 230, rtol=1e-12)
        assert weights[1 + number, number].min() > 0.8 > 0.2 > weights[1 + number, 1 - number].max()


def test_series_share_weights_where_the_same_are_to_be_trusted_in_all():
    generator, kinds = np.random.default_rng(7), Kinds((0,), np.zeros(2, np.int64))
    rows = drawn_rows(generator, [(0.5, 0.5), (0.7, 0.7)])
    common = weights_by_kind.weights_by_kind(rows, kinds, 0)
    found, weights = with_own(rows, kinds, common, 0)
    assert found is kinds
    assert weights is common


def test_one_series_and_very_many_and_those_of_few_errors_have_the_weights_of_their_kind(monkeypatch):
    rows = drawn_rows(np.random.default_rng(6), [(0.2, 2.0), (2.0, 0.2)])
    kinds, common = Kinds((24,), np.zeros(2, np.int64)), np.zeros((1, 2, 2))
    monkeypatch.setattr(weights_by_kind, "MOST_SERIES", 1)
    assert with_own(rows, kinds, common, 0)[0] is kinds
    monkeypatch.setattr(weights_by_kind, "MOST_SERIES", 2)
    few = rows.select(slice(None, None, 40))
    assert with_own(replace(few, every=1), kinds, common, 0)[0] is kinds
    one = Kinds((24,), np.zeros(1, np.int64))
    assert with_own(replace(rows, series=0 * rows.series), one, common, 0)[0] is one


def test_of_series_with_own_weights_those_without_a_profile_have_no_member_that_needs_one():
    rows = drawn_rows(np.random.default_rng(6), [(0.2, 2.0), (2.0, 0.2)])
    kinds = Kinds((24, 24), np.array([0, 1]))
    rows = replace(rows, kinds=rows.series)
    found, weights = with_own(rows, kinds, weights_by_kind.weights_by_kind(rows, kinds, 1), 1)
    assert (found.seasons, found.of_series.tolist()) == ((24,) * 4, [2, 3])
    assert weights[2, 1].tolist() == [0, 0]
    assert weights[3, 1].min() > 0.8


def test_members_that_need_a_profile_have_no_weight_where_there_is_none():
    """Series without a profile learn from all rows, those with one from their own."""
    generator = np.random.default_rng(5)
    targets = generator.normal(size=(60, 2)).astype(np.float32)
    members = [(targets + scale * generator.normal(size=(60, 2))).astype(np.float32) for scale in (0.5, 0.4)]
    kinds = np.repeat([0, 1], [25, 35])
    found = weights_by_kind.weights_by_kind(
        WeighedRows(targets, members, np.ones(60), None, 1, 8, kinds, kinds, kinds), Kinds((0, 0), kinds), 1
    )
    np.testing.assert_array_equal(found[0, :1], stack(targets, members[:1], np.ones(60)))
    np.testing.assert_array_equal(found[0, 1], 0)
    here = [one[25:] for one in members]
    np.testing.assert_array_equal(found[1], stack(targets[25:], here, np.ones(35)))


def test_the_table_of_weights_names_the_base_where_there_are_several():
    weights = np.array([[[0.5, 0.7]], [[0.2, 0.4]]])
    one = Committee(("network",), weights, np.zeros((2, 3, 2), np.float32), np.array([0, 1]), np.ones(2, np.float32),
                    (0, 24), no_profiles(2), np.zeros((2, 0, 2)))  # fmt: skip
    table = weights_table(one, ["a", "b"])
    assert table.index.tolist() == [(0, 1), (0, 2), (24, 1), (24, 2)]
    assert table["last value"].round(9).tolist() == [0.5, 0.3, 0.8, 0.6]


def test_the_table_of_weights_names_the_series_where_they_have_their_own():
    weights = np.array([[[0.5, 0.7]], [[0.2, 0.4]], [[0.1, 0.3]]])
    one = Committee(("network",), weights, np.zeros((3, 3, 2), np.float32), np.array([1, 2]), np.ones(2, np.float32),
                    (24, 24, 24), no_profiles(2), np.zeros((3, 0, 2)))  # fmt: skip
    table = weights_table(one, ["a", "b"])
    assert table.index.names == ["unique_id", "horizon"]
    assert table.index.tolist() == [("a", 1), ("a", 2), ("b", 1), ("b", 2)]
    assert table["network"].tolist() == [0.2, 0.4, 0.1, 0.3]


def test_the_table_of_weights_tells_series_with_a_profile_from_others_of_the_same_base():
    weights = np.array([[[0.5, 0.7]], [[0.2, 0.4]], [[0.1, 0.3]], [[0.6, 0.8]]])
    profiles = SeasonalProfiles(np.array([[0, 0], [1, -1]], np.float32), 1)
    one = Committee(("network",), weights, np.zeros((4, 3, 2), np.float32), np.array([1, 3]), np.ones(2, np.float32),
                    (0, 24, 0, 24), profiles, np.zeros((4, 3, 2)))  # fmt: skip
    table = weights_table(one, ["a", "b"])
    assert table.index.tolist() == [(24, False, 1), (24, False, 2), (24, True, 1), (24, True, 2)]
    assert table["network"].tolist() == [0.2, 0.4, 0.6, 0.8]


@pytest.mark.parametrize(("most", "profiled"), [(7, False), (10_000, False), (10_000, True)])
def test_held_out_forecasts_are_the_members_weighed_one_by_one(monkeypatch, most, profiled):
    monkeypatch.setattr(stacking, "MOST_WEIGHED", most)
    generator, horizon, season, size, points = np.random.default_rng(3), 3, 4, 12, (60, 48)
    values = [
        (np.sin(np.arange(count) * np.pi / 2) + generator.normal(0, 0.4, count)).astype(np.float32) for count in points
    ]
    rules = Rules("none", (), (season,), (), (0, season), (0.5, 0.7), size, horizon, False)
    histories = [history_of(one, [Segment(0, len(one))], season, size) for one in values]
    found, bounds = [], []
    for network in range(2):
        bounds.append([(count - 10 * (network + 1), count - 10 * network) for count in points])
        drawn = [generator.normal(0, 0.3, (10, horizon)).astype(np.float32) for _ in points]
        found.append([
            HeldOutForecasts(np.arange(first - 1, last - 1), own, 0 * own, last, np.zeros((10, 0), np.float32))
            for (first, last), own in zip(bounds[-1], drawn, strict=True)
        ])  # fmt: skip
    begins = np.array(["2024-01-01T05", "2024-01-01T06"], "datetime64[ns]")
    profiles = learned_profiles(values, begins, HOUR, (season,) if profiled else (), bounds, horizon)
    together, judged = stacked(
        (values, values), (histories, histories), found, rules, profiles, judged=True, single=True
    )
    assert together.profiles.there.tolist() == [profiled, profiled]
    importance = stacking._importance(values, rules, horizon)
    held_out = [tuple(zip(*own, strict=True)) for own in bounds]
    _, own_ridge = ridge(histories, held_out, horizon, min(size, ridge_values(points[0])), importance)
    maps = {"seasonal-4": seasonal_map(size, horizon, season), "drift": drift_map(size, horizon)}
    maps |= {"seasonal-mean-4": seasonal_mean_map(size, horizon, season), "mean": mean_map(size, horizon)}
    maps |= smoothing_maps(histories, horizon, (season,), importance)
    assert set(together.members) >= {"network", "ridge", LEVEL, *maps}
    plain, own_plain = {}, [{}, {}]
    if profiled:
        less = [
            replace(one, values=one.values - shape[(first + np.arange(len(one.values)) - size) % season])
            for one, shape, first in zip(histories, profiles.whole.shapes, (1, 2), strict=True)
        ]
        plain = {
            "profile-mean": maps["mean"],
            "profile-smoothing": smoothing_maps(less, horizon, (), importance)["smoothing"],
        }
        lags = min(size, ridge_values(points[0]))
        own_plain = [{**plain, "profile-ridge": one} for one in ridge(less, held_out, horizon, lags, importance)[1]]
        assert {"profile-ridge", *plain} < set(together.members)
    for series, count in enumerate(points):
        row = 0
        for network, first in enumerate((count - 10, count - 20)):
            for place in range(first - 1, first + 9):
                window = values[series][place - size + 1 : place + 1].astype(np.float64)
                last = window[-1]
                said = found[network][series].changes[row % 10]
                linear = {**maps, "ridge": own_ridge[network]}
                base = (window - last) @ change_map(size, horizon, rules.bases[series])
                expected = np.full(horizon, last)
                shape = profiles.without[network].shapes[series] if profiled else np.zeros(season)
                at = (1, 2)[series] + place
                around = shape[(at + np.arange(1 - size, horizon + 1)) % season]
                kind = together.bases[series]
                assert kind == series + 2 * profiled
                for name, weights in zip(together.members, together.weights[kind], strict=True):
                    change = said + base if name == "network" else None
                    if name.startswith("profile-"):
                        usual = window - around[:size]
                        change = (usual - usual[-1]) @ own_plain[network][name] + usual[-1] + around[size:] - last
                    elif change is None:
                        change = np.full(horizon, -last) if name == LEVEL else (window - last) @ linear[name]
                    expected += weights * change
                np.testing.assert_allclose(judged.forecasts[series][row], expected, atol=2e-5)
                stop = first + 10
                came = [values[series][at] if at < stop else np.nan for at in range(place + 1, place + 1 + horizon)]
                np.testing.assert_allclose(judged.errors[series][row], np.array(came) - expected, atol=2e-5)
                row += 1
