"""Layers that look through a window which slides over the steps: convolution and pooling."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from tsuzuki.errors import SettingError
from tsuzuki.network.activations import ACTIVATIONS
from tsuzuki.network.layers import Layer


class Windowed(Layer):
    """A layer that makes each of its steps from some steps of its input."""

    whole_rows: ClassVar[bool] = True

    @abstractmethod
    def window(self, given: int) -> tuple[int, int, int, str]:
        """Steps in a window, from one window to the next, from one step of it to the next, and the padding."""

    def steps(self, inputs: Sequence[int]) -> int:
        """As many windows as fit; with padding one for each stride."""
        (given,) = inputs
        size, stride, dilation, padding = self.window(given)
        if padding != "valid":
            return -(-given // stride)
        if given <= (size - 1) * dilation:
            raise SettingError(f"{self} reads {given} steps; give rows for which these are {(size - 1) * dilation + 1}")
        return (given - (size - 1) * dilation - 1) // stride + 1

    def padded_before(self, given: int) -> int:
        """How many steps of padding stand before the first."""
        size, stride, dilation, padding = self.window(given)
        reach = (size - 1) * dilation
        if padding == "causal":
            return reach
        if padding == "valid":
            return 0
        return max(0, (self.steps([given]) - 1) * stride + reach + 1 - given) // 2

    def masks(self, inputs: Sequence[bool]) -> bool:
        """None: as in Keras a mask ends here, and masked steps are read like others."""
        return False


@dataclass(frozen=True)
class Conv1D(Windowed):
    """A convolution over time, as `keras.layers.Conv1D` (one group)."""

    filters: int
    kernel_size: int
    strides: int = 1
    padding: str = "valid"
    dilation_rate: int = 1
    activation: str = "linear"
    use_bias: bool = True

    def __post_init__(self) -> None:
        _check_window(self, ("filters", "kernel_size", "strides", "dilation_rate"), ("valid", "same", "causal"))
        if self.activation not in ACTIVATIONS:
            raise SettingError(f"{self} has activation {self.activation!r}; choose one of {', '.join(ACTIVATIONS)}")

    def window(self, given: int) -> tuple[int, int, int, str]:
        """Its own."""
        return self.kernel_size, self.strides, self.dilation_rate, self.padding

    def outputs(self, inputs: Sequence[int]) -> int:
        """Its filters."""
        return self.filters

    def shapes(self, inputs: int) -> dict[str, tuple[int, ...]]:
        """Kernel [kernel_size, inputs, filters] and bias [filters]."""
        found: dict[str, tuple[int, ...]] = {"kernel": (self.kernel_size, inputs, self.filters)}
        return found | {"bias": (self.filters,)} if self.use_bias else found


class Pooling(Windowed):
    """A window over each value by itself."""

    def outputs(self, inputs: Sequence[int]) -> int:
        """As many as come in."""
        return inputs[0]


class _Pooling1D(Pooling):
    pool_size: int
    strides: int | None
    padding: str

    def __post_init__(self) -> None:
        _check_window(self, ("pool_size", "strides"), ("valid", "same"))

    def window(self, given: int) -> tuple[int, int, int, str]:
        """Its own; windows stand side by side unless there are strides."""
        return self.pool_size, self.strides or self.pool_size, 1, self.padding


@dataclass(frozen=True)
class MaxPooling1D(_Pooling1D):
    """The largest value of a window, as `keras.layers.MaxPooling1D`."""

    pool_size: int = 2
    strides: int | None = None
    padding: str = "valid"


@dataclass(frozen=True)
class AveragePooling1D(_Pooling1D):
    """The mean of a window, as `keras.layers.AveragePooling1D`; padding does not count."""

    pool_size: int = 2
    strides: int | None = None
    padding: str = "valid"


class _GlobalPooling1D(Pooling):
    def window(self, given: int) -> tuple[int, int, int, str]:
        """All steps."""
        return given, 1, 1, "valid"


@dataclass(frozen=True)
class GlobalMaxPooling1D(_GlobalPooling1D):
    """The largest value of all steps, as `keras.layers.GlobalMaxPooling1D`; equal ones share the gradient evenly."""


@dataclass(frozen=True)
class GlobalAveragePooling1D(_GlobalPooling1D):
    """The mean of all steps, as `keras.layers.GlobalAveragePooling1D`; of those that count where there is a mask."""


def _check_window(layer: Layer, numbers: Sequence[str], paddings: Sequence[str]) -> None:
    for name in numbers:
        if (getattr(layer, name) or 1) < 1:
            raise SettingError(f"{layer} has {name} {getattr(layer, name)}; give at least 1")
    if getattr(layer, "padding", "valid") not in paddings:
        raise SettingError(f"{layer} has an unknown padding; choose one of {', '.join(paddings)}")
