"""Help in the language that is spoken; that of `tsuzuki --help` lists the commands by what people want to do."""

from typing import Any

from typer.core import TyperCommand, TyperGroup

from tsuzuki.commands import usage_errors
from tsuzuki.commands.texts import language, use
from tsuzuki.formatting import LANGUAGES, of_environment

# Each heading ends in a first step.
GROUPS = {
    "Forecast a file (tsuzuki fit FILE.csv, then tsuzuki forecast model.tsuzuki)": (
        "info",
        "fit",
        "search",
        "forecast",
        "backtest",
        "plot",
    ),
    "Run a Keras script as it is (tsuzuki run SCRIPT.py)": ("run",),
    "Compare what carrying the state is worth (tsuzuki compare beijing)": ("compare",),
    "Follow a stream (tail -f live.csv | tsuzuki stream model.tsuzuki)": ("stream",),
}

# The module of each command.
MODULES = {name: name for names in GROUPS.values() for name in names} | {
    "search": "fit",
    "plot": "plotting",
    "stream": "streaming",
}

JAPANESE_HEADINGS = dict(
    zip(
        GROUPS,
        (
            "ファイルを予測する (tsuzuki fit FILE.csv、次に tsuzuki forecast model.tsuzuki)",
            "Keras のスクリプトをそのまま動かす (tsuzuki run SCRIPT.py)",
            "状態の引き継ぎの効果を比べる (tsuzuki compare beijing)",
            "届く観測値を追いかける (tail -f live.csv | tsuzuki stream model.tsuzuki)",
        ),
        strict=True,
    )
)


class Spoken(TyperCommand):
    """A command whose help is spoken in the language that is asked for."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help; Japanese is laid out here, since a formatter breaks lines at blanks alone."""
        if language() == "ja":
            from tsuzuki.commands.japanese_help import page

            formatter.write(page(self, ctx, {}))
        else:
            super().format_help(ctx, formatter)


class Grouped(TyperGroup):
    """A group of commands whose help lists them by purpose; `GROUPS` names each command once."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Speak the language that the arguments or the environment ask for, before any help is written."""
        use(asked(args) or of_environment())
        with usage_errors.spoken():
            return list(super().parse_args(ctx, args))

    def invoke(self, ctx: Any) -> Any:
        """Run the command that is named."""
        with usage_errors.spoken():
            return super().invoke(ctx)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help of all commands."""
        if language() == "ja":
            from tsuzuki.commands.japanese_help import page

            formatter.write(page(self, ctx, {JAPANESE_HEADINGS[heading]: names for heading, names in GROUPS.items()}))
        else:
            super().format_help(ctx, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands under the headings of their groups."""
        width = max(map(len, self.commands))
        for heading, names in GROUPS.items():
            with formatter.section(heading):
                short = {name: self.commands[name].get_short_help_str(formatter.width - width - 6) for name in names}
                # Names of one width, so that all groups' explanations stand below one another.
                formatter.write_dl([(name.ljust(width), said) for name, said in short.items()])

    def list_commands(self, ctx: Any) -> list[str]:
        """The commands in the order of their groups, as completion offers them."""
        return [name for names in GROUPS.values() for name in names]


def asked(arguments: list[str]) -> str:
    """The language behind `--lang`, or nothing; what stands behind `run` is the script's."""
    for number, argument in enumerate(arguments):
        if argument == "run":
            break
        named, _, value = argument.partition("=")
        if named == "--lang":
            value = value or "".join(arguments[number + 1 : number + 2])
            return value if value in LANGUAGES else ""
    return ""
