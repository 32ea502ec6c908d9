"""A usual reading of one network, taken by compiled code that Python calls as it calls its own functions.

ctypes converts arguments for 0.15 µs, and what Python does around the network for one reading takes longer than the
network. `PyCFunction_NewEx` makes a function of Python of an address, so that a reading is one call. The code reads
Python's objects where CPython has them, which is asked before it is used.
"""

import ctypes
import functools
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsuzuki.engine import machine_code
from tsuzuki.kernels import one_reading as table

UNIT = "one_reading"
_FASTCALL = 0x0080


class _Definition(ctypes.Structure):
    """A `PyMethodDef` (https://docs.python.org/3/c-api/structures.html)."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


def can_be_called() -> bool:
    """Whether this interpreter's objects are as the compiled code takes them."""
    words = 8 * table.KIND + 8, 8 * table.VALUE + 8, 8 * table.VALUE + 8
    return (
        sys.implementation.name == "cpython"
        and (object.__basicsize__, float.__basicsize__, np.float64.__basicsize__) == words
        and ctypes.sizeof(ctypes.c_void_p) == 8
        and sys.byteorder == "little"
    )


def row_table(
    series: int, number: int, start: NDArray[np.int64], reading: NDArray[np.float64], job: int
) -> NDArray[np.int64]:
    """The table of one series' readings; whoever makes it fills in where it stands.

    Args:
        series: how many the rows hold.
        number: the place of this one.
        start: where the call reads its row's number.
        reading: where it reads the reading.
        job: the call's address.
    """
    found = np.zeros(table.FIELDS, np.int64)
    found[[table.SERIES, table.NUMBER, table.JOB]] = series, number, job
    found[[table.START, table.READING]] = start.ctypes.data, reading.ctypes.data
    kinds = table.TRUE, table.FALSE, table.FLOAT, table.FLOAT64
    found[[*kinds]] = id(True), id(False), id(float), id(np.float64)
    # Since 3.12 they live for ever, and are not counted.
    found[table.COUNTED] = sys.version_info < (3, 12)
    return found


def taker(fields: NDArray[np.int64]) -> Callable[[Any], bool]:
    """A function that takes a reading, if it is a usual one, and says whether it did.

    Args:
        fields: the table; what its addresses lead to has to live as long as the function.
    """
    if not can_be_called() or fields.ctypes.data != ctypes.c_int64.from_address(id(fields) + 8 * table.MEMORY).value:
        return takes_none
    new = ctypes.pythonapi.PyCFunction_NewEx
    new.restype, new.argtypes = ctypes.py_object, (ctypes.POINTER(_Definition), ctypes.py_object, ctypes.c_void_p)
    made: Callable[[Any], bool] = new(ctypes.byref(_definition()), fields, None)
    return made


@functools.cache
def _definition() -> _Definition:
    # All functions made of it point at it, so it is kept.
    machine_code.load((UNIT,))
    return _Definition(b"take", machine_code.address_of(UNIT, "take"), _FASTCALL, None)


def takes_none(value: Any) -> bool:
    """Leave every reading to Python."""
    return False
