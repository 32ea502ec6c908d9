"""The loss that a Keras model is compiled with, in this library's words."""

from collections.abc import Callable
from typing import Any

import keras

from tsuzuki.errors import UnsupportedModel
from tsuzuki.network.losses import (
    MAE,
    MAPE,
    MSE,
    MSLE,
    BinaryCrossentropy,
    CategoricalCrossentropy,
    CategoricalHinge,
    CosineSimilarity,
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
INSTEAD = 'compile with "mse", "mae", keras.losses.Huber(delta) or a categorical or binary crossentropy'


def loss_of(model: Any) -> Loss:
    """The loss a model is compiled with.

    Raises:
        UnsupportedModel: it has no equal, or is weighted.
    """
    given = vars(model).get("loss")
    if isinstance(given, list | dict):
        raise UnsupportedModel(f"the loss is a list or dict, which is not supported; {INSTEAD}")
    supported = read_loss(given)
    weights = model._compile_loss._user_loss_weights
    if weights is not None:
        raise UnsupportedModel(
            f"the model is compiled with loss_weights={weights}; leave them out, or scale the targets or the rate"
        )
    return supported


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
