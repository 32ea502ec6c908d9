"""A comparison in words and in a table: what a person reads on a terminal, drawn from the numbers alone."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

from tsuzuki.experiment.comparison import DECAYED, STATEFUL, STATELESS, STREAMS, Comparison, Paired, Row
from tsuzuki.formatting import column, shares

if TYPE_CHECKING:
    from rich.table import Table

    from tsuzuki.data.series import Collection


def describe(collection: "Collection", test_fraction: float) -> str:
    """Say in a few lines what the data are and what was done to make them regular."""
    first = min(str(series.times[0].astype("datetime64[D]")) for series in collection.series)
    last = max(str(series.times[-1].astype("datetime64[D]")) for series in collection.series)
    total, repairs = collection.offsets[-1], collection.repairs
    test = total - sum(
        cut - start for start, cut in zip(collection.offsets, collection.split(test_fraction), strict=False)
    )
    several = f" in {len(collection.series)} series" if len(collection.series) > 1 else ""
    done = [
        f"{count:,} {what}"
        for count, what in (
            (repairs.duplicates, "duplicates merged"),
            (repairs.snapped, "stamps snapped"),
            (repairs.interpolated, "interpolated"),
            (repairs.open, "left open in long gaps"),
        )
        if count
    ]
    segments = len(collection.segments)
    return (
        f"{collection.name}: {total:,} readings{several}, one every {collection.series[0].step}, {first} to {last}\n"
        f"{repairs.missing:,} missing, {_plural(segments, 'segment')}{''.join(f', {one}' for one in done)}; "
        f"{total - test:,} to train on, {test:,} held out"
    )


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def cells(comparison: Comparison) -> dict[str, list[str]]:
    """The numbers of a comparison as text, column by column: a cell for each row, and one for persistence.

    Columns: epoch (ms), update, sample (µs each), first, last (running loss), train, test (MSE), rmse (in the series'
    unit), skill; without the last three where nothing was held out.
    """
    rows, baseline = comparison.rows, comparison.persistence
    seconds = [row.seconds_per_epoch for row in rows]
    losses = column([*(_epoch_loss(row, 0) for row in rows), *(_epoch_loss(row, -1) for row in rows)], 4)
    found = {
        "epoch": column([s * 1e3 for s in seconds], 1),
        "update": column([s / row.updates_per_epoch * 1e6 for s, row in zip(seconds, rows, strict=True)], 2),
        "sample": column([s / row.samples_per_epoch * 1e6 for s, row in zip(seconds, rows, strict=True)], 3),
        "first": losses[: len(rows)],
        "last": losses[len(rows) :],
        "train": column([*(fmean(one.train_mse for one in row.scores) for row in rows), baseline.train_mse], 4),
    }
    if math.isfinite(baseline.test_mse):
        test = [fmean(one.test_mse for one in row.scores) for row in rows]
        rmse = [fmean(one.test_rmse for one in row.scores) for row in rows]
        found["test"] = column([*test, baseline.test_mse], 4)
        found["rmse"] = column([*rmse, baseline.test_rmse], 3)
        found["skill"] = shares([1 - error / baseline.test_mse for error in test], 0)
    return {name: [*texts, *[""] * (len(rows) + 1 - len(texts))] for name, texts in found.items()}


def table(comparison: Comparison, width: int = 80) -> "Table":
    """The comparison as a table of a terminal `width` columns wide: without the times where it has fewer than 80."""
    from rich import box
    from rich.table import Table

    found = cells(comparison)
    found["loss"] = [f"{first} {last}".strip() for first, last in zip(found["first"], found["last"], strict=True)]
    heads = {"epoch": "ms per\nepoch", "update": "µs per\nupdate", "sample": "µs per\nsample"} if width >= 80 else {}
    heads |= {"loss": "running loss\nfirst   last", "train": "train\nMSE"}
    if "test" in found:
        heads |= {
            "test": "test\nMSE",
            "rmse": f"RMSE\n{comparison.problem.collection.unit or 'unit'}",
            "skill": "\nskill",
        }
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=0)
    made.add_column("", no_wrap=True)
    for head in heads.values():
        made.add_column(head, justify="right", no_wrap=True)
    names = [*(row.name for row in comparison.rows), "persistence"]
    for row in zip(names, *(found[name] for name in heads), strict=True):
        made.add_row(*row)
    return made


def _epoch_loss(row: Row, epoch: int) -> float:
    return fmean(losses[epoch] for losses in row.running_loss)


@dataclass(frozen=True)
class Finding:
    """One thing that the numbers show; `ENGLISH` has its sentence, `report.japanese` another.

    Attributes:
        key: of the sentence.
        values: what stands in it.
    """

    key: str
    values: dict[str, Any]


ENGLISH = {
    "start_one": "With one seed stateful windows started {share:.1%} {word} than stateless ones (loss of the first "
    "epoch); one seed shows nothing, try --seeds 10.",
    "start_unclear": "Over {seeds} paired seeds carrying the state made no clear difference to the start: the "
    "first epoch's loss of stateful windows was {share:.1%} {word} (lower in {won} of {seeds}; the 95 % interval "
    "includes 0).",
    "start_clear": "Over {seeds} paired seeds stateful windows started {share:.1%} {word} than stateless ones (lower "
    "in {won} of {seeds}).",
    "windows_worse": "The finished weights of both kinds of windows are worse than persistence {part} ({low:.1f} and "
    "{high:.1f} times its error), however good the running loss looks: in time order the weights chase the season.",
    "one_worse": "The finished weights of {worse} windows are worse than persistence {part}.",
    "windows_beat": "The finished weights of both kinds of windows beat persistence {part}.",
    "test_unclear": "Between stateful and stateless windows the test error shows no clear difference.",
    "test_clear": "The test error of stateful windows is {share:.0%} {word} than that of stateless ones, better in "
    "{won} of {seeds} seeds.",
    "streams_best": "{label}, which carry the state so that every step can be scored, do best: {share:.0%} less "
    "squared error than persistence for the same number of recurrent steps.",
    "streams_better": "{label}, which carry the state so that every step can be scored, do better than the windows, "
    "though not than persistence; more epochs may help.",
    "streams_no_better": "Streams do no better than the windows here.",
}


def verdict(comparison: Comparison) -> str:
    """Say in plain words what the numbers show."""
    return " ".join(ENGLISH[finding.key].format(**finding.values) for finding in findings(comparison))


def findings(comparison: Comparison) -> tuple[Finding, ...]:
    """What the numbers show, in the order in which it is said."""
    rows = {row.name: row for row in comparison.rows}
    seeds = comparison.recipe.seeds
    found = [_start(rows, comparison.paired_first_epoch_loss, seeds)]
    baseline = comparison.persistence
    tested = math.isfinite(baseline.test_mse)

    def error(name: str) -> float:
        return fmean(one.test_mse if tested else one.train_mse for one in rows[name].scores)

    reference = baseline.test_mse if tested else baseline.train_mse
    part = "on the held-out part" if tested else "on the data they were trained on"
    windows = [error(STATELESS), error(STATEFUL)]
    if min(windows) > reference:
        low, high = min(windows) / reference, max(windows) / reference
        found.append(Finding("windows_worse", {"part": part, "low": low, "high": high}))
    elif max(windows) > reference:
        worse = STATELESS if windows[0] > windows[1] else STATEFUL
        found.append(Finding("one_worse", {"part": part, "worse": worse}))
    else:
        found.append(Finding("windows_beat", {"part": part}))
    if tested:
        found.append(_tested(comparison.paired_test_mse, windows[0], seeds))
    best = min((STREAMS, DECAYED), key=error)
    label = "Streams" if best == STREAMS else "Streams with a decayed rate"
    if error(best) < min(*windows, reference):
        found.append(Finding("streams_best", {"label": label, "share": 1 - error(best) / reference}))
    elif error(best) < min(windows):
        found.append(Finding("streams_better", {"label": label}))
    else:
        found.append(Finding("streams_no_better", {}))
    return tuple(found)


def _start(rows: dict[str, Row], paired: Paired, seeds: int) -> Finding:
    share = abs(paired.mean_difference) / _epoch_loss(rows[STATELESS], 0)
    word = "better" if paired.mean_difference < 0 else "worse"
    values = {"share": share, "word": word, "seeds": seeds, "won": round(paired.stateful_better_share * seeds)}
    if paired.ci95 is None:
        return Finding("start_one", values)
    low, high = paired.ci95
    return Finding("start_unclear" if low <= 0 <= high else "start_clear", values)


def _tested(paired: Paired, base: float, seeds: int) -> Finding:
    if paired.ci95 is None or paired.ci95[0] <= 0 <= paired.ci95[1]:
        return Finding("test_unclear", {})
    word = "lower" if paired.mean_difference < 0 else "higher"
    won = round(paired.stateful_better_share * seeds)
    return Finding(
        "test_clear", {"share": abs(paired.mean_difference) / base, "word": word, "won": won, "seeds": seeds}
    )


def engines(ours: Sequence[Row], theirs: Sequence[Row]) -> "Table":
    """Both engines' losses and times side by side."""
    from rich import box
    from rich.table import Table

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    made.add_column("", no_wrap=True)
    for head in ("running loss\ntsuzuki", "of each epoch\nKeras", "s per epoch\ntsuzuki", "\nKeras", "times\nfaster"):
        made.add_column(head, justify="right")
    for a, b in zip(ours, theirs, strict=True):
        epochs = range(len(a.running_loss[0]))
        made.add_row(
            a.name,
            "\n".join(f"{_epoch_loss(a, i):.5f}" for i in epochs),
            "\n".join(f"{_epoch_loss(b, i):.5f}" for i in epochs),
            f"{a.seconds_per_epoch:.4f}",
            f"{b.seconds_per_epoch:.2f}",
            f"{b.seconds_per_epoch / a.seconds_per_epoch:,.0f}",
        )
    return made
