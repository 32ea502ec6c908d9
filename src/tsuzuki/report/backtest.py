"""The page of a backtest: forecasts from past origins beside hard references."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tsuzuki import formatting as numerals
from tsuzuki.forecasting.evaluation import evaluate, interval_levels
from tsuzuki.report import lanes_svg
from tsuzuki.report.comparison import mapped, series_section, zoomed
from tsuzuki.report.ensemble import learning, reading
from tsuzuki.report.machine import machine
from tsuzuki.report.page import Figure, Ink, Page, Section, render
from tsuzuki.report.texts import Both, joined, same, table
from tsuzuki.report.thinning import numbers
from tsuzuki.report.weeks import Course, Line, weeks

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
            f"{name} {value}"
            for name in settings.__dataclass_fields__
            if (value := getattr(settings, name)) not in ((), None)
        )
        extra = [(Both("Settings", "設定"), same(shown))]
    first = forecasts["cutoff"].min()
    cut = tuple(
        offset + int(np.searchsorted(series.times, np.datetime64(first)))
        for offset, series in zip(collection.offsets, collection.series, strict=False)
    )
    page = Page(
        Both(f"{collection.name}: forecasts from the past", f"{collection.name}: 過去の起点からの予測"),
        Both(
            f"{_origins(forecasts):,} forecasts from origins that the network was not trained on, beside references.",
            f"学習に使っていない {_origins(forecasts):,} 個の起点からの予測を、基準となる方法と比べました。",
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
                f"tsuzuki の誤差（RMSE）は、最も良い基準 {best['model']} より {abs(share):.1%} "
                f"{'小さい' if share >= 0 else '大きい'}値です。",
            )
        )
    for name in (name for name in scores.columns if name.startswith("coverage-")):
        level = name.removeprefix("coverage-")
        said.append(
            Both(
                f"Its {level}\u00a0% intervals held {own[name]:.0f}\u00a0% of what came.",
                f"{level}% 予測区間は実測の {own[name]:.0f}% を含みました。",
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
        "Sorted by RMSE; skill is 1 less the ratio to the best other model's RMSE.",
        "RMSE の小さい順。スキルは 1 −（他で最も良いモデルの RMSE との比）。",
    )
    paragraph = joined(*said).html("p").replace("<p ", '<p class="verdict" ')
    return Section("verdict", Both("What came out", "結論"), (paragraph, table(head, rows, caption)))


def _covered(name: str) -> Both:
    level = name.removeprefix("coverage-")
    return Both(f"in {level}\u00a0% interval, %", f"{level}% 区間に含む割合 %")


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
        "What came (thick), what was forecast, and its intervals (shaded). A dotted line marks the last time known to "
        "the forecast that follows it; where forecasts overlap, those that follow one another are drawn. Names in the "
        "legend show and hide lines.",
        "実測（太線）と予測、その予測区間（網掛け）。点線は、続く予測が知っている最後の時刻です。予測が重なる場合は"
        "順に続くものだけを描きます。凡例の名前で線を表示・非表示にできます。",
    )
    horizon = int(forecasts.groupby(["unique_id", "cutoff"]).size().max())
    title = Both("A test week: actual against forecast", "評価用の 1 週間: 実測と予測")
    figure = weeks(courses, lines, collection.unit, says, areas=areas, shortest=horizon + horizon // 2)
    return Section("week", title, (figure,))


def _course(some: "pd.DataFrame", series: "Series", names: list[str], found: list[float]) -> Course:
    """One series' forecasts on its grid, those that follow one another without overlapping."""
    times = series.times
    at = np.searchsorted(times, some["ds"].to_numpy("datetime64[ns]"))
    cutoff = np.searchsorted(times, some["cutoff"].to_numpy("datetime64[ns]"))
    columns = [*names, *(f"{OWN}-{end}-{level:g}" for level in found for end in ("lo", "hi"))]
    values = some[columns].to_numpy(np.float64).T
    first = int(cutoff.min())
    # A row more behind each origin, without forecasts: there the lines are broken.
    rows: list[NDArray[np.int64]] = []
    parts: list[NDArray[np.float64]] = []
    marks, end = [], first
    for origin in np.unique(cutoff):
        if origin < end:
            continue
        own = np.flatnonzero(cutoff == origin)
        last = int(at[own].max())
        # What lies between the forecast before and this origin, the origin itself, and the forecast.
        grid = np.arange(end, last + 1)
        part = np.full((len(columns), len(grid)), np.nan)
        part[:, at[own] - end] = values[:, own]
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
        "xaxis": {"title": {"text": Both("steps ahead", "何ステップ先か")}},
        "yaxis": {"title": {"text": ""}, "rangemode": "tozero"},
        "margin": {"l": 60, "r": 14, "t": 60, "b": 48},
    }
    rmse = by_horizon.pivot(index="horizon", columns="model", values="rmse")
    best = rmse[others].min(axis=1) if others else rmse[OWN]
    ahead = int((rmse[OWN] < best).sum())
    says = Both(
        f"The error by how far ahead: {_ends(rmse[OWN])} for tsuzuki (RMSE). It is the lowest of all in {ahead} of "
        f"{len(steps)} steps.",
        f"何ステップ先かごとの誤差。tsuzuki の RMSE は {_ends(rmse[OWN])}。{len(steps)} ステップ中 {ahead} ステップで"
        "最小です。",
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
        label = Both(f"held by the {level}\u00a0% interval", f"{level}% 区間が含んだ割合")
        data.append(shared | {"y": numbers(own[name].to_numpy()), "name": label, "line": look})
        nominal = {"y": [float(level)] * len(steps), "showlegend": False, "hoverinfo": "skip"}
        data.append(shared | nominal | {"name": label, "line": look | {"dash": "dot", "width": 1.5}})
    layout = {
        "xaxis": {"title": {"text": Both("steps ahead", "何ステップ先か")}},
        "yaxis": {"title": {"text": "%"}},
        "margin": {"l": 60, "r": 14, "t": 40, "b": 48},
    }
    spans = [(name.removeprefix("coverage-"), own[name].min(), own[name].max()) for name in names]
    says = Both(
        f"How much the intervals held, by how far ahead (dotted: what they promise): "
        f"{'; '.join(f'{level}{HARD}%: {low:.0f} to {high:.0f}{HARD}%' for level, low, high in spans)}.",
        "予測区間が実測を含んだ割合（点線は目標値）: "
        f"{'、'.join(f'{level}% 区間は {low:.0f}〜{high:.0f}%' for level, low, high in spans)}。",
    )
    return Figure(data, layout, 320, says)


def _lanes(collection: "Collection", fitted: "Fitted", settings: "Settings") -> Section:
    layout, places, segments, points = reading(collection, fitted, settings)
    lead = Both(
        "Drawn from the layout that trained the first network of this run; numbers are positions, counted from 0 "
        "through all series. The lanes are spread over all that was known before the first origin, but for the stretch "
        "held out to choose its best epoch and to calibrate its intervals. A row begins where the lane's row of the "
        "update before ended and takes its state (arrow); every step is scored (dashes below the boxes), "
        f"{settings.horizon} steps ahead each.",
        "最初のネットワークを実際に学習した配置から描いています。数字は全系列を通した位置（0 から）です。レーンは最初の起点より前の"
        "全体に散らばり、最良エポックの選択と予測区間の較正に取り置いた部分を除きます。行は前の更新の行が終わった所から始まり、"
        f"状態を引き継ぎます（矢印）。全ステップで {settings.horizon} ステップ先までを採点します（箱の下の破線）。",
    )
    name = Both("streams", "ストリーム")
    parts = (
        lead.html("p"),
        lanes_svg.zoom(layout, zoomed(name, layout.updates, layout.lanes, layout.timesteps), places),
        lanes_svg.whole(layout, points, segments, mapped(name, layout.lanes), places),
    )
    return Section("lanes", Both("How the batches are laid out", "バッチの配置"), parts)
