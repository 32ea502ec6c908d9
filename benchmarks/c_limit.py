"""The C limit on the classic job: compiled here, run on the same numbers."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from competitor import answer, job_from
from jobs import CHECKED

FLAGS = ["-O3", "-march=native", "-ffast-math", "-mprefer-vector-width=512"]


def main(rounds: int = 15) -> None:
    """Compile, run, and pass the times on."""
    job = job_from(sys.argv)
    with tempfile.TemporaryDirectory() as folder:
        program, series, weights = (Path(folder) / name for name in ("limit", "series", "weights"))
        began = time.perf_counter()
        subprocess.run(["cc", *FLAGS, str(Path(__file__).with_name("limit.c")), "-o", program, "-lm"], check=True)
        compiled = time.perf_counter() - began
        job.series().tofile(series)
        np.concatenate([w.ravel() for w in job.weights()]).tofile(weights)
        command = [program, series, weights, str(CHECKED), str(rounds)]
        first, *times = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    answer([float(t) for t in times], float(first), compiled)


if __name__ == "__main__":
    main()
