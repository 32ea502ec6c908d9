"""One series, a reading at a time: a value in, the next steps out, in a few microseconds."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tsuzuki.errors import DataError, SettingError
from tsuzuki.streaming import MONTH, Bank

if TYPE_CHECKING:
    import pandas as pd

    from tsuzuki.fitting import Fitted, Settings

ONLY = np.zeros(1, np.int64)


class Stream:
    """One series and where the networks stand in it.

    Args:
        fitted: what training left.
        settings: of the forecaster.
        unique_id: the series; None where there is only one.
        learns: whether the weights may still change.

    Raises:
        SettingError: an unknown series, or none named where there are several; networks that read covariates.
    """

    def __init__(
        self, fitted: "Fitted", settings: "Settings", unique_id: str | None = None, *, learns: bool = False
    ) -> None:
        if unique_id is None and len(fitted.ids) > 1:
            raise SettingError(f"the forecaster knows {len(fitted.ids)} series; name one: unique_id={fitted.ids[0]!r}")
        name = fitted.ids[0] if unique_id is None else unique_id
        if name not in fitted.ids:
            raise SettingError(f"series {name!r} is not known ({', '.join(fitted.ids[:5])}); use a bank for new series")
        self.bank = Bank(fitted, settings, [name], learns=learns)
        self._settings, self._fitted = settings, fitted
        self._ready()

    def _ready(self) -> None:
        """Keep at hand what every reading needs."""
        bank = self.bank
        self._mean, self._scale = (float(value) for value in bank.scales[0])
        self._calls = bank.call(1)
        self._first = [rows[0] for rows in bank.rows]
        for block, _, _ in self._calls:
            block.valid[0, 0], block.entries[0, 0], block.exits[0, 0] = 1, 0, 0
        self._at, self._missed = int(bank.at[0]), int(bank.missing[0])
        self._time = int(bank.stamps[0].astype(np.int64))

    @property
    def at(self) -> int:
        """Which of the bank's rows was run last."""
        return self._at

    @property
    def missed(self) -> int:
        """How many readings in a row are missing; one that begins anew counts as too many."""
        return self._missed

    @property
    def time(self) -> np.datetime64:
        """The time of the last reading, missing or not."""
        return np.datetime64(self._time, "ns")

    def update(self, value: float | None, ds: Any = None) -> NDArray[np.float32]:
        """Take the next reading and forecast.

        Args:
            value: the reading; None or NaN where it is missing: the network's own forecast is fed.
            ds: its time. Steps that were passed over count as missing; without a time it is the next step's.

        Returns:
            float32 [horizon], in the series' unit.

        Raises:
            DataError: an infinite value, a late or repeated time, or one beside the grid.
        """
        if ds is not None:
            self._reach(ds)
        self.take(value)
        return self.forecast()

    def forecast(self) -> NDArray[np.float32]:
        """The latest forecast, float32 [horizon]."""
        if self._settings.quantiles:
            return np.asarray(self.settle().forecasts()[0])
        found = self._calls[0][1][0]
        if len(self._calls) > 1:
            found = np.add.reduce([call[1][0] for call in self._calls])
            return np.asarray(found * np.float32(self._scale / len(self._calls)) + np.float32(self._mean))
        return np.asarray(found * np.float32(self._scale) + np.float32(self._mean))

    def take(self, value: float | None) -> None:
        """Move on by one step. What a bank does for many, here without its bookkeeping."""
        bank = self.bank
        if self._at + 1 == bank.cap or self._fitted.step >= MONTH:
            self.settle()
            if self._at + 1 == bank.cap:
                bank.wrap(ONLY)
                self._at = int(bank.at[0])
        absent = value is None or value != value
        if absent:
            scaled, entry = float("nan"), 0
            self._missed += 1
        else:
            scaled, entry = (float(value) - self._mean) / self._scale, 0  # type: ignore[arg-type]
            if scaled - scaled != 0:
                raise DataError(f"the reading {value} is infinite; give None where it is missing")
            anew = self._missed > self._settings.max_gap
            self._missed = 0
            if anew:
                entry = -1
                for rows in self._first:
                    rows[self._at + 1 - bank.before : self._at + 1, 0] = scaled
        self._at += 1
        self._time = self._time + self._fitted.step if self._fitted.step < MONTH else self._next_month()
        for rows, (block, _, call) in zip(self._first, self._calls, strict=True):
            rows[self._at, 0] = scaled
            rows[self._at, 1] = absent
            block.starts[0, 0] = self._at
            block.entries[0, 0] = entry
            call()

    def _next_month(self) -> int:
        bank = self.bank
        return int(bank.next_stamps(ONLY)[0].astype(np.int64))

    def settle(self) -> Bank:
        """Tell the bank where the stream has got to, and return it."""
        bank = self.bank
        bank.at[0], bank.missing[0] = self._at, self._missed
        bank.stamps[0] = np.datetime64(self._time, "ns")
        bank.latest[0] = np.mean([call[1][0] for call in self._calls], axis=0)
        return bank

    def resume(self) -> None:
        """Go to where the bank has been put."""
        self._ready()
        for _, found, _ in self._calls:
            found[0] = self.bank.latest[0]

    def _reach(self, ds: Any) -> None:
        """Pass over the steps before a time; they are missing readings."""
        stamp = int(np.datetime64(ds, "ns").astype(np.int64))
        ahead = self.bank.steps_to(0, stamp, self._time)
        steps = round(ahead)
        if steps < 1:
            word = "a second reading for" if steps == 0 else "late: it lies before"
            raise DataError(
                f"the reading of {np.datetime64(stamp, 's')} is {word} {np.datetime64(self._time, 's')}, "
                "where the stream stands; leave it out"
            )
        if abs(ahead - steps) > 0.25:
            raise DataError(
                f"the reading of {np.datetime64(stamp, 's')} lies beside the grid, {ahead - steps:+.2f} steps from a "
                "time that a reading is due; correct its time"
            )
        if steps - 1 > self._settings.max_gap:
            self._pass(steps - 1)
        else:
            for _ in range(steps - 1):
                self.take(None)

    def _pass(self, steps: int) -> None:
        """Pass over so many steps that the state begins anew."""
        self.settle().jump(0, steps)
        self.resume()

    def interval(self, level: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The ends of the interval around the latest forecast, [horizon] each.

        Raises:
            SettingError: a level that cannot be had.
        """
        low, high = self.settle().interval(level)
        return low[0], high[0]

    def predict(self, levels: Sequence[float] = (80, 95)) -> "pd.DataFrame":
        """The latest forecast as a frame with intervals, as `Forecaster.predict` gives it."""
        import pandas as pd

        ahead = self.bank.ahead(0, self._settings.horizon, self._time)
        columns: dict[str, Any] = {"unique_id": self.bank.ids[0], "ds": ahead, "tsuzuki": self.forecast()}
        for level in levels:
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
