"""The optimiser that a Keras model is compiled with, in this library's words."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras

from tsuzuki.errors import UnsupportedModel
from tsuzuki.network.optimizers import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Cosine,
    Exponential,
    Ftrl,
    Lion,
    Nadam,
    Optimizer,
    RMSprop,
    Schedule,
    Step,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

OPTIMIZERS: dict[type, tuple[Callable[..., Optimizer], tuple[str, ...]]] = {
    keras.optimizers.SGD: (SGD, ("momentum", "nesterov")),
    keras.optimizers.RMSprop: (RMSprop, ("rho", "momentum", "epsilon", "centered")),
    keras.optimizers.Adam: (Adam, ("beta_1", "beta_2", "epsilon", "amsgrad")),
    keras.optimizers.AdamW: (AdamW, ("beta_1", "beta_2", "epsilon", "amsgrad")),
    keras.optimizers.Adagrad: (Adagrad, ("initial_accumulator_value", "epsilon")),
    keras.optimizers.Adadelta: (Adadelta, ("rho", "epsilon")),
    keras.optimizers.Adamax: (Adamax, ("beta_1", "beta_2", "epsilon")),
    keras.optimizers.Nadam: (Nadam, ("beta_1", "beta_2", "epsilon")),
    keras.optimizers.Lion: (Lion, ("beta_1", "beta_2")),
    keras.optimizers.Ftrl: (
        Ftrl,
        (
            "initial_accumulator_value",
            "l1_regularization_strength",
            "l2_regularization_strength",
            "l2_shrinkage_regularization_strength",
            "beta",
        ),
    ),
}
# What is read of every optimiser.
COMMON = ("clipvalue", "clipnorm", "global_clipnorm", "use_ema", "ema_momentum", "ema_overwrite_frequency")


@dataclass(frozen=True)
class Evaluated:
    """A schedule that Keras itself evaluates, for those without an equal here."""

    schedule: Any

    def at(self, update: "NDArray[np.float64]") -> "NDArray[np.float64]":
        """The rate at each update, counted from 0."""
        import numpy as np

        def ask(steps: Any) -> "NDArray[np.float64]":
            asked = keras.ops.convert_to_tensor(np.asarray(steps, np.int32))
            return np.asarray(keras.ops.convert_to_numpy(self.schedule(asked)), np.float64)

        # All at once in one eager call, where the schedule takes it so and gives the same at both ends. vectorized_map
        # traces the schedule anew in each call (23 to 45 ms); one by one a rate takes about 0.3 ms.
        try:
            rates = ask(update)
            ends = [float(ask(update[end])) for end in (0, -1)]
            if rates.shape == update.shape and np.allclose(rates[[0, -1]], ends, rtol=1e-6, atol=0):
                return rates
        except Exception:
            pass
        return np.array([float(ask(step)) for step in update])


def optimizer_of(model: Any, weights: Sequence[Any]) -> Optimizer:
    """Describe the optimiser with its settings.

    Args:
        model: a compiled model.
        weights: its trainable variables, of which some may be left out of weight decay.

    Raises:
        UnsupportedModel: the optimiser or a setting has no equal.
    """
    optimizer = model.optimizer
    kind = _kind(optimizer)
    if kind is None:
        wrapped = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
        raise UnsupportedModel(
            f"the optimiser is {type(optimizer).__name__}, which is not supported; "
            + ("compile under float32 with its inner optimiser" if wrapped else "use Adam, Nadam, RMSprop or SGD")
        )
    name = kind.__name__
    for option, instead in (
        ("gradient_accumulation_steps", "use a larger batch_size"),
        ("loss_scale_factor", "leave it out: everything is float32"),
    ):
        if getattr(optimizer, option):
            value = getattr(optimizer, option)
            raise UnsupportedModel(f"the optimiser {name} has {option}={value}, which is not supported; {instead}")
    if getattr(optimizer, "learning_rate_power", -0.5) != -0.5:
        raise UnsupportedModel(
            f"the optimiser {name} has learning_rate_power={optimizer.learning_rate_power}; leave it out, it is -0.5"
        )
    make, settings = OPTIMIZERS[kind]
    options = {option: getattr(optimizer, option) for option in settings}
    options |= {option: getattr(optimizer, option) for option in COMMON}
    return make(
        learning_rate=_rate(name, optimizer),
        weight_decay=float(optimizer.weight_decay or 0.0),
        decay_biases=bool(optimizer.weight_decay) and _decays_biases(name, optimizer, weights),
        **options,
    )


def _kind(optimizer: Any) -> type | None:
    """Which of the optimisers it is; on the PyTorch backend Keras makes a class of its own for each."""
    made = type(optimizer)
    for kind in OPTIMIZERS:
        own = made.__module__.startswith("keras.") and made.__name__ == kind.__name__ and issubclass(made, kind)
        if made is kind or own:
            return kind
    return None


def current_rate(optimizer: Any) -> float:
    """The optimiser's learning rate as it stands."""
    return float(keras.ops.convert_to_numpy(optimizer.learning_rate))


def _rate(name: str, optimizer: Any) -> float | Schedule:
    rate = optimizer._learning_rate
    schedules = keras.optimizers.schedules
    if not isinstance(rate, schedules.LearningRateSchedule):
        if callable(rate) and not isinstance(rate, keras.Variable):
            raise UnsupportedModel(
                f"the optimiser {name} has a function as learning_rate; "
                "give a number or a schedule of keras.optimizers.schedules"
            )
        return current_rate(optimizer)
    if type(rate) is schedules.ExponentialDecay:
        return Exponential(rate.initial_learning_rate, rate.decay_steps, rate.decay_rate, rate.staircase)
    if type(rate) is schedules.PiecewiseConstantDecay:
        return Step(tuple(rate.boundaries), tuple(rate.values))
    if type(rate) is schedules.CosineDecay and not rate.warmup_steps and rate.warmup_target is None:
        first = rate.initial_learning_rate
        return Cosine(first, rate.decay_steps, final=rate.alpha * first)
    return Evaluated(rate)


def _decays_biases(name: str, optimizer: Any, weights: Sequence[Any]) -> bool:
    """Whether biases decay; whatever else was left out of weight decay is refused."""
    decayed = {variable.name == "bias": set[bool]() for variable in weights}
    for variable in weights:
        decayed[variable.name == "bias"].add(bool(optimizer._use_weight_decay(variable)))
    if decayed.get(False, {True}) != {True} or len(decayed.get(True, set())) > 1:
        raise UnsupportedModel(
            f"the optimiser {name} leaves some kernels out of weight decay; leave out all biases, or nothing "
            '(optimizer.exclude_from_weight_decay(var_names=["bias"]))'
        )
    return decayed.get(True, {True}) == {True}
