"""Which of Keras's variables hold what the engine computes: the optimiser's slots, and stateful layers' states."""

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from tsuzuki.keras.model_graph import layers_of, weights_of
from tsuzuki.network.network import Network

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


def slots_of(model: Any) -> dict[int, list[Any]]:
    """The optimiser's variables by the numbers of their slots, one for each weight; None where one is not trained."""
    optimizer = model.optimizer
    found = {number: list(getattr(optimizer, name, [])) for number, name in enumerate(SLOTS[type(optimizer).__name__])}
    if optimizer.use_ema:
        found[AVERAGES] = list(optimizer._model_variables_moving_average)
    trained = {id(variable): i for i, variable in enumerate(optimizer._trainable_variables)}
    places = [trained.get(id(variable)) for variable in weights_of(model)]
    return {
        number: [None if place is None else variables[place] for place in places]
        for number, variables in found.items()
        if variables
    }


def carried_states(model: Any) -> list[NDArray[np.float32]]:
    """Read the states that a Keras model carries, for `to_keras(…, states=…)` or to be looked at.

    Args:
        model: a built model of Keras 3.

    Returns:
        [rows of a batch, units] for each state of its stateful layers in their order, an LSTM's state before its cell;
        none of a stateless model.
    """
    return [np.array(_values(variable)) for variable in state_variables(model) if variable is not None]


def state_variables(model: Any, network: Network | None = None) -> list[Any]:
    """A variable for each state of the engine's recurrent layers, None where Keras keeps none: stateless, not built.

    A layer that is called at several places has states at each in the network, where that is given.
    """
    found: list[Any] = []
    for layer in layers_of(model):
        both = type(layer) is keras.layers.Bidirectional
        for one in (layer.forward_layer, layer.backward_layer) if both else (layer,):
            if isinstance(one, keras.layers.RNN):
                kept = one.stateful and one.states is not None
                found += keras.tree.flatten(one.states if kept else [None for _ in keras.tree.flatten(one.state_size)])
    if network is None or not network.shared:
        return found
    each, owned = [], iter(found)
    for i, layer in enumerate(network.layers):
        each += [next(owned) if network.owner(i) == i else None for _ in range(layer.states)]
    return each


def _values(variable: Any) -> NDArray[Any]:
    return np.asarray(keras.ops.convert_to_numpy(variable))
