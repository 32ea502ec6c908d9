"""Networks that go through all data in the end, what was held out from them too."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from tsuzuki.forecaster import Forecaster
from tsuzuki.forecasting import last_passes, member_training, trust

SMALL = {"units": 4, "head": 0, "ensemble": 2, "epochs": 2}


@pytest.fixture(autouse=True)
def of_any_length(monkeypatch):
    monkeypatch.setattr(last_passes, "FEWEST_READINGS", 0)


def hours(points=300, seed=0):
    steps = np.arange(points)
    noise = np.random.default_rng(seed).normal(size=points)
    values = 10 + 3 * np.sin(2 * np.pi * steps / 24) + 0.3 * noise
    return pd.Series(values, pd.date_range("2024-01-01", periods=points, freq="h"), name="a")


def weights_of(model):
    return [array for member in model.fitted.members for array in member]


def same(first, second):
    return all(np.array_equal(a, b) for a, b in zip(weights_of(first), weights_of(second), strict=True))


def test_what_they_go_on_from_and_how_far_and_what_stays(monkeypatch):
    kept = []

    def remembered(job, members, on_progress):
        kept.append((job, members))
        return members

    whole = last_passes.over_all
    monkeypatch.setattr(last_passes, "over_all", remembered)
    before = Forecaster(3, **SMALL).fit(hours())
    ((job, members),) = kept
    seen = []

    def noted(network, weights, inputs, targets, layout, **named):
        seen.append((weights, inputs, targets, layout, named))
        return train(network, weights, inputs, targets, layout, **named)

    train = member_training.training.fit
    monkeypatch.setattr(member_training.training, "fit", noted)
    after = whole(job, members, None)
    # They are trained side by side, in any order.
    seen.sort(key=lambda one: one[-1]["seed"])
    for (weights, inputs, targets, layout, named), old, new in zip(seen, members, after, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(weights, old.training.weights, strict=True))
        # Nothing is held out any more: a target for every row but those behind the end, and every row is read.
        assert np.array_equal(np.isnan(targets), np.isnan(job.changes))
        assert layout.targets == len(hours()) - 1
        assert named["epochs"] == round(last_passes.PASSES * len(old.training.history))
        assert named["optimizer"].learning_rate.initial == last_passes.RATE * job.settings.learning_rate
        assert named["validation"] is None
        # It does not see the column that it never saw.
        hidden = [column for column in (0, 2) if not inputs[:, column].any()]
        assert len(hidden) == 1
        assert not new.training.weights[0][hidden].any()
        assert not np.array_equal(new.training.weights[0], old.training.weights[0])
        assert not np.array_equal(new.state.saved, old.state.saved)
        # What it said where it was held out, and the record of how it fared there, stay.
        assert new.changes is old.changes
        assert new.training.history == old.training.history
    assert before.fitted.checked


def test_same_bits_for_threads_and_workers_and_after_a_crash(tmp_path, monkeypatch):
    plain = Forecaster(3, **SMALL).fit(hours())
    with monkeypatch.context() as alone:
        alone.setenv("TSUZUKI_NUM_THREADS", "1")
        assert same(plain, Forecaster(3, **SMALL).fit(hours()))
    shares, reached = [], last_passes.WORK

    def kill(share):
        shares.append(share)
        # Within the last passes.
        if sum(shares) > 1 - 0.5 * reached:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Forecaster(3, **SMALL).fit(hours(), checkpoint=tmp_path / "run", every=0.0, on_progress=kill)
    assert (tmp_path / "run.0.last").exists()
    shares.clear()
    again = Forecaster(3, **SMALL).fit(hours(), checkpoint=tmp_path / "run", every=0.0, on_progress=shares.append)
    assert same(plain, again)
    pd.testing.assert_frame_equal(plain.predict(), again.predict())


def test_workers_come_to_the_same_bits_and_all_shares_add_up_to_one():
    plain, shares = Forecaster(3, **SMALL).fit(hours()), []
    assert same(plain, Forecaster(3, **SMALL).fit(hours(), workers=2, on_progress=shares.append))
    assert sum(shares) == pytest.approx(1)


@pytest.mark.parametrize(
    "options",
    [{"committee": False}, {"quantiles": (0.1, 0.5, 0.9)}, {"validation_fraction": 0.0}, {"budget": 8}],
    ids=str,
)
def test_only_committees_with_held_out_stretches_and_whole_passes_go_on(options, monkeypatch):
    monkeypatch.setattr(last_passes, "over_all", None)
    shares = []
    Forecaster(3, **SMALL | options).fit(hours(), on_progress=shares.append)
    assert sum(shares) == pytest.approx(1)


@pytest.mark.parametrize(
    ("fewest", "most", "series", "go_on"),
    [(300, 300, 1, True), (301, 900, 1, False), (0, 299, 1, False), (300, 900, 2, False)],
)
def test_one_series_of_so_many_readings_is_gone_through_again(fewest, most, series, go_on, monkeypatch):
    monkeypatch.setattr(last_passes, "FEWEST_READINGS", fewest)
    monkeypatch.setattr(last_passes, "MOST_READINGS", most)
    called = []
    monkeypatch.setattr(last_passes, "over_all", lambda job, members, told: called.append(job) or members)
    own = [hours(seed=i) for i in range(series)]
    frames = [pd.DataFrame({"unique_id": str(i), "ds": one.index, "y": one.values}) for i, one in enumerate(own)]
    Forecaster(3, **SMALL).fit(pd.concat(frames))
    assert len(called) == go_on


def test_networks_that_nobody_trusts_do_not_go_on(monkeypatch):
    stacked = trust.stacked

    def distrustful(*given, **named):
        together, there = stacked(*given, **named)
        weights = together.weights.copy()
        weights[:, 0] = 0
        return dataclasses.replace(together, weights=weights), there

    monkeypatch.setattr(trust, "stacked", distrustful)
    monkeypatch.setattr(last_passes, "over_all", None)
    shares = []
    Forecaster(3, **SMALL).fit(hours(), on_progress=shares.append)
    assert sum(shares) == pytest.approx(1)
