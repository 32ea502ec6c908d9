"""The arrays of a model with several inputs, side by side as the features of one."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsuzuki.errors import SettingError
from tsuzuki.keras.arrays import as_array
from tsuzuki.keras.batches import comes_in_batches, single
from tsuzuki.keras.input_kinds import lengths_of, note_lengths, without_steps


def side_by_side(model: Any, given: Any, name: str) -> Any:
    """x as one array [samples, timesteps, features of all inputs]; whatever a model with one input takes as it is.

    Args:
        model: a Keras model.
        given: what is given as x: a list in the order of the inputs, or a dict by their names.
        name: of x in messages.

    Raises:
        SettingError: arrays that are missing, or that do not stand beside each other.
    """
    inputs = getattr(model, "inputs", None) or ()
    if given is None or comes_in_batches(given):
        return given
    constant = without_steps(model) if any(len(one.shape) == 2 for one in inputs) else (False,) * len(inputs)
    if len(inputs) < 2:
        given = single(given, name)
        for one in inputs:
            if len(one.shape) == 4 and np.ndim(given) == 4:
                return _joined_parts(as_array(given, name), one.shape, name)
        return as_array(given, name)[:, None] if constant == (True,) and np.ndim(given) == 2 else given
    if isinstance(given, np.ndarray) and given.ndim == 3:
        # They stand side by side already.
        return given
    names = input_names(model)
    if isinstance(given, Mapping):
        missing = [one for one in names if one not in given]
        if missing:
            raise SettingError(f"{name} has no {', '.join(missing)}; the model's inputs are {', '.join(names)}")
        given = [given[one] for one in names]
    if not isinstance(given, Sequence) or isinstance(given, str) or len(given) != len(names):
        raise SettingError(f"{name} is not one array for each of the model's inputs ({', '.join(names)}); give a list")
    arrays = [as_array(array, f"{name} {one}") for array, one in zip(given, names, strict=True)]
    arrays = [
        array.reshape(len(array), 1, -1) if without else array[..., None] if array.ndim == 2 else array
        for array, without in zip(arrays, constant, strict=True)
    ]
    arrays = [
        _joined_parts(array, one.shape, f"{name} {key}") if array.ndim == 4 and len(one.shape) == 4 else array
        for array, one, key in zip(arrays, inputs, names, strict=True)
    ]
    for array, one in zip(arrays, names, strict=True):
        if array.ndim != 3 or len(array) != len(arrays[0]):
            raise SettingError(
                f"{name} {one} has shape {array.shape}, {names[0]} {arrays[0].shape}; give as many samples of each "
                "input, (samples, timesteps, features)"
            )
    note_lengths(model, [array.shape[1] for array in arrays])
    longest = max(array.shape[1] for array in arrays)
    # A shorter one ends with the others, and what stands before it is not read.
    arrays = [
        array if array.shape[1] == longest else np.pad(array, ((0, 0), (longest - array.shape[1], 0), (0, 0)))
        for array in arrays
    ]
    return np.concatenate(arrays, axis=2, dtype=np.float32)


def _joined_parts(array: NDArray[Any], wanted: tuple[int | None, ...], name: str) -> NDArray[Any]:
    """(samples, parts, steps, values) with the values of all steps of a part side by side."""
    if array.shape[2:] != wanted[2:]:
        raise SettingError(f"{name} has shape {array.shape}; the model takes {('samples', *wanted[1:])}")
    return array.reshape(*array.shape[:2], -1)


def ranks_of(model: Any, given: Any) -> tuple[int, ...]:
    """How many axes each array of x has, in the order of the inputs."""
    if isinstance(given, Mapping):
        given = [given.get(name) for name in input_names(model)] if len(given) > 1 else [*given.values()]
    several = isinstance(given, list | tuple) and len(given) and rank_of(given[0]) > 1
    return tuple(map(rank_of, given)) if several else (rank_of(given),)


def rank_of(given: Any) -> int:
    """How many axes an array has; 0 of what is none, which is not read to find out."""
    shape = getattr(given, "shape", None)
    return np.ndim(given) if isinstance(given, list) else 0 if shape is None else len(shape)


def taken_apart_inputs(model: Any, x: NDArray[Any], sizes: Sequence[int], ranks: Sequence[int]) -> Any:
    """The arrays of a model's inputs as they were before `side_by_side`: alone, a list, or a dict if made with one.

    Args:
        model: a built Keras model.
        x: [samples, timesteps, features of all inputs].
        sizes: features of each input.
        ranks: axes that each had.
    """
    found, first = [], 0
    pairs = zip(without_steps(model), lengths_of(model), sizes, ranks, model.inputs, strict=True)
    for without, length, size, rank, one in pairs:
        part = x[:, x.shape[1] - (length or x.shape[1]) :, first : first + size]
        if len(one.shape) == 4:
            part = part.reshape(*part.shape[:2], *one.shape[2:])
        found.append(part[:, 0] if without else of_rank(part, rank))
        first += size
    made_with = getattr(model, "_inputs_struct", None)
    if isinstance(made_with, Mapping):
        return dict(zip(input_names(model), found, strict=True))
    return found if len(found) > 1 else found[0]


def of_rank(array: NDArray[Any], rank: int) -> NDArray[Any]:
    """An array without its last axis where it was given without."""
    return array[..., 0] if array.ndim > rank else array


def input_names(model: Any) -> list[str]:
    """The names of a model's inputs, in their order: the keys of a dict that it was made with, or the tensors'."""
    structure = getattr(model, "_inputs_struct", None)
    if isinstance(structure, Mapping):
        by_tensor = {id(tensor): name for name, tensor in structure.items()}
        return [by_tensor[id(tensor)] for tensor in model.inputs]
    return [tensor.name for tensor in model.inputs]
