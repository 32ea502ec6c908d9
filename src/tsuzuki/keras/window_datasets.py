"""The series under a dataset of `timeseries_dataset_from_array`, where the call that made it was seen.

Read as batches, all windows of an epoch are laid out side by side, and read anew for the next one: a hundred times the
series for windows of a hundred steps. As a view of the series they are read where they lie.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from inspect import signature
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

NAME = "timeseries_dataset_from_array"


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


_seen: "WeakKeyDictionary[Any, WindowDataset]" = WeakKeyDictionary()


def window_dataset(given: Any) -> WindowDataset | None:
    """What is known of a dataset; None of one that was made otherwise, or from another dataset."""
    return _seen.get(given) if hasattr(given, "element_spec") else None


def watching(make: Callable[..., Any]) -> Callable[..., Any]:
    """`timeseries_dataset_from_array` itself, its calls seen."""
    bind = signature(make).bind

    @wraps(make)
    def call(*arguments: Any, **options: Any) -> Any:
        made = make(*arguments, **options)
        bound = bind(*arguments, **options)
        bound.apply_defaults()
        found = _windows(**bound.arguments)
        if found is not None:
            _seen[made] = found
        return made

    return call


def _windows(
    data: Any,
    targets: Any,
    sequence_length: int,
    sequence_stride: int = 1,
    sampling_rate: int = 1,
    batch_size: int | None = 128,
    shuffle: bool = False,
    seed: int | None = None,
    start_index: int | None = None,
    end_index: int | None = None,
    format: str = "tf",
) -> WindowDataset | None:
    if (
        batch_size is None
        or format != "tf"
        or not all(hasattr(one, "__array__") for one in (data, targets) if one is not None)
    ):
        return None
    # The script may write into its arrays; the dataset holds what was there.
    series = np.array(data)[start_index or 0 : end_index]
    span = (sequence_length - 1) * sampling_rate + 1
    count = len(series) - span + 1
    if targets is not None:
        count = min(count, len(targets))
    if count < 1:
        return None
    windows = np.lib.stride_tricks.sliding_window_view(series, span, axis=0)[
        :count:sequence_stride, ..., ::sampling_rate
    ]
    y = None if targets is None else np.array(targets)[start_index or 0 : end_index][:count:sequence_stride]
    if y is not None and len(y) < len(windows):
        return None
    return WindowDataset(np.moveaxis(windows, -1, 1), y, int(batch_size), bool(shuffle))
