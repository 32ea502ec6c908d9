"""The values of a step brought to one size by themselves: by mean and deviation, mean square, or sum of squares."""

import math

import numpy as np

from tsuzuki.kernels.host import WIDTH
from tsuzuki.kernels.language import floats_at, kernel, procedure, shift, splat, store
from tsuzuki.kernels.memory import (
    Place,
    describe_outputs,
    describe_source,
    float_as_integers,
    take_outputs,
    take_vectors,
)
from tsuzuki.kernels.table import (
    BIAS,
    D_OUT,
    D_X,
    INPUT_STRIDE,
    KERNEL,
    OUT,
    OWN_1,
    OWN_2,
    OWN_3,
    OWN_4,
    OWN_5,
    PARAMETERS,
    STEPS,
    UNITS,
    WIDE,
    X_SKIP,
    X,
)
from tsuzuki.network.normalisation import LayerNormalization, OverValues, RMSNormalization, UnitNormalization

DESCRIPTIONS = (LayerNormalization, RMSNormalization, UnitNormalization)
BY_DEVIATION, BY_MEAN_SQUARE, BY_LENGTH = range(3)
GAMMA, BETA = KERNEL, BIAS
# Normalised values and the reciprocal size of each step, kept for the way back; epsilon is
# SIGNIFICAND * 2^EXPONENT; and what the size is.
NORMAL, FACTOR, SIGNIFICAND, EXPONENT, HOW = OWN_1, OWN_2, OWN_3, OWN_4, OWN_5

# The least length by which values are divided.
SHORTEST = 1e-12

f32 = np.float32


def lay_out(layer: OverValues, place: Place) -> None:
    """Reserve factors, offsets, the output, and what is kept."""
    describe_source(place)
    describe_outputs(place, place.sources[0].size)
    row = place.row
    take_vectors(place, {"gamma": GAMMA, "scale": GAMMA, "beta": BETA})
    take_outputs(place)
    row[NORMAL], row[FACTOR] = place.work(place.steps, int(row[WIDE])), place.work(place.steps, 1)
    row[SIGNIFICAND], row[EXPONENT] = float_as_integers(getattr(layer, "epsilon", 0.0))
    row[HOW] = DESCRIPTIONS.index(type(layer))  # type: ignore[arg-type]


@procedure("ttfiii")
def forward(job, row, work, lanes, update, first_lane):
    """Fill OUT [steps, lanes, wide]."""
    units, wide, stride, how = row[UNITS], row[WIDE], row[INPUT_STRIDE], row[HOW]
    epsilon = np.float64(row[SIGNIFICAND]) * 2.0 ** row[EXPONENT]
    gamma, beta = shift(floats_at(job[PARAMETERS]), row[GAMMA]), shift(floats_at(job[PARAMETERS]), row[BETA])
    for i in range(row[STEPS] * lanes):
        x, out = shift(work, row[X] + (row[X_SKIP] * lanes + i) * stride), shift(work, row[OUT] + i * wide)
        normal = shift(work, row[NORMAL] + i * wide)
        mean = square = 0.0
        if how == BY_DEVIATION:
            for unit in range(units):
                mean += x[unit]
            mean /= units
        for unit in range(units):
            square += (x[unit] - mean) * (x[unit] - mean)
        if how == BY_LENGTH:
            factor = 1.0 / max(math.sqrt(square), SHORTEST)
        else:
            factor = 1.0 / math.sqrt(square / units + epsilon)
        shift(work, row[FACTOR])[i] = f32(factor)
        for unit in range(units):
            normal[unit] = f32((x[unit] - mean) * factor)
            value = normal[unit] * gamma[unit] if row[GAMMA] >= 0 else normal[unit]
            out[unit] = value + beta[unit] if row[BETA] >= 0 else value


@kernel
def clear(values, wide):
    """Zeros for a gradient that is summed up."""
    for at in range(0, wide, WIDTH):
        store(values, at, splat(f32(0)))


@procedure("ttfif")
def backward(job, row, work, lanes, gradients):
    """From D_OUT to the gradients of factors, offsets and the input."""
    units, wide, stride, how = row[UNITS], row[WIDE], row[INPUT_STRIDE], row[HOW]
    gamma = shift(floats_at(job[PARAMETERS]), row[GAMMA])
    d_gamma, d_beta = shift(gradients, row[GAMMA]), shift(gradients, row[BETA])
    if row[GAMMA] >= 0:
        clear(d_gamma, wide)
    if row[BETA] >= 0:
        clear(d_beta, wide)
    for i in range(row[STEPS] * lanes):
        normal, d_out = shift(work, row[NORMAL] + i * wide), shift(work, row[D_OUT] + i * wide)
        total = along = 0.0
        for unit in range(units):
            if row[BETA] >= 0:
                d_beta[unit] += d_out[unit]
            if row[GAMMA] >= 0:
                d_gamma[unit] += d_out[unit] * normal[unit]
                d_out[unit] *= gamma[unit]
            total += d_out[unit]
            along += d_out[unit] * normal[unit]
        if row[D_X] >= 0:
            d_x, factor = shift(work, row[D_X] + i * stride), shift(work, row[FACTOR])[i]
            shared = total / units if how == BY_DEVIATION else 0.0
            if how != BY_LENGTH:
                along /= units
            elif factor >= f32(1.0 / SHORTEST):
                # As in Keras, what is shorter is multiplied by a constant.
                along = 0.0
            for unit in range(units):
                d_x[unit] = factor * f32(d_out[unit] - shared - normal[unit] * along)
