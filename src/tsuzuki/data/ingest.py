"""Files that are read once into a store of many series (see `panel_store`), in memory that does not grow with them.

One pass finds the series, their span and the step; one writes each reading to its place, whatever the order of the
rows. A pass that was stopped goes on at the file where it stopped.
"""

import json
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tsuzuki.data.arrow_batches import PanelColumns, batches, numbers_of, series_and_times, zone_in
from tsuzuki.errors import DataError, FileError
from tsuzuki.storage import write_bytes

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = 2
# A store this much larger than its readings is the mark of a wrong time or a wrong step.
MOST_STEPS_A_READING = 50
# Rows that may be merged without a word to the contrary, as everywhere.
MOST_MERGED = 0.1
# Gaps that are no multiple of the usual one: fewer than this share are mistakes, more mean a finer step.
MOST_ODD = 0.1
_NOTHING = np.iinfo(np.int64).max


def ingest(
    paths: Sequence[Path],
    columns: PanelColumns,
    folder: Path,
    fingerprint: str,
    on_progress: Callable[[float], object],
) -> None:
    """Fill a store's folder; `panel.json` comes last and says that all is there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"{folder} cannot be made ({error.strerror}); name another cache folder") from None
    survey = _survey(paths, columns, lambda share: on_progress(share / 3))
    step, steps = survey.step, survey.steps()
    if int(steps.sum()) > MOST_STEPS_A_READING * max(1, survey.readings):
        widest = survey.ids[int(steps.argmax())]
        raise DataError(
            f"series {widest!r} spans {int(steps.max()):,} steps of {_seconds(step)}, far more than it has readings; "
            "check its times"
        )
    offsets = np.concatenate([[0], np.cumsum(steps)])
    _write_values(paths, columns, folder, survey, offsets, lambda share: on_progress(share * 2 / 3))
    _write_index(folder, survey, steps, offsets, fingerprint)


@dataclass
class _Survey:
    """What the first pass finds: the series, their first and last times, and how far apart readings are how often."""

    numbers: dict[str, int]
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    gaps: Counter[int] = field(default_factory=Counter)
    readings: int = 0
    # The zones that times name, and a file that names each.
    zones: dict[str | None, Path] = field(default_factory=dict)

    @property
    def ids(self) -> list[str]:
        return list(self.numbers)

    def numbers_of(self, names: Sequence[str]) -> NDArray[np.int64]:
        """The numbers of some series, new ones counted on."""
        for name in names:
            if name not in self.numbers:
                self.numbers[name] = len(self.numbers)
        while len(self.numbers) > len(self.first):
            self.first = np.concatenate([self.first, np.full(len(self.first), _NOTHING)])
            self.last = np.concatenate([self.last, np.full(len(self.last), -_NOTHING)])
        return np.array([self.numbers[name] for name in names], np.int64)

    def see_zone(self, path: Path, zone: str | None) -> None:
        """Note the zone of a file's times.

        Raises:
            DataError: this file names one and another does not, or otherwise.
        """
        self.zones.setdefault(zone, path)
        if None in self.zones and len(self.zones) > 1:
            other, named = self.zones[None], next(at for own, at in self.zones.items() if own is not None)
            raise DataError(
                f"times in {named.name} name a time zone, but those in {other.name} none; write both in the same way"
            )

    @property
    def zone(self) -> str | None:
        """The zone of all times; see `PanelStore`."""
        return next(iter(self.zones)) if len(self.zones) == 1 else "several offsets"

    @cached_property
    def step(self) -> int:
        """The grid's step: the largest that all gaps are multiples of, but the usual one where few are odd."""
        usual = self.gaps.most_common(1)[0][0]
        odd = sum(count for gap, count in self.gaps.items() if gap % usual)
        return usual if odd < MOST_ODD * self.gaps.total() else math.gcd(*self.gaps)

    def steps(self) -> NDArray[np.int64]:
        """How many steps each series spans."""
        count = len(self.numbers)
        return (self.last[:count] - self.first[:count]) // self.step + 1

    def sort(self) -> None:
        """Number the series by name, so that a store does not depend on the order of the files."""
        order = sorted(range(len(self.numbers)), key=self.ids.__getitem__)
        ids = self.ids
        self.first, self.last = self.first[order], self.last[order]
        self.numbers = {ids[old]: new for new, old in enumerate(order)}


def _survey(paths: Sequence[Path], columns: PanelColumns, on_progress: Callable[[float], object]) -> _Survey:
    found = _Survey({}, np.full(1, _NOTHING), np.full(1, -_NOTHING))
    for path in paths:
        for batch in batches(path, columns, with_values=False):
            names, codes, stamps = series_and_times(path, batch, columns)
            if len(stamps) == 0:
                continue
            found.see_zone(path, zone_in(batch, columns))
            numbers = found.numbers_of(names)
            step_ahead = np.diff(codes)
            if (step_ahead < 0).any() or (np.diff(stamps)[step_ahead == 0] < 0).any():
                order = np.lexsort((stamps, codes))
                codes, stamps = codes[order], stamps[order]
            edges = np.concatenate([[0], np.flatnonzero(np.diff(codes)) + 1])
            own, first, last = numbers[codes[edges]], stamps[edges], stamps[np.append(edges[1:], len(stamps)) - 1]
            gaps = np.diff(stamps)
            # Between two series there is no gap, and between two batches one where the series was seen before.
            gaps[edges[1:] - 1] = 0
            gaps = np.append(gaps, np.where(found.last[own] >= found.first[own], np.abs(first - found.last[own]), 0))
            found.first[own] = np.minimum(found.first[own], first)
            found.last[own] = np.maximum(found.last[own], last)
            found.gaps.update(dict(zip(*(each.tolist() for each in np.unique(gaps, return_counts=True)), strict=True)))
            found.readings += len(stamps)
        on_progress(1 / len(paths))
    del found.gaps[0]
    if not found.gaps:
        raise DataError(f"{_shown(paths)} has no series with two different times; give more readings")
    found.sort()
    return found


def _write_values(
    paths: Sequence[Path],
    columns: PanelColumns,
    folder: Path,
    survey: _Survey,
    offsets: NDArray[np.int64],
    on_progress: Callable[[float], object],
) -> None:
    done_path, values_path, size = folder / "done.json", folder / "values.f32", int(offsets[-1]) * 4
    done: list[str] = []
    try:
        if done_path.exists() and values_path.exists() and values_path.stat().st_size == size:
            done = json.loads(done_path.read_text("utf-8"))
        else:
            _fill_with_nan(values_path, int(offsets[-1]))
            write_bytes(done_path, b"[]")
        values = np.memmap(values_path, np.float32, "r+")
        for path in paths:
            if str(path) not in done:
                for batch in batches(path, columns, with_values=True):
                    _write_batch(path, batch, columns, survey, offsets, values)
                values.flush()
                done.append(str(path))
                write_bytes(done_path, json.dumps(done).encode())
            on_progress(1 / len(paths))
    except OSError as error:
        raise FileError(
            f"{values_path} cannot be written ({error.strerror}); make room, or name another cache"
        ) from error


def _fill_with_nan(path: Path, points: int) -> None:
    piece = np.full(1 << 20, np.nan, np.float32)
    with path.open("wb") as file:
        for at in range(0, points, len(piece)):
            file.write(piece[: points - at].tobytes())


def _write_batch(
    path: Path,
    batch: "pa.RecordBatch",
    columns: PanelColumns,
    survey: _Survey,
    offsets: NDArray[np.int64],
    values: NDArray[np.float32],
) -> None:
    names, codes, stamps = series_and_times(path, batch, columns)
    if len(stamps) == 0:
        return
    numbers = np.array([survey.numbers[name] for name in names], np.int64)[codes]
    since = stamps - survey.first[numbers]
    places = since // survey.step
    odd = np.flatnonzero(places * survey.step != since)
    if len(odd):
        time = str(np.datetime64(int(stamps[odd[0]]), "ns"))[:19].replace("T", " ")
        raise DataError(
            f"{path.name}: series {survey.ids[numbers[odd[0]]]!r} at {time} is beside the grid of "
            f"{_seconds(survey.step)} that the readings have; resample them first, or read these series as a frame"
        )
    readings = numbers_of(path, batch, columns)
    with np.errstate(over="ignore"):
        narrow = readings.astype(np.float32)
    if np.isinf(narrow).any():
        at = int(np.isinf(narrow).argmax())
        raise DataError(
            f"{path.name}: series {survey.ids[numbers[at]]!r} has a value of {readings[at]:g}, which 32 bits "
            "cannot hold; mend or drop it"
        )
    there = ~np.isnan(narrow)
    values[offsets[numbers[there]] + places[there]] = narrow[there]


def _write_index(
    folder: Path, survey: _Survey, steps: NDArray[np.int64], offsets: NDArray[np.int64], fingerprint: str
) -> None:
    import pyarrow as pa
    import pyarrow.parquet

    values = np.memmap(folder / "values.f32", np.float32, "r")
    piece = 1 << 24
    readings = sum(int((~np.isnan(values[at : at + piece])).sum()) for at in range(0, len(values), piece))
    given = survey.readings
    if given - readings > MOST_MERGED * given:
        raise DataError(
            f"{given - readings:,} of {given:,} rows have no reading, or a time that another row of the series has; "
            "check the columns of names and times"
        )
    table = pa.table({"unique_id": survey.ids, "start": survey.first[: len(steps)], "steps": steps})
    sink = pa.BufferOutputStream()
    pyarrow.parquet.write_table(table, sink)
    write_bytes(folder / "series.parquet", sink.getvalue().to_pybytes())
    facts = {
        "format": FORMAT,
        "fingerprint": fingerprint,
        "step": survey.step,
        "readings": readings,
        "merged": given - readings,
        "points": int(offsets[-1]),
        "zone": survey.zone,
    }
    write_bytes(folder / "panel.json", json.dumps(facts).encode())


def _seconds(step: int) -> str:
    return f"{step / 1e9:g} seconds"


def _shown(paths: Sequence[Path]) -> str:
    return paths[0].name if len(paths) == 1 else f"{paths[0].name} and {len(paths) - 1} more"
