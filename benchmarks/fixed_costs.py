"""What a user waits for besides arithmetic: a short training, a comparison from start to end, a forecaster's fit.

    python benchmarks/fixed_costs.py

Seconds by the clock and of CPU; the least of some runs, as all of these are single waits.
"""

import os
import subprocess
import sys
import time

import numpy as np

UPDATES, POINTS = 1000, 40_000
# Milliseconds of a training, seconds of a comparison and of a fit.
REACH = {"1,000 updates": 0.005, "compare beijing": 0.6, "fit of 40,000 points": 1.2}


def training(rounds: int = 50) -> list[tuple[float, float]]:
    """`tsuzuki.fit` of a thousand updates of the tutorial's network, in a process that has trained before."""
    from tsuzuki import Dense, Network, Segment, SimpleRNN, Windows, fit, initialise

    points = 6 * UPDATES + 6
    series = np.sin(np.arange(points, dtype=np.float32) / 5)[:, None]
    network = Network(1, (SimpleRNN(10), Dense(10, "tanh"), Dense(1)))
    layout, weights = Windows(6, 6, stateful=True).over([Segment(0, points)]), initialise(network, 0)
    return [_timed(lambda: fit(network, weights, series, series, layout, epochs=1)) for _ in range(rounds)]


def comparison(rounds: int = 5) -> list[tuple[float, float]]:
    """`tsuzuki compare beijing`, from the process's start to its end."""
    command = [sys.executable, "-m", "tsuzuki", "compare", "beijing"]
    return [_timed(lambda: subprocess.run(command, capture_output=True, check=True)) for _ in range(rounds)]


def forecaster(rounds: int = 3) -> list[tuple[float, float]]:
    """The defaults on hourly points with a day, a year and a slow walk."""
    import pandas as pd

    from tsuzuki import Forecaster

    hours = np.arange(POINTS)
    walk = np.cumsum(np.random.default_rng(0).normal(0, 0.1, POINTS))
    values = 10 * np.sin(hours * 2 * np.pi / 8766) + 4 * np.sin(hours * 2 * np.pi / 24) + walk
    series = pd.Series(values, pd.date_range("2015-01-01", periods=POINTS, freq="h"), name="sensor")
    return [_timed(lambda: Forecaster(24).fit(series)) for _ in range(rounds)]


def _timed(call) -> tuple[float, float]:
    """Seconds by the clock, and of CPU, this process's and its children's."""
    began, before = time.perf_counter(), os.times()
    call()
    taken, after = time.perf_counter() - began, os.times()
    return taken, sum(after[:4]) - sum(before[:4])


def main() -> dict[str, tuple[float, float]]:
    """Time all of them and print the table."""
    print("\nFixed costs, the least of some runs")
    print(f"  {'':24}{'s by the clock':>16}{'s of CPU':>12}{'to reach':>14}")
    found = {}
    for name, part in zip(REACH, (training, comparison, forecaster), strict=True):
        every = part()[1:]
        clock, cpu = min(one for one, _ in every), min(one for _, one in every)
        judged = "ok" if clock <= REACH[name] else "NO"
        print(f"  {name:24}{clock:16.4f}{cpu:12.3f}{f'{REACH[name]:g} {judged}':>14}", flush=True)
        found[name] = (clock, cpu)
    return found


if __name__ == "__main__":
    main()
