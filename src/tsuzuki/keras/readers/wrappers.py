"""Layers around other layers."""

from dataclasses import replace

import keras

from tsuzuki.keras.readers import recurrent, shaping, stepwise
from tsuzuki.keras.readers.call import Call, Found, Reader

KNOWN: dict[type, Reader] = recurrent.READERS | stepwise.READERS | shaping.READERS


def time_distributed(call: Call) -> Found:
    """Read a TimeDistributed around a layer; a model in it is walked (see `model_graph`)."""
    inner, shape = call.layer.layer, call.shapes[0]
    reader = KNOWN.get(type(inner))
    if reader is None:
        names = ", ".join(kind.__name__ for kind in KNOWN)
        call.refuse(f"holds a {type(inner).__name__}; use one of {names}, or a model of these")
        return None
    inside = None if shape is None else shape[:1] + shape[2:]
    with call.draft.parts():
        own = replace(call, layer=inner, shapes=(inside,))
        found = reader(own)
        return None if found is None else own.put(found)


READERS: dict[type, Reader] = {keras.layers.TimeDistributed: time_distributed}
