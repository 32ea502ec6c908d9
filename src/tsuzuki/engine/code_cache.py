"""Where machine code is kept on disk, and whether what lies there may be run.

Whoever can write a file of machine code runs what they like as whoever loads it. So a folder serves only if it and all
folders above it belong to this user or to root and nobody else can write there, as `ssh` asks it of its keys; else a
private folder among the temporary ones serves, and one line says why. Each file begins with a digest keyed with a
secret that only this user can read.
"""

import functools
import hashlib
import hmac
import logging
import os
import secrets
import stat
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from tsuzuki.storage import replace, user_cache_folder

KEYED, DIGEST = "code.key", 32
_OTHERS = stat.S_IWGRP | stat.S_IWOTH


def _configuration_folder() -> Path:
    if sys.platform == "win32":
        base = Path(os.environ.get("APPDATA", Path.home() / "AppData" / "Roaming"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_CONFIG_HOME", Path.home() / ".config"))
    return base / "tsuzuki"


def cache_folder() -> Path:
    """The folder that serves: the one asked for, or a private one where others can write there."""
    return _checked(user_cache_folder())


@functools.cache
def _checked(folder: Path) -> Path:
    why = unsafe(folder)
    if why is None:
        return folder
    private = _private_folder()
    _warn(f"{why}; machine code is kept in {private} instead")
    return private


def _warn(text: str) -> None:
    # Without handlers, as in most programs, this is one line on standard error.
    logging.getLogger("tsuzuki").warning("tsuzuki: %s", text)


def unsafe(path: Path) -> str | None:
    """Why others could change what lies at a path, or None. What is not there yet is as safe as what is above it."""
    if os.name != "posix":
        return None
    whole = Path(os.path.abspath(path))
    steps: Iterable[Path] = dict.fromkeys([*reversed(whole.parents), whole])
    if (target := whole.resolve()) != whole:
        steps = dict.fromkeys([*steps, *reversed(target.parents), target])
    for step in steps:
        try:
            found = step.lstat()
        except FileNotFoundError:
            continue
        except OSError as error:
            return f"{step} cannot be looked at ({error.strerror})"
        if why := _unsafe(step, found):
            return why
    return None


def _unsafe(path: Path, found: os.stat_result) -> str | None:
    """Why others could change this one file or folder, or None."""
    if found.st_uid not in (0, os.getuid()):
        return f"{path} belongs to another user"
    # A link's own mode means nothing. Of a folder with the sticky bit nobody can take away what is another's.
    sticky = stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX
    if found.st_mode & _OTHERS and not sticky and not stat.S_ISLNK(found.st_mode):
        return f"{path} can be written by others (mode {stat.S_IMODE(found.st_mode):o})"
    return None


@functools.cache
def _private_folder() -> Path:
    """A folder of this user alone among the temporary ones, the same each time where nobody else has taken its name."""
    wanted = Path(tempfile.gettempdir()) / f"tsuzuki-{os.getuid()}"
    try:
        wanted.mkdir(mode=0o700, exist_ok=True)
        if unsafe(wanted) is None:
            return wanted
    except OSError:
        pass
    return Path(tempfile.mkdtemp(prefix="tsuzuki-"))


@functools.cache
def _secret(folder: Path) -> bytes:
    """The secret of this user, made at the first need; one of this process alone where none can be kept."""
    path = folder / KEYED
    try:
        _make_folders(folder)
        if unsafe(path) is None:
            with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
                found = file.read()
                readable = os.name == "posix" and os.fstat(file.fileno()).st_mode & 0o077
                if len(found) == DIGEST and not readable:
                    return found
        fresh = secrets.token_bytes(DIGEST)
        _replace(path, fresh)
        # Of two processes that start together the later one's secret stays.
        return path.read_bytes() if unsafe(path) is None else fresh
    except OSError:
        return secrets.token_bytes(DIGEST)


def _digest(name: str, content: bytes) -> bytes:
    key = _secret(_checked(_configuration_folder()))
    return hmac.digest(key, name.encode() + b"\0" + content, hashlib.sha256)


def read(path: Path) -> bytes | None:
    """What `write` stored, or None where a file is absent, not whole, another user's, or not one that `write` wrote."""
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            why = _unsafe(path, found) if os.name == "posix" else None
            if why is not None:
                _warn(f"{why} and is not loaded")
                return None
            content = file.read()
    except OSError:
        return None
    digest, kept = content[:DIGEST], content[DIGEST:]
    return kept if hmac.compare_digest(_digest(path.name, kept), digest) else None


def write(path: Path, content: bytes) -> None:
    """Store a file whole or not at all; a folder that cannot be written only means making it again next time."""
    try:
        _make_folders(path.parent)
        _replace(path, _digest(path.name, content) + content)
    except OSError:
        return


def _make_folders(folder: Path) -> None:
    for missing in reversed([step for step in (folder, *folder.parents) if not step.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)


def _replace(path: Path, content: bytes) -> None:
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(content)
    try:
        replace(Path(file.name), path)
    except OSError:
        os.unlink(file.name)
        raise
