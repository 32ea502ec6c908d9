"""What one small slip would change where files, their parts and what stands in them are told apart."""

import sqlite3
import struct
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from test_object_files import (
    NAMES,
    SYSTEMS,
    objects,  # noqa: F401
)
from tsuzuki import storage
from tsuzuki.data import delimited, files, joining
from tsuzuki.data.covariates import CovariateNames
from tsuzuki.data.date_forms import date_numbers, match
from tsuzuki.data.files import named, paths_of, stem_of
from tsuzuki.data.readers import Reading, read, read_future
from tsuzuki.data.resampling import fitting_freq, on_grid
from tsuzuki.data.value_columns import is_pattern, marked
from tsuzuki.engine import object_file
from tsuzuki.errors import DataError, FileError, SettingError, TooShortError
from tsuzuki.storage import looks_stored
from tsuzuki.streaming.state_store import NAME, StateStore, describe


@pytest.mark.parametrize("name", ["unique_id", "ds", "y"])
def test_what_a_frame_is_made_of_is_no_covariate(name):
    with pytest.raises(SettingError, match=f"column '{name}' cannot be a covariate; leave it out"):
        CovariateNames(past=(name,)).check()


def test_a_month_is_read_by_its_first_three_letters():
    for text in ("4 March 2020", "4 Mar 2020", "March 4, 2020"):
        assert tuple(date_numbers(match(text, 0)[1])[:3]) == (2020, 3, 4)
    assert match("4 Mxrch 2020", 0) is None


def test_columns_that_are_not_used_are_named(tmp_path):
    (tmp_path / "a.csv").write_text("time,v,note,w\n2020-01-01,1,x,5\n2020-01-02,2,y,6\n2020-01-03,4,z,7\n")
    assert read(tmp_path / "a.csv", column="v").dropped == ("note", "w")
    assert read(tmp_path / "a.csv", column="w", covariates=["v"]).dropped == ("note",)


def test_rows_of_a_wide_table_may_end_early(tmp_path, monkeypatch):
    monkeypatch.setattr(delimited, "WIDE", 3)
    (tmp_path / "a.csv").write_text("time,a,b,c\n2020-01-01,1,2,3\n2020-01-02,1\n2020-01-03,4,5,6\n")
    np.testing.assert_array_equal(read(tmp_path / "a.csv", column="c").frame["y"], [3, np.nan, 6])


def test_a_folder_in_a_folder_is_no_file_whatever_it_is_called(tmp_path):
    (tmp_path / "b.csv").mkdir()
    (tmp_path / "a.csv").write_text("x")
    (tmp_path / "note.md").write_text("x")
    assert files.named(tmp_path) == [tmp_path / "a.csv"]


def test_patterns_and_marks_are_told_by_their_signs():
    assert [is_pattern(name) for name in ("a*", "a?", "*", "a", "")] == [True, True, True, False, False]
    for text, number in (("5.2", 5.2), ("5.2 )", 5.2), ("5.2 *", 5.2), ("-3)", -3)):
        assert marked(text) == number
    for text in ("5.2 ]", "5.2 #", "#", "×", "///", "--", ""):
        assert np.isnan(marked(text))


def test_a_file_of_what_is_known_ahead_needs_no_values(tmp_path):
    (tmp_path / "a.csv").write_text("time,plan\n2020-01-01,1\n2020-01-02,0\n")
    found = read_future(tmp_path / "a.csv", ["plan"])
    assert list(found.columns) == ["unique_id", "ds", "plan"]
    with pytest.raises(DataError):
        read_future(tmp_path / "a.csv", ["other"])


def test_what_is_put_on_a_grid_keeps_the_order_of_its_columns():
    times = pd.date_range("2020-01-01", periods=48, freq="30min")
    made = on_grid(pd.DataFrame({"unique_id": "a", "ds": times, "y": np.arange(48.0)}), "h", "mean")
    assert list(made.columns)[:3] == ["unique_id", "ds", "y"]
    np.testing.assert_array_equal(made["y"], np.arange(0.5, 48, 2))


def test_what_looks_like_a_file_of_ours(tmp_path):
    storage.write(tmp_path / "whole", "thing", {}, {"a": np.zeros(3)})
    assert looks_stored(tmp_path / "whole")
    for content, looks in (
        ((9).to_bytes(8, "little") + b"{", False),
        ((8).to_bytes(8, "little") + b"{", True),
        ((8).to_bytes(8, "little") + b"x", False),
        ((8).to_bytes(8, "little") + b"x{", False),
        ((8).to_bytes(8, "little"), False),
        (b"", False),
    ):
        (tmp_path / "x").write_bytes(content)
        assert looks_stored(tmp_path / "x") == looks, content
    assert looks_stored(tmp_path / "nowhere.tsuzuki")
    assert not looks_stored(tmp_path / "nowhere")


def test_a_folder_of_states_in_use_and_one_that_is_no_database_are_told_apart(tmp_path):
    with StateStore(tmp_path / "s", "m") as store:
        store.commit(1, [("a", 1, 0, 0, b"\0\0\0\0")])
        with pytest.raises(FileError, match="is in use by another process; wait for its end"):
            describe(tmp_path / "s")
    assert describe(tmp_path / "s")["ids"] == ["a"]
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / NAME).write_bytes(b"no database" * 100)
    with pytest.raises(FileError, match=r"cannot be read \(.*\); take a copy"):
        describe(tmp_path / "t")


def test_what_living_processes_write_is_left_and_so_is_what_nobody_of_ours_has_written(tmp_path, monkeypatch):
    def asked(process, number):
        assert number == 0
        if process == 11:
            raise ProcessLookupError
        if process == 12:
            raise PermissionError
        if process == 13:
            raise OverflowError

    monkeypatch.setattr("os.kill", asked)
    gone = [".c.11-x", ".c.11-"]
    left = [".c.12-x", ".c.13-x", ".c.14-x", ".c.x-11", ".c.11", ".d.11-x", "c.11-x", ".c.-11", ".c.1.11-x"]
    for name in gone + left:
        (tmp_path / name).write_text("")
    storage.remove_leftovers(tmp_path / "c")
    assert sorted(one.name for one in tmp_path.iterdir()) == sorted(left)


class FullDisk:
    """A database that can be written so many times."""

    def __init__(self, base, left):
        self._base, self._left = base, left

    @property
    def in_transaction(self):
        return self._base.in_transaction

    def __getattr__(self, name):
        def call(*arguments):
            self._left -= 1
            if self._left < 0 and arguments[0] != "ROLLBACK":
                raise sqlite3.OperationalError("disk full")
            return getattr(self._base, name)(*arguments)

        return call


def test_a_line_and_its_states_are_one_transaction(tmp_path, monkeypatch):
    """Whatever of a commit's statements is the last one that is done, both are old or both are new."""
    row = ("a", 1, 0, 0, b"\0\0\0\0")
    statements = 0
    while True:
        folder = tmp_path / str(statements)
        with StateStore(folder, "m") as store:
            store.commit(1, [row])
            base = store._base
            store._base = FullDisk(base, statements)
            try:
                store.commit(2, [(*row[:3], 5, row[4])])
                done = True
            except FileError:
                done = False
            store._base = base
        with StateStore(folder, "m") as store:
            ((_, _, missed, _),) = store.load()
            assert (store.line, missed) == ((2, 5) if done else (1, 0))
        if done:
            assert statements >= 3
            return
        statements += 1


@pytest.fixture
def linux_object(objects, monkeypatch):  # noqa: F811
    """An object file for Linux, on a machine that says that it runs it."""
    system, machine = SYSTEMS["x86_64-unknown-linux-gnu"]
    monkeypatch.setattr("sys.platform", system)
    monkeypatch.setattr("platform.machine", lambda: machine)
    return objects["x86_64-unknown-linux-gnu"]


@pytest.mark.parametrize(
    ("place", "value"),
    [
        # How many sections there are, and which holds their names.
        (60, 0),
        (60, 1),
        (62, 0xFFF0),
        # How large a section's description is.
        (58, 63),
    ],
)
def test_an_elf_object_whose_sections_cannot_be_is_refused(linux_object, place, value):
    content = linux_object
    assert object_file.fits(content, NAMES)
    assert not object_file.fits(content[:place] + struct.pack("<H", value) + content[place + 2 :], NAMES)


def test_an_elf_object_whose_symbols_have_no_names_is_refused(linux_object):
    content = linux_object
    (first,) = struct.unpack_from("<Q", content, 40)
    (count,) = struct.unpack_from("<H", content, 60)
    (table,) = (at for at in range(count) if struct.unpack_from("<I", content, first + 64 * at + 4) == (2,))
    # The number of the section that holds the names.
    link = first + 64 * table + 40
    for other in (count, count + 1, 0xFFFFFFFF):
        assert not object_file.fits(content[:link] + struct.pack("<I", other) + content[link + 4 :], NAMES)
    # No table of symbols at all.
    kind = first + 64 * table + 4
    assert not object_file.fits(content[:kind] + struct.pack("<I", 1) + content[kind + 4 :], NAMES)


def test_a_series_of_two_readings_is_too_short():
    from tsuzuki.data.segments import Segment
    from tsuzuki.layouts.streams import Streams

    with pytest.raises(TooShortError, match="a step with its target"):
        Streams(5, 2).after([], [Segment(3, 4)])


def test_a_step_is_suggested_where_as_many_readings_follow_one_another_as_are_asked_for():
    hour = 3600 * 10**9
    # Four of five follow, and fewer where one more is left out.
    assert fitting_freq(np.array([0, 1, 2, 3, 4, 6]) * hour) == "h"
    assert fitting_freq(np.array([0, 1, 2, 3, 5, 7]) * hour) == "3h"


def test_files_with_and_without_breaks_are_joined_without_a_new_one():
    def reading(name, first, **columns):
        times = pd.date_range(f"2020-01-{first:02}", periods=3)
        frame = pd.DataFrame({"unique_id": "s", "ds": times, "y": [1.0, 2.0, 3.0], **columns})
        return Reading(name, frame, None)

    broken, plain = reading("a", 1, change=[0, 1, 1]), reading("b", 4)
    assert joining.join([broken, plain])["change"].tolist() == [0, 1, 1, 1, 1, 1]
    assert joining.join([reading("c", 1), reading("d", 4, change=[0, 1, 1])])["change"].tolist() == [0, 0, 0, 0, 1, 1]
    assert "change" not in joining.join([plain, reading("c", 1)])


def test_a_dataset_of_files_is_told_from_what_only_has_a_list_of_them(tmp_path):
    (tmp_path / "a.csv").write_text("x")
    files = [str(tmp_path / "a.csv")]
    assert paths_of(SimpleNamespace(files=files, to_batches=None)) == named(files)
    for other in (SimpleNamespace(files=files), SimpleNamespace(files="a", to_batches=None), 5, [], [1]):
        assert paths_of(other) is None
    assert paths_of(files) == paths_of(files[0]) == paths_of(tuple(files)) == named(files)


def test_an_elf_object_with_a_second_table_of_symbols_is_refused(linux_object):
    content = linux_object
    (first,) = struct.unpack_from("<Q", content, 40)
    (count,) = struct.unpack_from("<H", content, 60)
    headers = [content[first + 64 * at : first + 64 * at + 64] for at in range(count)]
    (table,) = (one for one in headers if struct.unpack_from("<I", one, 4) == (2,))
    for more, fits in ((headers[0], True), (table, False)):
        bent = bytearray(content + b"".join(headers) + more)
        struct.pack_into("<Q", bent, 40, len(content))
        struct.pack_into("<H", bent, 60, count + 1)
        assert object_file.fits(bytes(bent), NAMES) == fits


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("a.csv", "a"),
        ("a.csv.gz", "a"),
        ("a.CSV.ZST", "a"),
        ("a.b.gz", "a.b"),
        ("a.gz", "a"),
        ("a.b.csv", "a.b"),
        ("-", "y"),
    ],
)
def test_a_series_is_called_as_its_file_without_what_says_how_it_is_packed(name, stem):
    assert stem_of(Path("folder") / name if name != "-" else Path(name)) == stem
