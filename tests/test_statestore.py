"""States on disk: what is committed is there, whole, and nothing else is."""

import sqlite3

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsuzuki.errors import FileError, SettingError
from tsuzuki.streaming.state_store import NAME, StateStore

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
