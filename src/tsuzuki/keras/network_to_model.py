"""A Network and its weights as a Keras model, the way back from `from_keras`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras

from tsuzuki.errors import SettingError
from tsuzuki.network.layers import GRU, LSTM, Activation, Dense, Dropout, Layer, Masking, SimpleRNN
from tsuzuki.network.network import Network, check_weights

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
) -> Any:
    """Make a `keras.Sequential` that forecasts what a network does; it is not compiled.

    Args:
        network: the description.
        weights: arrays as `network.parameters` lists them.
        timesteps: steps of a sample; None: any.
        batch_size: rows of a batch; None: any.
        stateful: whether the recurrent layers carry their state; needs `batch_size`.
        every_step: whether the last recurrent layer returns every step, where its description leaves that open.

    Returns:
        The model, ready for `model.predict` and `model.save("name.keras")`.

    Raises:
        SettingError: weights that do not fit, or a stateful model without a batch size.
    """
    check_weights(network, weights)
    if stateful and batch_size is None:
        raise SettingError("stateful=True without batch_size; give the rows of a batch, for which Keras keeps states")
    layers = [keras.Input(batch_shape=(batch_size, timesteps, network.inputs))]
    for i, layer in enumerate(network.layers):
        returns = getattr(layer, "return_sequences", None)
        if returns is None:
            returns = every_step or i < network.last_recurrent
        layers.append(_layer(layer, stateful, returns))
    model = keras.Sequential(layers)
    model.set_weights(list(weights))
    return model


def _layer(layer: Layer, stateful: bool, returns: bool) -> Any:
    if isinstance(layer, Dense):
        return keras.layers.Dense(layer.units, activation=layer.activation, use_bias=layer.use_bias)
    if isinstance(layer, Activation):
        return keras.layers.Activation(layer.activation)
    if isinstance(layer, Dropout):
        return keras.layers.Dropout(layer.rate)
    if isinstance(layer, Masking):
        return keras.layers.Masking(layer.mask_value)
    assert isinstance(layer, SimpleRNN | GRU | LSTM)
    return _recurrent(layer, stateful, returns)


def _recurrent(layer: SimpleRNN | GRU | LSTM, stateful: bool, returns: bool) -> Any:
    options: dict[str, Any] = {
        "activation": layer.activation,
        "use_bias": layer.use_bias,
        "dropout": layer.dropout,
        "recurrent_dropout": layer.recurrent_dropout,
        "return_sequences": returns,
        "zero_output_for_mask": layer.zero_output_for_mask,
        "stateful": stateful,
    }
    if not isinstance(layer, SimpleRNN):
        options["recurrent_activation"] = layer.recurrent_activation
    if isinstance(layer, GRU):
        options["reset_after"] = layer.reset_after
    if isinstance(layer, LSTM):
        options["unit_forget_bias"] = layer.unit_forget_bias
    return getattr(keras.layers, type(layer).__name__)(layer.units, **options)
