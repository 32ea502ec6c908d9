"""One step, several times."""

from tsuzuki.kernels.dropout_masks import copy_rows
from tsuzuki.kernels.language import procedure, shift
from tsuzuki.kernels.memory import Place, describe_outputs, describe_source, take_outputs
from tsuzuki.kernels.table import D_OUT, D_X, INPUT_STRIDE, OUT, STEPS, UNITS, WIDE, X_SKIP, X
from tsuzuki.network.shaping import RepeatVector

DESCRIPTIONS = (RepeatVector,)


def lay_out(layer: RepeatVector, place: Place) -> None:
    """Reserve the output."""
    describe_source(place)
    describe_outputs(place, place.sources[0].size)
    take_outputs(place)


@procedure("ttfiii")
def forward(job, row, work, lanes, update, first_lane):
    """Fill OUT [steps, lanes, wide] with copies of the input's only step."""
    stride, wide = row[INPUT_STRIDE], row[WIDE]
    x = shift(work, row[X] + row[X_SKIP] * lanes * stride)
    for step in range(row[STEPS]):
        copy_rows(lanes, row[UNITS], x, stride, shift(work, row[OUT] + step * lanes * wide), wide)


@procedure("ttfif")
def backward(job, row, work, lanes, gradients):
    """Sum D_OUT, which it overwrites, over the steps."""
    if row[D_X] < 0:
        return
    size, total = lanes * row[WIDE], shift(work, row[D_OUT])
    for step in range(1, row[STEPS]):
        for at in range(size):
            total[at] += total[step * size + at]
    copy_rows(lanes, row[UNITS], total, row[WIDE], shift(work, row[D_X]), row[INPUT_STRIDE])
