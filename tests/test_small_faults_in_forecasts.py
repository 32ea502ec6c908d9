"""What one small slip would change between training and forecasts: a sign, a row too many, another network."""

from dataclasses import replace
from statistics import NormalDist
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from tsuzuki.data.grid import BUSINESS_STEP
from tsuzuki.data.segments import Segment
from tsuzuki.errors import FileError, TooShortError
from tsuzuki.experiment import verdict
from tsuzuki.experiment.paired_statistics import PairedDifference
from tsuzuki.experiment.verdict import _Errors, _tested
from tsuzuki.forecaster import Forecaster, load
from tsuzuki.forecasting import backtest, conformal_intervals, held_out, member_training, ridge
from tsuzuki.forecasting.backtest import origins_of
from tsuzuki.forecasting.conformal_intervals import OWN_ROWS, OWN_SERIES, calibrate
from tsuzuki.forecasting.evaluation import evaluate
from tsuzuki.forecasting.held_out import HeldOut, base_changes, held_out_forecasts, training_layout
from tsuzuki.forecasting.naive_errors import naive_errors_of
from tsuzuki.forecasting.panel import SeriesInputs, build_panel
from tsuzuki.forecasting.ridge import Sums
from tsuzuki.forecasting.settings import Settings
from tsuzuki.forecasting.transforms import Transform, transform_of
from tsuzuki.forecasting.window_inputs import LEVEL, VALUE, squashed
from tsuzuki.layouts.layout import ZERO
from tsuzuki.layouts.streams import Streams
from tsuzuki.layouts.windows import Windows
from tsuzuki.network.initialisers import initialise
from tsuzuki.network.layers import GRU, Dense
from tsuzuki.network.network import Network
from tsuzuki.network.optimizers import SGD, Adam
from tsuzuki.storage import pack, unpack
from tsuzuki.streaming.upcoming_calendar import is_uniform, steps_to
from tsuzuki.training import fit as training
from tsuzuki.training.early_stopping import EarlyStopping

HOURS = pd.date_range("2024-01-01", periods=400, freq="h")
SMALL = {"units": 3, "layers": 1, "head": 0, "ensemble": 2, "epochs": 1}


@pytest.fixture(scope="module")
def series():
    generator = np.random.default_rng(0)
    return pd.Series(np.sin(np.arange(400) * 2 * np.pi / 24) + 0.1 * generator.normal(size=400), HOURS, name="a")


@pytest.fixture(scope="module")
def made(series):
    return Forecaster(4, **SMALL).fit(series)


def test_networks_of_a_committee_keep_their_last_weights_and_read_one_level_each(series, monkeypatch):
    seen, fit = [], member_training.training.fit

    def spy(*arguments, **options):
        seen.append((arguments[2][:, [VALUE, LEVEL]].any(axis=0).tolist(), options["early_stopping"]))
        return fit(*arguments, **options)

    monkeypatch.setattr(member_training.training, "fit", spy)
    found = Forecaster(4, validation_fraction=0.1, **SMALL).fit(series)
    assert sorted(seen) == [([False, True], None), ([True, False], None)]
    for number, weights in enumerate(found.fitted.members):
        hidden, read = (VALUE, LEVEL) if number % 2 else (LEVEL, VALUE)
        assert not weights[0][hidden].any()
        assert weights[0][read].any()
    seen.clear()
    Forecaster(4, committee=False, base="last", validation_fraction=0.1, **SMALL).fit(series)
    assert all(stopping.patience >= 1 for _, stopping in seen)
    seen.clear()
    Forecaster(4, committee=False, base="last", validation_fraction=0, **SMALL).fit(series)
    assert [stopping for _, stopping in seen] == [None, None]


def test_a_model_whose_networks_lack_their_committee_is_refused(made, tmp_path):
    made.save(tmp_path / "m")
    stored = unpack((tmp_path / "m").read_bytes(), "m")
    (tmp_path / "m").write_bytes(pack("forecaster", stored.facts | {"members": None}, stored.arrays))
    with pytest.raises(FileError, match="have no committee"):
        load(tmp_path / "m")


@pytest.mark.parametrize("name", ["layers", "ensemble"])
def test_a_model_that_claims_layers_without_end_is_refused_at_once(made, tmp_path, name):
    made.save(tmp_path / "m")
    stored = unpack((tmp_path / "m").read_bytes(), "m")
    forged = stored.facts | {"settings": stored.facts["settings"] | {name: 10**9}}
    (tmp_path / "m").write_bytes(pack("forecaster", forged, stored.arrays))
    with pytest.raises(FileError, match="is not a consistent forecaster"):
        load(tmp_path / "m")


def test_a_model_whose_step_no_time_can_be_is_refused(made, tmp_path):
    made.save(tmp_path / "m")
    stored = unpack((tmp_path / "m").read_bytes(), "m")
    (tmp_path / "m").write_bytes(pack("forecaster", stored.facts | {"step": 10**30}, stored.arrays))
    with pytest.raises(FileError, match="is not a consistent forecaster"):
        load(tmp_path / "m")


def test_a_model_of_a_season_without_steps_is_refused(made, tmp_path):
    made.save(tmp_path / "m")
    stored = unpack((tmp_path / "m").read_bytes(), "m")
    forged = stored.facts | {"rules": stored.facts["rules"] | {"seasons": [0, *stored.facts["rules"]["seasons"][1:]]}}
    (tmp_path / "m").write_bytes(pack("forecaster", forged, stored.arrays))
    with pytest.raises(FileError, match="a season of the rules has no steps"):
        load(tmp_path / "m")


def test_a_model_that_is_neither_weekly_nor_not_is_refused(made, tmp_path):
    made.save(tmp_path / "m")
    stored = unpack((tmp_path / "m").read_bytes(), "m")
    forged = stored.facts | {"rules": stored.facts["rules"] | {"weekly": 1}}
    (tmp_path / "m").write_bytes(pack("forecaster", forged, stored.arrays))
    with pytest.raises(FileError, match="changes over a week"):
        load(tmp_path / "m")


@pytest.mark.parametrize(("points", "lanes"), [(100, 2), (143, 2), (144, 3), (2000, 8)])
def test_short_series_get_fewer_lanes_and_long_ones_more(points, lanes, monkeypatch):
    settings = Settings(3, lanes=8, timesteps=12)
    one = SeriesInputs(np.arange(points, dtype=np.float32), np.zeros((points, 0), np.float32), (Segment(0, points),))
    panel, none = build_panel([one], 0, 3), HeldOut((0,), (0,))
    assert training_layout(panel, settings, none)[0].lanes == lanes
    for rows, times in ((points, 1), (points // 2, 2), (points // 3, 3), (points // 9, 4)):
        monkeypatch.setattr(held_out, "ROWS_A_WIDTH", rows)
        assert training_layout(panel, settings, none)[0].lanes == max(1, min(8 * times, points // 48))


def test_a_network_that_stands_alone_changes_the_last_value_and_others_say_it_in_their_unit():
    panel = SimpleNamespace(rows_of=lambda number: (np.arange(4), np.arange(4)))
    wanted = np.array([False, True, True, False])
    forecasts = np.array([[5, 6], [7, 8]], np.float32)
    history = SimpleNamespace(values=np.array([1, 2, 3, 4], np.float32), ends=np.arange(4))
    scale = "huber", np.array([[0.0, 1.0]])
    (found,) = base_changes(panel, wanted, forecasts, [history], SimpleNamespace(alone=True, units=(2.0,)), *scale)
    np.testing.assert_array_equal(found, [[3, 4], [4, 5]])
    (found,) = base_changes(panel, wanted, forecasts, [history], SimpleNamespace(alone=False, units=(2.0,)), *scale)
    np.testing.assert_array_equal(found, 2 * forecasts)


def test_how_far_a_network_is_from_the_others_where_it_is_held_out():
    panel = SimpleNamespace(series_count=1, rows_of=lambda number: (np.arange(6), np.arange(6)))
    wanted = np.array([False, True, True, True, True, False])
    changes = [[np.array([[value], [value + 1], [value + 2], [value + 3]], np.float32)] for value in (1.0, 4.0, 10.0)]
    stretches = [HeldOut((3,), (5,)), HeldOut((2,), (3,)), HeldOut((9,), (9,))]
    said = [[np.full((4, 2), network, np.float32)] for network in range(3)]
    found = held_out_forecasts(panel, wanted, changes, stretches, said)
    (first,), (second,), (third,) = found
    np.testing.assert_array_equal(first.places, [2, 3])
    np.testing.assert_array_equal(second.places, [1])
    assert len(third.places) == 0
    np.testing.assert_array_equal(second.said, [[1, 1]])
    # Its mean with the others differs from theirs by a third of what it says apart from them.
    np.testing.assert_allclose(first.spread, [[16], [16]], rtol=1e-5)


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_what_a_network_says_apart_is_weighed_by_how_many_there_are(count):
    panel = SimpleNamespace(series_count=1, rows_of=lambda number: (np.arange(6), np.arange(6)))
    wanted = np.array([False, True, True, True, True, False])
    said = np.random.default_rng(count).normal(size=(count, 4, 2)).astype(np.float32)
    nothing = [[np.zeros((4, 0), np.float32)]] * count
    found = held_out_forecasts(panel, wanted, [[one] for one in said], [HeldOut((1,), (6,))] * count, nothing)
    for number, (one,) in enumerate(found):
        np.testing.assert_array_equal(one.places, [1, 2, 3, 4])
        np.testing.assert_array_equal(one.changes, said[number])
        # By so much it differs from the mean of all.
        np.testing.assert_allclose(one.spread, (said[number] - said.mean(axis=0)) ** 2, atol=1e-5)


def test_the_scaled_error_is_unknown_where_its_scale_is():
    times = pd.date_range("2024-01-01", periods=4, freq="h")
    table = pd.DataFrame({"unique_id": "a", "ds": times[1:], "cutoff": times[0], "y": [1.0, 2.0, 3.0], "m": 0.0})
    for scale, expected in ((2.0, 1.0), (np.inf, np.nan), (np.nan, np.nan)):
        table.attrs["mase_scale"] = {"a": scale}
        np.testing.assert_equal(evaluate(table)["mase"].item(), expected)
    table.attrs["mase_scale"] = {}
    assert np.isnan(evaluate(table)["mase"].item())


def test_series_share_their_errors_where_they_are_many_or_short():
    errors = np.random.default_rng(0).normal(size=(OWN_ROWS, 1)).astype(np.float32)
    assert len(calibrate([errors] * 2).offsets) == 2
    assert len(calibrate([errors, errors[1:]]).offsets) == 1
    assert len(calibrate([errors] * OWN_SERIES).offsets) == OWN_SERIES
    assert len(calibrate([errors] * (OWN_SERIES + 1)).offsets) == 1


def test_skill_is_against_the_best_other_model_where_there_is_one_that_errs():
    times = pd.date_range("2024-01-01", periods=4, freq="h")
    table = pd.DataFrame({"unique_id": "a", "ds": times[1:], "cutoff": times[0], "y": [1.0, 2.0, 3.0]})
    one = evaluate(table.assign(a=[2.0, 2.0, 3.0]))
    assert "horizon" not in one.columns
    assert np.isnan(one["skill"].item())
    both = evaluate(table.assign(a=[2.0, 2.0, 3.0], b=table["y"])).set_index("model")["skill"]
    assert np.isnan(both["a"])
    assert both["b"] == 1
    three = evaluate(table.assign(a=[2.0, 2.0, 3.0], b=[1.0, 4.0, 3.0], c=[9.0, 2.0, 3.0])).set_index("model")["skill"]
    assert three["a"] == pytest.approx(0.5)
    assert three["b"] == pytest.approx(-1)
    assert list(evaluate(table.assign(a=1.0, b=2.0), by_horizon=True)["horizon"]) == [1, 1, 2, 2, 3, 3]


def test_the_errors_that_are_compared_are_those_held_out_where_there_are_any():
    def score(train, test):
        return SimpleNamespace(train_mse=train, test_mse=test)

    names = (verdict.STATELESS, verdict.STATEFUL, verdict.STREAMS, verdict.DECAYED)
    for test, expected in ((2.0, 2.0), (float("nan"), 1.0)):
        rows = [SimpleNamespace(name=name, scores=[score(1.0, test)]) for name in names]
        found = _Errors.of(SimpleNamespace(results=rows, persistence=score(1.0, test)))
        assert (found.reference, found.windows, found.tested) == (expected, (expected, expected), test == 2)


@pytest.mark.parametrize(
    ("interval", "name"),
    [(None, "test_unclear"), ((-0.2, 0.1), "test_unclear"), ((0.1, 0.2), "test_clear"), ((-0.2, -0.1), "test_clear")],
)
def test_a_difference_is_clear_where_its_interval_lies_on_one_side(interval, name):
    paired = PairedDifference(0.1, interval, 0.5, 0.05, interval)
    assert _tested(paired, 4).key == name


def test_a_backtest_may_go_on_by_single_steps():
    one = SimpleNamespace(values=np.zeros(50), name="a")
    np.testing.assert_array_equal(origins_of(one, 3, 4, 1), [44, 45, 46, 47])


def test_a_line_through_two_rows_is_one_and_through_one_row_none():
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(2, 3)), generator.normal(size=(2, 1))
    for rows, known in ((1, False), (2, True)):
        sums = Sums(inputs=x.T @ x, targets=x.T @ y, squares=float((y**2).sum()), rows=rows)
        assert ridge._solve(sums, [0.1])[0].any() == known


def test_the_error_of_the_last_and_of_the_last_seasons_value():
    values = np.array([0.0, 1.0, 4.0, 9.0, 16.0, 25.0])
    # From each origin one and two steps ahead, as far as there are values.
    last = [abs(values[o + a - 1] - values[o - 1]) for o in range(1, 6) for a in (1, 2) if o + a - 1 < 6]
    assert naive_errors_of(values, [0], 2)[0] == pytest.approx(np.mean(last))
    season = [abs(values[o + a - 1] - values[o + a - 1 - 2]) for o in range(2, 6) for a in (1, 2) if o + a - 1 < 6]
    assert naive_errors_of(values, [2], 2)[0] == pytest.approx(np.mean(season))
    assert naive_errors_of(values[:1], [0], 2)[0] == float("inf")


def test_transformations_move_scale_and_have_their_marks():
    values, zeros = np.array([3.0, 4.0, 8.0]), np.array([0.0, 2.0, 4.0, np.nan])
    assert transform_of("log", [zeros]).marks.tolist() == [2.0]
    assert transform_of("asinh", [zeros]).marks.tolist() == [3.0]
    assert transform_of("log", [np.zeros(3)]).marks.tolist() == [1.0]
    for kind in ("none", "log", "asinh"):
        transform = Transform(kind, np.array([2.0]))
        moved = transform.moved(values, np.array(0.5), 0)
        np.testing.assert_allclose(transform.forward(moved, 0), transform.forward(values, 0) + 0.5)
        # Of little spread, mean and deviation are those of the transformed values to the first order.
        near = 5 + 0.001 * np.array([-1.0, 1.0])
        mean, deviation = transform.scale(0, 5.0, 0.001)
        assert (mean, deviation) == pytest.approx(
            (transform.forward(near, 0).mean(), transform.forward(near, 0).std()), rel=1e-4
        )


def test_what_is_held_out_counts_its_targets_and_begins_with_the_state_before_it():
    training, behind = [Segment(0, 3), Segment(20, 60)], [Segment(3, 13), Segment(60, 70)]
    layout = Streams(5, 2).after(training, behind)
    assert layout.targets == 10 + 10
    for empty in ([], [Segment(13, 14)]):
        with pytest.raises(TooShortError):
            Streams(5, 2).after(training, empty)
    windows = Windows(5, 10, stateful=True).after(training, behind)
    block = windows.block(0, windows.updates)
    entries: dict[int, int] = {}
    for start, entry in zip(block.starts.ravel().tolist(), block.entries.ravel().tolist(), strict=True):
        entries.setdefault(start, entry)
    # Three readings before are no window of five, so no state is known there; of the forty there is one for each row.
    expected = dict.fromkeys(range(5), ZERO) | {start: 5 + (start - 20) % 5 for start in range(55, 60)}
    assert expected.items() <= entries.items()


def test_grids_of_months_and_of_business_days_are_not_uniform():
    hour, month = 3600 * 10**9, 2_629_746 * 10**9
    assert all(map(is_uniform, (hour, 24 * hour, 168 * hour)))
    assert not any(map(is_uniform, (BUSINESS_STEP, month)))
    times = pd.date_range("2020-01-01", periods=12, freq="MS").to_numpy("datetime64[ns]")
    fitted = SimpleNamespace(step=month, ids=("a",), times=(times,))
    now = int(times[-1].astype(np.int64))
    for months in (1, 2, 7, 40, 400):
        later = pd.Timestamp("2020-12-01") + pd.DateOffset(months=months)
        assert steps_to(fitted, "a", now, later.value) == pytest.approx(months, abs=0.01)


def test_a_series_without_a_place_in_a_bank_has_none(made):
    bank = made.bank()
    assert (bank.number("a"), bank.number("nobody")) == (0, -1)


def test_without_early_stopping_the_last_weights_are_the_result():
    values = np.sin(np.arange(200) / 5).astype(np.float32)[:, None]
    network, layout = Network(1, (GRU(4), Dense(1))), Streams(5, 3).over([Segment(0, 200)])
    seen = []
    # So large a rate that the loss goes up and down.
    options = {"epochs": 6, "optimizer": Adam(learning_rate=0.5)}
    options["on_progress"] = lambda now: seen.append((now.epoch, now.update))
    plain = training.fit(network, initialise(network, 0), values, values, layout, **options)
    losses = [record.loss for record in plain.history]
    assert np.argmin(losses) != 5
    assert plain.best_epoch == 6
    stopped = training.fit(
        network, initialise(network, 0), values, values, layout, early_stopping=EarlyStopping(99), **options
    )
    assert stopped.best_epoch == np.argmin(losses) + 1
    # Every epoch begins with its first update and ends with its last.
    for epoch in range(1, 7):
        assert max(at for now, at in seen if now == epoch) == layout.updates
    assert [record.updates for record in plain.history] == [layout.updates] * 6
    once = training.fit(network, initialise(network, 0), values, values, layout, **(options | {"epochs": 1}))
    scored = np.cumsum([record.updates for record in once.history])
    assert scored[-1] == layout.updates
    assert replace(once.history[0], seconds=0) == replace(plain.history[0], seconds=0)


def test_an_epochs_loss_is_the_mean_over_all_its_targets():
    values = np.sin(np.arange(60) / 5).astype(np.float32)[:, None]
    network, layout = Network(1, (GRU(4), Dense(1))), Streams(5, 3).over([Segment(0, 60)])
    seen = []
    training.fit(
        network,
        initialise(network, 0),
        values,
        values,
        layout,
        epochs=2,
        # A rate of nothing, so that every epoch is the same.
        optimizer=SGD(learning_rate=1e-30),
        on_epoch=lambda record: seen.append(record.loss),
    )
    assert seen[0] == seen[1]


def test_values_are_drawn_together_by_the_root_of_what_they_are_and_one():
    np.testing.assert_allclose(squashed(np.array([0, 8, -8, 99], np.float32)), [0, 8 / 3, -8 / 3, 9.9], rtol=1e-6)


def test_what_a_backtest_scales_by_and_learns_from_ends_at_its_first_origin(series, monkeypatch):
    seen, references = [], backtest.references
    monkeypatch.setattr(backtest, "references", lambda one, cut, *more: (
        seen.append((cut, more[0].tolist())), references(one, cut, *more))[1])  # fmt: skip
    walk = series.cumsum()
    table = Forecaster(4, committee=False, **SMALL).backtest(walk, windows=3, step=20)
    first = len(walk) - 4 - 2 * 20
    assert seen == [(first, [first, first + 20, first + 40])]
    known = walk.to_numpy()[:first]
    assert table.attrs["mase_scale"] == {"a": pytest.approx(np.abs(known[24:] - known[:-24]).mean())}
    assert table["cutoff"].unique().tolist() == [walk.index[at - 1] for at in seen[0][1]]


@pytest.mark.parametrize("few", [0.0, 3.0, 8.5, 999.0])
def test_few_errors_have_tails_as_much_wider_as_students_are(few):
    freedom = max(few, conformal_intervals.LEAST_FREEDOM)
    found = conformal_intervals.students_over_normal(few)
    for share, one in zip(conformal_intervals.PROBABILITIES, found, strict=True):
        z = NormalDist().inv_cdf(share)
        # Abramowitz and Stegun (1964), 26.7.5, as it stands there.
        terms = (z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96, (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
        student = z + sum(term / freedom**power for power, term in enumerate(terms, start=1))
        assert one * z == pytest.approx(student, rel=1e-5, abs=1e-6)


def test_recent_errors_are_followed_where_there_is_a_committee(series, made):
    assert made.fitted.recent is not None
    assert made.fitted.recent_states.shape == made.fitted.recent.initial().shape
    for options in ({"committee": False}, {"quantiles": (0.1, 0.5, 0.9)}):
        assert Forecaster(4, **SMALL, **options).fit(series).fitted.recent is None
