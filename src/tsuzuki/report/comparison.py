"""The page of a comparison: what carrying the state is worth, shown."""

import math
from itertools import pairwise

import numpy as np

from tsuzuki.data.series import Collection
from tsuzuki.data.summary import span_zone
from tsuzuki.experiment.comparison import Comparison
from tsuzuki.experiment.tables import formatted_columns
from tsuzuki.experiment.variants import DECAYED, STATEFUL, STATELESS, STREAMS
from tsuzuki.experiment.verdict import conclusions, findings
from tsuzuki.report import lanes_svg
from tsuzuki.report.experiment import DASHES, INKS, NAMES, PERSISTENCE, curves, differences, finished
from tsuzuki.report.japanese import headline, sentence
from tsuzuki.report.machine import definitions, machine
from tsuzuki.report.page import Figure, Page, Section, render
from tsuzuki.report.pictures import picture
from tsuzuki.report.texts import Both, joined, same, step_of, table
from tsuzuki.report.weeks import Course, Line, unit_of, weeks


def comparison_page(comparison: Comparison, *, command: str, lang: str = "en") -> str:
    """The page of a comparison, as HTML.

    Args:
        comparison: what `comparing.compare` found.
        command: what to run to repeat it.
        lang: the language shown first, en or ja.

    Raises:
        SettingError, MissingExtraError: as `page.check`.
    """
    collection, fraction = comparison.data.collection, comparison.recipe.test_fraction
    name = collection.name
    page = Page(
        Both(f"{name}: does carrying the state help?", f"{name}: 状態の引き継ぎは役に立つか"),
        Both(
            "The same small network, from the same initial weights, trained in four ways with as many recurrent steps "
            "in each.",
            "同じ小さなネットワークを、初期値と再帰計算量を揃えて 4 通りの方法で学習し、比べました。",
        ),
        (
            _verdict(comparison),
            series_section(collection, collection.split(fraction) if fraction else None),
            _lanes(comparison),
            _losses(comparison),
            _differences(comparison),
            *_week(comparison),
            machine(command, [(Both("Recipe", "学習の設定"), same(_recipe(comparison)))]),
        ),
    )
    return render(page, lang)


def _verdict(comparison: Comparison) -> Section:
    said = joined(*(sentence(finding) for finding in findings(comparison)))
    tested = math.isfinite(comparison.persistence.test_mse)
    unit = comparison.data.collection.unit or ""
    head = [
        Both("", ""),
        Both("ms per epoch", "ms/\u200bエポック"),
        Both("µs per update", "µs/\u200b更新"),
        Both("running loss, first", "学習中の\u200b損失 最初"),
        Both("running loss, last", "学習中の\u200b損失 最後"),
        Both("MSE, training", "MSE 学習用"),
    ]
    if tested:
        head += [Both("MSE, held out", "MSE 評価用"), same(f"RMSE {unit}".strip()), Both("skill", "スキル")]
    names = [*(NAMES[row.name] for row in comparison.results), PERSISTENCE]
    shown = [texts for name, texts in formatted_columns(comparison).items() if name != "sample"]
    rows: list[list[Both | str]] = [list(row) for row in zip(names, *shown, strict=True)]
    caption = Both(
        f"Means over {comparison.recipe.seeds} seeds. Skill is 1 minus the ratio to persistence's squared error.",
        f"{comparison.recipe.seeds} シードの平均。スキルは 1 −（持続予報に対する二乗誤差の比）。",
    )
    return Section(
        "verdict",
        Both("What came out", "結論"),
        (
            headline(conclusions(comparison)).html("p").replace("<p ", '<p class="verdict" '),
            said.html("p"),
            table(head, rows, caption),
        ),
    )


def series_section(collection: Collection, cuts: tuple[int, ...] | None = None) -> Section:
    """The series: its picture, and what was done to make it regular.

    Args:
        collection: the series.
        cuts: where the held-out part of each begins, in positions of all values, if any.
    """
    total, repairs = collection.offsets[-1], collection.repairs
    first = min(series.times[0] for series in collection.series)
    last = max(series.times[-1] for series in collection.series)
    step = step_of(collection.series[0].step)
    facts = [
        (Both("Steps", "ステップ数"), same(f"{total:,}")),
        (Both("One every", "間隔"), step),
        (Both("Time", "期間"), same(f"{str(first)[:10]} – {str(last)[:10]}{span_zone(collection)}")),
        (Both("Segments", "区間数"), same(f"{len(collection.segments):,}")),
    ]
    if len(collection.series) > 1:
        facts.insert(0, (Both("Series", "系列数"), same(f"{len(collection.series):,}")))
    if cuts is not None:
        test = total - sum(cut - start for start, cut in zip(collection.offsets, cuts, strict=False))
        facts.append((Both("Trained on, held out", "学習用・評価用"), same(f"{total - test:,} / {test:,}")))
    for count, term in (
        (repairs.duplicates, Both("Duplicates merged", "統合した重複")),
        (repairs.snapped, Both("Stamps snapped to the grid", "時刻を補正した観測")),
        (repairs.missing, Both("Missing", "欠測")),
        (repairs.interpolated, Both("of these interpolated", "うち補間")),
        (repairs.open, Both("of these left open", "うち未補間")),
    ):
        if count:
            facts.append((term, same(f"{count:,}")))
    return Section("series", Both("The series", "系列"), (picture(collection, cuts), definitions(facts)))


EXPLAINED = {
    STATELESS: Both(
        "Each row is a window of its own. The state is zero before every row (0 in a circle) and dropped after it; "
        "only the value after the window (dashed) is scored.",
        "各行は独立した窓です。状態は行ごとに 0 から始まり（丸の 0）、行の終わりで捨てられます。"
        "採点されるのは窓の次の値（破線）だけです。",
    ),
    STATEFUL: Both(
        "A lane's row begins where its row of the previous update ended, so the state can be carried (arrow). The "
        "lanes are shifted against each other by one step, so that no target is left out.",
        "各レーンの行は、前の更新の行が終わった所から始まるので、状態を引き継げます（矢印）。"
        "レーンは互いに 1 ステップずつずれているため、すべての目標値がちょうど一度ずつ採点されます。",
    ),
    STREAMS: Both(
        "The lanes are spread over the whole series; each reads its own stretch from end to end, once an epoch, and "
        "every step is scored (dashes below the boxes). The rate makes no difference to the layout.",
        "レーンは系列全体に割り当てられ、それぞれの区間を 1 エポックに一度、端から端まで読みます。"
        "すべてのステップが採点されます（箱の下の破線）。学習率を減衰させても配置は変わりません。",
    ),
}


def _lanes(comparison: Comparison) -> Section:
    data = comparison.data
    segments = [(one.start, one.stop) for one in data.training]
    points = max(stop for _, stop in segments)
    lead = Both(
        "Drawn from the layout that trained in this run; numbers are positions, counted from 0 through all series. Above: "
        "the first updates, step by step. Below: where in the training part each lane goes in an epoch; at a circle its "
        "state begins at zero.",
        "この実行で実際に学習に使った配置です。数字は全系列の通し番号（0 始まり）です。上の図は最初の数回の更新をステップごとに、"
        "下の図は 1 エポックで各レーンが学習用の部分のどこを通るかを示します。丸の所で状態は 0 から始まります。",
    )
    parts: list[str | Figure] = [lead.html("p")]
    for row in comparison.results:
        if row.layout is None or row.name == DECAYED:
            continue
        parts.append(f"<h3>{NAMES[row.name].html()}</h3>{EXPLAINED[row.name].html('p')}")
        layout = row.layout
        parts.append(lanes_svg.zoom(layout, zoomed(NAMES[row.name], layout.updates, layout.lanes, layout.timesteps)))
        parts.append(lanes_svg.whole(layout, points, segments, mapped(NAMES[row.name], layout.lanes)))
    return Section("lanes", Both("How the batches are laid out", "バッチの配置"), tuple(parts))


def zoomed(name: Both, updates: int, lanes: int, steps: int) -> Both:
    """What the drawing of the first updates shows, in words."""
    return Both(
        f"{name.en}: the steps of the first updates' rows; {updates:,} updates of {lanes} lanes with {steps} steps",
        f"{name.ja}: 最初の更新の各行のステップ。{lanes} レーン × {steps} ステップの更新が {updates:,} 回",
    )


def mapped(name: Both, lanes: int) -> Both:
    """What the drawing of an epoch shows, in words."""
    return Both(
        f"{name.en}: where in the series the first of {lanes} lanes go in an epoch",
        f"{name.ja}: {lanes} レーンのうち先頭のものが 1 エポックに通る範囲",
    )


def _losses(comparison: Comparison) -> Section:
    return Section(
        "losses",
        Both("Loss curves, running and finished", "損失: 学習中と学習後"),
        ('<div class="pair"><div>', curves(comparison), "</div><div>", finished(comparison), "</div></div>"),
    )


def _differences(comparison: Comparison) -> Section:
    return Section(
        "differences", Both("Differences seed by seed", "シードごとの差（対応あり）"), (differences(comparison),)
    )


def _week(comparison: Comparison) -> tuple[Section, ...]:
    """Actual against forecast on the held-out part, or nothing where none is."""
    data = comparison.data
    collection = data.collection
    rows = [row for row in comparison.results if row.forecasts is not None]
    if not data.test_targets.any() or not rows:
        return ()
    means = _means(comparison)
    courses = []
    values, cuts = collection.values, collection.split(comparison.recipe.test_fraction)
    last = np.roll(values, 1)
    for series, cut, stop in zip(collection.series, cuts, collection.offsets[1:], strict=True):
        part = slice(cut, stop)
        scored = data.test_targets[part]
        if not scored.any():
            continue
        lines = [values[part], np.where(scored, last[part], np.nan)]
        for row in rows:
            assert row.forecasts is not None
            forecast = row.forecasts[part] * data.deviations[part] + means[part]
            lines.append(np.where(scored, forecast, np.nan))
        courses.append(Course(series.name, series.times[-(stop - cut) :], np.array(lines)))
    drawn = [
        Line(Both("actual", "実測"), "c0", width=2.6),
        Line(PERSISTENCE, "c6", "dash", shown=False),
        *(Line(NAMES[row.name], INKS[row.name], DASHES[row.name]) for row in rows),
    ]
    rmse = ((row, row.scores[0].test_rmse) for row in rows)
    told = [(NAMES[row.name], f"{value:.3g} {collection.unit or ''}".strip()) for row, value in rmse]
    says = Both(
        "One step ahead, by the finished weights of the first seed, on data that no training has seen. Its error "
        f"(RMSE): {'; '.join(f'{name.en} {value}' for name, value in told)}. Click a name in the legend to show or hide its line.",
        "1 ステップ先の予測。最初のシードの学習後の重みで、学習に使っていないデータを予測しました。"
        f"誤差（RMSE）: {'、'.join(f'{name.ja} {value}' for name, value in told)}。凡例の名前を押すと線の表示・非表示が切り替わります。",
    )
    unit = unit_of(courses[0].times)
    title = Both(f"Held-out {unit}: actual against forecast", "評価用の期間: 実測と予測")
    return (Section("week", title, (weeks(courses, drawn, collection.unit, says),)),)


def _means(comparison: Comparison) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    """What the scaling subtracted, [points]: each value less its scaled value in the series' unit."""
    data = comparison.data
    offsets, values = data.collection.offsets, data.collection.values
    found = np.empty_like(values)
    for start, stop in pairwise(offsets):
        away = values[start:stop] - data.scaled[start:stop, 0].astype(np.float64) * data.deviations[start:stop]
        found[start:stop] = np.nanmean(away)
    return found


def _recipe(comparison: Comparison) -> str:
    return ", ".join(f"{name} {getattr(comparison.recipe, name)}" for name in comparison.recipe.__dataclass_fields__)
