"""What a model's inputs are: values of each step, numbers of each step, or values without steps beside a series."""

from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import keras

from tsuzuki.keras.model_graph import graph_of
from tsuzuki.keras.readers import READ_NUMBERS
from tsuzuki.keras.readers.shaping import adds_axis

# The steps of the arrays that models with several inputs were last given.
_given: WeakKeyDictionary[Any, tuple[int, ...]] = WeakKeyDictionary()


def readers_of(model: Any, i: int) -> list[Any]:
    """The operations that read input i of a model, those of a model inside in its place; [] where it is not built."""
    graph = graph_of(model)
    if not hasattr(graph, "operations"):
        return [model.layers[0]] if model.layers else []
    nodes = [node for operation in graph.operations for node in operation._inbound_nodes]
    reading = [
        (node.operation, k)
        for node in nodes
        for k, tensor in enumerate(node.input_tensors)
        if tensor is graph.inputs[i]
    ]
    inside = [readers_of(one, k) if isinstance(one, keras.Model) else [one] for one, k in reading]
    return [one for part in inside for one in part]


def is_read_as_numbers(model: Any, i: int) -> bool:
    """Whether input i is read by layers that take a number for each step."""
    # Their masks are computed from the numbers too, by operations that no model of the user's has.
    layers = [reader for reader in readers_of(model, i) if isinstance(reader, keras.layers.Layer)]
    return bool(layers) and all(type(reader) in READ_NUMBERS or adds_axis(reader) for reader in layers)


def without_steps(model: Any) -> tuple[bool, ...]:
    """For each input of a built model whether it has no steps: (samples, values), or one number beside a series."""
    inputs: Sequence[Any] = getattr(graph_of(model), "inputs", None) or ()
    series = [
        len(one.shape) in (3, 4) or (len(one.shape) == 2 and is_read_as_numbers(model, i))
        for i, one in enumerate(inputs)
    ]
    longest = {one.shape[1] for one, steps in zip(inputs, series, strict=True) if steps} - {1}
    return tuple(
        not steps or (len(one.shape) == 2 and one.shape[1] == 1 and bool(longest))
        for one, steps in zip(inputs, series, strict=True)
    )


def lengths_of(model: Any) -> tuple[int | None, ...]:
    """The steps of each input of a built model, 1 where it has none; None where they are not known.

    Where the model leaves them open, they are those of the arrays that it was last given.
    """
    inputs: Sequence[Any] = getattr(graph_of(model), "inputs", None) or ()
    given = _given.get(model, (None,) * len(inputs))
    constant = without_steps(model)
    pairs = zip(inputs, constant, given, strict=True)
    return tuple(1 if without else one.shape[1] or length for one, without, length in pairs)


def note_lengths(model: Any, lengths: Sequence[int]) -> None:
    """Note the steps of the arrays that a model with several inputs is given."""
    _given[model] = tuple(lengths)


def given_lengths(model: Any) -> tuple[int, ...]:
    """The steps that were noted last, () where none were."""
    try:
        return _given.get(model, ())
    except TypeError:
        # A number, say: what cannot be referred to weakly is no model, which is said where it is read.
        return ()


def fixed_steps(model: Any) -> int | None:
    """The steps of the longest input, None where the model leaves some open."""
    inputs = getattr(graph_of(model), "inputs", None) or ()
    steps = [1 if without else one.shape[1] for one, without in zip(inputs, without_steps(model), strict=True)]
    return None if None in steps else max(steps, default=None)
