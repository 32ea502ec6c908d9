"""`tsuzuki backtest`: forecasts as they would have been made, scored beside references."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tsuzuki.commands.forecast import parse_levels
from tsuzuki.commands.options import (
    Cache,
    Column,
    Csv,
    Debug,
    Json,
    Merge,
    Quiet,
    Ray,
    Sources,
    Time,
    Workers,
    file_columns,
    takes_settings,
)
from tsuzuki.commands.plotting import Lang, Report, check_report, write_report
from tsuzuki.commands.tables import backtest_verdict, print_table, records, score_table, write_csv
from tsuzuki.commands.terminal import (
    Grid,
    announce_compilation,
    announce_readings,
    bar,
    check_targets,
    command_line,
    errors_in_words,
    reading,
    write_json,
)
from tsuzuki.commands.texts import language, said
from tsuzuki.errors import SettingError
from tsuzuki.forecasting.settings import Settings

if TYPE_CHECKING:
    import pandas as pd


@takes_settings
def backtest(
    source: Sources,
    *,
    column: Column = None,
    time: Time = None,
    windows: Annotated[
        int | None,
        typer.Option(help="Origins to forecast from, at the end of the data; as many as a fifth of it has, up to 52."),
    ] = None,
    step: Annotated[int | None, typer.Option(help="Steps between two origins; the horizon if not given.")] = None,
    refit: Annotated[
        int, typer.Option(help="Train anew at every so many origins, 1 for each; 0 trains once, before the first.")
    ] = 0,
    merge: Merge = False,
    settings: dict[str, Any],
    levels: Annotated[str, typer.Option(help="Of the intervals, in per cent.")] = "80,95",
    csv: Csv = None,
    json_path: Json = None,
    report: Report = None,
    cache: Cache = None,
    workers: Workers = None,
    ray: Ray = None,
    lang: Lang = "",
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Score forecasts from past origins beside hard references."""
    from tsuzuki.data.covariates import covariate_series
    from tsuzuki.data.public_holidays import with_zone
    from tsuzuki.distributed.workers import some_workers
    from tsuzuki.forecaster import Forecaster
    from tsuzuki.forecasting.backtest import backtest as run

    with errors_in_words(debug, lang):
        wanted = parse_levels(levels)
        check_targets({"--csv": csv, "--json": json_path, "--report": report}, source)
        check_report(report)
        chosen = Settings(**settings)
        if cache is not None:
            if report is not None:
                raise SettingError("a page is not made of files larger than memory; leave out --report, or --cache")
            announce_compilation(quiet)
            columns = file_columns(source, column, time)
            with bar("reading and training", quiet) as advance:
                spread: dict[str, Any] = {"workers": workers, "address": ray, "cache": cache, "columns": columns}
                table = Forecaster(**settings).backtest(
                    source, windows=windows, step=step, refit=refit, levels=wanted, on_progress=advance, **spread
                )
            _tell(table, Path(source[0]).name, None, chosen.horizon, csv, json_path, quiet=quiet)
            return
        found = reading(source, column, time, chosen.columns.given, Grid(chosen.freq, chosen.resample))
        chosen = replace(chosen, holidays=with_zone(chosen.holidays, found.zone))
        announce_readings(found, chosen.max_gap, merge, quiet or "-" in (csv, json_path))
        announce_compilation(quiet)
        series = covariate_series(chosen.long(found.frame), chosen.columns, chosen.max_gap, merge=True)
        with bar("training", quiet) as advance, some_workers(workers, ray) as those:
            asked = (windows, step or chosen.horizon, wanted)
            table, fitted = run(series, chosen, *asked, advance, found.zone, workers=those, refit=refit)
        _tell(table, found.name, found.unit, chosen.horizon, csv, json_path, quiet=quiet)
        if report is not None:
            from tsuzuki.data.series import collect
            from tsuzuki.report import backtest_page

            collection = collect(found.name, found.frame, unit=found.unit, max_gap=chosen.max_gap, zone=found.zone)
            page = backtest_page(table, collection, fitted, chosen, command=command_line(), lang=language())
            write_report(report, page, quiet)


def _tell(
    table: "pd.DataFrame",
    name: str,
    unit: str | None,
    horizon: int,
    csv: str | None,
    json_path: str | None,
    *,
    quiet: bool,
) -> None:
    """Write the table where it is asked for, and print its scores."""
    from tsuzuki.forecasting.evaluation import evaluate

    scores = evaluate(table)
    if csv is not None:
        write_csv(csv, table)
    if json_path is not None:
        write_json(json_path, {"scores": records(scores), "by_horizon": records(evaluate(table, by_horizon=True))})
    if "-" in (csv, json_path) or quiet:
        return
    origins, cutoffs = len(table[["unique_id", "cutoff"]].drop_duplicates()), table["cutoff"]
    told = {"origins": origins, "first": cutoffs.min(), "last": cutoffs.max(), "horizon": horizon}
    print_table(said("origins", name=name, **told))
    some, every = table.attrs.get("series", (0, 0))
    if some < every:
        print_table(said("series scored", some=some, every=every))
    print_table(score_table(scores, unit))
    print_table(backtest_verdict(scores))


EXAMPLES = ((backtest, "Example: tsuzuki backtest readings.csv --horizon 24 --windows 52 --step 168"),)
