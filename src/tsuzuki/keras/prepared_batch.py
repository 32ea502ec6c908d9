"""Calls for a single batch, made ready once for each shape of a batch: buffers for x and y, and the engine on them.

Laying a batch out and making the engine ready takes a millisecond; a batch of the same shape as one before is copied
into its place and run.
"""

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsuzuki.engine.compiled_network import CompiledNetwork
from tsuzuki.engine.data import RowShape, check_numbers
from tsuzuki.errors import DivergedError, SettingError
from tsuzuki.keras.arrays import as_array, check_finite, targets_of
from tsuzuki.keras.epoch_data import check_class_numbers, from_arrays
from tsuzuki.keras.epochs import Job
from tsuzuki.keras.joined_arrays import Together
from tsuzuki.keras.kept_model import KeptModel
from tsuzuki.keras.metrics import EpochMetrics
from tsuzuki.keras.own_loss import updates
from tsuzuki.layouts.layout import Block
from tsuzuki.network.network import Network, parameters
from tsuzuki.training.epoch import diverged

Floats = NDArray[np.float32]
# Rows times steps up to which a batch is run as a stream's step is: 0.4 us a call, but its products one by one.
FEW = 64
# Weights times rows times steps up to which one thread trains on a batch. Each call starts its threads anew: where the
# machine is idle that takes what two of them save here (LSTM(32) on 32 x 24 is 3.4 million), and where cores are
# shared, waiting for one another takes far more (8.7 ms instead of 1.4).
ALONE = 10_000_000


class PreparedBatch:
    """The place of a batch of one shape.

    Args:
        kept: the model's memory.
        job: the model as a network with its loss and metrics.
        steps: of a sample.
        trains: whether it is trained on.
        weighted: how many sample weights it comes with: 0, one for all outputs or one for each.
        seed: of dropout's masks.

    Attributes:
        job: the model as a network.
        together: makes one array of those of several outputs; None where there is one.
        names: of the loss and metrics in Keras's order, once they are known.
        shape: what the model takes and gives; its lanes are the batch's samples.
    """

    def __init__(
        self, kept: KeptModel, job: Job, steps: int, *, trains: bool = False, weighted: int = 0, seed: int = 0
    ) -> None:
        self._kept, self.job, self.shape = kept, job, job.shape
        self.together: Together | None = None
        self.names: list[str] | None = None
        shape, rows = job.shape, job.shape.lanes
        scored = shape.scored_steps(steps)
        wanted = (rows, scored) if shape.every_step else (rows,)
        self._wanted = (*wanted, shape.targets if shape.own is None else sum(one.aims for one in shape.each))
        self._epoch = epoch = from_arrays(
            shape,
            np.zeros((rows, steps, shape.inputs), np.float32),
            np.zeros(self._wanted, np.float32),
            np.ones((*wanted, weighted), np.float32) if weighted else None,
            scored_apart=True,
            carries=shape.stateful,
        )
        self._compiled = CompiledNetwork(
            kept.network,
            RowShape.of(epoch.layout),
            epoch.data,
            job.objectives,
            job.optimizer if trains else None,
            parameters=kept.parameters,
            slots=kept.trained.slots if trains and kept.trained is not None else None,
            saved_states=kept.states,
            seed=seed,
            threads=None if trains and _work(kept.network, rows * steps) > ALONE else 1,
        )
        assert epoch.data.targets is not None
        self._targets = epoch.data.targets if epoch.unmasked is None else epoch.unmasked
        self._inputs = epoch.data.inputs.reshape(rows, -1, shape.inputs)[:, :steps]
        self._places = epoch.places(epoch.block.starts.ravel()[:rows]).reshape(wanted)
        self._looked_up = any(layer.table_rows() for layer in kept.network.layers)
        self._forecasts: Floats | None = None
        if job.needs_forecasts(bool(weighted)):
            self._forecasts = np.empty((len(self._targets), shape.outputs), np.float32)

    def put_samples(self, x: NDArray[Any]) -> None:
        """Put x, [samples, timesteps, features], in its place. Raises as `put`."""
        if x.shape != self._inputs.shape:
            raise SettingError(f"x has shape {x.shape}; the model takes {self._inputs.shape}")
        self._inputs[:] = x
        inputs = self._epoch.data.inputs
        # One sum is finite only if all its terms are.
        if not np.isfinite(inputs.sum()):
            check_finite(inputs, x, "")
        if self._looked_up:
            check_numbers(self._kept.network, self._epoch.data)

    def put(self, x: NDArray[Any], y: Any, weights: Any, *, finite: bool) -> None:
        """Put a batch in its place.

        Args:
            x: [samples, timesteps, features].
            y: as in `fit`.
            weights: as in `fit`.
            finite: refuse a y that is not, which is otherwise missing.

        Raises:
            SettingError: shapes that do not fit.
            DataError: x is not finite.
        """
        shape, epoch = self.shape, self._epoch
        self.put_samples(x)
        given = as_array(y, "y")
        y = targets_of(self._wanted, given, "")
        check_class_numbers(shape, y, "y")
        if finite and not np.isfinite(y.sum()) and not np.isfinite(y).all():
            raise SettingError("y is not finite everywhere")
        self._targets[self._places] = y
        if epoch.own is not None:
            self._put_own(given, weights)
        elif epoch.unmasked is not None and epoch.data.targets is not None:
            scored = epoch.unmasked[self._places]
            for number, output in enumerate(shape.each):
                if output.mask is not None:
                    scored[~output.mask(self._inputs), shape.columns(number)[1]] = np.nan
            epoch.data.targets[self._places] = scored
        placed = epoch.data.sample_weights
        if placed is not None:
            given, wanted = as_array(weights, "sample_weight"), (*self._places.shape, *placed.shape[1:])
            if given.shape not in (wanted, (*wanted, 1)):
                raise SettingError(f"sample_weight has shape {given.shape}; give it as {wanted}")
            placed[self._places] = given.reshape(wanted)

    def _put_own(self, y: NDArray[Any], weights: Any) -> None:
        """Hand a batch's targets, weights and mask to a loss that no kernel knows."""
        epoch, counts = self._epoch, self.shape.counting(self._inputs)
        assert epoch.own is not None
        if epoch.counts is not None:
            epoch.counts[self._places] = counts
        if weights is not None:
            several = (-1,) if len(self.shape.each) > 1 else ()
            weights = np.asarray(weights, np.float32).reshape(*self._places.shape, *several)
        y = y.astype(np.float32) if y.dtype.kind == "f" else y
        self._epoch = replace(epoch, own=replace(epoch.own, y=y, weights=weights, mask=counts))

    def _update(self) -> NDArray[np.float64]:
        """One update."""
        epoch, own = self._epoch, self.shape.own
        if epoch.own is None or own is None:
            return self._compiled.run(epoch.block, self._forecasts)
        done = updates(own, epoch.own, self._compiled, epoch.places, epoch.block, self._forecasts)
        return np.concatenate([result for _, result in done])

    def train(self) -> dict[str, Any]:
        """Train on the batch; its loss and metrics before the update, by name.

        Raises:
            DivergedError: the loss is not finite; nothing has changed.
        """
        kept, compiled, epoch = self._kept, self._compiled, self._epoch
        trained = kept.trained
        assert trained is not None
        kept.variables.bring()
        compiled.updates_done = trained.updates_done
        assert compiled.optimizer is not None
        if trained.rate is not None and trained.rate != compiled.optimizer.learning_rate:
            compiled.set_learning_rate(trained.rate)
        before = kept.states.snapshot()
        metrics = EpochMetrics(epoch, self.shape, self.job.metrics, self._forecasts)
        result = self._update()
        if not np.isfinite(result[0, 0]):
            kept.states.restore(before)
            raise self._diverged(trained.updates_done)
        kept.moved(compiled.updates_done)
        metrics.add(epoch.block, result)
        return metrics.logs()

    def _diverged(self, update: int) -> DivergedError:
        return diverged(1, update + 1, self._kept.parameters.weights())

    def test(self) -> dict[str, Any]:
        """The batch's loss and metrics, by name."""
        metrics = EpochMetrics(self._epoch, self.shape, self.job.metrics, self._forecasts)
        result = self._epoch.scored(self.shape, self._forecasts, self._forward(self._forecasts))
        metrics.add(self._epoch.block, result)
        return metrics.logs()

    def _forward(self, forecasts: Floats | None) -> NDArray[np.float64]:
        self._kept.variables.bring()
        result = self._compiled.forward(self._epoch.block, forecasts)
        if self.shape.stateful:
            self._kept.carried()
        return result


def _work(network: Network, steps: int) -> int:
    return steps * sum(math.prod(parameter.shape) for parameter in parameters(network))


class PreparedForecast(PreparedBatch):
    """The place of a batch that is only predicted."""

    def __init__(self, kept: KeptModel, job: Job, steps: int) -> None:
        super().__init__(kept, job, steps)
        self._found = np.empty((len(self._targets), self.shape.outputs), np.float32)
        self.sizes = [one.size for one in self.shape.each]
        self._run = None
        block: Block = self._epoch.block
        if self.shape.lanes * steps <= FEW and self.shape.scored_steps(steps) == 1:
            # The weights may change between two calls.
            self._found = np.empty((self.shape.lanes, self.shape.outputs), np.float32)
            self._places = np.arange(self.shape.lanes).reshape(self._places.shape)
            self._run = self._compiled.prepare(block, self._found, learns=True)

    def predict(self) -> Floats:
        """The forecasts, shaped as Keras shapes them."""
        if self._run is None:
            self._forward(self._found)
        else:
            kept = self._kept
            if kept.variables.looked:
                kept.variables.bring()
            self._run()
            if self.shape.stateful:
                kept.carried()
        return self._found[self._places]
