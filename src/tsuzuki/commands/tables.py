"""Forecasts and scores as a terminal, a CSV file or a JSON file shows them."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tsuzuki import formatting as numerals
from tsuzuki.commands.terminal import print_data
from tsuzuki.commands.texts import folded, language, said

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table


def write_csv(path: str, table: "pd.DataFrame") -> None:
    """Write a table as CSV, whole or not at all; - prints it."""
    from tsuzuki.storage import write_bytes

    text = table.to_csv(index=False)
    if path == "-":
        print_data(text)
    else:
        write_bytes(Path(path), text.encode())


def records(table: "pd.DataFrame") -> list[dict[str, Any]]:
    """A table's rows as JSON holds them: stamps as text, what is not a number as null."""
    import math

    def plain(value: Any) -> Any:
        if isinstance(value, float):
            return value if math.isfinite(value) else None
        return value if isinstance(value, str | int) else str(value)

    return [{str(name): plain(value) for name, value in row.items()} for row in table.to_dict("records")]


def print_table(table: "Table | str") -> None:
    """Print a table, or words broken where the terminal ends."""
    from rich.console import Console

    console = Console(highlight=False)
    console.print(folded(table, console.width) if isinstance(table, str) else table)


def trials_table(trials: "pd.DataFrame") -> "Table":
    """What a search tried as a table of a terminal, the best first."""
    from rich import box
    from rich.table import Table

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in trials.columns:
        made.add_column(said(f"trial {name}"), justify="left" if name == "recipe" else "right")
    for _, row in trials.iterrows():
        made.add_row(row["recipe"], f"{row['share']:.0%}", f"{row['error']:.4f}", f"{row['seconds']:.1f}")
    return made


def forecast_table(table: "pd.DataFrame") -> "Table":
    """Forecasts as a table of a terminal."""
    from rich import box
    from rich.table import Table

    several = table["unique_id"].nunique() > 1
    columns = [name for name in table.columns if name != "unique_id" or several]
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 0, 0, 1))
    for name in columns:
        text = name in ("unique_id", "ds")
        made.add_column(str(name).removeprefix("tsuzuki-"), justify="left" if text else "right", no_wrap=True)
    numbers = [name for name in columns if table[name].dtype.kind == "f"]
    # One number of decimals for the forecast and its intervals.
    cells = iter(numerals.aligned(table[numbers].to_numpy().ravel(order="F").tolist(), 3))
    shown = {name: [next(cells) for _ in range(len(table))] for name in numbers}
    for row in zip(*(shown.get(name) or table[name].astype(str) for name in columns), strict=True):
        made.add_row(*row)
    return made


def score_table(scores: "pd.DataFrame", unit: str | None) -> "Table":
    """Scores as a table of a terminal of 80 columns."""
    from rich import box
    from rich.table import Table

    shown = {"mae": "MAE", "rmse": "RMSE", "mase": "MASE", "smape": "sMAPE", "skill": said("skill")}
    coverage = [name for name in scores.columns if name.startswith("coverage-")]
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=0)
    made.add_column("" if unit is None else said("in unit", unit=unit), no_wrap=True)
    for label in [*shown.values(), *(said("inside", level=name.removeprefix("coverage-")) for name in coverage)]:
        made.add_column(label, justify="right", no_wrap=True)
    cells = [numerals.scores(name, scores[name].tolist()) for name in [*shown, *coverage]]
    for row in zip(scores["model"].astype(str), *cells, strict=True):
        made.add_row(*row)
    return made


def backtest_verdict(scores: "pd.DataFrame") -> str:
    """What the scores come to, in words."""
    own = scores[scores["model"] == "tsuzuki"].iloc[0]
    others = scores[scores["model"] != "tsuzuki"]
    best = others.iloc[0]
    covered = [
        said("covered", level=name.removeprefix("coverage-"), share=own[name])
        for name in scores.columns
        if name.startswith("coverage-")
    ]
    if best["rmse"] == 0:
        compared = said("best makes none", best=best["model"], rmse=own["rmse"])
    else:
        share = 1 - own["rmse"] / best["rmse"]
        key = "less than best" if share >= 0 else "more than best"
        compared = said(key, share=abs(share), best=best["model"])
    if language() == "ja":
        return "".join(f"{one}。" for one in (compared, *covered))
    return f"{compared}{'; ' if covered else ''}{' and '.join(covered)}."
