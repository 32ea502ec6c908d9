"""Which layers a thread takes through all of its blocks together: those whose weights come from the cache of all cores.

Each panel of such weights is fetched once for all blocks of a thread instead of once for each, step by step. What a
lane or a block computes stays the same to the bit, so threads may have as many blocks as they like.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tsuzuki.engine.machine_code import address_of
from tsuzuki.kernels import table as p

# Recurrent weights, in floats, from which on it pays (measured: nothing at 2**18, a megabyte, which the second cache
# holds; 7 % at 3 * 2**18).
LARGE = 1 << 19


def point_at_together(job: NDArray[np.int64], rows: NDArray[np.int64], kinds: Sequence[str], blocks: int) -> None:
    """Fill in the addresses where it pays, zeros elsewhere.

    Args:
        job: the table's header.
        rows: of the layers, in which 1 says that a kind has the procedures.
        kinds: of the layers.
        blocks: of the plan.
    """
    for row, kind in zip(rows, kinds, strict=True):
        weights = row[p.UNITS] * row[p.GATES] * row[p.WIDE]
        # A mask for the state makes a copy of it, block by block.
        pays = weights >= LARGE and row[p.RECURRENT_DROPOUT] == 0 and row[p.PACKED_RECURRENT] >= 0
        pays = pays and row[p.FORWARD_TOGETHER] == 1
        row[[p.FORWARD_TOGETHER, p.BACKWARD_TOGETHER]] = 0
        if pays and blocks > 1 and job[p.MEETINGS] == 0:
            row[p.FORWARD_TOGETHER] = address_of(kind, "forward_together")
            row[p.BACKWARD_TOGETHER] = address_of(kind, "backward_together")
            job[p.TOGETHER] = 1
