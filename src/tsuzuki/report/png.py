"""The picture of series, and of forecasts, as a PNG file, drawn without a browser."""

import importlib.util
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from tsuzuki.errors import MissingExtraError
from tsuzuki.report.pictures import MOST_SERIES
from tsuzuki.report.thinning import spread, thin

if TYPE_CHECKING:
    from tsuzuki.data.series import Collection, Series
    from tsuzuki.forecasting.outlook import Outlook

# Matplotlib's own font has no Japanese; where one of these is installed it stands in for what is lacking.
FONTS = ("Noto Sans CJK JP", "Noto Sans JP", "IPAexGothic", "Hiragino Sans", "Yu Gothic", "MS Gothic", "TakaoPGothic")
READINGS = "#1b1f24"
LINE, FILLED, GAP, STRIP = "#0b66b2", "#c2410c", "#fbd9c6", ("#55606b", "#0a7a55")


def check_png() -> None:
    """Raise where a PNG file could not be drawn.

    Raises:
        MissingExtraError: Matplotlib is not installed.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise MissingExtraError(
            '--png needs the package matplotlib, which is not installed; install it with: pip install "tsuzuki[report]"'
        )


def png(collection: "Collection") -> bytes:
    """Draw a collection: readings, what was interpolated, long gaps, and the segments as a strip below.

    Args:
        collection: the series; the first few are drawn where there are many.

    Returns:
        The bytes of a PNG file, 1600 pixels wide.

    Raises:
        MissingExtraError: as `check_png`.
    """
    with _drawing() as figure_of:
        shown = [collection.series[i] for i in spread(len(collection.series), MOST_SERIES)]
        figure = figure_of(figsize=(10, 1.2 + 2.3 * len(shown)), dpi=160, layout="constrained")
        axes = figure.subplots(2 * len(shown), 1, sharex=True, squeeze=False, height_ratios=[10, 1] * len(shown))[:, 0]
        for number, series in enumerate(shown):
            _draw(series, axes[2 * number], axes[2 * number + 1], collection.unit)
        figure.suptitle(f"{collection.name}: {len(collection.values):,} steps, one every {shown[0].step}", fontsize=11)
        handles, labels = axes[0].get_legend_handles_labels()
        for other in axes[2::2]:
            for handle, label in zip(*other.get_legend_handles_labels(), strict=True):
                if label not in labels:
                    handles.append(handle)
                    labels.append(label)
        axes[0].legend(handles, labels, loc="upper right", fontsize=8, ncols=3)
        return _bytes(figure)


@contextmanager
def _drawing() -> Iterator[Any]:
    """Matplotlib's Figure, to be made and saved within."""
    check_png()
    import matplotlib as mpl
    from matplotlib import font_manager
    from matplotlib.figure import Figure

    installed = {font.name for font in font_manager.fontManager.ttflist}
    with mpl.rc_context({"font.family": ["DejaVu Sans", *(name for name in FONTS if name in installed)]}):
        yield Figure


def _bytes(figure: Any) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def _draw(series: "Series", above: Any, below: Any, unit: str | None) -> None:
    times, values = series.times, series.values
    at = thin(values)
    above.plot(times[at], values[at], color=LINE, linewidth=0.7, label="readings")
    filled = np.flatnonzero(~series.observed & ~np.isnan(values))
    if len(filled):
        above.plot(times[filled], values[filled], ".", color=FILLED, markersize=3, label="interpolated")
    open_ = np.concatenate([[0], np.isnan(values).astype(np.int8), [0]])
    starts, stops = np.flatnonzero(np.diff(open_) > 0), np.flatnonzero(np.diff(open_) < 0)
    for number, (start, stop) in enumerate(zip(starts, stops, strict=True)):
        label = None if number else "long gap"
        above.axvspan(
            times[max(0, int(start) - 1)], times[min(int(stop), len(times) - 1)], color=GAP, linewidth=0, label=label
        )
    above.set_ylabel(unit or "")
    above.set_title(series.name, loc="left", fontsize=9)
    above.margins(x=0)
    for number, one in enumerate(series.segments):
        below.axvspan(times[one.start], times[one.stop - 1], color=STRIP[number % 2], linewidth=0)
    below.set_yticks([])
    below.set_ylabel("segments", fontsize=6, rotation=0, ha="right", va="center")
    for side in ("top", "right", "left"):
        below.spines[side].set_visible(False)
    for side in ("top", "right"):
        above.spines[side].set_visible(False)


def forecast_png(outlooks: "list[Outlook]", title: str, unit: str | None = None) -> bytes:
    """Draw series with their forecasts: readings, intervals, a dotted line at each origin.

    Args:
        outlooks: the series; a few evenly spread ones are drawn where there are many.
        title: above them.
        unit: of the values.

    Returns:
        The bytes of a PNG file, 1600 pixels wide.

    Raises:
        MissingExtraError: as `check_png`.
    """
    with _drawing() as figure_of:
        shown = [outlooks[i] for i in spread(len(outlooks), MOST_SERIES)]
        figure = figure_of(figsize=(10, 1.2 + 2.6 * len(shown)), dpi=160, layout="constrained")
        axes = figure.subplots(len(shown), 1, squeeze=False)[:, 0]
        for one, axis in zip(shown, axes, strict=True):
            _draw_forecast(one, axis)
            axis.set_ylabel(unit or "")
            if len(outlooks) > 1:
                axis.set_title(one.name, loc="left", fontsize=9)
        axes[-1].set_xlabel(shown[-1].zone or "")
        # Above the axes, where it hides no reading.
        axes[0].legend(loc="lower right", bbox_to_anchor=(1, 1), fontsize=8, ncols=4, frameon=False)
        figure.suptitle(title, x=0.01, ha="left", fontsize=11)
        return _bytes(figure)


def _draw_forecast(outlook: "Outlook", axis: Any) -> None:
    axis.plot(outlook.times, outlook.values, color=READINGS, linewidth=1.3, label="readings")
    for number, fan in enumerate(outlook.fans):
        for place, (level, (low, high)) in enumerate(fan.bands.items()):
            label = None if number else f"{level:g} % interval"
            axis.fill_between(fan.times, low, high, color=LINE, alpha=0.15 + 0.1 * place, linewidth=0, label=label)
        axis.plot(fan.times, fan.point, color=LINE, linewidth=1.8, label=None if number else "forecast")
        axis.axvline(fan.times[0], color=STRIP[0], linewidth=0.8, linestyle=":")
    axis.margins(x=0)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
