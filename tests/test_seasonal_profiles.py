"""The usual shape of a season: what it is learned from, when it is one, and that all ways to a forecast put it on."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tsuzuki import Forecaster
from tsuzuki.forecaster import load as load_forecaster
from tsuzuki.forecasting import seasonal_profile
from tsuzuki.forecasting.seasonal_profile import (
    EXPLAINED,
    SHARES,
    SeasonalProfiles,
    grid_places,
    learned_profiles,
    mean_shape,
    moving_mean,
    profile_of,
    profile_season,
)

DAY, HOUR = 86400 * 10**9, 3600 * 10**9
SEEDS = st.integers(0, 10**6)


def hourly(points, seed=0, noise=0.2, name="a", start="2024-01-01"):
    """Days of one shape, weekends lower, and noise."""
    generator, hours = np.random.default_rng(seed), np.arange(points)
    weekend = hours // 24 % 7 >= 5
    values = 10 + 3 * np.sin(hours * np.pi / 12) * np.where(weekend, 0.4, 1) - weekend
    return pd.DataFrame(
        {
            "unique_id": name,
            "ds": pd.date_range(start, periods=points, freq="h"),
            "y": values + generator.normal(0, noise, points),
        }
    )


@given(SEEDS, st.integers(2, 7), st.integers(0, 6))
def test_a_mean_shape_is_that_of_each_phase_and_is_judged_where_it_was_not_learned(seed, season, missing):
    generator = np.random.default_rng(seed)
    apart = generator.normal(size=5 * season + 1) + np.tile(generator.normal(0, 2, season), 6)[: 5 * season + 1]
    apart[generator.integers(0, len(apart), missing)] = np.nan
    rows = [[v for v in apart[phase::season] if not math.isnan(v)] for phase in range(season)]
    left = {}
    for share in SHARES:
        pairs = [(v, share * (sum(own) - v) / (len(own) - 1)) for own in rows if len(own) > 1 for v in own]
        left[share] = sum((v - said) ** 2 for v, said in pairs) / sum(v**2 for v, _ in pairs)
    best = min(left, key=left.get)
    shape, explained = mean_shape(apart, season)
    if left[best] >= 1:
        assert explained == 0
        assert not shape.any()
    else:
        assert explained == pytest.approx(1 - left[best])
        np.testing.assert_allclose(shape, [best * sum(own) / max(len(own), 1) for own in rows], atol=1e-9)


@given(SEEDS, st.integers(1, 9))
def test_a_moving_mean_is_that_of_the_values_around_a_point(seed, over):
    generator = np.random.default_rng(seed)
    values = generator.normal(size=20)
    found = moving_mean(values, over)
    for place in range(20):
        first = place - over // 2
        inside = first >= 0 and first + over <= 20
        assert (
            found[place] == pytest.approx(np.mean(values[first : first + over])) if inside else np.isnan(found[place])
        )


def test_a_missing_value_lies_between_its_neighbours():
    values = np.array([np.nan, 1.0, np.nan, np.nan, 4.0, np.nan])
    np.testing.assert_allclose(moving_mean(values, 1), [1, 1, 2, 3, 4, 4])
    assert np.isnan(moving_mean(np.full(6, np.nan), 2)).all()


def test_weekends_have_a_shape_and_a_level_of_their_own():
    frame = hourly(24 * 7 * 6, noise=0.1)
    shape, explained = profile_of(frame["y"].to_numpy(), 24, 168)
    true = hourly(168, noise=0)["y"].to_numpy()
    assert explained > 0.95
    np.testing.assert_allclose(shape, true - true.mean(), atol=0.25)
    assert shape.mean() == pytest.approx(0, abs=1e-12)


def test_what_is_held_out_teaches_nothing():
    values = hourly(24 * 7 * 6)["y"].to_numpy()
    other = values.copy()
    other[300:400] += 50 * np.random.default_rng(1).normal(size=100)
    whole, _ = profile_of(values, 24, 24, (300 - 24, 400 + 24))
    np.testing.assert_allclose(profile_of(other, 24, 24, (300 - 24, 400 + 24))[0], whole, atol=1e-9)
    assert np.abs(profile_of(other, 24, 24)[0] - profile_of(values, 24, 24)[0]).max() > 0.5


@pytest.mark.parametrize("kind", ["noise", "walk", "short"])
def test_series_without_a_season_have_no_profile(kind):
    values = np.random.default_rng(2).normal(size=71 if kind == "short" else 900)
    values = np.cumsum(values) if kind == "walk" else values
    assert profile_of(values, 24, 24)[1] < EXPLAINED
    first = np.array(["2024-01-01"], "datetime64[ns]")
    found = learned_profiles([values], first, HOUR, (24,), [[(0, 0)]], 24)
    assert not found.whole
    assert not found.without[0]


def test_seasons_of_profiles():
    assert profile_season((24, 168), HOUR, 600) == (24, 168)
    assert profile_season((24, 168), HOUR, 503) == (24, 24)
    assert profile_season((24, 168), HOUR, 71) == (0, 0)
    assert profile_season((7, 365), DAY, 2000) == (7, 7)
    assert profile_season((12,), 30 * DAY, 40) == (12, 12)
    assert profile_season((5,), 7 * DAY // 5, 400) == (0, 0), "business days"
    assert profile_season((), HOUR, 400) == (0, 0)


def test_larger_panels_have_none(monkeypatch):
    values = [hourly(24 * 21, seed)["y"].to_numpy() for seed in range(3)]
    given = values, np.array(["2024-01-01"] * 3, "datetime64[ns]"), HOUR, (24,), [], 5
    monkeypatch.setattr(seasonal_profile, "MOST_NUMBERS", 3 * 24 * 5)
    assert learned_profiles(*given).whole.there.all()
    monkeypatch.setattr(seasonal_profile, "MOST_NUMBERS", 3 * 24 * 5 - 1)
    assert not learned_profiles(*given).whole


@settings(max_examples=30)
@given(st.integers(0, 500), st.sampled_from([HOUR, HOUR // 2, DAY, 30 * DAY, 91 * DAY]))
def test_phases_go_on_by_one_with_each_step_of_a_grid(count, step):
    freq = {30 * DAY: "ME", 91 * DAY: "QE"}.get(step) or pd.Timedelta(step, "ns")
    times = pd.date_range("1969-03-05 07:51", periods=count + 2, freq=freq).to_numpy("datetime64[ns]")
    assert (np.diff(grid_places(times, step)) == 1).all()
    profiles = SeasonalProfiles(np.ones((1, 12), np.float32), step)
    phases = profiles.phases(times)
    assert [profiles.phase(int(one)) for one in times.astype(np.int64)] == phases.tolist()
    assert phases.min() >= 0
    assert phases.max() < 12


def test_a_profile_lies_where_the_series_begins():
    """Two series of the same days, one from five hours later on, have one profile."""
    values = hourly(24 * 28, noise=0)["y"].to_numpy()
    firsts = np.array(["2024-01-01T00", "2024-01-01T05"], "datetime64[ns]")
    found = learned_profiles([values, values[5:]], firsts, HOUR, (24,), [], 3).whole
    np.testing.assert_allclose(found.shapes[0], found.shapes[1], atol=0.1)
    assert found.shapes[0, found.phases(np.array(["2024-02-03T06"], "datetime64[ns]"))[0]] > 2


@pytest.fixture(scope="module")
def learned():
    """Two series with profiles and one without, and what comes behind them."""
    generator = np.random.default_rng(3)
    walk = hourly(24 * 24, name="c").assign(y=lambda one: generator.normal(size=len(one)).cumsum())
    whole = pd.concat([hourly(24 * 24, 1, name="a"), hourly(24 * 24, 2, 0.4, "b"), walk])
    cut = pd.Timestamp("2024-01-23")
    known, behind = whole[whole["ds"] < cut], whole[whole["ds"] >= cut]
    return Forecaster(6, epochs=1, ensemble=2, units=8, head=8).fit(known), known, behind


def test_members_that_know_the_profile_are_trusted(learned):
    model, _, _ = learned
    found = model.fitted.committee
    assert found.profiles.there.tolist() == [True, True, False]
    assert list(model.weights_.columns)[-4:-1] == ["profile-ridge", "profile-mean", "profile-smoothing"]
    shares = found.weights[found.bases, -3:].sum(axis=1).mean(axis=1)
    assert shares[:2].min() > 0.3
    assert shares[2] == 0


def test_streams_banks_updates_and_backtests_put_the_same_profile_on(learned, tmp_path):
    model, _, behind = learned
    bank, streams = model.bank(), {name: model.stream(name) for name in "abc"}
    readings = behind.pivot(index="ds", columns="unique_id", values="y")
    said = []
    for count, (_, row) in enumerate(readings.iterrows()):
        # A gap within what a state is carried through, in one of them.
        values = row.to_numpy().copy()
        values[0] = np.nan if count in (3, 4) else values[0]
        together = bank.update(values)
        for place, (name, value) in enumerate(zip("abc", values, strict=True)):
            # A NaN of NumPy is a missing reading, too.
            np.testing.assert_array_equal(together[place], streams[name].update(value))
        said.append(together)
    holes = behind.assign(y=behind["y"].mask((behind["unique_id"] == "a") & behind["ds"].dt.hour.isin([3, 4])
                                             & (behind["ds"] < behind["ds"].min() + pd.Timedelta("1D"))))  # fmt: skip
    model.save(tmp_path / "m.tsuzuki")
    table = load_forecaster(tmp_path / "m.tsuzuki").update(holes).predict()
    np.testing.assert_allclose(table["tsuzuki"].to_numpy().reshape(3, 6), said[-1], rtol=2e-5, atol=2e-5)


def test_a_file_keeps_profiles(learned, tmp_path):
    model, _, _ = learned
    model.save(tmp_path / "m.tsuzuki")
    again = load_forecaster(tmp_path / "m.tsuzuki")
    pd.testing.assert_frame_equal(again.predict(), model.predict())
    np.testing.assert_array_equal(again.fitted.committee.offsets, model.fitted.committee.offsets)


def test_files_have_the_profiles_of_the_series_that_they_name(learned, tmp_path):
    model, known, _ = learned
    expected = model.predict()["tsuzuki"].to_numpy().reshape(3, 6)
    apart = []
    for names in ("abc", "xyz"):
        (tmp_path / names).mkdir()
        known.assign(unique_id=known["unique_id"].map(dict(zip("abc", names, strict=True)))).to_parquet(
            tmp_path / names / "readings.parquet"
        )
        model.forecast_files(tmp_path / names, tmp_path / f"{names}.parquet", cache=tmp_path / f"{names}.cache")
        found = pd.read_parquet(tmp_path / f"{names}.parquet")["tsuzuki"].to_numpy().reshape(3, 6)
        apart.append(np.abs(found - expected)[:2].max())
    # The networks begin with 48 steps; what has no profile is forecast by other weights.
    assert apart[0] < 0.02 < apart[1]


def test_series_without_a_profile_take_no_room(learned):
    model, _, _ = learned
    mixed = model.bank([*"ba", *(f"new {i}" for i in range(50))]).recent.committee
    known = model.fitted.committee
    assert mixed.offsets.shape == (3, known.profiles.season, 6)
    np.testing.assert_array_equal(mixed.offset_rows, [1, 2] + 50 * [0])
    np.testing.assert_array_equal(mixed.offsets[[2, 1]], known.offsets[known.offset_rows[:2]])
    assert not mixed.offsets[0].any()
    strangers = model.bank([f"new {i}" for i in range(50)])
    assert not strangers.recent.committee.profiles
    assert np.isfinite(strangers.update(np.full(50, 10.0))).all()
