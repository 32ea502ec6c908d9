"""`tsuzuki info` on readings: their step, gaps, zone and seasons, whatever the file is like."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from test_cli import run
from tsuzuki.data.grid import BUSINESS_STEP
from tsuzuki.data.season_strength import DAY, season_strengths

HOUR = DAY // 24


def told(*arguments):
    done = run("info", *arguments, "--json", "-")
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def gappy(tmp_path):
    """Forty days of hours with a daily swing, a gap of ten hours and one of two days, in Tokyo's time."""
    times = pd.date_range("2024-01-01", periods=960, freq="h", tz="Asia/Tokyo")
    values = np.sin(np.arange(960) * 2 * np.pi / 24) + np.random.default_rng(0).normal(0, 0.2, 960)
    frame = pd.DataFrame({"time": [time.isoformat() for time in times], "temp(℃)": values, "note": "x"})
    frame = frame.drop(index=[*range(100, 110), *range(300, 348)])
    frame.to_csv(tmp_path / "gappy.csv", index=False)
    return tmp_path / "gappy.csv"


def test_step_gaps_zone_and_seasons_are_told(gappy):
    found = told(gappy)
    assert (found["kind"], found["step"], found["zone"], found["unit"]) == ("readings", "hour", "+09:00", "°C")
    assert (found["points"], found["readings"], found["missing"], found["longest_gap"]) == (960, 902, 58, 48)
    assert (found["segments"], found["not_used"]) == (2, ["note"])
    assert [one["name"] for one in found["seasons"]] == ["day"]
    assert 0.85 < found["seasons"][0]["explains"] < 0.97  # 0.5 of variance against 0.04
    shown = run("info", gappy).stdout
    assert "seasons            day (24 steps, explains" in shown
    assert shown.splitlines()[-1] == f"{'next':18} tsuzuki fit {gappy}"


def test_readings_without_a_grid_are_described_with_the_command_that_reads_them(tmp_path):
    seconds = np.cumsum(np.random.default_rng(1).exponential(400, 500)).astype(int)
    times = pd.Timestamp("2024-01-01") + pd.to_timedelta(seconds, unit="s")
    pd.DataFrame({"time": times, "y": np.arange(500.0) % 7}).to_csv(tmp_path / "odd.csv", index=False)
    found = told(tmp_path / "odd.csv")
    assert found["step"] is None
    assert "no regular grid" in found["no_grid"]
    shown = run("info", tmp_path / "odd.csv").stdout
    assert shown.splitlines()[-1].endswith(f"odd.csv --freq {found['suits']}")
    again = told(tmp_path / "odd.csv", "--freq", found["suits"])
    assert again["step"] is not None


def test_all_columns_are_described_where_none_is_named(tmp_path):
    frame = pd.DataFrame({"time": pd.date_range("2024-01-01", periods=50, freq="D"), "a b": np.arange(50.0) % 7})
    frame.assign(c=np.arange(50.0) % 3).to_csv(tmp_path / "wide.csv", index=False)
    assert told(tmp_path / "wide.csv")["ids"] == ["a b", "c"]
    assert told(tmp_path / "wide.csv", "--column", "c")["columns"] == ["c"]
    assert run("info", tmp_path / "wide.csv").stdout.splitlines()[-1].endswith("wide.csv --column 'a b'")
    assert run("info", tmp_path / "wide.csv", "--column", "c").stdout.splitlines()[-1].endswith("wide.csv --column c")


def test_a_column_of_0_and_1_is_taken_for_one_that_is_known_ahead(tmp_path):
    frame = pd.DataFrame({"time": pd.date_range("2024-01-01", periods=50, freq="D"), "休業日": np.arange(50) % 5 // 4})
    frame.assign(**{"電力(kWh)": np.arange(50.0) % 7}).to_csv(tmp_path / "plant.csv", index=False)
    assert told(tmp_path / "plant.csv")["only_0_and_1"] == ["休業日"]
    ends = "plant.csv --column '電力(kWh)' --known '休業日'"
    assert run("info", tmp_path / "plant.csv").stdout.splitlines()[-1].endswith(ends)
    named = run("info", tmp_path / "plant.csv", "--column", "休業日").stdout
    assert named.splitlines()[-1].endswith("--column '休業日'")
    # A file of one such column is a series like any other.
    frame.to_csv(tmp_path / "open.csv", index=False)
    assert "only_0_and_1" not in told(tmp_path / "open.csv")


def test_several_files_are_described_as_one_source(tmp_path):
    frame = pd.DataFrame({"time": pd.date_range("2024-01-01", periods=50, freq="D"), "y": np.arange(50.0) % 7})
    paths = [tmp_path / "a1.csv", tmp_path / "a2.csv"]
    for path, rows in zip(paths, (frame[:30], frame[25:]), strict=True):
        rows.to_csv(path, index=False)
    found = told(*paths)
    assert (found["points"], found["missing"], found["ids"]) == (50, 0, ["a"])
    assert run("info", *paths).stdout.splitlines()[-1].endswith(f"tsuzuki fit {paths[0]} {paths[1]}")


def test_bundled_series_models_and_wrong_files_are_told_apart(tmp_path):
    assert told("nyc")["series"] == 3
    (tmp_path / "cut.tsuzuki").write_bytes(b"\x10")
    for path, message in (
        (tmp_path / "cut.tsuzuki", "is no tsuzuki file, or it is cut short"),
        (tmp_path / "nowhere.csv", "there is no file"),
        (tmp_path, "is a folder; name a file in it"),
    ):
        refused = run("info", path)
        assert (refused.exit_code, refused.stderr.count("\n")) == (2, 1)
        assert message in refused.stderr


@given(
    st.sampled_from([(HOUR, "day", 24), (HOUR, "week", 168), (DAY, "week", 7), (30 * DAY + DAY // 2, "year", 12)]),
    st.integers(0, 5),
    st.floats(0.5, 2),
)
def test_a_planted_season_is_found_with_the_share_that_it_explains(season, seed, size):
    step, name, steps = season
    generator = np.random.default_rng(seed)
    points = 60 * steps
    values = size * np.sin(np.arange(points) * 2 * np.pi / steps) + generator.normal(0, 1, points)
    values += np.cumsum(generator.normal(0, 0.01, points))
    values[generator.random(points) < 0.1] = np.nan
    found = {one.name: one for one in season_strengths(values, step)}
    share = (size**2 / 2) / (size**2 / 2 + 1)
    if share > 0.2:
        assert found[name].steps == steps
        assert found[name].explained == pytest.approx(share, abs=0.12)


def test_noise_has_no_season_and_business_days_have_weeks_of_five():
    assert season_strengths(np.random.default_rng(0).normal(size=3000), HOUR) == []
    week = np.tile([0.0, 1, 2, 1, 0], 60)
    assert [(one.name, one.steps) for one in season_strengths(week, BUSINESS_STEP)] == [("week", 5.0)]
    assert season_strengths(np.full(100, np.nan), HOUR) == []
    assert season_strengths(np.zeros(3000), HOUR) == []
