"""The states of many series on disk, safe against a crash at any moment: SQLite with a write-ahead log.

A batch of input lines is one transaction: the states that it produced, and the number of its last line. What stands in
the store is therefore always the state after exactly so many lines. Each row has a checksum, and so has what they are
together, so that a damaged store is named and not taken for another state.
"""

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from tsuzuki.errors import FileError, SettingError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NAME, FORMAT = "states.sqlite", 2
_COLUMNS = {
    "facts": ("name", "value"),
    "series": ("id", "line", "time", "missing", "state", "checksum"),
}
_TABLES = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS series (
    id TEXT PRIMARY KEY, line INTEGER NOT NULL, time INTEGER NOT NULL, missing INTEGER NOT NULL, state BLOB NOT NULL,
    checksum BLOB NOT NULL
) WITHOUT ROWID;
"""
_FACTS = ("model", "line", "series", "checksum")


def _checksum(*parts: object) -> bytes:
    digest = hashlib.blake2b(digest_size=8)
    for part in parts:
        piece = part if isinstance(part, bytes) else str(part).encode("utf-8", "surrogatepass")
        digest.update(len(piece).to_bytes(8, "little") + piece)
    return digest.digest()


class StateStore:
    """A folder that holds states.

    Args:
        folder: made if it is not there.
        model: the hash of the model that the states belong to.
        begin_anew: series whose states are dropped, damaged or not; they begin anew.

    Raises:
        FileError: the folder cannot be made or written, another process uses it, or what it holds is no store.
        SettingError: it holds the states of another model, or no state of a series that is to begin anew.
    """

    def __init__(self, folder: str | Path, model: str, begin_anew: Sequence[str] = ()) -> None:
        self._path = Path(folder) / NAME
        try:
            Path(folder).mkdir(parents=True, exist_ok=True)
            self._base = sqlite3.connect(self._path, isolation_level=None, timeout=1)
            try:
                facts = self._open()
                if facts and facts["model"] != model:
                    raise SettingError(
                        f"--state {folder} holds the states of another model; name another folder, or the model that "
                        "wrote them"
                    )
                self._model, self.line = model, int(facts.get("line", 0))
                self._ids = {name for (name,) in self._base.execute("SELECT id FROM series")}
                written = int(facts.get("series", 0))
                if written != len(self._ids):
                    raise FileError(
                        f"{self._path} is damaged: it holds {len(self._ids)} series, but {written} were written; take "
                        "an intact copy"
                    )
                if not facts:
                    self._base.execute("BEGIN IMMEDIATE")
                    self._write_facts(0)
                    self._base.execute("COMMIT")
                self._drop(begin_anew)
            except BaseException:
                self._base.close()
                raise
        except (OSError, sqlite3.Error, UnicodeDecodeError) as error:
            if isinstance(error, FileError):
                raise
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
                raise FileError(
                    f"--state {folder} is in use by another process; wait for its end or name another folder"
                ) from None
            said = getattr(error, "strerror", None) or str(error)
            raise FileError(f"--state {folder} cannot be used ({said}); name a folder that can be written") from None

    def _open(self) -> dict[str, str]:
        """Set the database up; the facts of an older one, none for a new one."""
        # Two processes that take the same series in turns would both be wrong: the first keeps the store.
        self._base.execute("PRAGMA locking_mode=EXCLUSIVE")
        facts = read_facts(self._base, self._path)
        self._base.execute("PRAGMA journal_mode=WAL")
        # With a write-ahead log this survives a killed process; FULL also survives a power cut.
        self._base.execute("PRAGMA synchronous=FULL")
        if not facts:
            self._base.executescript(f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version={FORMAT}; COMMIT;")
        self._base.execute("BEGIN IMMEDIATE")
        self._base.execute("COMMIT")
        return facts

    def _drop(self, names: Sequence[str]) -> None:
        if unknown := [name for name in names if name not in self._ids]:
            raise SettingError(f"{self._path} has no state of series {unknown[0]!r}; `tsuzuki info` lists what it has")
        if names:
            self._base.execute("BEGIN IMMEDIATE")
            self._base.executemany("DELETE FROM series WHERE id = ?", [(name,) for name in names])
            self._ids -= set(names)
            self._write_facts(self.line)
            self._base.execute("COMMIT")

    def _write_facts(self, line: int) -> None:
        values = (self._model, str(line), str(len(self._ids)))
        rows = zip(_FACTS, (*values, _checksum(*values).hex()), strict=True)
        self._base.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", rows)

    def __enter__(self) -> "StateStore":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._base.close()

    def load(self) -> "list[tuple[str, int, int, NDArray[np.float32]]]":
        """Every series: its id, the time of its last reading (ns), how many it has missed, and its state.

        Raises:
            FileError: a series is damaged; the message names it.
        """
        import numpy as np

        found = []
        try:
            for row, whole in read_rows(self._base):
                if not whole:
                    raise FileError(
                        f"{self._path} is damaged where it holds series {row[0]!r}; --begin-anew {row[0]} lets this "
                        "series begin anew, or take an intact copy"
                    )
                found.append((row[0], row[2], row[3], np.frombuffer(row[4], np.float32)))
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise FileError(f"{self._path} is damaged ({error}); take an intact copy") from None
        return found

    def commit(self, line: int, rows: "Iterable[tuple[str, int, int, int, bytes]]") -> None:
        """Store states (id, line, time, missing, state) and the number of the last line that they include.

        Raises:
            FileError: it cannot be written; the store stays as it was.
        """
        before = set(self._ids)
        try:
            self._base.execute("BEGIN IMMEDIATE")
            summed = [(*row, _checksum(*row)) for row in rows]
            self._base.executemany("INSERT OR REPLACE INTO series VALUES (?, ?, ?, ?, ?, ?)", summed)
            self._ids.update(row[0] for row in summed)
            self._write_facts(line)
            self._base.execute("COMMIT")
        except sqlite3.Error as error:
            self._ids = before
            if self._base.in_transaction:
                self._base.execute("ROLLBACK")
            raise FileError(f"{self._path} cannot be written ({error}); free some space and start again") from None
        self.line = line


def read_facts(base: sqlite3.Connection, path: Path) -> dict[str, str]:
    """What a database says of itself; nothing where it is new.

    Raises:
        FileError: it is no store, a damaged one, or one of another version.
    """
    tables = {name for (name,) in base.execute("SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'")}
    if not tables:
        return {}
    if foreign := sorted(tables - set(_COLUMNS)):
        raise FileError(f"{path} has other tables ({', '.join(foreign)[:60]}) and is no store of states; name another")
    (version,) = base.execute("PRAGMA user_version").fetchone()
    if version != FORMAT:
        raise FileError(f"{path} was written by another tsuzuki (format {version}); name another folder")
    for table, names in _COLUMNS.items():
        columns = tuple(row[1] for row in base.execute(f"PRAGMA table_info({table})"))
        if columns != names:
            raise FileError(f"{path} has other columns in {table!r} and is no store of states; name another folder")
    (said,) = base.execute("PRAGMA quick_check(1)").fetchone()
    if said != "ok":
        raise FileError(f"{path} is damaged ({' '.join(str(said).split())[:80]}); take an intact copy")
    facts = {str(name): str(value) for name, value in base.execute("SELECT name, value FROM facts")}
    if not facts:
        return {}
    values = tuple(facts.get(name, "") for name in _FACTS[:3])
    if facts.get("checksum") != _checksum(*values).hex():
        raise FileError(f"{path} is damaged where it names its model and line; take an intact copy")
    return facts


def read_rows(base: sqlite3.Connection) -> Iterator[tuple[Any, bool]]:
    """Every series' row, and whether it is as it was written."""
    for row in base.execute("SELECT id, line, time, missing, state, checksum FROM series ORDER BY id"):
        kinds = (str, int, int, int, bytes)
        whole = all(isinstance(cell, kind) for cell, kind in zip(row[:5], kinds, strict=True))
        yield row, whole and len(row[4]) % 4 == 0 and row[5] == _checksum(*row[:5])


def describe(folder: str | Path) -> dict[str, Any]:
    """What a folder of states holds, whatever its model; damaged series are named.

    Raises:
        FileError: it is no store, or in use.
    """
    import numpy as np

    path = Path(folder) / NAME
    if not path.is_file():
        raise FileError(
            f"{folder} holds no states (there is no {NAME} in it); name a file or a folder that tsuzuki wrote"
        )
    try:
        base = sqlite3.connect(path, isolation_level=None, timeout=1)
        try:
            facts, rows = read_facts(base, path), list(read_rows(base))
        finally:
            base.close()
    except (sqlite3.Error, UnicodeDecodeError) as error:
        busy = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY
        said = "is in use by another process; wait for its end" if busy else f"cannot be read ({error}); take a copy"
        raise FileError(f"{path} {said}") from None
    times = [int(row[2]) for row, whole in rows if whole]
    return {
        "kind": "states",
        "model": facts.get("model", ""),
        "line": int(facts.get("line", 0)),
        "series": len(rows),
        "ids": [str(row[0]) for row, _ in rows],
        "last_times": [str(np.datetime64(time, "ns"))[:19] for time in times],
        "damaged": [str(row[0]) for row, whole in rows if not whole],
    }
