"""The rules of statefulness, as properties over segments and sizes drawn at random."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsuzuki.data.segments import Segment
from tsuzuki.errors import SettingError, TooShortError
from tsuzuki.layouts.layout import CARRY, NOWHERE, ZERO
from tsuzuki.layouts.streams import Streams
from tsuzuki.layouts.windows import Windows

sizes = st.integers(1, 9)


@st.composite
def segments(draw, at_least=1):
    """Unbroken stretches with holes between them, at least one of them long enough."""
    lengths = draw(st.lists(st.integers(1, 60), min_size=1, max_size=4))
    lengths[draw(st.integers(0, len(lengths) - 1))] += at_least
    found, at = [], draw(st.integers(0, 3))
    for length in lengths:
        found.append(Segment(at, at + length))
        at += length + draw(st.integers(0, 2))
    return found


@st.composite
def layouts(draw):
    """Any layout over any segments: (settings, segments, layout)."""
    steps, lanes = draw(sizes), draw(sizes)
    parts = draw(segments(at_least=steps + 1))
    kinds = (
        Streams(steps, lanes),
        Windows(steps, lanes),
        Windows(steps, lanes, stateful=True),
        Windows(steps, lanes, shuffle=True, seed=draw(st.integers(0, 9))),
    )
    chosen = draw(st.sampled_from(kinds))
    return chosen, parts, chosen.over(parts)


def rows_of(layout):
    """The plain twin's view: every real row as (update, lane, start, valid, entry, exit), read one by one."""
    block = layout.block(0, layout.updates)
    for update in range(layout.updates):
        for lane in range(layout.lanes):
            if block.valid[update, lane]:
                yield (
                    update,
                    lane,
                    *(int(a[update, lane]) for a in (block.starts, block.valid, block.entries, block.exits)),
                )


def targets_of(layout):
    """Every scored target position."""
    for _, _, start, valid, _, _ in rows_of(layout):
        if layout.every_step:
            yield from range(start + 1, start + valid + 1)
        else:
            assert valid == layout.timesteps
            yield start + valid


def home(position, parts):
    return next((i for i, part in enumerate(parts) if part.start <= position < part.stop), None)


@given(layouts())
def test_every_target_is_scored_exactly_once_an_epoch(case):
    chosen, parts, layout = case
    first = 1 if layout.every_step else chosen.timesteps
    expected = [position for part in parts for position in range(part.start + first, part.stop)]
    assert sorted(targets_of(layout)) == expected
    assert layout.targets == len(expected)


@given(layouts())
def test_a_row_that_carries_its_state_begins_where_its_lane_ended(case):
    _, _, layout = case
    last = {}
    for update, lane, start, valid, entry, _ in rows_of(layout):
        if entry == CARRY:
            assert last[lane] == (update - 1, start)
        else:
            assert entry == ZERO
        last[lane] = (update, start + valid)


@given(layouts())
def test_no_row_crosses_from_segment_to_segment(case):
    _, parts, layout = case
    for _, _, start, valid, _, _ in rows_of(layout):
        assert home(start, parts) is not None
        assert home(start, parts) == home(start + valid, parts)


@given(layouts())
def test_states_are_zero_at_the_start_of_an_epoch(case):
    _, _, layout = case
    assert (layout.block(0, 1).entries == ZERO).all()


@given(layouts())
def test_only_stateful_layouts_carry(case):
    chosen, _, layout = case
    if isinstance(chosen, Windows) and not chosen.stateful:
        assert all(entry == ZERO for *_, entry, _ in rows_of(layout))


@given(layouts(), st.data())
def test_blocks_are_the_same_however_an_epoch_is_cut(case, data):
    _, _, layout = case
    cut = data.draw(st.integers(0, layout.updates))
    whole, parts = layout.block(0, layout.updates), (layout.block(0, cut), layout.block(cut, layout.updates))
    for name in ("starts", "valid", "entries", "exits"):
        joined = np.concatenate([getattr(part, name) for part in parts])
        np.testing.assert_array_equal(joined, getattr(whole, name))
        assert getattr(whole, name).flags.c_contiguous


@given(st.integers(1, 200), st.integers(1, 12))
def test_batches_as_long_as_windows_are_the_classic_layout(count, steps):
    layout = Windows(steps, steps, stateful=True).over([Segment(0, count + steps)])
    starts = layout.block(0, layout.updates).starts
    expected = np.arange(layout.updates * steps).reshape(-1, steps)
    np.testing.assert_array_equal(starts, np.where(expected < count, expected, -1)[:, : layout.lanes])


@given(st.integers(1, 500), sizes, sizes)
def test_the_lanes_of_a_stream_are_equally_long(steps, timesteps, lanes):
    layout = Streams(timesteps, lanes).over([Segment(0, steps + 1)])
    assert layout.lanes == min(lanes, steps)
    read = Counter()
    for _, lane, _, valid, _, _ in rows_of(layout):
        read[lane] += valid
    assert max(read.values()) - min(read.values()) <= 1


@given(st.integers(1, 500), sizes, sizes)
def test_the_rows_of_stateful_windows_are_equally_long(count, timesteps, batch):
    layout = Windows(timesteps, batch, stateful=True).over([Segment(0, count + timesteps)])
    rows = Counter()
    for _, lane, *_ in rows_of(layout):
        rows[lane] += 1
    # Each pass gives a lane one row, and rows of one pass differ by at most two windows.
    passes = timesteps / np.gcd(timesteps, batch)
    assert max(rows.values()) - min(rows.get(lane, 0) for lane in range(layout.lanes)) <= 2 * passes


@given(layouts())
def test_the_state_at_the_end_of_each_segment_is_saved_once_by_its_last_row(case):
    chosen, parts, layout = case
    saved = {}
    for _, _, start, valid, _, slot in rows_of(layout):
        if slot != NOWHERE:
            assert slot not in saved
            saved[slot] = start + valid
    expected = {}
    if isinstance(chosen, Streams):
        expected = {i: part.stop - 1 for i, part in enumerate(parts) if part.stop - part.start > 1}
    elif chosen.stateful:
        steps = chosen.timesteps
        for i, part in enumerate(parts):
            for start in range(part.start, part.stop - steps):
                expected[i * steps + (start - part.start) % steps] = start + steps
    assert saved == expected


@given(segments(at_least=12), sizes, sizes, st.integers(1, 30), st.sampled_from(["streams", "stateful", "stateless"]))
def test_held_out_rows_go_on_from_the_states_that_training_ended_in(parts, steps, lanes, more, kind):
    last = parts[-1]
    held_out = [Segment(last.stop, last.stop + more), Segment(last.stop + more + 5, last.stop + more + 20)]
    settings = Streams(steps, lanes) if kind == "streams" else Windows(steps, lanes, stateful=kind == "stateful")
    training, layout = settings.over(parts), settings.after(parts, held_out)
    ends = {slot: start + valid for _, _, start, valid, _, slot in rows_of(training) if slot != NOWHERE}
    carried = {}
    for update, lane, start, valid, entry, slot in rows_of(layout):
        assert slot == NOWHERE
        if entry == CARRY:
            assert carried[lane] == (update - 1, start)
        elif entry != ZERO:
            assert kind != "stateless"
            assert ends[entry] == start
        elif kind != "stateless" and home(start, [last]) is not None:
            # A row inside the training data begins from zero only where its phase was never trained on.
            assert start not in ends.values()
        carried[lane] = (update, start + valid)
    first = 1 if kind == "streams" else steps
    joined = [position for position in range(last.start + first, last.stop + more) if position >= last.stop]
    alone = list(range(held_out[1].start + first, held_out[1].stop))
    assert sorted(targets_of(layout)) == joined + alone


@given(segments(at_least=12), sizes)
def test_training_and_held_out_windows_together_are_those_of_the_whole(parts, steps):
    whole = parts[-1]
    middle = (whole.start + whole.stop) // 2
    training = [*parts[:-1], Segment(whole.start, middle)]
    settings = Windows(steps, 3)
    try:
        layouts_ = settings.over(training), settings.after(training, [Segment(middle, whole.stop)])
    except TooShortError:
        return
    found = sorted(target for layout in layouts_ for target in targets_of(layout))
    assert found == sorted(targets_of(settings.over(parts)))


@given(segments(at_least=9), st.integers(0, 50))
def test_shuffled_windows_come_in_another_order_each_epoch_and_the_same_for_a_seed(parts, seed):
    windows = Windows(3, 4, shuffle=True, seed=seed)
    orders = [windows.over(parts, epoch).block(0, 10**3).starts.ravel() for epoch in (0, 0, 1)]
    np.testing.assert_array_equal(orders[0], orders[1])
    assert sorted(orders[0]) == sorted(orders[2])
    if (orders[0] >= 0).sum() > 12:
        assert (orders[0] != orders[2]).any()


def test_shuffling_and_a_carried_state_refuse_each_other():
    with pytest.raises(SettingError, match=r"shuffled rows do not continue one another.*leave out one of the two"):
        Windows(6, 6, stateful=True, shuffle=True)


@pytest.mark.parametrize("sizes_", [(0, 3), (3, 0)])
@pytest.mark.parametrize("kind", [Windows, Streams])
def test_sizes_below_one_are_named(kind, sizes_):
    with pytest.raises(SettingError, match=rf"{kind.__name__} has \w+=0; give a whole number from 1"):
        kind(*sizes_)


def test_a_series_too_short_for_a_window_is_named_with_what_it_needs():
    with pytest.raises(TooShortError, match="has 6 points, but a window of 6 steps with its target needs 7"):
        Windows(6, 6).over([Segment(0, 6), Segment(10, 14)])
    with pytest.raises(TooShortError, match="has 1 points, but a step with its target needs 2"):
        Streams(6, 6).over([Segment(0, 1)])


def test_ten_million_points_are_laid_out_without_an_array_of_their_size():
    layout = Windows(6, 6, stateful=True).over([Segment(0, 10**7)])
    assert sum(array.nbytes for array in vars(layout.rows).values() if isinstance(array, np.ndarray)) < 4096
    block = layout.block(layout.updates - 2, layout.updates)
    assert block.starts.max() == 10**7 - 7
