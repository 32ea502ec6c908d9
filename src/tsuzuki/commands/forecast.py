"""`tsuzuki forecast`: a trained forecaster and newer readings in, the next steps out."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tsuzuki.commands.options import Cache, Column, Csv, Debug, Json, Merge, Quiet, Time, file_columns
from tsuzuki.commands.plotting import Lang, Report, check_report, say_lacking, write_report
from tsuzuki.commands.tables import forecast_table, print_table, records, write_csv
from tsuzuki.commands.terminal import (
    Grid,
    announce_compilation,
    announce_newer,
    bar,
    check_targets,
    command_line,
    errors_in_words,
    reading,
    write_json,
)
from tsuzuki.commands.texts import language, said
from tsuzuki.errors import DataError, SettingError

if TYPE_CHECKING:
    import pandas as pd

    from tsuzuki.data.readers import Reading
    from tsuzuki.forecaster import Forecaster
    from tsuzuki.forecasting.outlook import Outlook


def forecast(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A file that `tsuzuki fit` wrote.")],
    source: Annotated[
        list[str] | None,
        typer.Argument(metavar="FILE", help="Newer readings to go on from; older ones are passed over."),
    ] = None,
    column: Column = None,
    time: Time = None,
    future: Annotated[
        str | None, typer.Option(metavar="FILE", help="The columns known ahead, at the times to forecast.")
    ] = None,
    merge: Merge = False,
    levels: Annotated[str | None, typer.Option(help="Of the intervals, in per cent; 80,95 if not given.")] = None,
    csv: Csv = None,
    json_path: Json = None,
    report: Report = None,
    png: Annotated[str | None, typer.Option(metavar="PATH", help="Write a PNG picture.")] = None,
    lang: Lang = "",
    parquet: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="With --cache: write the forecasts of every series of the files as Parquet."),
    ] = None,
    cache: Cache = None,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Forecast the next steps with a trained model."""
    from tsuzuki.forecaster import load

    with errors_in_words(debug, lang):
        wanted = None if levels is None else parse_levels(levels)
        check_targets(
            {"--csv": csv, "--json": json_path, "--report": report, "--png": png}, [model, future, *(source or [])]
        )
        check_report(report)
        if png is not None:
            from tsuzuki.report.png import check_png

            check_png()
        forecaster = load(model)
        if cache is not None or parquet is not None:
            if cache is None or parquet is None or not source:
                raise SettingError("files larger than memory need --cache FOLDER, --parquet PATH and the files' names")
            check_targets({"--parquet": parquet}, [model, *source])
            announce_compilation(quiet)
            columns = file_columns(source, column, time)
            with bar("forecasting", quiet) as advance:
                rows = forecaster.forecast_files(
                    source, parquet, levels=wanted, cache=cache, columns=columns, on_progress=advance
                )
            if not quiet:
                typer.echo(said("forecasts written", rows=f"{rows:,}", path=parquet))
            return
        kept = None if forecaster.fitted is None else forecaster.fitted.source
        newer, unit = None, None if kept is None else kept.unit
        if source:
            found = _newer(forecaster, source, column, time)
            announce_newer(found, forecaster.settings.max_gap, merge, quiet or "-" in (csv, json_path))
            newer, unit = found.zoned, found.unit or unit
            ids = forecaster.fitted.ids if forecaster.fitted is not None else ()
            # A file of one series is that series, whatever the file is called.
            if len(ids) == 1 and newer["unique_id"].nunique() == 1:
                newer = newer.assign(unique_id=ids[0])
        announce_compilation(quiet)
        if newer is not None:
            forecaster.update(newer, merge=merge)
        table = forecaster.predict(levels=wanted, future=_future(forecaster, model, future, time, newer))
        if csv is not None:
            write_csv(csv, table)
        if json_path is not None:
            write_json(json_path, records(table))
        outlooks = _outlooks(forecaster, table, newer)
        if csv is None and json_path is None and not quiet:
            _draw(outlooks)
            print_table(forecast_table(table))
        if report is not None:
            from tsuzuki.report import forecast_page

            assert forecaster.fitted is not None
            page = forecast_page(
                outlooks,
                table,
                forecaster.fitted,
                title=_name(forecaster, model),
                unit=unit,
                command=command_line(),
                lang=language(),
            )
            write_report(report, page, quiet)
        if png is not None:
            from tsuzuki.report.png import forecast_png, forecast_title
            from tsuzuki.storage import write_bytes

            title = forecast_title(_name(forecaster, model), language())
            write_bytes(Path(png), forecast_png(outlooks, title, unit, language()))
            if not quiet:
                typer.echo(said("picture", path=png), err=True)
            say_lacking([title, unit or "", *(one.name for one in outlooks)])


def _future(
    forecaster: "Forecaster", model: str, file: str | None, time: str | None, newer: "pd.DataFrame | None"
) -> "pd.DataFrame | None":
    """The covariates known ahead: of a file, or of rows that stand behind the last reading in the newer ones.

    Raises:
        SettingError: they are needed and given nowhere, or given and not needed.
    """
    import pandas as pd

    from tsuzuki.data.readers import read_future
    from tsuzuki.data.zones import in_zone

    known, fitted = forecaster.settings.columns.given_ahead, forecaster.fitted
    assert fitted is not None
    if not known:
        if file is not None:
            raise SettingError(f"{model} reads no columns known ahead; leave out --future, or fit it with --known")
        return None
    last = in_zone([min(times[-1] for times in fitted.times)], fitted.zone)[0]
    if file is not None:
        found = read_future(file, known, time, None if fitted.source is None else fitted.source.day_first)
    elif newer is not None and (newer["ds"] > last).any():
        found = newer
    else:
        raise SettingError(
            f"{model} reads columns known ahead: {', '.join(known)}; give their values after {last} in a file: "
            "--future FILE"
        )
    if found["unique_id"].nunique() == 1 and found["unique_id"].iloc[0] not in fitted.ids:
        # A file that names no series holds for all of them.
        return pd.concat([found.assign(unique_id=name) for name in fitted.ids], ignore_index=True)
    return found


def _newer(
    forecaster: "Forecaster", source: Sequence[str], column: Sequence[str] | None, time: str | None
) -> "Reading":
    """Read newer readings from the columns that the model was trained on, unless others are named.

    Raises:
        DataError: the file lacks them, or only one of both names a time zone.
    """
    from tsuzuki.data.zones import check_zone

    settings, fitted = forecaster.settings, forecaster.fitted
    kept = None if fitted is None else fitted.source

    def read(columns: Sequence[str] | None) -> "Reading":
        grid = Grid(settings.freq, settings.resample)
        return reading(source, columns, time, settings.columns.given, grid, None if kept is None else kept.day_first)

    if kept is None or column is not None:
        found = read(column)
    else:
        try:
            found = read(kept.columns)
        except DataError:
            # Some files call a column otherwise than it is asked for; it must be the same.
            found = read(None)
            if found.columns != kept.columns:
                raise
    if fitted is not None:
        check_zone(found.zone, fitted.zone, found.name)
    return found


def _outlooks(forecaster: "Forecaster", table: "pd.DataFrame", newer: "pd.DataFrame | None") -> "list[Outlook]":
    from tsuzuki.forecasting.outlook import outlooks

    settings = forecaster.settings
    assert forecaster.fitted is not None
    long = None if newer is None else settings.long(newer)
    return outlooks(forecaster.fitted, settings.horizon, table, long)


def _name(forecaster: "Forecaster", model: str) -> str:
    """What a page and a picture are called: the series and its column, or the model's file where it holds several."""
    fitted = forecaster.fitted
    if fitted is None or len(fitted.ids) != 1:
        return Path(model).name
    columns = () if fitted.source is None else fitted.source.columns
    return ", ".join(dict.fromkeys([fitted.ids[0], *(one for one in columns if one not in ("y", "value"))]))


def _draw(outlooks: "list[Outlook]") -> None:
    """A chart above the table, of the first series where there are several, on a terminal that can show it."""
    import shutil

    from tsuzuki.commands.chart import can_be_shown, chart

    if not can_be_shown():
        return
    drawn = chart(outlooks[0], shutil.get_terminal_size().columns)
    if drawn and len(outlooks) > 1:
        typer.echo(said("first of", name=outlooks[0].name, count=len(outlooks)))
    if drawn:
        typer.echo(drawn)


def parse_levels(text: str) -> tuple[float, ...]:
    """The levels in an option such as 80,95."""
    from tsuzuki.forecasting.conformal_intervals import check_levels

    try:
        levels = tuple(float(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise SettingError(f"--levels is {text!r}; give percentages such as 80,95") from None
    check_levels(levels)
    return levels


EXAMPLES = ((forecast, "Example: tsuzuki forecast model.tsuzuki newer.csv --levels 80,95 --report page.html"),)
