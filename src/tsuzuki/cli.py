"""Words on a terminal: arguments in, tables and exit codes out.

Exit codes: 0 done, 2 wrong input, 3 diverged, 130 interrupted.
"""

from typing import Annotated

import typer

from tsuzuki import __version__
from tsuzuki.commands import backtest, compare, fit, forecast, info, plotting, run, streaming
from tsuzuki.commands.grouped import Grouped, Spoken
from tsuzuki.commands.terminal import log_to_stderr, never_fail_to_print

app = typer.Typer(
    name="tsuzuki",
    cls=Grouped,
    help="Train recurrent networks on long time series, the state carried correctly.",
    epilog="Exit codes: 0 done, 2 wrong input, 3 diverged, 130 interrupted.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tsuzuki {__version__}")
        raise typer.Exit


@app.callback()
def _everything(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Take the options that stand before a command."""


for _room in (compare, fit, forecast, backtest, info, streaming, plotting):
    for _command, _example in _room.EXAMPLES:
        app.command(cls=Spoken, epilog=_example)(_command)
for _command, _example in run.EXAMPLES:
    app.command(cls=Spoken, epilog=_example, context_settings=run.CONTEXT)(_command)


def main() -> None:
    """Run the command line."""
    never_fail_to_print()
    log_to_stderr()
    app(prog_name="tsuzuki")


if __name__ == "__main__":
    main()
