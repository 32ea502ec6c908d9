"""The steps of the input, last first, and its mask likewise."""

from tsuzuki.kernels.dropout_masks import copy_rows
from tsuzuki.kernels.language import kernel, procedure, shift
from tsuzuki.kernels.memory import Place, describe_outputs, describe_source, take_outputs
from tsuzuki.kernels.step_masks import input_mask
from tsuzuki.kernels.table import (
    D_OUT,
    D_X,
    INPUT_STEPS,
    INPUT_STRIDE,
    OUT,
    STEP_MASK,
    STEP_MASK_SKIP,
    STEPS,
    UNITS,
    WIDE,
    X_SKIP,
    X_STEP_MASK,
    X,
)
from tsuzuki.network.shaping import Reverse

DESCRIPTIONS = (Reverse,)


def lay_out(layer: Reverse, place: Place) -> None:
    """Reserve the output, and the mask where there is one."""
    describe_source(place)
    describe_outputs(place, place.sources[0].size)
    take_outputs(place)
    if place.row[X_STEP_MASK] >= 0:
        place.row[STEP_MASK], place.row[STEP_MASK_SKIP] = place.work(place.steps, 1), 0


@kernel
def opposite(row, step):
    """The step of the input that output step `step` of the last ones is."""
    return row[STEPS] - 1 - step


@procedure("ttfiii")
def forward(job, row, work, lanes, update, first_lane):
    """Fill OUT [steps, lanes, wide]; of the last steps alone, these are the input's first."""
    stride, wide = row[INPUT_STRIDE], row[WIDE]
    for step in range(row[STEPS]):
        x = shift(work, row[X] + (row[X_SKIP] + opposite(row, step)) * lanes * stride)
        copy_rows(lanes, row[UNITS], x, stride, shift(work, row[OUT] + step * lanes * wide), wide)
        if row[STEP_MASK] >= 0:
            mask, reversed_mask = input_mask(row, work, lanes, opposite(row, step)), shift(work, row[STEP_MASK])
            for lane in range(lanes):
                reversed_mask[step * lanes + lane] = mask[lane]


@procedure("ttfif")
def backward(job, row, work, lanes, gradients):
    """Give each step of the input the gradient of its opposite, and none to steps that nobody sees."""
    if row[D_X] < 0:
        return
    stride, wide = row[INPUT_STRIDE], row[WIDE]
    for step in range(row[STEPS]):
        d_x = shift(work, row[D_X] + opposite(row, step) * lanes * stride)
        copy_rows(lanes, row[UNITS], shift(work, row[D_OUT] + step * lanes * wide), wide, d_x, stride)
    unseen = shift(work, row[D_X] + row[STEPS] * lanes * stride)
    for at in range((row[INPUT_STEPS] - row[STEPS]) * lanes * stride):
        unseen[at] = 0
