"""Options that several commands share, and those that are made from a forecaster's settings."""

import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tsuzuki.errors import SettingError
from tsuzuki.forecasting.settings import Settings, explanations

if TYPE_CHECKING:
    from tsuzuki.data.arrow_batches import PanelColumns

Sources = Annotated[
    list[str],
    typer.Argument(metavar="FILE", help="A file, several files as one, or a bundled series: beijing, nyc."),
]
Merge = Annotated[bool, typer.Option("--merge", help="Take the mean where many readings are of the same step.")]
Output = Annotated[str, typer.Option("--output", "-o", metavar="PATH", help="The model file.")]
Checkpoint = Annotated[
    str | None, typer.Option(metavar="PATH", help="Go on from here after a crash; the same command again resumes.")
]
Column = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="The value column, where there are several; given again, or as 'temp*', one series of each.",
    ),
]
Time = Annotated[str | None, typer.Option(help="The time column, where it cannot be told.")]
Freq = Annotated[str, typer.Option(help="Grid that readings are put on first: 30s, 15min, h, D, B, W, MS, QS, YS.")]
Resample = Annotated[str, typer.Option(help="What is taken of the readings in a step of --freq: mean, sum, last, max.")]
Csv = Annotated[
    str | None, typer.Option("--csv", metavar="PATH", help="Write the forecasts as CSV; - prints it alone.")
]
Json = Annotated[
    str | None, typer.Option("--json", metavar="PATH", help="Write everything as JSON; - prints it alone.")
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Show no progress and no table.")]
Cache = Annotated[
    str | None,
    typer.Option(
        metavar="FOLDER",
        help="For files larger than memory: read them once into arrays in this folder, and train on what is drawn.",
    ),
]
Workers = Annotated[
    int | None,
    typer.Option("--workers", metavar="N", help="Processes that train side by side, each in one thread."),
]
Ray = Annotated[
    str | None,
    typer.Option("--ray", metavar="ADDRESS", help="Workers are those of a Ray cluster: HEAD:6379, auto, or local."),
]
Debug = Annotated[bool, typer.Option("--debug", help="Show where an error comes from.")]


def file_columns(source: Sequence[str], column: Sequence[str] | None, time: str | None) -> "PanelColumns":
    """The columns of files that are read into a store: unique_id, ds and y where the options name no others."""
    from tsuzuki.data.arrow_batches import columns_of
    from tsuzuki.data.files import named

    if column and len(column) > 1:
        raise SettingError("files larger than memory are read with one value column; name one with --column")
    return columns_of(named(source)[0], column[0] if column else None, time)


def setting_options() -> list[inspect.Parameter]:
    """An option for each setting of a forecaster that one word can say, and for lists of columns; others are Python's.

    A list's option is given once for each of its names.
    """
    helps = explanations(Settings)
    made = []
    for field in fields(Settings):
        explained = helps.get(field.name, "")
        explained = explained[:1].upper() + explained[1:]
        if field.type in (int, float, str, bool):
            default, annotation = field.default, Annotated[field.type, typer.Option(help=explained)]
        elif field.type == str | int:
            default, annotation = str(field.default), Annotated[str, typer.Option(help=explained)]
        elif field.type == str | Sequence[str]:
            default, annotation = [], Annotated[list[str], typer.Option(metavar="NAME", help=explained)]
        else:
            continue
        made.append(
            inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        )
    return made


def takes_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command an option for each setting, in the place of its parameter `settings`, a dictionary of them.

    A setting for which the command has a parameter of its own has no other option.
    """
    own = inspect.signature(command).parameters
    options = [option for option in setting_options() if option.name not in own]
    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(command).parameters.values():
        parameters += options if parameter.name == "settings" else [parameter]

    # `__annotations__` stays this function's own: Typer reads types from the signature.
    @functools.wraps(command, assigned=("__module__", "__name__", "__qualname__", "__doc__"))
    def run(**given: Any) -> None:
        command(settings={option.name: given.pop(option.name) for option in options}, **given)

    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return run
