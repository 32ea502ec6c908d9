"""`tsuzuki stream`: readings from standard input, forecasts to standard output, states kept on disk."""

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tsuzuki.commands.options import Debug
from tsuzuki.commands.plotting import Lang
from tsuzuki.commands.stream_output import Messages, Output
from tsuzuki.commands.terminal import WRONG_INPUT, announce_compilation, errors_in_words
from tsuzuki.commands.texts import said
from tsuzuki.errors import SettingError
from tsuzuki.streaming.lines import (
    MAX_LINE,
    encoding_of,
    format_of,
    whole_lines,
)

if TYPE_CHECKING:
    import pandas as pd

    from tsuzuki.forecaster import Forecaster

CHUNK = 1 << 20


def stream(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A file that `tsuzuki fit` wrote.")],
    state: Annotated[str, typer.Option("--state", metavar="DIR", help="The folder that keeps the states.")],
    format_: Annotated[
        str, typer.Option("--format", help="csv, ndjson, or auto: recognised from the first line.")
    ] = "auto",
    new_series: Annotated[
        str,
        typer.Option(
            "--new-series",
            help="allow or refuse names that neither model nor states know; auto: allow them where the model was "
            "trained on a single series.",
        ),
    ] = "auto",
    begin_anew: Annotated[
        list[str] | None,
        typer.Option("--begin-anew", metavar="NAME", help="Drop the state of this series, which may be damaged."),
    ] = None,
    future: Annotated[
        str,
        typer.Option("--future", metavar="FILE", help="The columns known ahead, at the times to forecast."),
    ] = "",
    replay: Annotated[
        bool, typer.Option("--replay", help="The input starts from its beginning: skip lines already processed.")
    ] = False,
    workers: Annotated[
        int, typer.Option("--workers", metavar="N", help="Processes that compute side by side, each some series.")
    ] = 1,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print no messages about single lines.")] = False,
    lang: Lang = "",
    debug: Debug = False,
) -> None:
    """Forecast after every reading, and keep the states on disk."""
    with errors_in_words(debug, lang):
        if format_ not in ("auto", "csv", "ndjson"):
            raise SettingError(f"--format is {format_!r}; choose csv, ndjson or auto")
        if new_series not in ("auto", "allow", "refuse"):
            raise SettingError(f"--new-series is {new_series!r}; choose allow, refuse or auto")
        if workers < 1:
            raise SettingError(f"--workers is {workers}; give a whole number from 1")
        rejected = _follow(model, state, format_, new_series, begin_anew or (), future, replay, workers, quiet)
        if rejected:
            typer.echo(said("line left out" if rejected == 1 else "lines left out", count=rejected), err=True)
            raise typer.Exit(WRONG_INPUT)


def _follow(
    model: str,
    state: str,
    format_: str,
    new_series: str,
    begin_anew: Sequence[str],
    future: str,
    replay: bool,
    workers: int,
    quiet: bool,
) -> int:
    """Read to the end of the input; return how many lines were left out."""
    out = Output()
    from tsuzuki.distributed.line_workers import LineWorkers, RunnerSettings
    from tsuzuki.forecaster import load
    from tsuzuki.forecasting.serialization import model_id
    from tsuzuki.streaming.state_store import StateStore

    forecaster = load(model)
    fitted, settings = forecaster.fitted, forecaster.settings
    assert fitted is not None
    allowed = new_series == "allow" or (new_series == "auto" and len(fitted.ids) == 1)
    made_of = RunnerSettings(fitted, settings, allowed, _plan(forecaster, model, future))
    messages = Messages(quiet)
    announce_compilation(quiet)
    with contextlib.ExitStack() as until_the_end:
        store = until_the_end.enter_context(StateStore(state, model_id(fitted), begin_anew))
        if workers == 1:
            run = made_of.runner(store.load()).run
        else:
            run = until_the_end.enter_context(LineWorkers(made_of, workers, store.load)).run
        skip, text = store.line if replay else 0, None
        for lines in whole_lines(_chunks(sys.stdin.fileno())):
            if text is None:
                # A byte-order mark belongs to the file, not to its first cell.
                lines[0] = lines[0].removeprefix(b"\xef\xbb\xbf")
                encoding = encoding_of(lines[0][:MAX_LINE])
                first = lines[0][:MAX_LINE].decode(encoding, "replace")
                columns = fitted.source.columns if fitted.source is not None else ()
                text = format_of(first, format_, fitted.ids, settings.horizon, columns, encoding)
                lines = lines[1:] if text.has_header else lines
                out.write(text.header(), store.line)
            passed = min(skip, len(lines))
            skip -= passed
            lines = lines[passed:]
            last = store.line + len(lines)
            batch = run(range(store.line + 1, last + 1), lines, text)
            # Forecasts are written out only after their states are committed.
            store.commit(last, ((name, last, time, missed, one) for name, time, missed, one in batch.states))
            messages.print_notes(batch.notes)
            out.write("\n".join([*batch.forecasts, ""]), store.line)
        return messages.count


def _plan(forecaster: "Forecaster", model: str, future: str) -> "pd.DataFrame | None":
    """The columns known ahead from a file, which series that it does not name have in common."""
    from tsuzuki.data.readers import read_future

    needed, fitted = forecaster.settings.columns.given_ahead, forecaster.fitted
    if bool(needed) != bool(future):
        if future:
            raise SettingError(f"{model} reads no columns known ahead; leave out --future, or fit it with --known")
        raise SettingError(
            f"{model} reads columns known ahead: {', '.join(needed)}; give them in a file: --future FILE"
        )
    if not future:
        return None
    import pandas as pd

    if future == "-":
        raise SettingError("standard input brings the lines; give the columns known ahead in a file: --future FILE")
    assert fitted is not None
    found = read_future(future, needed, day_first=None if fitted.source is None else fitted.source.day_first)
    if found["unique_id"].nunique() == 1 and found["unique_id"].iloc[0] not in fitted.ids:
        # A file that names no series holds for all of them.
        return pd.concat([found.assign(unique_id=name) for name in fitted.ids], ignore_index=True)
    return found


def _chunks(handle: int) -> Iterator[bytes]:
    while chunk := os.read(handle, CHUNK):
        yield chunk


EXAMPLES: Sequence[tuple[Any, str]] = (
    (stream, "Example: tail -f live.csv | tsuzuki stream model.tsuzuki --state states"),
)
