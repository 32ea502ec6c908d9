"""Files of what is known ahead: several are one, each value is told once, dates are read as the model read its own."""

from types import SimpleNamespace

import pandas as pd
import pytest

from tsuzuki.commands.streaming import _plan
from tsuzuki.data.readers import read, read_future
from tsuzuki.errors import DataError, SettingError

DAYS = pd.date_range("2024-02-01", periods=6)


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write(name, days, plan, **columns):
    pd.DataFrame({"ds": days, "plan": plan, **columns}).to_csv(name, index=False)


def test_several_files_of_what_is_known_ahead_are_one_source():
    write("plan 1.csv", DAYS[:4], [0, 1, 2, 3])
    write("plan 2.csv", DAYS[3:], [3, 4, 5])
    for source in ("plan*.csv", ["plan 2.csv", "plan 1.csv"]):
        found = read_future(source, ["plan"])
        assert set(found["unique_id"]) == {"plan"}
        assert found.drop_duplicates().sort_values("ds")["plan"].tolist() == [0, 1, 2, 3, 4, 5]


def test_dates_that_do_not_tell_whether_the_day_comes_first_are_read_as_they_are_said_to_be():
    write("a.csv", DAYS.strftime("%d/%m/%Y"), range(6))
    assert read_future("a.csv", ["plan"], day_first=True)["ds"].tolist() == DAYS.tolist()
    with pytest.raises(DataError, match="nothing tells whether the day or the month comes first"):
        read_future("a.csv", ["plan"])


def test_a_value_that_is_told_twice_must_be_the_same():
    write("a.csv", [*DAYS, DAYS[2]], [0, 1, 2, 3, 4, 5, 2])
    assert len(read_future("a.csv", ["plan"])) == 7
    write("b.csv", [*DAYS, DAYS[2]], [0, 1, 2, 3, 4, 5, 7], unique_id="s")
    with pytest.raises(DataError, match=r"b\.csv: plan of series 's' is 2 and 7 at 2024-02-03 00:00:00; give it once"):
        read_future("b.csv", ["plan"])
    write("c1.csv", DAYS[:4], [0, 1, 2, 3])
    write("c2.csv", DAYS[3:], [8, 4, 5])
    with pytest.raises(DataError, match=r"c1\.csv and c2\.csv: plan of series 'c' is 3 and 8 at 2024-02-04"):
        read_future("c*.csv", ["plan"])


def test_files_with_and_without_zones_are_not_one_source():
    write("a1.csv", DAYS[:3], [0, 1, 2])
    write("a2.csv", DAYS[3:].strftime("%Y-%m-%dT%H:%M+09:00"), [3, 4, 5])
    with pytest.raises(DataError, match=r"a1\.csv has no time zone and a2\.csv has \+09:00 time zone"):
        read_future("a*.csv", ["plan"])


def test_files_that_are_joined_agree_on_what_stands_beside_the_readings_too():
    write("a1.csv", DAYS[:4], [0, 0, 0, 1], y=range(4))
    write("a2.csv", DAYS[3:], [1, 0, 0], y=[3, 4, 5])
    found = read("a*.csv", column="y", covariates=["plan"]).frame
    assert found.sort_values("ds")["plan"].tolist() == [0, 0, 0, 1, 0, 0]
    write("a2.csv", DAYS[3:], [2, 0, 0], y=[3, 4, 5])
    with pytest.raises(DataError, match=r"a1\.csv and a2\.csv disagree on plan of series 'a' at .* \(1 and 2\)"):
        read("a*.csv", column="y", covariates=["plan"])
    write("a2.csv", DAYS[3:], [2, 0, 0], y=[9, 4, 5])
    with pytest.raises(DataError, match=r"a1\.csv and a2\.csv disagree on series 'a' at .* \(3 and 9\)"):
        read("a*.csv", column="y", covariates=["plan"])


def test_a_stream_reads_a_plan_as_its_model_read_its_dates_and_never_from_where_its_lines_come():
    fitted = SimpleNamespace(ids=("a", "b"), source=SimpleNamespace(day_first=True))
    model = SimpleNamespace(settings=SimpleNamespace(columns=SimpleNamespace(given_ahead=("plan",))), fitted=fitted)
    write("plan.csv", DAYS.strftime("%d/%m/%Y"), range(6))
    found = _plan(model, "m", "plan.csv")
    assert found[found["unique_id"] == "b"]["ds"].tolist() == DAYS.tolist()
    with pytest.raises(SettingError, match="standard input brings the lines; give the columns known ahead in a file"):
        _plan(model, "m", "-")
