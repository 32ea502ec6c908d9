"""A stream that goes on learning, against plain training on the same windows."""

import numpy as np
import pandas as pd
import pytest

from tsuzuki.errors import FileError
from tsuzuki.forecaster import Forecaster
from tsuzuki.layouts.layout import Block
from tsuzuki.network.losses import MSE
from tsuzuki.network.optimizers import Adam
from tsuzuki.streaming.online_learning import FEWEST

SETTINGS = {
    "units": 6,
    "layers": 1,
    "head": 0,
    "ensemble": 1,
    "epochs": 1,
    "timesteps": 5,
    "lags": (),
    "max_gap": 3,
    "base": "last",
}


@pytest.fixture(scope="module")
def forecaster(daily):
    return Forecaster(2, **SETTINGS).fit(daily[: 24 * 40])


@pytest.fixture(scope="module")
def alone(daily):
    return Forecaster(2, **SETTINGS, committee=False).fit(daily[: 24 * 40])


def rate_of(stream):
    return stream.report().learning / stream.report().frozen


def test_an_update_is_one_step_of_training_on_the_last_readings(alone):
    """The twin keeps all rows and states itself and trains a network of its own, once a reading."""
    from tsuzuki.data.calendar import calendar
    from tsuzuki.engine.compiled_network import CompiledNetwork
    from tsuzuki.engine.data import Data, Objective, RowShape
    from tsuzuki.engine.memory import Parameters, SavedStates

    fitted, steps = alone.fitted, SETTINGS["timesteps"]
    stream = alone.stream(learn=True, learning_rate=1e-2)
    values = [10 + np.sin(i) for i in range(12)]
    network = fitted.way.network
    weights, slots = fitted.members[0], None
    mean, scale = fitted.scales[0]
    rows, states = [], []
    bank = SavedStates(network)
    bank.set_states(fitted.states[0].saved[:1])
    pending, last_row = fitted.states[0].rows[0, -1], None
    for number, value in enumerate([None, *values]):
        if value is None:
            row = pending
        else:
            time = fitted.times[0][-1:] + np.timedelta64(number, "h")
            row = np.concatenate(
                [[(value - mean) / scale, 0], calendar(time, fitted.step, fitted.rules.cycles)[0]]
            ).astype(np.float32)
        if value is not None:
            rows.append(row)
            states.append(bank.states())
        # One step forward with the weights as they are.
        one = np.ascontiguousarray(row[None])
        data = Data(one, None, 1, residual=True, impute_from=fitted.way.impute_from)
        stepper = CompiledNetwork(
            network, RowShape(1), data, parameters=Parameters(network, weights), saved_states=bank
        )
        stepper.forward(_block(0, 1, 0, 0), None)
        if value is None:
            continue
        rows, states = rows[-steps:], states[-steps:]
        window = np.array(rows, np.float32)
        targets = np.full((len(window) + 2, 1), np.nan, np.float32)
        targets[1 : len(window), 0] = window[1:, 0]
        if len(window) > 1:
            start = SavedStates(network)
            start.set_states(states[0])
            padded = np.zeros((steps, window.shape[1]), np.float32)
            padded[: len(window)] = window
            full = np.full((steps + 2, 1), np.nan, np.float32)
            full[: len(targets)] = targets
            learner = CompiledNetwork(
                network,
                RowShape(1, steps),
                Data(padded, full, 2, residual=True),
                Objective(MSE()),
                Adam(learning_rate=1e-2, global_clipnorm=1.0),
                parameters=Parameters(network, weights),
                saved_states=start,
                threads=1,
            )
            for slot, arrays in enumerate(slots or []):
                learner.set_slot(slot, arrays)
            learner.updates_done = number - 2
            learner.run(_block(0, len(window), 0, -1))
            weights, slots = learner.weights(), [learner.slot(slot) for slot in range(3)]
        stream.update(value)
        last_row = row
    assert last_row is not None
    for ours, twins in zip(stream.weights()[0], weights, strict=True):
        np.testing.assert_allclose(ours, twins, rtol=2e-4, atol=2e-5)
    assert any(not np.array_equal(a, b) for a, b in zip(stream.weights()[0], fitted.members[0], strict=True))


def _block(start, valid, entry, exit_):
    return Block(
        np.array([[start]], np.int64),
        np.array([[valid]], np.int32),
        np.array([[entry]], np.int32),
        np.array([[exit_]], np.int32),
    )


def test_learning_follows_a_world_that_has_changed(alone):
    generator = np.random.default_rng(0)
    stream = alone.stream(learn=True, learning_rate=3e-3)
    # A rhythm of ten hours, which the training data have not.
    for i in range(2500):
        stream.update(10 + 5 * np.sin(i * 2 * np.pi / 10) + generator.normal(0, 0.1))
    report = stream.report()
    assert report.readings == 2500
    assert report.learning < 0.5 * report.frozen


def test_where_nothing_changes_learning_does_no_harm(forecaster, daily):
    stream = forecaster.stream(learn=True)
    for value in daily.iloc[24 * 40 :]:
        stream.update(None if np.isnan(value) else value)
    assert rate_of(stream) < 1.05


def test_the_guard_holds_the_weights_back_when_the_loss_jumps(forecaster):
    stream = forecaster.stream(learn=True, learning_rate=1e-2)
    generator = np.random.default_rng(0)
    for i in range(FEWEST + 20):
        stream.update(10 + np.sin(i / 3) + generator.normal(0, 0.1))
    before, held = [array.copy() for array in stream.weights()[0]], stream.report().held_back
    stream.update(1e6)
    assert stream.report().held_back == held + 1
    for old, new in zip(before, stream.weights()[0], strict=True):
        np.testing.assert_array_equal(old, new)
    stream.update(1e30)
    stream.update(10.0)
    assert all(np.isfinite(array).all() for array in stream.weights()[0])
    for i in range(200):
        found = stream.update(10 + np.sin(i / 3))
    assert np.isfinite(found).all()


def test_missing_readings_are_no_targets(forecaster):
    one = forecaster.stream(learn=True)
    for _ in range(10):
        one.update(None)
    for new, old in zip(one.weights()[0], forecaster.fitted.members[0], strict=True):
        np.testing.assert_array_equal(new, old)
    assert one.report().readings == 0


def test_a_saved_learner_goes_on_bit_for_bit(tmp_path, forecaster):
    generator = np.random.default_rng(0)
    values = [None if generator.random() < 0.1 else generator.normal(10, 3) for _ in range(160)]
    stream = forecaster.stream(learn=True, learning_rate=1e-3)
    for value in values[:90]:
        stream.update(value)
    stream.save(tmp_path / "l.state")
    other = forecaster.stream(learn=True, learning_rate=1e-3)
    other.update(3.0)  # of which nothing is left
    other.load(tmp_path / "l.state")
    for value in values[90:]:
        np.testing.assert_array_equal(stream.update(value), other.update(value))
    assert stream.report() == other.report()
    for one, two in zip(stream.weights()[0], other.weights()[0], strict=True):
        np.testing.assert_array_equal(one, two)
    with pytest.raises(FileError, match="learning stream"):
        forecaster.stream().load(tmp_path / "l.state")


def test_a_gap_that_is_too_long_begins_the_window_anew(forecaster):
    stream = forecaster.stream(learn=True)
    for i in range(10):
        stream.update(10.0 + i)
    stream.update(11.0, pd.Timestamp(stream.time) + pd.Timedelta(days=3))
    plain = forecaster.stream()
    found = plain.update(11.0, pd.Timestamp(plain.time) + pd.Timedelta(hours=10) + pd.Timedelta(days=3))
    # Both stand behind the same first reading; the weights differ by ten small updates alone.
    np.testing.assert_allclose(stream.forecast(), found, atol=0.1)


def test_an_ensemble_learns_in_every_network(daily):
    both = Forecaster(2, **(SETTINGS | {"ensemble": 2})).fit(daily[: 24 * 40])
    stream = both.stream(learn=True, learning_rate=1e-3)
    for i in range(20):
        stream.update(10 + np.sin(i))
    for member in range(2):
        assert not np.array_equal(stream.weights()[member][0], both.fitted.members[member][0])


def test_the_newest_rows_target_stands_behind_all_rows_and_is_not_known(forecaster, alone):
    for model in (forecaster, alone):
        stream = model.stream(learn=True)
        for value in (10.0, 11.0, 12.0):
            stream.update(value)
        for learner in stream._learners:
            # The program reads the target of row i at i + 1.
            beyond = learner._read[len(learner._rows) :]
            assert len(beyond) >= 1
            assert np.isnan(beyond).all()
            # One that stands alone learns values, one of a committee by how much the others' forecasts are wrong.
            assert learner._read.shape[1] == (1 if model is alone else 2)
