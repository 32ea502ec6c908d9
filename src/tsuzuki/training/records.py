"""What a training run reports: its progress, each epoch, and the finished run."""

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
