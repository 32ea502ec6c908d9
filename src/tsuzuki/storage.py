"""Model files: one file, arrays in `safetensors` form with JSON beside them, nothing that could be executed.

A digest over names, shapes, bytes and the JSON tells an altered file from a whole one. A file is written beside its
target, synced and renamed, so that a crash leaves the old file or the new one.
"""

import glob
import hashlib
import json
import os
import secrets
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tsuzuki.errors import FileError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FORMAT, VERSION = "tsuzuki", 1
# How often, and after how many seconds each, a file is replaced on Windows while a reader holds it.
TRIES, PAUSE = 40, 0.05


@dataclass(frozen=True)
class Stored:
    """What a file holds.

    Attributes:
        kind: what it is: "forecaster", "stream", "checkpoint".
        facts: its JSON.
        arrays: its arrays by name.
    """

    kind: str
    facts: dict[str, Any]
    arrays: "dict[str, NDArray[Any]]"


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, and be sure that it is on the disk.

    A link keeps pointing at its file, which is written; a device or a pipe is written to, not replaced.

    Raises:
        FileError: the folder is missing or cannot be written, or the disk is full; what stood there before is intact.
    """
    temporary = None
    try:
        target = path.resolve()
        if target.exists() and not target.is_file():
            target.write_bytes(content)
            return
        # Not tempfile's: its files are for their owner's eyes only, whatever the user's umask says.
        name = target.with_name(f".{target.name}.{os.getpid()}-{secrets.token_hex(4)}")
        with open(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "wb") as file:
            temporary = name
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        replace(temporary, target)
        _sync_folder(target.parent)
    except BaseException as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise FileError(f"{path} cannot be written ({error.strerror}); name another place") from error
        raise


def replace(source: Path, target: Path) -> None:
    """Put a file in another's place in one step.

    Windows refuses it while anyone, a virus scanner say, has the other one open, so there it is tried for two seconds.

    Raises:
        OSError: the other one cannot be replaced; both are as they were.
    """
    for _ in range(TRIES if sys.platform == "win32" else 0):
        try:
            os.replace(source, target)
            return
        except PermissionError:
            time.sleep(PAUSE)
    os.replace(source, target)


def user_cache_folder() -> Path:
    """TSUZUKI_CACHE_DIR, or a folder among the user's cached files as this platform's conventions ask."""
    if chosen := os.environ.get("TSUZUKI_CACHE_DIR"):
        return Path(chosen)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return base / "tsuzuki"


def remove_leftovers(path: Path) -> None:
    """Remove what killed processes have left beside a file that they were writing; what living ones write stays."""
    for one in path.parent.glob(f".{glob.escape(path.name)}.*-*"):
        writer = one.name.removeprefix(f".{path.name}.").partition("-")[0]
        if writer.isdigit() and not _is_running(int(writer)):
            one.unlink(missing_ok=True)


def _is_running(process: int) -> bool:
    if os.name != "posix":
        # Elsewhere a signal would end it, even one that only asks.
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _sync_folder(folder: Path) -> None:
    """Make a rename durable, where the system knows how."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write(path: Path | str, kind: str, facts: Mapping[str, Any], arrays: "Mapping[str, NDArray[Any]]") -> None:
    """Store facts and arrays in a file.

    Args:
        path: the file; an existing one is replaced.
        kind: what it is.
        facts: anything that JSON can hold.
        arrays: by name.

    Raises:
        FileError: it cannot be written.
    """
    write_bytes(Path(path), pack(kind, facts, arrays))


def pack(kind: str, facts: Mapping[str, Any], arrays: "Mapping[str, NDArray[Any]]") -> bytes:
    """The bytes of a file; see `write`."""
    import numpy as np
    from safetensors.numpy import save

    whole = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    text = json.dumps({"kind": kind, **facts}, ensure_ascii=False)
    metadata = {"format": FORMAT, "version": str(VERSION), "json": text, "digest": _digest(text, whole)}
    return save(whole, metadata)


def read(path: Path | str, kind: str | None = None) -> Stored:
    """Read a file that `write` wrote.

    Args:
        path: the file.
        kind: what it must be, or None.

    Raises:
        FileError: there is no such file, or it is foreign, cut short, altered, of a newer format, or another kind.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise FileError(f"there is no file {path}; check the name") from None
    except OSError as error:
        raise FileError(f"{path} cannot be read ({error.strerror}); check its permissions") from None
    return unpack(content, str(path), kind)


def looks_stored(path: Path | str) -> bool:
    """Whether a file is one that `write` wrote, by its name or its beginning; it may still be cut short or foreign."""
    if Path(path).suffix == ".tsuzuki":
        return True
    try:
        with open(path, "rb") as file:
            head = file.read(9)
    except OSError:
        return False
    return len(head) == 9 and head[8:] == b"{" and int.from_bytes(head[:8], "little") < os.path.getsize(path)


def unpack(content: bytes, name: str, kind: str | None = None) -> Stored:
    """The facts and arrays in a file's bytes; see `read`."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    size = int.from_bytes(content[:8], "little") if len(content) >= 8 else -1
    if not 2 <= size <= len(content) - 8 or content[8:9] != b"{":
        raise FileError(f"{name} is no tsuzuki file, or it is cut short; name one that tsuzuki wrote")
    try:
        metadata = json.loads(content[8 : 8 + size]).get("__metadata__", {})
        arrays = load(content)
    except (SafetensorError, ValueError, TypeError, AttributeError, KeyError, RecursionError, OverflowError) as error:
        said = " ".join(str(error).split())[:100]
        raise FileError(f"{name} is cut short or altered ({said}); take an intact copy") from None
    if not isinstance(metadata, dict) or metadata.get("format") != FORMAT:
        raise FileError(f"{name} was not written by tsuzuki; name a file that it wrote")
    version = str(metadata.get("version"))
    if not version.isdigit() or int(version) > VERSION:
        raise FileError(f"{name} has format {version[:20]}, newer than this tsuzuki knows ({VERSION}); upgrade tsuzuki")
    text = str(metadata.get("json"))
    if _digest(text, arrays) != metadata.get("digest"):
        raise FileError(f"{name} has been altered since it was written (its digest disagrees); take an intact copy")
    try:
        facts = json.loads(text)
        found = str(facts.pop("kind"))
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
        raise FileError(f"{name} lacks its description; take an intact copy") from None
    if kind is not None and found != kind:
        raise FileError(f"{name} holds a {found}, not a {kind}; name another file")
    return Stored(found, facts, arrays)


def _digest(text: str, arrays: "Mapping[str, NDArray[np.generic]]") -> str:
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass"))
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"\0{name}\0{array.dtype.str}\0{array.shape}\0".encode("utf-8", "surrogatepass"))
        digest.update(array.tobytes())
    return digest.hexdigest()
