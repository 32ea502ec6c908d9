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


def main(threads: int | None = None, rounds: int = 9) -> None:
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
    records = fit(job.network, weights, series, series, layout, epochs=rounds + 1, threads=threads).history[1:]
    answer([record.seconds / record.updates * 1e6 for record in records], first, compiled)


def _first_losses(job, series, weights, layout) -> float:
    from jobs import CHECKED
    from tsuzuki.engine.plan import lower, pad
    from tsuzuki.engine.session import Data, Session, aligned
    from tsuzuki.network.optimizers import RMSprop

    plan = lower(job.network, layout.lanes, layout.timesteps, layout.every_step)
    bank = aligned(layout.slots * plan.state_size)
    session = Session(plan, Data(series, series, 1), None, RMSprop(), bank=bank)
    pad(plan, weights, session.parameters)
    return float(np.mean(session.run(layout.block(0, CHECKED))[:, 0]))


if __name__ == "__main__":
    main(threads=int(sys.argv[2]) if len(sys.argv) > 2 else None)
