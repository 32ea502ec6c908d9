"""Optimisers and learning-rate schedules as frozen descriptions, with Keras's names and defaults."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from tsuzuki.errors import SettingError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@runtime_checkable
class Schedule(Protocol):
    """A learning rate that depends on the update."""

    def at(self, update: "NDArray[np.float64]") -> "NDArray[np.float64]":
        """The rate at each update, counted from 0."""
        ...


@dataclass(frozen=True)
class Cosine:
    """From `initial` to `final` along half a cosine that ends after `steps` updates; the first `warmup` rise from 0.

    As `keras.optimizers.schedules.CosineDecay` (Loshchilov and Hutter 2017) with decay_steps = steps - warmup, which
    Keras counts without the warm-up; the warm-up's rise is linear.
    """

    initial: float
    steps: int
    warmup: int = 0
    final: float = 0.0

    def at(self, update: "NDArray[np.float64]") -> "NDArray[np.float64]":
        """The rate at each update, counted from 0."""
        import numpy as np

        share = np.clip((update - self.warmup) / max(1, self.steps - self.warmup), 0.0, 1.0)
        falling = self.final + (self.initial - self.final) * 0.5 * (1 + np.cos(math.pi * share))
        return np.where(update < self.warmup, self.initial * update / max(1, self.warmup), falling)


@dataclass(frozen=True)
class Exponential:
    """initial * rate^(update / steps), in whole steps with `staircase` (`keras...ExponentialDecay`)."""

    initial: float
    steps: int
    rate: float
    staircase: bool = False

    def at(self, update: "NDArray[np.float64]") -> "NDArray[np.float64]":
        """The rate at each update, counted from 0."""
        import numpy as np

        power = update / self.steps
        return self.initial * self.rate ** (np.floor(power) if self.staircase else power)


@dataclass(frozen=True)
class Step:
    """values[i] up to and with update boundaries[i], the last value after them (`keras...PiecewiseConstantDecay`)."""

    boundaries: tuple[int, ...]
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.values) != len(self.boundaries) + 1 or list(self.boundaries) != sorted(self.boundaries):
            raise SettingError(
                f"Step has {len(self.boundaries)} boundaries and {len(self.values)} values; "
                "give rising boundaries and one value more than these"
            )

    def at(self, update: "NDArray[np.float64]") -> "NDArray[np.float64]":
        """The rate at each update, counted from 0."""
        import numpy as np

        return np.asarray(self.values, np.float64)[np.searchsorted(self.boundaries, update, side="left")]


@dataclass(frozen=True, kw_only=True)
class _Common:
    """What every optimiser takes by name besides its own settings; at most one of the three clips may be set.

    `weight_decay` is decoupled from the gradient. Unlike Keras's, it leaves biases alone; `decay_biases=True` gives
    Keras's behaviour. With `use_ema` a moving average of the weights, of momentum `ema_momentum`, follows them; it
    takes their place every `ema_overwrite_frequency` updates, and at the end of a training without early stopping.
    """

    clipvalue: float | None = None
    clipnorm: float | None = None
    global_clipnorm: float | None = None
    weight_decay: float = 0.0
    decay_biases: bool = False
    use_ema: bool = False
    ema_momentum: float = 0.99
    ema_overwrite_frequency: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.ema_momentum <= 1:
            raise SettingError(f"{type(self).__name__} has ema_momentum {self.ema_momentum}; give one from 0 to 1")
        chosen = [name for name in ("clipvalue", "clipnorm", "global_clipnorm") if getattr(self, name)]
        if len(chosen) > 1:
            raise SettingError(f"{type(self).__name__} has {' and '.join(chosen)}; set only one way of clipping")


@dataclass(frozen=True)
class SGD(_Common):
    """Stochastic gradient descent with momentum (`keras.optimizers.SGD`)."""

    learning_rate: float | Schedule = 0.01
    momentum: float = 0.0
    nesterov: bool = False


@dataclass(frozen=True)
class RMSprop(_Common):
    """RMSprop (`keras.optimizers.RMSprop`): epsilon stands inside the root."""

    learning_rate: float | Schedule = 0.001
    rho: float = 0.9
    momentum: float = 0.0
    epsilon: float = 1e-7
    centered: bool = False


@dataclass(frozen=True)
class Adam(_Common):
    """Adam (`keras.optimizers.Adam`): epsilon stands outside the root."""

    learning_rate: float | Schedule = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    amsgrad: bool = False


@dataclass(frozen=True, kw_only=True)
class AdamW(Adam):
    """Adam with decoupled weight decay unless told otherwise (`keras.optimizers.AdamW`)."""

    weight_decay: float = 0.004


@dataclass(frozen=True)
class Adagrad(_Common):
    """Adagrad (`keras.optimizers.Adagrad`): epsilon stands inside the root."""

    learning_rate: float | Schedule = 0.001
    initial_accumulator_value: float = 0.1
    epsilon: float = 1e-7


@dataclass(frozen=True)
class Adadelta(_Common):
    """Adadelta (`keras.optimizers.Adadelta`): epsilon stands inside the roots."""

    learning_rate: float | Schedule = 0.001
    rho: float = 0.95
    epsilon: float = 1e-7


@dataclass(frozen=True)
class Adamax(_Common):
    """Adamax (`keras.optimizers.Adamax`)."""

    learning_rate: float | Schedule = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7


@dataclass(frozen=True)
class Nadam(_Common):
    """Nadam (`keras.optimizers.Nadam`): epsilon stands outside the root."""

    learning_rate: float | Schedule = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7


@dataclass(frozen=True)
class Lion(_Common):
    """Lion (`keras.optimizers.Lion`); its rate is a third to a tenth of Adam's."""

    learning_rate: float | Schedule = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.99


@dataclass(frozen=True)
class Ftrl(_Common):
    """FTRL (`keras.optimizers.Ftrl`) with the power -0.5 of the learning rate."""

    learning_rate: float | Schedule = 0.001
    initial_accumulator_value: float = 0.1
    l1_regularization_strength: float = 0.0
    l2_regularization_strength: float = 0.0
    l2_shrinkage_regularization_strength: float = 0.0
    beta: float = 0.0


Optimizer = SGD | RMSprop | Adam | AdamW | Adagrad | Adadelta | Adamax | Nadam | Lion | Ftrl


def rates(optimizer: Optimizer, first: int, last: int, factor: float = 1.0) -> "NDArray[np.float64]":
    """The learning rate of each update from first to last, counted from 0, times `factor`."""
    import numpy as np

    rate = optimizer.learning_rate
    updates = np.arange(first, last, dtype=np.float64)
    if isinstance(rate, Schedule):
        return rate.at(updates) * factor
    return np.full(last - first, float(rate) * factor)


def momentum_shares(optimizer: Nadam, count: int) -> "NDArray[np.float64]":
    """Nadam's momentum of each of the first updates, which grows as they go on."""
    import numpy as np

    return optimizer.beta_1 * (1 - 0.5 * 0.96 ** np.arange(1, count + 1, dtype=np.float64))
