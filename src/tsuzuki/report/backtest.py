"""The page of a backtest: forecasts from past origins beside hard references."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tsuzuki import formatting as numerals
from tsuzuki.data.zones import without_zone
from tsuzuki.forecasting.evaluation import evaluate, interval_levels
from tsuzuki.report import lanes_svg
from tsuzuki.report.comparison import mapped, series_section, zoomed
from tsuzuki.report.ensemble import learning, reading
from tsuzuki.report.machine import machine
from tsuzuki.report.page import Figure, Ink, Page, Section, render
from tsuzuki.report.texts import Both, joined, same, table
from tsuzuki.report.thinning import numbers
from tsuzuki.report.weeks import Course, Line, unit_of, weeks

if TYPE_CHECKING:
    import pandas as pd

    from tsuzuki.data.series import Collection, Series
    from tsuzuki.forecasting.fitted import Fitted
    from tsuzuki.forecasting.settings import Settings

OWN = "tsuzuki"
INKS, DASHES = ("c2", "c3", "c4", "c5", "c6", "c7"), ("dash", "dot", "dashdot", "longdash", "longdashdot", "dash")
METRICS = {"rmse": same("RMSE"), "mae": same("MAE"), "mase": same("MASE"), "smape": same("sMAPE (%)")}

# A space at which no line ends.
HARD = "\u00a0"


def backtest_page(
    forecasts: "pd.DataFrame",
    collection: "Collection",
    fitted: "Fitted | None" = None,
    settings: "Settings | None" = None,
    *,
    command: str,
    lang: str = "en",
) -> str:
    """The page of a backtest, as HTML.

    Args:
        forecasts: what `backtesting.backtest` found: unique_id, ds, cutoff, y, a column for each model, and the
            bounds of tsuzuki's intervals.
        collection: the series that were forecast.
        fitted: the networks that forecast; without them the page has no loss curves and no drawing of lanes.
        settings: theirs.
        command: what to run to repeat it.
        lang: the language shown first, en or ja.

    Raises:
        DataError: an empty table.
        SettingError, MissingExtraError: as `page.check`.
    """
    scores, by_horizon = evaluate(forecasts), evaluate(forecasts, by_horizon=True)
    learned: tuple[Section, ...] = ()
    extra = []
    if fitted is not None and settings is not None:
        learned = (_lanes(collection, fitted, settings), learning(fitted))
        shown = ", ".join(
            f"{name} {' '.join(map(str, value)) if isinstance(value, tuple) else value}"
            for name in settings.__dataclass_fields__
            if (value := getattr(settings, name)) not in ((), None, "")
        )
        extra = [(Both("Settings", "設定"), same(shown))]
    last = max(series.times[-1] for series in collection.series)
    by_clock = {name: without_zone(forecasts[name], collection.zone, last) for name in ("ds", "cutoff")}
    forecasts, collection = forecasts.assign(**by_clock), collection.by_clock()
    first = forecasts["cutoff"].min()
    cut = tuple(
        offset + int(np.searchsorted(series.times, np.datetime64(first)))
        for offset, series in zip(collection.offsets, collection.series, strict=False)
    )
    page = Page(
        Both(f"{collection.name}: backtest", f"{collection.name}: バックテスト（過去時点からの予測）"),
        Both(
            f"{_origins(forecasts):,} forecasts from past times that the networks were not trained on, beside references.",
            f"学習に使っていない過去の {_origins(forecasts):,} 時点からの予測を、基準手法と比べました。",
        ),
        (
            _verdict(scores, collection.unit),
            series_section(collection, cuts=cut),
            _week(forecasts, scores, collection),
            _errors(by_horizon, list(scores["model"]), collection.unit),
            *learned,
            machine(command, extra),
        ),
    )
    return render(page, lang)


def _origins(forecasts: "pd.DataFrame") -> int:
    return len(forecasts[["unique_id", "cutoff"]].drop_duplicates())


def _verdict(scores: "pd.DataFrame", unit: str | None) -> Section:
    own = scores[scores["model"] == OWN].iloc[0]
    others = scores[scores["model"] != OWN]
    said = []
    if len(others):
        best = others.iloc[0]
        share = 1 - own["rmse"] / best["rmse"]
        said.append(
            Both(
                f"tsuzuki's error (RMSE) is {abs(share):.1%} {'less' if share >= 0 else 'more'} than that of the best "
                f"reference, {best['model']}.",
                f"tsuzuki の誤差（RMSE）は、最良の基準手法 {best['model']} より {abs(share):.1%} "
                f"{'小さく' if share >= 0 else '大きく'}なりました。",
            )
        )
    for name in (name for name in scores.columns if name.startswith("coverage-")):
        level = name.removeprefix("coverage-")
        said.append(
            Both(
                f"Its {level}\u00a0% intervals covered {own[name]:.0f}\u00a0% of the actual values.",
                f"{level}% 予測区間には実測値の {own[name]:.0f}% が入りました。",
            )
        )
    columns = [name for name in ("mae", "rmse", "mase", "smape", "skill") if name in scores]
    columns += [name for name in scores.columns if name.startswith("coverage-")]
    heads = {
        "mae": same(f"MAE {unit or ''}".strip()),
        "rmse": same(f"RMSE {unit or ''}".strip()),
        "mase": same("MASE"),
        "smape": same("sMAPE %"),
        "skill": Both("skill", "スキル"),
    }
    head = [Both("", ""), *(heads.get(name) or _covered(name) for name in columns)]
    shown = [numerals.scores(name, scores[name].tolist()) for name in columns]
    rows: list[list[Both | str]] = [list(row) for row in zip(scores["model"].astype(str), *shown, strict=True)]
    caption = Both(
        "Sorted by RMSE. Skill is 1 minus the ratio to the best other model's RMSE; the last columns are the share of "
        "actual values inside each interval.",
        "RMSE の小さい順。スキルは 1 −（自分以外で最良のモデルに対する RMSE の比）。被覆率は、実測値が予測区間に入った割合です。",
    )
    paragraph = joined(*said).html("p").replace("<p ", '<p class="verdict" ')
    return Section("verdict", Both("What came out", "結論"), (paragraph, table(head, rows, caption)))


def _covered(name: str) -> Both:
    level = name.removeprefix("coverage-")
    return Both(f"in\u00a0{level}\u00a0%, %", f"{level}%\u00a0区間 被覆率\u00a0%")


def _week(forecasts: "pd.DataFrame", scores: "pd.DataFrame", collection: "Collection") -> Section:
    others = [name for name in scores["model"] if name != OWN]
    found = interval_levels(forecasts, OWN)[::-1]
    groups = dict(iter(forecasts.groupby("unique_id", sort=False)))
    courses = [
        _course(groups[series.name], series, [OWN, *others], found)
        for series in collection.series
        if series.name in groups
    ]
    lines = [
        Line(Both("actual", "実測"), "c0", width=2.6),
        Line(same(OWN), "c1", width=2.2),
        *(
            Line(same(name), INKS[i % len(INKS)], DASHES[i % len(DASHES)], shown=i == 0)
            for i, name in enumerate(others)
        ),
    ]
    areas = [
        (
            Both(f"{level:g}\u00a0% interval", f"{level:g}% 区間"),
            "c1-softer" if i == 0 and len(found) > 1 else "c1-soft",
        )
        for i, level in enumerate(found)
    ]
    says = Both(
        "Actual values (thick), forecasts, and their intervals (shaded). A dotted line marks the last time known to the "
        "forecast that begins there. Where forecasts overlap, only those that follow one another are drawn. Click a "
        "name in the legend to show or hide its line.",
        "実測値（太線）、予測、予測区間（網掛け）。点線は、そこから始まる予測に使えた最後の時刻です。予測どうしが重なる場合は、"
        "前の予測が終わった後に始まるものだけを描きます。凡例の名前を押すと線の表示・非表示が切り替わります。",
    )
    horizon = int(forecasts.groupby(["unique_id", "cutoff"]).size().max())
    shortest = horizon + horizon // 2
    unit = unit_of(courses[0].times, shortest)
    title = Both(f"{unit.capitalize()} of the backtest: actual against forecast", "バックテストの期間: 実測と予測")
    figure = weeks(courses, lines, collection.unit, says, areas=areas, shortest=shortest)
    return Section("week", title, (figure,))


def _course(some: "pd.DataFrame", series: "Series", names: list[str], found: list[float]) -> Course:
    """One series' forecasts on its grid, those that follow one another without overlapping."""
    times = series.times
    at = np.searchsorted(times, some["ds"].to_numpy("datetime64[ns]"))
    cutoff = np.searchsorted(times, some["cutoff"].to_numpy("datetime64[ns]"))
    columns = [*names, *(f"{OWN}-{end}-{level:g}" for level in found for end in ("lo", "hi"))]
    values = some[columns].to_numpy(np.float64).T
    first = int(cutoff.min())
    # A forecast begins at its origin, with the reading there. Where the forecast before ends at that very time, a row
    # without forecasts stands between them: there the lines are broken, and the areas touch.
    rows: list[NDArray[np.int64]] = []
    parts: list[NDArray[np.float64]] = []
    marks, end = [], first
    for origin in np.unique(cutoff):
        if origin < end:
            continue
        own = np.flatnonzero(cutoff == origin)
        last = int(at[own].max())
        # What lies between the forecast before and this origin, the origin itself, and the forecast.
        grid = np.concatenate([[end], np.arange(end, last + 1)])
        part = np.full((len(columns), len(grid)), np.nan)
        if series.observed[origin]:
            part[:, origin - end + 1] = series.values[origin]
        part[:, at[own] - end + 1] = values[:, own]
        rows.append(grid)
        parts.append(part)
        marks.append(times[origin])
        end = last
    grid, drawn = np.concatenate(rows), np.concatenate(parts, axis=1)
    lines = np.concatenate([np.where(series.observed, series.values, np.nan)[None, grid], drawn[: len(names)]])
    low, high = drawn[len(names) :: 2], drawn[len(names) + 1 :: 2]
    return Course(series.name, times[grid], lines, np.array(marks), low, high)


def _errors(by_horizon: "pd.DataFrame", names: list[str], unit: str | None) -> Section:
    steps = np.unique(by_horizon["horizon"])
    groups = []
    for metric, label in METRICS.items():
        wide = by_horizon.pivot(index="horizon", columns="model", values=metric)[names]
        if not np.isfinite(wide.to_numpy()).any():
            continue
        title = f"{label.en} ({unit})" if unit and metric in ("rmse", "mae") else label.en
        ys = [numbers(wide[name].to_numpy()) for name in names]
        groups.append({"name": label, "frames": [{"label": "", "x": steps.tolist(), "ys": ys, "title": title}]})
    others = [name for name in names if name != OWN]
    data = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": name,
            "marker": {"size": 4},
            "line": {"color": Ink("c1"), "width": 3}
            if name == OWN
            else {
                "color": Ink(INKS[others.index(name) % len(INKS)]),
                "dash": DASHES[others.index(name) % len(DASHES)],
                "width": 1.8,
            },
        }
        for name in names
    ]
    layout: dict[str, Any] = {
        "xaxis": {"title": {"text": Both("steps ahead", "予測先（ステップ）")}},
        "yaxis": {"title": {"text": ""}, "rangemode": "tozero"},
        "margin": {"l": 60, "r": 14, "t": 60, "b": 48},
    }
    rmse = by_horizon.pivot(index="horizon", columns="model", values="rmse")
    best = rmse[others].min(axis=1) if others else rmse[OWN]
    ahead = int((rmse[OWN] < best).sum())
    says = Both(
        f"The error by how far ahead: {_ends(rmse[OWN])} for tsuzuki (RMSE). It is the lowest of all in {ahead} of "
        f"{len(steps)} steps.",
        f"予測先のステップ数ごとの誤差です。tsuzuki の RMSE は {_ends(rmse[OWN])}。{len(steps)} ステップのうち {ahead} "
        "ステップで全手法中最小です。",
    )
    parts: list[str | Figure] = [Figure(data, layout, 440, says, groups, menu=Both("Measure", "指標"))]
    covered = [name for name in by_horizon.columns if name.startswith("coverage-")]
    if covered:
        parts.append(_coverage(by_horizon[by_horizon["model"] == OWN], covered))
    return Section("horizon", Both("Error by horizon", "予測先ごとの誤差"), tuple(parts))


def _ends(values: "pd.Series[float]") -> str:
    return f"{values.iloc[0]:.3g} → {values.iloc[-1]:.3g}"


def _coverage(own: "pd.DataFrame", names: list[str]) -> Figure:
    data: list[dict[str, Any]] = []
    steps = own["horizon"].tolist()
    for i, name in enumerate(names):
        level = name.removeprefix("coverage-")
        look = {"color": Ink(("c1", "c2", "c3")[i % 3]), "width": 2}
        shared = {"type": "scatter", "x": steps, "mode": "lines", "legendgroup": name}
        label = Both(f"inside the {level}\u00a0% interval", f"{level}% 区間の被覆率")
        data.append(shared | {"y": numbers(own[name].to_numpy()), "name": label, "line": look})
        nominal = {"y": [float(level)] * len(steps), "showlegend": False, "hoverinfo": "skip"}
        data.append(shared | nominal | {"name": label, "line": look | {"dash": "dot", "width": 1.5}})
    layout = {
        "xaxis": {"title": {"text": Both("steps ahead", "予測先（ステップ）")}},
        "yaxis": {"title": {"text": "%"}},
        "margin": {"l": 60, "r": 14, "t": 40, "b": 48},
    }
    spans = [(name.removeprefix("coverage-"), own[name].min(), own[name].max()) for name in names]
    says = Both(
        f"The share of actual values inside the intervals, by how far ahead (dotted: the nominal level): "
        f"{'; '.join(f'{level}{HARD}%: {low:.0f} to {high:.0f}{HARD}%' for level, low, high in spans)}.",
        "区間の被覆率（実測値が入った割合、点線は名目の水準）: "
        f"{'、'.join(f'{level}% 区間は {low:.0f}〜{high:.0f}%' for level, low, high in spans)}。",
    )
    return Figure(data, layout, 320, says)


def _lanes(collection: "Collection", fitted: "Fitted", settings: "Settings") -> Section:
    layout, places, segments, points = reading(collection, fitted, settings)
    lead = Both(
        "Drawn from the layout that trained the first network of this run; numbers are positions, counted from 0 "
        "through all series. The lanes are spread over all data before the first origin, except the stretch held out to "
        "choose the best epoch and to calibrate the intervals. A row begins where the lane's row of the previous update "
        "ended and continues from its state (arrow). Every step is scored (dashes below the boxes), "
        f"{settings.horizon} steps ahead each.",
        "最初のネットワークを実際に学習した配置です。数字は全系列の通し番号（0 始まり）です。レーンは、最良エポックの選択と予測区間の較正に"
        "取り置いた部分を除き、最初の予測時点より前のデータ全体に割り当てます。各行は前の更新の行が終わった所から始まり、状態を"
        f"引き継ぎます（矢印）。すべてのステップで、{settings.horizon} ステップ先までを採点します（箱の下の破線）。",
    )
    name = Both("streams", "ストリーム")
    parts = (
        lead.html("p"),
        lanes_svg.zoom(layout, zoomed(name, layout.updates, layout.lanes, layout.timesteps), places),
        lanes_svg.whole(layout, points, segments, mapped(name, layout.lanes), places),
    )
    return Section("lanes", Both("How the batches are laid out", "バッチの配置"), parts)
