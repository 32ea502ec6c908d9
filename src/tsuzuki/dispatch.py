"""The one name `fit`, for a description and flat arrays or for a compiled Keras model.

Which it is shows in the first argument. Keras is not imported to find out: whoever has a Keras model has imported it.
"""

import inspect
import sys
from typing import Any

from tsuzuki.errors import SettingError
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
    first = arguments[0] if arguments else options.get("network", options.get("model"))
    if isinstance(first, Network):
        from tsuzuki.training import fit as training

        return training.fit(*arguments, **options)
    if "keras" in sys.modules and isinstance(first, sys.modules["keras"].Model):
        from tsuzuki.keras import fit_model as fitting

        try:
            inspect.signature(fitting.fit).bind(*arguments, **options)
        except TypeError as error:
            raise SettingError(f"fit was called with {error}; give each argument once") from None
        return fitting.fit(*arguments, **options)
    raise SettingError(
        f"fit was given a {type(first).__module__}.{type(first).__qualname__}; give a tsuzuki.Network with its weights "
        "and a layout, or a compiled model of Keras 3 (`import keras`, not tf_keras)"
    )
