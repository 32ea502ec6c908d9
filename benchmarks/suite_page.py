"""The page of the suite, docs/accuracy.md, written from what `accuracy.py --json` measured.

python benchmarks/suite_page.py MEASURED.json ... > docs/accuracy.md
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from suite import LEVELS, best_reference
from tasks import GROUPS

NAMES = {"mse": "MSE", "mae": "MAE", "rmse": "RMSE", "smape": "sMAPE", "mase": "MASE"}
TITLES = {
    "ETTh1": "ETTh1: seven series of a transformer, hourly",
    "M4": "M4 Hourly: 414 series, 48 hours ahead",
    "temperatures": "Temperatures, hourly",
    "nab": "Metrics and sensors of the Numenta Anomaly Benchmark, 24 steps ahead",
    "tutorials": "Series of the best-known tutorials",
    "kinds": "Ten synthetic kinds",
}
TEXTS = {
    "ETTh1": "The literature's protocol: the first 12 months in deviations train, the next 4 are left out, every "
    "origin of the last 4 is forecast from. NHITS is trained for 500 steps of 256 windows, with a look-back of five "
    "horizons.",
    "M4": "The competition's training and test parts; MASE by the mean absolute change over 24 hours.",
    "temperatures": "The first 80 % of the whole days train, every origin in the rest is forecast from. °C. On the "
    "same splits, measured with version 0.1.0 on another machine: LightGBM through mlforecast (a model for each step "
    "ahead of changes from the last value, on 34 lags, rolling means and the calendar) 2.812 on JFK, 2.515 on Dongsi "
    "and 2.523 on Changping, 0.779 one hour ahead on JFK; the GRU of neuralforecast 3.667, 2.897, 2.874 and 0.825.",
    "nab": "Up to 30 windows of 24 steps at the end of each file, on the grid that `tsuzuki info` suggests where it "
    "has none. The last column is in units of the best built-in reference of that file in hindsight.",
    "tutorials": "Months and days; the networks are trained once, before the first window. The statistical models are "
    "fitted anew at each window.",
    "kinds": "`benchmarks/kinds.py` draws them, here with two seeds each.",
}


def main() -> None:
    measured = [json.loads(Path(name).read_text("utf-8")) for name in sys.argv[1:]]
    tasks: dict[str, dict[str, Any]] = {}
    for one in measured:
        tasks |= one["tasks"]
    print(*_head(tasks, measured[0]["versions"]), sep="\n")
    for group in GROUPS:
        own = {name: found for name, found in tasks.items() if found["group"] == group}
        if own:
            print(*_group(group, own), sep="\n")


def _head(tasks: dict[str, dict[str, Any]], versions: dict[str, str]) -> list[str]:
    lines = [
        "# How good the forecasts are",
        "",
        "`python benchmarks/accuracy.py DATA --json measured.json` measures one suite with the defaults, which no name "
        "of a data set changes; `python benchmarks/suite_page.py measured.json` writes this page from it. Recipes were "
        "chosen on what lies before the test parts (`--before-test`), never on these. Other libraries (extra "
        "`accuracy`, `--rivals`) run in the same process; where one was asked at fewer origins, our error at the same "
        "ones stands beside it. Errors, the seconds of CPU of a fit (which two cores share; none where a row is of an "
        "earlier state of this version), and the share of actual values inside the intervals.",
        "",
        "Versions: " + ", ".join(f"{name} {version}" for name, version in versions.items()) + ".",
        "",
        "| | tasks | error in units of the best reference's: median | worst | better on | inside 80 % / 95 % |",
        "|---|---|---|---|---|---|",
    ]
    for group in GROUPS:
        own = [found for found in tasks.values() if found["group"] == group]
        if not own:
            continue
        ratios = [_ratio(found, found["score"][-1]) for found in own]
        inside = " / ".join(f"{np.mean([_inside(found, level) for found in own]):.1f}" for level in LEVELS)
        better = f"{100 * np.mean(np.array(ratios) < 1):.0f} %"
        row = [group, str(len(own)), f"{np.median(ratios):.3f}", f"{max(ratios):.3f}", better, inside]
        lines.append("| " + " | ".join(row) + " |")
    return lines


def _ratio(found: dict[str, Any], score: str) -> float:
    return float(found["scores"]["tsuzuki"][score] / best_reference(found, score)[1])


def _inside(found: dict[str, Any], level: int) -> float:
    return float(found["scores"]["tsuzuki"][f"coverage-{level}"])


def _seconds(measured: float | None) -> str:
    return "" if measured is None else f"{measured:.1f}"


def _group(group: str, tasks: dict[str, dict[str, Any]]) -> list[str]:
    scores = next(iter(tasks.values()))["score"]
    shown = " / ".join(NAMES[score] for score in scores)
    head = [
        "",
        f"tsuzuki, {shown}",
        "best built-in reference",
        "ours in its units",
        "inside 80 / 95 %",
        "fit, s of CPU",
    ]
    lines = ["", f"## {TITLES[group]}", "", TEXTS[group], "", _row(head), "|" + "---|" * len(head)]
    beside: list[str] = []
    for name, found in tasks.items():
        own = found["scores"]["tsuzuki"]
        references = [best_reference(found, score) for score in scores]
        who = references[-1][0]
        cells = [
            name,
            "**" + " / ".join(_figure(own[score]) for score in scores) + "**",
            f"{who} " + " / ".join(_figure(found["scores"][who][score]) for score in scores),
            f"{_ratio(found, scores[-1]):.3f}",
            f"{_inside(found, 80):.1f} / {_inside(found, 95):.1f}",
            _seconds(found["seconds"]["tsuzuki"]),
        ]
        lines.append(_row(cells))
        for label, one in found.get("rivals", {}).items():
            theirs, ours = (" / ".join(_figure(one[key][score]) for score in scores) for key in ("theirs", "ours"))
            fewer = "" if one["origins"] == found["origins"] else f", {one['origins']} origins"
            beside.append(_row([name, label, f"{theirs}{fewer}", ours, _seconds(one["seconds"])]))
        for label, figures, source in found.get("published", ()):
            theirs = " / ".join(_figure(figure) for figure in figures)
            ours = " / ".join(_figure(own[score]) for score in scores)
            beside.append(_row([name, label, f"{theirs}, published ({source})", ours, ""]))
    if beside:
        lines += ["", _row(["", "beside it", shown, "tsuzuki there", "s of CPU"]), "|" + "---|" * 5, *beside]
    return lines


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _figure(value: float) -> str:
    return f"{value:.3f}" if value < 10 else f"{value:.4g}"


if __name__ == "__main__":
    main()
