"""Embedding: the row of a table that the number of a step names.

The gradient of a block is summed step by step and lane by lane, in this order; rows that no number named have zeros.
"""

import math

import numpy as np

from tsuzuki.errors import SettingError
from tsuzuki.kernels.host import WIDTH
from tsuzuki.kernels.language import floats_at, kernel, load, procedure, shift, splat, store
from tsuzuki.kernels.memory import Place, describe_outputs, describe_source, take_array, take_outputs
from tsuzuki.kernels.table import (
    D_OUT,
    D_X,
    INPUT_STRIDE,
    KERNEL,
    OUT,
    OWN_1,
    OWN_2,
    PARAMETERS,
    STEP_MASK,
    STEP_MASK_SKIP,
    STEPS,
    WIDE,
    X_SKIP,
    X,
)
from tsuzuki.network.embedding import Embedding

DESCRIPTIONS = (Embedding,)
ENTRIES_OF, MASKS = OWN_1, OWN_2

f32 = np.float32


def lay_out(layer: Embedding, place: Place) -> None:
    """Reserve the table, the output and the mask."""
    describe_source(place)
    if place.row[D_X] >= 0:
        raise SettingError(f"{layer} reads another layer; let it read an input")
    describe_outputs(place, layer.output_dim)
    row = place.row
    row[KERNEL], row[ENTRIES_OF], row[MASKS] = take_array(place, "embeddings"), layer.input_dim, layer.mask_zero
    take_outputs(place)
    if layer.mask_zero:
        row[STEP_MASK], row[STEP_MASK_SKIP] = place.work(place.steps, 1), 0


@kernel
def entry_of(row, number):
    """The row of the table that a number names, -1 where it names none."""
    if not (number >= 0 and number < row[ENTRIES_OF]):
        return -1
    entry = np.int64(number)
    return entry if f32(entry) == number else -1


@procedure("ttfiii")
def forward(job, row, work, lanes, update, first_lane):
    """Fill OUT [steps, lanes, wide] and the mask."""
    wide, stride = row[WIDE], row[INPUT_STRIDE]
    table, x = shift(floats_at(job[PARAMETERS]), row[KERNEL]), shift(work, row[X] + row[X_SKIP] * lanes * stride)
    for i in range(row[STEPS] * lanes):
        entry, out = entry_of(row, x[i * stride]), shift(work, row[OUT] + i * wide)
        source = shift(table, max(entry, 0) * wide)
        for at in range(0, wide, WIDTH):
            store(out, at, load(source, at) if entry >= 0 else splat(f32(math.nan)))
        if row[MASKS]:
            shift(work, row[STEP_MASK])[i] = f32(0) if entry == 0 else f32(1)


@procedure("ttfif")
def backward(job, row, work, lanes, gradients):
    """Sum D_OUT over the steps that named each row."""
    wide, stride = row[WIDE], row[INPUT_STRIDE]
    table, x = shift(gradients, row[KERNEL]), shift(work, row[X] + row[X_SKIP] * lanes * stride)
    for at in range(0, row[ENTRIES_OF] * wide, WIDTH):
        store(table, at, splat(f32(0)))
    for i in range(row[STEPS] * lanes):
        entry, d_out = entry_of(row, x[i * stride]), shift(work, row[D_OUT] + i * wide)
        target = shift(table, max(entry, 0) * wide)
        if entry >= 0:
            for at in range(0, wide, WIDTH):
                store(target, at, load(target, at) + load(d_out, at))
