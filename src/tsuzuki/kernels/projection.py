"""The part of every layer that looks at its input: x W + b for all steps at once, and the way back.

Dense layers are nothing else; recurrent cells do this before they step through time, and again, backwards, after it.
"""

import numpy as np

from tsuzuki.kernels.dropout_masks import draw_mask, drop
from tsuzuki.kernels.host import WIDTH
from tsuzuki.kernels.language import floats_at, kernel, load, procedure, shift, splat, store
from tsuzuki.kernels.matrix import product, product_of_pieces
from tsuzuki.kernels.table import (
    BIAS,
    BY_LANE,
    D_X,
    DEEP,
    DROPOUT,
    GATES,
    INPUT_SIZE,
    INPUT_STRIDE,
    KERNEL,
    MASK,
    MASKED_X,
    PACKED,
    PACKED_KERNEL_T,
    PANEL,
    PARAMETERS,
    SCRATCH,
    SHORT_ROW,
    TRAIN,
    UNITS,
    WIDE,
    X_SKIP,
    ZEROS,
    X,
)

f32 = np.float32


@kernel
def dropping(job, row):
    """Whether this layer drops inputs in this run."""
    return job[TRAIN] != 0 and row[DROPOUT] > 0


@kernel
def input_of(job, row, work, lanes):
    """Where the layer's input begins: its own masked copy, or the output of the layer before."""
    if dropping(job, row):
        return shift(work, row[MASKED_X])
    return shift(work, row[X] + row[X_SKIP] * lanes * row[INPUT_STRIDE])


@procedure("ttfiifii")
def project(job, row, work, lanes, steps, results, update, first_lane):
    """results[steps * lanes, gates * wide] = x W + b."""
    wide = row[GATES] * row[WIDE]
    stride = row[INPUT_STRIDE]
    if dropping(job, row):
        source = shift(work, row[X] + row[X_SKIP] * lanes * stride)
        mask = shift(work, row[MASK])
        draw_mask(job, row, row[DROPOUT], 0, lanes, row[INPUT_SIZE], stride, update, first_lane, mask)
        drop(mask, lanes * stride, steps, source, shift(work, row[MASKED_X]))
    start = shift(work, job[ZEROS])
    if row[BIAS] >= 0:
        start = shift(floats_at(job[PARAMETERS]), row[BIAS])
    weights = shift(floats_at(job[PARAMETERS]), row[KERNEL])
    x = input_of(job, row, work, lanes)
    scratch = shift(work, job[SCRATCH])
    in_order, count = job[BY_LANE], steps * lanes
    product(in_order, count, wide, row[INPUT_SIZE], x, stride, 1, weights, wide, start, 0, results, wide, scratch)


@procedure("iifif")
def sum_rows(count, wide, values, stride, sums):
    """sums[wide] = the sum of `count` rows.

    Several sums side by side, as an addition takes four cycles and two begin in each: the bits are those of a product
    with a row of ones, whose tile takes three times as long.
    """
    column = 0
    while column + PANEL <= wide:
        sum_two_columns(count, shift(values, column), stride, shift(sums, column))
        column += PANEL
    if column < wide:
        sum_one_column(count, shift(values, column), stride, shift(sums, column))


@kernel
def sum_two_columns(count, values, stride, sums):
    """Two vectors a row, four sums of each."""
    zero, at = splat(f32(0)), 0
    a, b, c, d = zero, zero, zero, zero
    e, f, g, h = zero, zero, zero, zero
    for _ in range(count // 4):
        a, e = a + load(values, at), e + load(values, at + WIDTH)
        at += stride
        b, f = b + load(values, at), f + load(values, at + WIDTH)
        at += stride
        c, g = c + load(values, at), g + load(values, at + WIDTH)
        at += stride
        d, h = d + load(values, at), h + load(values, at + WIDTH)
        at += stride
    for _ in range(count % 4):
        a, e = a + load(values, at), e + load(values, at + WIDTH)
        at += stride
    store(sums, 0, (a + b) + (c + d))
    store(sums, WIDTH, (e + f) + (g + h))


@kernel
def sum_one_column(count, values, stride, sums):
    """One vector a row, eight sums."""
    zero, at = splat(f32(0)), 0
    a, b, c, d = zero, zero, zero, zero
    e, f, g, h = zero, zero, zero, zero
    for _ in range(count // 8):
        a, b = a + load(values, at), b + load(values, at + stride)
        c, d = c + load(values, at + 2 * stride), d + load(values, at + 3 * stride)
        at += 4 * stride
        e, f = e + load(values, at), f + load(values, at + stride)
        g, h = g + load(values, at + 2 * stride), h + load(values, at + 3 * stride)
        at += 4 * stride
    for _ in range(count % 8):
        a = a + load(values, at)
        at += stride
    store(sums, 0, ((a + b) + (c + d)) + ((e + f) + (g + h)))


@procedure("ttfif")
def input_gradient(job, row, work, count, slopes):
    """D_X [count, stride] = slopes W^T."""
    wide, stride = row[GATES] * row[WIDE], row[INPUT_STRIDE]
    zeros, d_x = shift(work, job[ZEROS]), shift(work, row[D_X])
    turned = shift(floats_at(job[PACKED]), row[PACKED_KERNEL_T])
    units, gap, panel = row[UNITS], row[WIDE] - row[UNITS], wide * PANEL
    manner = DEEP if wide > SHORT_ROW else 0
    product_of_pieces(
        manner,
        count,
        stride,
        units,
        row[GATES],
        gap,
        slopes,
        wide,
        1,
        turned,
        PANEL,
        panel,
        zeros,
        0,
        d_x,
        stride,
    )


@procedure("ttfiiff")
def project_back(job, row, work, lanes, steps, slopes, gradients):
    """From the slopes at x W + b to the gradients of W, b and x; slopes are [steps * lanes, gates * wide]."""
    wide = row[GATES] * row[WIDE]
    stride = row[INPUT_STRIDE]
    count = steps * lanes
    zeros, scratch = shift(work, job[ZEROS]), shift(work, job[SCRATCH])
    x = input_of(job, row, work, lanes)
    d_weights = shift(gradients, row[KERNEL])
    product(0, row[INPUT_SIZE], wide, count, x, 1, stride, slopes, wide, zeros, 0, d_weights, wide, scratch)
    if row[BIAS] >= 0:
        sum_rows(count, wide, slopes, wide, shift(gradients, row[BIAS]))
    if row[D_X] >= 0:
        input_gradient(job, row, work, count, slopes)
        if dropping(job, row):
            d_x = shift(work, row[D_X])
            drop(shift(work, row[MASK]), lanes * stride, steps, d_x, d_x)
