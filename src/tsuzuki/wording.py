"""A comparison in words and in a table: what a person reads on a terminal, drawn from the numbers alone."""

import math
from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING

from tsuzuki.comparing import DECAYED, STATEFUL, STATELESS, STREAMS, Comparison, Paired, Row

if TYPE_CHECKING:
    from rich.table import Table

    from tsuzuki.series import Collection


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


def table(comparison: Comparison) -> "Table":
    """The comparison as a table of at most 80 columns."""
    from rich import box
    from rich.table import Table

    unit = comparison.problem.collection.unit or "unit"
    tested = math.isfinite(comparison.persistence.test_mse)
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=0)
    made.add_column("", no_wrap=True)
    heads = ["ms per\nepoch", "µs per\nupdate", "µs per\nsample", "running loss\nfirst   last", "train\nMSE"]
    if tested:
        heads += ["test\nMSE", f"RMSE\n{unit}", "\nskill"]
    for head in heads:
        made.add_column(head, justify="right", no_wrap=True)
    baseline = comparison.persistence
    for row in comparison.rows:
        cells = [
            f"{row.seconds_per_epoch * 1e3:.1f}",
            f"{row.seconds_per_epoch / row.updates_per_epoch * 1e6:.2f}",
            f"{row.seconds_per_epoch / row.samples_per_epoch * 1e6:.3f}",
            f"{_epoch_loss(row, 0):.4f} {_epoch_loss(row, -1):.4f}",
            f"{fmean(one.train_mse for one in row.scores):.4f}",
        ]
        if tested:
            test = fmean(one.test_mse for one in row.scores)
            rmse = fmean(one.test_rmse for one in row.scores)
            cells += [f"{test:.4f}", f"{rmse:.3f}", f"{1 - test / baseline.test_mse:+.0%}"]
        made.add_row(row.name, *cells)
    last = ["", "", "", "", f"{baseline.train_mse:.4f}"]
    made.add_row(
        "persistence", *last, *([f"{baseline.test_mse:.4f}", f"{baseline.test_rmse:.3f}", ""] if tested else [])
    )
    return made


def _epoch_loss(row: Row, epoch: int) -> float:
    return fmean(losses[epoch] for losses in row.running_loss)


def verdict(comparison: Comparison) -> str:
    """Say in plain words what the numbers show."""
    rows = {row.name: row for row in comparison.rows}
    seeds = comparison.recipe.seeds
    sentences = [_start(rows, comparison.paired_first_epoch_loss, seeds)]
    baseline = comparison.persistence
    tested = math.isfinite(baseline.test_mse)

    def error(name: str) -> float:
        return fmean(one.test_mse if tested else one.train_mse for one in rows[name].scores)

    reference = baseline.test_mse if tested else baseline.train_mse
    part = "on the held-out part" if tested else "on the data they were trained on"
    windows = [error(STATELESS), error(STATEFUL)]
    if min(windows) > reference:
        sentences.append(
            f"The finished weights of both kinds of windows are worse than persistence {part} "
            f"({min(windows) / reference:.1f} and {max(windows) / reference:.1f} times its error), however good the "
            "running loss looks: in time order the weights chase the season."
        )
    elif max(windows) > reference:
        worse = STATELESS if windows[0] > windows[1] else STATEFUL
        sentences.append(f"The finished weights of {worse} windows are worse than persistence {part}.")
    else:
        sentences.append(f"The finished weights of both kinds of windows beat persistence {part}.")
    if tested:
        sentences.append(_tested(comparison.paired_test_mse, windows[0], seeds))
    best = min((STREAMS, DECAYED), key=error)
    label = "Streams" if best == STREAMS else "Streams with a decayed rate"
    if error(best) < min(*windows, reference):
        sentences.append(
            f"{label}, which carry the state so that every step can be scored, do best: "
            f"{1 - error(best) / reference:.0%} less squared error than persistence for the same number of recurrent "
            "steps."
        )
    elif error(best) < min(windows):
        sentences.append(
            f"{label}, which carry the state so that every step can be scored, do better than the windows, though not "
            "than persistence; more epochs may help."
        )
    else:
        sentences.append("Streams do no better than the windows here.")
    return " ".join(sentences)


def _start(rows: dict[str, Row], paired: Paired, seeds: int) -> str:
    base = _epoch_loss(rows[STATELESS], 0)
    share = abs(paired.mean_difference) / base
    word = "better" if paired.mean_difference < 0 else "worse"
    if paired.ci95 is None:
        return (
            f"With one seed stateful windows started {share:.1%} {word} than stateless ones (loss of the first epoch); "
            "one seed shows nothing, try --seeds 10."
        )
    low, high = paired.ci95
    won = f"lower in {round(paired.stateful_better_share * seeds)} of {seeds}"
    if low <= 0 <= high:
        return (
            f"Over {seeds} paired seeds carrying the state made no clear difference to the start: the first epoch's "
            f"loss of stateful windows was {share:.1%} {word} ({won}; the 95 % interval includes 0)."
        )
    return f"Over {seeds} paired seeds stateful windows started {share:.1%} {word} than stateless ones ({won})."


def _tested(paired: Paired, base: float, seeds: int) -> str:
    share = abs(paired.mean_difference) / base
    word = "lower" if paired.mean_difference < 0 else "higher"
    if paired.ci95 is None or paired.ci95[0] <= 0 <= paired.ci95[1]:
        return "Between stateful and stateless windows the test error shows no clear difference."
    return (
        f"The test error of stateful windows is {share:.0%} {word} than that of stateless ones, "
        f"better in {round(paired.stateful_better_share * seeds)} of {seeds} seeds."
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
