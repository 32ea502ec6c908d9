"""Networks run on by one step in many series, prepared once and called again and again with little ado.

Series lie in blocks of some lanes, one update of the program after another: what the lanes of one update need stays in
the fastest cache. Many updates are shared out among threads, as each of them takes up and saves states of its own.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tsuzuki.forecasting.stepwise import ModelSpec
from tsuzuki.layouts.layout import CARRY, NOWHERE, Block, slice_block
from tsuzuki.streaming.recent_values import mean_of
from tsuzuki.streaming.standing_workers import standing_workers

if TYPE_CHECKING:
    from tsuzuki.engine.memory import Parameters, SavedStates

# Lanes of an update: as many as the fastest cache holds.
LANES = 64
# Updates that are worth a thread of their own: waking it takes some ten microseconds.
WORTH_A_THREAD = 8


class PreparedStep(NamedTuple):
    """A prepared call: networks of one kind that read the same rows, each with states and weights of its own.

    Attributes:
        block: the rows to run, [updates, lanes]; whoever calls writes into its arrays.
        readings: float64 [updates * lanes], the rows' readings in their series' units, NaN where one is missing; these
            are written likewise.
        found: for each network float32 [updates * lanes, outputs], the forecasts of the last run.
        run: runs the rows.
        jobs: the addresses of the networks' tables, of the first share of the rows.
    """

    block: Block
    readings: NDArray[np.float64]
    found: Sequence[NDArray[np.float32]]
    run: Callable[[], object]
    jobs: Sequence[int]

    def mean(self) -> NDArray[np.float32]:
        """The mean of what the networks found; of a single one, what it found itself."""
        return self.found[0] if len(self.found) == 1 else np.asarray(mean_of(self.found))


def prepare(
    networks: "Sequence[tuple[ModelSpec, NDArray[np.float32], SavedStates, Parameters]]",
    scales: NDArray[np.float64],
    count: int,
    *,
    learns: bool,
    reads: bool = True,
) -> PreparedStep:
    """Make ready to run networks in up to `count` series.

    Args:
        networks: for each what it is and how it reads; its rows, float32 [rows, series, columns], which the block's
            starts number through; its saved states; its weights. What is made ready shares these.
        scales: float64 [series, 2], mean and deviation, in whose unit readings and forecasts are, of networks that
            stand alone; others forecast changes of a base.
        count: series of a call.
        learns: whether the weights may still change.
        reads: whether the rows take up readings; if not, they hold all already.
    """
    from tsuzuki.engine.compiled_network import CompiledNetwork
    from tsuzuki.engine.data import Data, RowShape
    from tsuzuki.engine.threads import threads_allowed

    lanes = 1 if count == 1 else LANES
    updates = -(-count // lanes)
    shape = updates, lanes
    block = Block(
        np.full(shape, -1, np.int64),
        np.zeros(shape, np.int32),
        np.full(shape, CARRY, np.int32),
        np.full(shape, NOWHERE, np.int32),
    )
    readings = np.zeros(updates * lanes)
    found = [np.zeros((updates * lanes, way.network.outputs), np.float32) for way, *_ in networks]
    shares = max(1, min(threads_allowed(), updates // WORTH_A_THREAD))
    runs: list[Callable[[], object]] = []
    jobs: list[NDArray[np.int64]] = []
    for first, last in pairwise(updates * share // shares for share in range(shares + 1)):
        own, some = slice_block(block, first, last), slice(first * lanes, last * lanes)
        every, addresses = [], []
        for (way, rows, states, parameters), forecasts in zip(networks, found, strict=True):
            flat = rows.reshape(-1, rows.shape[2])
            spacing, alone = rows.shape[1], way.impute_from is not None
            data = Data(flat, None, 1, residual=alone, lags=way.lags, spacing=spacing, impute_from=way.impute_from)
            compiled = CompiledNetwork(
                way.network, RowShape(lanes), data, parameters=parameters, saved_states=states, threads=1
            )
            new = readings[some] if reads else None
            units = scales if alone else None
            addresses.append(compiled.address)
            every.append(compiled.prepare(own, forecasts[some], scales=units, readings=new, learns=learns))
        runs.append(_one_by_one(every))
        jobs.append(np.array(addresses, np.int64))
    return PreparedStep(block, readings, found, _together(runs, jobs), jobs[0].tolist())


def _one_by_one(runs: Sequence[Callable[[], object]]) -> Callable[[], object]:
    """One function that runs several in turn."""
    if len(runs) == 1:
        return runs[0]

    def run() -> None:
        for one in runs:
            one()

    return run


def _together(runs: Sequence[Callable[[], object]], jobs: Sequence[NDArray[np.int64]]) -> Callable[[], object]:
    """One function that runs several side by side, whose jobs have these addresses."""
    if len(runs) == 1:
        return runs[0]
    every = _one_by_one(runs)

    def run() -> None:
        if not standing_workers(len(runs) - 1).run(runs[0], jobs[1:]):
            every()

    return run
