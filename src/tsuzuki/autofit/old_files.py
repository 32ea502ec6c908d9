"""Files of weights under the names that they had before Keras 3, and checkpoints written to such.

Keras 3 takes weights only in files called .weights.h5, and models in those called .keras or .h5. Others are written
and read in the layout of Keras 2, which it still knows.
"""

import importlib
import os
from functools import wraps
from types import ModuleType
from typing import Any

from tsuzuki.autofit.notices import say_once
from tsuzuki.keras.private_names import old_weight_files

WEIGHTS = (".weights.h5", ".weights.json")
MODELS = (".keras", ".h5", ".hdf5")
# What Keras 3 says a file of each kind must be called.
PLAIN = {True: "a.weights.h5", False: "a.keras"}


def teach_files(keras: ModuleType) -> None:
    """Let models write and read weights in files of any name."""
    model = keras.Model
    save, load = model.save_weights, model.load_weights

    @wraps(save)
    def save_weights(self: Any, filepath: Any, *arguments: Any, **options: Any) -> Any:
        name = os.fspath(filepath)
        options.pop("save_format", None)
        if name.endswith(WEIGHTS):
            return save(self, filepath, *arguments, **options)
        say_once(f"save_weights({_shown(name)})", "save_weights('….weights.h5')")
        with _hdf5(name, "w") as file:
            old_weight_files().save_weights_to_hdf5_group(file, self)
        return None

    @wraps(load)
    def load_weights(self: Any, filepath: Any, *arguments: Any, **options: Any) -> Any:
        name = os.fspath(filepath)
        if name.endswith((*WEIGHTS, *MODELS)) or not os.path.isfile(name):
            return load(self, filepath, *arguments, **options)
        with _hdf5(name, "r") as file:
            old_weight_files().load_weights_from_hdf5_group(file, self)
        return None

    model.save_weights, model.load_weights = save_weights, load_weights


def teach_checkpoints(kind: Any) -> None:
    """Let ModelCheckpoint write files of any name, and every so many epochs by `period`."""
    begin, end = kind.__init__, kind.on_epoch_end

    @wraps(begin)
    def __init__(self: Any, filepath: Any, *arguments: Any, **options: Any) -> None:  # noqa: N807
        name, period = os.fspath(filepath), options.pop("period", 1)
        if period != 1:
            say_once("period=", "save_freq=, in batches")
        alone = bool(options.get("save_weights_only", arguments[3] if len(arguments) > 3 else False))
        fits = name.endswith(".weights.h5" if alone else MODELS[:2])
        begin(self, name if fits else PLAIN[alone], *arguments, **options)
        self.filepath, self.old_period = name, period
        if not fits and not alone:
            say_once(f"ModelCheckpoint({_shown(name)})", "ModelCheckpoint('….keras')")

    def on_epoch_end(self: Any, epoch: int, logs: Any = None) -> Any:
        if (epoch + 1) % self.old_period:
            return None
        return end(self, epoch, logs)

    kind.__init__, kind.on_epoch_end = __init__, wraps(end)(on_epoch_end)


def _hdf5(name: str, mode: str) -> Any:
    return importlib.import_module("h5py").File(name, mode)


def _shown(name: str) -> str:
    return f"'…{os.path.splitext(name)[1]}'"
