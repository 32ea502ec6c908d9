"""`import tsuzuki.autofit`: from here on, Keras models are trained by the compiled engine wherever they can be.

run_script       a script as its own program, for `tsuzuki run`
swapping         Keras's methods, done by the engine or by Keras
├── direct_calls     `model(x)`
├── resuming         a fit that Keras goes on with
├── call_log         which was which, and the table at the end
└── old_names        what Keras 3 no longer takes, made to work
    old_functions    the same for functions, optimisers and keys of logs
    keras_1          arguments of Keras 1
    old_files        files of weights of any name
    old_modules      the same for modules; also tells when Keras has been imported
    notices          what is said about old names
    texts            what is said, in English and Japanese
"""

import atexit
import builtins
import sys
from collections.abc import Callable
from types import ModuleType

from tsuzuki.autofit import notices, old_functions, old_modules, old_names, swapping
from tsuzuki.keras.private_names import KERAS_2, ROOTS


def _keras_is_there(keras: ModuleType) -> None:
    old_names.teach(keras)
    swapping.swap(keras)


def _activate() -> None:
    loaded: dict[str, Callable[[ModuleType], None]] = {"keras": _keras_is_there, KERAS_2: notices.say_left_alone}
    for root in ROOTS:
        loaded[f"{root}.layers"] = old_names.teach_layers_module
        loaded[f"{root}.preprocessing.sequence"] = old_names.teach_sequence_module
        loaded[f"{root}.optimizers.legacy"] = old_functions.teach_legacy_optimizers
        loaded[f"{root}.backend"] = old_functions.teach_backend
        loaded[f"{root}.losses"] = loaded[f"{root}.metrics"] = old_functions.teach_losses
        loaded[f"{root}.callbacks"] = old_functions.teach_callbacks
        loaded[f"{root}.models"] = loaded[f"{root}.saving"] = old_functions.teach_loading
    for name in [name for name in loaded if name in sys.modules]:
        loaded.pop(name)(sys.modules[name])
    sys.meta_path.insert(0, old_modules.OldModules(loaded))
    builtins.__import__ = old_modules.redirecting(builtins.__import__)
    atexit.register(lambda: swapping.log.print(swapping.settings.explain))


_activate()
