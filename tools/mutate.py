"""Plant small faults and see whether the tests notice: a comparison turned, a number one off, a condition dropped.

    python tools/mutate.py                 200 faults, drawn over all modules of the list
    python tools/mutate.py 20 --seed 3     20 others
    python tools/mutate.py 10 --module data/segments.py

Each fault is planted in a copy of the package, and of the tests that belong to the module those that run its line, the
fastest first, until one fails. What no test notices is printed: the place, what stood there, what was planted. A run
can be done in pieces: --first 100 passes over the faults before the hundredth.
"""

import argparse
import ast
import contextlib
import copy
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# What every test needs is loaded once, before the processes part.
import hypothesis  # noqa: F401
import numpy  # noqa: F401
import pandas  # noqa: F401
import pytest

ROOT = Path(__file__).parents[1]
# Modules outside the kernels, and the tests that see to them.
TESTS = {
    "data/segments.py": ("test_small_faults_in_readers", "test_series"),
    "data/timestamps.py": ("test_timestamps", "test_small_faults_in_readers"),
    "data/date_forms.py": ("test_small_faults_in_readers", "test_timestamps"),
    "data/delimited.py": ("test_small_faults_in_readers", "test_readers", "test_dialects"),
    "data/columns.py": ("test_small_faults_in_readers", "test_timestamps", "test_readers"),
    "data/grid.py": ("test_small_faults_in_readers", "test_series", "test_resampling", "test_zones"),
    "data/joining.py": ("test_small_faults_in_readers", "test_joining"),
    "data/newer_rows.py": ("test_zones",),
    "data/zones.py": ("test_zones",),
    "data/calendar.py": ("test_small_faults_in_readers", "test_calendar"),
    "engine/code_cache.py": ("test_code_cache",),
    "experiment/paired_statistics.py": ("test_small_faults", "test_comparison"),
    "forecasting/backtest.py": ("test_backtest", "test_small_faults"),
    "forecasting/committee.py": ("test_committee",),
    "forecasting/conformal_intervals.py": ("test_conformal_intervals", "test_small_faults"),
    "forecasting/evaluation.py": ("test_evaluation",),
    "forecasting/held_out.py": ("test_small_faults", "test_committee", "test_forecasting"),
    "forecasting/ridge.py": ("test_ridge",),
    "forecasting/rules.py": ("test_rules",),
    "forecasting/transforms.py": ("test_rules", "test_bank"),
    "formatting.py": ("test_formatting",),
    "layouts/streams.py": ("test_layouts",),
    "layouts/windows.py": ("test_layouts",),
    "storage.py": ("test_storage",),
    "streaming/bank.py": ("test_bank", "test_same_bits", "test_stream"),
    "streaming/cursor.py": ("test_stream", "test_same_bits", "test_small_faults"),
    "streaming/lines.py": ("test_commands_streaming",),
    "streaming/online_learning.py": ("test_learning", "test_small_faults"),
    "streaming/recent_values.py": ("test_bank", "test_same_bits"),
    "streaming/state_store.py": ("test_statestore",),
    "streaming/upcoming_calendar.py": ("test_stream", "test_bank"),
    "training/early_stopping.py": ("test_small_faults", "test_training"),
    "training/state.py": ("test_small_faults", "test_checkpoints"),
}
COMPARISONS = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
ARITHMETIC = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult}


@dataclass(frozen=True, order=True)
class Fault:
    """A module with one fault in it.

    Attributes:
        line: where.
        before: what stood there.
        after: what stands there now.
        source: the whole module.
    """

    line: int
    before: str
    after: str
    source: str


def faults(source: str) -> Iterator[Fault]:
    """Every fault that can be planted in a module."""
    tree = ast.parse(source)
    nodes = _parts(tree)
    for number, node in enumerate(nodes):
        for change in range(len(_changes(node))):
            planted = copy.deepcopy(tree)
            twin = _parts(planted)[number]
            before = ast.unparse(twin)
            _changes(twin)[change]()
            after = ast.unparse(twin)
            if after != before:
                yield Fault(getattr(node, "lineno", 0), before, after, ast.unparse(planted) + "\n")


def _is_said(node: ast.AST) -> bool:
    """Whether a node is a message or a type, which tests may leave alone."""
    return isinstance(node, ast.Raise | ast.JoinedStr | ast.AnnAssign | ast.Import | ast.ImportFrom)


def _parts(tree: ast.AST) -> list[ast.AST]:
    """The nodes of a module in order, less decorators, the `strict` of `zip`, and what is a message within a call: no
    result depends on these."""
    left_out = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            left_out |= {id(part) for decorator in node.decorator_list for part in ast.walk(decorator)}
        if isinstance(node, ast.keyword) and node.arg == "strict":
            left_out |= {id(part) for part in ast.walk(node)}
        if isinstance(node, ast.Raise | ast.JoinedStr):
            left_out |= {id(part) for part in ast.walk(node)}
    return [node for node in ast.walk(tree) if not _is_said(node) and id(node) not in left_out]


def _changes(node: ast.AST) -> list:
    """What may be done to a node, as functions that do it."""
    found = []
    if isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARISONS:
        found.append(lambda: node.ops.__setitem__(0, COMPARISONS[type(node.ops[0])]()))
    if isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
        found.append(lambda: setattr(node, "op", ARITHMETIC[type(node.op)]()))
    if isinstance(node, ast.BoolOp):
        found.append(lambda: setattr(node, "op", ast.Or() if isinstance(node.op, ast.And) else ast.And()))
        found.append(lambda: node.values.pop())
    if isinstance(node, ast.Constant) and type(node.value) is int:
        found.append(lambda: setattr(node, "value", node.value + 1))
    if isinstance(node, ast.Constant) and type(node.value) is bool:
        found.append(lambda: setattr(node, "value", not node.value))
    if isinstance(node, ast.IfExp):
        found.append(lambda: setattr(node, "test", ast.Constant(True)))
    if isinstance(node, ast.If) and not node.orelse:
        found.append(lambda: setattr(node, "test", ast.Constant(False)))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
        found.append(lambda: setattr(node, "op", ast.UAdd() if isinstance(node.op, ast.USub) else ast.Not()))
    return found


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


def survives(package: Path, name: str, fault: Fault, tests: list[str], limit: float) -> bool:
    """Whether tests do not notice a fault in a module; tests that run on for ever have noticed."""
    path = package / "tsuzuki" / name
    whole = path.read_text()
    path.write_text(fault.source)
    try:
        return _run(package, ["-x", *tests], None, limit) == 0
    finally:
        path.write_text(whole)


def tests_at(package: Path, name: str) -> "Callable[[int], list[str] | None]":
    """Which tests run a line of a module, the fastest first; None where no test runs it.

    What a fixture runs counts for all tests of its file. Lines outside of functions are run by every test.
    """
    path = package / "tsuzuki" / name
    recorder = Recorder(str(path))
    with tempfile.NamedTemporaryFile("r") as file:
        recorder.output = file.name
        if _run(package, [str(ROOT / "tests" / f"{test}.py") for test in TESTS[name]], recorder, 3600) != 0:
            raise SystemExit(f"the tests of {name} fail without a fault")
        found = json.load(file)
    inside = {
        line
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.Lambda)
        for part in (node.body if isinstance(node.body, list) else [node.body])
        for line in range(part.lineno, (part.end_lineno or part.lineno) + 1)
    }
    ordered = sorted(found, key=lambda test: found[test]["seconds"])

    def at(line: int) -> list[str] | None:
        if line not in inside:
            return ordered
        return [test for test in ordered if line in found[test]["lines"]] or None

    return at


class Recorder:
    """A plugin of pytest that writes down which lines of a file each test runs, and how long it takes."""

    def __init__(self, path: str) -> None:
        self.path, self.output = path, ""
        self._lines: set[int] = set()
        self._tests: dict[str, dict[str, Any]] = {}
        self._fixtures: dict[str, set[int]] = {}

    def _trace(self, frame: Any, event: str, _: object) -> Any:
        if frame.f_code.co_filename != self.path:
            return None
        self._lines.add(frame.f_lineno)
        return self._trace

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: Any) -> Iterator[None]:
        began = time.monotonic()
        self._tests[item.nodeid] = {}
        yield
        self._tests[item.nodeid]["seconds"] = time.monotonic() - began

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
        Path(self.output).write_text(json.dumps(self._tests))


def _run(package: Path, arguments: list[str], plugin: object | None, limit: float) -> int:
    """Run tests in a process of their own, which has the heavy libraries already; return pytest's exit code."""
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        os.environ["PYTHONPATH"] = str(package)
        # The same examples each time, and no compiled file of the module without the fault.
        os.environ["CI"] = "1"
        sys.dont_write_bytecode = True
        sys.path.insert(0, str(package))
        os.chdir(ROOT)
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        code = 99
        with contextlib.suppress(BaseException):
            code = int(pytest.main(["-n", "0", "-q", *arguments], plugins=[] if plugin is None else [plugin]))
        os._exit(code)
    until = time.monotonic() + limit
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > until:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return -1
        time.sleep(0.02)


def main() -> None:
    """Plant, test and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", nargs="?", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=1, help="number of the first fault to plant")
    parser.add_argument("--only", type=int, action="append", metavar="NUMBER", help="plant this fault again")
    parser.add_argument("--module", action="append", choices=sorted(TESTS), metavar="MODULE")
    parser.add_argument("--limit", type=float, default=900.0, help="seconds for one fault's tests")
    asked = parser.parse_args()
    planted = killed = 0
    # A module's faults one after another, so that it is asked once which tests run its lines.
    faults = enumerate(drawn(asked.count, asked.seed, asked.module or sorted(TESTS)), start=1)
    ordered = sorted(
        (name, number, fault)
        for number, (name, fault) in faults
        if (number in asked.only if asked.only else number >= asked.first)
    )
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder) / "src"
        shutil.copytree(ROOT / "src", package, ignore=shutil.ignore_patterns("__pycache__"))
        known: dict[str, Callable[[int], list[str] | None]] = {}
        for name, number, fault in ordered:
            if name not in known:
                known[name] = tests_at(package, name)
            began = time.monotonic()
            tests = known[name](fault.line)
            alive = tests is None or survives(package, name, fault, tests, asked.limit)
            planted, killed = planted + 1, killed + (not alive)
            word = "NOT RUN " if tests is None else "SURVIVED" if alive else "killed  "
            place = f"{name}:{fault.line}"
            print(f"{number:3} {word} {place:40} {time.monotonic() - began:5.0f} s  {_short(fault)}", flush=True)
            print(f"    {killed} of {planted} killed", file=sys.stderr, flush=True)
    print(f"{killed} of {planted} faults were noticed")


def _short(fault: Fault) -> str:
    before, after = (" ".join(text.split())[:70] for text in (fault.before, fault.after))
    return f"{before}  ->  {after}"


if __name__ == "__main__":
    main()
