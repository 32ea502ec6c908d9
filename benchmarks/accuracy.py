"""How good the forecasts are: ours, the built-in references and other libraries on one suite.

    python benchmarks/accuracy.py DATA [--suite 'ETTh1;M4;temperatures;nab;tutorials;kinds'] [--only TEXT]
        [--rivals ets,theta,mstl,lightgbm,dlinear,nhits] [--before-test] [--every 29] [--set units=32 ...]
        [--beside search=60 ...] [--json PATH]

DATA is the folder with ETTh1.csv, the files of M4 Hourly, temperatures, `nab` and the tutorials' series. With
--before-test each task ends where its test part begins: what recipes are chosen on. With --beside
each task is forecast with other settings, too, and the errors are compared. Nothing is chosen by what the test part
says, and no setting depends on the name of the data. Everything is trained on all cores that the process may use.
"""

import argparse
import ast
import json
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

import rivals
import suite
import tasks
from tsuzuki.engine.threads import threads_allowed


def versions() -> dict[str, str]:
    """What was measured."""
    found = {"python": platform.python_version(), "cores": str(threads_allowed())}
    for name in ("tsuzuki", "numpy", "pandas", "mlforecast", "lightgbm", "statsforecast", "neuralforecast", "torch"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def _setting(text: str) -> tuple[str, Any]:
    name, _, value = text.partition("=")
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name, value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--suite", default=";".join(tasks.GROUPS), help="groups of tasks, with ; between them")
    parser.add_argument("--only", default="", help="tasks whose names contain this")
    parser.add_argument("--rivals", default="", help="other libraries beside: " + ",".join(rivals.RIVALS))
    parser.add_argument("--before-test", action="store_true", help="on what lies before the test parts")
    parser.add_argument("--set", nargs="*", default=[], type=_setting, metavar="NAME=VALUE", help="other settings")
    parser.add_argument(
        "--beside", nargs="*", default=[], type=_setting, metavar="NAME=VALUE", help="compared with these"
    )
    parser.add_argument("--every", type=int, default=1, metavar="N", help="origins a step apart: every N-th only")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    outcome: dict[str, Any] = {"versions": versions(), "tasks": {}}
    groups, others = options.suite.split(";"), [name for name in options.rivals.split(",") if name]
    for task in tasks.tasks_of(options.data, groups, options.only, before_test=options.before_test):
        task = task.every(options.every)
        found = outcome["tasks"][task.name] = suite.measure(task, others, **dict(options.set))
        print(suite.line(task.name, found), flush=True)
        if options.beside:
            found["beside"] = suite.measure(task, [], **dict(options.set) | dict(options.beside))
            print(f"    {suite.ratio_line(found)}", flush=True)
        if options.json:
            options.json.parent.mkdir(parents=True, exist_ok=True)
            options.json.write_text(json.dumps(outcome, indent=1, ensure_ascii=False) + "\n")
    print(*suite.summary(outcome["tasks"]), *suite.ratios(outcome["tasks"]), sep="\n")


if __name__ == "__main__":
    main()
