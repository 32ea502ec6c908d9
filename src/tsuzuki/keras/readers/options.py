"""Options that every layer can have."""

from collections.abc import Iterator
from typing import Any

from tsuzuki.keras.readers.call import Call
from tsuzuki.keras.weight_rules import has_equal

KINDS = ("kernel", "recurrent", "bias", "activity")
OPTIONS = [f"{kind}_regularizer" for kind in KINDS] + [f"{kind}_constraint" for kind in KINDS]


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
        if option.startswith("activity") and found:
            call.refuse(f"has an {option}, which is not supported; use a kernel_regularizer, or dropout=")
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
