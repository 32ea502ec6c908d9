"""Which tests run which lines of the package, and how long each takes: found once, kept, and found anew where a file of
tests or a module that it runs has changed.

Coverage's tracer does it, with the name of the running test as its context, in the processes that a test starts too.
"""

import ast
import contextlib
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import coverage
import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "tsuzuki"
# A process that a test starts says in which test it runs what it runs.
_SETTINGS = """[run]
data_file = {folder}/.coverage
parallel = true
sigterm = true
context = $RECORDED_TEST
include = {package}/*
"""


class Recorder:
    """A plugin of pytest that writes down which lines of the package each test runs, and how long it takes.

    What a fixture runs counts for all tests of the file.

    Args:
        output: where to.
        folder: for what the processes of tests find.
        slow: tests to leave out.
    """

    def __init__(self, output: Path, folder: Path, slow: set[str]) -> None:
        self._output, self._folder, self._slow = output, folder, slow
        self._tests: dict[str, dict[str, Any]] = {}
        self._left_out: list[str] = []
        (folder / "settings").write_text(_SETTINGS.format(folder=folder, package=PACKAGE))
        (folder / "sitecustomize.py").write_text("import coverage\n\ncoverage.process_startup()\n")
        path = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
        os.environ |= {"PYTHONPATH": os.pathsep.join(path), "COVERAGE_PROCESS_START": str(folder / "settings")}
        self._coverage = coverage.Coverage(data_file=None, include=[f"{PACKAGE}/*"], config_file=False)
        self._coverage.start()
        self._switch("loading")

    def _switch(self, context: str) -> None:
        os.environ["RECORDED_TEST"] = context
        self._coverage.switch_context(context)

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        items[:] = [item for item in items if item.nodeid not in self._slow]

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

    def pytest_runtest_setup(self) -> None:
        self._switch("fixtures")

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_call(self, item: Any) -> Iterator[None]:
        self._switch(item.nodeid)
        yield
        self._switch("fixtures")

    def pytest_sessionfinish(self) -> None:
        self._coverage.stop()
        lines: dict[str, dict[str, set[int]]] = {}
        for data in [self._coverage.get_data(), *self._of_processes()]:
            for file in data.measured_files():
                for line, contexts in data.contexts_by_lineno(file).items():
                    for context in contexts:
                        lines.setdefault(str(Path(file).relative_to(PACKAGE)), {}).setdefault(context, set()).add(line)
        known = {module: {test: sorted(own) for test, own in found.items()} for module, found in lines.items()}
        digests = {module: _digest(PACKAGE / module) for module in known}
        self._output.write_text(
            json.dumps({"tests": self._tests, "left out": self._left_out, "lines": known, "digests": digests})
        )

    def _of_processes(self) -> Iterator[coverage.CoverageData]:
        for found in self._folder.glob(".coverage.*"):
            data = coverage.CoverageData(str(found))
            # A process that was killed may have left half a file.
            with contextlib.suppress(coverage.CoverageException):
                data.read()
                yield data


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Reach:
    """What recorders have found.

    Args:
        kept: the folder of what they found, and of what they will.
        names: of the files of tests, without `.py`.
        slow: tests to leave out; None for none.
    """

    def __init__(self, kept: Path, names: list[str], slow: set[str] | None = None) -> None:
        self._kept, self._slow = kept, slow or set()
        self._known: set[str] = set()
        kept.mkdir(parents=True, exist_ok=True)
        self.unknown = [name for name in names if not self._is_new(name)]
        self.tests: dict[str, float] = {}
        self.left_out: list[str] = []
        self._lines: dict[str, dict[int, set[str]]] = {}
        self._inside: dict[str, set[int]] = {}
        for name in names:
            if name not in self.unknown:
                self.learn(name)

    def knows(self, names: Iterable[str]) -> bool:
        """Whether these files have been learned."""
        return self._known.issuperset(names)

    def _is_new(self, name: str) -> bool:
        path = self._kept / f"{name}.json"
        if not path.exists():
            return False
        found = json.loads(path.read_text())
        old = [module for module, digest in found["digests"].items() if _digest_or_none(PACKAGE / module) != digest]
        return not old and found["of"] == _digest(ROOT / "tests" / f"{name}.py")

    def record(self, name: str) -> None:
        """Run a file of tests in this process, which is of no more use then."""
        output = self._kept / f"{name}.json"
        with tempfile.TemporaryDirectory() as folder:
            recorder = Recorder(Path(folder) / "found", Path(folder), self._slow)
            own = ["-p", "no:xdist", "-o", "addopts=-q", f"--basetemp={folder}/tests"]
            arguments = [*own, "--continue-on-collection-errors", str(ROOT / "tests" / f"{name}.py")]
            pytest.main(arguments, plugins=[recorder])
            found = json.loads((Path(folder) / "found").read_text())
            output.write_text(json.dumps(found | {"of": _digest(ROOT / "tests" / f"{name}.py")}))

    def learn(self, name: str) -> None:
        """Take over what a recorder has written."""
        path = self._kept / f"{name}.json"
        self._known.add(name)
        if not path.exists():
            self.left_out.append(f"tests/{name}.py")
            return
        found = json.loads(path.read_text())
        good = {test: one["seconds"] for test, one in found["tests"].items() if one["passed"] and "seconds" in one}
        self.tests |= good
        self.left_out += sorted({*found["left out"], *(found["tests"].keys() - good.keys())})
        for module, contexts in found["lines"].items():
            lines = self._lines.setdefault(module, {})
            for context, numbers in contexts.items():
                tests = good.keys() if context == "fixtures" else {context} & good.keys()
                for number in numbers:
                    lines.setdefault(number, set()).update(tests)

    def at(self, module: str, first: int, last: int) -> set[str]:
        """The tests that run a statement; those that run the module where it stands outside of functions."""
        lines = self._lines.get(module, {})
        if module not in self._inside:
            self._inside[module] = _inside((PACKAGE / module).read_text())
        if not {first, last} & self._inside[module]:
            return set().union(*lines.values())
        return set().union(*(lines.get(line, set()) for line in range(first, last + 1)))


def _digest_or_none(path: Path) -> str | None:
    return _digest(path) if path.exists() else None


def _inside(source: str) -> set[int]:
    """The lines of a module that stand in functions."""
    return {
        line
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.Lambda)
        for part in (node.body if isinstance(node.body, list) else [node.body])
        for line in range(part.lineno, (part.end_lineno or part.lineno) + 1)
    }
