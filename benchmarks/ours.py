"""This library on a job."""

import sys
import time

import numpy as np

from competitor import answer, job_from
from tsuzuki.data.segments import Segment
from tsuzuki.engine import machine_code as engine
from tsuzuki.layouts.streams import Streams
from tsuzuki.layouts.windows import Windows
from tsuzuki.training.fit import fit


def main(threads: int | None = None) -> None:
    """Time whole epochs; the best of them is what the machine can do undisturbed, the median what it did."""
    job = job_from(sys.argv)
    series, weights = job.series()[:, None], job.weights()
    segments = [Segment(0, job.points)]
    kind = Streams(job.steps, job.lanes) if job.every_step else Windows(job.steps, job.lanes, stateful=True)
    layout = kind.over(segments)
    began = time.perf_counter()
    engine.load()
    compiled = time.perf_counter() - began
    first = _first_losses(job, series, weights, layout)
    records = fit(job.network, weights, series, series, layout, epochs=job.rounds + 1, threads=threads).history[1:]
    answer([record.seconds / record.updates * 1e6 for record in records], first, compiled)


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
