"""Conformal intervals: they cover what they promise and lie inside one another."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsuzuki.errors import SettingError
from tsuzuki.forecasting.conformal_intervals import calibrate, error_sizes


@given(st.integers(0, 2**32 - 1), st.integers(1, 400), st.floats(1, 99), st.floats(1, 99))
def test_a_higher_level_never_gives_a_narrower_interval(seed, rows, one, other):
    errors = np.random.default_rng(seed).standard_t(3, (rows, 2)).astype(np.float32)
    calibration = calibrate([errors])
    (low, high), (lower, higher) = (calibration.interval_offsets(level) for level in sorted((one, other)))
    assert (low <= high).all()
    assert (lower <= low).all()
    assert (high <= higher).all()


def test_an_interval_holds_its_forecast_where_all_errors_have_one_sign():
    for sign in (1, -1):
        errors = sign * np.random.default_rng(0).gamma(2, 1, (7, 3)).astype(np.float32)
        for level in (20, 80, 95):
            low, high = calibrate([errors]).interval_offsets(level)
            assert (low <= 0).all()
            assert (high >= 0).all()


@pytest.mark.parametrize("level", [50, 80, 95])
@pytest.mark.parametrize("rows", [40, 500])
def test_fresh_errors_of_the_same_kind_are_covered_as_often_as_promised(level, rows):
    generator = np.random.default_rng(1)
    covered = []
    for _ in range(400):
        errors = generator.gamma(2, 1, (rows + 50, 1)).astype(np.float32)
        low, high = calibrate([errors[:rows]]).interval_offsets(level)
        covered.append(((errors[rows:] >= low) & (errors[rows:] <= high)).mean())
    assert abs(100 * np.mean(covered) - level) < 1.5


@pytest.mark.parametrize(
    ("rows", "freedom"),
    [(3, 4), (20, 4), (36, 8), (124, 30)],
)
def test_errors_that_forecasts_were_chosen_by_are_widened_as_students_t_is(rows, freedom):
    """Tables of the distributions: 90 % and 97.5 % of t with 4, 8 and 30 degrees of freedom, and of the normal."""
    t = {4: (1.5332, 2.7764), 8: (1.3968, 2.3060), 30: (1.3104, 2.0423)}[freedom]
    errors = np.random.default_rng(rows).normal(size=(rows, 4)).astype(np.float32)
    plain, wider = (calibrate([errors], held_out=held_out) for held_out in (True, False))
    for level, own, normal in zip((80, 95), t, (1.2816, 1.9600), strict=True):
        for one, other in zip(wider.interval_offsets(level), plain.interval_offsets(level), strict=True):
            np.testing.assert_allclose(one, other * own / normal, rtol=0.01)


def test_missing_errors_are_left_out_and_a_step_never_seen_takes_the_width_before_it():
    errors = np.array([[1.0, np.nan], [-1.0, np.nan], [np.nan, np.nan], [0.5, np.nan]], np.float32)
    low, high = calibrate([errors]).interval_offsets(80)
    np.testing.assert_allclose([low[0, 1], high[0, 1]], [low[0, 0], high[0, 0]])
    assert -1 <= low[0, 0] < high[0, 0] <= 1


def test_series_with_many_errors_have_intervals_of_their_own():
    generator = np.random.default_rng(0)
    calm, wild = (generator.normal(0, scale, (600, 1)).astype(np.float32) for scale in (1, 5))
    low, high = calibrate([calm, wild]).interval_offsets(80)
    assert (high - low)[1] > 3 * (high - low)[0]
    assert len(calibrate([calm[:100], wild[:100]]).offsets) == 1


@pytest.mark.parametrize("told", [True, False])
def test_series_with_few_errors_share_them_as_multiples_of_what_is_usual_in_each(told):
    """Of a hundred series whose errors are from .1 to 10 in size, told by their units or only by twenty errors each."""
    generator, truth = np.random.default_rng(0), np.geomspace(0.1, 10, 100)
    errors = [generator.normal(0, size, (40, 2)).astype(np.float32) for size in truth]
    calibration = calibrate([own[:20] for own in errors], units=truth if told else np.ones(100))
    low, high = calibration.interval_offsets(80)
    inside = [((own[20:] >= low[i]) & (own[20:] <= high[i])).mean() for i, own in enumerate(errors)]
    assert 0.76 < np.mean(inside) < 0.84
    wildest = np.mean(inside[-20:])
    assert min(np.mean(inside[:20]), wildest) > (0.74 if told else 0.45)
    # In units of the scale the calm ones would always be inside, and of the wild ones a half.
    low, high = calibrate([own[:20] for own in errors]).interval_offsets(80)
    inside = [((own[20:] >= low[0]) & (own[20:] <= high[0])).mean() for own in errors]
    assert np.mean(inside[:20]) > 0.99
    assert np.mean(inside[-20:]) < wildest - 0.1


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 3))
def test_what_errors_are_multiples_of_written_out(seed, series, horizon):
    generator = np.random.default_rng(seed)
    errors = [
        np.where(
            generator.random((rows := int(generator.integers(0, 30)), horizon)) < 0.2,
            np.nan,
            generator.normal(0, generator.uniform(0.1, 3), (rows, horizon)),
        ).astype(np.float32)
        for _ in range(series)
    ]
    units = generator.uniform(0.1, 4, series)
    known = [[abs(float(one)) for one in own.ravel() if one == one] for own in errors]
    whole = [one / unit for own, unit in zip(known, units, strict=True) for one in own]
    usual = sum(whole) / len(whole) if whole else 1
    for own, unit, size in zip(known, units, error_sizes(errors, units), strict=True):
        apart = len(own) / horizon**2
        ratio = sum(one / unit for one in own) / len(own) / usual if own else 0
        assert size == pytest.approx(unit * (apart * ratio + 10) / (apart + 10), rel=1e-5)


def test_errors_of_nothing_leave_units_as_they_are():
    zeros = [np.zeros((3, 1), np.float32)] * 2
    np.testing.assert_allclose(error_sizes(zeros, np.array([1.0, 2.0])), np.array([1, 2]) * 10 / 13, rtol=1e-6)


@pytest.mark.parametrize("level", [0, 100, -5, 250])
def test_a_level_that_is_no_percentage_is_refused(level):
    with pytest.raises(SettingError, match="not a percentage between 0 and 100"):
        calibrate([np.zeros((3, 1), np.float32)]).interval_offsets(level)


def test_few_errors_have_tails_at_least_as_long_as_a_normal_distribution():
    few, many = (np.linspace(-1, 3, count, dtype=np.float32)[:, None].repeat(4, axis=1) for count in (60, 400))
    for errors, least in ((few, 1.96 / 1.2816), (many, 0.0)):
        found = calibrate([errors])
        middle = found.percentile(0.5)[0, 0]
        for inner, outer in ((0.1, 0.025), (0.9, 0.975)):
            reach = found.percentile(outer)[0, 0] - middle
            assert abs(reach) >= least * 0.99 * abs(found.percentile(inner)[0, 0] - middle)
            assert least or abs(reach) < 1.3 * abs(found.percentile(inner)[0, 0] - middle)
        assert (np.diff(found.offsets[0, :, 0]) >= 0).all()
