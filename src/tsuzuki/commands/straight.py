"""Commands that are given files and no options, run without anything that reads options.

Typer describes every option to pydantic before it looks at the arguments, which takes a tenth of a second.
"""

import importlib
import inspect
import os
from collections.abc import Callable, Sequence
from typing import Any

from typer.core import TyperCommand

from tsuzuki.commands.grouped import MODULES
from tsuzuki.commands.texts import use
from tsuzuki.formatting import of_environment

# Those whose first parameter is a list of files, of which there may be any number.
STRAIGHT = ("backtest", "compare", "fit", "info")


def command_of(arguments: Sequence[str]) -> TyperCommand | None:
    """The command that arguments name, ready to run on its files; None where they hold anything else."""
    # Typer reads patterns of files on Windows, and answers a shell that completes words.
    if os.name == "nt" or any(name.endswith("_COMPLETE") for name in os.environ):
        return None
    if len(arguments) < 2 or arguments[0] not in STRAIGHT or any(one.startswith("-") for one in arguments):
        return None
    name, files = arguments[0], list(arguments[1:])
    function: Callable[..., None] = getattr(importlib.import_module(f"tsuzuki.commands.{MODULES[name]}"), name)
    use(of_environment())
    # What ends a command (an exit code, Ctrl-C, a pipe that closes) is Typer's to handle.
    return TyperCommand(name, callback=lambda: function(**given(function, files)), params=[], add_help_option=False)


def given(function: Callable[..., None], files: list[str]) -> dict[str, Any]:
    """The arguments of a command that is given files alone."""
    source, *options = inspect.signature(function).parameters.values()
    return {source.name: files} | {option.name: option.default for option in options}
