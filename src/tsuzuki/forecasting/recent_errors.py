"""Weights and intervals that follow recent errors.

At each reading one forecast that was made for it some steps ago is looked at: how far it errs beside the naive
forecasts made then, and whether it lies inside its interval. Where the committee has lately erred clearly more than the
best naive forecast, that takes over; where intervals have lately held less than they say, they widen, and otherwise
they narrow: adaptive conformal inference (Gibbs and Candès 2021), on the width instead of the level, so that one number
serves all levels. Leads take turns, so that a reading costs the same for any horizon.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from tsuzuki.forecasting.conformal_intervals import Calibration
    from tsuzuki.forecasting.history import History
    from tsuzuki.forecasting.rules import Rules

# Leads that take turns.
LEADS = 8
# Of an 80 % interval: a miss widens, a hit narrows, so that both balance where one in five is missed.
# Where few errors were there to calibrate by, intervals are the further off and follow the faster: the rate is one over
# how many of these lay a horizon apart, within bounds.
RATE, FASTEST = 0.03, 0.15
NARROWEST, WIDEST = 0.5, 20.0
# On a scale of logarithms or inverse sines twenty times as wide is a factor of millions, so no wider than this there.
WIDEST_CURVED = 4.0
# Losses forget this share at each reading, and less where horizons are so long that they remember fewer than so many:
# errors within a horizon of one another say the same. At 0.03 whatever the horizon, ETTh1 96 ahead has 4 % more squared
# error before its test part.
FORGOTTEN, REMEMBERED = 0.03, 1.38
# The naive forecast that errs least takes over where the committee's losses are so many times as large, wholly where
# they are larger by 1 / STEEP more.
CLEARLY, STEEP = 1.15, 2.0
# Where a state keeps what: the shift of the level, values in a row beyond its limit, readings until such are counted
# again, all readings, the width, what values can be at least and at most, steps that an outage has lasted, and then
# losses and forecasts.
OFFSET, RUN, WAIT, COUNT, WIDTH, LOW, HIGH, OUT, LOSSES = range(9)


@dataclass(frozen=True)
class RecentErrors:
    """What recent errors are measured by; the errors themselves are rows of numbers, one for each series.

    Attributes:
        horizon: steps ahead.
        leads: int64 [leads], one for each remainder of the count of readings.
        naive: seasons of the naive forecasts; 0 is the last value.
        usual: float64 [series, leads], the committee's mean absolute error on held-out stretches.
        ends: float64 [2, series, leads], the ends of 80 % intervals about a forecast.
        losses: float64 [series, 1 + naive], in usual errors: what the committee and naive forecasts begin with.
        spread: whether errors are in units of the size that they were expected to have, which is kept beside forecasts.
        rate: by how much intervals widen and narrow.
        widest: how many times as wide as in usual times they get at most.
    """

    horizon: int
    leads: NDArray[np.int64]
    naive: tuple[int, ...]
    usual: NDArray[np.float64]
    ends: NDArray[np.float64]
    losses: NDArray[np.float64]
    spread: bool = False
    rate: float = RATE
    widest: float = WIDEST

    @property
    def wider(self) -> float:
        """How many times as wide intervals are behind a reading outside of them."""
        return float(np.exp(0.8 * self.rate))

    @property
    def narrower(self) -> float:
        """And behind one inside."""
        return float(np.exp(-0.2 * self.rate))

    @property
    def kept(self) -> int:
        """Numbers of a forecast that are kept: the committee's, what stood in for it, and the size of its errors."""
        return 3 if self.spread else 2

    @property
    def forgotten(self) -> float:
        """The share of losses that is forgotten at each reading."""
        return min(FORGOTTEN, 1 / (REMEMBERED * self.horizon))

    @property
    def slots(self) -> int:
        """Origins whose forecasts are kept: every `len(leads)`-th of the last `horizon`."""
        return self.horizon // len(self.leads) + 1

    @property
    def size(self) -> int:
        """Numbers of a series' state."""
        return int(LOSSES + self.losses.shape[1] + self.kept * self.slots * len(self.leads))

    def initial(self) -> NDArray[np.float32]:
        """The states before the first reading behind the training data, float32 [series, size]."""
        found = np.full((len(self.losses), self.size), np.nan, np.float32)
        found[:, :LOSSES] = plain_states(len(found))
        found[:, LOSSES : LOSSES + self.losses.shape[1]] = self.losses
        return found

    def select(self, which: Sequence[int | None], larger: NDArray[np.float64] | None = None) -> "RecentErrors":
        """Those of some series; of one that training has not seen (None) the means of all.

        Args:
            which: their numbers.
            larger: [series], how many times as large as on average errors are in each that training has not seen.
        """
        numbers = np.array([-1 if number is None else number for number in which], np.int64)
        new = numbers < 0
        factors = np.ones(len(which)) if larger is None else larger

        def of(array: NDArray[np.float64], factors: NDArray[np.float64]) -> NDArray[np.float64]:
            found = array[numbers]
            found[new] = factors[new, None] * array.mean(axis=0)
            return found

        ends = np.stack([of(self.ends[0], factors), of(self.ends[1], factors)])
        return replace(self, usual=of(self.usual, factors), ends=ends, losses=of(self.losses, np.ones(len(which))))

    def back(self, season: int, lead: int) -> int:
        """How far before the value that it forecasts a naive forecast looks."""
        return int(season * -(-lead // season) if season else lead)


def plain_states(series: int) -> NDArray[np.float32]:
    """States of series whose errors are not followed, float32 [series, LOSSES]."""
    found = np.zeros((series, LOSSES), np.float32)
    found[:, WIDTH], found[:, LOW], found[:, HIGH] = 1, -np.inf, np.inf
    return found


class Follower:
    """Recent errors of some series, moved on a reading at a time; one series at a time or many, to the same bits.

    Args:
        errors: of these series.
        states: float32 [series, size], written to.
        window: values of a window.

    Attributes:
        errors: of these series.
        states: theirs.
        places: int64 [naive, leads], where in a window a naive forecast made for its last value stood.
        maps: int64 [naive, horizon], where in a window naive forecasts from its end stand.
    """

    def __init__(self, errors: RecentErrors, states: NDArray[np.float32], window: int) -> None:
        self.errors, self.states = errors, states
        # Single items of a memory view are read sooner than an array's.
        self._flat: Any = memoryview(states.data).cast("B").cast("f")
        self._size = states.shape[1]
        self._count, self._naive = len(errors.leads), len(errors.naive)
        self._behind = LOSSES + 1 + self._naive
        self._slots, self._turns, self._kept = errors.slots, errors.slots * self._count, errors.kept
        self._forgotten, self._wider, self._narrower = errors.forgotten, errors.wider, errors.narrower
        self._widest = errors.widest
        self._leads = errors.leads.tolist()
        self._usual, self._low, self._high = (one.tolist() for one in (errors.usual, *errors.ends))
        backs = [[errors.back(season, lead) for lead in self._leads] for season in errors.naive]
        self.places = np.array([[window - 1 - one for one in own] for own in backs], np.int64)
        self._listed = self.places.tolist()
        ahead = np.arange(1, errors.horizon + 1)
        self.maps = np.array(
            [window - 1 + (ahead - season * -(-ahead // season) if season else 0 * ahead) for season in errors.naive]
        )

    def _slot(self, count: int, lead: int) -> int:
        return (count - lead) // self._count % self._slots

    def _slots_of(self, count: NDArray[np.int64], turn: NDArray[np.int64]) -> NDArray[np.int64]:
        return (count - self.errors.leads[turn]) // self._count % self._slots

    def follow_one(self, number: int, window: NDArray[np.float32], *, missing: bool) -> None:
        """Look at what was forecast for the last value of a window [size] of one series."""
        state, first = self._flat, number * self._size
        count = (int(state[first + COUNT]) + 1) % self._turns
        state[first + COUNT] = count
        if missing:
            return
        turn = count % self._count
        kept = first + self._behind + self._kept * (self._slot(count, self._leads[turn]) * self._count + turn)
        own, final, size = state[kept], state[kept + 1], state[kept + 2] if self._kept > 2 else 1.0
        if own != own:
            return
        value, usual = float(window[-1]), self._usual[number][turn]
        error, width = value - final, state[first + WIDTH]
        reach = width * size
        missed = error < self._low[number][turn] * reach or error > self._high[number][turn] * reach
        state[first + WIDTH] = min(max(width * (self._wider if missed else self._narrower), NARROWEST), self._widest)
        place = first + LOSSES
        state[place] += self._forgotten * (abs(value - own) / usual - state[place])
        for places in self._listed:
            place += 1
            state[place] += self._forgotten * (abs(value - float(window[places[turn]])) / usual - state[place])

    def mixed_one(
        self,
        number: int,
        forecast: NDArray[np.float32],
        window: NDArray[np.float32],
        sizes: NDArray[np.float32] | None = None,
    ) -> NDArray[np.float32]:
        """The committee's forecast [horizon] of one series, or as far as that has erred the best naive one; kept, with
        the sizes [horizon] that its errors are expected to have."""
        flat, begin, mixed, best = self._flat, number * self._size, forecast, 0
        first, others = flat[begin + LOSSES], begin + LOSSES + 1
        least = flat[others]
        for place in range(1, self._naive):
            if flat[others + place] < least:
                least, best = flat[others + place], place
        if first > CLEARLY * least:
            share = np.float32(min((first / least - CLEARLY) * STEEP if least > 0 else 1.0, 1.0))
            mixed = forecast + share * (window[self.maps[best]] - forecast)
        count = int(self._flat[begin + COUNT])
        if count % self._count == 0:
            state = self.states[number]
            numbers = self._kept * self._count
            kept = self._behind + (count // self._count % self._slots) * numbers
            places = self.errors.leads - 1
            state[kept : kept + numbers : self._kept] = forecast[places]
            state[kept + 1 : kept + numbers : self._kept] = mixed[places]
            if sizes is not None:
                state[kept + 2 : kept + numbers : self._kept] = sizes[places]
        return mixed

    def begin_anew(self, which: "NDArray[np.int64] | int") -> None:
        """Forget what was forecast and how it erred, as a series begins anew; its first reading is counted next."""
        self.states[which, self._behind :] = np.nan
        self.states[which, WIDTH], self.states[which, LOSSES : self._behind] = 1, self.errors.losses[which]
        self.states[which, COUNT] = -1

    def follow(self, which: NDArray[np.int64], windows: NDArray[np.float32], missing: NDArray[np.bool_]) -> None:
        """What `follow_one` does, for many series with windows [series, size]."""
        states = self.states[which]
        count = (states[:, COUNT].astype(np.int64) + 1) % self._turns
        self.states[which, COUNT] = count
        turn = count % self._count
        kept = self._behind + self._kept * (self._slots_of(count, turn) * self._count + turn)
        rows = np.arange(len(which))
        own, final = (states[rows, kept + one].astype(np.float64) for one in (0, 1))
        look = ~missing & (own == own)
        value, usual = windows[:, -1].astype(np.float64), self.errors.usual[which, turn]
        error, width = value - final, states[:, WIDTH].astype(np.float64)
        reach = width * states[rows, kept + 2] if self._kept > 2 else width
        low, high = (one[which, turn] * reach for one in self.errors.ends)
        wider = np.where((error < low) | (error > high), self._wider, self._narrower)
        width = np.minimum(np.maximum(width * wider, NARROWEST), self._widest)
        losses = states[:, LOSSES : self._behind].astype(np.float64)
        naive = windows[rows[:, None], self.places[:, turn].T].astype(np.float64)
        found = np.abs(value[:, None] - np.concatenate([own[:, None], naive], axis=1)) / usual[:, None]
        losses = losses + self._forgotten * (found - losses)
        seen = which[look]
        self.states[seen, WIDTH] = width[look]
        self.states[seen, LOSSES : self._behind] = losses[look]

    def mixed(
        self,
        which: NDArray[np.int64],
        forecasts: NDArray[np.float32],
        windows: NDArray[np.float32],
        sizes: NDArray[np.float32] | None = None,
    ) -> NDArray[np.float32]:
        """What `mixed_one` does, for many series: forecasts and sizes [series, horizon] from windows [series, size]."""
        losses = self.states[which, LOSSES : self._behind].astype(np.float64)
        first, least, best = losses[:, 0], losses[:, 1:].min(axis=1), losses[:, 1:].argmin(axis=1)
        kept, gives_way = np.flatnonzero(self.due(which)), np.flatnonzero(first > CLEARLY * least)
        if len(gives_way):
            found = np.array(forecasts, np.float32)
            with np.errstate(divide="ignore", invalid="ignore"):
                share = np.where(least > 0, (first / least - CLEARLY) * STEEP, 1.0)[gives_way]
            naive = windows[gives_way[:, None], self.maps[best[gives_way]]]
            own = found[gives_way]
            found[gives_way] = own + np.minimum(share, 1).astype(np.float32)[:, None] * (naive - own)
        else:
            found = forecasts
        if len(kept):
            numbers, places = which[kept], self.errors.leads - 1
            slots = self.states[numbers, COUNT].astype(np.int64) // self._count % self._slots
            at = (self._behind + self._kept * slots * self._count)[:, None] + self._kept * np.arange(self._count)
            self.states[numbers[:, None], at] = forecasts[kept[:, None], places]
            self.states[numbers[:, None], at + 1] = found[kept[:, None], places]
            if sizes is not None:
                self.states[numbers[:, None], at + 2] = sizes[kept[:, None], places]
        return found

    def due(self, which: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Of which series the forecasts made now are kept."""
        return np.asarray(self.states[which, COUNT].astype(np.int64) % self._count == 0)

    def widths(self, number: int) -> float:
        """How many times as wide as in usual times intervals of a series are."""
        return float(self.states[number, WIDTH])


def follow_rows(
    follower: Follower,
    number: int,
    forecasts: NDArray[np.float32],
    windows: NDArray[np.float32],
    missing: NDArray[np.bool_],
    begins: NDArray[np.bool_],
    sizes: NDArray[np.float32] | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Move one series on over rows that follow one another; the first of them is counted already.

    Args:
        follower: of the series.
        number: the series.
        forecasts: float32 [rows, horizon], the committee's.
        windows: float32 [rows, size], the last values at each.
        missing: bool [rows], where the last value is none.
        begins: bool [rows], where the series begins anew.
        sizes: float32 [rows, horizon], that errors are expected to have; None: all the same.

    Returns:
        The forecasts with what stands in for them, and how wide intervals are, [rows].
    """
    found, widths = np.empty_like(forecasts), np.empty(len(forecasts))
    for row, (own, window) in enumerate(zip(forecasts, windows, strict=True)):
        if begins[row]:
            follower.begin_anew(number)
        if row or begins[row]:
            follower.follow_one(number, window, missing=bool(missing[row]))
        size = None if sizes is None else sizes[row]
        found[row], widths[row] = follower.mixed_one(number, own, window, size), follower.widths(number)
    return found, widths


def recent_errors(
    histories: "Sequence[History]",
    rules: "Rules",
    errors: Sequence[NDArray[np.float32]],
    calibration: "Calibration",
    *,
    spread: bool,
) -> RecentErrors | None:
    """What recent errors of series are measured by, or None where a window is too short.

    Args:
        histories: of the training data.
        rules: what was chosen from them.
        errors: the committee's on held-out rows, [rows, horizon] for each series.
        calibration: the intervals.
        spread: whether these are in units of the size that errors are expected to have.
    """
    horizon, size, series = rules.horizon, rules.history, len(histories)
    leads = _leads(horizon)
    found = RecentErrors(horizon, leads, (), np.zeros((0, 0)), np.zeros((0, 0)), np.zeros((0, 0)))
    naive = tuple(season for season in (0, *rules.seasons) if found.back(season, horizon) < size)
    if not naive:
        return None
    together = np.concatenate(list(errors))
    usual = np.stack([_usual(own, together, leads) for own in errors])
    ends = np.stack([np.broadcast_to(calibration.percentile(one), (series, horizon)) for one in (0.1, 0.9)])
    losses = np.ones((series, 1 + len(naive)))
    for number, history in enumerate(histories):
        at = history.ends[history.ends >= 0]
        for place, season in enumerate(naive):
            backs = [found.back(season, int(lead)) for lead in leads]
            apart = [np.abs(history.values[at] - history.values[at - back]).mean() for back in backs]
            # Training may have been calmer than what was held out, where the committee erred least.
            losses[number, 1 + place] = max(1.0, float(np.mean(np.array(apart) / usual[number])))
    rate = float(np.clip(horizon / max(1, len(together)), RATE, FASTEST))
    there = ends[:, :, leads - 1].astype(np.float64)
    return RecentErrors(horizon, leads, naive, usual, there, losses, spread, rate, widest_on(rules.transform))


def widest_on(transform: str) -> float:
    """How many times as wide as in usual times intervals get at most, on the scale of a transformation."""
    return WIDEST if transform == "none" else WIDEST_CURVED


def _leads(horizon: int) -> NDArray[np.int64]:
    """One lead for each remainder of the count of readings, over the whole horizon."""
    count = min(LEADS, horizon)
    found = np.zeros(count, np.int64)
    for turn in range(count):
        least = turn or count
        apart = np.arange(least, horizon + 1, count)
        wanted = least / count * horizon
        found[turn] = apart[np.argmin(np.abs(apart - wanted))]
    return found


def _usual(own: NDArray[np.float32], together: NDArray[np.float32], leads: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean absolute errors at these leads, of a series or where it has none of all; 1 where nobody knows."""
    found = np.ones(len(leads))
    for place, lead in enumerate(leads - 1):
        for errors in (own, together):
            known = np.abs(errors[:, lead][np.isfinite(errors[:, lead])])
            if len(known) and known.mean() > 0:
                found[place] = max(float(known.mean()), 1e-6)
                break
    return found
