"""The running loss and metrics of an epoch: means over what was scored, as Keras shows them.

Keras weights each batch's loss by its samples; so does this. Metrics look at the forecasts as they were made, before
the update they belong to moved the weights.
"""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsuzuki.keras.compile_config import Metric
from tsuzuki.keras.epoch_data import Epoch
from tsuzuki.layouts.layout import Block
from tsuzuki.network.losses import MAE, MSE, Loss


def needs_forecasts(loss: Loss, metrics: tuple[Metric, ...], weighted: bool) -> bool:
    """Whether some metric is not the loss by another name."""
    return any(not _is_loss(metric, loss, weighted) for metric in metrics)


def _is_loss(metric: Metric, loss: Loss, weighted: bool) -> bool:
    return not weighted and loss == (MAE() if metric.absolute else MSE())


@dataclass
class EpochMetrics:
    """Sums over the updates of an epoch so far.

    Attributes:
        epoch: what is read.
        loss: the loss that is minimised.
        metrics: what else is shown.
        forecasts: float32 [points, outputs], into which the kernel writes; None where no metric needs it.
    """

    epoch: Epoch
    loss: Loss
    metrics: tuple[Metric, ...]
    forecasts: NDArray[np.float32] | None
    total: float = 0.0
    scored: float = 0.0
    sums: dict[str, NDArray[np.float64]] = field(default_factory=dict)

    def add(self, block: Block, result: NDArray[np.float64]) -> None:
        """Take in some updates.

        Args:
            block: their rows.
            result: [updates, 2]: loss and count, from `run` or `forward`.
        """
        # Not as a product of vectors: waking BLAS threads takes 16 ms the first time.
        self.total += float((result[:, 0] * result[:, 1]).sum())
        self.scored += float(result[:, 1].sum())
        if self.forecasts is None:
            return
        errors, weights = self._errors(block)
        for metric in self.metrics:
            values = np.abs(errors) if metric.absolute else errors * errors
            if metric.weighted and weights is not None:
                here = np.array(
                    [(values * weights[:, None]).sum(), np.broadcast_to(weights[:, None], values.shape).sum()]
                )
            else:
                here = np.array([values.sum(), values.size])
            self.sums[metric.name] = self.sums.get(metric.name, np.zeros(2)) + here

    def _errors(self, block: Block) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
        """Errors [scored, outputs] of a block's rows, missing targets left out row by row, and their weights."""
        data = self.epoch.data
        assert self.forecasts is not None
        assert data.targets is not None
        places = self.epoch.places(block.starts)[self.epoch.is_scored(block.valid)]
        errors = self.forecasts[places].astype(np.float64) - data.targets[places]
        weights = None if data.sample_weights is None else data.sample_weights[places].astype(np.float64)
        known = np.isfinite(errors).all(axis=1)
        if not known.all():
            errors, weights = errors[known], None if weights is None else weights[known]
        return errors, weights

    def logs(self) -> dict[str, Any]:
        """The loss and metrics so far."""
        loss = self.total / max(self.scored, 1.0)
        found = {"loss": loss}
        for metric in self.metrics:
            value = loss
            if self.forecasts is not None:
                total, count = self.sums.get(metric.name, np.zeros(2))
                value = float(total / count) if count else 0.0
            found[metric.name] = math.sqrt(value) if metric.root else value
        return found
