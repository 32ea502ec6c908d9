"""Irregular readings on a grid that is asked for, and grids of business days."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tsuzuki
from test_cli import run
from tsuzuki.data import readers
from tsuzuki.data.grid import BUSINESS_STEP, following_times, step_of
from tsuzuki.data.newer_rows import newer_rows
from tsuzuki.data.resampling import HOWS, on_grid
from tsuzuki.data.series import collect, regularize
from tsuzuki.errors import DataError, IrregularError, SettingError
from tsuzuki.forecasting.settings import Settings

NAB = Path(__file__).parents[1].parent / "shared" / "data" / "nab"
LENGTHS = {"7s": 7, "10min": 600, "h": 3600, "D": 86400}
SMALL = {"units": 4, "ensemble": 1, "epochs": 1}


@given(
    seconds=st.lists(st.integers(0, 400_000), min_size=2, max_size=60),
    freq=st.sampled_from(sorted(LENGTHS)),
    how=st.sampled_from(HOWS),
    seed=st.integers(0, 99),
)
def test_a_step_has_the_mean_sum_last_or_largest_of_its_readings_unless_they_cover_it_in_part(seconds, freq, how, seed):
    generator, length = np.random.default_rng(seed), LENGTHS[freq]
    begin = 1_700_000_000
    stamps = np.array(seconds) + begin
    values = np.where(generator.random(len(stamps)) < 0.2, np.nan, generator.normal(size=len(stamps)).round(3))
    frame = pd.DataFrame({"unique_id": "a", "ds": stamps.astype("datetime64[s]").astype("datetime64[ns]"), "y": values})
    found = on_grid(frame, freq, how)
    first, last = stamps.min() // length, stamps.max() // length
    assert found["ds"].astype("int64").tolist() == [place * length * 10**9 for place in range(first, last + 1)]
    order = np.argsort(stamps, kind="stable")
    known = [at for at in order if not np.isnan(values[at])]
    gaps = np.diff(np.unique([stamps[at] for at in known]))
    for place, y in zip(range(first, last + 1), found["y"], strict=True):
        own = [values[at] for at in known if stamps[at] // length == place]
        partial = len(gaps) > 0 and (
            (place == stamps[known[0]] // length and stamps[known[0]] - place * length > 1.5 * np.median(gaps))
            or (
                place == stamps[known[-1]] // length
                and stamps[known[-1]] + 1.5 * np.median(gaps) < (place + 1) * length
            )
        )
        if not own or partial:
            assert np.isnan(y)
        else:
            assert y == pytest.approx({"mean": np.mean(own), "sum": sum(own), "last": own[-1], "max": max(own)}[how])
    if len(found) > 1 and found["y"].notna().sum() > 1:
        pd.testing.assert_frame_equal(on_grid(found, freq, how), found)


@pytest.mark.skipif(not NAB.exists(), reason="the metrics are beside the clone of those who work on it only")
def test_every_real_metric_is_read_as_it_is_or_on_the_grid_that_the_message_names():
    for path in sorted(NAB.glob("*.csv")):
        found = readers.read(path)
        try:
            (series,) = collect(path.name, found.frame).series
        except IrregularError as error:
            (series,) = collect(path.name, on_grid(found.frame, error.freq, "mean")).series
        assert len(set(np.diff(series.times))) == 1, path.name
        # Hundreds of steps have readings, and their mean is that of the readings.
        assert series.observed.sum() > 300, path.name
        spread = found.frame["y"].std()
        assert abs(series.values[series.observed].mean() - found.frame["y"].mean()) < 0.5 * spread, path.name


@pytest.fixture
def sensor(tmp_path):
    """Readings a few minutes apart, at no fixed times."""
    generator = np.random.default_rng(0)
    times = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.cumsum(generator.integers(100, 500, 3000)), "s")
    frame = pd.DataFrame({"time": times, "y": np.sin(np.arange(3000) / 40) + generator.normal(0, 0.1, 3000)})
    frame.to_csv(tmp_path / "sensor.csv", index=False)
    frame[:2900].to_csv(tmp_path / "older.csv", index=False)
    return tmp_path / "sensor.csv"


def test_an_irregular_file_is_refused_with_the_command_that_reads_it(sensor, tmp_path, monkeypatch):
    options = ["--horizon", "3", "--units", "4", "--ensemble", "1", "--epochs", "1", "-o", str(tmp_path / "m.tsuzuki")]
    monkeypatch.setattr("sys.argv", ["tsuzuki", "fit", str(sensor), *options])
    refused = run("fit", sensor, *options)
    assert refused.exit_code == 2
    assert refused.stderr.count("\n") == 1
    command = refused.stderr.strip().partition("max): tsuzuki ")[2].split()
    assert command[-2:] == ["--freq", "10min"]
    done = run(*command)
    assert done.exit_code == 0, done.stderr
    assert "one every 10 minutes" in done.stdout
    assert "the mean of 3,000 readings every 10min" in done.stdout
    for other in (["compare", "--seeds", "1", "--epochs", "1"], ["plot", "--png", tmp_path / "a.png"]):
        done = run(*other, sensor, "--freq", "h", "--resample", "max")
        assert done.exit_code == 0, done.stderr
    assert "choose mean, sum, last, max" in run("fit", sensor, "--freq", "h", "--resample", "min").stderr


def test_a_forecaster_with_a_grid_goes_on_from_raw_readings(sensor):
    frame = pd.read_csv(sensor, parse_dates=["time"], index_col="time")
    whole = tsuzuki.Forecaster(3, freq="30min", **SMALL).fit(frame)
    part = tsuzuki.Forecaster(3, freq="30min", **SMALL).fit(frame[:2900])
    assert part.fitted.times[0][-1] < whole.fitted.times[0][-1]
    assert part.predict(frame)["ds"].tolist() == whole.predict()["ds"].tolist()
    with pytest.raises(DataError, match=r"take the mean of each step with freq='10min', or what resample= says"):
        tsuzuki.Forecaster(3, **SMALL).fit(frame)
    for wrong in ("fortnight", "0h", "ME", "1.5h"):
        with pytest.raises(SettingError, match="give seconds, minutes, hours or days"):
            Settings(freq=wrong)


@given(start=st.integers(0, 9000), count=st.integers(12, 60), hour=st.integers(0, 23), seed=st.integers(0, 99))
def test_weekdays_alone_are_a_grid_of_business_days(start, count, hour, seed):
    clock = np.timedelta64(hour, "h")
    first = np.busday_offset(np.datetime64("2000-01-03") + start, 0, roll="forward")
    times = pd.bdate_range(str(first), periods=count + 20).to_numpy().astype("datetime64[ns]") + clock
    kept = np.random.default_rng(seed).random(count) > 0.15
    kept[[0, 1, 2, count - 1]] = True
    try:
        series = regularize(pd.DataFrame({"ds": times[:count][kept], "y": np.arange(count)[kept] % 7.0}), "here", "a")
    except IrregularError:
        series = None
    if series is None or series.step != "business day":
        # So many are missing that a day is not the usual distance.
        assert np.median(np.diff(times[:count][kept])) != np.timedelta64(1, "D") or kept.sum() < 11
        return
    assert (series.times == times[:count]).all()
    assert (following_times(series.times, 20) == times[count:]).all()
    assert step_of(series.times) == BUSINESS_STEP
    rows = pd.DataFrame({"unique_id": "a", "ds": times[count:], "y": np.arange(20.0)})
    ahead, values = newer_rows(rows, series.times, ["y"], merge=False)
    assert (ahead == times[count:]).all()
    assert values[:, 0].tolist() == list(range(20))


def test_a_stream_of_business_days_passes_over_the_weekends():
    times = pd.bdate_range("2020-01-01", periods=300)
    series = pd.Series(np.sin(np.arange(300) / 3), times)
    model = tsuzuki.Forecaster(7, **SMALL).fit(series[:280])
    assert model.predict()["ds"].tolist() == times[280:287].tolist()
    stream = model.stream()
    for time, value in series[280:].items():
        stream.update(value, time)
    ahead = stream.predict()
    expected = model.predict(series)
    assert ahead["ds"].tolist() == expected["ds"].tolist()
    np.testing.assert_allclose(ahead["tsuzuki"], expected["tsuzuki"], rtol=1e-4, atol=1e-5)


def test_readings_of_every_day_are_put_on_business_days_where_asked():
    times = pd.date_range("2024-01-01", periods=60, freq="D")
    found = on_grid(pd.DataFrame({"unique_id": "a", "ds": times, "y": 1.0 + times.day_of_week}), "B", "max")
    assert found["ds"].tolist() == pd.bdate_range("2024-01-01", "2024-02-29").tolist()
    # The weekend counts to the Friday before it.
    assert found["y"].tolist()[:6] == [1, 2, 3, 4, 7, 1]
