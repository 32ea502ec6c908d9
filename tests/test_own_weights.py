"""A panel of series that are to be forecast in different ways: each has weights of its own, wherever it is forecast."""

import numpy as np
import pandas as pd
import pytest

import tsuzuki
from tsuzuki import Forecaster

SMALL = {"units": 3, "layers": 1, "head": 0, "ensemble": 2, "epochs": 1, "base": "last"}
TIMES = pd.date_range("2024-01-01", periods=620, freq="h")


@pytest.fixture(scope="module")
def panel():
    """A walk, which its last value forecasts best, and noise about a mean, which it forecasts worst."""
    generator = np.random.default_rng(0)
    walk, noise = np.cumsum(generator.normal(size=len(TIMES))), generator.normal(size=len(TIMES))
    both = {"noise": noise, "walk": walk}
    return pd.concat([pd.DataFrame({"unique_id": name, "ds": TIMES, "y": own}) for name, own in both.items()])


@pytest.fixture(scope="module")
def model(panel):
    return Forecaster(3, **SMALL).fit(panel[panel.ds < TIMES[600]])


def test_each_series_trusts_what_forecasts_it(model):
    weights = model.weights_
    assert weights.index.names == ["unique_id", "horizon"]
    assert weights.loc["noise", "mean"].min() > weights.loc["walk", "mean"].max()
    assert weights.loc["walk", "last value"].min() > weights.loc["noise", "last value"].max()


def test_streams_banks_and_saved_models_have_the_weights_of_each_series(model, panel, tmp_path):
    behind = panel[panel.ds >= TIMES[600]]
    model.save(tmp_path / "m.tsuzuki")
    again = tsuzuki.load(tmp_path / "m.tsuzuki")
    pd.testing.assert_frame_equal(again.weights_, model.weights_)
    streams = {name: again.stream(name) for name in ("noise", "walk")}
    bank = again.bank()
    for _, row in behind.iterrows():
        said = streams[row.unique_id].update(row.y)
        together = bank.update(np.array([row.y]), ids=[row.unique_id])
        np.testing.assert_array_equal(together[0], said)
    model.update(behind)
    last = model.predict().set_index("unique_id")
    for name, stream in streams.items():
        np.testing.assert_allclose(stream.forecast(), last.loc[name, "tsuzuki"], rtol=1e-5)


def test_new_series_have_the_weights_that_all_series_share(model, panel):
    strange = panel[panel.unique_id == "walk"].assign(unique_id="strange")
    found = model.predict(pd.concat([panel, strange])).set_index("unique_id")
    assert np.isfinite(found["tsuzuki"]).all()
    assert (found.loc["strange", "tsuzuki"].to_numpy() != found.loc["walk", "tsuzuki"].to_numpy()).all()
