"""Layers that drop values while training, or make them noisy."""

from collections.abc import Sequence
from dataclasses import dataclass

from tsuzuki.errors import SettingError
from tsuzuki.network.layers import Layer, check_rate


@dataclass(frozen=True)
class Dropout(Layer):
    """Drop a share of the values while training, each step drawn anew, as `keras.layers.Dropout`.

    A recurrent layer's own `dropout` is another thing: it holds one mask over all steps of an update.
    """

    rate: float

    def __post_init__(self) -> None:
        check_rate(self, "rate", self.rate)

    def outputs(self, inputs: Sequence[int]) -> int:
        """As many as come in."""
        return inputs[0]


@dataclass(frozen=True)
class SpatialDropout1D(Dropout):
    """Drop a share of the values while training, the same ones at all steps, as `keras.layers.SpatialDropout1D`."""


class Noise(Layer):
    """A layer that changes each value at random while training, each step anew."""

    def outputs(self, inputs: Sequence[int]) -> int:
        """As many as come in."""
        return inputs[0]


@dataclass(frozen=True)
class GaussianNoise(Noise):
    """Add normal noise of deviation `stddev`, as `keras.layers.GaussianNoise`."""

    stddev: float

    def __post_init__(self) -> None:
        if not 0 <= self.stddev < float("inf"):
            raise SettingError(f"{self} has no deviation; give a number from 0")


@dataclass(frozen=True)
class GaussianDropout(Noise):
    """Multiply by normal noise around 1 of variance rate / (1 - rate) (Srivastava et al. 2014).

    As `keras.layers.GaussianDropout`.
    """

    rate: float

    def __post_init__(self) -> None:
        check_rate(self, "rate", self.rate)


@dataclass(frozen=True)
class AlphaDropout(Noise):
    """Put a share of the values to selu's lowest, and keep mean and variance (Klambauer et al. 2017).

    As `keras.layers.AlphaDropout`.
    """

    rate: float

    def __post_init__(self) -> None:
        check_rate(self, "rate", self.rate)
