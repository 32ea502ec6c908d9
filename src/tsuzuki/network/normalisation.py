"""Layers that bring values to one size."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from tsuzuki.errors import SettingError
from tsuzuki.network.activation_layers import Rectifier
from tsuzuki.network.layers import Layer


class OverValues(Layer):
    """A layer that brings the values of each step to one size by themselves."""

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """Those of its weights, a factor or an offset for each value."""

    def outputs(self, inputs: Sequence[int]) -> int:
        """As many as come in."""
        return inputs[0]

    def shapes(self, inputs: int) -> dict[str, tuple[int, ...]]:
        """[inputs] each."""
        return dict.fromkeys(self.names, (inputs,))


@dataclass(frozen=True)
class LayerNormalization(OverValues):
    """The values of a step less their mean, over their deviation, as `keras.layers.LayerNormalization`.

    Attributes:
        epsilon: added to the variance.
        center: whether there is an offset beta for each value.
        scale: whether there is a factor gamma for each value.
    """

    epsilon: float = 1e-3
    center: bool = True
    scale: bool = True

    def __post_init__(self) -> None:
        _check_epsilon(self, self.epsilon)

    @property
    def names(self) -> tuple[str, ...]:
        """gamma and beta."""
        return ("gamma",) * self.scale + ("beta",) * self.center


@dataclass(frozen=True)
class RMSNormalization(OverValues):
    """The values of a step over the root of their mean square (Zhang and Sennrich 2019), times a factor for each.

    As `keras.layers.RMSNormalization`, with its one array of weights, `scale`.

    Attributes:
        epsilon: added to the mean square.
    """

    epsilon: float = 1e-6

    def __post_init__(self) -> None:
        _check_epsilon(self, self.epsilon)

    @property
    def names(self) -> tuple[str, ...]:
        """scale."""
        return ("scale",)

    def masks(self, inputs: Sequence[bool]) -> bool:
        """None: a mask ends here, as Keras's layer does not say that it supports one."""
        return False


@dataclass(frozen=True)
class UnitNormalization(OverValues):
    """The values of a step over the root of their sum of squares, as `keras.layers.UnitNormalization`.

    A step of zeros stays as it is, and its gradient is 1e12 times that of the output, as in Keras: lengths are at least
    1e-12 (keras/src/ops/nn.py).
    """

    @property
    def names(self) -> tuple[str, ...]:
        """None."""
        return ()


@dataclass(frozen=True)
class BatchNormalization(Layer):
    """Each value less its mean over the batch, over its deviation there (Ioffe and Szegedy 2015).

    As `keras.layers.BatchNormalization` on the last axis. While training, mean and variance are those over all steps
    that the layer gives of all rows of an update that hold data, masked steps left out; the moving averages follow
    them after the update. Forecasts and scores use the moving averages.

    Attributes:
        momentum: share of the moving averages that stays in an update.
        epsilon: added to the variance.
        center: whether there is an offset beta for each value.
        scale: whether there is a factor gamma for each value.
        trainable: False: it always uses the moving averages, and nothing of it changes.
    """

    momentum: float = 0.99
    epsilon: float = 1e-3
    center: bool = True
    scale: bool = True
    trainable: bool = True

    def __post_init__(self) -> None:
        _check_epsilon(self, self.epsilon)
        if not 0 <= self.momentum <= 1:
            raise SettingError(f"{self} has momentum {self.momentum}; give a share from 0 to 1")

    def outputs(self, inputs: Sequence[int]) -> int:
        """As many as come in."""
        return inputs[0]

    def shapes(self, inputs: int) -> dict[str, tuple[int, ...]]:
        """gamma and beta, if there are such, moving mean and variance: [inputs] each."""
        names = ("gamma",) * self.scale + ("beta",) * self.center + ("moving_mean", "moving_variance")
        return dict.fromkeys(names, (inputs,))

    def untrained(self) -> tuple[str, ...]:
        """The moving averages; all of them where it is frozen."""
        moving = ("moving_mean", "moving_variance")
        return moving if self.trainable else ("gamma", "beta", *moving)


@dataclass(frozen=True)
class Normalization(Layer):
    """(x - mean) / sqrt(variance), or with `invert` the way back, as `keras.layers.Normalization`.

    What Keras's layer has learnt in `adapt` stands in the description: none of it is among the network's weights.

    Attributes:
        mean: of each value, or one for all.
        variance: of as many.
        invert: whether x * sqrt(variance) + mean is computed.
    """

    mean: float | tuple[float, ...] = 0.0
    variance: float | tuple[float, ...] = 1.0
    invert: bool = False

    def __post_init__(self) -> None:
        if len(self.means) != len(self.variances) or min(self.variances) < 0:
            raise SettingError(f"{self} has no variance of at least 0 for each mean; give as many of both")

    @property
    def means(self) -> tuple[float, ...]:
        """As a tuple, of one number where it is for all values."""
        return self.mean if isinstance(self.mean, tuple) else (self.mean,)

    @property
    def variances(self) -> tuple[float, ...]:
        """As a tuple, of one number where it is for all values."""
        return self.variance if isinstance(self.variance, tuple) else (self.variance,)

    def outputs(self, inputs: Sequence[int]) -> int:
        """As many as come in."""
        if len(self.means) not in (1, inputs[0]):
            raise SettingError(f"{self} reads {inputs[0]} values; give a mean and a variance for each")
        return inputs[0]


@dataclass(frozen=True)
class Rescaling(Rectifier):
    """scale * x + offset, as `keras.layers.Rescaling`."""

    scale: float
    offset: float = 0.0

    @property
    def function(self) -> tuple[str, tuple[float, ...]]:
        """The line."""
        return "line", (self.scale, self.offset)


def _check_epsilon(layer: Layer, epsilon: float) -> None:
    if epsilon <= 0:
        raise SettingError(f"{layer} has epsilon {epsilon}; give a number above 0")
