"""Processes that are killed at any moment, and disks that are full at any byte.

    python tools/interrupt.py                   200 kills, 50 places for each file on a full disk
    python tools/interrupt.py --kills 20 --places 5
    python tools/interrupt.py --disk /mnt/small a file system of its own that may be filled, such as
                                                mount -t tmpfs -o size=2m tmpfs /mnt/small

A training, a backtest and a stream are killed with SIGKILL and started again until they have ended `--kills` times too
early; their end must be, bit for bit, that of one that nobody killed. Then a model is saved, a training keeps its
checkpoint, and a store takes states, with room for 0, 1/50, 2/50, ... of what they write: they must say so in one
line, and leave what was there before. Without a disk of its own a limit on the size of files stands for a full one.
"""

import argparse
import contextlib
import functools
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from tsuzuki.commands import streaming
from tsuzuki.engine import machine_code
from tsuzuki.errors import FileError
from tsuzuki.forecaster import Forecaster, load
from tsuzuki.kernels.layers import kinds
from tsuzuki.streaming.state_store import StateStore

HOURS = pd.date_range("2024-01-01", periods=900, freq="h")
SERIES = pd.Series(10 + np.sin(np.arange(900) / 4), HOURS, name="s0")
SMALL = {"units": 3, "layers": 1, "head": 0, "ensemble": 2, "epochs": 3, "max_gap": 5}
LINES = [f"s0,{time},{value:.3f}" for time, value in zip(HOURS[120:520], SERIES[120:520], strict=True)]


class Wrong(Exception):  # noqa: N818
    """What was promised did not hold."""


def child(work: Callable[[], object]) -> int:
    """Do something in a process of its own that has all libraries already; its number."""
    number = os.fork()
    if number:
        return number
    code = 1
    try:
        work()
        code = 0
    except BaseException as error:
        with contextlib.suppress(Exception):
            code = getattr(error, "exit_code", None) or 1
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
    finally:
        os._exit(code)


def ended(number: int) -> int:
    """Wait for a process; its exit code, below 0 where a signal ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])


def digest_of(model: Forecaster) -> str:
    """What a trained forecaster has learnt and where it stands."""
    assert model.fitted is not None
    found = hashlib.sha256()
    for weights, state in zip(model.fitted.members, model.fitted.states, strict=True):
        for array in (*weights, state.saved, state.rows):
            found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


def training(folder: Path) -> None:
    """Train with a checkpoint that is written all the time, and leave what came of it."""
    model = Forecaster(2, **SMALL).fit(SERIES[:300], checkpoint=folder / "c", every=0.05)
    (folder / "end").write_text(digest_of(model))


def backtest(folder: Path) -> None:
    """A backtest likewise."""
    table = Forecaster(2, **SMALL).backtest(SERIES[:300], windows=9, checkpoint=folder / "c", every=0.05)
    (folder / "end").write_text(table.to_csv(float_format="%.17g"))


def stream(folder: Path) -> None:
    """Follow a file of lines from its beginning, and add what is said to what has been."""
    model = folder.parent / "model.tsuzuki"
    os.dup2(os.open(folder.parent / "lines", os.O_RDONLY), 0)
    os.dup2(os.open(folder / "out", os.O_WRONLY | os.O_CREAT | os.O_APPEND), 1)
    streaming.CHUNK = 200
    streaming._follow(str(model), str(folder / "states"), "auto", "auto", (), True, True)
    with StateStore(folder / "states", _model_id(model)) as store:
        states = [(name, at, missed, state.tobytes()) for name, at, missed, state in store.load()]
    said = (folder / "out").read_text().splitlines()
    # What was about to be written when it was killed is in the states all the same: lines may lack, none is wrong.
    whole = {line.split(",")[0]: line for line in said if line.count(",") == said[-1].count(",")}
    (folder / "said").write_text(json.dumps(whole))
    (folder / "end").write_text(hashlib.sha256(repr(states).encode()).hexdigest())


def _model_id(path: Path) -> str:
    from tsuzuki.forecasting.serialization import model_id

    fitted = load(path).fitted
    assert fitted is not None
    return model_id(fitted)


WORK = {"fit": training, "backtest": backtest, "stream": stream}


def killed(kind: str, times: int, draw: random.Random, folder: Path) -> int:
    """Kill something so often, and compare its ends with that of one that nobody killed; how many ends there were."""
    work, whole = WORK[kind], folder / "whole"
    whole.mkdir()
    began = time.monotonic()
    if ended(child(lambda: work(whole))) != 0:
        raise Wrong(f"{kind} fails by itself")
    longest, ends, kills = time.monotonic() - began, 0, 0
    while kills < times:
        again = folder / "again"
        shutil.rmtree(again, ignore_errors=True)
        again.mkdir()
        while True:
            number = child(functools.partial(work, again))
            until = time.monotonic() + draw.uniform(0, longest)
            while time.monotonic() < until and not (again / "end").exists():
                time.sleep(0.01)
            os.kill(number, signal.SIGKILL)
            code = ended(number)
            if code not in (0, -signal.SIGKILL):
                raise Wrong(f"{kind} ended with {code} after {kills} kills")
            kills += code != 0
            if (again / "end").exists() and (again / "end").stat().st_size:
                break
        ends += 1
        if (again / "end").read_bytes() != (whole / "end").read_bytes():
            raise Wrong(f"{kind} came to another end after {kills} kills")
        if kind == "stream":
            found, expected = (json.loads((one / "said").read_text()) for one in (again, whole))
            if any(expected.get(number) != line for number, line in found.items()):
                raise Wrong("a stream said something else")
        if left := [one.name for one in again.iterdir() if one.name.startswith(".")]:
            raise Wrong(f"{kind} left {left}")
    return ends


class Room:
    """A folder in which so many bytes can be written."""

    def __init__(self, disk: Path | None, folder: Path) -> None:
        self._own = disk is not None
        self.folder = folder if disk is None else disk

    @contextlib.contextmanager
    def left(self, count: int) -> Iterator[None]:
        """Leave so many bytes; what stood in the way is removed behind it."""
        if not self._own:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            before = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (count, before[1]))
            yield
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            return
        about = os.statvfs(self.folder)
        with (self.folder / "filler").open("wb") as file:
            file.write(bytes(max(0, about.f_bavail * about.f_frsize - count)))
        yield
        (self.folder / "filler").unlink()


def save(room: Room, model: Forecaster, count: int) -> bool:
    """Save a model over another; whether there was room."""
    path = room.folder / "m"
    path.write_bytes(b"what stood there before")
    with room.left(count):
        refused = _refused(lambda: model.save(path))
    if refused and path.read_bytes() != b"what stood there before":
        raise Wrong(f"a model that did not fit in {count} bytes has replaced what stood there")
    if not refused:
        load(path).predict()
    return not refused


def keep(room: Room, model: Forecaster, count: int) -> bool:
    """Train with a checkpoint; whether there was room. Then train on with more."""
    path, whole = room.folder / "c", digest_of(model)

    def train() -> Forecaster:
        return Forecaster(2, **SMALL).fit(SERIES[:120], checkpoint=path, every=0.05)

    with room.left(count):
        refused = _refused(train)
    if digest_of(train()) != whole:
        raise Wrong(f"a training whose checkpoint did not fit in {count} bytes went on to another end")
    for one in room.folder.glob("c.*"):
        one.unlink()
    return not refused


def take(room: Room, model: Forecaster, count: int) -> bool:
    """Commit states to a store twice; whether there was room for the second ones."""
    folder = room.folder / "states"
    rows = [(f"s{i}", 1, i, 0, np.full(300, i, np.float32).tobytes()) for i in range(40)]
    with StateStore(folder, "m") as store:
        store.commit(1, rows)
    later = [(name, 2, at, missed, state[::-1]) for name, _, at, missed, state in rows]

    def commit() -> None:
        with StateStore(folder, "m") as store:
            store.commit(2, later)

    with room.left(count):
        refused = _refused(commit)
    with StateStore(folder, "m") as store:
        line, states = store.line, {name: state.tobytes() for name, _, _, state in store.load()}
    if (line, states) != ((1, {row[0]: row[4] for row in rows}) if refused else (2, {row[0]: row[4] for row in later})):
        raise Wrong(f"a store whose states did not fit in {count} bytes holds line {line}")
    shutil.rmtree(folder)
    return not refused


def _refused(work: Callable[[], object]) -> bool:
    try:
        work()
    except FileError as error:
        if "\n" in str(error):
            raise Wrong(f"not one line: {error}") from None
        return True
    return False


FILES: dict[str, tuple[Callable[[Room, Forecaster, int], bool], int]] = {
    "save": (save, 60_000),
    "checkpoint": (keep, 30_000),
    "store": (take, 200_000),
}


def full(kind: str, places: int, disk: Path | None, folder: Path) -> tuple[int, int]:
    """Fill the disk at so many places of what is written; how often there was room, and how often not."""
    work, most = FILES[kind]
    model = load(folder / "model.tsuzuki")
    found = [work(Room(disk, folder), model, most * place // places) for place in range(places)]
    return sum(found), len(found) - sum(found)


def main() -> None:
    """Kill, fill and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200, help="in all: a third of a fit, a backtest and a stream each")
    parser.add_argument("--places", type=int, default=50, help="for each kind of file")
    parser.add_argument("--disk", type=Path, default=None)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    machine_code.load(tuple(kinds()))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "lines").write_text("\n".join(LINES) + "\n")

        def prepare() -> None:
            Forecaster(2, **SMALL).fit(SERIES[:120]).save(folder / "model.tsuzuki")

        if ended(child(prepare)) != 0:
            raise Wrong("no model")
        draw = random.Random(asked.seed)
        for kind in WORK:
            own = folder / kind
            own.mkdir()
            for shared in ("lines", "model.tsuzuki"):
                shutil.copy(folder / shared, own)
            times = -(-asked.kills // len(WORK))
            print(f"| {kind} | {times} kills, {killed(kind, times, draw, own)} ends, all alike |", flush=True)
        for kind in FILES:
            # Forked: what is trained here has threads, and the limit is of the process.
            def fill(kind: str = kind) -> None:
                room, none = full(kind, asked.places, asked.disk, folder)
                print(f"| {kind} | {asked.places} places: {none} times no room, said; {room} times room |", flush=True)

            if ended(child(fill)) != 0:
                raise Wrong(f"{kind} on a full disk")


if __name__ == "__main__":
    main()
