"""What share of the machine's arithmetic peak the larger jobs reach on one thread and on two, and what they read.

The peak is what the register tile itself gives on operands that stay in the first-level cache. A job's operations are
its matrix products, forward and backward, at two for each multiplication.
"""

import time
from statistics import median

import numpy as np
from numba import njit

from jobs import JOBS, Job
from tsuzuki.data.segments import Segment
from tsuzuki.engine.plan import split_lanes
from tsuzuki.kernels.host import MAX_ROWS, WIDTH
from tsuzuki.kernels.instructions import floats_at
from tsuzuki.kernels.register_tile import tile
from tsuzuki.layouts.streams import Streams
from tsuzuki.layouts.windows import Windows
from tsuzuki.training.fit import fit

# Shares to reach by so many threads.
REACH, ROUNDS = {1: 0.80, 2: 0.75}, 6
# Operations of all rounds at most, so that large jobs do not take minutes.
MOST = 3e12


def peak(rounds: int = 7) -> float:
    """GFLOP/s of one core in the tile, the best of some rounds."""
    depth, repeats = 256, 20_000

    @njit
    def work(a, b, c, count):
        for _ in range(count):
            panel, rows = floats_at(b), floats_at(a)
            to = floats_at(c)
            tile(MAX_ROWS, 2, 0, rows, depth, 1, panel, 2 * WIDTH, to, 2 * WIDTH, to, 2 * WIDTH, depth, 1, 0)

    a, b, c = (np.zeros(n, np.float32) for n in (MAX_ROWS * depth, depth * 2 * WIDTH, MAX_ROWS * 2 * WIDTH))
    places = (a.ctypes.data, b.ctypes.data, c.ctypes.data)
    work(*places, 1)
    best = np.inf
    for _ in range(rounds):
        began = time.perf_counter()
        work(*places, repeats)
        best = min(best, time.perf_counter() - began)
    return 2 * MAX_ROWS * 2 * WIDTH * depth * repeats / best / 1e9


def operations(job: Job) -> int:
    """Floating-point operations of an update: input, recurrence and head, forward and backward."""
    rows, layer = job.lanes * job.steps, job.network.layers[0]
    wide = layer.gates * layer.units
    recurrent = 2 * rows * layer.units * wide * 3
    entry = 2 * rows * 1 * wide * 2
    head = 2 * (rows if job.every_step else job.lanes) * layer.units * 3
    return recurrent + entry + head


def weights_read(job: Job) -> int:
    """Bytes of the recurrent kernel that an update reads: all of it in each step, forward and backward, for each block
    of lanes that a thread takes at a time."""
    layer, (blocks, _) = job.network.layers[0], split_lanes(job.network, job.lanes, job.steps)
    return 2 * job.steps * blocks * layer.gates * layer.units**2 * 4


def seconds_of(job: Job, threads: int) -> float:
    """Seconds of an update."""
    series, segments = job.series()[:, None], [Segment(0, job.points)]
    kind = Streams(job.steps, job.lanes) if job.every_step else Windows(job.steps, job.lanes, stateful=True)
    layout = kind.over(segments)
    epochs = max(2, min(ROUNDS, int(MOST / operations(job) / layout.updates)))
    records = fit(job.network, job.weights(), series, series, layout, epochs=epochs, threads=threads).history[1:]
    return median(record.seconds / record.updates for record in records)


def main() -> dict:
    """Print and return the shares."""
    top = peak()
    print(f"\nShare of the arithmetic peak ({top:.0f} GFLOP/s of a core in the tile), weights read in a second")
    found: dict = {"peak": top}
    for job in JOBS:
        if job.units < 64:
            continue
        found[job.name] = {}
        for threads, reach in REACH.items():
            seconds = seconds_of(job, threads)
            reached, read = operations(job) / seconds / 1e9, weights_read(job) / seconds / 1e9
            share = reached / top / threads
            found[job.name][threads] = {"gflops": reached, "share": share, "weights read, GB/s": read}
            verdict = f"{reach:.0%} {'ok' if share >= reach else 'NO'}"
            print(f"  {job.name:28}{threads:2} threads{reached:8.0f} GFLOP/s {share:7.0%}   {verdict}{read:9.1f} GB/s")
    return found


if __name__ == "__main__":
    main()
