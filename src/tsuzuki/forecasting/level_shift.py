"""Shifts of the level as no training data had them: seen within a few steps, taken off what comes, put on forecasts.

Networks, ridge and means have learned nothing of a level that far away, and err for weeks. A shift is seen where
values lie, several steps in a row and on one side, further from those a season before than they ever did in training.
What comes is then read less the shift, the last values are moved with it, and forecasts are given with it, so that
every member goes on as if nothing had happened. A series that comes back shifts back in the same way. What comes back
sooner, or lies no further away than an outage of training did, is one: see `outages`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tsuzuki.forecasting.history import Break, history_of
from tsuzuki.forecasting.outages import count_on, longest_outage, seasons_back

if TYPE_CHECKING:
    from tsuzuki.data.segments import Segment
    from tsuzuki.forecasting.history import History
    from tsuzuki.forecasting.panel import SeriesInputs
    from tsuzuki.forecasting.rules import Rules

# A shift is seen after so many steps, or half a season if that is less; of fewer than three it would be an outlier.
STEPS, FEWEST = 6, 3
# It lies so many times as far away as anything that lasted as long in training, and so many deviations at least: by 1.5
# times, ETTh1 before its test part has 3 % more squared error than without this, by 2 half a per cent, by 3 none.
BEYOND, LEAST = 3.0, 1.0
# Seasons that training must hold to say how far values of two of them lie apart.
SEASONS = 6


@dataclass(frozen=True)
class LevelShifts:
    """How shifts and outages are seen.

    Attributes:
        limits: float32 [series], how far from the value a season before is a shift; inf where nobody knows.
        outages: float32 [series], how far from it an outage lies; inf where none is looked for.
        season: in steps; 0 for none, where no shift is seen.
        steps: in a row that it takes.
        size: values of a window.
    """

    limits: NDArray[np.float32]
    outages: NDArray[np.float32]
    season: int
    steps: int
    size: int

    @property
    def least(self) -> NDArray[np.float32]:
        """How far from the value a season before anything is seen, float32 [series]."""
        return np.minimum(self.limits, self.outages)

    @property
    def only_outages(self) -> "LevelShifts":
        """The same, with no shift seen in any series."""
        return replace(self, limits=np.full_like(self.limits, np.inf))

    @property
    def longest(self) -> int:
        """Steps that an outage lasts at most."""
        return longest_outage(self.size, self.season)

    def count(self, run: float, apart: float, limit: float) -> float:
        """How many values in a row lie beyond the limit, below 0 for those that lie too low.

        Args:
            run: the count before.
            apart: the value less that a season before.
            limit: of the series.
        """
        if apart > limit:
            return run + 1 if run > 0 else 1.0
        if apart < -limit:
            return run - 1 if run < 0 else -1.0
        return 0.0

    def move(self, window: NDArray[np.float32], limit: float) -> float:
        """Take a shift that has just been seen off the last values of a window, and say how large it is."""
        recent, before = window[-self.steps :], window[-self.steps - self.season : -self.season]
        apart = recent - before
        beyond = np.abs(apart) > limit
        shift = np.float32(np.median(apart[beyond]))
        recent[beyond] -= shift
        return float(shift)

    def select(self, which: "Sequence[int | None]") -> "LevelShifts":
        """Those of some series; nobody knows how far one that training has not seen (None) may leap."""

        def of(limits: NDArray[np.float32]) -> NDArray[np.float32]:
            return np.array([np.inf if number is None else limits[number] for number in which], np.float32)

        return replace(self, limits=of(self.limits), outages=of(self.outages))


def no_shifts(series: int, size: int) -> LevelShifts:
    """Where none is seen."""
    never = np.full(series, np.inf, np.float32)
    return LevelShifts(never, never, 0, FEWEST, size)


def level_shifts(histories: "Sequence[History]", outages: NDArray[np.float32], rules: "Rules") -> LevelShifts:
    """How shifts and outages, with these limits [series], are seen in series whose training data these are."""
    season, steps = compared_over(rules)
    if season == 0:
        return no_shifts(len(histories), rules.history)
    limits = np.array([_limit(one, season, steps) for one in histories], np.float32)
    return LevelShifts(limits, outages, season, steps, rules.history)


def histories_with_outages(
    inputs: "Sequence[SeriesInputs]", far: NDArray[np.float32], rules: "Rules"
) -> "tuple[list[History], list[float]]":
    """Training data as they were seen: outages are missing as soon as they have ended; and for how many steps each
    series has lain off at its end.

    Args:
        inputs: the series.
        far: float32 [series], how far from the value a season before an outage lies.
        rules: what was chosen from the series.
    """
    season, steps = compared_over(rules)
    watched = LevelShifts(np.full(len(inputs), np.inf, np.float32), far, season, steps, rules.history)
    histories, out = [], []
    for number, (one, base) in enumerate(zip(inputs, rules.bases, strict=True)):
        found = take_off_shifts(watched, number, one.values, one.segments, None, base or 1, Standing())
        histories.append(history_of(one.values, one.segments, base, rules.history, breaks=found.breaks))
        out.append(found.standing.out)
    return histories, out


def compared_over(rules: "Rules") -> tuple[int, int]:
    """The season over which values are compared, 0 for none, and how many steps a shift takes."""
    season = rules.seasons[0] if rules.seasons and not rules.alone else 0
    steps = max(FEWEST, min(STEPS, season // 2))
    return (0 if season < steps or season + steps > rules.history else season), steps


def _limit(history: "History", season: int, steps: int) -> float:
    """What lasts as long in training, times `BEYOND`; inf of short data."""
    ends = history.ends[history.ends >= 0]
    ends = ends[season:]
    if len(ends) < (SEASONS - 1) * season or len(ends) < steps:
        return float("inf")
    apart = history.values[ends].astype(np.float64) - history.values[ends - season]
    windows = np.lib.stride_tricks.sliding_window_view(apart, steps)
    lasting = np.maximum(windows.min(axis=1), -windows.max(axis=1))
    return max(LEAST, BEYOND * float(lasting.max()))


@dataclass(frozen=True)
class Shifted:
    """A series with shifts taken off.

    Attributes:
        values: float32 [points], NaN where missing.
        offsets: float32 [points], the shift that forecasts behind each point are given with.
        breaks: where shifts were seen.
        standing: at the end.
    """

    values: NDArray[np.float32]
    offsets: NDArray[np.float32]
    breaks: "list[Break]"
    standing: "Standing"


@dataclass(frozen=True)
class Standing:
    """Where a series stands.

    Attributes:
        offset: the shift of its level.
        run: values in a row beyond the limit; below 0 for too low ones.
        wait: readings until there are values of a season before to compare with.
        out: steps that an outage has lasted; see `outages.count_on`.
    """

    offset: float = 0.0
    run: float = 0.0
    wait: float = 0.0
    out: float = 0.0


def take_off_shifts(
    shifts: LevelShifts,
    number: int,
    values: NDArray[np.float32],
    segments: "Sequence[Segment]",
    past: "tuple[NDArray[np.float32], NDArray[np.bool_]] | None",
    back: int,
    standing: Standing,
) -> Shifted:
    """Take shifts off readings, one after the other.

    Args:
        shifts: how they are seen.
        number: the series.
        values: float32 [points], scaled, NaN where missing.
        segments: its stretches; a series begins anew with each, but for the first where there is a past.
        past: the window [size] before the first stretch, and where something stands in for a value in it.
        back: steps back that what stands in for a missing value is taken from.
        standing: before them.
    """
    moved, offsets = values.copy(), np.full(len(values), standing.offset, np.float32)
    breaks: list[Break] = []
    for place, segment in enumerate(segments):
        own = values[segment.start : segment.stop]
        window, gaps = past if place == 0 and past is not None else (None, None)
        if window is None or gaps is None:
            standing = Standing(standing.offset, 0.0, float(shifts.season), 0.0)
            window, gaps = np.full(shifts.size, own[0] - np.float32(standing.offset)), np.ones(shifts.size, bool)
        found = _of_stretch(shifts, number, own, window, gaps, back, standing)
        moved[segment.start : segment.stop] = found.values
        offsets[segment.start : segment.stop] = found.offsets
        standing = found.standing
        offsets[segment.stop :] = standing.offset
        breaks += [Break(segment.start + one.place, one.window, one.absent) for one in found.breaks]
    return Shifted(moved, offsets, breaks, standing)


def _of_stretch(
    shifts: LevelShifts,
    number: int,
    values: NDArray[np.float32],
    window: NDArray[np.float32],
    absent: NDArray[np.bool_],
    back: int,
    standing: Standing,
) -> Shifted:
    offset, run, wait, out = standing.offset, standing.run, standing.wait, standing.out
    moved, offsets = values - np.float32(offset), np.full(len(values), offset, np.float32)
    season, size = shifts.season, len(window)
    limit, far = float(shifts.limits[number]), float(shifts.outages[number])
    calm = Shifted(moved, offsets, [], Standing(offset, run, max(0.0, wait - len(values)), out))
    least = min(limit, far)
    if season == 0 or not np.isfinite(least):
        return calm
    joined = np.concatenate([window, moved])
    for missing in np.flatnonzero(np.isnan(joined)):
        joined[missing] = joined[missing - back]
    whole = joined.astype(np.float64)
    if run == out == 0 and not (np.abs(whole[size:] - whole[size - season : -season]) > least).any():
        return calm
    gaps = np.concatenate([absent, np.isnan(values)])
    breaks = []
    for at, given in enumerate(values.tolist()):
        place, missing, changed = size + at, given != given, 0
        joined[place] = joined[place - back] if missing else np.float32(given - offset)
        if wait == 0:
            now = float(joined[place])
            if not missing:
                run = shifts.count(run, now - float(joined[place - season]), limit)
            if abs(run) >= shifts.steps:
                own = joined[place + 1 - size : place + 1]
                offset, run, out, changed = float(np.float32(offset + shifts.move(own, limit))), 0.0, 0.0, 1
            else:
                apart = now - float(joined[place - seasons_back(out, season)])
                out, changed = count_on(out, apart, far, shifts.longest, season, missing=missing)
                for one in range(place - changed, place):
                    joined[one], gaps[one] = joined[one - back], True
            if changed:
                now_on = slice(place + 1 - size, place + 1)
                breaks.append(Break(at, joined[now_on].copy(), gaps[now_on].copy()))
        wait = max(0.0, wait - 1)
        moved[at], offsets[at] = np.nan if missing else joined[place], offset
    return Shifted(moved, offsets, breaks, Standing(offset, run, wait, out))
