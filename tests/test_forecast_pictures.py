"""Forecasts as pictures: the figure of a notebook, the page, the PNG file, the terminal's chart."""

import io
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tsuzuki
from test_cli import run
from tsuzuki.commands import chart as terminal_chart
from tsuzuki.commands.chart import chart
from tsuzuki.errors import DataError, MissingExtraError, SettingError
from tsuzuki.forecasting.outlook import FEWEST, Fan, Outlook, outlook_back, outlooks
from tsuzuki.report import forecast_page

HOUR = np.timedelta64(1, "h")


@pytest.fixture(scope="module")
def two():
    """A forecaster of two series, and its readings."""
    times = pd.date_range("2024-01-01", periods=400, freq="h")
    frame = pd.concat(
        pd.DataFrame({"unique_id": name, "ds": times, "y": np.sin(np.arange(400) / 4 + k) + k})
        for k, name in enumerate("ab")
    )
    model = tsuzuki.Forecaster(6, units=4, layers=1, head=4, ensemble=1, epochs=1)
    return model.fit(frame), frame


def outlook_of(model, name, frame=None, **options):
    forecasts = model.predict(**options)
    found = outlooks(model.fitted, model.settings.horizon, forecasts, frame)
    return found[list(model.fitted.ids).index(name)], forecasts[forecasts["unique_id"] == name]


def test_what_is_drawn_is_what_was_read_and_what_is_forecast(two):
    model, frame = two
    for name in "ab":
        found, forecasts = outlook_of(model, name)
        own = frame[frame["unique_id"] == name].set_index("ds")["y"]
        assert found.name == name
        assert len(found.times) >= FEWEST
        np.testing.assert_allclose(found.values, own.reindex(found.times), atol=1e-5)
        (fan,) = found.fans
        assert fan.times[0] == found.times[-1] == own.index[-1].to_datetime64()
        assert fan.point[0] == found.values[-1]
        np.testing.assert_array_equal(fan.times[1:], forecasts["ds"])
        np.testing.assert_array_equal(fan.point[1:], forecasts["tsuzuki"])
        assert list(fan.bands) == [95.0, 80.0]
        np.testing.assert_array_equal(fan.bands[80.0][0][1:], forecasts["tsuzuki-lo-80"])
        np.testing.assert_array_equal(fan.bands[95.0][1][1:], forecasts["tsuzuki-hi-95"])


def test_missing_readings_break_the_line_and_a_frame_reaches_further_back(daily):
    model = tsuzuki.Forecaster(48, units=4, layers=1, head=4, ensemble=1, epochs=1, lags=[(1, 1), (24, 1)]).fit(daily)
    name = model.fitted.ids[0]
    kept, _ = outlook_of(model, name)
    assert len(kept.times) == 3 * 48
    np.testing.assert_allclose(kept.values, daily.reindex(kept.times), atol=1e-4)
    frame = pd.DataFrame({"unique_id": name, "ds": daily.index, "y": daily.to_numpy()})
    longer, _ = outlook_of(model, name, frame)
    assert len(longer.times) == 3 * 48
    np.testing.assert_array_equal(longer.values[-len(kept.times) :] > 0, kept.values > 0)
    there = np.isfinite(longer.values)
    assert not there.all()
    np.testing.assert_allclose(longer.values[there], daily.reindex(longer.times[there]))


def test_a_series_shorter_than_the_lags_shows_no_reading_that_was_not_read():
    times = pd.date_range("2024-01-01", periods=30, freq="h")
    model = tsuzuki.Forecaster(2, units=4, layers=1, head=4, ensemble=1, epochs=1, lags=[(0, 168), (1, 1)])
    model.fit(pd.Series(np.arange(30.0), times))
    found, _ = outlook_of(model, model.fitted.ids[0])
    np.testing.assert_array_equal(found.times, times)
    np.testing.assert_allclose(found.values, np.arange(30.0), atol=1e-4)


def test_months_are_drawn_at_their_own_times():
    times = pd.date_range("2010-01-01", periods=120, freq="MS")
    model = tsuzuki.Forecaster(3, units=4, layers=1, head=4, ensemble=1, epochs=1)
    values = pd.Series(np.sin(np.arange(120) / 2), times)
    found, _ = outlook_of(model.fit(values), model.fitted.ids[0])
    np.testing.assert_array_equal(found.times, times[-len(found.times) :])
    np.testing.assert_allclose(found.values, values[-len(found.times) :], atol=1e-5)


def test_the_figure_has_readings_forecast_bands_and_the_cut_off(two):
    model, frame = two
    figure = model.plot(unique_id="b")
    traces = {trace.name: trace for trace in figure.data}
    assert list(traces) == ["95 % interval", "80 % interval", "readings", "forecast"]
    assert figure.layout.title.text == "b"
    forecasts = model.predict()
    np.testing.assert_array_equal(traces["forecast"].y[1:], forecasts.loc[forecasts["unique_id"] == "b", "tsuzuki"])
    (cut,) = figure.layout.shapes
    assert pd.Timestamp(cut.x0) == frame["ds"].max()
    newer = pd.DataFrame({"unique_id": "b", "ds": frame["ds"].max() + HOUR * np.arange(1, 4), "y": [1.0, 1.1, 1.2]})
    assert pd.Timestamp(model.plot(newer, "b").layout.shapes[0].x0) == newer["ds"].max()
    assert len(model.plot(unique_id="a", levels=()).data) == 2


def test_a_backtest_is_drawn_with_every_cut_off_and_what_came(two):
    model, frame = two
    table = model.backtest(frame, windows=7, step=4)
    figure = model.plot(unique_id="a", backtest=table)
    own = table[table["unique_id"] == "a"]
    readings = next(trace for trace in figure.data if trace.name == "readings")
    actual = own.drop_duplicates("ds").sort_values("ds")
    np.testing.assert_array_equal(readings.y, actual["y"])
    # Origins 4 apart and 6 ahead: every second one begins where the one before has ended.
    cutoffs = np.unique(own["cutoff"])[::2]
    assert [pd.Timestamp(shape.x0) for shape in figure.layout.shapes] == list(cutoffs)
    for fan, cutoff in zip(outlook_back("a", table).fans, cutoffs, strict=True):
        np.testing.assert_array_equal(fan.point[1:], own.loc[own["cutoff"] == cutoff, "tsuzuki"])
    with pytest.raises(DataError, match="the backtest has no series 'c'; it has: a, b"):
        outlook_back("c", table)


def test_a_plot_that_cannot_be_drawn_says_why(two, monkeypatch):
    model, _ = two
    with pytest.raises(SettingError, match="has not been fitted"):
        tsuzuki.Forecaster(3).plot()
    with pytest.raises(SettingError, match="the forecaster knows 2 series; name one: unique_id='a'"):
        model.plot()
    with pytest.raises(DataError, match="the forecaster knows no series 'c'; it knows: a, b"):
        model.plot(unique_id="c")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r'plot needs the package plotly.*pip install "tsuzuki\[report\]"'):
        model.plot(unique_id="a")


def made(points=100, ahead=24, low=0.0, high=10.0, step=HOUR):
    times = np.datetime64("2024-01-01T00", "ns") + np.arange(points + ahead) * step
    values = np.linspace(low, high, points + ahead)
    point = values[points - 1 :]
    return Outlook("a", times[:points], values[:points], (Fan(times[points - 1 :], point, {80.0: (point, point)}),))


@given(
    st.integers(0, 200),
    st.integers(1, 300),
    st.integers(1, 100),
    st.floats(-1e8, 1e8),
    st.floats(0, 1e8),
    st.sampled_from([1, 3600, 86400, 30 * 86400]),
)
def test_a_chart_is_never_wider_than_the_terminal(width, points, ahead, low, span, seconds):
    text = chart(made(points, ahead, low, low + span, np.timedelta64(seconds, "s")), width, coloured=False)
    assert "\x1b" not in text
    assert all(len(line) <= width for line in text.splitlines())
    assert bool(text) or width < 70


def test_a_chart_rises_where_the_series_does_and_names_its_ends():
    lines = chart(made(), 80, coloured=False).splitlines()
    assert len(lines) == 12
    assert [line.split()[0] for line in (lines[0], lines[5], lines[10])] == ["10.0", "5.0", "0.0"]
    dots = [[i for i, letter in enumerate(line) if "⠀" < letter <= "⣿"] for line in lines[:11]]
    # The cut-off line runs through all rows, at three quarters and a little.
    through = set.intersection(*map(set, dots))
    assert len(through) == 1
    others = [np.mean([at for at in row if at not in through]) for row in dots]
    assert others == sorted(others, reverse=True)
    assert lines[-1].split() == ["2024-01-01", "00:00", "2024-01-05", "03:00"]
    assert lines[-1].index("2024-01-05") < through.pop() < len(lines[-1])


def test_nothing_to_draw_is_no_chart():
    empty = Outlook("a", made().times, np.full(100, np.nan), (Fan(made().times[:2], np.full(2, np.nan), {}),))
    assert chart(empty, 80) == ""


@pytest.mark.parametrize(
    ("terminal", "encoding", "shown"),
    [(True, "utf-8", True), (False, "utf-8", False), (True, "cp1252", False), (True, None, False), (True, "x", False)],
)
def test_a_chart_is_drawn_only_where_it_can_be_seen(monkeypatch, terminal, encoding, shown):
    class Out(io.StringIO):
        def isatty(self):
            return terminal

    out = Out()
    monkeypatch.setattr(Out, "encoding", encoding, raising=False)
    monkeypatch.setattr("sys.stdout", out)
    assert terminal_chart.can_be_shown() is shown


def test_colours_are_left_out_where_they_are_not_wanted(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[" in chart(made(), 80)
    plain = chart(made(), 80, coloured=False)
    assert re.sub(r"\x1b\[\d+m", "", chart(made(), 80)) == plain
    monkeypatch.setenv("NO_COLOR", "1")
    assert chart(made(), 80) == plain


@pytest.fixture(scope="module")
def files(two, tmp_path_factory):
    """A model of two series in a file, and newer readings of both."""
    model, frame = two
    folder = tmp_path_factory.mktemp("pictures")
    model.save(folder / "m.tsuzuki")
    newer = frame.groupby("unique_id").tail(3)
    newer.assign(ds=newer["ds"] + 3 * HOUR).to_csv(folder / "newer.csv", index=False)
    return folder


def test_the_command_writes_a_page_and_a_picture_of_what_it_forecasts(files, tmp_path):
    from matplotlib.image import imread

    page, picture = tmp_path / "page.html", tmp_path / "page.png"
    done = run("forecast", files / "m.tsuzuki", files / "newer.csv", "--report", page, "--png", picture, "--levels", 80)
    assert done.exit_code == 0, done.stderr
    assert f"report written to {page}" in done.stderr
    assert f"picture written to {picture}" in done.stderr
    text = page.read_text("utf-8")
    assert "The next 6 steps after 2024-01-17 18:00." in text
    assert '<th scope="row">b 2024-01-17 19:00</th>' in text
    assert "80\u00a0% lower" in text
    assert "95" not in re.search("<thead>.*?</thead>", text)[0]
    pixels = imread(picture)[..., :3]
    assert pixels.shape[1] == 1600
    assert pixels.std() > 0.05


def test_what_holds_one_series_is_called_by_it_and_its_column_and_else_by_the_models_file(two):
    from types import SimpleNamespace

    from tsuzuki.commands.forecast import _name
    from tsuzuki.forecasting.fitted import Source

    def name(ids, *columns):
        source = Source(columns, None) if columns else None
        return _name(SimpleNamespace(fitted=SimpleNamespace(ids=ids, source=source)), "models/m.tsuzuki")

    assert name(("電力使用量",), "電力(kWh)") == "電力使用量, 電力(kWh)"
    assert name(("readings",), "y") == name(("readings",)) == name(("readings",), "readings") == "readings"
    assert name(("a", "b"), "y") == "m.tsuzuki"


def test_japanese_dates_have_no_leading_zeros(monkeypatch):
    from matplotlib.figure import Figure

    from tsuzuki.report import png

    monkeypatch.setattr(png, "_in", lambda lang, text: "区間")
    axis = Figure().subplots()
    axis.plot(np.arange("2026-06-05", "2026-06-10", dtype="datetime64[h]"), np.arange(120))
    png._dates(axis, "ja")
    formatter = axis.xaxis.get_major_formatter()
    assert [one for one in formatter.format_ticks(axis.get_xticks()) if one][:2] == ["5日", "6日"]
    assert formatter.get_offset() == "2026年6月"


def test_on_a_terminal_a_chart_stands_above_the_table(files, monkeypatch):
    plain = run("forecast", files / "m.tsuzuki").stdout
    assert "⠀" not in plain
    monkeypatch.setattr(terminal_chart, "can_be_shown", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    drawn = run("forecast", files / "m.tsuzuki", env={"COLUMNS": "80"}).stdout
    assert drawn.endswith(plain)
    assert drawn.startswith(" a, the first of 2 series; --report shows more of them\n")
    assert drawn.count("⠀") > 100
    assert "⠀" not in run("forecast", files / "m.tsuzuki", "--csv", "-").stdout
    assert run("forecast", files / "m.tsuzuki", "--quiet").stdout == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--png", "{folder}"], "--png names"),
        (["--report", "{folder}/m.tsuzuki"], "which is the file that is read"),
        (["--report", "{folder}/a", "--png", "{folder}/a"], "which is that of --report"),
        (["--report", "{folder}/a", "--lang", "de"], "--lang is 'de'"),
    ],
)
def test_pictures_that_cannot_be_written_are_refused_at_once(files, arguments, message):
    done = run("forecast", files / "m.tsuzuki", *(one.replace("{folder}", str(files)) for one in arguments))
    assert done.exit_code == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_long_table_is_cut_and_the_page_says_where_the_rest_is():
    times = pd.date_range("2024-01-01", periods=400, freq="h")
    model = tsuzuki.Forecaster(130, units=4, layers=1, head=4, ensemble=1, epochs=1)
    model.fit(pd.Series(np.sin(np.arange(400) / 4), times))
    forecasts = model.predict()
    text = forecast_page(
        outlooks(model.fitted, 130, forecasts), forecasts, model.fitted, title="m", unit="°C", command="tsuzuki"
    )
    assert text.count('<th scope="row">') == 120
    assert "10 further rows are written by --csv." in text
    assert "残りの 10 行は --csv で書き出せます。" in text
    assert re.search(r"The forecast goes from -?[\d.]+ °C to -?[\d.]+ °C\.", text)
