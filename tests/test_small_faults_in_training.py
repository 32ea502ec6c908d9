"""What one small slip in training would change: a rate that falls too early, a state that is kept too long."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from tsuzuki.data.segments import Segment
from tsuzuki.errors import SettingError
from tsuzuki.layouts import windows as windows_module
from tsuzuki.layouts.layout import NOWHERE, ZERO
from tsuzuki.layouts.streams import Streams
from tsuzuki.layouts.windows import Windows
from tsuzuki.network.initialisers import initialise
from tsuzuki.network.layers import GRU, Dense
from tsuzuki.network.losses import Huber
from tsuzuki.network.network import Network
from tsuzuki.network.optimizers import SGD, Adam, Exponential
from tsuzuki.streaming.online_learning import FEWEST, JUMP, _Learner
from tsuzuki.training import fit as training
from tsuzuki.training.early_stopping import EarlyStopping, LossMonitor, ReduceOnPlateau
from tsuzuki.training.records import EpochRecord
from tsuzuki.training.state import TrainingState


def record(loss):
    return EpochRecord(1, loss, None, 0.0, 1)


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


def test_a_jump_counts_as_the_largest_loss_that_would_be_none():
    learner = object.__new__(_Learner)
    learner._seen, learner._usual, learner._spread = FEWEST, 1.0, 0.1
    limit = 1.0 + JUMP * 0.1
    calm = SimpleNamespace(_seen=FEWEST, _usual=1.0, _spread=0.1)
    assert learner._jumps(1e6)
    assert not _Learner._jumps(calm, limit)
    assert (learner._usual, learner._spread) == (calm._usual, calm._spread)
    assert 1.0 < learner._usual <= limit


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


def test_of_a_validation_loss_and_a_training_loss_the_first_is_watched():
    monitor = LossMonitor(EarlyStopping(2), None)
    record = EpochRecord(1, 5.0, 1.0, 0.0, 1)
    assert monitor.see(record)
    assert not monitor.see(replace(record, loss=0.1, validation_loss=1.0))
    assert monitor.see(replace(record, loss=9.0, validation_loss=0.5))
    assert monitor.see(replace(record, loss=0.4, validation_loss=None))


@pytest.mark.parametrize(("batch", "steps"), [(1, 3), (2, 3), (6, 3), (4, 4), (12, 5)])
def test_each_phase_of_a_segment_leaves_its_last_state_once(batch, steps, monkeypatch):
    seen = []
    arrange = windows_module.arrange_in_lanes
    monkeypatch.setattr(windows_module, "arrange_in_lanes", lambda found: (seen.extend(found), arrange(found))[1])
    segments = [Segment(2, 43), Segment(50, 50 + steps + 2)]
    Windows(steps, batch, stateful=True).over(segments)
    found = {}
    for one in seen:
        if one.exit != NOWHERE and one.rows:
            number, phase = divmod(one.exit, steps)
            segment = segments[number]
            assert (one.stop - segment.start) % steps == phase
            # No window of this phase is left behind it.
            assert one.stop + steps >= segment.stop > one.stop
            assert one.exit not in found
            found[one.exit] = one
    whole = [number * steps + phase for number, one in enumerate(segments) for phase in range(steps)
             if phase + steps < one.stop - one.start]  # fmt: skip
    assert sorted(found) == whole


def test_a_rate_that_was_lowered_waits_as_long_again():
    monitor = LossMonitor(None, ReduceOnPlateau(factor=0.5, patience=2))
    factors = []
    for epoch in range(1, 8):
        monitor.see(EpochRecord(epoch, 1.0, None, 0.0, 1))
        factors.append(monitor.rate_factor)
    assert factors == [1, 1, 0.5, 0.5, 0.25, 0.25, 0.125]


def test_the_running_loss_is_the_mean_of_what_was_scored():
    state = TrainingState.__new__(TrainingState)
    for total, scored, loss in ((6.0, 3.0, 2.0), (0.0, 0.0, 0.0), (5.0, 0.5, 5.0)):
        state.total, state.scored = total, scored
        assert state.loss == loss


def test_a_rate_falls_by_default_as_in_keras():
    assert ReduceOnPlateau() == ReduceOnPlateau(factor=0.1, patience=10, min_delta=1e-4, lowest=0.0)


def test_missing_values_are_renewed_as_an_epoch_begins_and_not_within_it():
    renewed = []
    compiled = SimpleNamespace(parameters=np.zeros(2, np.float32))
    imputer = SimpleNamespace(begin_epoch=renewed.append)
    state = TrainingState(compiled, imputer, LossMonitor(None, None))
    state.begin_epoch()
    state.epoch = 3
    state.begin_epoch()
    state.count(np.ones((2, 2)))
    # As behind a checkpoint.
    state.begin_epoch()
    assert renewed == [0, 3]
    TrainingState(compiled, None, LossMonitor(None, None)).begin_epoch()


@pytest.mark.parametrize("shuffled", [False, True])
def test_windows_by_number_are_the_same_in_whatever_pieces_they_are_read(shuffled):
    order = np.random.default_rng(0).permutation(11) if shuffled else None
    windows = windows_module._NumberedWindows(np.array([3, 20]), np.array([0, 5]), 11, order)
    whole = windows.block(0, 6, 2, 4)
    starts = [*range(3, 8), *range(20, 26)]
    expected = [starts[number] for number in (range(11) if order is None else order)]
    assert whole.starts.ravel().tolist() == [*expected, -1]
    assert whole.valid.ravel().tolist() == [4] * 11 + [0]
    assert (whole.entries == ZERO).all()
    assert (whole.exits == NOWHERE).all()
    for first, last in ((0, 1), (1, 3), (5, 6)):
        piece = windows.block(first, last, 2, 4)
        for name in ("starts", "valid", "entries", "exits"):
            np.testing.assert_array_equal(getattr(piece, name), getattr(whole, name)[first:last])
