"""What the figures of a page are made of, looked at without a browser."""

import base64
import gzip
import json
import math
import re
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from test_comparison import made_up
from tsuzuki.data.series import collect
from tsuzuki.report import series_page
from tsuzuki.report.axes import log_axis, percent, ticks
from tsuzuki.report.backtest import _course
from tsuzuki.report.experiment import differences
from tsuzuki.report.pictures import picture
from tsuzuki.report.texts import Both, step_of
from tsuzuki.report.thinning import spread, thin
from tsuzuki.report.weeks import (
    BUDGET,
    FEWEST_POINTS,
    MOST_COURSES,
    MOST_POINTS,
    Course,
    Line,
    points_of,
    unit_of,
    weeks,
)

SECOND = 10**9


def made(count=1, points=300, unit=None):
    times = pd.date_range("2024-01-01", periods=points, freq="h")
    frames = [
        pd.DataFrame({"unique_id": f"s{i}", "ds": times, "y": np.sin(np.arange(points) / 4 + i)}) for i in range(count)
    ]
    return collect("made", pd.concat(frames), unit=unit)


@pytest.mark.parametrize(
    ("step", "unit", "points"),
    [
        ("1s", "seconds", 60),
        ("1min", "hours", 1440),
        ("10min", "days", 1008),
        ("1h", "days", 168),
        ("1D", "months", 91),
        ("7D", "months", 52),
        ("30D", "years", 60),
        ("365D", "years", 28),
    ],
)
def test_a_stretch_is_counted_in_what_fits_the_grid(step, unit, points):
    times = pd.date_range("2000-01-01", periods=90, freq=step).to_numpy()
    assert unit_of(times) == unit
    assert points_of(pd.Timedelta(step).value) == points


@given(st.integers(1, 4000 * 86400 * SECOND))
def test_a_stretch_is_a_picture_on_any_grid(step):
    assert FEWEST_POINTS <= points_of(step) <= MOST_POINTS


def test_a_panel_of_hundreds_of_series_keeps_to_what_a_page_can_hold_and_says_so():
    times = pd.date_range("2024-01-01", periods=2000, freq="h").to_numpy()
    courses = [Course(f"s{i}", times, np.zeros((3, 2000))) for i in range(300)]
    lines = [Line(Both("a", "あ"), "c1")] * 3
    figure = weeks(courses, lines, None, Both("Shown.", "図。"))
    assert [len(group["frames"]) for group in figure.groups] == [4] * MOST_COURSES
    numbers = sum(len(y) for group in figure.groups for frame in group["frames"] for y in frame["ys"])
    assert numbers < BUDGET
    assert figure.says.en == "Shown. 24 of 300 series can be chosen, evenly spread."
    assert "24 系列" in figure.says.ja
    few = weeks(courses[:2], lines, None, Both("Shown.", "図。"))
    assert few.says.en == "Shown."


@given(
    st.integers(1, 30),
    st.integers(1, 8).flatmap(lambda n: st.lists(st.integers(20, 250), min_size=n, max_size=n, unique=True)),
)
def test_bands_go_on_without_a_break_from_each_origin(horizon, origins):
    series = made().series[0]
    origins = sorted(origins)
    rows = [
        {
            "ds": series.times[at + 1 + ahead],
            "cutoff": series.times[at],
            "tsuzuki": 1.0,
            "tsuzuki-lo-80": 0.0,
            "tsuzuki-hi-80": 2.0,
        }
        for at in origins
        for ahead in range(horizon)
    ]
    course = _course(pd.DataFrame(rows), series, ["tsuzuki"], [80.0])
    assert (np.diff(course.times) >= np.timedelta64(0)).all()
    drawn = [origins[0]]
    for at in origins:
        if at >= drawn[-1] + horizon:
            drawn.append(at)
    assert list(course.marks) == list(series.times[drawn])
    there = np.isfinite(course.low[0])
    starts, stops = np.flatnonzero(np.diff(there, prepend=False) & there), np.flatnonzero(np.diff(there) & ~there[1:])
    # Each band begins at its origin, as narrow as the reading there, and ends at its last forecast.
    assert list(course.times[starts]) == list(series.times[drawn])
    assert list(course.times[[*stops, len(there) - 1]]) == [series.times[at + horizon] for at in drawn]
    readings = series.values[drawn]
    np.testing.assert_array_equal(course.low[0][starts], readings)
    np.testing.assert_array_equal(course.high[0][starts], readings)
    np.testing.assert_array_equal(course.values[1][starts], readings)


@given(st.floats(-8, 0), st.floats(0, 8))
def test_ticks_of_ratios_are_few_and_hold_the_zero(low, high):
    found = ticks(low, high)
    assert 0.0 in found
    assert found == sorted(set(found))
    assert 1 <= len(found) <= 7
    assert min(found) > -1
    inside = [share for share in found if share]
    assert all(low - 1e-6 <= math.log1p(share) <= high + 1e-6 for share in inside)


def test_shares_are_written_with_the_decimals_that_they_need():
    shown = {-0.5: "−50%", 0.0: "0%", -1e-9: "0%", 0.005: "+0.5%", 3.0: "+300%", -0.999: "−99.9%"}
    assert {share: percent(share) for share in shown} == shown


@given(st.lists(st.one_of(st.none(), st.floats(1e-6, 1e6))))
def test_a_logarithmic_axis_is_ticked_by_digits_where_its_values_are_far_apart(values):
    there = [value for value in values if value is not None]
    far = bool(there) and max(there) / min(there) > 8
    assert log_axis(Both("a", "あ"), values).get("dtick") == ("D2" if far else None)


def test_differences_are_drawn_as_logarithms_of_ratios():
    comparison = made_up(test=(0.06, 0.03), spread=0.0)
    figure = differences(comparison)
    rings = [trace for trace in figure.data if trace["name"].en == "a seed"]
    assert rings[1]["x"] == pytest.approx([-math.log(2)] * 4, rel=1e-4)
    assert rings[1]["text"][0] == "seed 0: -50.00%"
    assert "Held-out error: -50.0% on average" in figure.says.en
    assert "halved and doubled are equally far" in figure.says.en
    assert "シードの値ではなく" in figure.says.ja


def test_the_name_of_a_series_stands_once_and_is_no_unit():
    for collection, names in ((made(), []), (made(3), ["s0", "s1", "s2"]), (made(3, unit="°C"), ["s0", "s1", "s2"])):
        layout = picture(collection).layout
        titles = {
            layout[axis]["title"]["text"] for axis in layout if axis.startswith("yaxis") and "title" in layout[axis]
        }
        assert titles == {collection.unit or ""}
        assert [one["text"] for one in layout["annotations"]] == names


def test_what_is_packed_is_what_the_page_is_made_of_and_the_licence_is_kept():
    from plotly.offline import get_plotlyjs

    text = series_page(made(), command="tsuzuki plot made.csv")

    def unpacked(key):
        found = re.search(rf'<script type="application/gzip" id="{key}">([A-Za-z0-9+/=]+)</script>', text)
        return gzip.decompress(base64.b64decode(found[1])).decode()

    assert unpacked("library") == get_plotlyjs()
    data = json.loads(unpacked("data"))
    assert list(data) == ["figures", "words", "titles"]
    assert data["titles"] == {"en": "made", "ja": "made"}
    assert re.search(r"<!-- plotly\.js v[\d.]+ Copyright .*MIT license -->", text)


@settings(max_examples=60)
@given(st.lists(st.one_of(st.just(float("nan")), st.floats(-1e6, 1e6)), min_size=1, max_size=3000), st.integers(2, 400))
def test_thinning_keeps_the_ends_and_the_extremes_of_every_stretch(values, most):
    values = np.array(values)
    kept = thin(values, most)
    assert (np.diff(kept) > 0).all()
    assert kept[0] == 0
    assert kept[-1] == len(values) - 1
    if not np.isnan(values).all():
        assert np.nanmax(values[kept]) == np.nanmax(values)
        assert np.nanmin(values[kept]) == np.nanmin(values)
    assert len(spread(len(values), most)) <= most


def test_words_are_in_both_languages_and_safe_in_html():
    assert (
        Both("a < b", "a は b より小さい").html()
        == '<span lang="en">a &lt; b</span><span lang="ja">a は b より小さい</span>'
    )
    assert step_of("hour") == Both("hour", "1 時間")
    assert step_of("15 minutes") == Both("15 minutes", "15 分")


def test_the_library_loads_no_drawing_package_until_a_page_is_asked_for():
    import subprocess

    drawing = "{'plotly', 'matplotlib', 'pandas'}"
    asked = f"import sys; from tsuzuki.cli import app; print(sorted({drawing} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True).stdout.strip() == "[]"


def test_a_page_of_a_series_with_thousands_of_gaps_can_be_made():
    times = pd.date_range("2020-01-01", periods=15_000, freq="1h")
    frame = pd.DataFrame({"unique_id": "a", "ds": times, "y": np.sin(np.arange(15_000))})
    collection = collect("a", frame[np.arange(15_000) % 10 > 0], max_gap=0)
    assert len(collection.segments) == 1500
    assert "</html>" in series_page(collection, command="tsuzuki plot a.csv")
