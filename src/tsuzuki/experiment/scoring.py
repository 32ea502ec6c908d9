"""Errors of forecasts on the targets that all variants share, and of persistence on the same."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tsuzuki.experiment.prepared_data import PreparedData

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Scores:
    """Errors of finished weights; those of the test part are NaN where nothing is held out.

    Attributes:
        train_mse: of scaled values, on the training targets.
        test_mse: likewise, on the held-out targets.
        test_rmse: in the series' unit.
    """

    train_mse: float
    test_mse: float
    test_rmse: float


def score(data: PreparedData, forecasts: "NDArray[np.float32]") -> Scores:
    """Score forecasts [points] of scaled values on the targets that all variants share."""
    import numpy as np

    errors = data.scaled[:, 0].astype(np.float64) - forecasts
    test = data.test_targets

    def mean(values: "NDArray[np.float64]") -> float:
        return float(np.mean(values)) if len(values) else math.nan

    return Scores(
        train_mse=mean(errors[data.train_targets] ** 2),
        test_mse=mean(errors[test] ** 2),
        test_rmse=math.sqrt(mean((errors[test] * data.deviations[test]) ** 2)),
    )


def persistence(data: PreparedData) -> Scores:
    """Score the forecast that the next value is the last one."""
    import numpy as np

    last = np.roll(data.scaled[:, 0], 1)
    return score(data, last)
