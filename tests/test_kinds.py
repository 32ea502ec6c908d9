"""Ten kinds of series, small: no recipe may fall far behind the best reference, and intervals cover what they say.

`benchmarks/kinds.py` draws them; with `python benchmarks/kinds.py` they are measured with the defaults.
"""

import importlib.util
import sys

import numpy as np
import pandas as pd
import pytest

from tooling import ROOT
from tsuzuki import Forecaster, evaluate, load
from tsuzuki.errors import FileError, SettingError

_spec = importlib.util.spec_from_file_location("kinds", ROOT / "benchmarks" / "kinds.py")
kinds = importlib.util.module_from_spec(_spec)
sys.modules["kinds"] = kinds
_spec.loader.exec_module(kinds)

SMALL = {"units": 24, "head": 24, "ensemble": 2, "epochs": 10}


@pytest.mark.parametrize("name", kinds.KINDS)
def test_no_kind_is_forecast_much_worse_than_by_the_best_reference(name):
    drawn = kinds.kind(name, 0)
    forecaster = Forecaster(drawn.horizon, known=drawn.known, **SMALL)
    table = evaluate(forecaster.backtest(drawn.frame, windows=drawn.windows)).set_index("model")
    own, others = table.loc["tsuzuki"], table.drop("tsuzuki")
    assert own["mae"] < 1.15 * others["mae"].min()
    assert own["rmse"] < 1.15 * others["rmse"].min()
    assert 65 < own["coverage-80"] < 92
    assert own["coverage-95"] > 85


def wave(points, freq="h"):
    steps = np.arange(points)
    values = 20 + 5 * np.sin(2 * np.pi * steps / 24) + np.random.default_rng(0).normal(0, 0.5, points)
    return pd.Series(values, pd.date_range("2024-01-01", periods=points, freq=freq), name="a")


@pytest.fixture(scope="module")
def fitted():
    return Forecaster(5, **SMALL).fit(wave(600))


def test_weights_say_who_is_trusted_at_each_step_and_add_up_to_one(fitted):
    weights = fitted.weights_
    assert weights.index.tolist() == [1, 2, 3, 4, 5]
    assert weights.columns[0] == "network"
    assert weights.columns[-1] == "last value"
    assert {"ridge", "seasonal-24", "drift", "mean"} <= set(weights.columns)
    assert (weights >= 0).all().all()
    np.testing.assert_allclose(weights.sum(axis=1), 1)


@pytest.mark.parametrize("settings", [{"committee": False}, {"quantiles": (0.1, 0.5, 0.9)}])
def test_networks_that_stand_alone_have_no_weights(settings):
    alone = Forecaster(2, units=3, ensemble=1, epochs=1, **settings).fit(wave(100))
    with pytest.raises(SettingError, match="the networks of this forecaster stand alone; fit with committee=True"):
        _ = alone.weights_
    assert np.isfinite(alone.predict()["tsuzuki"]).all()


@pytest.mark.parametrize("base", ["last", "season", "auto"])
def test_a_forecaster_comes_back_from_its_file_with_its_committee(tmp_path, base):
    one = Forecaster(5, units=3, ensemble=2, epochs=1, base=base, transform="log").fit(wave(300))
    one.save(tmp_path / "m")
    again = load(tmp_path / "m")
    assert again.predict().equals(one.predict())
    assert again.weights_.equals(one.weights_)


def test_a_file_of_an_earlier_version_names_the_version_that_reads_it(tmp_path, fitted):
    from tsuzuki import storage

    fitted.save(tmp_path / "m")
    stored = storage.read(tmp_path / "m")
    for when, form in (("an earlier", {}), ("an earlier", {"form": 1}), ("a later", {"form": 1000})):
        facts = {name: fact for name, fact in stored.facts.items() if name != "form"} | form
        storage.write(tmp_path / "other", "forecaster", facts, stored.arrays)
        with pytest.raises(
            FileError, match=rf"other was written by {when} tsuzuki, .*; read it with tsuzuki [0-9.]+, or fit"
        ):
            load(tmp_path / "other")


@pytest.mark.parametrize("points", [12, 24, 36])
def test_a_short_series_is_forecast_by_what_needs_no_learning(points):
    steps = np.arange(points + 6)
    line = pd.Series(10.0 + 2 * steps, pd.date_range("2020-01-01", periods=len(steps), freq="MS"), name="a")
    short = Forecaster(6, **SMALL).fit(line[:points])
    assert (short.weights_["network"] == 0).all()
    errors = np.abs(short.predict()["tsuzuki"].to_numpy() - line.to_numpy()[points:])
    assert errors.max() <= 0.7 * 12


def test_series_with_other_bases_have_other_weights_and_all_ways_to_forecast_agree(tmp_path):
    rng, hours = np.random.default_rng(0), np.arange(450)
    readings = {
        "day": 20 + 8 * np.sin(2 * np.pi * hours / 24) + rng.normal(0, 0.5, 450),
        "walk": 50 + rng.normal(0, 1, 450).cumsum(),
    }
    times = pd.date_range("2024-01-01", periods=450, freq="h")
    frame = pd.concat([pd.DataFrame({"unique_id": name, "ds": times, "y": own}) for name, own in readings.items()])
    known = frame[frame["ds"] < times[420]]
    model = Forecaster(6, units=4, head=4, epochs=2, ensemble=2).fit(known)
    model.save(tmp_path / "model")
    assert model.weights_.index.names == ["base", "horizon"]
    assert not np.allclose(model.weights_.loc[0], model.weights_.loc[24], atol=0.05)
    bank, streams = model.bank(), {name: model.stream(unique_id=name) for name in readings}
    for step in range(420, 440):
        together = bank.update([own[step] for own in readings.values()])
        alone = [streams[name].update(own[step]) for name, own in readings.items()]
    np.testing.assert_array_equal(together, alone)
    newer = frame[(frame["ds"] >= times[420]) & (frame["ds"] < times[440])]
    said = load(tmp_path / "model").update(newer).predict()["tsuzuki"].to_numpy().reshape(2, 6)
    np.testing.assert_allclose(together, said, rtol=1e-4)
