"""StatsForecast's AutoETS on a sample of M4's hourly series, as tasks of Ray, beside ours on the same series.

    python benchmarks/ets_on_ray.py DATA [--series 40] [--before-test]

DATA is the folder with the files of M4 Hourly. Ours is one model that is fitted to all 414 series, given as Parquet
files, and forecasts them all; AutoETS is fitted to each series of the sample, a task of Ray each. Both use all cores
that the process may use, one after the other in one run; errors are of the sample. What is fixed for both is left out:
starting Ray, imports, and a first call of each, which compiles.
"""

import argparse
import json
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

import tasks
from tsuzuki import Forecaster
from tsuzuki.engine.threads import threads_allowed

SEASON, HORIZON = 24, 48


def auto_ets(values: np.ndarray) -> tuple[np.ndarray, float]:
    """The next steps of one series, and the seconds of CPU that they took."""
    from statsforecast.models import AutoETS

    warnings.filterwarnings("ignore")
    begun = time.process_time()
    return AutoETS(season_length=SEASON).forecast(values, HORIZON)["mean"], time.process_time() - begun


def errors(before: np.ndarray, after: np.ndarray, found: np.ndarray) -> tuple[float, float]:
    """sMAPE in per cent, and MASE by the mean absolute change over a season."""
    apart = np.abs(after - found)
    return 200 * float(np.mean(apart / (np.abs(after) + np.abs(found)))), float(
        apart.mean() / np.abs(before[SEASON:] - before[:-SEASON]).mean()
    )


def on_ray(some: list[np.ndarray]) -> tuple[list[np.ndarray], dict[str, float]]:
    """AutoETS's forecasts, and what they cost for each series."""
    import ray

    ray.init(num_cpus=threads_allowed(), include_dashboard=False, log_to_driver=False)
    task = ray.remote(num_cpus=1)(auto_ets)
    # Each worker has compiled before anything is counted.
    ray.get([task.remote(some[0]) for _ in range(2 * threads_allowed())])
    begun = time.perf_counter()
    found = ray.get([task.remote(one) for one in some])
    seconds = (time.perf_counter() - begun) / len(some)
    ray.shutdown()
    return [one for one, _ in found], {"seconds": seconds, "cpu": float(np.mean([cpu for _, cpu in found]))}


def ours(train: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, float]]:
    """Our forecasts of all series, and what fit and forecasts cost for each."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "readings").mkdir()
        train.to_parquet(folder / "readings" / "train.parquet", index=False)
        # The kernels are compiled before anything is counted.
        few = train[train["unique_id"].isin(train["unique_id"].unique()[:3])]
        Forecaster(HORIZON, epochs=1).fit(few).predict()
        begun, cpu = time.perf_counter(), time.process_time()
        model = Forecaster(HORIZON).fit(folder / "readings", cache=folder / "cache")
        model.forecast_files(folder / "readings", folder / "found.parquet", cache=folder / "cache")
        count = train["unique_id"].nunique()
        took = {"seconds": (time.perf_counter() - begun) / count, "cpu": (time.process_time() - cpu) / count}
        return pd.read_parquet(folder / "found.parquet"), took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--series", type=int, default=40)
    parser.add_argument("--before-test", action="store_true")
    given = parser.parse_args()
    task = next(tasks.m4(given.data))
    frame = (task.before_test() if given.before_test else task).frame.reset_index(drop=True)
    back = frame.groupby("unique_id", sort=False).cumcount(ascending=False)
    train, rest = frame[back >= HORIZON], frame[back < HORIZON]
    names = np.random.default_rng(0).permutation(train["unique_id"].unique())[: given.series]
    before = {name: own["y"].to_numpy() for name, own in train.groupby("unique_id")}
    after = {name: own["y"].to_numpy() for name, own in rest.groupby("unique_id")}
    found, took = ours(train)
    by_name = {name: own["tsuzuki"].to_numpy() for name, own in found.groupby("unique_id")}
    theirs, cost = on_ray([before[name] for name in names])
    for label, forecasts, spent in (
        ("tsuzuki", [by_name[name] for name in names], took),
        ("AutoETS", theirs, cost),
    ):
        scores = [errors(before[name], after[name], one) for name, one in zip(names, forecasts, strict=True)]
        smape, mase = np.mean(scores, axis=0)
        line = {"model": label, "series": len(names), "smape": round(smape, 3), "mase": round(mase, 4)}
        print(json.dumps(line | {f"{name}_a_series": round(value, 4) for name, value in spent.items()}), flush=True)
    print(
        f"times as fast, by CPU: {cost['cpu'] / took['cpu']:.0f}, by the clock: {cost['seconds'] / took['seconds']:.0f}"
    )


if __name__ == "__main__":
    main()
