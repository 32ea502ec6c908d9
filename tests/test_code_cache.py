"""Machine code on disk is run only where nobody else can have put it there, and linked only where it is whole."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tsuzuki
from tsuzuki.engine import code_cache, machine_code, object_file

SOURCE = Path(tsuzuki.__file__).parents[1]
START = """
import numpy as np
from tsuzuki import Dense, GRU, Network, initialise
from tsuzuki.data.segments import Segment
from tsuzuki.layouts.windows import Windows
from tsuzuki.training.predict import predict
network = Network(1, (GRU(3), Dense(1)))
print(predict(network, initialise(network, 0), np.ones((4, 1), np.float32), Windows(1, 1).over([Segment(0, 4)]))[3, 0])
"""


@pytest.fixture(autouse=True)
def own_secret(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    code_cache._checked.cache_clear()
    code_cache._secret.cache_clear()
    yield
    code_cache._checked.cache_clear()
    code_cache._secret.cache_clear()


def start(cache: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", START],
        env={**os.environ, "PYTHONPATH": str(SOURCE), "TSUZUKI_CACHE_DIR": str(cache), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def as_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def test_what_is_stored_is_read_and_what_was_changed_or_renamed_is_not(tmp_path):
    path = tmp_path / "dense.bin"
    code_cache.write(path, b"code")
    assert code_cache.read(path) == b"code"
    assert code_cache.read(tmp_path / "absent") is None
    path.rename(tmp_path / "gru.bin")
    assert code_cache.read(tmp_path / "gru.bin") is None
    code_cache.write(path, b"code")
    path.write_bytes(path.read_bytes()[:-1])
    assert code_cache.read(path) is None


def test_a_folder_that_cannot_be_written_does_no_harm(tmp_path):
    (tmp_path / "file").write_text("")
    code_cache.write(tmp_path / "file" / "dense.bin", b"code")
    assert not (tmp_path / "file").is_dir()


def test_another_users_secret_does_not_open_the_cache(tmp_path, monkeypatch):
    path = tmp_path / "dense.bin"
    code_cache.write(path, b"code")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "other"))
    assert code_cache.read(path) is None


def test_the_secret_is_for_its_owners_eyes_and_one_that_others_can_read_is_replaced(tmp_path):
    code_cache.write(tmp_path / "dense.bin", b"code")
    key = tmp_path / "config" / "tsuzuki" / code_cache.KEYED
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700
    key.chmod(0o644)
    code_cache._secret.cache_clear()
    assert code_cache.read(tmp_path / "dense.bin") is None
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_the_next_process_has_the_same_secret(tmp_path):
    path = tmp_path / "dense.bin"
    code_cache.write(path, b"code")
    for _ in range(2):
        code_cache._secret.cache_clear()
        assert code_cache.read(path) == b"code"


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o770, 0o702])
def test_a_folder_that_others_can_write_is_not_used_however_far_up_it_is(tmp_path, mode, caplog, monkeypatch):
    shared = tmp_path / "shared"
    (shared / "deep" / "cache").mkdir(parents=True)
    monkeypatch.setattr(code_cache.tempfile, "gettempdir", lambda: str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    code_cache._private_folder.cache_clear()
    monkeypatch.setenv("TSUZUKI_CACHE_DIR", str(shared / "deep" / "cache"))
    assert code_cache.cache_folder() == shared / "deep" / "cache"
    shared.chmod(mode)
    code_cache._checked.cache_clear()
    private = code_cache.cache_folder()
    assert private == tmp_path / "temporary" / f"tsuzuki-{os.getuid()}"
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    assert [record.getMessage() for record in caplog.records] == [
        f"tsuzuki: {shared} can be written by others (mode {mode:o}); machine code is kept in {private} instead"
    ]
    code_cache._private_folder.cache_clear()


def test_a_link_from_a_safe_place_into_an_unsafe_one_is_seen_through(tmp_path):
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "cache").symlink_to(tmp_path / "open")
    assert "open can be written by others" in code_cache.unsafe(tmp_path / "cache")
    (tmp_path / "open").chmod(0o700)
    assert code_cache.unsafe(tmp_path / "cache") is None


def test_a_sticky_folder_such_as_tmp_is_safe_for_what_is_ours_in_it(tmp_path):
    tmp_path.chmod(0o1777)
    (tmp_path / "cache").mkdir(mode=0o700)
    assert code_cache.unsafe(tmp_path / "cache") is None


@pytest.mark.skipif(not as_root(), reason="only root can give files away")
def test_what_belongs_to_another_user_is_not_loaded(tmp_path, caplog):
    path = tmp_path / "dense.bin"
    code_cache.write(path, b"code")
    os.chown(path, 12345, -1)
    assert code_cache.read(path) is None
    assert caplog.records[0].getMessage() == f"tsuzuki: {path} belongs to another user and is not loaded"
    (tmp_path / "theirs").mkdir()
    os.chown(tmp_path / "theirs", 12345, -1)
    assert code_cache.unsafe(tmp_path / "theirs" / "cache") == f"{tmp_path / 'theirs'} belongs to another user"


def test_a_file_that_others_can_write_is_not_loaded(tmp_path, caplog):
    path = tmp_path / "dense.bin"
    code_cache.write(path, b"code")
    path.chmod(0o666)
    assert code_cache.read(path) is None
    assert "can be written by others (mode 666) and is not loaded" in caplog.records[0].getMessage()


def emitted(unit: str) -> tuple[list[str], bytes]:
    code = machine_code._stored(unit)
    if code is None:
        machine_code.load((unit,))
        code = machine_code._code_of([unit])[unit]
    names, _, content = code.partition(b"\0")
    return names.decode().split(), content


@pytest.fixture(scope="module")
def dense() -> tuple[list[str], bytes]:
    return emitted("dense")


def test_a_whole_object_fits_and_one_that_lacks_a_procedure_does_not(dense):
    names, content = dense
    assert object_file.fits(content, names)
    assert not object_file.fits(content, [*names, "another"])
    assert not object_file.fits(content, [])


@settings(deadline=None, max_examples=300)
@given(data=st.data())
def test_bent_objects_are_refused_or_still_hold_every_bound(dense, data):
    names, content = dense
    cut = data.draw(st.integers(0, len(content) - 1))
    assert not object_file.fits(content[:cut], names) or cut > len(content) - 64
    bent = bytearray(content)
    for _ in range(data.draw(st.integers(1, 8))):
        bent[data.draw(st.integers(0, len(bent) - 1))] = data.draw(st.integers(0, 255))
    object_file.fits(bytes(bent), names)
    assert not object_file.fits(data.draw(st.binary(max_size=400)), names)


def test_every_section_that_reaches_beyond_the_file_is_seen(dense):
    names, content = dense
    place, count = int.from_bytes(content[40:48], "little"), int.from_bytes(content[60:62], "little")
    for number in range(1, count):
        for field in (24, 32):
            bent = bytearray(content)
            at = place + 64 * number + field
            bent[at : at + 8] = (1 << 62).to_bytes(8, "little")
            kind = int.from_bytes(content[place + 64 * number + 4 :][:4], "little")
            assert kind == 8 or not object_file.fits(bytes(bent), names)


def test_another_machines_object_is_refused(dense):
    names, content = dense
    bent = bytearray(content)
    bent[18:20] = (243).to_bytes(2, "little")
    assert not object_file.fits(bytes(bent), names)


def test_garbage_with_a_valid_digest_does_not_end_the_process(tmp_path):
    """The worst that can lie there: files of the right names, keyed with this user's secret."""
    cache = tmp_path / "cache"
    first = start(cache)
    assert first.returncode == 0, first.stderr
    planted = sorted(cache.glob("*.bin"))
    assert len(planted) >= 6
    for number, path in enumerate(planted):
        whole = code_cache.read(path)
        assert whole is not None
        names, _, content = whole.partition(b"\0")
        garbage = [b"", b"\x90" * 5000, content[: len(content) // 2], content[:64] + b"\xff" * (len(content) - 64)]
        code_cache.write(path, names + b"\0" + garbage[number % len(garbage)])
    again = start(cache)
    assert (again.returncode, again.stdout) == (0, first.stdout), again.stderr


def test_a_program_planted_in_a_world_writable_folder_is_not_run(tmp_path):
    cache = tmp_path / "cache"
    cache.mkdir()
    cache.chmod(0o777)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    done = start(cache, TMPDIR=str(temporary))
    assert done.returncode == 0
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"tsuzuki: {cache} can be written by others (mode 777); machine code is kept in {temporary}")
    assert not list(cache.iterdir())
    assert list(temporary.glob("tsuzuki-*/*.bin"))


def test_a_folder_that_another_process_makes_at_the_same_time_is_used(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "exists", lambda path: False)
    code_cache.write(tmp_path / "a" / "dense.bin", b"code")
    (tmp_path / "b").mkdir()
    code_cache.write(tmp_path / "b" / "dense.bin", b"code")
    assert [code_cache.read(tmp_path / name / "dense.bin") for name in "ab"] == [b"code"] * 2
