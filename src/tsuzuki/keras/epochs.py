"""The epochs of a `fit`: the network made ready, and Keras's callbacks around them.

Weights, slots and states are those of the model's `KeptModel`: what a callback looks at is written when it does, and
what it has changed is read before the engine goes on.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import keras
import numpy as np

from tsuzuki.engine.compiled_network import CompiledNetwork
from tsuzuki.engine.data import Objective, RowShape
from tsuzuki.engine.memory import Parameters, SavedStates, Slots
from tsuzuki.keras.callbacks import TESTING, TRAINING, hears
from tsuzuki.keras.compiled_metrics import Metric, build_metrics
from tsuzuki.keras.epoch_data import Epoch, shuffled
from tsuzuki.keras.kept_model import kept_model
from tsuzuki.keras.metrics import EpochMetrics, needs_forecasts
from tsuzuki.keras.own_loss import updates
from tsuzuki.keras.shape import Shape
from tsuzuki.keras.unfinished_epoch import Unfinished, samples_left, sums_of
from tsuzuki.layouts.layout import Block, slice_block
from tsuzuki.network.losses import MSE, GivenSlopes
from tsuzuki.network.network import Network
from tsuzuki.network.optimizers import Optimizer
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
        scored, unscored = [one.scored for one in self.shape.each], MSE() if self.shape.own is None else GivenSlopes()
        found = [Objective(unscored if one.loss is None else one.loss, weight=one.weight) for one in scored]
        return found if len(found) > 1 else found[0]

    def in_order(self, logs: Mapping[str, Any]) -> list[str]:
        """The names of the loss and metrics in the order in which Keras lists their values."""
        names = ["loss", *(metric.own for metric in self.metrics)]
        losses = sorted((one.scored for one in self.shape.each), key=lambda scored: scored.place)
        names += [scored.shown for scored in losses if scored.shown]
        return [name for name in names if name in logs] + sorted(name for name in logs if name not in names)

    def needs_forecasts(self, weighted: bool) -> bool:
        """Whether metrics look at forecasts; `weighted` where there are sample weights."""
        if self.shape.own is not None:
            return True
        otherwise = weighted or self.shape.masked or bool(self.network.rules)
        otherwise |= any(layer.penalises for layer in self.network.layers)
        return needs_forecasts(self.shape.each, self.metrics, otherwise)


def build(model: Any, job: Job) -> None:
    """Make the optimiser's variables and the metrics' objects, as Keras does at the first batch."""
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    build_metrics(model, job.shape.each)


class Run:
    """One call of `fit`: the network made ready, the callbacks, and the epochs.

    Where `hands_over`, an epoch whose loss stops being finite is left in `unfinished`, for Keras to go on with, and the
    model is as it was before that update; None where an output has no loss, so that Keras takes no targets for it.
    """

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
        hands_over: bool = False,
    ) -> None:
        self.hands_over = hands_over
        self.unfinished: Unfinished | None = None
        self.checks, self.renew, self.read_once = checks, renew, False
        self.model, self.job, self.training, self.held_out, self.epochs = model, job, training, held_out, epochs
        self.shuffles = (not job.shape.stateful if shuffle is None else shuffle) and renew is None
        self.generator = np.random.default_rng(seed)
        layout = training.layout
        self.kept = kept_model(model, job.network, job.optimizer)
        assert self.kept.trained is not None
        self.trained = self.kept.trained
        states = self.kept.states
        if not job.carries:
            states = SavedStates(job.network, max(layout.slots, held_out.layout.slots if held_out else 0))
        self.compiled = CompiledNetwork(
            job.network,
            RowShape.of(layout),
            training.data,
            job.objectives,
            job.optimizer,
            parameters=self.kept.parameters,
            slots=self.trained.slots,
            saved_states=states,
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
        self.by_batch = any(hears(callback, TRAINING) for callback in users)
        self.by_test_batch = any(hears(callback, TESTING) for callback in users)

    def go(self, initial_epoch: int) -> Any:
        """Run the epochs; whatever ends them, the model has the weights that were reached."""
        model = self.model
        model.stop_training = False
        self.callbacks.on_train_begin()
        self._listen()
        self.start = self._reached()
        logs = None
        # BackupAndRestore leaves the epoch to go on with here.
        for epoch in range(getattr(model, "_initial_epoch", None) or initial_epoch, self.epochs):
            logs = self._epoch(epoch)
            if model.stop_training:
                break
        if logs is not None and self.job.optimizer.use_ema:
            self._listen()
            self.compiled.adopt_averages()
            self._show()
        self.callbacks.on_train_end(logs)
        return model.history

    def rewind(self) -> None:
        """Give the model back what it had when the epochs began."""
        self._take_back(self.start)

    def whole_epoch(self) -> Unfinished:
        """The epoch that has begun, all of it left."""
        rows = self.training.layout.lanes
        return Unfinished(self.running, 0, False, None, None, None, rows, self.callbacks, lambda: None)

    def _take_back(self, reached: tuple[Any, ...]) -> None:
        *snapshots, updates_done, rate = reached
        for memory, snapshot in zip(self._memories(), snapshots, strict=True):
            memory.restore(snapshot)
        self.kept.moved(updates_done)
        if rate is not None:
            self.model.optimizer.learning_rate = rate

    def _reached(self) -> tuple[Any, ...]:
        return *(memory.snapshot() for memory in self._memories()), self.trained.updates_done, self.trained.rate

    def _memories(self) -> tuple[Parameters, Slots, SavedStates]:
        return self.kept.parameters, self.trained.slots, self.kept.states

    def _epoch(self, epoch: int) -> dict[str, Any]:
        self.running = epoch
        self.callbacks.on_epoch_begin(epoch)
        self._listen()
        if self.renew is not None and self.read_once:
            self.renew(self.generator)
        self.read_once = True
        block = shuffled(self.training, self.generator) if self.shuffles else self.training.block
        tally = self._tally(self.training)
        if self.by_batch:
            results = self._one_by_one(block, tally)
        else:
            results = self._train(block, tally.forecasts)
        self._mark()
        for at, result in results:
            done = at + len(result)
            if self.hands_over and not self.enders and not np.isfinite(result[-1, 0]):
                self._leave(epoch, block, at, result, tally)
            self._show()
            tally.add(slice_block(block, at, done), result)
            if not np.isfinite(result[-1, 0]):
                self._end_or_raise(epoch, done)
                break
            if self.by_batch:
                self.callbacks.on_train_batch_end(at, tally.logs())
                self._listen()
                if self.model.stop_training:
                    break
            else:
                for bar in self.bars:
                    bar.on_train_batch_end(done - 1, tally.logs())
            self._mark()
        logs = tally.logs()
        if self.held_out is not None and self.checks(epoch):
            logs |= {f"val_{name}": value for name, value in self._validate(self.held_out).items()}
        self.callbacks.on_epoch_end(epoch, logs)
        return logs

    def _train(
        self, block: Block, forecasts: "NDArray[np.float32] | None"
    ) -> "Iterator[tuple[int, NDArray[np.float64]]]":
        """Train through a block, part by part."""
        training, own = self.training, self.job.shape.own
        if own is None:
            return train_epoch(self.compiled, training.layout, block, forecasts)
        assert training.own is not None
        return updates(own, training.own, self.compiled, training.places, block, forecasts)

    def _one_by_one(self, block: Block, tally: EpochMetrics) -> "Iterator[tuple[int, NDArray[np.float64]]]":
        """Train update by update, for callbacks that hear of each; otherwise as `train_epoch`."""
        for k in range(len(block.starts)):
            self.callbacks.on_train_batch_begin(k)
            self._listen()
            self._mark()
            yield k, self._run(slice_block(block, k, k + 1), tally.forecasts)

    def _run(self, part: Block, forecasts: "NDArray[np.float32] | None") -> "NDArray[np.float64]":
        """Train on some updates."""
        if self.training.own is None:
            return self.compiled.run(part, forecasts)
        return np.concatenate([result for _, result in self._train(part, forecasts)])

    def _mark(self) -> None:
        """Note where the model stands, for `_leave`."""
        if self.hands_over:
            self.marked = self._reached()

    def _leave(self, epoch: int, block: Block, at: int, result: "NDArray[np.float64]", tally: EpochMetrics) -> NoReturn:
        """Take the model back to where it stood before the last of some updates, and leave the rest of the epoch."""
        last = at + len(result) - 1
        self._take_back(self.marked)
        self.compiled.updates_done = self.trained.updates_done
        if last > at:
            # Their bits come out again; the last update has written over the states before it.
            done = slice_block(block, at, last)
            self._run(done, tally.forecasts)
            tally.add(done, result[:-1])
        self._show()
        shape = self.job.shape
        if all(one.scored.loss is not None for one in shape.each):
            samples = samples_left(self.model, shape, self.job.network.input_sizes, self.training, block, last)
            sums = sums_of(tally, self.model, int((block.valid[:last] > 0).sum()))
            rows = self.training.layout.lanes
            self.unfinished = Unfinished(epoch, last, self.by_batch, *samples, rows, self.callbacks, sums)
        raise diverged(epoch + 1, last + 1, self.compiled.weights())

    def _validate(self, held_out: Epoch) -> dict[str, Any]:
        assert self.checker is not None
        self.callbacks.on_test_begin()
        if self.job.carries:
            self._listen()
        tally = self._tally(held_out)
        block = held_out.block
        result = held_out.scored(self.job.shape, tally.forecasts, self.checker.forward(block, tally.forecasts))
        if self.by_test_batch:
            for k in range(len(block.starts)):
                self.callbacks.on_test_batch_begin(k)
                tally.add(slice_block(block, k, k + 1), result[k : k + 1])
                self.callbacks.on_test_batch_end(k, tally.logs())
        else:
            tally.add(block, result)
        if self.job.carries:
            self.kept.carried()
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
        """Take over what may have been changed in the model."""
        self.kept.variables.bring()
        trained, compiled = self.trained, self.compiled
        compiled.updates_done = trained.updates_done
        assert compiled.optimizer is not None
        if trained.rate is not None and trained.rate != compiled.optimizer.learning_rate:
            compiled.set_learning_rate(trained.rate)
        # Whatever ends the next call, the engine then has the newest weights.
        self.kept.moved(trained.updates_done)

    def _show(self) -> None:
        """Let the model have what has been computed."""
        if not self.job.carries:
            self.kept.set_states(self.compiled.carried_states())
        self.kept.moved(self.compiled.updates_done)

    def _end_or_raise(self, epoch: int, update: int) -> None:
        """Let TerminateOnNaN end the run where there is one, else raise."""
        for ender in self.enders:
            ender.on_batch_end(update - 1, {"loss": float("nan")})
        if not self.enders:
            raise diverged(epoch + 1, update, self.compiled.weights())
