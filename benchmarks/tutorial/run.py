"""Time the tutorial's script of 2019 under `tsuzuki run` against the same models ported to Keras 3, in one run.

    python benchmarks/tutorial/run.py jfk_temperature.csv [--points N]

Three cells, three epochs each. Ours runs before and after Keras, so that a machine that slows down meanwhile shows.
Imports do not count. The first epoch of each cell holds what only a first call costs, loading compiled code here and
tracing there; the table gives the ratio with it and without. Losses must agree to 1e-3.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
UNDER_RUN = [sys.executable, "-m", "tsuzuki", "run", "--strict", str(HERE / "as_of_2019.py")]
IN_KERAS = [sys.executable, str(HERE / "in_keras_3.py")]


def epochs(command: list[str], arguments: list[str]) -> list[dict[str, Any]]:
    """What a script's epochs took and came to."""
    environment = os.environ | {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    found = []
    with subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        for line in process.stdout:
            # Keras takes minutes, so that a line as each epoch ends is welcome.
            print(line, end="", file=sys.stderr, flush=True)
            found.append(json.loads(line))
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return found


def main() -> None:
    """Run both and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("--points", default="1000000000")
    options = parser.parse_args()
    arguments = [options.file, options.points]
    ours, theirs, again = epochs(UNDER_RUN, arguments), epochs(IN_KERAS, arguments), epochs(UNDER_RUN, arguments)
    print(f"{'cell':10} {'epoch':>5} {'Keras 3, s':>11} {'run, s':>8} {'again, s':>8} {'loss':>9}")
    for mine, expected, second in zip(ours, theirs, again, strict=True):
        if abs(mine["loss"] / expected["loss"] - 1) > 1e-3:
            raise SystemExit(f"the losses differ: {mine} and {expected}")
        print(
            f"{mine['cell']:10} {mine['epoch']:5} {expected['seconds']:11.2f} {mine['seconds']:8.4f} "
            f"{second['seconds']:8.4f} {mine['loss']:9.6f}"
        )
    for words, kept in (("all epochs", lambda one: True), ("without first epochs", lambda one: one["epoch"] > 1)):
        slow = sum(one["seconds"] for one in theirs if kept(one))
        fast = [sum(one["seconds"] for one in run if kept(one)) for run in (ours, again)]
        print(f"{words}: {slow:.1f} s in Keras 3, {slow / fast[0]:.0f} and {slow / fast[1]:.0f} times under run")


if __name__ == "__main__":
    main()
