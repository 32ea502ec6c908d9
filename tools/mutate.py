"""Plant small faults and see whether the tests notice: a comparison turned, a number one off, a condition dropped.

    python tools/mutate.py                 200 faults, drawn over all modules of the list
    python tools/mutate.py 20 --seed 3     20 others
    python tools/mutate.py 10 --module data/segments.py

    python tools/mutate.py --jobs 16 --seconds 540
    python tools/mutate.py --known         those that no test noticed once (tools/known_faults.py)
    python tools/mutate.py --again tools/first_run.txt     those of the first run, as far as they can still be planted

Each fault is planted in a copy of the package, and of the tests that belong to the module those that run its line, the
fastest first, until one fails; where none runs it in its own process, all of them. What no test notices is printed: the
place, what stood there, what was planted. A run can be done in pieces: --first 100 passes over the faults before the
hundredth. Tests that cannot be run where this runs, because a package is not installed, are left out and named.
"""

import argparse
import ast
import contextlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# What every test needs is loaded once, before the processes part.
import hypothesis  # noqa: F401
import numpy  # noqa: F401
import pandas  # noqa: F401
import pytest
from faults import Fault, faults, replaced
from known_faults import KNOWN

ROOT = Path(__file__).parents[1]
# Modules in which nothing is drawn: what they hold is mostly checked elsewhere.
ONLY_KNOWN = ("engine/compiled_network.py", "network/optimizers.py", "report/backtest.py")
# Modules outside the kernels, and the tests that see to them.
TESTS = {
    "commands/streaming.py": ("test_line_forms", "test_commands_streaming"),
    "data/calendar.py": ("test_small_faults_in_readers", "test_calendar"),
    "data/columns.py": ("test_small_faults_in_readers", "test_timestamps", "test_readers", "test_line_forms"),
    "data/covariates.py": ("test_small_faults_in_files", "test_known_covariates", "test_rolling", "test_settings"),
    "data/date_forms.py": ("test_small_faults_in_readers", "test_timestamps"),
    "data/delimited.py": ("test_small_faults_in_readers", "test_readers", "test_dialects"),
    "data/files.py": ("test_small_faults_in_files", "test_readers", "test_joining"),
    "data/frames.py": ("test_frames", "test_series", "test_zones"),
    "data/grid.py": ("test_small_faults_in_readers", "test_series", "test_resampling", "test_zones"),
    "data/jma.py": ("test_jma", "test_joining"),
    "data/joining.py": ("test_small_faults_in_readers", "test_joining"),
    "data/newer_rows.py": ("test_zones",),
    "data/resampling.py": ("test_small_faults_in_files", "test_resampling"),
    "data/segments.py": ("test_small_faults_in_readers", "test_series"),
    "data/timestamps.py": ("test_timestamps", "test_small_faults_in_readers"),
    "data/value_columns.py": ("test_small_faults_in_files", "test_readers", "test_joining", "test_jma"),
    "data/zones.py": ("test_zones",),
    "engine/code_cache.py": ("test_code_cache",),
    "engine/object_file.py": ("test_small_faults_in_files", "test_object_files"),
    "experiment/paired_statistics.py": ("test_small_faults", "test_comparison"),
    "experiment/verdict.py": ("test_small_faults_in_forecasts", "test_comparison"),
    "forecasting/backtest.py": ("test_backtest", "test_small_faults"),
    "engine/compiled_network.py": ("test_small_faults",),
    "forecasting/committee.py": ("test_small_faults_in_forecasts", "test_committee"),
    "forecasting/fit.py": ("test_small_faults_in_forecasts", "test_small_faults", "test_forecasting"),
    "network/optimizers.py": ("test_small_faults",),
    "report/backtest.py": ("test_small_faults",),
    "training/fit.py": ("test_small_faults", "test_training", "test_checkpoints"),
    "forecasting/conformal_intervals.py": (
        "test_small_faults_in_forecasts",
        "test_conformal_intervals",
        "test_small_faults",
    ),
    "forecasting/evaluation.py": ("test_small_faults_in_forecasts", "test_evaluation"),
    "forecasting/held_out.py": ("test_small_faults_in_forecasts", "test_small_faults", "test_forecasting"),
    "forecasting/predict.py": ("test_zones", "test_known_covariates", "test_rolling", "test_holidays"),
    "forecasting/ridge.py": ("test_small_faults_in_forecasts", "test_ridge"),
    "forecasting/rules.py": ("test_small_faults_in_forecasts", "test_rules"),
    "forecasting/transforms.py": ("test_small_faults_in_forecasts", "test_rules", "test_bank"),
    "forecasting/window_inputs.py": ("test_window_inputs",),
    "formatting.py": ("test_formatting",),
    "layouts/streams.py": ("test_small_faults_in_forecasts", "test_layouts"),
    "layouts/windows.py": ("test_small_faults_in_forecasts", "test_layouts"),
    "storage.py": ("test_small_faults_in_files", "test_storage"),
    "streaming/bank.py": ("test_bank", "test_same_bits", "test_stream"),
    "streaming/cursor.py": ("test_stream", "test_same_bits", "test_small_faults"),
    "streaming/lines.py": ("test_line_forms", "test_commands_streaming"),
    "streaming/online_learning.py": ("test_learning", "test_small_faults"),
    "streaming/recent_values.py": ("test_bank", "test_same_bits"),
    "streaming/state_store.py": ("test_small_faults_in_files", "test_statestore"),
    "streaming/upcoming_calendar.py": ("test_small_faults_in_forecasts", "test_stream", "test_bank"),
    "training/checkpoints.py": ("test_small_faults", "test_checkpoints"),
    "training/early_stopping.py": ("test_small_faults", "test_training"),
    "training/state.py": ("test_small_faults", "test_training", "test_checkpoints"),
}


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


@dataclass
class Module:
    """A module whose faults are planted, and what its tests do without one.

    Attributes:
        name: of its file in the package.
        waiting: its faults with their numbers.
        tests: by test how long it takes and which lines it runs; of those that pass.
        left_out: tests and files of tests that cannot be run here.
    """

    name: str
    waiting: list[tuple[int, Fault]]
    tests: dict[str, dict[str, Any]] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    def learn(self, output: Path) -> None:
        """Take over what the recorder has written."""
        if not output.exists():
            self.left_out = [f"tests/{test}.py" for test in TESTS[self.name]]
            return
        found = json.loads(output.read_text())
        self.tests = {name: one for name, one in found["tests"].items() if one["passed"] and "seconds" in one}
        self.left_out = sorted({*found["left out"], *(found["tests"].keys() - self.tests.keys())})

    def at(self, line: int) -> tuple[list[str], bool]:
        """The tests that run a line, the fastest first, and whether there are any; all where there is none.

        What a fixture runs counts for all tests of its file. Lines outside of functions are run by every test.
        """
        ordered = sorted(self.tests, key=lambda test: float(self.tests[test]["seconds"]))
        running = [test for test in ordered if line in self.tests[test]["lines"]]
        within = line in _inside((ROOT / "src" / "tsuzuki" / self.name).read_text())
        return (running, True) if running else (ordered, not within)


def _inside(source: str) -> set[int]:
    """The lines of a module that stand in functions."""
    return {
        line
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.Lambda)
        for part in (node.body if isinstance(node.body, list) else [node.body])
        for line in range(part.lineno, (part.end_lineno or part.lineno) + 1)
    }


class Recorder:
    """A plugin of pytest that writes down which lines of a file each test runs, and how long it takes."""

    def __init__(self, path: str, output: str) -> None:
        self.path, self.output = path, output
        self._lines: set[int] = set()
        self._tests: dict[str, dict[str, Any]] = {}
        self._fixtures: dict[str, set[int]] = {}
        self._left_out: list[str] = []

    def _trace(self, frame: Any, event: str, _: object) -> Any:
        if frame.f_code.co_filename != self.path:
            return None
        self._lines.add(frame.f_lineno)
        return self._trace

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: Any) -> Iterator[None]:
        began = time.monotonic()
        self._tests[item.nodeid] = {"passed": True}
        yield
        self._tests[item.nodeid]["seconds"] = time.monotonic() - began

    def pytest_runtest_logreport(self, report: Any) -> None:
        self._tests[report.nodeid]["passed"] &= report.passed

    def pytest_collectreport(self, report: Any) -> None:
        if not report.passed:
            self._left_out.append(report.nodeid)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_setup(self, item: Any) -> Iterator[None]:
        with self._recording():
            yield
        self._fixtures.setdefault(str(item.path), set()).update(self._lines)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_call(self, item: Any) -> Iterator[None]:
        with self._recording():
            yield
        self._tests[item.nodeid] |= {"lines": sorted(self._lines), "file": str(item.path)}

    @contextlib.contextmanager
    def _recording(self) -> Iterator[None]:
        self._lines = set()
        threading.settrace(self._trace)
        sys.settrace(self._trace)
        try:
            yield
        finally:
            sys.settrace(None)
            threading.settrace(None)  # type: ignore[arg-type]

    def pytest_sessionfinish(self) -> None:
        for test in self._tests.values():
            test["lines"] = sorted({*test.get("lines", ()), *self._fixtures.get(test.get("file", ""), ())})
        Path(self.output).write_text(json.dumps({"tests": self._tests, "left out": self._left_out}))


@dataclass(frozen=True)
class Job:
    """Tests that run in a process of their own, on a copy of the package of their own.

    Attributes:
        module: whose they are.
        number: of the fault that is planted there; 0 for none.
        fault: it.
        reached: whether a test is known to run its line.
        began: when.
        until: when they will have run on for ever, and so have noticed.
    """

    module: Module
    number: int
    fault: Fault | None
    reached: bool
    began: float
    until: float


class Planter:
    """Copies of the package, a job at a time in each.

    Args:
        folder: where they are made.
        jobs: how many.
        limit: seconds for one fault's tests.
    """

    def __init__(self, folder: Path, jobs: int, limit: float) -> None:
        self._limit = limit
        self._free = [folder / str(number) for number in range(jobs)]
        self._running: dict[int, tuple[Path, Job]] = {}
        for copied in self._free:
            shutil.copytree(ROOT / "src", copied / "src", ignore=shutil.ignore_patterns("__pycache__"))

    def is_full(self) -> bool:
        """Whether every copy is in use."""
        return not self._free

    def is_idle(self) -> bool:
        """Whether none is."""
        return not self._running

    def begin(self, module: Module, number: int = 0, fault: Fault | None = None) -> None:
        """Run a module's tests without a fault, or those that a fault concerns with it."""
        copied, now = self._free.pop(0), time.monotonic()
        path = copied / "src" / "tsuzuki" / module.name
        if fault is None:
            recorder = Recorder(str(path), str(copied / "recorded"))
            tests = [str(ROOT / "tests" / f"{test}.py") for test in TESTS[module.name]]
            job = Job(module, 0, None, True, now, now + 3600)
            process = _fork(copied, ["--continue-on-collection-errors", *tests], recorder)
        else:
            path.write_text(fault.source)
            tests, reached = module.at(fault.line)
            if not tests:
                raise SystemExit(f"none of the tests of {module.name} can be run here: {module.left_out}")
            # Other jobs slow this one down.
            patience = max(self._limit, 10 * sum(float(module.tests[test]["seconds"]) for test in tests))
            job = Job(module, number, fault, reached, now, now + patience)
            process = _fork(copied, ["-x", *tests], None)
        self._running[process] = (copied, job)

    def ended(self) -> Iterator[tuple[Job, int]]:
        """The jobs that have ended since, with pytest's exit code; -1 for those that ran on for ever."""
        for process, (copied, job) in list(self._running.items()):
            done, status = os.waitpid(process, os.WNOHANG)
            if not done and time.monotonic() < job.until:
                continue
            # A test that was stopped leaves processes behind.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process, signal.SIGKILL)
            if not done:
                os.waitpid(process, 0)
            del self._running[process]
            name = job.module.name
            shutil.copyfile(ROOT / "src" / "tsuzuki" / name, copied / "src" / "tsuzuki" / name)
            if job.fault is None:
                job.module.learn(copied / "recorded")
                (copied / "recorded").unlink(missing_ok=True)
            self._free.append(copied)
            yield job, os.waitstatus_to_exitcode(status) if done else -1

    def stop(self) -> None:
        """End what still runs."""
        for process in self._running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process, signal.SIGKILL)
            os.waitpid(process, 0)
        self._running.clear()


def _fork(copied: Path, arguments: list[str], plugin: object | None) -> int:
    """Run tests in a process of their own, which has the heavy libraries already; its number."""
    child = os.fork()
    if child:
        with contextlib.suppress(OSError):
            os.setpgid(child, child)
        return child
    code = 99
    with contextlib.suppress(BaseException):
        os.setpgid(0, 0)
        os.environ["PYTHONPATH"] = str(copied / "src")
        # The same examples each time, and no compiled file of the module without the fault.
        os.environ["CI"] = "1"
        # Two cores each: threads that wait for one another in a circle would else take those of all.
        if hasattr(os, "sched_setaffinity"):
            cores = sorted(os.sched_getaffinity(0))
            os.sched_setaffinity(0, {cores[(2 * int(copied.name) + at) % len(cores)] for at in (0, 1)})
        sys.dont_write_bytecode = True
        sys.path.insert(0, str(copied / "src"))
        os.chdir(ROOT)
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        own = ["-p", "no:xdist", f"--basetemp={copied / 'temporary'}", "-o", "addopts=-q"]
        code = int(pytest.main([*own, *arguments], plugins=[] if plugin is None else [plugin]))
    os._exit(code)


def main() -> None:
    """Plant, test and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", nargs="?", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=1, help="number of the first fault to plant")
    parser.add_argument("--only", type=int, action="append", metavar="NUMBER", help="plant this fault again")
    parser.add_argument("--module", action="append", choices=sorted(TESTS), metavar="MODULE")
    parser.add_argument("--limit", type=float, default=300.0, help="seconds for one fault's tests, at least")
    parser.add_argument("--jobs", type=int, default=1, help="faults side by side")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="in all; what is left then is not planted")
    parser.add_argument("--known", action="store_true", help="plant the known ones")
    parser.add_argument("--again", type=Path, help="plant those of a list")
    asked = parser.parse_args()
    until = time.monotonic() + asked.seconds
    modules: dict[str, Module] = {}
    chosen = asked.module or sorted(TESTS.keys() - set(ONLY_KNOWN))
    if asked.again is not None:
        numbered = [one for one in faults_again(asked.again) if one[0] in chosen]
    else:
        numbered = known_faults(asked.module) if asked.known else drawn(asked.count, asked.seed, chosen)
    for number, (name, fault) in enumerate(numbered, start=1):
        if number in asked.only if asked.only else number >= asked.first:
            modules.setdefault(name, Module(name, [])).waiting.append((number, fault))
    # Modules with more tests take longer.
    unknown = sorted(modules.values(), key=lambda module: -len(TESTS[module.name]))
    known: list[Module] = []
    left, killed, survivors, endless = sum(len(module.waiting) for module in unknown), 0, [], []
    with tempfile.TemporaryDirectory() as folder:
        planter = Planter(Path(folder), asked.jobs, asked.limit)
        while time.monotonic() < until:
            while not planter.is_full() and unknown:
                planter.begin(unknown.pop(0))
            for module in known:
                while not planter.is_full() and module.waiting:
                    planter.begin(module, *module.waiting.pop(0))
            if planter.is_idle():
                break
            for job, code in planter.ended():
                if job.fault is None:
                    known.append(job.module)
                    continue
                left, killed = left - 1, killed + (code != 0)
                place, change = f"{job.module.name}:{job.fault.line}", _short(job.fault)
                if code == 0:
                    survivors.append([job.number, place, change, "run by tests" if job.reached else "run by no test"])
                if code == -1:
                    endless.append([job.number, place, change])
                word = "killed  " if code else "SURVIVED" if job.reached else "NOT RUN "
                print(f"{job.number:3} {word} {place:40} {time.monotonic() - job.began:5.0f} s  {change}", flush=True)
            time.sleep(0.02)
        planter.stop()
    planted = killed + len(survivors)
    left_out = sorted({test for module in known for test in module.left_out})
    found = {"planted": planted, "killed": killed, "in no time": left, "tests left out": left_out, "endless": endless}
    print(json.dumps(found | {"survivors": survivors}, ensure_ascii=False))
    print(f"{killed} of {planted} faults were noticed")


def _short(fault: Fault) -> str:
    before, after = (" ".join(text.split())[:70] for text in (fault.before, fault.after))
    return f"{before}  ->  {after}"


if __name__ == "__main__":
    main()
