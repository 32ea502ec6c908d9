"""The metrics that a Keras model is compiled with: which are counted here, and which Keras's own objects count."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from tsuzuki.errors import UnsupportedModel
from tsuzuki.keras.outputs import structure_of
from tsuzuki.keras.shape import Output

Values = NDArray[Any]
# From outputs [rows, outputs], targets [rows, targets] and the metric's setting to a value for each row.
Count = Callable[[Values, Values, float], Values]


@dataclass(frozen=True)
class Metric:
    """A metric of one output.

    Attributes:
        name: its key in the logs.
        own: its name without that of the output, or what makes it differ from another's.
        output: the number of the output.
        weighted: sample weights count.
        masked: the mask of the output counts, which Keras heeds in means of a function, and in nothing else.
        count: gives the values whose mean it is; None where `fed` counts.
        setting: what `count` needs besides.
        root: the root of the mean is shown.
        fed: Keras's own object, which is given the outputs and targets.
        by_batch: it must be given them batch by batch: what a user has written may not be a mean over rows.
    """

    name: str
    weighted: bool
    masked: bool
    count: Count | None = None
    setting: float = 0.0
    root: bool = False
    fed: Any = None
    by_batch: bool = False
    own: str = ""
    output: int = 0


def squared_error(outputs: Values, targets: Values, _: float) -> Values:
    """Mean squared error of each row."""
    found: Values = ((outputs - targets) ** 2).mean(axis=1)
    return found


def absolute_error(outputs: Values, targets: Values, _: float) -> Values:
    """Mean absolute error of each row."""
    found: Values = np.abs(outputs - targets).mean(axis=1)
    return found


def binary_accuracy(outputs: Values, targets: Values, threshold: float) -> Values:
    """The share of a row's outputs that are on their target's side of a threshold."""
    found: Values = (targets == (outputs > np.float32(threshold))).mean(axis=1)
    return found


def categorical_accuracy(outputs: Values, targets: Values, _: float) -> Values:
    """Whether the largest output is at the largest target."""
    found: Values = outputs.argmax(axis=1) == targets.argmax(axis=1)
    return found


def sparse_categorical_accuracy(outputs: Values, targets: Values, _: float) -> Values:
    """Whether the largest output is that of the class."""
    found: Values = outputs.argmax(axis=1) == targets[:, 0]
    return found


def top_k_categorical_accuracy(outputs: Values, targets: Values, k: float) -> Values:
    """Whether fewer than k outputs are larger than that of the largest target."""
    return sparse_top_k_categorical_accuracy(outputs, targets.argmax(axis=1)[:, None].astype(np.float64), k)


def sparse_top_k_categorical_accuracy(outputs: Values, targets: Values, k: float) -> Values:
    """Whether fewer than k outputs are larger than that of the class."""
    own = np.take_along_axis(outputs, targets.astype(np.int64), axis=1)
    found: Values = (outputs > own).sum(axis=1) < k
    return found


_k = keras.metrics
COUNTED: dict[type, tuple[Count, str | None]] = {
    _k.MeanSquaredError: (squared_error, None),
    _k.RootMeanSquaredError: (squared_error, None),
    _k.MeanAbsoluteError: (absolute_error, None),
    _k.BinaryAccuracy: (binary_accuracy, "threshold"),
    _k.CategoricalAccuracy: (categorical_accuracy, None),
    _k.SparseCategoricalAccuracy: (sparse_categorical_accuracy, None),
    _k.TopKCategoricalAccuracy: (top_k_categorical_accuracy, "k"),
    _k.SparseTopKCategoricalAccuracy: (sparse_top_k_categorical_accuracy, "k"),
}
FUNCTIONS: dict[Any, Count] = {
    keras.losses.mean_squared_error: squared_error,
    keras.losses.mean_absolute_error: absolute_error,
}


def metrics_of(model: Any, outputs: Sequence[Output]) -> tuple[Metric, ...]:
    """The metrics a model is compiled with, unweighted ones first, as Keras orders and names them.

    Args:
        model: a compiled model.
        outputs: what it gives, and how each is scored.

    Raises:
        UnsupportedModel: something is no metric, or they do not fit the outputs.
    """
    compiled = model._compile_metrics
    if compiled is None:
        return ()
    found: list[Metric] = []
    groups = [compiled._user_metrics, compiled._user_weighted_metrics]
    if len(outputs) == 1:
        given = [[(0, "", one) for one in keras.tree.flatten(group or [])] for group in groups]
    else:
        given = _of_outputs(model, outputs)
    for group, weighted in zip(given, (False, True), strict=True):
        for number, prefix, one in group:
            if outputs[number].scored.loss is None:
                raise UnsupportedModel(f"output {number} has metrics but no loss; give it both or neither")
            metric = read_metric(one, weighted, outputs[number].size, outputs[number].aims)
            metric = replace(metric, own=metric.name, output=number)
            found.append(_renamed(metric, prefix, [one.name for one in found]))
    return tuple(found)


def _of_outputs(model: Any, outputs: Sequence[Output]) -> list[list[tuple[int, str, Any]]]:
    """Of unweighted and of weighted metrics: the number of the output, what stands before the name, and the metric."""
    compiled, structure = model._compile_metrics, structure_of(model)
    fresh = type(compiled)(compiled._user_metrics, compiled._user_weighted_metrics, output_names=compiled.output_names)
    try:
        fresh.build(*zeros_of(structure, outputs))
    except (ValueError, TypeError) as error:
        raise UnsupportedModel(
            f"the metrics do not fit the model's outputs ({' '.join(str(error).split())}); give a list for each"
        ) from None
    numbers = fresh._flatten_y(keras.tree.pack_sequence_as(structure, list(range(len(outputs)))))
    return [
        [
            (number, f"{of.output_name}_" if of.output_name else "", one)
            # Keras 3.12 has an empty list where none is given.
            for number, of in zip(numbers, group or [None] * len(numbers), strict=True)
            if of is not None
            for one in of.metrics
        ]
        for group in (fresh._flat_metrics, fresh._flat_weighted_metrics)
    ]


def build_metrics(model: Any, outputs: Sequence[Output]) -> None:
    """Make a model's own metric objects, as Keras does at the first batch: callbacks look there which way is better."""
    compiled = model._compile_metrics
    if compiled is not None and not compiled.built:
        compiled.build(*zeros_of(structure_of(model), outputs))


def zeros_of(structure: Any, outputs: Sequence[Output]) -> tuple[Any, Any]:
    """Targets and outputs of a sample, in the structure of a model's outputs."""
    sizes = ([one.aims for one in outputs], [one.size for one in outputs])
    found = [[np.zeros((1, size), np.float32) for size in each] for each in sizes]
    if not keras.tree.is_nested(structure):
        return found[0][0], found[1][0]
    return keras.tree.pack_sequence_as(structure, found[0]), keras.tree.pack_sequence_as(structure, found[1])


def read_metric(given: Any, weighted: bool, outputs: int, targets: int) -> Metric:
    """A metric as Keras takes it: a name, a function or an object. Raises as `metrics_of`."""
    if str(given).lower() in ("accuracy", "acc"):
        sparse = _k.SparseCategoricalAccuracy if targets == 1 else _k.CategoricalAccuracy
        kind: Any = _k.BinaryAccuracy if outputs == 1 else sparse
        return _described(kind(name=str(given)), given, weighted)
    try:
        found = keras.metrics.get(given)
    except (ValueError, TypeError):
        found = None
    if found is None:
        raise UnsupportedModel(f"the metric {given!r} is none that Keras knows; give a name, a function or an object")
    return _described(found, given, weighted)


def _described(found: Any, given: Any, weighted: bool) -> Metric:
    name = given if isinstance(given, str) else getattr(found, "name", None) or _snake_case(found.__name__)
    if type(found) in COUNTED:
        count, setting = COUNTED[type(found)]
        value = 0.0 if setting is None else float(found.get_config()[setting])
        return Metric(
            name,
            weighted,
            isinstance(found, _k.MeanMetricWrapper),
            count,
            value,
            root=type(found) is _k.RootMeanSquaredError,
        )
    if type(found) is _k.MeanMetricWrapper and found._fn in FUNCTIONS:
        found = found._fn
    if count_of := FUNCTIONS.get(found):
        return Metric(name, weighted, True, count_of)
    own = not type(found).__module__.startswith("keras.")
    if not isinstance(found, _k.Metric):
        own = not getattr(found, "__module__", "").startswith("keras.")
        found = _k.MeanMetricWrapper(found, name=name)
    masked = isinstance(found, _k.MeanMetricWrapper)
    return Metric(name, weighted, masked, fed=found, by_batch=own or type(found) is _k.MeanMetricWrapper)


def _renamed(metric: Metric, prefix: str, taken: Sequence[str]) -> Metric:
    """The metric under a name that is free, as Keras finds one, behind that of its output."""
    name, number = f"{prefix}{metric.own}", 0
    if name in taken and metric.weighted:
        name = f"{prefix}weighted_{metric.own}"
    first = name
    while name in taken:
        number += 1
        name = f"{first}_{number}"
    return replace(metric, name=name)


def _snake_case(name: str) -> str:
    """A function's name as Keras shows it."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()
