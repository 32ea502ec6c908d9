"""Words on a terminal: arguments in, tables and exit codes out.

Exit codes: 0 done, 2 wrong input, 3 diverged, 130 interrupted.
"""

from typing import Annotated

import typer

from tsuzuki import __version__
from tsuzuki.commands import backtest, compare, fit, forecast, info, plotting, run, streaming

app = typer.Typer(
    name="tsuzuki",
    help=(
        "Train recurrent networks on long time series, the state carried correctly.\n\n"
        "\b\nFirst steps:\n"
        "  tsuzuki compare beijing     what carrying the state is worth\n"
        "  tsuzuki fit FILE.csv        train a forecaster on a file of your own\n"
        "  tsuzuki forecast MODEL      its next steps, with intervals\n"
        "  tsuzuki run SCRIPT.py       a Keras script as it is, faster"
    ),
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
        app.command(epilog=_example)(_command)
for _command, _example in run.EXAMPLES:
    app.command(epilog=_example, context_settings=run.CONTEXT)(_command)


def main() -> None:
    """Run the command line."""
    app(prog_name="tsuzuki")


if __name__ == "__main__":
    main()
