"""The largest value or the mean of a window, each value by itself."""

import numpy as np

from tsuzuki.kernels.language import kernel, procedure, shift
from tsuzuki.kernels.memory import Place, describe_outputs, describe_source, take_outputs
from tsuzuki.kernels.table import (
    D_OUT,
    D_X,
    INPUT_STEPS,
    INPUT_STRIDE,
    OUT,
    OWN_1,
    OWN_2,
    OWN_3,
    OWN_4,
    STEPS,
    UNITS,
    WIDE,
    X_SKIP,
    X,
)
from tsuzuki.network.windows import AveragePooling1D, GlobalAveragePooling1D, GlobalMaxPooling1D, MaxPooling1D, Pooling

DESCRIPTIONS = (MaxPooling1D, AveragePooling1D, GlobalMaxPooling1D, GlobalAveragePooling1D)
# Keras gives the gradient to the first of equal values, or to all of them where the window is the whole row.
FIRST_LARGEST, MEAN, LARGEST, _ = range(4)
# How values are pooled, the window, and the step of the input that the first window begins with.
HOW, SPAN, STRIDE, BEGIN = OWN_1, OWN_2, OWN_3, OWN_4

f32 = np.float32


def lay_out(layer: Pooling, place: Place) -> None:
    """Reserve the output."""
    row = place.row
    describe_source(place)
    describe_outputs(place, place.sources[0].size)
    take_outputs(place)
    how = DESCRIPTIONS.index(type(layer))  # type: ignore[arg-type]
    row[HOW] = MEAN if how == DESCRIPTIONS.index(GlobalAveragePooling1D) else how
    row[SPAN], row[STRIDE], *_ = layer.window(place.input_steps)
    first = layer.steps([place.input_steps]) - place.steps
    row[BEGIN] = first * int(row[STRIDE]) - layer.padded_before(place.input_steps)


@kernel
def pooled(row, x, gap, first, last):
    """The pooled value of steps first to last, and how many share it."""
    total, count = x[first * gap], 1
    for at in range(first + 1, last):
        value = x[at * gap]
        if row[HOW] == MEAN:
            total, count = total + value, count + 1
        elif value == total:
            count += 1
        elif not value <= total:
            total, count = value, 1
    return total / f32(count) if row[HOW] == MEAN else total, count


@procedure("ttfiii")
def forward(job, row, work, lanes, update, first_lane):
    """Fill OUT [steps, lanes, wide]."""
    wide, stride = row[WIDE], row[INPUT_STRIDE]
    for step in range(row[STEPS]):
        begin = row[BEGIN] + step * row[STRIDE]
        first, last = max(begin, 0), min(begin + row[SPAN], row[INPUT_STEPS])
        for lane in range(lanes):
            x = shift(work, row[X] + (row[X_SKIP] * lanes + lane) * stride)
            out = shift(work, row[OUT] + (step * lanes + lane) * wide)
            for unit in range(row[UNITS]):
                out[unit], _ = pooled(row, shift(x, unit), lanes * stride, first, last)


@procedure("ttfif")
def backward(job, row, work, lanes, gradients):
    """Give the input its shares of D_OUT."""
    if row[D_X] < 0:
        return
    wide, stride = row[WIDE], row[INPUT_STRIDE]
    gap = lanes * stride
    for i in range(row[INPUT_STEPS] * gap):
        shift(work, row[D_X])[i] = f32(0)
    for step in range(row[STEPS]):
        begin = row[BEGIN] + step * row[STRIDE]
        first, last = max(begin, 0), min(begin + row[SPAN], row[INPUT_STEPS])
        for lane in range(lanes):
            x = shift(work, row[X] + (row[X_SKIP] * lanes + lane) * stride)
            d_x, d_out = shift(work, row[D_X] + lane * stride), shift(work, row[D_OUT] + (step * lanes + lane) * wide)
            for unit in range(row[UNITS]):
                value, count = pooled(row, shift(x, unit), gap, first, last)
                share = d_out[unit] if row[HOW] == FIRST_LARGEST else d_out[unit] / f32(count)
                given = False
                for at in range(first, last):
                    here = row[HOW] == MEAN or x[at * gap + unit] == value
                    if here and not (given and row[HOW] == FIRST_LARGEST):
                        d_x[at * gap + unit] += share
                        given = True
