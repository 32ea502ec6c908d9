"""A run on disk: enough to go on after a crash and to end with the same bits as if there had been none.

What is written between two calls of the compiled program is everything that training consists of. A checkpoint knows
which run it belongs to and refuses every other.
"""

import hashlib
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tsuzuki.errors import FileError, SettingError
from tsuzuki.storage import remove_leftovers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tsuzuki.layouts.layout import Layout
    from tsuzuki.storage import Stored

# Updates whose rows stand for a layout in a run's identity: no other begins like it.
IDENTIFYING = 64
# Bytes of an array that are made contiguous at once.
PIECE = 1 << 26
UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds_of(every: str | float) -> float:
    """Seconds in a span such as "30s", "5m", "1h", or a number of seconds.

    Raises:
        SettingError: anything else.
    """
    match = re.fullmatch(r"\s*([0-9.]+)\s*([smh]?)\s*", str(every))
    try:
        if match is not None:
            return float(match[1]) * UNITS[match[2]]
    except ValueError:
        pass
    raise SettingError(f"every is {every!r}; give a span such as 30s, 5m or 1h")


def identity_of(*parts: Any) -> str:
    """A hash of all that makes a run what it is: descriptions by their text, arrays by their bytes."""
    import numpy as np

    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(f"{part.dtype.str}{part.shape}".encode())
            for piece in np.array_split(part, max(1, part.nbytes // PIECE)):
                digest.update(np.ascontiguousarray(piece).view(np.uint8).data)
        else:
            digest.update(repr(part).encode())
        digest.update(b"\0")
    return digest.hexdigest()


def rows_of(*layouts: "Layout | None") -> list[Any]:
    """What layouts are known by in `identity_of`: their sizes and first rows, and how the machine lays vectors out."""
    from tsuzuki.kernels.host import WIDTH

    parts: list[Any] = [WIDTH]
    for layout in layouts:
        if layout is not None:
            sizes = (layout.lanes, layout.timesteps, layout.updates, layout.targets, layout.every_step, layout.slots)
            head = layout.block(0, min(layout.updates, IDENTIFYING))
            parts += [sizes, head.starts, head.valid, head.entries, head.exits]
    return parts


class Checkpoint:
    """One run's file.

    Args:
        path: the file.
        every: how often it is written.
        identity: of the run (`identity_of`).

    Raises:
        FileError: the folder does not exist.
        SettingError: `every` is no span of time.
    """

    def __init__(self, path: str | Path, every: str | float, identity: str) -> None:
        self.path, self._seconds, self._identity = Path(path), seconds_of(every), identity
        if self.path.is_dir():
            raise FileError(f"checkpoint names {self.path}, which is a folder; name a file in it")
        if not self.path.parent.is_dir():
            raise FileError(f"checkpoint names {self.path}, but there is no folder {self.path.parent}; make it first")
        remove_leftovers(self.path)
        self._written = time.monotonic()

    def load(self) -> "Stored | None":
        """What was written last, or None where nothing was.

        Raises:
            FileError: the file is damaged.
            SettingError: it belongs to another run.
        """
        from tsuzuki.storage import read

        if not self.path.exists():
            return None
        stored = read(self.path, "checkpoint")
        if stored.facts.get("identity") != self._identity:
            raise SettingError(
                f"checkpoint {self.path} belongs to another run (its data, network or options differ); "
                "delete it, or name another file"
            )
        return stored

    def due(self) -> bool:
        """Whether it is time to write again."""
        return time.monotonic() - self._written >= self._seconds

    def write(self, facts: Mapping[str, Any], arrays: "Mapping[str, NDArray[Any]]") -> None:
        """Replace what was written before, whole or not at all.

        Raises:
            FileError: it cannot be written; what was written before is intact.
        """
        from tsuzuki.storage import write

        write(self.path, "checkpoint", {"identity": self._identity, **facts}, arrays)
        self._written = time.monotonic()
