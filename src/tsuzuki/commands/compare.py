"""`tsuzuki compare`: does carrying the state help on the user's series?"""

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tsuzuki.commands.options import Column, Freq, Merge, Ray, Resample, Time, Workers
from tsuzuki.commands.plotting import Lang, Report, check_report, write_report
from tsuzuki.commands.terminal import (
    Grid,
    announce_compilation,
    bar,
    check_targets,
    command_line,
    errors_in_words,
    series_of,
    write_json,
)
from tsuzuki.commands.texts import folded, head, language
from tsuzuki.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tsuzuki.data.series import Collection
    from tsuzuki.distributed.worker_pool import WorkerPool
    from tsuzuki.experiment.comparison import Comparison
    from tsuzuki.experiment.prepared_data import PreparedData
    from tsuzuki.experiment.recipe import Recipe


def compare(
    source: Annotated[
        list[str] | None,
        typer.Argument(metavar="FILE", help="A file, several files as one, or a bundled series: beijing, nyc."),
    ] = None,
    column: Column = None,
    time: Time = None,
    cell: Annotated[str, typer.Option(help="simple_rnn, gru or lstm.")] = "simple_rnn",
    layers: Annotated[int, typer.Option(help="Recurrent layers, stacked.")] = 1,
    units: Annotated[int, typer.Option(help="Units of each layer.")] = 10,
    timesteps: Annotated[int, typer.Option(help="Steps of a window.")] = 6,
    batch_size: Annotated[int, typer.Option(help="Rows per update.")] = 6,
    epochs: Annotated[int, typer.Option(help="Epochs over all windows.")] = 3,
    seeds: Annotated[int, typer.Option(help="Paired runs.")] = 10,
    learning_rate: Annotated[float, typer.Option(help="Of RMSprop.")] = 0.001,
    test_fraction: Annotated[
        float, typer.Option(help="Share at the end that is held out; 0 trains on all data.")
    ] = 0.2,
    max_gap: Annotated[int, typer.Option(help="Longest gap in steps that is interpolated.")] = 24,
    freq: Freq = "",
    resample: Resample = "mean",
    merge: Merge = False,
    workers: Workers = None,
    ray: Ray = None,
    engine: Annotated[str, typer.Option(help="tsuzuki; or keras to train windows in Keras too.")] = "tsuzuki",
    json_path: Annotated[
        str | None, typer.Option("--json", metavar="PATH", help="Write all results as JSON; - prints only them.")
    ] = None,
    report: Report = None,
    lang: Lang = "",
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress and no table.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error comes from.")] = False,
) -> None:
    """Compare training with and without a carried state, seed by seed."""
    from tsuzuki.experiment.recipe import Recipe

    with errors_in_words(debug, lang):
        if engine not in ("tsuzuki", "keras"):
            raise SettingError(f"--engine is {engine!r}; choose tsuzuki or keras")
        source = source or ["beijing"]
        check_targets({"--json": json_path, "--report": report}, source)
        check_report(report)
        recipe = Recipe(
            cell, layers, units, timesteps, batch_size, epochs, seeds, learning_rate, test_fraction, max_gap
        )
        collection = series_of(source, column, time, Grid(freq, resample), max_gap, merge)
        with nullcontext() if workers is None and ray is None else _pool(workers, ray) as pool:
            comparison = _compare(collection, recipe, engine, json_path, quiet, pool)
        if report is not None:
            from tsuzuki.report import comparison_page

            write_report(report, comparison_page(comparison, command=command_line(), lang=language()), quiet)


def _pool(workers: int | None, address: str | None) -> AbstractContextManager["WorkerPool | None"]:
    from tsuzuki.distributed.workers import some_workers

    return some_workers(workers, address)


def _compare(
    collection: "Collection",
    recipe: "Recipe",
    engine: str,
    json_path: str | None,
    quiet: bool,
    workers: "WorkerPool | None",
) -> "Comparison":
    from tsuzuki.engine.threads import threads_allowed
    from tsuzuki.experiment.comparison import started
    from tsuzuki.experiment.prepared_data import prepare_data

    if engine == "keras":
        from tsuzuki.experiment import keras_process

        keras_process.check()
    data = prepare_data(collection, recipe)
    announce_compilation(quiet)
    with started(data, recipe, threads_allowed(), workers) as finish:
        from rich.console import Console

        from tsuzuki.experiment.comparison_json import as_json_values
        from tsuzuki.experiment.tables import engines_table, results_table

        # Tables go to the terminal only if JSON does not.
        out = Console(quiet=quiet or json_path == "-", highlight=False)
        describe_data, conclusion, verdict = _words()
        out.print(describe_data(data.collection, recipe.test_fraction), soft_wrap=False)
        with bar("training", quiet) as advance:
            comparison = finish(advance)
    outcome = as_json_values(comparison)
    out.print()
    out.print(folded(conclusion(comparison), out.width))
    out.print(results_table(comparison, out.width, head))
    out.print(folded(verdict(comparison), out.width))
    if engine == "keras":
        theirs = _keras(data, recipe, quiet)
        out.print(engines_table(comparison.results[:2], theirs, head))
        outcome["keras"] = [
            {"name": row.name, "seconds_per_epoch": row.seconds_per_epoch, "running_loss": row.running_loss}
            for row in theirs
        ]
    if json_path is not None:
        write_json(json_path, outcome)
    return comparison


def _words() -> "tuple[Callable[[Collection, float], str], Callable[[Comparison], str], Callable[[Comparison], str]]":
    """What says the data, the conclusion and the verdict in the language that is spoken."""
    if language() == "ja":
        from tsuzuki.commands.japanese import conclusion, describe_data, verdict
    else:
        from tsuzuki.experiment.tables import describe_data
        from tsuzuki.experiment.verdict import conclusion, verdict
    return describe_data, conclusion, verdict


def _keras(data: "PreparedData", recipe: "Recipe", quiet: bool) -> Any:
    from tsuzuki.experiment import keras_process

    with bar("training in Keras", quiet) as advance:
        return keras_process.run(data, recipe, advance)


EXAMPLES = ((compare, "Example: tsuzuki compare readings.csv --column temperature --seeds 20 --json result.json"),)
