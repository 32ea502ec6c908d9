"""Files larger than memory, read once into a store: every reading in its place, whatever the order of the rows."""

import json

import numpy as np
import pandas as pd
import pyarrow.dataset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsuzuki.data import arrow_batches, ingest
from tsuzuki.data.arrow_batches import PanelColumns
from tsuzuki.data.panel_store import panel_store, paths_of
from tsuzuki.errors import DataError, FileError

HOUR = pd.Timedelta("1h")


def readings(names=("b", "a"), hours=30, start="2024-03-01"):
    """A long frame with a value for each series and hour."""
    rng = np.random.default_rng(len(names) + hours)
    times = pd.date_range(start, periods=hours, freq="h")
    parts = [pd.DataFrame({"unique_id": name, "ds": times, "y": rng.normal(0, 3, hours)}) for name in names]
    return pd.concat(parts, ignore_index=True)


@st.composite
def tables(draw):
    """Long frames of some series with gaps, their rows in any order, cut into one to four pieces."""
    count = draw(st.integers(1, 5))
    parts = []
    for number in range(count):
        hours = draw(st.lists(st.integers(0, 60), min_size=2, max_size=30, unique=True))
        hours += [hours[0] + 1] if hours[0] + 1 not in hours else []
        parts.append(
            pd.DataFrame({"unique_id": f"s{number}", "ds": pd.Timestamp("2024-03-01") + np.array(hours) * HOUR})
        )
    frame = pd.concat(parts, ignore_index=True)
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    frame["y"] = rng.normal(0, 100, len(frame)).astype(np.float32)
    frame = frame.iloc[rng.permutation(len(frame))] if draw(st.booleans()) else frame
    cuts = sorted(draw(st.lists(st.integers(0, len(frame)), max_size=3)))
    pieces = [frame.iloc[a:b] for a, b in zip([0, *cuts], [*cuts, len(frame)], strict=True)]
    return frame, [piece for piece in pieces if len(piece)]


@given(tables(), st.sampled_from(["parquet", "csv"]), st.sampled_from([7, 1 << 19]))
def test_a_store_gives_back_the_readings_of_its_files(tmp_path_factory, table, kind, batch_rows):
    frame, pieces = table
    folder = tmp_path_factory.mktemp("files")
    for number, piece in enumerate(pieces):
        path = folder / f"{number}.{kind}"
        piece.to_parquet(path, index=False) if kind == "parquet" else piece.to_csv(path, index=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arrow_batches, "BATCH_ROWS", batch_rows)
        store = panel_store(folder, folder / "cache")
    wanted = frame.sort_values(["unique_id", "ds"], ignore_index=True)
    found = store.frame(range(len(store.ids)))
    pd.testing.assert_frame_equal(found, wanted, check_dtype=False)
    assert store.ids == tuple(sorted(set(frame["unique_id"])))
    assert (store.readings, store.merged) == (len(frame), 0)


def test_a_store_gives_a_part_of_each_series(tmp_path):
    frame = readings()
    frame.to_parquet(tmp_path / "all.parquet")
    store = panel_store(tmp_path / "all.parquet", tmp_path / "cache")
    found = store.frame([1], first=[4], steps=3)
    own = frame[frame["unique_id"] == "b"].reset_index(drop=True)
    assert list(found["ds"]) == list(own["ds"][4:7])
    np.testing.assert_allclose(found["y"], own["y"][4:7], rtol=1e-6)


def test_a_folder_a_pattern_a_list_and_a_dataset_mean_the_same_files(tmp_path):
    paths = [tmp_path / f"{name}.parquet" for name in "ab"]
    for path in paths:
        readings((path.stem,)).to_parquet(path)
    dataset = pyarrow.dataset.dataset(tmp_path, format="parquet")
    for source in (tmp_path, str(tmp_path / "*.parquet"), [*map(str, paths)], dataset):
        assert paths_of(source, None, None) == paths
    assert paths_of(paths[0], None, None) == paths[:1]


def test_files_of_one_series_each_are_called_like_it(tmp_path):
    for name in ("north", "south"):
        readings((name,)).drop(columns="unique_id").to_csv(tmp_path / f"{name}.csv", index=False)
    store = panel_store(tmp_path, tmp_path / "cache", PanelColumns(series=None))
    assert store.ids == ("north", "south")
    assert store.points == 60


def test_a_store_is_made_once_and_anew_when_a_file_changes(tmp_path, monkeypatch):
    frame = readings()
    frame.to_parquet(tmp_path / "all.parquet")
    first = panel_store(tmp_path / "all.parquet", tmp_path / "cache")
    with monkeypatch.context() as patch:
        patch.setattr(ingest, "batches", lambda *given, **named: pytest.fail("the files were read again"))
        again = panel_store(tmp_path / "all.parquet", tmp_path / "cache")
    assert again.fingerprint == first.fingerprint
    frame.assign(y=2 * frame["y"]).to_parquet(tmp_path / "all.parquet", row_group_size=5)
    changed = panel_store(tmp_path / "all.parquet", tmp_path / "cache")
    assert changed.fingerprint != first.fingerprint
    np.testing.assert_array_equal(changed.values, 2 * first.values)


def test_a_pass_that_was_stopped_goes_on_at_the_file_where_it_stopped(tmp_path, monkeypatch):
    frame = readings(("a", "b", "c", "d"))
    for name, own in frame.groupby("unique_id"):
        own.to_parquet(tmp_path / f"{name}.parquet")
    written: list[str] = []

    def write(path, *given):
        if path.name == "c.parquet" and "c.parquet" not in written:
            written.append("c.parquet")
            raise KeyboardInterrupt
        written.append(path.name)
        original(path, *given)

    original = ingest._write_batch
    monkeypatch.setattr(ingest, "_write_batch", write)
    with pytest.raises(KeyboardInterrupt):
        panel_store(tmp_path, tmp_path / "cache")
    store = panel_store(tmp_path, tmp_path / "cache")
    assert written == ["a.parquet", "b.parquet", "c.parquet", "c.parquet", "d.parquet"]
    np.testing.assert_allclose(store.values, frame["y"], rtol=1e-6)


def test_progress_adds_up_to_one(tmp_path):
    for name, own in readings(("a", "b", "c")).groupby("unique_id"):
        own.to_parquet(tmp_path / f"{name}.parquet")
    shares: list[float] = []
    panel_store(tmp_path, tmp_path / "cache", on_progress=shares.append)
    assert sum(shares) == pytest.approx(1)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda frame: frame.rename(columns={"y": "value"}), "no column 'y'"),
        (lambda frame: frame.assign(ds=frame["ds"].where(frame.index != 3)), "rows without a time"),
        (lambda frame: frame.assign(unique_id=frame["unique_id"].where(frame.index != 3)), "rows without a name"),
        (lambda frame: frame.assign(y=frame["y"].where(frame.index != 3, 1e39)), "which 32 bits cannot hold"),
        (lambda frame: frame.assign(y="much"), "not numbers"),
        (lambda frame: frame.assign(ds=range(len(frame))), "not times"),
        (
            lambda frame: frame.assign(
                ds=frame["ds"] + np.where(frame.index == 3, pd.Timedelta("7min"), pd.Timedelta(0))
            ),
            "beside the grid",
        ),
        (lambda frame: frame.assign(ds=frame["ds"].where(frame.index != 59, pd.Timestamp("2124"))), "check its times"),
        (lambda frame: pd.concat([frame, frame]), "a time that another row of the series has"),
        (lambda frame: frame.iloc[:1], "give more readings"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path, change, says):
    change(readings()).to_parquet(tmp_path / "all.parquet", index=False)
    with pytest.raises(DataError, match=says):
        panel_store(tmp_path / "all.parquet", tmp_path / "cache")


def test_a_damaged_file_or_store_is_named(tmp_path):
    (tmp_path / "all.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(FileError, match=r"all\.parquet cannot be read"):
        panel_store(tmp_path / "all.parquet", tmp_path / "cache")
    readings().to_parquet(tmp_path / "all.parquet")
    store = panel_store(tmp_path / "all.parquet", tmp_path / "cache")
    (store.folder / "values.f32").write_bytes(b"1234")
    with pytest.raises(FileError, match="cut short"):
        panel_store(tmp_path / "all.parquet", tmp_path / "cache")
    (store.folder / "panel.json").write_text(json.dumps({}))
    with pytest.raises(FileError, match="damaged"):
        panel_store(tmp_path / "all.parquet", tmp_path / "cache")
