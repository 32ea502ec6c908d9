"""A forecasting model for Darts' backtests and comparisons: `from tsuzuki.darts import TsuzukiModel`.

The extra is `darts`. Series whose index is numbers are read as days, without a calendar.
"""

from typing import Any

import numpy as np
import pandas as pd

from tsuzuki.errors import MissingExtraError, SettingError
from tsuzuki.forecaster import Forecaster

try:
    from darts import TimeSeries
    from darts.models.forecasting.forecasting_model import LocalForecastingModel
except ImportError:
    raise MissingExtraError(
        'TsuzukiModel needs the package darts, which is not installed; install it with: pip install "tsuzuki[darts]"'
    ) from None

FIRST = pd.Timestamp("2000-01-01")


class TsuzukiModel(LocalForecastingModel):  # type: ignore[misc]
    """tsuzuki's forecaster of one series, with missing readings where there are any.

    Args:
        horizon: steps ahead, at most, that `predict` is asked for.
        settings: further settings of `tsuzuki.Forecaster` by name.

    Attributes:
        settings: these.
        forecaster: the `tsuzuki.Forecaster`, once fitted; its `predict` gives intervals.

    Raises:
        SettingError: settings that cannot work.

    Example:
        TsuzukiModel(24).fit(series).predict(24)
    """

    def __init__(self, horizon: int = 24, **settings: Any) -> None:
        super().__init__()
        self.horizon, self.settings = horizon, settings
        Forecaster(horizon, **settings)
        self.forecaster: Forecaster | None = None

    @property
    def supports_multivariate(self) -> bool:
        """One series is forecast; several columns would be several series."""
        return False

    def fit(self, series: TimeSeries, verbose: bool | None = None) -> "TsuzukiModel":
        """Train on one series."""
        super().fit(series, verbose=verbose)
        self._assert_univariate(series)
        index, calendar = series.time_index, {}
        if not isinstance(index, pd.DatetimeIndex):
            index = FIRST + pd.to_timedelta(np.asarray(index, np.int64) - int(index[0]), unit="D")
            calendar = {"with_calendar": False}
        self.forecaster = Forecaster(self.horizon, **calendar | self.settings)
        self.forecaster.fit(pd.Series(series.values()[:, 0].astype(np.float64), index, name="y"))
        return self

    def predict(
        self,
        n: int,
        num_samples: int = 1,
        verbose: bool | None = None,
        show_warnings: bool = True,
        random_state: int | None = None,
    ) -> TimeSeries:
        """The next n steps.

        Raises:
            SettingError: more steps than the horizon.
        """
        super().predict(n, num_samples)
        if n > self.horizon:
            raise SettingError(f"predict is asked for {n} steps, but the model has {self.horizon}; raise its horizon")
        assert self.forecaster is not None
        return self._build_forecast_series(self.forecaster.predict(levels=[])["tsuzuki"].to_numpy()[:n])
