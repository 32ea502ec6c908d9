"""`tsuzuki.predict` and `tsuzuki.evaluate` of a Keras model: as its own methods, states carried as in Keras."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from tsuzuki.engine.compiled_network import CompiledNetwork
from tsuzuki.engine.data import RowShape
from tsuzuki.errors import SettingError
from tsuzuki.keras.arrays import as_array
from tsuzuki.keras.batch_calls import predict_on_batch
from tsuzuki.keras.batches import Batches, comes_in_batches
from tsuzuki.keras.compiled_loss import losses_of
from tsuzuki.keras.compiled_metrics import metrics_of
from tsuzuki.keras.epoch_data import Epoch, from_arrays
from tsuzuki.keras.epochs import Job
from tsuzuki.keras.fit_arguments import check_as_keras
from tsuzuki.keras.inputs import side_by_side
from tsuzuki.keras.joined_arrays import Together
from tsuzuki.keras.kept_model import kept_model
from tsuzuki.keras.metrics import EpochMetrics
from tsuzuki.keras.model_shape import shape_of
from tsuzuki.keras.model_to_network import reading_of, stateful_batch
from tsuzuki.keras.outputs import taken_apart
from tsuzuki.keras.shape import Shape
from tsuzuki.keras.window_datasets import window_dataset
from tsuzuki.network.network import Network
from tsuzuki.network.optimizers import SGD

# Numbers in x up to which a batch's place is kept for the next one of its shape.
SMALL = 1_000_000


@dataclass(frozen=True)
class Forward:
    """A call that is read and checked, and can be run.

    Attributes:
        model: the Keras model.
        job: the same as a network, with its loss and metrics.
        epoch: the samples.
        verbose: as in Keras.
    """

    model: Any
    job: Job
    epoch: Epoch
    verbose: Any

    def predict(self) -> Any:
        """Return the forecasts, shaped as Keras shapes them."""
        layout, outputs = self.epoch.layout, self.job.shape.outputs
        forecasts = np.empty((len(self.epoch.data.inputs) + 1, outputs), np.float32)
        callbacks = self._callbacks()
        callbacks.on_predict_begin()
        # Starting threads costs more than a few rows.
        self._run(forecasts, None if self.epoch.samples > 1000 else 1)
        places = self.epoch.places(self.epoch.block.starts.ravel()[: self.epoch.samples])
        callbacks.on_predict_batch_end(layout.updates - 1)
        callbacks.on_predict_end()
        found = forecasts[places if layout.every_step else places[:, 0]]
        return taken_apart(self.model, found, [one.size for one in self.job.shape.each])

    def evaluate(self) -> dict[str, float]:
        """Return the loss and metrics by name."""
        data, forecasts = self.epoch.data, None
        assert data.targets is not None
        if self.job.needs_forecasts(data.sample_weights is not None):
            forecasts = np.empty((len(data.targets), self.job.shape.outputs), np.float32)
        sums = EpochMetrics(self.epoch, self.job.shape, self.job.metrics, forecasts)
        callbacks = self._callbacks()
        callbacks.on_test_begin()
        sums.add(self.epoch.block, self.epoch.scored(self.job.shape, forecasts, self._run(forecasts, 1)))
        logs: dict[str, float] = sums.logs()
        callbacks.on_test_batch_end(self.epoch.layout.updates - 1, logs)
        callbacks.on_test_end(logs)
        return logs

    def score(self, as_dict: bool) -> Any:
        """Return the loss and metrics as Keras does."""
        logs = self.evaluate()
        if as_dict:
            return dict(sorted(logs.items()))
        found = [logs[name] for name in self.job.in_order(logs)]
        return found if len(found) > 1 else found[0]

    def _run(self, forecasts: NDArray[np.float32] | None, threads: int | None) -> NDArray[np.float64]:
        kept = kept_model(self.model, self.job.network)
        compiled = CompiledNetwork(
            self.job.network,
            RowShape.of(self.epoch.layout),
            self.epoch.data,
            self.job.objectives,
            parameters=kept.parameters,
            saved_states=kept.states,
            threads=threads,
        )
        kept.variables.bring()
        result = compiled.forward(self.epoch.block, forecasts)
        if self.job.carries:
            kept.carried()
        return result

    def _callbacks(self) -> Any:
        return keras.callbacks.CallbackList(
            None,
            add_progbar=self.verbose != 0,
            verbose=self.verbose,
            epochs=1,
            steps=self.epoch.layout.updates,
            model=self.model,
        )


def predict(model: Any, x: Any, batch_size: int | None = None, verbose: Any = 0, steps: int | None = None) -> Any:
    """Forecast samples, as `model.predict` does; one batch of a shape that was there before takes microseconds.

    Args:
        model: a built model of Keras 3; it need not be compiled.
        x: [samples, timesteps, features]; or batches of x, (x, y) or (x, y, sample_weight), as in `fit`.
        batch_size: 32 if None, or what a stateful model was built with; not given where x comes in batches.
        verbose: as in Keras, where it is "auto" by default.
        steps: batches to forecast; all if None.

    Returns:
        [samples, outputs], or [samples, timesteps, outputs] if the model returns sequences; of several outputs as the
        model gives them.

    Raises:
        UnsupportedModel: the model has no equal in the engine.
        SettingError: x does not fit it.
        DataError: x is not finite.
    """
    if verbose == 0 and steps is None and is_a_batch(x, batch_size):
        return predict_on_batch(model, x)
    return prepare_predict(model, x, batch_size, verbose, steps).predict()


def is_a_batch(x: Any, batch_size: int | None) -> bool:
    """Whether x is an array, or one for each of several inputs, that is predicted in one small batch."""
    arrays = x if isinstance(x, list | tuple) and len(x) > 1 else (x,)
    return all(
        type(one) is np.ndarray and one.ndim > 1 and 0 < len(one) <= (batch_size or 32) and one.size <= SMALL
        for one in arrays
    )


def evaluate(
    model: Any,
    x: Any,
    y: Any = None,
    batch_size: int | None = None,
    verbose: Any = 0,
    sample_weight: Any = None,
    return_dict: bool = False,
    steps: int | None = None,
) -> Any:
    """Score samples, as `model.evaluate` does.

    Args:
        model: a compiled model of Keras 3.
        x: as in `fit`; it may come in batches.
        y: as in `fit`.
        batch_size: as in `predict`.
        verbose: as in `predict`.
        sample_weight: as in `fit`.
        return_dict: return the loss and metrics by name.
        steps: batches to score; all if None.

    Returns:
        The loss, or a list of it and the metrics, in Keras's order; or a dict.

    Raises:
        UnsupportedModel: the model has no equal in the engine.
        SettingError: arguments that do not fit the model or one another.
        DataError: x is not finite.
    """
    return prepare_evaluate(model, x, y, batch_size, verbose, sample_weight, steps).score(return_dict)


def prepare_predict(
    model: Any, x: Any, batch_size: int | None = None, verbose: Any = "auto", steps: Any = None, callbacks: Any = None
) -> Forward:
    """Read and check a call of `model.predict`.

    Raises:
        UnsupportedModel: the model has no equal.
        SettingError: arguments that Keras must take care of.
    """
    if callbacks:
        raise SettingError("callbacks are given; leave them out")
    if (windows := window_dataset(x)) is not None and batch_size is None:
        x, batch_size = windows.x, windows.rows
    if comes_in_batches(x):
        if batch_size is not None:
            raise SettingError(f"x is a {type(x).__name__}, which says its batch size; leave batch_size out")
        # Nothing is read for a model that has no equal.
        reading_of(model)
        batches = Batches(x, steps, 1, Together(model))
        x = batches.inputs(of_one_size=stateful_batch(model) is not None)
        batch_size = batches.rows
    else:
        x = _first(as_array(side_by_side(model, x, "x"), "x"), steps, batch_size)
    network, shape = _built_shape(model, batch_size, x, only_predicts=True)
    # Every value is there, though none is scored.
    steps = (shape.scored_steps(x.shape[1]),) if shape.every_step else ()
    samples = (len(x), *steps, shape.targets)
    targets = np.broadcast_to(np.float32(0), samples)
    epoch = from_arrays(shape, x, targets, None, scored_apart=True, carries=shape.stateful)
    job = Job(network, shape, SGD(0.0), (), carries=shape.stateful)
    check_as_keras(job, epoch)
    return Forward(model, job, epoch, verbose)


def prepare_evaluate(
    model: Any,
    x: Any,
    y: Any = None,
    batch_size: int | None = None,
    verbose: Any = "auto",
    sample_weight: Any = None,
    steps: Any = None,
    callbacks: Any = None,
) -> Forward:
    """Read and check a call of `model.evaluate`; x may come in batches. Raises as `prepare_predict`."""
    if not model.compiled:
        raise SettingError("the model is not compiled")
    if callbacks:
        raise SettingError("callbacks are given; leave them out")
    losses = losses_of(model)
    together = Together(model)
    windows = window_dataset(x) if y is None and sample_weight is None and batch_size is None else None
    if windows is not None:
        x, y, batch_size = windows.x, windows.y, windows.rows
    if comes_in_batches(x):
        if not model.built or y is not None or sample_weight is not None:
            raise SettingError("x comes in batches; give nothing else with it, and a model that is built")
        # Nothing is read for a model that has no equal.
        reading_of(model)
        batches = Batches(x, steps, 1, together)
        x, y, sample_weight = batches.epoch()
        batch_size = batches.rows
    else:
        given = side_by_side(model, x, "x"), together.y(y, "y"), together.weights(sample_weight, "sample_weight")
        x, y, sample_weight = (
            one if one is None or steps is None else _first(as_array(one, "x"), steps, batch_size) for one in given
        )
        x = as_array(x, "x")
    network, shape = _built_shape(model, batch_size, x)
    shape = shape.scored_by(losses).aimed_at(np.shape(y), together.columns)
    job = Job(network, shape, SGD(0.0), metrics_of(model, shape.each), carries=shape.stateful)
    apart = job.needs_forecasts(sample_weight is not None)
    epoch = from_arrays(shape, x, y, sample_weight, scored_apart=apart, carries=shape.stateful)
    check_as_keras(job, epoch)
    return Forward(model, job, epoch, verbose)


def _built_shape(
    model: Any, batch_size: int | None, x: NDArray[Any], only_predicts: bool = False
) -> tuple[Network, Shape]:
    network, shape = shape_of(model, batch_size, x.shape, builds=False, only_predicts=only_predicts)
    if not model.built:
        raise SettingError("the model is not built yet")
    return network, shape


def _first(array: NDArray[Any], steps: int | None, rows: int | None) -> NDArray[Any]:
    """The samples of the first so many batches; all of them where no number is given."""
    if steps is None:
        return array
    rows = rows or 32
    if steps > -(-len(array) // rows):
        raise SettingError(f"steps is {steps}, but there are {len(array)} samples in batches of {rows}")
    return array[: steps * rows]
