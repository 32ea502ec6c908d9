"""Shared by all commands: error messages, exit codes, progress bars, checks of output files."""

import io
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from tsuzuki.commands import japanese, japanese_errors
from tsuzuki.commands.texts import folded, language, said, use
from tsuzuki.errors import DivergedError, FileError, IrregularError, TsuzukiError

if TYPE_CHECKING:
    from tsuzuki.data.readers import Reading
    from tsuzuki.data.series import Collection

WRONG_INPUT, DIVERGED, INTERRUPTED = 2, 3, 130


@dataclass(frozen=True)
class Grid:
    """The grid that a user asks for: its step, empty for the readings' own, and what is taken of those in a step."""

    freq: str = ""
    how: str = "mean"


def reading(
    sources: Sequence[str],
    column: Sequence[str] | None,
    time: str | None,
    covariates: Sequence[str] = (),
    grid: Grid | None = None,
    day_first: bool | None = None,
) -> "Reading":
    """Read a bundled series, a file, or several files as one, on the grid that is asked for."""
    from tsuzuki.data.resampling import check_freq, on_grid

    grid = grid or Grid()
    check_freq(grid.freq, grid.how)
    found = _read(sources, column, time, covariates, day_first)
    if not grid.freq:
        return found
    how = said("resampled how", how=said(grid.how), count=len(found.frame), freq=grid.freq)
    return replace(found, frame=on_grid(found.frame, grid.freq, grid.how), resampled=how)


def _read(
    sources: Sequence[str],
    column: Sequence[str] | None,
    time: str | None,
    covariates: Sequence[str],
    day_first: bool | None,
) -> "Reading":
    from tsuzuki.data import datasets

    if _is_bundled(sources):
        return datasets.load(sources[0], column=[*(column or ()), *covariates], time=time)
    from tsuzuki.data.readers import read

    return read(sources, column=column, time=time, covariates=covariates, day_first=day_first)


def _is_bundled(sources: Sequence[str]) -> bool:
    from tsuzuki.data import datasets

    return len(sources) == 1 and sources[0] in datasets.names() and not Path(sources[0]).exists()


def series_of(
    sources: Sequence[str],
    column: Sequence[str] | None,
    time: str | None,
    grid: Grid,
    max_gap: int,
    merge: bool,
) -> "Collection":
    """Read series on their grids, with times by their clocks; a bundled one without importing pandas.

    Args:
        sources: as for `reading`.
        column: likewise.
        time: likewise.
        grid: likewise.
        max_gap: longest gap in steps that is interpolated.
        merge: whether means of any number of readings are wanted.

    Raises:
        DataError: as `summary.collected`.
    """
    from tsuzuki.data import datasets
    from tsuzuki.data.resampling import check_freq
    from tsuzuki.data.series import collect_readings
    from tsuzuki.data.summary import collected

    check_freq(grid.freq, grid.how)
    if not grid.freq and _is_bundled(sources):
        (name,) = sources
        readings = datasets.load_readings(name, column=column or (), time=time)
        return collect_readings(name, readings, unit=datasets.UNITS[name], max_gap=max_gap)
    return collected(reading(sources, column, time, grid=grid), max_gap, merge).by_clock()


def announce_readings(found: "Reading", max_gap: int, merge: bool, quiet: bool) -> None:
    """Say what was read, and refuse what would be merged unasked.

    Raises:
        DataError: as `summary.collected`.
    """
    from tsuzuki.data.summary import collected, describe
    from tsuzuki.data.value_columns import listed

    collection = collected(found, max_gap, merge)
    if not quiet:
        spoken = japanese.describe if language() == "ja" else describe
        _print(spoken(collection))
        if found.resampled:
            _print(said("resampled", how=found.resampled))
        if found.dropped:
            _print(said("not used", columns=listed(found.dropped)))


def announce_newer(found: "Reading", max_gap: int, merge: bool, quiet: bool) -> None:
    """Say what was read beyond a model's data, of which there may be too little to tell a grid from.

    Raises:
        DataError: as `summary.collected`.
    """
    counts = found.frame.groupby("unique_id")["ds"].nunique()
    if (counts >= 3).all() and found.frame.groupby("unique_id")["y"].nunique().gt(1).all():
        announce_readings(found, max_gap, merge, quiet)
    elif not quiet:
        last = str(found.zoned["ds"].max())
        _print(said("newer", name=found.name, count=len(found.frame), last=last))


def _print(text: str) -> None:
    """Print words, broken where the terminal ends."""
    from rich.console import Console

    console = Console(highlight=False, markup=False)
    console.print(folded(text, console.width))


def announce_compilation(quiet: bool) -> None:
    """Compile now if this machine has not done so yet, and announce it."""
    from tsuzuki.engine import machine_code as engine

    if not engine.is_compiled():
        if not quiet:
            typer.echo(said("compiling"), err=True)
        engine.load()


def bar(what: str, quiet: bool) -> AbstractContextManager[Callable[[float], object]]:
    """A progress bar; call it with each further share of the work."""
    from tsuzuki.training.progress import share_bar

    return nullcontext(lambda share: None) if quiet else share_bar(said(what))


def check_targets(targets: Mapping[str, str | None], sources: Sequence[str | None]) -> None:
    """Check that output files can be written, before hours of training.

    Args:
        targets: the file that each option names, or None; - is the terminal for --json and --csv.
        sources: input files, which must not be overwritten.

    Raises:
        FileError: a folder, a missing or read-only folder, an input file, or a file that another option names too.
    """
    taken = {path.resolve(): "the file that is read" for source in sources if source for path in _meant(source)}
    for option, name in targets.items():
        if name is None or (name == "-" and option in ("--json", "--csv")):
            continue
        if name == "-":
            raise FileError(f"{option} cannot be printed; name a file")
        path = Path(str(name))
        if path.is_dir():
            raise FileError(f"{option} names {path}, which is a folder; name a file in it")
        if not path.parent.is_dir():
            raise FileError(f"{option} names {path}, but there is no folder {path.parent}; make it first")
        if not os.access(path.parent, os.W_OK):
            raise FileError(f"{option} names {path}, but {path.parent} cannot be written; name another folder")
        if path.resolve() in taken:
            raise FileError(f"{option} names {path}, which is {taken[path.resolve()]}; name another file")
        taken[path.resolve()] = f"that of {option}"


def _meant(source: str) -> list[Path]:
    """The files that a name, a pattern or a folder means, as far as there are any."""
    from tsuzuki.data.files import named

    try:
        return named(source)
    except FileError:
        return [Path(source)]


def log_to_stderr() -> None:
    """Write the log of this library to standard error, from the level in TSUZUKI_LOG on; warnings where it is unset."""
    import logging

    named = os.environ.get("TSUZUKI_LOG", "")
    level = logging.getLevelNamesMapping().get(named.upper())
    if level is not None:
        logging.basicConfig(format="%(asctime)s %(name)s %(levelname)s %(message)s")
        logging.getLogger("tsuzuki").setLevel(level)
    elif named:
        typer.echo(f"error: TSUZUKI_LOG is {named!r} in the environment; set it to debug, info or warning", err=True)
        raise SystemExit(WRONG_INPUT)


def never_fail_to_print() -> None:
    """Letters that an old encoding of the terminal lacks (µ in cp932, Japanese in cp1252) become question marks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and not stream.encoding.lower().startswith("utf"):
            stream.reconfigure(errors="replace")


def print_data(text: str) -> None:
    """Print what another program is to read: in UTF-8 whatever the terminal's encoding, as in a file."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")
    typer.echo(text, nl=False)


def command_line() -> str:
    """The running command, as typed."""
    words = ["tsuzuki", *sys.argv[1:]]
    return subprocess.list2cmdline(words) if sys.platform == "win32" else shlex.join(words)


@contextmanager
def errors_in_words(debug: bool, lang: str = "") -> Iterator[None]:
    """Speak the language that is asked for, and turn exceptions into one line and an exit code."""
    try:
        use(lang)
        yield
    except IrregularError as error:
        if debug:
            raise
        command = f"{command_line()} --freq {error.freq}"
        _complain(f"{error.what}; take the mean of each step (or --resample sum, last, max): {command}")
        raise typer.Exit(WRONG_INPUT) from None
    except TsuzukiError as error:
        if debug:
            raise
        _complain(str(error))
        raise typer.Exit(DIVERGED if isinstance(error, DivergedError) else WRONG_INPUT) from None
    except MemoryError as error:
        if debug:
            raise
        what = " ".join(str(error).split()) or "allocation failed"
        _complain(f"this needs more memory than is available ({what}); choose a smaller network")
        raise typer.Exit(WRONG_INPUT) from None
    except KeyboardInterrupt:
        if debug:
            raise
        typer.echo(said("interrupted"), err=True)
        raise typer.Exit(INTERRUPTED) from None


def _complain(message: str) -> None:
    typer.echo(said("error", said=in_words(message)), err=True)


def in_words(message: str) -> str:
    """A message in the language that is spoken."""
    return japanese_errors.error(message) if language() == "ja" else message


def write_json(path: str, outcome: object) -> None:
    """Write a command's result as JSON; - prints it."""
    import json

    from tsuzuki.storage import write_bytes

    text = json.dumps(outcome, indent=1, ensure_ascii=False, allow_nan=False)
    if path == "-":
        print_data(f"{text}\n")
    else:
        write_bytes(Path(path), text.encode() + b"\n")
