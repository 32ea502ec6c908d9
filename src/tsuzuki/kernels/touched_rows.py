"""Rows of large tables that no number of an update names: their gradient is zero, and where that moves nothing, nobody
looks at them.

Each block flags the rows that it names, behind the table in its gradients. All others are zero in all blocks, so they
need be neither cleared nor summed, and an optimiser that leaves weights without a gradient alone may skip them.
"""

from tsuzuki.kernels.language import floats_at, ints_at, kernel, shift
from tsuzuki.kernels.table import (
    GRADIENT_PARTS,
    GRADIENTS,
    SIZE,
    TABLE_BEGIN,
    TABLE_END,
    TABLE_FLAGS,
    TABLE_WIDE,
    TOUCHED,
    TOUCHED_COUNT,
    TOUCHED_TABLE,
)


@kernel
def is_touched(job, at):
    """Whether a block has set the flag at a place of its gradients."""
    found = False
    for part in range(job[GRADIENT_PARTS]):
        found = found or floats_at(job[GRADIENTS])[part * job[SIZE] + at] != 0
    return found


@kernel
def touched_piece(job, at, last):
    """Where a piece of the gradients from `at` on ends, at most at `last`, and whether some of it may not be zero."""
    end = last
    for t in range(job[TOUCHED_COUNT]):
        entry = shift(ints_at(job[TOUCHED]), t * TOUCHED_TABLE)
        begin, wide, flags = entry[TABLE_BEGIN], entry[TABLE_WIDE], entry[TABLE_FLAGS]
        if at < begin:
            end = min(end, begin)
        elif at < entry[TABLE_END]:
            row, stop = (at - begin) // wide, min(last, entry[TABLE_END])
            touched = is_touched(job, flags + row)
            row += 1
            while begin + row * wide < stop and is_touched(job, flags + row) == touched:
                row += 1
            return min(begin + row * wide, stop), touched
    return end, True
