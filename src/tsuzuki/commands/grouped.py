"""The list of commands in `tsuzuki --help`, by what people want to do, in the language of the environment."""

from typing import Any

from typer.core import TyperGroup

from tsuzuki.commands.texts import of_environment

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
JAPANESE_HELP = {
    "info": "ファイルの中身（間隔・欠測・周期、またはモデル）を表示します。",
    "fit": "予測モデルを学習し、ファイルに保存します。",
    "forecast": "学習済みモデルで次のステップを予測します。",
    "backtest": "過去の時点からの予測を、強い基準手法と並べて採点します。",
    "plot": "系列を、欠測と区間とともに描きます。",
    "run": "Keras のスクリプトをそのまま、速く動かします。",
    "compare": "状態の引き継ぎの有無を、シードごとに比べます。",
    "stream": "観測値が届くたびに予測し、状態をディスクに保ちます。",
}


class Grouped(TyperGroup):
    """A group of commands whose help lists them by purpose; `GROUPS` names each command once."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands under the headings of their groups."""
        width = max(map(len, self.commands))
        japanese = of_environment() == "ja"
        for heading, names in GROUPS.items():
            with formatter.section(JAPANESE_HEADINGS[heading] if japanese else heading):
                short = {name: self.commands[name].get_short_help_str(formatter.width - width - 6) for name in names}
                rows = list((short | {name: JAPANESE_HELP[name] for name in names} if japanese else short).items())
                # Names of one width, so that all groups' explanations stand below one another.
                formatter.write_dl([(name.ljust(width), said) for name, said in rows])

    def list_commands(self, ctx: Any) -> list[str]:
        """The commands in the order of their groups, as completion offers them."""
        return [name for names in GROUPS.values() for name in names]
