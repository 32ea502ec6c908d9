"""What networks of a committee read of the last values, against sums written out one by one."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tsuzuki.data.segments import Segment
from tsuzuki.forecasting.base import base_forecasts, changes_to, row_units
from tsuzuki.forecasting.history import history_of
from tsuzuki.forecasting.panel import SeriesInputs, build_panel
from tsuzuki.forecasting.rules import Rules
from tsuzuki.forecasting.window_inputs import WindowInputs, with_windows

SIZE, HORIZON = 24, 3


@st.composite
def panels(draw):
    """Rules, and series with gaps that they are of."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    seasons = draw(st.sampled_from([(), (5,), (5, 10), (5, 20)]))
    lags = tuple(draw(st.lists(st.sampled_from([(1, 1), (0, 4), (5, 1), (6, 18)]), unique=True)))
    count = draw(st.integers(1, 3))
    bases = tuple(draw(st.sampled_from((0, *seasons))) for _ in range(count))
    units = tuple(float(unit) for unit in generator.uniform(0.1, 2, count)) if draw(st.booleans()) else (0.5,) * count
    rules = Rules("none", (), seasons, lags, bases, units, SIZE, HORIZON, False)
    series = []
    for _ in range(count):
        values = generator.normal(size=draw(st.integers(2, 60))).astype(np.float32)
        values[1:-1][generator.random(len(values) - 2) < 0.2] = np.nan
        series.append(SeriesInputs(values, np.zeros((len(values), 0), np.float32), (Segment(0, len(values)),)))
    histories = [history_of(one.values, one.segments, base, SIZE) for one, base in zip(series, bases, strict=True)]
    return rules, series, histories


def squash(value):
    return value / np.sqrt(1 + abs(value))


def plain(window, rules, number):
    """The inputs of one row, written out."""
    w = window.astype(np.float64)
    half = max((season for season in rules.seasons if 2 * season <= SIZE), default=SIZE // 4)
    shares = [0.5 ** (back / half) for back in range(SIZE)]
    level = sum(share * w[SIZE - 1 - back] for back, share in enumerate(shares)) / sum(shares)
    found = [w[-1] - level]
    found += [w[SIZE - behind - over : SIZE - behind].mean() - w[-1] for behind, over in rules.lags]
    changes = [w[-1] - w[-2]]
    for season in rules.seasons:
        changes.append(w[-1] - w[-1 - season])
        over = rules.seasons[0]
        if season + over <= SIZE:
            changes.append(w[-over:].mean() - w[SIZE - over - season : SIZE - season].mean())
    found += [squash(change / rules.units[number]) for change in changes]
    if len(set(rules.units)) > 1:
        found.append(np.log(rules.units[number]))
    if len(set(rules.bases)) > 1:
        found += [float(rules.bases[number] == kind) for kind in sorted(set(rules.bases))]
    return found


@settings(max_examples=50)
@given(panels())
def test_inputs_are_those_written_out(case):
    rules, series, histories = case
    inputs = WindowInputs(rules)
    for number, history in enumerate(histories):
        found = inputs.over(history, number)
        for place in range(len(series[number].values)):
            window = history.windows(np.array([place]))[0]
            np.testing.assert_allclose(found[place], plain(window, rules, number), rtol=1e-4, atol=1e-5)


@settings(max_examples=50)
@given(panels())
def test_what_networks_learn_is_the_change_of_the_base_in_the_unit_of_the_series(case):
    rules, series, histories = case
    panel = build_panel(with_windows(series, histories, rules), 0, HORIZON)
    found = changes_to(panel.targets, base_forecasts(panel, histories, rules), row_units(panel, rules))
    for number, one in enumerate(series):
        rows, places = panel.rows_of(number)
        for row, place in zip(rows, places, strict=True):
            window = histories[number].windows(np.array([place]))[0]
            season = rules.bases[number]
            for ahead in range(1, HORIZON + 1):
                base = window[SIZE - 1 + ahead - season * -(-ahead // season)] if season else window[-1]
                came = one.values[place + ahead] if place + ahead < len(one.values) else np.nan
                expected = (came - base) / rules.units[number]
                np.testing.assert_allclose(found[row + 1, ahead - 1], expected, rtol=1e-3, atol=1e-4)
            assert panel.inputs[row, 0] == window[-1]
            assert panel.inputs[row, 1] == np.isnan(one.values[place])


def test_windows_of_one_value_tell_series_apart_from_the_first_value_on():
    rules = Rules("none", (), (), (), (0, 0), (0.5, 2.0), 1, HORIZON, False)
    values = np.array([3.0, 4.0, np.nan, 5.0], np.float32)
    history = history_of(values, (Segment(0, 2), Segment(3, 4)), 0, 1)
    found = WindowInputs(rules).over(history, 1)
    np.testing.assert_array_equal(found[:, -1], np.float32([np.log(2), np.log(2), 0, np.log(2)]))
    one = SeriesInputs(values, np.zeros((4, 0), np.float32), (Segment(0, 2), Segment(3, 4)))
    read = WindowInputs(rules).read(one, history, 1)
    np.testing.assert_array_equal(read.filled, [3, 4, np.nan, 5])
    np.testing.assert_array_equal(read.covariates, found)
