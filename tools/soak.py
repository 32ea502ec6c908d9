"""A stream of many series for very many lines: killed, started again, its log rotated; what it needs, and how long.

    python tools/soak.py 10000000           so many lines, of 1,000 series
    python tools/soak.py 200000 --kill 50000
    python tools/soak.py 10000000 --seconds 540     or as many as are followed in so many seconds

Each round brings a reading of every series, as a log would that is followed from where it stands. Every `--kill` lines
the process is killed in the middle of a round and started again with what its states do not hold yet; every `--rotate`
lines it is ended and started again on a new log. Nothing may be lost or said twice: every line has one forecast.
Told are the memory after the first round and at the end of each life, and how long rounds took.
"""

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from tsuzuki.forecaster import Forecaster
from tsuzuki.streaming.state_store import describe

BEGIN = pd.Timestamp("2024-02-01")


class Life:
    """One process that follows lines."""

    def __init__(self, model: Path, states: Path) -> None:
        command = [
            sys.executable,
            "-m",
            "tsuzuki",
            "stream",
            str(model),
            "--state",
            str(states),
            "--new-series",
            "allow",
        ]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        self.first_memory = 0
        self._buffer = b""
        # The header comes with the first line.
        self._header = True

    @property
    def is_new(self) -> bool:
        """Whether it has not answered yet: its first round has its start in it."""
        return not self.first_memory

    def say(self, text: bytes, count: int) -> tuple[float, list[int]]:
        """Bring so many lines; how long their forecasts took, and the numbers of the lines they are of."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        began = time.perf_counter()
        os.set_blocking(self._process.stdin.fileno(), False)
        rest, found = text, 0
        lines: list[bytes] = []
        while found < count:
            if rest:
                with contextlib.suppress(BlockingIOError):
                    rest = rest[os.write(self._process.stdin.fileno(), rest) :]
            os.set_blocking(self._process.stdout.fileno(), not rest)
            try:
                piece = os.read(self._process.stdout.fileno(), 1 << 20)
            except BlockingIOError:
                continue
            if not piece:
                raise SystemExit(f"the stream ended with {self._process.wait()}")
            *whole, self._buffer = (self._buffer + piece).split(b"\n")
            if self._header and whole:
                whole, self._header = whole[1:], False
            lines += whole
            found += len(whole)
        seconds = time.perf_counter() - began
        self.first_memory = self.first_memory or self.memory()
        return seconds, [int(line.partition(b",")[0]) for line in lines]

    def interrupt(self, text: bytes) -> None:
        """Bring lines, and kill the process while it is at them."""
        assert self._process.stdin is not None
        os.set_blocking(self._process.stdin.fileno(), False)
        os.write(self._process.stdin.fileno(), text)
        time.sleep(random.random() * 0.02)
        self._process.send_signal(signal.SIGKILL)
        self._process.communicate()

    def end(self) -> None:
        """Let it come to the end of its input."""
        self._process.communicate()
        if self._process.returncode:
            raise SystemExit(f"the stream ended with {self._process.returncode}")

    def memory(self) -> int:
        """Resident memory in bytes."""
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")


def lines_of(number: int, series: int) -> list[bytes]:
    """A round: the reading of every series at one time."""
    when = str(BEGIN + pd.Timedelta(hours=number))
    values = np.sin(number / 4 + np.arange(series)).round(3)
    return [f"s{i},{when},{value}\n".encode() for i, value in enumerate(values)]


def main() -> None:
    """Follow, kill and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lines", nargs="?", type=int, default=10_000_000)
    parser.add_argument("--series", type=int, default=1000)
    parser.add_argument("--kill", type=int, default=500_000)
    parser.add_argument("--rotate", type=int, default=700_000)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    asked = parser.parse_args()
    hours = pd.date_range(end=BEGIN, periods=300, freq="h", inclusive="left")
    with tempfile.TemporaryDirectory() as name:
        model, states = Path(name) / "m", Path(name) / "states"
        Forecaster(4, units=8, layers=1, ensemble=1, epochs=1).fit(
            pd.Series(np.sin(np.arange(len(hours)) / 4), hours, name="s0")
        ).save(model)
        life, grown, rounds = Life(model, states), [], asked.lines // asked.series
        seconds: list[float] = []
        starts: list[float] = []
        kills = rotations = number = 0
        until = time.monotonic() + asked.seconds
        for number in range(rounds):
            if time.monotonic() > until:
                rounds = number
                break
            text, said = lines_of(number, asked.series), number * asked.series
            killed = number and (said // asked.kill) != ((said - asked.series) // asked.kill)
            rotated = number and (said // asked.rotate) != ((said - asked.series) // asked.rotate)
            if killed or rotated:
                if not life.is_new:
                    grown.append(life.memory() / life.first_memory)
                if killed:
                    life.interrupt(b"".join(text))
                else:
                    life.end()
                kills, rotations = kills + bool(killed), rotations + bool(not killed)
                held = describe(states)["line"] - said
                life = Life(model, states)
            else:
                held = 0
            if held < asked.series:
                times = starts if life.is_new else seconds
                took, numbers = life.say(b"".join(text[held:]), asked.series - held)
                times.append(took)
                if numbers != list(range(said + held + 1, said + asked.series + 1)):
                    raise SystemExit(f"round {number}: forecasts of other lines than were brought")
        grown.append(life.memory() / life.first_memory)
        life.end()
        held = describe(states)
        if held["line"] != rounds * asked.series or held["series"] != asked.series or held["damaged"]:
            raise SystemExit(f"the states hold {held['line']} lines of {held['series']} series")
        took = np.array(seconds) * 1000
        print(
            json.dumps(
                {
                    "lines": held["line"],
                    "kills": kills,
                    "rotations": rotations,
                    "memory at the end of a life over that at its beginning": [
                        round(min(grown), 3),
                        round(max(grown), 3),
                    ],
                    "milliseconds a round": {
                        f"{share:g} %": round(float(np.percentile(took, share)), 2) for share in (50, 99, 99.9, 100)
                    },
                    "longest start in seconds": round(max(starts), 2),
                    "lines a second": round(len(took) * asked.series / took.sum() * 1000),
                }
            )
        )


if __name__ == "__main__":
    main()
