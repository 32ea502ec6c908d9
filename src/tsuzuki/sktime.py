"""A forecaster for sktime's pipelines, searches and evaluations: `from tsuzuki.sktime import TsuzukiForecaster`.

The extra is `sktime`. Whatever the index of a series is, tsuzuki sees times: periods begin at theirs, and numbers count
days, without a calendar.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tsuzuki.errors import MissingExtraError
from tsuzuki.forecaster import Forecaster

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

try:
    from sktime.forecasting.base import BaseForecaster
except ImportError:
    raise MissingExtraError(
        "TsuzukiForecaster needs the package sktime, which is not installed; install it with: pip install "
        '"tsuzuki[sktime]"'
    ) from None

FIRST = pd.Timestamp("2000-01-01")


class TsuzukiForecaster(BaseForecaster):  # type: ignore[misc]
    """tsuzuki's forecaster: recurrent networks, ridge and seasonal forecasts, with conformal intervals.

    The steps to forecast are given to `fit`, as the networks forecast all of them at once; they lie ahead of the data.
    Missing readings may stand in the series.

    Args:
        units: units of each recurrent layer.
        ensemble: networks that are averaged.
        epochs: passes over the data.
        seed: same seed, same bits.
        settings: further settings of `tsuzuki.Forecaster` by name, or None.

    Attributes:
        model_: the `tsuzuki.Forecaster`.

    Examples:
        >>> from sktime.datasets import load_airline
        >>> from tsuzuki.sktime import TsuzukiForecaster
        >>> model = TsuzukiForecaster(units=8, ensemble=1, epochs=2).fit(load_airline(), fh=[1, 2, 3])
        >>> len(model.predict())
        3
    """

    _tags = {  # noqa: RUF012 - sktime reads a dictionary of the class.
        "authors": "tsuzuki",
        "maintainers": "tsuzuki",
        "y_inner_mtype": "pd.Series",
        "X_inner_mtype": "pd.DataFrame",
        "scitype:y": "univariate",
        "capability:exogenous": False,
        "requires-fh-in-fit": True,
        "capability:missing_values": True,
        "capability:insample": False,
        "capability:pred_int": True,
        "capability:pred_int:insample": False,
        "capability:random_state": False,
    }

    def __init__(
        self,
        units: int = 64,
        ensemble: int = 4,
        epochs: int = 20,
        seed: int = 0,
        settings: "Mapping[str, Any] | None" = None,
    ) -> None:
        self.units = units
        self.ensemble = ensemble
        self.epochs = epochs
        self.seed = seed
        self.settings = settings
        super().__init__()

    def _fit(self, y: pd.Series, X: Any, fh: Any) -> "TsuzukiForecaster":
        steps = self._steps(fh)
        chosen = {"units": self.units, "ensemble": self.ensemble, "epochs": self.epochs, "seed": self.seed}
        numbered = not isinstance(y.index, pd.DatetimeIndex | pd.PeriodIndex)
        calendar = {"with_calendar": False} if numbered else {}
        self.model_ = Forecaster(int(steps.max()), **chosen | calendar | dict(self.settings or {}))
        self.model_.fit(pd.Series(y.to_numpy(np.float64), self._times(y.index), name="y"))
        return self

    def _predict(self, fh: Any, X: Any) -> pd.Series:
        values = self.model_.predict(levels=[])["tsuzuki"].to_numpy()
        index = fh.to_absolute_index(self.cutoff)
        return pd.Series(values[self._steps(fh) - 1], index, name=self._y.name)

    def _predict_interval(self, fh: Any, X: Any, coverage: "Sequence[float]") -> pd.DataFrame:
        levels = [100 * share for share in coverage]
        found = self.model_.predict(levels=levels)
        index, steps = fh.to_absolute_index(self.cutoff), self._steps(fh) - 1
        name = self._get_varnames()[0]
        columns = {
            (name, share, end): found[f"tsuzuki-{end[:2].replace('up', 'hi')}-{level:g}"].to_numpy()[steps]
            for share, level in zip(coverage, levels, strict=True)
            for end in ("lower", "upper")
        }
        return pd.DataFrame(columns, index).reindex(columns=pd.MultiIndex.from_tuples(columns))

    def _steps(self, fh: Any) -> Any:
        """The steps ahead that are wanted, [steps]."""
        return np.asarray(fh.to_relative(self.cutoff).to_pandas(), np.int64)

    def _times(self, index: pd.Index) -> pd.DatetimeIndex:
        """An index as times."""
        if isinstance(index, pd.PeriodIndex):
            return index.to_timestamp()
        if isinstance(index, pd.DatetimeIndex):
            return index
        return FIRST + pd.to_timedelta(np.asarray(index, np.int64) - int(index[0]), unit="D")

    @classmethod
    def get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:
        """Settings for sktime's own checks."""
        return [
            {"units": 2, "ensemble": 1, "epochs": 1},
            {"units": 3, "ensemble": 2, "epochs": 1, "settings": {"cell": "lstm", "max_gap": 3}},
        ]
