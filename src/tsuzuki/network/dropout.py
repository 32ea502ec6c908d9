"""Layers that drop values while training."""

from collections.abc import Sequence
from dataclasses import dataclass

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
