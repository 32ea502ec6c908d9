"""States on disk: what is committed is there, whole, and nothing else is."""

import shutil
import sqlite3

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsuzuki.errors import FileError, SettingError
from tsuzuki.streaming.state_store import NAME, StateStore, describe

BATCHES = st.lists(
    st.dictionaries(st.text(min_size=1, max_size=8), st.tuples(st.integers(0, 2**60), st.integers(0, 99)), max_size=4),
    max_size=6,
)


def rows_of(batch, line):
    return [
        (name, line, time, missing, np.full(3, line, np.float32).tobytes()) for name, (time, missing) in batch.items()
    ]


@given(BATCHES)
def test_the_store_holds_the_last_state_of_every_series_and_the_last_line(tmp_path_factory, batches):
    folder = tmp_path_factory.mktemp("store")
    expected, line = {}, 0
    for batch in batches:
        line += 10
        # Opened anew for each batch, as after a crash.
        with StateStore(folder, "m") as store:
            store.commit(line, rows_of(batch, line))
        expected |= {name: (time, missing, line) for name, (time, missing) in batch.items()}
    with StateStore(folder, "m") as store:
        assert store.line == line
        found = {name: (time, missing, int(state[0])) for name, time, missing, state in store.load()}
    assert found == expected


def test_a_batch_that_fails_leaves_the_state_before_it(tmp_path):
    with StateStore(tmp_path, "m") as store:
        store.commit(5, rows_of({"a": (1, 0)}, 5))

        def broken():
            yield from rows_of({"a": (2, 0)}, 9)
            raise sqlite3.OperationalError("database or disk is full")

        with pytest.raises(FileError, match=r"cannot be written .database or disk is full.; free some space"):
            store.commit(9, broken())
        assert store.line == 5
    with StateStore(tmp_path, "m") as store:
        assert (store.line, store.load()[0][1]) == (5, 1)


def test_states_of_another_model_are_refused(tmp_path):
    with StateStore(tmp_path, "m"):
        pass
    with pytest.raises(SettingError, match="holds the states of another model; name another folder"):
        StateStore(tmp_path, "n")


def test_what_is_no_store_is_named(tmp_path):
    (tmp_path / NAME).write_bytes(b"anything but a database" * 100)
    with pytest.raises(FileError, match=r"--state .* cannot be used .file is not a database.; name a folder"):
        StateStore(tmp_path, "m")
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match=r"--state .*file.* cannot be used"):
        StateStore(tmp_path / "file", "m")


def test_a_store_that_lacks_a_series_is_damaged_and_not_out_of_reach(tmp_path):
    with StateStore(tmp_path, "m") as store:
        store.commit(1, rows_of({"a": (1, 0), "b": (2, 0)}, 1))
    base = sqlite3.connect(tmp_path / NAME, isolation_level=None)
    base.execute("DELETE FROM series WHERE id = 'a'")
    base.close()
    with pytest.raises(FileError) as caught:
        StateStore(tmp_path, "m")
    said = f"{tmp_path / NAME} is damaged: it holds 1 series, but 2 were written; take an intact copy"
    assert str(caught.value) == said


def test_states_and_their_line_are_one_transaction(tmp_path):
    with StateStore(tmp_path, "m") as store:
        said = []
        store._base.set_trace_callback(said.append)
        store.commit(7, rows_of({"a": (1, 0), "b": (2, 0)}, 7))
    assert (said[0], said[-1]) == ("BEGIN IMMEDIATE", "COMMIT")
    assert sum(one.startswith(("BEGIN", "COMMIT")) for one in said) == 2
    assert any("facts" in one and "'7'" in one for one in said)
    assert sum("INTO series" in one for one in said) == 2


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("filled")
    with StateStore(folder, "m") as store:
        store.commit(5, rows_of({"a": (1, 0), "b": (2, 1)}, 5))
    return folder


def bent(filled, folder, *statements):
    shutil.copytree(filled, folder, dirs_exist_ok=True)
    base = sqlite3.connect(folder / NAME, isolation_level=None)
    for statement in statements:
        base.execute(statement)
    base.close()
    return folder


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE series SET state = zeroblob(12) WHERE id = 'b'",
        "UPDATE series SET state = zeroblob(13) WHERE id = 'b'",
        "UPDATE series SET state = 'text' WHERE id = 'b'",
        "UPDATE series SET time = 3 WHERE id = 'b'",
        "UPDATE series SET missing = 1.5 WHERE id = 'b'",
        "UPDATE series SET line = 6 WHERE id = 'b'",
        "UPDATE series SET checksum = 'x' WHERE id = 'b'",
    ],
)
def test_a_damaged_series_is_named_and_begins_anew_without_touching_the_others(filled, tmp_path, change):
    folder = bent(filled, tmp_path / "s", change)
    with StateStore(folder, "m") as store, pytest.raises(FileError, match="holds series 'b'; --begin-anew b lets"):
        store.load()
    assert describe(folder)["damaged"] == ["b"]
    with StateStore(folder, "m", ["b"]) as store:
        assert [row[:3] for row in store.load()] == [("a", 1, 0)]
        store.commit(9, rows_of({"b": (8, 0)}, 9))
    with StateStore(folder, "m") as store:
        assert [row[0] for row in store.load()] == ["a", "b"]
    with pytest.raises(SettingError, match="has no state of series 'zz'"):
        StateStore(folder, "m", ["zz"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("DELETE FROM series WHERE id = 'a'", "it holds 1 series, but 2 were written"),
        ("DELETE FROM facts", "it holds 2 series, but 0 were written"),
        ("DELETE FROM facts WHERE name = 'line'", "damaged where it names its model and line"),
        ("UPDATE facts SET value = '4' WHERE name = 'line'", "damaged where it names its model and line"),
        ("CREATE TABLE other (x)", "has other tables .other. and is no store of states"),
        ("ALTER TABLE series ADD COLUMN more", "has other columns in 'series'"),
        ("DROP TABLE series", "has other columns in 'series'"),
        ("PRAGMA user_version = 9", "written by another tsuzuki .format 9."),
    ],
)
def test_what_is_not_as_it_was_written_is_named(filled, tmp_path, change, words):
    folder = bent(filled, tmp_path / "s", change)
    with pytest.raises(FileError, match=words):
        StateStore(folder, "m")


def test_a_store_is_described_without_its_model(filled, tmp_path):
    assert describe(filled) == {
        "kind": "states",
        "model": "m",
        "line": 5,
        "series": 2,
        "ids": ["a", "b"],
        "last_times": ["1970-01-01T00:00:00"] * 2,
        "damaged": [],
    }
    with pytest.raises(FileError, match=r"holds no states .there is no states\.sqlite in it."):
        describe(tmp_path)


def test_a_full_disk_in_the_first_insert_is_named(tmp_path, monkeypatch):
    def full(self, line):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(StateStore, "_write_facts", full)
    with pytest.raises(
        FileError, match=r"cannot be used .database or disk is full.; name a folder that can be written"
    ):
        StateStore(tmp_path, "m")
