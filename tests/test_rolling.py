"""The compiled run over missing values and lags against the plain twin."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reference
from tsuzuki.data.segments import Segment
from tsuzuki.forecasting.panel import SeriesInputs, build_panel
from tsuzuki.forecasting.stepwise import ModelSpec, run_stepwise
from tsuzuki.network.initialisers import initialise
from tsuzuki.network.layers import GRU, LSTM, Dense, SimpleRNN
from tsuzuki.network.network import Network

LAGS = ((1, 1), (5, 1), (0, 4), (2, 3))


@st.composite
def cases(draw):
    """A network with lags, and series with missing values in several stretches."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    horizon, beside = draw(st.integers(1, 4)), draw(st.integers(0, 3))
    lags = tuple(draw(st.lists(st.sampled_from(LAGS), unique=True)))
    cell = draw(st.sampled_from([SimpleRNN, GRU, LSTM]))
    network = Network(2 + beside + len(lags), (cell(draw(st.integers(1, 9))), Dense(horizon)))
    way = ModelSpec(network, lags, draw(st.integers(0, horizon - 1)))
    tracks = []
    for _ in range(draw(st.integers(1, 3))):
        points = draw(st.integers(3, 40))
        values = generator.normal(size=points).astype(np.float32)
        values[generator.random(points) < 0.3] = np.nan
        cut = draw(st.integers(1, points - 1))
        segments = []
        for start, stop in ((0, cut), (cut, points)):
            known = np.flatnonzero(~np.isnan(values[start:stop]))
            if len(known):
                segments.append(Segment(start + known[0], start + known[-1] + 1))
        if segments:
            others = generator.normal(size=(points, beside)).astype(np.float32)
            tracks.append(SeriesInputs(values, others, tuple(segments)))
    return way, [weight * 1.5 for weight in initialise(network, draw(st.integers(0, 99)))], tracks, horizon


@settings(max_examples=60)
@given(cases())
def test_forecasts_over_gaps_and_lags_agree_with_the_plain_twin(case):
    way, weights, tracks, horizon = case
    if not tracks:
        return
    panel = build_panel(tracks, way.before, horizon)
    wanted = np.zeros(len(panel.inputs), bool)
    for number in range(panel.series_count):
        wanted[panel.rows_of(number)[0]] = True
    found, _ = run_stepwise(way, weights, panel, wanted)
    expected = [
        reference.follow(
            way.network,
            weights,
            way.lags,
            way.impute_from,
            track.values[one.start : one.stop].astype(np.float64),
            track.covariates[one.start : one.stop],
        )
        for track in tracks
        for one in track.segments
    ]
    np.testing.assert_allclose(found, np.concatenate(expected), rtol=2e-4, atol=2e-5)


@settings(max_examples=60)
@given(cases(), st.data())
def test_a_run_in_two_parts_ends_like_one_run(case, data):
    way, weights, tracks, horizon = case
    tracks = [SeriesInputs(one.values, one.covariates, one.segments[:1]) for one in tracks]
    tracks = [one for one in tracks if one.segments[0].stop - one.segments[0].start > 2]
    if not tracks:
        return
    firsts, seconds = [], []
    for track in tracks:
        segment = track.segments[0]
        cut = data.draw(st.integers(segment.start + 1, segment.stop - 1))
        firsts.append(SeriesInputs(track.values, track.covariates, (Segment(segment.start, cut),)))
        seconds.append((track, cut, segment.stop))
    whole = build_panel(tracks, way.before, horizon)
    _, end = run_stepwise(way, weights, whole, np.zeros(len(whole.inputs), bool))
    panel = build_panel(firsts, way.before, horizon)
    _, state = run_stepwise(way, weights, panel, np.zeros(len(panel.inputs), bool))
    later = [
        SeriesInputs(track.values[cut:stop], track.covariates[cut:stop], (Segment(0, stop - cut),), state.rows[number])
        for number, (track, cut, stop) in enumerate(seconds)
    ]
    panel = build_panel(later, way.before, horizon)
    _, moved = run_stepwise(way, weights, panel, np.zeros(len(panel.inputs), bool), state)
    np.testing.assert_allclose(moved.saved, end.saved, rtol=1e-4, atol=1e-5)
    # The value of the last row is what it was read as; its calendar and covariates are the row's own.
    np.testing.assert_allclose(moved.rows[:, :, 0], end.rows[:, :, 0], rtol=1e-4, atol=1e-5)


def test_a_missing_value_is_flagged_and_a_stretch_never_reads_the_one_before():
    values = np.array([1, np.nan, 3, 100, 5], np.float32)
    track = SeriesInputs(values, np.zeros((5, 0), np.float32), (Segment(0, 3), Segment(4, 5)))
    panel = build_panel([track], before=2, after=1)
    assert panel.inputs[:, 0].tolist()[:3] == [1, 1, 1]
    np.testing.assert_array_equal(panel.inputs[2:5, 1], [0, 1, 0])
    # Behind the first stretch's trail stand the second one's own first value, twice, and then itself.
    assert panel.inputs[6:9, 0].tolist() == [5, 5, 5]
    assert 100 not in panel.inputs
    np.testing.assert_array_equal(
        panel.targets[:, 0], [np.nan, np.nan, 1, np.nan, 3, np.nan, np.nan, np.nan, 5, np.nan]
    )


@pytest.mark.parametrize("first", [0, 2])
def test_flat_segments_of_positions_stay_inside_their_stretches(first):
    track = SeriesInputs(np.arange(6, dtype=np.float32), np.zeros((6, 0), np.float32), (Segment(0, 3), Segment(4, 6)))
    panel = build_panel([track], before=1, after=1)
    found = panel.segments([first], [5])
    positions = np.concatenate([panel.targets[one.start : one.stop, 0] for one in found])
    assert positions.tolist() == [place for place in (0, 1, 2, 4) if place >= first]
