"""All names that Keras and TensorFlow do not promise to keep, in one place.

Tested with Keras 3.12 and 3.15 on TensorFlow 2.21.
"""

from importlib import import_module
from typing import Any

# The packages under which Keras 3 is imported: its own, and TensorFlow's two copies of the same names.
ROOTS = ("keras", "keras._tf_keras.keras", "tensorflow.keras")
# Keras 2 as TensorFlow keeps it for itself; scripts of 2019 import from it.
INNER_KERAS = "tensorflow.python.keras"


def timeseries_generator() -> Any:
    """The class that Keras 3 keeps for `tf.keras` alone."""
    return import_module("keras._tf_keras.keras.preprocessing.sequence").TimeseriesGenerator


def has_first_layer(sequential: Any) -> bool:
    """Whether a Sequential model has a layer, be it only the input."""
    return bool(sequential._layers)
