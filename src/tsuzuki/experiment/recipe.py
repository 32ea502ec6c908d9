"""The settings of a comparison: the network, its training, and what is held out."""

import math
from dataclasses import dataclass

from tsuzuki.errors import SettingError
from tsuzuki.network.layers import CELLS, Dense, Layer
from tsuzuki.network.network import Network


@dataclass(frozen=True)
class Recipe:
    """The network and its training.

    Attributes:
        cell: simple_rnn, gru or lstm.
        layers: recurrent layers, stacked.
        units: of each recurrent layer and of the Dense(tanh) between them and the output.
        timesteps: inputs of a window.
        batch_size: rows of an update.
        epochs: over all windows; streams train for timesteps times as many epochs, each over single observations.
        seeds: number of paired runs.
        learning_rate: of RMSprop.
        test_fraction: the last part of each series that is held out; 0 trains on all data.
        max_gap: longest gap in steps that is interpolated.
    """

    cell: str = "simple_rnn"
    layers: int = 1
    units: int = 10
    timesteps: int = 6
    batch_size: int = 6
    epochs: int = 3
    seeds: int = 10
    learning_rate: float = 0.001
    test_fraction: float = 0.2
    max_gap: int = 24

    def __post_init__(self) -> None:
        if self.cell not in CELLS:
            raise SettingError(f"--cell is {self.cell!r}; choose one of {', '.join(CELLS)}")
        for name in ("layers", "units", "timesteps", "batch_size", "epochs", "seeds"):
            if getattr(self, name) < 1:
                raise SettingError(f"--{name.replace('_', '-')} is {getattr(self, name)}; give a whole number from 1")
        if not 0 <= self.test_fraction < 1:
            raise SettingError(f"--test-fraction is {self.test_fraction}; give a share of at least 0 and below 1")
        if not (self.learning_rate > 0 and math.isfinite(self.learning_rate)):
            raise SettingError(f"--learning-rate is {self.learning_rate}; give a number above 0, such as 0.001")
        if self.max_gap < 0:
            raise SettingError(f"--max-gap is {self.max_gap}; give a number of steps from 0")

    @property
    def network(self) -> Network:
        """The network of the recipe: recurrent layers, Dense(units, tanh), Dense(1)."""
        layers: list[Layer] = [CELLS[self.cell](self.units) for _ in range(self.layers)]
        return Network(1, (*layers, Dense(self.units, "tanh"), Dense(1)))
