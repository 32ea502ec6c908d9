"""Files: what is written comes back, and what is not whole is said to be so, whatever bytes it is made of."""

import errno
import json
import os
import threading

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save as save_foreign

from tsuzuki import forecaster, storage
from tsuzuki.errors import FileError, SettingError
from tsuzuki.forecaster import Forecaster
from tsuzuki.forecasting import serialization

ARRAYS = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array([1, 2], np.int64)}


@pytest.fixture(scope="module")
def whole(small_forecaster, tmp_path_factory):
    """The bytes of a forecaster's file."""
    path = tmp_path_factory.mktemp("model") / "m.tsuzuki"
    small_forecaster.save(path)
    return path.read_bytes()


def test_facts_and_arrays_come_back_as_they_were(tmp_path):
    storage.write(tmp_path / "f", "thing", {"x": [1, "ü", None]}, ARRAYS)
    found = storage.read(tmp_path / "f", "thing")
    assert found.facts == {"x": [1, "ü", None]}
    assert all(np.array_equal(found.arrays[name], array) for name, array in ARRAYS.items())


def test_a_forecaster_comes_back_and_forecasts_the_same_bits(small_forecaster, tmp_path):
    small_forecaster.save(tmp_path / "m")
    again = forecaster.load(tmp_path / "m")
    assert again.predict().equals(small_forecaster.predict())
    assert again.settings == small_forecaster.settings


def test_a_file_has_the_permissions_that_the_users_umask_gives(tmp_path):
    storage.write_bytes(tmp_path / "ours", b"x")
    (tmp_path / "plain").write_bytes(b"x")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


@st.composite
def damages(draw):
    """A way to spoil bytes: flip some, cut the end off, put some in."""
    kind = draw(st.sampled_from(["flip", "cut", "insert"]))
    return kind, draw(st.floats(0, 1, exclude_max=True)), draw(st.binary(min_size=1, max_size=8))


@given(damage=damages())
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_damaged_file_raises_anything_but_our_own_error(whole, damage):
    kind, share, extra = damage
    at = int(share * len(whole))
    if kind == "flip":
        spoiled = whole[:at] + bytes(a ^ b for a, b in zip(whole[at:], extra, strict=False)) + whole[at + len(extra) :]
    elif kind == "cut":
        spoiled = whole[:at]
    else:
        spoiled = whole[:at] + extra + whole[at:]
    if spoiled == whole:
        return
    with pytest.raises(FileError):
        serialization.restore(storage.unpack(spoiled, "model"), "model")


@given(text=st.recursive(st.none() | st.integers() | st.text(max_size=5), lambda one: st.lists(one, max_size=3)))
@settings(max_examples=200)
def test_facts_that_describe_no_forecaster_are_said_to(text):
    content = storage.pack("forecaster", {"settings": {"horizon": text}, "ids": text}, ARRAYS)
    with pytest.raises(FileError, match="is not a consistent forecaster"):
        serialization.restore(storage.unpack(content, "model"), "model")


def test_weights_of_another_shape_are_named(whole):
    stored = storage.unpack(whole, "model")
    arrays = stored.arrays | {"network 0 weights 0": np.zeros((1, 1), np.float32)}
    spoiled = storage.pack("forecaster", stored.facts, arrays)
    with pytest.raises(FileError, match=r"weights 0 \(kernel of layer 1\) have shape"):
        serialization.restore(storage.unpack(spoiled, "model"), "model")


def test_a_header_that_claims_more_than_the_file_holds_is_refused_at_once():
    header = json.dumps({"a": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 1 << 42]}}).encode()
    with pytest.raises(FileError, match="cut short or altered"):
        storage.unpack(len(header).to_bytes(8, "little") + header, "model")


def test_a_foreign_file_and_a_newer_one_are_told_apart(tmp_path):
    with pytest.raises(FileError, match="not written by tsuzuki"):
        storage.unpack(save_foreign(ARRAYS), "model")
    newer = save_foreign(ARRAYS, {"format": "tsuzuki", "version": "9", "json": "{}"})
    with pytest.raises(FileError, match="format 9, newer than this tsuzuki knows"):
        storage.unpack(newer, "model")
    with pytest.raises(FileError, match="holds a thing, not a forecaster"):
        storage.unpack(storage.pack("thing", {}, ARRAYS), "model", "forecaster")
    with pytest.raises(FileError, match="there is no file"):
        storage.read(tmp_path / "nothing")


def test_a_link_keeps_its_target_and_a_pipe_is_written_to(tmp_path):
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    storage.write_bytes(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"
    os.mkfifo(tmp_path / "pipe")
    reader = threading.Thread(target=lambda: read.append((tmp_path / "pipe").read_bytes()), daemon=True)
    read = []
    reader.start()
    storage.write_bytes(tmp_path / "pipe", b"through")
    reader.join(10)
    assert read == [b"through"]


def test_a_full_disk_leaves_the_old_file_and_nothing_beside_it(tmp_path, monkeypatch):
    target = tmp_path / "f"
    storage.write(target, "thing", {"old": 1}, ARRAYS)

    def full(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FileError, match="No space left"):
        storage.write(target, "thing", {"new": 1}, ARRAYS)
    assert storage.read(target).facts == {"old": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileError, match="cannot be written"):
        storage.write(tmp_path / "no" / "f", "thing", {}, ARRAYS)


def test_an_unfitted_forecaster_has_nothing_to_save(tmp_path):
    with pytest.raises(SettingError, match="has not been fitted"):
        Forecaster(2).save(tmp_path / "m")
