"""How good the forecasts are: ours, the built-in references and other libraries on the same splits of real series.

    python benchmarks/accuracy.py DATA [--only 'jfk;dongsi'] [--rivals lightgbm,changes,ets,mstl,gru]
        [--seed 0] [--json PATH]

DATA is the folder with jfk_temperature.csv, beijing_dongsi_temperature.csv and beijing_changping_temperature.csv. The
first 80 % of the whole days are for training, with whatever a competitor holds out from them itself; every origin in
the rest is forecast from, once, with weights that never see it. Nothing is chosen by what the test part says. Each
competitor trains on all cores the process may use; `taskset -c 0` gives everybody one.
"""

import argparse
import json
import platform
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import rivals
from splits import Split, split_of
from tsuzuki import Forecaster, evaluate
from tsuzuki.engine import machine_code as engine
from tsuzuki.engine.threads import threads_allowed

# What is measured: the series, and how far ahead.
PROBLEMS = {
    "jfk": (("jfk",), 24),
    "jfk, 1 hour": (("jfk",), 1),
    "dongsi": (("dongsi",), 24),
    "changping": (("changping",), 24),
    "both": (("dongsi", "changping"), 24),
}


def ours(split: Split, seed: int) -> tuple[pd.DataFrame, float]:
    """Our backtest with its references, and the seconds its training took."""
    engine.load()
    began, shares, ends = time.perf_counter(), [], []

    def on_progress(share: float) -> None:
        shares.append(share)
        ends.append(time.perf_counter())

    forecaster = Forecaster(horizon=split.horizon, seed=seed)
    table = forecaster.backtest(split.frame, windows=split.windows, step=1, on_progress=on_progress)
    # The shares add up to 1 when training, calibration included, is over; forecasts and references follow.
    assert abs(sum(shares) - 1) < 1e-6
    return table, ends[-1] - began


def place(table: pd.DataFrame, split: Split, forecasts: np.ndarray) -> np.ndarray:
    """A rival's forecasts [series, origins, horizon] in the order of a backtest's rows."""
    series = table["unique_id"].map({name: i for i, name in enumerate(split.ids)}).to_numpy()
    hour = np.timedelta64(1, "h")
    first = split.times[:, split.cut - 1][series]
    origin = np.rint((table["cutoff"].to_numpy() - first) / hour).astype(int)
    ahead = np.rint((table["ds"].to_numpy() - table["cutoff"].to_numpy()) / hour).astype(int)
    return forecasts[series, origin, ahead - 1]


def scores(table: pd.DataFrame) -> dict[str, dict[str, float]]:
    """What `evaluate` finds for each model, with the RMSE one hour ahead beside it."""
    found = evaluate(table).set_index("model")
    near = evaluate(table, by_horizon=True).query("horizon == 1").set_index("model")["rmse"]
    rows = found.assign(rmse_1=near).to_dict("index")
    return {model: {key: value for key, value in row.items() if np.isfinite(value)} for model, row in rows.items()}


def measure(split: Split, wanted: list[str], seed: int) -> dict[str, Any]:
    """All competitors on one split."""
    table, seconds = ours(split, seed)
    trained, absent, fewer = {"tsuzuki": seconds}, {}, {}
    for name in wanted:
        try:
            rival = rivals.RIVALS[name](split)
        except Exception as error:
            # A competitor that does not install or run is reported as that, and the others go on.
            absent[name] = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            continue
        for label, forecasts in rival.forecasts.items():
            trained[label] = rival.seconds
            column = place(table, split, forecasts)
            if np.isnan(column).any():
                some = table[~np.isnan(column)]
                some = some.assign(**{label: column[~np.isnan(column)]})
                fewer[label] = {"origins": int(some["cutoff"].nunique()), "scores": scores(some)}
            else:
                table[label] = column
    found = {
        "points": split.values.shape[1],
        "trained on": split.cut,
        "origins": split.windows,
        "scores": scores(table),
    }
    by_series = (
        {name: scores(some)["tsuzuki"] for name, some in table.groupby("unique_id")} if len(split.ids) > 1 else {}
    )
    return found | {"seconds": trained, "absent": absent, "on fewer origins": fewer, "by series": by_series}


def show(name: str, found: dict[str, Any]) -> None:
    """Print one problem's table."""
    print(
        f"\n{name}: {found['trained on']:,} of {found['points']:,} points to train on, "
        f"every one of {found['origins']:,} origins"
    )
    print(f"{'':24}{'RMSE':>8}{'MAE':>8}{'RMSE 1 h':>10}{'trained in':>12}")
    for model, row in found["scores"].items():
        seconds = found["seconds"].get(model)
        shown = f"{seconds:10.1f} s" if seconds else ""
        print(f"{model:24}{row['rmse']:8.3f}{row['mae']:8.3f}{row['rmse_1']:10.3f}{shown}")
    own = found["scores"]["tsuzuki"]
    cover = ", ".join(
        f"{own[f'coverage-{level}']:.1f} % in the {level} % interval ({own[f'width-{level}']:.2f} wide)"
        for level in (80, 95)
    )
    print(f"coverage: {cover}; skill against the best other: {own['skill']:+.1%}")
    for model, less in found["on fewer origins"].items():
        theirs, same = less["scores"][model], less["scores"]["tsuzuki"]
        print(
            f"{model}, {less['origins']} origins only: RMSE {theirs['rmse']:.3f}, MAE {theirs['mae']:.3f}, "
            f"1 h {theirs['rmse_1']:.3f}, {found['seconds'][model]:.1f} s; "
            f"ours there {same['rmse']:.3f}, {same['mae']:.3f}, {same['rmse_1']:.3f}"
        )
    for model, row in found["by series"].items():
        print(f"ours on {model}: RMSE {row['rmse']:.3f}, MAE {row['mae']:.3f}, 1 h {row['rmse_1']:.3f}")
    for model, why in found["absent"].items():
        print(f"{model} did not run: {why}")


def versions() -> dict[str, str]:
    """What was measured."""
    found = {"python": platform.python_version(), "cores": str(threads_allowed())}
    for name in ("tsuzuki", "numpy", "pandas", "mlforecast", "lightgbm", "statsforecast", "neuralforecast", "torch"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", default=";".join(PROBLEMS), help="problems, with ; between them")
    parser.add_argument("--rivals", default=",".join(rivals.RIVALS), help="empty for none")
    parser.add_argument("--seed", type=int, default=0, help="of ours")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    wanted = [name for name in options.rivals.split(",") if name]
    outcome: dict[str, Any] = {"versions": versions(), "problems": {}}
    for name in options.only.split(";"):
        series, horizon = PROBLEMS[name]
        outcome["problems"][name] = measure(split_of(options.data, series, horizon), wanted, options.seed)
        show(name, outcome["problems"][name])
        if options.json:
            options.json.parent.mkdir(parents=True, exist_ok=True)
            options.json.write_text(json.dumps(outcome, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
