"""Layers without weights: a dropout that draws anew for each step, and an activation by itself."""

from tsuzuki.kernels.activations import activate_all, times_slope
from tsuzuki.kernels.dropout import draw_mask, drop
from tsuzuki.kernels.projection import dropping
from tsuzuki.kernels.simd import kernel, shift, stand_alone
from tsuzuki.kernels.table import (
    ACTIVATION,
    D_OUT,
    D_X,
    DROPOUT,
    INPUT_STRIDE,
    MASK,
    OUT,
    STEPS,
    UNITS,
    WIDE,
    X_SKIP,
    X,
)


@kernel
def copy_rows(count, units, source, source_stride, target, target_stride):
    """Copy `count` rows of so many units between two strides; the network's input has no padding, outputs have."""
    for i in range(count):
        for unit in range(units):
            target[i * target_stride + unit] = source[i * source_stride + unit]


@kernel
def forward(job, row, work, lanes, update, first_lane):
    """Fill OUT [steps, lanes, wide] with activation(mask * x)."""
    stand_alone()
    stride, wide, count = row[INPUT_STRIDE], row[WIDE], row[STEPS] * lanes
    out = shift(work, row[OUT])
    copy_rows(count, row[UNITS], shift(work, row[X] + row[X_SKIP] * lanes * stride), stride, out, wide)
    if dropping(job, row):
        # Every step of every lane has a number of its own in the hash, whatever block it is in.
        mask, first = shift(work, row[MASK]), first_lane * row[STEPS]
        draw_mask(job, row, row[DROPOUT], 0, count, row[UNITS], wide, update, first, mask)
        drop(mask, count * wide, 1, out, out)
    activate_all(row[ACTIVATION], out, count * wide)


@kernel
def backward(job, row, work, lanes):
    """From D_OUT, which it overwrites, to the gradient of the input."""
    stand_alone()
    wide, count = row[WIDE], row[STEPS] * lanes
    d_out = shift(work, row[D_OUT])
    if row[D_X] < 0:
        return
    times_slope(row[ACTIVATION], d_out, shift(work, row[OUT]), d_out, count * wide)
    if dropping(job, row):
        drop(shift(work, row[MASK]), count * wide, 1, d_out, d_out)
    copy_rows(count, row[UNITS], d_out, wide, shift(work, row[D_X]), row[INPUT_STRIDE])
