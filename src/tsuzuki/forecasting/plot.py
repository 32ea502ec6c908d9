"""A series and its forecasts as a Plotly figure, for a notebook."""

import importlib.util
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tsuzuki.errors import MissingExtraError

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

    from tsuzuki.forecasting.fitted import Fitted
    from tsuzuki.forecasting.outlook import Fan, Outlook
    from tsuzuki.forecasting.settings import Settings

# The colours of the pages' light sheet. Wider intervals are paler, and lie below.
READINGS, FORECAST, CUT = "#1b1f24", "#0b66b2", "#55606b"
OPACITIES = (0.15, 0.25, 0.3)


def check_plotly(what: str) -> None:
    """Raise where Plotly is not installed.

    Raises:
        MissingExtraError: names what needs it.
    """
    if importlib.util.find_spec("plotly") is None:
        raise MissingExtraError(
            f'{what} needs the package plotly, which is not installed; install it with: pip install "tsuzuki[report]"'
        )


def forecast_figure(
    fitted: "Fitted",
    settings: "Settings",
    unique_id: str | None,
    frame: Any,
    backtest: "pd.DataFrame | None",
    levels: Sequence[float],
    future: Any,
) -> "go.Figure":
    """Draw the forecasts of one series; see `Forecaster.plot`."""
    from tsuzuki.forecasting.outlook import named, outlook_back, outlooks
    from tsuzuki.forecasting.predict import forecast_frame
    from tsuzuki.forecasting.update import run_newer_rows

    name = named(fitted.ids, unique_id)
    if backtest is not None:
        return plotly_figure(outlook_back(name, backtest))
    if frame is not None:
        frame = settings.long(frame)
        fitted = run_newer_rows(fitted, settings, frame, new=True)
    forecasts = forecast_frame(fitted, settings, levels, future)
    found = outlooks(fitted, settings.horizon, forecasts, frame)
    return plotly_figure(found[fitted.ids.index(name)])


def plotly_figure(outlook: "Outlook") -> "go.Figure":
    """Draw readings, forecasts with their intervals, and a dotted line at each origin.

    Raises:
        MissingExtraError: as `check_plotly`.
    """
    check_plotly("plot")
    import plotly.graph_objects as go

    figure = go.Figure()
    for number, fan in enumerate(outlook.fans):
        for trace in _bands(fan, shown=number == 0):
            figure.add_trace(trace)
    line = {"color": READINGS, "width": 1.8}
    figure.add_trace(go.Scatter(x=outlook.times, y=outlook.values, name="readings", mode="lines", line=line))
    for number, fan in enumerate(outlook.fans):
        line = {"color": FORECAST, "width": 2.2}
        more: dict[str, Any] = {"legendgroup": "forecast", "showlegend": number == 0}
        figure.add_trace(go.Scatter(x=fan.times, y=fan.point, name="forecast", mode="lines", line=line, **more))
        figure.add_vline(x=str(fan.times[0]), line={"color": CUT, "width": 1, "dash": "dot"})
    figure.update_layout(
        title={"text": outlook.name},
        xaxis={"title": {"text": outlook.zone or ""}},
        template="plotly_white",
        hovermode="x unified",
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 1, "xanchor": "right"},
    )
    return figure


def _bands(fan: "Fan", *, shown: bool) -> "list[go.Scatter]":
    import plotly.graph_objects as go

    red, green, blue = (int(FORECAST[i : i + 2], 16) for i in (1, 3, 5))
    found = []
    for number, (level, (low, high)) in enumerate(fan.bands.items()):
        there = np.isfinite(low)
        times = fan.times[there]
        found.append(
            go.Scatter(
                x=np.concatenate([times, times[::-1]]),
                y=np.concatenate([high[there], low[there][::-1]]),
                name=f"{level:g} % interval",
                legendgroup=f"{level:g}",
                showlegend=shown,
                mode="lines",
                line={"width": 0},
                fill="toself",
                fillcolor=f"rgba({red},{green},{blue},{OPACITIES[min(number, 2)]})",
                hoverinfo="skip",
            )
        )
    return found
