"""When training stops early or lowers its learning rate, because the loss no longer falls."""

from dataclasses import dataclass

from tsuzuki.training.records import EpochRecord


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
