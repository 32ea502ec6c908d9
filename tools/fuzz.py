"""Bent input for whatever reads input: it is read to the right values, or refused in one line, and nothing else.

    python tools/fuzz.py                  a minute for each kind
    python tools/fuzz.py 600 --seed 7     ten minutes for each
    python tools/fuzz.py 60 --only lines --only stores
    python tools/fuzz.py 3600 --count 10000     so many of each
    python tools/fuzz.py 600 --count 10000 --jobs 16

Input is built whole and then bent where it has structure (a cell, a bound, a fact under a digest that is made anew),
and sometimes cut or flipped. What is read is compared: tables with `tests/strict_reader.py`, lines with a line's plain
form, batches of nearly plain lines and readings of one series with what the slow ways make of them, stores with what
was written, models and checkpoints with what they must be able to do.
"""

import argparse
import contextlib
import functools
import io
import json
import math
import random
import re
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from side_by_side import gathered, pieces, tool  # noqa: E402

from strict_reader import Refused, strict, strict_line  # noqa: E402
from tsuzuki.data.readers import read  # noqa: E402
from tsuzuki.data.segments import Segment  # noqa: E402
from tsuzuki.errors import TsuzukiError  # noqa: E402
from tsuzuki.forecaster import Forecaster, load  # noqa: E402
from tsuzuki.layouts.streams import Streams  # noqa: E402
from tsuzuki.network.initialisers import initialise  # noqa: E402
from tsuzuki.network.layers import GRU, Dense  # noqa: E402
from tsuzuki.network.network import Network  # noqa: E402
from tsuzuki.storage import pack, unpack  # noqa: E402
from tsuzuki.streaming import line_runner  # noqa: E402
from tsuzuki.streaming.line_runner import LineRunner  # noqa: E402
from tsuzuki.streaming.lines import LineFormat, format_of  # noqa: E402
from tsuzuki.streaming.plain_lines import plain_readings  # noqa: E402
from tsuzuki.streaming.quick_reading import takes_none  # noqa: E402
from tsuzuki.streaming.state_file import adopt, arrays_of  # noqa: E402
from tsuzuki.streaming.state_store import NAME, StateStore  # noqa: E402
from tsuzuki.streaming.stream import Stream  # noqa: E402
from tsuzuki.training.fit import fit  # noqa: E402

# No input is worth so many seconds.
LIMIT = 60
CELLS = (
    "", "NA", "-", "nan", "1e39", "-1e39", "1e-320", "inf", "1_000", "1,5", "1.5", "1.5.5", "--1", "１２", "0x10", "+",
    "now", "today", "2020-02-30", "2020-02-01 24:00", "9000-01-01", "1600-01-01", "0001-01-01", "2020-02-01T05:00Z",
    "13/02/2020", "01/02/2020", "2020-02-01 05:00+09:00", "2020年2月1日", "\ufeff", "\x00", "\ud800", "a" * 3000,
    '"', '""', "'", ";", "\t", "1" * 400, "[" * 2000,
)  # fmt: skip
ODD = (
    None, True, False, 7, -0.0, 2**80, 1e-320, 3e38, 4e38, 1e300, math.nan, math.inf, -math.inf, np.float64(2.5),
    np.float64(math.nan), np.float32(1.5), np.int64(3), np.array(2.0), np.array([1.0]), [], {}, b"1", "1.5", 1j,
)  # fmt: skip
VALUES = (
    0,
    -1,
    1,
    2**31,
    2**63,
    -(2**63),
    1e308,
    math.nan,
    math.inf,
    None,
    "",
    "x",
    [],
    {},
    [[]],
    True,
    "\ud800",
    "9" * 5000,
)
# Nearly as plain as what is read at once: names, times and numbers.
NEAR = (
    (
        "s0", "s1", "東京", "s 0", " s0", "s0 ", "s\u30000", "s0\u3000", "s\u2028", "s\x85", "s\x1c", "", 's"0"', "s'0",
    ),
    (
        "2024-01-06", "2024-01-06T05", "2024-01-06 05:30", "2024-01-06 05:30:00.5", "2024-02-30", "2024-13-01",
        "2024-01-06 24:00", "2024-01-06 05:60", "2024-01-06 5:00", "2024-1-06", "1677-12-31", "2262-01-01",
        "9999-12-31", "２024-01-06", "2024-01-06 ", "2024-01-06Z", "2024-01-06 05:30:00.1234567891", "2024-01-06 05:",
    ),
    (
        "1.", "+1", "-0", "-0.0", "00012.5", "1" * 20, "1" * 21, "9" * 38, "9" * 39, ".5", "-.5", "1e5", "１", "1.5 ",
        " 1.5", "1_0", "0." + "1" * 20, "0." + "1" * 21, "+-1", "1.5.5", "1,5", "0x1", "nan", "inf", "", "1\x1c",
    ),
)  # fmt: skip
PLAIN = re.compile(r"(s[0-9]),(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),(-?\d+\.\d+)")


class Wrong(Exception):  # noqa: N818
    """Input was read to something that it does not say."""


def bent_bytes(draw: random.Random, content: bytes) -> bytes:
    """Some bytes flipped, cut off, doubled or put elsewhere."""
    found = bytearray(content)
    for _ in range(draw.randint(1, 4)):
        at, size = draw.randrange(len(found) + 1), draw.choice((1, 1, 4, 64))
        way = draw.randrange(4)
        if way == 0 and found:
            found[at % len(found)] = draw.randrange(256)
        elif way == 1:
            del found[at : at + size]
        elif way == 2:
            found[at:at] = found[at : at + size]
        else:
            found[at:at] = draw.randbytes(size)
    return bytes(found)


def tables(draw: random.Random, folder: Path) -> Iterator[bool]:
    """CSV and Parquet files, against the strict reader; each says whether it was read."""
    path = folder / "bent.csv"
    while True:
        separator, form = draw.choice(",;\t"), draw.choice(("%Y-%m-%d %H:%M", "%d/%m/%Y", "%Y/%m/%d", "%Y年%m月%d日"))
        first = datetime(2020, 1, 9)
        rows = [[(first + timedelta(days=day)).strftime(form), f"{day}.5"] for day in range(draw.randint(3, 20))]
        if draw.random() < 0.15:
            frame = pd.DataFrame({"time": [first + timedelta(days=d) for d in range(9)], "value": range(9)})
            buffer = io.BytesIO()
            frame.to_parquet(buffer)
            content = bent_bytes(draw, buffer.getvalue())
        else:
            for _ in range(draw.randint(0, 3)):
                draw.choice(rows)[draw.randrange(2)] = draw.choice(CELLS)
            lines = [separator.join(cells) for cells in [["time", "value"], *rows]]
            if draw.random() < 0.2:
                lines.insert(
                    draw.randrange(len(lines) + 1), draw.choice(("", separator, "time,value", "# said", *lines))
                )
            content = ("\n".join(lines) + "\n").encode(
                draw.choice(("utf-8", "utf-8", "utf-8-sig", "cp932", "utf-16")), "replace"
            )
            if draw.random() < 0.2:
                content = bent_bytes(draw, content)
        path.write_bytes(content)
        try:
            expected = strict(content)
        except (Refused, UnicodeDecodeError, ValueError, IndexError, OverflowError):
            expected = None
        try:
            found = read(path, column=None if draw.random() < 0.5 else "value").frame
        except TsuzukiError as error:
            one_line(error)
            yield False
            continue
        if found["ds"].isna().any() or np.isinf(found["y"].astype(float)).any():
            raise Wrong(f"{content[:300]!r} has a time that is none, or an infinite value")
        if expected is not None:
            values = [math.nan if y is None else y for _, y in expected]
            if [stamp.to_pydatetime() for stamp in found["ds"]] != [at for at, _ in expected] or not np.array_equal(
                found["y"], values, equal_nan=True
            ):
                raise Wrong(f"{content[:300]!r} was read to other values")
        yield True


def one_line(error: TsuzukiError) -> None:
    """A refusal is one line of words that can be printed."""
    said = str(error)
    if "\n" in said or len(said) > 1000:
        raise Wrong(f"{type(error).__name__} is not one line: {said[:200]!r}")


@functools.cache
def forecaster(**options: bool) -> Forecaster:
    """A small trained one."""
    hours = pd.date_range("2024-01-01", periods=120, freq="h")
    series = pd.Series(10 + np.sin(np.arange(120) / 4), hours, name="s0")
    return Forecaster(2, units=3, layers=1, head=0, ensemble=1, epochs=1, max_gap=5, **options).fit(series)


def lines(draw: random.Random, folder: Path) -> Iterator[bool]:
    """Lines of a stream: where it takes only plain ones, it says what one says that got nothing else."""
    names = ["s0", "s1", "s2", "s3"]
    bank = forecaster().bank(names, start="2024-01-05 23:00")
    begin, text = (
        {name: one.copy() for name, one in arrays_of(bank).items()},
        format_of("s0,2024-01-06,1", "csv", names, 2),
    )
    with StateStore(folder / "one", "m") as store:
        runner = LineRunner(bank, allows_new=False)

        def said(batch: list[bytes]) -> dict[int, str]:
            """The forecasts behind each line of a batch that was taken."""
            adopt(bank, begin)
            done = runner.run(range(store.line + 1, store.line + len(batch) + 1), batch, text)
            last = store.line + len(batch)
            store.commit(last, ((name, last, time, missed, one) for name, time, missed, one in done.states))
            taken = zip(done.taken, done.forecasts, strict=True)
            return {number - last + len(batch) - 1: line.split(",", 1)[1] for number, line in taken}

        while True:
            batch, at = [], datetime(2024, 1, 6)
            for _ in range(draw.randint(1, 12)):
                cells = [draw.choice(names), str(at), f"{draw.uniform(-20, 20):.3f}"]
                at += timedelta(hours=draw.choice((0, 0, 1)))
                if draw.random() < 0.3:
                    cells[draw.randrange(3)] = draw.choice(CELLS)
                line = ",".join(cells).encode("utf-8", "surrogatepass")
                batch.append(bent_bytes(draw, line).replace(b"\n", b"") if draw.random() < 0.1 else line)
            found = said(batch)
            # What recent errors are followed by has places for forecasts that are still to come.
            states = [saved.states(np.arange(len(names))) for saved in bank.saved_states]
            if not all(np.isfinite(one).all() for one in (bank.latest, *states)):
                raise Wrong(f"{batch!r} leaves a state that is no number")
            plain = [at for at, line in enumerate(batch) if PLAIN.fullmatch(line.decode("latin-1"))]
            if set(found) <= set(plain):
                expected = {plain[at]: rest for at, rest in said([batch[at] for at in plain]).items()}
                if found != expected:
                    raise Wrong(f"{batch!r} came to {found}, its plain lines to {expected}")
            yield bool(found)


def batches(draw: random.Random, folder: Path) -> Iterator[bool]:
    """Batches that are read at once, or nearly: what each line says by itself, and what reading them apart leads to."""
    known, hours = [f"s{i}" for i in range(20)], range(5, 12)
    bank = forecaster().bank(known, start="2024-01-05 23:00")
    begin = {name: one.copy() for name, one in arrays_of(bank).items()}

    def run(batch: list[bytes], text: LineFormat, at_once: bool) -> tuple[Any, ...]:
        adopt(bank, begin)
        reading = line_runner.plain_readings
        if not at_once:
            line_runner.plain_readings = lambda lines, text: None
        try:
            done = LineRunner(bank, allows_new=False).run(range(1, len(batch) + 1), batch, text)
        finally:
            line_runner.plain_readings = reading
        return done.taken, done.forecasts, done.notes, done.states

    while True:
        text = LineFormat("csv", 2, draw.choice(",,;\t"))
        batch, bent = [], draw.choice((0, 0.05, 0.3))
        for _ in range(draw.randint(1, 40)):
            cells = [draw.choice(known), f"2024-01-06 {draw.choice(hours):02}:00:00", f"{draw.uniform(-20, 20):.3f}"]
            if draw.random() < bent:
                place = draw.randrange(3)
                cells[place] = draw.choice(NEAR[place])
            line = text.separator.join(cells).encode()
            batch.append(bent_bytes(draw, line).replace(b"\n", b"") if draw.random() < bent / 10 else line)
        found = plain_readings(batch, text)
        if found is not None:
            said = list(zip(*found, strict=True))
            for line, one in zip(batch, said, strict=True):
                if one != strict_line(line, text.separator):
                    raise Wrong(f"{line!r} was read at once to {one}")
        together, apart = run(batch, text, True), run(batch, text, False)
        if together != apart:
            raise Wrong(f"{batch!r} came to {together[:3]}, read line by line to {apart[:3]}")
        yield found is not None


def readings(draw: random.Random, folder: Path) -> Iterator[bool]:
    """Readings of one series: what compiled code takes at once leaves the bits of what Python takes."""
    made = forecaster(committee=False)
    quick, slow = made.stream(), made.stream()
    slow._quick = slow._update_quickly = takes_none

    def said(stream: Stream, value: Any, ds: Any) -> tuple[Any, ...]:
        try:
            return stream.update(value, ds).tobytes(), stream.at, stream.now
        except TsuzukiError as error:
            one_line(error)
            return type(error), str(error), stream.at, stream.now

    while True:
        plain = draw.random() < 0.7
        value = draw.gauss(10, 5) if plain else draw.choice((*ODD, *CELLS))
        ds = quick.time + np.timedelta64(draw.choice((0, 1, 1, 2, 7)), "h") if draw.random() < 0.1 else None
        before, (one, other) = quick.at, (said(stream, value, ds) for stream in (quick, slow))
        if one != other:
            raise Wrong(f"the reading {value!r} at {ds} came to {one}, without compiled code to {other}")
        yield quick.at > before


def _changed(draw: random.Random, facts: Any) -> Any:
    """JSON with one place changed."""
    if isinstance(facts, dict) and facts and draw.random() < 0.9:
        name = draw.choice(list(facts))
        if draw.random() < 0.1:
            return {key: value for key, value in facts.items() if key != name}
        return facts | {name: _changed(draw, facts[name])}
    if isinstance(facts, list) and facts and draw.random() < 0.8:
        at = draw.randrange(len(facts))
        return [*facts[:at], _changed(draw, facts[at]), *facts[at + 1 :]]
    return draw.choice(VALUES)


def bent_file(draw: random.Random, content: bytes, kind: str) -> bytes:
    """A file of ours bent under a digest that fits, or its bytes."""
    if draw.random() < 0.4:
        return bent_bytes(draw, content)
    stored = unpack(content, "whole", kind)
    facts, arrays = stored.facts, dict(stored.arrays)
    if draw.random() < 0.6:
        facts = _changed(draw, facts)
    else:
        name = draw.choice(list(arrays))
        array = arrays[name]
        way = draw.randrange(5)
        if way == 0:
            del arrays[name]
        elif way == 1:
            arrays[name] = array[..., :-1] if array.ndim else array
        elif way == 2:
            arrays[name] = array.astype(draw.choice((np.float64, np.int8, np.float16)), copy=True)
        elif way == 3:
            arrays[name] = array.reshape(-1)
        else:
            arrays[name] = np.full_like(array, draw.choice((0, -1, 127)))
    try:
        return pack(kind, facts, arrays)
    except (ValueError, TypeError, UnicodeError):
        return bent_bytes(draw, content)


def models(draw: random.Random, folder: Path) -> Iterator[bool]:
    """Model files: refused, or forecasts come out."""
    path = folder / "m.tsuzuki"
    forecaster().save(path)
    whole = path.read_bytes()
    while True:
        path.write_bytes(bent_file(draw, whole, "forecaster"))
        try:
            made = load(path)
            made.predict()
            made.bank().update([1.0] * len(made.fitted.ids if made.fitted else ()))
        except TsuzukiError as error:
            one_line(error)
            yield False
            continue
        yield True


def checkpoints(draw: random.Random, folder: Path) -> Iterator[bool]:
    """Checkpoints: refused, or the training ends."""
    values = np.sin(np.arange(90) / 5).astype(np.float32)[:, None]
    network, path = Network(1, (GRU(3), Dense(1))), folder / "c"

    def train() -> Any:
        layout = Streams(5, 2).over([Segment(0, 90)])
        return fit(network, initialise(network, 0), values, values, layout, epochs=2, checkpoint=path, every="0s")

    train()
    whole = path.read_bytes()
    while True:
        path.write_bytes(bent_file(draw, whole, "checkpoint"))
        try:
            train()
        except TsuzukiError as error:
            one_line(error)
            yield False
            continue
        yield True


def stores(draw: random.Random, folder: Path) -> Iterator[bool]:
    """State stores: refused, or every state is one that was written."""
    whole = folder / "whole"
    written = {f"s{i}": (i, 0, np.full(5, i, np.float32)) for i in range(30)}
    with StateStore(whole, "m") as store:
        store.commit(7, [(name, 7, at, missed, state.tobytes()) for name, (at, missed, state) in written.items()])
    while True:
        path = folder / "bent"
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(whole, path)
        if draw.random() < 0.5:
            (path / NAME).write_bytes(bent_bytes(draw, (path / NAME).read_bytes()))
        else:
            base = sqlite3.connect(path / NAME, isolation_level=None)
            table, column = draw.choice(
                (("facts", "value"), ("series", "state"), ("series", "time"), ("series", "missing"))
            )
            value = draw.choice((0, 1.5, b"", b"abc", "x", 2**62, None))
            with contextlib.suppress(sqlite3.Error):
                base.execute(
                    draw.choice(
                        (
                            f"UPDATE {table} SET {column} = ? WHERE rowid IS NOT ?"
                            if table == "facts"
                            else f"UPDATE {table} SET {column} = ? WHERE id = 's3' OR 1 = ?",
                            f"DELETE FROM {table} WHERE {'name' if table == 'facts' else 'id'} > ? OR ? IS NULL",
                        )
                    ),
                    (value, value),
                )
            base.close()
        try:
            with StateStore(path, "m") as store:
                found = store.load()
                line = store.line
        except TsuzukiError as error:
            one_line(error)
            yield False
            continue
        if (found or line) and (line != 7 or {name for name, *_ in found} != set(written)):
            raise Wrong(f"a bent store holds {len(found)} series and line {line}")
        for name, at, missed, state in found:
            if (at, missed) != written[name][:2] or not np.array_equal(state, written[name][2]):
                raise Wrong(f"series {name} was read to another state")
        yield True


KINDS: dict[str, Callable[[random.Random, Path], Iterator[bool]]] = {
    "tables": tables,
    "lines": lines,
    "batches": batches,
    "readings": readings,
    "models": models,
    "checkpoints": checkpoints,
    "stores": stores,
}


def _too_long(number: int, frame: Any) -> None:
    raise TimeoutError(f"more than {LIMIT} s")


def run(kind: str, seconds: float, seed: int, most: int | None = None) -> Counter[str]:
    """Try one kind for so long, or so often: how many were tried, read, refused, and wrong.

    What is wrong is printed with its traceback; the kind then begins anew.
    """
    found: Counter[str] = Counter(tried=0, read=0, refused=0, wrong=0)
    forecaster()
    draw, until = random.Random(seed), time.monotonic() + seconds
    before = signal.signal(signal.SIGALRM, _too_long)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        while time.monotonic() < until and (most is None or found["tried"] < most):
            with tempfile.TemporaryDirectory() as folder:
                try:
                    for was_read in _timed(KINDS[kind](draw, Path(folder))):
                        found["tried"] += 1
                        found["read" if was_read else "refused"] += 1
                        if time.monotonic() > until or (most is not None and found["tried"] >= most):
                            break
                except Exception:
                    found["tried"] += 1
                    found["wrong"] += 1
                    print(
                        f"--- {kind}, seed {seed}, number {found['tried']}",
                        traceback.format_exc(limit=-4),
                        file=sys.stderr,
                    )
    signal.signal(signal.SIGALRM, before)
    return found


def _timed(inputs: Iterator[bool]) -> Iterator[bool]:
    while True:
        signal.alarm(LIMIT)
        try:
            yield next(inputs)
        finally:
            signal.alarm(0)


def main() -> None:
    """Try all kinds; exit with 1 where something was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("seconds", nargs="?", type=float, default=60.0, help="for each kind; in all, with --jobs")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--count", type=int, default=None, help="of each kind at most")
    parser.add_argument("--only", action="append", choices=sorted(KINDS), metavar="KIND")
    parser.add_argument("--jobs", type=int, default=1, help="processes side by side; needs --count")
    asked = parser.parse_args()
    seed = random.randrange(2**32) if asked.seed is None else asked.seed
    kinds, wrong = asked.only or list(KINDS), []
    if asked.jobs == 1:
        found = {kind: run(kind, asked.seconds, seed, asked.count) for kind in kinds}
    else:
        if asked.count is None:
            parser.error("--jobs needs --count")
        found = {kind: Counter[str]() for kind in kinds}
        commands = [
            tool("fuzz", asked.seconds, "--only", kind, "--count", count, "--seed", seed + job)
            for kind in kinds
            for job, count in enumerate(pieces(asked.count, asked.jobs))
        ]
        wrong = gathered(
            commands,
            asked.jobs,
            time.monotonic() + asked.seconds,
            lambda one: [found[kind].update(one[kind]) for kind in kinds if kind in one],
        )
    for line in wrong:
        print(line, file=sys.stderr)
    print(json.dumps({"seed": seed, **found, "failed": wrong}))
    print("| | tried | read | refused | wrong |\n|---|---|---|---|---|")
    for kind, one in found.items():
        print(f"| {kind} | {one['tried']:,} | {one['read']:,} | {one['refused']:,} | {one['wrong']:,} |")
    sys.exit(bool(wrong) or any(one["wrong"] for one in found.values()))


if __name__ == "__main__":
    main()
