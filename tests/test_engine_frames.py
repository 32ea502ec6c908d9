"""Frames that Dask, Spark and Ray hold: the same stores, models and forecasts as from the readings in files."""

import itertools

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tsuzuki import DataError, FileError, Forecaster, fit_each
from tsuzuki.data.arrow_batches import PanelColumns
from tsuzuki.data.engine_frames import files_of, write_readings
from tsuzuki.data.panel_store import panel_store

SMALL = {"units": 4, "head": 0, "ensemble": 1, "epochs": 1, "cycles": (), "lags": ((2, 1),), "budget": 16}


def readings(count=3, hours=120):
    """A long frame of waves, with a column that is not read."""
    times = pd.date_range("2024-01-01", periods=hours, freq="h")
    waves = [np.sin(np.arange(hours) / (4 + number)) for number in range(count)]
    parts = [
        pd.DataFrame({"unique_id": f"s{number}", "ds": times, "y": wave, "note": "dry"})
        for number, wave in enumerate(waves)
    ]
    return pd.concat(parts, ignore_index=True)


@given(partitions=st.integers(1, 7))
@settings(max_examples=5)
def test_a_store_does_not_depend_on_how_a_frame_is_partitioned(tmp_path_factory, partitions):
    folder = tmp_path_factory.mktemp("stores")
    frame = readings()
    frame.to_parquet(folder / "all.parquet")
    paths = files_of(dd.from_pandas(frame, npartitions=partitions), folder / "cache")
    found, expected = panel_store(paths, folder / "cache"), panel_store(folder / "all.parquet", folder / "cache")
    assert found.ids == expected.ids
    np.testing.assert_array_equal(found.values, expected.values)
    np.testing.assert_array_equal(found.starts, expected.starts)


def test_a_frame_of_dask_is_fitted_and_forecast_as_its_file_is(tmp_path):
    frame = readings()
    frame.to_parquet(tmp_path / "all.parquet")
    engine = dd.from_pandas(frame, npartitions=4)
    for name, source in (("file", tmp_path / "all.parquet"), ("dask", engine)):
        model = Forecaster(4, **SMALL).fit(source, cache=tmp_path / name)
        assert model.forecast_files(source, tmp_path / f"{name}.parquet", cache=tmp_path / name) == 12
    found = [pd.read_parquet(tmp_path / f"{name}.parquet") for name in ("file", "dask")]
    pd.testing.assert_frame_equal(*found, check_exact=True)


def test_the_same_frame_is_written_and_read_once(tmp_path):
    engine = dd.from_pandas(readings(), npartitions=2)
    stores = [panel_store(files_of(engine, tmp_path), tmp_path) for _ in range(2)]
    assert stores[0].folder == stores[1].folder
    assert len(list(tmp_path.glob("*.parquet"))) == 1
    assert not list(tmp_path.glob("*.part"))


def test_an_engines_frame_gives_each_series_the_model_that_a_frame_in_memory_gives_it(tmp_path):
    frame = readings()
    settings = Forecaster(4, **(SMALL | {"budget": ""}))
    for name, source in (("engine", dd.from_pandas(frame, npartitions=2)), ("frame", frame)):
        listed = fit_each(source, settings, tmp_path / name)
        assert listed["error"].isna().all()
    found = [next((tmp_path / name).glob("forecasts-*.parquet")) for name in ("engine", "frame")]
    pd.testing.assert_frame_equal(*map(pd.read_parquet, found), check_exact=True)


class _Partitions:
    """A frame as Spark hands one out: a function runs over each partition's Arrow batches, its rows come one by one."""

    __module__ = "pyspark.sql.dataframe"

    def __init__(self, partitions):
        self.partitions = partitions

    def mapInArrow(self, function, schema):  # noqa: N802 - Spark's name.
        from ray import cloudpickle

        assert schema == "batch binary"
        # Executors are sent the function, so it must not hold on to this process.
        there = cloudpickle.loads(cloudpickle.dumps(function))
        self.rows = (row for one in self.partitions for batch in there(iter(one)) for row in batch.to_pylist())
        return self

    def toLocalIterator(self):  # noqa: N802 - Spark's name.
        return self.rows


@given(cuts=st.lists(st.integers(0, 360), max_size=5).map(sorted))
@settings(max_examples=5)
def test_a_frame_of_spark_comes_batch_by_batch(tmp_path_factory, cuts):
    folder, whole = tmp_path_factory.mktemp("spark"), pa.Table.from_pandas(readings(), preserve_index=False)
    edges = [0, *cuts, len(whole)]
    parts = [whole[first:last].to_batches(max_chunksize=50) for first, last in itertools.pairwise(edges)]
    (path,) = files_of(_Partitions(parts), folder)
    assert pa.parquet.read_table(path).equals(whole.select(["unique_id", "ds", "y"]).replace_schema_metadata())


def test_what_a_frame_lacks_is_named_and_nothing_stays_behind(tmp_path):
    with pytest.raises(DataError, match="no column 'load' but unique_id, ds, y, note; name the right one"):
        files_of(dd.from_pandas(readings(), npartitions=2), tmp_path, PanelColumns(value="load"))
    with pytest.raises(DataError, match="no rows"):
        write_readings([], tmp_path)
    one = pa.table({"unique_id": ["a"], "ds": [pd.Timestamp("2024-01-01")], "y": [1.0]})
    other = one.set_column(2, "y", pa.array(["much"]))
    with pytest.raises(DataError, match="differ in a column's type"):
        write_readings([one, other], tmp_path)
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").touch()
    with pytest.raises(FileError, match="cannot be written"):
        write_readings([one], tmp_path / "file")


@pytest.mark.parametrize("source", [pd.DataFrame(), {}, None, 3])
def test_other_things_are_no_frames_of_an_engine(tmp_path, source):
    assert files_of(source, tmp_path) is None
