"""The list of commands in `tsuzuki --help`, by what people want to do."""

from typing import Any

from typer.core import TyperGroup

# Each heading ends in a first step.
GROUPS = {
    "Forecast a file (tsuzuki fit FILE.csv, then tsuzuki forecast model.tsuzuki)": (
        "info",
        "fit",
        "forecast",
        "backtest",
        "plot",
    ),
    "Run a Keras script as it is (tsuzuki run SCRIPT.py)": ("run",),
    "Compare what carrying the state is worth (tsuzuki compare beijing)": ("compare",),
    "Follow a stream (tail -f live.csv | tsuzuki stream model.tsuzuki)": ("stream",),
}


class Grouped(TyperGroup):
    """A group of commands whose help lists them by purpose; `GROUPS` names each command once."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands under the headings of their groups."""
        width = max(map(len, self.commands))
        for heading, names in GROUPS.items():
            with formatter.section(heading):
                rows = [(name, self.commands[name].get_short_help_str(formatter.width - width - 6)) for name in names]
                # Names of one width, so that all groups' explanations stand below one another.
                formatter.write_dl([(name.ljust(width), said) for name, said in rows])

    def list_commands(self, ctx: Any) -> list[str]:
        """The commands in the order of their groups, as completion offers them."""
        return [name for names in GROUPS.values() for name in names]
