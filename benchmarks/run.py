"""Time every competitor on every job in one run; print ratios, write JSON.

    python benchmarks/run.py [--jobs 0,1,2] [--only-jobs] [--json PATH]

Each competitor runs in a process of its own. Ours runs before and after the others, so that a machine that slows down
meanwhile shows; for the small jobs once more, with the program that a network gets after ten seconds of training.
Ratios are of medians; the C limit's is of the best rounds, for both, because a limit is what is possible, not what
noise left of it.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from statistics import median

import fixed_costs
import growth
import keras_rows
import peak
import streaming
from jobs import BEST, JAX, JOBS, KERAS_JAX, KERAS_TF, LIMIT, TORCH, Job

HERE = Path(__file__).parent
OURS, OWN = "tsuzuki", "tsuzuki, own program"
SCRIPTS = {
    OURS: ("ours.py", {}),
    OWN: ("own.py", {}),
    LIMIT: ("c_limit.py", {}),
    KERAS_TF: ("keras_fit.py", {"KERAS_BACKEND": "tensorflow"}),
    KERAS_JAX: ("keras_fit.py", {"KERAS_BACKEND": "jax"}),
    TORCH: ("torch_loop.py", {}),
    JAX: ("jax_scan.py", {}),
}
# Keras on JAX ignores stateful=True, so its losses must differ after the first update; it is timed all the same.
IGNORES_STATE = {KERAS_JAX}


def competitors(job: Job) -> list[str]:
    """Who runs on a job; Keras's `fit` cannot score streams, and C limits are made for the small jobs."""
    if job.every_step:
        return [TORCH, JAX]
    return [*([LIMIT] if LIMIT in job.reach else []), KERAS_TF, KERAS_JAX, TORCH, JAX]


def measure(name: str, number: int) -> dict | str:
    """Run one competitor on one job; its answer, or why there is none."""
    script, environment = SCRIPTS[name]
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    done = subprocess.run(
        [sys.executable, str(HERE / script), str(number)],
        env={**os.environ, **quiet, **environment},
        capture_output=True,
        text=True,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    if done.returncode or not lines:
        return (done.stderr.strip().splitlines() or ["no message"])[-1]
    return json.loads(lines[-1].removeprefix("RESULT "))


def run_job(number: int) -> dict:
    """Measure everybody on one job and print the table."""
    job = JOBS[number]
    found = {OURS: measure(OURS, number)}
    if isinstance(found[OURS], str):
        raise SystemExit(f"{OURS} failed on {job.name}: {found[OURS]}")
    for name in competitors(job):
        found[name] = measure(name, number)
    if LIMIT in job.reach:
        found[OWN] = measure(OWN, number)
    again = measure(OURS, number)
    found[OURS]["us_per_update"] += again["us_per_update"]
    ours = found[OURS]
    print(f"\n{job.name}: {job.updates} updates of {job.lanes} x {job.steps}")
    print(f"  {'':22}{'µs per update':>14}{'(best)':>10}{'ratio':>10}{'to reach':>10}")
    ratios = {}
    for name, result in found.items():
        if isinstance(result, str):
            print(f"  {name:22}  not measured: {result[:80]}")
            continue
        middle, best = median(result["us_per_update"]), min(result["us_per_update"])
        if name == LIMIT:
            ratios[name] = min(ours["us_per_update"]) / best
        elif name not in (OURS, OWN):
            ratios[name] = middle / median(ours["us_per_update"])
        shown = f"{ratios[name]:,.2f}" if name in ratios else ""
        figures = f"{middle:14,.2f}{best:10,.2f}{shown:>10}{_target(job, name, ratios):>10}"
        print(f"  {name:22}{figures}{_check(name, result, ours)}")
    if OWN in found and not isinstance(found[OWN], str):
        _compare_own(job, found, ratios)
    others = [ratio for name, ratio in ratios.items() if name in SCRIPTS and name != LIMIT]
    if BEST in job.reach and others:
        ratios[BEST] = min(others)
        print(f"  {BEST:46}{ratios[BEST]:10,.2f}{_target(job, BEST, ratios):>10}")
    return {"job": job.name, "results": found, "ratios": ratios, "reach": job.reach}


def _compare_own(job: Job, found: dict, ratios: dict[str, float]) -> None:
    """What the network's own program comes to against those that are named in what the job should reach."""
    own = found[OWN]["us_per_update"]
    for name in (LIMIT, JAX):
        if name in job.reach and not isinstance(found[name], str):
            others = found[name]["us_per_update"]
            shown = f"{name}, own program"
            ratios[shown] = min(own) / min(others) if name == LIMIT else median(others) / median(own)
            reached = ratios[shown] <= job.reach[name] if name == LIMIT else ratios[shown] >= job.reach[name]
            print(f"  {shown:46}{ratios[shown]:10,.2f}{f'{job.reach[name]:g} ' + ('ok' if reached else 'NO'):>10}")


def _target(job: Job, name: str, ratios: dict[str, float]) -> str:
    if name not in job.reach or name not in ratios:
        return ""
    reached = ratios[name] <= job.reach[name] if name == LIMIT else ratios[name] >= job.reach[name]
    return f"{job.reach[name]:g} {'ok' if reached else 'NO'}"


def _check(name: str, result: dict, ours: dict) -> str:
    apart = abs(result["first_losses"] / ours["first_losses"] - 1)
    if name in IGNORES_STATE:
        return "  (ignores the state)"
    if apart < 2e-3:
        return ""
    return f"  other losses: {result['first_losses']:.5f} against {ours['first_losses']:.5f}"


def machine() -> dict:
    """What the figures were measured on."""
    cpu = platform.processor()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
        cpu = names[0] if names else cpu
    packages = ("numba", "llvmlite", "numpy", "keras", "tensorflow-cpu", "jax", "torch")
    versions = {name: metadata.version(name) for name in packages}
    return {"cpu": cpu, "cores": os.cpu_count(), "python": platform.python_version(), "versions": versions}


START = """
import time, tsuzuki
began = time.perf_counter()
import numpy as np
series = np.sin(np.arange(13, dtype=np.float32))[:, None]
network = tsuzuki.Network(1, (tsuzuki.LSTM(64), tsuzuki.Dense(1)))
layout = tsuzuki.Windows(6, 6).over([tsuzuki.Segment(0, 13)])
tsuzuki.fit(network, tsuzuki.initialise(network, 0), series, series, layout, epochs=1)
print(time.perf_counter() - began)
"""


def starts() -> dict[str, float]:
    """Seconds from the import to the end of a first update, with an empty cache folder and with a filled one."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in ("first ever", "warm"):
            command, environment = [sys.executable, "-c", START], {**os.environ, "TSUZUKI_CACHE_DIR": folder}
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
            found[name] = float(done.stdout)
    print(
        f"\nFrom import to first update: {found['first ever']:.1f} s with compilation (40), {found['warm']:.2f} s (0.6)"
    )
    return found


def main() -> None:
    """Run the jobs that are asked for, and the sections beside them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", default=",".join(map(str, range(len(JOBS)))), help="numbers of jobs, from 0")
    parser.add_argument(
        "--only-jobs", action="store_true", help="leave out Keras rows, starts, fixed costs, peak, growth, streaming"
    )
    parser.add_argument("--json", default=str(HERE / "results" / "bench.json"))
    arguments = parser.parse_args()
    facts = machine()
    print(f"{facts['cpu']}, {facts['cores']} cores; " + ", ".join(f"{k} {v}" for k, v in facts["versions"].items()))
    numbers = [int(number) for number in arguments.jobs.split(",") if number]
    outcome = {"machine": facts, "jobs": [run_job(number) for number in numbers]}
    if not arguments.only_jobs:
        outcome |= {"keras rows": keras_rows.main([])}
        outcome |= {
            "starts": starts(),
            "fixed costs": fixed_costs.main(),
            "peak": peak.main(),
            "growth": growth.main(),
            "streaming": streaming.main(),
        }
    path = Path(arguments.json)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(outcome, indent=1))
    print(f"\nwritten to {path}")


if __name__ == "__main__":
    main()
