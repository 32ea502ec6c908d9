"""The readings that a shard of series has taken since its states were last written, in a file that only grows.

A record is on the disk before anyone is told that its readings were taken. One that was cut short by a crash is left
out: nobody was told of it.
"""

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tsuzuki.errors import FileError

# Number of the update, series, check sum of what follows; then positions (int32) and values (float64).
_HEAD = struct.Struct("<QII")


class UpdateLog:
    """The open log of a shard.

    Args:
        path: the file; it is made if there is none.

    Raises:
        FileError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = path.open("ab")
        except OSError as error:
            raise FileError(f"{path} cannot be written ({error.strerror}); name another folder") from None

    def append(self, number: int, which: NDArray[np.int32], values: NDArray[np.float64]) -> None:
        """Write an update, and be sure that it is on the disk.

        Args:
            number: of the update.
            which: int32 [series], the series that have a reading.
            values: float64 [series], NaN for one that is missing.

        Raises:
            FileError: the disk is full; the log is as it was.
        """
        body = which.astype("<i4").tobytes() + values.astype("<f8").tobytes()
        before = self._file.tell()
        try:
            self._file.write(_HEAD.pack(number, len(which), zlib.crc32(body)) + body)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            os.truncate(self.path, before)
            raise FileError(f"{self.path} cannot be written ({error.strerror}); make room and go on") from None

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def updates_in(path: Path) -> Iterator[tuple[int, NDArray[np.int32], NDArray[np.float64], int]]:
    """The updates of a log up to the first that is cut short: number, series, values, and where the record ends.

    Raises:
        FileError: the log cannot be read.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return
    except OSError as error:
        raise FileError(f"{path} cannot be read ({error.strerror}); check its permissions") from None
    at = 0
    while at + _HEAD.size <= len(content):
        number, count, check = _HEAD.unpack_from(content, at)
        end = at + _HEAD.size + 12 * count
        body = content[at + _HEAD.size : end]
        if end > len(content) or zlib.crc32(body) != check:
            return
        yield number, np.frombuffer(body, "<i4", count), np.frombuffer(body, "<f8", count, 4 * count), end
        at = end
