"""What Typer says of arguments that it cannot read (an option that there is not, a missing argument), in Japanese."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from tsuzuki.commands.texts import language

WRONG_ARGUMENTS = 2
# Typer's own base of all that is wrong with arguments: Click's in older versions, a copy of it in newer ones.
UsageError: type[Exception] = typer.BadParameter.__mro__[1]

# As Typer and Click of several versions word them.
MESSAGES: tuple[tuple[str, str], ...] = (
    (r"No such option:? '?(-[^\s']+)'?", "オプション {0} はありません"),
    (r"No such command '(.+)'", "コマンド {0} はありません"),
    (r"Missing argument '(.+)'", "引数 {0} が足りません"),
    (r"Missing option '(.+)'", "オプション {0} が足りません"),
    (r"Missing command", "コマンドが足りません"),
    (r"Option '(.+)' requires an argument", "オプション {0} には値が必要です"),
    (r"Option '(.+)' requires (\d+) arguments", "オプション {0} には値が {1} 個必要です"),
    (r"Option '(.+)' does not take a value", "オプション {0} は値を取りません"),
    (r"Got unexpected extra arguments? \((.+)\)", "余分な引数があります: {0}"),
    (r"Invalid value for '(.+)': '(.*)' is not a valid (?:integer|int).*", "{0} の値 {1} は整数ではありません"),
    (r"Invalid value for '(.+)': '(.*)' is not a valid float.*", "{0} の値 {1} は数ではありません"),
    (r"Invalid value for '(.+)': .*valid integer.*", "{0} には整数を指定してください"),
    (r"Invalid value for '(.+)': .*valid number.*", "{0} には数を指定してください"),
    (r"Invalid value for '(.+)': (.+)", "{0} の値は使えません（{1}）"),
)
# What may stand behind a message: names that resemble the one given.
NEAR = re.compile(r" \(Possible options: (.+)\)| Did you mean (.+)\?| \(Did you mean one of: (.+)\?\)")


def in_japanese(message: str) -> str:
    """A message about arguments in Japanese, or as it is where the table has none."""
    near = NEAR.search(message)
    plain = NEAR.sub("", message).strip().removesuffix(".")
    for pattern, text in MESSAGES:
        if found := re.fullmatch(pattern, plain, re.DOTALL):
            names = "" if near is None else next(filter(None, near.groups())).replace("'", "")
            return text.format(*found.groups()) + (f"（近い名前: {names}）" if names else "")
    return message


@contextmanager
def spoken() -> Iterator[None]:
    """Say in the language that is spoken what is wrong with the arguments, how they are used, and where help is."""
    try:
        yield
    except UsageError as error:
        # No arguments at all: the error is the help.
        if language() == "en" or type(error).__name__ == "NoArgsIsHelpError":
            raise
        ctx = getattr(error, "ctx", None)
        if ctx is not None:
            usage = " ".join(["使い方:", ctx.command_path, *ctx.command.collect_usage_pieces(ctx)])
            typer.echo(f"{usage}\n説明を見るには: {ctx.command_path} --help\n", err=True)
        typer.echo(f"エラー: {in_japanese(error.format_message())}", err=True)  # type: ignore[attr-defined]
        raise typer.Exit(WRONG_ARGUMENTS) from None
