"""Weights, optimiser slots, iterations and states, carried between a Keras model and the compiled engine."""

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from tsuzuki.engine.compiled_network import CompiledNetwork
from tsuzuki.engine.optimizing import momentum_shares
from tsuzuki.keras.model_graph import layers_of
from tsuzuki.network.optimizers import Nadam

# Keras's lists of slots for each optimiser, in the order in which the kernels keep theirs; an absent one is empty.
SLOTS = {
    "SGD": ("momentums",),
    "RMSprop": ("_velocities", "_momentums", "_average_gradients"),
    "Adam": ("_momentums", "_velocities", "_velocity_hats"),
    "AdamW": ("_momentums", "_velocities", "_velocity_hats"),
    "Adagrad": ("_accumulators",),
    "Adadelta": ("_accumulated_grads", "_accumulated_delta_vars"),
    "Adamax": ("_m", "_u"),
    "Nadam": ("_momentums", "_velocities"),
    "Lion": ("_momentums",),
    "Ftrl": ("_accumulators", "_linears"),
}
# The slot of the weights' moving average.
AVERAGES = 3


def slots_of(optimizer: Any) -> dict[int, list[Any]]:
    """The optimiser's variables by the numbers of their slots, each in the order of the weights."""
    found = {number: list(getattr(optimizer, name, [])) for number, name in enumerate(SLOTS[type(optimizer).__name__])}
    if optimizer.use_ema:
        found[AVERAGES] = list(optimizer._model_variables_moving_average)
    return {number: variables for number, variables in found.items() if variables}


def read(model: Any, compiled: CompiledNetwork) -> None:
    """Take weights, slots and the iteration count out of the model into the engine."""
    optimizer = model.optimizer
    compiled.set_weights([_values(variable) for variable in model.trainable_variables])
    for number, variables in slots_of(optimizer).items():
        compiled.set_slot(number, [_values(variable) for variable in variables])
    compiled.updates_done = int(_values(optimizer.iterations))


def write(model: Any, compiled: CompiledNetwork) -> None:
    """Put the engine's weights, slots, iteration count and carried states into the model."""
    optimizer = model.optimizer
    pairs = list(zip(model.trainable_variables, compiled.weights(), strict=True))
    for number, variables in slots_of(optimizer).items():
        pairs += zip(variables, compiled.slot(number), strict=True)
    for variable, value in pairs:
        variable.assign(value)
    optimizer.iterations.assign(compiled.updates_done)
    if isinstance(compiled.optimizer, Nadam):
        optimizer._u_product.assign(np.prod(momentum_shares(compiled.optimizer, compiled.updates_done)))
    write_states(model, compiled)


def read_states(model: Any, compiled: CompiledNetwork) -> None:
    """Let the engine's lanes carry the states that a stateful model has."""
    compiled.set_carried_states(states_of(model))


def write_states(model: Any, compiled: CompiledNetwork) -> None:
    """Put the states that the engine's lanes carry into the model."""
    # A stateless layer keeps no state to write to, though the engine has one for each.
    for layer, states in zip(stateful_layers(model), compiled.carried_states(), strict=False):
        for variable, state in zip(layer.states, states, strict=True):
            # Short data use fewer lanes than the model has rows; the others have no state.
            rows = np.zeros(tuple(variable.shape), np.float32)
            rows[: len(state)] = state
            variable.assign(rows)


def states_of(model: Any) -> list[list[NDArray[np.float32]]]:
    """The states of a model's stateful layers: for each [state], an LSTM's [state, cell]; [] of a layer not built."""
    return [[_values(variable) for variable in layer.states or ()] for layer in stateful_layers(model)]


def stateful_layers(model: Any) -> list[Any]:
    """The recurrent layers that carry their state, from input to output."""
    return [layer for layer in layers_of(model) if getattr(layer, "stateful", False)]


def _values(variable: Any) -> NDArray[Any]:
    return np.asarray(keras.ops.convert_to_numpy(variable))
