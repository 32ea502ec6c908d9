"""What `tsuzuki run` is worth: each script under it and in Keras 3, in one run.

    python benchmarks/tutorial/run.py jfk_temperature.csv [--points N] [--cell LSTM] [--epochs-only | --calls-only]

- a script that uses no Keras, under `tsuzuki run` and under Python, twenty times in turn;
- calls that are mostly overhead (`small_calls.py`);
- the tutorial's script of 2019, three cells, three epochs each, against its port to Keras 3. What the first call of a
  process costs, imports for the most part, does not count.

Ours runs before and after Keras, so that a machine that slows down meanwhile shows. Wall times of a busy machine say
little; the CPU time of all threads stands beside them. What is computed must agree: the losses of the tutorial to 1e-3,
the first results of small calls to 1e-5.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RUN = [sys.executable, "-m", "tsuzuki", "run"]
PYTHON = [sys.executable]
ENVIRONMENT = os.environ | {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}


def rows(command: list[str]) -> list[dict[str, Any]]:
    """The lines that a script prints."""
    found = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT) as process:
        assert process.stdout is not None
        for line in process.stdout:
            # Keras takes minutes, so that a line as each row ends is welcome.
            print(line, end="", file=sys.stderr, flush=True)
            found.append(json.loads(line))
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return found


def overhead() -> None:
    """What `tsuzuki run` adds to a script that does nothing."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "nothing.py"
        script.write_text("pass\n")
        wall, busy = [], []
        for _ in range(20):
            plain, run = (_spent([*command, str(script)]) for command in (PYTHON, RUN))
            wall.append(run[0] - plain[0])
            busy.append(run[1] - plain[1])
    print(
        f"a script without Keras: {min(wall):.3f} s more under run at the least, {statistics.median(wall):.3f} s in "
        f"the median, {statistics.median(busy):.3f} s of CPU\n"
    )


def _spent(command: list[str]) -> tuple[float, float]:
    """Seconds that a command takes, by the clock and of CPU."""
    began, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.perf_counter() - began, after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime


def compare(ours: list[Any], theirs: list[Any], again: list[Any], name: str, tolerance: float, unit: float) -> None:
    """Print rows side by side, and stop where results differ."""
    print(f"{'':46} {'Keras 3':>12} {'run':>10} {'again':>10} {'times':>13} {'by CPU time':>13}")
    for mine, expected, second in zip(ours, theirs, again, strict=True):
        for one, other in zip(mine[name], expected[name], strict=True):
            if abs(one - other) > tolerance * max(1.0, abs(other)):
                raise SystemExit(f"the results differ: {mine} and {expected}")
        wall, busy = (f"{expected[key] / mine[key]:.0f}, {expected[key] / second[key]:.0f}" for key in ("best", "cpu"))
        times = [row["best"] / unit for row in (expected, mine, second)]
        print(f"{mine['what']:46} {times[0]:12.4g} {times[1]:10.4g} {times[2]:10.4g} {wall:>13} {busy:>13}")


def small_calls() -> None:
    """Calls that are mostly overhead, in microseconds of the fastest round."""
    script = str(HERE / "small_calls.py")
    ours, theirs, again = (
        rows([*command, script, rounds]) for command, rounds in ((RUN, "40"), (PYTHON, "5"), (RUN, "40"))
    )
    print("microseconds a call, the fastest round; times are of the fastest rounds")
    compare(ours, theirs, again, "found", 1e-5, 1e-6)
    print()


def tutorial(file: str, points: str, cells: list[str]) -> None:
    """The tutorial's epochs, in seconds; of all cells where none is named."""
    mine = [*RUN, "--strict", str(HERE / "as_of_2019.py"), file, points, *cells]
    port = [*PYTHON, str(HERE / "in_keras_3.py"), file, points, *cells]
    runs = [
        [
            row | {"what": f"{row['cell']}, epoch {row['epoch']}, loss {row['loss']:.6f}", "best": row["seconds"]}
            for row in rows(command)
        ]
        for command in (mine, port, mine)
    ]
    print("seconds an epoch")
    compare(*([row | {"losses": [row["loss"]]} for row in run] for run in runs), "losses", 1e-3, 1.0)
    for words, key in (("the clock", "seconds"), ("CPU time", "cpu")):
        ours, theirs, again = (sum(row[key] for row in run) for run in runs)
        print(f"all epochs by {words}: {theirs:.1f} s in Keras 3, {theirs / ours:.0f} and {theirs / again:.0f} times")


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("--points", default="1000000000")
    parser.add_argument("--cell", action="append", choices=("SimpleRNN", "GRU", "LSTM"), default=[])
    parser.add_argument("--epochs-only", action="store_true")
    parser.add_argument("--calls-only", action="store_true")
    options = parser.parse_args()
    if not options.epochs_only:
        overhead()
        small_calls()
    if not options.calls_only:
        tutorial(options.file, options.points, options.cell)


if __name__ == "__main__":
    main()
