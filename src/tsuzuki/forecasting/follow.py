"""Series moved on over rows that are all there: what streams do a reading at a time, for newer rows and backtests."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tsuzuki.forecasting.level_shift import Standing
from tsuzuki.forecasting.recent_errors import OFFSET, OUT, RUN, WAIT, Follower, follow_rows
from tsuzuki.forecasting.spread import changes_said
from tsuzuki.layouts.layout import ZERO

if TYPE_CHECKING:
    from tsuzuki.forecasting.fitted import Fitted
    from tsuzuki.forecasting.history import History
    from tsuzuki.forecasting.panel import Panel


def standing_of(state: NDArray[np.float32]) -> Standing:
    """Where a series stands by its state [numbers]."""
    return Standing(*(float(state[place]) for place in (OFFSET, RUN, WAIT, OUT)))


def put_standing(state: NDArray[np.float32], standing: Standing) -> None:
    """Write where a series stands into its state [numbers]."""
    state[OFFSET], state[RUN] = standing.offset, standing.run
    state[WAIT], state[OUT] = standing.wait, standing.out


def follower_of(fitted: "Fitted", states: NDArray[np.float32]) -> Follower | None:
    """What moves these states [series, numbers] of all series on, or None where errors are not followed."""
    return None if fitted.recent is None else Follower(fitted.recent, states, fitted.rules.history)


def combined(
    fitted: "Fitted",
    outputs: NDArray[np.float32],
    windows: NDArray[np.float32],
    series: "int | NDArray[np.int64]",
    phases: NDArray[np.int64] | None = None,
) -> NDArray[np.float32]:
    """The committee's forecasts, float32 [rows, horizon], in units of the series' scale.

    Args:
        fitted: with a committee.
        outputs: float32 [rows, outputs], the mean of what the networks say.
        windows: float32 [rows, size], the last values.
        series: whose rows they are.
        phases: int64 [rows], the place of each last value in its profile's season; see `phases_at`.
    """
    assert fitted.committee is not None
    units, loss = fitted.committee.units[series], "" if fitted.spread is None else fitted.spread.loss
    units = units if units.ndim == 0 else units[:, None]
    changes = changes_said(loss, outputs, windows[:, -1], units, np.atleast_2d(fitted.scales[series]))
    return fitted.committee.combine(changes, windows, series, phases)


def phases_at(fitted: "Fitted", times: "NDArray[np.datetime64]") -> NDArray[np.int64]:
    """The places of times in the season of the committee's profiles; 0 where there are none."""
    return np.zeros(len(times), np.int64) if fitted.committee is None else fitted.committee.profiles.phases(times)


def phases_from(fitted: "Fitted", time: np.datetime64, places: NDArray[np.int64]) -> NDArray[np.int64]:
    """The same for positions of a grid whose position 0 is at a time."""
    if fitted.committee is None or not fitted.committee.profiles:
        return np.zeros(len(places), np.int64)
    first = phases_at(fitted, np.array([time]))[0]
    return np.asarray((first + places) % fitted.committee.profiles.season)


def sizes_of(
    fitted: "Fitted", outputs: NDArray[np.float32], forecasts: NDArray[np.float32], series: "int | NDArray[np.int64]"
) -> NDArray[np.float32] | None:
    """The sizes that errors of `combined` forecasts are expected to have, [rows, horizon]; None: all the same."""
    if fitted.spread is None:
        return None
    return fitted.spread.of(outputs, forecasts, np.atleast_2d(fitted.scales[series]))


def follow_panel(
    fitted: "Fitted",
    follower: Follower,
    number: int,
    outputs: NDArray[np.float32],
    panel: "Panel",
    place: int,
    history: "History",
    places: NDArray[np.int64],
    first: np.datetime64,
    past: NDArray[np.float32] | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Move one series on over rows that a panel has of it.

    Args:
        fitted: what training left.
        follower: of all series.
        number: the series.
        outputs: float32 [rows, horizon], the mean of the networks' forecasts at these rows.
        panel: the rows.
        place: which of the panel's series it is.
        history: the last values at each of its positions from 0 on.
        places: int64 [rows], their positions, one after the other. The reading of the first is counted already, unless
            the series begins anew with it.
        first: the time of position 0.
        past: float32 [waiting, size], the windows at the positions before 0.

    Returns:
        Forecasts [rows, horizon] in units of its scale, and how wide intervals are, [rows, 1 or horizon].
    """
    rows, every = panel.rows_of(place)
    rows = rows[np.isin(every, places)]
    begins = np.isin(rows, [one.start for one in panel.stretches_of(place) if one.entry == ZERO])
    windows = history.windows(np.maximum(places, 0))
    if past is not None:
        windows[places < 0] = past[places[places < 0]]
    forecasts = combined(fitted, outputs, windows, number, phases_from(fitted, first, places))
    sizes = sizes_of(fitted, outputs, forecasts, number)
    found, widths = follow_rows(follower, number, forecasts, windows, panel.inputs[rows, 1] != 0, begins, sizes)
    return found, widths[:, None] if sizes is None else widths[:, None] * sizes


def waiting_windows(fitted: "Fitted", number: int) -> NDArray[np.float32]:
    """The last values of one series at each of the rows that may wait for what is known ahead, [waiting, size]."""
    joined = np.concatenate([fitted.earlier[number], fitted.windows[number]])
    return np.lib.stride_tricks.sliding_window_view(joined, fitted.rules.history)


def follow_waiting(
    fitted: "Fitted",
    follower: Follower,
    number: int,
    outputs: NDArray[np.float32],
    missing: NDArray[np.bool_],
    place: int | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Move one series on over the rows that wait, now that it is known what follows them.

    Args:
        fitted: what training left.
        follower: of some series.
        number: the series.
        outputs: float32 [rows, horizon], the mean of the networks' forecasts at all of these rows, or at all but the
            last.
        missing: bool [rows], where the last value is none.
        place: which of the follower's series it is; as in `fitted` if None.

    Returns:
        As from `follow_panel`, for these outputs.
    """
    place, rows = number if place is None else place, len(missing)
    windows = waiting_windows(fitted, number)[-rows:]
    some = windows[: len(outputs)]
    phases = phases_from(fitted, fitted.times[number][-1], np.arange(1 - rows, 1))[: len(outputs)]
    forecasts = combined(fitted, outputs, some, number, phases)
    sizes, none = sizes_of(fitted, outputs, forecasts, number), np.zeros(len(outputs), bool)
    found, widths = follow_rows(follower, place, forecasts, some, missing[: len(outputs)], none, sizes)
    if 0 < len(outputs) < rows:
        follower.follow_one(place, windows[-1], missing=bool(missing[-1]))
    return found, widths[:, None] if sizes is None else widths[:, None] * sizes
