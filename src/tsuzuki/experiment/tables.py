"""The terminal output before the verdict: the data in a few lines, the results as tables."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tsuzuki.data.summary import span_zone
from tsuzuki.experiment.comparison import Comparison, VariantResult
from tsuzuki.experiment.paired_statistics import mean_of
from tsuzuki.formatting import column, shares

if TYPE_CHECKING:
    from rich.table import Table

    from tsuzuki.data.series import Collection


def describe_data(collection: "Collection", test_fraction: float) -> str:
    """Summarise the data and their repairs in a few lines."""
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
        f"{collection.name}: {total:,} readings{several}, one every {collection.series[0].step}, "
        f"{first} to {last}{span_zone(collection)}\n"
        f"{repairs.missing:,} missing, {_plural(segments, 'segment')}{''.join(f', {one}' for one in done)}; "
        f"{total - test:,} to train on, {test:,} held out"
    )


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def formatted_columns(comparison: Comparison) -> dict[str, list[str]]:
    """The numbers of a comparison as text, by column: an entry for each variant and one for persistence.

    Columns: epoch (ms), update, sample (µs each), first, last (running loss), train, test (MSE), rmse (in the series'
    unit), skill; without the last three where nothing was held out.
    """
    rows, baseline = comparison.results, comparison.persistence
    seconds = [row.seconds_per_epoch for row in rows]
    losses = column([*(row.mean_loss(0) for row in rows), *(row.mean_loss(-1) for row in rows)], 4)
    found = {
        "epoch": column([s * 1e3 for s in seconds], 1),
        "update": column([s / row.updates_per_epoch * 1e6 for s, row in zip(seconds, rows, strict=True)], 2),
        "sample": column([s / row.samples_per_epoch * 1e6 for s, row in zip(seconds, rows, strict=True)], 3),
        "first": losses[: len(rows)],
        "last": losses[len(rows) :],
        "train": column([*(mean_of(one.train_mse for one in row.scores) for row in rows), baseline.train_mse], 4),
    }
    if math.isfinite(baseline.test_mse):
        test = [mean_of(one.test_mse for one in row.scores) for row in rows]
        rmse = [mean_of(one.test_rmse for one in row.scores) for row in rows]
        found["test"] = column([*test, baseline.test_mse], 4)
        found["rmse"] = column([*rmse, baseline.test_rmse], 3)
        found["skill"] = shares([1 - error / baseline.test_mse for error in test], 0)
    return {name: [*texts, *[""] * (len(rows) + 1 - len(texts))] for name, texts in found.items()}


def results_table(comparison: Comparison, width: int = 80, word: Callable[[str], str] = str) -> "Table":
    """The results as a table for a terminal of `width` columns; below 80 without the times.

    Args:
        comparison: the results.
        width: columns of the terminal.
        word: says heads and names in the language that is spoken.
    """
    from rich import box
    from rich.table import Table

    found = formatted_columns(comparison)
    found["loss"] = [f"{first} {last}".strip() for first, last in zip(found["first"], found["last"], strict=True)]
    heads = {"epoch": "ms per\nepoch", "update": "µs per\nupdate", "sample": "µs per\nsample"} if width >= 80 else {}
    heads |= {"loss": "running loss\nfirst   last", "train": "train\nMSE"}
    if "test" in found:
        heads |= {
            "test": "test\nMSE",
            "rmse": f"RMSE\n{comparison.data.collection.unit or 'unit'}",
            "skill": "\nskill",
        }
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=0)
    made.add_column("", no_wrap=True)
    for head in heads.values():
        made.add_column(word(head), justify="right", no_wrap=True)
    names = [word(name) for name in (*(row.name for row in comparison.results), "persistence")]
    for row in zip(names, *(found[name] for name in heads), strict=True):
        made.add_row(*row)
    return made


def engines_table(
    ours: Sequence[VariantResult], theirs: Sequence[VariantResult], word: Callable[[str], str] = str
) -> "Table":
    """Losses and times of both engines; `word` as for `results_table`."""
    from rich import box
    from rich.table import Table

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    made.add_column("", no_wrap=True)
    for head in ("running loss\ntsuzuki", "of each epoch\nKeras", "s per epoch\ntsuzuki", "\nKeras", "times\nfaster"):
        made.add_column(word(head), justify="right")
    for a, b in zip(ours, theirs, strict=True):
        epochs = range(len(a.running_loss[0]))
        made.add_row(
            word(a.name),
            "\n".join(f"{a.mean_loss(i):.5f}" for i in epochs),
            "\n".join(f"{b.mean_loss(i):.5f}" for i in epochs),
            f"{a.seconds_per_epoch:.4f}",
            f"{b.seconds_per_epoch:.2f}",
            f"{b.seconds_per_epoch / a.seconds_per_epoch:,.0f}",
        )
    return made
