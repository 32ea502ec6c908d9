"""How a forecaster's networks learned: their loss curves, and how the data were laid out for them."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tsuzuki.data.segments import Segment
from tsuzuki.report.axes import log_axis
from tsuzuki.report.page import Figure, Ink, Section
from tsuzuki.report.texts import Both

if TYPE_CHECKING:
    from tsuzuki.data.series import Collection
    from tsuzuki.forecasting.fitted import Fitted
    from tsuzuki.forecasting.settings import Settings
    from tsuzuki.layouts.layout import Layout

INKS = ("c1", "c2", "c3", "c4", "c5", "c6", "c7")


def learning(fitted: "Fitted") -> Section:
    """The loss curves of every network, running and finished."""
    data: list[dict[str, Any]] = []
    for number, history in enumerate(fitted.histories):
        ink = Ink(INKS[number % len(INKS)])
        epochs = [record.epoch for record in history]
        shared = {"type": "scatter", "x": epochs, "legendgroup": str(number), "mode": "lines"}
        running = Both(f"network {number + 1}, running", f"ネットワーク {number + 1}（学習中）")
        look = {"color": ink, "width": 1.5, "dash": "dot"}
        data.append(shared | {"y": _losses([record.loss for record in history]), "name": running, "line": look})
        checked = [record.validation_loss for record in history]
        if any(loss is None for loss in checked):
            continue
        held = Both(f"network {number + 1}, held out", f"ネットワーク {number + 1}（評価用）")
        data.append(shared | {"y": _losses(checked), "name": held, "line": {"color": ink, "width": 2.2}})
        best = fitted.best_epochs[number]
        marker = {"symbol": "star", "size": 13, "color": ink}
        chosen = {"x": [best], "y": _losses([checked[best - 1]]), "mode": "markers", "marker": marker}
        data.append(shared | chosen | {"name": held, "showlegend": False})
    layout = {
        "xaxis": {"title": {"text": Both("epoch", "エポック")}},
        "yaxis": log_axis(Both("loss", "損失"), [one for trace in data for one in trace["y"]]),
        "margin": {"l": 62, "r": 14, "t": 90, "b": 48},
    }
    chosen_epochs = ", ".join(map(str, fitted.best_epochs))
    says = Both(
        "Dotted: the running loss, over weights that still move. Solid: the loss of the weights as they stood at the "
        f"epoch's end, on the stretch held out from that network; the star is the epoch chosen ({chosen_epochs}).",
        "点線は学習中の損失（動いている途中の重み）、実線は各エポック終了時の重みを、そのネットワークの学習から取り置いた部分で評価した損失です。"
        f"星は選ばれたエポックです（{chosen_epochs}）。",
    )
    title = Both("Loss curves, running and finished", "損失: 学習中とエポック終了時")
    return Section("losses", title, (Figure(data, layout, 460, says),))


def _losses(values: list[Any]) -> list[float | None]:
    return [None if value is None or not np.isfinite(value) else float(f"{value:.5g}") for value in values]


def reading(
    collection: "Collection", fitted: "Fitted", settings: "Settings"
) -> "tuple[Layout, NDArray[np.int64], list[tuple[int, int]], int]":
    """The layout of the first network.

    Returns:
        The layout; the position in all series that each row of its flat inputs stands for; the unbroken stretches
        known to training; and how many positions there are.
    """
    from tsuzuki.forecasting.held_out import held_out_of, training_layout
    from tsuzuki.forecasting.panel import SeriesInputs, build_panel

    cuts = [
        int(np.searchsorted(series.times, times[-1])) + 1
        for series, times in zip(collection.series, fitted.times, strict=True)
    ]
    inputs = []
    for series, cut in zip(collection.series, cuts, strict=True):
        segments = tuple(Segment(one.start, min(one.stop, cut)) for one in series.segments if one.start < cut)
        # Where rows lie does not depend on what stands in them.
        inputs.append(SeriesInputs(np.zeros(cut, np.float32), np.zeros((cut, 0), np.float32), segments))
    panel = build_panel(inputs, fitted.way.before, settings.horizon)
    layout, _, _ = training_layout(panel, settings.of_network(0), held_out_of(cuts, settings, 0))
    offsets = np.concatenate([[0], np.cumsum(cuts)])
    places = np.zeros(len(panel.inputs), np.int64)
    for number in range(len(inputs)):
        rows, at = panel.rows_of(number)
        places[rows] = at + offsets[number]
    known = [
        (int(offsets[number]) + one.start, int(offsets[number]) + one.stop)
        for number, one_series in enumerate(inputs)
        for one in one_series.segments
    ]
    return layout, places, known, int(offsets[-1])
