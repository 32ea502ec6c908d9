"""Series of a bank that training has not seen: what is taken for their scale, base, unit, bounds and transformation."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from tsuzuki.errors import SettingError
from tsuzuki.forecaster import Forecaster
from tsuzuki.forecasting.recent_errors import HIGH, LOW
from tsuzuki.forecasting.settings import Settings
from tsuzuki.forecasting.transforms import Transform
from tsuzuki.streaming import recent_values
from tsuzuki.streaming.bank import Bank
from tsuzuki.streaming.cursor import Cursor
from tsuzuki.streaming.recent_values import RecentValues

IDS = ("a", "new", "c", "given")


@pytest.fixture(scope="module")
def fitted():
    generator = np.random.default_rng(0)
    hours = pd.date_range("2024-01-01", periods=200, freq="h")
    wave = np.sin(np.arange(200) * 2 * np.pi / 24)
    frame = pd.concat(
        pd.DataFrame({"unique_id": name, "ds": hours, "y": unit * (3 + wave + noise * generator.normal(size=200))})
        for name, unit, noise in (("a", 1, 0.01), ("b", 5, 0.02), ("c", 2, 2.0))
    )
    made = Forecaster(3, units=2, layers=1, head=0, ensemble=1, epochs=1, transform="none").fit(frame).fitted
    return replace(made, rules=replace(made.rules, bases=(24, 24, 0), units=(0.1, 0.2, 0.9)))


def values_of(fitted, given=None, ids=IDS):
    return RecentValues(fitted, ids, given or {}, 4, 8)


def test_a_new_series_has_the_usual_base_unit_scale_and_bounds(fitted):
    rows = fitted.recent_states.copy()
    rows[:, LOW], rows[:, HIGH] = [0, 1, -np.inf], [np.inf, 9, 8]
    found = values_of(replace(fitted, recent_states=rows))
    assert found._back.tolist() == [24, 24, 1, 24]
    # What training has seen keeps its kind, which has a profile; new ones have the usual base, without.
    assert fitted.committee.profiles.there.tolist() == [True, True, False]
    assert found.committee.bases.tolist() == [3, 1, 0, 1]
    assert found.committee.profiles.there.tolist() == [True, False, False, False]
    np.testing.assert_array_equal(found.committee.units, np.array([0.1, 0.2, 0.9, 0.2], np.float32))
    usual = fitted.scales.mean(axis=0)
    np.testing.assert_array_equal(found.scales, [fitted.scales[0], usual, fitted.scales[2], usual])
    assert found.states[:, LOW].tolist() == [0, -np.inf, -np.inf, -np.inf]
    assert found.states[:, HIGH].tolist() == [np.inf, np.inf, 8, np.inf]
    assert found.bounded
    rows[:, LOW], rows[:, HIGH] = -np.inf, np.inf
    assert not values_of(replace(fitted, recent_states=rows)).bounded


def test_a_scale_that_is_given_is_transformed(fitted):
    np.testing.assert_array_equal(values_of(fitted, {"given": (7.0, 2.0)}).scales[3], [7, 2])
    marks = np.array([0.1, 0.3, 0.4])
    for kind, mark in (("log", 0.007), ("asinh", 7.0)):
        found = values_of(replace(fitted, transform=Transform(kind, marks)), {"given": (7.0, 2.0), "a": (3.0, 1.0)})
        np.testing.assert_allclose(found.transform.marks, [0.1, 0.3, 0.4, mark])
        expected = (np.log(7), 2 / 7) if kind == "log" else (np.arcsinh(1), 2 / np.hypot(7, 7))
        np.testing.assert_allclose(found.scales[3], expected)
        # One that training has seen keeps its mark, and has the scale that is given.
        np.testing.assert_allclose(found.scales[0], found.transform.scale(0, 3.0, 1.0))
        with pytest.raises(SettingError, match="series 'given' has the mean 0, but the forecaster reads positive"):
            values_of(replace(fitted, transform=Transform(kind, marks)), {"given": (0.0, 1.0)})
    for scale in ((1.0, 0.0), (np.nan, 1.0), (1.0, np.inf), (1.0, -1.0)):
        with pytest.raises(SettingError, match="a scale of the bank is not finite or its deviation not above 0"):
            values_of(fitted, {"given": scale})


def test_readings_may_lie_as_far_away_as_32_bits_and_the_scale_reach(fitted):
    most = float(np.finfo(np.float32).max)
    found = values_of(fitted, {"given": (-7.0, 2.0), "new": (1e31, 1e9)})
    which = np.arange(4)
    limits = found.limits(which)
    np.testing.assert_allclose(limits[3], 7 + 2 * recent_values.LARGEST_SCALED)
    assert limits[1] == most
    at = np.nextafter(limits, np.inf)
    assert found.too_far(which, at).all()
    assert found.too_far(which, -at).all()
    assert not found.too_far(which, limits).any()
    # Below its mark a logarithm is a line, in units of the mark; an inverse sine is short of 32 bits anywhere.
    logs = values_of(replace(fitted, transform=Transform("log", np.full(3, 0.5))))
    lines = 0.5 * (np.abs(logs.scales[:, 0]) + recent_values.LARGEST_SCALED * logs.scales[:, 1])
    np.testing.assert_allclose(logs.limits(which), np.minimum(lines, most))
    assert np.isfinite(
        (logs.transform.forward(-logs.limits(which), which) / logs.scales[:, 1]).astype(np.float32)
    ).all()
    sines = values_of(replace(fitted, transform=Transform("asinh", np.ones(3))))
    assert sines.limits(which).tolist() == [most] * 4


def test_bounds_that_a_reading_lies_beyond_are_dropped_alone_as_among_many(fitted):
    rows = fitted.recent_states.copy()
    rows[:, LOW], rows[:, HIGH] = 0, 10
    for reading, low, high in ((0.0, 0, 10), (10.0, 0, 10), (-1.0, -np.inf, 10), (11.0, 0, np.inf)):
        one, many = (values_of(replace(fitted, recent_states=rows)) for _ in range(2))
        one.free_bounds_of(2, reading)
        many.free_bounds(np.array([2]), np.array([reading]))
        np.testing.assert_array_equal(one.states, many.states)
        assert one.states[2, [LOW, HIGH]].tolist() == [low, high]
        assert one.states[1, [LOW, HIGH]].tolist() == [0, 10]


def test_what_is_known_ahead_is_told_where_it_is_read_and_given():
    told = []
    stamps = np.array(["2024-01-01", "2024-01-02"], "datetime64[ns]")
    reader = SimpleNamespace(covariates=SimpleNamespace(learn=lambda *given: told.append(given)), stamps=stamps)
    Bank.tell(reader, np.array([1]), None, {"wind": 1.0})
    assert not told
    Bank.tell(reader, np.array([1]), {"plan": 5}, None)
    ((known, which, now),) = told
    assert (known, which.tolist(), now.tolist()) == ({"plan": 5}, [1], [pd.Timestamp("2024-01-02").value])
    other = SimpleNamespace(covariates=None, stamps=stamps)
    for past in (None, {}):
        Bank.tell(other, np.array([1]), None, past)
    for known, past in (({"plan": 5}, None), (None, {"wind": 1.0})):
        with pytest.raises(SettingError, match="the forecaster reads no covariates; leave known and past out"):
            Bank.tell(other, np.array([1]), known, past)


def test_a_reading_beyond_a_bound_drops_it_in_streams_as_in_banks(fitted):
    rows = fitted.recent_states.copy()
    rows[:, LOW], rows[:, HIGH] = 0, np.inf
    banks = [Bank(replace(fitted, recent_states=rows.copy()), Settings(3, units=2, layers=1, head=0, ensemble=1))
             for _ in range(2)]  # fmt: skip
    cursor = Cursor(banks[0], 2)
    np.testing.assert_allclose(cursor.forecast(), banks[1].forecasts(np.array([2]))[0], rtol=1e-4)
    for reading in (5.0, -1.0, 6.0):
        cursor.take(reading)
        banks[1].update([reading], ["c"])
        low = 0 if reading == 5 else -np.inf
        assert [bank.recent.states[2, LOW] for bank in (cursor.settle(), banks[1])] == [low, low]
    assert banks[0].recent.states[:2, LOW].tolist() == [0, 0]
    np.testing.assert_allclose(cursor.forecast(), banks[1].forecasts(np.array([2]))[0], rtol=1e-4)
