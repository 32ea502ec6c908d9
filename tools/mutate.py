"""Plant small faults and see whether the tests notice: a comparison turned, a number one off, a condition dropped.

    python tools/mutate.py                 200 faults, drawn over all modules of the list
    python tools/mutate.py 20 --seed 3     20 others
    python tools/mutate.py 10 --module data/segments.py

Each fault is planted in a copy of the package, and the tests that belong to the module run until one fails. What no
test notices is printed: the place, what stood there, what was planted.
"""

import argparse
import ast
import copy
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
# Modules outside the kernels, and the tests that see to them.
TESTS = {
    "data/segments.py": ("test_small_faults", "test_series"),
    "data/timestamps.py": ("test_timestamps", "test_small_faults"),
    "data/date_forms.py": ("test_timestamps",),
    "data/delimited.py": ("test_readers", "test_dialects"),
    "data/columns.py": ("test_readers", "test_dialects"),
    "data/grid.py": ("test_series",),
    "data/joining.py": ("test_joining",),
    "data/calendar.py": ("test_calendar",),
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


@dataclass(frozen=True)
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
    nodes = [node for node in ast.walk(tree) if not _is_said(node)]
    for number, node in enumerate(nodes):
        for change in range(len(_changes(node))):
            planted = copy.deepcopy(tree)
            twin = [other for other in ast.walk(planted) if not _is_said(other)][number]
            before = ast.unparse(twin)
            _changes(twin)[change]()
            after = ast.unparse(twin)
            if after != before:
                yield Fault(getattr(node, "lineno", 0), before, after, ast.unparse(planted) + "\n")


def _is_said(node: ast.AST) -> bool:
    """Whether a node is a message or a type, which tests may leave alone."""
    return isinstance(node, ast.Raise | ast.JoinedStr | ast.AnnAssign | ast.Import | ast.ImportFrom)


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


def survives(package: Path, name: str, fault: Fault, limit: float) -> bool:
    """Whether the tests of a module do not notice a fault in it; tests that run on for ever have noticed."""
    path = package / "tsuzuki" / name
    whole = path.read_text()
    path.write_text(fault.source)
    tests = [str(ROOT / "tests" / f"{test}.py") for test in TESTS[name]]
    environment = {**os.environ, "PYTHONPATH": str(package)}
    command = [sys.executable, "-m", "pytest", "-n", "0", "-x", "-q", "-p", "no:randomly", *tests]
    try:
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=limit, check=False)
        return done.returncode == 0
    except subprocess.TimeoutExpired:
        return False
    finally:
        path.write_text(whole)


def main() -> None:
    """Plant, test and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", nargs="?", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--module", action="append", choices=sorted(TESTS), metavar="MODULE")
    parser.add_argument("--limit", type=float, default=900.0, help="seconds for one fault's tests")
    asked = parser.parse_args()
    survived = 0
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder) / "src"
        shutil.copytree(ROOT / "src", package, ignore=shutil.ignore_patterns("__pycache__"))
        for number, (name, fault) in enumerate(drawn(asked.count, asked.seed, asked.module or sorted(TESTS)), start=1):
            began = time.monotonic()
            alive = survives(package, name, fault, asked.limit)
            survived += alive
            word = "SURVIVED" if alive else "killed  "
            place = f"{name}:{fault.line}"
            print(f"{number:3} {word} {place:40} {time.monotonic() - began:5.0f} s  {_short(fault)}", flush=True)
            print(f"    {number - survived} of {number} killed", file=sys.stderr, flush=True)
    print(f"{asked.count - survived} of {asked.count} faults were noticed")


def _short(fault: Fault) -> str:
    before, after = (" ".join(text.split())[:70] for text in (fault.before, fault.after))
    return f"{before}  ->  {after}"


if __name__ == "__main__":
    main()
