"""One model from files that need not fit in memory, and forecasts of all their series streamed to a file."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from tsuzuki import DataError, FileError, Forecaster, SettingError
from tsuzuki.cli import app
from tsuzuki.data.arrow_batches import PanelColumns, columns_of
from tsuzuki.data.panel_store import panel_store
from tsuzuki.forecasting import drawn_training, store_fit, store_predict
from tsuzuki.forecasting.base import base_forecasts, changes_to, masked, row_units
from tsuzuki.forecasting.bounds import bounds_of
from tsuzuki.forecasting.history import history_of
from tsuzuki.forecasting.panel import build_panel
from tsuzuki.forecasting.rules import rules_for
from tsuzuki.forecasting.scaling import series_inputs, series_scales
from tsuzuki.forecasting.store_fit import sample_of, series_of
from tsuzuki.forecasting.store_rows import StoreRows
from tsuzuki.forecasting.store_statistics import parts_of, statistics_of
from tsuzuki.forecasting.store_windows import StoreWindows
from tsuzuki.forecasting.transforms import transform_of
from tsuzuki.forecasting.window_inputs import LEVEL, hidden_column, with_windows
from tsuzuki.training.drawn_rows import DrawnRows, Piece, Shape

SMALL = {
    "units": 4,
    "head": 0,
    "ensemble": 2,
    "cycles": ("hour",),
    "lags": ((2, 1), (0, 4)),
    "timesteps": 4,
    "committee": False,
}


def readings(count, lengths, seed=0, scale=1.0, gaps=0.05):
    """A long frame of waves with gaps short and long."""
    rng, parts = np.random.default_rng(seed), []
    for number in range(count):
        size = lengths[number % len(lengths)]
        values = scale * (10 + 3 * np.sin(np.arange(size) / 4 + number) + rng.normal(0, 0.3, size))
        values[rng.random(size) < gaps] = np.nan
        if size > 80:
            values[size // 2 : size // 2 + 40] = np.nan
        values[[0, -1]] = 10.0 * scale
        times = pd.date_range("2024-01-01", periods=size, freq="h") + pd.Timedelta(hours=number)
        frame = pd.DataFrame({"unique_id": f"s{number:03d}", "ds": times, "y": values.astype(np.float32)})
        parts.append(frame[frame["y"].notna()])
    return pd.concat(parts, ignore_index=True)


def as_files(frame, folder, parts=2):
    """The rows in several files."""
    folder.mkdir(exist_ok=True)
    for number in range(parts):
        first, last = len(frame) * number // parts, len(frame) * (number + 1) // parts
        frame.iloc[first:last].to_parquet(folder / f"part-{number}.parquet", index=False)
    return folder


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Twelve series in two files."""
    return as_files(readings(12, (300, 190, 45)), tmp_path_factory.mktemp("files") / "readings")


@pytest.fixture(scope="module")
def store(files, tmp_path_factory):
    """Their store."""
    return panel_store(files, tmp_path_factory.mktemp("cache"))


@pytest.fixture(autouse=True)
def short_rounds(monkeypatch):
    """Rounds of a few updates."""
    monkeypatch.setattr(drawn_training, "ROUND", 8)
    monkeypatch.setattr(drawn_training, "SCORED", 8)


def rules_of(store, **given):
    asked = Forecaster(5, **SMALL | given).settings
    series = series_of(store, list(range(len(store.ids))), asked)
    return asked, series, rules_for(series, store.step, asked)


@pytest.fixture(scope="module")
def known(store):
    """What forecasters need to know of it."""
    asked, series, rules = rules_of(store)
    return asked, series, rules, statistics_of(store, rules)


@pytest.mark.parametrize("kind", ["none", "log", "asinh"])
def test_statistics_of_a_store_are_those_of_its_series(store, kind, monkeypatch):
    monkeypatch.setattr("tsuzuki.forecasting.store_statistics.PIECE", 500)
    _, series, rules = rules_of(store, transform=kind, committee=True)
    assert len(set(rules.bases)) > 1
    shares = []
    found = statistics_of(store, rules, shares.append)
    assert sum(shares) == pytest.approx(1)
    transform = transform_of(kind, [one.values for one in series])
    if kind != "none":
        np.testing.assert_allclose(found.transform.marks, transform.marks, rtol=1e-6)
    np.testing.assert_allclose(found.scales, series_scales(series, transform), rtol=1e-6)
    np.testing.assert_array_equal(found.bases, rules.bases)
    np.testing.assert_allclose(found.units, rules.units, rtol=1e-6)
    np.testing.assert_array_equal(found.of(2, 5).scales, found.scales[2:5])
    np.testing.assert_array_equal(found.bounds.T, [bounds_of(one.values) for one in series])
    np.testing.assert_array_equal(found.of(2, 5).bounds, found.bounds[:, 2:5])


@given(st.integers(1, 4000), st.integers(1, 12))
def test_parts_of_a_store_are_all_of_its_series_in_order(store, most, series):
    parts = list(parts_of(store, most, series))
    assert [number for first, last in parts for number in range(first, last)] == list(range(len(store.ids)))


@settings(max_examples=40)
@given(st.integers(0, 11), st.data())
def test_a_piece_is_read_as_a_panel_in_memory_has_it(store, known, number, data):
    """The slow twin: the whole series, scaled, with its calendar, and its stretches between long gaps."""
    from tsuzuki.data.covariates import covariate_inputs
    from tsuzuki.data.segments import segments_between_gaps

    asked, series, rules, statistics = known
    one, size = series[number], int(np.diff(store.offsets)[number])
    held = data.draw(st.integers(0, size)), size
    bounds = np.zeros((2, 12), np.int64)
    bounds[:, number] = held
    rows = StoreRows(store, statistics, rules, 4, 5, asked.max_gap, bounds)
    begin = int(store.offsets[number])
    start = data.draw(st.integers(0, size - 2))
    stop = data.draw(st.integers(start + 1, min(size - 1, start + 90)))
    width = 4 + stop - start + 5
    segments, _ = segments_between_gaps(~np.isnan(one.values), asked.max_gap)
    own = [segment for segment in segments if segment.start <= start < segment.stop]
    if not own:
        inputs, targets = np.zeros((width, rows.columns), np.float32), np.zeros((width, 1), np.float32)
        assert rows.read(Piece(begin + start, begin + stop), inputs, targets) == 0
        return
    drawn = DrawnRows(rows, Shape(1, 4, 30, 100), width)
    count = drawn.fill([Piece(begin + start, begin + stop)]).targets
    inputs, targets = drawn.inputs, drawn.targets
    # Behind the last value in reach there is no target.
    last = np.flatnonzero(~np.isnan(one.values[: min(own[0].stop, stop + 5)]))[-1]
    assert count == min(stop, last + 1) - start
    scaled = ((one.values - statistics.scales[number, 0]) / statistics.scales[number, 1]).astype(np.float32)
    calendar = covariate_inputs(one.times, store.step, one.covariates, asked.columns, 5, cycles=rules.cycles)
    first = 1 if np.isnan(scaled[start]) else 0
    np.testing.assert_allclose(
        inputs[4 + first : 4 + count, 0], scaled[start + first : start + count], rtol=1e-4, atol=1e-5
    )
    np.testing.assert_allclose(inputs[4 : 4 + count, 2:], calendar[start : start + count], atol=1e-6)
    for back in range(1, 5):
        wanted = scaled[max(start - back, own[0].start)]
        if not np.isnan(wanted):
            np.testing.assert_allclose(inputs[4 - back, 0], wanted, rtol=1e-4, atol=1e-5)
    for row in range(5, width):
        at = start + row - 4
        there = at <= last and not held[0] <= at < held[1]
        wanted = scaled[at] if there else np.nan
        np.testing.assert_allclose(targets[row, 0], wanted, rtol=1e-4, atol=1e-5)


def test_a_model_is_trained_on_files_and_forecasts_them_all(files, tmp_path, monkeypatch):
    monkeypatch.setattr(store_fit, "SAMPLE_SERIES", 7)
    monkeypatch.setattr(store_predict, "TOGETHER", 5)
    monkeypatch.setattr(store_predict, "LANES", 3)
    shares = []
    model = Forecaster(5, **SMALL, budget=160).fit(files, cache=tmp_path / "cache", on_progress=shares.append)
    assert sum(shares) == pytest.approx(1)
    assert len(model.fitted.ids) == 7
    assert model.fitted.points == pq.read_table(files).num_rows
    held_out = [record.validation_loss for record in model.fitted.histories[0]]
    assert min(held_out) < 0.7 * held_out[0]
    again = Forecaster(5, **SMALL, budget=160).fit(str(files / "*.parquet"), cache=tmp_path / "cache")
    np.testing.assert_array_equal(again.fitted.members[0][0], model.fitted.members[0][0])
    model.save(tmp_path / "model")
    rows = model.forecast_files(files, tmp_path / "all.parquet", cache=tmp_path / "cache", levels=[80])
    found = pd.read_parquet(tmp_path / "all.parquet")
    assert rows == len(found) == 12 * 5
    assert list(found["unique_id"].unique()) == [f"s{number:03d}" for number in range(12)]
    assert list(found.columns) == ["unique_id", "ds", "tsuzuki", "tsuzuki-lo-80", "tsuzuki-hi-80"]
    assert (found["tsuzuki-lo-80"] < found["tsuzuki-hi-80"]).all()
    # Those of the sample whose whole length warms the state up are forecast as the forecaster itself does.
    own = model.predict(levels=[80])
    short = [name for name in model.fitted.ids if int(name[1:]) % 3 == 2]
    assert short
    for name in short:
        ours = found[found["unique_id"] == name].reset_index(drop=True)
        theirs = own[own["unique_id"] == name].reset_index(drop=True)
        assert list(ours["ds"]) == list(theirs["ds"])
        for column in ("tsuzuki", "tsuzuki-lo-80", "tsuzuki-hi-80"):
            np.testing.assert_allclose(ours[column], theirs[column], rtol=1e-4)
    # Longer ones nearly, as a state forgets.
    joined = found.merge(own, on=["unique_id", "ds"])
    assert np.abs(joined["tsuzuki_x"] - joined["tsuzuki_y"]).mean() < 0.05 * own["tsuzuki"].std()


@pytest.fixture(scope="module")
def together(store):
    """What forecasters with a committee need to know of the store, and its series as a panel in memory."""
    asked, series, rules = rules_of(store, committee=True, lags=None)
    assert {0, 24} == set(rules.bases)
    statistics = statistics_of(store, rules)
    inputs, _ = series_inputs(
        series, asked, store.step, rules.cycles, statistics.transform, statistics.scales, np.zeros((0, 2))
    )
    histories = [
        history_of(one.values, one.segments, base, rules.history) for one, base in zip(inputs, rules.bases, strict=True)
    ]
    panel = build_panel(with_windows(inputs, histories, rules), 0, 5)
    changes = changes_to(panel.targets, base_forecasts(panel, histories, rules), row_units(panel, rules))
    return asked, rules, statistics, panel, changes


@settings(max_examples=40)
@given(st.integers(0, 11), st.integers(0, 1), st.data())
def test_a_committee_reads_a_piece_as_a_panel_in_memory_has_it(store, together, number, member, data):
    """The slow twin: whole series, their windows, and the changes of their bases."""
    asked, rules, statistics, panel, changes = together
    size, begin = int(np.diff(store.offsets)[number]), int(store.offsets[number])
    low = data.draw(st.integers(0, size))
    bounds = np.zeros((2, 12), np.int64)
    bounds[:, number] = low, data.draw(st.integers(low, size))
    start = data.draw(st.integers(0, size - 2))
    stop = data.draw(st.integers(start + 1, min(size - 1, start + 90)))
    scored = data.draw(st.integers(start + 1, stop)) if data.draw(st.booleans()) else 0
    source = StoreWindows(store, statistics, rules, 0, 5, asked.max_gap, bounds, hidden=hidden_column(member))
    inputs = np.full((stop - start + 5, source.columns), 7, np.float32)
    targets = np.full((len(inputs), source.stride), 7, np.float32)
    piece = Piece(begin + start, begin + stop, begin + scored if scored else 0)
    count = source.read(piece, inputs, targets)
    own = [one for one in panel.stretches if one.series == number and 0 <= start - one.first < one.stop - one.start]
    if not own:
        assert count == 0
        return
    at, end = own[0].start + start - own[0].first, own[0].stop
    # The last value in reach ends a stretch of which nobody knows how it goes on.
    assert 0 < count <= min(stop - start, end - at)
    assert count == min(stop - start, end - at) or stop + 5 < size
    wanted = panel.inputs[at : at + count].copy()
    wanted[:, hidden_column(member)] = 0
    np.testing.assert_allclose(inputs[:count], wanted, rtol=1e-4, atol=2e-5)
    first = own[0].start - own[0].first
    hidden = np.zeros(len(panel.targets), bool)
    # What is held out may begin before this stretch.
    hidden[slice(*np.maximum(first + bounds[:, number], 0))] = True
    of_panel = masked(changes, ~hidden if scored else hidden)[at + 1 : at + count + 1]
    of_panel[: max(0, scored - start - 1)] = np.nan
    np.testing.assert_allclose(targets[1 : count + 1], of_panel, rtol=1e-3, atol=1e-4)
    assert np.isnan(targets[count + 1 :]).all()


@pytest.fixture(scope="module")
def fitted_together(files, tmp_path_factory):
    """A forecaster with a committee, fitted to files, and its cache."""
    cache = tmp_path_factory.mktemp("together")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drawn_training, "ROUND", 8)
        patch.setattr(drawn_training, "SCORED", 8)
        patch.setattr(store_predict, "LANES", 5)
        small = SMALL | {"committee": True, "lags": None}
        return Forecaster(5, **small, budget=160).fit(files, cache=cache), cache


def same_forecasts(ours, theirs, tolerance):
    assert len(ours) == len(theirs)
    joined = ours.merge(theirs, on=["unique_id", "ds"])
    assert len(joined) == len(ours)
    for column in [name for name in ours.columns if name.startswith("tsuzuki")]:
        np.testing.assert_allclose(joined[f"{column}_x"], joined[f"{column}_y"], rtol=tolerance)


def test_a_committee_fitted_to_files_forecasts_them_as_a_frame(files, fitted_together, tmp_path, monkeypatch):
    monkeypatch.setattr(store_predict, "LANES", 5)
    model, cache = fitted_together
    losses = [record.validation_loss for record in model.fitted.histories[0]]
    assert min(losses) < 0.97 * losses[0]
    assert {"network", "ridge", "seasonal-24", "drift", "smoothing", "last value"} <= set(model.weights_.columns)
    assert (model.fitted.members[0][0][LEVEL] == 0).all()
    model.forecast_files(files, tmp_path / "all.parquet", cache=cache)
    same_forecasts(pd.read_parquet(tmp_path / "all.parquet"), model.predict(), 1e-5)


def test_a_series_has_the_same_forecast_by_a_file_as_by_a_frame(fitted_together, tmp_path):
    """Also its intervals where the files hold no more steps than recent errors are followed over."""
    model, cache = fitted_together
    # A level of its own, bounds at 0, and one series that has left the training's ways behind.
    others = readings(6, (48, 40, 30), seed=5).assign(unique_id=lambda frame: "new " + frame["unique_id"])
    late = others.groupby("unique_id").cumcount() > 25
    others.loc[late & (others["unique_id"] == "new s001"), "y"] += 30
    whole = as_files(others, tmp_path / "others")
    model.forecast_files(whole, tmp_path / "out.parquet", cache=cache)
    theirs, ours = model.predict(others), pd.read_parquet(tmp_path / "out.parquet")
    assert set(ours["unique_id"]) == set(others["unique_id"])
    same_forecasts(ours, theirs[theirs["unique_id"].isin(others["unique_id"])], 1e-4)
    longer = readings(3, (300,), seed=6).assign(unique_id=lambda frame: "long " + frame["unique_id"])
    model.forecast_files(as_files(longer, tmp_path / "longer"), tmp_path / "out.parquet", cache=cache, levels=[])
    theirs, ours = model.predict(longer, levels=[]), pd.read_parquet(tmp_path / "out.parquet")
    assert set(ours["unique_id"]) == set(longer["unique_id"])
    same_forecasts(ours, theirs[theirs["unique_id"].isin(longer["unique_id"])], 0.02)


def test_a_model_of_a_frame_forecasts_files(files, tmp_path):
    frame = readings(3, (90,))
    model = Forecaster(5, **SMALL | {"committee": True, "lags": None}, epochs=1).fit(frame)
    assert model.forecast_files(files, tmp_path / "out.parquet", cache=tmp_path) == 60


def test_files_no_larger_than_a_frame_are_gone_through_as_one(files, tmp_path, monkeypatch):
    frame = pd.concat(map(pd.read_parquet, sorted(files.iterdir())))
    asked = Forecaster(5, **SMALL | {"committee": True, "lags": None, "epochs": 2})
    alone = Forecaster(5, **SMALL | {"epochs": 1, "base": "season", "ensemble": 1})
    assert alone.fit(files, cache=tmp_path).forecast_files(files, tmp_path / "out.parquet", cache=tmp_path) == 60
    shares: list[float] = []
    found = asked.fit(files, cache=tmp_path, on_progress=shares.append).fitted
    assert sum(shares) == pytest.approx(1)
    expected = asked.fit(frame).fitted
    assert found.ids == expected.ids
    np.testing.assert_array_equal(found.committee.weights, expected.committee.weights)
    for ours, theirs in zip(found.members, expected.members, strict=True):
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(one, other)

    class DrawnError(Exception):
        pass

    def drawn(*given):
        raise DrawnError

    monkeypatch.setattr(store_fit, "_Drawn", drawn)
    for budget, limit in (("auto", "WHOLE_STEPS"), ("auto", "WHOLE_TARGETS"), (5000, "")):
        with monkeypatch.context() as patch:
            if limit:
                patch.setattr(store_fit, limit, 2000)
            with pytest.raises(DrawnError):
                Forecaster(5, **SMALL, budget=budget).fit(files, cache=tmp_path)


def test_a_sample_is_drawn_by_the_seed_and_has_all_where_they_are_few(store, monkeypatch):
    assert sample_of(store, 0) == list(range(12))
    monkeypatch.setattr(store_fit, "SAMPLE_SERIES", 4)
    assert sample_of(store, 0) == sample_of(store, 0)
    assert len(sample_of(store, 0)) == 4
    assert len({tuple(sample_of(store, seed)) for seed in range(9)}) > 1
    monkeypatch.setattr(store_fit, "SAMPLE_STEPS", 1)
    assert len(sample_of(store, 0)) == 1


def test_series_with_few_readings_or_a_step_of_their_own_are_no_sample(tmp_path):
    hourly = readings(2, (120,), gaps=0)
    first = hourly[hourly["unique_id"] == "s000"]
    odd = [first.iloc[::2].assign(unique_id="s002"), first.iloc[:2].assign(unique_id="s003")]
    files = as_files(pd.concat([hourly, *odd, first.iloc[[3]].assign(unique_id="s004")]), tmp_path / "files", 1)
    assert sample_of(panel_store(files, tmp_path / "cache"), 0) == [0, 1]
    model = Forecaster(5, **SMALL, budget=8).fit(files, cache=tmp_path / "cache")
    assert model.forecast_files(files, tmp_path / "out.parquet", cache=tmp_path / "cache") == 25
    scored = Forecaster(5, **SMALL, budget=8).backtest(files, windows=1, cache=tmp_path / "cache")
    assert set(scored["unique_id"]) == {"s000", "s001"}


def test_what_files_cannot_be_used_for_is_said(files, tmp_path):
    with pytest.raises(SettingError, match="covariates"):
        Forecaster(5, past="wind").fit(files, cache=tmp_path)
    with pytest.raises(SettingError, match="grid"):
        Forecaster(5, freq="2h").fit(files, cache=tmp_path)
    model = Forecaster(5, **SMALL, budget=8).fit(files, cache=tmp_path)
    daily = pd.DataFrame({"unique_id": "a", "ds": pd.date_range("2024", periods=30, freq="D"), "y": np.arange(30.0)})
    other = as_files(daily, tmp_path / "daily", 1)
    with pytest.raises(DataError, match="a step of 86400 s"):
        model.forecast_files(other, tmp_path / "out.parquet", cache=tmp_path)
    with pytest.raises(FileError, match="cannot be written"):
        model.forecast_files(files, tmp_path / "nowhere" / "out.parquet", cache=tmp_path)
    with pytest.raises(SettingError, match="not been fitted"):
        Forecaster(5).forecast_files(files, tmp_path / "out.parquet")
    assert replace(model.settings) == model.settings


def test_forecasts_keep_the_zone_and_the_bounds_of_their_files(tmp_path):
    """Counts and percentages with times of Tokyo; the intervals are wide enough to reach beyond what can be."""
    counts = readings(4, (120,), gaps=0)
    shares = counts["y"].where(counts["unique_id"] != "s000", (counts["y"] - 7) * 16).clip(0, 100)
    shares[[5, 9]] = 0, 100
    counts["y"] = shares.where(counts["unique_id"] == "s000", (shares - 11).clip(lower=0))
    there = counts.assign(ds=counts["ds"].dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo"))
    files, out = as_files(there, tmp_path / "files"), tmp_path / "out.parquet"
    model = Forecaster(5, **SMALL, budget=8).fit(files, cache=tmp_path / "cache")
    model.forecast_files(files, out, cache=tmp_path / "cache", levels=[99.9])
    found, own = pd.read_parquet(out), model.predict(levels=[99.9])
    assert str(found["ds"].dt.tz) == str(own["ds"].dt.tz) == "Asia/Tokyo"
    assert found["ds"].min() == there["ds"].max() - pd.Timedelta(hours=2)
    for name in ("tsuzuki", "tsuzuki-lo-99.9", "tsuzuki-hi-99.9"):
        np.testing.assert_allclose(found[name], own[name], rtol=1e-3, atol=1e-3)
    assert found["tsuzuki-lo-99.9"].min() == 0
    assert found.loc[found["unique_id"] == "s000", "tsuzuki-hi-99.9"].max() == 100
    plain = as_files(counts, tmp_path / "plain")
    with pytest.raises(DataError, match=r"one of the files names no time zone, but .* trained on Asia/Tokyo"):
        model.forecast_files(plain, out, cache=tmp_path / "cache")
    with pytest.raises(DataError, match=r"part-0.parquet name a time zone, but those in part-0.parquet none"):
        panel_store([*sorted(files.iterdir()), *sorted(plain.iterdir())], tmp_path / "cache")
    berlin = as_files(there[240:].assign(ds=there["ds"].dt.tz_convert("Europe/Berlin")), tmp_path / "berlin", 1)
    assert panel_store([files / "part-0.parquet", *berlin.iterdir()], tmp_path / "cache").zone == "several offsets"


def test_the_same_from_the_command_line(files, tmp_path):
    runner, model, out = CliRunner(), str(tmp_path / "model"), tmp_path / "out.parquet"
    small = ["--units", "4", "--head", "0", "--ensemble", "2", "--timesteps", "4", "--budget", "16", "--horizon", "5"]
    cache = ["--cache", str(tmp_path / "cache")]
    done = runner.invoke(app, ["fit", str(files), "-o", model, *small, *cache])
    assert done.exit_code == 0, done.output
    assert "12 series" in done.output
    done = runner.invoke(app, ["forecast", model, str(files), "--parquet", str(out), *cache])
    assert done.exit_code == 0, done.output
    assert "60 forecasts written" in done.output
    assert len(pd.read_parquet(out)) == 60
    done = runner.invoke(app, ["forecast", model, "--parquet", str(out)])
    assert done.exit_code == 2
    assert "--cache FOLDER" in done.output


def test_a_file_without_names_is_one_series(tmp_path):
    for name in ("north", "south"):
        frame = readings(1, (90,)).rename(columns={"y": "wind"}).drop(columns="unique_id")
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
    columns = columns_of(tmp_path / "north.csv", "wind")
    assert columns == PanelColumns(None, "ds", "wind")
    assert panel_store(tmp_path, tmp_path / "cache", columns).ids == ("north", "south")
