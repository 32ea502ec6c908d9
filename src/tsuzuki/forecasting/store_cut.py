"""What lies before the first origin of a backtest of a store: a store of its own, its values copied part by part."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tsuzuki.data.panel_store import PanelStore
from tsuzuki.errors import FileError
from tsuzuki.forecasting.store_statistics import parts_of


@contextmanager
def without_last(store: PanelStore, steps: int) -> Iterator[tuple[PanelStore, NDArray[np.int64]]]:
    """A store without the last steps of each series, and which of its series are in it; its file goes in the end.

    Series that have less than two readings left are not in it. Each ends with its last reading.

    Raises:
        FileError: there is no room.
    """
    # Backtests of one store at a time each have their own.
    path = store.folder.parent / f"{store.folder.name}-without-{steps}-{uuid.uuid4().hex[:12]}.f32"
    left, readings = np.zeros(len(store.ids), np.int64), 0
    try:
        with path.open("wb") as file:
            for first, last in parts_of(store):
                values = np.asarray(store.values[store.offsets[first] : store.offsets[last]])
                edges = store.offsets[first:last] - store.offsets[first]
                lengths = np.diff(np.append(edges, len(values)))
                at = np.arange(len(values)) - np.repeat(edges, lengths)
                ends = np.maximum.reduceat(np.where(np.isnan(values), 0, at + 1), edges)
                known = ~np.isnan(values) & (at < np.repeat(ends - steps, lengths))
                counts, stops = np.add.reduceat(known, edges), np.maximum.reduceat(np.where(known, at + 1, 0), edges)
                left[first:last] = np.where(counts >= 2, stops, 0)
                readings += int(counts[counts >= 2].sum())
                values[at < np.repeat(left[first:last], lengths)].tofile(file)
        which = np.flatnonzero(left)
        offsets = np.concatenate([[0], np.cumsum(left[which])])
        values = np.memmap(path, np.float32, "r") if len(which) else np.zeros(0, np.float32)
        yield (
            replace(
                store,
                ids=tuple(store.ids[number] for number in which),
                starts=store.starts[which],
                offsets=offsets,
                values=values,
                readings=readings,
                fingerprint=f"{store.fingerprint}-{steps}",
            ),
            which,
        )
    except OSError as error:
        raise FileError(f"{path} cannot be written ({error.strerror}); make room, or name another cache") from None
    finally:
        # Windows keeps a file that is mapped.
        with suppress(PermissionError):
            path.unlink(missing_ok=True)
