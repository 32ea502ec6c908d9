"""Train recurrent networks on long time series: the state carried correctly, at the speed of the arithmetic.

The public names are imported when they are first used, so that `import tsuzuki` itself takes no time to speak of.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "errors": (
        "TsuzukiError",
        "DataError",
        "FileError",
        "TooShortError",
        "SettingError",
        "DivergedError",
        "UnsupportedModel",
    ),
    "data.readers": ("read", "Reading"),
    "data.segments": ("Segment",),
    "data.series": ("Collection", "Series", "collect"),
    "data.scaling": ("Standardizer",),
    "layouts.layout": ("Layout",),
    "layouts.windows": ("Windows",),
    "layouts.streams": ("Streams",),
    "network.layers": (
        "GRU",
        "LSTM",
        "Activation",
        "Add",
        "Average",
        "Concatenate",
        "Dense",
        "Dropout",
        "Maximum",
        "Minimum",
        "Multiply",
        "SimpleRNN",
        "Subtract",
    ),
    "network.network": ("Network", "graph"),
    "network.initialisers": ("initialise",),
    "network.optimizers": ("SGD", "Adam", "AdamW", "Cosine", "Exponential", "RMSprop", "Step"),
    "network.losses": ("MAE", "MSE", "GaussianNLL", "Huber", "Pinball"),
    "training.progress": ("progress_bar",),
    "forecaster": ("Forecaster", "load"),
    "forecasting.evaluation": ("evaluate",),
    "training.early_stopping": ("EarlyStopping", "ReduceOnPlateau"),
    "training.records": ("EpochRecord", "Progress", "Training"),
    "training.predict": ("predict",),
    "dispatch": ("fit",),
    "keras": ("from_keras", "to_keras"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [*_HOME]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"tsuzuki.{_HOME[name]}"), name)
    if name == "keras":
        return import_module("tsuzuki.keras")
    raise AttributeError(f"module 'tsuzuki' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
