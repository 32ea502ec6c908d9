"""Rows of numbers as text with commas, written by compiled code as Python's format(value, ".6g") would."""

import ctypes
import functools
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from tsuzuki.engine import machine_code
from tsuzuki.kernels import number_text as table

UNIT = "number_text"
# Rows that are written at once, so that their text stays in a fast cache.
TOGETHER = 256


@functools.cache
def _write() -> Callable[[int], None]:
    machine_code.load((UNIT,))
    return ctypes.CFUNCTYPE(None, ctypes.c_int64)(machine_code.address_of(UNIT, "write"))


def rows_as_text(values: NDArray[np.float32]) -> list[str]:
    """Each row of numbers, float32 [rows, columns], with commas in between and six significant digits each."""
    values = np.ascontiguousarray(values, np.float32)
    most, columns = min(len(values), TOGETHER), values.shape[1]
    text, ends = np.empty(most * columns * table.LONGEST, np.int32), np.empty(most, np.int64)
    whole_tens = 10 ** np.arange(table.LARGEST_TEN + 1)
    tens = whole_tens.astype(np.float64)
    fields = np.zeros(table.FIELDS, np.int64)
    fields[[table.COLUMNS, table.TEXT, table.ENDS]] = columns, text.ctypes.data, ends.ctypes.data
    fields[[table.TENS, table.WHOLE_TENS]] = tens.ctypes.data, whole_tens.ctypes.data
    found: list[str] = []
    for first in range(0, len(values), TOGETHER):
        some = values[first : first + TOGETHER]
        fields[[table.VALUES, table.ROWS]] = some.ctypes.data, len(some)
        _write()(fields.ctypes.data)
        found += _cut(text, ends[: len(some)], some)
    return found


def _cut(text: NDArray[np.int32], ends: NDArray[np.int64], values: NDArray[np.float32]) -> Iterator[str]:
    """The text of each row; of one that was left to Python, by Python."""
    written, begin = text[: max(ends.max(), 0)].tobytes().decode("utf-32-le"), 0
    for row, end in enumerate(ends.tolist()):
        if end < 0:
            yield ",".join(map("{:.6g}".format, values[row].tolist()))
        else:
            yield written[begin:end]
            begin = end
