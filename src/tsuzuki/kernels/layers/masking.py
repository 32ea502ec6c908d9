"""Masking: a step whose inputs all have a given value does not count, and becomes zero."""

import math

import numpy as np

from tsuzuki.kernels.dropout_masks import copy_rows
from tsuzuki.kernels.language import procedure, shift
from tsuzuki.kernels.memory import Place, describe_outputs, describe_source, take_outputs
from tsuzuki.kernels.table import (
    D_OUT,
    D_X,
    INPUT_STRIDE,
    OUT,
    OWN_1,
    OWN_2,
    STEP_MASK,
    STEP_MASK_SKIP,
    STEPS,
    UNITS,
    WIDE,
    X_SKIP,
    X,
)
from tsuzuki.network.layers import Masking

DESCRIPTIONS = (Masking,)
# The value is SIGNIFICAND * 2^EXPONENT.
SIGNIFICAND, EXPONENT = OWN_1, OWN_2

f32 = np.float32


def lay_out(layer: Masking, place: Place) -> None:
    """Reserve the output and the mask."""
    describe_source(place)
    describe_outputs(place, place.sources[0].size)
    take_outputs(place)
    row = place.row
    row[STEP_MASK], row[STEP_MASK_SKIP] = place.work(place.steps, 1), 0
    fraction, exponent = math.frexp(float(f32(layer.mask_value)))
    row[SIGNIFICAND], row[EXPONENT] = int(fraction * 2**24), exponent - 24


@procedure("ttfiii")
def forward(job, row, work, lanes, update, first_lane):
    """Fill OUT [steps, lanes, wide] and the mask."""
    stride, wide, units = row[INPUT_STRIDE], row[WIDE], row[UNITS]
    value = f32(np.float64(row[SIGNIFICAND]) * 2.0 ** row[EXPONENT])
    x, mask = shift(work, row[X] + row[X_SKIP] * lanes * stride), shift(work, row[STEP_MASK])
    for i in range(row[STEPS] * lanes):
        here, out = shift(x, i * stride), shift(work, row[OUT] + i * wide)
        counts = f32(0)
        for unit in range(units):
            if here[unit] != value:
                counts = f32(1)
        mask[i] = counts
        for unit in range(units):
            out[unit] = here[unit] if counts != 0 else f32(0)


@procedure("ttfif")
def backward(job, row, work, lanes, gradients):
    """Give the input the gradient of the steps that count."""
    if row[D_X] < 0:
        return
    wide, units = row[WIDE], row[UNITS]
    mask, d_out = shift(work, row[STEP_MASK]), shift(work, row[D_OUT])
    for i in range(row[STEPS] * lanes):
        for unit in range(units):
            d_out[i * wide + unit] *= mask[i]
    copy_rows(row[STEPS] * lanes, units, d_out, wide, shift(work, row[D_X]), row[INPUT_STRIDE])
