"""The values of all steps in their order, as one step or as others; or steps and values in one another's place."""

import numpy as np

from tsuzuki.kernels.language import procedure, shift
from tsuzuki.kernels.memory import Place, describe_outputs, describe_source, take_outputs
from tsuzuki.kernels.table import (
    D_OUT,
    D_X,
    INPUT_SIZE,
    INPUT_STEPS,
    INPUT_STRIDE,
    OUT,
    OWN_1,
    OWN_2,
    UNITS,
    WIDE,
    X_SKIP,
    X,
)
from tsuzuki.network.shaping import Flatten, Permute, Reshape

DESCRIPTIONS = (Flatten, Reshape, Permute)
# The first step that somebody sees, and whether step and value change places.
FIRST, TURNED = OWN_1, OWN_2

f32 = np.float32


def lay_out(layer: Flatten | Reshape | Permute, place: Place) -> None:
    """Reserve the output."""
    describe_source(place)
    describe_outputs(place, layer.outputs([place.sources[0].size]))
    take_outputs(place)
    place.row[TURNED] = isinstance(layer, Permute)
    place.row[FIRST] = layer.steps([place.input_steps]) - place.steps


@procedure("ttfiii")
def forward(job, row, work, lanes, update, first_lane):
    """Fill OUT [steps, lanes, wide]."""
    stride, size, wide, units = row[INPUT_STRIDE], row[INPUT_SIZE], row[WIDE], row[UNITS]
    for lane in range(lanes):
        x, out = shift(work, row[X] + (row[X_SKIP] * lanes + lane) * stride), shift(work, row[OUT] + lane * wide)
        step, unit = -row[FIRST], 0
        for t in range(row[INPUT_STEPS]):
            for i in range(size):
                if row[TURNED]:
                    step, unit = i - row[FIRST], t
                if step >= 0:
                    out[step * lanes * wide + unit] = x[t * lanes * stride + i]
                unit += 1
                if unit == units:
                    step, unit = step + 1, 0


@procedure("ttfif")
def backward(job, row, work, lanes, gradients):
    """Put D_OUT back to where the values came from."""
    if row[D_X] < 0:
        return
    stride, size, wide, units = row[INPUT_STRIDE], row[INPUT_SIZE], row[WIDE], row[UNITS]
    for lane in range(lanes):
        d_x, d_out = shift(work, row[D_X] + lane * stride), shift(work, row[D_OUT] + lane * wide)
        step, unit = -row[FIRST], 0
        for t in range(row[INPUT_STEPS]):
            for i in range(size):
                if row[TURNED]:
                    step, unit = i - row[FIRST], t
                d_x[t * lanes * stride + i] = d_out[step * lanes * wide + unit] if step >= 0 else f32(0)
                unit += 1
                if unit == units:
                    step, unit = step + 1, 0
