"""A state of a cell after its last step, for others to read.

It reads the cell's own memory, not the output that others see. On the way back the cell takes up what is left in D_X.
"""

from tsuzuki.kernels.dropout_masks import copy_rows
from tsuzuki.kernels.language import procedure, shift
from tsuzuki.kernels.memory import Place, describe_outputs, describe_source, take_outputs
from tsuzuki.kernels.table import D_OUT, D_X, INPUT_STRIDE, OUT, UNITS, WIDE, X_SKIP, X
from tsuzuki.network.shaping import FinalState

DESCRIPTIONS = (FinalState,)


def lay_out(layer: FinalState, place: Place) -> None:
    """Reserve the output."""
    describe_source(place)
    describe_outputs(place, place.sources[0].size)
    take_outputs(place)


@procedure("ttfiii")
def forward(job, row, work, lanes, update, first_lane):
    """Fill OUT [1, lanes, wide]."""
    x = shift(work, row[X] + row[X_SKIP] * lanes * row[INPUT_STRIDE])
    copy_rows(lanes, row[UNITS], x, row[INPUT_STRIDE], shift(work, row[OUT]), row[WIDE])


@procedure("ttfif")
def backward(job, row, work, lanes, gradients):
    """Leave D_OUT to the cell."""
    copy_rows(lanes, row[UNITS], shift(work, row[D_OUT]), row[WIDE], shift(work, row[D_X]), row[INPUT_STRIDE])
