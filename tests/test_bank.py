"""Thousands of series in one call are as many streams."""

import os
import signal
import time
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tsuzuki.data.calendar import DAY, calendar
from tsuzuki.errors import DataError, FileError, SettingError
from tsuzuki.forecaster import Forecaster
from tsuzuki.streaming.cursor import Cursor
from tsuzuki.streaming.quick_reading import takes_none
from tsuzuki.streaming.usual_round import usual_round


@pytest.fixture(scope="module")
def pair(daily):
    """Two series of different scale."""
    frames = [
        pd.DataFrame({"unique_id": name, "ds": daily.index, "y": scale * daily.to_numpy()})
        for name, scale in (("small", 1), ("large", 100))
    ]
    settings = {"units": 5, "layers": 2, "head": 3, "ensemble": 2, "epochs": 1, "max_gap": 4}
    return Forecaster(3, **settings).fit(pd.concat(frames))


@pytest.fixture(scope="module")
def single(daily):
    """One network, whose forecasts nobody averages."""
    return Forecaster(3, units=5, head=3, ensemble=1, epochs=1).fit(daily)


HOUR = DAY // 24
READINGS = st.lists(st.tuples(*[st.one_of(st.none(), st.floats(-5, 25))] * 2), min_size=1, max_size=100)


@settings(max_examples=20)
@given(READINGS)
def test_a_bank_forecasts_what_streams_do(pair, readings):
    bank, streams = pair.bank(), [pair.stream("small"), pair.stream("large")]
    for small, large in readings:
        values = [small, None if large is None else 100 * large]
        found = bank.update([np.nan if value is None else value for value in values])
        expected = [stream.update(value) for stream, value in zip(streams, values, strict=True)]
        np.testing.assert_allclose(found, np.stack(expected), rtol=1e-4, atol=1e-3)
    low, high = bank.interval(80)
    for number, stream in enumerate(streams):
        np.testing.assert_allclose([low[number], high[number]], stream.interval(80), rtol=1e-4, atol=1e-3)


@settings(max_examples=20)
@given(st.lists(st.tuples(st.integers(0, 1), st.floats(-5, 25)), min_size=1, max_size=200))
def test_series_may_come_in_any_order_one_by_one(pair, order):
    bank, streams, other = pair.bank(), [pair.stream("small"), pair.stream("large")], pair.bank()
    cursors = [Cursor(other, 0), Cursor(other, 1)]
    for number, value in order:
        scale = 100 if number else 1
        found = bank.update([value * scale], [bank.ids[number]])[0]
        cursors[number].take(value * scale)
        np.testing.assert_allclose(found, streams[number].update(value * scale), rtol=1e-4, atol=1e-3)
        np.testing.assert_allclose(cursors[number].forecast(), found, rtol=1e-4, atol=1e-3)
    for cursor in cursors:
        cursor.settle()
    # What the cursors told their bank is where the other bank stands too.
    np.testing.assert_allclose(other.state_of(np.arange(2)), bank.state_of(np.arange(2)), rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(other.stamps, bank.stamps)


@settings(max_examples=10)
@given(st.sampled_from([10, 64, 256]), st.data())
def test_a_call_for_some_leaves_the_others_as_they_are(single, count, data):
    bank = single.bank([f"s{i}" for i in range(count)])
    before = bank.update(np.arange(count, dtype=float))
    some = data.draw(st.lists(st.sampled_from(bank.ids), min_size=1, max_size=count, unique=True))
    found = bank.update(np.full(len(some), 5.0), some)
    expected = dict(zip(bank.ids, before, strict=True)) | dict(zip(some, found, strict=True))
    np.testing.assert_array_equal(bank.forecasts(), [expected[name] for name in bank.ids])


def test_new_series_begin_from_zero_with_the_scale_they_are_given(pair):
    ids = [f"s{i}" for i in range(300)]
    bank = pair.bank(ids, scales={"s7": (5000.0, 10.0)}, start="2025-01-01")
    found = bank.update(np.full(300, 10.0))
    assert found.shape == (300, 3)
    np.testing.assert_array_equal(found[0], found[299])
    assert not np.allclose(found[7], found[0])
    assert str(bank.stamps[0])[:16] == "2025-01-01T01:00"
    # Nanoseconds would count it as a day of another century.
    for far in ("9000-01-01", np.datetime64("9000-01-01"), "soon"):
        with pytest.raises(DataError, match=r"is no time; give one such as 2026-01-31 12:00"):
            pair.bank(["new"], start=far)


def test_a_saved_bank_goes_on_bit_for_bit(tmp_path, pair):
    ids = [f"s{i}" for i in range(200)]
    generator = np.random.default_rng(0)
    bank = pair.bank(ids)
    for _ in range(70):
        values = generator.normal(10, 3, 200)
        values[generator.random(200) < 0.2] = np.nan
        bank.update(values)
    bank.save(tmp_path / "bank.state")
    other = pair.bank(ids).load(tmp_path / "bank.state")
    for _ in range(70):
        values = generator.normal(10, 3, 200)
        np.testing.assert_array_equal(bank.update(values), other.update(values))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bank.state"]


def test_a_bank_that_grows_keeps_what_it_has(pair):
    bank = pair.bank()
    for value in (3.0, 4.0, np.nan):
        bank.update([value, 100 * value])
    before = bank.state_of(np.arange(2))
    grown = bank.grown(["new"], {"new": int(np.datetime64("2024-05-01", "ns").astype(np.int64))})
    np.testing.assert_array_equal(grown.state_of(np.arange(2)), before)
    assert grown.ids == ("small", "large", "new")
    np.testing.assert_allclose(grown.update([5.0], ["small"]), bank.update([5.0], ["small"]), rtol=1e-5)


@settings(max_examples=10)
@given(st.lists(st.integers(0, 100), min_size=1, max_size=4), st.data())
def test_every_series_reads_the_calendar_of_its_own_time(pair, hours, data):
    first = np.datetime64("2024-06-01", "ns").astype(np.int64)
    names = [f"s{i}" for i in range(len(hours))]
    bank = pair.bank().grown(names, {name: int(first + hour * HOUR) for name, hour in zip(names, hours, strict=True)})
    for some in [None, *data.draw(st.lists(st.sampled_from([None, names, names[:1]]), min_size=150, max_size=150))]:
        bank.update(np.zeros(len(bank.ids if some is None else some)), some)
        own = bank.rows[0][bank.at, np.arange(len(bank.ids)), 2 + pair.fitted.way.of_windows :]
        np.testing.assert_array_equal(own, calendar(bank.stamps, HOUR, pair.fitted.rules.cycles))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_forecasts_on_threads_of_its_own(pair, monkeypatch):
    monkeypatch.setenv("TSUZUKI_NUM_THREADS", "2")
    ids, values = [f"s{i}" for i in range(2000)], np.full(2000, 10.0)
    bank, twin = pair.bank(ids), pair.bank(ids)
    first, second = bank.update(values), (twin.update(values), twin.update(values))[1]
    child = os.fork()
    if child == 0:
        code = 1
        try:
            same = [np.array_equal(bank.update(values), second), np.array_equal(pair.bank(ids).update(values), first)]
            code = 0 if all(same) else 2
        finally:
            os._exit(code)
    late = time.monotonic() + 60
    while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0) and time.monotonic() < late:
        time.sleep(0.01)
    if ended == (0, 0):
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert ended == (child, 0)


@pytest.mark.parametrize(
    ("values", "ids", "message"),
    [
        ([1.0], None, r"there are 2 series but values of shape \(1,\); give one for each"),
        (["x", 1.0], None, "a reading is no number; give floats, NaN where one is missing"),
        ([1.0, np.inf], None, "the reading of series 'large' is infinite"),
        ([1.0], ["nobody"], "series 'nobody' is not in the bank; name it when the bank is made"),
        ([1.0, 2.0], ["small", "small"], "a series stands twice among the ids; give its readings one after the other"),
    ],
)
def test_updates_that_cannot_be_are_refused_and_move_nothing(pair, values, ids, message):
    bank = pair.bank()
    before = bank.state_of(np.arange(2))
    with pytest.raises(DataError, match=message):
        bank.update(values, ids)
    np.testing.assert_array_equal(bank.state_of(np.arange(2)), before)


def test_banks_that_cannot_be_are_refused(tmp_path, pair):
    with pytest.raises(SettingError, match="none, or one of them stands there twice"):
        pair.bank(["a", "a"])
    with pytest.raises(SettingError, match=r"a scale of the bank is not finite or its deviation not above 0"):
        pair.bank(["a"], scales={"a": (0.0, 0.0)})
    with pytest.raises(FileError, match="nowhere"):
        pair.bank().load(tmp_path / "nowhere")


@pytest.mark.parametrize("freq", ["MS", "ME", "QS", "B", "YS"])
@pytest.mark.parametrize("start", ["1999-12-31", "2018-06-29", "2030-01-01"])
def test_a_bank_on_months_or_business_days_begins_whenever_its_readings_do(freq, start):
    count = 60
    line = pd.Series(np.arange(count) % 12 + 5.0, pd.date_range("2015-01-01", periods=count, freq=freq), name="a")
    model = Forecaster(3, units=4, head=0, ensemble=1, epochs=1).fit(line)
    first = pd.date_range(start, periods=1, freq=freq)[0]
    bank = model.bank(["new"], start=first)
    for due in pd.date_range(first, periods=30, freq=freq)[1:]:
        found = bank.update([due.month + 5.0])
        assert bank.stamps[0] == due.to_datetime64()
    assert np.isfinite(found).all()


@pytest.fixture(scope="module")
def alone(daily):
    """One network that stands alone, of which usual rounds are a call of the program and little else."""
    settings = {"units": 5, "layers": 1, "head": 0, "ensemble": 1, "lags": (), "epochs": 1, "max_gap": 2}
    return Forecaster(3, committee=False, **settings).fit(daily)


ROUNDS = st.lists(
    st.one_of(
        st.tuples(st.just("all"), st.lists(st.floats(-5, 25), min_size=3, max_size=3)),
        st.tuples(st.just("missing"), st.lists(st.sampled_from([np.nan, 7.0]), min_size=3, max_size=3)),
        st.tuples(st.just("some"), st.lists(st.sampled_from([0, 1, 2]), min_size=1, max_size=3, unique=True)),
        st.tuples(st.just("restored"), st.none()),
        st.tuples(st.just("jumped"), st.integers(0, 2)),
    ),
    min_size=1,
    max_size=100,
)


@settings(max_examples=30)
@given(ROUNDS, st.integers(1, 70))
def test_usual_rounds_leave_the_bits_that_other_rounds_leave(alone, rounds, usual):
    # Lists are taken reading by reading with all that may be due; arrays, where they are usual, by the program alone.
    with mock.patch("tsuzuki.streaming.bank.MOST_ROWS", 64):
        quick, slow = (alone.bank(["a", "b", "c"]) for _ in range(2))
    assert usual_round(quick) is not takes_none
    for kind, what in [("all", [1.0, 2.0, 3.0])] * usual + rounds:
        if kind == "some":
            for bank in quick, slow:
                bank.update(np.array([9.0] * len(what)), ["abc"[number] for number in what])
        elif kind == "restored":
            every = np.arange(3)
            quick.restore(every, quick.state_of(every), quick.stamps.copy(), quick.missing.copy())
            slow.restore(every, slow.state_of(every), slow.stamps.copy(), slow.missing.copy())
        elif kind == "jumped":
            for bank in quick, slow:
                bank.jump(what, 4)
        else:
            found, expected = quick.update(np.array(what)), slow.update(what)
            np.testing.assert_array_equal(found, expected)
            # What is handed out is the caller's.
            found[:] = 0
    np.testing.assert_array_equal(quick.forecasts(), slow.forecasts())
    np.testing.assert_array_equal(quick.state_of(np.arange(3)), slow.state_of(np.arange(3)))
    np.testing.assert_array_equal(quick.stamps, slow.stamps)
    np.testing.assert_array_equal(quick.missing, slow.missing)
    np.testing.assert_array_equal(quick.interval(80), slow.interval(80))


def test_a_usual_round_refuses_what_other_rounds_refuse(alone):
    bank = alone.bank(["a", "b"])
    bank.update(np.array([1.0, 2.0]))
    before = bank.state_of(np.arange(2))
    for bad in (np.array([1.0, np.inf]), np.array([-1e39, 1.0]), np.array([1.0]), np.array([[1.0, 2.0]])):
        with pytest.raises(DataError):
            bank.update(bad)
    np.testing.assert_array_equal(bank.state_of(np.arange(2)), before)


def test_a_bank_that_is_given_other_scales_measures_readings_by_them(alone, tmp_path):
    near, far = alone.bank(["a"], scales={"a": (0, 1e-20)}), alone.bank(["a"], scales={"a": (0, 1.0)})
    far.save(tmp_path / "far")
    with pytest.raises(DataError, match="too far away"):
        near.update(np.array([1e15]))
    near.load(tmp_path / "far")
    near.update(np.array([1e15]))
