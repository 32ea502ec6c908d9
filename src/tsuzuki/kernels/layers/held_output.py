"""What others see of a cell whose input has a mask: zeros before the first step that counts, then the held state.

With `zero_output_for_mask` all masked steps are zeros. The state itself may be another thing: one that is carried in is
there before the first step.
"""

import numpy as np

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
    OWN_1,
    OWN_2,
    STEPS,
    UNITS,
    WIDE,
    X_SKIP,
    X,
)
from tsuzuki.network.layers import Recurrent

# No description: it is laid out behind every cell whose input has a mask.
DESCRIPTIONS = ()
# Whether masked steps are zeros, and which steps are seen [steps, lanes].
ZEROED, SEEN = OWN_1, OWN_2

f32 = np.float32


def lay_out(cell: Recurrent, place: Place) -> None:
    """Reserve the output, and which of its steps are seen."""
    describe_source(place)
    describe_outputs(place, place.sources[0].size)
    take_outputs(place)
    row = place.row
    row[ZEROED], row[SEEN] = cell.zero_output_for_mask, place.work(place.steps, 1)


@kernel
def times_seen(row, work, lanes, values, stride):
    """Zeros at the steps that are not seen."""
    seen = shift(work, row[SEEN])
    for i in range(row[STEPS] * lanes):
        if seen[i] == 0:
            for unit in range(row[UNITS]):
                values[i * stride + unit] = f32(0)


@procedure("ttfiii")
def forward(job, row, work, lanes, update, first_lane):
    """Fill OUT [steps, lanes, wide], the last of the cell's steps."""
    stride, wide, count = row[INPUT_STRIDE], row[WIDE], row[STEPS] * lanes
    first = row[INPUT_STEPS] - row[STEPS]
    for lane in range(lanes):
        begun = f32(0)
        for step in range(row[INPUT_STEPS]):
            counts = input_mask(row, work, lanes, step)[lane]
            begun = counts if row[ZEROED] else max(begun, counts)
            if step >= first:
                shift(work, row[SEEN])[(step - first) * lanes + lane] = begun
    out = shift(work, row[OUT])
    copy_rows(count, row[UNITS], shift(work, row[X] + row[X_SKIP] * lanes * stride), stride, out, wide)
    times_seen(row, work, lanes, out, wide)


@procedure("ttfif")
def backward(job, row, work, lanes, gradients):
    """Give the cell the gradient of the steps that are seen."""
    d_out = shift(work, row[D_OUT])
    times_seen(row, work, lanes, d_out, row[WIDE])
    copy_rows(row[STEPS] * lanes, row[UNITS], d_out, row[WIDE], shift(work, row[D_X]), row[INPUT_STRIDE])
