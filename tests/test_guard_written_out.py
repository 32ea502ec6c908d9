"""The guard of streams that learn: which losses are jumps, and what the usual ones are, written out."""

import math

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from tsuzuki.forecaster import Forecaster
from tsuzuki.streaming.online_learning import FEWEST, FORGOTTEN, JUMP, LearningStream, _Learner

LOSSES = st.lists(
    st.sampled_from([0.1, 0.11, 0.09, 0.5, 5.0, 100.0, float("nan"), float("inf")]), min_size=FEWEST + 5, max_size=120
)


@given(LOSSES)
def test_what_is_usual_forgets_and_a_jump_counts_as_the_largest_loss_that_would_be_none(losses):
    guard = _Learner.__new__(_Learner)
    guard._seen, guard._usual, guard._spread = 0, 0.0, 0.0
    seen, usual, spread = 0, 0.0, 0.0
    for loss in losses:
        jumps = guard._jumps(loss)
        if not math.isfinite(loss):
            assert jumps
        else:
            limit = usual + JUMP * spread
            assert jumps == (seen >= FEWEST and loss > limit)
            taken = min(loss, limit) if jumps else loss
            share = FORGOTTEN if seen + 1 > 1 / FORGOTTEN else 1 / (seen + 1)
            spread = (1 - share) * spread + share * abs(taken - usual)
            usual = (1 - share) * usual + share * taken
            seen += 1
        assert guard._seen == seen
        assert math.isclose(guard._usual, usual, rel_tol=1e-9, abs_tol=1e-12)
        assert math.isclose(guard._spread, spread, rel_tol=1e-9, abs_tol=1e-12)


def test_learning_begins_anew_with_the_first_reading_behind_a_long_gap(monkeypatch):
    times = pd.date_range("2024-01-01", periods=200, freq="h")
    wave = pd.Series(np.sin(np.arange(200) * 2 * np.pi / 24), times, name="a")
    made = Forecaster(2, units=2, layers=1, head=0, ensemble=1, epochs=1, max_gap=2).fit(wave)
    seen, learn = [], _Learner.learn
    monkeypatch.setattr(_Learner, "learn", lambda own, at, state, anew, window: (
        seen.append(anew), learn(own, at, state, anew, window)))  # fmt: skip
    stream = made.stream(learn=True)
    nan = float("nan")
    values = [1.0, None, nan, 1.0, None, None, nan, 1.0, 1.0, nan, None, None, None, 1.0]
    for value in values:
        stream.update(value)
    # Two readings may be missing, three not.
    assert [at for at, anew in enumerate(seen) if anew] == [7, 13]
    assert len(seen) == len(values)
    report = stream.report()
    assert report.readings == sum(value == 1 for value in values)
    assert report.learning > 0
    assert report.frozen > 0


def test_a_report_compares_the_first_forecasts_of_the_last_readings_with_those_of_the_network_that_does_not_learn():
    times = pd.date_range("2024-01-01", periods=200, freq="h")
    wave = pd.Series(np.sin(np.arange(200) * 2 * np.pi / 24), times, name="a")
    made = Forecaster(2, units=2, layers=1, head=0, ensemble=2, epochs=1, max_gap=2, committee=False).fit(wave)
    learning = LearningStream(made.fitted, made.settings, learning_rate=0.02, window=4)
    frozen = made.stream()
    assert (learning.report().readings, learning.report().window) == (0, 4)
    assert math.isnan(learning.report().learning)
    errors, now = [], times[-1]
    for number, value in enumerate([0.5, -0.2, None, 0.1, 0.9, float("nan"), 0.3, 0.8, -0.7, 0.2]):
        now += pd.Timedelta(hours=5 if number == 6 else 1)
        if number == 6:
            # So many are missing that it begins anew.
            learning.reach(now.value)
            frozen.reach(now.value)
        if value is not None and value == value:
            errors.append((learning.forecast()[0] - value, frozen.forecast()[0] - value))
        learning.update(value, now)
        frozen.update(value, now)
        report = learning.report()
        assert (report.readings, report.window) == (len(errors), 4)
        expected = np.sqrt(np.mean(np.array(errors[-4:], np.float64) ** 2, axis=0))
        np.testing.assert_allclose([report.learning, report.frozen], expected, rtol=1e-5)
        assert (learning.at, learning.now) == (frozen.at, frozen.now)
    assert report.learning != report.frozen
