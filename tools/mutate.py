"""Plant small faults and see whether the tests notice: a comparison turned, a number one off, a condition dropped.

    python tools/mutate.py                 200 faults, drawn over all modules of the list
    python tools/mutate.py 20 --seed 3     20 others
    python tools/mutate.py 10 --module data/segments.py

    python tools/mutate.py --jobs 16 --seconds 540
    python tools/mutate.py --known         those that no test noticed once (tools/known_faults.py)
    python tools/mutate.py --again tools/first_run.txt     those of the first run, as far as they can still be planted

First the tests run once, each telling which lines it runs (tools/reach.py; --reach FOLDER keeps that). Then a process
that has loaded all parts for each fault, plants it in the loaded module and in a copy of the package for the processes
that tests start, and runs the tests that run its line, the fastest first, until one fails; where none is known to run
it, those that belong to the module. What no test notices is printed: the place, what stood there, what was planted. A
run can be done in pieces: with --verdicts FILE it goes on where the last one stopped, and --first 100 passes over the
faults before the hundredth. Tests that cannot be run where this
runs, because a package is not installed, are left out and named. In the last --tail of --seconds no fault is begun, so
that those that take long are not the ones that are missing, and what was planted is a fair sample.
"""

import argparse
import contextlib
import gc
import importlib
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import types
import xml.etree.ElementTree
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from faults import Fault, faults, replaced
from known_faults import KNOWN
from module_tests import MORE, ONLY_KNOWN, TESTS
from reach import PACKAGE, ROOT, Reach
from verdicts import Verdicts, likely


def drawn(count: int, seed: int, modules: list[str]) -> list[tuple[str, Fault]]:
    """Faults over all modules, as many from each as may be, in an order that the seed gives."""
    generator = random.Random(seed)
    waiting = {name: list(faults((ROOT / "src" / "tsuzuki" / name).read_text())) for name in modules}
    for own in waiting.values():
        generator.shuffle(own)
    found: list[tuple[str, Fault]] = []
    while len(found) < count and any(waiting.values()):
        for name in generator.sample(sorted(waiting), len(waiting)):
            if waiting[name] and len(found) < count:
                found.append((name, waiting[name].pop()))
    return found


def known_faults(modules: list[str] | None) -> list[tuple[str, Fault]]:
    """The faults that no test noticed once."""
    return [
        (name, replaced((ROOT / "src" / "tsuzuki" / name).read_text(), before, after))
        for name, before, after in KNOWN
        if modules is None or name in modules
    ]


def faults_again(listed: Path) -> list[tuple[str, Fault]]:
    """The faults that a list names, each with its place, before and after: of equal ones those nearest to the place."""
    waiting: dict[str, list[Fault]] = {}
    found = []
    for entry in listed.read_text("utf-8").splitlines():
        place, change = entry.split("  ", 1)
        name, line = place.rsplit(":", 1)
        if name not in waiting:
            waiting[name] = list(faults((ROOT / "src" / "tsuzuki" / name).read_text()))
        alike = [fault for fault in waiting[name] if _short(fault) == change]
        if alike:
            nearest = min(alike, key=lambda fault: abs(fault.line - int(line)))
            waiting[name].remove(nearest)
            found.append((name, nearest))
    return found


def slow_tests(report: Path, seconds: float) -> set[str]:
    """The tests that took so long or longer, from a report of the suite (`pytest --junitxml`)."""
    found = set()
    for case in xml.etree.ElementTree.parse(report).getroot().iter("testcase"):
        home, _, inside = (case.get("classname") or "").removeprefix("tests.").partition(".")
        if float(case.get("time") or 0) >= seconds:
            parts = [f"tests/{home}.py", *filter(None, inside.split(".")), case.get("name") or ""]
            found.add("::".join(parts))
    return found


class Loaded:
    """The functions of modules as they were loaded, whose code can be exchanged for that of a module with a fault.

    A process that has loaded all once parts for each fault: starting would take longer than most tests.

    Args:
        modules: their names.
    """

    def __init__(self, modules: list[str]) -> None:
        files = {}
        for name in modules:
            dotted = name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
            files[importlib.import_module(f"tsuzuki.{dotted}").__file__] = name
        self._functions: dict[tuple[str, str, int], list[types.FunctionType]] = {}
        for thing in gc.get_objects():
            if isinstance(thing, types.FunctionType) and thing.__code__.co_filename in files:
                code = thing.__code__
                key = (files[code.co_filename], code.co_qualname, code.co_firstlineno)
                self._functions.setdefault(key, []).append(thing)

    def exchange(self, name: str, fault: Fault) -> bool:
        """Plant a fault in this process; False where it lies in what runs as the module is loaded."""
        path = str(PACKAGE / name)
        sound = _codes(compile((PACKAGE / name).read_text(), path, "exec", dont_inherit=True))
        bad = _codes(compile(fault.tree, path, "exec", dont_inherit=True))
        if sound.keys() != bad.keys():
            return False
        changed = [key for key, code in sound.items() if _without_parts(code) != _without_parts(bad[key])]
        for key in changed:
            # A part of a function comes with it.
            owners = [own for own in self._owners(name, key) if own in sound]
            if not owners:
                return False
            for owner in owners:
                alike = self._functions[name, *owner]
                if len({id(function.__code__) for function in alike}) > 1:
                    return False
                for function in alike:
                    if function.__code__.co_freevars != bad[owner].co_freevars:
                        return False
                    function.__code__ = bad[owner]
        return bool(changed)

    def _owners(self, name: str, key: tuple[str, int]) -> list[tuple[str, int]]:
        """The loaded functions that a piece of code is or stands in."""
        qualified, line = key
        names = [qualified]
        while ".<locals>" in names[-1]:
            names.append(names[-1].rpartition(".<locals>")[0])
        found = [own[1:] for own in self._functions if own[0] == name and own[1] in names and own[2] <= line]
        return [max(own for own in found if own[0] == one) for one in names if any(own[0] == one for own in found)]


def _codes(code: types.CodeType) -> dict[tuple[str, int], types.CodeType]:
    """A module's pieces of code by name and line."""
    found = {(code.co_qualname, code.co_firstlineno): code}
    for part in code.co_consts:
        if isinstance(part, types.CodeType):
            found |= _codes(part)
    return found


def _without_parts(code: types.CodeType) -> tuple[Any, ...]:
    """What a piece of code does by itself."""
    own = tuple(repr(part) for part in code.co_consts if not isinstance(part, types.CodeType))
    return (code.co_code, own, code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)


class Limits:
    """A plugin of pytest that ends the process where a test computes far longer than it did without a fault.

    Args:
        seconds: by test.
    """

    def __init__(self, seconds: dict[str, float]) -> None:
        self._seconds = seconds

    def pytest_runtest_setup(self, item: Any) -> None:
        signal.setitimer(signal.ITIMER_PROF, 20 + 10 * self._seconds.get(item.nodeid, 10.0))


@dataclass(frozen=True)
class Job:
    """Tests that run in a process of their own.

    Attributes:
        number: of the fault.
        module: in which it is planted.
        fault: it.
        tests: that run its line.
        began: when.
    """

    number: int
    module: str
    fault: Fault
    tests: list[str]
    began: float


class Planter:
    """Processes with a fault each, and a copy of the package for each, which the processes that tests start load.

    Args:
        folder: where the copies are made.
        jobs: how many.
        limit: seconds after which tests will not end any more.
        reach: which tests run what.
        loaded: the modules.
    """

    def __init__(self, folder: Path, jobs: int, limit: float, reach: Reach, loaded: Loaded) -> None:
        self._limit, self._reach, self._loaded = limit, reach, loaded
        self._free = [folder / str(number) for number in range(jobs)]
        self._running: dict[int, tuple[Path, Job | str]] = {}
        for copied in self._free:
            shutil.copytree(ROOT / "src", copied / "src", ignore=shutil.ignore_patterns("__pycache__"))

    def is_full(self) -> bool:
        """Whether every copy is in use."""
        return not self._free

    def is_idle(self) -> bool:
        """Whether none is."""
        return not self._running

    def record(self, name: str) -> None:
        """Find out what the tests of a file run."""
        copied = self._free.pop(0)
        self._running[_fork(copied, lambda: self._reach.record(name))] = (copied, name)

    def begin(self, number: int, module: str, fault: Fault, tests: list[str]) -> None:
        """Run tests with a fault."""
        copied = self._free.pop(0)
        path = copied / "src" / "tsuzuki" / module
        path.write_text(fault.source)
        own = ["-p", "no:xdist", f"--basetemp={copied / 'temporary'}", "-o", "addopts=-q", "-x", *tests]
        limits = Limits(self._reach.tests)

        def run() -> int:
            if self._loaded.exchange(module, fault):
                return int(pytest.main(own, plugins=[limits]))
            command = [sys.executable, "-m", "pytest", *own]
            return subprocess.run(command, check=False, timeout=self._limit).returncode

        self._running[_fork(copied, run)] = (copied, Job(number, module, fault, tests, time.monotonic()))

    def ended(self) -> Iterator[tuple[Job | str, int]]:
        """What has ended since, with pytest's exit code; below 0 for tests that ran on for ever."""
        for process, (copied, job) in list(self._running.items()):
            done, status = os.waitpid(process, os.WNOHANG)
            endless = isinstance(job, Job) and time.monotonic() > job.began + self._limit
            if not done and not endless:
                continue
            # A test that was stopped leaves processes behind.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process, signal.SIGKILL)
            if not done:
                os.waitpid(process, 0)
            del self._running[process]
            if isinstance(job, Job):
                shutil.copyfile(PACKAGE / job.module, copied / "src" / "tsuzuki" / job.module)
            else:
                self._reach.learn(job)
            self._free.append(copied)
            yield job, os.waitstatus_to_exitcode(status) if done else -1

    def under_way(self) -> int:
        """How many faults are being tested."""
        return sum(isinstance(job, Job) for _, job in self._running.values())

    def stop(self) -> None:
        """End what still runs."""
        for process in self._running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process, signal.SIGKILL)
            os.waitpid(process, 0)
        self._running.clear()


def _fork(copied: Path, work: Callable[[], int | None]) -> int:
    """Do something in a process of its own, which has all modules already; its number."""
    child = os.fork()
    if child:
        with contextlib.suppress(OSError):
            os.setpgid(child, child)
        return child
    code = 99
    with contextlib.suppress(BaseException):
        os.setpgid(0, 0)
        os.environ["PYTHONPATH"] = str(copied / "src")
        sys.dont_write_bytecode = True
        os.chdir(ROOT)
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        code = work() or 0
    os._exit(code)


def chosen_tests(reach: Reach, module: str, fault: Fault, seconds: float) -> tuple[list[str], bool]:
    """The tests that run a fault's line, and whether any is known to; of none, all that belong to the module.

    First those of its own that were written for such faults, then the fast ones of the others that belong to it, then
    all others, as many as take so long.
    """
    belong = tuple(f"tests/{name}.py::" for name in TESTS[module])
    written = tuple(one for one in belong if "small_faults" in one or "written_out" in one)
    running = reach.at(module, fault.line, fault.last)
    reached = bool(running)
    if not reached:
        running = {test for test in reach.tests if test.startswith(belong)}

    def turn(test: str) -> tuple[float, str]:
        apart = 0.1 if test.startswith(written) else 1 if test.startswith(belong) else 20
        return reach.tests[test] * apart, test

    ordered = sorted(running, key=turn)
    found, left = [], seconds
    for test in ordered:
        left -= reach.tests[test]
        if left > 0 or not found:
            found.append(test)
    return found, reached


def main() -> None:
    """Plant, test and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", nargs="?", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=1, help="number of the first fault to plant")
    parser.add_argument("--only", type=int, action="append", metavar="NUMBER", help="plant this fault again")
    parser.add_argument("--module", action="append", choices=sorted(TESTS), metavar="MODULE")
    parser.add_argument("--limit", type=float, default=300.0, help="seconds after which tests will not end any more")
    parser.add_argument("--jobs", type=int, default=1, help="faults side by side")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="in all; what is left then is not planted")
    parser.add_argument("--known", action="store_true", help="plant the known ones")
    parser.add_argument("--again", type=Path, help="plant those of a list")
    parser.add_argument("--reach", type=Path, help="a folder that keeps which tests run what")
    parser.add_argument("--verdicts", type=Path, help="a file that keeps what became of each, to go on from")
    parser.add_argument("--tail", type=float, default=0.0, help="seconds before the end in which no fault is begun")
    parser.add_argument("--times", type=Path, help="a report of the suite, by which slow tests are left out")
    parser.add_argument("--slow", type=float, default=0.5, help="seconds from which on they are")
    parser.add_argument("--each", type=float, default=30.0, help="seconds of tests for one fault, at most")
    asked = parser.parse_args()
    until = time.monotonic() + asked.seconds
    last = until - asked.tail
    chosen = asked.module or sorted(TESTS.keys() - set(ONLY_KNOWN))
    if asked.again is not None:
        numbered = [one for one in faults_again(asked.again) if one[0] in chosen]
    else:
        numbered = known_faults(asked.module) if asked.known else drawn(asked.count, asked.seed, chosen)
    verdicts = Verdicts(asked.verdicts)
    waiting = [
        (number, name, fault)
        for number, (name, fault) in enumerate(numbered, start=1)
        if (number in asked.only if asked.only else number >= asked.first)
        and not verdicts.knows(number, f"{name}:{fault.line}", _short(fault))
    ]
    names = sorted({test for _, module, _ in waiting for test in TESTS[module]} | set(() if asked.module else MORE))
    # The same examples each time.
    os.environ["CI"] = "1"
    sys.path.insert(0, str(ROOT / "src"))
    with contextlib.redirect_stdout(io.StringIO()):
        files = [str(ROOT / "tests" / f"{name}.py") for name in names]
        pytest.main(["-p", "no:xdist", "-o", "addopts=-q", "--collect-only", "--continue-on-collection-errors", *files])
    loaded = Loaded(sorted({module for _, module, _ in waiting}))
    _load_kernels()
    gc.freeze()
    with tempfile.TemporaryDirectory() as folder:
        reach = Reach(asked.reach or Path(folder) / "reach", names, asked.times and slow_tests(asked.times, asked.slow))
        planter = Planter(Path(folder), asked.jobs, asked.limit, reach, loaded)
        reached: dict[int, bool] = {}
        unknown = list(reach.unknown)
        while time.monotonic() < until:
            while unknown and not planter.is_full():
                planter.record(unknown.pop(0))
            while waiting and time.monotonic() < last and not planter.is_full() and reach.knows(names):
                number, module, fault = waiting.pop(0)
                tests, reached[number] = chosen_tests(reach, module, fault, asked.each)
                if not tests:
                    raise SystemExit(f"none of the tests of {module} can be run here: {reach.left_out}")
                planter.begin(number, module, fault, tests)
            if planter.is_idle() and not unknown and (not waiting or time.monotonic() >= last):
                break
            for job, code in planter.ended():
                if isinstance(job, str):
                    continue
                place, change = f"{job.module}:{job.fault.line}", _short(job.fault)
                unseen = "run by tests" if reached[job.number] else "run by no test"
                verdicts.add(job.number, place, change, unseen if not code else "killed" if code > 0 else "endless")
                word = "killed  " if code else "SURVIVED" if reached[job.number] else "NOT RUN "
                print(f"{job.number:3} {word} {place:40} {time.monotonic() - job.began:5.0f} s  {change}", flush=True)
            time.sleep(0.02)
        left = len(waiting) + planter.under_way()
        planter.stop()
    planted, killed = verdicts.planted, verdicts.killed
    found = {
        "planted": planted,
        "killed": killed,
        "likely": [round(share, 3) for share in likely(killed, planted)],
        "in no time": left,
        "tests left out": sorted(reach.left_out),
        "endless": verdicts.listed(noticed=True),
        "survivors": verdicts.listed(noticed=False),
    }
    print(json.dumps(found, ensure_ascii=False))
    print(f"{killed} of {planted} faults were noticed")


def _load_kernels() -> None:
    """Load the machine code that nearly all tests use, so that no process does it by itself."""
    from tsuzuki.engine import machine_code
    from tsuzuki.kernels.layers import kinds

    machine_code.load(tuple(kinds()))


def _short(fault: Fault) -> str:
    before, after = (" ".join(text.split())[:70] for text in (fault.before, fault.after))
    return f"{before}  ->  {after}"


if __name__ == "__main__":
    main()
