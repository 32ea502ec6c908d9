"""Conv1D: the windows of all steps side by side as rows of one matrix, and its product with the kernel."""

import numpy as np

from tsuzuki.kernels.dropout_masks import copy_rows
from tsuzuki.kernels.host import padded
from tsuzuki.kernels.language import procedure, shift
from tsuzuki.kernels.memory import (
    Place,
    describe_links,
    describe_outputs,
    take_activation,
    take_outputs,
    take_weights,
)
from tsuzuki.kernels.output_activation import activate_kept, times_slope_kept
from tsuzuki.kernels.projection import project, project_back
from tsuzuki.kernels.table import (
    ACTIVATION,
    D_OUT,
    D_X,
    INPUT_SIZE,
    INPUT_STEPS,
    INPUT_STRIDE,
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
    STEPS,
    X_SKIP,
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
    row[X] = place.work(place.steps, int(row[INPUT_STRIDE]))
    if source.d_x >= 0:
        row[D_X] = place.work(place.steps, int(row[INPUT_STRIDE]))
    take_activation(place, layer.activation)
    take_weights(place)
    take_outputs(place)


@procedure("ttfiii")
def forward(job, row, work, lanes, update, first_lane):
    """Fill OUT [steps, lanes, wide]."""
    link, stride, count = shift(job, row[LINKS]), row[INPUT_STRIDE], row[STEPS] * lanes
    size, x = link[LINK_SIZE], shift(work, link[LINK_X] + link[LINK_SKIP] * lanes * link[LINK_STRIDE])
    for step in range(row[STEPS]):
        for tap in range(row[TAPS]):
            at = row[BEGIN] + step * row[STRIDE] + tap * row[DILATION]
            target = shift(work, row[X] + step * lanes * stride + tap * size)
            if at >= 0 and at < row[INPUT_STEPS]:
                copy_rows(lanes, size, shift(x, at * lanes * link[LINK_STRIDE]), link[LINK_STRIDE], target, stride)
            else:
                for lane in range(lanes):
                    for i in range(size):
                        target[lane * stride + i] = f32(0)
    out = shift(work, row[OUT])
    project(job, row, work, lanes, row[STEPS], out, update, first_lane)
    activate_kept(row, work, out, count)


@procedure("ttfif")
def backward(job, row, work, lanes, gradients):
    """From D_OUT, which it overwrites, to the gradients of weights and input."""
    link, stride, d_out = shift(job, row[LINKS]), row[INPUT_STRIDE], shift(work, row[D_OUT])
    if row[ACTIVATION] != LINEAR:
        times_slope_kept(row, work, d_out, row[STEPS] * lanes)
    project_back(job, row, work, lanes, row[STEPS], d_out, gradients)
    if row[D_X] < 0:
        return
    size, wide, d_x = link[LINK_SIZE], link[LINK_STRIDE], shift(work, link[LINK_D_X])
    for i in range(row[INPUT_STEPS] * lanes * wide):
        d_x[i] = f32(0)
    for step in range(row[STEPS]):
        for tap in range(row[TAPS]):
            at = row[BEGIN] + step * row[STRIDE] + tap * row[DILATION]
            if at >= 0 and at < row[INPUT_STEPS]:
                source = shift(work, row[D_X] + step * lanes * stride + tap * size)
                for lane in range(lanes):
                    target = shift(d_x, (at * lanes + lane) * wide)
                    for i in range(size):
                        target[i] += source[lane * stride + i]
