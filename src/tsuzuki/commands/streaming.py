"""`tsuzuki stream`: readings from standard input, forecasts to standard output, states kept on disk."""

import csv
import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tsuzuki.commands.terminal import WRONG_INPUT, announce_compilation, errors_in_words
from tsuzuki.errors import DataError, SettingError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tsuzuki.streaming.bank import Bank
    from tsuzuki.streaming.state_store import StateStore

CHUNK = 1 << 20
# The number of messages about single lines shown; further ones are only counted.
MAX_MESSAGES = 20
# Below this many series per round of a batch, each line is run separately.
MIN_SERIES_PER_ROUND = 16


def stream(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A file that `tsuzuki fit` wrote.")],
    state: Annotated[str, typer.Option("--state", metavar="DIR", help="The folder that keeps the states.")],
    format_: Annotated[
        str, typer.Option("--format", help="csv, ndjson, or auto: recognised from the first line.")
    ] = "auto",
    replay: Annotated[
        bool, typer.Option("--replay", help="The input starts from its beginning: skip lines already processed.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print no messages about single lines.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error comes from.")] = False,
) -> None:
    """Forecast after every reading, and keep the states on disk."""
    with errors_in_words(debug):
        if format_ not in ("auto", "csv", "ndjson"):
            raise SettingError(f"--format is {format_!r}; choose csv, ndjson or auto")
        rejected = _follow(model, state, format_, replay, quiet)
        if rejected:
            typer.echo("1 line was left out" if rejected == 1 else f"{rejected:,} lines were left out", err=True)
            raise typer.Exit(WRONG_INPUT)


def _follow(model: str, state: str, format_: str, replay: bool, quiet: bool) -> int:
    """Read to the end of the input; return how many lines were left out."""
    from tsuzuki.forecaster import load
    from tsuzuki.forecasting.serialization import model_id
    from tsuzuki.streaming.state_store import StateStore

    forecaster = load(model)
    fitted = forecaster.fitted
    assert fitted is not None
    announce_compilation(quiet)
    with StateStore(state, model_id(fitted)) as store:
        bank = _open(forecaster.bank(), store)
        follower = _BatchRunner(bank, store, _Messages(quiet))
        skip, out, text = store.line if replay else 0, sys.stdout, None
        first = True
        for lines in _batches(sys.stdin.fileno()):
            if text is None:
                text = _LineFormat(
                    "ndjson"
                    if format_ == "auto" and lines[0].lstrip().startswith("{")
                    else ("csv" if format_ == "auto" else format_),
                    bank.horizon,
                )
            if first and text.is_header(lines[0]):
                lines = lines[1:]
            if first:
                out.write(text.header())
                first = False
            passed = min(skip, len(lines))
            skip -= passed
            # Forecasts are written out only after their states are committed.
            out.write(follower.process(lines[passed:], text))
            out.flush()
            follower.messages.print_notes()
        return follower.messages.count


def _open(bank: "Bank", store: "StateStore") -> "Bank":
    """Restore a bank from the store."""
    import numpy as np

    stored = store.load()
    new = [name for name, *_ in stored if bank.number(name) < 0]
    if new:
        bank = bank.grown(new, {name: time for name, time, _, _ in stored})
    if stored:
        which = np.array([bank.number(name) for name, *_ in stored])
        stamps = np.array([time for _, time, _, _ in stored], np.int64).astype("datetime64[ns]")
        missing = np.array([missed for _, _, missed, _ in stored], np.int64)
        bank.restore(which, np.stack([one for *_, one in stored]), stamps, missing)
    return bank


def _batches(handle: int) -> Iterator[list[str]]:
    """Complete lines as they arrive, without waiting for more."""
    rest = b""
    while chunk := os.read(handle, CHUNK):
        *lines, rest = (rest + chunk).split(b"\n")
        if lines:
            yield [line.decode("utf-8", "replace").rstrip("\r") for line in lines]
    if rest.strip():
        yield [rest.decode("utf-8", "replace").rstrip("\r")]


@dataclass
class _Messages:
    """Messages about lines that are left out."""

    quiet: bool
    count: int = 0
    _waiting: list[tuple[int, str]] = field(default_factory=list)

    def note(self, line: int, text: str) -> None:
        """Note why a line is left out."""
        self._waiting.append((line, text))

    def refuse(self, line: int, error: DataError) -> None:
        """Note why a reading is refused."""
        self.note(line, f"{str(error).rpartition(';')[0]}; left out")

    def print_notes(self) -> None:
        """Print the notes in the order of the lines, up to the limit."""
        for line, text in sorted(self._waiting):
            self.count += 1
            if not self.quiet and self.count <= MAX_MESSAGES:
                typer.echo(f"line {line}: {text}", err=True)
                if self.count == MAX_MESSAGES:
                    typer.echo("further lines are only counted", err=True)
        self._waiting.clear()


@dataclass
class _LineFormat:
    """The format of input and output lines.

    Attributes:
        kind: csv or ndjson.
        horizon: forecasts of a line.
    """

    kind: str
    horizon: int

    def is_header(self, line: str) -> bool:
        """Whether a first line names columns."""
        return self.kind == "csv" and [cell.strip() for cell in line.split(",")][:3] == ["unique_id", "ds", "y"]

    def header(self) -> str:
        """The header line of the output."""
        if self.kind == "ndjson":
            return ""
        return ",".join(["line", "unique_id", "ds", *(f"tsuzuki-{h + 1}" for h in range(self.horizon))]) + "\n"

    def parse(self, line: str) -> tuple[str, str, float]:
        """A line's unique_id, ds and y (NaN where empty).

        Raises:
            ValueError: the line is malformed.
        """
        if self.kind == "csv":
            name, stamp, y = line.split(",") if '"' not in line else next(csv.reader([line]))
            return name, stamp, float(y) if y.strip() not in ("", "nan", "NA", "null") else float("nan")
        found = json.loads(line)
        y = found["y"]
        return str(found["unique_id"]), str(found["ds"]), float("nan") if y is None else float(y)

    def render(self, line: int, name: str, stamp: str, forecast: Sequence[float]) -> str:
        """A line of output."""
        if self.kind == "csv":
            if "," in name or '"' in name:
                name = '"' + name.replace('"', '""') + '"'
            return f"{line},{name},{stamp}," + ",".join(map("{:.6g}".format, forecast))
        rounded = [float(f"{value:.6g}") for value in forecast]
        return json.dumps({"line": line, "unique_id": name, "ds": stamp, "tsuzuki": rounded}, ensure_ascii=False)


class _BatchRunner:
    """Runs batches of lines through a bank and commits the states to the store."""

    def __init__(self, bank: "Bank", store: "StateStore", messages: _Messages) -> None:
        self.bank, self._store, self.messages = bank, store, messages

    def process(self, lines: list[str], text: _LineFormat) -> str:
        """Forecast after each line; the states are on disk when it returns.

        Returns:
            The output lines, without those left out.
        """
        import numpy as np

        base = self._store.line
        numbers, names, written, values = self._parse(lines, text, base)
        if not numbers:
            self._store.commit(base + len(lines), ())
            return ""
        stamps, good = self._stamps(written, numbers)
        self._add_new_series([names[i] for i in good], stamps[good])
        which = np.array([self.bank.number(names[i]) for i in good], np.int64)
        readings = np.array([values[i] for i in good], np.float64)
        found, taken = self._run(which, stamps[good], readings, [numbers[i] for i in good])
        touched = np.unique(which[taken])
        states, last = self.bank.state_of(touched), base + len(lines)
        rows = zip(
            (self.bank.ids[i] for i in touched),
            (last for _ in touched),
            self.bank.stamps[touched].astype(np.int64).tolist(),
            self.bank.missing[touched].tolist(),
            (state.tobytes() for state in states),
            strict=True,
        )
        self._store.commit(last, rows)
        shown = [good[i] for i in np.flatnonzero(taken)]
        forecasts = found[taken].tolist()
        return "".join(
            text.render(numbers[i], names[i], written[i], forecast) + "\n"
            for i, forecast in zip(shown, forecasts, strict=True)
        )

    def _parse(
        self, lines: list[str], text: _LineFormat, base: int
    ) -> tuple[list[int], list[str], list[str], list[float]]:
        numbers, names, stamps, values = [], [], [], []
        for at, line in enumerate(lines, start=base + 1):
            try:
                name, stamp, value = text.parse(line)
            except (ValueError, KeyError, TypeError):
                if line.strip():
                    self.messages.note(at, f"{line[:60]!r} is not unique_id,ds,y; left out")
                continue
            if value in (float("inf"), float("-inf")):
                self.messages.note(at, f"the reading of series {name!r} is infinite; left out")
                continue
            numbers.append(at)
            names.append(name)
            stamps.append(stamp)
            values.append(value)
        return numbers, names, stamps, values

    def _stamps(self, written: list[str], numbers: list[int]) -> "tuple[NDArray[np.int64], list[int]]":
        """Times in nanoseconds since 1970, and which lines have one."""
        import numpy as np

        from tsuzuki.streaming.cursor import nanoseconds

        try:
            stamps = np.array(written, "datetime64[ns]")
        except ValueError:
            stamps = np.full(len(written), "NaT", "datetime64[ns]")
        found, good = stamps.astype(np.int64), list(range(len(written)))
        # NumPy accepts an empty time.
        for i in np.flatnonzero(np.isnat(stamps)).tolist():
            try:
                found[i] = nanoseconds(written[i].strip())
            except DataError:
                self.messages.note(numbers[i], f"{written[i][:40]!r} is no time such as 2026-01-31 12:00; left out")
                good.remove(i)
        return found, good

    def _add_new_series(self, names: list[str], stamps: "NDArray[np.int64]") -> None:
        """Add new series to the bank."""
        new: dict[str, int] = {}
        for name, stamp in zip(names, stamps.tolist(), strict=True):
            if name not in new and self.bank.number(name) < 0:
                new[name] = stamp - self.bank.fitted.step
        if new:
            self.bank = self.bank.grown(list(new), new)

    def _run(
        self,
        which: "NDArray[np.int64]",
        stamps: "NDArray[np.int64]",
        values: "NDArray[np.float64]",
        numbers: list[int],
    ) -> "tuple[NDArray[np.float32], NDArray[np.bool_]]":
        """Forecasts after each line [lines, horizon], and which lines were accepted (not late, no duplicate)."""
        import numpy as np

        found = np.zeros((len(which), self.bank.horizon), np.float32)
        taken = np.zeros(len(which), bool)
        # Run the first lines of all series together, then the second ones, and so on.
        order = np.argsort(which, kind="stable")
        begins = np.flatnonzero(np.concatenate([[True], np.diff(which[order]) != 0]))
        rank = np.empty(len(which), np.int64)
        rank[order] = np.arange(len(which)) - np.repeat(begins, np.diff(np.append(begins, len(which))))
        turns = np.bincount(rank)
        if len(turns) > 1 and len(which) < MIN_SERIES_PER_ROUND * len(turns):
            self._run_separately(which, stamps.tolist(), values.tolist(), numbers, found, taken)
            return found, taken
        for some in np.split(np.argsort(rank, kind="stable"), np.cumsum(turns)[:-1]):
            ready = self._advance_to(which[some], stamps[some], [numbers[i] for i in some])
            some = some[ready]
            if len(some):
                self.bank.advance(which[some], values[some])
                found[some] = self.bank.forecasts(which[some])
                taken[some] = True
        return found, taken

    def _run_separately(
        self,
        which: "NDArray[np.int64]",
        stamps: list[int],
        values: list[float],
        numbers: list[int],
        found: "NDArray[np.float32]",
        taken: "NDArray[np.bool_]",
    ) -> None:
        """`_run` for few series with many lines each."""
        from tsuzuki.streaming.cursor import Cursor

        cursors = {number: Cursor(self.bank, number) for number in set(which.tolist())}
        for at, number in enumerate(which.tolist()):
            cursor = cursors[number]
            try:
                cursor.reach(stamps[at])
                cursor.take(values[at])
            except DataError as error:
                self.messages.refuse(numbers[at], error)
                continue
            found[at] = cursor.forecast()
            taken[at] = True
        for cursor in cursors.values():
            cursor.settle()

    def _advance_to(
        self, which: "NDArray[np.int64]", stamps: "NDArray[np.int64]", numbers: list[int]
    ) -> "NDArray[np.bool_]":
        """Advance over missed steps; return which readings are due now."""
        import numpy as np

        from tsuzuki.streaming.upcoming_calendar import GRID_TOLERANCE, steps_due

        bank = self.bank
        ahead = (stamps - bank.stamps[which].astype(np.int64)) / bank.fitted.step
        due = np.abs(ahead - 1) <= GRID_TOLERANCE
        for i in np.flatnonzero(~due):
            number = int(which[i])
            try:
                missed = steps_due(bank.fitted, bank.ids[number], bank.now(number), int(stamps[i])) - 1
            except DataError as error:
                self.messages.refuse(numbers[i], error)
                continue
            due[i] = True
            if missed > bank.settings.max_gap:
                bank.jump(number, missed)
            else:
                for _ in range(missed):
                    bank.advance(which[i : i + 1], np.array([np.nan]))
        return due


EXAMPLES: Sequence[tuple[Any, str]] = (
    (stream, "Example: tail -f live.csv | tsuzuki stream model.tsuzuki --state states"),
)
