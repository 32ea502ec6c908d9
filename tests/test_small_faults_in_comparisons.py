"""What one small slip would change where stateless and stateful training are compared: a sign, a bound, a unit."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from tsuzuki.experiment import verdict
from tsuzuki.experiment.paired_statistics import PairedDifference, paired_difference
from tsuzuki.report.backtest import _errors, _verdict


def test_only_errors_in_the_series_unit_are_shown_with_it():
    scores = pd.DataFrame(
        {
            "model": ["tsuzuki", "naive"],
            "mae": [1.0, 2.0],
            "rmse": [1.5, 2.5],
            "mase": [0.5, 1.0],
            "smape": [3.0, 4.0],
            "skill": [0.4, -0.6],
        }
    )
    shown = "".join(str(part) for part in _verdict(scores, "hPa").parts)
    assert shown.count("hPa") == 2 * 2
    assert "MAE hPa" in shown
    assert "RMSE hPa" in shown
    by_horizon = pd.concat([scores.assign(horizon=1), scores.assign(horizon=2)])
    (figure,) = (part for part in _errors(by_horizon, ["tsuzuki", "naive"], "hPa").parts if not isinstance(part, str))
    titles = [group["frames"][0]["title"] for group in figure.groups]
    assert [title for title in titles if "hPa" in title] == [
        title for title in titles if "RMSE" in title or "MAE" in title
    ]
    assert len(titles) > sum("hPa" in title for title in titles) > 0


def test_the_interval_of_paired_differences_is_theirs_and_not_that_of_the_values():
    found = paired_difference([1.0, 5.0, 9.0, 3.0], [1.1, 5.1, 9.1, 3.1])
    assert found.ci95 == pytest.approx((0.1, 0.1))
    # Student's t with 3 degrees of freedom: 3.182.
    found = paired_difference([0.0, 0.0, 0.0, 0.0], [1.0, 2.0, 3.0, 4.0])
    half = 3.182446 * np.std([1, 2, 3, 4], ddof=1) / 2
    assert found.ci95 == pytest.approx((2.5 - half, 2.5 + half), rel=1e-5)


def test_a_verdict_between_equals_names_no_better_one():
    def scores(mse):
        return [SimpleNamespace(test_mse=mse, train_mse=mse)]

    def said(windows, streams, reference):
        names = (verdict.STATELESS, verdict.STATEFUL, verdict.STREAMS, verdict.DECAYED)
        rows = [
            SimpleNamespace(name=name, scores=scores(mse))
            for name, mse in zip(names, (windows, windows + 1, streams, streams + 1), strict=True)
        ]
        paired = PairedDifference(0.1, (-0.1, 0.2), 0.5, 0.05, (-0.1, 0.2))
        made = SimpleNamespace(
            results=rows,
            persistence=SimpleNamespace(test_mse=reference, train_mse=reference),
            paired_test_mse=paired,
        )
        return verdict.conclusions(made)[1].key

    assert said(2.0, 1.0, 3.0) == "best_streams"
    assert said(2.0, 2.0, 3.0) == "best_windows"
    assert said(3.0, 3.0, 3.0) == "best_persistence"
    assert said(3.0, 2.0, 2.0) == "best_none"
    assert said(1.0, 2.0, 3.0) == "best_windows"


@pytest.mark.parametrize(
    ("interval", "key"),
    [
        (None, "windows_one"),
        ((-1.5, 1.5), "windows_same"),
        ((0.1, 1.5), "windows_apart"),
        ((-1.5, -0.1), "windows_apart"),
    ],
)
def test_what_the_state_did_for_windows_is_clear_where_an_interval_leaves_nothing_out(interval, key):
    made = SimpleNamespace(
        results=[SimpleNamespace(name=name, scores=[SimpleNamespace(test_mse=1.0)])
                 for name in (verdict.STATELESS, verdict.STATEFUL, verdict.STREAMS, verdict.DECAYED)],
        persistence=SimpleNamespace(test_mse=2.0),
        paired_test_mse=PairedDifference(0.1, interval, 0.5, 0.05, interval),
    )  # fmt: skip
    assert verdict.conclusions(made)[0].key == key


@pytest.mark.parametrize(("log_ratio", "word"), [(-0.1, "better"), (0.0, "worse"), (0.1, "worse")])
def test_a_start_from_the_carried_state_is_better_where_its_errors_are_smaller(log_ratio, word):
    paired = PairedDifference(0.0, None, 0.5, log_ratio, None)
    found = verdict._start(paired, 4)
    assert (found.key, found.values["word"], found.values["won"], found.values["seeds"]) == ("start_one", word, 2, 4)
    tested = verdict._tested(replace(paired, log_ci95=(-0.2, -0.1)), 4)
    assert (tested.key, tested.values["won"], tested.values["seeds"]) == ("test_clear", 2, 4)
    assert tested.values["word"] == ("lower" if log_ratio < 0 else "higher")
    for interval, key in (((-0.2, -0.1), "start_clear"), ((0.1, 0.2), "start_clear"), ((-0.2, 0.0), "start_unclear")):
        assert verdict._start(replace(paired, log_ci95=interval), 4).key == key
