"""The epochs of a `fit`: the network made ready, and Keras's callbacks around them.

Whenever one of the user's callbacks is about to look, the engine's weights, slots and states are written into the
model; what it may have changed there is read back before the engine goes on.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from tsuzuki.engine.compiled_network import CompiledNetwork
from tsuzuki.engine.data import Objective, RowShape
from tsuzuki.engine.memory import SavedStates
from tsuzuki.keras import variable_transfer as mirror
from tsuzuki.keras.callbacks import TESTING, TRAINING, hears
from tsuzuki.keras.compile_config import current_rate
from tsuzuki.keras.compiled_metrics import Metric, build_metrics
from tsuzuki.keras.epoch_data import Epoch, shuffled
from tsuzuki.keras.metrics import EpochMetrics, needs_forecasts
from tsuzuki.keras.shape import Shape
from tsuzuki.layouts.layout import Block, slice_block
from tsuzuki.network.losses import MSE
from tsuzuki.network.network import Network
from tsuzuki.network.optimizers import Optimizer, Schedule
from tsuzuki.training.epoch import diverged, train_epoch

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Job:
    """A compiled model in the engine's words.

    `carries` says that its states go on through epochs, validation and calls, as in Keras.
    """

    network: Network
    shape: Shape
    optimizer: Optimizer
    metrics: tuple[Metric, ...]
    carries: bool = False

    @property
    def objectives(self) -> Objective | list[Objective]:
        """What is minimised: of the one output, or of each; one that nothing scores has no targets."""
        scored = [one.scored for one in self.shape.each]
        found = [Objective(MSE() if one.loss is None else one.loss, weight=one.weight) for one in scored]
        return found if len(found) > 1 else found[0]

    def needs_forecasts(self, weighted: bool) -> bool:
        """Whether metrics look at forecasts; `weighted` where there are sample weights."""
        otherwise = weighted or self.shape.masked or bool(self.network.rules)
        return needs_forecasts(self.shape.each, self.metrics, otherwise)


def build(model: Any, job: Job) -> None:
    """Make the optimiser's variables and the metrics' objects, as Keras does at the first batch."""
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    build_metrics(model, job.shape.each)


class Run:
    """One call of `fit`: the network made ready, the callbacks, and the epochs."""

    def __init__(
        self,
        model: Any,
        job: Job,
        training: Epoch,
        held_out: Epoch | None,
        shuffle: bool | None,
        epochs: int,
        verbose: Any,
        callbacks: Any,
        seed: int,
        checks: Callable[[int], bool] = lambda epoch: True,
        renew: Callable[[np.random.Generator], None] | None = None,
    ) -> None:
        self.checks, self.renew, self.read_once = checks, renew, False
        self.model, self.job, self.training, self.held_out, self.epochs = model, job, training, held_out, epochs
        self.shuffles = (not job.shape.stateful if shuffle is None else shuffle) and renew is None
        self.generator = np.random.default_rng(seed)
        layout = training.layout
        self.compiled = CompiledNetwork(
            job.network,
            RowShape.of(layout),
            training.data,
            job.objectives,
            job.optimizer,
            saved_states=SavedStates(job.network, max(layout.slots, held_out.layout.slots if held_out else 0)),
            seed=seed,
        )
        self.checker = None
        if held_out is not None:
            self.checker = self.compiled.sharing(RowShape.of(held_out.layout), held_out.data)
        if isinstance(callbacks, keras.callbacks.CallbackList):
            self.callbacks = callbacks
        else:
            self.callbacks = keras.callbacks.CallbackList(
                callbacks,
                add_history=True,
                add_progbar=verbose != 0,
                verbose=verbose,
                epochs=epochs,
                steps=layout.updates,
                model=model,
            )
        known = (keras.callbacks.History, keras.callbacks.ProgbarLogger)
        users = [callback for callback in self.callbacks.callbacks if type(callback) not in known]
        self.bars = [bar for bar in self.callbacks.callbacks if isinstance(bar, keras.callbacks.ProgbarLogger)]
        self.enders = [one for one in users if isinstance(one, keras.callbacks.TerminateOnNaN)]
        self.watched = bool(users)
        self.by_batch = any(hears(callback, TRAINING) for callback in users)
        self.by_test_batch = any(hears(callback, TESTING) for callback in users)

    def go(self, initial_epoch: int) -> Any:
        """Run the epochs; whatever ends them, the model has the weights that were reached."""
        model = self.model
        model.stop_training = False
        self.callbacks.on_train_begin()
        self._read()
        self.start = self._reached()
        logs = None
        # BackupAndRestore leaves the epoch to go on with here.
        for epoch in range(getattr(model, "_initial_epoch", None) or initial_epoch, self.epochs):
            try:
                logs = self._epoch(epoch)
            except BaseException:
                mirror.write(model, self.compiled)
                raise
            if model.stop_training:
                break
        # Callbacks have seen the model since it was written, and may have changed it.
        assert self.compiled.optimizer is not None
        if logs is not None and self.compiled.optimizer.use_ema:
            self._listen()
            self.compiled.adopt_averages()
        if logs is not None and (self.compiled.optimizer.use_ema or not self.watched):
            mirror.write(model, self.compiled)
        self.callbacks.on_train_end(logs)
        return model.history

    def rewind(self) -> None:
        """Give the model back what it had when the epochs began."""
        compiled = self.compiled
        weights, slots, compiled.updates_done, states, rate = self.start
        compiled.set_weights(weights)
        for number, arrays in slots.items():
            compiled.set_slot(number, arrays)
        compiled.set_carried_states(states)
        mirror.write(self.model, compiled)
        if rate is not None:
            self.model.optimizer.learning_rate = rate

    def _reached(self) -> tuple[Any, ...]:
        compiled = self.compiled
        assert compiled.optimizer is not None
        scheduled = isinstance(compiled.optimizer.learning_rate, Schedule)
        rate = None if scheduled else current_rate(self.model.optimizer)
        slots = {number: compiled.slot(number) for number in mirror.slots_of(self.model.optimizer)}
        return compiled.weights(), slots, compiled.updates_done, compiled.carried_states(), rate

    def _epoch(self, epoch: int) -> dict[str, Any]:
        self.callbacks.on_epoch_begin(epoch)
        self._listen()
        self._set_rate()
        if self.renew is not None and self.read_once:
            self.renew(self.generator)
        self.read_once = True
        block = shuffled(self.training, self.generator) if self.shuffles else self.training.block
        tally = self._tally(self.training)
        if self.by_batch:
            results = self._one_by_one(block, tally)
        else:
            results = train_epoch(self.compiled, self.training.layout, block, tally.forecasts)
        for at, result in results:
            done = at + len(result)
            tally.add(slice_block(block, at, done), result)
            if not np.isfinite(result[-1, 0]):
                self._end_or_raise(epoch, done)
                break
            if self.by_batch:
                mirror.write(self.model, self.compiled)
                self.callbacks.on_train_batch_end(at, tally.logs())
                self._listen()
                if self.model.stop_training:
                    break
            else:
                for bar in self.bars:
                    bar.on_train_batch_end(done - 1, tally.logs())
        logs = tally.logs()
        if self.watched:
            mirror.write(self.model, self.compiled)
        if self.held_out is not None and self.checks(epoch):
            logs |= {f"val_{name}": value for name, value in self._validate(self.held_out).items()}
        self.callbacks.on_epoch_end(epoch, logs)
        return logs

    def _one_by_one(self, block: Block, tally: EpochMetrics) -> "Iterator[tuple[int, NDArray[np.float64]]]":
        """Train update by update, for callbacks that hear of each; otherwise as `train_epoch`."""
        for k in range(len(block.starts)):
            self.callbacks.on_train_batch_begin(k)
            self._listen()
            self._set_rate()
            yield k, self.compiled.run(slice_block(block, k, k + 1), tally.forecasts)

    def _validate(self, held_out: Epoch) -> dict[str, Any]:
        assert self.checker is not None
        self.callbacks.on_test_begin()
        if self.job.carries:
            if self.watched:
                mirror.read_states(self.model, self.compiled)
            self.checker.set_carried_states(self.compiled.carried_states())
        tally = self._tally(held_out)
        block = held_out.block
        result = self.checker.forward(block, tally.forecasts)
        if self.by_test_batch:
            for k in range(len(block.starts)):
                self.callbacks.on_test_batch_begin(k)
                tally.add(slice_block(block, k, k + 1), result[k : k + 1])
                self.callbacks.on_test_batch_end(k, tally.logs())
        else:
            tally.add(block, result)
        if self.job.carries:
            self.compiled.set_carried_states(self.checker.carried_states())
            if self.watched:
                mirror.write_states(self.model, self.compiled)
        logs = tally.logs()
        self.callbacks.on_test_end(logs)
        return logs

    def _tally(self, epoch: Epoch) -> EpochMetrics:
        data, forecasts = epoch.data, None
        assert data.targets is not None
        if self.job.needs_forecasts(data.sample_weights is not None):
            forecasts = np.empty((len(data.targets), self.job.shape.outputs), np.float32)
        return EpochMetrics(epoch, self.job.shape, self.job.metrics, forecasts)

    def _listen(self) -> None:
        """Take over what a callback may have changed in the model."""
        if self.watched:
            self._read()

    def _read(self) -> None:
        mirror.read(self.model, self.compiled)
        if self.job.carries:
            mirror.read_states(self.model, self.compiled)

    def _set_rate(self) -> None:
        """Follow a learning rate that a callback has set."""
        assert self.compiled.optimizer is not None
        if self.watched and not isinstance(self.compiled.optimizer.learning_rate, Schedule):
            self.compiled.set_learning_rate(current_rate(self.model.optimizer))

    def _end_or_raise(self, epoch: int, update: int) -> None:
        """Let TerminateOnNaN end the run where there is one, else raise."""
        for ender in self.enders:
            ender.on_batch_end(update - 1, {"loss": float("nan")})
        if not self.enders:
            raise diverged(epoch + 1, update, self.compiled.weights())
