"""Train recurrent networks on long time series: the state carried correctly, at the speed of the arithmetic.

The public names are imported when they are first used, so that `import tsuzuki` itself takes no time to speak of.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # What editors and type checkers see of `__getattr__`; a test compares it with the table below.
    from tsuzuki import keras as keras
    from tsuzuki.adapters.onnx import to_onnx as to_onnx
    from tsuzuki.data.arrow_batches import PanelColumns as PanelColumns
    from tsuzuki.data.readers import Reading as Reading
    from tsuzuki.data.readers import read as read
    from tsuzuki.data.scaling import Standardizer as Standardizer
    from tsuzuki.data.segments import Segment as Segment
    from tsuzuki.data.series import Collection as Collection
    from tsuzuki.data.series import Series as Series
    from tsuzuki.data.series import collect as collect
    from tsuzuki.dispatch import evaluate as evaluate
    from tsuzuki.dispatch import fit as fit
    from tsuzuki.dispatch import predict as predict
    from tsuzuki.distributed.fit_each import fit_each as fit_each
    from tsuzuki.distributed.sharded_bank import ShardedBank as ShardedBank
    from tsuzuki.errors import DataError as DataError
    from tsuzuki.errors import DivergedError as DivergedError
    from tsuzuki.errors import FileError as FileError
    from tsuzuki.errors import SettingError as SettingError
    from tsuzuki.errors import TooShortError as TooShortError
    from tsuzuki.errors import TsuzukiError as TsuzukiError
    from tsuzuki.errors import UnsupportedModel as UnsupportedModel
    from tsuzuki.forecaster import Forecaster as Forecaster
    from tsuzuki.forecaster import load as load
    from tsuzuki.keras.batch_calls import predict_on_batch as predict_on_batch
    from tsuzuki.keras.batch_calls import test_on_batch as test_on_batch
    from tsuzuki.keras.batch_calls import train_on_batch as train_on_batch
    from tsuzuki.keras.model_to_network import from_keras as from_keras
    from tsuzuki.keras.network_to_model import to_keras as to_keras
    from tsuzuki.layouts.layout import Layout as Layout
    from tsuzuki.layouts.streams import Streams as Streams
    from tsuzuki.layouts.windows import Windows as Windows
    from tsuzuki.network.activation_layers import ELU as ELU
    from tsuzuki.network.activation_layers import ActivityRegularization as ActivityRegularization
    from tsuzuki.network.activation_layers import LeakyReLU as LeakyReLU
    from tsuzuki.network.activation_layers import PReLU as PReLU
    from tsuzuki.network.activation_layers import ReLU as ReLU
    from tsuzuki.network.dropout import AlphaDropout as AlphaDropout
    from tsuzuki.network.dropout import Dropout as Dropout
    from tsuzuki.network.dropout import GaussianDropout as GaussianDropout
    from tsuzuki.network.dropout import GaussianNoise as GaussianNoise
    from tsuzuki.network.dropout import SpatialDropout1D as SpatialDropout1D
    from tsuzuki.network.embedding import Embedding as Embedding
    from tsuzuki.network.initialisers import initialise as initialise
    from tsuzuki.network.layers import GRU as GRU
    from tsuzuki.network.layers import LSTM as LSTM
    from tsuzuki.network.layers import Activation as Activation
    from tsuzuki.network.layers import Add as Add
    from tsuzuki.network.layers import Average as Average
    from tsuzuki.network.layers import Concatenate as Concatenate
    from tsuzuki.network.layers import Dense as Dense
    from tsuzuki.network.layers import Masking as Masking
    from tsuzuki.network.layers import Maximum as Maximum
    from tsuzuki.network.layers import Minimum as Minimum
    from tsuzuki.network.layers import Multiply as Multiply
    from tsuzuki.network.layers import SimpleRNN as SimpleRNN
    from tsuzuki.network.layers import Subtract as Subtract
    from tsuzuki.network.losses import MAE as MAE
    from tsuzuki.network.losses import MSE as MSE
    from tsuzuki.network.losses import GaussianNLL as GaussianNLL
    from tsuzuki.network.losses import Huber as Huber
    from tsuzuki.network.losses import Pinball as Pinball
    from tsuzuki.network.network import Network as Network
    from tsuzuki.network.network import graph as graph
    from tsuzuki.network.normalisation import BatchNormalization as BatchNormalization
    from tsuzuki.network.normalisation import LayerNormalization as LayerNormalization
    from tsuzuki.network.normalisation import Normalization as Normalization
    from tsuzuki.network.normalisation import Rescaling as Rescaling
    from tsuzuki.network.normalisation import RMSNormalization as RMSNormalization
    from tsuzuki.network.normalisation import UnitNormalization as UnitNormalization
    from tsuzuki.network.optimizers import SGD as SGD
    from tsuzuki.network.optimizers import Adadelta as Adadelta
    from tsuzuki.network.optimizers import Adagrad as Adagrad
    from tsuzuki.network.optimizers import Adam as Adam
    from tsuzuki.network.optimizers import Adamax as Adamax
    from tsuzuki.network.optimizers import AdamW as AdamW
    from tsuzuki.network.optimizers import Cosine as Cosine
    from tsuzuki.network.optimizers import Exponential as Exponential
    from tsuzuki.network.optimizers import Ftrl as Ftrl
    from tsuzuki.network.optimizers import Lion as Lion
    from tsuzuki.network.optimizers import Nadam as Nadam
    from tsuzuki.network.optimizers import RMSprop as RMSprop
    from tsuzuki.network.optimizers import Step as Step
    from tsuzuki.network.shaping import FinalState as FinalState
    from tsuzuki.network.shaping import Flatten as Flatten
    from tsuzuki.network.shaping import LastSteps as LastSteps
    from tsuzuki.network.shaping import Permute as Permute
    from tsuzuki.network.shaping import RepeatVector as RepeatVector
    from tsuzuki.network.shaping import Reshape as Reshape
    from tsuzuki.network.shaping import Reverse as Reverse
    from tsuzuki.network.time_distributed import TimeDistributed as TimeDistributed
    from tsuzuki.network.weight_rules import MaxNorm as MaxNorm
    from tsuzuki.network.weight_rules import MinMaxNorm as MinMaxNorm
    from tsuzuki.network.weight_rules import NonNeg as NonNeg
    from tsuzuki.network.weight_rules import UnitNorm as UnitNorm
    from tsuzuki.network.weight_rules import WeightRule as WeightRule
    from tsuzuki.network.windows import AveragePooling1D as AveragePooling1D
    from tsuzuki.network.windows import Conv1D as Conv1D
    from tsuzuki.network.windows import GlobalAveragePooling1D as GlobalAveragePooling1D
    from tsuzuki.network.windows import GlobalMaxPooling1D as GlobalMaxPooling1D
    from tsuzuki.network.windows import MaxPooling1D as MaxPooling1D
    from tsuzuki.torch.module_to_network import from_torch as from_torch
    from tsuzuki.torch.network_to_module import to_torch as to_torch
    from tsuzuki.training.early_stopping import EarlyStopping as EarlyStopping
    from tsuzuki.training.early_stopping import ReduceOnPlateau as ReduceOnPlateau
    from tsuzuki.training.progress import progress_bar as progress_bar
    from tsuzuki.training.records import EpochRecord as EpochRecord
    from tsuzuki.training.records import Progress as Progress
    from tsuzuki.training.records import Training as Training

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
        "Masking",
        "Maximum",
        "Minimum",
        "Multiply",
        "SimpleRNN",
        "Subtract",
    ),
    "network.network": ("Network", "graph"),
    "network.activation_layers": ("ActivityRegularization", "ELU", "LeakyReLU", "PReLU", "ReLU"),
    "network.shaping": ("FinalState", "Flatten", "LastSteps", "Permute", "RepeatVector", "Reshape", "Reverse"),
    "network.time_distributed": ("TimeDistributed",),
    "network.dropout": ("AlphaDropout", "Dropout", "GaussianDropout", "GaussianNoise", "SpatialDropout1D"),
    "network.embedding": ("Embedding",),
    "network.normalisation": (
        "BatchNormalization",
        "LayerNormalization",
        "Normalization",
        "Rescaling",
        "RMSNormalization",
        "UnitNormalization",
    ),
    "network.windows": (
        "AveragePooling1D",
        "Conv1D",
        "GlobalAveragePooling1D",
        "GlobalMaxPooling1D",
        "MaxPooling1D",
    ),
    "network.initialisers": ("initialise",),
    "network.optimizers": (
        "SGD",
        "Adadelta",
        "Adagrad",
        "Adam",
        "AdamW",
        "Adamax",
        "Cosine",
        "Exponential",
        "Ftrl",
        "Lion",
        "Nadam",
        "RMSprop",
        "Step",
    ),
    "network.losses": ("MAE", "MSE", "GaussianNLL", "Huber", "Pinball"),
    "network.weight_rules": ("MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm", "WeightRule"),
    "training.progress": ("progress_bar",),
    "forecaster": ("Forecaster", "load"),
    "training.early_stopping": ("EarlyStopping", "ReduceOnPlateau"),
    "training.records": ("EpochRecord", "Progress", "Training"),
    "data.arrow_batches": ("PanelColumns",),
    "distributed.fit_each": ("fit_each",),
    "distributed.sharded_bank": ("ShardedBank",),
    "dispatch": ("evaluate", "fit", "predict"),
    "keras": ("from_keras", "to_keras", "train_on_batch", "test_on_batch", "predict_on_batch"),
    "adapters.onnx": ("to_onnx",),
    "torch": ("from_torch", "to_torch"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [*_HOME]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"tsuzuki.{_HOME[name]}"), name)
    if name == "keras":
        return import_module("tsuzuki.keras")
    raise AttributeError(f"module 'tsuzuki' has no attribute {name!r}")


def load_ipython_extension(shell: Any) -> None:
    """`%load_ext tsuzuki` in a notebook: as `import tsuzuki.autofit`; `%tsuzuki` prints the table so far."""
    import_module("tsuzuki.autofit")
    swapping = import_module("tsuzuki.autofit.swapping")
    shell.register_magic_function(lambda line: swapping.log.print(swapping.settings.explain), "line", "tsuzuki")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
