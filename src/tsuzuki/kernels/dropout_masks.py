"""Dropout masks that depend on nothing but a seed and a place, so that threads and their order cannot change them.

A mask's number is a hash of (seed, update, layer, kind of mask, lane, unit): splitmix64's finaliser (Steele, Lea and
Flood 2014). One mask is held over all steps of an update, as in Keras; unlike Keras the gates of a cell share it.
"""

import numpy as np

from tsuzuki.kernels.language import kernel, procedure
from tsuzuki.kernels.table import DROP_LAYER, SEED

u64 = np.uint64
f32 = np.float32


@kernel
def mixed(value):
    """A 64-bit number in which every bit of `value` has a hand."""
    value = u64(value) + u64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> u64(30))) * u64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> u64(27))) * u64(0x94D049BB133111EB)
    return value ^ (value >> u64(31))


@procedure("ttiiiiiiif")
def draw_mask(job, row, rate, kind, lanes, units, stride, update, first_lane, mask):
    """mask[lanes, stride]: 1 / (1 - share) or 0; `rate` is the share times 2^32, `kind` 0 for inputs, 1 for states."""
    kept = f32(4294967296.0 / (4294967296.0 - rate))
    stream = mixed(mixed(mixed(u64(job[SEED])) ^ u64(update)) ^ u64(2 * row[DROP_LAYER] + kind))
    for lane in range(lanes):
        lane_stream = mixed(stream ^ u64(first_lane + lane))
        for unit in range(units):
            low = mixed(lane_stream ^ u64(unit)) & u64(0xFFFFFFFF)
            mask[lane * stride + unit] = kept if low >= u64(rate) else f32(0)
        for unit in range(units, stride):
            mask[lane * stride + unit] = f32(0)


@procedure("fiiff")
def drop(mask, size, steps, source, target):
    """target[steps, size] = source * mask[size]; may run in place."""
    for step in range(steps):
        for i in range(size):
            target[step * size + i] = source[step * size + i] * mask[i]


@procedure("iififi")
def copy_rows(count, units, source, source_stride, target, target_stride):
    """Copy `count` rows of so many units between two strides; the network's input has no padding, outputs have."""
    for i in range(count):
        for unit in range(units):
            target[i * target_stride + unit] = source[i * source_stride + unit]
