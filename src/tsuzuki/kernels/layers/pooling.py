"""The largest value or the mean of a window, each value by itself."""

import numpy as np

from tsuzuki.kernels.host import WIDTH
from tsuzuki.kernels.language import kernel, load, procedure, shift, splat, store, where_positive
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
    X_STEP_MASK,
    X_STEP_MASK_SKIP,
    X,
)
from tsuzuki.network.windows import AveragePooling1D, GlobalAveragePooling1D, GlobalMaxPooling1D, MaxPooling1D, Pooling

DESCRIPTIONS = (MaxPooling1D, AveragePooling1D, GlobalMaxPooling1D, GlobalAveragePooling1D)
# Keras gives the gradient to the first of equal values, or to all of them where the window is the whole row.
FIRST_LARGEST, MEAN, LARGEST, MASKED_MEAN = range(4)
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
    row[HOW] = how
    if isinstance(layer, GlobalAveragePooling1D):
        row[HOW] = MEAN if row[X_STEP_MASK] < 0 else MASKED_MEAN
    row[SPAN], row[STRIDE], *_ = layer.window(place.input_steps)
    first = layer.steps([place.input_steps]) - place.steps
    row[BEGIN] = first * int(row[STRIDE]) - layer.padded_before(place.input_steps)


@kernel
def window(row, step):
    """The steps of the input in a step's window, first and end; those that are padding are left out."""
    begin = row[BEGIN] + step * row[STRIDE]
    return max(begin, 0), min(begin + row[SPAN], row[INPUT_STEPS])


@kernel
def counts(row, work, lanes, lane, at):
    """Whether a step of the input counts in a masked mean."""
    return shift(work, row[X_STEP_MASK])[(row[X_STEP_MASK_SKIP] + at) * lanes + lane]


@kernel
def pooled(row, x, gap, first, end):
    """The pooled value of the steps from `first` to before `end`."""
    total = x[first * gap]
    for at in range(first + 1, end):
        value = x[at * gap]
        if row[HOW] == MEAN:
            total += value
        elif not value <= total:
            # A NaN stays, since nothing is larger than it.
            total = value
    return total / f32(end - first) if row[HOW] == MEAN else total


@kernel
def average(row, work, lanes, lane, first, end, x, out):
    """The mean of the steps that count, NaN where none does."""
    whole = f32(0)
    for at in range(first, end):
        whole += counts(row, work, lanes, lane, at)
    for unit in range(0, row[WIDE], WIDTH):
        total = splat(f32(0))
        for at in range(first, end):
            if counts(row, work, lanes, lane, at) != 0:
                total = total + load(x, at * lanes * row[WIDE] + unit)
        store(out, unit, total / splat(whole))


@procedure("ttfiii")
def forward(job, row, work, lanes, update, first_lane):
    """Fill OUT [steps, lanes, wide]."""
    wide, stride, gap = row[WIDE], row[INPUT_STRIDE], lanes * row[INPUT_STRIDE]
    for step in range(row[STEPS]):
        first, end = window(row, step)
        for lane in range(lanes):
            x = shift(work, row[X] + (row[X_SKIP] * lanes + lane) * stride)
            out = shift(work, row[OUT] + (step * lanes + lane) * wide)
            if stride != wide:
                # The network's own inputs have no padding between lanes.
                for unit in range(row[UNITS]):
                    out[unit] = pooled(row, shift(x, unit), gap, first, end)
                continue
            if row[HOW] == MASKED_MEAN:
                average(row, work, lanes, lane, first, end, x, out)
                continue
            share = splat(f32(1) / f32(end - first))
            for unit in range(0, wide, WIDTH):
                total = load(x, first * gap + unit)
                for at in range(first + 1, end):
                    value = load(x, at * gap + unit)
                    total = total + value if row[HOW] == MEAN else where_positive(value - total, value, total)
                store(out, unit, total * share if row[HOW] == MEAN else total)


@procedure("ttfif")
def backward(job, row, work, lanes, gradients):
    """Give the input its shares of D_OUT; its lanes are padded, for the network's own inputs want none."""
    if row[D_X] < 0:
        return
    wide, zero, one = row[WIDE], splat(f32(0)), splat(f32(1))
    gap = lanes * wide
    d_whole = shift(work, row[D_X])
    for i in range(0, row[INPUT_STEPS] * gap, WIDTH):
        store(d_whole, i, zero)
    for step in range(row[STEPS]):
        first, end = window(row, step)
        for lane in range(lanes):
            x, d_x = shift(work, row[X] + (row[X_SKIP] * lanes + lane) * wide), shift(d_whole, lane * wide)
            here = (step * lanes + lane) * wide
            for unit in range(0, wide, WIDTH):
                share, value = load(shift(work, row[D_OUT] + here), unit), load(shift(work, row[OUT] + here), unit)
                if row[HOW] == MEAN:
                    share = share / splat(f32(end - first))
                if row[HOW] == MASKED_MEAN:
                    whole = f32(0)
                    for at in range(first, end):
                        whole += counts(row, work, lanes, lane, at)
                    share = share / splat(whole)
                if row[HOW] == LARGEST:
                    count = zero
                    for at in range(first, end):
                        count = count + where_positive(value - load(x, at * gap + unit), zero, one)
                    share = share / count
                for at in range(first, end):
                    place = at * gap + unit
                    if row[HOW] == MEAN or row[HOW] == MASKED_MEAN:
                        if row[HOW] == MEAN or counts(row, work, lanes, lane, at) != 0:
                            store(d_x, place, load(d_x, place) + share)
                        continue
                    smaller_by = value - load(x, place)
                    store(d_x, place, load(d_x, place) + where_positive(smaller_by, zero, share))
                    if row[HOW] == FIRST_LARGEST:
                        share = where_positive(smaller_by, share, zero)
