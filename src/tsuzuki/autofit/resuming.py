"""A `fit` that the engine began and Keras ends, from the batch on that is not the engine's."""

from collections.abc import Callable
from typing import Any

from tsuzuki.keras.batches import comes_in_batches, single
from tsuzuki.keras.fit_arguments import split_off
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
    now = {"epochs": left.epoch + 1, "initial_epoch": left.epoch, "callbacks": callbacks}
    now |= {"x": left.x, "y": left.y, "sample_weight": left.weights, "batch_size": left.rows}
    now |= {"shuffle": False, "class_weight": None, "steps_per_epoch": None, "validation_split": 0.0}
    split = given.get("validation_split") or 0.0
    if split and not comes_in_batches(given["x"]):
        x, y, weights = (single(given.get(name), name) for name in ("x", "y", "sample_weight"))
        held_out = split_off(x, y, weights, split, given.get("validation_data"))[1]
        now["validation_data"] = tuple(part for part in held_out if part is not None)
    found = fit(model, **{**given, **now})
    if callbacks.ends():
        return found
    return fit(model, **{**given, "initial_epoch": left.epoch + 1, "callbacks": callbacks})
