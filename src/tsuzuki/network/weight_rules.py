"""What holds for single arrays of weights: penalties on their size, bounds after each update, no training at all."""

from dataclasses import dataclass

from tsuzuki.errors import SettingError


@dataclass(frozen=True)
class MaxNorm:
    """The norm of each unit's weights is at most `max_value` (`keras.constraints.MaxNorm`)."""

    max_value: float = 2.0


@dataclass(frozen=True)
class NonNeg:
    """No weight is negative (`keras.constraints.NonNeg`)."""


@dataclass(frozen=True)
class UnitNorm:
    """The norm of each unit's weights is 1 (`keras.constraints.UnitNorm`)."""


@dataclass(frozen=True)
class MinMaxNorm:
    """The norm of each unit's weights moves by `rate` into the bounds (`keras.constraints.MinMaxNorm`)."""

    min_value: float = 0.0
    max_value: float = 1.0
    rate: float = 1.0


Constraint = MaxNorm | NonNeg | UnitNorm | MinMaxNorm


@dataclass(frozen=True)
class WeightRule:
    """What holds for one array of weights of a network, as Keras's regularisers, constraints and `trainable` say it.

    Attributes:
        layer: position of its layer.
        name: the array's name: kernel, recurrent_kernel or bias.
        l1: factor of the sum of magnitudes that is added to the loss.
        l2: factor of the sum of squares that is added to the loss.
        constraint: applied after each update. A norm is taken over the first axis: of the weights into a unit.
        trainable: whether updates change it.
    """

    layer: int
    name: str
    l1: float = 0.0
    l2: float = 0.0
    constraint: Constraint | None = None
    trainable: bool = True

    def __post_init__(self) -> None:
        if self.l1 < 0 or self.l2 < 0:
            raise SettingError(f"l1={self.l1} and l2={self.l2} of {self.name} are to be at least 0; give such factors")
