"""Many series from files: what reading, training and forecasting cost, and the memory that they take.

    python benchmarks/many_series.py SERIES HOURS [--budget auto] [--folder FOLDER]

Writes SERIES made-up hourly series of HOURS readings as Parquet, a thousand series a file, then fits one model to them
and forecasts all, in this process. Numbers are of wall-clock time; `cpu` is the time of all threads.
"""

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tsuzuki import Forecaster
from tsuzuki.data.panel_store import panel_store

PER_FILE = 1000


def write_files(folder: Path, series: int, hours: int) -> None:
    """Daily and weekly waves, each series with a phase, a level and noise of its own, and every 200th reading gone."""
    at = np.arange(hours)
    times = np.datetime64("2015-01-01", "ns") + at * np.timedelta64(3600 * 10**9, "ns")
    for first in range(0, series, PER_FILE):
        rng, count = np.random.default_rng(first), min(PER_FILE, series - first)
        phase, level = rng.uniform(0, 24, (count, 1)), rng.uniform(5, 50, (count, 1))
        values = np.sin((at + phase) * 2 * np.pi / 24) + 0.4 * np.sin((at + 3 * phase) * 2 * np.pi / 168)
        noise = np.cumsum(rng.normal(0, 0.03, (count, hours)), axis=1)
        # A level that wanders, but stays near.
        noise -= np.linspace(0, 1, hours) * noise[:, -1:]
        values = level * (2 + 0.5 * values + 0.3 * noise) + rng.normal(0, 0.1, (count, hours)) * level
        there = rng.random((count, hours)) > 0.005
        there[:, [0, -1]] = True
        names = pa.array([f"s{number:08d}" for number in range(first, first + count)])
        numbers = pa.array(np.repeat(np.arange(count, dtype=np.int32), hours)[there.ravel()])
        table = pa.table(
            {
                "unique_id": pa.DictionaryArray.from_arrays(numbers, names),
                "ds": np.tile(times, count)[there.ravel()],
                "y": values.astype(np.float32)[there],
            }
        )
        pq.write_table(table, folder / f"readings-{first:08d}.parquet")


def clocks() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def since(begun: tuple[float, float]) -> dict[str, float]:
    now = clocks()
    return {"seconds": round(now[0] - begun[0], 2), "cpu": round(now[1] - begun[1], 2)}


def tell(found: dict[str, object]) -> None:
    """What is known so far, for whoever does not wait for the end."""
    print(json.dumps(found), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("series", type=int)
    parser.add_argument("hours", type=int)
    parser.add_argument("--budget", default="auto")
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = given.folder or Path(made)
        source, cache = folder / "readings", folder / "cache"
        if not source.exists():
            source.mkdir(parents=True)
            write_files(source, given.series, given.hours)
        found: dict[str, object] = {"series": given.series, "hours": given.hours}
        tell(found)
        begun = clocks()
        store = panel_store(source, cache)
        found |= {"readings": store.readings, "ingest": since(begun)}
        tell(found)
        begun = clocks()
        model = Forecaster(24, budget=given.budget).fit(source, cache=cache)
        assert model.fitted is not None
        updates = [sum(record.updates for record in history) for history in model.fitted.histories]
        found |= {"fit": since(begun), "updates": updates}
        tell(found)
        begun = clocks()
        rows = model.forecast_files(source, folder / "forecasts.parquet", cache=cache)
        found |= {"forecast": since(begun), "rows": rows}
        found["resident_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        tell(found)


if __name__ == "__main__":
    main()
