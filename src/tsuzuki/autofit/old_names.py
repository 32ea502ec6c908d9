"""Arguments, methods and classes of Keras 1 and 2 that Keras 3 no longer takes, made to mean what they meant.

Each is set on Keras's own public classes, says once that it is old, and then does what its successor does.
"""

import numbers
from collections.abc import Callable
from functools import wraps
from inspect import signature
from types import ModuleType
from typing import Any
from weakref import WeakKeyDictionary

from tsuzuki.autofit.keras_1 import teach_dense_of_steps, teach_keras_1
from tsuzuki.autofit.notices import say_once
from tsuzuki.autofit.old_files import teach_files
from tsuzuki.autofit.old_functions import RENAMED, teach_logs
from tsuzuki.keras.private_names import has_first_layer, losses_by_name, timeseries_generator

OPTIMIZERS = ("SGD", "RMSprop", "Adam", "AdamW", "Adagrad", "Adadelta", "Adamax", "Nadam", "Ftrl")
# Arguments of `fit_generator` and its kin that only said how to read the generator.
READING = ("max_queue_size", "max_q_size", "workers", "use_multiprocessing", "pickle_safe", "nb_worker")
GENERATORS = {"fit_generator": "fit", "evaluate_generator": "evaluate", "predict_generator": "predict"}
_batch_shapes: "WeakKeyDictionary[Any, tuple[int | None, ...]]" = WeakKeyDictionary()


def teach(keras: ModuleType) -> None:
    """Let Keras's classes take the old arguments and have the old methods."""
    _teach_layers(keras)
    teach_keras_1(keras)
    _teach_models(keras)
    teach_files(keras)
    teach_logs()
    # What `compile` is given by name.
    for old, new in RENAMED.items():
        losses_by_name().setdefault(old, getattr(keras.losses, new))
    for name in OPTIMIZERS:
        if hasattr(keras.optimizers, name):
            _teach_optimizer(keras, getattr(keras.optimizers, name))
    keras.optimizers.Optimizer.lr = property(_rate, _set_rate)


def teach_layers_module(layers: ModuleType) -> None:
    """Let a module of layers have those that were only for GPUs."""

    def cudnn(name: str, kind: Any) -> Callable[..., Any]:
        def make(units: int, **options: Any) -> Any:
            say_once(f"{name}(…)", f"{kind.__name__}(…)")
            return kind(units, **options)

        return make

    for name, kind in (("CuDNNLSTM", layers.LSTM), ("CuDNNGRU", layers.GRU)):
        if not hasattr(layers, name):
            setattr(layers, name, cudnn(name, kind))
    teach_dense_of_steps(layers)


def teach_sequence_module(sequence: ModuleType) -> None:
    """Let a `preprocessing.sequence` have its generator of windows."""

    plain = getattr(sequence, "TimeseriesGenerator", None)

    def generator(*arguments: Any, **options: Any) -> Any:
        say_once("TimeseriesGenerator", "keras.utils.timeseries_dataset_from_array")
        return (plain or timeseries_generator())(*arguments, **options)

    sequence.TimeseriesGenerator = generator  # type: ignore[attr-defined]


def today(method: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a call of `fit`, `evaluate` or `predict` under their names of today."""
    if "nb_epoch" in arguments:
        say_once("nb_epoch=", "epochs=")
        arguments = {("epochs" if name == "nb_epoch" else name): value for name, value in arguments.items()}
    gone = [name for name in READING if name in arguments]
    if gone:
        say_once(f"{', '.join(f'{name}=' for name in gone)} of {method}", "an argument of keras.utils.PyDataset")
        arguments = {name: value for name, value in arguments.items() if name not in gone}
    return arguments


def _teach_layers(keras: ModuleType) -> None:
    plain = keras.layers.Layer.__init__
    recurrent = keras.layers.RNN

    # Keras looks at the signature, and must find no positional arguments.
    @wraps(plain)
    def __init__(self: Any, **options: Any) -> None:  # noqa: N807
        shape = _batch_shape(options, isinstance(self, recurrent))
        plain(self, **options)
        if shape is not None:
            _batch_shapes[self] = shape

    keras.layers.Layer.__init__ = __init__
    add = keras.Sequential.add

    @wraps(add)
    def add_with_input(self: Any, layer: Any, *arguments: Any, **options: Any) -> None:
        shape = _batch_shapes.get(layer) if isinstance(layer, keras.layers.Layer) else None
        if shape is not None and not has_first_layer(self):
            add(self, keras.Input(batch_shape=shape))
        add(self, layer, *arguments, **options)

    keras.Sequential.add = add_with_input

    def reset_states(self: Any, states: Any = None) -> None:
        say_once("layer.reset_states()", "layer.reset_state()")
        self.reset_state()
        if states is not None:
            given = states if isinstance(states, list | tuple) else [states]
            for variable, state in zip(self.states, given, strict=True):
                variable.assign(state)

    recurrent.reset_states = reset_states


def _batch_shape(options: dict[str, Any], recurrent: bool) -> tuple[int | None, ...] | None:
    """Take what says the shape of a first layer's batch out of its options; None where Keras 3 understands it."""
    if "batch_input_shape" in options:
        say_once("batch_input_shape=", "keras.Input(batch_shape=…) before the first layer")
        return tuple(options.pop("batch_input_shape"))
    rows, steps = options.pop("batch_size", None), options.pop("input_length", None)
    if rows is not None and "input_shape" in options:
        say_once("input_shape= with batch_size=", "keras.Input(batch_shape=…) before the first layer")
        return (rows, *options.pop("input_shape"))
    if recurrent and "input_dim" in options:
        say_once("input_dim= with input_length=", "keras.Input((timesteps, features)) before the first layer")
        return (rows, steps, options.pop("input_dim"))
    if steps is not None or rows is not None:
        say_once("input_length= or batch_size= of a layer", "keras.Input(batch_shape=…) before the first layer")
    return None


def _teach_models(keras: ModuleType) -> None:
    model = keras.Model

    def reset_states(self: Any) -> None:
        say_once("model.reset_states()", "layer.reset_state() for each stateful layer")
        _reset(self)

    def predict_classes(self: Any, x: Any, batch_size: int | None = None, verbose: Any = 0) -> Any:
        say_once("model.predict_classes(x)", "model.predict(x).argmax(axis=-1), or > 0.5 for a single output")
        found = self.predict(x, batch_size=batch_size, verbose=verbose)
        return found.argmax(axis=-1) if found.shape[-1] > 1 else (found > 0.5).astype("int32")

    def predict_proba(self: Any, x: Any, batch_size: int | None = None, verbose: Any = 0) -> Any:
        say_once("model.predict_proba(x)", "model.predict(x)")
        return self.predict(x, batch_size=batch_size, verbose=verbose)

    def by_generator(old: str, new: str) -> Callable[..., Any]:
        def call(self: Any, generator: Any, steps: int | None = None, *arguments: Any, **options: Any) -> Any:
            say_once(f"model.{old}", f"model.{new}")
            options = {name: value for name, value in options.items() if name not in READING}
            options = {"steps_per_epoch" if new == "fit" else "steps": steps} | options
            # The old order behind them.
            names = ["epochs", "verbose", "callbacks", "validation_data", "validation_steps"] if new == "fit" else []
            return getattr(self, new)(generator, **options, **dict(zip(names, arguments, strict=False)))

        return call

    model.reset_states = reset_states
    model.predict_classes, model.predict_proba = predict_classes, predict_proba
    for old, new in GENERATORS.items():
        setattr(model, old, by_generator(old, new))


def _reset(model: Any) -> None:
    for layer in model.layers:
        if hasattr(layer, "layers"):
            _reset(layer)
        elif getattr(layer, "stateful", False) and hasattr(layer, "reset_state"):
            layer.reset_state()


def _teach_optimizer(keras: ModuleType, kind: Any) -> None:
    plain = kind.__init__

    @wraps(plain)
    def __init__(self: Any, *arguments: Any, **options: Any) -> None:  # noqa: N807
        if "lr" in options:
            say_once("lr=", "learning_rate=")
            rate = options.pop("lr")
            if arguments:
                raise TypeError(f"{kind.__name__} got multiple values for its learning rate")
            options["learning_rate"] = rate
        # NumPy's numbers were numbers.
        arguments = tuple(_number(one) for one in arguments)
        options = {name: _number(value) for name, value in options.items()}
        decay = options.pop("decay", None)
        if decay:
            say_once("decay=", "learning_rate=keras.optimizers.schedules.InverseTimeDecay(rate, 1, decay)")
            first = {} if arguments or "learning_rate" in options else {"learning_rate": _default_rate(plain)}
            options |= first
            rate = arguments[0] if arguments else options["learning_rate"]
            schedule = keras.optimizers.schedules.InverseTimeDecay(rate, 1, decay)
            if arguments:
                arguments = (schedule, *arguments[1:])
            else:
                options["learning_rate"] = schedule
        if options.get("epsilon", 0.0) is None:
            say_once("epsilon=None", "left out")
            del options["epsilon"]
        plain(self, *arguments, **options)

    kind.__init__ = __init__


def _number(given: Any) -> Any:
    return given.item() if isinstance(given, numbers.Number) and hasattr(given, "item") else given


def _default_rate(make: Callable[..., Any]) -> float:
    return float(signature(make).parameters["learning_rate"].default)


def _rate(optimizer: Any) -> Any:
    say_once("optimizer.lr", "optimizer.learning_rate")
    return optimizer.learning_rate


def _set_rate(optimizer: Any, rate: Any) -> None:
    say_once("optimizer.lr", "optimizer.learning_rate")
    optimizer.learning_rate = rate
