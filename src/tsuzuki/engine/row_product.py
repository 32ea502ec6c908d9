"""A product of rows with a matrix in which no row's bits depend on the rows beside it.

NumPy's products round differently for one row and for many. A series must come to the same forecast alone and among
others, so this is the kernels' product, whose sums are each one chain over the depth.
"""

import ctypes
import functools
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tsuzuki.engine.machine_code import address_of, load
from tsuzuki.engine.padding import aligned
from tsuzuki.kernels.host import WIDTH, padded
from tsuzuki.kernels.matrix import scratch_floats


@functools.cache
def _product() -> Callable[..., None]:
    load()
    return ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 14)(address_of("matrix", "product"))


class RowProduct:
    """Rows [rows, depth] times a matrix [depth, columns].

    Several threads may not use one at a time.

    Args:
        matrix: float32 [depth, columns].
    """

    def __init__(self, matrix: NDArray[np.float32]) -> None:
        self._depth, self._columns = matrix.shape
        self._wide = padded(self._columns)
        self._matrix: NDArray[np.float32] = aligned(self._depth * self._wide + WIDTH)
        whole = self._matrix[: self._depth * self._wide].reshape(self._depth, self._wide)
        whole[:, : self._columns] = matrix
        self._zeros: NDArray[np.float32] = aligned(self._wide + WIDTH)
        self._scratch: NDArray[np.float32] = aligned(scratch_floats(0))

    def __reduce__(self) -> tuple[type["RowProduct"], tuple[NDArray[np.float32]]]:
        """Made anew from its matrix where it is copied or pickled: it holds addresses of this process."""
        whole = self._matrix[: self._depth * self._wide].reshape(self._depth, self._wide)
        return RowProduct, (whole[:, : self._columns].copy(),)

    def _arguments(self, rows: NDArray[np.float32], found: NDArray[np.float32]) -> tuple[int, ...]:
        matrix, zeros, scratch = (one.ctypes.data for one in (self._matrix, self._zeros, self._scratch))
        shape, x = (1, len(found), self._wide, self._depth), (rows.ctypes.data, self._depth, 1)
        return (*shape, *x, matrix, self._wide, zeros, 0, found.ctypes.data, self._wide, scratch)

    @functools.cached_property
    def addresses(self) -> tuple[int, int, int, int, int]:
        """For a procedure that makes the product of a single row: the addresses of the matrix, of zeros, of a block and
        of room for the sums, and the columns with padding of all of these."""
        self._sums: NDArray[np.float32] = aligned(self._wide)
        arrays = (self._matrix, self._zeros, self._scratch, self._sums)
        matrix, zeros, block, sums = (one.ctypes.data for one in arrays)
        return matrix, zeros, block, sums, self._wide

    def __call__(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """The products, float32 [rows, columns], of rows float32 [rows, depth]."""
        rows = np.ascontiguousarray(rows, np.float32)
        found: NDArray[np.float32] = np.empty((len(rows), self._wide), np.float32)
        _product()(*self._arguments(rows, found))
        return found[:, : self._columns]
