"""The figures of a comparison: loss curves, errors of finished weights, paired differences."""

import math
from statistics import fmean
from typing import Any

import numpy as np

from tsuzuki.experiment.comparison import Comparison, VariantResult
from tsuzuki.experiment.paired_statistics import LEAST, PairedDifference
from tsuzuki.experiment.variants import DECAYED, STATEFUL, STATELESS, STREAMS
from tsuzuki.report.axes import log_axis, percent, ticks
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
            "title": {"text": Both("epochs over all windows, or as much work", "エポック数（全窓、同じ計算量で換算）")}
        },
        "yaxis": log_axis(Both("running loss", "学習中の損失"), [one for trace in data for one in trace["y"]]),
        "margin": MARGIN | {"t": 60},
    }
    ends = "; ".join(f"{NAMES[row.name].en} {_ends(row)}" for row in comparison.results)
    end = "、".join(f"{NAMES[row.name].ja} {_ends(row)}" for row in comparison.results)
    says = Both(
        f"What the training loop prints, thin for each seed and thick for their mean: {ends}. It is an average over "
        "weights that still move with the data, and no measure of the finished weights.",
        f"学習ループが表示する値です（細線は各シード、太線は平均）: {end}。データに合わせて動いている途中の重みで測った平均なので、"
        "学習後の重みの良さは示しません。",
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
                    NAMES[row.name].ja.removesuffix("窓").replace("（学習率減衰）", "<br>（減衰）"),
                )
                for row in rows
            ],
            "tickangle": 0,
            "range": [-0.5, len(rows) - 0.5],
            "showgrid": False,
            "zeroline": False,
        },
        "yaxis": log_axis(Both("mean squared error", "平均二乗誤差"), [one for trace in data for one in trace["y"]]),
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
        f"各シードの学習後の重みを、同じ目標値で採点しました。{where.ja}の平均二乗誤差: {told('ja')}、"
        f"持続予報 {baseline:.4f}。",
    )
    return Figure(data, layout, 400, says)


def _aside(seed: int, seeds: int) -> float:
    """Where a seed's dot stands, so that dots of the same value do not hide one another."""
    return 0.0 if seeds == 1 else (seed / (seeds - 1) - 0.5) * 0.26


def differences(comparison: Comparison) -> Figure:
    """Stateful in per cent of stateless windows, seed by seed, with the interval of the mean, as a dot plot."""
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
    layout: dict[str, Any] = {"margin": {"l": 20, "r": 20, "t": 60, "b": 56}, "annotations": []}
    says = [SPREAD]
    for number, (name, before, after, paired) in enumerate(measures):
        logs = [math.log(max(b, LEAST) / max(a, LEAST)) for a, b in zip(before, after, strict=True)]
        _measure(data, layout, number, len(measures), name, logs, paired)
        _mean(data, number, paired)
        says.append(_told(name, paired, len(before)))
    return Figure(data, layout, 90 + 150 * len(measures), joined(*says))


SPREAD = Both(
    "Each ring is one seed: two networks with the same initial weights, one of which carries its state. The error of "
    "the stateful one is shown as a share of the other's, on a logarithmic axis: halved and doubled are equally far "
    "from 0. How far the rings lie apart is what other initial weights change; the interval is of their mean, not of "
    "a single seed.",
    "丸は 1 シード分で、初期値を揃えた 2 つのネットワーク（片方だけが状態を引き継ぐ）の比較です。ステートフルの誤差がステートレスに対して"
    "何 % 違うかを対数目盛で示します（半分と 2 倍が 0 から等距離）。丸の散らばりは初期値の違いによるもので、信頼区間は 1 シードの値ではなく"
    "平均に対するものです。",
)


def _measure(
    data: list[dict[str, Any]],
    layout: dict[str, Any],
    number: int,
    count: int,
    name: Both,
    logs: list[float],
    paired: PairedDifference,
) -> None:
    suffix = "" if number == 0 else str(number + 1)
    top, high = 1 - number / count, 1 / count
    ends = [0.0, *logs, *(paired.log_ci95 or ())]
    edge = 0.06 * (max(ends) - min(ends)) or 0.01
    span = (min(ends) - edge, max(ends) + edge)
    at = ticks(*span)
    layout[f"xaxis{suffix}"] = {
        "anchor": f"y{suffix}",
        "range": [round(end, 5) for end in span],
        "tickvals": [round(math.log1p(share), 6) for share in at],
        "ticktext": [percent(share) for share in at],
        "tickangle": 0,
        "zeroline": True,
        "zerolinewidth": 2,
    }
    if number == count - 1:
        title = Both("stateful against stateless", "ステートレスに対するステートフルの差")
        layout[f"xaxis{suffix}"]["title"] = {"text": title}
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
            "text": Both(f"<b>{name.en}</b>", f"<b>{name.ja}</b>"),
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
            "x": [float(f"{log:.5g}") for log in logs],
            "y": [round(-0.3 + 2 * _aside(seed, len(logs)), 3) for seed in range(len(logs))],
            "text": [f"seed {seed}: {math.expm1(log):+.2%}" for seed, log in enumerate(logs)],
            "hoverinfo": "text",
            "marker": {"symbol": "circle-open", "size": 9, "color": Ink("c1"), "line": {"width": 1.6}},
            "xaxis": f"x{suffix}",
            "yaxis": f"y{suffix}",
        }
    )


def _mean(data: list[dict[str, Any]], number: int, paired: PairedDifference) -> None:
    suffix = "" if number == 0 else str(number + 1)
    trace: dict[str, Any] = {
        "type": "scatter",
        "mode": "markers",
        "name": Both("mean and 95\u00a0% interval", "平均と 95% 信頼区間"),
        "legendgroup": "mean",
        "showlegend": number == 0,
        "x": [paired.log_ratio],
        "y": [0.9],
        "text": [f"{math.expm1(paired.log_ratio):+.2%}"],
        "hoverinfo": "text",
        "marker": {"symbol": "diamond", "size": 12, "color": Ink("c2")},
        "xaxis": f"x{suffix}",
        "yaxis": f"y{suffix}",
    }
    if paired.log_ci95 is not None:
        low, high = paired.log_ci95
        trace["error_x"] = {
            "type": "data",
            "symmetric": False,
            "array": [high - paired.log_ratio],
            "arrayminus": [paired.log_ratio - low],
            "color": Ink("c2"),
            "thickness": 2.5,
            "width": 8,
        }
    data.append(trace)


def _told(name: Both, paired: PairedDifference, seeds: int) -> Both:
    mean, won = math.expm1(paired.log_ratio), round(paired.stateful_better_share * seeds)
    if paired.log_ci95 is None:
        return Both(f"{name.en.capitalize()}: {mean:+.1%} with one seed.", f"{name.ja}: シード 1 個で {mean:+.1%}。")
    low, high = (math.expm1(end) for end in paired.log_ci95)
    return Both(
        f"{name.en.capitalize()}: {mean:+.1%} on average, 95\u00a0% interval {low:+.1%} to {high:+.1%}; stateful is lower in "
        f"{won} of {seeds} seeds.",
        f"{name.ja}: 平均 {mean:+.1%}、95% 信頼区間 {low:+.1%} 〜 {high:+.1%}。"
        f"{seeds} シード中 {won} 個でステートフルの方が小さい。",
    )
