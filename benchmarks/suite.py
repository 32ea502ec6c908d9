"""Our forecasts on a task, the built-in references beside them, and the figures that come of it."""

import time
from typing import Any

import numpy as np
import pandas as pd

import rivals
from tasks import Task
from tsuzuki import Forecaster, evaluate
from tsuzuki.engine import machine_code
from tsuzuki.forecasting import backtest as backtests
from tsuzuki.forecasting import fit as fitting

LEVELS = (80, 95)


def ours(task: Task, **settings: Any) -> tuple[pd.DataFrame, float, Forecaster | None]:
    """Our backtest with its references, and the seconds of CPU that its training took."""
    machine_code.load()
    forecaster = Forecaster(task.horizon, known=task.known, **settings)
    took = []
    whole = fitting.train

    def timed(series: Any, *given: Any, **named: Any) -> Any:
        if task.unlearned:
            # The literature trains on what lies before the stretch that it chooses on, and forecasts behind that.
            series = [one.cut_at(len(one.values) - task.unlearned) for one in series]
        began = time.process_time()
        fitted = whole(series, *given, **named)
        took.append(time.process_time() - began)
        forecaster.fitted = fitted
        return fitted

    backtests.train = timed  # type: ignore[attr-defined]
    try:
        table = forecaster.backtest(task.frame, windows=task.windows, step=task.step)
    finally:
        backtests.train = whole  # type: ignore[attr-defined]
    return table, took[0], forecaster


def scores(table: pd.DataFrame) -> dict[str, dict[str, float]]:
    """What `evaluate` finds for each model, and the mean squared error."""
    found = evaluate(table).set_index("model")
    rows = found.assign(mse=found["rmse"] ** 2).to_dict("index")
    return {model: {key: value for key, value in row.items() if np.isfinite(value)} for model, row in rows.items()}


def measure(task: Task, others: list[str], **settings: Any) -> dict[str, Any]:
    """Our figures on a task, those of the references, and those of other libraries where they were asked."""
    table, seconds, forecaster = ours(task, **settings)
    assert forecaster is not None
    found: dict[str, Any] = {
        "group": task.group,
        "score": list(task.score),
        "series": int(table["unique_id"].nunique()),
        "points": len(task.frame),
        "origins": int(table.groupby("unique_id")["cutoff"].nunique().max()),
        "horizon": task.horizon,
        "scores": scores(table),
        "seconds": {"tsuzuki": seconds},
        "published": [list(one) for one in task.published],
    }
    committee = forecaster.fitted.committee if forecaster.fitted else None
    if committee is not None:
        found["weights"] = dict(
            zip(committee.members, committee.weights[committee.bases].mean(axis=(0, 2)).round(3).tolist(), strict=True)
        )
    for name in others:
        try:
            label, column, seconds = rivals.forecast(name, task)
        except Exception as error:
            # A competitor that does not install or run is reported as that, and the others go on.
            found.setdefault("absent", {})[name] = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            continue
        both = table.merge(column, on=["unique_id", "cutoff", "ds"])
        both.attrs = table.attrs
        some = scores(both[["unique_id", "ds", "cutoff", "y", "tsuzuki", label]])
        found.setdefault("rivals", {})[label] = {
            "seconds": seconds,
            "origins": int(both["cutoff"].nunique()),
            "theirs": some[label],
            "ours": some["tsuzuki"],
        }
    return found


def best_reference(found: dict[str, Any], score: str) -> tuple[str, float]:
    """The built-in reference with the least error, in hindsight."""
    errors = {name: row[score] for name, row in found["scores"].items() if name != "tsuzuki" and score in row}
    name = min(errors, key=lambda one: errors[one])
    return name, errors[name]


def line(name: str, found: dict[str, Any]) -> str:
    """One task in a line."""
    own, cells = found["scores"]["tsuzuki"], []
    for score in found["score"]:
        reference, least = best_reference(found, score)
        cells.append(f"{score} {own[score]:.4g} ({own[score] / least:.3f} of {reference})")
    cover = "/".join(f"{own[f'coverage-{level}']:.0f}" for level in LEVELS)
    trusted = " ".join(f"{who} {share:.2f}" for who, share in found.get("weights", {}).items() if share >= 0.05)
    beside = [
        f"{label} {one['theirs'][found['score'][-1]]:.4g} (ours there {one['ours'][found['score'][-1]]:.4g})"
        for label, one in found.get("rivals", {}).items()
    ]
    beside += [f"{label} did not run: {why}" for label, why in found.get("absent", {}).items()]
    first = f"{name:34} {' '.join(cells)}  cover {cover}  {found['seconds']['tsuzuki']:.1f} s  {trusted}"
    return "\n    ".join([first, *beside])


def ratio_line(found: dict[str, Any]) -> str:
    """What the settings beside come to on one task."""
    one, score = found["beside"], found["score"][-1]
    own = one["scores"]["tsuzuki"]
    cover = "/".join(f"{own[f'coverage-{level}']:.0f}" for level in LEVELS)
    return f"beside {score} {own[score]:.4g}, {_ratio(found):.4f} of it  cover {cover}"


def ratios(outcome: dict[str, dict[str, Any]]) -> list[str]:
    """Errors with the settings beside in units of those without, by group and over all tasks, geometric means."""
    some = [found for found in outcome.values() if "beside" in found]
    if not some:
        return []
    groups = dict.fromkeys(found["group"] for found in some)
    means = {name: [_ratio(found) for found in some if found["group"] == name] for name in groups}
    means["all tasks"] = [_ratio(found) for found in some]
    return [
        f"{name:14} beside {np.exp(np.mean(np.log(own))):.4f} of the error, better on {sum(one < 1 for one in own)} of "
        f"{len(own)}"
        for name, own in means.items()
    ]


def _ratio(found: dict[str, Any]) -> float:
    score = found["score"][-1]
    return float(found["beside"]["scores"]["tsuzuki"][score] / found["scores"]["tsuzuki"][score])


def summary(outcome: dict[str, dict[str, Any]]) -> list[str]:
    """What a group comes to: ratios to the best reference of each task in hindsight."""
    lines = []
    for group in dict.fromkeys(found["group"] for found in outcome.values()):
        ratios = [
            found["scores"]["tsuzuki"][found["score"][-1]] / best_reference(found, found["score"][-1])[1]
            for found in outcome.values()
            if found["group"] == group
        ]
        own = [found["scores"]["tsuzuki"] for found in outcome.values() if found["group"] == group]
        cover = [np.mean([row[f"coverage-{level}"] for row in own]) for level in LEVELS]
        lines.append(
            f"{group:14} median {np.median(ratios):.3f}  worst {max(ratios):.3f}  better on "
            f"{100 * np.mean(np.array(ratios) < 1):.0f} % of {len(ratios)}  cover {cover[0]:.0f}/{cover[1]:.0f}"
        )
    return lines
