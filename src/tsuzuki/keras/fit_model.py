"""`tsuzuki.fit` for a compiled Keras model: its arguments, read and laid out; `epochs` does the rest."""

import warnings
from dataclasses import replace
from typing import Any

import numpy as np

from tsuzuki.errors import SettingError
from tsuzuki.keras.arrays import as_array
from tsuzuki.keras.batches import Batches, comes_in_batches
from tsuzuki.keras.compile_config import optimizer_of
from tsuzuki.keras.compiled_loss import losses_of
from tsuzuki.keras.compiled_metrics import metrics_of
from tsuzuki.keras.epoch_data import Epoch, from_arrays, from_series, refill, warn_of_breaks
from tsuzuki.keras.epochs import Job, Run, build
from tsuzuki.keras.fit_arguments import (
    check_arguments,
    check_as_keras,
    check_numbers,
    check_tables,
    class_weights,
    epochs_to_check,
    has_weights,
    split_off,
)
from tsuzuki.keras.input_kinds import given_lengths
from tsuzuki.keras.joined_arrays import Together
from tsuzuki.keras.kept_model import known, made_of
from tsuzuki.keras.model_graph import is_followed
from tsuzuki.keras.model_shape import shape_of
from tsuzuki.keras.model_to_network import read_all, stateful_batch
from tsuzuki.keras.model_variables import carried_states
from tsuzuki.keras.outputs import tensors_of
from tsuzuki.keras.shape import Columns, Output
from tsuzuki.keras.window_datasets import window_dataset

RESETS = ("epoch", "never")
# Arguments of Keras 1 and 2 that are gone, and what stands in their place.
GONE = {"nb_epoch": "epochs", "workers": None, "use_multiprocessing": None, "max_queue_size": None}


def fit(
    model: Any,
    x: Any = None,
    y: Any = None,
    batch_size: int | None = None,
    epochs: int = 1,
    verbose: Any = "auto",
    callbacks: Any = None,
    validation_split: float = 0.0,
    validation_data: Any = None,
    shuffle: bool | None = None,
    class_weight: Any = None,
    sample_weight: Any = None,
    initial_epoch: int = 0,
    steps_per_epoch: int | None = None,
    validation_steps: int | None = None,
    validation_batch_size: int | None = None,
    validation_freq: Any = 1,
    *others: Any,
    reset_states: str | None = None,
    series: Any = None,
    targets: Any = None,
    timesteps: int | None = None,
    **unknown: Any,
) -> Any:
    """Train a compiled Keras model as `model.fit` does, in the compiled engine.

    The arguments are those of `model.fit` in their order, and four more. What differs from `model.fit`: the states of
    stateful layers are reset at the start of every epoch unless `reset_states="never"`; shuffling a stateful model is
    refused. The last batch may be smaller; NaN in y is missing and not scored.

    Args:
        model: a compiled `keras.Sequential` or functional model.
        x: [samples, timesteps, features]; a sliding-window view of a float32 series is read without a copy. Or batches
            of (x, y) or (x, y, sample_weight): a tf.data dataset, PyDataset, DataLoader or generator. An epoch of them
            is read into memory.
        y: [samples, outputs], or [samples, timesteps, outputs] if the model returns sequences; where it has several
            outputs a list of these in their order, or a dict by their names.
        batch_size: 32 if None, or what a stateful model was built with.
        epochs: the epoch to stop before, counted from 0.
        verbose: as in Keras.
        callbacks: Keras callbacks; those that want every batch are called for every batch, which is slow.
        validation_split: share of the samples (of the points of a series) at the end that is held out.
        validation_data: (x, y), (x, y, sample_weight) or batches; with `series`, another series or (series, targets).
        shuffle: whether the samples come in a new order each epoch; None: as in Keras, but not if stateful.
        class_weight: a factor for the loss of the samples of each class, from 0; of whole numbers in y.
        sample_weight: [samples], or [samples, timesteps] if the model returns sequences; a list or dict of
            these, one for each of several outputs; [points] with `series`.
        initial_epoch: the epoch to begin with.
        steps_per_epoch: batches of an epoch, where x comes in batches.
        validation_steps: batches to validate on; all if None.
        validation_batch_size: `batch_size` if None.
        validation_freq: validate every so many epochs, or a list of epochs, counted from 1.
        reset_states: "epoch": states are zero at the start of every epoch, and validation leaves them as they were.
            "never": they are carried through epochs, validation and calls, as Keras carries them. None is "epoch", with
            a warning where the model comes with states that are not zero.
        series: [points] or [points, features] in place of x and y: rows that continue one another are made of it.
        targets: [points] or [points, values of all outputs]: row i is what the model should say after the points up
            to i - 1; the series itself if None.
        timesteps: steps of a row, with `series`; what the model was built for if None.

    Returns:
        The `keras.callbacks.History`.

    Raises:
        UnsupportedModel: the model has no equal in the engine; it is left as it was.
        SettingError: arguments that do not fit the model or one another, or that there are not.
        DataError: x or the series is not finite.
        DivergedError: the loss is not finite; the model then has the last finite weights.
    """
    given = {name: value for name, value in locals().items() if name not in ("model", "others", "unknown")}
    if others:
        raise SettingError(f"fit was given {17 + len(others)} arguments in a row, but takes 17; name those beyond them")
    for name in unknown:
        instead = GONE.get(name, "")
        advice = f"it is {instead} now" if instead else "leave it out"
        raise SettingError(f"fit has no argument {name}; {advice}")
    initial_epoch = given.pop("initial_epoch")
    return prepare(model, **given).go(initial_epoch)


def prepare(
    model: Any,
    x: Any = None,
    y: Any = None,
    *,
    batch_size: Any = None,
    epochs: Any = 1,
    verbose: Any = "auto",
    callbacks: Any = None,
    validation_split: Any = 0.0,
    validation_data: Any = None,
    shuffle: Any = None,
    class_weight: Any = None,
    sample_weight: Any = None,
    steps_per_epoch: Any = None,
    validation_steps: Any = None,
    validation_batch_size: Any = None,
    validation_freq: Any = 1,
    reset_states: Any = None,
    series: Any = None,
    targets: Any = None,
    timesteps: Any = None,
    as_keras: bool = False,
    seed: int | None = None,
) -> Run:
    """Read and check everything for `fit`, and train nothing yet; the arguments are `fit`'s.

    Args:
        as_keras: refuse whatever Keras would treat otherwise, and shuffle stateful models where it would.
        seed: of shuffling and dropout; from NumPy's own generator if None.
    """
    check_numbers(
        batch_size=batch_size,
        epochs=epochs,
        steps_per_epoch=steps_per_epoch,
        validation_steps=validation_steps,
        validation_batch_size=validation_batch_size,
    )
    if reset_states not in (None, *RESETS):
        raise SettingError(f'reset_states is {reset_states!r}; give "epoch" or "never"')
    carries = reset_states == "never"
    if carries and series is not None:
        raise SettingError(
            'reset_states="never" with series: its rows begin anew where the series does; give x and y, or leave '
            "reset_states out"
        )
    windows = window_dataset(x) if y is None and sample_weight is None and not validation_split else None
    if windows is not None and steps_per_epoch in (None, windows.batches) and batch_size in (None, windows.rows):
        x, y, batch_size, shuffle, steps_per_epoch = windows.x, windows.y, windows.rows, windows.shuffles, None
    batches, in_batches = None, comes_in_batches(x)
    together = Together(model)
    if in_batches or together.several:
        # Nothing is read for a model that has no equal.
        check_model(model)
    x = together.x(x, "x")
    y, sample_weight = together.y(y, "y"), together.weights(sample_weight, "sample_weight")
    if in_batches:
        if y is not None or sample_weight is not None or validation_split:
            raise SettingError(
                f"x is a {type(x).__name__}, whose batches hold y and the weights; leave y, sample_weight and "
                "validation_split out"
            )
        batches = Batches(x, steps_per_epoch, epochs, together)
        x, y, sample_weight = batches.epoch()
        if batch_size not in (None, batches.rows):
            raise SettingError(
                f"batch_size is {batch_size}, but the batches of x hold {batches.rows} samples; leave it out"
            )
        batch_size = batches.rows
    elif steps_per_epoch is not None and series is None:
        rows = batch_size or stateful_batch(model) or 32
        if steps_per_epoch != -(-len(as_array(x, "x")) // rows):
            raise SettingError(
                f"steps_per_epoch is {steps_per_epoch}, but x has {len(x)} samples in batches of {rows}; leave it out"
            )
    given = x if series is None else series
    job = replace(_job(model, batch_size, given, timesteps, np.shape(y), together.columns), carries=carries)
    if not job.shape.stateful:
        job = replace(job, carries=False)
    elif reset_states is None and any(state.any() for state in carried_states(model)):
        warnings.warn(
            "the model's states are not zero, and are reset now, at the start of every epoch; give "
            'reset_states="never" to carry them on as model.fit does, or "epoch" to say that this is meant',
            stacklevel=4,
        )
    check_arguments(job, x, y, series, timesteps, shuffle, validation_split, as_keras)
    if class_weight is not None and len(job.shape.each) > 1:
        raise SettingError("class_weight is given for a model with several outputs; give sample_weight for each")
    weighted = class_weight is not None or sample_weight is not None
    apart = job.needs_forecasts(weighted or has_weights(validation_data))
    if series is not None:
        training, held_out = _lay_out_series(
            job, series, targets, sample_weight, timesteps, validation_split, validation_data, apart
        )
    else:
        joined, ranks = validation_data is None, together.ranks
        (x, y, sample_weight), validation_data = split_off(x, y, sample_weight, validation_split, validation_data)
        if class_weight is not None:
            # Of training alone.
            sample_weight = class_weights(y, class_weight, sample_weight)
        training = from_arrays(job.shape, x, y, sample_weight, scored_apart=apart, carries=job.carries)
        training = replace(training, ranks=ranks)
        if as_keras:
            check_as_keras(job, training)
        elif job.shape.stateful:
            warn_of_breaks(job.shape, np.asarray(x))
        held_out = None
        if validation_data is not None:
            held_out = _lay_out_validation(
                None if joined else together,
                job,
                validation_data,
                validation_steps,
                validation_batch_size,
                apart,
                as_keras,
            )
            if as_keras:
                check_as_keras(job, held_out)

    renew = None
    if batches is not None:
        shuffles = bool(shuffle if shuffle is not None else not job.shape.stateful)

        def renew(generator: np.random.Generator) -> None:
            new_x, new_y, weights = batches.epoch(generator if shuffles else None)
            if class_weight is not None:
                weights = class_weights(new_y, class_weight, weights)
            refill(training, from_arrays(job.shape, new_x, new_y, weights, scored_apart=apart, carries=job.carries))

    build(model, job)
    checks = epochs_to_check(validation_freq)
    if seed is None:
        # From NumPy's own generator, so that keras.utils.set_random_seed makes a run repeat.
        seed = int(np.random.randint(2**31))
    return Run(
        model,
        job,
        training,
        held_out,
        shuffle,
        epochs,
        verbose,
        callbacks,
        seed,
        checks,
        renew,
        as_keras,
    )


def _lay_out_series(
    job: Job, series: Any, targets: Any, weights: Any, timesteps: Any, split: float, validation_data: Any, apart: bool
) -> tuple[Epoch, Epoch | None]:
    given = validation_data is not None
    training, held_out = from_series(
        job.shape, series, targets, weights, timesteps=timesteps, split=0.0 if given else split, scored_apart=apart
    )
    if given:
        values, aims = validation_data if isinstance(validation_data, tuple) else (validation_data, None)
        held_out, _ = from_series(job.shape, values, aims, None, timesteps=timesteps, split=0.0, scored_apart=apart)
    return training, held_out


def _lay_out_validation(
    together: Together | None, job: Job, given: Any, steps: int | None, rows: int | None, apart: bool, as_keras: bool
) -> Epoch:
    """The rows of validation data; of what was split off training's where `together` is None."""
    dataset = window_dataset(given)
    if dataset is not None:
        given, rows = (dataset.x, dataset.y), dataset.rows
    if together is not None and comes_in_batches(given):
        batches = Batches(given, steps, 1, together, "validation_data")
        parts: tuple[Any, ...] = batches.epoch()
        rows = batches.rows
    else:
        parts = tuple(given)
        if not 2 <= len(parts) <= 3:
            raise SettingError(
                f"validation_data has {len(parts)} parts; give (x, y) or (x, y, sample_weight) as a tuple"
            )
        if together is not None:
            joins, names = (together.x, together.y, together.weights), ("x", "y", "sample_weight")
            parts = tuple(
                join(part, f"validation {name}") for join, part, name in zip(joins, parts, names, strict=False)
            )
        if steps is not None:
            count = steps * (rows or job.shape.lanes)
            parts = tuple(None if part is None else as_array(part, "validation_data")[:count] for part in parts)
        if as_keras:
            # Keras makes one smaller batch of few samples.
            rows = max(1, min(rows or job.shape.lanes, len(parts[0])))
    shape = job.shape
    if rows not in (None, shape.lanes):
        if shape.stateful:
            raise SettingError(
                f"validation batches hold {rows} samples, but the stateful model was built for {shape.lanes}; "
                "give as many"
            )
        shape = replace(shape, lanes=int(rows or shape.lanes))
    weights = parts[2] if len(parts) == 3 else None
    return from_arrays(
        shape, parts[0], parts[1], weights, scored_apart=apart, what="validation ", after=True, carries=job.carries
    )


def check_model(model: Any) -> None:
    """Raise UnsupportedModel or SettingError where a model cannot be trained here, whatever it is trained on.

    The layers of a class of the user's own that is not built are seen with the samples' shape alone.
    """
    if is_followed(model) and not model.built:
        return
    _job(model, None, None, None, (), (), builds=False)


def _job(
    model: Any,
    batch_size: int | None,
    x: Any,
    timesteps: int | None,
    y: tuple[int, ...],
    columns: Columns,
    builds: bool = True,
) -> Job:
    """Read a model without changing it; one that is not built yet is, as `model.fit` would do first.

    What was read for a call like this one is kept for as long as nothing that it depends on has changed.
    """
    kept = known(model)
    key, made = ("job", batch_size, np.shape(x)[1:], timesteps, y[1:], columns, given_lengths(model)), made_of(model)
    found: tuple[Any, Job] | None = None if kept is None else kept.prepared(key)
    if found is not None and found[0] == made:
        return found[1]
    job = _read(model, batch_size, x, timesteps, builds)
    shape = job.shape.aimed_at(y, columns)
    job = replace(job, shape=shape, metrics=metrics_of(model, shape.each))
    if kept is not None and kept.network == job.network:
        kept.prepare(key, (made, job))
    return job


def _read(model: Any, batch_size: int | None, x: Any, timesteps: int | None, builds: bool) -> Job:
    if not model.compiled:
        raise SettingError('the model is not compiled; call model.compile(optimizer, "mse") first')
    (network, shape), losses, _, optimizer = read_all(
        lambda: shape_of(model, batch_size, np.shape(x), timesteps, builds=False),
        lambda: losses_of(model),
        lambda: metrics_of(model, [Output(1)]) if len(tensors_of(model)) < 2 else (),
        lambda: optimizer_of(model, model.trainable_variables),
    )
    if builds and not model.built:
        network, shape = shape_of(model, batch_size, np.shape(x), timesteps)
        optimizer = optimizer_of(model, model.trainable_variables)
    check_tables(network, optimizer)
    return Job(network, shape.scored_by(losses), optimizer, ())
