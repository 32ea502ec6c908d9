"""Layers that change how many steps there are, or their order."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from tsuzuki.errors import SettingError
from tsuzuki.network.layers import Layer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


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

    def mask(self, inputs: "NDArray[Any]", masks: "Sequence[NDArray[np.bool_]]") -> "NDArray[np.bool_]":
        """That of the input, its steps last first."""
        return masks[0][..., ::-1]


@dataclass(frozen=True)
class FinalState(Layer):
    """State `number` of the cell that it reads after its last step, as with Keras's `return_state`.

    A cell that reads it behind its input begins with it: `{"decoder": (GRU(8), "inputs", "state"), …}` in `graph`. An
    LSTM has two: 0 is the output, 1 the cell.
    """

    whole_rows: ClassVar[bool] = True

    number: int = 0

    def __post_init__(self) -> None:
        if self.number not in (0, 1):
            raise SettingError(f"{self} is a state that no cell has; give number 0, or 1 of an LSTM")

    def outputs(self, inputs: Sequence[int]) -> int:
        """The units of the cell."""
        return inputs[0]

    def steps(self, inputs: Sequence[int]) -> int:
        """One."""
        return 1

    def reads(self, steps: int, given: int) -> int:
        """The last one."""
        return 1


@dataclass(frozen=True)
class LastSteps(Layer):
    """The last `n` steps of what it reads, with their mask: for an input that is shorter than others, or has no steps.

    All inputs come in rows of as many steps; what a shorter one holds before its own steps is not read.
    """

    n: int = 1

    def __post_init__(self) -> None:
        if self.n < 1:
            raise SettingError(f"{self} gives no steps; give n from 1")

    def outputs(self, inputs: Sequence[int]) -> int:
        """As many as come in."""
        return inputs[0]

    def steps(self, inputs: Sequence[int]) -> int:
        """n."""
        if inputs[0] < self.n:
            raise SettingError(f"{self} reads {inputs[0]} steps; give rows for which these are at least {self.n}")
        return self.n

    def reads(self, steps: int, given: int) -> int:
        """All of them, or the last one."""
        return given if self.n > 1 else 1

    def masks(self, inputs: Sequence[bool]) -> bool:
        """That of the input, but for a single step."""
        return self.n > 1 and all(inputs)

    def mask(self, inputs: "NDArray[Any]", masks: "Sequence[NDArray[np.bool_]]") -> "NDArray[np.bool_]":
        """The last of that of the input."""
        return masks[0][..., -self.n :]


@dataclass(frozen=True)
class Flatten(Layer):
    """All values of all steps as one step, as `keras.layers.Flatten`.

    Attributes:
        timesteps: how many steps come in; the weights behind depend on it.
    """

    whole_rows: ClassVar[bool] = True

    timesteps: int

    def outputs(self, inputs: Sequence[int]) -> int:
        """As many as come in over all steps."""
        return self.timesteps * inputs[0]

    def steps(self, inputs: Sequence[int]) -> int:
        """One."""
        _check_steps(self, self.timesteps, inputs[0])
        return 1


@dataclass(frozen=True)
class Reshape(Layer):
    """The values of all steps in their order, as other steps, as `keras.layers.Reshape`.

    Attributes:
        target_shape: the steps it gives, and the values of each.
        timesteps: how many steps come in.
    """

    whole_rows: ClassVar[bool] = True

    target_shape: tuple[int, int]
    timesteps: int

    def outputs(self, inputs: Sequence[int]) -> int:
        """The values of a step."""
        steps, values = self.target_shape
        if steps * values != self.timesteps * inputs[0]:
            raise SettingError(f"{self} reads {self.timesteps * inputs[0]} values; give a shape of as many")
        return values

    def steps(self, inputs: Sequence[int]) -> int:
        """Those of its shape."""
        _check_steps(self, self.timesteps, inputs[0])
        return self.target_shape[0]


@dataclass(frozen=True)
class Permute(Layer):
    """Steps and values in one another's place, as `keras.layers.Permute((2, 1))`.

    Attributes:
        timesteps: how many steps come in; it gives as many values.
        values: how many values of a step come in; it gives as many steps.
    """

    whole_rows: ClassVar[bool] = True

    timesteps: int
    values: int

    def outputs(self, inputs: Sequence[int]) -> int:
        """The steps that come in."""
        if inputs[0] != self.values:
            raise SettingError(f"{self} reads {inputs[0]} values; give as many")
        return self.timesteps

    def steps(self, inputs: Sequence[int]) -> int:
        """The values that come in."""
        _check_steps(self, self.timesteps, inputs[0])
        return self.values


def _check_steps(layer: Layer, timesteps: int, given: int) -> None:
    if given != timesteps:
        raise SettingError(f"{layer} reads {given} steps; give rows for which these are {timesteps}")
