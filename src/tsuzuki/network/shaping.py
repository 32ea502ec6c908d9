"""Layers that change how many steps there are, or their order."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from tsuzuki.errors import SettingError
from tsuzuki.network.layers import Layer


@dataclass(frozen=True)
class RepeatVector(Layer):
    """The last step of what it reads, `n` times, as `keras.layers.RepeatVector`."""

    whole_rows: ClassVar[bool] = True

    n: int

    def __post_init__(self) -> None:
        if self.n < 1:
            raise SettingError(f"{self} gives no steps; give n from 1")

    def outputs(self, inputs: Sequence[int]) -> int:
        """As many as come in."""
        return inputs[0]

    def steps(self, inputs: Sequence[int]) -> int:
        """n, whatever comes in."""
        return self.n

    def reads(self, steps: int, given: int) -> int:
        """The last one."""
        return 1


@dataclass(frozen=True)
class Reverse(Layer):
    """The steps of what it reads, last first, and their mask.

    A cell behind it runs from the future to the past, as with Keras's `go_backwards`; a second `Reverse` behind the
    cell brings the steps back into their order, as `keras.layers.Bidirectional` does.
    """

    whole_rows: ClassVar[bool] = True
    looks_ahead: ClassVar[bool] = True

    def outputs(self, inputs: Sequence[int]) -> int:
        """As many as come in."""
        return inputs[0]

    def masks(self, inputs: Sequence[bool]) -> bool:
        """That of the input, reversed."""
        return all(inputs)
