"""All names that Keras and TensorFlow do not promise to keep and that whole modules of ours rest on, in one place.

Tested with Keras 3.12 and 3.15 on TensorFlow 2.21. Nothing is imported before it is asked for.
"""

from importlib import import_module
from types import ModuleType
from typing import Any

# The packages under which Keras 3 is imported: its own, and TensorFlow's two copies of the same names.
ROOTS = ("keras", "keras._tf_keras.keras", "tensorflow.keras")
# Modules that Keras 3 keeps for `tf.keras` alone.
KEPT_FOR_TF = {"keras.preprocessing.text": "keras._tf_keras.keras.preprocessing.text"}
# Keras 2 as TensorFlow keeps it for itself; scripts of 2019 import from it.
INNER_KERAS = "tensorflow.python.keras"
# Keras 2 as a package of its own, which `tensorflow.keras` is where TF_USE_LEGACY_KERAS is set.
KERAS_2 = "tf_keras"
TO_KERAS_3 = (
    f"{KERAS_2}, which is Keras 2; build it with Keras 3 (`import keras`, TF_USE_LEGACY_KERAS not set) and hand the "
    "weights over: new.set_weights(old.get_weights())"
)
# Where a Keras variable has the backend's value, and the method that gives it another, for good, in no scope.
VALUE, DIRECT_ASSIGN = "_value", "_direct_assign"


def timeseries_generator() -> Any:
    """The class that Keras 3 keeps for `tf.keras` alone."""
    return import_module("keras._tf_keras.keras.preprocessing.sequence").TimeseriesGenerator


def old_backend() -> ModuleType:
    """The functions of Keras 2's backend, which Keras 3 keeps for `tf.keras` alone."""
    return import_module("keras._tf_keras.keras.backend")


def has_first_layer(sequential: Any) -> bool:
    """Whether a Sequential model has a layer, be it only the input."""
    return bool(sequential._layers)


def compiled_with(model: Any) -> tuple[Any, ...]:
    """What `model.compile` makes anew: the optimiser, the loss and the metrics; None where it was not compiled."""
    return getattr(model, "optimizer", None), model._compile_loss, model._compile_metrics


def built_graph(model: Any) -> Any:
    """What a Sequential model makes anew where layers are added or removed; None for other models."""
    return getattr(model, "_functional", None)


def is_keras_own_model(model: Any) -> bool:
    """Whether a model's class is Keras's, so that nothing but its layers happens in a call."""
    return type(model).__module__.startswith("keras.src.models.")


def mask_of(tensor: Any) -> Any:
    """The mask that Keras hangs on a tensor; None where there is none."""
    return getattr(tensor, "_keras_mask", None)


def gradients_are_recorded() -> bool:
    """Whether a gradient tape of TensorFlow is open."""
    return bool(import_module("tensorflow.python.eager.record").could_possibly_record())


def traced_calls() -> list[type]:
    """The classes of TensorFlow whose objects run a traced function when they are called."""
    package = "tensorflow.python.eager.polymorphic_function"
    return [
        import_module(f"{package}.polymorphic_function").Function,
        import_module(f"{package}.concrete_function").ConcreteFunction,
    ]


def assign_directly(variable: Any, value: Any) -> None:
    """Give a variable a value whatever scope is open."""
    converted = variable._convert_to_tensor(value, dtype=variable._dtype)
    getattr(variable, DIRECT_ASSIGN)(converted)
