"""Names of Keras 1: arguments of layers and models, `merge`, TimeDistributedDense."""

from collections.abc import Callable, Mapping
from functools import wraps
from inspect import signature
from types import ModuleType
from typing import Any

from tsuzuki.autofit.notices import say_once
from tsuzuki.keras.private_names import functional_model

# Arguments of layers, by their names of today.
RENAMED = {
    "output_dim": "units",
    "init": "kernel_initializer",
    "inner_init": "recurrent_initializer",
    "inner_activation": "recurrent_activation",
    "W_regularizer": "kernel_regularizer",
    "U_regularizer": "recurrent_regularizer",
    "b_regularizer": "bias_regularizer",
    "W_constraint": "kernel_constraint",
    "U_constraint": "recurrent_constraint",
    "b_constraint": "bias_constraint",
    "dropout_W": "dropout",
    "dropout_U": "recurrent_dropout",
    "bias": "use_bias",
}
CONVOLUTIONS = {
    "nb_filter": "filters",
    "filter_length": "kernel_size",
    "border_mode": "padding",
    "subsample_length": "strides",
    "atrous_rate": "dilation_rate",
    "output_dim": "filters",
}
POOLS = {"pool_length": "pool_size", "stride": "strides", "border_mode": "padding"}
EMBEDDINGS = {"init": "embeddings_initializer", "W_regularizer": "embeddings_regularizer"}
# Arguments of recurrent layers that only said how to compute; `time_major` where it is False.
HOW = ("consume_less", "time_major")
# Arguments of `compile` that say what the data show.
OF_COMPILE = ("class_mode", "sample_weight_mode")
MODES = {
    "sum": "Add",
    "mul": "Multiply",
    "ave": "Average",
    "max": "Maximum",
    "concat": "Concatenate",
    "dot": "Dot",
}
# What says the shape of a first layer's batch.
SHAPES = ("input_shape", "batch_input_shape", "input_dim", "input_length", "batch_size")


def teach_keras_1(keras: ModuleType) -> None:
    """Let layers and models take their arguments under their old names."""
    layers = keras.layers
    for kind in (layers.SimpleRNN, layers.GRU, layers.LSTM, layers.Dense):
        _rename_arguments(kind, RENAMED)
    _rename_arguments(
        layers.Conv1D, CONVOLUTIONS | {name: new for name, new in RENAMED.items() if name != "output_dim"}
    )
    for kind in (layers.MaxPooling1D, layers.AveragePooling1D):
        _rename_arguments(kind, POOLS)
    _rename_arguments(layers.Embedding, EMBEDDINGS)
    _rename_arguments(layers.Dropout, {"p": "rate"})
    _teach_models(keras)


def teach_dense_of_steps(layers: ModuleType) -> None:
    """Let a module of layers have TimeDistributedDense."""

    def make(*arguments: Any, **options: Any) -> Any:
        say_once("TimeDistributedDense(…)", "TimeDistributed(Dense(…))")
        shape = {name: options.pop(name) for name in SHAPES if name in options}
        if "input_dim" in shape:
            shape = {"input_shape": (shape.get("input_length"), shape["input_dim"])}
        return layers.TimeDistributed(layers.Dense(*arguments, **options), **shape)

    if not hasattr(layers, "TimeDistributedDense"):
        layers.TimeDistributedDense = make  # type: ignore[attr-defined]


class Merge(ModuleType):
    """The module `keras.layers.merge`, which was a function in Keras 1."""

    def __call__(self, inputs: Any, mode: str = "sum", concat_axis: int = -1, dot_axes: Any = -1, **_: Any) -> Any:
        """Join the outputs of layers."""
        if mode not in MODES:
            raise ValueError(f"merge knows no mode {mode!r}; give one of {', '.join(MODES)}")
        kind = MODES[mode]
        options = {"Concatenate": {"axis": concat_axis}, "Dot": {"axes": dot_axes}}.get(kind, {})
        say_once(f"merge(…, mode={mode!r})", f"keras.layers.{kind}()(…)")
        return getattr(self, kind)(**options)(inputs)


def _teach_models(keras: ModuleType) -> None:
    model, functional = keras.Model, functional_model()
    new, begin = model.__new__, functional.__init__
    # Keras asks whether a class has another `compile` than this one.
    trainer = next(kind for kind in model.__mro__ if "compile" in vars(kind))
    plain = trainer.compile

    def named(options: dict[str, Any]) -> dict[str, Any]:
        if not {"input", "output"} & options.keys():
            return options
        say_once("Model(input=, output=)", "Model(inputs=, outputs=)")
        names = {"input": "inputs", "output": "outputs"}
        return {names.get(name, name): value for name, value in options.items()}

    def __new__(cls: Any, *arguments: Any, **options: Any) -> Any:  # noqa: N807
        return new(cls, *arguments, **(named(options) if cls is model else options))

    @wraps(begin)
    def __init__(self: Any, *arguments: Any, **options: Any) -> None:  # noqa: N807
        begin(self, *arguments, **(named(options) if type(self) is functional else options))

    @wraps(plain)
    def compile(self: Any, *arguments: Any, **options: Any) -> Any:
        for name in OF_COMPILE:
            if name in options:
                say_once(f"{name}= of compile", "left out")
                del options[name]
        return plain(self, *arguments, **options)

    __init__.__signature__ = signature(begin)  # type: ignore[attr-defined]
    model.__new__, functional.__init__, trainer.compile = __new__, __init__, compile


def _rename_arguments(kind: Any, renamed: Mapping[str, str]) -> None:
    """Let a class of layers take arguments under their old names."""
    plain: Callable[..., None] = kind.__init__

    @wraps(plain)
    def __init__(self: Any, *arguments: Any, **options: Any) -> None:  # noqa: N807
        for old in [name for name in options if name in renamed]:
            say_once(f"{old}=", f"{renamed[old]}=")
            options[renamed[old]] = options.pop(old)
        for name in HOW:
            if name in options and (name != "time_major" or not options[name]):
                del options[name]
        plain(self, *arguments, **options)

    # Keras looks at the signature, and takes positional arguments by their names.
    __init__.__signature__ = signature(plain)  # type: ignore[attr-defined]
    kind.__init__ = __init__
