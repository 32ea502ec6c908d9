"""Embedding: the row of a table that the number of a step names.

The gradient of a block is summed step by step and lane by lane, in this order; rows that no number named have zeros.
"""

import math

import numpy as np

from tsuzuki.errors import SettingError
from tsuzuki.kernels.host import WIDTH
from tsuzuki.kernels.language import (
    absolute,
    doubles_at,
    floats_at,
    kernel,
    larger,
    load,
    procedure,
    shift,
    smaller,
    splat,
    store,
)
from tsuzuki.kernels.last_write import write_at
from tsuzuki.kernels.memory import (
    Place,
    describe_outputs,
    describe_source,
    take_array,
    take_flags,
    take_outputs,
    take_squares,
)
from tsuzuki.kernels.table import (
    ADAMAX,
    CLIP,
    CLIP_LIMIT,
    CLIP_VALUE,
    D_OUT,
    D_X,
    INPUT_STRIDE,
    KERNEL,
    OPTIMIZER,
    OPTIMIZER_SETTINGS,
    OUT,
    OWN_1,
    OWN_2,
    OWN_3,
    OWN_4,
    PARAMETERS,
    SOME_SQUARES,
    STEP_MASK,
    STEP_MASK_SKIP,
    STEPS,
    TOUCHED_COUNT,
    WIDE,
    X_SKIP,
    X,
)
from tsuzuki.network.embedding import Embedding

DESCRIPTIONS = (Embedding,)
# FLAGS: where each row that is named has a flag in the gradients, of a large table.
ENTRIES_OF, MASKS, SQUARES, FLAGS = OWN_1, OWN_2, OWN_3, OWN_4

f32 = np.float32


def lay_out(layer: Embedding, place: Place) -> None:
    """Reserve the table, the output and the mask."""
    describe_source(place)
    if place.row[D_X] >= 0:
        raise SettingError(f"{layer} reads another layer; let it read an input")
    describe_outputs(place, layer.output_dim)
    row = place.row
    row[KERNEL], row[ENTRIES_OF], row[MASKS] = take_array(place, "embeddings"), layer.input_dim, layer.mask_zero
    row[SQUARES] = take_squares(place, "embeddings") if layer.by_occurrence else -1
    row[FLAGS] = take_flags(place, "embeddings")
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


@kernel
def add_by_occurrence(job, row, lanes, table, squares, x, d_out):
    """Sum the gradients of a row, clipped one by one where values are, and their squares; Adamax's are their sizes."""
    wide, stride = row[WIDE], row[INPUT_STRIDE]
    clips, sizes = job[CLIP] == CLIP_VALUE, job[OPTIMIZER] == ADAMAX
    limit = f32(doubles_at(job[OPTIMIZER_SETTINGS])[CLIP_LIMIT])
    high, low = splat(limit), splat(-limit)
    for i in range(row[STEPS] * lanes):
        entry = entry_of(row, x[i * stride])
        here = max(entry, 0) * wide
        if entry >= 0:
            for at in range(0, wide, WIDTH):
                g = load(d_out, i * wide + at)
                if clips:
                    g = larger(smaller(g, high), low)
                store(table, here + at, load(table, here + at) + g)
                store(squares, here + at, load(squares, here + at) + (absolute(g) if sizes else g * g))


@kernel
def clear(job, row, gradients, table):
    """Put the gradients of a table to zero; those of rows without a flag are."""
    wide, zero = row[WIDE], splat(f32(0))
    if row[FLAGS] < 0 or job[TOUCHED_COUNT] == 0:
        for at in range(0, row[ENTRIES_OF] * wide, WIDTH):
            store(gradients, table + at, zero)
        return
    for entry in range(row[ENTRIES_OF]):
        if gradients[row[FLAGS] + entry] != 0:
            for at in range(0, wide, WIDTH):
                store(gradients, table + entry * wide + at, zero)


@kernel
def flag(row, flags, x, count):
    """Flag the rows that some numbers name, and no others."""
    for entry in range(row[ENTRIES_OF]):
        write_at(flags, entry, f32(0))
    for i in range(count):
        entry = entry_of(row, x[i * row[INPUT_STRIDE]])
        if entry >= 0:
            write_at(flags, entry, f32(1))


@procedure("ttfif")
def backward(job, row, work, lanes, gradients):
    """Sum D_OUT over the steps that named each row."""
    wide, stride = row[WIDE], row[INPUT_STRIDE]
    table, x = shift(gradients, row[KERNEL]), shift(work, row[X] + row[X_SKIP] * lanes * stride)
    clear(job, row, gradients, row[KERNEL])
    if row[SQUARES] >= 0 and job[SOME_SQUARES]:
        clear(job, row, gradients, row[SQUARES])
    if row[FLAGS] >= 0 and job[TOUCHED_COUNT] > 0:
        flag(row, shift(gradients, row[FLAGS]), x, row[STEPS] * lanes)
    if row[SQUARES] >= 0 and job[SOME_SQUARES]:
        add_by_occurrence(job, row, lanes, table, shift(gradients, row[SQUARES]), x, shift(work, row[D_OUT]))
        return
    for i in range(row[STEPS] * lanes):
        entry, d_out = entry_of(row, x[i * stride]), shift(work, row[D_OUT] + i * wide)
        target = shift(table, max(entry, 0) * wide)
        if entry >= 0:
            for at in range(0, wide, WIDTH):
                store(target, at, load(target, at) + load(d_out, at))
