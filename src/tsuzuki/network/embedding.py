"""Whole numbers as vectors."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tsuzuki.errors import SettingError
from tsuzuki.network.layers import Layer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Inputs are float32, which hold whole numbers exactly up to here.
MOST = 1 << 24


@dataclass(frozen=True)
class Embedding(Layer):
    """A row of a table for the number that each step holds, as `keras.layers.Embedding`.

    Numbers come as float32; one that is not whole, or not from 0 to `input_dim` - 1, makes the loss NaN. Only the rows
    of numbers that come are read. An optimiser moves the whole table, by the gradient summed over all occurrences of a
    number: most formulas move rows that no number named as well, as their means fade.

    Attributes:
        input_dim: rows of the table, from 1 to 2^24.
        output_dim: values of a row.
        mask_zero: whether steps with the number 0 do not count, as behind `Masking`.
        by_occurrence: whether an optimiser that squares gradients, and clipping, see the gradient of each occurrence by
            itself, as TensorFlow's do (`tf.IndexedSlices`), and not their sum.
    """

    input_dim: int
    output_dim: int
    mask_zero: bool = False
    by_occurrence: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.input_dim <= MOST or self.output_dim < 1:
            raise SettingError(f"{self} has no table; give input_dim from 1 to {MOST} and output_dim from 1")

    def outputs(self, inputs: Sequence[int]) -> int:
        """The values of a row."""
        if inputs[0] != 1:
            raise SettingError(f"{self} reads {inputs[0]} values a step; give it an input of one number")
        return self.output_dim

    def table_rows(self) -> int:
        """input_dim."""
        return self.input_dim

    def shapes(self, inputs: int) -> dict[str, tuple[int, ...]]:
        """The table, [input_dim, output_dim]."""
        return {"embeddings": (self.input_dim, self.output_dim)}

    def masks(self, inputs: Sequence[bool]) -> bool:
        """Its own, if it has one."""
        return self.mask_zero

    def mask(self, inputs: "NDArray[Any]", masks: "Sequence[NDArray[np.bool_]]") -> "NDArray[np.bool_]":
        """Where the number is not 0."""
        found: NDArray[np.bool_] = inputs[..., 0] != 0
        return found
