"""Noise while training: normal, added to the values or multiplied with them, or a share put to selu's lowest value."""

import math

import numpy as np

from tsuzuki.kernels.dropout_masks import copy_rows, mixed
from tsuzuki.kernels.language import procedure, shift
from tsuzuki.kernels.memory import Place, describe_outputs, describe_source, float_as_integers, take_outputs
from tsuzuki.kernels.table import (
    D_OUT,
    D_X,
    DROP_LAYER,
    INPUT_STRIDE,
    MASK,
    OUT,
    OWN_1,
    OWN_2,
    OWN_3,
    SEED,
    STEPS,
    TRAIN,
    UNITS,
    WIDE,
    X_SKIP,
    X,
)
from tsuzuki.network.dropout import AlphaDropout, GaussianDropout, GaussianNoise

DESCRIPTIONS = (GaussianNoise, GaussianDropout, AlphaDropout)
ADDED, MULTIPLIED, REPLACED = range(3)
# The noise's deviation, or the share that is replaced, is SIGNIFICAND * 2^EXPONENT.
HOW, SIGNIFICAND, EXPONENT = OWN_1, OWN_2, OWN_3
# -alpha * scale of selu.
LOWEST = -1.7580993408473766

f32 = np.float32
u64 = np.uint64


def lay_out(layer: GaussianNoise | GaussianDropout | AlphaDropout, place: Place) -> None:
    """Reserve the output and what each value's gradient is multiplied with."""
    describe_source(place)
    describe_outputs(place, place.sources[0].size)
    take_outputs(place)
    row = place.row
    if isinstance(layer, GaussianNoise):
        size = layer.stddev
    elif isinstance(layer, GaussianDropout):
        size = math.sqrt(layer.rate / (1 - layer.rate))
    else:
        size = layer.rate
    row[HOW] = DESCRIPTIONS.index(type(layer))
    row[SIGNIFICAND], row[EXPONENT] = float_as_integers(size)
    row[MASK] = place.work(place.steps, int(row[WIDE]))


@procedure("ttfiii")
def forward(job, row, work, lanes, update, first_lane):
    """Fill OUT [steps, lanes, wide]."""
    stride, wide, count = row[INPUT_STRIDE], row[WIDE], row[STEPS] * lanes
    out, factors = shift(work, row[OUT]), shift(work, row[MASK])
    copy_rows(count, row[UNITS], shift(work, row[X] + row[X_SKIP] * lanes * stride), stride, out, wide)
    size = np.float64(row[SIGNIFICAND]) * 2.0 ** row[EXPONENT]
    if job[TRAIN] == 0 or size == 0.0:
        return
    scale = ((1.0 - size) * (1.0 + size * LOWEST * LOWEST)) ** -0.5 if row[HOW] == REPLACED else 1.0
    # A number of its own for each value of each step of each lane, as dropout has it.
    stream = mixed(mixed(mixed(u64(job[SEED])) ^ u64(update)) ^ u64(2 * row[DROP_LAYER]))
    for i in range(count):
        own = mixed(stream ^ u64(first_lane * row[STEPS] + i))
        for unit in range(row[UNITS]):
            drawn, at = mixed(own ^ u64(unit)), i * wide + unit
            first, second = drawn >> u64(32), drawn & u64(0xFFFFFFFF)
            if row[HOW] == REPLACED:
                kept = np.float64(second) >= size * 4294967296.0
                value = np.float64(out[at]) if kept else LOWEST
                out[at] = f32(scale * value - scale * LOWEST * size)
                factors[at] = f32(scale) if kept else f32(0)
                continue
            # Box and Muller 1958.
            length = math.sqrt(-2.0 * math.log((np.float64(first) + 1.0) / 4294967296.0))
            noise = f32(size * length * math.cos(2.0 * math.pi / 4294967296.0 * np.float64(second)))
            factors[at] = f32(1) + (noise if row[HOW] == MULTIPLIED else f32(0))
            out[at] = out[at] * factors[at] if row[HOW] == MULTIPLIED else out[at] + noise


@procedure("ttfif")
def backward(job, row, work, lanes, gradients):
    """From D_OUT, which it overwrites, to the gradient of the input."""
    wide, count = row[WIDE], row[STEPS] * lanes
    d_out, factors = shift(work, row[D_OUT]), shift(work, row[MASK])
    if row[D_X] < 0:
        return
    if job[TRAIN] != 0 and row[SIGNIFICAND] != 0:
        for at in range(count * wide):
            d_out[at] *= factors[at]
    copy_rows(count, row[UNITS], d_out, wide, shift(work, row[D_X]), row[INPUT_STRIDE])
