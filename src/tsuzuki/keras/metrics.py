"""The running loss and metrics of an epoch: means over what was scored, as Keras shows them.

Keras weights each batch's loss by its samples; so does this. Metrics look at the forecasts as they were made, before
the update they belong to moved the weights.
"""

import math
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from tsuzuki.keras.compiled_metrics import Metric, absolute_error, squared_error
from tsuzuki.keras.epoch_data import Epoch
from tsuzuki.layouts.layout import Block, slice_block
from tsuzuki.network.losses import MAE, MSE, Loss, SparseCategoricalCrossentropy


def needs_forecasts(loss: Loss, metrics: tuple[Metric, ...], weighted: bool) -> bool:
    """Whether some metric is not the loss by another name."""
    return any(not _is_loss(metric, loss, weighted) for metric in metrics)


def _is_loss(metric: Metric, loss: Loss, weighted: bool) -> bool:
    same = (metric.count is squared_error and loss == MSE()) or (metric.count is absolute_error and loss == MAE())
    return same and not weighted


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

    def __post_init__(self) -> None:
        for metric in self.metrics:
            if metric.fed is not None:
                metric.fed.reset_state()

    def add(self, block: Block, result: NDArray[np.float64]) -> None:
        """Take in some updates.

        Args:
            block: their rows.
            result: [updates, 2]: loss and count, from `run` or `forward`.
        """
        weights = result[:, 1]
        if isinstance(self.loss, SparseCategoricalCrossentropy) and self.loss.ignore_class is not None:
            # Each batch counts by its samples, however many of them are ignored.
            weights = (block.valid[: len(result)] > 0).sum(axis=1)
        # Not as a product of vectors: waking BLAS threads takes 16 ms the first time.
        self.total += float((result[:, 0] * weights).sum())
        self.scored += float(weights.sum())
        if self.forecasts is None:
            return
        if any(metric.count is not None for metric in self.metrics):
            outputs, targets, row_weights = self._rows(block)
            for metric in self.metrics:
                if metric.count is not None:
                    values = metric.count(outputs, targets, metric.setting)
                    here = np.array([values.sum(), values.size])
                    if metric.weighted and row_weights is not None:
                        here = np.array([(values * row_weights).sum(), row_weights.sum()])
                    self.sums[metric.name] = self.sums.get(metric.name, np.zeros(2)) + here
        for metric in self.metrics:
            if metric.fed is not None:
                for k in range(len(block.starts)) if metric.by_batch else [slice(None)]:
                    part = slice_block(block, k, k + 1) if isinstance(k, int) else block
                    self._feed(metric, part)

    def _feed(self, metric: Metric, block: Block) -> None:
        """Give Keras's own object the outputs and targets of some updates, with steps where there are some."""
        outputs, targets, weights = self._rows(block)
        steps = self.epoch.scored_steps
        given: list[Any] = [targets, outputs]
        if metric.weighted and weights is not None:
            given.append(weights)
        if self.epoch.layout.every_step and len(outputs) == steps * int((block.valid > 0).sum()):
            given = [array.reshape(-1, steps, *array.shape[1:]) for array in given]
        if len(given[0]):
            metric.fed.update_state(*(keras.ops.convert_to_tensor(array.astype(np.float32)) for array in given))

    def _rows(self, block: Block) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64] | None]:
        """Outputs and targets [scored, values] of a block's rows and their weights, less rows with a missing target."""
        data = self.epoch.data
        assert self.forecasts is not None
        assert data.targets is not None
        places = self.epoch.places(block.starts)[self.epoch.is_scored(block.valid)]
        outputs, targets = self.forecasts[places].astype(np.float64), data.targets[places].astype(np.float64)
        weights = None if data.sample_weights is None else data.sample_weights[places].astype(np.float64)
        known = np.isfinite(targets).all(axis=1)
        if not known.all():
            outputs, targets, weights = outputs[known], targets[known], None if weights is None else weights[known]
        return outputs, targets, weights

    def logs(self) -> dict[str, Any]:
        """The loss and metrics so far."""
        loss = self.total / max(self.scored, 1.0)
        found: dict[str, Any] = {"loss": loss}
        for metric in self.metrics:
            value = loss
            if metric.fed is not None:
                found[metric.name] = _plain(metric.fed.result())
                continue
            if self.forecasts is not None:
                total, count = self.sums.get(metric.name, np.zeros(2))
                value = float(total / count) if count else 0.0
            found[metric.name] = math.sqrt(value) if metric.root else value
        return found


def _plain(result: Any) -> Any:
    """A metric's result as a number, or as an array where it is several."""
    if isinstance(result, dict):
        return {name: _plain(value) for name, value in result.items()}
    array = np.asarray(keras.ops.convert_to_numpy(result))
    return float(array) if array.ndim == 0 else array
