"""One network trained on shards of files by two workers against one: readings a second, in turns in one run.

    python benchmarks/shard_workers.py [--series 2000] [--hours 2000] [--workers 2] [--turns 3] [--ray ADDRESS]

Writes made-up hourly series, and fits one model to them with one worker and with several. What is fixed (reading the
sample, scoring it, starting workers) is taken off: rounds are timed by a fit of many and one of few. `cpu` is the time
of all processes of this machine, which says on busy cores what the clock cannot.
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path
from statistics import median

from many_series import write_files
from tsuzuki import Forecaster
from tsuzuki.data.panel_store import PanelStore, panel_store
from tsuzuki.distributed.workers import open_pool
from tsuzuki.forecasting.drawn_training import ROUND
from tsuzuki.forecasting.store_fit import train_on_store

# Rounds of the short fit and of the long one.
FEW, MANY = 2, 18


def cpu() -> float:
    """Seconds of this process and of those that it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def fit(store: PanelStore, rounds: int, workers: int, address: str | None) -> tuple[float, float, int]:
    """Seconds and CPU seconds of a fit, and the readings that its updates went through."""
    settings = Forecaster(24, budget=rounds * ROUND).settings
    begun = time.perf_counter(), cpu()
    with open_pool(workers, address) as pool:
        fitted = train_on_store(store, settings, workers=pool)
    updates = sum(record.updates for history in fitted.histories for record in history)
    lanes = settings.lanes * 2
    return time.perf_counter() - begun[0], cpu() - begun[1], updates * lanes * settings.timesteps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=2000)
    parser.add_argument("--hours", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--ray", help="the address of a Ray cluster whose processes the workers are")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        write_files(Path(folder), asked.series, asked.hours)
        store = panel_store(folder, Path(folder) / "cache")
        # Whatever is compiled is compiled before.
        fit(store, FEW, 1, None)
        found: dict[int, list[float]] = {1: [], asked.workers: []}
        for _ in range(asked.turns):
            for workers in found:
                short, long = (fit(store, rounds, workers, asked.ray) for rounds in (FEW, MANY))
                seconds, used, read = (b - a for a, b in zip(short, long, strict=True))
                found[workers].append(read / seconds)
                print(
                    f"{workers} workers: {read / seconds:,.0f} readings a second, {1e6 * used / read:.3f} µs of CPU a "
                    f"reading; {seconds:.1f} s for {MANY - FEW} rounds, {short[0]:.1f} s for the rest",
                    flush=True,
                )
        ratio = median(found[asked.workers]) / median(found[1])
        print(f"{asked.workers} workers against one: {ratio:.2f} × (medians of {asked.turns})")


if __name__ == "__main__":
    main()
