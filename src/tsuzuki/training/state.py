"""Where a run stands between two calls of the compiled program, and its way to a checkpoint and back."""

import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tsuzuki.engine.compiled_network import CompiledNetwork
from tsuzuki.errors import FileError
from tsuzuki.training.checkpoints import Checkpoint
from tsuzuki.training.early_stopping import MONITOR_FIELDS, LossMonitor
from tsuzuki.training.imputation import Imputer
from tsuzuki.training.records import EpochRecord

if TYPE_CHECKING:
    from tsuzuki.storage import Stored


class TrainingState:
    """Where a run stands: all that changes while it goes on, and its way to a checkpoint and back.

    Attributes:
        epoch: the epoch it is in, from 0.
        at: updates of this epoch that are done.
        total: the sum of their losses times what they scored.
        scored: what they scored.
        seconds: time in them.
        history: records of the epochs before.
        best: the best parameters so far.
        best_epoch: the epoch they are from.
        done: whether there is nothing left to do.
        monitor: counts epochs without a better loss.

    Args:
        compiled: the network that trains.
        imputer: what fills in missing values, or None.
        monitor: as above.
    """

    def __init__(self, compiled: CompiledNetwork, imputer: Imputer | None, monitor: LossMonitor) -> None:
        self._compiled, self._imputer, self.monitor = compiled, imputer, monitor
        self.epoch, self.at, self.total, self.scored, self.seconds = 0, 0, 0.0, 0.0, 0.0
        self._since = time.perf_counter()
        self.history: list[EpochRecord] = []
        self.best, self.best_epoch, self.done = compiled.parameters.copy(), 0, False

    @property
    def loss(self) -> float:
        """The running loss of this epoch."""
        return self.total / max(self.scored, 1.0)

    def begin_epoch(self) -> None:
        """Renew the missing values where it is time, unless the epoch has begun already, and start its clock."""
        if self._imputer is not None and self.at == 0:
            self._imputer.begin_epoch(self.epoch)
        self._since = time.perf_counter()

    def count(self, result: NDArray[np.float64]) -> None:
        """Take in what some updates came to, [updates, 2]: sums from first to last, whatever calls they came in."""
        now = time.perf_counter()
        self.seconds, self._since = self.seconds + now - self._since, now
        self.at += len(result)
        self.total = float(np.cumsum(np.concatenate([[self.total], result[:, 0] * result[:, 1]]))[-1])
        self.scored += float(result[:, 1].sum())

    def finish_epoch(self, validation_loss: float | None, updates: int) -> EpochRecord:
        """Record the epoch, keep its weights where they are to be kept, and begin the next one.

        Args:
            validation_loss: on held-out rows with the weights as they are now, or None.
            updates: of the epoch.
        """
        record = EpochRecord(self.epoch + 1, self.loss, validation_loss, self.seconds, updates)
        self.history.append(record)
        improved = self.monitor.see(record)
        if improved or self.monitor.stopping is None:
            self.best.assign(self._compiled.parameters)
            self.best_epoch = self.epoch + 1
        self._compiled.rate_factor = self.monitor.rate_factor
        self.epoch, self.at, self.total, self.scored, self.seconds = self.epoch + 1, 0, 0.0, 0.0, 0.0
        return record

    def store(self, keeper: Checkpoint) -> None:
        """Write a checkpoint.

        Raises:
            FileError: it cannot be written.
        """
        facts = {name: getattr(self, name) for name in STATE_FIELDS}
        facts |= {
            "updates_done": self._compiled.updates_done,
            "rate_factor": self._compiled.rate_factor,
            "watch": {name: getattr(self.monitor, name) for name in MONITOR_FIELDS},
            "history": [asdict(record) for record in self.history],
        }
        arrays = self._compiled.state_dict()
        arrays |= {f"best {number}": weights for number, weights in enumerate(self.best.weights())}
        if self._imputer is not None:
            arrays["filled"] = self._imputer.values
        keeper.write(facts, arrays)

    def restore(self, stored: "Stored | None") -> None:
        """Go to where a checkpoint stands."""
        if stored is None:
            return
        try:
            self._adopt(stored)
        except (KeyError, ValueError, TypeError, AttributeError, IndexError, OverflowError) as error:
            said = " ".join(str(error).split())[:120]
            raise FileError(
                f"the checkpoint is not consistent ({said}); delete it to train from the beginning"
            ) from None

    def _adopt(self, stored: "Stored") -> None:
        facts, arrays = stored.facts, stored.arrays
        for name in STATE_FIELDS:
            setattr(self, name, like(getattr(self, name), facts[name]))
        compiled, watch = self._compiled, facts["watch"]
        compiled.updates_done = like(0, facts["updates_done"])
        compiled.rate_factor = like(0.0, facts["rate_factor"])
        for name in MONITOR_FIELDS:
            setattr(self.monitor, name, like(getattr(self.monitor, name), watch[name]))
        self.history[:] = [EpochRecord(**record) for record in facts["history"]]
        for record in self.history:
            like((0, 0.0, 0.0, 0), (record.epoch, record.loss, record.seconds, record.updates))
            like(0.0, record.validation_loss or 0.0)
        compiled.load_state_dict(arrays)
        self.best.set_weights([arrays[f"best {number}"] for number in range(len(self.best.weights()))])
        if self._imputer is not None:
            self._imputer.values = arrays["filled"]


def like(pattern: Any, value: Any) -> Any:
    """A value, if it is of the kind of a pattern: of no other type, and no count below 0.

    Raises:
        ValueError: it is not.
    """
    if isinstance(pattern, tuple):
        return tuple(like(*pair) for pair in zip(pattern, value, strict=True))
    kinds = (int, float) if type(pattern) is float else (type(pattern),)
    if type(value) not in kinds or (type(value) is int and not 0 <= value < 2**53):
        raise ValueError(f"{value!r:.40} stands where one like {pattern!r} should")
    return value


STATE_FIELDS = ("epoch", "at", "total", "scored", "seconds", "best_epoch", "done")
