"""One network trained on shards of files by two workers against one: readings a second, in turns in one run.

    python benchmarks/shard_workers.py [--series 2000] [--hours 1000] [--workers 2] [--turns 3] [--ray ADDRESS]

Writes made-up hourly series, and fits one model (networks alone) to them with one worker and with several. What is
timed are the rounds in the middle of each fit, behind its beginning, when workers start, and before its end, when the
networks are run over a sample. `cpu` is that of the whole fit, by all processes of this machine.
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path
from statistics import median
from threading import Lock

from many_series import write_files
from tsuzuki import Forecaster
from tsuzuki.data.panel_store import PanelStore, panel_store
from tsuzuki.distributed.workers import open_pool
from tsuzuki.forecasting.drawn_training import ROUND, WIDER
from tsuzuki.forecasting.member_training import TRAINING_SHARE
from tsuzuki.forecasting.store_fit import LOOKING, train_on_store

# Rounds of a fit, and the shares of its progress between which they are timed. The training is this share of a fit of
# a store; the rest are looking at all series and running the networks over a sample.
ROUNDS, FROM, TO = 24, 0.2, 0.8
TRAINED = (1 - LOOKING) * TRAINING_SHARE


def cpu() -> float:
    """Seconds of this process and of those that it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def fit(store: PanelStore, workers: int, address: str | None) -> tuple[float, float]:
    """Readings a second that the updates of a fit went through, and the CPU seconds of the whole fit."""
    settings = Forecaster(24, budget=ROUNDS * ROUND, committee=False).settings
    passed, begun, lock = [(0.0, time.perf_counter())], cpu(), Lock()

    def note(share: float) -> None:
        with lock:
            passed.append((passed[-1][0] + share, time.perf_counter()))

    with open_pool(workers, address) as pool:
        fitted = train_on_store(store, settings, note, workers=pool)
    (first, since), (last, until) = (next(one for one in passed if one[0] >= share) for share in (FROM, TO))
    updates = sum(record.updates for history in fitted.histories for record in history)
    read = updates * (last - first) / TRAINED * WIDER * settings.lanes * settings.timesteps
    return read / (until - since), cpu() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=2000)
    parser.add_argument("--hours", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--ray", help="the address of a Ray cluster whose processes the workers are")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        write_files(Path(folder), asked.series, asked.hours)
        store = panel_store(folder, Path(folder) / "cache")
        # Whatever is compiled is compiled before.
        fit(store, 1, None)
        found: dict[int, list[float]] = {1: [], asked.workers: []}
        for _ in range(asked.turns):
            for workers, speeds in found.items():
                speed, used = fit(store, workers, asked.ray)
                speeds.append(speed)
                print(f"{workers} workers: {speed:,.0f} readings a second; {used:.1f} s of CPU in all", flush=True)
        ratio = median(found[asked.workers]) / median(found[1])
        print(f"{asked.workers} workers against one: {ratio:.2f} × (medians of {asked.turns})")


if __name__ == "__main__":
    main()
