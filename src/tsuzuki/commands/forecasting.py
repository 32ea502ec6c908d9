"""`tsuzuki fit`, `forecast`, `backtest` and `info`: forecasts from files."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tsuzuki import formatting as numerals
from tsuzuki.commands.plotting import Lang, Report, check_report, command_line, write_report
from tsuzuki.commands.terminal import (
    announce_compilation,
    bar,
    check_targets,
    errors_in_words,
    reading,
    write_json,
)
from tsuzuki.errors import SettingError

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

    from tsuzuki.forecaster import Forecaster
    from tsuzuki.forecasting.fit import Fitted, Settings

Source = Annotated[str, typer.Argument(metavar="[beijing|nyc|FILE]", help="A bundled series or a file.")]
Column = Annotated[str | None, typer.Option(help="The value column, where there are several.")]
Time = Annotated[str | None, typer.Option(help="The time column, where it cannot be told.")]
Horizon = Annotated[int, typer.Option(help="Steps ahead.")]
Cell = Annotated[str, typer.Option(help="simple_rnn, gru or lstm.")]
Units = Annotated[int, typer.Option(help="Units of each recurrent layer.")]
Layers = Annotated[int, typer.Option(help="Recurrent layers.")]
Epochs = Annotated[int, typer.Option(help="Epochs; short series get more.")]
Ensemble = Annotated[int, typer.Option(help="Networks that are averaged.")]
Seed = Annotated[int, typer.Option(help="Same seed, same bits.")]
MaxGap = Annotated[int, typer.Option(help="Longest gap in steps that the state is carried through.")]
Levels = Annotated[str, typer.Option(help="Of the intervals, in per cent.")]
Csv = Annotated[
    str | None, typer.Option("--csv", metavar="PATH", help="Write the forecasts as CSV; - prints it alone.")
]
Json = Annotated[
    str | None, typer.Option("--json", metavar="PATH", help="Write everything as JSON; - prints it alone.")
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Show no progress and no table.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show where an error comes from.")]


def fit(
    source: Source,
    output: Annotated[str, typer.Option("--output", "-o", metavar="PATH", help="The model file.")] = "model.tsuzuki",
    column: Column = None,
    time: Time = None,
    horizon: Horizon = 24,
    cell: Cell = "gru",
    units: Units = 64,
    layers: Layers = 2,
    epochs: Epochs = 20,
    ensemble: Ensemble = 4,
    seed: Seed = 0,
    max_gap: MaxGap = 24,
    checkpoint: Annotated[
        str | None, typer.Option(metavar="PATH", help="Go on from here after a crash; the same command again resumes.")
    ] = None,
    every: Annotated[str, typer.Option(help="How often the checkpoint is written: 30s, 5m.")] = "30s",
    json_path: Json = None,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Train a forecaster and keep it in a file."""
    with errors_in_words(debug):
        check_targets({"--output": output, "--json": json_path}, [source])
        forecaster = _forecaster(horizon, cell, units, layers, epochs, ensemble, seed, max_gap)
        found = reading(source, column, time)
        announce_compilation(quiet)
        with bar("training", quiet) as advance:
            forecaster.fit(found.frame, checkpoint=checkpoint, every=every, on_progress=advance)
        forecaster.save(output)
        if checkpoint is not None:
            for number in range(ensemble):
                Path(f"{checkpoint}.{number}").unlink(missing_ok=True)
        assert forecaster.fitted is not None
        outcome = facts(forecaster.settings, forecaster.fitted)
        if json_path is not None:
            write_json(json_path, outcome | {"file": output})
        if json_path != "-" and not quiet:
            series = "1 series" if outcome["series"] == 1 else f"{outcome['series']:,} series"
            typer.echo(
                f"trained {outcome['networks']} x {outcome['network']} on {outcome['points']:,} points of {series} in "
                f"{outcome['training_seconds']:.1f} s of training; written to {output}"
            )
            typer.echo(f"next: tsuzuki forecast {output}")


def forecast(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A file that `tsuzuki fit` wrote.")],
    source: Annotated[
        str | None, typer.Argument(metavar="[FILE]", help="Newer readings to go on from; older ones are passed over.")
    ] = None,
    column: Column = None,
    time: Time = None,
    levels: Annotated[str | None, typer.Option(help="Of the intervals, in per cent; 80,95 if not given.")] = None,
    csv: Csv = None,
    json_path: Json = None,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Forecast the next steps with a trained model."""
    from tsuzuki.forecaster import load

    with errors_in_words(debug):
        wanted = None if levels is None else parse_levels(levels)
        check_targets({"--csv": csv, "--json": json_path}, [model, source])
        forecaster = load(model)
        newer = None
        if source is not None:
            newer = reading(source, column, time).frame
            ids = forecaster.fitted.ids if forecaster.fitted is not None else ()
            # A file of one series is that series, whatever the file is called.
            if len(ids) == 1 and newer["unique_id"].nunique() == 1:
                newer = newer.assign(unique_id=ids[0])
        announce_compilation(quiet)
        table = forecaster.predict(newer, levels=wanted)
        if csv is not None:
            write_csv(csv, table)
        if json_path is not None:
            write_json(json_path, records(table))
        if csv is None and json_path is None and not quiet:
            _print(frame_table(table))


def backtest(
    source: Source,
    column: Column = None,
    time: Time = None,
    horizon: Horizon = 24,
    windows: Annotated[int, typer.Option(help="Origins to forecast from, at the end of the data.")] = 52,
    step: Annotated[int | None, typer.Option(help="Steps between two origins; the horizon if not given.")] = None,
    cell: Cell = "gru",
    units: Units = 64,
    layers: Layers = 2,
    epochs: Epochs = 20,
    ensemble: Ensemble = 4,
    seed: Seed = 0,
    max_gap: MaxGap = 24,
    levels: Levels = "80,95",
    csv: Csv = None,
    json_path: Json = None,
    report: Report = None,
    lang: Lang = "en",
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Score forecasts from past origins beside hard references."""
    from tsuzuki.data.covariates import covariate_series
    from tsuzuki.data.frames import as_long
    from tsuzuki.forecasting.backtest import backtest as run
    from tsuzuki.forecasting.evaluation import evaluate

    with errors_in_words(debug):
        wanted = parse_levels(levels)
        check_targets({"--csv": csv, "--json": json_path, "--report": report}, [source])
        check_report(report, lang)
        forecaster = _forecaster(horizon, cell, units, layers, epochs, ensemble, seed, max_gap)
        found = reading(source, column, time)
        announce_compilation(quiet)
        settings = forecaster.settings
        sources = covariate_series(as_long(found.frame, settings.columns.all), settings.columns, max_gap)
        with bar("training", quiet) as advance:
            table, fitted = run(sources, settings, windows, step or horizon, wanted, advance)
        scores = evaluate(table)
        if csv is not None:
            write_csv(csv, table)
        if json_path is not None:
            write_json(json_path, {"scores": records(scores), "by_horizon": records(evaluate(table, by_horizon=True))})
        if "-" not in (csv, json_path) and not quiet:
            origins, cutoffs = len(table[["unique_id", "cutoff"]].drop_duplicates()), table["cutoff"]
            _print(
                f"{found.name}: {origins:,} origins from {cutoffs.min()} to {cutoffs.max()}, {horizon} steps ahead each"
            )
            _print(score_table(scores, found.unit))
            _print(backtest_verdict(scores))
        if report is not None:
            from tsuzuki.data.series import collect
            from tsuzuki.report import backtest_page

            collection = collect(found.name, found.frame, unit=found.unit, max_gap=max_gap)
            page = backtest_page(table, collection, fitted, settings, command=command_line(), lang=lang)
            write_report(report, page, quiet)


def info(
    model: Annotated[str, typer.Argument(metavar="FILE", help="A file that tsuzuki wrote.")],
    json_path: Json = None,
    debug: Debug = False,
) -> None:
    """Say what a file holds."""
    from tsuzuki.forecasting.serialization import restore
    from tsuzuki.storage import read

    with errors_in_words(debug):
        check_targets({"--json": json_path}, [model])
        stored = read(model)
        outcome: dict[str, Any] = {"kind": stored.kind}
        if stored.kind == "forecaster":
            outcome |= facts(*restore(stored, model)) | {"tsuzuki": stored.facts.get("tsuzuki")}
        else:
            outcome |= {name: value for name, value in stored.facts.items() if isinstance(value, str | int | float)}
        if json_path is not None:
            write_json(json_path, outcome)
        if json_path != "-":
            for name, value in outcome.items():
                shown = (
                    ", ".join(map(str, value[:8])) + (" ..." if len(value) > 8 else "")
                    if (isinstance(value, list))
                    else value
                )
                typer.echo(f"{name.replace('_', ' '):18} {shown}")


def _forecaster(
    horizon: int, cell: str, units: int, layers: int, epochs: int, ensemble: int, seed: int, max_gap: int
) -> "Forecaster":
    from tsuzuki.forecaster import Forecaster

    return Forecaster(
        horizon, cell=cell, units=units, layers=layers, epochs=epochs, ensemble=ensemble, seed=seed, max_gap=max_gap
    )


def parse_levels(text: str) -> tuple[float, ...]:
    """The levels in an option such as 80,95."""
    from tsuzuki.forecasting.conformal_intervals import check_levels

    try:
        levels = tuple(float(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise SettingError(f"--levels is {text!r}; give percentages such as 80,95") from None
    check_levels(levels)
    return levels


def facts(settings: "Settings", fitted: "Fitted") -> dict[str, Any]:
    """What is worth knowing of a trained forecaster."""
    checked = [record.validation_loss for history in fitted.histories for record in history]
    return {
        "network": f"{settings.cell}({settings.units}) x {settings.layers}",
        "networks": len(fitted.members),
        "weights": sum(array.size for array in fitted.members[0]),
        "horizon": settings.horizon,
        "series": len(fitted.ids),
        "ids": list(fitted.ids),
        "points": fitted.points,
        "last_times": [str(times[-1])[:19] for times in fitted.times],
        "step_seconds": fitted.step / 1e9,
        "lags": [f"{over} steps, {behind} back" for behind, over in fitted.way.lags],
        "intervals": "quantiles" if settings.quantiles else "conformal",
        "best_epochs": list(fitted.best_epochs),
        "validation_loss": min((loss for loss in checked if loss is not None), default=None),
        "training_seconds": sum(record.seconds for history in fitted.histories for record in history),
        "data_fingerprint": fitted.fingerprint,
    }


def write_csv(path: str, table: "pd.DataFrame") -> None:
    """Write a table as CSV, whole or not at all; - prints it."""
    from tsuzuki.storage import write_bytes

    text = table.to_csv(index=False)
    if path == "-":
        typer.echo(text, nl=False)
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


def _print(table: "Table | str") -> None:
    """Print a table, or words broken where the terminal ends."""
    from rich.console import Console

    Console(highlight=False).print(table)


def frame_table(table: "pd.DataFrame") -> "Table":
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

    shown = {"mae": "MAE", "rmse": "RMSE", "mase": "MASE", "smape": "sMAPE", "skill": "skill"}
    coverage = [name for name in scores.columns if name.startswith("coverage-")]
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=0)
    made.add_column("" if unit is None else f"in {unit}", no_wrap=True)
    for label in [*shown.values(), *(f"in {name.removeprefix('coverage-')} %" for name in coverage)]:
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
    share = 1 - own["rmse"] / best["rmse"]
    compared = "less" if share >= 0 else "more"
    covered = [
        f"the {name.removeprefix('coverage-')} % intervals held {own[name]:.0f} %"
        for name in scores.columns
        if name.startswith("coverage-")
    ]
    return (
        f"tsuzuki's error (RMSE) is {abs(share):.1%} {compared} than that of the best reference, {best['model']}"
        f"{'; ' if covered else ''}{' and '.join(covered)}."
    )


EXAMPLES: Sequence[tuple[Any, str]] = (
    (fit, "Example: tsuzuki fit readings.csv --horizon 24 -o model.tsuzuki"),
    (forecast, "Example: tsuzuki forecast model.tsuzuki newer.csv --levels 80,95 --csv out.csv"),
    (backtest, "Example: tsuzuki backtest readings.csv --horizon 24 --windows 52 --step 168"),
    (info, "Example: tsuzuki info model.tsuzuki"),
)
