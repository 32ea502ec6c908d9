"""What the forecasters of `accuracy.py` are measured on: hourly series, and where their test parts begin."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from tsuzuki import read
from tsuzuki.data.covariates import CovariateNames, covariate_series
from tsuzuki.data.frames import as_long

TRAINED = 0.8
FILES = {
    "jfk": "jfk_temperature.csv",
    "dongsi": "beijing_dongsi_temperature.csv",
    "changping": "beijing_changping_temperature.csv",
}


@dataclass(frozen=True)
class Split:
    """One or several hourly series of equal length, and where their test parts begin.

    Attributes:
        frame: long, the readings as they are.
        values: float64 [series, points] on the grid, a missing one as the last before it.
        times: datetime64 [series, points].
        ids: the series.
        cut: points to train on.
        horizon: steps ahead.
    """

    frame: pd.DataFrame
    values: np.ndarray
    times: np.ndarray
    ids: tuple[str, ...]
    cut: int
    horizon: int

    @property
    def windows(self) -> int:
        """How many origins the test part has."""
        return self.values.shape[1] - self.cut - self.horizon + 1

    def long(self, stop: int | None = None) -> pd.DataFrame:
        """The filled series as a long frame, up to the position `stop`."""
        count = self.values[:, :stop].shape[1]
        return pd.DataFrame(
            {
                "unique_id": np.repeat(np.array(self.ids, object), count),
                "ds": self.times[:, :stop].ravel(),
                "y": self.values[:, :stop].ravel(),
            }
        )


def split_of(folder: Path, names: tuple[str, ...], horizon: int) -> Split:
    """Read series and find where their last fifth begins."""
    frame = pd.concat([read(folder / FILES[name]).frame for name in names], ignore_index=True)
    sources = covariate_series(as_long(frame), CovariateNames(), max_gap=24, merge=True)
    values = pd.DataFrame(np.stack([source.values for source in sources])).ffill(axis=1).to_numpy()
    cut = int(TRAINED * (values.shape[1] // 24)) * 24
    times = np.stack([source.times for source in sources])
    return Split(frame, values, times, tuple(source.name for source in sources), cut, horizon)
