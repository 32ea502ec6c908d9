"""`tsuzuki backtest`: forecasts as they would have been made, scored beside references."""

from dataclasses import replace
from typing import Annotated, Any

import typer

from tsuzuki.commands.forecast import parse_levels
from tsuzuki.commands.options import Column, Csv, Debug, Json, Merge, Quiet, Sources, Time, takes_settings
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
from tsuzuki.forecasting.settings import Settings


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
    merge: Merge = False,
    settings: dict[str, Any],
    levels: Annotated[str, typer.Option(help="Of the intervals, in per cent.")] = "80,95",
    csv: Csv = None,
    json_path: Json = None,
    report: Report = None,
    lang: Lang = "",
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Score forecasts from past origins beside hard references."""
    from tsuzuki.data.covariates import covariate_series
    from tsuzuki.data.public_holidays import with_zone
    from tsuzuki.forecasting.backtest import backtest as run
    from tsuzuki.forecasting.evaluation import evaluate

    with errors_in_words(debug, lang):
        wanted = parse_levels(levels)
        check_targets({"--csv": csv, "--json": json_path, "--report": report}, source)
        check_report(report)
        chosen = Settings(**settings)
        found = reading(source, column, time, chosen.columns.given, Grid(chosen.freq, chosen.resample))
        chosen = replace(chosen, holidays=with_zone(chosen.holidays, found.zone))
        announce_readings(found, chosen.max_gap, merge, quiet or "-" in (csv, json_path))
        announce_compilation(quiet)
        series = covariate_series(chosen.long(found.frame), chosen.columns, chosen.max_gap, merge=True)
        with bar("training", quiet) as advance:
            table, fitted = run(series, chosen, windows, step or chosen.horizon, wanted, advance, found.zone)
        scores = evaluate(table)
        if csv is not None:
            write_csv(csv, table)
        if json_path is not None:
            write_json(json_path, {"scores": records(scores), "by_horizon": records(evaluate(table, by_horizon=True))})
        if "-" not in (csv, json_path) and not quiet:
            origins, cutoffs = len(table[["unique_id", "cutoff"]].drop_duplicates()), table["cutoff"]
            told = {"origins": origins, "first": cutoffs.min(), "last": cutoffs.max(), "horizon": chosen.horizon}
            print_table(said("origins", name=found.name, **told))
            print_table(score_table(scores, found.unit))
            print_table(backtest_verdict(scores))
        if report is not None:
            from tsuzuki.data.series import collect
            from tsuzuki.report import backtest_page

            collection = collect(found.name, found.frame, unit=found.unit, max_gap=chosen.max_gap, zone=found.zone)
            page = backtest_page(table, collection, fitted, chosen, command=command_line(), lang=language())
            write_report(report, page, quiet)


EXAMPLES = ((backtest, "Example: tsuzuki backtest readings.csv --horizon 24 --windows 52 --step 168"),)
