"""This library on a job."""

import sys
import time
from collections.abc import Callable

import numpy as np

from competitor import answer, job_from
from tsuzuki.data.segments import Segment
from tsuzuki.engine import machine_code as engine
from tsuzuki.layouts.streams import Streams
from tsuzuki.layouts.windows import Windows
from tsuzuki.training.fit import fit

# Epochs until it is used.
PASSED = 30


def main(threads: int | None = None, first: Callable[..., None] | None = None) -> None:
    """Time whole epochs; the best of them is what the machine can do undisturbed, the median what it did.

    Args:
        threads: of the program.
        first: what is done before the clock starts.
    """
    job = job_from(sys.argv)
    series, weights = job.series()[:, None], job.weights()
    segments = [Segment(0, job.points)]
    kind = Streams(job.steps, job.lanes) if job.every_step else Windows(job.steps, job.lanes, stateful=True)
    layout = kind.over(segments)
    began = time.perf_counter()
    engine.load()
    compiled = time.perf_counter() - began
    losses = _first_losses(job, series, weights, layout)
    if first is not None:
        first(job.network, weights, series, layout)
    # A program of the network's own is looked for after a tenth of a second.
    passed = 1 if first is None else PASSED
    epochs = job.rounds + passed
    records = fit(job.network, weights, series, series, layout, epochs=epochs, threads=threads).history[passed:]
    answer([record.seconds / record.updates * 1e6 for record in records], losses, compiled)


def _first_losses(job, series, weights, layout) -> float:
    from tsuzuki.engine.compiled_network import CompiledNetwork
    from tsuzuki.engine.data import Data, RowShape
    from tsuzuki.engine.memory import SavedStates
    from tsuzuki.network.optimizers import RMSprop

    data, states = Data(series, series, 1), SavedStates(job.network, layout.slots)
    compiled = CompiledNetwork(job.network, RowShape.of(layout), data, optimizer=RMSprop(), saved_states=states)
    compiled.set_weights(weights)
    return float(np.mean(compiled.run(layout.block(0, job.checked))[:, 0]))


if __name__ == "__main__":
    main(threads=int(sys.argv[2]) if len(sys.argv) > 2 else None)
