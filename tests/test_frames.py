"""Whatever frame comes in, the same long frame goes on."""

import datetime

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from tsuzuki.data.frames import as_long
from tsuzuki.errors import DataError

TIMES = pd.date_range("2024-01-01", periods=4, freq="h")
LONG = pd.DataFrame({"unique_id": "a", "ds": TIMES.astype("datetime64[ns]"), "y": [1.0, 2.0, np.nan, 4.0]})


@pytest.mark.parametrize(
    "frame",
    [
        LONG,
        LONG.set_index("ds"),
        pd.Series(LONG["y"].to_numpy(), TIMES, name="a"),
        pd.DataFrame({"a": LONG["y"].to_numpy()}, TIMES),
        LONG.assign(ds=LONG["ds"].dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo")),
        LONG.assign(ds=LONG["ds"].astype(str)),
        LONG.assign(y=LONG["y"].astype("Float64")),
    ],
    ids=["long", "index", "series", "wide", "zone", "text", "nullable"],
)
def test_all_kinds_of_frames_say_the_same(frame):
    before = frame.copy() if isinstance(frame, pd.DataFrame | pd.Series) else None
    found = as_long(frame)
    assert_frame_equal(found, LONG, check_dtype=False)
    assert str(found["ds"].dtype) == "datetime64[ns]"
    if before is not None:
        assert before.equals(frame)


def test_frames_of_polars_say_the_same_eager_and_lazy():
    pl = pytest.importorskip("polars", reason="Polars is not installed")
    for frame in (pl.from_pandas(LONG), pl.from_pandas(LONG).lazy()):
        assert_frame_equal(as_long(frame), LONG, check_dtype=False)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ([1, 2, 3], "a list is not a frame; give a pandas Series"),
        (pd.DataFrame({"y": [1.0]}), r"has no times \(columns: y\); give it a DatetimeIndex or a column ds"),
        (pd.DataFrame({"a": 1.0, "b": 2.0}, TIMES), r"2 columns could be it \(a, b\); rename"),
        (LONG.assign(unique_id=["a", None, "b", "b"]), "column unique_id has 1 missing names; give every row one"),
        (LONG.assign(ds=["x", "y", "z", "w"]), r"column ds does not hold times \(\S"),
        (LONG.assign(ds=[*TIMES[:3], pd.NaT]), "column ds has 1 missing times; drop those rows"),
        (LONG.assign(y="warm"), "column y does not hold numbers"),
        (LONG.drop(columns="y"), "no column y, and 0 columns could be it"),
    ],
)
def test_frames_that_cannot_be_read_are_named(frame, message):
    with pytest.raises(DataError, match=message):
        as_long(frame)


def test_a_covariate_that_is_not_there_is_named():
    with pytest.raises(DataError, match=r"no column 'wind' .it has: unique_id, ds, y.; add it"):
        as_long(LONG, ["wind"])


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (["2020-02-01", "13/02/2020", "2020-02-03"], ["2020-02-01", "2020-02-13", "2020-02-03"]),
        (["2020-02-01 00:00+01", "2020-02-01 02:00+02", "2020-02-01T03:00Z"], ["2020-01-31 23:00", "2020-02-01", None]),
        (["1949-01", "1949-02", "1949-03"], ["1949-01-01", "1949-02-01", "1949-03-01"]),
        ([datetime.date(2020, 1, 1), datetime.date(2020, 1, 2), datetime.date(2020, 1, 3)], ["2020-01-01", None, None]),
    ],
)
def test_times_as_text_are_read_as_in_a_file(times, expected):
    found = as_long(pd.DataFrame({"ds": times, "y": 1.0}))["ds"]
    assert str(found.dtype) == "datetime64[ns]"
    for stamp, wanted in zip(found, expected, strict=True):
        assert wanted is None or stamp == pd.Timestamp(wanted)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"ds": ["2020-02-01", "01/02/2020"]},
            r"does not hold times \(it holds dates such as '01/02/2020' in row 2",
        ),
        (
            {"ds": ["2020-02-01", "9000-01-01"]},
            r"does not hold times \(it holds '9000-01-01' in row 2, outside",
        ),
        (
            {"ds": np.array(["2020-02-01", "9000-01-01"], "M8[s]")},
            r"does not hold times \(it holds .* outside",
        ),
        ({"ds": ["2020-02-01", ""]}, "column ds has 1 missing times; drop those rows"),
        ({"y": [1 + 2j, 3j]}, r"column y does not hold real numbers \(complex128\); convert it"),
        ({"y": [1.0, 1e39]}, r"column y holds 1e\+39 in row 2; numbers up to 3.4e\+38 can be computed with"),
        ({"y": [1.0, -np.inf]}, "column y is infinite in row 2; leave the cell empty if it is missing"),
    ],
)
def test_times_and_numbers_that_cannot_be_computed_with_are_named(columns, message):
    with pytest.raises(DataError, match=message) as caught:
        as_long(pd.DataFrame({"ds": TIMES[:2], "y": 1.0} | columns))
    assert "\n" not in str(caught.value)
