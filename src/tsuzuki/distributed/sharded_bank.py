"""A bank of series spread over workers, which keeps its states on the disk: one call in, forecasts out.

Each series belongs to the shard that a hash of its name says. A worker that dies is replaced, reads its states and the
readings since, and goes on with the same bits. The folder of a bank may be opened with another number of workers.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tsuzuki.distributed.shards import Arguments, Call, LocalShards, shards_for
from tsuzuki.distributed.workers import check_ray, check_workers
from tsuzuki.errors import FileError, SettingError
from tsuzuki.forecasting.fitted import Fitted
from tsuzuki.forecasting.serialization import model_id
from tsuzuki.forecasting.settings import Settings
from tsuzuki.storage import write_bytes
from tsuzuki.streaming.readings import checked_readings, places_of

# Updates after which the states are written.
WRITTEN_EVERY = 500


class Trained(Protocol):
    """Whatever holds a trained forecaster: a fitted `Forecaster`."""

    settings: Settings
    fitted: Fitted | None


class ShardedBank:
    """Many series over several workers; see `streaming.bank.Bank` for what a bank is.

    Args:
        forecaster: a fitted one.
        folder: where states and readings are kept. One that holds them already is gone on with: series, model and
            number of updates must be its own. With a cluster, all machines must see it under this name.
        ids: the series; None for those of the training data, or of the folder.
        workers: shards, each a process of its own; 1 computes in this process, more need the extra `ray`.
        address: of a Ray cluster; None: this machine.

    Attributes:
        ids: the series, in order.
        number: of the last update.

    Raises:
        SettingError: not fitted, no ids, an id twice, no worker, or covariates.
        FileError: the folder belongs to another model or other series, or is damaged.
        MissingExtraError: Ray is needed and not installed.

    Example:
        with ShardedBank(model, "states", workers=4) as bank:
            forecasts = bank.update(values)
    """

    def __init__(
        self,
        forecaster: Trained,
        folder: str | Path,
        ids: Sequence[str] | None = None,
        *,
        workers: int = 1,
        address: str | None = None,
    ) -> None:
        check_workers(workers, address)
        if workers > 1:
            check_ray("several workers of a bank need", "leave workers at 1")
        if forecaster.fitted is None:
            raise SettingError("this Forecaster has not been fitted; call fit(frame) first")
        self._fitted, self._settings = forecaster.fitted, forecaster.settings
        if self._settings.columns.all:
            raise SettingError("the forecaster reads covariates, which a bank on workers does not take; use bank()")
        self._folder, self._workers = Path(folder), workers
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FileError(f"{folder} cannot be made ({error.strerror}); name another folder") from None
        known = self._manifest()
        self.ids = tuple(ids if ids is not None else known["ids"] if known else self._fitted.ids)
        if not self.ids or len(set(self.ids)) < len(self.ids):
            raise SettingError("the ids of a bank are none, or one of them stands there twice; give each series once")
        self._check_manifest(known)
        self._places = {name: place for place, name in enumerate(self.ids)}
        self._owner = np.array([_hash(name) % workers for name in self.ids], np.int64)
        self._members = [np.flatnonzero(self._owner == shard) for shard in range(workers)]
        self._within = np.zeros(len(self.ids), np.int32)
        for members in self._members:
            self._within[members] = np.arange(len(members))
        self.number = 0
        self._shards = shards_for(workers, address)
        self._open(known)
        limits = self._ask([("limits",)] * workers)
        self._limits = np.zeros(len(self.ids))
        for members, own in zip([own for own in self._members if len(own)], limits, strict=True):
            self._limits[members] = own

    def _manifest(self) -> dict[str, Any]:
        path = self._folder / "bank.json"
        if not path.exists():
            return {}
        try:
            found = json.loads(path.read_text("utf-8"))
            return {name: found[name] for name in ("model", "ids", "workers", "generation")}
        except (OSError, ValueError, KeyError, TypeError):
            raise FileError(f"{path} is damaged; restore that folder from a copy") from None

    def _check_manifest(self, known: dict[str, Any]) -> None:
        if known and known["model"] != model_id(self._fitted):
            raise FileError(f"{self._folder} holds the states of another model; name another folder")
        if known and known["ids"] != list(self.ids):
            raise FileError(f"{self._folder} holds the states of other series; make the bank of the same ids")

    def _open(self, known: dict[str, Any]) -> None:
        """Make the shards, from the folder's files where it has them."""
        self._generation = known["generation"] if known else 0
        if known and known["workers"] == self._workers:
            self._shards.make(self._arguments(self._members, self._generation))
            self.number = min(self._ask([("last_logged",)] * self._workers))
            self._ask([("start", self.number)] * self._workers)
            return
        # States change hands once: the old shards' series are read here, and written by the new ones.
        arrays = self._gathered(known) if known else None
        self._generation += 1
        for path in self._folder.glob(f"{self._generation}-*"):
            path.unlink()
        self._shards.make(self._arguments(self._members, self._generation))
        if arrays is not None:
            parts = [{name: array[members] for name, array in arrays.items()} for members in self._members]
            self._ask([("adopt", part, self.number) for part in parts])
        self._ask([("start", self.number)] * self._workers)
        self._write_manifest()
        for path in self._folder.glob("*-*.*"):
            if path.name.split("-")[0] != str(self._generation):
                path.unlink()

    def _write_manifest(self) -> None:
        facts = {
            "model": model_id(self._fitted),
            "ids": list(self.ids),
            "workers": self._workers,
            "generation": self._generation,
        }
        write_bytes(self._folder / "bank.json", json.dumps(facts).encode())

    def _gathered(self, known: dict[str, Any]) -> dict[str, NDArray[Any]]:
        """Where all series of the folder stand, from the files of its old shards."""
        count = int(known["workers"])
        owner = np.array([_hash(name) % count for name in self.ids])
        members = [np.flatnonzero(owner == shard) for shard in range(count)]
        old = LocalShards()
        old.make(self._arguments(members, known["generation"]))
        self.number = min(old.ask([("last_logged",)] * count, 0))
        old.ask([("start", self.number)] * count, 0)
        found: dict[str, NDArray[Any]] = {}
        for own, arrays in zip([own for own in members if len(own)], old.ask([("arrays",)] * count, 0), strict=True):
            for name, array in arrays.items():
                found.setdefault(name, np.zeros((len(self.ids), *array.shape[1:]), array.dtype))[own] = array
        old.ask([("close",)] * count, 0)
        return found

    def _arguments(self, members: Sequence[NDArray[np.int64]], generation: int) -> list[Arguments]:
        """What each shard is made of; None for one without series."""
        ids = [[self.ids[place] for place in own] for own in members]
        return [
            (self._fitted, self._settings, own, self._folder, f"{generation}-{shard}") if own else None
            for shard, own in enumerate(ids)
        ]

    def _ask(self, calls: Sequence[Call]) -> list[Any]:
        return self._shards.ask(calls, self.number)

    def update(self, values: Any, ids: Sequence[str] | None = None) -> NDArray[np.float32]:
        """Take the next reading of series and forecast; the readings are on the disk when this returns.

        Args:
            values: float [series], NaN for a reading that is missing.
            ids: which series; None for all, in order.

        Returns:
            float32 [series, horizon], in the series' units.

        Raises:
            DataError: not one value for each series; no number or an infinite one; an id unknown, or twice.
            FileError: the disk is full; give the same readings again when there is room.
        """
        which = np.arange(len(self.ids)) if ids is None else places_of(ids, self._places)
        values = checked_readings(values, which, self.ids, self._limits[which])
        parts = self._parts(which)
        calls = [("update", self.number + 1, self._within[which[part]], values[part]) for part in parts]
        found = self._joined(parts, self._ask(calls))
        self.number += 1
        if self.number % WRITTEN_EVERY == 0:
            self.write_states()
        return found

    def interval(
        self, level: float, ids: Sequence[str] | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The ends of the intervals around the latest forecasts, [series, horizon] each.

        Raises:
            SettingError: a level that cannot be had.
        """
        which = np.arange(len(self.ids)) if ids is None else places_of(ids, self._places)
        parts = self._parts(which)
        found = self._ask([("interval", level, self._within[which[part]]) for part in parts])
        return self._joined(parts, [low for low, _ in found]), self._joined(parts, [high for _, high in found])

    def _parts(self, which: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """For each shard which of some series are its own."""
        owner = self._owner[which]
        return [np.flatnonzero(owner == shard) for shard in range(self._workers)]

    def _joined(self, parts: Sequence[NDArray[np.int64]], found: Sequence[NDArray[Any]]) -> NDArray[Any]:
        """What the shards gave for their parts, in the order of the series."""
        own = [part for part, members in zip(parts, self._members, strict=True) if len(members)]
        whole = np.zeros((sum(map(len, own)), self._settings.horizon), found[0].dtype)
        for part, rows in zip(own, found, strict=True):
            whole[part] = rows
        return whole

    def write_states(self) -> None:
        """Write the states of all series, so that the next start has no readings to take again."""
        self._ask([("write_states",)] * self._workers)

    def close(self) -> None:
        """Write the states and end the workers; `with` does it by itself."""
        self.write_states()
        self._ask([("close",)] * self._workers)
        self._shards.close()

    def __enter__(self) -> "ShardedBank":
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()


def _hash(name: str) -> int:
    """A number that depends on a name alone, on every machine."""
    return int.from_bytes(hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:8], "little")
