"""The distinct values of an array in order: by sorting, for arrays that are sorted or nearly so, such as times.

`numpy.unique` hashes whole numbers first, which takes 0.13 us each (0.01 here where they are sorted), and imports
`numpy.ma`.
"""

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Scalar = TypeVar("Scalar", bound=np.generic)


def distinct(values: "NDArray[Scalar]") -> "NDArray[Scalar]":
    """The distinct values of a flat array, in order."""
    return counted(values)[0]


def counted(values: "NDArray[Scalar]") -> "tuple[NDArray[Scalar], NDArray[np.int64]]":
    """The distinct values of a flat array, in order, and how often each is in it."""
    import numpy as np

    ordered = np.sort(values)
    first = np.ones(len(ordered), bool)
    first[1:] = ordered[1:] != ordered[:-1]
    starts = np.flatnonzero(first)
    return ordered[first], np.diff(starts, append=len(ordered))
