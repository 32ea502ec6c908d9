"""Windows and macOS, where no such machine is to be had: what asks for the platform, with the platform patched."""

import errno
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from tsuzuki import storage
from tsuzuki.commands import stream_output, terminal
from tsuzuki.data.panel_store import stores_folder
from tsuzuki.engine import code_cache
from tsuzuki.errors import FileError


@pytest.fixture
def windows(monkeypatch):
    monkeypatch.setattr("sys.platform", "win32")
    monkeypatch.setattr(storage, "PAUSE", 0)


@pytest.mark.parametrize(
    ("platform", "variables", "folder"),
    [
        ("win32", {"LOCALAPPDATA": "/users/a/local"}, "/users/a/local/tsuzuki"),
        ("win32", {}, "/home/a/AppData/Local/tsuzuki"),
        ("darwin", {"XDG_CACHE_HOME": "/xdg"}, "/home/a/Library/Caches/tsuzuki"),
        ("linux", {"XDG_CACHE_HOME": "/xdg"}, "/xdg/tsuzuki"),
        ("linux", {}, "/home/a/.cache/tsuzuki"),
        ("win32", {"TSUZUKI_CACHE_DIR": "/own"}, "/own"),
    ],
)
def test_machine_code_and_stores_of_series_lie_where_the_platform_keeps_such_files(
    monkeypatch, platform, variables, folder
):
    for name in ("TSUZUKI_CACHE_DIR", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(Path, "home", lambda: Path("/home/a"))
    monkeypatch.setattr("sys.platform", platform)
    assert storage.user_cache_folder() == Path(folder)
    assert stores_folder(None) == Path(folder) / "panels"
    assert stores_folder("here") == Path("here")


def held_open(times, tried):
    """A replacement of os.replace that a reader of the target makes fail some times."""
    real = os.replace

    def replace(source, target):
        tried.append(target)
        if len(tried) <= times:
            raise PermissionError(errno.EACCES, "Access is denied")
        real(source, target)

    return replace


def test_a_file_that_a_scanner_holds_for_a_moment_is_replaced_on_windows(windows, tmp_path, monkeypatch):
    tried = []
    (tmp_path / "m").write_bytes(b"old")
    monkeypatch.setattr("os.replace", held_open(3, tried))
    storage.write_bytes(tmp_path / "m", b"new")
    assert ((tmp_path / "m").read_bytes(), len(tried)) == (b"new", 4)


@pytest.mark.parametrize("platform", ["win32", "linux"])
def test_a_file_that_is_held_for_good_stays_and_one_line_says_so(tmp_path, monkeypatch, platform):
    tried = []
    monkeypatch.setattr("sys.platform", platform)
    monkeypatch.setattr(storage, "PAUSE", 0)
    monkeypatch.setattr("os.replace", held_open(1000, tried))
    (tmp_path / "m").write_bytes(b"old")
    with pytest.raises(FileError, match=r"m cannot be written \(Access is denied\); name another place"):
        storage.write_bytes(tmp_path / "m", b"new")
    assert [one.name for one in tmp_path.iterdir()] == ["m"]
    assert (tmp_path / "m").read_bytes() == b"old"
    assert len(tried) == (storage.TRIES + 1 if platform == "win32" else 1)


def test_machine_code_that_cannot_be_kept_leaves_nothing_beside_it(windows, tmp_path, monkeypatch):
    monkeypatch.setattr("os.replace", held_open(1000, []))
    code_cache.write(tmp_path / "code", b"machine code")
    assert not list(tmp_path.iterdir())


def test_without_owners_and_modes_no_folder_is_asked_for_them(monkeypatch, tmp_path):
    tmp_path.chmod(0o777)
    assert code_cache.unsafe(tmp_path)
    # Windows has no os.getuid: what would ask for it must not be reached.
    monkeypatch.setattr("os.name", "nt")
    monkeypatch.delattr("os.getuid")
    assert code_cache.unsafe(tmp_path) is None


def test_a_process_is_not_asked_by_a_signal_on_windows_where_any_signal_ends_it(monkeypatch):
    monkeypatch.setattr("os.name", "nt")
    monkeypatch.setattr("os.kill", lambda *_: pytest.fail("a signal was sent"))
    assert storage._is_running(1)


def test_on_windows_threads_give_way_by_its_own_function(windows, monkeypatch):
    import ctypes

    from llvmlite import binding

    from tsuzuki.engine import machine_code

    named = {}
    own = ctypes.CFUNCTYPE(ctypes.c_int)(lambda: 0)
    library = type("Library", (), {"SwitchToThread": own})
    monkeypatch.setattr(ctypes, "WinDLL", lambda name: {"kernel32": library}[name], raising=False)
    monkeypatch.setattr(binding, "add_symbol", named.__setitem__)
    machine_code._name_what_windows_lacks.__wrapped__()
    assert named == {"sched_yield": ctypes.cast(own, ctypes.c_void_p).value}


def test_a_command_is_quoted_as_the_platforms_shell_reads_it(monkeypatch):
    monkeypatch.setattr("sys.argv", ["tsuzuki", "fit", "my file.csv"])
    assert terminal.command_line() == "tsuzuki fit 'my file.csv'"
    monkeypatch.setattr("sys.platform", "win32")
    assert terminal.command_line() == 'tsuzuki fit "my file.csv"'


def test_a_reader_that_went_away_is_known_by_windows_word_for_it(windows, monkeypatch, capsys):
    class Gone(io.TextIOWrapper):
        def write(self, text):
            raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr("os.dup2", lambda *_: None)
    monkeypatch.setattr("sys.stdout", Gone(io.BytesIO()))
    output = stream_output.Output()
    with pytest.raises(typer.Exit) as caught:
        output.write("1,2\n", 1)
    assert caught.value.exit_code == stream_output.BROKEN_PIPE
    monkeypatch.setattr("sys.platform", "linux")
    with pytest.raises(FileError, match=r"standard output cannot be written \(Invalid argument\)"):
        output.write("1,2\n", 1)


def test_letters_that_a_terminal_lacks_end_no_command_and_data_are_utf8(tmp_path):
    text = "時刻,気温µ\n2024-01-01,1\n2024-01-02,2\n2024-01-03,1.5\n2024-01-04,2\n"
    (tmp_path / "a.csv").write_text(text, "utf-8")
    environment = {**os.environ, "PYTHONIOENCODING": "cp932", "PYTHONUTF8": "0"}
    command = [sys.executable, "-m", "tsuzuki", "info", "a.csv"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    # cp932 has no micro sign.
    assert "気温?" in done.stdout.decode("cp932")
    done = subprocess.run([*command, "--json", "-"], cwd=tmp_path, env=environment, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    assert "気温µ" in done.stdout.decode("utf-8")
