"""StatsForecast's AutoETS on a sample of many series, a task of Ray each, beside one model of ours for all of them.

    python benchmarks/ets_on_ray.py SERIES HOURS [--sample 12] [--budget auto]

The series are those of `many_series.py`, without their last 24 hours, which both forecast. Ours is fitted to the files
of all series; AutoETS is fitted to each series of the sample. Both use all cores that the process may use, one after
the other; what a series costs is the time of fit and forecasts over the number of series. What is paid once is left
out: starting Ray, imports, and a first call of each, which compiles. Errors are those on the sample.
"""

import argparse
import json
import os
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from many_series import write_files
from tsuzuki import Forecaster
from tsuzuki.data.panel_store import PanelStore, panel_store
from tsuzuki.engine.threads import threads_allowed

SEASON, HORIZON = 24, 24


def auto_ets(values: np.ndarray) -> tuple[np.ndarray, float]:
    """The next steps of one series, and the seconds of CPU that they took."""
    from statsforecast.models import AutoETS

    warnings.filterwarnings("ignore")
    begun = time.process_time()
    return AutoETS(season_length=SEASON).forecast(values, HORIZON)["mean"], time.process_time() - begun


def on_ray(some: list[np.ndarray]) -> tuple[list[np.ndarray], dict[str, float]]:
    """AutoETS's forecasts, and what they cost for each series."""
    import ray

    # Ray's workers give way to all else otherwise, and wait where cores are shared.
    os.environ.setdefault("RAY_worker_niceness", "0")
    ray.init(num_cpus=threads_allowed(), include_dashboard=False, log_to_driver=False)
    task = ray.remote(num_cpus=1)(auto_ets)
    # Each worker has compiled before anything is counted.
    ray.get([task.remote(some[0][-500:]) for _ in range(2 * threads_allowed())])
    begun = time.perf_counter()
    found = ray.get([task.remote(one) for one in some])
    seconds = (time.perf_counter() - begun) / len(some)
    ray.shutdown()
    return [one for one, _ in found], {"seconds": seconds, "cpu": float(np.mean([cpu for _, cpu in found]))}


def without_ends(folder: Path, last: pa.TimestampScalar) -> None:
    """Each file of a folder without the readings behind a time."""
    for path in folder.iterdir():
        table = pq.read_table(path)
        pq.write_table(table.filter(pc.less_equal(table["ds"], last)), path)


def ours(folder: Path, budget: str) -> tuple[pd.DataFrame, dict[str, float], PanelStore]:
    """Our forecasts of all series, what reading, fit and forecasts cost for each, and the readings."""
    # The kernels are compiled before anything is counted.
    steps = pd.Series(np.arange(900) % 7.0, pd.date_range("2024-01-01", periods=900, freq="h"))
    Forecaster(HORIZON, epochs=1).fit(steps).predict()
    begun, cpu = time.perf_counter(), time.process_time()
    model = Forecaster(HORIZON, budget=budget).fit(folder / "readings", cache=folder / "cache")
    model.forecast_files(folder / "readings", folder / "found.parquet", cache=folder / "cache")
    took = {"seconds": time.perf_counter() - begun, "cpu": time.process_time() - cpu}
    store = panel_store(folder / "readings", folder / "cache")
    return pd.read_parquet(folder / "found.parquet"), {n: one / len(store.ids) for n, one in took.items()}, store


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("series", type=int)
    parser.add_argument("hours", type=int)
    parser.add_argument("--sample", type=int, default=12)
    parser.add_argument("--budget", default="auto")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "readings").mkdir()
        write_files(folder / "readings", given.series, given.hours)
        whole = panel_store(folder / "readings", folder / "whole")
        last = pa.scalar(int(whole.starts[0]) + (given.hours - HORIZON - 1) * whole.step, pa.timestamp("ns"))
        numbers = np.sort(np.random.default_rng(0).permutation(given.series)[: given.sample])
        after = {
            whole.ids[n]: np.array(whole.values[whole.offsets[n + 1] - HORIZON : whole.offsets[n + 1]]) for n in numbers
        }
        without_ends(folder / "readings", last)
        found, took, store = ours(folder, given.budget)
        before = {}
        for n in numbers:
            own = pd.Series(np.array(store.values[store.offsets[n] : store.offsets[n + 1]], np.float64))
            before[store.ids[n]] = own.ffill().to_numpy()
        by_name = {name: own["tsuzuki"].to_numpy() for name, own in found.groupby("unique_id", observed=True)}

        def tell(label: str, forecasts: dict[str, np.ndarray], spent: dict[str, float]) -> None:
            """MASE by the mean absolute change over a day, over the series of the sample."""
            mase = [
                np.nanmean(np.abs(after[name] - forecasts[name])) / np.abs(own[SEASON:] - own[:-SEASON]).mean()
                for name, own in before.items()
            ]
            cost = {f"{name}_a_series": round(value, 5) for name, value in spent.items()}
            print(
                json.dumps({"model": label, "sample": len(mase), "mase": round(float(np.mean(mase)), 4)} | cost),
                flush=True,
            )

        tell("tsuzuki", by_name, took)
        theirs, cost = on_ray(list(before.values()))
        tell("AutoETS", dict(zip(before, theirs, strict=True)), cost)
    faster = {name: cost[name] / took[name] for name in cost}
    print(f"times as fast a series, by CPU: {faster['cpu']:.0f}, by the clock: {faster['seconds']:.0f}")


if __name__ == "__main__":
    main()
