"""`tsuzuki fit`: a file of readings in, a trained forecaster in a file out."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from tsuzuki.commands.info import facts
from tsuzuki.commands.options import (
    Cache,
    Checkpoint,
    Column,
    Debug,
    Json,
    Merge,
    Output,
    Quiet,
    Ray,
    Sources,
    Time,
    Workers,
    file_columns,
    takes_settings,
)
from tsuzuki.commands.plotting import Lang
from tsuzuki.commands.tables import print_table, trials_table
from tsuzuki.commands.terminal import (
    Grid,
    announce_compilation,
    announce_readings,
    bar,
    check_targets,
    errors_in_words,
    reading,
    write_json,
)
from tsuzuki.commands.texts import said
from tsuzuki.errors import SettingError


@takes_settings
def fit(
    source: Sources,
    *,
    output: Output = "model.tsuzuki",
    column: Column = None,
    time: Time = None,
    merge: Merge = False,
    settings: dict[str, Any],
    checkpoint: Checkpoint = None,
    every: Annotated[str, typer.Option(help="How often the checkpoint is written: 30s, 5m.")] = "30s",
    cache: Cache = None,
    workers: Workers = None,
    ray: Ray = None,
    json_path: Json = None,
    quiet: Quiet = False,
    lang: Lang = "",
    debug: Debug = False,
) -> None:
    """Train a forecaster and keep it in a file."""
    from tsuzuki.data.public_holidays import with_zone
    from tsuzuki.forecaster import Forecaster
    from tsuzuki.forecasting.fitted import Source
    from tsuzuki.forecasting.settings import Settings

    with errors_in_words(debug, lang):
        check_targets({"--output": output, "--json": json_path}, source)
        chosen = Settings(**settings)
        spread: dict[str, Any] = {"checkpoint": checkpoint, "every": every, "workers": workers, "address": ray}
        # Workers share the files of a folder; nobody holds it whole. A search reads frames alone.
        spread_files = (workers or ray) is not None and not chosen.search
        shared = spread_files and any(Path(one).is_dir() for one in source)
        if cache is not None or shared:
            forecaster = Forecaster(**settings)
            columns = file_columns(source, column, time)
            announce_compilation(quiet)
            with bar("reading and training", quiet) as advance:
                forecaster.fit(source, cache=cache, columns=columns, on_progress=advance, **spread)
            assert forecaster.fitted is not None
            forecaster.fitted.source = Source((columns.value,), None)
        else:
            found = reading(source, column, time, chosen.columns.given, Grid(chosen.freq, chosen.resample))
            chosen = replace(chosen, holidays=with_zone(chosen.holidays, found.zone))
            forecaster = Forecaster(**settings | {"holidays": chosen.holidays})
            announce_readings(found, chosen.max_gap, merge, quiet or json_path == "-")
            announce_compilation(quiet)
            with bar("training", quiet) as advance:
                forecaster.fit(found.zoned, merge=True, on_progress=advance, **spread)
            assert forecaster.fitted is not None
            forecaster.fitted.source = Source(found.columns, found.unit, found.day_first)
        forecaster.save(output)
        if checkpoint is not None:
            networks = range(forecaster.settings.networks)
            parts = (f"{number}{stage}" for number in networks for stage in ("", ".again", ".last"))
            for part in (*parts, "trials"):
                Path(f"{checkpoint}.{part}").unlink(missing_ok=True)
        outcome = facts(forecaster.settings, forecaster.fitted)
        if chosen.search:
            outcome["trials"] = forecaster.trials_.to_dict("records")
        if json_path is not None:
            write_json(json_path, outcome | {"file": output})
        if json_path != "-" and not quiet:
            if chosen.search:
                print_table(trials_table(forecaster.trials_))
            told = {name: outcome[name] for name in ("networks", "network", "points", "series")}
            typer.echo(said("trained", **told, seconds=outcome["training_seconds"], path=output))
            ahead, command = chosen.columns.given_ahead, f"tsuzuki forecast {output}"
            if ahead:
                command = said("future file", command=command, columns=", ".join(ahead))
            typer.echo(said("next", command=command))


@takes_settings
def search(
    source: Sources,
    *,
    search: Annotated[float, typer.Option("--seconds", help="Seconds that trials and training take.")] = 60.0,
    output: Output = "model.tsuzuki",
    column: Column = None,
    time: Time = None,
    merge: Merge = False,
    settings: dict[str, Any],
    checkpoint: Checkpoint = None,
    workers: Workers = None,
    ray: Ray = None,
    json_path: Json = None,
    quiet: Quiet = False,
    lang: Lang = "",
    debug: Debug = False,
) -> None:
    """Find better settings on held-out stretches, and train with them."""
    with errors_in_words(debug):
        if not search > 0:
            raise SettingError(f"--seconds is {search:g}; give a time above 0, or train without trials: tsuzuki fit")
    fit(
        source=source,
        output=output,
        column=column,
        time=time,
        merge=merge,
        checkpoint=checkpoint,
        every="30s",
        cache=None,
        workers=workers,
        ray=ray,
        json_path=json_path,
        quiet=quiet,
        lang=lang,
        debug=debug,
        **settings,
        search=search,
    )


EXAMPLES = (
    (fit, "Example: tsuzuki fit readings.csv --horizon 24 -o model.tsuzuki"),
    (search, "Example: tsuzuki search readings.csv --horizon 24 --seconds 60 -o model.tsuzuki"),
)
