"""What is timed: the jobs, their data and their initial weights, the same for every competitor."""

from dataclasses import dataclass

import numpy as np

from tsuzuki.network.initialisers import initialise
from tsuzuki.network.layers import GRU, LSTM, Dense, SimpleRNN
from tsuzuki.network.network import Network

CELLS = {"SimpleRNN": SimpleRNN, "GRU": GRU, "LSTM": LSTM}
# Updates after which every competitor's mean loss is compared, so that nobody times other work; fewer of large jobs.
CHECKED = 20


@dataclass(frozen=True)
class Job:
    """One network on one layout, with what it should reach (times faster than each; `limit` is times slower)."""

    name: str
    cell: str
    units: int
    lanes: int
    steps: int
    updates: int
    slow_updates: int
    reach: dict[str, float]
    classic_head: bool = False
    every_step: bool = False
    # Epochs that ours is timed for. The series must be so long that lanes go on from one update to the next.
    rounds: int = 9

    @property
    def network(self) -> Network:
        """The network: the cell and its head."""
        head = (Dense(10, "tanh"), Dense(1)) if self.classic_head else (Dense(1),)
        return Network(1, (CELLS[self.cell](self.units), *head))

    @property
    def checked(self) -> int:
        """Updates whose mean loss is compared."""
        return min(CHECKED, self.slow_updates)

    @property
    def points(self) -> int:
        """Length of the series."""
        if self.every_step:
            return self.lanes * self.steps * self.updates + 1
        return self.lanes * self.updates + self.steps

    def starts(self, updates: int) -> np.ndarray:
        """Where each row begins, [updates, lanes]."""
        k, j = np.arange(updates)[:, None], np.arange(self.lanes)[None, :]
        if self.every_step:
            return j * self.steps * self.updates + k * self.steps
        if self.lanes == self.steps:
            return k * self.lanes + j
        return self._layout().block(0, updates).starts

    def _layout(self):
        from tsuzuki.data.segments import Segment
        from tsuzuki.layouts.windows import Windows

        return Windows(self.steps, self.lanes, stateful=True).over([Segment(0, self.points)])

    def series(self) -> np.ndarray:
        """A year, a day and a slow walk, standardised; float32."""
        rng = np.random.default_rng(0)
        hours = np.arange(self.points)
        walk = np.cumsum(rng.normal(0, 0.1, self.points))
        values = 11 * np.sin(hours * 2 * np.pi / 8766) + 3 * np.sin(hours * 2 * np.pi / 24) + walk
        return ((values - values.mean()) / values.std()).astype(np.float32)

    def weights(self) -> list[np.ndarray]:
        """Initial weights in Keras's order."""
        return initialise(self.network, 0)


KERAS_TF, KERAS_JAX, TORCH, JAX, LIMIT = "Keras, TensorFlow", "Keras, JAX", "PyTorch", "JAX scan", "C limit"
BEST = "best of the others"
JOBS = (
    Job(
        "SimpleRNN(10), 6 x 6",
        "SimpleRNN",
        10,
        6,
        6,
        14607,
        1500,
        {LIMIT: 1.15, KERAS_TF: 1200.0, KERAS_JAX: 100.0, JAX: 20.0},
        classic_head=True,
    ),
    Job("GRU(10), 6 x 6", "GRU", 10, 6, 6, 14607, 1500, {LIMIT: 1.25, KERAS_TF: 500.0, JAX: 17.0}),
    Job("LSTM(10), 6 x 6", "LSTM", 10, 6, 6, 14607, 1500, {LIMIT: 1.25, KERAS_TF: 500.0, JAX: 18.0}),
    Job("LSTM(64), 32 x 24", "LSTM", 64, 32, 24, 1200, 300, {BEST: 5.5}),
    Job("GRU(128), 64 x 24", "GRU", 128, 64, 24, 240, 80, {BEST: 4.0}),
    Job("LSTM(256), 32 x 48", "LSTM", 256, 32, 48, 64, 32, {BEST: 2.2}),
    Job("GRU(512), 64 x 50", "GRU", 512, 64, 50, 200, 8, {BEST: 1.8}, rounds=3),
    Job("LSTM(1024), 64 x 50", "LSTM", 1024, 64, 50, 100, 4, {BEST: 1.4}, rounds=1),
    Job("LSTM(64), streams 32 x 24", "LSTM", 64, 32, 24, 400, 200, {TORCH: 3.0, JAX: 3.0}, every_step=True),
)
