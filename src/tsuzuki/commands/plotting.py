"""`tsuzuki plot`: a picture of a series; and the options and functions shared by commands with a report."""

from pathlib import Path
from typing import Annotated, Any

import typer

from tsuzuki.commands.options import Column, Freq, Resample, Sources, Time
from tsuzuki.commands.terminal import Grid, check_targets, command_line, errors_in_words, series_of
from tsuzuki.commands.texts import language, said
from tsuzuki.errors import SettingError

Report = Annotated[str | None, typer.Option(metavar="PATH", help="Write a report as one HTML file.")]
Lang = Annotated[str, typer.Option(help="Language, en or ja; that of the environment if not given.")]


def plot(
    source: Sources,
    column: Column = None,
    time: Time = None,
    max_gap: Annotated[int, typer.Option(help="Longest gap in steps that is interpolated.")] = 24,
    freq: Freq = "",
    resample: Resample = "mean",
    html: Annotated[str | None, typer.Option(metavar="PATH", help="Write an HTML page.")] = None,
    png: Annotated[str | None, typer.Option(metavar="PATH", help="Write a PNG picture.")] = None,
    lang: Lang = "",
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error comes from.")] = False,
) -> None:
    """Draw a series with its gaps and segments."""
    with errors_in_words(debug, lang):
        from tsuzuki.report import png as drawing
        from tsuzuki.report.page import check
        from tsuzuki.storage import write_bytes

        if max_gap < 0:
            raise SettingError(f"--max-gap is {max_gap}; give a number of steps from 0")
        check_targets({"--html": html, "--png": png}, source)
        if png is not None:
            drawing.check_png()
        if html is not None or png is None:
            check(option="tsuzuki plot")
        collection = series_of(source, column, time, Grid(freq, resample), max_gap, merge=True)
        if png is not None:
            write_bytes(Path(png), drawing.png(collection, language()))
            typer.echo(said("written", path=png))
            say_lacking([collection.name, collection.unit or "", *(one.name for one in collection.series)])
        if html is not None:
            write_bytes(Path(html), _page(collection, language()).encode())
            typer.echo(said("written", path=html))
        if html is None and png is None:
            _show(_page(collection, language()))


def _page(collection: Any, lang: str) -> str:
    from tsuzuki.report import series_page

    return series_page(collection, command=command_line(), lang=lang)


def _show(page: str) -> None:
    """Write a page to a temporary file, print its path, and open it in a browser if there is a screen."""
    import tempfile
    import webbrowser

    with tempfile.NamedTemporaryFile("w", prefix="tsuzuki-", suffix=".html", delete=False, encoding="utf-8") as file:
        file.write(page)
    typer.echo(said("written", path=file.name))
    if has_screen():
        webbrowser.open(Path(file.name).as_uri())


def has_screen() -> bool:
    """Whether there is a screen for a browser."""
    import os
    import sys

    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def check_report(path: str | None) -> None:
    """Check before training that --report can be written."""
    if path is not None:
        from tsuzuki.report import check

        check()


def write_report(path: str, page: str, quiet: bool) -> None:
    """Write a page, and print its path unless quiet."""
    from tsuzuki.storage import write_bytes

    write_bytes(Path(path), page.encode())
    if not quiet:
        typer.echo(said("report", path=path), err=True)


def say_lacking(names: list[str]) -> None:
    """Say which letters of names a picture lacks."""
    from tsuzuki.report.png import lacking

    if letters := lacking(names, language()):
        typer.echo(said("no font", letters=letters[:8]), err=True)


EXAMPLES = ((plot, "Example: tsuzuki plot readings.csv --column temperature --png series.png"),)
