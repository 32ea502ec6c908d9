"""`tsuzuki run`: a script of the user's own with Keras models, unchanged, its training done by the compiled engine."""

from typing import Annotated

import typer

from tsuzuki.commands.plotting import Lang
from tsuzuki.commands.terminal import errors_in_words

# What stands behind the script is the script's.
CONTEXT = {"ignore_unknown_options": True, "allow_interspersed_args": False}


def run(
    script: Annotated[str, typer.Argument(metavar="SCRIPT.py", help="The script, as it is.")],
    arguments: Annotated[list[str] | None, typer.Argument(metavar="ARGS", help="Its own arguments.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Fail at a call that cannot be swapped.")] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Train in Keras, and say what would be swapped.")] = False,
    lang: Lang = "",
) -> None:
    """Run a Keras script as it is, faster."""
    with errors_in_words(False, lang):
        from tsuzuki.autofit.run_script import run_script

        run_script(script, arguments or (), strict=strict, explain=explain, lang=lang)


EXAMPLES = ((run, "Example: tsuzuki run train.py --epochs 20"),)
