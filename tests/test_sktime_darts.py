"""The forecaster as a model of sktime and of Darts: their own checks, and the same forecasts as without them."""

import numpy as np
import pandas as pd
import pytest

from tsuzuki import Forecaster
from tsuzuki.errors import SettingError

# Of sktime's 754 checks those that tell something of this forecaster; all of them pass, and take three minutes.
CHECKS = (
    "test_constructor",
    "test_get_params",
    "test_set_params",
    "test_clone",
    "test_fit_returns_self",
    "test_fit_does_not_overwrite_hyper_params",
    "test_raises_not_fitted_error",
    "test_persistence_via_pickle",
    "test_pred_int_tag",
    "test_fh_not_passed_error_handling",
    "test_class_has_doctest_example",
    "test_doctest_examples",
)
SMALL = {"units": 3, "ensemble": 1, "epochs": 1}


@pytest.fixture(scope="module")
def hourly():
    """Hourly readings of which a few are missing."""
    times = pd.date_range("2026-01-01", periods=400, freq="h")
    values = np.sin(np.arange(400) * 2 * np.pi / 24) + np.random.default_rng(0).normal(0, 0.05, 400)
    values[[50, 51, 200]] = np.nan
    return pd.Series(values, times, name="y")


def forecasts(series, horizon, **settings):
    return Forecaster(horizon, **SMALL | settings).fit(series).predict(levels=[80])


# What these libraries will change in themselves.
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
class TestSktime:
    @pytest.fixture(autouse=True)
    def _installed(self):
        pytest.importorskip("sktime", reason="the extra sktime is not installed")

    def test_sktimes_own_checks_pass(self):
        from sktime.utils.estimator_checks import check_estimator

        from tsuzuki.sktime import TsuzukiForecaster

        done = check_estimator(TsuzukiForecaster, tests_to_run=list(CHECKS), verbose=False)
        assert set(done.values()) == {"PASSED"}
        assert {name.split("[")[0] for name in done} == set(CHECKS)

    def test_forecasts_and_intervals_are_those_without_it(self, hourly):
        from tsuzuki.sktime import TsuzukiForecaster

        model = TsuzukiForecaster(**SMALL).fit(hourly, fh=[1, 3, 6])
        alone = forecasts(hourly, 6).set_index("ds").iloc[[0, 2, 5]]
        found = model.predict()
        np.testing.assert_array_equal(found, alone["tsuzuki"])
        assert list(found.index) == list(alone.index)
        bounds = model.predict_interval(coverage=0.8)
        np.testing.assert_array_equal(bounds[("y", 0.8, "lower")], alone["tsuzuki-lo-80"])
        np.testing.assert_array_equal(bounds[("y", 0.8, "upper")], alone["tsuzuki-hi-80"])

    def test_a_forecaster_is_pickled_after_it_has_forecast(self, hourly):
        import pickle

        model = Forecaster(3, **SMALL).fit(hourly)
        there = model.predict()
        pd.testing.assert_frame_equal(pickle.loads(pickle.dumps(model)).predict(), there)

    def test_months_are_forecast_at_months_and_numbers_at_numbers(self):
        from tsuzuki.sktime import TsuzukiForecaster

        values = np.sin(np.arange(120) * 2 * np.pi / 12)
        months = pd.Series(values, pd.period_range("2015-01", periods=120, freq="M"))
        found = TsuzukiForecaster(**SMALL).fit(months, fh=[1, 2]).predict()
        assert list(found.index.astype(str)) == ["2025-01", "2025-02"]
        found = TsuzukiForecaster(**SMALL).fit(pd.Series(values), fh=[2]).predict()
        assert list(found.index) == [121]


class TestDarts:
    @pytest.fixture(autouse=True)
    def _installed(self):
        pytest.importorskip("darts", reason="the extra darts is not installed")

    def test_forecasts_are_those_without_it(self, hourly):
        from darts import TimeSeries

        from tsuzuki.darts import TsuzukiModel

        found = TsuzukiModel(6, **SMALL).fit(TimeSeries.from_series(hourly)).predict(4)
        alone = forecasts(hourly, 6)[:4]
        np.testing.assert_array_equal(found.values()[:, 0], alone["tsuzuki"])
        assert list(found.time_index) == list(alone["ds"])

    def test_backtests_and_searches_of_darts_run_it_beside_its_own_models(self, hourly):
        from darts import TimeSeries
        from darts.metrics import mae
        from darts.models import NaiveMean

        from tsuzuki.darts import TsuzukiModel

        series = TimeSeries.from_series(hourly.interpolate())
        asked = {"start": 0.9, "forecast_horizon": 6, "stride": 12, "metric": mae}
        assert TsuzukiModel(6, **SMALL).backtest(series, **asked) < NaiveMean().backtest(series, **asked)
        choices = {"horizon": [3], "units": [2, 3], "ensemble": [1], "epochs": [1]}
        best, *_ = TsuzukiModel.gridsearch(choices, series, forecast_horizon=3, start=0.95, stride=10)
        assert best.settings["units"] in (2, 3)

    def test_numbers_as_an_index_and_steps_beyond_the_horizon(self):
        from darts import TimeSeries

        from tsuzuki.darts import TsuzukiModel

        model = TsuzukiModel(2, **SMALL).fit(TimeSeries.from_values(np.sin(np.arange(60.0))))
        assert list(model.predict(2).time_index) == [60, 61]
        with pytest.raises(SettingError, match=r"predict is asked for 3 steps, but the model has 2; raise its horizon"):
            model.predict(3)
        with pytest.raises(SettingError, match=r"units is 0; give a whole number from 1"):
            TsuzukiModel(2, units=0)


@pytest.mark.parametrize(("module", "package"), [("tsuzuki.sktime", "sktime"), ("tsuzuki.darts", "darts")])
def test_without_the_library_one_line_says_what_to_install(module, package, monkeypatch):
    import importlib
    import sys

    from tsuzuki.errors import MissingExtraError

    for name in [one for one in sys.modules if one == module or one.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=rf'the package {package}, .+: pip install "tsuzuki\[{package}\]"'):
        importlib.import_module(module)
