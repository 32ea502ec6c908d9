"""Activations with settings, each a layer by itself."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

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


@dataclass(frozen=True)
class ActivityRegularization(Layer):
    """What it reads, whose size is added to the loss, as `keras.layers.ActivityRegularization`.

    All steps count of each row that holds data, also those that no other layer reads.

    Attributes:
        l1: factor of the sum of magnitudes, divided by the rows of the update.
        l2: factor of the sum of squares, likewise.
    """

    penalises: ClassVar[bool] = True

    l1: float = 0.0
    l2: float = 0.0

    def __post_init__(self) -> None:
        if self.l1 < 0 or self.l2 < 0:
            raise SettingError(f"{self} has a factor below 0; give at least 0")

    def outputs(self, inputs: Sequence[int]) -> int:
        """As many as come in."""
        return inputs[0]

    def reads(self, steps: int, given: int) -> int:
        """All of them."""
        return given


@dataclass(frozen=True)
class PReLU(Layer):
    """x where it is positive, else x times a slope that is trained (He et al. 2015), as `keras.layers.PReLU`.

    Attributes:
        steps_apart: for how many steps each value has slopes of its own: 1 is `shared_axes=[1]`, and as many as come in
            is Keras's default. None: there are no steps, as behind a cell that gives its last step alone; like 1, but
            for the shape of the slopes.
    """

    steps_apart: int | None = 1

    def __post_init__(self) -> None:
        if self.steps_apart is not None and self.steps_apart < 1:
            raise SettingError(f"{self} has no slopes; give steps_apart from 1")

    def outputs(self, inputs: Sequence[int]) -> int:
        """As many as come in."""
        return inputs[0]

    def steps(self, inputs: Sequence[int]) -> int:
        """As many as come in, which are those that have slopes."""
        if (self.steps_apart or 1) not in (1, inputs[0]):
            raise SettingError(f"{self} reads {inputs[0]} steps; give rows for which these are {self.steps_apart}")
        return inputs[0]

    def shapes(self, inputs: int) -> dict[str, tuple[int, ...]]:
        """alpha, [steps_apart, inputs] or [inputs]."""
        return {"alpha": (inputs,) if self.steps_apart is None else (self.steps_apart, inputs)}
