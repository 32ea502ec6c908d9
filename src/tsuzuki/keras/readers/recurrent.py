"""Recurrent layers."""

from typing import Any

import keras

from tsuzuki.keras.readers.call import Call, Reader
from tsuzuki.network.layers import GRU, LSTM, Recurrent, SimpleRNN

CELLS: dict[type, type[SimpleRNN] | type[GRU] | type[LSTM]] = {
    keras.layers.SimpleRNN: SimpleRNN,
    keras.layers.GRU: GRU,
    keras.layers.LSTM: LSTM,
}


def cell(call: Call) -> Recurrent:
    """Read a SimpleRNN, GRU or LSTM."""
    layer = call.layer
    if layer.go_backwards:
        call.refuse(
            "has go_backwards=True, but a state carried from the past into the future cannot run backwards; "
            "leave it out, or reverse the series yourself"
        )
    if layer.return_state:
        call.refuse("has return_state=True, which is not supported; leave it out")
    for option in call.options:
        call.refuse(f"is called with {option}, which is not supported; leave it out")
    options: dict[str, Any] = {
        "activation": call.activation(),
        "use_bias": layer.use_bias,
        "dropout": call.share("dropout"),
        "recurrent_dropout": call.share("recurrent_dropout"),
        "return_sequences": layer.return_sequences,
        "zero_output_for_mask": layer.zero_output_for_mask,
    }
    kind = CELLS[type(layer)]
    if kind is not SimpleRNN:
        options["recurrent_activation"] = call.activation("recurrent_activation")
    if kind is GRU:
        options["reset_after"] = layer.reset_after
    if kind is LSTM:
        options["unit_forget_bias"] = layer.unit_forget_bias
    return kind(layer.units, **options)


READERS: dict[type, Reader] = dict.fromkeys(CELLS, cell)
