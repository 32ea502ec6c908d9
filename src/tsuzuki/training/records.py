"""What is said of a run while it goes on and when it ends, and when it should stop early."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class EpochRecord:
    """What an epoch came to.

    Attributes:
        epoch: counted from 1.
        loss: the running loss: the mean of the updates' losses, weighted by what they scored.
        validation_loss: the loss on the held-out layout with the weights as they stood at the epoch's end, or None.
        seconds: time in the epoch's updates, without validation.
        updates: updates of the epoch.
    """

    epoch: int
    loss: float
    validation_loss: float | None
    seconds: float
    updates: int


@dataclass(frozen=True)
class Progress:
    """How far a run is, told after each call of the compiled program.

    Attributes:
        epoch: counted from 1.
        epochs: how many there are at most.
        update: updates done in this epoch.
        updates: updates of this epoch.
        loss: the epoch's running loss so far.
    """

    epoch: int
    epochs: int
    update: int
    updates: int
    loss: float


@dataclass(frozen=True)
class EarlyStopping:
    """Stop when the watched loss has not fallen for `patience` epochs, and give the best weights back.

    The validation loss is watched where there is one, else the running loss.
    """

    patience: int = 5
    min_delta: float = 0.0


@dataclass(frozen=True)
class ReduceOnPlateau:
    """Multiply the learning rate by `factor` whenever the watched loss has not fallen for `patience` epochs."""

    factor: float = 0.1
    patience: int = 10
    min_delta: float = 1e-4
    lowest: float = 0.0


@dataclass(frozen=True)
class Training:
    """A finished run.

    Attributes:
        weights: the finished weights, in the order of `network.parameters`; the best ones with early stopping.
        history: a record for each epoch.
        best_epoch: the epoch whose weights these are.
        interrupted: whether Ctrl-C ended the run early.
    """

    weights: "list[NDArray[np.float32]]"
    history: tuple[EpochRecord, ...]
    best_epoch: int
    interrupted: bool = False


# An infinity is no JSON, so the best losses begin as the largest float.
LARGEST = 1.7976931348623157e308
MONITOR_FIELDS = ("best", "plateau_best", "waited", "plateau_waited", "rate_factor", "stops")


@dataclass
class LossMonitor:
    """Keeps count of epochs without a better loss."""

    stopping: EarlyStopping | None
    plateau: ReduceOnPlateau | None
    best: float = LARGEST
    plateau_best: float = LARGEST
    waited: int = 0
    plateau_waited: int = 0
    rate_factor: float = 1.0
    stops: bool = False

    def see(self, record: EpochRecord) -> bool:
        """Take an epoch's record in; whether it is the best so far."""
        watched = record.loss if record.validation_loss is None else record.validation_loss
        if self.plateau is not None:
            if watched < self.plateau_best - self.plateau.min_delta:
                self.plateau_best, self.plateau_waited = watched, 0
            else:
                self.plateau_waited += 1
                if self.plateau_waited >= self.plateau.patience:
                    self.rate_factor = max(self.rate_factor * self.plateau.factor, self.plateau.lowest)
                    self.plateau_waited = 0
        improved = watched < self.best - (self.stopping.min_delta if self.stopping else 0.0)
        if improved:
            self.best, self.waited = watched, 0
        else:
            self.waited += 1
        self.stops = self.stopping is not None and self.waited >= self.stopping.patience
        return improved
