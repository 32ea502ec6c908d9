"""A Keras model's layers as a Network and a list of weights, or an error that names what has no equal here."""

from typing import TYPE_CHECKING, Any

import keras

from tsuzuki.errors import SettingError, UnsupportedModel
from tsuzuki.network.layers import (
    ACTIVATIONS,
    GRU,
    LSTM,
    Activation,
    Dense,
    Dropout,
    Layer,
    Masking,
    Recurrent,
    SimpleRNN,
)
from tsuzuki.network.network import Network, check_weights

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SUPPORTED = "Input, SimpleRNN, GRU, LSTM, Dense, Dropout, Activation, Masking and TimeDistributed(Dense)"
CELLS: dict[type, type[SimpleRNN] | type[GRU] | type[LSTM]] = {
    keras.layers.SimpleRNN: SimpleRNN,
    keras.layers.GRU: GRU,
    keras.layers.LSTM: LSTM,
}
# What to use in place of a layer that has no equal.
NEAREST = {
    "Bidirectional": "its forward layer alone: a state carried from past to future cannot run backwards",
    "RNN": "SimpleRNN, GRU or LSTM in place of cells of your own",
    "StackedRNNCells": "one recurrent layer after another",
    "ReLU": 'Activation("relu")',
    "SpatialDropout1D": "the recurrent layer's own dropout=, which also holds one mask over the steps",
    "Normalization": "series that are scaled beforehand (tsuzuki.Standardizer)",
    "BatchNormalization": "series that are scaled beforehand (tsuzuki.Standardizer)",
    "LayerNormalization": "series that are scaled beforehand (tsuzuki.Standardizer)",
    "Reshape": "arrays of the right shape",
    "Flatten": "return_sequences=False in the last recurrent layer",
    "RepeatVector": "Dense with an output for each step ahead",
    "Lambda": "the computation done on the arrays beforehand",
    "Sequential": "its layers in the outer model",
    "Functional": "its layers in the outer model",
}


def from_keras(model: Any) -> "tuple[Network, list[NDArray[np.float32]]]":
    """Read a built Keras model as a description and its weights; it need not be compiled.

    Args:
        model: a `keras.Sequential` or functional model with a single path of layers.

    Returns:
        The network and its weights in the order of `network.parameters`, which is Keras's; copies.

    Raises:
        UnsupportedModel: a layer or an option of it has no equal; the message names it and the nearest thing.
    """
    import numpy as np

    network = network_of(model)
    if not model.built:
        raise UnsupportedModel(
            "the model is not built, so it has no weights yet; begin it with keras.Input, or call it on a batch first"
        )
    weights = [np.array(array, np.float32) for array in model.get_weights()]
    check_weights(network, weights)
    return network, weights


def network_of(model: Any, inputs: int | None = None) -> Network:
    """Describe a model's layers.

    Args:
        model: as in `from_keras`, or not yet built.
        inputs: features of a step, needed where the model is not built.
    """
    layers = path_of(model)
    if inputs is None:
        shape = model.input_shape if model.built else None
        if shape is None or len(shape) != 3 or shape[-1] is None:
            raise UnsupportedModel(
                f"the model's input has shape {shape}; begin it with keras.Input((timesteps, features))"
            )
        inputs = int(shape[-1])
    described = [_describe(i, layer) for i, layer in enumerate(layers, start=1)]
    _check_states([layer for layer in layers if type(layer) in CELLS])
    try:
        network = Network(inputs, tuple(described))
    except SettingError as error:
        raise UnsupportedModel(str(error)) from error
    if network.masked[-1]:
        raise UnsupportedModel(
            "the model's output has the mask of its steps, which the loss does not count yet; set "
            "return_sequences=False in the last recurrent layer, or leave the Masking layer out"
        )
    return network


def path_of(model: Any) -> list[Any]:
    """The model's layers from input to output, without the input layer.

    Raises:
        UnsupportedModel: the model is no plain Sequential or functional model, or its layers form no single path.
    """
    if not isinstance(model, keras.Model):
        raise UnsupportedModel(
            f"the model is a {type(model).__module__}.{type(model).__name__}, not a Keras 3 model; "
            "build it with keras.Sequential (`import keras`, not tf_keras)"
        )
    if type(model) is keras.Sequential:
        return [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    # Only these have layers that can be walked; keras.Model(inputs, outputs) makes a Functional.
    if type(model).__name__ != "Functional" or not type(model).__module__.startswith("keras."):
        raise UnsupportedModel(
            f"the model is a {type(model).__name__}, a class of its own whose computation cannot be read; "
            "build it with keras.Sequential or keras.Model(inputs, outputs)"
        )
    for what, tensors in (("inputs", model.inputs), ("outputs", model.outputs)):
        if len(tensors) != 1:
            raise UnsupportedModel(
                f"the model has {len(tensors)} {what}, but one is supported; "
                "put several series side by side as features of one input, several targets as units of one Dense"
            )
    layers: list[Any] = []
    tensor = model.outputs[0]
    while True:
        layer, index, _ = tensor._keras_history
        if isinstance(layer, keras.layers.InputLayer):
            return layers[::-1]
        node = layer._inbound_nodes[index]
        # Keras notes training= by itself and replaces it when the model is called.
        called = [name for name, value in node.arguments.kwargs.items() if value is not None and name != "training"]
        if len(node.input_tensors) != 1 or layer in layers or called:
            raise UnsupportedModel(
                f"layer {layer.name!r} ({type(layer).__name__}) is called with "
                f"{', '.join(called) or 'several inputs, or several times'}; "
                "only a single path is supported, each layer called once on the layer before it"
            )
        layers.append(layer)
        tensor = node.input_tensors[0]


def stateful_batch(model: Any) -> int | None:
    """The batch size that a stateful model was built with, or None where its layers are not stateful."""
    for layer in path_of(model):
        if type(layer) in CELLS and layer.stateful:
            return int(layer.states[0].shape[0]) if layer.states else 0
    return None


def _describe(place: int, layer: Any) -> Layer:
    name = f"layer {place} ({layer.name!r}, {type(layer).__name__})"
    kind = type(layer)
    if kind is keras.layers.TimeDistributed:
        if type(layer.layer) is not keras.layers.Dense:
            raise UnsupportedModel(
                f"{name} holds a {type(layer.layer).__name__}; use TimeDistributed(Dense(…)), or Dense itself"
            )
        _check_layer(name, layer)
        layer, kind = layer.layer, type(layer.layer)
    if kind in CELLS:
        return _recurrent(name, layer)
    if kind is keras.layers.Dense:
        _check_layer(name, layer)
        if getattr(layer, "lora_enabled", False):
            raise UnsupportedModel(f"{name} has LoRA enabled, which is not supported; use a plain Dense")
        return Dense(layer.units, _activation(name, "activation", layer.activation), layer.use_bias)
    if kind is keras.layers.Activation:
        _check_layer(name, layer)
        return Activation(_activation(name, "activation", layer.activation))
    if kind is keras.layers.Masking:
        _check_layer(name, layer)
        return Masking(float(layer.mask_value))
    if kind is keras.layers.Dropout:
        _check_layer(name, layer)
        if layer.noise_shape is not None:
            raise UnsupportedModel(
                f"{name} has noise_shape={layer.noise_shape}; leave it out, or use the next recurrent layer's own "
                "dropout=, which holds one mask over the steps"
            )
        if not 0 <= layer.rate < 1:
            raise UnsupportedModel(f"{name} has rate {layer.rate}; give a share of at least 0 and below 1")
        return Dropout(float(layer.rate))
    nearest = NEAREST.get(kind.__name__, f"one of {SUPPORTED}")
    raise UnsupportedModel(f"{name} is not supported; use {nearest}")


def _recurrent(name: str, layer: Any) -> Recurrent:
    _check_layer(name, layer)
    if layer.go_backwards:
        raise UnsupportedModel(
            f"{name} has go_backwards=True, but a state carried from the past into the future cannot run backwards; "
            "leave it out, or reverse the series yourself"
        )
    if layer.return_state:
        raise UnsupportedModel(f"{name} has return_state=True; leave it out: only a single path is supported")
    options: dict[str, Any] = {
        "activation": _activation(name, "activation", layer.activation),
        "use_bias": layer.use_bias,
        "dropout": _share(name, "dropout", layer.dropout),
        "recurrent_dropout": _share(name, "recurrent_dropout", layer.recurrent_dropout),
        "return_sequences": layer.return_sequences,
        "zero_output_for_mask": layer.zero_output_for_mask,
    }
    kind = CELLS[type(layer)]
    if kind is not SimpleRNN:
        options["recurrent_activation"] = _activation(name, "recurrent_activation", layer.recurrent_activation)
    if kind is GRU:
        options["reset_after"] = layer.reset_after
    if kind is LSTM:
        options["unit_forget_bias"] = layer.unit_forget_bias
    return kind(layer.units, **options)


def _share(name: str, option: str, rate: float) -> float:
    if not 0 <= rate < 1:
        raise UnsupportedModel(f"{name} has {option}={rate}; give a share of at least 0 and below 1")
    return float(rate)


def _activation(name: str, option: str, function: Any) -> str:
    for known in ACTIVATIONS:
        if function is getattr(keras.activations, known):
            return known
    shown = getattr(function, "__name__", repr(function))
    raise UnsupportedModel(
        f"{name} has {option}={shown!r}, which is not supported; use one of {', '.join(ACTIVATIONS)}"
    )


def _check_layer(name: str, layer: Any) -> None:
    """Raise for options that every layer can have."""
    if layer.dtype_policy.name != "float32":
        raise UnsupportedModel(
            f"{name} computes in {layer.dtype_policy.name}; make the model under float32 "
            '(keras.config.set_dtype_policy("float32"))'
        )
    if not layer.trainable:
        raise UnsupportedModel(f"{name} has trainable=False, but all layers are trained here; set it to True")
    cell = getattr(layer, "cell", layer)
    for option in (
        "kernel_regularizer",
        "recurrent_regularizer",
        "bias_regularizer",
        "activity_regularizer",
        "kernel_constraint",
        "recurrent_constraint",
        "bias_constraint",
    ):
        if getattr(layer, option, None) is not None or getattr(cell, option, None) is not None:
            instead = (
                "clipnorm= in the optimiser"
                if option.endswith("constraint")
                else "weight_decay= in the optimiser, or dropout="
            )
            raise UnsupportedModel(f"{name} has a {option}, which is not supported; use {instead}")


def _check_states(recurrent: list[Any]) -> None:
    if len({bool(layer.stateful) for layer in recurrent}) > 1:
        names = ", ".join(repr(layer.name) for layer in recurrent if not layer.stateful)
        raise UnsupportedModel(
            f"some recurrent layers are stateful and others ({names}) are not; make all of them stateful, or none"
        )
