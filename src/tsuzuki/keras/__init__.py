"""The Keras door: compiled Keras 3 models trained by the compiled engine, and descriptions passed both ways.

    fit_model: `tsuzuki.fit(model, …)`
    ├── fit_arguments    its arguments, checked
    ├── model_shape      what a model takes and gives
    │   └── model_to_network  its layers as a Network, or an error that names all that has no equal here
    │       └── model_graph       the walk from its inputs to its outputs
    │           ├── readers       a function for each class of layers
    │           └── tracing       classes of the user's own as functional models
    ├── compile_config   its optimiser
    ├── compiled_loss    the losses of its outputs, and compiled_metrics their metrics
    │   └── own_loss         losses that Keras's backend differentiates
    ├── joined_arrays    what is given for each of several inputs and outputs, side by side
    ├── epoch_data       x and y, or a series, as flat arrays and start offsets
    │   ├── arrays           what the user's arrays are, and what their strides say
    │   ├── batches          datasets and generators, an epoch of them as arrays
    │   └── window_datasets  the series under a dataset of windows
    └── epochs           the epochs, with Keras's callbacks around them
        ├── metrics          the running loss and metrics
        ├── callbacks        which callbacks want to hear of single batches
        └── unfinished_epoch what is left for Keras where the loss is not finite
    forward: `tsuzuki.predict` and `tsuzuki.evaluate`
    batch_calls: `tsuzuki.train_on_batch`, `test_on_batch` and `predict_on_batch`
    └── prepared_batch  the place of a batch of one shape, ready to be run again
    kept_model: a model's weights, slots and states in the engine's memory, for all of these
    ├── model_variables   which variables of Keras hold them
    └── kept_variables    those variables, written when somebody looks
        └── private_names what Keras does not promise to keep
    network_to_model: a Network as a Keras model
    state_keeper: a callback for those who stay in Keras's own loop

Keras is imported by these modules when they are first used, and elsewhere only by `experiment.keras_process`.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "fit": "fit_model",
    "from_keras": "model_to_network",
    "to_keras": "network_to_model",
    "carried_states": "model_variables",
    "StateKeeper": "state_keeper",
    "predict": "forward",
    "evaluate": "forward",
    "train_on_batch": "batch_calls",
    "test_on_batch": "batch_calls",
    "predict_on_batch": "batch_calls",
}

__all__ = [*_HOMES]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        require_keras()
        return getattr(import_module(f"tsuzuki.keras.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'tsuzuki.keras' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])


def require_keras() -> None:
    """Raise MissingExtraError where Keras 3 is not installed."""
    from importlib.util import find_spec

    from tsuzuki.errors import MissingExtraError

    if find_spec("keras") is None:
        raise MissingExtraError(
            "tsuzuki.keras needs the package keras, which is not installed; "
            'install it with: pip install "tsuzuki[keras]"'
        )
