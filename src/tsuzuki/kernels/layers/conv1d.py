"""Conv1D: each lane's steps side by side, so that a window is one row of a matrix, and its product with the kernel.

Windows overlap there, so nothing is copied for each. Steps that are further apart (DILATION) are copied together.
"""

import numpy as np

from tsuzuki.kernels.host import WIDTH, padded
from tsuzuki.kernels.language import floats_at, kernel, load, procedure, shift, splat, store
from tsuzuki.kernels.matrix import product
from tsuzuki.kernels.memory import (
    Place,
    describe_links,
    describe_outputs,
    take_activation,
    take_outputs,
    take_weights,
)
from tsuzuki.kernels.output_activation import activate_kept, times_slope_kept
from tsuzuki.kernels.projection import input_gradient, sum_rows
from tsuzuki.kernels.table import (
    ACTIVATION,
    BIAS,
    BY_LANE,
    D_OUT,
    D_X,
    INPUT_SIZE,
    INPUT_STEPS,
    INPUT_STRIDE,
    KERNEL,
    LINEAR,
    LINK_D_X,
    LINK_SIZE,
    LINK_SKIP,
    LINK_STRIDE,
    LINK_X,
    LINKS,
    OUT,
    OWN_1,
    OWN_2,
    OWN_3,
    OWN_4,
    PARAMETERS,
    SCRATCH,
    STEPS,
    WIDE,
    X_SKIP,
    ZEROS,
    X,
)
from tsuzuki.network.windows import Conv1D

DESCRIPTIONS = (Conv1D,)
# The window, and the step of the input that the first window begins with.
TAPS, STRIDE, DILATION, BEGIN = OWN_1, OWN_2, OWN_3, OWN_4

f32 = np.float32


def lay_out(layer: Conv1D, place: Place) -> None:
    """Reserve weights, output, the matrix of windows, which stands in for the input, and its gradient."""
    row, (source,) = place.row, place.sources
    describe_links(place, place.sources)
    describe_outputs(place, layer.filters)
    row[TAPS], row[STRIDE], row[DILATION] = layer.kernel_size, layer.strides, layer.dilation_rate
    first = layer.steps([place.input_steps]) - place.steps
    row[BEGIN] = first * layer.strides - layer.padded_before(place.input_steps)
    row[INPUT_SIZE] = layer.kernel_size * source.size
    row[INPUT_STRIDE], row[X_SKIP] = padded(int(row[INPUT_SIZE])), 0
    # Room for windows that do not overlap, which is enough for those that do.
    row[X] = place.work(place.steps, int(row[INPUT_SIZE]) + layer.strides * source.size)
    if source.d_x >= 0:
        row[D_X] = place.work(place.steps, int(row[INPUT_STRIDE]))
    take_activation(place, layer.activation)
    take_weights(place)
    take_outputs(place)


@kernel
def windows_apart(row):
    """Floats from one window of a lane to the next, and from one lane's first window to the next lane's."""
    size = row[INPUT_SIZE] // row[TAPS]
    if row[DILATION] == 1:
        return row[STRIDE] * size, ((row[STEPS] - 1) * row[STRIDE] + row[TAPS]) * size
    return row[INPUT_SIZE], row[STEPS] * row[INPUT_SIZE]


@kernel
def copy_step(job, row, work, lanes, lane, at, target):
    """A step's values of a lane, zeros where the step is padding."""
    link = shift(job, row[LINKS])
    if at >= 0 and at < row[INPUT_STEPS]:
        x = shift(work, link[LINK_X] + ((link[LINK_SKIP] + at) * lanes + lane) * link[LINK_STRIDE])
        for i in range(link[LINK_SIZE]):
            target[i] = x[i]
    else:
        for i in range(link[LINK_SIZE]):
            target[i] = f32(0)


@procedure("ttfi")
def lay_windows(job, row, work, lanes):
    """Fill X with each lane's steps, or windows of steps that are apart."""
    size, (_, whole) = row[INPUT_SIZE] // row[TAPS], windows_apart(row)
    for lane in range(lanes):
        own = shift(work, row[X] + lane * whole)
        if row[DILATION] == 1:
            for step in range(whole // size):
                copy_step(job, row, work, lanes, lane, row[BEGIN] + step, shift(own, step * size))
            continue
        for step in range(row[STEPS]):
            for tap in range(row[TAPS]):
                at = row[BEGIN] + step * row[STRIDE] + tap * row[DILATION]
                copy_step(job, row, work, lanes, lane, at, shift(own, (step * row[TAPS] + tap) * size))


@procedure("ttfiii")
def forward(job, row, work, lanes, update, first_lane):
    """Fill OUT [steps, lanes, wide]."""
    lay_windows(job, row, work, lanes)
    wide, (apart, whole) = row[WIDE], windows_apart(row)
    start, scratch = shift(work, job[ZEROS]), shift(work, job[SCRATCH])
    if row[BIAS] >= 0:
        start = shift(floats_at(job[PARAMETERS]), row[BIAS])
    weights, in_order = shift(floats_at(job[PARAMETERS]), row[KERNEL]), job[BY_LANE]
    for lane in range(lanes):
        x, out = shift(work, row[X] + lane * whole), shift(work, row[OUT] + lane * wide)
        product(
            in_order,
            row[STEPS],
            wide,
            row[INPUT_SIZE],
            x,
            apart,
            1,
            weights,
            wide,
            start,
            0,
            out,
            lanes * wide,
            scratch,
        )
    activate_kept(row, work, shift(work, row[OUT]), row[STEPS] * lanes)


@procedure("ttfif")
def backward(job, row, work, lanes, gradients):
    """From D_OUT, which it overwrites, to the gradients of weights and input."""
    wide, count, d_out, (apart, whole) = row[WIDE], row[STEPS] * lanes, shift(work, row[D_OUT]), windows_apart(row)
    if row[ACTIVATION] != LINEAR:
        times_slope_kept(row, work, d_out, count)
    start, start_stride, scratch = shift(work, job[ZEROS]), 0, shift(work, job[SCRATCH])
    d_weights = shift(gradients, row[KERNEL])
    for lane in range(lanes):
        x, slopes = shift(work, row[X] + lane * whole), shift(d_out, lane * wide)
        product(
            0,
            row[INPUT_SIZE],
            wide,
            row[STEPS],
            x,
            1,
            apart,
            slopes,
            lanes * wide,
            start,
            start_stride,
            d_weights,
            wide,
            scratch,
        )
        start, start_stride = d_weights, wide
    if row[BIAS] >= 0:
        sum_rows(count, wide, d_out, wide, shift(gradients, row[BIAS]))
    if row[D_X] >= 0:
        input_gradient(job, row, work, count, d_out)
        add_windows(job, row, work, lanes)


@procedure("ttfi")
def add_windows(job, row, work, lanes):
    """Add the gradients of all windows up in the input's."""
    link, stride = shift(job, row[LINKS]), row[INPUT_STRIDE]
    size, wide, d_x = link[LINK_SIZE], link[LINK_STRIDE], shift(work, link[LINK_D_X])
    for i in range(0, row[INPUT_STEPS] * lanes * wide, WIDTH):
        store(d_x, i, splat(f32(0)))
    for step in range(row[STEPS]):
        for tap in range(row[TAPS]):
            at = row[BEGIN] + step * row[STRIDE] + tap * row[DILATION]
            if at < 0 or at >= row[INPUT_STEPS]:
                continue
            for lane in range(lanes):
                source = shift(work, row[D_X] + (step * lanes + lane) * stride + tap * size)
                target = shift(d_x, (at * lanes + lane) * wide)
                last = size // WIDTH * WIDTH
                for i in range(0, last, WIDTH):
                    store(target, i, load(target, i) + load(source, i))
                for i in range(last, size):
                    target[i] += source[i]
