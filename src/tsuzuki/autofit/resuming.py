"""A `fit` that the engine began and Keras ends, from the batch on that is not the engine's."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from tsuzuki.keras.batches import comes_in_batches
from tsuzuki.keras.unfinished_epoch import RestOfCallbacks, Unfinished


def resume(fit: Callable[..., Any], model: Any, given: dict[str, Any], left: Unfinished) -> Any:
    """Let Keras end the epoch that is running, and train the others.

    Args:
        fit: Keras's own `fit`.
        model: which has what it had before the first batch that is left.
        given: all arguments of the call by their names; x as it is to be read by the next epoch.
        left: the rest of the epoch.

    Returns:
        What Keras's `fit` returns.
    """
    epochs = given.get("epochs", 1)
    callbacks = RestOfCallbacks(left, model, epochs)
    if left.x is None:
        return fit(model, **{**given, "initial_epoch": left.epoch, "callbacks": callbacks})
    now = {"epochs": left.epoch + 1, "initial_epoch": left.epoch, "callbacks": callbacks}
    now |= {"x": left.x, "y": left.y, "sample_weight": left.weights, "batch_size": left.rows}
    now |= {"shuffle": False, "class_weight": None, "steps_per_epoch": None, "validation_split": 0.0}
    split = given.get("validation_split") or 0.0
    if split and given.get("validation_data") is None and not comes_in_batches(given["x"]):
        parts = [given.get(name) for name in ("x", "y", "sample_weight")]
        now["validation_data"] = tuple(_held_out(part, split) for part in parts if part is not None)
    found = fit(model, **{**given, **now})
    if callbacks.ends():
        return found
    return fit(model, **{**given, "initial_epoch": left.epoch + 1, "callbacks": callbacks})


def _held_out(given: Any, split: float) -> Any:
    """The last samples of arrays in a list, tuple or dict, as Keras holds them out."""

    def last(array: Any) -> Any:
        return array[int(np.floor(len(array) * (1.0 - split))) :]

    # A list of numbers is an array.
    nested = isinstance(given, dict) or (isinstance(given, list | tuple) and hasattr(given[0], "shape"))
    return keras.tree.map_structure(lambda one: last(np.asarray(one)), given) if nested else last(np.asarray(given))
