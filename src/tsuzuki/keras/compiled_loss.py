"""The losses that a Keras model is compiled with, in this library's words."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

import keras
import numpy as np

from tsuzuki.errors import UnsupportedModel
from tsuzuki.keras.outputs import structure_of, tensors_of
from tsuzuki.keras.own_loss import OwnLoss, Part
from tsuzuki.keras.shape import OutputLoss
from tsuzuki.network.losses import (
    MAE,
    MAPE,
    MSE,
    MSLE,
    BinaryCrossentropy,
    CategoricalCrossentropy,
    CategoricalHinge,
    CosineSimilarity,
    GivenSlopes,
    Hinge,
    Huber,
    KLDivergence,
    LogCosh,
    Loss,
    Poisson,
    SparseCategoricalCrossentropy,
    SquaredHinge,
)

_k = keras.losses
# Of each loss: Keras's class and function, the description, and settings that both have by one name.
KNOWN: tuple[tuple[Any, Any, Callable[..., Loss], tuple[str, ...]], ...] = (
    (_k.MeanSquaredError, _k.mean_squared_error, MSE, ()),
    (_k.MeanAbsoluteError, _k.mean_absolute_error, MAE, ()),
    (_k.Huber, _k.huber, Huber, ("delta",)),
    (_k.MeanAbsolutePercentageError, _k.mean_absolute_percentage_error, MAPE, ()),
    (_k.MeanSquaredLogarithmicError, _k.mean_squared_logarithmic_error, MSLE, ()),
    (_k.LogCosh, _k.log_cosh, LogCosh, ()),
    (_k.Poisson, _k.poisson, Poisson, ()),
    (_k.Hinge, _k.hinge, Hinge, ()),
    (_k.SquaredHinge, _k.squared_hinge, SquaredHinge, ()),
    (_k.KLDivergence, _k.kl_divergence, KLDivergence, ()),
    (_k.CategoricalHinge, _k.categorical_hinge, CategoricalHinge, ()),
    (_k.CosineSimilarity, _k.cosine_similarity, CosineSimilarity, ()),
    (
        _k.CategoricalCrossentropy,
        _k.categorical_crossentropy,
        CategoricalCrossentropy,
        ("from_logits", "label_smoothing"),
    ),
    (
        _k.SparseCategoricalCrossentropy,
        _k.sparse_categorical_crossentropy,
        SparseCategoricalCrossentropy,
        ("from_logits", "ignore_class"),
    ),
    (_k.BinaryCrossentropy, _k.binary_crossentropy, BinaryCrossentropy, ("from_logits", "label_smoothing")),
)
# What the backend has traced of a loss is kept for the next call.
_own: WeakKeyDictionary[Any, OwnLoss] = WeakKeyDictionary()
INSTEAD = 'compile with "mse", "mae", keras.losses.Huber(delta) or a categorical or binary crossentropy'


def losses_of(model: Any) -> tuple[OutputLoss, ...]:
    """How each output of a model is scored, in their order, as it is compiled.

    Raises:
        UnsupportedModel: a loss has no equal, or they do not fit the outputs.
    """
    given, compiled = vars(model).get("loss"), model._compile_loss
    tensors = tensors_of(model)
    if len(tensors) < 2 and (compiled is None or not (keras.tree.is_nested(given) or compiled._user_loss_weights)):
        return (_single(model, given),)
    if len(tensors) < 2:
        return (_single(model, given),)
    found, problems = [OutputLoss(None)] * len(tensors), list[str]()
    parts, own = [Part(None, 0.0, int(tensor.shape[-1])) for tensor in tensors], False
    for place, (number, loss, weight, name) in enumerate(_flat_losses(model)):
        if found[number].loss is not None:
            problems.append(f"output {number}: it has several losses, which is not supported; give it one")
            continue
        factor = 1.0 if weight is None else float(weight)
        parts[number] = replace(parts[number], loss=loss, weight=factor)
        try:
            found[number] = OutputLoss(read_loss(loss), factor, name, place)
        except UnsupportedModel as error:
            own = own or callable(loss)
            found[number] = OutputLoss(GivenSlopes(), factor, name, place)
            problems += [] if callable(loss) else [f"output {number}: {problem}" for problem in error.problems]
    if own and not problems:
        # Kernels that take an activation over into their loss would hand other numbers to the backend.
        joint = _kept(model, parts)
        found = [one if one.loss is None else replace(one, loss=GivenSlopes(), own=joint) for one in found]
    if not problems and all(one.loss is None for one in found):
        problems.append(f"no output has a loss; {INSTEAD}")
    if problems:
        raise UnsupportedModel("; ".join(problems), tuple(problems))
    alone = sum(one.loss is not None for one in found) == 1
    return tuple(replace(one, shown="") if alone else one for one in found)


def _single(model: Any, given: Any) -> OutputLoss:
    """The loss of a model's only output."""
    compiled = model._compile_loss
    if not keras.tree.is_nested(given) and (compiled is None or not compiled._user_loss_weights):
        try:
            return OutputLoss(read_loss(given))
        except UnsupportedModel:
            if not _is_known(given):
                raise
    found = _flat_losses(model)
    if len(found) != 1:
        raise UnsupportedModel(f"the output has {len(found)} losses, which is not supported; give it one")
    _, loss, weight, _ = found[0]
    factor = 1.0 if weight is None else float(weight)
    try:
        return OutputLoss(read_loss(loss), factor)
    except UnsupportedModel:
        return OutputLoss(GivenSlopes(), factor, own=_kept(model, [Part(loss, factor, 0)]))


def _kept(model: Any, parts: Sequence[Part]) -> OwnLoss:
    """What the backend computes of the losses that a model is compiled with."""
    compiled = model._compile_loss
    if compiled not in _own:
        _own[compiled] = OwnLoss(parts, bool(model.run_eagerly))
    return _own[compiled]


def _is_known(given: Any) -> bool:
    """Whether Keras has such a loss, or it is a user's own."""
    try:
        return callable(keras.losses.get(given))
    except (ValueError, TypeError):
        return False


def _flat_losses(model: Any) -> list[tuple[int, Any, Any, str]]:
    """Of each loss the number of its output, itself, its weight and its name in the logs: as Keras pairs them."""
    compiled, structure = model._compile_loss, structure_of(model)
    if any(str(one).lower() in ("crossentropy", "ce") for one in keras.tree.flatten(compiled._user_loss)):
        raise UnsupportedModel('the loss is "crossentropy", which depends on y; name the one that is meant')
    fresh = type(compiled)(compiled._user_loss, compiled._user_loss_weights, output_names=compiled.output_names)
    structure = "output" if structure is None else structure
    zeros = keras.tree.map_structure(lambda tensor: np.zeros((1, 1), np.float32), structure)
    try:
        fresh.build(zeros, zeros)
    except (ValueError, KeyError, TypeError) as error:
        raise UnsupportedModel(
            f"the losses do not fit the model's outputs ({' '.join(str(error).split())}); give one for each"
        ) from None
    numbers = keras.tree.pack_sequence_as(structure, list(range(len(keras.tree.flatten(structure)))))
    found = []
    for path, loss, weight, name in fresh._flat_losses:
        number = numbers
        for step in path:
            by_name = isinstance(step, str) and not isinstance(number, dict)
            number = number[compiled.output_names.index(step) if by_name else step]
        found.append((int(number), loss, weight, f"{name}_loss"))
    return found


def read_loss(given: Any) -> Loss:
    """A loss as Keras takes it: a name, a function or an object.

    Raises:
        UnsupportedModel: it has no equal.
    """
    shown = getattr(given, "name", getattr(given, "__name__", given))
    try:
        found: Any = keras.losses.get(given) if given is not None else None
    except (ValueError, TypeError):
        found = None
    if type(found).__name__ == "LossFunctionWrapper" and found.reduction == "sum_over_batch_size":
        # What Keras makes of a function or a name.
        found = found.fn
    supported: Loss | None = None
    for kind, function, description, settings in KNOWN:
        if found is function:
            supported = description()
        elif type(found) is kind:
            # Not every class of Keras has all its settings in its configuration.
            config: dict[str, Any] = getattr(found, "_fn_kwargs", {}) | found.get_config()
            supported = description(**{name: config[name] for name in settings})
    if supported is None:
        raise UnsupportedModel(f"the loss is {shown}, which is not supported; {INSTEAD}")
    reduction = getattr(found, "reduction", "sum_over_batch_size")
    if reduction not in ("sum_over_batch_size", "mean"):
        raise UnsupportedModel(
            f"the loss {shown} has reduction={reduction!r}, which is not supported; use the default, the mean"
        )
    if getattr(found, "dtype", "float32") != "float32":
        raise UnsupportedModel(f"the loss {shown} has dtype {found.dtype}; leave it out: everything is float32")
    if getattr(found, "axis", -1) != -1:
        raise UnsupportedModel(f"the loss {shown} has axis={found.axis}; leave it out: classes are the last axis")
    return supported
