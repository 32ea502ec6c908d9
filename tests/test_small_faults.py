"""Each of these numbers is what one small slip would change: a step too early, a bound left out, a scale too wide."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from tsuzuki.data.files import text_of
from tsuzuki.data.segments import Segment, fill_short_gaps, segments_between_gaps
from tsuzuki.data.timestamps import instants
from tsuzuki.errors import DataError, SettingError
from tsuzuki.experiment.paired_statistics import paired_difference
from tsuzuki.forecaster import Forecaster
from tsuzuki.forecasting import member_training, trust
from tsuzuki.forecasting.conformal_intervals import PROBABILITIES, calibrate
from tsuzuki.forecasting.held_out import held_out_of, origin_rows, training_layout
from tsuzuki.forecasting.panel import SeriesInputs, build_panel
from tsuzuki.forecasting.settings import Settings
from tsuzuki.layouts.streams import Streams
from tsuzuki.network.initialisers import initialise
from tsuzuki.network.layers import GRU, Dense
from tsuzuki.network.losses import Huber
from tsuzuki.network.network import Network
from tsuzuki.network.optimizers import SGD, Adam, Exponential
from tsuzuki.report.backtest import _errors, _verdict
from tsuzuki.streaming.online_learning import FEWEST, JUMP, _Learner
from tsuzuki.training import fit as training
from tsuzuki.training.early_stopping import EarlyStopping, LossMonitor, ReduceOnPlateau
from tsuzuki.training.records import EpochRecord
from tsuzuki.training.state import TrainingState

HOURS = pd.date_range("2024-01-01", periods=400, freq="h")
SMALL = {"units": 3, "layers": 1, "head": 0, "ensemble": 2, "epochs": 1}


@pytest.fixture(scope="module")
def series():
    generator = np.random.default_rng(0)
    # Calm at first and wild at the end, so that scales over other stretches differ.
    wild = np.where(np.arange(400) < 380, 0.1, 5.0)
    return pd.Series(np.sin(np.arange(400) * 2 * np.pi / 24) + wild * generator.normal(size=400), HOURS, name="a")


def test_what_is_held_out_is_no_target_of_the_rows_before_it_and_nothing_else_is_one_of_its_own(series, monkeypatch):
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


@pytest.mark.parametrize(("missing", "parts"), [(2, 1), (3, 1), (4, 2)])
def test_a_gap_of_exactly_max_gap_is_bridged_and_one_more_is_not(missing, parts):
    observed = np.ones(20, bool)
    observed[8 : 8 + missing] = False
    values = np.where(observed, np.arange(20.0), np.nan)
    assert len(fill_short_gaps(values, observed, np.zeros(20, bool), 3)[1]) == parts
    assert len(segments_between_gaps(observed, 3)[0]) == parts
    ahead = np.concatenate([np.zeros(missing, bool), np.ones(3, bool)])
    assert segments_between_gaps(ahead, 3)[1] == (parts == 1)


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


def line(at):
    return f"line {at}"


def test_thirteen_is_a_day_and_twelve_decides_nothing():
    day_first = instants(pd.Series(["13/01/2020", "02/01/2020"], dtype=str), "ds", line)
    assert list(day_first.stamps.dt.strftime("%m-%d")) == ["01-13", "01-02"]
    month_first = instants(pd.Series(["01/13/2020", "02/01/2020"], dtype=str), "ds", line)
    assert list(month_first.stamps.dt.strftime("%m-%d")) == ["01-13", "02-01"]
    for twelve in ("12/01/2020", "01/12/2020"):
        with pytest.raises(DataError, match="nothing tells whether the day or the month comes first"):
            instants(pd.Series([twelve, "02/01/2020"], dtype=str), "ds", line)


def test_cp932_has_letters_that_shift_jis_lacks():
    text = "地点,髙①\n"
    assert text_of(text.encode("cp932"), "x.csv") == text


def record(loss):
    return EpochRecord(1, loss, None, 0.0, 1)


def test_a_loss_must_fall_by_more_than_min_delta():
    monitor = LossMonitor(EarlyStopping(2, min_delta=0.1), ReduceOnPlateau(0.5, 2, min_delta=0.2))
    assert [monitor.see(record(loss)) for loss in (1.0, 0.95, 0.85)] == [True, False, True]
    assert (monitor.best, monitor.waited, monitor.rate_factor) == (0.85, 0, 0.5)
    monitor.see(record(0.76))
    assert not monitor.stops
    monitor.see(record(0.755))
    assert monitor.stops
    # A loss as low as the best is no better one.
    plain = LossMonitor(EarlyStopping(2), ReduceOnPlateau(0.5, 2, min_delta=0.0))
    assert [plain.see(record(1.0)) for _ in range(3)] == [True, False, False]
    assert (plain.stops, plain.waited, plain.rate_factor) == (True, 2, 0.5)


TARGETS = np.sin(np.arange(300) / 5).astype(np.float32)[:, None]
NETWORK = Network(1, (GRU(4), Dense(1)))
SEGMENTS = [Segment(0, 60), Segment(80, 250)]


def train(checkpoint, **options):
    kind = Streams(5, 3)
    options = {
        "epochs": 2,
        "optimizer": Adam(),
        "validation": kind.after(SEGMENTS, [Segment(60, 80), Segment(250, 300)]),
        "checkpoint": checkpoint,
        "every": "0s",
    } | options
    inputs, targets = options.pop("inputs", TARGETS), options.pop("targets", TARGETS)
    return training.fit(NETWORK, initialise(NETWORK, 0), inputs, targets, kind.over(SEGMENTS), **options)


def test_a_checkpoint_brings_back_the_states_of_segments_that_are_finished(tmp_path, monkeypatch):
    kept, restore, store = [], TrainingState.restore, TrainingState.store
    monkeypatch.setattr("tsuzuki.training.epoch.CALL_SECONDS", 1e-9)

    class StopError(Exception):
        pass

    def interrupted(run, keeper):
        store(run, keeper)
        states = run._compiled.saved_states.states()
        if np.any(states) and run.at > 12:
            kept.append(states)
            raise StopError

    monkeypatch.setattr(TrainingState, "store", interrupted)
    with pytest.raises(StopError):
        train(tmp_path / "c")
    monkeypatch.setattr(TrainingState, "store", store)

    def spy(run, stored):
        restore(run, stored)
        kept.append(run._compiled.saved_states.states())

    monkeypatch.setattr(TrainingState, "restore", spy)
    again, whole = train(tmp_path / "c"), train(None)
    assert len(kept) == 2
    np.testing.assert_array_equal(kept[1], kept[0])
    assert [one.validation_loss for one in again.history] == [one.validation_loss for one in whole.history]


@pytest.mark.parametrize(
    "other",
    [
        {"epochs": 3},
        {"optimizer": SGD(learning_rate=0.1)},
        {"optimizer": Adam(beta_2=0.9)},
        {"loss": Huber(0.3)},
        {"residual": True},
        {"horizon": 2},
        {"lags": ((1, 1),)},
        {"impute_from": 0},
        {"early_stopping": EarlyStopping(9)},
        {"reduce_on_plateau": ReduceOnPlateau()},
        {"seed": 1},
        {"validation": None},
        {"sample_weights": np.ones(300, np.float32)},
        {"output_weights": np.full(1, 2.0, np.float32)},
        {"inputs": TARGETS[::-1].copy()},
        {"targets": TARGETS[::-1].copy()},
        {"validation_targets": TARGETS[::-1].copy()},
    ],
    ids=lambda other: next(iter(other)),
)
def test_every_option_makes_a_checkpoint_another_runs(tmp_path, other):
    train(tmp_path / "c")
    with pytest.raises((SettingError, ValueError), match=r"belongs to another run|inputs|outputs"):
        train(tmp_path / "c", **other)


def test_what_an_optimiser_takes_first_is_its_rate_as_in_keras():
    for kind in (SGD, Adam):
        assert kind(0.1) == kind(learning_rate=0.1)
        assert kind(0.1).clipvalue is None


def test_a_staircase_falls_in_steps_and_a_slope_does_not():
    at = np.array([0, 9, 10, 19, 20], np.float64)
    np.testing.assert_allclose(Exponential(1.0, 10, 0.5, staircase=True).at(at), [1, 1, 0.5, 0.5, 0.25])
    np.testing.assert_allclose(Exponential(1.0, 10, 0.5).at(at), 0.5 ** (at / 10))


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


def test_a_jump_counts_as_the_largest_loss_that_would_be_none():
    learner = object.__new__(_Learner)
    learner._seen, learner._usual, learner._spread = FEWEST, 1.0, 0.1
    limit = 1.0 + JUMP * 0.1
    calm = SimpleNamespace(_seen=FEWEST, _usual=1.0, _spread=0.1)
    assert learner._jumps(1e6)
    assert not _Learner._jumps(calm, limit)
    assert (learner._usual, learner._spread) == (calm._usual, calm._spread)
    assert 1.0 < learner._usual <= limit


def test_the_interval_of_paired_differences_is_theirs_and_not_that_of_the_values():
    found = paired_difference([1.0, 5.0, 9.0, 3.0], [1.1, 5.1, 9.1, 3.1])
    assert found.ci95 == pytest.approx((0.1, 0.1))
    # Student's t with 3 degrees of freedom: 3.182.
    found = paired_difference([0.0, 0.0, 0.0, 0.0], [1.0, 2.0, 3.0, 4.0])
    half = 3.182446 * np.std([1, 2, 3, 4], ddof=1) / 2
    assert found.ci95 == pytest.approx((2.5 - half, 2.5 + half), rel=1e-5)


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


def test_a_plateau_is_what_keras_takes_for_one():
    assert ReduceOnPlateau() == ReduceOnPlateau(factor=0.1, patience=10, min_delta=1e-4, lowest=0.0)
    assert EarlyStopping() == EarlyStopping(patience=5, min_delta=0.0)
    monitor = LossMonitor(None, ReduceOnPlateau())
    monitor.see(record(1.0))
    rates = [(monitor.see(record(0.99995)), monitor.rate_factor)[1] for _ in range(20)]
    assert rates == [1.0] * 9 + [0.1] * 10 + [pytest.approx(0.01)]


def test_missing_inputs_are_filled_in_by_the_network_that_trains():
    inputs = TARGETS.copy()
    inputs[[5, 90, 91, 200]] = np.nan
    options = {"residual": True, "horizon": 1, "epochs": 3, "targets": np.where(np.isnan(inputs), 0, TARGETS)}
    found = train(None, inputs=inputs, impute_from=0, **options)
    assert all(np.isfinite([one.loss, one.validation_loss]).all() for one in found.history)
    assert np.isnan(inputs[[5, 90, 91, 200]]).all()
    whole = train(None, **options)
    assert [one.loss for one in whole.history] != [one.loss for one in found.history]
