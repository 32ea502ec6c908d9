"""The figures of a comparison: loss curves, errors of finished weights, paired differences."""

import math
from statistics import fmean
from typing import Any

import numpy as np

from tsuzuki.experiment.comparison import Comparison, VariantResult
from tsuzuki.experiment.paired_statistics import PairedDifference
from tsuzuki.experiment.variants import DECAYED, STATEFUL, STATELESS, STREAMS
from tsuzuki.report.page import Figure, Ink
from tsuzuki.report.texts import Both, joined
from tsuzuki.report.thinning import numbers, spread

NAMES = {
    STATELESS: Both("stateless windows", "ステートレス窓"),
    STATEFUL: Both("stateful windows", "ステートフル窓"),
    STREAMS: Both("streams", "ストリーム"),
    DECAYED: Both("streams, decayed rate", "ストリーム（学習率減衰）"),
}
PERSISTENCE = Both("persistence", "持続予報")
INKS = {STATELESS: "c7", STATEFUL: "c2", STREAMS: "c4", DECAYED: "c1"}
DASHES = {STATELESS: "dot", STATEFUL: "dash", STREAMS: "dashdot", DECAYED: "solid"}
SYMBOLS = {STATELESS: "circle-open", STATEFUL: "square-open", STREAMS: "triangle-up-open", DECAYED: "diamond-open"}
# Points of all curves of a row together.
MOST_POINTS = 12_000
MARGIN = {"l": 62, "r": 14, "t": 20, "b": 48}


def curves(comparison: Comparison) -> Figure:
    """The running loss of every seed, against the work done."""
    data: list[dict[str, Any]] = []
    epochs = comparison.recipe.epochs
    for row in comparison.results:
        count = len(row.running_loss[0])
        at = spread(count, max(10, MOST_POINTS // len(row.running_loss)))
        work = (at + 1) * epochs / count
        x: list[float | None] = []
        y: list[float | None] = []
        text: list[str | None] = []
        for seed, losses in enumerate(row.running_loss):
            # None between two seeds breaks the line.
            x += [*numbers(work), None]
            y += [*numbers(np.log10(np.array(losses)[at])), None]
            text += [f"seed {seed}: {losses[i]:.5g}" for i in at] + [None]
        y = [None if value is None else 10**value for value in y]
        look = {"color": Ink(INKS[row.name]), "dash": DASHES[row.name]}
        shared = {"type": "scatter", "legendgroup": row.name, "mode": "lines+markers", "marker": {"size": 4}}
        hover = {"text": text, "hoverinfo": "text"}
        seeds = {"x": x, "y": y, "name": NAMES[row.name], "line": look | {"width": 1}, "opacity": 0.35}
        mean = [fmean(losses[i] for losses in row.running_loss) for i in at]
        data.append(shared | seeds | hover | {"showlegend": False})
        data.append(
            shared
            | {
                "x": numbers(work),
                "y": mean,
                "name": NAMES[row.name],
                "line": look | {"width": 2.6},
                "hoverinfo": "y+name",
            }
        )
    layout = {
        "xaxis": {
            "title": {"text": Both("epochs over all windows, or as much work", "全窓に対するエポック（同じ計算量）")}
        },
        "yaxis": {"type": "log", "title": {"text": Both("running loss", "学習中の損失")}, "dtick": "D2"},
        "margin": MARGIN | {"t": 60},
    }
    ends = "; ".join(f"{NAMES[row.name].en} {_ends(row)}" for row in comparison.results)
    end = "、".join(f"{NAMES[row.name].ja} {_ends(row)}" for row in comparison.results)
    says = Both(
        f"What the training loop prints, thin for each seed and thick for their mean: {ends}. It is an average over "
        "weights that still move, so it follows the data's course and is no measure of the finished weights.",
        f"学習ループが表示する値です（細線は各シード、太線は平均）: {end}。動いている途中の重みの平均なので、"
        "データの変動を追いかけるだけで、学習後の重みの良さは示しません。",
    )
    return Figure(data, layout, 400, says)


def _ends(row: VariantResult) -> str:
    first, last = (fmean(losses[i] for losses in row.running_loss) for i in (0, -1))
    return f"{first:.4f} → {last:.4f}"


def finished(comparison: Comparison) -> Figure:
    """The error of every seed's finished weights, on both parts."""
    tested = math.isfinite(comparison.persistence.test_mse)
    parts = [(Both("training part", "学習用"), "train_mse", "circle-open")]
    if tested:
        parts.append((Both("held-out part", "評価用"), "test_mse", "diamond"))
    rows = comparison.results
    data: list[dict[str, Any]] = []
    for number, (part, name, symbol) in enumerate(parts):
        x, y, text = [], [], []
        for place, row in enumerate(rows):
            for seed, scores in enumerate(row.scores):
                # Side by side: the seeds of one part, then those of the other.
                x.append(round(place + (number - 0.5 * (len(parts) - 1)) * 0.36 + _aside(seed, len(row.scores)), 4))
                y.append(float(f"{getattr(scores, name):.6g}"))
                text.append(f"seed {seed}: {getattr(scores, name):.5g}")
        ink = ("c5", "c1")[number]
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": part,
                "x": x,
                "y": y,
                "text": text,
                "hoverinfo": "text",
                "marker": {"symbol": symbol, "size": 8, "color": Ink(ink), "line": {"width": 1.4, "color": Ink(ink)}},
            }
        )
    baseline = comparison.persistence.test_mse if tested else comparison.persistence.train_mse
    data.append(
        {
            "type": "scatter",
            "mode": "lines",
            "name": PERSISTENCE,
            "x": [-0.5, len(rows) - 0.5],
            "y": [baseline, baseline],
            "line": {"color": Ink("c6"), "dash": "dash", "width": 2},
        }
    )
    layout = {
        "xaxis": {
            "tickvals": list(range(len(rows))),
            "ticktext": [
                Both(
                    NAMES[row.name].en.replace(" windows", "").replace(", decayed rate", ",<br>decayed"),
                    NAMES[row.name].ja.replace("（", "<br>（"),
                )
                for row in rows
            ],
            "range": [-0.5, len(rows) - 0.5],
            "showgrid": False,
            "zeroline": False,
        },
        "yaxis": {"type": "log", "title": {"text": Both("mean squared error", "平均二乗誤差")}, "dtick": "D2"},
        "margin": MARGIN | {"t": 60},
    }

    def told(lang: str) -> str:
        return ("; " if lang == "en" else "、").join(
            f"{getattr(NAMES[row.name], lang)} {fmean(getattr(one, parts[-1][1]) for one in row.scores):.4f}"
            for row in rows
        )

    where = Both("held-out part", "評価用の部分") if tested else Both("training part", "学習用の部分")
    says = Both(
        f"The finished weights of every seed, scored on the same targets; mean squared error on the {where.en}: "
        f"{told('en')}; persistence {baseline:.4f}.",
        f"各シードの学習後の重みを同じ目標値で採点したもの。{where.ja}の平均二乗誤差: {told('ja')}、"
        f"持続予報 {baseline:.4f}。",
    )
    return Figure(data, layout, 400, says)


def _aside(seed: int, seeds: int) -> float:
    """Where a seed's dot stands, so that dots of the same value do not hide one another."""
    return 0.0 if seeds == 1 else (seed / (seeds - 1) - 0.5) * 0.26


def differences(comparison: Comparison) -> Figure:
    """Stateful minus stateless windows, seed by seed, with the interval of the mean, as a dot plot."""
    stateless, stateful = comparison.results[0], comparison.results[1]
    measures = [
        (
            Both("loss of the first epoch", "最初のエポックの損失"),
            [loss[0] for loss in stateless.running_loss],
            [loss[0] for loss in stateful.running_loss],
            comparison.paired_first_epoch_loss,
        )
    ]
    if math.isfinite(comparison.paired_test_mse.mean_difference):
        measures.append(
            (
                Both("held-out error", "評価用部分の誤差"),
                [one.test_mse for one in stateless.scores],
                [one.test_mse for one in stateful.scores],
                comparison.paired_test_mse,
            )
        )
    data: list[dict[str, Any]] = []
    layout: dict[str, Any] = {"margin": {"l": 20, "r": 20, "t": 60, "b": 40}, "annotations": [], "shapes": []}
    says = []
    for number, (name, before, after, paired) in enumerate(measures):
        base = fmean(before)
        _measure(
            data, layout, number, len(measures), name, [(b - a) / base for a, b in zip(before, after, strict=True)]
        )
        _mean(data, number, paired, base)
        says.append(_told(name, paired, base, len(before)))
    return Figure(data, layout, 80 + 140 * len(measures), joined(*says))


def _measure(
    data: list[dict[str, Any]], layout: dict[str, Any], number: int, count: int, name: Both, shares: list[float]
) -> None:
    suffix = "" if number == 0 else str(number + 1)
    top, high = 1 - number / count, 1 / count
    layout[f"xaxis{suffix}"] = {"tickformat": "+.1~%", "anchor": f"y{suffix}", "zeroline": True, "zerolinewidth": 2}
    layout[f"yaxis{suffix}"] = {
        "domain": [max(0.0, top - 0.8 * high), top - 0.2 * high],
        "range": [-1, 1.6],
        "showticklabels": False,
        "ticks": "",
        "showgrid": False,
        "zeroline": False,
        "fixedrange": True,
        "anchor": f"x{suffix}",
    }
    layout["annotations"].append(
        {
            "text": Both(
                f"{name.en}: stateful minus stateless, in % of stateless",
                f"{name.ja}: ステートフル − ステートレス（ステートレス比 %）",
            ),
            "xref": "paper",
            "yref": "paper",
            "x": 0,
            "y": top - 0.2 * high,
            "xanchor": "left",
            "yanchor": "bottom",
            "align": "left",
            "showarrow": False,
        }
    )
    data.append(
        {
            "type": "scatter",
            "mode": "markers",
            "name": Both("a seed", "各シード"),
            "legendgroup": "seed",
            "showlegend": number == 0,
            "x": [float(f"{share:.5g}") for share in shares],
            "y": [round(-0.3 + 2 * _aside(seed, len(shares)), 3) for seed in range(len(shares))],
            "text": [f"seed {seed}: {share:+.2%}" for seed, share in enumerate(shares)],
            "hoverinfo": "text",
            "marker": {"symbol": "circle-open", "size": 9, "color": Ink("c1"), "line": {"width": 1.6}},
            "xaxis": f"x{suffix}",
            "yaxis": f"y{suffix}",
        }
    )


def _mean(data: list[dict[str, Any]], number: int, paired: PairedDifference, base: float) -> None:
    suffix = "" if number == 0 else str(number + 1)
    mean = paired.mean_difference / base
    trace: dict[str, Any] = {
        "type": "scatter",
        "mode": "markers",
        "name": Both("mean and 95\u00a0% interval", "平均と 95% 信頼区間"),
        "legendgroup": "mean",
        "showlegend": number == 0,
        "x": [mean],
        "y": [0.9],
        "text": [f"{mean:+.2%}"],
        "hoverinfo": "text",
        "marker": {"symbol": "diamond", "size": 12, "color": Ink("c2")},
        "xaxis": f"x{suffix}",
        "yaxis": f"y{suffix}",
    }
    if paired.ci95 is not None:
        low, high = paired.ci95
        trace["error_x"] = {
            "type": "data",
            "symmetric": False,
            "array": [(high - paired.mean_difference) / base],
            "arrayminus": [(paired.mean_difference - low) / base],
            "color": Ink("c2"),
            "thickness": 2.5,
            "width": 8,
        }
    data.append(trace)


def _told(name: Both, paired: PairedDifference, base: float, seeds: int) -> Both:
    mean, won = paired.mean_difference / base, round(paired.stateful_better_share * seeds)
    if paired.ci95 is None:
        return Both(f"{name.en.capitalize()}: {mean:+.1%} with one seed.", f"{name.ja}: シード 1 個で {mean:+.1%}。")
    low, high = (end / base for end in paired.ci95)
    return Both(
        f"{name.en.capitalize()}: {mean:+.1%} on average, 95\u00a0% interval {low:+.1%} to {high:+.1%}; stateful is lower in "
        f"{won} of {seeds} seeds.",
        f"{name.ja}: 平均 {mean:+.1%}、95% 信頼区間 {low:+.1%} 〜 {high:+.1%}。"
        f"{seeds} シード中 {won} 個でステートフルの方が小さい。",
    )
