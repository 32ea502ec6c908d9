"""The linear forecast in closed form against plain least squares, with and without a held-out stretch."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tsuzuki.data.segments import Segment
from tsuzuki.forecasting import ridge as ridge_module
from tsuzuki.forecasting.history import differences, history_of
from tsuzuki.forecasting.ridge import PENALTIES, ridge

LAGS, HORIZON, SIZE = 5, 3, 8


def panel(seed, lengths):
    generator = np.random.default_rng(seed)
    values = [generator.normal(size=length).cumsum().astype(np.float32) for length in lengths]
    return values, [history_of(own, (Segment(0, len(own)),), 0, SIZE) for own in values]


def plain(values, weights, penalty, hidden=None):
    """All rows in one matrix; `hidden` [(first, last)] by series."""
    x, y = [], []
    for number, (own, weight) in enumerate(zip(values, weights, strict=True)):
        padded = np.concatenate([np.full(LAGS, own[0]), own]).astype(np.float64)
        for place in range(len(own) - HORIZON):
            targets = range(place + 1, place + HORIZON + 1)
            if hidden and any(hidden[number][0] <= one < hidden[number][1] for one in targets):
                continue
            window = padded[place + 1 : place + 1 + LAGS]
            x.append((window[:-1] - window[-1]) * weight)
            y.append((own[list(targets)] - window[-1]) * weight)
    x, y = np.array(x), np.array(y)
    return x, np.linalg.solve(x.T @ x + penalty * np.eye(LAGS - 1), x.T @ y)


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.lists(st.integers(30, 80), min_size=1, max_size=3))
def test_the_closed_form_is_that_of_all_rows_with_one_of_the_penalties(seed, lengths):
    values, histories = panel(seed, lengths)
    weights = np.random.default_rng(seed).uniform(0.5, 2, len(values))
    hidden = [(length - 12, length - 4) for length in lengths]
    held_out = [([first for first, _ in hidden], [last for _, last in hidden])]
    whole, (part,) = ridge(histories, held_out, HORIZON, LAGS, weights)
    assert whole.shape == (SIZE, HORIZON)
    assert not whole[: SIZE - LAGS].any()
    assert not whole[-1].any()
    for found, without in ((whole, None), (part, hidden)):
        twins = []
        for penalty in PENALTIES:
            x, _ = plain(values, weights, 1.0, without)
            unit = np.trace(x.T @ x) / (LAGS - 1)
            twins.append(plain(values, weights, penalty * unit, without)[1])
        nearest = min(np.abs(found[SIZE - LAGS : -1] - twin).max() for twin in twins)
        assert nearest < 2e-3


def test_a_wave_is_gone_on_with():
    steps = np.arange(200)
    wave = np.sin(2 * np.pi * steps / 17).astype(np.float32)
    history = history_of(wave, (Segment(0, 200),), 0, 40)
    found, _ = ridge([history], [([150], [180])], 6, 40, np.ones(1))
    windows = history.windows(np.arange(60, 190))
    forecasts = differences(windows) @ found + windows[:, -1:]
    expected = wave[np.arange(60, 190)[:, None] + np.arange(1, 7)]
    np.testing.assert_allclose(forecasts, expected, atol=0.02)


@pytest.mark.parametrize("length", [2, 3, 4])
def test_too_few_rows_change_nothing(length):
    _, histories = panel(0, [length])
    whole, _ = ridge(histories, [([0], [0])], HORIZON, LAGS, np.ones(1))
    assert whole.shape == (SIZE, HORIZON)
    assert np.isfinite(whole).all()


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 9), st.booleans())
def test_products_of_stretches_are_those_of_their_rows_one_by_one(seed, long, lags, chunked):
    """The slow twin: every row's window and targets in one matrix."""
    generator = np.random.default_rng(seed)
    histories = []
    for size in (long, 70):
        values = generator.normal(size=size).cumsum().astype(np.float32)
        segments = (Segment(0, size),) if size < 70 else (Segment(0, 20), Segment(20, 23), Segment(30, 70))
        values[23:30] = np.nan
        histories.append(history_of(values, segments, 0, 12))
    weights, held_out = generator.uniform(0.2, 3, 2), [([5, 40], [12, 55]), ([0, 10], [0, 33])]
    with pytest.MonkeyPatch.context() as patch:
        if chunked:
            patch.setattr(ridge_module, "CHUNK", 2)
        found = ridge_module._sums(histories, held_out, HORIZON, lags, weights)
    for sums, hidden in zip(found, [None, *held_out], strict=True):
        x, y = [np.zeros((0, lags))], [np.zeros((0, HORIZON))]
        for number, (history, weight) in enumerate(zip(histories, weights, strict=True)):
            for place in np.flatnonzero(history.ends >= 0):
                ahead = history.ends[place] + np.arange(1, HORIZON + 1)
                if place + HORIZON >= len(history.ends) or history.ends[place + HORIZON] != ahead[-1]:
                    continue
                if hidden and not hidden[0][number] - HORIZON <= place < hidden[1][number] - 1:
                    continue
                window = history.windows(np.array([place])).astype(np.float64)
                x.append(weight * (window[:, -lags - 1 : -1] - window[:, -1:]))
                y.append(weight * (history.values[ahead].astype(np.float64) - window[:, -1:]))
        x, y = np.concatenate(x), np.concatenate(y)
        assert sums.rows == len(x)
        np.testing.assert_allclose(sums.inputs, x.T @ x, rtol=1e-9, atol=1e-8)
        np.testing.assert_allclose(sums.targets, x.T @ y, rtol=1e-9, atol=1e-8)
        assert sums.squares == pytest.approx((y**2).sum(), abs=1e-8)
