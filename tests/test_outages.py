"""Outages that have ended count as missing, in training and in everything that moves a series on."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tsuzuki import Forecaster, load
from tsuzuki.data.segments import Segment
from tsuzuki.forecasting.level_shift import LevelShifts, Standing, take_off_shifts
from tsuzuki.forecasting.outages import REST, SHORTEST, are_outages, longest_outage, outage_limit, without_outages
from tsuzuki.forecasting.recent_errors import OUT

SEASON, SIZE = 4, 24
WHOLE = Segment(0, 80)


def windows_of(values, past, limit):
    """What each reading's window looks like: the rule as it is told, with the whole past at hand."""
    seen, out, found = list(past), 0, []
    for value in values.tolist():
        missing = value != value
        seen.append(seen[-1] if missing else value)
        before = seen[-1 - SEASON * (1 + max(out, 0) // SEASON)]
        if out < 0:
            out += 1
        elif not missing and abs(seen[-1] - before) <= limit:
            for back in range(out if out >= SHORTEST else 0, 0, -1):
                seen[-1 - back] = seen[-2 - back]
            out = -REST * out if out >= SHORTEST else 0
        elif not (missing and out == 0):
            out = out + 1 if out < longest_outage(SIZE, SEASON) else -SEASON
        found.append(np.array(seen[-SIZE:]))
    return found


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([0.0, 0.0, 0.0, 1.0, 9.0, -9.0, float("nan")]), min_size=1, max_size=80))
def test_windows_are_those_of_the_rule_told_plainly(readings):
    values = np.array(readings, np.float32)
    shifts = LevelShifts(np.full(1, np.inf, np.float32), np.full(1, 3.0, np.float32), SEASON, 3, SIZE)
    past = np.zeros(SIZE, np.float32), np.zeros(SIZE, bool)
    segments = (Segment(0, len(values)),)
    found = take_off_shifts(shifts, 0, values, segments, past, 1, Standing())
    expected = windows_of(values, past[0], 3.0)
    assert not found.offsets.any()
    # Readings themselves stay; from a break on the window is another.
    np.testing.assert_array_equal(found.values, values)
    for one in found.breaks:
        np.testing.assert_array_equal(one.window, expected[one.place])


@pytest.mark.parametrize("length", [3, 9, longest_outage(SIZE, SEASON)])
def test_an_outage_that_has_ended_is_missing_and_one_that_lasts_is_a_level(length):
    values = np.tile([0.0, 1.0, 2.0, 1.0], 20)
    broken = values.copy()
    broken[40 : 40 + length] = 50
    found = without_outages(broken, [WHOLE], SIZE, SEASON, 1, 8.0)
    assert np.flatnonzero(np.isnan(found)).tolist() == [*range(40, 40 + length)]
    broken[40:] = 50
    np.testing.assert_array_equal(without_outages(broken, [WHOLE], SIZE, SEASON, 1, 8.0), broken)
    assert without_outages(values, [WHOLE], SIZE, SEASON, 1, 8.0) is values


def test_what_comes_back_each_week_or_is_not_rare_is_no_outage():
    rng = np.random.default_rng(0)
    values = np.tile([0.0, 1.0, 2.0, 1.0], 140) + rng.normal(0, 0.1, 560)
    limit = outage_limit(values, SEASON)
    weekly, once, often = (values.copy() for _ in range(3))
    weekly.reshape(-1, 4)[::7] = 30
    once[200:204] = 30
    for first in range(20, 540, 60):
        often[first : first + 5] = 30
    for own, expected in ((weekly, False), (once, True), (often, False)):
        without = without_outages(own, [Segment(0, 560)], SIZE, SEASON, 1, limit)
        assert np.isnan(without).any()
        assert are_outages(own, without, (SEASON, 28), 1) is expected
    spikes = values.copy()
    spikes[100:500:50], spikes[101:500:50] = 30, 30
    np.testing.assert_array_equal(without_outages(spikes, [Segment(0, 560)], SIZE, SEASON, 1, limit), spikes)
    assert outage_limit(values[: 5 * SEASON], SEASON) == np.inf
    assert outage_limit(np.zeros(100), SEASON) == np.inf


@pytest.fixture(scope="module")
def mains():
    """Seven weeks of hours of water through a main, off for most of a day four times."""
    rng, hours = np.random.default_rng(4), np.arange(24 * 49)
    values = 100 + 2 * np.sin(2 * np.pi * hours / 24) + rng.normal(0, 0.5, len(hours))
    for first in (300, 610, 900, 1010):
        values[first : first + 15] = 24
    values[904:906] = np.nan
    return pd.DataFrame(
        {"unique_id": "main", "ds": pd.date_range("2022-03-20", periods=len(hours), freq="h"), "y": values}
    )


def forecaster():
    return Forecaster(24, units=8, head=8, ensemble=2, epochs=2)


def test_streams_banks_files_newer_rows_and_backtests_agree_behind_outages(mains, tmp_path):
    known, last = 880, 1060
    model = forecaster()
    table = model.backtest(mains[: last + 24], windows=last - known + 1, step=1)
    model.fit(mains[:known]).save(tmp_path / "m")
    assert np.isfinite(model.fitted.shifts.outages).all()
    stream, bank = model.stream(), model.bank(["new", "main"])
    said = table["tsuzuki"].to_numpy().reshape(-1, 24)
    for value in mains["y"][known:last]:
        one = stream.update(value)
        both = bank.update([value, value])
        np.testing.assert_array_equal(both[1], one)
    np.testing.assert_allclose(one, said[-1], rtol=1e-4)
    found = load(tmp_path / "m").update(mains[:last])
    np.testing.assert_allclose(found.predict()["tsuzuki"], one, rtol=1e-4)
    halves = load(tmp_path / "m").update(mains[:908]).update(mains[:last])
    np.testing.assert_allclose(halves.predict()["tsuzuki"], one, rtol=1e-4)
    # Half a week behind the third outage and a day behind the last nothing is left of either.
    assert (found.fitted.windows[0] * found.fitted.scales[0, 1] + found.fitted.scales[0, 0]).min() > 90
    assert np.abs(one - mains["y"][last : last + 24]).mean() < 2


def test_a_model_stands_in_an_outage_where_its_training_data_end(mains):
    fitted = forecaster().fit(mains[:904]).fitted
    assert fitted.recent_states[0, OUT] == 4
    assert fitted.windows[0, -1] < fitted.windows[0, -6]
