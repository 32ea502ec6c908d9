"""Layers that merge several inputs."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from tsuzuki.keras.readers.call import Call, Found, Reader
from tsuzuki.network.layers import (
    Add,
    Average,
    Concatenate,
    Layer,
    Maximum,
    Minimum,
    Multiply,
    Recurrent,
    Subtract,
)
from tsuzuki.network.normalisation import BatchNormalization, Rescaling, UnitNormalization
from tsuzuki.network.shaping import LastSteps, Reshape
from tsuzuki.network.windows import GlobalAveragePooling1D

MERGES: dict[type, Callable[[], Layer]] = {
    keras.layers.Add: Add,
    keras.layers.Average: Average,
    keras.layers.Maximum: Maximum,
    keras.layers.Minimum: Minimum,
    keras.layers.Multiply: Multiply,
    keras.layers.Subtract: Subtract,
}


def merge(call: Call) -> Found:
    """Read a merge of inputs of one shape, value by value."""
    return _alike(call, MERGES[type(call.layer)])


def concatenate(call: Call) -> Found:
    """Read a Concatenate along the last axis."""
    rank = len(call.shapes[0] or (0, 0, 0))
    if call.layer.axis not in (-1, rank - 1):
        call.refuse(f"has axis={call.layer.axis}; use the last axis, -1")
    return Concatenate()


def concatenate_operation(call: Call) -> Found:
    """Read `keras.ops.concatenate`."""
    call.refuse_masks("use keras.layers.Concatenate")
    return concatenate(call)


def dot(call: Call) -> Found:
    """Read a Dot of two layers without steps: their products are summed, as the mean of so many times their number."""
    shapes, axes = call.shapes, call.layer.axes
    vectors = len(shapes) == 2 and all(shape is not None and len(shape) == 2 for shape in shapes)
    sizes = {shape[-1] for shape in shapes if shape is not None}
    along = {*axes} if isinstance(axes, tuple | list) else {axes}
    if not vectors or len(sizes) > 1 or along - {1, -1}:
        call.refuse("multiplies along steps; give it two layers of as many values without steps, and axes=-1")
        return None
    both, values = call.sources, int(sizes.pop() or 1)
    if call.layer.normalize:
        both = tuple(call.add(UnitNormalization(), one) for one in both)
    products = call.add(Reshape((values, 1), 1), call.add(Multiply(), *both))
    return call.add(Rescaling(float(values)), call.add(GlobalAveragePooling1D(), products))


def operation(call: Call) -> Found:
    """Read `a + b` and the like, which compute what the merges do."""
    name = type(call.layer).__name__
    if len(call.sources) < 2:
        return _with_constant(call, name)
    call.refuse_masks(f"use keras.layers.{name}")
    return _alike(call, next(kind for layer, kind in MERGES.items() if layer.__name__ == name))


def last_step(call: Call) -> Found:
    """Read `x[:, -1]`: nothing but the last step is scored behind it anyhow; and `x[:, -n:]`, the last n steps."""
    shape, key = call.shapes[0], call.options.get("key", (*call.arguments, None)[1])
    whole = slice(None)
    if shape is not None and len(shape) == 3 and (steps := _last_steps(key)):
        call.refuse_masks("use return_sequences=False")
        return LastSteps(steps)
    if shape is None or len(shape) != 3 or key not in ((whole, -1), (whole, -1, whole), (whole, -1, Ellipsis)):
        call.refuse("takes a part that is not supported; use x[:, -1], x[:, -n:] or return_sequences=False")
        return None
    if _averages_steps(call):
        call.refuse("takes the last step behind a BatchNormalization, which looks at all steps; put it before that")
        return None
    return []


def _last_steps(key: Any) -> int:
    """n where a key is that of `x[:, -n:]`, else 0."""
    whole = slice(None)
    if not isinstance(key, tuple) or len(key) < 2 or key[0] != whole or key[2:] not in ((), (whole,), (Ellipsis,)):
        return 0
    part = key[1]
    if not isinstance(part, slice) or not isinstance(part.start, int) or (part.stop, part.step) != (None, None):
        return 0
    return max(0, -part.start)


def quotient(call: Call) -> Found:
    """Read `a / 2.0`."""
    if len(call.sources) < 2:
        return _with_constant(call, "Divide")
    call.refuse("divides by another layer, which is not supported; use keras.layers.Multiply")
    return None


def _with_constant(call: Call, name: str) -> Found:
    """Read `2.0 * a`, `a - 1.0` and the like, which compute a line of each value."""
    given = [*call.arguments, *call.options.values()]
    numbers = [float(one) for one in given if isinstance(one, int | float | np.number)]
    first = bool(given) and isinstance(given[0], int | float | np.number)
    lines: dict[str, Callable[[float], tuple[float, float]]] = {
        "Multiply": lambda c: (c, 0.0),
        "Add": lambda c: (1.0, c),
    }
    lines |= {"Subtract": lambda c: (-1.0, c) if first else (1.0, -c)}
    if not first:
        lines["Divide"] = lambda c: (1 / c, 0.0)
    if len(numbers) != 1 or name not in lines or (name == "Divide" and not numbers[0]):
        call.refuse("computes with a constant that is not one number; do it on the arrays beforehand")
        return None
    call.refuse_masks("use keras.layers.Rescaling")
    return Rescaling(*lines[name](numbers[0]))


def _averages_steps(call: Call) -> bool:
    """Whether a layer that takes the moments of all its steps stands between what is read and the last cell."""
    left, draft = [*call.sources], call.draft
    while left:
        one = left.pop()
        if one < 0 or isinstance(draft.layers[one], Recurrent) or draft.layers[one].whole_rows:
            continue
        if isinstance(draft.layers[one], BatchNormalization):
            return True
        left += draft.wiring[one]
    return False


def _alike(call: Call, kind: Callable[[], Layer]) -> Found:
    if len({shape[1:] for shape in call.shapes if shape is not None}) > 1:
        call.refuse(f"merges shapes {', '.join(map(str, call.shapes))}; give them the same shape")
        return None
    return kind()


READERS: dict[type, Reader] = dict.fromkeys(MERGES, merge) | {
    keras.layers.Concatenate: concatenate,
    keras.layers.Dot: dot,
}
OPERATIONS: dict[str, Reader] = {
    **dict.fromkeys(("Add", "Maximum", "Minimum", "Multiply", "Subtract"), operation),
    "Concatenate": concatenate_operation,
    **dict.fromkeys(("Divide", "TrueDivide"), quotient),
    "GetItem": last_step,
}
