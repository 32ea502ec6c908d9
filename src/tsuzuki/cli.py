"""Words on a terminal: arguments in, tables and exit codes out.

Exit codes: 0 done, 2 wrong input, 3 diverged, 130 interrupted.
"""

import functools
import importlib
import sys
from collections.abc import Iterable
from typing import Annotated, Any

import typer

from tsuzuki import __version__
from tsuzuki.commands.grouped import MODULES, Grouped, Spoken
from tsuzuki.commands.straight import command_of
from tsuzuki.commands.terminal import log_to_stderr, never_fail_to_print


def commands_of(names: Iterable[str]) -> typer.Typer:
    """The command line with some of the commands; each takes milliseconds to import and to describe."""
    made = typer.Typer(
        name="tsuzuki",
        cls=Grouped,
        help="Train recurrent networks on long time series, the state carried correctly.",
        epilog="Exit codes: 0 done, 2 wrong input, 3 diverged, 130 interrupted.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    made.callback()(_everything)
    for module in dict.fromkeys(MODULES[name] for name in names):
        room = importlib.import_module(f"tsuzuki.commands.{module}")
        settings = {} if module != "run" else {"context_settings": room.CONTEXT}
        for command, example in room.EXAMPLES:
            made.command(cls=Spoken, epilog=example, **settings)(command)
    return made


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tsuzuki {__version__}")
        raise typer.Exit


def _everything(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Take the options that stand before a command."""


def __getattr__(name: str) -> Any:
    """The whole command line as `app`."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _whole()


@functools.cache
def _whole() -> typer.Typer:
    return commands_of(MODULES)


def main() -> None:
    """Run the command line."""
    never_fail_to_print()
    log_to_stderr()
    if (straight := command_of(sys.argv[1:])) is not None:
        straight.main([], prog_name="tsuzuki")
        return
    named = sys.argv[1:2]
    (commands_of(named) if named and named[0] in MODULES else _whole())(prog_name="tsuzuki")


if __name__ == "__main__":
    main()
