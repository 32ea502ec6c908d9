"""A Network and its weights as a Keras model, the way back from `from_keras`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras

from tsuzuki.errors import SettingError
from tsuzuki.keras.gelu import gelu_tanh
from tsuzuki.keras.model_variables import state_variables
from tsuzuki.network.activation_layers import PReLU
from tsuzuki.network.layers import GRU, LSTM, Layer, Recurrent, SimpleRNN
from tsuzuki.network.network import Network, check_weights
from tsuzuki.network.shaping import FinalState, LastSteps, Permute, RepeatVector, Reverse
from tsuzuki.network.time_distributed import TimeDistributed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def to_keras(
    network: Network,
    weights: "Sequence[NDArray[np.float32]]",
    *,
    timesteps: int | None = None,
    batch_size: int | None = None,
    stateful: bool = False,
    every_step: bool = False,
    states: "Sequence[NDArray[np.float32]] | None" = None,
) -> Any:
    """Make a Keras model that forecasts what a network does; it is not compiled.

    Args:
        network: the description.
        weights: arrays as `network.parameters` lists them.
        timesteps: steps of a sample; None: any.
        batch_size: rows of a batch; None: any.
        stateful: whether the recurrent layers carry their state; needs `batch_size`.
        every_step: whether the last recurrent layer returns every step, where its description leaves that open.
        states: of the stateful layers, as `tsuzuki.keras.carried_states` gives them: [batch_size, units] each. The
            model goes on from them; from zero if None.

    Returns:
        The model, ready for `model.predict` and `model.save("name.keras")`: a `keras.Sequential`, or a functional model
        of a network that branches, which takes and gives lists where there are several inputs or outputs.

    Raises:
        SettingError: weights or states that do not fit, a stateful model without a batch size, or a mask that is
            reversed.
    """
    check_weights(network, weights)
    if stateful and batch_size is None:
        raise SettingError("stateful=True without batch_size; give the rows of a batch, for which Keras keeps states")
    layers: list[Any] = []
    finals, seen = set[int](), network.all_seen(every_step)
    for layer, read in zip(network.layers, network.sources, strict=True):
        finals |= {*read} if isinstance(layer, FinalState) else set()
    for i, layer in enumerate(network.layers):
        if isinstance(layer, Reverse) and network.masked[i]:
            raise SettingError(
                f"layer {i + 1} ({layer}) reverses a mask, which no layer of Keras does by itself; leave out the mask"
            )
        if layer.table_rows() and network.sources[i][0] >= 0:
            raise SettingError(f"layer {i + 1} ({layer}) looks up what another layer gives; let it read an input")
        given, first = getattr(layer, "return_sequences", None), network.owner(i)
        if first != i and stateful and layer.states:
            raise SettingError(
                f"layer {i + 1} ({layer}) has the weights of layer {first + 1} and a state of its own, which no layer "
                "of Keras does; leave out stateful"
            )
        returns = any(seen[j] for j in range(len(seen)) if network.owner(j) == i) if given is None else given
        layers.append(_layer(layer, stateful, returns) if first == i else layers[first])
        if i in finals:
            layers[-1].return_state = True
    # Layers that look numbers up take inputs without an axis of values.
    looked_up = {network.sources[i][0] for i, layer in enumerate(network.layers) if layer.table_rows()}
    inputs = [
        keras.Input(batch_shape=(batch_size, timesteps) if -1 - i in looked_up else (batch_size, timesteps, size))
        for i, size in enumerate(network.input_sizes or (network.inputs,))
    ]
    if network.wiring or network.looks_ahead or any(isinstance(layer, LastSteps) for layer in network.layers):
        model = keras.Model(inputs, _wired(network, layers, inputs, seen))
    else:
        model = keras.Sequential([*inputs, *layers])
    at = 0
    for layer in {id(layer): layer for layer in layers if isinstance(layer, keras.Layer)}.values():
        layer.set_weights(weights[at : at + len(layer.weights)])
        at += len(layer.weights)
    if states is not None:
        _carry(model, states)
    return model


def _carry(model: Any, states: "Sequence[NDArray[np.float32]]") -> None:
    """Put the states of stateful layers into a model."""
    variables = [one for one in state_variables(model) if one is not None]
    wanted, given = [tuple(one.shape) for one in variables], [tuple(state.shape) for state in states]
    if wanted != given:
        raise SettingError(
            f"states have the shapes {given}, but those of the model's stateful layers are {wanted}; give "
            "stateful=True and the batch_size that they come from, or leave states out"
        )
    for variable, state in zip(variables, states, strict=True):
        variable.assign(state)


def _wired(network: Network, layers: list[Any], inputs: list[Any], seen: Sequence[bool]) -> list[Any]:
    """The outputs of a network's layers, each called on what it reads; of cells all steps where they are seen."""
    outputs: list[Any] = []
    states: dict[int, list[Any]] = {}
    for layer, described, read in zip(layers, network.layers, network.sources, strict=True):
        tensors = [outputs[source] if source >= 0 else inputs[-1 - source] for source in read]
        if not isinstance(described, Recurrent | Reverse):
            least = min(len(tensor.shape) for tensor in tensors)
            # Beside a layer that gives the last step alone, the others give theirs.
            tensors = [tensor if len(tensor.shape) == least else tensor[:, -1] for tensor in tensors]
        if isinstance(described, LastSteps):
            outputs.append(tensors[0][:, -described.n :] if len(tensors[0].shape) == 3 else tensors[0])
        elif isinstance(described, Reverse):
            # A single step, of which the axis is gone, is its own reverse.
            outputs.append(keras.ops.flip(tensors[0], axis=1) if len(tensors[0].shape) == 3 else tensors[0])
        elif isinstance(described, FinalState):
            outputs.append(states[read[0]][described.number])
        elif isinstance(described, Recurrent):
            first, *begin = tensors
            first = first if len(first.shape) == 3 else first[:, None]
            begin = [_without_steps(tensor) for tensor in begin]
            given = layer(first, initial_state=begin) if begin else layer(first)
            given, *states[len(outputs)] = given if layer.return_state else [given]
            # A cell with the same weights may be read at each step.
            outputs.append(given if seen[len(outputs)] or described.return_sequences else _without_steps(given))
        elif isinstance(described, RepeatVector):
            outputs.append(layer(_without_steps(tensors[0])))
        else:
            outputs.append(layer(tensors if described.merges else tensors[0]))
    least = min(len(outputs[end].shape) for end in network.last)
    return [outputs[end] if len(outputs[end].shape) == least else outputs[end][:, -1] for end in network.last]


def _without_steps(tensor: Any) -> Any:
    """The last step of a tensor, if it has steps."""
    return tensor[:, -1] if len(tensor.shape) == 3 else tensor


# What Keras's layers of the same name know nothing of.
OURS = {"timesteps", "by_occurrence"}


def _layer(layer: Layer, stateful: bool, returns: bool) -> Any:
    if isinstance(layer, SimpleRNN | GRU | LSTM):
        return _recurrent(layer, stateful, returns)
    if isinstance(layer, Reverse | FinalState | LastSteps):
        # No layers of Keras: a call of an operation, and what a layer with return_state gives.
        return None
    if isinstance(layer, TimeDistributed):
        inside = _layer(layer.layer, False, getattr(layer.layer, "return_sequences", None) is not False)
        if inside is None:
            raise SettingError(f"{layer} is no layer of Keras; leave it out")
        return keras.layers.TimeDistributed(inside)
    if isinstance(layer, Permute):
        return keras.layers.Permute((2, 1))
    if isinstance(layer, PReLU):
        return keras.layers.PReLU(shared_axes=[1] if layer.steps_apart == 1 else None)
    # The attributes of all others are Keras's arguments, but for the steps that some are made for.
    options = {name: value for name, value in vars(layer).items() if name not in OURS}
    if "activation" in options:
        options["activation"] = _activation(options["activation"])
    return getattr(keras.layers, type(layer).__name__)(**options)


def _activation(name: str) -> Any:
    """Keras's name for an activation, or the function where it has none."""
    return gelu_tanh if name == "gelu_tanh" else name


def _recurrent(layer: SimpleRNN | GRU | LSTM, stateful: bool, returns: bool) -> Any:
    options: dict[str, Any] = {
        "activation": _activation(layer.activation),
        "use_bias": layer.use_bias,
        "dropout": layer.dropout,
        "recurrent_dropout": layer.recurrent_dropout,
        "return_sequences": returns,
        "zero_output_for_mask": layer.zero_output_for_mask,
        "stateful": stateful and layer.stateful,
    }
    if not isinstance(layer, SimpleRNN):
        options["recurrent_activation"] = _activation(layer.recurrent_activation)
    if isinstance(layer, GRU):
        options["reset_after"] = layer.reset_after
    if isinstance(layer, LSTM):
        options["unit_forget_bias"] = layer.unit_forget_bias
    return getattr(keras.layers, type(layer).__name__)(layer.units, **options)
