"""Layers around other layers."""

from dataclasses import replace

import keras

from tsuzuki.keras.readers import stepwise
from tsuzuki.keras.readers.call import Call, Found, Reader
from tsuzuki.network.normalisation import BatchNormalization


def time_distributed(call: Call) -> Found:
    """Read a TimeDistributed around a layer that computes each step by itself anyhow."""
    inner = call.layer.layer
    reader = stepwise.READERS.get(type(inner))
    if reader is None:
        call.refuse(f"holds a {type(inner).__name__}; use TimeDistributed(Dense(…)), or Dense itself")
        return None
    found = reader(replace(call, layer=inner))
    if isinstance(found, BatchNormalization) and found.trainable:
        call.refuse("holds a BatchNormalization, of which Keras takes the moments of each step by itself; use it alone")
    return found


READERS: dict[type, Reader] = {keras.layers.TimeDistributed: time_distributed}
