"""Layers that change how many steps there are."""

import keras

from tsuzuki.keras.readers.call import Call, Reader
from tsuzuki.network.layers import Layer
from tsuzuki.network.shaping import RepeatVector


def repeat_vector(call: Call) -> Layer:
    """Read a RepeatVector."""
    return RepeatVector(call.layer.n)


READERS: dict[type, Reader] = {keras.layers.RepeatVector: repeat_vector}
