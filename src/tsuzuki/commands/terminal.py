"""Shared by all commands: error messages, exit codes, progress bars, checks of output files."""

import os
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from tsuzuki.errors import DivergedError, FileError, IrregularError, TsuzukiError

if TYPE_CHECKING:
    from tsuzuki.data.readers import Reading

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
) -> "Reading":
    """Read a bundled series, a file, or several files as one, on the grid that is asked for."""
    from tsuzuki.data.resampling import check_freq, on_grid

    grid = grid or Grid()
    check_freq(grid.freq, grid.how)
    found = _read(sources, column, time, covariates)
    if not grid.freq:
        return found
    said = f"{'last value' if grid.how == 'last' else grid.how} of {len(found.frame):,} readings every {grid.freq}"
    return replace(found, frame=on_grid(found.frame, grid.freq, grid.how), resampled=said)


def _read(
    sources: Sequence[str], column: Sequence[str] | None, time: str | None, covariates: Sequence[str]
) -> "Reading":
    from tsuzuki.data import datasets
    from tsuzuki.data.readers import read

    if len(sources) == 1 and sources[0] in datasets.names() and not Path(sources[0]).exists():
        return datasets.load(sources[0], column=[*(column or ()), *covariates], time=time)
    return read(sources, column=column, time=time, covariates=covariates)


def announce_readings(found: "Reading", max_gap: int, merge: bool, quiet: bool) -> None:
    """Say what was read, and refuse what would be merged unasked.

    Raises:
        DataError: as `summary.collected`.
    """
    from tsuzuki.data.summary import collected, describe
    from tsuzuki.data.value_columns import listed

    collection = collected(found, max_gap, merge)
    if not quiet:
        _print(describe(collection))
        if found.resampled:
            _print(f"the {found.resampled}")
        if found.dropped:
            _print(f"not used: {listed(found.dropped)}")


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
        _print(f"{found.name}: {len(found.frame):,} readings, the last of {last}")


def _print(text: str) -> None:
    """Print words, broken where the terminal ends."""
    from rich.console import Console

    Console(highlight=False, markup=False).print(text)


def announce_compilation(quiet: bool) -> None:
    """Compile now if this machine has not done so yet, and announce it."""
    from tsuzuki.engine import machine_code as engine

    if not engine.is_compiled():
        if not quiet:
            typer.echo("compiling for this CPU, once (about 6 s) ...", err=True)
        engine.load()


def bar(what: str, quiet: bool) -> AbstractContextManager[Callable[[float], object]]:
    """A progress bar; call it with each further share of the work."""
    from tsuzuki.training.progress import share_bar

    return nullcontext(lambda share: None) if quiet else share_bar(what)


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


def command_line() -> str:
    """The running command, as typed."""
    return shlex.join(["tsuzuki", *sys.argv[1:]])


@contextmanager
def errors_in_words(debug: bool) -> Iterator[None]:
    """Turn exceptions into one line and an exit code."""
    try:
        yield
    except IrregularError as error:
        if debug:
            raise
        command = f"{command_line()} --freq {error.freq}"
        said = f"error: {error.what}; take the mean of each step (or --resample sum, last, max): {command}"
        typer.echo(said, err=True)
        raise typer.Exit(WRONG_INPUT) from None
    except TsuzukiError as error:
        if debug:
            raise
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(DIVERGED if isinstance(error, DivergedError) else WRONG_INPUT) from None
    except MemoryError as error:
        if debug:
            raise
        said = " ".join(str(error).split()) or "allocation failed"
        typer.echo(f"error: this needs more memory than is available ({said}); choose a smaller network", err=True)
        raise typer.Exit(WRONG_INPUT) from None
    except KeyboardInterrupt:
        if debug:
            raise
        typer.echo("interrupted", err=True)
        raise typer.Exit(INTERRUPTED) from None


def write_json(path: str, outcome: object) -> None:
    """Write a command's result as JSON; - prints it."""
    import json

    from tsuzuki.storage import write_bytes

    text = json.dumps(outcome, indent=1, ensure_ascii=False, allow_nan=False)
    if path == "-":
        typer.echo(text)
    else:
        write_bytes(Path(path), text.encode() + b"\n")
