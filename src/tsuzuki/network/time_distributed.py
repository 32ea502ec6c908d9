"""A layer around another that goes through parts of the steps, each by itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tsuzuki.errors import SettingError
from tsuzuki.network.dropout import SpatialDropout1D
from tsuzuki.network.layers import Layer, Recurrent
from tsuzuki.network.shaping import FinalState, LastSteps

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class TimeDistributed(Layer):
    """A layer on each of several parts of as many steps, as `keras.layers.TimeDistributed` around a layer of steps.

    Parts lie side by side: step `t` of part `p` is step `t * parts + p` of what comes in and goes out. So a part of one
    step is a step like others, `TimeDistributed(Reshape((steps, values), 1), 1)` makes a part of each step, and behind
    `TimeDistributed(Flatten(steps), steps)` there is a step for each part again. A layer that computes each step by
    itself needs none of this.

    Attributes:
        layer: the layer; a recurrent one begins each part with zeros (`stateful=False`).
        timesteps: the steps of a part.
    """

    whole_rows: ClassVar[bool] = True

    layer: Layer
    timesteps: int

    def __post_init__(self) -> None:
        if self.timesteps < 1:
            raise SettingError(f"{self} has parts of no steps; give timesteps from 1")
        inner = self.layer
        if isinstance(inner, TimeDistributed | FinalState) or inner.merges or inner.penalises or inner.untrained():
            raise SettingError(f"{self} cannot take each part by itself; put {inner} behind it or before it")
        if isinstance(inner, Recurrent) and inner.stateful:
            raise SettingError(f"{self} begins each part with zeros; give its layer stateful=False")

    @property
    def gates(self) -> int:  # type: ignore[override]
        """Those of its layer."""
        return self.layer.gates

    @property
    def looks_ahead(self) -> bool:  # type: ignore[override]
        """Whether a part's steps depend on later ones: a part as a whole is never seen before its end."""
        return self.layer.looks_ahead

    def outputs(self, inputs: Sequence[int]) -> int:
        """Those of its layer."""
        return self.layer.outputs(inputs)

    def parts(self, given: int) -> int:
        """How many parts so many steps are."""
        if given % self.timesteps:
            raise SettingError(
                f"{self} reads {given} steps; give rows for which these are a multiple of {self.timesteps}"
            )
        return given // self.timesteps

    def steps(self, inputs: Sequence[int]) -> int:
        """Those of its layer, for each part."""
        return self.parts(inputs[0]) * self.layer.steps([self.timesteps])

    def reads(self, steps: int, given: int) -> int:
        """What its layer does, of each part."""
        return self.parts(given) * self.layer.reads(self.layer.steps([self.timesteps]), self.timesteps)

    def table_rows(self) -> int:
        """Those of its layer."""
        return self.layer.table_rows()

    def shapes(self, inputs: int) -> dict[str, tuple[int, ...]]:
        """Those of its layer."""
        return self.layer.shapes(inputs)

    def initial_bias(self, shape: tuple[int, ...]) -> "NDArray[np.float64]":
        """That of its layer."""
        return self.layer.initial_bias(shape)

    def masks(self, inputs: Sequence[bool]) -> bool:
        """None: no step of a part is masked.

        Raises:
            SettingError: what it reads has a mask.
        """
        if any(inputs):
            raise SettingError(f"{self} reads masked steps; leave out the mask")
        return False

    def __str__(self) -> str:
        return f"TimeDistributed({self.layer})"


def computed(layer: Layer) -> Layer:
    """What of a layer is computed: the one that it is around, or itself."""
    return layer.layer if isinstance(layer, TimeDistributed) else layer


def goes_by_steps(layer: Layer) -> bool:
    """Whether a layer computes each step by itself, so that parts are nothing to it."""
    across = isinstance(layer, Recurrent | LastSteps | SpatialDropout1D) or layer.whole_rows
    return not across and getattr(layer, "steps_apart", 1) in (1, None)


def parts_of(layer: Layer, given: int) -> int:
    """How many parts of `given` steps a layer takes each by itself: 1, but for one around another."""
    return layer.parts(given) if isinstance(layer, TimeDistributed) else 1
