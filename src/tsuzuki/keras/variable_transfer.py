"""Weights, optimiser slots, iterations and states, carried between a Keras model and the compiled engine."""

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from tsuzuki.engine.compiled_network import CompiledNetwork
from tsuzuki.keras.model_graph import layers_of, weights_of
from tsuzuki.network.optimizers import Nadam, momentum_shares

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


def _slots_of_weights(model: Any) -> dict[int, list[Any]]:
    """`slots_of` for all weights of a model, None where one is not trained."""
    trained = {id(variable): i for i, variable in enumerate(model.optimizer._trainable_variables)}
    places = [trained.get(id(variable)) for variable in weights_of(model)]
    return {
        number: [None if place is None else variables[place] for place in places]
        for number, variables in slots_of(model.optimizer).items()
    }


def read(model: Any, compiled: CompiledNetwork) -> None:
    """Take weights, slots and the iteration count out of the model into the engine."""
    optimizer = model.optimizer
    weights = [_values(variable) for variable in weights_of(model)]
    compiled.set_weights(weights)
    for number, variables in _slots_of_weights(model).items():
        kept = [np.zeros_like(w) if v is None else _values(v) for w, v in zip(weights, variables, strict=True)]
        compiled.set_slot(number, kept)
    compiled.updates_done = int(_values(optimizer.iterations))


def write(model: Any, compiled: CompiledNetwork) -> None:
    """Put the engine's weights, slots, iteration count and carried states into the model."""
    optimizer = model.optimizer
    pairs = list(zip(weights_of(model), compiled.weights(), strict=True))
    for number, variables in _slots_of_weights(model).items():
        pairs += zip(variables, compiled.slot(number), strict=True)
    for variable, value in pairs:
        if variable is not None:
            variable.assign(value)
    optimizer.iterations.assign(compiled.updates_done)
    if isinstance(compiled.optimizer, Nadam):
        optimizer._u_product.assign(np.prod(momentum_shares(compiled.optimizer, compiled.updates_done)))
    write_states(model, compiled)


def read_states(model: Any, compiled: CompiledNetwork) -> None:
    """Let the engine's lanes carry the states that a model's stateful layers have."""
    carried = compiled.carried_states()
    variables = iter(state_variables(model))
    compiled.set_carried_states(
        [[state if (one := next(variables)) is None else _values(one) for state in states] for states in carried]
    )


def write_states(model: Any, compiled: CompiledNetwork) -> None:
    """Put the states that the engine's lanes carry into the model."""
    carried = [state for states in compiled.carried_states() for state in states]
    for variable, state in zip(state_variables(model), carried, strict=True):
        if variable is not None:
            # Short data use fewer lanes than the model has rows; the others have no state.
            rows = np.zeros(tuple(variable.shape), np.float32)
            rows[: len(state)] = state
            variable.assign(rows)


def states_of(model: Any) -> list[NDArray[np.float32]]:
    """The states of a model's stateful layers, an LSTM's state before its cell."""
    return [_values(variable) for variable in state_variables(model) if variable is not None]


def state_variables(model: Any) -> list[Any]:
    """A variable for each state of the engine's recurrent layers, None where Keras keeps none: stateless, not built."""
    found = []
    for layer in layers_of(model):
        both = type(layer) is keras.layers.Bidirectional
        for one in (layer.forward_layer, layer.backward_layer) if both else (layer,):
            if isinstance(one, keras.layers.RNN):
                kept = one.stateful and one.states is not None
                found += keras.tree.flatten(one.states if kept else [None for _ in keras.tree.flatten(one.state_size)])
    return found


def _values(variable: Any) -> NDArray[Any]:
    return np.asarray(keras.ops.convert_to_numpy(variable))
