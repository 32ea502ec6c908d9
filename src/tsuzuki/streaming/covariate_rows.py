"""Covariates of series that are followed a reading at a time: what is known ahead, what has been seen, what stays.

Columns known ahead are written down by their times as they become known; holidays follow from the times. A reading is
taken when the columns of its own time and of the next `horizon` ones are known.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tsuzuki.data.covariates import align_to_grid
from tsuzuki.data.public_holidays import is_computed
from tsuzuki.errors import DataError, SettingError
from tsuzuki.forecasting.follow import follow_waiting
from tsuzuki.forecasting.predict import rows_that_wait
from tsuzuki.streaming.upcoming_calendar import ahead

if TYPE_CHECKING:
    from tsuzuki.forecasting.fitted import Fitted
    from tsuzuki.forecasting.settings import Settings
    from tsuzuki.forecasting.transforms import Transform
    from tsuzuki.streaming.bank import Bank

# Times whose holidays are told at once.
TOGETHER = 1024


class CovariateRows:
    """What networks read beside the values of some series.

    Args:
        fitted: what training left.
        settings: of the forecaster.
        ids: the series; what stays the same of one that training has not seen is the mean of those it has.

    Attributes:
        columns: numbers of a row.
        states: float32 [series, numbers]: whether rows before the first reading are still to be run, the columns seen
            last, and the effects of what is known ahead on the latest forecasts.
    """

    def __init__(self, fitted: "Fitted", settings: "Settings", ids: Sequence[str]) -> None:
        self._fitted, self._names, self._ids, self._horizon = fitted, settings.columns, ids, settings.horizon
        trained = {name: number for number, name in enumerate(fitted.ids)}
        source = [trained.get(name) for name in ids]
        past, known = len(self._names.past), len(self._names.known)
        self.columns = past + len(self._names.static) + known * settings.horizon
        last = np.stack(
            [
                fitted.last_covariates[n] if n is not None else np.zeros(past + known + len(self._names.static))
                for n in source
            ]
        )
        self._static = last[:, past + known :].astype(np.float32)
        mean = fitted.effects.slopes.mean(axis=0)
        self._slopes = np.stack([fitted.effects.slopes[n] if n is not None else mean for n in source])
        self._scales = fitted.covariate_scales
        self.states = np.zeros((len(ids), 1 + past + settings.horizon), np.float32)
        self.states[:, 0] = [float(known > 0 and n is not None) for n in source]
        self.states[:, 1 : 1 + past] = last[:, :past]
        # What is known ahead of each series, by time in nanoseconds since 1970.
        self._plans: list[dict[int, NDArray[np.float64]]] = [{} for _ in ids]

    @property
    def _given(self) -> list[int]:
        """The places of the columns that must be given among those known ahead."""
        return [place for place, name in enumerate(self._names.known) if not is_computed(name)]

    def learn(self, known: Any, which: NDArray[np.int64], now: NDArray[np.int64]) -> None:
        """Write down what is known ahead.

        Args:
            known: by column, the values at the next reading's time and at the `horizon` ones behind it,
                [series, 1 + horizon]; or a long frame, as for `Forecaster.predict`.
            which: the series.
            now: int64 [series], where they stand, in nanoseconds since 1970.

        Raises:
            DataError: a column is missing, or has another shape, or holds what is no number.
        """
        needed, given = self._names.given_ahead, self._given
        if not needed:
            raise SettingError("the forecaster reads no columns that are given ahead; leave known out")
        if not isinstance(known, Mapping):
            self.learn_frame(known)
            return
        steps = 1 + self._horizon
        values = np.empty((len(which), steps, len(needed)))
        for place, name in enumerate(needed):
            if name not in known:
                raise DataError(f"known lacks the column {name!r}; give {', '.join(needed)}")
            try:
                values[:, :, place] = np.asarray(known[name], np.float64).reshape(len(which), steps)
            except (TypeError, ValueError):
                raise DataError(
                    f"known has no {steps} numbers of {name!r} for each series; give those at the reading's own time "
                    f"and at the next {self._horizon}"
                ) from None
        if not np.isfinite(values).all():
            raise DataError("a value of known is missing or infinite; give every time a number")
        for number, own, start in zip(which.tolist(), values, now.tolist(), strict=True):
            times = ahead(self._fitted, self._ids[number], start, steps).astype(np.int64)
            for time, row in zip(times.tolist(), own, strict=True):
                self._row(number, time)[given] = row

    def learn_frame(self, frame: Any) -> None:
        """Write down what is known ahead of the series that a long frame names; others are passed over."""
        from tsuzuki.data.frames import zone_of
        from tsuzuki.data.resampling import long_frame
        from tsuzuki.data.zones import check_zone

        needed, given = list(self._names.given_ahead), self._given
        long = long_frame(frame, tuple(needed), "", "mean", needs_y=False)
        check_zone(zone_of(long), self._fitted.zone, "known")
        numbers = {name: number for number, name in enumerate(self._ids)}
        for name, rows in dict(iter(long.groupby("unique_id", sort=False))).items():
            name = str(name)
            if name not in numbers:
                continue
            values = rows[needed].to_numpy(np.float64)
            times = rows["ds"].to_numpy("datetime64[ns]").astype(np.int64)
            for time, row in zip(times.tolist(), values, strict=True):
                self._row(numbers[name], time)[given] = row

    def _row(self, number: int, time: int) -> NDArray[np.float64]:
        plan = self._plans[number]
        if time not in plan:
            plan[time] = np.full(len(self._names.known), np.nan)
        return plan[time]

    def plan(self, number: int, now: int) -> NDArray[np.float64]:
        """What is known of a series at the times behind `now`, scaled, [1 + horizon, known].

        Raises:
            DataError: something is not known.
        """
        known, past = len(self._names.known), len(self._names.past)
        if known == 0:
            return np.zeros((1 + self._horizon, 0))
        times = ahead(self._fitted, self._ids[number], now, 1 + self._horizon)
        plan = self._plans[number]
        stamps = times.astype(np.int64).tolist()
        if len(self._given) < known and any(time not in plan or np.isnan(plan[time]).any() for time in stamps):
            self._tell_holidays(number, now)
        nothing = np.full(known, np.nan)
        found = np.stack([plan.get(time, nothing) for time in stamps])
        if np.isnan(found).any():
            step, column = np.argwhere(np.isnan(found))[0]
            at = str(times[step])[:19].replace("T", " ")
            raise DataError(
                f"nothing is known of {self._names.known[column]} of series {self._ids[number]!r} at {at}; give known= "
                f"with the reading, for its own time and the next {self._horizon}"
            )
        for time in [time for time in plan if time < now]:
            del plan[time]
        scales = self._scales[past : past + known]
        return np.asarray((found - scales[:, 0]) / scales[:, 1])

    def _tell_holidays(self, number: int, now: int) -> None:
        import pandas as pd

        computed = [place for place, name in enumerate(self._names.known) if is_computed(name)]
        times = ahead(self._fitted, self._ids[number], now, self._horizon + TOGETHER)
        rows = pd.DataFrame({"ds": np.zeros(0, "datetime64[ns]")})
        rows.attrs["zone"] = self._fitted.zone
        values = align_to_grid(rows, times, [self._names.known[place] for place in computed])
        for time, row in zip(times.astype(np.int64).tolist(), values, strict=True):
            self._row(number, time)[computed] = row

    def seen(self, past: "Mapping[str, Any] | None", which: NDArray[np.int64]) -> NDArray[np.float32]:
        """Columns known up to the present, scaled, [series, past]; where nothing is given or NaN, those before.

        Raises:
            DataError: an unknown column, or not one number for each series.
        """
        count = len(self._names.past)
        found = self.states[which, 1 : 1 + count].copy()
        for name, values in (past or {}).items():
            if name not in self._names.past:
                known = ", ".join(self._names.past) or "none"
                raise DataError(f"past has a column {name!r} that the forecaster does not read (it reads {known})")
            place = self._names.past.index(name)
            try:
                given = np.asarray(values, np.float64).reshape(len(which))
            except (TypeError, ValueError):
                raise DataError(
                    f"past has not one number of {name!r} for each series; give NaN where none is known"
                ) from None
            if np.isinf(given).any():
                raise DataError(f"a value of {name!r} is infinite; give NaN where none is known")
            mean, scale = self._scales[place]
            found[:, place] = np.where(np.isnan(given), found[:, place], (given - mean) / scale)
        return found

    def rows(
        self, which: NDArray[np.int64], seen: NDArray[np.float32], plans: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        """What networks read of some series beside values and calendar, [series, columns]; written down.

        Args:
            which: the series.
            seen: as `seen` gives it.
            plans: [series, 1 + horizon, known], scaled, from the reading's own time on.
        """
        self.states[which, 1 : 1 + seen.shape[1]] = seen
        self.states[which, 1 + seen.shape[1] :] = self.effects(which, plans[:, 1:])
        known = plans[:, 1:].reshape(len(which), -1)
        return np.concatenate([seen, self._static[which], known], axis=1).astype(np.float32)

    def effects(self, which: NDArray[np.int64], known: NDArray[np.float64]) -> NDArray[np.float64]:
        """The effects of scaled columns [series, times, known], [series, times]."""
        return np.asarray((known * self._slopes[which][:, None]).sum(axis=2))

    def put_on(
        self, usual: NDArray[np.float64], which: NDArray[np.int64], transform: "Transform"
    ) -> NDArray[np.float64]:
        """The latest forecasts, or ends of intervals, [series, horizon] with what is known ahead."""
        ahead = self.states[which, 1 + len(self._names.past) :].astype(np.float64)
        return self._fitted.effects.put_on(usual, ahead, transform, which)

    def check_read(self, which: NDArray[np.int64]) -> None:
        """Raise DataError where one of some series has no forecast yet."""
        waits = self.waiting[which]
        if waits.any():
            name = self._ids[which[waits.argmax()]]
            raise DataError(f"series {name!r} has read nothing since training; give it a reading with known= first")

    def take_plans(self, other: "CovariateRows") -> None:
        """Know of the first series what another knows of them."""
        self._plans[: len(other._plans)] = other._plans

    @property
    def waiting(self) -> NDArray[np.bool_]:
        """Which series have rows before the first reading still to be run, [series]."""
        return self.states[:, 0] > 0


def run_waiting(bank: "Bank", which: NDArray[np.int64]) -> None:
    """Run the last rows of the training data of those of some series that still wait for what is known ahead."""
    covariates = bank.covariates
    if covariates is None:
        return
    for number in which[covariates.waiting[which]].tolist():
        plan = covariates.plan(number, bank.now(number))
        source, only = bank.recent.trained[bank.ids[number]], np.array([number])
        found, outputs, missing = rows_that_wait(bank.fitted, source, plan[:-1])
        if bank.recent.follower is not None:
            follow_waiting(bank.fitted, bank.recent.follower, source, outputs, missing, number)
        for rows, saved, (row, state) in zip(bank.rows, bank.saved_states, found, strict=True):
            rows[: bank.before + 1, number] = row
            saved.set_states(state, only)
        covariates.states[number, 0] = 0
        bank.run(only, np.zeros(1, bool))
