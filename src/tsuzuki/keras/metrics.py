"""The running loss and metrics of an epoch: means over what was scored, as Keras shows them.

Keras weights each batch's loss by its samples; so does this. Metrics look at the forecasts as they were made, before
the update they belong to moved the weights.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from tsuzuki.keras.compiled_metrics import Metric, Values, absolute_error, squared_error
from tsuzuki.keras.epoch_data import Epoch
from tsuzuki.keras.shape import Output, Shape
from tsuzuki.layouts.layout import Block, slice_block
from tsuzuki.network.losses import MAE, MSE


def needs_forecasts(outputs: Sequence[Output], metrics: tuple[Metric, ...], otherwise: bool) -> bool:
    """Whether some metric is not a loss by another name.

    Args:
        outputs: what the model gives, and how each is scored.
        metrics: what is shown besides.
        otherwise: whether weights, masks or penalties make the losses another thing than means over all that is scored.
    """
    return (otherwise and bool(metrics)) or any(not _is_loss(metric, outputs) for metric in metrics)


def _is_loss(metric: Metric, outputs: Sequence[Output]) -> bool:
    scored = outputs[metric.output].scored
    same = (metric.count is squared_error and scored.loss == MSE()) or (
        metric.count is absolute_error and scored.loss == MAE()
    )
    return same and (len(outputs) > 1 or scored.weight == 1.0)


@dataclass
class EpochMetrics:
    """Sums over the updates of an epoch so far.

    Attributes:
        epoch: what is read.
        shape: what the model takes and gives, with the losses that are minimised.
        metrics: what else is shown.
        forecasts: float32 [points, outputs], into which the kernel writes; None where no metric needs it.
        totals: of the loss, and behind it of each output's where there are several.
        by_batch: of each output's loss where there are several, as their mean over batches is shown; or None.
    """

    epoch: Epoch
    shape: Shape
    metrics: tuple[Metric, ...]
    forecasts: NDArray[np.float32] | None
    totals: NDArray[np.float64] = field(init=False)
    by_batch: NDArray[np.float64] | None = None
    scored: float = 0.0
    batches: int = 0
    sums: dict[str, NDArray[np.float64]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.totals = np.zeros(1 if len(self.shape.each) == 1 else 1 + len(self.shape.each))
        if len(self.totals) > 1 and keras.backend.backend() == "tensorflow":
            # There Keras weights outputs' losses by sizes of batches that its graph does not know: not at all.
            self.by_batch = np.zeros(len(self.shape.each))
        for metric in self.metrics:
            if metric.fed is not None:
                metric.fed.reset_state()

    def add(self, block: Block, result: NDArray[np.float64]) -> None:
        """Take in some updates.

        Args:
            block: their rows.
            result: [updates, 2]: loss and count, from `run` or `forward`, and behind them each output's loss where
                there are several.
        """
        shares, each = result[:, 1], self.shape.each
        if len(each) > 1 or each[0].ignored is not None or self.epoch.unmasked is not None:
            # Each batch counts by its samples, however many of them or of their steps are ignored.
            shares = (block.valid[: len(result)] > 0).sum(axis=1)
        # Not as a product of vectors: waking BLAS threads takes 16 ms the first time.
        self.totals += (np.delete(result, 1, axis=1) * shares[:, None]).sum(axis=0)
        self.scored += float(shares.sum())
        if self.by_batch is not None:
            self.by_batch += result[:, 2:].sum(axis=0)
            self.batches += len(result)
        if self.forecasts is None:
            return
        rows: dict[int, tuple[Values, Values, Values | None, Values | None]] = {}
        for metric in self.metrics:
            if metric.count is not None:
                if metric.output not in rows:
                    rows[metric.output] = self._rows(block, metric.output)
                outputs, targets, weights, mask = rows[metric.output]
                values, counted = metric.count(outputs, targets, metric.setting), _weights(metric, weights, mask)
                here = np.array([values.sum(), values.size])
                if counted is not None:
                    here = np.array([(values * counted).sum(), counted.sum()])
                self.sums[metric.name] = self.sums.get(metric.name, np.zeros(2)) + here
            else:
                for k in range(len(block.starts)) if metric.by_batch else [slice(None)]:
                    part = slice_block(block, k, k + 1) if isinstance(k, int) else block
                    self._feed(metric, part)

    def _feed(self, metric: Metric, block: Block) -> None:
        """Give Keras's own object the outputs and targets of some updates, with steps where there are some."""
        outputs, targets, weights, mask = self._rows(block, metric.output)
        steps, counted = self.epoch.scored_steps, _weights(metric, weights, mask)
        given: list[Any] = [targets, outputs] if counted is None else [targets, outputs, counted]
        if self.epoch.layout.every_step and len(outputs) == steps * int((block.valid > 0).sum()):
            given = [array.reshape(-1, steps, *array.shape[1:]) for array in given]
        if len(given[0]):
            metric.fed.update_state(*(keras.ops.convert_to_tensor(array.astype(np.float32)) for array in given))

    def _rows(self, block: Block, output: int) -> tuple[Values, Values, Values | None, Values | None]:
        """Values and targets [scored, …] of an output in a block's rows, weights, mask; no rows that miss targets."""
        data, unmasked = self.epoch.data, self.epoch.unmasked
        assert self.forecasts is not None
        assert data.targets is not None
        places = self.epoch.places(block.starts)[self.epoch.is_scored(block.valid)]
        mine, aims = self.shape.columns(output)
        if self.epoch.own is not None:
            aims = self.shape.aims(output)
        targets = (data.targets if unmasked is None else unmasked)[places, aims].astype(np.float64)
        known = np.isfinite(targets).all(axis=1)
        if not known.all():
            places, targets = places[known], targets[known]
        weights = None if data.sample_weights is None else data.sample_weights[places].astype(np.float64)
        if weights is not None and weights.ndim > 1:
            weights = weights[:, output]
        mask: Values | None = None
        if self.epoch.counts is not None:
            mask = self.epoch.counts[places]
            mask = mask if mask.ndim == 1 else mask[:, output]
        elif unmasked is not None and self.epoch.own is None:
            mask = np.asarray(np.isfinite(data.targets[places, aims]).all(axis=1))
        return self.forecasts[places, mine].astype(np.float64), targets, weights, mask

    def logs(self) -> dict[str, Any]:
        """The loss and metrics so far."""
        losses = self.totals / max(self.scored, 1.0)
        shown = [one.scored.shown for one in self.shape.each]
        found: dict[str, Any] = {"loss": float(losses[0])}
        each = losses[1:] if self.by_batch is None else self.by_batch / max(self.batches, 1)
        found |= {name: float(loss) for name, loss in zip(shown, each, strict=False) if name}
        for metric in self.metrics:
            value = float(losses[1 + metric.output if len(losses) > 1 else 0])
            if metric.fed is not None:
                found[metric.name] = _plain(metric.fed.result())
                continue
            if self.forecasts is not None:
                total, count = self.sums.get(metric.name, np.zeros(2))
                value = float(total / count) if count else 0.0
            found[metric.name] = math.sqrt(value) if metric.root else value
        return found


def _weights(metric: Metric, weights: Values | None, mask: Values | None) -> Values | None:
    """What each row counts in a metric; None where all count alike."""
    parts = [weights if metric.weighted else None, mask if metric.masked else None]
    given = [part for part in parts if part is not None]
    return None if not given else given[0] if len(given) == 1 else given[0] * given[1]


def _plain(result: Any) -> Any:
    """A metric's result as a number, or as an array where it is several."""
    if isinstance(result, dict):
        return {name: _plain(value) for name, value in result.items()}
    array = np.asarray(keras.ops.convert_to_numpy(result))
    return float(array) if array.ndim == 0 else array
