"""Metrics as others compute them."""

import numpy as np
import pandas as pd
import pytest
import utilsforecast.losses as losses
from hypothesis import given, settings
from hypothesis import strategies as st

from tsuzuki.errors import DataError
from tsuzuki.forecasting.evaluation import evaluate


def table_of(seed, origins=4, horizon=3):
    generator = np.random.default_rng(seed)
    frames, training = [], []
    for name in "ab":
        past = np.cumsum(generator.normal(size=200)) + 20
        times = pd.date_range("2024-01-01", periods=200 + origins + horizon, freq="h")
        training.append(pd.DataFrame({"unique_id": name, "ds": times[:200], "y": past}))
        for origin in range(origins):
            y = 20 + generator.normal(size=horizon)
            one, other = y + generator.normal(size=horizon), y + 2 * generator.normal(size=horizon)
            frames.append(
                pd.DataFrame(
                    {
                        "unique_id": name,
                        "ds": times[200 + origin : 200 + origin + horizon],
                        "cutoff": times[199 + origin],
                        "y": y,
                        "tsuzuki": one,
                        "tsuzuki-lo-80": one - 1,
                        "tsuzuki-hi-80": one + 1.5,
                        "other": other,
                    }
                )
            )
    table, training = pd.concat(frames, ignore_index=True), pd.concat(training, ignore_index=True)
    season = 24
    table.attrs["mase_scale"] = {
        name: float(np.abs(own["y"].to_numpy()[season:] - own["y"].to_numpy()[:-season]).mean())
        for name, own in training.groupby("unique_id")
    }
    return table, training


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1))
def test_scores_are_those_of_utilsforecast(seed):
    table, training = table_of(seed)
    found = evaluate(table).set_index("model")
    models = ["tsuzuki", "other"]
    # As many rows for each series: the mean of the series' metrics is the metric of all.
    assert losses.mae(table, models)[models].mean().to_numpy() == pytest.approx(found.loc[models, "mae"].to_numpy())
    squares = losses.mse(table, models)[models].mean().to_numpy()
    assert squares == pytest.approx(found.loc[models, "rmse"].to_numpy() ** 2)
    theirs = losses.mase(table, models, seasonality=24, train_df=training)[models].mean().to_numpy()
    assert theirs == pytest.approx(found.loc[models, "mase"].to_numpy())
    # Theirs is a share between 0 and 1, ours per cent up to 200.
    theirs = 200 * losses.smape(table, models)[models].mean().to_numpy()
    assert theirs == pytest.approx(found.loc[models, "smape"].to_numpy())
    covered = losses.coverage(table, ["tsuzuki"], 80)["tsuzuki"].mean()
    assert 100 * covered == pytest.approx(found.loc["tsuzuki", "coverage-80"])
    parts = [
        losses.quantile_loss(table, {"tsuzuki": column}, q)["tsuzuki"].mean()
        for column, q in (("tsuzuki", 0.5), ("tsuzuki-lo-80", 0.1), ("tsuzuki-hi-80", 0.9))
    ]
    assert found.loc["tsuzuki", "pinball"] == pytest.approx(np.mean(parts))
    assert found.loc["tsuzuki", "width-80"] == pytest.approx(2.5)


def test_scores_by_horizon_average_to_those_of_all():
    table, _ = table_of(1)
    by, whole = evaluate(table, by_horizon=True), evaluate(table).set_index("model")
    assert sorted(by["horizon"].unique()) == [1, 2, 3]
    for model, own in by.groupby("model"):
        assert own["mae"].mean() == pytest.approx(whole.loc[model, "mae"])
        assert np.sqrt((own["rmse"] ** 2).mean()) == pytest.approx(whole.loc[model, "rmse"])


def test_skill_is_against_the_best_other_model():
    table, _ = table_of(2)
    table["worse"] = table["y"] + 100
    found = evaluate(table).set_index("model")
    assert found.loc["tsuzuki", "skill"] == pytest.approx(1 - found.loc["tsuzuki", "rmse"] / found.loc["other", "rmse"])


def test_months_are_counted_by_the_calendar():
    times = pd.date_range("2024-01-01", periods=4, freq="MS")
    rows = [(times[o], times[o + h]) for o in range(2) for h in (1, 2)]
    table = pd.DataFrame({"unique_id": "a", "ds": [b for _, b in rows], "cutoff": [a for a, _ in rows], "y": 1.0})
    table["tsuzuki"] = [1.0, 3.0, 1.0, 3.0]
    assert evaluate(table, by_horizon=True)["mae"].tolist() == [0.0, 2.0]


def test_a_table_without_forecasts_is_refused():
    with pytest.raises(DataError, match="no forecasts to score; give what backtest returns"):
        evaluate(table_of(0)[0][["unique_id", "ds", "cutoff", "y"]])
    whole = table_of(0)[0]
    with pytest.raises(DataError, match="no forecasts to score"):
        evaluate(whole[:0])
    # One row is enough.
    assert np.isfinite(evaluate(whole[:1])["mae"]).all()
