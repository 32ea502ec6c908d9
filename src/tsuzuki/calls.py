"""Networks run on by one step in many series, prepared once and called again and again with little ado.

Series lie in blocks of some lanes, one update of the program after another: what the lanes of one update need stays in
the fastest cache. Many updates are shared out among threads, as each of them takes up and saves states of its own.
"""

import functools
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tsuzuki.lanes import CARRY, NOWHERE, Block, part
from tsuzuki.rolling import Way

# Lanes of an update: as many as the fastest cache holds.
LANES = 64
# Updates that are worth a thread of their own: waking it takes some ten microseconds.
WORTH_A_THREAD = 8


class Call(NamedTuple):
    """A prepared call.

    Attributes:
        block: the rows to run, [updates, lanes]; whoever calls writes into its arrays.
        found: float32 [updates * lanes, outputs], the forecasts of the last run.
        run: runs the rows.
    """

    block: Block
    found: NDArray[np.float32]
    run: Callable[[], object]


def prepare(
    way: Way,
    rows: NDArray[np.float32],
    bank: NDArray[np.float32],
    parameters: NDArray[np.float32],
    scales: NDArray[np.float64],
    count: int,
    *,
    learns: bool,
) -> Call:
    """Make ready to run a network in up to `count` series.

    Args:
        way: the network and how it reads.
        rows: float32 [series, rows, columns], which the block's starts number through.
        bank: the series' saved states.
        parameters: the network's padded weights.
        scales: float64 [series, 2], mean and deviation, in whose unit the forecasts are.
        count: series of a call.
        learns: whether the parameters may still change.
    """
    from tsuzuki.kernels.plan import lower
    from tsuzuki.kernels.session import Data, Session, threads_allowed

    lanes = 1 if count == 1 else LANES
    updates = -(-count // lanes)
    shape = updates, lanes
    block = Block(
        np.full(shape, -1, np.int64),
        np.zeros(shape, np.int32),
        np.full(shape, CARRY, np.int32),
        np.full(shape, NOWHERE, np.int32),
    )
    found = np.zeros((updates * lanes, way.network.outputs), np.float32)
    plan = lower(way.network, lanes, 1, True)
    data = Data(rows.reshape(-1, rows.shape[2]), None, 1, residual=True, lags=way.lags, feed=way.feed)
    shares = max(1, min(threads_allowed(), updates // WORTH_A_THREAD))
    ends = [updates * share // shares for share in range(shares + 1)]
    runs = []
    for first, last in pairwise(ends):
        session = Session(plan, data, bank=bank, parameters=parameters, threads=1)
        own = found[first * lanes : last * lanes]
        runs.append(session.prepare(part(block, first, last), own, scales=scales, learns=learns))
    return Call(block, found, runs[0] if shares == 1 else _together(runs))


def _together(runs: Sequence[Callable[[], object]]) -> Callable[[], object]:
    """One function that runs several side by side."""

    def run() -> None:
        pool = _pool(len(runs) - 1)
        others = [pool.submit(one) for one in runs[1:]]
        runs[0]()
        for other in others:
            other.result()

    return run


@functools.cache
def _pool(workers: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(workers, "tsuzuki")


# A forked child has the pool but none of its threads, and would wait for them for ever.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)


def mean_of(calls: Sequence[Call]) -> NDArray[np.float32]:
    """The mean of what the calls of several networks found; of a single one, what it found itself."""
    if len(calls) == 1:
        return calls[0].found
    return np.asarray(np.mean([call.found for call in calls], axis=0))
