"""`tsuzuki stream`: readings from standard input, forecasts to standard output, states kept on disk."""

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
from tsuzuki.errors import DataError, SettingError
from tsuzuki.streaming.lines import (
    MAX_LINE,
    LineFormat,
    encoding_of,
    format_of,
    is_plain,
    moment,
    text_of,
    whole_lines,
)

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from tsuzuki.forecaster import Forecaster
    from tsuzuki.streaming.bank import Bank
    from tsuzuki.streaming.state_store import StateStore

CHUNK = 1 << 20
# Below this many series per round of a batch, each line is run separately.
MIN_SERIES_PER_ROUND = 16


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
        rejected = _follow(model, state, format_, new_series, begin_anew or (), future, replay, quiet)
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
    quiet: bool,
) -> int:
    """Read to the end of the input; return how many lines were left out."""
    out = Output()
    from tsuzuki.forecaster import load
    from tsuzuki.forecasting.serialization import model_id
    from tsuzuki.streaming.state_store import StateStore

    forecaster = load(model)
    fitted = forecaster.fitted
    assert fitted is not None
    plan = _plan(forecaster, model, future)
    announce_compilation(quiet)
    with StateStore(state, model_id(fitted), begin_anew) as store:
        bank = _open(forecaster.bank(), store)
        allowed = new_series == "allow" or (new_series == "auto" and len(fitted.ids) == 1)
        follower = _BatchRunner(bank, store, Messages(quiet), allowed, plan, forecaster.settings.columns.past)
        skip, text = store.line if replay else 0, None
        for lines in whole_lines(_chunks(sys.stdin.fileno())):
            if text is None:
                # A byte-order mark belongs to the file, not to its first cell.
                lines[0] = lines[0].removeprefix(b"\xef\xbb\xbf")
                encoding = encoding_of(lines[0][:MAX_LINE])
                first = lines[0][:MAX_LINE].decode(encoding, "replace")
                columns = fitted.source.columns if fitted.source is not None else ()
                text = format_of(first, format_, fitted.ids, bank.horizon, columns, encoding)
                lines = lines[1:] if text.has_header else lines
                out.write(text.header(), store.line)
            passed = min(skip, len(lines))
            skip -= passed
            # Forecasts are written out only after their states are committed.
            found = follower.process(lines[passed:], text)
            follower.messages.print_notes()
            out.write(found, store.line)
        return follower.messages.count


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

    found = read_future(future, needed)
    assert fitted is not None
    if found["unique_id"].nunique() == 1 and found["unique_id"].iloc[0] not in fitted.ids:
        # A file that names no series holds for all of them.
        return pd.concat([found.assign(unique_id=name) for name in fitted.ids], ignore_index=True)
    return found


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


def _chunks(handle: int) -> Iterator[bytes]:
    while chunk := os.read(handle, CHUNK):
        yield chunk


class _BatchRunner:
    """Runs batches of lines through a bank and commits the states to the store."""

    def __init__(
        self,
        bank: "Bank",
        store: "StateStore",
        messages: Messages,
        allowed: bool,
        plan: "pd.DataFrame | None" = None,
        past: Sequence[str] = (),
    ) -> None:
        self._plan, self._past = plan, tuple(past)
        # By the number of its line, what came beside a reading.
        self._beside: dict[int, dict[str, float]] = {}
        if plan is not None and bank.covariates is not None:
            bank.covariates.learn_frame(plan)
        self.bank, self._store, self.messages, self._allowed = bank, store, messages, allowed
        self._zoned = bank.fitted.zone is not None
        self._day_first = None if bank.fitted.source is None else bank.fitted.source.day_first

    def process(self, lines: list[bytes], text: LineFormat) -> str:
        """Forecast after each line; the states are on disk when it returns.

        Returns:
            The output lines, without those left out.
        """
        import numpy as np

        base = self._store.line
        self._beside.clear()
        numbers, names, written, values = self._parse(lines, text, base)
        if not numbers:
            self._store.commit(base + len(lines), ())
            return ""
        stamps, good = self._stamps(written, numbers)
        good = self._known_series(numbers, names, stamps, good)
        which = np.array([self.bank.number(names[i]) for i in good], np.int64)
        readings = np.array([values[i] for i in good], np.float64)
        far = self.bank.recent.too_far(which, readings)
        for at in np.flatnonzero(far).tolist():
            i = good[at]
            self.messages.note(
                numbers[i], f"the reading {readings[at]:g} of series {names[i]!r} is too far away; left out"
            )
        which, readings, good = which[~far], readings[~far], [i for i, out in zip(good, far, strict=True) if not out]
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
        self, lines: list[bytes], text: LineFormat, base: int
    ) -> tuple[list[int], list[str], list[str], list[float]]:
        numbers, names, stamps, values = [], [], [], []
        for at, line in enumerate(lines, start=base + 1):
            if not line.strip():
                continue
            try:
                given = text_of(line, text.encoding)
                name, stamp, value = text.parse(given)
                if self._past:
                    self._beside[at] = text.beside(given, self._past)
            except ValueError as error:
                self.messages.note(at, f"{error}; left out")
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

        plain = [is_plain(one) for one in written]
        if all(plain) and not self._zoned:
            try:
                found = np.array(written, "datetime64[ns]").astype(np.int64)
                return found, list(range(len(written)))
            except ValueError:
                pass
        found, good = np.zeros(len(written), np.int64), []
        for i, one in enumerate(written):
            try:
                found[i], zoned = moment(one, self._day_first)
            except DataError:
                self.messages.note(numbers[i], f"{one[:40]!r} is no time such as 2026-01-31 12:00; left out")
                continue
            if zoned != self._zoned:
                named = "names a time zone, and the model's" if zoned else "names no time zone, but the model's"
                ends = "readings did not" if zoned else "readings did"
                self.messages.note(numbers[i], f"{one[:40]!r} {named} {ends}; left out")
                continue
            good.append(i)
        return found, good

    def _known_series(
        self, numbers: list[int], names: list[str], stamps: "NDArray[np.int64]", good: list[int]
    ) -> list[int]:
        """Add new series to the bank, or leave out their lines; return which lines stay."""
        new: dict[str, int] = {}
        known = []
        for i in good:
            if self.bank.number(names[i]) < 0 and names[i] not in new:
                if not self._allowed:
                    known_not = f"series {names[i][:60]!r} is not known; --new-series allow takes it"
                    self.messages.note(numbers[i], f"{known_not}; left out")
                    continue
                new[names[i]] = int(stamps[i]) - self.bank.fitted.step
            known.append(i)
        if new:
            self.bank = self.bank.grown(list(new), new)
            if self._plan is not None and self.bank.covariates is not None:
                self.bank.covariates.learn_frame(self._plan)
        return known

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
        few = len(turns) > 1 and len(which) < MIN_SERIES_PER_ROUND * len(turns)
        # What is not known ahead of one series is no matter of the others.
        if few or self.bank.covariates is not None:
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
                cursor.past = self._beside.pop(numbers[at], None)
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
