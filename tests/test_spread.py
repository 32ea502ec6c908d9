"""Networks that say how large their errors will be, and counts."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tsuzuki import Forecaster, load, storage
from tsuzuki.errors import DataError, FileError, SettingError, UnsupportedModel
from tsuzuki.forecasting.rules import Rules
from tsuzuki.forecasting.search import RECIPES, _differs
from tsuzuki.forecasting.settings import Settings
from tsuzuki.forecasting.spread import Spread, changes_said, dispersion_of, spread_of
from tsuzuki.forecasting.store_fit import check_settings

RULES = Rules("none", (), (), (), (0,), (1.0,), 8, 3, False)
SMALL = {"units": 8, "head": 8, "ensemble": 2, "epochs": 4}
CUT, POINTS = 700, 760


def hourly(values):
    return pd.Series(values, pd.date_range("2024-01-01", periods=len(values), freq="h"), name="a")


def noisy_by_day(generator):
    """Readings whose noise is eight times as large by day as by night."""
    hours = np.arange(POINTS) % 24
    return hourly(
        10 + np.sin(hours / 24 * 2 * np.pi) + generator.normal(0, np.where((hours > 6) & (hours < 19), 2, 0.25))
    )


def counts(generator):
    """How often something happens in an hour, seldom by night."""
    hours = np.arange(POINTS) % 24
    return hourly(generator.negative_binomial(3, 3 / (3 + np.where((hours > 6) & (hours < 19), 9, 0.8))).astype(float))


@pytest.fixture(scope="module", params=["gaussian", "negative_binomial"])
def trained(request):
    """A loss, readings, and a forecaster of the first of them."""
    series = (noisy_by_day if request.param == "gaussian" else counts)(np.random.default_rng(3))
    return request.param, series, Forecaster(12, loss=request.param, **SMALL).fit(series[:CUT])


def test_intervals_widen_where_readings_scatter_more(trained):
    loss, series, forecaster = trained
    found = forecaster.predict(levels=(80,))
    again = forecaster.backtest(series, windows=40, step=1)
    wide = (again["tsuzuki-hi-80"] - again["tsuzuki-lo-80"]).groupby(again["ds"].dt.hour).mean()
    by_day, by_night = wide[8:18].mean(), wide[[*range(5), 21, 22, 23]].mean()
    assert by_day > 1.8 * by_night, loss
    inside = (again["tsuzuki-lo-80"] <= again["y"]) & (again["y"] <= again["tsuzuki-hi-80"])
    assert 0.65 < inside.mean() < 0.95
    if loss != "gaussian":
        ends = found[["tsuzuki-lo-80", "tsuzuki-hi-80"]].to_numpy()
        np.testing.assert_array_equal(ends, np.round(ends))
        assert (ends >= 0).all()
        assert (found["tsuzuki"] >= 0).all()


def test_streams_banks_files_and_newer_rows_agree_on_sizes_of_errors(trained, tmp_path):
    _, series, forecaster = trained
    series = series.copy()
    series.iloc[CUT + 7] = np.nan
    forecaster.save(tmp_path / "m")
    stream, bank = forecaster.stream(), forecaster.bank(["new", "a"])
    for value in series[CUT:]:
        one, both = stream.update(value), bank.update([value, value])
    np.testing.assert_array_equal(both[1], one)
    np.testing.assert_array_equal(bank.interval(80)[1][1], stream.interval(80)[1])
    found = load(tmp_path / "m").update(series[CUT:]).predict(levels=(80,))
    np.testing.assert_allclose(found["tsuzuki"], one, rtol=1e-4)
    np.testing.assert_allclose(found["tsuzuki-lo-80"], stream.interval(80)[0], rtol=1e-4, atol=1e-4)
    whole = forecaster.backtest(
        pd.concat([series, series.iloc[:12].set_axis(_behind(series))]), windows=POINTS - CUT + 1, step=1
    )
    last = whole[whole["cutoff"] == whole["cutoff"].max()]
    np.testing.assert_allclose(last["tsuzuki"], found["tsuzuki"], rtol=1e-4)
    np.testing.assert_allclose(last["tsuzuki-hi-80"], found["tsuzuki-hi-80"], rtol=1e-4, atol=1e-4)


def _behind(series):
    return pd.date_range(series.index[-1], periods=13, freq="h")[1:]


def test_a_file_whose_sizes_are_another_models_is_refused(trained, tmp_path):
    _, _, forecaster = trained
    forecaster.save(tmp_path / "m")
    stored = storage.read(tmp_path / "m")
    for facts in ({"spread": None}, {"spread": stored.facts["spread"] | {"power": 0.3}}):
        storage.write(tmp_path / "bent", "forecaster", stored.facts | facts, stored.arrays)
        with pytest.raises(FileError, match="bent is not a consistent forecaster"):
            load(tmp_path / "bent")


def test_what_goes_without_sizes_of_errors_says_so(trained, tmp_path):
    loss, _, forecaster = trained
    with pytest.raises(SettingError, match=f"a stream that learns has no loss='{loss}'"):
        forecaster.stream(learn=True)
    with pytest.raises(UnsupportedModel, match=f"to_onnx writes no forecaster with loss='{loss}'"):
        forecaster.to_onnx(tmp_path / "m.onnx")


def test_files_and_a_search_keep_to_what_a_loss_can():
    with pytest.raises(SettingError, match=r"learn values alone, not with loss='poisson'"):
        check_settings(Settings(loss="poisson"))
    for loss, others in (("huber", True), ("gaussian", False)):
        differing = [recipe for recipe in RECIPES if _differs(Settings(loss=loss), recipe)]
        assert any("loss" in recipe for recipe in differing) is others
        assert len(differing) > 9


def test_settings_that_a_loss_has_no_use_for_are_refused():
    for others in ({"committee": False}, {"quantiles": (0.5,)}, {"validation_fraction": 0.0}):
        with pytest.raises(SettingError, match="loss='gaussian' needs a committee and held-out stretches"):
            Settings(loss="gaussian", **others)
    for others in ({"transform": "log"}, {"base": "season"}):
        (name,) = others
        with pytest.raises(SettingError, match=f"loss='poisson' is of counts as they are, with {name}='auto' or"):
            Settings(loss="poisson", **others)
    with pytest.raises(DataError, match=r"series 'a' has the value -1, but loss='poisson' is one of counts, from 0"):
        Forecaster(4, loss="poisson").fit(hourly(np.arange(-1.0, 99)))


@settings(max_examples=40)
@given(st.lists(st.floats(0, 40), min_size=1, max_size=9), st.floats(0, 9))
def test_whole_ends_hold_the_same_whole_numbers(starts, width):
    low = np.array(starts)
    first, last = Spread("poisson", 1.0, np.zeros(1), 0.0, True).ends(low, low + width)
    numbers = np.arange(60)[:, None]
    given_ends, whole_ends = (
        (numbers >= a - 1e-4) & (numbers <= b + 1e-4) for a, b in ((low, low + width), (first, last))
    )
    some = given_ends.any(axis=0)
    np.testing.assert_array_equal(given_ends[:, some], whole_ends[:, some])
    assert (first <= last).all()
    assert (whole_ends[:, ~some].sum(axis=0) == 1).all()


def test_the_dispersion_of_counts_is_found_and_says_how_their_errors_grow():
    generator = np.random.default_rng(0)
    several = [generator.negative_binomial(4, 4 / (4 + 20), 4000).astype(float) for _ in range(5)]
    assert dispersion_of(several) == pytest.approx(20 / 4, rel=0.1)
    assert dispersion_of([generator.poisson(3, 4000).astype(float)]) < 0.1
    assert dispersion_of([np.zeros(9)]) == 0
    found = Spread("negative_binomial", 1.0, np.zeros(2), 5.0, True)
    sizes = found.of(np.zeros((2, 0)), np.array([[0, 1], [2, 3]], np.float32), np.array([[20.0, 10.0]]))
    means = np.array([[20, 30], [40, 50]])
    np.testing.assert_allclose(sizes, np.sqrt((means + means**2 / 4) / (20 + 20**2 / 4)), rtol=1e-5)


def test_sizes_are_trusted_as_far_as_held_out_errors_bear_them_out():
    generator, gaussian = np.random.default_rng(1), Settings(3, loss="gaussian")
    logs = generator.normal(0, 1, (4000, 3)).astype(np.float32)
    outputs = np.stack([0 * logs, 2 * logs], axis=2).reshape(4000, 6)
    noise, scales = generator.normal(0, 1, (4000, 3)).astype(np.float32), np.array([[0.0, 1.0]])
    for power in (0.0, 0.5, 1.0):
        errors = noise * np.exp(power * logs)
        found, even = spread_of(gaussian, RULES, [outputs], [0 * logs], [errors], scales, False)
        assert found.power == power
        assert np.corrcoef(even[0].ravel(), noise.ravel())[0, 1] > 0.995


def test_networks_of_counts_say_the_logarithm_of_a_multiple_of_the_mean():
    scales = np.array([[4.0, 2.0], [0.0, 1.0]])
    found = changes_said("poisson", np.log(np.array([[2.0], [3.0]], np.float32)), np.array([1.0, 0.5]), 1.0, scales)
    # Twice 4 is 2 deviations above the mean, one above the last value; where the mean is 0 the unit is 1.
    np.testing.assert_allclose(found, [[1.0], [2.5]], rtol=1e-6)
