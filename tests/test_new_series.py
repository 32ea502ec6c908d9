"""Series that training has not seen are forecast from their own history."""

import numpy as np
import pandas as pd
import pytest

import tsuzuki
from tsuzuki import Forecaster
from tsuzuki.errors import DataError

SMALL = {"units": 8, "head": 8, "ensemble": 2, "epochs": 4}
HORIZON, POINTS = 6, 500


def panel(names, level=50.0, noise=1.0, seed=0):
    generator = np.random.default_rng(seed)
    times, steps, frames = pd.date_range("2024-01-01", periods=POINTS + 40, freq="h"), np.arange(POINTS + 40), []
    for name in names:
        size, shift = level * generator.uniform(0.5, 2), generator.integers(24)
        y = size * (3 + np.sin((steps + shift) * 2 * np.pi / 24)) + generator.normal(0, 0.1 * noise * size, len(steps))
        frames.append(pd.DataFrame({"unique_id": name, "ds": times, "y": y}))
    return pd.concat(frames, ignore_index=True)


@pytest.fixture(scope="module")
def model():
    frame = panel("abcd")
    return Forecaster(HORIZON, **SMALL).fit(frame[frame["ds"] < frame["ds"].iloc[POINTS]])


@pytest.mark.parametrize(("level", "noise"), [(1000.0, 1.0), (0.01, 3.0)])
def test_new_series_of_any_level_are_forecast_and_their_intervals_follow_their_own_errors(model, level, noise):
    new, inside, errors, naive = panel("xyz", level, noise, seed=5), [], [], []
    for at in range(POINTS, POINTS + 34, 3):
        begin, end = new["ds"].iloc[at], new["ds"].iloc[at + HORIZON - 1]
        found = model.predict(new[new["ds"] < begin])
        assert set(found["unique_id"]) == {*"abcdxyz"}
        found = found.merge(new[(new["ds"] >= begin) & (new["ds"] <= end)], on=["unique_id", "ds"])
        assert len(found) == 3 * HORIZON
        inside.append((found["tsuzuki-lo-80"] <= found["y"]) & (found["y"] <= found["tsuzuki-hi-80"]))
        errors.append((found["tsuzuki"] - found["y"]).abs() / level)
        before = new.assign(ds=new["ds"] + pd.Timedelta(24, "h")).rename(columns={"y": "before"})
        joined = found.merge(before, on=["unique_id", "ds"])
        naive.append((joined["before"] - joined["y"]).abs() / level)
    assert 0.68 < np.mean(inside) < 0.92
    assert np.mean(errors) < np.mean(naive)


def test_new_series_leave_the_others_and_the_forecaster_as_they_are(model):
    new = panel(["x"], seed=3)
    usual = model.predict()
    found = model.predict(new[new["ds"] < new["ds"].iloc[60]])
    pd.testing.assert_frame_equal(found[found["unique_id"] != "x"], usual)
    assert found[found["unique_id"] == "x"]["ds"].min() == new["ds"].iloc[60]
    assert model.predict().equals(usual)
    for count in (3, 10):
        short = model.predict(new[:count])
        assert np.isfinite(short[short["unique_id"] == "x"]["tsuzuki"]).all()


@pytest.mark.parametrize("settings", [{"committee": False}, {"quantiles": (0.1, 0.5, 0.9)}, {"known": "plan"}])
def test_new_series_of_networks_alone_quantiles_and_covariates(settings):
    frame = panel("ab").assign(plan=1.0)
    known = frame[frame["ds"] < frame["ds"].iloc[300]]
    model = Forecaster(2, **SMALL | {"epochs": 1}, **settings).fit(known)
    new = panel(["x"], seed=3).assign(plan=1.0)
    future = pd.concat([frame, new]) if "known" in settings else None
    found = model.predict(new[:300], future=future, levels=[80])
    own = found[found["unique_id"] == "x"]
    assert np.isfinite(own.iloc[:, 2:].to_numpy(float)).all()
    assert abs(own["tsuzuki"].mean() / new["y"][:300].mean() - 1) < 0.7


def test_new_series_that_cannot_be_are_named():
    frame = panel("ab")
    model = Forecaster(2, **SMALL | {"epochs": 1}, transform="log").fit(frame)
    with pytest.raises(
        DataError, match="series 'x' has values that are not above 0, of which the model would take log"
    ):
        model.predict(panel(["x"]).assign(y=lambda own: own["y"] - own["y"].min()))
    days = pd.Series(range(1, 31), pd.date_range("2024-01-01", periods=30, freq="D"), name="x")
    with pytest.raises(DataError, match="series 'x' has a step of 86400 s, but the model was trained on one of 3600 s"):
        model.predict(days)
    with pytest.raises(DataError, match="fit it again with that series, or forecast it with predict"):
        model.update(panel(["x"]))


def test_few_errors_are_multiples_of_what_is_usual_in_each_series_old_and_new(tmp_path):
    calm, wild = panel("ab", noise=0.3), panel("cd", noise=5.0, seed=3)
    short = [own[own["ds"] < own["ds"].iloc[200]] for own in (calm, wild)]
    fitted = Forecaster(HORIZON, **SMALL).fit(pd.concat(short))
    fitted.save(tmp_path / "m")
    again = tsuzuki.load(tmp_path / "m")
    new = panel("xy", noise=5.0, seed=7)
    found = again.predict(new[new["ds"] < new["ds"].iloc[200]]).set_index("unique_id")
    pd.testing.assert_frame_equal(found.loc[list("abcd")], fitted.predict().set_index("unique_id"))
    width = (found["tsuzuki-hi-80"] - found["tsuzuki-lo-80"]) / found["tsuzuki"]
    assert width.loc[["c", "d", "x", "y"]].groupby(level=0).mean().min() > 3 * width.loc[["a", "b"]].mean()
