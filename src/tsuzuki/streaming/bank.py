"""Networks that wait for the next reading, with their state kept: nothing of the past is ever computed again.

A `Bank` stands in many series at once; a `Stream` is one series without the bookkeeping of many, a few microseconds a
reading. What they hold of the past is the state and as many values as the longest lag reaches back.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tsuzuki.errors import DataError, SettingError
from tsuzuki.forecasting.fitted import Fitted
from tsuzuki.forecasting.predict import interval_bounds, point_forecast
from tsuzuki.forecasting.settings import Settings
from tsuzuki.layouts.layout import CARRY, ZERO
from tsuzuki.streaming.prepared_step import LANES, PreparedStep, prepare
from tsuzuki.streaming.readings import checked_readings, places_of
from tsuzuki.streaming.recent_values import RecentValues
from tsuzuki.streaming.state_file import check_owner, owner_of
from tsuzuki.streaming.upcoming_calendar import ahead, calendar_ahead, is_uniform

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
        latest: float32 [series, outputs], the last forecasts in the series' units.

    Raises:
        SettingError: the networks read covariates, which a stream of readings does not bring.
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
        if settings.columns.all:
            raise SettingError(
                "the forecaster reads covariates, which a stream of readings does not bring; use its update(frame)"
            )
        self.fitted, self.settings, self.horizon, self._learns = fitted, settings, settings.horizon, learns
        self.ids = tuple(fitted.ids if ids is None else ids)
        if len(set(self.ids)) < len(self.ids) or not self.ids:
            raise SettingError("the ids of a bank are none, or one of them stands there twice; give each series once")
        count = len(self.ids)
        self._number = {name: i for i, name in enumerate(self.ids)}
        self._all = np.arange(count)
        self.before = fitted.way.before
        self.room = max(FEWEST_ROWS, min(MOST_ROWS, ALL_ROWS // count))
        self.cap = self.before + 1 + self.room
        self.recent = RecentValues(fitted, self.ids, scales or {}, self.before, self.cap)
        self.scales = self.recent.scales
        self.missing = np.full(count, settings.max_gap + 1, np.int64)
        self.stamps = np.empty(count, "datetime64[ns]")
        self.at = np.full(count, self.before, np.int64)
        self.latest = np.zeros((count, fitted.way.network.outputs), np.float32)
        self._open(start)

    def _open(self, start: Any) -> None:
        """Take up the states that training left."""
        from tsuzuki.engine.memory import Parameters, SavedStates

        fitted, count = self.fitted, len(self.ids)
        network, columns = fitted.way.network, 2 + fitted.way.covariate_count
        trained = self.recent.trained
        known = np.array([i for i, name in enumerate(self.ids) if name in trained], np.int64)
        source = np.array([trained[self.ids[i]] for i in known], np.int64)
        self.recent.put(known, fitted.windows[source])
        ends = np.array([times[-1] for times in fitted.times], "datetime64[ns]")
        self.stamps[:] = ends.max() if start is None else np.datetime64(start, "ns")
        self.stamps[known] = ends[source]
        self.rows: list[NDArray[np.float32]] = []
        self.saved_states: list[SavedStates] = []
        self.parameters: list[Parameters] = []
        for weights, state in zip(fitted.members, fitted.states, strict=True):
            # Networks of a committee read the same rows; those that stand alone fill in what is missing themselves.
            if fitted.rules.alone or not self.rows:
                rows = np.zeros((self.cap, count, columns), np.float32)
                rows[: self.before + 1, known] = state.rows[source].swapaxes(0, 1)
            saved = SavedStates(network, count)
            saved.set_states(state.saved[source], known)
            self.rows.append(rows)
            self.saved_states.append(saved)
            self.parameters.append(Parameters(network, weights))
        self._distinct = self.rows if fitted.rules.alone else self.rows[:1]
        self._calls: dict[int, PreparedStep] = {}
        self._make_ready(np.arange(count))
        self.missing[known] = 0
        # The last row of the training data is not in the state yet, but scaled already.
        if len(known):
            self._run(known, np.zeros(len(known), bool))

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
                rows[at + 1 :, some, 2 + self.fitted.way.of_windows :] = own

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
        found.scales[old], found.recent.transform.marks[old] = self.scales, self.recent.transform.marks
        found.restore(old, self.state_of(old), self.stamps, self.missing)
        for name in ids:
            found.stamps[found.number(name)] = np.datetime64(before[name], "ns")
        found._make_ready(np.arange(len(self.ids), len(found.ids)))
        return found

    def number(self, name: str) -> int:
        """A series' place in the bank, -1 if it has none."""
        return self._number.get(name, -1)

    def update(self, values: Any, ids: Sequence[str] | None = None) -> NDArray[np.float32]:
        """Take the next reading of series and forecast.

        Args:
            values: float [series], NaN for a reading that is missing.
            ids: which series; None for all, in order.

        Returns:
            float32 [series, horizon], in the series' units.

        Raises:
            DataError: not one value for each series; no number or an infinite one; an id unknown, or twice.
        """
        which = self._all if ids is None else places_of(ids, self._number)
        values = checked_readings(values, which, self.ids, self.recent.limits(which))
        self.advance(which, values)
        return self.forecasts(which)

    def advance(self, which: NDArray[np.int64], values: NDArray[np.float64]) -> None:
        """Take the next reading (NaN: missing) of some series, each of them once."""
        # All of them in order need no picking.
        some: Any = slice(None) if which is self._all else which
        at = self.at[some] + 1
        full = at == self.cap
        if full.any():
            self.wrap(which[full])
            at = self.at[some] + 1
        self.at[some] = at
        self.stamps[some] = self.next_stamps(which)
        absent, missing = np.isnan(values), self.missing[some]
        anew = ~absent & (missing > self.settings.max_gap)
        self.missing[some] = (missing + 1) * absent
        values, scaled = self.recent.take(which, at, values, anew)
        if anew.any() and self.before:
            begun = which[anew]
            for rows in self._distinct:
                rows[at[anew] - np.arange(1, self.before + 1)[:, None], begun, 0] = scaled[anew]
        most = len(which) if len(which) == len(self.ids) else SIZES[-1]
        for first in range(0, len(which), most):
            own = slice(first, first + most)
            self._run(which if most == len(which) else which[own], anew[own], values[own])

    def next_stamps(self, which: NDArray[np.int64]) -> NDArray[np.datetime64]:
        """The time of the next reading of some series."""
        if is_uniform(self.fitted.step):
            stamps = self.stamps if which is self._all else self.stamps[which]
            return (stamps.view(np.int64) + self.fitted.step).view("datetime64[ns]")
        numbers = which.tolist()
        return np.array([ahead(self.fitted, self.ids[n], self.now(n), 1)[0] for n in numbers], "datetime64[ns]")

    def wrap(self, which: NDArray[np.int64]) -> None:
        """Move the rows that lags still need to the front."""
        for rows in self._distinct:
            rows[: self.before + 1, which] = rows[self.cap - self.before - 1 :, which]
        self.recent.wrap(which)
        self.at[which] = self.before
        self._make_ready(which)

    def _run(
        self, which: NDArray[np.int64], anew: NDArray[np.bool_], values: NDArray[np.float64] | None = None
    ) -> None:
        """Run the present row of some series in every network.

        Args:
            which: the series, as many as a call holds.
            anew: [series], which of them begin from a zero state.
            values: [series], the transformed readings that the rows have yet to take up; None: they hold theirs.
        """
        count = len(which)
        alone = self.fitted.rules.alone
        call = self.prepared(count, reads=False) if values is None and alone else self._call(count)
        windows = self.recent.windows(which, self.at[which])
        if values is not None and not alone:
            self.recent.write(self.rows[0], which, self.at[which], windows, np.isnan(values))
        block = call.block
        starts, valid, entries, exits = (a.ravel() for a in (block.starts, block.valid, block.entries, block.exits))
        np.multiply(self.at if which is self._all else self.at[which], len(self.ids), out=starts[:count])
        starts[:count] += which
        valid[:count], valid[count:] = 1, 0
        entries[:count], entries[count:] = which, CARRY
        if anew.any():
            entries[:count][anew] = ZERO
        exits[:count] = which
        if values is not None and alone:
            call.readings[:count] = values
        call.run()
        found = self.recent.finish(which, windows, call.mean()[:count])
        self.latest[slice(None) if which is self._all else which] = found

    def _call(self, count: int) -> PreparedStep:
        """The prepared call for so many series, kept for the next time."""
        size = count if count == len(self.ids) else next(size for size in SIZES if size >= count)
        if size not in self._calls:
            self._calls[size] = self.prepared(size)
        return self._calls[size]

    def prepared(self, count: int, *, reads: bool = True) -> PreparedStep:
        """A new call for so many series; `reads` says whether the rows take up readings."""
        networks = list(zip(self.rows, self.saved_states, self.parameters, strict=True))
        reads = reads and self.fitted.rules.alone
        return prepare(self.fitted.way, networks, self.scales, count, learns=self._learns, reads=reads)

    def outputs(self, which: NDArray[np.int64]) -> NDArray[np.float64]:
        """The latest forecasts of some series, [series, horizon, quantiles or 1], in their units."""
        return np.sort(self.latest[which].reshape(len(which), self.horizon, -1).astype(np.float64), axis=2)

    def forecasts(self, which: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        """The latest point forecasts, float32 [series, horizon], of all series if None."""
        if not self.settings.quantiles:
            return self.latest.copy() if which is None or which is self._all else self.latest[which]
        return np.asarray(
            point_forecast(self.settings, self.outputs(self._all if which is None else which)), np.float32
        )

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
            scale, width = self.scales[number, 1], self.recent.width(number)
            both = interval_bounds(self.fitted, self.settings, there, series, level, scale, width)
            low, high = (transform.inverse(end, number) for end in both)
            ends.append((low, high))
        return np.stack([low for low, _ in ends]), np.stack([high for _, high in ends])

    def state_of(self, which: NDArray[np.int64]) -> NDArray[np.float32]:
        """All that some series' forecasts depend on, as numbers, [series, size]; `restore` takes it back."""
        parts = [self.latest[which]]
        parts += [saved.states(which) for saved in self.saved_states]
        for rows in self._read_back:
            back = self.at[which][:, None] + np.arange(-self.before, 1)
            parts.append(rows[back, which[:, None], 0])
        parts += [self.recent.states[which], self.recent.windows(which, self.at[which])]
        return np.concatenate(parts, axis=1)

    @property
    def _read_back(self) -> list[NDArray[np.float32]]:
        """The rows of which lags are read: those of networks that stand alone."""
        return self.rows if self.fitted.rules.alone else []

    def restore(
        self,
        which: NDArray[np.int64],
        states: NDArray[np.float32],
        stamps: NDArray[np.datetime64],
        missing: NDArray[np.int64],
    ) -> None:
        """Put series where `state_of`, `times` and `missing` said that they were."""
        sizes = [self.latest.shape[1]]
        sizes += [saved.size for saved in self.saved_states]
        sizes += [self.before + 1 for _ in self._read_back]
        sizes += [self.recent.states.shape[1], self.recent.size]
        if states.shape != (len(which), sum(sizes)):
            raise DataError(
                f"the stored states have {states.shape[-1]} numbers, but this forecaster's have {sum(sizes)}; "
                "use the states with the model that wrote them"
            )
        parts = np.split(states, np.cumsum(sizes)[:-1], axis=1)
        self.latest[which] = parts[0]
        self.at[which], self.stamps[which], self.missing[which] = self.before, stamps, missing
        self.recent.put(which, parts[-1])
        self.recent.states[which] = parts[-2]
        for saved, own in zip(self.saved_states, parts[1:], strict=False):
            saved.set_states(own, which)
        for rows, own in zip(self._read_back, parts[1 + len(self.saved_states) :], strict=False):
            rows[: self.before + 1, which, 0] = own.T
        self._make_ready(which)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Where the networks stand in every series, as arrays."""
        return {
            "states": self.state_of(np.arange(len(self.ids))),
            "times": self.stamps.astype(np.int64),
            "missing": self.missing,
            "scales": self.scales,
            "marks": self.recent.transform.marks,
        }

    def adopt(self, arrays: "Mapping[str, NDArray[Any]]") -> None:
        """Go to where `arrays` stood.

        Raises:
            DataError: arrays of other sizes.
        """
        self.scales[:], self.recent.transform.marks[:] = arrays["scales"], arrays["marks"]
        stamps = arrays["times"].astype("datetime64[ns]")
        which = np.arange(len(self.ids))
        self.restore(which, arrays["states"].astype(np.float32), stamps, arrays["missing"])

    def save(self, path: str | Path) -> None:
        """Write where the networks stand in every series; the model itself is not in it.

        Raises:
            FileError: it cannot be written.
        """
        from tsuzuki.storage import write

        write(path, "stream", owner_of(self), self.arrays())

    def load(self, path: str | Path) -> "Bank":
        """Go to where `save` stood.

        Raises:
            FileError: the file is not whole, or holds the states of another model or of other series.
        """
        from tsuzuki.storage import read

        stored = read(path, "stream")
        check_owner(stored.facts, self, path)
        self.adopt(stored.arrays)
        return self
