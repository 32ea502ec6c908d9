"""The states of many series on disk, safe against a crash at any moment: SQLite with a write-ahead log.

A batch of input lines is one transaction: the states that it produced, and the number of its last line. What stands in
the store is therefore always the state after exactly so many lines.
"""

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from tsuzuki.errors import FileError, SettingError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NAME = "states.sqlite"
_TABLES = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS series (
    id TEXT PRIMARY KEY, line INTEGER NOT NULL, time INTEGER NOT NULL, missing INTEGER NOT NULL, state BLOB NOT NULL
) WITHOUT ROWID;
"""


class StateStore:
    """A folder that holds states.

    Args:
        folder: made if it is not there.
        model: the hash of the model that the states belong to.

    Raises:
        FileError: the folder cannot be made or written, another process uses it, or what it holds is no store.
        SettingError: it holds the states of another model.
    """

    def __init__(self, folder: str | Path, model: str) -> None:
        self._path = Path(folder) / NAME
        try:
            Path(folder).mkdir(parents=True, exist_ok=True)
            self._base = sqlite3.connect(self._path, isolation_level=None, timeout=1)
            # Two processes that take the same series in turns would both be wrong: the first keeps the store.
            self._base.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._base.execute("PRAGMA journal_mode=WAL")
            # With a write-ahead log this survives a killed process; FULL also survives a power cut.
            self._base.execute("PRAGMA synchronous=FULL")
            self._base.executescript(_TABLES)
            found = dict(self._base.execute("SELECT name, value FROM facts"))
            self._base.execute("BEGIN IMMEDIATE")
            self._base.execute("COMMIT")
        except (OSError, sqlite3.Error) as error:
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
                raise FileError(
                    f"--state {folder} is in use by another process; wait for its end or name another folder"
                ) from None
            said = getattr(error, "strerror", None) or str(error)
            raise FileError(f"--state {folder} cannot be used ({said}); name a folder that can be written") from None
        if "model" not in found:
            self._base.execute("INSERT INTO facts VALUES ('model', ?), ('line', '0')", (model,))
        elif found["model"] != model:
            raise SettingError(
                f"--state {folder} holds the states of another model; name another folder, or the model that wrote them"
            )
        self.line = int(found.get("line", 0))

    def __enter__(self) -> "StateStore":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._base.close()

    def load(self) -> "list[tuple[str, int, int, NDArray[np.float32]]]":
        """Every series: its id, the time of its last reading (ns), how many it has missed, and its state."""
        import numpy as np

        rows = self._base.execute("SELECT id, time, missing, state FROM series ORDER BY id")
        return [(name, time, missing, np.frombuffer(state, np.float32)) for name, time, missing, state in rows]

    def commit(self, line: int, rows: "Iterable[tuple[str, int, int, int, bytes]]") -> None:
        """Store states (id, line, time, missing, state) and the number of the last line that they include.

        Raises:
            FileError: it cannot be written; the store stays as it was.
        """
        try:
            self._base.execute("BEGIN IMMEDIATE")
            self._base.executemany("INSERT OR REPLACE INTO series VALUES (?, ?, ?, ?, ?)", rows)
            self._base.execute("UPDATE facts SET value = ? WHERE name = 'line'", (str(line),))
            self._base.execute("COMMIT")
        except sqlite3.Error as error:
            if self._base.in_transaction:
                self._base.execute("ROLLBACK")
            raise FileError(f"{self._path} cannot be written ({error}); free some space and start again") from None
        self.line = line
