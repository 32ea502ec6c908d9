"""Processes that are killed at any moment, and disks that are full at any place.

    python tools/interrupt.py --jobs 16                200 kills, and 50 places of a full disk for each kind of file
    python tools/interrupt.py --kills 6 --places 5     fewer
    python tools/interrupt.py --kills 9 --only fit

A `tsuzuki fit --checkpoint`, a backtest with a checkpoint and a `tsuzuki stream` are killed with SIGKILL at a random
moment and started again, until they have come to their end; that must be, bit for bit, the one of a process that nobody
killed. Then each kind of file is written with room for 0, 1/50, 2/50 ... of its size (a limit on the size of files
stands for the full disk): the command must say so in one line and exit with 2, leave what stood there before and
nothing beside it, and come to the same end once there is room.
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
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from side_by_side import gathered, pieces, tool

from tsuzuki.forecaster import Forecaster, load
from tsuzuki.forecasting.serialization import model_id
from tsuzuki.storage import read
from tsuzuki.streaming.state_store import StateStore

HOURS = 1200
KNOWN = 900
SMALL = {"units": 4, "layers": 1, "head": 0, "ensemble": 2, "max_gap": 5}
OPTIONS = [cell for name, value in SMALL.items() for cell in (f"--{name.replace('_', '-')}", str(value))]
TSUZUKI = [sys.executable, "-m", "tsuzuki"]
# What stands in a file's place before it is written.
BEFORE = b"what stood there before"


class Wrong(Exception):  # noqa: N818
    """What was promised did not hold."""


def readings() -> pd.Series:
    """A daily cycle with noise."""
    values = 10 + np.sin(np.arange(HOURS) / 4) + np.random.default_rng(0).normal(0, 0.1, HOURS)
    return pd.Series(values.round(3), pd.date_range("2024-01-01", periods=HOURS, freq="h", name="ds"), name="y")


def prepare(folder: Path) -> None:
    """The readings to learn from, the lines to follow, and a model."""
    folder.mkdir(exist_ok=True)
    series = readings()
    series[:KNOWN].to_csv(folder / "readings.csv")
    series[KNOWN:].to_csv(folder / "lines.csv")
    Forecaster(2, epochs=1, **SMALL).fit(series[:KNOWN].rename("readings")).save(folder / "model")


def _plain(facts: Any) -> Any:
    """Facts less the times that things took."""
    if isinstance(facts, dict):
        return {name: _plain(one) for name, one in facts.items() if "seconds" not in name}
    return [_plain(one) for one in facts] if isinstance(facts, list) else facts


def model_in(path: Path) -> str:
    """A digest of all that a model file says."""
    stored = read(path, "forecaster")
    digest = hashlib.sha256(json.dumps(_plain(stored.facts), sort_keys=True).encode())
    for name in sorted(stored.arrays):
        digest.update(name.encode() + np.ascontiguousarray(stored.arrays[name]).tobytes())
    return digest.hexdigest()


def states_in(folder: Path, model: Path) -> str:
    """A digest of all that a folder of states says."""
    fitted = load(model).fitted
    assert fitted is not None
    with StateStore(folder, model_id(fitted)) as store:
        found = [store.line, *((name, at, missed, state.tobytes()) for name, at, missed, state in store.load())]
    return hashlib.sha256(repr(found).encode()).hexdigest()


def fit(folder: Path, limit: Callable[[], None] | None = None, epochs: int = 300) -> subprocess.Popen[bytes]:
    """A training that keeps its checkpoint all the time."""
    options = ["--epochs", str(epochs), "--checkpoint", "c", "--every", "0.02s", "-o", "m", "--quiet"]
    command = [*TSUZUKI, "fit", "readings.csv", "--horizon", "2", *OPTIONS, *options]
    return subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, preexec_fn=limit)


def backtest(folder: Path, limit: Callable[[], None] | None = None) -> subprocess.Popen[bytes]:
    """A backtest likewise."""
    command = [sys.executable, str(Path(__file__).resolve()), "--backtest"]
    return subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, preexec_fn=limit)


def run_backtest() -> None:
    """What `backtest` starts, in the folder where it is started."""
    series = pd.read_csv("readings.csv", index_col="ds", parse_dates=True)["y"]
    table = Forecaster(2, epochs=300, **SMALL).backtest(series, windows=9, checkpoint="c", every=0.02)
    Path("m").write_text(table.to_csv(float_format="%.17g"))


def stream(folder: Path, limit: Callable[[], None] | None = None, pause: float = 0.004) -> subprocess.Popen[bytes]:
    """A stream that gets its lines from the first on, a few at a time; each life has an output of its own."""
    out = folder / f"out {len(list(folder.glob('out *')))}"
    with out.open("wb") as file:
        process = subprocess.Popen(
            [*TSUZUKI, "stream", "model", "--state", "states", "--replay"],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=file,
            stderr=subprocess.PIPE,
            preexec_fn=limit,
        )
    lines = (folder / "lines.csv").read_bytes().splitlines(keepends=True)

    def bring() -> None:
        assert process.stdin is not None
        with contextlib.suppress(OSError):
            for at in range(0, len(lines), 5):
                process.stdin.write(b"".join(lines[at : at + 5]))
                process.stdin.flush()
                time.sleep(pause)
        with contextlib.suppress(OSError):
            process.stdin.close()
        process.stdin = None

    threading.Thread(target=bring, daemon=True).start()
    return process


def said_in(folder: Path) -> dict[str, str]:
    """What a stream has said of each line, over all its lives; nothing twice."""
    found: dict[str, str] = {}
    for path in folder.glob("out *"):
        # The last line of a killed process may be cut short.
        for line in path.read_text().split("\n")[:-1]:
            number = line.partition(",")[0]
            if number != "line" and found.setdefault(number, line) is not line:
                raise Wrong(f"a stream said line {number} twice")
    return found


def end_of(kind: str, folder: Path) -> str:
    """What a process has come to."""
    if kind == "fit":
        return model_in(folder / "m")
    return (folder / "m").read_text() if kind == "backtest" else states_in(folder / "states", folder / "model")


BEGIN: dict[str, Callable[[Path], subprocess.Popen[bytes]]] = {"fit": fit, "backtest": backtest, "stream": stream}


def killed(kind: str, times: int, draw: random.Random, folder: Path) -> Counter[str]:
    """Kill something so often, and compare each end it comes to with that of one that nobody killed."""
    prepare(folder / "whole")
    began = time.monotonic()
    process = BEGIN[kind](folder / "whole")
    if _ended(process)[0] != 0:
        raise Wrong(f"{kind} fails by itself")
    took, whole = time.monotonic() - began, end_of(kind, folder / "whole")
    said = said_in(folder / "whole")
    found = Counter({f"{kind} kills": 0, f"{kind} ends": 0, f"{kind} unsaid": 0})
    while found[f"{kind} kills"] < times:
        again = folder / "again"
        shutil.rmtree(again, ignore_errors=True)
        again.mkdir()
        for name in ("readings.csv", "lines.csv", "model"):
            shutil.copy(folder / "whole" / name, again)
        code = -signal.SIGKILL
        while code:
            process = BEGIN[kind](again)
            # The last ones are let go to their end.
            last = found[f"{kind} kills"] >= times
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(None if last else draw.uniform(0.1, 1.1) * took)
            process.kill()
            code, error = _ended(process)
            if code not in (0, -signal.SIGKILL):
                raise Wrong(f"{kind} ended with {code} behind a kill: {error}")
            found[f"{kind} kills"] += code != 0
        found[f"{kind} ends"] += 1
        if end_of(kind, again) != whole:
            raise Wrong(f"{kind} came to another end after kills")
        if kind == "stream":
            now = said_in(again)
            if any(said.get(number) != line for number, line in now.items()):
                raise Wrong("a stream said something else of a line after a kill")
            found["stream unsaid"] += len(said) - len(now)
        if left := [one.name for one in again.iterdir() if one.name.startswith(".")]:
            raise Wrong(f"{kind} left {left}")
    return found


def _ended(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    assert process.stderr is not None
    error = process.stderr.read().decode()
    process.stderr.close()
    return process.wait(), error


def forecast(folder: Path, limit: Callable[[], None] | None = None) -> subprocess.Popen[bytes]:
    """Forecasts into a table."""
    levels = ",".join(map(str, range(1, 100, 2)))
    command = [*TSUZUKI, "forecast", "model", "--levels", levels, "--csv", "m", "--quiet"]
    return subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, preexec_fn=limit)


@dataclass(frozen=True)
class Written:
    """A kind of file that may not fit.

    Attributes:
        begin: starts what writes it, in a folder.
        path: where.
        outcome: what a folder holds at the end.
        kept: whether something stands there before, and must be what stands there after a failure.
    """

    begin: Callable[..., "subprocess.Popen[bytes]"]
    path: str
    outcome: Callable[[Path], str]
    kept: bool


FILES = {
    "model": Written(functools.partial(fit, epochs=2), "m", functools.partial(end_of, "fit"), True),
    "checkpoint": Written(functools.partial(fit, epochs=60), "c.0", functools.partial(end_of, "fit"), False),
    "forecasts": Written(forecast, "m", lambda folder: (folder / "m").read_text(), True),
    "states": Written(
        functools.partial(stream, pause=0.0), "states/states.sqlite-wal", functools.partial(end_of, "stream"), False
    ),
    "standard output": Written(
        functools.partial(stream, pause=0.0), "out 0", functools.partial(end_of, "stream"), False
    ),
}


def _limited(size: int) -> None:
    # A write beyond it fails as on a full disk; Python ignores the signal that comes with it.
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def _resized(folder: Path, room: int) -> None:
    """Leave so much room on the file system that is mounted at a folder."""
    now = os.statvfs(folder)
    size = (now.f_blocks - now.f_bfree) * now.f_frsize + room
    subprocess.run(["mount", "-o", f"remount,size={size}", str(folder)], check=True)


def full(kind: str, shares: list[float], folder: Path, *, mounted: bool = False) -> Counter[str]:
    """Write with room for each of these shares of a file, and again with room for all.

    A limit on the size of files stands for the full disk; mounted, it is a file system of that size.
    """
    prepare(folder / "given")
    file, whole, most = FILES[kind], folder / "whole", 0
    shutil.copytree(folder / "given", whole)
    process = file.begin(whole)
    while process.poll() is None:
        with contextlib.suppress(OSError):
            most = max(most, (whole / file.path).stat().st_size)
        time.sleep(0.001)
    with contextlib.suppress(OSError):
        most = max(most, (whole / file.path).stat().st_size)
    if _ended(process)[0] or not most:
        raise Wrong(f"{kind} fails by itself")
    found, expected = Counter[str](), file.outcome(whole)
    for share in shares:
        again = folder / "again"
        shutil.rmtree(again, ignore_errors=True)
        if mounted:
            again.mkdir()
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1g", "tmpfs", str(again)], check=True)
        try:
            shutil.copytree(folder / "given", again, dirs_exist_ok=True)
            what = f"{kind} with {share:.0%} of {most} bytes"
            there_was_room = _write(file, again, int(share * most), what, expected, mounted=mounted)
        finally:
            if mounted:
                subprocess.run(["umount", str(again)], check=True)
        found[f"{kind} {'written' if there_was_room else 'refused'}"] += 1
    return found


def _write(file: Written, folder: Path, size: int, what: str, expected: str, *, mounted: bool) -> bool:
    """Write with so much room; whether it was enough."""
    if file.kept:
        (folder / file.path).write_bytes(BEFORE)
    if mounted:
        _resized(folder, size)
    code, error = _ended(file.begin(folder, None if mounted else functools.partial(_limited, size)))
    if mounted:
        _resized(folder, 1 << 30)
    said = [line for line in error.splitlines() if line.strip()]
    if code not in (0, 2) or (code and (len(said) != 1 or not said[0].startswith("error: "))):
        raise Wrong(f"{what} ended with {code} and said {error!r}")
    if left := [one.name for one in folder.iterdir() if one.name.startswith(".")]:
        raise Wrong(f"{what} left {left}")
    if not code:
        if file.outcome(folder) != expected:
            raise Wrong(f"{what} ended well with something else")
        return True
    if file.kept and (folder / file.path).read_bytes() != BEFORE:
        raise Wrong(f"{what} replaced what stood there")
    code, error = _ended(file.begin(folder))
    if code or file.outcome(folder) != expected:
        raise Wrong(f"{what}, begun again with room for all, ended with {code}: {error}")
    return False


def main() -> None:
    """Kill, fill and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200, help="in all: a third each of a fit, a backtest, a stream")
    parser.add_argument("--places", type=int, default=50, help="for each kind of file")
    parser.add_argument("--place", type=int, action="append", help="this one of them")
    parser.add_argument("--mount", action="store_true", help="full disks are file systems that are mounted, as root")
    parser.add_argument("--only", action="append", choices=[*BEGIN, *FILES], metavar="KIND")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, help="processes side by side")
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--backtest", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.backtest:
        run_backtest()
        return
    kinds, found, wrong = asked.only or [*BEGIN, *FILES], Counter[str](), []
    one = len(kinds) == 1 and (asked.place or kinds[0] in BEGIN) and asked.jobs == 1
    if one:
        with tempfile.TemporaryDirectory() as name:
            try:
                if kinds[0] in BEGIN:
                    found.update(killed(kinds[0], asked.kills, random.Random(asked.seed), Path(name)))
                else:
                    shares = [place / asked.places for place in asked.place]
                    found.update(full(kinds[0], shares, Path(name), mounted=asked.mount))
            except Wrong as error:
                wrong.append(str(error))
    else:
        each = -(-asked.kills // sum(kind in BEGIN for kind in kinds)) if BEGIN.keys() & set(kinds) else 0
        mounted = ["--mount"] * asked.mount
        commands = [
            tool("interrupt", "--only", kind, "--kills", kills, "--seed", asked.seed + job)
            for kind in BEGIN
            if kind in kinds
            for job, kills in enumerate(pieces(each, max(2, asked.jobs)))
        ] + [
            tool("interrupt", "--only", kind, "--places", asked.places, *(f"--place={at}" for at in places), *mounted)
            for kind in FILES
            if kind in kinds
            for start in range(max(2, asked.jobs // 2))
            if (places := range(start, asked.places, max(2, asked.jobs // 2)))
        ]

        def add(one: dict[str, Any]) -> None:
            wrong.extend(one.pop("wrong"))
            found.update(one)

        wrong += gathered(commands, asked.jobs, time.monotonic() + asked.seconds, add)
    print(json.dumps({**found, "wrong": wrong}))
    if not one:
        for name, count in found.items():
            print(f"| {name} | {count} |")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    os.environ |= {"LC_ALL": "C.UTF-8", "TSUZUKI_NUM_THREADS": "1"}
    main()
