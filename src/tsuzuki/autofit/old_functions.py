"""Functions, optimisers and log keys of Keras 1 and 2 that are gone or refused, as scripts reach for them in a module.

Each function here teaches one of Keras's modules; nothing is looked up before a script asks for it.
"""

from collections.abc import Callable
from functools import wraps
from types import ModuleType, SimpleNamespace
from typing import Any

from tsuzuki.autofit.notices import say_once
from tsuzuki.autofit.old_files import teach_checkpoints
from tsuzuki.keras.private_names import callbacks_module, old_backend

# Keys of logs before Keras 2.3, where a metric was spelt "accuracy" in `compile`.
KEYS = {"acc": "accuracy", "val_acc": "val_accuracy"}
# Losses and metrics that a file of Keras 2 may name so, and Keras 3 does not find.
SHORT = {
    "mse": "mean_squared_error",
    "mae": "mean_absolute_error",
    "mape": "mean_absolute_percentage_error",
    "msle": "mean_squared_logarithmic_error",
}
# Functions that are losses and metrics, and were called otherwise before Keras 3.
RENAMED = {
    "logcosh": "log_cosh",
    "kullback_leibler_divergence": "kl_divergence",
    "cosine_proximity": "cosine_similarity",
}


def teach_losses(module: ModuleType) -> None:
    """Let `losses` or `metrics` have the functions that are in `keras.losses` alone today, and by their old names."""
    above, _, last = module.__name__.rpartition(".")
    root = f"{'keras' if above == 'keras' else 'tf.keras'}.{last}"

    def look_up(name: str) -> Any:
        import keras

        new = RENAMED.get(name, name)
        found = None if name.startswith("_") else vars(keras.losses).get(new)
        if found is None or isinstance(found, type | ModuleType):
            raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")
        say_once(f"{root}.{name}", f"keras.losses.{new}")
        return found

    module.__getattr__ = look_up  # type: ignore[method-assign]


def teach_backend(module: ModuleType) -> None:
    """Let a `backend` have the functions of Keras 2's, K.sqrt and the like."""

    def get_value(variable: Any) -> Any:
        import keras

        found = keras.ops.convert_to_numpy(variable)
        return found[()] if found.ndim == 0 else found

    def set_value(variable: Any, value: Any) -> None:
        variable.assign(value)

    module.get_value, module.set_value = get_value, set_value  # type: ignore[attr-defined]
    plain = getattr(module, "__getattr__", None)

    def look_up(name: str) -> Any:
        if not name.startswith("__") and module.backend() == "tensorflow" and hasattr(old_backend(), name):
            say_once(f"keras.backend.{name}", f"keras.ops.{name} or TensorFlow's own")
            return getattr(old_backend(), name)
        if plain is not None:
            return plain(name)
        raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")

    module.__getattr__ = look_up  # type: ignore[method-assign]


def teach_legacy_optimizers(module: ModuleType) -> None:
    """Let `optimizers.legacy` have the optimisers of today."""
    import keras

    def legacy(name: str) -> Callable[..., Any]:
        def make(*arguments: Any, **options: Any) -> Any:
            say_once(f"keras.optimizers.legacy.{name}", f"keras.optimizers.{name}")
            return getattr(keras.optimizers, name)(*arguments, **options)

        return make

    for name in ("Adadelta", "Adagrad", "Adam", "Adamax", "Ftrl", "Nadam", "RMSprop", "SGD"):
        setattr(module, name, legacy(name))


def teach_loading(module: ModuleType) -> None:
    """Let a module's `load_model` read HDF5 files whose losses or metrics have short names."""
    plain = module.load_model

    @wraps(plain)
    def load_model(filepath: Any, custom_objects: Any = None, *arguments: Any, **options: Any) -> Any:
        import keras

        if str(filepath).endswith((".h5", ".hdf5")):
            short = {name: getattr(keras.losses, full) for name, full in SHORT.items()}
            custom_objects = short | (custom_objects or {})
        return plain(filepath, custom_objects, *arguments, **options)

    if not hasattr(plain, "__wrapped__"):
        module.load_model = load_model  # type: ignore[attr-defined]


class OldKeys(dict[str, Any]):
    """What a History or a callback is given, in which `acc` is found too."""

    said = "logs"

    def __missing__(self, key: str) -> Any:
        new = KEYS.get(key, key)
        if new not in self:
            raise KeyError(key)
        say_once(f"{self.said}[{key!r}]", f"{self.said}[{new!r}]")
        return self[new]

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a key, old or new."""
        return self[key] if key in self or KEYS.get(key) in self else default

    def __reduce__(self) -> Any:
        # Whoever reads it from a file has no need of this class.
        return dict, (dict(self),)


class OldHistory(OldKeys):
    """What a History holds."""

    said = "history"


def teach_logs() -> None:
    """Let callbacks find the old keys of logs."""
    module = callbacks_module()
    plain = module.python_utils.pythonify_logs

    @wraps(plain)
    def pythonify_logs(logs: Any) -> Any:
        return OldKeys(plain(logs))

    # Keras 3.12 makes logs with the same function where its steps are traced, which no class of ours goes through.
    module.python_utils = SimpleNamespace(**vars(module.python_utils) | {"pythonify_logs": pythonify_logs})


def teach_callbacks(module: ModuleType) -> None:
    """Let a module's callbacks know the old keys of logs."""
    history = module.History
    if hasattr(history.__init__, "__wrapped__"):
        return
    begin = history.__init__

    @wraps(begin)
    def __init__(self: Any, *arguments: Any, **options: Any) -> None:  # noqa: N807
        begin(self, *arguments, **options)
        self.history = OldHistory(self.history)

    history.__init__ = __init__
    for kind in (module.EarlyStopping, module.ModelCheckpoint, module.ReduceLROnPlateau):
        kind.on_epoch_end = _watching_new_keys(kind.on_epoch_end)
    teach_checkpoints(module.ModelCheckpoint)


def _watching_new_keys(plain: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(plain)
    def on_epoch_end(self: Any, epoch: int, logs: Any = None) -> Any:
        for old, new in KEYS.items():
            if logs and old not in logs and new in logs:
                if self.monitor == old:
                    say_once(f"monitor={old!r}", f"monitor={new!r}")
                    self.monitor = new
                if f"{{{old}" in getattr(self, "filepath", ""):
                    say_once(f"{{{old}}} in a path", f"{{{new}}}")
                    self.filepath = self.filepath.replace(f"{{{old}", f"{{{new}")
        return plain(self, epoch, logs)

    return on_epoch_end
