"""One series, a reading at a time: a value in, the next steps out, in a few microseconds."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tsuzuki.errors import SettingError
from tsuzuki.streaming.bank import Bank
from tsuzuki.streaming.cursor import Cursor, as_number
from tsuzuki.streaming.quick_reading import takes_none
from tsuzuki.streaming.readings import nanoseconds
from tsuzuki.streaming.upcoming_calendar import ahead, steps_due

if TYPE_CHECKING:
    import pandas as pd

    from tsuzuki.forecasting.fitted import Fitted
    from tsuzuki.forecasting.settings import Settings


class Stream(Cursor):
    """One series and where the networks stand in it.

    Args:
        fitted: what training left.
        settings: of the forecaster.
        unique_id: the series; None where there is only one.
        learns: whether the weights may still change.

    Raises:
        SettingError: an unknown series, or none named where there are several.
    """

    def __init__(
        self, fitted: "Fitted", settings: "Settings", unique_id: str | None = None, *, learns: bool = False
    ) -> None:
        if unique_id is None and len(fitted.ids) > 1:
            raise SettingError(f"the forecaster knows {len(fitted.ids)} series; name one: unique_id={fitted.ids[0]!r}")
        name = fitted.ids[0] if unique_id is None else unique_id
        if name not in fitted.ids:
            raise SettingError(f"series {name!r} is not known ({', '.join(fitted.ids[:5])}); use a bank for new series")
        super().__init__(Bank(fitted, settings, [name], learns=learns), 0)
        # Where nothing follows from a reading but a forecast, `update` need not call `take`.
        self._update_quickly = takes_none if learns else self._quick

    def update(
        self, value: float | None, ds: Any = None, *, known: Any = None, past: "Mapping[str, Any] | None" = None
    ) -> NDArray[np.float32]:
        """Take the next reading and forecast.

        Args:
            value: the reading; None or NaN where it is missing: the network's own forecast is fed.
            ds: its time. Steps that were passed over count as missing; without a time it is the next step's.
            known: columns known ahead by name, each [1 + horizon]: at the reading's own time and at the next ones; or a
                frame with ds and these columns. Once told, a time need not be told again.
            past: columns known up to now by name; without one, or at NaN, its last value stays.

        Returns:
            float32 [horizon], in the series' unit.

        Raises:
            DataError: an infinite value, a late or repeated time, or one beside the grid; columns that lack a value.
            SettingError: columns that the networks do not read.
        """
        if ds is None and known is None and not past and self._update_quickly(value):
            return self._latest.copy()
        if self.bank.covariates is not None or known is not None or past:
            return self._update_beside(value, ds, known, past)
        if ds is not None:
            if value is not None and value == value:
                as_number(value)
            self.reach(nanoseconds(ds, self._fitted.zone))
        self.take(value)
        return self.forecast()

    def _update_beside(
        self, value: float | None, ds: Any, known: Any, past: "Mapping[str, Any] | None"
    ) -> NDArray[np.float32]:
        """`update` of a series with covariates."""
        stamp = None if ds is None else nanoseconds(ds, self._fitted.zone)
        if isinstance(known, Mapping) and stamp is not None:
            # What is known begins at the reading's own time, which steps may lie before.
            due = steps_due(self._fitted, self.bank.ids[0], self.now, stamp)
            start = (
                self.now
                if due == 1
                else int(ahead(self._fitted, self.bank.ids[0], self.now, due - 1)[-1].astype(np.int64))
            )
            bank = self.settle()
            if bank.covariates is not None:
                bank.covariates.learn(known, self._only, np.array([start]))
        elif known is not None or past:
            self.settle().tell(self._only, known, past)
        if stamp is not None:
            self.reach(stamp)
        self.past = past
        try:
            self.take(value)
        finally:
            self.past = None
        return self.forecast()

    def interval(self, level: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The ends of the interval around the latest forecast, [horizon] each.

        Raises:
            SettingError: a level that cannot be had.
        """
        low, high = self.settle().interval(level)
        return low[0], high[0]

    def predict(self, levels: Sequence[float] | None = None) -> "pd.DataFrame":
        """The latest forecast as a frame with intervals, as `Forecaster.predict` gives it."""
        import pandas as pd

        from tsuzuki.data.zones import in_zone

        times = ahead(self._fitted, self.bank.ids[0], self.now, self._settings.horizon)
        stamps = in_zone(times, self._fitted.zone)
        columns: dict[str, Any] = {"unique_id": self.bank.ids[0], "ds": stamps, "tsuzuki": self.forecast()}
        for level in self._settings.levels if levels is None else levels:
            columns[f"tsuzuki-lo-{level:g}"], columns[f"tsuzuki-hi-{level:g}"] = self.interval(level)
        return pd.DataFrame(columns)

    def save(self, path: str | Path) -> None:
        """Write where the stream stands; the model itself is not in it.

        Raises:
            FileError: it cannot be written.
        """
        self.settle().save(path)

    def load(self, path: str | Path) -> "Stream":
        """Go to where `save` stood, bit for bit.

        Raises:
            FileError: the file is not whole, or holds the state of another model or series.
        """
        self.bank.load(path)
        self.resume()
        return self
