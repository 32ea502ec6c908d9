"""Training within a budget: what is drawn, when it is enough, and that it goes on after a crash with the same bits."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsuzuki import Forecaster, SettingError
from tsuzuki.forecasting import drawn_training
from tsuzuki.layouts.layout import ZERO
from tsuzuki.training.budget import FALLING, FEWEST, Budget, budget_of
from tsuzuki.training.drawn_rows import DrawnRows, Piece, Shape, draw, draw_held_out, room_for
from tsuzuki.training.records import EpochRecord

SMALL = {"horizon": 3, "units": 4, "head": 0, "ensemble": 2, "cycles": (), "lags": ((2, 1), (0, 4)), "timesteps": 4}


class Numbered:
    """Rows that hold their own number, with a hole where the number is a multiple of 7."""

    columns, stride, before, after = 2, 1, 3, 2

    def __init__(self, holes=False):
        self.holes = holes

    def read(self, piece, inputs, targets):
        numbers = np.arange(piece.start - self.before, piece.stop + self.after)
        inputs[:, 0] = np.where(self.holes & (numbers % 7 == 0), np.nan, numbers)
        inputs[:, 1], targets[:, 0] = numbers, numbers
        return piece.stop - piece.start


segments = st.lists(st.tuples(st.integers(4, 20), st.integers(2, 60)), min_size=1, max_size=6)
shapes = st.builds(Shape, st.integers(1, 4), st.integers(1, 5), st.integers(1, 9), st.integers(1, 30))


def bounds_of(gaps_and_lengths):
    """Flat segments behind one another with gaps."""
    at, starts, stops = 0, [], []
    for gap, length in gaps_and_lengths:
        starts.append(at + gap)
        at += gap + length
        stops.append(at)
    return np.array(starts), np.array(stops)


@given(segments, shapes, st.integers(0, 99), st.booleans())
def test_rows_of_a_round_are_those_drawn_each_with_what_stands_around_it(parts, shape, seed, holes):
    starts, stops = bounds_of(parts)
    pieces = draw(starts, stops, np.random.default_rng(seed), shape)
    for piece in pieces:
        own = np.searchsorted(starts, piece.start, side="right") - 1
        assert starts[own] <= piece.start < piece.stop <= stops[own] - 1
        assert piece.stop - piece.start <= shape.longest
    source = Numbered(holes)
    rows = DrawnRows(source, shape, room_for(shape, source, shape.longest))
    layout = rows.fill(pieces)
    assert layout.lanes == shape.lanes
    block = layout.block(0, layout.updates)
    there = block.starts[block.valid > 0]
    assert len(there) > 0
    for start, valid in zip(block.starts.ravel(), block.valid.ravel(), strict=True):
        if valid:
            numbers = rows.inputs[start - source.before : start + valid + source.after, 1]
            np.testing.assert_array_equal(np.diff(numbers), 1)
            # The target of a row stands one row behind it.
            np.testing.assert_array_equal(rows.targets[start + 1 : start + valid + 1, 0], numbers[3 : 3 + valid] + 1)
            odd = start + np.flatnonzero(np.isnan(rows.inputs[start : start + valid, 0]))
            assert set(odd.tolist()) <= set(rows.holes.tolist())
    for start in block.starts[block.entries == ZERO]:
        if start >= 0:
            assert not np.isnan(rows.inputs[start - source.before : start + 1, 0]).any()


@given(st.integers(0, 9))
def test_every_step_is_as_likely_to_be_drawn(seed):
    starts, stops = np.array([0, 40, 50]), np.array([30, 45, 110])
    counts = np.zeros(110)
    for number in range(150):
        for piece in draw(starts, stops, np.random.default_rng([seed, number]), Shape(4, 3, 8, 10)):
            counts[piece.start : piece.stop] += 1
    inside = np.concatenate([np.arange(start, stop - 1) for start, stop in zip(starts, stops, strict=True)])
    assert counts[np.setdiff1d(np.arange(110), inside)].sum() == 0
    usual = counts[inside].mean()
    assert (np.abs(counts[inside] - usual) < 8 * np.sqrt(usual)).all()


@given(segments, st.integers(0, 9), st.integers(0, 20))
def test_a_held_out_piece_scores_only_what_is_held_out_behind_rows_that_warm_up(parts, seed, warm_up):
    starts, stops = bounds_of(parts)
    # The second half of each segment is held out.
    cuts = (starts + stops) // 2
    shape = Shape(4, 3, 4, 6)
    held = [(int(cut), int(stop), int(start)) for start, cut, stop in zip(starts, cuts, stops, strict=True)]
    for piece in draw_held_out(held, np.random.default_rng(seed), shape, warm_up):
        own = np.searchsorted(starts, piece.start, side="right") - 1
        assert starts[own] <= piece.start
        assert piece.stop <= stops[own] - 1
        assert cuts[own] <= piece.scored <= piece.stop or starts[own] == cuts[own] == piece.scored - 1
        assert piece.scored - 1 - piece.start <= warm_up


def history(losses):
    """Rounds of such held-out losses."""
    return [EpochRecord(number, 1.0, loss, 0.1, 100) for number, loss in enumerate(losses, 1)]


def rounds(budget, loss_of):
    """How many rounds a budget allows, and the highest rate factor of each."""
    losses, factors = [], []
    while budget.done(history(losses), 100, 1.0 * len(losses)) < 1:
        factors.append(1 - budget.fallen(history(losses), 100, 1.0 * len(losses)))
        losses.append(loss_of(len(losses)))
        assert len(losses) < 10_000
    return factors


@given(st.integers(1, 5000))
def test_so_many_updates_are_made_as_are_asked_for(updates):
    factors = rounds(Budget(updates=updates), lambda number: 1.0)
    assert len(factors) == -(-updates // 100)
    assert all(0 < factor <= 1 for factor in factors)
    assert factors == sorted(factors, reverse=True)


def test_the_loss_decides_when_it_is_enough():
    flat, falling = rounds(Budget(), lambda number: 1.0), rounds(Budget(), lambda number: 0.9**number)
    assert len(flat) == pytest.approx(FEWEST / (1 - FALLING), abs=1)
    assert len(falling) > 2 * len(flat)
    assert flat[:FEWEST] == [1.0] * FEWEST
    assert flat[-1] < 0.5
    # Once it is enough, what the loss does while the rate falls changes nothing.
    stops = rounds(Budget(), lambda number: 1.0 if number < FEWEST else 0.5**number)
    assert len(stops) == len(flat)


def test_time_ends_a_training():
    assert len(rounds(Budget(seconds=30.0), lambda number: 1.0)) == 30


@pytest.mark.parametrize(
    ("given", "means"),
    [
        ("", None),
        ("auto", Budget()),
        ("50", Budget(updates=50)),
        ("90s", Budget(seconds=90.0)),
        ("2m", Budget(seconds=120.0)),
    ],
)
def test_a_budget_is_said_in_a_word(given, means):
    assert budget_of(given) == means


@pytest.mark.parametrize("given", ["0", "-5", "much", "0s", "1e4"])
def test_no_budget_is_refused(given):
    with pytest.raises(SettingError, match="budget"):
        Forecaster(budget=given)


@pytest.fixture(scope="module")
def frame():
    """Three series with a cycle, gaps long and short."""
    rng, parts = np.random.default_rng(1), []
    for name in range(3):
        values = 10 + 3 * np.sin(np.arange(500) / 4 + name) + rng.normal(0, 0.3, 500)
        values[rng.random(500) < 0.05] = np.nan
        values[200:240] = np.nan
        values[[0, -1]] = 10.0
        times = pd.date_range("2024-01-01", periods=500, freq="h")
        parts.append(pd.DataFrame({"unique_id": f"s{name}", "ds": times, "y": values}))
    return pd.concat(parts, ignore_index=True)


@pytest.fixture
def short_rounds(monkeypatch):
    """Rounds of a few updates."""
    monkeypatch.setattr(drawn_training, "ROUND", 8)
    monkeypatch.setattr(drawn_training, "SCORED", 8)


def test_a_network_learns_within_a_budget(frame, short_rounds):
    held_out = [record.validation_loss for record in Forecaster(**SMALL, budget=400).fit(frame).fitted.histories[0]]
    assert len(held_out) == 50
    assert min(held_out) < 0.5 * held_out[0]


@pytest.mark.parametrize("more", [{}, {"base": "season", "lags": None}, {"quantiles": (0.1, 0.5, 0.9)}])
def test_same_seed_same_bits_whatever_the_threads(frame, short_rounds, monkeypatch, more):
    given = SMALL | {"budget": 24} | more
    one = Forecaster(**given).fit(frame).predict()
    monkeypatch.setenv("TSUZUKI_NUM_THREADS", "1")
    pd.testing.assert_frame_equal(Forecaster(**given).fit(frame).predict(), one)
    assert np.isfinite(one["tsuzuki"]).all()
    assert not Forecaster(**given, seed=5).fit(frame).predict().equals(one)


def test_a_fit_that_was_killed_goes_on_to_the_same_bits(frame, short_rounds, tmp_path):
    given = SMALL | {"budget": 64}
    whole, shares = Forecaster(**given).fit(frame), []

    class KilledError(Exception):
        """A crash."""

    def kill(share):
        shares.append(share)
        if len(shares) == 9:
            raise KilledError

    with pytest.raises(KilledError):
        Forecaster(**given).fit(frame, checkpoint=tmp_path / "run", every=0.0, on_progress=kill)
    assert list(tmp_path.iterdir())
    shares.clear()
    again = Forecaster(**given).fit(frame, checkpoint=tmp_path / "run", every=0.0, on_progress=shares.append)
    assert sum(shares) == pytest.approx(1)
    for ours, theirs in zip(again.fitted.members, whole.fitted.members, strict=True):
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(one, other)


def test_small_data_are_gone_through_whole(frame):
    """With "auto" they get what they get without a budget, to the bit."""
    plain = Forecaster(**SMALL, epochs=1).fit(frame).predict()
    pd.testing.assert_frame_equal(Forecaster(**SMALL, epochs=1, budget="auto").fit(frame).predict(), plain)


def test_a_budget_of_time_is_kept(frame, short_rounds):
    fitted = Forecaster(**SMALL, budget="1s").fit(frame).fitted
    assert sum(record.seconds for record in fitted.histories[0]) < 5
    assert len(fitted.histories[0]) > 1


def test_piece_stands_for_rows_and_their_targets():
    source = Numbered(holes=True)
    rows = DrawnRows(source, Shape(1, 4, 2, 8), 40)
    rows.fill([Piece(14, 22)])
    # Row 14 is a hole, and nothing is known before it but its neighbours: the one before stands in.
    assert rows.inputs[3, 0] == 13
    assert rows.holes.tolist() == [10]
    assert rows.with_holes is not None
