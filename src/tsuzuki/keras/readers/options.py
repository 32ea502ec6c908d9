"""Options that every layer can have."""

from collections.abc import Iterator
from typing import Any

import keras

from tsuzuki.keras.readers.call import Call
from tsuzuki.network.activation_layers import ActivityRegularization

KINDS = ("kernel", "recurrent", "bias", "embeddings", "gamma", "beta", "alpha", "activity")
OPTIONS = [f"{kind}_regularizer" for kind in KINDS] + [f"{kind}_constraint" for kind in KINDS]

REGULARIZERS = (keras.regularizers.L1, keras.regularizers.L2, keras.regularizers.L1L2)
CONSTRAINTS = (
    keras.constraints.MaxNorm,
    keras.constraints.NonNeg,
    keras.constraints.UnitNorm,
    keras.constraints.MinMaxNorm,
)


def has_equal(rule: Any) -> bool:
    """Whether a regulariser or constraint is one of those that are known here."""
    if type(rule) in REGULARIZERS:
        return True
    return type(rule) in CONSTRAINTS and getattr(rule, "axis", 0) in (0, (0,), [0])


def penalty(rule: Any) -> ActivityRegularization:
    """The layer that adds an activity_regularizer's penalty."""
    return ActivityRegularization(*(float(getattr(rule, name, 0.0)) for name in ("l1", "l2")))


def check_options(call: Call) -> None:
    """Refuse precision, regularisers and constraints that have no equal."""
    layer = call.layer
    if not hasattr(layer, "dtype_policy"):
        # An operation of keras.ops, which has no weights.
        return
    if layer.dtype_policy.name != "float32":
        call.refuse(
            f"computes in {layer.dtype_policy.name}; make the model under float32 "
            '(keras.config.set_dtype_policy("float32"))'
        )
    inner = list(_inner(layer))
    for option in OPTIONS:
        found = [rule for one in inner if (rule := getattr(one, option, None)) is not None]
        if option.startswith("activity") and any(getattr(one, option, None) is not None for one in inner[1:]):
            call.refuse(f"holds a layer with an {option}; use ActivityRegularization behind it")
        elif not all(map(has_equal, found)):
            instead = "MaxNorm, NonNeg, UnitNorm or MinMaxNorm along axis 0"
            if option.endswith("regularizer"):
                instead = "l1, l2 or l1_l2"
            call.refuse(f"has a {option} of another kind than {instead}; use one of these")


def _inner(layer: Any) -> Iterator[Any]:
    """A layer and all those inside of it."""
    yield layer
    for name in ("layer", "forward_layer", "backward_layer", "cell"):
        if (one := getattr(layer, name, None)) is not None:
            yield from _inner(one)
    for one in getattr(layer, "cells", ()):
        yield from _inner(one)
