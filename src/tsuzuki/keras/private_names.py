"""All names that Keras and TensorFlow do not promise to keep and that whole modules of ours rest on, in one place.

Tested with Keras 3.12 and 3.15 on TensorFlow 2.21. Nothing is imported before it is asked for.
"""

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from inspect import unwrap
from types import ModuleType
from typing import Any

# The packages under which Keras 3 is imported: its own, and TensorFlow's two copies of the same names.
ROOTS = ("keras", "keras._tf_keras.keras", "tensorflow.keras")
# Modules that Keras 3 keeps for `tf.keras` alone.
KEPT_FOR_TF = {"keras.preprocessing.text": "keras._tf_keras.keras.preprocessing.text"}
# Keras 2 as TensorFlow keeps it for itself; scripts of 2019 import from it.
INNER_KERAS = "tensorflow.python.keras"
# Keras 2 as a package of its own, which `tensorflow.keras` is where TF_USE_LEGACY_KERAS is set.
KERAS_2 = "tf_keras"
TO_KERAS_3 = (
    f"{KERAS_2}, which is Keras 2; build it with Keras 3 (`import keras`, TF_USE_LEGACY_KERAS not set) and hand the "
    "weights over: new.set_weights(old.get_weights())"
)
# The function that Keras maps over the places of windows, and TensorFlow's classes of datasets around it.
WINDOWS = "sequences_from_indices.<locals>.<lambda>"
BATCH, SHUFFLE, UNCHANGED, ZIP = (
    "_BatchDataset",
    "_ShuffleDataset",
    ("_PrefetchDataset", "_CacheDataset"),
    "_ZipDataset",
)
# Where a Keras variable has the backend's value, and the method that gives it another, for good, in no scope.
VALUE, DIRECT_ASSIGN = "_value", "_direct_assign"


def timeseries_generator() -> Any:
    """The class that Keras 3 keeps for `tf.keras` alone."""
    return import_module("keras._tf_keras.keras.preprocessing.sequence").TimeseriesGenerator


def old_backend() -> ModuleType:
    """The functions of Keras 2's backend, which Keras 3 keeps for `tf.keras` alone."""
    return import_module("keras._tf_keras.keras.backend")


def old_weight_files() -> ModuleType:
    """What writes and reads weights in the layout of Keras 2."""
    return import_module("keras.src.legacy.saving.legacy_h5_format")


def losses_by_name() -> dict[str, Any]:
    """Keras's table of losses that `compile` takes by name."""
    found: dict[str, Any] = import_module("keras.src.losses").ALL_OBJECTS_DICT
    return found


def callbacks_module() -> Any:
    """The module that gives callbacks their logs, made by `python_utils.pythonify_logs`, a name of its own."""
    return import_module("keras.src.callbacks.callback_list")


@cache
def means_of_batches() -> bool:
    """Whether Keras's calls on single batches give means over all since `reset_metrics()`, as those of Keras 3.12, and
    not the batch's own numbers."""
    return "reset_metrics" not in unwrap(import_module("keras").Model.train_on_batch).__code__.co_names


def functional_model() -> Any:
    """The class that `keras.Model(inputs, outputs)` makes."""
    return import_module("keras.src.models.functional").Functional


def has_first_layer(sequential: Any) -> bool:
    """Whether a Sequential model has a layer, be it only the input."""
    return bool(sequential._layers)


def compiled_with(model: Any) -> tuple[Any, ...]:
    """What `model.compile` makes anew: the optimiser, the loss and the metrics; None where it was not compiled."""
    return getattr(model, "optimizer", None), model._compile_loss, model._compile_metrics


def loss_objects(model: Any, y: Any, outputs: Any) -> list[Any]:
    """The objects that count a model's loss and those of its outputs, made at the first batch where they are not yet.

    Args:
        model: a compiled model.
        y: targets of a sample.
        outputs: what the model gives for it.
    """
    losses = model._compile_loss
    if not losses.built:
        losses.build(y, outputs)
    return [model._loss_tracker, *losses.metrics]


def metric_objects(model: Any) -> list[Any]:
    """The objects that count a model's metrics, unweighted ones first, once they are built."""
    compiled = model._compile_metrics
    if compiled is None:
        return []
    groups = (compiled._flat_metrics, compiled._flat_weighted_metrics)
    return [one for group in groups for of in group or [] if of for one in of.metrics]


def built_graph(model: Any) -> Any:
    """What a Sequential model makes anew where layers are added or removed; None for other models."""
    return getattr(model, "_functional", None)


def is_keras_own_model(model: Any) -> bool:
    """Whether a model's class is Keras's, so that nothing but its layers happens in a call."""
    return type(model).__module__.startswith("keras.src.models.")


def mask_of(tensor: Any) -> Any:
    """The mask that Keras hangs on a tensor; None where there is none."""
    return getattr(tensor, "_keras_mask", None)


def gradients_are_recorded() -> bool:
    """Whether a gradient tape of TensorFlow is open."""
    return bool(import_module("tensorflow.python.eager.record").could_possibly_record())


def traced_calls() -> list[type]:
    """The classes of TensorFlow whose objects run a traced function when they are called."""
    package = "tensorflow.python.eager.polymorphic_function"
    return [
        import_module(f"{package}.polymorphic_function").Function,
        import_module(f"{package}.concrete_function").ConcreteFunction,
    ]


def assign_directly(variable: Any, value: Any) -> None:
    """Give a variable a value whatever scope is open."""
    converted = variable._convert_to_tensor(value, dtype=variable._dtype)
    getattr(variable, DIRECT_ASSIGN)(converted)


@dataclass(frozen=True)
class WindowPart:
    """One half of a dataset of windows: its inputs, or its targets.

    Attributes:
        data: what is taken from.
        starts: where each window begins.
        first: the places of the first window's values; of targets the one place.
    """

    data: Any
    starts: Any
    first: Any


@dataclass(frozen=True)
class WindowParts:
    """A dataset of `timeseries_dataset_from_array`: its parts, windows of a batch, whether they are shuffled."""

    parts: tuple[WindowPart, ...]
    rows: int
    shuffles: bool


def window_parts(dataset: Any) -> WindowParts | None:
    """What a dataset of windows is made of; None of any other, or where TensorFlow's classes are not as they were."""
    try:
        rows, shuffles, inner = 0, False, dataset
        while (kind := type(inner).__name__) in (BATCH, SHUFFLE, *UNCHANGED):
            if kind == BATCH:
                if rows or bool(inner._drop_remainder):
                    return None
                rows = int(inner._batch_size)
            shuffles |= kind == SHUFFLE
            (inner,) = inner._inputs()
        halves = inner._inputs() if kind == ZIP else [inner]
        if not rows or not 1 <= len(halves) <= 2 or not all(_maps_windows(half) for half in halves):
            return None
        return WindowParts(tuple(map(_window_part, halves)), rows, shuffles)
    except (AttributeError, ValueError, TypeError, StopIteration):
        return None


def _maps_windows(dataset: Any) -> bool:
    return bool(dataset._map_func._func.__qualname__ == WINDOWS)


def _window_part(dataset: Any) -> WindowPart:
    (pair,) = dataset._inputs()
    repeated, places = pair._inputs()
    (_, starts) = places._inputs()[0]._inputs()
    data, starts = (next(iter(one._inputs()[0])).numpy() for one in (repeated, starts))
    return WindowPart(data, starts, next(iter(places)).numpy())
