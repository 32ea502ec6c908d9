"""Activations with settings, each a layer by itself."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from tsuzuki.errors import SettingError
from tsuzuki.network.layers import Layer


class Rectifier(Layer):
    """A layer that computes an activation with settings."""

    @property
    @abstractmethod
    def function(self) -> tuple[str, tuple[float, ...]]:
        """Its name among the activations of the kernels, and its settings."""

    def outputs(self, inputs: Sequence[int]) -> int:
        """As many as come in."""
        return inputs[0]


@dataclass(frozen=True)
class ReLU(Rectifier):
    """min(x, max_value) where x >= threshold, else negative_slope * (x - threshold), as `keras.layers.ReLU`."""

    max_value: float | None = None
    negative_slope: float = 0.0
    threshold: float = 0.0

    def __post_init__(self) -> None:
        if self.negative_slope < 0 or (self.max_value is not None and self.max_value < 0):
            raise SettingError(f"{self} has a setting below 0; give at least 0")
        if self.threshold < 0 and self.negative_slope > 0:
            raise SettingError(f"{self} has a threshold below 0 and a negative_slope; leave one of them at 0")

    @property
    def function(self) -> tuple[str, tuple[float, ...]]:
        """The rectifier with all three settings."""
        if self == ReLU():
            return "relu", ()
        highest = float("inf") if self.max_value is None else self.max_value
        return "rectifier", (self.negative_slope, highest, self.threshold)


@dataclass(frozen=True)
class LeakyReLU(Rectifier):
    """x where it is positive, else negative_slope * x, as `keras.layers.LeakyReLU`."""

    negative_slope: float = 0.3

    def __post_init__(self) -> None:
        if self.negative_slope < 0:
            raise SettingError(f"{self} has a setting below 0; give at least 0")

    @property
    def function(self) -> tuple[str, tuple[float, ...]]:
        """leaky_relu with the slope."""
        return "leaky_relu", (self.negative_slope,)


@dataclass(frozen=True)
class ELU(Rectifier):
    """x where it is positive, else alpha * (exp(x) - 1), as `keras.layers.ELU`."""

    alpha: float = 1.0

    def __post_init__(self) -> None:
        if self.alpha < 0:
            raise SettingError(f"{self} has a setting below 0; give at least 0")

    @property
    def function(self) -> tuple[str, tuple[float, ...]]:
        """elu with alpha."""
        return "elu", (self.alpha,)
