"""The last values of many series, and what follows from them and the networks' outputs: the committee's forecasts.

Scales and transformations of series that training has not seen are those given, or the usual ones of those it has.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tsuzuki.errors import SettingError
from tsuzuki.forecasting.bounds import free_bounds, within
from tsuzuki.forecasting.fitted import Fitted
from tsuzuki.forecasting.outages import count_on, seasons_back
from tsuzuki.forecasting.recent_errors import HIGH, LOW, OFFSET, OUT, RUN, WAIT, WIDTH, Follower, plain_states
from tsuzuki.forecasting.spread import changes_said
from tsuzuki.forecasting.transforms import Transform
from tsuzuki.forecasting.window_inputs import WindowInputs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tsuzuki.forecasting.committee import Committee

# Deviations from the mean that a reading may lie away: layers behind it stay finite in 32 bits.
LARGEST_SCALED = 1e30


class RecentValues:
    """The last values of the series of a bank.

    Args:
        fitted: what training left.
        ids: the series.
        given: (mean, deviation) of series by name.
        before: rows that a bank keeps before the present one, at least.
        cap: rows that it keeps of each series.

    Attributes:
        trained: the number of each series that training has seen, by name.
        transform: between the series' units and the scale of their forecasts' errors.
        scales: float64 [series, 2], mean and deviation, transformed.
        committee: how far each forecast is trusted, or None where networks stand alone.
        bounded: whether forecasts of any series have bounds.
        states: float32 [series, numbers], shifts of the level and recent errors.
        spread: how large errors are expected to be, or None where they are all the same.
        follower: of recent errors, or None where they are not followed.
        values: float32 [cap + shift, series], scaled, without gaps and without shifts.
        shift: the value of a bank's row stands so many rows further back here.
        size: values that forecasts look back on; none where networks stand alone.

    Raises:
        SettingError: a scale that cannot be.
    """

    def __init__(
        self, fitted: Fitted, ids: Sequence[str], given: "Mapping[str, tuple[float, float]]", before: int, cap: int
    ) -> None:
        self.trained = {name: i for i, name in enumerate(fitted.ids)}
        self.transform = self._choose_transform(fitted, ids, given)
        self.scales = self._choose_scales(fitted, ids, given)
        # What a reading of each series may be away from 0 at most, once that has been asked.
        self._reach: NDArray[np.float64] | None = None
        self._least = 0.0
        rules = fitted.rules
        # Networks that stand alone look back on nothing but their state.
        self.size, self.spread = 0 if rules.alone else rules.history, fitted.spread
        # A series that training has not seen has the most frequent base.
        usual, unit = max(set(rules.bases), key=rules.bases.count), float(np.median(rules.units))
        seasons = [rules.bases[self.trained[name]] if name in self.trained else usual for name in ids]
        units = [rules.units[self.trained[name]] if name in self.trained else unit for name in ids]
        # What stands in for a missing value lies so many steps back.
        self._back = np.maximum(np.array(seasons, np.int64), 1)
        kinds = sorted(set(rules.bases))
        bases = np.array([kinds.index(season) for season in seasons], np.int64)
        self.committee: Committee | None = None
        if fitted.committee is not None:
            which = [self.trained.get(name) for name in ids]
            # What training has seen keeps its kind; another series has none with a profile.
            own = [base if one is None else fitted.committee.bases[one] for base, one in zip(bases, which, strict=True)]
            self.committee = replace(
                fitted.committee,
                bases=np.array(own, np.int64),
                units=np.array(units, np.float32),
                profiles=fitted.committee.profiles.select(which),
            )
            self.inputs = WindowInputs(replace(rules, bases=tuple(seasons), units=tuple(units)), rules)
        which = [self.trained.get(name) for name in ids]
        self._levels = fitted.shifts.select(which)
        self.states, self.follower = plain_states(len(ids)), None
        if fitted.recent is not None:
            errors = fitted.recent.select(which)
            self.states = errors.initial()
            self.follower = Follower(errors, self.states, self.size)
        # What no trained series can be another cannot be either.
        self.states[:, LOW] = fitted.recent_states[:, LOW].min()
        self.states[:, HIGH] = fitted.recent_states[:, HIGH].max()
        for number, source in enumerate(which):
            if source is not None:
                self.states[number] = fitted.recent_states[source]
        # Single items of a memory view, and of a list, are read sooner than an array's.
        self._flat: Any = memoryview(self.states.data).cast("B").cast("f")
        self._least_apart = self._levels.least
        self._limits = self._least_apart.tolist()
        self.bounded = bool(np.isfinite(self.states[:, [LOW, HIGH]]).any())
        self.shift = self.size - 1 - before
        self.values = np.zeros((max(0, cap + self.shift), len(ids)), np.float32)

    def _choose_transform(
        self, fitted: Fitted, ids: Sequence[str], given: "Mapping[str, tuple[float, float]]"
    ) -> Transform:
        kind, trained = fitted.transform.kind, fitted.transform.marks
        marks = np.full(len(ids), float(np.median(trained)))
        for number, name in enumerate(ids):
            if name in self.trained:
                marks[number] = trained[self.trained[name]]
            elif name in given and kind != "none":
                mean = float(given[name][0])
                if not mean > 0:
                    raise SettingError(
                        f"series {name!r} has the mean {mean:g}, but the forecaster reads positive values; give "
                        "another mean, or fit with transform='none'"
                    )
                marks[number] = mean / 1000 if kind == "log" else mean
        return Transform(kind, marks)

    def _choose_scales(
        self, fitted: Fitted, ids: Sequence[str], given: "Mapping[str, tuple[float, float]]"
    ) -> NDArray[np.float64]:
        usual = fitted.scales.mean(axis=0)
        found = np.empty((len(ids), 2))
        for number, name in enumerate(ids):
            if name in given:
                found[number] = self.transform.scale(number, *given[name])
            else:
                found[number] = fitted.scales[self.trained[name]] if name in self.trained else usual
        if not (np.isfinite(found).all() and (found[:, 1] > 0).all()):
            raise SettingError("a scale of the bank is not finite or its deviation not above 0; give (mean, deviation)")
        return found

    def limits(self, which: NDArray[np.int64]) -> NDArray[np.float64]:
        """What readings may be away from 0 at most: beyond, one would be infinite in the network's 32 bits, and the
        state never a number again."""
        return self._all_limits()[which]

    @property
    def least_limit(self) -> float:
        """The least of the limits of all series."""
        self._all_limits()
        return self._least

    def _all_limits(self) -> NDArray[np.float64]:
        if self._reach is None:
            self._reach = np.full(len(self.scales), float(np.finfo(np.float32).max))
            if self.transform.kind != "asinh":
                there = np.abs(self.scales[:, 0]) + LARGEST_SCALED * self.scales[:, 1]
                # Below the least known value the logarithm is a line.
                unit = self.transform.marks if self.transform.kind == "log" else 1.0
                self._reach = np.minimum(self._reach, there * unit)
            self._least = float(self._reach.min())
        return self._reach

    def put_scales(self, which: Any, scales: NDArray[np.float64], marks: NDArray[np.float64]) -> None:
        """Give some series other scales and marks."""
        self.scales[which], self.transform.marks[which] = scales, marks
        self._reach = None

    def scaled(self, which: NDArray[np.int64], readings: NDArray[np.float64]) -> NDArray[np.float64]:
        """Transformed readings of some series as networks read them."""
        return np.asarray((readings - self.scales[which, 0]) / self.scales[which, 1] - self.states[which, OFFSET])

    def too_far(self, which: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which readings are beyond their limit."""
        return np.asarray(np.abs(values) > self.limits(which))

    def put(self, which: NDArray[np.int64], windows: NDArray[np.float32]) -> None:
        """Let windows [series, size] be the last values of some series, which stand at the first row a bank has."""
        if self.size:
            self.values[: self.size, which] = windows.T

    def windows(self, which: NDArray[np.int64], at: NDArray[np.int64]) -> NDArray[np.float32]:
        """The last values of some series that stand at rows `at` of a bank, [series, size]."""
        if self.size and len(at) and (at == at[0]).all():
            # A third of the time: series that stand at the same row need no picking, item by item.
            end = int(at[0]) + self.shift + 1
            return np.take(self.values[end - self.size : end], which, axis=1).T
        back = np.arange(1 - self.size, 1)
        return np.asarray(self.values[(at + self.shift)[:, None] + back, which[:, None]])

    def window(self, number: int, at: int) -> NDArray[np.float32]:
        """The last values of one series, [size]."""
        end = at + self.shift + 1
        return self.values[end - self.size : end, number]

    def wrap(self, which: NDArray[np.int64]) -> None:
        """Move the last values to the front."""
        if self.size:
            self.values[: self.size, which] = self.values[len(self.values) - self.size :, which]

    def take(
        self, which: NDArray[np.int64], at: NDArray[np.int64], readings: NDArray[np.float64], anew: NDArray[np.bool_]
    ) -> NDArray[np.float64]:
        """Take the next reading (NaN: missing) of some series.

        Args:
            which: the series.
            at: their rows.
            readings: [series], in their units.
            anew: [series], which of them begin anew.

        Returns:
            The readings transformed.
        """
        readings = self.transform.forward(readings, which)
        if not self.size:
            return readings
        scaled = self.scaled(which, readings)
        place = at + self.shift
        if anew.any():
            self.values[place[anew] - np.arange(1, self.size)[:, None], which[anew]] = scaled[anew]
            self._begin_anew(which[anew])
        instead = self.values[place - self._back[which], which]
        self.values[place, which] = np.where(np.isnan(readings), instead, scaled)
        self._watch_levels(which, place, np.isnan(readings))
        return readings

    def _begin_anew(self, which: "NDArray[np.int64] | int") -> None:
        """Let nothing of the past be compared with what begins now."""
        self.states[which, RUN], self.states[which, OUT], self.states[which, WAIT] = 0, 0, self._levels.season
        if self.follower is not None:
            self.follower.begin_anew(which)

    def _watch_levels(self, which: NDArray[np.int64], place: NDArray[np.int64], missing: NDArray[np.bool_]) -> None:
        """See whether the last values of some series, at these places, lie on another level."""
        season = self._levels.season
        if not season:
            return
        states = self.states[which]
        wait, out = states[:, WAIT], states[:, OUT] != 0
        apart = self.values[place, which].astype(np.float64) - self.values[place - season, which]
        beyond = ~missing & ((np.abs(apart) > self._least_apart[which]) | (states[:, RUN] != 0))
        for one in np.flatnonzero((beyond | out) & (wait == 0)):
            self._look_at_level(int(which[one]), int(place[one]), float(apart[one]), missing=bool(missing[one]))
        self.states[which, WAIT] = np.maximum(wait - 1, 0)

    def _look_at_level(self, number: int, place: int, apart: float, *, missing: bool) -> None:
        """Count a value that is a shift or an outage, or the first that is none: where there are enough the level has
        shifted, and an outage that has ended is missing from now on."""
        levels, state, limit = self._levels, self.states[number], float(self._levels.limits[number])
        if not missing:
            state[RUN] = levels.count(float(state[RUN]), apart, limit)
        if abs(state[RUN]) >= levels.steps:
            window = self.values[place + 1 - self.size : place + 1, number]
            state[OFFSET], state[RUN], state[OUT] = float(state[OFFSET]) + levels.move(window, limit), 0, 0
            return
        season, out, back = levels.season, float(state[OUT]), int(self._back[number])
        if out >= season:
            apart = float(self.values[place, number]) - float(self.values[place - seasons_back(out, season), number])
        far = float(levels.outages[number])
        state[OUT], ended = count_on(out, apart, far, levels.longest, season, missing=missing)
        for one in range(place - ended, place):
            self.values[one, number] = self.values[one - back, number]

    def write(
        self,
        rows: NDArray[np.float32],
        which: NDArray[np.int64],
        at: NDArray[np.int64],
        windows: NDArray[np.float32],
        missing: NDArray[np.bool_],
    ) -> None:
        """Write what networks of a committee read of some series into their rows [cap, series, columns]."""
        if self.follower is not None:
            self.follower.follow(which, windows, missing)
        found = np.concatenate([windows[:, -1:], missing[:, None], self.inputs.of(windows, which)], axis=1)
        rows[at, which, : found.shape[1]] = found

    def take_one(self, number: int, at: int, reading: float, *, anew: bool) -> float:
        """What `take` does for many, for one series; the reading transformed."""
        mean, scale = self.scales[number].tolist()
        first = number * self.states.shape[1]
        if self.transform.kind != "none":
            # As an array: NumPy's logarithm of a single number may round otherwise.
            reading = float(self.transform.forward(np.array([reading]), np.array([number]))[0])
        place, values = at + self.shift, self.values
        if not self.size:
            return reading
        if reading != reading:
            values[place, number] = values[place - self._back[number], number]
        else:
            values[place, number] = scaled = (reading - mean) / scale - self._flat[
                number * self.states.shape[1] + OFFSET
            ]
            if anew:
                values[place - self.size + 1 : place, number] = scaled
                self._begin_anew(number)
        if season := self._levels.season:
            wait = self._flat[first + WAIT]
            if wait:
                self.states[number, WAIT] = wait - 1
            elif reading == reading:
                apart = float(values[place, number]) - float(values[place - season, number])
                if self._flat[first + RUN] or self._flat[first + OUT] or abs(apart) > self._limits[number]:
                    self._look_at_level(number, place, apart, missing=False)
            elif self._flat[first + OUT]:
                self._look_at_level(number, place, 0.0, missing=True)
        return reading

    def finish(
        self,
        which: NDArray[np.int64],
        windows: NDArray[np.float32],
        outputs: NDArray[np.float32],
        stamps: NDArray[np.datetime64],
    ) -> NDArray[Any]:
        """The forecasts of some series in their units.

        Args:
            which: the series.
            windows: [series, size], their last values.
            outputs: [series, outputs], the mean of what the networks forecast.
            stamps: datetime64 [series], the times of the last values.

        Returns:
            [series, outputs], or where errors differ in size [series, 2 * horizon], the sizes behind the forecasts.
        """
        if self.committee is None:
            return outputs if self.transform.kind == "none" else self.transform.inverse(outputs, which)
        mean, scale = self.scales[which, :1], self.scales[which, 1:]
        loss, sizes = "" if self.spread is None else self.spread.loss, None
        units, scales = self.committee.units[which, None], self.scales[which]
        changes, phases = (
            changes_said(loss, outputs, windows[:, -1], units, scales),
            self.committee.profiles.phases(stamps),
        )
        found = self.committee.combine(changes, windows, which, phases)
        if self.spread is not None:
            sizes = self.spread.of(outputs, found, scales)
        if self.follower is not None:
            found = self.follower.mixed(which, found, windows, sizes)
        mean = mean + self.states[which, OFFSET, None] * scale
        finished = self.transform.inverse(found * scale + mean, which)
        return finished if sizes is None else np.concatenate([finished, sizes], axis=1)

    def free_bounds(self, which: "NDArray[np.int64] | int", readings: "NDArray[np.float64] | float") -> None:
        """Drop the bounds that readings of some series lie beyond."""
        if self.bounded:
            states = self.states[which]
            free_bounds(states, readings)
            self.states[which] = states

    def free_bounds_of(self, number: int, reading: float) -> None:
        """Drop the bounds that a reading of one series lies beyond."""
        first = number * self.states.shape[1]
        if reading < self._flat[first + LOW]:
            self._flat[first + LOW] = -np.inf
        if reading > self._flat[first + HIGH]:
            self._flat[first + HIGH] = np.inf

    def within(self, values: NDArray[Any], which: "NDArray[np.int64] | int") -> NDArray[Any]:
        """Forecasts [..., horizon] of some series within their bounds."""
        return within(values, self.states[which]) if self.bounded else values

    def width(self, number: int, latest: NDArray[np.float32]) -> "float | NDArray[np.float64]":
        """How many times as wide as usual the intervals of one series are, with what `finish` has said of it last."""
        width = float(self.states[number, WIDTH])
        return width if self.spread is None else width * latest[len(latest) // 2 :].astype(np.float64)

    def finish_alone(self, number: int, outputs: NDArray[Any]) -> NDArray[np.float64]:
        """The forecasts of one series in its units, from transformed ones."""
        return np.asarray(self.transform.inverse(outputs[None], np.array([number]))[0])


def mean_of(parts: Sequence[Any]) -> Any:
    """The mean of a few float32 numbers or arrays, added one after the other: `np.mean` adds single ones otherwise."""
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total / np.float32(len(parts))
