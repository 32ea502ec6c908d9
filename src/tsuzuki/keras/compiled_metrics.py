"""The metrics that a Keras model is compiled with: which are counted here, and which Keras's own objects count."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from tsuzuki.errors import UnsupportedModel

Values = NDArray[Any]
# From outputs [rows, outputs], targets [rows, targets] and the metric's setting to a value for each row.
Count = Callable[[Values, Values, float], Values]


@dataclass(frozen=True)
class Metric:
    """A metric of one output.

    Attributes:
        name: its key in the logs.
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


def metrics_of(model: Any, outputs: int, targets: int) -> tuple[Metric, ...]:
    """The metrics a model with one output is compiled with, unweighted ones first, as Keras orders and names them.

    Args:
        model: a compiled model.
        outputs: values of a step that it gives.
        targets: values of a step that they are compared with.

    Raises:
        UnsupportedModel: something is no metric.
    """
    compiled = model._compile_metrics
    if compiled is None:
        return ()
    found: list[Metric] = []
    for group, weighted in ((compiled._user_metrics, False), (compiled._user_weighted_metrics, True)):
        for given in keras.tree.flatten(group or []):
            metric = read_metric(given, weighted, outputs, targets)
            found.append(_renamed(metric, [one.name for one in found]))
    return tuple(found)


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
    if count_of := FUNCTIONS.get(found):
        return Metric(name, weighted, True, count_of)
    own = not type(found).__module__.startswith("keras.")
    if not isinstance(found, _k.Metric):
        own = not getattr(found, "__module__", "").startswith("keras.")
        found = _k.MeanMetricWrapper(found, name=name)
    masked = isinstance(found, _k.MeanMetricWrapper)
    return Metric(name, weighted, masked, fed=found, by_batch=own or type(found) is _k.MeanMetricWrapper)


def _renamed(metric: Metric, taken: Sequence[str]) -> Metric:
    """The metric under a name that is free, as Keras finds one."""
    name, number = metric.name, 0
    if name in taken and metric.weighted:
        name = f"weighted_{metric.name}"
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
