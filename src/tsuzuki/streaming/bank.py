"""Networks that wait for the next reading, with their state kept: nothing of the past is ever computed again.

What a `Bank` holds of the past of its series is their states and as many values as the longest lag reaches back.
"""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tsuzuki.errors import SettingError
from tsuzuki.forecasting.fitted import Fitted
from tsuzuki.forecasting.predict import interval_bounds, point_forecast, whole_ends
from tsuzuki.forecasting.settings import Settings
from tsuzuki.layouts.layout import CARRY, ZERO
from tsuzuki.streaming.covariate_rows import CovariateRows, run_waiting
from tsuzuki.streaming.prepared_step import LANES, PreparedStep, prepare
from tsuzuki.streaming.readings import checked_readings, nanoseconds, places_of
from tsuzuki.streaming.recent_values import RecentValues
from tsuzuki.streaming.state_file import put_states, read_states, states_of, write_states
from tsuzuki.streaming.upcoming_calendar import ahead, calendar_ahead, is_uniform, next_stamps
from tsuzuki.streaming.usual_round import usual_round

if TYPE_CHECKING:
    from collections.abc import Mapping

# Rows that are made ready at once, as their calendar costs least together: for each series at least and at most, and
# for all series together about.
FEWEST_ROWS, MOST_ROWS, ALL_ROWS = 64, 1024, 1 << 16
# Series of a call: a call for k series takes the smallest that holds them.
SIZES = (1, LANES, 4 * LANES, 16 * LANES)


class Bank:
    """Many series and where the networks stand in each.

    Args:
        fitted: what training left.
        settings: of the forecaster.
        ids: the series; None for those of the training data. Series that training has not seen begin from a zero state.
        scales: (mean, deviation) of series that training has not seen; without, the average of those it has.
        start: the time before the first reading of such series; without, where the training data end.
        learns: whether the weights may still change.

    Attributes:
        ids: the series, in order.
        horizon: steps ahead.
        stamps: datetime64 [series], the time of each series' last reading, missing or not.
        missing: int64 [series], how many readings in a row each has missed; one that begins anew counts as too many.
        scales: float64 [series, 2], mean and deviation, transformed.
        recent: their last values, and the committee that looks back on them.
        before: rows that lags reach back.
        room: rows made ready at once.
        cap: rows kept of each series.
        at: int64 [series], which of them was run last; those behind it hold the calendar of times to come.
        rows: for each network float32 [cap, series, columns]: what one update reads lies together.
        saved_states: for each network its saved states, one for each series.
        parameters: for each network its weights.
        latest: float32 [series, outputs], the last forecasts in the series' units, without what is known ahead; behind
            them the sizes that their errors are expected to have, where these differ.
        covariates: what networks read beside values, or None.

    Raises:
        SettingError: no ids, or one twice; a scale that cannot be.
        DataError: a start that is no time, or one that nanoseconds cannot count.
    """

    def __init__(
        self,
        fitted: Fitted,
        settings: Settings,
        ids: Sequence[str] | None = None,
        scales: "Mapping[str, tuple[float, float]] | None" = None,
        start: Any = None,
        learns: bool = False,
    ) -> None:
        self.fitted, self.settings, self.horizon, self._learns = fitted, settings, settings.horizon, learns
        self.ids = tuple(fitted.ids if ids is None else ids)
        if len(set(self.ids)) < len(self.ids) or not self.ids:
            raise SettingError("the ids of a bank are none, or one of them stands there twice; give each series once")
        count = len(self.ids)
        self._number = {name: i for i, name in enumerate(self.ids)}
        self._all = np.arange(count)
        self.before = fitted.way.before
        # A thousand quarters ahead no nanoseconds count.
        most = MOST_ROWS if is_uniform(fitted.step) else FEWEST_ROWS
        self.room = max(FEWEST_ROWS, min(most, ALL_ROWS // count))
        self.cap = self.before + 1 + self.room
        self.recent = RecentValues(fitted, self.ids, scales or {}, self.before, self.cap)
        self.scales = self.recent.scales
        self.missing = np.full(count, settings.max_gap + 1, np.int64)
        self.stamps = np.empty(count, "datetime64[ns]")
        self.at = np.full(count, self.before, np.int64)
        outputs = fitted.way.network.outputs if fitted.spread is None else 2 * self.horizon
        self.latest = np.zeros((count, outputs), np.float32)
        self.covariates = CovariateRows(fitted, settings, self.ids) if settings.columns.all else None
        self._open(start)

    def _open(self, start: Any) -> None:
        """Take up the states that training left."""
        from tsuzuki.engine.memory import Parameters, SavedStates

        fitted, count = self.fitted, len(self.ids)
        columns = 2 + fitted.way.covariate_count
        trained = self.recent.trained
        known = np.array([i for i, name in enumerate(self.ids) if name in trained], np.int64)
        source = np.array([trained[self.ids[i]] for i in known], np.int64)
        self.recent.put(known, fitted.windows[source])
        ends = np.array([times[-1] for times in fitted.times], "datetime64[ns]")
        self.stamps[:] = ends.max() if start is None else np.datetime64(nanoseconds(start, fitted.zone), "ns")
        self.stamps[known] = ends[source]
        self.rows: list[NDArray[np.float32]] = []
        self.saved_states: list[SavedStates] = []
        self.parameters: list[Parameters] = []
        for way, weights, state in zip(fitted.ways, fitted.members, fitted.states, strict=True):
            # Networks of a committee read the same rows; those that stand alone fill in what is missing themselves.
            if fitted.rules.alone or not self.rows:
                rows = np.zeros((self.cap, count, columns), np.float32)
                rows[: self.before + 1, known] = state.rows[source, -self.before - 1 :].swapaxes(0, 1)
            saved = SavedStates(way.network, count)
            saved.set_states(state.saved[source], known)
            self.rows.append(rows)
            self.saved_states.append(saved)
            self.parameters.append(Parameters(way.network, weights))
        self._distinct = self.rows if fitted.rules.alone else self.rows[:1]
        self._calls: dict[int, PreparedStep] = {}
        self._make_ready(self._all)
        self.missing[known] = 0
        # The training data's last row is not in the state yet, but scaled. Where it looks ahead, it waits for that.
        if len(known) and not self.settings.columns.known:
            self.run(known, np.zeros(len(known), bool))
        elif len(known) and not self.settings.columns.given_ahead:
            run_waiting(self, known)

    def _make_ready(self, which: NDArray[np.int64]) -> None:
        """Write the calendar of the times to come into the rows behind the present one."""
        if not self.fitted.rules.cycles or len(which) == 0:
            return
        said, place = calendar_ahead(
            self.fitted, [self.ids[number] for number in which.tolist()], self.stamps[which], self.room
        )
        stands = self.at[which]
        for at in np.unique(stands):
            here = stands == at
            # Series that stand at the same time share one calendar.
            own = (said if len(said) == 1 else said[place[here]])[:, : self.cap - 1 - at].swapaxes(0, 1)
            some: Any = slice(None) if len(here) == len(self.ids) and here.all() else which[here]
            for rows in self._distinct:
                first = 2 + self.fitted.way.of_windows
                rows[at + 1 :, some, first : first + own.shape[2]] = own

    @functools.cached_property
    def _take_usual(self) -> Callable[[Any], bool]:
        return usual_round(self)

    def now(self, number: int) -> int:
        """Where a series stands, in nanoseconds since 1970."""
        return int(self.stamps[number].astype(np.int64))

    def jump(self, number: int, steps: int) -> None:
        """Let so many readings of a series be missed that it begins anew with the next one."""
        now, step = self.now(number), self.fitted.step
        if is_uniform(step):
            self.stamps[number] = np.datetime64(now + steps * step, "ns")
        else:
            self.stamps[number] = ahead(self.fitted, self.ids[number], now, steps)[-1]
        self.missing[number] = self.settings.max_gap + 1
        self.at[number] = self.before
        self._make_ready(np.array([number]))

    def grown(self, ids: Sequence[str], before: "Mapping[str, int]") -> "Bank":
        """A bank that stands where this one does and has further series.

        Args:
            ids: the new ones.
            before: for each of them the time (nanoseconds since 1970) one step before its first reading.
        """
        found = Bank(self.fitted, self.settings, [*self.ids, *ids])
        old = np.arange(len(self.ids))
        found.recent.put_scales(old, self.scales, self.recent.transform.marks)
        found.restore(old, self.state_of(old), self.stamps, self.missing)
        if found.covariates is not None and self.covariates is not None:
            found.covariates.take_plans(self.covariates)
        for name in ids:
            found.stamps[found.number(name)] = np.datetime64(before[name], "ns")
        found._make_ready(np.arange(len(self.ids), len(found.ids)))
        return found

    def number(self, name: str) -> int:
        """A series' place in the bank, -1 if it has none."""
        return self._number.get(name, -1)

    def update(
        self,
        values: Any,
        ids: Sequence[str] | None = None,
        *,
        known: Any = None,
        past: "Mapping[str, Any] | None" = None,
    ) -> NDArray[np.float32]:
        """Take the next reading of series and forecast.

        Args:
            values: float [series], NaN for a reading that is missing.
            ids: which series; None for all, in order.
            known: columns known ahead by name, each [series, 1 + horizon]: at the reading's own time and at the next
                ones; or a frame with unique_id, ds and these columns. Once told, a time need not be told again.
            past: columns known up to now by name, each [series]; without one, or at NaN, its last value stays.

        Returns:
            float32 [series, horizon], in the series' units.

        Raises:
            DataError: not one value for each series; no number or an infinite one; an id unknown, or twice.
        """
        if ids is None and known is None and not past and self._take_usual(values):
            return self.latest.copy()
        which = self._all if ids is None else places_of(ids, self._number)
        values = checked_readings(values, which, self.ids, self.recent.limits(which))
        self.tell(which, known, past)
        self.advance(which, values, past)
        return self.forecasts(which)

    def tell(self, which: NDArray[np.int64], known: Any, past: "Mapping[str, Any] | None" = None) -> None:
        """Write down what is known ahead of the next readings of some series; see `update`.

        Raises:
            SettingError: the networks read no such columns.
            DataError: as `CovariateRows.learn`.
        """
        if self.covariates is None and (known is not None or past):
            raise SettingError("the forecaster reads no covariates; leave known and past out")
        if self.covariates is not None and known is not None:
            self.covariates.learn(known, which, self.stamps[which].astype(np.int64))

    def advance(
        self, which: NDArray[np.int64], values: NDArray[np.float64], past: "Mapping[str, Any] | None" = None
    ) -> None:
        """Take the next reading (NaN: missing) of some series, each of them once."""
        self.recent.free_bounds(which, values)
        beside: NDArray[np.float32] | None = None
        if self.covariates is not None:
            seen = self.covariates.seen(past, which)
            plans = np.stack([self.covariates.plan(number, self.now(number)) for number in which.tolist()])
            run_waiting(self, which)
            effect = self.covariates.effects(which, plans[:, :1])[:, 0]
            values = self.fitted.effects.put_on(values, -effect, self.recent.transform, which)
            beside = self.covariates.rows(which, seen, plans)
        some: Any = slice(None) if which is self._all else which  # All in order need no picking.
        at = self.at[some] + 1
        full = at == self.cap
        if full.any():
            self.wrap(which[full])
            at = self.at[some] + 1
        self.at[some] = at
        if beside is not None:
            for rows in self._distinct:
                rows[at, which, rows.shape[2] - beside.shape[1] :] = beside
        self.stamps[some] = self.next_stamps(which)
        absent, missing = np.isnan(values), self.missing[some]
        anew = ~absent & (missing > self.settings.max_gap)
        self.missing[some] = (missing + 1) * absent
        values = self.recent.take(which, at, values, anew)
        if anew.any() and self.before:
            begun, scaled = which[anew], self.recent.scaled(which[anew], values[anew])
            for rows in self._distinct:
                rows[at[anew] - np.arange(1, self.before + 1)[:, None], begun, 0] = scaled
        most = len(which) if len(which) == len(self.ids) else SIZES[-1]
        for first in range(0, len(which), most):
            own = slice(first, first + most)
            self.run(which if most == len(which) else which[own], anew[own], values[own])

    def next_stamps(self, which: NDArray[np.int64]) -> NDArray[np.datetime64]:
        """The time of the next reading of some series."""
        stamps = self.stamps if which is self._all else self.stamps[which]
        return next_stamps(self.fitted, self.ids, which, stamps)

    def wrap(self, which: NDArray[np.int64]) -> None:
        """Move the rows that lags still need to the front."""
        for rows in self._distinct:
            rows[: self.before + 1, which] = rows[self.cap - self.before - 1 :, which]
        self.recent.wrap(which)
        self.at[which] = self.before
        self._make_ready(which)

    def run(self, which: NDArray[np.int64], anew: NDArray[np.bool_], values: NDArray[np.float64] | None = None) -> None:
        """Run the present row of some series in every network.

        Args:
            which: the series, as many as a call holds.
            anew: [series], which of them begin from a zero state.
            values: [series], the transformed readings that the rows have yet to take up; None: they hold theirs.
        """
        count = len(which)
        alone = self.fitted.rules.alone
        call = self.prepared(count, reads=False) if values is None and alone else self.call_for(count)
        windows, some = self.recent.windows(which, self.at[which]), slice(None) if which is self._all else which
        if values is not None and not alone:
            self.recent.write(self.rows[0], which, self.at[which], windows, np.isnan(values))
        block = call.block
        starts, valid, entries, exits = (a.ravel() for a in (block.starts, block.valid, block.entries, block.exits))
        np.multiply(self.at[some], len(self.ids), out=starts[:count])
        starts[:count] += which
        valid[:count], valid[count:] = 1, 0
        entries[:count], entries[count:] = which, CARRY
        if anew.any():
            entries[:count][anew] = ZERO
        exits[:count] = which
        if values is not None and alone:
            call.readings[:count] = values
        call.run()
        self.latest[some] = self.recent.finish(which, windows, call.mean()[:count], self.stamps[some])

    def call_for(self, count: int) -> PreparedStep:
        """The prepared call for so many series, kept for the next time."""
        size = count if count == len(self.ids) else next(size for size in SIZES if size >= count)
        if size not in self._calls:
            self._calls[size] = self.prepared(size)
        return self._calls[size]

    def prepared(self, count: int, *, reads: bool = True) -> PreparedStep:
        """A new call for so many series; `reads` says whether the rows take up readings."""
        networks = list(zip(self.fitted.ways, self.rows, self.saved_states, self.parameters, strict=True))
        reads = reads and self.fitted.rules.alone
        return prepare(networks, self.scales, count, learns=self._learns, reads=reads)

    def outputs(self, which: NDArray[np.int64]) -> NDArray[np.float64]:
        """The latest forecasts of some series, [series, horizon, quantiles or 1], in their units."""
        found = self.latest[which] if self.fitted.spread is None else self.latest[which, : self.horizon]
        return np.sort(found.reshape(len(which), self.horizon, -1).astype(np.float64), axis=2)

    def forecasts(self, which: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        """The latest point forecasts, float32 [series, horizon], of all series if None."""
        some = self._all if which is None else which
        if self.covariates is not None:
            self.covariates.check_read(some)
            found = point_forecast(self.settings, self.outputs(some))
            found = self.covariates.put_on(found, some, self.recent.transform)
            return np.asarray(self.recent.within(found, some), np.float32)
        if not self.settings.quantiles and self.fitted.spread is None:
            return self.recent.within(self.latest.copy() if some is self._all else self.latest[some], some)
        return np.asarray(self.recent.within(point_forecast(self.settings, self.outputs(some)), some), np.float32)

    def interval(
        self, level: float, ids: Sequence[str] | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The ends of the intervals around the latest forecasts, [series, horizon] each.

        Raises:
            SettingError: a level that cannot be had.
        """
        which = self._all if ids is None else places_of(ids, self._number)
        ends = []
        for number, own in zip(which.tolist(), self.outputs(which), strict=True):
            series, transform = self.recent.trained.get(self.ids[number], 0), self.recent.transform
            there = transform.forward(own, number)
            scale, width = self.scales[number, 1], self.recent.width(number, self.latest[number])
            both = interval_bounds(self.fitted, self.settings, there, series, level, scale, width)
            low, high = (transform.inverse(end, number) for end in both)
            if self.covariates is not None:
                low, high = (self.covariates.put_on(end[None], np.array([number]), transform)[0] for end in (low, high))
            ends.append(whole_ends(self.fitted, *(self.recent.within(end, number) for end in (low, high))))
        return np.stack([low for low, _ in ends]), np.stack([high for _, high in ends])

    def state_of(self, which: NDArray[np.int64]) -> NDArray[np.float32]:
        """All that some series' forecasts depend on, as numbers, [series, size]; `restore` takes it back."""
        return states_of(self, which)

    def restore(
        self,
        which: NDArray[np.int64],
        states: NDArray[np.float32],
        stamps: NDArray[np.datetime64],
        missing: NDArray[np.int64],
    ) -> None:
        """Put series where `state_of`, `times` and `missing` said that they were.

        Raises:
            DataError: states of another size.
        """
        put_states(self, which, states)
        self.at[which], self.stamps[which], self.missing[which] = self.before, stamps, missing
        self._make_ready(which)

    def save(self, path: str | Path) -> None:
        """Write where the networks stand in every series, without the model itself; FileError if that cannot be."""
        write_states(self, path)

    def load(self, path: str | Path) -> "Bank":
        """Go to where `save` stood.

        Raises:
            FileError: the file is not whole, or holds the states of another model or of other series.
        """
        read_states(self, path)
        return self
