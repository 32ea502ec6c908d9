"""How the cost grows: with the series' length, up to a file mapped into memory, and with the number of lanes."""

import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

POINTS = (10**4, 10**5, 10**6, 10**7)
LANES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


def one(path: str, points: int) -> None:
    """In a process of its own: train two epochs of a small stream over a mapped file; print time and memory."""
    from tsuzuki.data.segments import Segment
    from tsuzuki.layouts.streams import Streams
    from tsuzuki.network.initialisers import initialise
    from tsuzuki.network.layers import GRU, Dense
    from tsuzuki.network.network import Network
    from tsuzuki.training.fit import fit

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    series = np.memmap(path, np.float32, "r", shape=(points, 1))
    network = Network(1, (GRU(16), Dense(1)))
    epochs = max(2, 10**6 // points)
    layout = Streams(24, 16).over([Segment(0, points)])
    records = fit(network, initialise(network, 0), series, series, layout, epochs=epochs, threads=1).history
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(json.dumps({"ns": min(record.seconds for record in records) / points * 1e9, "mb": grown}))


def lanes() -> dict[int, float]:
    """Nanoseconds for an observation by the number of lanes."""
    from tsuzuki.data.segments import Segment
    from tsuzuki.layouts.streams import Streams
    from tsuzuki.network.initialisers import initialise
    from tsuzuki.network.layers import GRU, Dense
    from tsuzuki.network.network import Network
    from tsuzuki.training.fit import fit

    # Divides evenly among all these lanes, so that no masked row is timed.
    points = 1024 * 24 * 8 + 1
    series = np.sin(np.arange(points, dtype=np.float32) / 7)[:, None]
    network = Network(1, (GRU(16), Dense(1)))
    found = {}
    for count in LANES:
        layout = Streams(24, count).over([Segment(0, points)])
        records = fit(network, initialise(network, 0), series, series, layout, epochs=4, threads=1).history
        found[count] = min(record.seconds for record in records) / points * 1e9
    return found


def main() -> dict:
    """Print and return both tables."""
    print("\nCost by length: GRU(16), streams of 16 x 24, one thread, from a mapped file")
    lengths = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "series"
        np.sin(np.arange(POINTS[-1], dtype=np.float32) / 7).tofile(path)
        for points in POINTS:
            command = [sys.executable, __file__, str(path), str(points)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            lengths[points] = json.loads(done.stdout.splitlines()[-1])
            shown = lengths[points]
            print(
                f"  {points:>12,} points {shown['ns']:8.1f} ns an observation, {shown['mb']:6.0f} MB more than at start"
            )
    print("Cost by lanes: the same network, 196,609 points")
    by_lanes = lanes()
    for count, ns in by_lanes.items():
        print(f"  {count:>5} lanes {ns:8.1f} ns an observation")
    return {"lengths": lengths, "lanes": by_lanes}


if __name__ == "__main__":
    if len(sys.argv) > 2:
        one(sys.argv[1], int(sys.argv[2]))
    else:
        main()
