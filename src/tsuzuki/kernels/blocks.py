"""Blocks of lanes: where each has its work space, and its lanes. A thread has every `THREADS`th from its own on."""

from tsuzuki.kernels.language import floats_at, kernel, shift
from tsuzuki.kernels.table import BLOCK_LANES, LANES, PARTS, WORK, WORK_SIZE


@kernel
def work_of(job, block):
    """A block's work space."""
    return shift(floats_at(job[WORK]), block * job[WORK_SIZE])


@kernel
def lanes_of(job, block):
    """A block's lanes; the last one may have fewer than the others."""
    return min(job[BLOCK_LANES], job[LANES] - block * job[BLOCK_LANES])


@kernel
def lanes_in(job, row, block):
    """A block's lanes as a layer sees them."""
    return lanes_of(job, block) * row[PARTS]
