"""Forecasts from trained networks: newer rows in, the next steps out, with intervals.

One network learns all series. At every step it forecasts the whole horizon at once (the forking sequences of Wen et al.
2017), as changes from the last value, in units of each series' own scale. The forecasts of an ensemble are averaged.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tsuzuki.errors import DataError, SettingError
from tsuzuki.forecasting.fitted import Fitted
from tsuzuki.forecasting.settings import Settings

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from tsuzuki.forecasting.stepwise import SeriesState


def pending_rows(
    fitted: Fitted, state: "SeriesState", number: int, known: "NDArray[np.float64]"
) -> "NDArray[np.float32]":
    """The rows that one series goes on from, [before + pending, columns], with what is known to follow them.

    Args:
        fitted: what training left.
        state: of all series.
        number: the series.
        known: the scaled covariates known ahead at the times behind the last row, [times, known].
    """
    import numpy as np

    count = int(state.pending[number])
    rows = state.rows[number, state.rows.shape[1] - fitted.way.before - count :].copy()
    if known.shape[1] == 0:
        return rows
    own, horizon = rows[-count:], (fitted.rules.horizon)
    if fitted.rules.alone:
        # What stood in for a missing value was forecast with less known.
        own[own[:, 1] != 0, 0] = np.nan
    ahead = own[:, own.shape[1] - horizon * known.shape[1] :].reshape(count, horizon, -1)
    # The first row's next values lie beside the others; behind the last row come those now known.
    follow = np.concatenate([ahead[0, : count - 1], known.astype(np.float32)])
    places = np.minimum(np.arange(count)[:, None] + np.arange(horizon), len(follow) - 1)
    own[:, own.shape[1] - horizon * known.shape[1] :] = follow[places].reshape(count, -1)
    return rows


def rows_that_wait(
    fitted: Fitted, number: int, known: "NDArray[np.float64]"
) -> "tuple[list[tuple[NDArray[np.float32], NDArray[np.float32]]], NDArray[np.float32], NDArray[np.bool_]]":
    """Run the rows of one series that wait for what is known ahead, but for the last.

    Args:
        fitted: what training left.
        number: the series.
        known: as for `pending_rows`.

    Returns:
        For each network the last row with those that lags read before it, [before + 1, columns], and the state before
        it, [1, sizes]; the mean of what networks say at those of these rows that recent errors have yet to take up, but
        for the last, [rows, outputs]; and which of these, the last among them, have no reading, bool [1 + rows].
    """
    import numpy as np

    from tsuzuki.forecasting.panel import Panel, Stretch
    from tsuzuki.forecasting.stepwise import run_stepwise

    found: list[tuple[NDArray[np.float32], NDArray[np.float32]]] = []
    total, unfollowed = np.zeros(0, np.float32), int(fitted.unfollowed[number])
    rows = np.zeros((0, 0), np.float32)
    for way, weights, state in zip(fitted.ways, fitted.members, fitted.states, strict=True):
        rows, count = pending_rows(fitted, state, number, known), int(state.pending[number])
        stretch = Stretch(0, len(rows) - count, len(rows), -count, 0)
        panel = Panel(rows, np.zeros((0, 1), np.float32), (stretch,), 1)
        wanted = np.zeros(len(rows), bool)
        wanted[len(rows) - unfollowed : len(rows) - 1] = True
        said, moved = run_stepwise(way, weights, panel, wanted, select_series(state, [number]))
        total = said if len(found) == 0 else total + said
        found.append((moved.rows[0], moved.saved))
    return found, total / np.float32(len(found)), rows[-unfollowed:, 1] != 0


def select_series(state: "SeriesState", which: Sequence[int]) -> "SeriesState":
    """The state of some of the series."""
    from tsuzuki.forecasting.stepwise import SeriesState

    return SeriesState(state.saved[list(which)], state.rows[list(which)], state.pending[list(which)])


def forecast_next_steps(
    fitted: Fitted, settings: Settings, future: Any = None
) -> "tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float32]]":
    """The next steps of every series, what is known ahead adds to them, and how wide intervals are.

    Returns:
        Forecasts [series, horizon, quantiles or 1], increasing by quantile, in the series' unit, transformed, without
        effects; the effects, [series, horizon]; and how many times as wide as usual intervals are, [series, horizon].
    """
    import numpy as np

    from tsuzuki.forecasting.follow import combined, follow_waiting, follower_of, phases_at, sizes_of
    from tsuzuki.forecasting.panel import Panel, Stretch
    from tsuzuki.forecasting.recent_errors import OFFSET, WIDTH
    from tsuzuki.forecasting.stepwise import run_stepwise

    series = len(fitted.ids)
    ahead = (
        _known_ahead(fitted, settings, future) if settings.columns.known else np.zeros((series, settings.horizon, 0))
    )
    # Rows that waited are followed with what is known now; in `fitted` they wait on.
    recent = fitted.recent_states.copy()
    follower = follower_of(fitted, recent)
    unfollowed = np.ones(series, np.int64) if follower is None else fitted.unfollowed
    total = np.zeros((int(unfollowed.sum()), fitted.way.network.outputs), np.float32)
    missing = np.zeros(len(total), bool)
    for way, weights, state in zip(fitted.ways, fitted.members, fitted.states, strict=True):
        rows = [pending_rows(fitted, state, number, ahead[number]) for number in range(series)]
        ends = np.cumsum([len(one) for one in rows])
        stretches = tuple(
            Stretch(i, int(end - count), int(end), -int(count), i)
            for i, (end, count) in enumerate(zip(ends, state.pending, strict=True))
        )
        panel = Panel(np.concatenate(rows), np.zeros((0, 1), np.float32), stretches, series)
        wanted = np.zeros(len(panel.inputs), bool)
        for end, count in zip(ends, unfollowed, strict=True):
            wanted[end - count : end] = True
        missing = panel.inputs[wanted, 1] != 0
        found, _ = run_stepwise(way, weights, panel, wanted, state)
        total += found
    outputs, every = total / np.float32(len(fitted.members)), np.arange(series)
    sizes: NDArray[np.float32] | None = None
    if follower is not None and (unfollowed > 1).any():
        parts, flags = (np.split(one, np.cumsum(unfollowed)[:-1]) for one in (outputs, missing))
        followed = [follow_waiting(fitted, follower, n, parts[n], flags[n]) for n in range(series)]
        outputs, widths = np.stack([own[-1] for own, _ in followed]), np.stack([wide[-1] for _, wide in followed])
    else:
        widths = recent[:, WIDTH, None].astype(np.float64)
        if fitted.committee is not None:
            phases = phases_at(fitted, np.array([times[-1] for times in fitted.times]))
            said, outputs = outputs, combined(fitted, outputs, fitted.windows, every, phases)
            sizes = sizes_of(fitted, said, outputs, every)
        if sizes is not None:
            widths = widths * sizes
        if follower is not None:
            outputs = follower.mixed(every, outputs, fitted.windows, sizes)
    usual = in_units(fitted, outputs, every, fitted.recent_states[:, OFFSET])
    effects = np.stack([fitted.effects.of(own, number) for number, own in enumerate(ahead)])
    return usual, effects, np.broadcast_to(widths, (series, settings.horizon))


def in_units(
    fitted: Fitted,
    forecasts: "NDArray[np.float32]",
    series: "NDArray[np.int64]",
    offsets: "NDArray[np.float32] | None" = None,
) -> "NDArray[np.float64]":
    """Forecasts in the series' units, transformed, [rows, horizon, quantiles or 1], increasing by quantile.

    Args:
        fitted: what training left.
        forecasts: float32 [rows, outputs], in units of the series' scales.
        series: int64 [rows], to which each belongs.
        offsets: float32 [rows], shifts of the level that were taken off.
    """
    import numpy as np

    mean, scale = fitted.scales[series, :1], fitted.scales[series, 1:]
    if offsets is not None and offsets.any():
        mean = mean + offsets[:, None] * scale
    found = forecasts.reshape(len(forecasts), fitted.rules.horizon, forecasts.shape[1] // fitted.rules.horizon)
    return np.sort(found, axis=2) * scale[..., None] + mean[..., None]


def _known_ahead(fitted: Fitted, settings: Settings, future: Any) -> "NDArray[np.float64]":
    """The scaled covariates of the forecast times, [series, horizon, known]."""
    import numpy as np

    from tsuzuki.data.covariates import align_to_grid
    from tsuzuki.data.frames import zone_of
    from tsuzuki.data.grid import following_times
    from tsuzuki.data.zones import check_zone

    known = settings.columns.known
    needed = settings.columns.given_ahead
    names = ", ".join(needed)
    if future is None and needed:
        raise DataError(f"the network reads columns known ahead ({names}); give them for the forecast times as future=")
    groups = {}
    if needed:
        long = settings.long(future, needs_y=False)
        check_zone(zone_of(long), fitted.zone, "future")
        groups = dict(iter(long.groupby("unique_id", sort=False)))
    first = len(settings.columns.past)
    scales = fitted.covariate_scales[first : first + len(known)]
    found = np.zeros((len(fitted.ids), settings.horizon, len(known)))
    for number, name in enumerate(fitted.ids):
        ahead = following_times(fitted.times[number], settings.horizon)
        rows = groups[name] if name in groups else _no_rows(needed)
        rows.attrs["zone"] = fitted.zone
        values = align_to_grid(rows, ahead, known)
        if np.isnan(values).any():
            step, column = np.argwhere(np.isnan(values))[0]
            time = str(ahead[step])[:19].replace("T", " ")
            raise DataError(
                f"future has no {known[column]} for series {name!r} at {time}; "
                f"give every forecast time a value of {names}"
            )
        found[number] = (values - scales[:, 0]) / scales[:, 1]
    return found


def _no_rows(columns: Sequence[str]) -> "pd.DataFrame":
    """A frame without rows, where nothing is given for a series."""
    import numpy as np
    import pandas as pd

    return pd.DataFrame({"ds": np.zeros(0, "datetime64[ns]"), **{name: np.zeros(0) for name in columns}})


def interval_bounds(
    fitted: Fitted,
    settings: Settings,
    forecasts: "NDArray[np.float64]",
    series: int,
    level: float,
    scale: float | None = None,
    width: "float | NDArray[np.float64]" = 1.0,
) -> "tuple[NDArray[np.float64], NDArray[np.float64]]":
    """The bounds of the interval around forecasts [..., horizon, quantiles or 1] of one series, transformed.

    `scale` is the series' scale where the series is not in the training data, `width` says how many times as wide as in
    usual times the interval is.
    """
    from tsuzuki.forecasting.conformal_intervals import check_levels

    check_levels([level])
    if fitted.calibration is not None:
        low, high = fitted.calibration.interval_offsets(level)
        own = series if len(low) > 1 else 0
        unit = fitted.scales[series, 1] if scale is None else scale
        return forecasts[..., 0] + low[own] * (unit * width), forecasts[..., 0] + high[own] * (unit * width)
    low_end, high_end = interval_quantiles(settings, level)
    return forecasts[..., low_end], forecasts[..., high_end]


def whole_ends(
    fitted: Fitted, low: "NDArray[np.float64]", high: "NDArray[np.float64]"
) -> "tuple[NDArray[np.float64], ...]":
    """The ends of intervals in the series' units; those of counts are whole numbers."""
    return (low, high) if fitted.spread is None else fitted.spread.ends(low, high)


def interval_quantiles(settings: Settings, level: float) -> tuple[int, int]:
    """The indices of the two quantiles that bound an interval.

    Raises:
        SettingError: the network does not forecast them.
    """
    found = []
    for wanted in (0.5 - level / 200, 0.5 + level / 200):
        near = [i for i, quantile in enumerate(settings.quantiles) if abs(quantile - wanted) < 1e-9]
        if not near:
            shown = ", ".join(f"{quantile:g}" for quantile in settings.quantiles)
            raise SettingError(
                f"level {level:g} needs the quantile {wanted:g}, but the network forecasts {shown}; "
                "choose a level of these, or fit without quantiles"
            )
        found.append(near[0])
    return found[0], found[1]


def point_forecast(settings: Settings, forecasts: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """The point forecast among outputs [..., quantiles or 1]."""
    return forecasts[..., settings.quantiles.index(0.5) if settings.quantiles else 0]


def forecast_frame(fitted: Fitted, settings: Settings, levels: Sequence[float], future: Any) -> "pd.DataFrame":
    """The forecasts as a frame; see `Forecaster.predict`."""
    import numpy as np
    import pandas as pd

    from tsuzuki.data.grid import following_times
    from tsuzuki.data.zones import in_zone
    from tsuzuki.forecasting.bounds import within

    found, moved, widths = forecast_next_steps(fitted, settings, future)

    def back(values: "NDArray[np.float64]", number: int) -> "NDArray[np.float64]":
        usual = fitted.transform.inverse(values, number)
        return within(
            fitted.effects.put_on(usual, moved[number], fitted.transform, number), fitted.recent_states[number]
        )

    columns = {
        "unique_id": np.repeat(np.array(fitted.ids, object), settings.horizon),
        "ds": in_zone(
            np.concatenate([following_times(times, settings.horizon) for times in fitted.times]), fitted.zone
        ),
        "tsuzuki": np.concatenate([back(point_forecast(settings, own), number) for number, own in enumerate(found)]),
    }
    for level in levels:
        ends = [
            interval_bounds(fitted, settings, own, number, level, width=widths[number])
            for number, own in enumerate(found)
        ]
        shown = [whole_ends(fitted, back(low, i), back(high, i)) for i, (low, high) in enumerate(ends)]
        columns[f"tsuzuki-lo-{level:g}"] = np.concatenate([low for low, _ in shown])
        columns[f"tsuzuki-hi-{level:g}"] = np.concatenate([high for _, high in shown])
    return pd.DataFrame(columns)
