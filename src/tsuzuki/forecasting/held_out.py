"""The stretch of time that each network of an ensemble does not learn from, to check it and calibrate its intervals."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tsuzuki.data.segments import Segment
from tsuzuki.forecasting.history import History
from tsuzuki.forecasting.spread import changes_said
from tsuzuki.forecasting.stacking import HeldOutForecasts
from tsuzuki.layouts.layout import Layout
from tsuzuki.layouts.streams import Streams

if TYPE_CHECKING:
    from tsuzuki.forecasting.panel import Panel
    from tsuzuki.forecasting.rules import Rules
    from tsuzuki.forecasting.settings import Settings

# So many rows are worth the lanes that are asked for once more, up to so many times as many.
ROWS_A_WIDTH, WIDEST = 75_000, 4
# Behind the end of every series.
_BEHIND_ALL = 10**18


@dataclass(frozen=True)
class HeldOut:
    """Positions first to last (exclusive) of each series, as many where nothing is held out of it."""

    first: tuple[int, ...]
    last: tuple[int, ...]

    def __bool__(self) -> bool:
        return self.first != self.last


def held_out_of(points: Sequence[int], settings: "Settings", member: int) -> HeldOut:
    """What is held out from a network of series with so many points; nothing of a short one.

    Networks of one recipe have stretches that lie one before another, the first network the latest.
    """
    first, last, back = [], [], member % settings.ensemble
    for count in points:
        size = int(count * settings.validation_fraction)
        if size < 2:
            size = 0
        last.append(count - back * size)
        first.append(last[-1] - size)
    return HeldOut(tuple(first), tuple(last))


def training_layout(
    panel: "Panel", settings: "Settings", held_out: HeldOut
) -> tuple[Layout, tuple[Segment, ...], tuple[Segment, ...]]:
    """How a network reads a panel without what is held out.

    Returns:
        The layout, the flat stretches that it reads, and those held out.
    """
    before = panel.segments([0] * panel.series_count, held_out.first)
    behind = panel.segments(held_out.last, [_BEHIND_ALL] * panel.series_count)
    segments = (*before, *behind)
    count = sum(segment.stop - segment.start for segment in segments)
    wide = settings.lanes * max(1, min(WIDEST, count // ROWS_A_WIDTH))
    lanes = max(1, min(wide, count // (4 * settings.timesteps)))
    layout = Streams(settings.timesteps, lanes).over(segments)
    return layout, segments, panel.segments(held_out.first, held_out.last)


def origin_rows(panel: "Panel", first: Sequence[int], last: Sequence[int]) -> NDArray[np.bool_]:
    """The flat rows whose forecasts begin at positions first to last (exclusive): bool [points]."""
    wanted = np.zeros(len(panel.inputs), bool)
    for number in range(panel.series_count):
        rows, places = panel.rows_of(number)
        wanted[rows[(places >= first[number] - 1) & (places < last[number] - 1)]] = True
    return wanted


def base_changes(
    panel: "Panel",
    wanted: NDArray[np.bool_],
    forecasts: NDArray[np.float32],
    histories: Sequence[History],
    rules: "Rules",
    loss: str,
    scales: NDArray[np.float64],
) -> list[NDArray[np.float32]]:
    """By how much a network says that the base changes, for each series [rows, horizon], in units of its scale.

    Args:
        panel: the series, as the network has run over them.
        wanted: bool [points], the rows that the forecasts were made from.
        forecasts: [wanted rows, outputs].
        histories: of the series.
        rules: what was chosen from the data.
        loss: of the network.
        scales: [series, 2], mean and deviation.
    """
    place = np.cumsum(wanted) - 1
    found = []
    for number, (history, unit) in enumerate(zip(histories, rules.units, strict=True)):
        rows, places = panel.rows_of(number)
        here = wanted[rows]
        own = forecasts[place[rows[here]]]
        last = history.values[history.ends[places[here]]]
        if rules.alone:
            # A missing last value is the networks' own forecast where they read it, and in a history the one before it.
            found.append(own - last[:, None])
        else:
            found.append(changes_said(loss, own, last, np.float32(unit), scales[number : number + 1]))
    return found


def said_by_series(
    panel: "Panel", wanted: NDArray[np.bool_], outputs: NDArray[np.float32]
) -> list[NDArray[np.float32]]:
    """What a network says at the wanted rows [rows, outputs], for each series."""
    place = np.cumsum(wanted) - 1
    every = [panel.rows_of(number)[0] for number in range(panel.series_count)]
    return [outputs[place[rows[wanted[rows]]]] for rows in every]


def by_stretch(every: Sequence[Sequence[NDArray[np.float32]]], count: int) -> list[Sequence[NDArray[np.float32]]]:
    """What the networks that one of so many stretches is held out from say together, which is their mean, for each
    series; from what each network says of each."""
    kinds = [every[stretch::count] for stretch in range(count)]
    return [own[0] if len(own) == 1 else [np.mean(one, axis=0) for one in zip(*own, strict=True)] for own in kinds]


def held_out_forecasts(
    panel: "Panel",
    wanted: NDArray[np.bool_],
    changes: Sequence[Sequence[NDArray[np.float32]]],
    held_out: Sequence[HeldOut],
    said: Sequence[Sequence[NDArray[np.float32]]],
) -> list[list[HeldOutForecasts]]:
    """What is forecast where each stretch is held out, from what the networks of each say at the wanted rows of each
    series: the changes of the base, and all outputs or nothing."""
    found: list[list[HeldOutForecasts]] = [[] for _ in changes]
    count = len(changes)
    for number in range(panel.series_count):
        rows, places = panel.rows_of(number)
        places = places[wanted[rows]]
        total = np.sum([own[number] for own in changes], axis=0)
        for network, own, outputs, stretch in zip(found, changes, said, held_out, strict=True):
            last = stretch.last[number]
            here = (places >= stretch.first[number] - 1) & (places < last - 1)
            mine = own[number][here]
            apart = mine - (total[here] - mine) / max(1, count - 1)
            gained = (apart * (count - 1) / count) ** 2
            network.append(HeldOutForecasts(places[here], mine, gained, last, outputs[number][here]))
    return found
