"""What held-out losses say about the passes of a second training, and that it is one."""

import numpy as np
import pandas as pd
import pytest

from tsuzuki import Forecaster
from tsuzuki.forecasting import fit
from tsuzuki.forecasting.passes import MOST_UPDATES, first_passes, passes_again
from tsuzuki.training.records import EpochRecord


def records(losses, updates=10):
    return tuple(EpochRecord(i + 1, 1.0, loss, 0.0, updates) for i, loss in enumerate(losses))


FLAT = [1.3, 1.1, *[1.0] * 18]
EARLY = [1.2, 1.0, 0.9, 0.85, 0.85, 0.86, *np.linspace(0.9, 1, 14)]
FALLING = list(np.linspace(3, 1, 20))


@pytest.mark.parametrize(
    ("losses", "updates", "expected"),
    [
        (FLAT, 10, None),
        (EARLY, 10, 0.5),
        (FALLING, 10, 2.0),
        (FALLING, MOST_UPDATES // 20, None),
        ([2.0, 1.0, 1.0], 10, None),
        ([None] * 20, 10, None),
        ([0.0] * 20, 10, None),
    ],
)
def test_losses_that_rise_again_ask_for_fewer_passes_and_falling_ones_for_more(losses, updates, expected):
    found = passes_again([records(losses, updates)] * 4)
    assert found == (expected if expected is None else pytest.approx(expected, abs=0.1))


@pytest.mark.parametrize(
    ("rows", "updates", "series", "expected"),
    [
        (30_000, 300, 1, 20),
        (30_000, 300, 7, 20),
        (60_000, 600, 1, 20),
        (60_000, 600, 7, 13),
        (300_000, 900, 400, 5),
        (3_000_000, 8000, 400, 4),
        (1000, 10, 1, 120),
        (100, 1, 9, 200),
    ],
)
def test_short_data_are_gone_through_often_and_long_ones_and_several_series_less(rows, updates, series, expected):
    assert first_passes(20, rows, updates, series) == expected


def test_networks_of_other_scales_and_counts_of_passes_are_heard_alike():
    some = passes_again([records(EARLY), records(1000 * np.array(FLAT)), records([*EARLY, 1.0])])
    assert some is not None
    assert some < 1


def test_one_lucky_pass_says_nothing():
    losses = list(FLAT)
    losses[4] = 0.5
    assert passes_again([records(losses)] * 2) is None


def test_a_second_training_has_so_many_times_the_passes_and_all_shares_add_up_to_one(monkeypatch):
    values = pd.Series(np.sin(np.arange(400.0)), pd.date_range("2024-01-01", periods=400, freq="h"), name="a")
    settings = {"units": 3, "head": 0, "ensemble": 2, "epochs": 4}
    monkeypatch.setattr(fit, "passes_again", lambda histories: None)
    first = Forecaster(3, **settings).fit(values)
    monkeypatch.setattr(fit, "passes_again", lambda histories: 0.5)
    shares = []
    second = Forecaster(3, **settings).fit(values, on_progress=shares.append)
    for one, other in zip(first.fitted.histories, second.fitted.histories, strict=True):
        assert len(other) == round(0.5 * len(one))
    assert sum(shares) == pytest.approx(1)
