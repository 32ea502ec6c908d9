"""How each Keras layer is read: one function for each class, in modules by what the layers do.

A reader takes a `Call`: the Keras layer, where it is called, and what it reads. It gives back what stands in the
layer's place: one layer of a Network, several in a chain ([] for none at all), the number of a layer that it added
itself, or a tuple of such numbers where the Keras layer gives several outputs. Whatever has no equal is said with
`call.refuse`, and reading goes on, so that all of it is named at once.
"""

from typing import Any

import keras

from tsuzuki.keras.readers import activations, merges, recurrent, shaping, stepwise, wrappers
from tsuzuki.keras.readers.call import Reader

L = keras.layers
READERS: dict[type, Reader] = recurrent.READERS | stepwise.READERS | shaping.READERS | merges.READERS | wrappers.READERS
# Layers that read a number for each step: an input of shape (timesteps,) is theirs alone.
READ_NUMBERS: set[type] = {L.Embedding}
# Layers whose variables become part of the network's description, and are none of its weights.
DESCRIBED: set[type] = {L.Normalization}
# Operations of keras.ops by name, as `a + b` makes them, and the layer that does the same.
OPERATIONS = activations.OPERATIONS | merges.OPERATIONS | recurrent.OPERATIONS | shaping.OPERATIONS
# What to use in place of a layer that has no equal.
BEFOREHAND = "the same layer on the data beforehand, as dataset.map(lambda x, y: (layer(x), y)), and the rest here"
NEAREST = {
    **dict.fromkeys(("TextVectorization", "StringLookup", "IntegerLookup", "Discretization"), BEFOREHAND),
    "Lambda": "the computation done on the arrays beforehand, or operations that are read (a + b, 2.0 * x, x[:, -1])",
}

# Layers that read (samples, parts, steps, values) as they are; others take each part by itself in a TimeDistributed.
READ_PARTS: set[type] = {
    *(set(stepwise.READERS) - {L.Masking, L.Embedding, L.SpatialDropout1D, L.PReLU, L.ActivityRegularization}),
    *merges.MERGES,
    *wrappers.READERS,
    L.Concatenate,
    L.Flatten,
    L.Reshape,
}


def reader_of(operation: Any) -> Reader | None:
    """What reads a layer or an operation of keras.ops, None where nothing does."""
    found = READERS.get(type(operation))
    if found is None and type(operation).__module__ in ("keras.src.ops.numpy", "keras.src.ops.nn"):
        found = OPERATIONS.get(type(operation).__name__)
    return found


def reads_parts(operation: Any) -> bool:
    """Whether an operation reads (samples, parts, steps, values) as it is."""
    return type(operation) in READ_PARTS or type(operation).__name__ in ("Add", "Divide", "Multiply", "Subtract")


def supported() -> str:
    """All layers that are read, by name."""
    return ", ".join(["Input", *dict.fromkeys(kind.__name__ for kind in READERS)])
