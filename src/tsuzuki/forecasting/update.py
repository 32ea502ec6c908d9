"""Newer rows run through the networks, which moves their states on; and series that training has not seen, from their
beginning."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tsuzuki.data.covariates import covariate_inputs
from tsuzuki.data.frames import zone_of
from tsuzuki.data.newer_rows import newer_rows
from tsuzuki.data.segments import segments_between_gaps
from tsuzuki.data.zones import check_zone
from tsuzuki.errors import DataError
from tsuzuki.forecasting.bounds import free_bounds
from tsuzuki.forecasting.fitted import KEPT_TIMES, Fitted
from tsuzuki.forecasting.follow import follow_panel, follower_of, put_standing, standing_of, waiting_windows
from tsuzuki.forecasting.history import History, history_of
from tsuzuki.forecasting.level_shift import take_off_shifts
from tsuzuki.forecasting.new_series import with_new_series
from tsuzuki.forecasting.panel import SeriesInputs, build_panel
from tsuzuki.forecasting.predict import pending_rows, select_series
from tsuzuki.forecasting.scaling import scale_and_fill
from tsuzuki.forecasting.settings import Settings
from tsuzuki.forecasting.stepwise import rows_kept, run_stepwise
from tsuzuki.forecasting.window_inputs import WindowInputs

if TYPE_CHECKING:
    from tsuzuki.forecasting.stepwise import SeriesState


def run_newer_rows(fitted: Fitted, settings: Settings, frame: Any, *, merge: bool = False, new: bool = False) -> Fitted:
    """Run newer rows through the networks, which updates their states; see `Forecaster.update`.

    With `new`, series that training has not seen are taken too, from their beginning.
    """
    columns = settings.columns
    long = settings.long(frame)
    check_zone(zone_of(long), fitted.zone, "the frame")
    groups = dict(iter(long.groupby("unique_id", sort=False)))
    unknown, rules = [name for name in groups if name not in fitted.ids], fitted.rules
    if unknown and not new:
        raise DataError(
            f"series {unknown[0]!r} was not in the data the forecaster was fitted to ({', '.join(fitted.ids[:5])}); "
            "fit it again with that series, or forecast it with predict"
        )
    begun: dict[str, tuple[NDArray[np.datetime64], NDArray[np.float64]]] = {}
    if unknown:
        fitted, begun = with_new_series(fitted, settings, long[long["unique_id"].isin(unknown)], merge=merge)
    times, last, inputs, which = list(fitted.times), fitted.last_covariates.copy(), [], []
    histories: list[History] = []
    begins: list[np.datetime64] = []
    windows, absent, window_effects = fitted.windows.copy(), fitted.absent.copy(), fitted.window_effects.copy()
    recent, window_shifts = fitted.recent_states.copy(), fitted.window_shifts.copy()
    earlier, unfollowed = fitted.earlier.copy(), fitted.unfollowed.copy()
    breaks: dict[int, int] = {}
    of_windows = None if fitted.rules.alone else WindowInputs(fitted.rules, rules)
    for number, name in enumerate(fitted.ids):
        if name not in groups:
            continue
        if name in begun:
            ahead, values = begun[name]
        else:
            ahead, values = newer_rows(groups[name], fitted.times[number], ("y", *columns.all), merge=merge)
        if len(ahead) == 0:
            continue
        mean, scale = fitted.scales[number]
        covariates = scale_and_fill(values[:, 1:], fitted.covariate_scales, last[number])
        others = covariate_inputs(ahead, fitted.step, covariates, columns, settings.horizon, cycles=fitted.rules.cycles)
        # After a gap that is too long the state restarts from zero.
        segments, goes_on = segments_between_gaps(~np.isnan(values[:, 0]), settings.max_gap)
        goes_on = goes_on and name not in begun
        if not segments:
            continue
        if len(covariates) and len(last[number]):
            last[number] = covariates[-1]
        effect = fitted.effects.within(covariates, number)
        usual = fitted.effects.take_off(values[:, 0], effect, fitted.transform, number)
        scaled = ((fitted.transform.forward(usual, number) - mean) / scale).astype(np.float32)
        kept = window_effects.shape[1]
        window_effects[number] = np.concatenate([window_effects[number], effect])[len(effect) :][:kept]
        known = covariates[:, len(columns.past) : len(columns.past) + len(columns.known)]
        times[number] = np.concatenate([fitted.times[number], ahead])[-KEPT_TIMES:]
        past, past_absent = (windows[number], absent[number]) if goes_on else (None, None)
        season, size = fitted.rules.bases[number], fitted.rules.history
        before = None if past is None or past_absent is None else (past, past_absent)
        stands = standing_of(recent[number])
        shifted = take_off_shifts(fitted.shifts, number, scaled, segments, before, season or 1, stands)
        scaled = shifted.values
        put_standing(recent[number], shifted.standing)
        for reading in (np.nanmin(values[:, 0]), np.nanmax(values[:, 0])):
            free_bounds(recent[number], reading)
        history = history_of(scaled, segments, season, size, past, past_absent, shifted.breaks)
        windows[number], absent[number] = history.last(), history.last_absent()
        earlier[number] = history.before_last(earlier.shape[1], earlier[number])
        breaks[number] = shifted.breaks[-1].place if shifted.breaks else -len(earlier[number]) - 1
        window_shifts[number] = np.concatenate([window_shifts[number], shifted.offsets])[len(effect) :]
        one = SeriesInputs(scaled, others, segments)
        inputs.append((one if of_windows is None else of_windows.read(one, history, number), goes_on, known))
        which.append(number)
        begins.append(ahead[0])
        histories.append(history)
    if not which:
        return fitted
    states, total = [], np.zeros((0, 0), np.float32)
    for way, weights, state in zip(fitted.ways, fitted.members, fitted.states, strict=True):
        own = []
        for number, (one, goes_on, known) in zip(which, inputs, strict=True):
            past = pending_rows(fitted, state, number, known) if goes_on else None
            own.append(replace(one, past_rows=past, pending=int(state.pending[number])))
        panel = build_panel(own, fitted.way.before, settings.horizon)
        wanted = np.zeros(len(panel.inputs), bool)
        if fitted.recent is not None:
            wanted[np.concatenate([panel.rows_of(place)[0] for place in range(len(which))])] = True
        found, moved = run_stepwise(way, weights, panel, wanted, select_series(state, which), rows_kept(settings))
        total = found if len(total) == 0 else total + found
        states.append(_replace_series(state, moved, which))
    if follower := follower_of(fitted, recent):
        outputs = total / np.float32(len(fitted.members))
        for place, number in enumerate(which):
            places, past = panel.rows_of(place)[1], waiting_windows(fitted, number)
            said, outputs = outputs[: len(places)], outputs[len(places) :]
            some = places >= -unfollowed[number]
            at = places[some]
            # What waits is followed once more when it is known what follows it, but for what lies before another level.
            unfollowed[number] = left = min(int(states[-1].pending[number]), len(at), int((at >= breaks[number]).sum()))
            at = at[: len(at) - left + 1]
            where = panel, place, histories[place], at, begins[place], past
            follow_panel(fitted, follower, number, said[some][: len(at)], *where)
    return replace(
        fitted,
        states=states,
        times=times,
        last_covariates=last,
        windows=windows,
        absent=absent,
        window_effects=window_effects,
        recent_states=recent,
        window_shifts=window_shifts,
        earlier=earlier,
        unfollowed=unfollowed,
    )


def _replace_series(state: "SeriesState", moved: "SeriesState", which: Sequence[int]) -> "SeriesState":
    from tsuzuki.forecasting.stepwise import SeriesState

    saved, rows, pending = state.saved.copy(), state.rows.copy(), state.pending.copy()
    saved[list(which)], rows[list(which)], pending[list(which)] = moved.saved, moved.rows, moved.pending
    return SeriesState(saved, rows, pending)
