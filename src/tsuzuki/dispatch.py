"""The names that stand for two things each, `fit`, `predict` and `evaluate`: one for Keras models, one for ours.

Which it is shows in the first argument. Keras is not imported to find out: whoever has a Keras model has imported it.
"""

import inspect
import sys
from importlib import import_module
from typing import Any

from tsuzuki.errors import SettingError
from tsuzuki.keras.private_names import KERAS_2, TO_KERAS_3
from tsuzuki.network.network import Network


def fit(*arguments: Any, **options: Any) -> Any:
    """Train a network or a Keras model.

    Two calls, told apart by the first argument:

    - `fit(network, weights, inputs, targets, layout, *, epochs, …)`: see `tsuzuki.training.fit.fit`, which says what it
      takes and returns a `Training`.
    - `fit(model, x, y, *, batch_size, epochs, …)` or `fit(model, series=…, timesteps=…)` with a compiled Keras model:
      see `tsuzuki.keras.fit_model.fit`, which returns a `keras.callbacks.History`.

    Raises:
        SettingError: the first argument is neither; and what either of the two raises.
    """
    return _of_either("fit", "fit_model", arguments, options)


def predict(*arguments: Any, **options: Any) -> Any:
    """Forecast with a network or a Keras model, told apart by the first argument.

    - `predict(network, weights, inputs, layout, …)`: see `tsuzuki.training.predict.predict`.
    - `predict(model, x, batch_size=None)`: see `tsuzuki.keras.forward.predict`.

    Raises:
        SettingError: the first argument is neither; and what either of the two raises.
    """
    return _of_either("predict", "forward", arguments, options)


def evaluate(*arguments: Any, **options: Any) -> Any:
    """Score a table of forecasts, or a Keras model on samples, told apart by the first argument.

    - `evaluate(table, by_horizon=False)`: see `tsuzuki.forecasting.evaluation.evaluate`.
    - `evaluate(model, x, y, …)`: see `tsuzuki.keras.forward.evaluate`.

    Raises:
        SettingError: what either of the two raises.
    """
    first = arguments[0] if arguments else options.get("model")
    if "keras" in sys.modules and isinstance(first, sys.modules["keras"].Model):
        return _of_keras("forward", "evaluate", first, arguments, options)
    from tsuzuki.forecasting import evaluation

    return evaluation.evaluate(*arguments, **options)


def _of_either(name: str, module: str, arguments: Any, options: Any) -> Any:
    """Call `training`'s function of a name on a network, the Keras door's, which stands in `module`, on a model."""
    first = arguments[0] if arguments else options.get("network", options.get("model"))
    if isinstance(first, Network):
        return getattr(import_module(f"tsuzuki.training.{name}"), name)(*arguments, **options)
    return _of_keras(module, name, first, arguments, options)


def _of_keras(module: str, name: str, first: Any, arguments: Any, options: Any) -> Any:
    if "keras" in sys.modules and isinstance(first, sys.modules["keras"].Model):
        function = getattr(import_module(f"tsuzuki.keras.{module}"), name)
        try:
            return function(*arguments, **options)
        except TypeError as error:
            # Only a mistaken call is told in a line of its own, and looked for only then: binding takes 20 us.
            _check_call(name, function, arguments, options)
            raise error
    if any(kind.__module__.split(".")[0] == KERAS_2 for kind in type(first).__mro__):
        raise SettingError(f"{name} was given a model of {TO_KERAS_3}")
    raise SettingError(
        f"{name} was given a {type(first).__module__}.{type(first).__qualname__}; give a tsuzuki.Network with its "
        "weights and a layout, or a compiled model of Keras 3"
    )


def _check_call(name: str, function: Any, arguments: Any, options: Any) -> None:
    try:
        inspect.signature(function).bind(*arguments, **options)
    except TypeError as error:
        raise SettingError(f"{name} was called with {error}; give each argument once") from None
