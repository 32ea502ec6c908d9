"""PReLU: x where it is positive, else x times a slope that is trained."""

import numpy as np

from tsuzuki.kernels.language import floats_at, procedure, shift
from tsuzuki.kernels.memory import Place, describe_outputs, describe_source, take_outputs, take_vectors
from tsuzuki.kernels.table import (
    D_OUT,
    D_X,
    INPUT_STRIDE,
    KERNEL,
    OUT,
    OWN_1,
    PARAMETERS,
    STEPS,
    UNITS,
    WIDE,
    X_SKIP,
    X,
)
from tsuzuki.network.activation_layers import PReLU

DESCRIPTIONS = (PReLU,)
# How many steps have slopes of their own.
APART = OWN_1

f32 = np.float32


def lay_out(layer: PReLU, place: Place) -> None:
    """Reserve the slopes and the output."""
    describe_source(place)
    describe_outputs(place, place.sources[0].size)
    take_vectors(place, {"alpha": KERNEL})
    take_outputs(place)
    place.row[APART] = layer.steps_apart or 1


@procedure("ttfiii")
def forward(job, row, work, lanes, update, first_lane):
    """Fill OUT [steps, lanes, wide]."""
    wide, stride, steps = row[WIDE], row[INPUT_STRIDE], row[STEPS]
    for step in range(steps):
        # Where only the last steps are seen, theirs are the last slopes.
        own = row[APART] - steps + step if row[APART] > 1 else 0
        alpha = shift(floats_at(job[PARAMETERS]), row[KERNEL] + own * wide)
        for lane in range(lanes):
            x = shift(work, row[X] + ((row[X_SKIP] + step) * lanes + lane) * stride)
            out = shift(work, row[OUT] + (step * lanes + lane) * wide)
            for unit in range(row[UNITS]):
                out[unit] = x[unit] * (f32(1) if x[unit] > 0 else alpha[unit])


@procedure("ttfif")
def backward(job, row, work, lanes, gradients):
    """From D_OUT to the gradients of the slopes and the input."""
    wide, stride, steps, units = row[WIDE], row[INPUT_STRIDE], row[STEPS], row[UNITS]
    d_alphas = shift(gradients, row[KERNEL])
    for i in range(row[APART] * wide):
        d_alphas[i] = f32(0)
    for step in range(steps):
        own = row[APART] - steps + step if row[APART] > 1 else 0
        alpha, d_alpha = shift(floats_at(job[PARAMETERS]), row[KERNEL] + own * wide), shift(d_alphas, own * wide)
        for lane in range(lanes):
            x = shift(work, row[X] + ((row[X_SKIP] + step) * lanes + lane) * stride)
            d_out = shift(work, row[D_OUT] + (step * lanes + lane) * wide)
            for unit in range(units):
                d_alpha[unit] += d_out[unit] * min(x[unit], f32(0))
            if row[D_X] >= 0:
                d_x = shift(work, row[D_X] + (step * lanes + lane) * stride)
                for unit in range(units):
                    slope = f32(1) if x[unit] > 0 else alpha[unit]
                    d_x[unit] = d_out[unit] * (f32(0) if x[unit] == 0 else slope)
