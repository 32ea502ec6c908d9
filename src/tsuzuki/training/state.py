"""Where a run stands between two calls of the compiled program, and its way to a checkpoint and back."""

from dataclasses import asdict
from typing import TYPE_CHECKING

from tsuzuki.training.imputation import Imputer
from tsuzuki.training.records import MONITOR_FIELDS, EpochRecord, LossMonitor

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tsuzuki.engine.session import Session
    from tsuzuki.storage import Stored
    from tsuzuki.training.checkpoints import Checkpoint


class TrainingState:
    """Where a run stands: all that changes while it goes on, and its way to a checkpoint and back.

    Attributes:
        epoch: the epoch it is in, from 0.
        at: updates of this epoch that are done.
        total: the sum of their losses times what they scored.
        scored: what they scored.
        seconds: time in them.
        history: records of the epochs before.
        best: the best (padded) parameters so far.
        best_epoch: the epoch they are from.
        done: whether there is nothing left to do.
    """

    def __init__(
        self, session: "Session", bank: "NDArray[np.float32]", imputer: Imputer | None, monitor: LossMonitor
    ) -> None:
        self._session, self._bank, self._imputer, self.monitor = session, bank, imputer, monitor
        self.epoch, self.at, self.total, self.scored, self.seconds = 0, 0, 0.0, 0.0, 0.0
        self.history: list[EpochRecord] = []
        self.best, self.best_epoch, self.done = session.parameters.copy(), 0, False

    @property
    def loss(self) -> float:
        """The running loss of this epoch."""
        return self.total / max(self.scored, 1.0)

    def count(self, result: "NDArray[np.float64]", seconds: float) -> None:
        """Take in what some updates came to: sums from first to last, whatever calls the updates came in."""
        import numpy as np

        self.at, self.seconds = self.at + len(result), self.seconds + seconds
        self.total = float(np.cumsum(np.concatenate([[self.total], result[:, 0] * result[:, 1]]))[-1])
        self.scored += float(result[:, 1].sum())

    def next_epoch(self) -> None:
        """Begin the next epoch."""
        self.epoch, self.at, self.total, self.scored, self.seconds = self.epoch + 1, 0, 0.0, 0.0, 0.0

    def store(self, keeper: "Checkpoint") -> None:
        """Write a checkpoint."""
        facts = {name: getattr(self, name) for name in STATE_FIELDS}
        facts |= {
            "updates_done": self._session.updates_done,
            "rate_factor": self._session.rate_factor,
            "watch": {name: getattr(self.monitor, name) for name in MONITOR_FIELDS},
            "history": [asdict(record) for record in self.history],
        }
        arrays = {
            "parameters": self._session.parameters,
            "slots": self._session.slots,
            "carried": self._session.carried(),
            "bank": self._bank,
            "best": self.best,
        }
        if self._imputer is not None:
            arrays["filled"] = self._imputer.values
        keeper.write(facts, arrays)

    def restore(self, stored: "Stored | None") -> None:
        """Go to where a checkpoint stands."""
        if stored is None:
            return
        facts, arrays = stored.facts, stored.arrays
        for name in STATE_FIELDS:
            setattr(self, name, facts[name])
        self._session.updates_done, self._session.rate_factor = facts["updates_done"], facts["rate_factor"]
        for name in MONITOR_FIELDS:
            setattr(self.monitor, name, facts["watch"][name])
        self.history[:] = [EpochRecord(**record) for record in facts["history"]]
        self._session.parameters[:], self._session.slots[:] = arrays["parameters"], arrays["slots"]
        self._session.carry(arrays["carried"])
        self._bank[:], self.best[:] = arrays["bank"], arrays["best"]
        if self._imputer is not None:
            self._imputer.values = arrays["filled"]


STATE_FIELDS = ("epoch", "at", "total", "scored", "seconds", "best_epoch", "done")
