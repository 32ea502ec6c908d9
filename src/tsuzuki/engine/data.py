"""What a network made ready is built for: the shape of its rows, the arrays that they read, what is minimised."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tsuzuki.errors import SettingError
from tsuzuki.layouts.layout import Layout
from tsuzuki.network.losses import Loss
from tsuzuki.network.network import Network


class RowShape(NamedTuple):
    """The shape of an update's rows.

    Attributes:
        lanes: rows of an update, >= 1.
        timesteps: steps of a row, >= 1.
        every_step: whether the last recurrent layer returns, and the loss scores, each step or only the last.
    """

    lanes: int
    timesteps: int = 1
    every_step: bool = True

    @classmethod
    def of(cls, layout: Layout) -> "RowShape":
        """The shape of a layout's rows."""
        return cls(layout.lanes, layout.timesteps, layout.every_step)


@dataclass(frozen=True)
class Data:
    """What rows read from: flat arrays, reached only through the layout's positions.

    Attributes:
        inputs: float32 [points, features]; the network's inputs are these and the lags.
        targets: float32 [points, stride]; row i belongs to the forecast made from the inputs up to i - 1. NaN is
            missing and not scored.
        horizon: target values of a forecast. With stride 1 and a horizon of 24 the targets at i are the rows i to
            i + 23.
        residual: the network forecasts the change from the first input one step before the target.
        sample_weights: float32 [points], the weight of the target at each position, or [points, ends], or None.
        lags: pairs (behind, over): the mean of `over` first inputs that end `behind` steps before a position, less the
            one at it, is an input too. As many rows as the longest reaches back must stand before every row read.
        spacing: rows from one step of a series to its next, where lags are; more than 1 for rows of one step only.
        impute_from: the output whose forecast replaces a first input that is NaN, written into `inputs`; rows of one
            step only.
    """

    inputs: NDArray[np.float32]
    targets: NDArray[np.float32] | None
    horizon: int
    residual: bool = False
    sample_weights: NDArray[np.float32] | None = None
    lags: tuple[tuple[int, int], ...] = ()
    spacing: int = 1
    impute_from: int | None = None


def check_columns(network: Network, inputs: NDArray[np.float32], lags: Sequence[tuple[int, int]]) -> None:
    """Check that rows have as many inputs as the network reads; the compiled program would read beside them.

    Raises:
        SettingError: they have not.
    """
    columns = inputs.shape[1] + len(lags)
    if columns != network.inputs:
        raise SettingError(
            f"inputs have {columns} columns{' with their lags' if lags else ''}, but the network takes "
            f"{network.inputs}; change one of the two"
        )


def check_numbers(network: Network, data: Data) -> None:
    """Check the inputs that are looked up in a table.

    Raises:
        SettingError: a number that is not whole, or not in the table.
    """
    for layer, read in zip(network.layers, network.sources, strict=True):
        rows = layer.table_rows()
        if not rows:
            continue
        source = read[0]
        while source >= 0:
            source = network.sources[source][0]
        first = sum(network.input_sizes[: -1 - source])
        # One number a step, or those of a part that another layer lays out as steps.
        count = 1 if read[0] < 0 else (network.input_sizes or (network.inputs,))[-1 - source]
        values = data.inputs[:, first : first + count]
        wrong = ~((values >= 0) & (values < rows) & (values == np.floor(values)))
        if wrong.any():
            place, column = (int(i) for i in np.argwhere(wrong)[0])
            raise SettingError(
                f"the inputs have {values[place, column]:g} in row {place}, column {first + column}, but {layer} takes "
                f"whole numbers from 0 to {rows - 1}; give such, or a larger input_dim"
            )


@dataclass(frozen=True)
class Objective:
    """What is minimised of a network, or of one of its ends.

    Attributes:
        loss: its loss.
        output_weights: float32 [outputs], a factor for each output's share in it, or None.
        weight: a factor for the loss's share in what is minimised.
    """

    loss: Loss
    output_weights: NDArray[np.float32] | None = None
    weight: float = 1.0
