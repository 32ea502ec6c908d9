"""`tsuzuki.fit` for a compiled Keras model: its arguments, read and laid out; `running` does the epochs."""

from typing import Any

import numpy as np

from tsuzuki.errors import SettingError
from tsuzuki.keras.arrays import as_array
from tsuzuki.keras.compile_config import loss_of, metrics_of, optimizer_of
from tsuzuki.keras.epoch_data import Shape, from_arrays, from_series, warn_of_breaks
from tsuzuki.keras.epochs import Job, Run, build
from tsuzuki.keras.metrics import needs_forecasts
from tsuzuki.keras.model_to_network import network_of, path_of, stateful_batch
from tsuzuki.network.layers import Recurrent


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
        timesteps: steps of a row, with `series`; what the model was built for if None.

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
            timesteps=timesteps,
            split=0.0 if validation_data is not None else validation_split,
            scored_apart=apart,
        )
        if validation_data is not None:
            values, aims = validation_data if isinstance(validation_data, tuple) else (validation_data, None)
            held_out, _ = from_series(job.shape, values, aims, None, timesteps=timesteps, split=0.0, scored_apart=apart)
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
    build(model, job)
    return Run(model, job, training, held_out, shuffle, epochs, verbose, callbacks).go(initial_epoch)


def _job(model: Any, batch_size: int | None, x: Any, timesteps: int | None) -> Job:
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
    shape = Shape(
        inputs=network.inputs,
        outputs=network.outputs,
        every_step=bool(last.return_sequences),
        stateful=fixed is not None,
        lanes=int(lanes),
        timesteps=model.input_shape[1],
    )
    return Job(network, shape, optimizer, loss, metrics)


def _check_arguments(job: Job, x: Any, y: Any, series: Any, timesteps: Any, shuffle: Any, split: Any) -> None:
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
