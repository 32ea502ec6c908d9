"""Commands run side by side, so many at a time, until they have ended or the time is over."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TOOLS = Path(__file__).parent


@dataclass(frozen=True)
class Ended:
    """A command that has ended.

    Attributes:
        command: its arguments.
        code: its exit code; None where the time was over before.
        output: what it said on standard output.
        errors: what it said on standard error.
    """

    command: Sequence[str]
    code: int | None
    output: str
    errors: str

    def found(self) -> dict[str, Any]:
        """The last line that is JSON, which is what a tool found; nothing where there is none."""
        for line in reversed(self.output.splitlines()):
            if line.startswith("{"):
                return dict(json.loads(line))
        return {}


def run(commands: Sequence[Sequence[str]], jobs: int, until: float) -> Iterator[Ended]:
    """Run commands, each as it ends; what still runs at `until` (of `time.monotonic`) is ended."""
    waiting, running = list(commands), []
    with tempfile.TemporaryDirectory() as name:
        while waiting or running:
            while waiting and len(running) < jobs and time.monotonic() < until:
                command = waiting.pop(0)
                paths = [Path(name) / f"{len(waiting)}.{kind}" for kind in ("out", "err")]
                with paths[0].open("w") as out, paths[1].open("w") as err:
                    process = subprocess.Popen(command, stdout=out, stderr=err, start_new_session=True)
                running.append((command, process, paths))
            over = time.monotonic() > until
            for one in list(running):
                command, process, paths = one
                if process.poll() is None and not over:
                    continue
                code = process.poll()
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                running.remove(one)
                yield Ended(command, code, *(path.read_text("utf-8", "replace") for path in paths))
            if over:
                yield from (Ended(command, None, "", "") for command in waiting)
                return
            time.sleep(0.05)


def pieces(count: int, jobs: int) -> list[int]:
    """A count cut into as many equal pieces as there are jobs, none of them empty."""
    return [len(range(job, count, jobs)) for job in range(min(jobs, count))]


def tool(name: str, *arguments: object) -> list[str]:
    """The command of a tool in this folder."""
    return [sys.executable, str(TOOLS / f"{name}.py"), *map(str, arguments)]


def gathered(
    commands: Sequence[Sequence[str]], jobs: int, until: float, add: Callable[[dict[str, Any]], object]
) -> list[str]:
    """Run commands and add up what each found; what went wrong, in words."""
    wrong = []
    for ended in run(commands, jobs, until):
        if ended.code is None:
            wrong.append(f"not ended in time: {' '.join(ended.command[1:])}")
        if found := ended.found():
            add(found)
        elif ended.code is not None:
            wrong.append(f"{' '.join(ended.command[1:])} ended with {ended.code}: {ended.errors[-1500:]}")
        if ended.errors:
            print(ended.errors, file=sys.stderr, end="", flush=True)
    return wrong
