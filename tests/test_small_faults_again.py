"""What one small slip would change, found by planting slips anew: a step too many, a mean over one value less."""

import hashlib
import importlib
import inspect
import struct
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from test_object_files import NAMES, SYSTEMS, objects  # noqa: F401
from tsuzuki.commands.grouped import MODULES
from tsuzuki.data import jma, joining
from tsuzuki.data.covariates import CovariateSeries
from tsuzuki.data.files import named, paths_of, stem_of
from tsuzuki.data.newer_rows import newer_rows
from tsuzuki.data.readers import Reading, read
from tsuzuki.data.resampling import on_grid
from tsuzuki.data.segments import Segment
from tsuzuki.data.timestamps import instants
from tsuzuki.engine import object_file
from tsuzuki.errors import DataError, TooShortError
from tsuzuki.experiment import verdict
from tsuzuki.experiment.paired_statistics import PairedDifference
from tsuzuki.forecaster import Forecaster
from tsuzuki.forecasting import member_training, ridge, rules, trust
from tsuzuki.forecasting.conformal_intervals import PROBABILITIES, _with_tails
from tsuzuki.forecasting.ridge import Sums
from tsuzuki.forecasting.transforms import Transform
from tsuzuki.forecasting.window_inputs import SEASONS, change_maps, level_map
from tsuzuki.layouts import windows as windows_module
from tsuzuki.layouts.layout import NOWHERE, ZERO
from tsuzuki.layouts.streams import Streams
from tsuzuki.layouts.windows import Windows
from tsuzuki.streaming import state_store
from tsuzuki.streaming.upcoming_calendar import ahead
from tsuzuki.training.early_stopping import EarlyStopping, LossMonitor, ReduceOnPlateau
from tsuzuki.training.records import EpochRecord
from tsuzuki.training.state import TrainingState


@pytest.mark.parametrize(
    ("size", "seasons"),
    [
        (1, ()),
        (2, ()),
        (9, (4,)),
        (8, (4,)),
        (7, (4,)),
        (5, (4,)),
        (4, (4,)),
        (40, (3, 12)),
        (15, (3, 12)),
        (14, (3, 12)),
    ],
)
def test_a_windows_level_and_changes_are_those_written_out(size, seasons):
    window = np.random.default_rng(size).normal(size=size)
    rules = SimpleNamespace(history=size, seasons=seasons, weekly=size % 2 == 0)
    long = [season for season in seasons if 2 * season <= size]
    half = max(long) if long else max(1, size // 4)
    weights = [0.5 ** (age / half) for age in range(size - 1, -1, -1)]
    mean = sum(weight * value for weight, value in zip(weights, window, strict=True)) / sum(weights)
    assert level_map(rules) @ (window - window[-1]) == pytest.approx(window[-1] - mean, abs=1e-5)
    expected = [window[-1] - window[-2]] if size > 1 else []
    for season in seasons[: SEASONS if rules.weekly else 1]:
        if season < size:
            expected.append(window[-1] - window[-1 - season])
        over = seasons[0]
        if season + over <= size:
            expected.append(window[size - over :].mean() - window[size - over - season : size - season].mean())
    if size > 1:
        np.testing.assert_allclose([one @ window for one in change_maps(rules)], expected, atol=1e-5)


@pytest.mark.parametrize(("first", "last", "whole"), [(30, 210, True), (31, 211, False), (29, 209, False)])
def test_a_step_is_covered_where_its_readings_leave_one_and_a_half_of_their_distance_free(first, last, whole):
    minutes = np.arange(first, last + 1, 20)
    times = pd.Timestamp("2020-01-01") + pd.to_timedelta(minutes, "min")
    made = on_grid(pd.DataFrame({"unique_id": "a", "ds": times, "y": np.arange(len(times), dtype=float)}), "h", "mean")
    known = made["y"].notna().tolist()
    # Thirty minutes before the first reading and behind the last one are free.
    assert known[1:-1] == [True] * (len(known) - 2)
    assert known[0] == (first <= 30)
    assert known[-1] == (last >= 210)
    assert whole == (known[0] and known[-1])


def test_the_tails_of_few_errors_lie_on_their_own_side_of_the_forecast():
    middle = int(np.searchsorted(PROBABILITIES, 0.5))
    for moved in (-3.0, 0.0, 3.0):
        found = _with_tails((np.linspace(-1, 1, len(PROBABILITIES)) + moved).astype(np.float32))
        assert (found[:middle] <= 0).all()
        assert (found[middle + 1 :] >= 0).all()
        assert found[0] < -0.5 or moved > 0
        assert found[-1] > 0.5 or moved < 0
        assert (np.diff(found) >= 0).all()
    # Only tails are made longer; what lies between the 10th and the 90th percentile is as it was.
    short = np.interp(PROBABILITIES, [0, 0.1, 0.12, 0.88, 0.9, 1], [-0.9, -0.8, -0.1, 0.1, 0.8, 0.9]).astype(np.float32)
    found, inner = _with_tails(short), (PROBABILITIES > 0.1) & (PROBABILITIES < 0.9)
    np.testing.assert_array_equal(found[inner], short[inner])
    assert (found[~inner] != short[~inner]).sum() >= (~inner).sum() - 2


def test_of_a_validation_loss_and_a_training_loss_the_first_is_watched():
    monitor = LossMonitor(EarlyStopping(2), None)
    record = EpochRecord(1, 5.0, 1.0, 0.0, 1)
    assert monitor.see(record)
    assert not monitor.see(replace(record, loss=0.1, validation_loss=1.0))
    assert monitor.see(replace(record, loss=9.0, validation_loss=0.5))
    assert monitor.see(replace(record, loss=0.4, validation_loss=None))


def test_a_penalty_weighs_the_same_in_every_unit():
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(20, 3)), generator.normal(size=(20, 2))
    found = [
        ridge._solve(Sums((unit * x).T @ (unit * x), (unit * x).T @ y, float((y**2).sum()), 20), [1.0])[0] * unit
        for unit in (1.0, 10.0, 0.1)
    ]
    np.testing.assert_allclose(found[1:], [found[0]] * 2)
    trace = (x**2).sum() / 3
    np.testing.assert_allclose(found[0], np.linalg.solve(x.T @ x + trace * np.eye(3), x.T @ y))


def test_rows_that_are_known_already_bring_nothing():
    times = pd.date_range("2020-01-01", periods=5, freq="h").to_numpy("datetime64[ns]")
    frame = pd.DataFrame({"unique_id": "a", "ds": times[:4], "y": 1.0})
    for old in (frame, frame[:1], pd.DataFrame({"unique_id": "a", "ds": times[-1:], "y": 2.0})):
        found, values = newer_rows(old, times, ["y"], merge=False)
        assert len(found) == 0
        assert values.shape == (0, 1)


def test_values_of_many_series_are_transformed_each_with_its_own_mark():
    marks, values = np.array([1.0, 2.0, 5.0]), np.arange(1.0, 13.0).reshape(3, 4)
    for kind in ("asinh", "log"):
        transform = Transform(kind, marks)
        own = np.array([transform.forward(values[series], series) for series in range(3)])
        np.testing.assert_array_equal(transform.forward(values, np.arange(3)), own)
        back = np.array([transform.inverse(own[series], series) for series in range(3)])
        np.testing.assert_array_equal(transform.inverse(own, np.arange(3)), back)
        np.testing.assert_array_equal(transform.forward(values[:, 0], np.arange(3)), own[:, 0])


def test_a_stretch_of_one_reading_says_that_it_needs_two():
    with pytest.raises(TooShortError, match="has 1 points, but a step with its target needs 2"):
        Streams(5, 2).after([], [Segment(3, 4)])


def test_what_stands_beside_a_value_belongs_to_the_element_and_the_station_of_its_own_column():
    stations = ["", "A", "A", "A", "A", "B", "B", "B"]
    names = ["day", "rain", "rain", "wind", "wind", "wind", "wind", "wind"]
    below = [["", "", jma.QUALITY, "", jma.QUALITY, "", jma.QUALITY, jma.HOMOGENEITY]]
    found = jma._elements(stations, names, below, 1)
    assert [(one.label, one.value, one.beside) for one in found] == [
        ("A rain", 1, {jma.QUALITY: 2}),
        ("A wind", 3, {jma.QUALITY: 4}),
        ("B wind", 5, {jma.QUALITY: 6, jma.HOMOGENEITY: 7}),
    ]


@pytest.mark.parametrize(("batch", "steps"), [(1, 3), (2, 3), (6, 3), (4, 4), (12, 5)])
def test_each_phase_of_a_segment_leaves_its_last_state_once(batch, steps, monkeypatch):
    seen = []
    arrange = windows_module.arrange_in_lanes
    monkeypatch.setattr(windows_module, "arrange_in_lanes", lambda found: (seen.extend(found), arrange(found))[1])
    segments = [Segment(2, 43), Segment(50, 50 + steps + 2)]
    Windows(steps, batch, stateful=True).over(segments)
    found = {}
    for one in seen:
        if one.exit != NOWHERE and one.rows:
            number, phase = divmod(one.exit, steps)
            segment = segments[number]
            assert (one.stop - segment.start) % steps == phase
            # No window of this phase is left behind it.
            assert one.stop + steps >= segment.stop > one.stop
            assert one.exit not in found
            found[one.exit] = one
    whole = [number * steps + phase for number, one in enumerate(segments) for phase in range(steps)
             if phase + steps < one.stop - one.start]  # fmt: skip
    assert sorted(found) == whole


def test_how_much_a_window_holds_follows_from_the_length():
    assert [rules.ridge_values(points) for points in (1, 8, 12, 100, 1344, 10_000)] == [2, 2, 3, 25, 336, 336]
    assert rules.history_held((), 100) == 50
    assert rules.history_held((), 300) == 100
    assert rules.history_held((24, 168), 300) == 168


def test_a_verdict_between_equals_names_no_better_one():
    def scores(mse):
        return [SimpleNamespace(test_mse=mse, train_mse=mse)]

    def said(windows, streams, reference):
        names = (verdict.STATELESS, verdict.STATEFUL, verdict.STREAMS, verdict.DECAYED)
        rows = [
            SimpleNamespace(name=name, scores=scores(mse))
            for name, mse in zip(names, (windows, windows + 1, streams, streams + 1), strict=True)
        ]
        paired = PairedDifference(0.1, (-0.1, 0.2), 0.5, 0.05, (-0.1, 0.2))
        made = SimpleNamespace(
            results=rows,
            persistence=SimpleNamespace(test_mse=reference, train_mse=reference),
            paired_test_mse=paired,
        )
        return verdict.conclusions(made)[1].key

    assert said(2.0, 1.0, 3.0) == "best_streams"
    assert said(2.0, 2.0, 3.0) == "best_windows"
    assert said(3.0, 3.0, 3.0) == "best_persistence"
    assert said(3.0, 2.0, 2.0) == "best_none"
    assert said(1.0, 2.0, 3.0) == "best_windows"


@pytest.mark.parametrize(
    ("interval", "key"),
    [
        (None, "windows_one"),
        ((-1.5, 1.5), "windows_same"),
        ((0.1, 1.5), "windows_apart"),
        ((-1.5, -0.1), "windows_apart"),
    ],
)
def test_what_the_state_did_for_windows_is_clear_where_an_interval_leaves_nothing_out(interval, key):
    made = SimpleNamespace(
        results=[SimpleNamespace(name=name, scores=[SimpleNamespace(test_mse=1.0)])
                 for name in (verdict.STATELESS, verdict.STATEFUL, verdict.STREAMS, verdict.DECAYED)],
        persistence=SimpleNamespace(test_mse=2.0),
        paired_test_mse=PairedDifference(0.1, interval, 0.5, 0.05, interval),
    )  # fmt: skip
    assert verdict.conclusions(made)[0].key == key


def test_a_rate_that_was_lowered_waits_as_long_again():
    monitor = LossMonitor(None, ReduceOnPlateau(factor=0.5, patience=2))
    factors = []
    for epoch in range(1, 8):
        monitor.see(EpochRecord(epoch, 1.0, None, 0.0, 1))
        factors.append(monitor.rate_factor)
    assert factors == [1, 1, 0.5, 0.5, 0.25, 0.25, 0.125]


def test_files_with_and_without_breaks_are_joined_without_a_new_one():
    def reading(name, first, **columns):
        times = pd.date_range(f"2020-01-{first:02}", periods=3)
        frame = pd.DataFrame({"unique_id": "s", "ds": times, "y": [1.0, 2.0, 3.0], **columns})
        return Reading(name, frame, None)

    broken, plain = reading("a", 1, change=[0, 1, 1]), reading("b", 4)
    assert joining.join([broken, plain])["change"].tolist() == [0, 1, 1, 1, 1, 1]
    assert joining.join([reading("c", 1), reading("d", 4, change=[0, 1, 1])])["change"].tolist() == [0, 0, 0, 0, 1, 1]
    assert "change" not in joining.join([plain, reading("c", 1)])


def test_a_dataset_of_files_is_told_from_what_only_has_a_list_of_them(tmp_path):
    (tmp_path / "a.csv").write_text("x")
    files = [str(tmp_path / "a.csv")]
    assert paths_of(SimpleNamespace(files=files, to_batches=None)) == named(files)
    for other in (SimpleNamespace(files=files), SimpleNamespace(files="a", to_batches=None), 5, [], [1]):
        assert paths_of(other) is None
    assert paths_of(files) == paths_of(files[0]) == paths_of(tuple(files)) == named(files)


def test_an_elf_object_with_a_second_table_of_symbols_is_refused(objects, monkeypatch):  # noqa: F811
    system, machine = SYSTEMS["x86_64-unknown-linux-gnu"]
    monkeypatch.setattr("sys.platform", system)
    monkeypatch.setattr("platform.machine", lambda: machine)
    content = objects["x86_64-unknown-linux-gnu"]
    (first,) = struct.unpack_from("<Q", content, 40)
    (count,) = struct.unpack_from("<H", content, 60)
    headers = [content[first + 64 * at : first + 64 * at + 64] for at in range(count)]
    (table,) = (one for one in headers if struct.unpack_from("<I", one, 4) == (2,))
    for more, fits in ((headers[0], True), (table, False)):
        bent = bytearray(content + b"".join(headers) + more)
        struct.pack_into("<Q", bent, 40, len(content))
        struct.pack_into("<H", bent, 60, count + 1)
        assert object_file.fits(bytes(bent), NAMES) == fits


def test_a_series_is_cut_with_its_segments():
    times = pd.date_range("2020-01-01", periods=10, freq="h").to_numpy("datetime64[ns]")
    values = np.array([np.nan, 1, 2, 3, np.nan, np.nan, 6, 7, np.nan, 9])
    one = CovariateSeries("a", values, times, (Segment(1, 4), Segment(6, 10)), np.arange(20.0).reshape(10, 2))
    for stop, segments in ((10, one.segments), (7, (Segment(1, 4), Segment(6, 7))), (6, (Segment(1, 4),)), (1, ())):
        cut = one.cut_at(stop)
        assert (len(cut.values), len(cut.times), len(cut.covariates), cut.segments) == (stop, stop, stop, segments)
    for count, first, segments in (
        (99, 1, (Segment(0, 3), Segment(5, 9))),
        (8, 2, (Segment(0, 2), Segment(4, 8))),
        (6, 6, (Segment(0, 4),)),
        (4, 6, (Segment(0, 4),)),
        (2, 9, (Segment(0, 1),)),
    ):
        last = one.last_points(count)
        np.testing.assert_array_equal(last.values, values[first:])
        np.testing.assert_array_equal(last.times, times[first:])
        np.testing.assert_array_equal(last.covariates, one.covariates[first:])
        assert last.segments == segments


@pytest.mark.parametrize(("separator", "point"), [(",", "."), (";", ","), (";", ".")])
def test_a_dash_with_blanks_is_missing_and_its_column_one_of_numbers(tmp_path, separator, point):
    rows = [("time", "value", "note"), ("2020-01-01", f"1{point}5", "a"), ("2020-01-02", " - ", "b"),
            ("2020-01-03", f"25{point}25", "c")]  # fmt: skip
    (tmp_path / "a.csv").write_text("\n".join(separator.join(row) for row in rows) + "\n")
    found = read(tmp_path / "a.csv")
    assert found.columns == ("value",)
    np.testing.assert_array_equal(found.frame["y"], [1.5, np.nan, 25.25])


def test_times_with_a_type_keep_the_name_of_their_zone():
    times = pd.Series(pd.date_range("2020-01-01", periods=3, freq="h", tz="Asia/Tokyo"))
    found = instants(times, "ds", str)
    assert found.zone == "Asia/Tokyo"
    assert found.stamps.tolist() == times.dt.tz_convert("UTC").dt.tz_localize(None).tolist()


def test_the_running_loss_is_the_mean_of_what_was_scored():
    state = TrainingState.__new__(TrainingState)
    for total, scored, loss in ((6.0, 3.0, 2.0), (0.0, 0.0, 0.0), (5.0, 0.5, 5.0)):
        state.total, state.scored = total, scored
        assert state.loss == loss


def test_a_rate_falls_by_default_as_in_keras():
    assert ReduceOnPlateau() == ReduceOnPlateau(factor=0.1, patience=10, min_delta=1e-4, lowest=0.0)


def test_missing_values_are_renewed_as_an_epoch_begins_and_not_within_it():
    renewed = []
    compiled = SimpleNamespace(parameters=np.zeros(2, np.float32))
    imputer = SimpleNamespace(begin_epoch=renewed.append)
    state = TrainingState(compiled, imputer, LossMonitor(None, None))
    state.begin_epoch()
    state.epoch = 3
    state.begin_epoch()
    state.count(np.ones((2, 2)))
    # As behind a checkpoint.
    state.begin_epoch()
    assert renewed == [0, 3]
    TrainingState(compiled, None, LossMonitor(None, None)).begin_epoch()


def test_the_checksum_of_a_state_stays_what_it_was():
    """Whatever a later version computes, it reads the stores of this one."""

    def written_out(*parts):
        whole = b""
        for part in parts:
            piece = part if isinstance(part, bytes) else str(part).encode("utf-8", "surrogatepass")
            whole += struct.pack("<Q", len(piece)) + piece
        return hashlib.blake2b(whole, digest_size=8).digest()

    for parts in (("a", 1, 2, b"\0\1"), ("", -5, b""), ("東京\ud800", 2**62, b"x" * 300)):
        assert state_store._checksum(*parts) == written_out(*parts)
    assert state_store._checksum("a", "b") != state_store._checksum("ab", "")


@pytest.mark.parametrize("name", sorted(MODULES))
def test_no_command_shows_how_it_fails_or_is_quiet_unasked(name):
    module = importlib.import_module(f"tsuzuki.commands.{MODULES[name]}")
    parameters = inspect.signature(getattr(module, name)).parameters
    for option in {"debug", "quiet", "merge", "replay"} & parameters.keys():
        assert parameters[option].default is False, option


@pytest.mark.parametrize(("points", "sizes"), [(15, [0]), (16, [2])])
def test_what_is_held_out_of_a_short_series_judges_nobody(points, sizes, monkeypatch):
    seen, trusted = [], trust.trusted
    monkeypatch.setattr(trust, "trusted", lambda *given: (seen.append(given), trusted(*given))[1])
    days = pd.date_range("2024-01-01", periods=points)
    series = pd.Series(np.arange(points) % 3 + np.sqrt(np.arange(points)), days, name="a")
    made = Forecaster(1, units=2, layers=1, head=0, ensemble=1, epochs=1).fit(series)
    assert seen == [(sizes, 1)]
    assert made.fitted.checked == bool(sizes[0])


def test_the_shares_of_a_training_that_are_told_add_up_to_one():
    told = []
    for passes, expected in ((None, 0.125), (2.0, 0)):
        job = SimpleNamespace(on_progress=told.append, settings=SimpleNamespace(networks=4), passes=passes)
        member_training._report(job, 0.5)
        assert told.pop() == expected
    member_training._report(SimpleNamespace(on_progress=None), 0.5)
    assert not told
    days = pd.date_range("2024-01-01", periods=60)
    series = pd.Series(np.sin(np.arange(60)), days, name="a")
    for options in ({}, {"budget": 8}):
        told.clear()
        Forecaster(1, units=2, layers=1, head=0, ensemble=2, epochs=2, **options).fit(series, on_progress=told.append)
        assert sum(told) == pytest.approx(1)


@pytest.mark.parametrize(("log_ratio", "word"), [(-0.1, "better"), (0.0, "worse"), (0.1, "worse")])
def test_a_start_from_the_carried_state_is_better_where_its_errors_are_smaller(log_ratio, word):
    paired = PairedDifference(0.0, None, 0.5, log_ratio, None)
    found = verdict._start(paired, 4)
    assert (found.key, found.values["word"], found.values["won"], found.values["seeds"]) == ("start_one", word, 2, 4)
    tested = verdict._tested(replace(paired, log_ci95=(-0.2, -0.1)), 4)
    assert (tested.key, tested.values["won"], tested.values["seeds"]) == ("test_clear", 2, 4)
    assert tested.values["word"] == ("lower" if log_ratio < 0 else "higher")
    for interval, key in (((-0.2, -0.1), "start_clear"), ((0.1, 0.2), "start_clear"), ((-0.2, 0.0), "start_unclear")):
        assert verdict._start(replace(paired, log_ci95=interval), 4).key == key


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("a.csv", "a"),
        ("a.csv.gz", "a"),
        ("a.CSV.ZST", "a"),
        ("a.b.gz", "a.b"),
        ("a.gz", "a"),
        ("a.b.csv", "a.b"),
        ("-", "y"),
    ],
)
def test_a_series_is_called_as_its_file_without_what_says_how_it_is_packed(name, stem):
    assert stem_of(Path("folder") / name if name != "-" else Path(name)) == stem


@pytest.mark.parametrize("shuffled", [False, True])
def test_windows_by_number_are_the_same_in_whatever_pieces_they_are_read(shuffled):
    order = np.random.default_rng(0).permutation(11) if shuffled else None
    windows = windows_module._NumberedWindows(np.array([3, 20]), np.array([0, 5]), 11, order)
    whole = windows.block(0, 6, 2, 4)
    starts = [*range(3, 8), *range(20, 26)]
    expected = [starts[number] for number in (range(11) if order is None else order)]
    assert whole.starts.ravel().tolist() == [*expected, -1]
    assert whole.valid.ravel().tolist() == [4] * 11 + [0]
    assert (whole.entries == ZERO).all()
    assert (whole.exits == NOWHERE).all()
    for first, last in ((0, 1), (1, 3), (5, 6)):
        piece = windows.block(first, last, 2, 4)
        for name in ("starts", "valid", "entries", "exits"):
            np.testing.assert_array_equal(getattr(piece, name), getattr(whole, name)[first:last])


@pytest.mark.parametrize("count", [0, 1, 5])
def test_the_next_times_of_an_even_grid_are_its_steps(count):
    now = pd.Timestamp("2024-03-30 23:00")
    found = ahead(SimpleNamespace(step=3600 * 10**9), "a", now.value, count)
    np.testing.assert_array_equal(found, pd.date_range(now, periods=count + 1, freq="h")[1:].to_numpy())


def test_networks_train_on_as_many_threads_as_are_allowed_and_wait_for_workers_on_one_each(monkeypatch):
    monkeypatch.setattr(member_training, "run_side_by_side", lambda work, count, threads: (count, threads))
    for workers, drawn, threads in ((None, None, None), (None, "drawn", None), ("workers", "drawn", 5)):
        job = SimpleNamespace(settings=SimpleNamespace(networks=5), workers=workers, drawn=drawn)
        assert member_training.train_members(job) == (5, threads)


def test_a_row_that_is_implausibly_far_ahead_is_named(monkeypatch):
    monkeypatch.setattr("tsuzuki.data.newer_rows.MOST_STEPS", 12)
    times = pd.date_range("2024-01-01", periods=4, freq="h").to_numpy("datetime64[ns]")

    def ahead_by(steps):
        frame = pd.DataFrame({"unique_id": "a", "ds": [times[-1] + np.timedelta64(steps, "h")], "y": [1.0]})
        return newer_rows(frame, times, ["y"], merge=False)

    assert len(ahead_by(10)[0]) == 10
    with pytest.raises(DataError, match=r"is 13 steps after the last known time .*; check its time"):
        ahead_by(11)


def test_newer_rows_end_with_the_last_reading_whatever_is_known_beside_it():
    times = pd.date_range("2024-01-01", periods=4, freq="h").to_numpy("datetime64[ns]")
    later = pd.date_range(times[-1], periods=5, freq="h")[1:]
    frame = pd.DataFrame({"unique_id": "a", "ds": later, "y": [1.0, 2.0, np.nan, np.nan], "x": [5.0, 6.0, 7.0, np.nan]})
    found, values = newer_rows(frame, times, ["y", "x"], merge=False)
    assert list(found) == list(later[:2].to_numpy("datetime64[ns]"))
    np.testing.assert_array_equal(values, [[1, 5], [2, 6]])
    # Without any reading the last row says how much time has passed.
    found, values = newer_rows(frame.assign(y=np.nan), times, ["y", "x"], merge=False)
    assert len(found) == 4
    np.testing.assert_array_equal(values[:, 1], [5, 6, 7, np.nan])


def test_held_out_readings_of_which_none_follow_one_another_check_no_network():
    days = pd.date_range("2024-01-01", periods=40)
    series = pd.Series(np.sin(np.arange(40.0)), days, name="a")
    series.iloc[[34, 35, 37, 38]] = np.nan
    made = Forecaster(1, units=2, layers=1, head=0, ensemble=1, epochs=1, max_gap=1).fit(series)
    assert {one.validation_loss for one in made.fitted.histories[0]} == {None}
    assert np.isfinite(made.predict()["tsuzuki"]).all()
