"""The outputs of a model: in which structure it gives them, and by which names they go."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from tsuzuki.errors import UnsupportedModel
from tsuzuki.keras.model_graph import graph_of


def structure_of(model: Any) -> Any:
    """A model's outputs as it gives them: a tensor, or a list, tuple or dict of some; None where it is not built."""
    try:
        return getattr(graph_of(model), "_outputs_struct", None)
    except UnsupportedModel:
        return None


def tensors_of(model: Any) -> list[Any]:
    """A model's outputs one after another, [] where it is not built."""
    structure = structure_of(model)
    return [] if structure is None else keras.tree.flatten(structure)


def keys_of(model: Any) -> list[str]:
    """The names by which y may be given, in the order of the outputs: a dict's keys, or those of their layers."""
    structure = structure_of(model)
    if isinstance(structure, Mapping):
        # As Keras flattens it.
        return sorted(structure)
    names = getattr(model, "output_names", None) or []
    tensors = tensors_of(model)
    return list(names) if len(names) == len(tensors) else [f"output {i}" for i in range(len(tensors))]


def taken_apart(model: Any, forecasts: NDArray[np.float32], sizes: Sequence[int]) -> Any:
    """Forecasts [..., values of all outputs] in the structure that the model gives."""
    structure = structure_of(model)
    if not keras.tree.is_nested(structure):
        return forecasts
    parts = np.split(forecasts, np.cumsum(sizes)[:-1], axis=-1)
    if forecasts.ndim == 2:
        # Where others have no steps, those that have are of one step (see `shape_of`).
        tensors = keras.tree.flatten(structure)
        parts = [part[:, None] if len(tensor.shape) == 3 else part for part, tensor in zip(parts, tensors, strict=True)]
    return keras.tree.pack_sequence_as(structure, [np.ascontiguousarray(part) for part in parts])
