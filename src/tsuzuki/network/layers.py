"""What a layer is: a frozen description with the shapes of its weights and how these begin.

Names, defaults and the order of weights are Keras's, so that lists of weights pass between the two unchanged. How a
layer is computed is none of this module's business: each kind has a file in `kernels/layers`.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from tsuzuki.errors import SettingError
from tsuzuki.network.activations import ACTIVATIONS, WHOLE_STEP

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Layer(ABC):
    """What every layer can say of itself.

    Attributes:
        gates: how many gates stand side by side in the last axis of its weights.
        states: how many arrays of `units` values it carries from step to step.
        merges: whether it takes several inputs.
        whole_rows: whether it looks across steps, so that rows must be whole: none may end before its last step.
        looks_ahead: whether a step of its output depends on later steps of its input.
        penalises: whether it adds to the loss.
    """

    gates: ClassVar[int] = 1
    states: ClassVar[int] = 0
    merges: ClassVar[bool] = False
    whole_rows: ClassVar[bool] = False
    looks_ahead: ClassVar[bool] = False
    penalises: ClassVar[bool] = False

    @abstractmethod
    def outputs(self, inputs: Sequence[int]) -> int:
        """How many values it gives for a step, from the sizes of its inputs."""

    def steps(self, inputs: Sequence[int]) -> int:
        """How many steps it gives, from those of its inputs: as many, or the last one where an input has only one."""
        if len(set(inputs) - {1}) > 1:
            raise SettingError(f"{self} merges inputs of {', '.join(map(str, inputs))} steps; give them as many")
        return min(inputs)

    def reads(self, steps: int, given: int) -> int:
        """How many steps of an input of `given` it needs for its own last `steps`; they are the last ones."""
        return given if self.whole_rows else steps

    def reads_from(self, place: int, steps: int, given: int) -> int:
        """`reads` of the input at a place among its inputs."""
        return self.reads(steps, given)

    def table_rows(self) -> int:
        """How many rows its weights have if they are a table to look numbers up in, 0 if they are multiplied."""
        return 0

    def shapes(self, inputs: int) -> dict[str, tuple[int, ...]]:
        """The shapes of its weights by Keras's names, in Keras's order."""
        return {}

    def untrained(self) -> tuple[str, ...]:
        """Those of its weights that no optimiser moves."""
        return ()

    def initial_bias(self, shape: tuple[int, ...]) -> "NDArray[np.float64]":
        """What its bias begins with."""
        import numpy as np

        return np.zeros(shape)

    def masks(self, inputs: Sequence[bool]) -> bool:
        """Whether its output has a mask of steps, from whether its inputs have one; most layers pass it on."""
        return all(inputs) and not self.whole_rows

    def mask(self, inputs: "NDArray[Any]", masks: "Sequence[NDArray[np.bool_]]") -> "NDArray[np.bool_]":
        """The mask of its output, where it has one: True where a step counts.

        Args:
            inputs: [..., steps, values], what a layer reads that makes a mask.
            masks: bool [..., steps], those of what it reads; a step counts that counts in one of them.
        """
        import numpy as np

        return np.asarray(np.any(masks, axis=0))

    def __str__(self) -> str:
        return repr(self)


class Recurrent(Layer):
    """A layer whose state goes on from step to step.

    Where steps are masked, its state stays as it is; but one that begins with the states of another layer takes these
    steps like others and only hands the mask on, as in Keras.

    Attributes:
        units: size of the state, >= 1.
        activation: one of `ACTIVATIONS`, except softmax and log_softmax.
        use_bias: whether there is a bias.
        dropout: share of the inputs that is dropped while training; one mask for all steps of an update.
        recurrent_dropout: likewise for the state where it enters the product with the recurrent kernel.
        return_sequences: whether the next layer sees every step. None: as its place asks for (every step before
            another recurrent layer; after the last one, every step if every step is scored).
        go_backwards: refused: a state carried from past to future cannot run from future to past. Where none is
            carried, put `Reverse()` before the layer.
        zero_output_for_mask: whether masked steps give zeros; otherwise they give the output before them, zeros before
            the first. Either way they leave the state as it is.
        stateful: whether its state is carried where a layout carries states; False: it is zero at the start of each row
            all the same.
    """

    units: int
    activation: str
    use_bias: bool
    dropout: float
    recurrent_dropout: float
    return_sequences: bool | None
    go_backwards: bool
    zero_output_for_mask: bool
    stateful: bool
    states: ClassVar[int] = 1

    def __post_init__(self) -> None:
        _check_units(self, self.units)
        for activation in (self.activation, getattr(self, "recurrent_activation", self.activation)):
            _check_activation(self, activation)
            if activation in WHOLE_STEP:
                raise SettingError(
                    f"{self} has activation {activation!r}, which looks at all units together; use it in a Dense or "
                    "Activation behind it"
                )
        for name in ("dropout", "recurrent_dropout"):
            check_rate(self, name, getattr(self, name))
        if self.go_backwards:
            raise SettingError(
                f"{self} has go_backwards=True, but a state carried from the past into the future cannot run "
                "backwards; leave it out, or put Reverse() before the layer where no state is carried"
            )

    def outputs(self, inputs: Sequence[int]) -> int:
        """The state is the output; inputs behind the first are the states that it begins with."""
        if len(inputs) > 1 and [*inputs[1:]] != [self.units] * self.states:
            sizes = ", ".join(map(str, inputs[1:]))
            raise SettingError(f"{self} begins with states of {sizes} values; give {self.states} of {self.units}")
        return self.units

    def steps(self, inputs: Sequence[int]) -> int:
        """As many as come in, or the last one."""
        return 1 if self.return_sequences is False else inputs[0]

    def reads(self, steps: int, given: int) -> int:
        """All of them."""
        return given

    def reads_from(self, place: int, steps: int, given: int) -> int:
        """All steps of its input, and of each state that it begins with the last."""
        return given if place == 0 else 1

    def shapes(self, inputs: int) -> dict[str, tuple[int, ...]]:
        """Kernel [inputs, gates * units], recurrent kernel [units, gates * units], bias [gates * units]."""
        wide = self.gates * self.units
        found: dict[str, tuple[int, ...]] = {"kernel": (inputs, wide), "recurrent_kernel": (self.units, wide)}
        return found | {"bias": (wide,)} if self.use_bias else found

    def masks(self, inputs: Sequence[bool]) -> bool:
        """The mask goes no further where only the last step does."""
        return inputs[0] and self.return_sequences is not False

    def __str__(self) -> str:
        return f"{type(self).__name__}({self.units})"


@dataclass(frozen=True)
class SimpleRNN(Recurrent):
    """h[t] = activation(x[t] W + h[t-1] V + b), as in `keras.layers.SimpleRNN`; the attributes are `Recurrent`'s."""

    units: int
    activation: str = "tanh"
    use_bias: bool = True
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    return_sequences: bool | None = None
    go_backwards: bool = False
    zero_output_for_mask: bool = False
    stateful: bool = True


@dataclass(frozen=True)
class GRU(Recurrent):
    """Gated recurrent unit (Cho et al. 2014), gates z, r, h as in `keras.layers.GRU`.

    `reset_after=True` is the variant of cuDNN with two biases, [2, 3 * units]; False applies the reset gate before the
    product with the recurrent kernel. The other attributes are `Recurrent`'s.
    """

    gates: ClassVar[int] = 3

    units: int
    activation: str = "tanh"
    recurrent_activation: str = "sigmoid"
    use_bias: bool = True
    reset_after: bool = True
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    return_sequences: bool | None = None
    go_backwards: bool = False
    zero_output_for_mask: bool = False
    stateful: bool = True

    def shapes(self, inputs: int) -> dict[str, tuple[int, ...]]:
        """As `Recurrent.shapes`, but for the bias of `reset_after`: [2, 3 * units]."""
        found = super().shapes(inputs)
        if self.use_bias and self.reset_after:
            found["bias"] = (2, *found["bias"])
        return found


@dataclass(frozen=True)
class LSTM(Recurrent):
    """Long short-term memory (Hochreiter and Schmidhuber 1997), gates i, f, c, o as in `keras.layers.LSTM`.

    `unit_forget_bias` starts the forget gate's bias at 1. The other attributes are `Recurrent`'s. Its states are the
    output and the cell.
    """

    gates: ClassVar[int] = 4
    states: ClassVar[int] = 2

    units: int
    activation: str = "tanh"
    recurrent_activation: str = "sigmoid"
    use_bias: bool = True
    unit_forget_bias: bool = True
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    return_sequences: bool | None = None
    go_backwards: bool = False
    zero_output_for_mask: bool = False
    stateful: bool = True

    def initial_bias(self, shape: tuple[int, ...]) -> "NDArray[np.float64]":
        """Zeros, but ones for the forget gate with `unit_forget_bias`."""
        values = super().initial_bias(shape)
        if self.unit_forget_bias:
            values[self.units : 2 * self.units] = 1
        return values


CELLS: dict[str, type[SimpleRNN] | type[GRU] | type[LSTM]] = {"simple_rnn": SimpleRNN, "gru": GRU, "lstm": LSTM}


@dataclass(frozen=True)
class Dense(Layer):
    """y = activation(x W + b), at each step by itself, as in `keras.layers.Dense`."""

    units: int
    activation: str = "linear"
    use_bias: bool = True

    def __post_init__(self) -> None:
        _check_units(self, self.units)
        _check_activation(self, self.activation)

    def outputs(self, inputs: Sequence[int]) -> int:
        """Its units."""
        return self.units

    def shapes(self, inputs: int) -> dict[str, tuple[int, ...]]:
        """Kernel [inputs, units] and bias [units]."""
        found: dict[str, tuple[int, ...]] = {"kernel": (inputs, self.units)}
        return found | {"bias": (self.units,)} if self.use_bias else found

    def __str__(self) -> str:
        return f"Dense({self.units})"


@dataclass(frozen=True)
class Activation(Layer):
    """An activation by itself, as `keras.layers.Activation`."""

    activation: str

    def __post_init__(self) -> None:
        _check_activation(self, self.activation)

    def outputs(self, inputs: Sequence[int]) -> int:
        """As many as come in."""
        return inputs[0]


@dataclass(frozen=True)
class Masking(Layer):
    """Mask the steps whose inputs all are `mask_value`, as `keras.layers.Masking`; there it gives zeros.

    A masked step leaves the states of the cells behind it as they are, and does not count in the loss.
    """

    mask_value: float = 0.0

    def __post_init__(self) -> None:
        if not math.isfinite(self.mask_value):
            raise SettingError(f"{self} has no finite mask_value; give a number that is compared with the inputs")

    def outputs(self, inputs: Sequence[int]) -> int:
        """As many as come in."""
        return inputs[0]

    def masks(self, inputs: Sequence[bool]) -> bool:
        """Its own."""
        return True

    def mask(self, inputs: "NDArray[Any]", masks: "Sequence[NDArray[np.bool_]]") -> "NDArray[np.bool_]":
        """Where a value differs from `mask_value`."""
        found: NDArray[np.bool_] = (inputs != inputs.dtype.type(self.mask_value)).any(axis=-1)
        return found


class _Merge(Layer):
    """A merge of inputs of equal size, value by value."""

    merges: ClassVar[bool] = True
    at_most: ClassVar[int | None] = None

    def outputs(self, inputs: Sequence[int]) -> int:
        """As many as each input has."""
        if len(set(inputs)) > 1:
            raise SettingError(f"{self} merges inputs of {', '.join(map(str, inputs))} values; give them the same size")
        if self.at_most is not None and len(inputs) != self.at_most:
            raise SettingError(f"{self} takes {self.at_most} inputs, not {len(inputs)}")
        return inputs[0]


@dataclass(frozen=True)
class Add(_Merge):
    """The sum of its inputs, as `keras.layers.Add`."""


@dataclass(frozen=True)
class Average(_Merge):
    """The mean of its inputs, as `keras.layers.Average`."""


@dataclass(frozen=True)
class Multiply(_Merge):
    """The product of its inputs, as `keras.layers.Multiply`."""


@dataclass(frozen=True)
class Maximum(_Merge):
    """The largest of its inputs, as `keras.layers.Maximum`; equal ones share the gradient evenly."""


@dataclass(frozen=True)
class Minimum(_Merge):
    """The smallest of its inputs, as `keras.layers.Minimum`; equal ones share the gradient evenly."""


@dataclass(frozen=True)
class Subtract(_Merge):
    """The first input less the second, as `keras.layers.Subtract`."""

    at_most: ClassVar[int | None] = 2


@dataclass(frozen=True)
class Concatenate(Layer):
    """Its inputs side by side, as `keras.layers.Concatenate`."""

    merges: ClassVar[bool] = True

    def outputs(self, inputs: Sequence[int]) -> int:
        """All that come in."""
        return sum(inputs)


def check_rate(layer: Layer, name: str, rate: float) -> None:
    """Raise SettingError where a rate of dropout is no share."""
    if not 0 <= rate < 1:
        raise SettingError(f"{layer} has {name} {rate}; give a share of at least 0 and below 1")


def _check_units(layer: Layer, units: int) -> None:
    if units < 1:
        raise SettingError(f"{layer} has no units; give at least 1")


def _check_activation(layer: Layer, activation: str) -> None:
    if activation not in ACTIVATIONS:
        raise SettingError(f"{layer} has activation {activation!r}; choose one of {', '.join(ACTIVATIONS)}")
