"""What one small slip would change in what is held out and judged by: a row too many, the scale of another stretch."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tsuzuki.data.segments import Segment
from tsuzuki.forecaster import Forecaster
from tsuzuki.forecasting import member_training, trust
from tsuzuki.forecasting.conformal_intervals import PROBABILITIES, calibrate
from tsuzuki.forecasting.held_out import held_out_of, origin_rows, training_layout
from tsuzuki.forecasting.panel import SeriesInputs, build_panel
from tsuzuki.forecasting.settings import Settings

HOURS = pd.date_range("2024-01-01", periods=400, freq="h")
SMALL = {"units": 3, "layers": 1, "head": 0, "ensemble": 2, "epochs": 1}


@pytest.fixture(scope="module")
def series():
    generator = np.random.default_rng(0)
    # Calm at first and wild at the end, so that scales over other stretches differ.
    wild = np.where(np.arange(400) < 380, 0.1, 5.0)
    return pd.Series(np.sin(np.arange(400) * 2 * np.pi / 24) + wild * generator.normal(size=400), HOURS, name="a")


def test_what_is_held_out_is_no_target_of_the_rows_before_it_and_nothing_else_is_one_of_its_own(monkeypatch):
    # Without a wild end, whose readings would be outages, which are no targets.
    series = pd.Series(np.random.default_rng(0).normal(size=400), HOURS, name="a")
    seen, fit = [], member_training.training.fit

    def spy(network, weights, inputs, targets, layout, **options):
        seen.append((targets.copy(), options["validation_targets"].copy()))
        return fit(network, weights, inputs, targets, layout, **options)

    monkeypatch.setattr(member_training.training, "fit", spy)
    Forecaster(4, base="last", validation_fraction=0.1, transform="none", **SMALL).fit(series)
    held = []
    for trained, checked in seen:
        # No target is of both.
        here = np.isfinite(checked[:, 0])
        assert not (here & np.isfinite(trained[:, 0])).any()
        whole = np.where(here, checked[:, 0], trained[:, 0])
        begin = np.flatnonzero(np.isfinite(whole))[0]
        assert np.isfinite(whole[begin : begin + 400]).all()
        held.append((np.flatnonzero(here) - begin).tolist())
    assert sorted(held) == [list(range(320, 360)), list(range(360, 400))]


def test_held_out_rows_begin_and_end_where_they_should():
    settings = Settings(3, validation_fraction=0.2, lanes=1, timesteps=2)
    one = SeriesInputs(np.arange(100, dtype=np.float32), np.zeros((100, 0), np.float32), (Segment(0, 100),))
    panel = build_panel([one], 0, 3)
    at = panel.stretches[0].start
    for member, (first, last) in enumerate([(80, 100), (60, 80)]):
        held_out = held_out_of([100], settings, member)
        assert (held_out.first, held_out.last) == ((first,), (last,))
        _, read, held = training_layout(panel, settings, held_out)
        assert held == (Segment(at + first, at + last),)
        assert read == (Segment(at, at + first), *([Segment(at + last, at + 100)] if last < 100 else []))
        # A forecast of position p is made from the row before it.
        rows = np.flatnonzero(origin_rows(panel, held_out.first, held_out.last)) - at
        np.testing.assert_array_equal(rows, np.arange(first - 1, last - 1))


def test_mases_scale_is_of_the_training_data_and_of_the_season(series):
    table = Forecaster(4, **SMALL).backtest(series, windows=3, step=4)
    cut = 400 - 4 - 2 * 4
    assert table["cutoff"].min() == HOURS[cut - 1]
    known = series.to_numpy()[:cut]
    assert table.attrs["mase_scale"]["a"] == pytest.approx(np.abs(known[24:] - known[:-24]).mean())


def test_percentiles_between_the_stored_ones_are_interpolated():
    calibration = calibrate([np.random.default_rng(0).gamma(2, 1, (500, 1)).astype(np.float32)])
    at = int(np.searchsorted(PROBABILITIES, 0.095))
    low, high = calibration.offsets[0, at, 0], calibration.offsets[0, at + 1, 0]
    assert low < high
    between = PROBABILITIES[at] + 0.25 * (PROBABILITIES[at + 1] - PROBABILITIES[at])
    assert calibration.percentile(between)[0, 0] == pytest.approx(low + 0.25 * (high - low), rel=1e-5)
    assert calibration.interval_offsets(100 - 200 * between)[0][0, 0] == pytest.approx(
        low + 0.25 * (high - low), rel=1e-4
    )


@pytest.mark.parametrize(("missing", "anew"), [(2, False), (3, False), (4, True)])
def test_a_stream_goes_on_over_exactly_max_gap_missing_readings_and_begins_anew_behind_more(series, missing, anew):
    made = Forecaster(2, max_gap=3, **SMALL).fit(series)
    patient = Forecaster(2)
    patient.settings, patient.fitted = replace(made.settings, max_gap=99), made.fitted
    later = HOURS[-1] + pd.Timedelta(hours=missing + 1)
    step_by_step, at_once, expected, banks = made.stream(), made.stream(), patient.stream(), made.bank()
    learning, patiently = made.stream(learn=True), patient.stream(learn=True)
    for _ in range(missing):
        step_by_step.update(None)
        expected.update(None)
        banks.update([np.nan])
        learning.update(None)
        patiently.update(None)
    found, other = step_by_step.update(0.7), expected.update(0.7)
    assert np.array_equal(found, other) == (not anew)
    np.testing.assert_array_equal(at_once.update(0.7, later), found)
    np.testing.assert_array_equal(banks.update([0.7])[0], found)
    assert np.array_equal(learning.update(0.7), patiently.update(0.7)) == (not anew)


def test_errors_behind_a_held_out_stretch_count_only_where_it_is_shorter_than_the_horizon(series, monkeypatch):
    found = []
    monkeypatch.setattr(trust, "calibrate", lambda errors, **named: found.append(errors) or calibrate(errors, **named))
    for share, count in ((0.1, 40), (0.01, 4)):
        Forecaster(6, committee=False, base="season", validation_fraction=share, transform="none", **SMALL).fit(series)
        (errors,) = found.pop()
        known = np.isfinite(errors).sum(axis=0).tolist()
        for ahead, number in enumerate(known):
            # The latest stretch ends with the data; behind the one before it the data go on.
            before = count - ahead if count >= 6 else min(count, 2 * count - ahead)
            assert number == max(0, count - ahead) + before
