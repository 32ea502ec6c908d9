"""Layers that bring values to one size."""

from collections.abc import Sequence
from dataclasses import dataclass

from tsuzuki.errors import SettingError
from tsuzuki.network.activation_layers import Rectifier
from tsuzuki.network.layers import Layer


@dataclass(frozen=True)
class LayerNormalization(Layer):
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
        if self.epsilon <= 0:
            raise SettingError(f"{self} has epsilon {self.epsilon}; give a number above 0")

    def outputs(self, inputs: Sequence[int]) -> int:
        """As many as come in."""
        return inputs[0]

    def shapes(self, inputs: int) -> dict[str, tuple[int, ...]]:
        """gamma and beta, [inputs] each."""
        found: dict[str, tuple[int, ...]] = {"gamma": (inputs,)} if self.scale else {}
        return found | {"beta": (inputs,)} if self.center else found


@dataclass(frozen=True)
class Rescaling(Rectifier):
    """scale * x + offset, as `keras.layers.Rescaling`."""

    scale: float
    offset: float = 0.0

    @property
    def function(self) -> tuple[str, tuple[float, ...]]:
        """The line."""
        return "line", (self.scale, self.offset)
