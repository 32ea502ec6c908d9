"""`tsuzuki.fit` for a compiled Keras model: the epochs of `model.fit`, run by the compiled engine.

Keras's callbacks see what they would see there. Whenever one of the user's callbacks is about to look, the engine's
weights, slots and states are written into the model, and what a callback changed is read back.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from tsuzuki.errors import SettingError
from tsuzuki.keras import mirror
from tsuzuki.keras.compiled import Metric, current_rate, loss_of, metrics_of, optimizer_of
from tsuzuki.keras.reading import network_of, path_of, stateful_batch
from tsuzuki.keras.rows import Epoch, Shape, as_array, from_arrays, from_series, shuffled, warn_of_breaks
from tsuzuki.keras.tally import Tally, needs_forecasts
from tsuzuki.keras.watching import TESTING, TRAINING, hears
from tsuzuki.kernels.plan import lower, unpad
from tsuzuki.kernels.session import Objective, Session, aligned
from tsuzuki.lanes import Block
from tsuzuki.losses import Loss
from tsuzuki.network import Network, Recurrent
from tsuzuki.optimizers import Optimizer, Schedule
from tsuzuki.training import calls, diverged, part

if TYPE_CHECKING:
    from numpy.typing import NDArray


def fit(
    model: Any,
    x: Any = None,
    y: Any = None,
    *,
    batch_size: int | None = None,
    epochs: int = 1,
    verbose: Any = "auto",
    callbacks: Any = None,
    validation_split: float = 0.0,
    validation_data: Any = None,
    shuffle: bool | None = None,
    sample_weight: Any = None,
    initial_epoch: int = 0,
    series: Any = None,
    targets: Any = None,
    timesteps: int | None = None,
) -> Any:
    """Train a compiled Keras model as `model.fit` does, in the compiled engine.

    What differs from `model.fit`: the states of stateful layers are reset at the start of every epoch, validation goes
    on from them and leaves them as they were, and shuffling a stateful model is refused. The last batch may be
    smaller; NaN in y is missing and not scored.

    Args:
        model: a compiled `keras.Sequential` or functional model with a single path of layers.
        x: [samples, timesteps, features]; a sliding-window view of a float32 series is read without a copy.
        y: [samples, outputs], or [samples, timesteps, outputs] if the model returns sequences.
        batch_size: 32 if None, or what a stateful model was built with.
        epochs: the epoch to stop before, counted from 0.
        verbose: as in Keras.
        callbacks: Keras callbacks; those that want every batch are called for every batch, which is slow.
        validation_split: share of the samples (of the points of a series) at the end that is held out.
        validation_data: (x, y) or (x, y, sample_weight); with `series`, another series or (series, targets).
        shuffle: whether the samples come in a new order each epoch; None: as in Keras, but not if stateful.
        sample_weight: [samples], or [samples, timesteps] if the model returns sequences; [points] with `series`.
        initial_epoch: the epoch to begin with.
        series: [points] or [points, features] in place of x and y: rows that continue one another are made of it.
        targets: [points] or [points, outputs]: row i is what the model should say after the points up to i - 1; the
            series itself if None.
        timesteps: steps of a row, with `series`.

    Returns:
        The `keras.callbacks.History`.

    Raises:
        UnsupportedModel: the model has no equal in the engine; it is left as it was.
        SettingError: arguments that do not fit the model or one another.
        DataError: x or the series is not finite.
        DivergedError: the loss is not finite; the model then has the last finite weights.
    """
    job = _job(model, batch_size, x if series is None else series, timesteps)
    _check_arguments(job, x, y, series, timesteps, shuffle, validation_split)
    apart = needs_forecasts(job.loss, job.metrics, sample_weight is not None or _has_weights(validation_data))
    if series is not None:
        training, held_out = from_series(
            job.shape,
            series,
            targets,
            sample_weight,
            timesteps=timesteps or 0,
            split=0.0 if validation_data is not None else validation_split,
            scored_apart=apart,
        )
        if validation_data is not None:
            values, aims = validation_data if isinstance(validation_data, tuple) else (validation_data, None)
            held_out, _ = from_series(
                job.shape, values, aims, None, timesteps=timesteps or 0, split=0.0, scored_apart=apart
            )
    else:
        (x, y, sample_weight), validation_data = _split(x, y, sample_weight, validation_split, validation_data)
        training = from_arrays(job.shape, x, y, sample_weight, scored_apart=apart)
        if job.shape.stateful:
            warn_of_breaks(job.shape, np.asarray(x))
        held_out = None
        if validation_data is not None:
            other = tuple(validation_data)
            if not 2 <= len(other) <= 3:
                raise SettingError(
                    f"validation_data has {len(other)} parts; give (x, y) or (x, y, sample_weight) as a tuple"
                )
            weights = other[2] if len(other) == 3 else None
            held_out = from_arrays(
                job.shape, other[0], other[1], weights, scored_apart=apart, what="validation ", after=True
            )
    _build(model, job, training)
    return _Run(model, job, training, held_out, shuffle, epochs, verbose, callbacks).go(initial_epoch)


@dataclass(frozen=True)
class _Job:
    """A compiled model in the engine's words."""

    network: Network
    shape: Shape
    optimizer: Optimizer
    loss: Loss
    metrics: tuple[Metric, ...]


def _job(model: Any, batch_size: int | None, x: Any, timesteps: int | None) -> _Job:
    """Read a model without changing it; one that is not built yet is, as `model.fit` would do first."""
    path_of(model)
    if not model.compiled:
        raise SettingError('the model is not compiled; call model.compile(optimizer, "mse") first')
    loss, metrics = loss_of(model), metrics_of(model)
    given = np.shape(x)
    if timesteps is not None:
        features = given[1] if len(given) > 1 else 1
    else:
        features = given[2] if len(given) > 2 else 1
    network = network_of(model, None if model.built else features)
    fixed = stateful_batch(model)
    lanes = batch_size if batch_size is not None else fixed or 32
    if isinstance(lanes, bool) or not isinstance(lanes, int | np.integer) or lanes < 1:
        raise SettingError(f"batch_size is {batch_size}; give a whole number from 1")
    if fixed and lanes != fixed:
        raise SettingError(
            f"batch_size is {batch_size}, but the stateful model was built for batches of {fixed}; "
            f"give batch_size={fixed}, or rebuild the model with keras.Input(batch_shape=({lanes}, …))"
        )
    optimizer = optimizer_of(model, model.trainable_variables)
    if not model.built:
        model.build((int(lanes), timesteps or (given[1] if len(given) > 1 else None), features))
        optimizer = optimizer_of(model, model.trainable_variables)
    last = network.layers[network.last_recurrent]
    assert isinstance(last, Recurrent)
    shape = Shape(network.inputs, network.outputs, bool(last.return_sequences), fixed is not None, int(lanes))
    return _Job(network, shape, optimizer, loss, metrics)


def _check_arguments(job: _Job, x: Any, y: Any, series: Any, timesteps: Any, shuffle: Any, split: Any) -> None:
    if series is not None and (x is not None or y is not None):
        raise SettingError("series is given together with x or y; give one or the other")
    if series is None and timesteps is not None:
        raise SettingError("timesteps is given without series; leave it out: the shape of x says it")
    if shuffle not in (None, False, True):
        raise SettingError(f"shuffle is {shuffle!r}; give True or False")
    if shuffle and job.shape.stateful:
        raise SettingError(
            "shuffle=True with a stateful model: shuffled rows do not continue one another, so the carried state "
            "would be wrong; leave shuffle out, or build the layers with stateful=False"
        )
    if not 0 <= split < 1:
        raise SettingError(f"validation_split is {split}; give a share of at least 0 and below 1")


def _has_weights(validation_data: Any) -> bool:
    return isinstance(validation_data, tuple | list) and len(validation_data) == 3


def _split(x: Any, y: Any, weights: Any, split: float, validation_data: Any) -> tuple[tuple[Any, Any, Any], Any]:
    """Hold the last samples out, as Keras does."""
    if not split or validation_data is not None:
        return (x, y, weights), validation_data
    x, y = as_array(x, "x"), as_array(y, "y")
    weights = None if weights is None else as_array(weights, "sample_weight")
    at = int(np.floor(len(x) * (1.0 - split)))
    if at in (0, len(x)):
        raise SettingError(f"validation_split={split} of {len(x)} samples leaves one part empty; give more samples")
    first = (x[:at], y[:at], None if weights is None else weights[:at])
    return first, (x[at:], y[at:], None if weights is None else weights[at:])


def _build(model: Any, job: _Job, training: Epoch) -> None:
    """Make the optimiser's variables and the metrics' objects, as Keras does at the first batch."""
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    compiled = model._compile_metrics
    if compiled is not None and not compiled.built:
        # Callbacks look up there whether a metric should fall or rise.
        example = np.zeros((1, job.shape.outputs), np.float32)
        compiled.build(example, example)


class _Run:
    """One call of `fit`: the sessions, the callbacks, and the epochs."""

    def __init__(
        self,
        model: Any,
        job: _Job,
        training: Epoch,
        held_out: Epoch | None,
        shuffle: bool | None,
        epochs: int,
        verbose: Any,
        callbacks: Any,
    ) -> None:
        self.model, self.job, self.training, self.held_out, self.epochs = model, job, training, held_out, epochs
        self.shuffles = not job.shape.stateful if shuffle is None else shuffle
        # From NumPy's own generator, so that keras.utils.set_random_seed makes a run repeat.
        seed = int(np.random.randint(2**31))
        self.generator = np.random.default_rng(seed)
        layout = training.layout
        plan = lower(job.network, layout.lanes, layout.timesteps, layout.every_step)
        slots = max(layout.slots, held_out.layout.slots if held_out else 0)
        bank = aligned(max(1, slots) * plan.state_size)
        objective = Objective(job.loss)
        self.session = Session(plan, training.data, objective, job.optimizer, bank=bank, seed=seed)
        self.checker = None
        if held_out is not None:
            other = held_out.layout
            check_plan = lower(job.network, other.lanes, other.timesteps, other.every_step)
            self.checker = Session(check_plan, held_out.data, objective, bank=bank, threads=1)
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
        mirror.read(model, self.session)
        logs = None
        # BackupAndRestore leaves the epoch to go on with here.
        for epoch in range(getattr(model, "_initial_epoch", None) or initial_epoch, self.epochs):
            try:
                logs = self._epoch(epoch)
            except BaseException:
                mirror.write(model, self.session)
                raise
            if model.stop_training:
                break
        if logs is not None:
            mirror.write(model, self.session)
        self.callbacks.on_train_end(logs)
        return model.history

    def _epoch(self, epoch: int) -> dict[str, Any]:
        self.callbacks.on_epoch_begin(epoch)
        self._listen()
        self._set_rate()
        block = shuffled(self.training, self.generator) if self.shuffles else self.training.block
        tally = self._tally(self.training)
        if self.by_batch:
            results = self._one_by_one(block, tally)
        else:
            results = calls(self.session, self.training.layout, block, tally.forecasts)
        for at, result in results:
            done = at + len(result)
            tally.add(part(block, at, done), result)
            if not np.isfinite(result[-1, 0]):
                self._end_or_raise(epoch, done)
                break
            if self.by_batch:
                mirror.write(self.model, self.session)
                self.callbacks.on_train_batch_end(at, tally.logs())
                self._listen()
                if self.model.stop_training:
                    break
            else:
                for bar in self.bars:
                    bar.on_train_batch_end(done - 1, tally.logs())
        logs = tally.logs()
        if self.watched:
            mirror.write(self.model, self.session)
        if self.held_out is not None:
            logs |= {f"val_{name}": value for name, value in self._validate(self.held_out).items()}
        self.callbacks.on_epoch_end(epoch, logs)
        return logs

    def _one_by_one(self, block: Block, tally: Tally) -> "Iterator[tuple[int, NDArray[np.float64]]]":
        """Train update by update, for callbacks that hear of each; otherwise as `training.calls`."""
        for k in range(len(block.starts)):
            self.callbacks.on_train_batch_begin(k)
            self._listen()
            self._set_rate()
            yield k, self.session.run(part(block, k, k + 1), tally.forecasts)

    def _validate(self, held_out: Epoch) -> dict[str, Any]:
        assert self.checker is not None
        self.callbacks.on_test_begin()
        self.checker.parameters[:] = self.session.parameters
        tally = self._tally(held_out)
        block = held_out.block
        result = self.checker.forward(block, tally.forecasts)
        if self.by_test_batch:
            for k in range(len(block.starts)):
                self.callbacks.on_test_batch_begin(k)
                tally.add(part(block, k, k + 1), result[k : k + 1])
                self.callbacks.on_test_batch_end(k, tally.logs())
        else:
            tally.add(block, result)
        logs = tally.logs()
        self.callbacks.on_test_end(logs)
        return logs

    def _tally(self, epoch: Epoch) -> Tally:
        data, forecasts = epoch.data, None
        assert data.targets is not None
        if needs_forecasts(self.job.loss, self.job.metrics, data.sample_weights is not None):
            forecasts = np.empty((len(data.targets), self.job.shape.outputs), np.float32)
        return Tally(epoch, self.job.loss, self.job.metrics, forecasts)

    def _listen(self) -> None:
        """Take over what a callback may have changed in the model."""
        if self.watched:
            mirror.read(self.model, self.session)

    def _set_rate(self) -> None:
        """Follow a learning rate that a callback has set."""
        assert self.session.optimizer is not None
        if not isinstance(self.session.optimizer.learning_rate, Schedule):
            rate = current_rate(self.model.optimizer)
            self.session.optimizer = replace(self.session.optimizer, learning_rate=rate)

    def _end_or_raise(self, epoch: int, update: int) -> None:
        """Let TerminateOnNaN end the run where there is one, else raise."""
        for ender in self.enders:
            ender.on_batch_end(update - 1, {"loss": float("nan")})
        if not self.enders:
            raise diverged(epoch + 1, update, unpad(self.session.plan, self.session.parameters))
