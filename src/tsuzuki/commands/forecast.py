"""`tsuzuki forecast`: a trained forecaster and newer readings in, the next steps out."""

from typing import Annotated

import typer

from tsuzuki.commands.options import Column, Csv, Debug, Json, Quiet, Time
from tsuzuki.commands.tables import forecast_table, print_table, records, write_csv
from tsuzuki.commands.terminal import announce_compilation, check_targets, errors_in_words, reading, write_json
from tsuzuki.errors import SettingError


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
            print_table(forecast_table(table))


def parse_levels(text: str) -> tuple[float, ...]:
    """The levels in an option such as 80,95."""
    from tsuzuki.forecasting.conformal_intervals import check_levels

    try:
        levels = tuple(float(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise SettingError(f"--levels is {text!r}; give percentages such as 80,95") from None
    check_levels(levels)
    return levels


EXAMPLES = ((forecast, "Example: tsuzuki forecast model.tsuzuki newer.csv --levels 80,95 --csv out.csv"),)
