"""Forecasts from trained networks: newer rows in, the next steps out, with intervals.

One network learns all series. At every step it forecasts the whole horizon at once (the forking sequences of Wen et al.
2017), as changes from the last value, in units of each series' own scale. The forecasts of an ensemble are averaged.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tsuzuki.errors import DataError, SettingError
from tsuzuki.forecasting.fitted import KEPT_TIMES, Fitted
from tsuzuki.forecasting.settings import Settings

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from tsuzuki.forecasting.stepwise import SeriesState


def run_newer_rows(fitted: Fitted, settings: Settings, frame: Any) -> Fitted:
    """Run newer rows through the networks, which updates their states."""
    import numpy as np

    from tsuzuki.data.covariates import covariate_inputs, newer_rows
    from tsuzuki.data.frames import as_long
    from tsuzuki.data.segments import segments_between_gaps
    from tsuzuki.forecasting.panel import SeriesInputs, build_panel
    from tsuzuki.forecasting.scaling import scale_and_fill
    from tsuzuki.forecasting.stepwise import run_stepwise

    columns = settings.columns
    long = as_long(frame, columns.all)
    groups = dict(iter(long.groupby("unique_id", sort=False)))
    unknown = [name for name in groups if name not in fitted.ids]
    if unknown:
        raise DataError(
            f"series {unknown[0]!r} was not in the data the forecaster was fitted to ({', '.join(fitted.ids[:5])}); "
            "fit it again with that series"
        )
    times, last, inputs, which = list(fitted.times), fitted.last_covariates.copy(), [], []
    for number, name in enumerate(fitted.ids):
        if name not in groups:
            continue
        ahead, values = newer_rows(groups[name], fitted.times[number], ("y", *columns.all))
        if len(ahead) == 0:
            continue
        mean, scale = fitted.scales[number]
        covariates = scale_and_fill(values[:, 1:], fitted.covariate_scales, last[number])
        others = covariate_inputs(
            ahead, fitted.step, covariates, columns, settings.horizon, with_calendar=settings.with_calendar
        )
        # After a gap that is too long the state restarts from zero.
        segments, goes_on = segments_between_gaps(~np.isnan(values[:, 0]), settings.max_gap)
        if not segments:
            continue
        if len(covariates) and len(last[number]):
            last[number] = covariates[-1]
        scaled = ((values[:, 0] - mean) / scale).astype(np.float32)
        inputs.append((SeriesInputs(scaled, others, segments), goes_on))
        times[number] = np.concatenate([fitted.times[number], ahead])[-KEPT_TIMES:]
        which.append(number)
    if not which:
        return fitted
    states = []
    for weights, state in zip(fitted.members, fitted.states, strict=True):
        own = [
            replace(one, past_rows=state.rows[number] if goes_on else None)
            for number, (one, goes_on) in zip(which, inputs, strict=True)
        ]
        panel = build_panel(own, fitted.way.before, settings.horizon)
        nothing = np.zeros(len(panel.inputs), bool)
        _, moved = run_stepwise(fitted.way, weights, panel, nothing, select_series(state, which))
        states.append(_replace_series(state, moved, which))
    return replace(fitted, states=states, times=times, last_covariates=last)


def select_series(state: "SeriesState", which: Sequence[int]) -> "SeriesState":
    """The state of some of the series."""
    from tsuzuki.forecasting.stepwise import SeriesState

    return SeriesState(state.saved[list(which)], state.rows[list(which)])


def _replace_series(state: "SeriesState", moved: "SeriesState", which: Sequence[int]) -> "SeriesState":
    from tsuzuki.forecasting.stepwise import SeriesState

    saved, rows = state.saved.copy(), state.rows.copy()
    saved[list(which)], rows[list(which)] = moved.saved, moved.rows
    return SeriesState(saved, rows)


def forecast_next_steps(fitted: Fitted, settings: Settings, future: Any = None) -> "NDArray[np.float64]":
    """Forecast the next steps of every series in its unit, [series, horizon, quantiles or 1], sorted by quantile."""
    import numpy as np

    from tsuzuki.forecasting.panel import Panel, Stretch
    from tsuzuki.forecasting.stepwise import run_stepwise

    ahead = _known_ahead(fitted, settings, future) if settings.known else None
    total = np.zeros((len(fitted.ids), fitted.way.network.outputs))
    for weights, state in zip(fitted.members, fitted.states, strict=True):
        rows = state.rows.copy()
        if ahead is not None:
            rows[:, -1, rows.shape[2] - ahead.shape[1] :] = ahead
        series, before, columns = rows.shape
        stretches = tuple(Stretch(i, (i + 1) * before - 1, (i + 1) * before, -1, i) for i in range(series))
        panel = Panel(rows.reshape(-1, columns), np.zeros((0, 1), np.float32), stretches, series)
        wanted = np.zeros(series * before, bool)
        wanted[before - 1 :: before] = True
        total += run_stepwise(fitted.way, weights, panel, wanted, state)[0]
    mean, scale = fitted.scales[:, :1], fitted.scales[:, 1:]
    found = (total / len(fitted.members)).reshape(len(fitted.ids), settings.horizon, -1)
    return np.sort(found, axis=2) * scale[..., None] + mean[..., None]


def _known_ahead(fitted: Fitted, settings: Settings, future: Any) -> "NDArray[np.float32]":
    """The scaled covariates of the forecast times, [series, horizon * known]."""
    import numpy as np

    from tsuzuki.data.covariates import align_to_grid
    from tsuzuki.data.frames import as_long
    from tsuzuki.data.grid import following_times

    known = settings.columns.known
    names = ", ".join(known)
    if future is None:
        raise DataError(f"the network reads columns known ahead ({names}); give them for the forecast times as future=")
    groups = dict(iter(as_long(future, known, needs_y=False).groupby("unique_id", sort=False)))
    first = len(settings.columns.past)
    scales = fitted.covariate_scales[first : first + len(known)]
    found = np.zeros((len(fitted.ids), settings.horizon, len(known)))
    for number, name in enumerate(fitted.ids):
        ahead = following_times(fitted.times[number], settings.horizon)
        values = align_to_grid(groups[name], ahead, known) if name in groups else np.full(found.shape[1:], np.nan)
        if np.isnan(values).any():
            step, column = np.argwhere(np.isnan(values))[0]
            time = str(ahead[step])[:19].replace("T", " ")
            raise DataError(
                f"future has no {known[column]} for series {name!r} at {time}; "
                f"give every forecast time a value of {names}"
            )
        found[number] = (values - scales[:, 0]) / scales[:, 1]
    return found.reshape(len(fitted.ids), -1).astype(np.float32)


def interval_bounds(
    fitted: Fitted,
    settings: Settings,
    forecasts: "NDArray[np.float64]",
    series: int,
    level: float,
    scale: float | None = None,
) -> "tuple[NDArray[np.float64], NDArray[np.float64]]":
    """The bounds of the interval around forecasts [..., horizon, quantiles or 1] of one series, in its unit.

    `scale` is the series' scale where the series is not in the training data.
    """
    from tsuzuki.forecasting.conformal_intervals import check_levels

    check_levels([level])
    if fitted.calibration is not None:
        low, high = fitted.calibration.interval_offsets(level)
        own = series if len(low) > 1 else 0
        unit = fitted.scales[series, 1] if scale is None else scale
        return forecasts[..., 0] + low[own] * unit, forecasts[..., 0] + high[own] * unit
    low_end, high_end = interval_quantiles(settings, level)
    return forecasts[..., low_end], forecasts[..., high_end]


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

    found = forecast_next_steps(fitted, settings, future)
    columns = {
        "unique_id": np.repeat(np.array(fitted.ids, object), settings.horizon),
        "ds": np.concatenate([following_times(times, settings.horizon) for times in fitted.times]),
        "tsuzuki": point_forecast(settings, found).ravel(),
    }
    for level in levels:
        ends = [interval_bounds(fitted, settings, own, number, level) for number, own in enumerate(found)]
        columns[f"tsuzuki-lo-{level:g}"] = np.concatenate([low for low, _ in ends])
        columns[f"tsuzuki-hi-{level:g}"] = np.concatenate([high for _, high in ends])
    return pd.DataFrame(columns)
