"""The picture of series, and of forecasts, as a PNG file, drawn without a browser."""

import importlib.util
import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from tsuzuki.errors import MissingExtraError
from tsuzuki.report import fonts
from tsuzuki.report.pictures import MOST_SERIES
from tsuzuki.report.texts import step_of
from tsuzuki.report.thinning import spread, thin

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tsuzuki.data.series import Collection, Series
    from tsuzuki.forecasting.outlook import Outlook

READINGS = "#1b1f24"
LINE, FILLED, GAP, STRIP = "#0b66b2", "#c2410c", "#fbd9c6", ("#55606b", "#0a7a55")

# Words of a picture in English and Japanese.
WORDS = {
    "readings": "観測値",
    "interpolated": "補間した値",
    "long gap": "長い欠測",
    "segments": "区間",
    "forecast": "予測",
    "{level:g} % interval": "{level:g}% 予測区間",
    "{name}: forecast": "{name} による予測",
    "{name}: {count:,} steps, one every {step}": "{name}: {count:,} ステップ、{step}ごと",
}


def check_png() -> None:
    """Raise where a PNG file could not be drawn.

    Raises:
        MissingExtraError: Matplotlib is not installed.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise MissingExtraError(
            '--png needs the package matplotlib, which is not installed; install it with: pip install "tsuzuki[report]"'
        )


def lacking(names: "Iterable[str]", lang: str) -> str:
    """The letters of names and, in Japanese, of a picture's own words for which there is no font."""
    return fonts.lacking([*names, *(WORDS.values() if lang == "ja" else ())])


def _in(lang: str, words: str, **values: object) -> str:
    """Words of a picture; English ones where a font for the Japanese ones is lacking."""
    chosen = WORDS[words] if lang == "ja" and not fonts.lacking(WORDS.values()) else words
    return chosen.format(**values)


def png(collection: "Collection", lang: str = "en") -> bytes:
    """Draw a collection: readings, what was interpolated, long gaps, and the segments as a strip below.

    Args:
        collection: the series; the first few are drawn where there are many.
        lang: of its words, en or ja; English where there is no Japanese font.

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
            _draw(series, axes[2 * number], axes[2 * number + 1], collection.unit, lang)
        step, title = step_of(shown[0].step), "{name}: {count:,} steps, one every {step}"
        told = step.ja if _in(lang, "segments") != "segments" else shown[0].step
        figure.suptitle(_in(lang, title, name=collection.name, count=len(collection.values), step=told), fontsize=11)
        handles, labels = axes[0].get_legend_handles_labels()
        for other in axes[2::2]:
            for handle, label in zip(*other.get_legend_handles_labels(), strict=True):
                if label not in labels:
                    handles.append(handle)
                    labels.append(label)
        # Above the axes, where it hides no reading.
        axes[0].legend(handles, labels, loc="lower right", bbox_to_anchor=(1, 1), fontsize=8, ncols=3, frameon=False)
        _dates(axes[-1], lang)
        return _bytes(figure)


@contextmanager
def _drawing() -> Iterator[Any]:
    """Matplotlib's Figure, to be made and saved within."""
    check_png()
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"font.family": fonts.families()}), warnings.catch_warnings():
        # `lacking` tells of all such letters at once.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        yield Figure


def _dates(axis: Any, lang: str) -> None:
    """Label an axis of time with what changes from tick to tick, and once with the rest."""
    from matplotlib import dates

    formats = ["%Y", "%b", "%d", "%H:%M", "%H:%M", "%S.%f"]
    zero = ["", "%Y", "%b %d", "%b %d", "%H:%M", "%H:%M"]
    offset = ["", "%Y", "%b %Y", "%Y-%m-%d", "%Y-%m-%d", "%Y-%m-%d %H:%M"]
    if _in(lang, "segments") != "segments":
        # %b and %d of a locale would be English or have leading zeros.
        formats, zero, offset = (
            [one.replace("%b %d", "%m/%d").replace("%b %Y", "%Y年%m月").replace("%b", "%m月") for one in row]
            for row in (formats, zero, offset)
        )
        formats[0], formats[2] = "%Y年", "%d日"
    making: Any = dates
    locator = making.AutoDateLocator()
    axis.xaxis.set_major_locator(locator)

    class Formatter(making.ConciseDateFormatter):  # type: ignore[misc]
        """Without leading zeros of months and days: 2026年6月, 9日."""

        def format_ticks(self, values: Any) -> list[str]:
            return [_unpadded(text) for text in super().format_ticks(values)]

        def get_offset(self) -> str:
            return _unpadded(super().get_offset())

    axis.xaxis.set_major_formatter(Formatter(locator, formats=formats, zero_formats=zero, offset_formats=offset))


def _unpadded(text: str) -> str:
    return re.sub(r"(?<!\d)0(?=\d[月日])", "", text)


def _bytes(figure: Any) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def _draw(series: "Series", above: Any, below: Any, unit: str | None, lang: str) -> None:
    times, values = series.times, series.values
    at = thin(values)
    above.plot(times[at], values[at], color=LINE, linewidth=0.7, label=_in(lang, "readings"))
    filled = np.flatnonzero(~series.observed & ~np.isnan(values))
    if len(filled):
        above.plot(times[filled], values[filled], ".", color=FILLED, markersize=3, label=_in(lang, "interpolated"))
    open_ = np.concatenate([[0], np.isnan(values).astype(np.int8), [0]])
    starts, stops = np.flatnonzero(np.diff(open_) > 0), np.flatnonzero(np.diff(open_) < 0)
    for number, (start, stop) in enumerate(zip(starts, stops, strict=True)):
        label = None if number else _in(lang, "long gap")
        above.axvspan(
            times[max(0, int(start) - 1)], times[min(int(stop), len(times) - 1)], color=GAP, linewidth=0, label=label
        )
    above.set_ylabel(unit or "")
    above.set_title(series.name, loc="left", fontsize=9)
    above.margins(x=0)
    for number, one in enumerate(series.segments):
        below.axvspan(times[one.start], times[one.stop - 1], color=STRIP[number % 2], linewidth=0)
    below.set_yticks([])
    below.set_ylabel(_in(lang, "segments"), fontsize=6, rotation=0, ha="right", va="center")
    for side in ("top", "right", "left"):
        below.spines[side].set_visible(False)
    for side in ("top", "right"):
        above.spines[side].set_visible(False)


def forecast_title(name: str, lang: str) -> str:
    """What stands above a model's forecast."""
    return _in(lang, "{name}: forecast", name=name)


def forecast_png(outlooks: "list[Outlook]", title: str, unit: str | None = None, lang: str = "en") -> bytes:
    """Draw series with their forecasts: readings, intervals, a dotted line at each origin.

    Args:
        outlooks: the series; a few evenly spread ones are drawn where there are many.
        title: above them.
        unit: of the values.
        lang: of its words, en or ja; English where there is no Japanese font.

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
            _draw_forecast(one, axis, lang)
            axis.set_ylabel(unit or "")
            if len(outlooks) > 1:
                axis.set_title(one.name, loc="left", fontsize=9)
            _dates(axis, lang)
        axes[-1].set_xlabel(shown[-1].zone or "")
        # Above the axes, where it hides no reading.
        axes[0].legend(loc="lower right", bbox_to_anchor=(1, 1), fontsize=8, ncols=4, frameon=False)
        figure.suptitle(title, x=0.01, ha="left", fontsize=11)
        return _bytes(figure)


def _draw_forecast(outlook: "Outlook", axis: Any, lang: str) -> None:
    axis.plot(outlook.times, outlook.values, color=READINGS, linewidth=1.3, label=_in(lang, "readings"))
    for number, fan in enumerate(outlook.fans):
        for place, (level, (low, high)) in enumerate(fan.bands.items()):
            label = None if number else _in(lang, "{level:g} % interval", level=level)
            axis.fill_between(fan.times, low, high, color=LINE, alpha=0.15 + 0.1 * place, linewidth=0, label=label)
        axis.plot(fan.times, fan.point, color=LINE, linewidth=1.8, label=None if number else _in(lang, "forecast"))
        axis.axvline(fan.times[0], color=STRIP[0], linewidth=0.8, linestyle=":")
    axis.margins(x=0)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
