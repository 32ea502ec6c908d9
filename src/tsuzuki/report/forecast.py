"""The page of a forecast: what comes next, as a picture and as numbers."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tsuzuki import formatting
from tsuzuki.data.zones import zone_name
from tsuzuki.report.ensemble import learning
from tsuzuki.report.machine import machine
from tsuzuki.report.page import Page, Section, render
from tsuzuki.report.texts import Both, joined, table
from tsuzuki.report.weeks import Course, Line, whole

if TYPE_CHECKING:
    import pandas as pd

    from tsuzuki.forecasting.fitted import Fitted
    from tsuzuki.forecasting.outlook import Outlook

# A longer table is left to --csv, which is said.
MOST_ROWS = 120


def forecast_page(
    outlooks: "list[Outlook]",
    forecasts: "pd.DataFrame",
    fitted: "Fitted",
    *,
    title: str,
    unit: str | None = None,
    command: str,
    lang: str = "en",
) -> str:
    """The page of a forecast, as HTML.

    Args:
        outlooks: each series with its forecast.
        forecasts: what `Forecaster.predict` gave.
        fitted: what made it.
        title: of the page, such as the model's name.
        unit: of the values.
        command: what to run to repeat it.
        lang: the language shown first, en or ja.

    Raises:
        SettingError, MissingExtraError: as `page.check`.
    """
    horizon = len(outlooks[0].fans[0].times) - 1
    last = max(str(one.fans[0].times[0].astype("datetime64[m]")).replace("T", " ") for one in outlooks)
    zone = Both("", "") if outlooks[0].zone is None else Both(f" ({outlooks[0].zone})", f"（{outlooks[0].zone}）")
    page = Page(
        Both(f"{title}: forecast", f"{title}: 予測"),
        Both(
            f"The next {horizon:,} steps after {last}{zone.en}.",
            f"{last}{zone.ja} より後の {horizon:,} ステップの予測です。",
        ),
        (_picture(outlooks, unit), _numbers(forecasts), learning(fitted), machine(command)),
    )
    return render(page, lang)


def _picture(outlooks: "list[Outlook]", unit: str | None) -> Section:
    levels = list(outlooks[0].fans[0].bands)
    areas = [
        (
            Both(f"{level:g}\u00a0% interval", f"{level:g}% 区間"),
            "c1-softer" if i == 0 and len(levels) > 1 else "c1-soft",
        )
        for i, level in enumerate(levels)
    ]
    lines = [Line(Both("readings", "観測値"), "c0", width=2.0), Line(Both("forecast", "予測"), "c1", width=2.4)]
    says = [
        Both(
            "The last readings, the forecast, and its intervals (shaded). The dotted line marks the last time known.",
            "直近の観測値、予測、予測区間（網掛け）。点線は、予測に使えた最後の時刻です。",
        )
    ]
    if len(outlooks) == 1:
        fan = outlooks[0].fans[0]
        first, end = formatting.aligned([float(fan.point[1]), float(fan.point[-1])], 2)
        said = f" {unit}" if unit else ""
        says.append(
            Both(
                f"The forecast goes from {first}{said} to {end}{said}.",
                f"予測値は {first}{said} から {end}{said} へ推移します。",
            )
        )
    figure = whole([_course(one) for one in outlooks], lines, unit, joined(*says), areas)
    return Section("forecast", Both("Forecast", "予測"), (figure,))


def _course(outlook: "Outlook") -> Course:
    """Readings and the forecast behind them, which begins at the last one."""
    fan = outlook.fans[0]
    count, ahead = len(outlook.times) - 1, len(fan.times) - 1
    nothing = np.full(count, np.nan)

    def behind(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.concatenate([nothing, values])

    lines = [np.concatenate([outlook.values, np.full(ahead, np.nan)]), behind(fan.point)]
    low, high = ([behind(band[end]) for band in fan.bands.values()] for end in (0, 1))
    times = np.concatenate([outlook.times[:-1], fan.times])
    return Course(outlook.name, times, np.array(lines), fan.times[:1], np.array(low), np.array(high))


def _numbers(forecasts: "pd.DataFrame") -> Section:
    several = forecasts["unique_id"].nunique() > 1
    shown = forecasts[:MOST_ROWS]
    columns = [name for name in forecasts.columns if name not in ("unique_id", "ds")]
    cells = iter(formatting.aligned(shown[columns].to_numpy(np.float64).ravel(order="F").tolist(), 3))
    texts = [[next(cells) for _ in range(len(shown))] for _ in columns]
    stamps = shown["ds"]
    zone = None if stamps.dt.tz is None else zone_name(stamps.dt.tz)
    stamps = stamps.dt.tz_localize(None)
    times = [time.replace("T", " ") for time in np.datetime_as_string(stamps.to_numpy("datetime64[s]"))]
    if all(time.endswith(":00") for time in times):
        times = [time[:-3] for time in times]
    heads = [f"{name} {time}" for name, time in zip(shown["unique_id"], times, strict=True)] if several else times
    ends = {"lo": Both("lower", "下限"), "hi": Both("upper", "上限")}
    head = [Both("", ""), Both("forecast", "予測値")]
    for name in columns[1:]:
        end, level = name.removeprefix("tsuzuki-").split("-")
        head.append(Both(f"{level}\u00a0% {ends[end].en}", f"{level}%\u00a0{ends[end].ja}"))
    rows: list[list[Both | str]] = [list(row) for row in zip(heads, *texts, strict=True)]
    caption = Both("The forecast and the ends of its intervals.", "予測値と予測区間の両端です。")
    if zone is not None:
        caption = joined(caption, Both(f"Times are in {zone}.", f"時刻は {zone} です。"))
    if len(forecasts) > len(shown):
        left = len(forecasts) - len(shown)
        caption = joined(
            caption,
            Both(f"{left:,} further rows are written by --csv.", f"残りの {left:,} 行は --csv で書き出せます。"),
        )
    return Section("numbers", Both("Numbers", "数値"), (table(head, rows, caption),))
