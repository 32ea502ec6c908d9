"""ActivityRegularization: the values as they are, whose size is added to the loss."""

import numpy as np

from tsuzuki.kernels.dropout_masks import copy_rows
from tsuzuki.kernels.language import procedure, shift, small_ints_at
from tsuzuki.kernels.memory import Place, describe_outputs, describe_source, take_constant, take_outputs
from tsuzuki.kernels.table import (
    D_OUT,
    D_X,
    FIRST_UPDATE,
    INPUT_STEPS,
    INPUT_STRIDE,
    LANES,
    OUT,
    OWN_1,
    OWN_2,
    PENALTY,
    STEPS,
    TIMESTEPS,
    UNITS,
    VALID,
    WIDE,
    X_SKIP,
    X,
)
from tsuzuki.network.activation_layers import ActivityRegularization

DESCRIPTIONS = (ActivityRegularization,)
# Where l1 and l2 stand in the work space, and for each step and lane what a value there counts.
FACTORS, COUNTS = OWN_1, OWN_2

f32 = np.float32


def lay_out(layer: ActivityRegularization, place: Place) -> None:
    """Reserve the output, the factors and the block's share of the penalty."""
    describe_source(place)
    describe_outputs(place, place.sources[0].size)
    take_outputs(place)
    row = place.row
    row[FACTORS] = take_constant(place, (layer.l1, layer.l2))
    row[COUNTS], row[PENALTY] = place.work(place.input_steps, 1), place.spaces.work.take(1)


@procedure("ttiiif")
def count_rows(job, row, lanes, k, first_lane, counts):
    """What a value of each step and lane counts: one by the rows of the update, or nothing."""
    valid, rows = shift(small_ints_at(job[VALID]), k * job[LANES]), 0
    for lane in range(job[LANES]):
        rows += 1 if valid[lane] > 0 else 0
    share, steps = f32(1) / f32(max(rows, 1)), row[INPUT_STEPS]
    for lane in range(lanes):
        real = valid[first_lane + lane]
        held = real if steps == job[TIMESTEPS] else steps if real > 0 else 0
        for step in range(steps):
            counts[step * lanes + lane] = share if step < held else f32(0)


@procedure("ttfiii")
def forward(job, row, work, lanes, update, first_lane):
    """Fill OUT [steps, lanes, wide], and note the block's share of the penalty."""
    stride, steps, total = row[INPUT_STRIDE], row[INPUT_STEPS], 0.0
    x, counts = shift(work, row[X] + row[X_SKIP] * lanes * stride), shift(work, row[COUNTS])
    l1, l2 = work[row[FACTORS]], work[row[FACTORS] + 1]
    count_rows(job, row, lanes, update - job[FIRST_UPDATE], first_lane, counts)
    for i in range(steps * lanes):
        size = f32(0)
        for unit in range(row[UNITS]):
            value = x[i * stride + unit]
            size += l1 * abs(value) + l2 * value * value
        total += size * counts[i]
    work[row[PENALTY]] = f32(total)
    seen = row[STEPS] * lanes
    before = (steps * lanes - seen) * stride
    copy_rows(seen, row[UNITS], shift(x, before), stride, shift(work, row[OUT]), row[WIDE])


@procedure("ttfif")
def backward(job, row, work, lanes, gradients):
    """The gradient of the input: D_OUT, where a step has one, and the slope of the penalty."""
    stride, wide, steps = row[INPUT_STRIDE], row[WIDE], row[INPUT_STEPS]
    if row[D_X] < 0:
        return
    x, counts = shift(work, row[X] + row[X_SKIP] * lanes * stride), shift(work, row[COUNTS])
    l1, l2 = work[row[FACTORS]], work[row[FACTORS] + 1]
    unseen = (steps - row[STEPS]) * lanes
    d_out, d_x = shift(work, row[D_OUT]), shift(work, row[D_X])
    for i in range(steps * lanes):
        for unit in range(row[UNITS]):
            value = x[i * stride + unit]
            sign = f32(1) if value > 0 else f32(-1) if value < 0 else f32(0)
            slope = (l1 * sign + f32(2) * l2 * value) * counts[i]
            d_x[i * stride + unit] = slope + (d_out[(i - unseen) * wide + unit] if i >= unseen else f32(0))
