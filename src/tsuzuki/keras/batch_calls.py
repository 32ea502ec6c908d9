"""`train_on_batch`, `test_on_batch` and `predict_on_batch` of a Keras model in the compiled engine.

A call for a batch of a shape that was there before goes straight to its `PreparedBatch`.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from tsuzuki.errors import SettingError
from tsuzuki.keras.arrays import as_array
from tsuzuki.keras.batches import comes_in_batches
from tsuzuki.keras.compile_config import optimizer_of
from tsuzuki.keras.compiled_loss import losses_of
from tsuzuki.keras.compiled_metrics import build_metrics, metrics_of
from tsuzuki.keras.epochs import Job, build
from tsuzuki.keras.fit_arguments import check_tables, class_weights
from tsuzuki.keras.input_kinds import given_lengths
from tsuzuki.keras.inputs import side_by_side
from tsuzuki.keras.joined_arrays import Together
from tsuzuki.keras.kept_model import kept_model, known, made_of
from tsuzuki.keras.model_shape import shape_of
from tsuzuki.keras.model_to_network import read_all
from tsuzuki.keras.outputs import taken_apart
from tsuzuki.keras.prepared_batch import PreparedBatch, PreparedForecast
from tsuzuki.keras.shape import Columns
from tsuzuki.network.optimizers import SGD


def train_on_batch(
    model: Any,
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    class_weight: Any = None,
    return_dict: bool = False,
    *,
    as_keras: bool = False,
) -> Any:
    """Train a compiled Keras model on one batch, as `model.train_on_batch` does.

    Weights, the optimiser's slots and states stay in the engine until somebody looks at the model's variables.

    Args:
        model: a compiled model of Keras 3.
        x: [samples, timesteps, features]; as many samples as a stateful model was built for.
        y: [samples, outputs], or [samples, timesteps, outputs] if the model returns sequences. NaN is not scored.
        sample_weight: [samples], or [samples, timesteps].
        class_weight: a factor for the loss of the samples of each class.
        return_dict: return the loss and metrics by name.
        as_keras: refuse whatever Keras would treat otherwise.

    Returns:
        The loss before the update, or a list of it and the metrics, in Keras's order; or a dict.

    Raises:
        UnsupportedModel: the model has no equal in the engine.
        SettingError: arguments that do not fit the model or one another.
        DataError: x is not finite.
        DivergedError: the loss is not finite; the model is as it was.
    """
    batch = put("train", model, x, y, sample_weight, class_weight, as_keras=as_keras)
    return _returned(batch, batch.train(), return_dict)


def test_on_batch(
    model: Any,
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    return_dict: bool = False,
    *,
    as_keras: bool = False,
) -> Any:
    """Score one batch, as `model.test_on_batch` does, states carried on.

    The arguments are those of `train_on_batch`, and so are what it returns and raises.
    """
    batch = put("test", model, x, y, sample_weight, as_keras=as_keras)
    return _returned(batch, batch.test(), return_dict)


def predict_on_batch(model: Any, x: Any, *, as_keras: bool = False) -> Any:
    """Forecast one batch, as `model.predict_on_batch` does, states carried on.

    Args:
        model: a built model of Keras 3; it need not be compiled.
        x: [samples, timesteps, features].
        as_keras: refuse whatever Keras would treat otherwise.

    Returns:
        [samples, outputs], or [samples, timesteps, outputs] if the model returns sequences; of several outputs as the
        model gives them.

    Raises:
        UnsupportedModel: the model has no equal in the engine.
        SettingError: x does not fit it.
        DataError: x is not finite.
    """
    x = _samples(model, x)
    key = "predict", x.shape, given_lengths(model), as_keras
    kept = known(model)
    batch: PreparedForecast | None = None if kept is None else kept.prepared(key)
    if batch is None:
        if not model.built:
            raise SettingError("the model is not built, so it has no weights yet; call it on a batch first")
        network, shape = shape_of(model, len(x), x.shape, builds=False, only_predicts=True)
        kept = kept_model(model, network)
        job = Job(network, shape, SGD(0.0), (), carries=shape.stateful)
        _check_backend(job, as_keras)
        batch = PreparedForecast(kept, job, x.shape[1])
        kept.prepare(key, batch)
    batch.put_samples(x)
    found = batch.predict()
    return found if len(batch.sizes) == 1 else taken_apart(model, found, batch.sizes)


def put(
    kind: str, model: Any, x: Any, y: Any, weights: Any = None, by_class: Any = None, *, as_keras: bool = False
) -> PreparedBatch:
    """A batch in its place; nothing is computed."""
    x = _samples(model, x)
    key = kind, x.shape, getattr(y, "shape", None), given_lengths(model), _weights_of(weights, by_class), as_keras
    kept, made = known(model), made_of(model)
    found: tuple[Any, PreparedBatch] | None = None if kept is None else kept.prepared(key)
    if found is None or found[0] != made:
        ready: Callable[..., PreparedBatch] = _ready_to_train if kind == "train" else _ready_to_test
        _check_compiled(model)
        together = Together(model)
        joined = together.weights(weights, "sample_weight") if by_class is None else np.ones(len(x))
        wide = 0 if joined is None else np.shape(joined)[-1] if together.several and np.ndim(joined) > 1 else 1
        if together.several:
            together.y(y, "y")
        batch = ready(model, x, np.shape(y) if not together.several else (), together.columns, wide, as_keras)
        batch.together = together if together.several else None
        made, kept = made_of(model), known(model)
        assert kept is not None
        found = made, batch
        kept.prepare(key, found)
    batch = found[1]
    if batch.together is not None:
        if by_class is not None:
            raise SettingError("class_weight is given for a model with several outputs; give sample_weight for each")
        y, weights = batch.together.y(y, "y"), batch.together.weights(weights, "sample_weight")
    if by_class is not None:
        weights = class_weights(y, by_class, weights)
    batch.put(x, y, weights, finite=as_keras)
    return batch


def _weights_of(weights: Any, by_class: Any) -> Any:
    """What of weights a batch's place depends on: whether there are some, and for which outputs."""
    if isinstance(weights, dict):
        return tuple(weights)
    if isinstance(weights, list | tuple):
        return len(weights)
    return weights is not None or by_class is not None


def _ready_to_train(
    model: Any, x: NDArray[Any], y: tuple[int, ...], columns: Columns, weighted: int, as_keras: bool
) -> PreparedBatch:
    (network, shape), losses, optimizer = read_all(
        lambda: shape_of(model, len(x), x.shape),
        lambda: losses_of(model),
        lambda: optimizer_of(model, model.trainable_variables),
    )
    shape = shape.scored_by(losses).aimed_at(y, columns)
    job = Job(network, shape, optimizer, metrics_of(model, shape.each), carries=shape.stateful)
    _check_backend(job, as_keras)
    check_tables(network, optimizer)
    build(model, job)
    kept = kept_model(model, network, optimizer)
    # As in `fit`, from NumPy's own generator.
    seed = int(np.random.randint(2**31)) if not as_keras else 0
    return PreparedBatch(kept, job, x.shape[1], trains=True, weighted=weighted, seed=seed)


def _ready_to_test(
    model: Any, x: NDArray[Any], y: tuple[int, ...], columns: Columns, weighted: int, as_keras: bool
) -> PreparedBatch:
    losses = losses_of(model)
    network, shape = shape_of(model, len(x), x.shape, builds=not as_keras)
    if not model.built:
        raise SettingError("the model is not built yet")
    shape = shape.scored_by(losses).aimed_at(y, columns)
    job = Job(network, shape, SGD(0.0), metrics_of(model, shape.each), carries=shape.stateful)
    _check_backend(job, as_keras)
    build_metrics(model, shape.each)
    return PreparedBatch(kept_model(model, network), job, x.shape[1], weighted=weighted)


def _check_compiled(model: Any) -> None:
    if not model.compiled:
        raise SettingError('the model is not compiled; call model.compile(optimizer, "mse") first')


def _check_backend(job: Job, as_keras: bool) -> None:
    if as_keras and job.shape.stateful and keras.backend.backend() == "jax":
        raise SettingError("on the JAX backend Keras trains stateful layers as if they were stateless")


def _samples(model: Any, x: Any) -> NDArray[Any]:
    """x as [samples, timesteps, features]."""
    if type(x) is np.ndarray and x.ndim == 3 and x.dtype == np.float32 and x.size:
        return x
    x = side_by_side(model, x, "x")
    if comes_in_batches(x):
        raise SettingError(f"x is a {type(x).__name__}; give the arrays of one batch")
    array = as_array(x, "x")
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or 0 in array.shape:
        raise SettingError(f"x has shape {array.shape}; give (samples, timesteps, features), at least one of each")
    return array


def _returned(batch: PreparedBatch, logs: dict[str, Any], as_dict: bool) -> Any:
    if as_dict:
        # In Keras's order.
        return dict(sorted(logs.items()))
    if batch.names is None:
        batch.names = batch.job.in_order(logs)
    return logs["loss"] if len(batch.names) == 1 else [logs[name] for name in batch.names]
