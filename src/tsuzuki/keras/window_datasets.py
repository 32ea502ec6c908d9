"""The series under a dataset of `timeseries_dataset_from_array`, read from what the dataset is made of.

Read as batches, all windows of an epoch are laid out side by side, and read anew for the next one: a hundred times the
series for windows of a hundred steps. As a view of the series they are read where they lie.
"""

from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from tsuzuki.keras.private_names import WindowPart, window_parts


@dataclass(frozen=True)
class WindowDataset:
    """What a dataset gives.

    Attributes:
        x: [windows, steps, …], a view of the series.
        y: [windows, …]; None where it has no targets.
        rows: windows of a batch.
        shuffles: whether they come in random order.
    """

    x: NDArray[Any]
    y: NDArray[Any] | None
    rows: int
    shuffles: bool

    @property
    def batches(self) -> int:
        """Batches of an epoch."""
        return -(-len(self.x) // self.rows)


_seen: "WeakKeyDictionary[Any, WindowDataset | None]" = WeakKeyDictionary()


def window_dataset(given: Any) -> WindowDataset | None:
    """What stands under a dataset; None of one that was made otherwise, or from another dataset."""
    if not hasattr(given, "element_spec"):
        return None
    if given not in _seen:
        _seen[given] = _read(given)
    return _seen[given]


def _read(dataset: Any) -> WindowDataset | None:
    found = window_parts(dataset)
    if found is None:
        return None
    windows, *others = found.parts
    starts = _starts(windows, found.shuffles)
    # The places of the first window's values say how long it is and what it leaves out.
    first = windows.first
    if starts is None or first.ndim != 1 or not len(first):
        return None
    rate = int(first[1] - first[0]) if len(first) > 1 else 1
    count = len(starts)
    stride = int(starts[1] - starts[0]) if count > 1 else 1
    span = (len(first) - 1) * rate + 1
    if (count - 1) * stride + span > len(windows.data):
        return None
    rolled = np.lib.stride_tricks.sliding_window_view(windows.data, span, axis=0)
    x = np.moveaxis(rolled[: (count - 1) * stride + 1 : stride, ..., ::rate], -1, 1)
    y = None
    if others:
        (targets,) = others
        places = _starts(targets, found.shuffles)
        if (
            targets.first.ndim
            or places is None
            or not np.array_equal(places, starts)
            or starts[-1] >= len(targets.data)
        ):
            return None
        y = targets.data[: int(starts[-1]) + 1 : stride]
    return WindowDataset(x, y, found.rows, found.shuffles)


def _starts(part: WindowPart, shuffled: bool) -> NDArray[Any] | None:
    """The starts of windows in their order in time; None where they do not lie evenly from the first value on."""
    starts = np.sort(part.starts) if shuffled else part.starts
    even = len(starts) and starts[0] == 0 and len(set(np.diff(starts).tolist())) <= 1
    return starts if even else None
