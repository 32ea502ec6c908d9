"""Dropout by itself: a share of the values is dropped while training, each step drawn anew or all steps alike."""

from tsuzuki.kernels.dropout_masks import copy_rows, draw_mask, drop
from tsuzuki.kernels.language import procedure, shift
from tsuzuki.kernels.memory import Place, describe_outputs, describe_source, take_outputs
from tsuzuki.kernels.projection import dropping
from tsuzuki.kernels.table import D_OUT, D_X, DROPOUT, INPUT_STRIDE, MASK, OUT, OWN_1, STEPS, UNITS, WIDE, X_SKIP, X
from tsuzuki.network.dropout import Dropout, SpatialDropout1D

DESCRIPTIONS = (Dropout, SpatialDropout1D)
# How many steps share a mask.
ALIKE = OWN_1


def lay_out(layer: Dropout, place: Place) -> None:
    """Reserve the output and a mask of its size."""
    describe_source(place)
    describe_outputs(place, place.sources[0].size)
    take_outputs(place)
    if layer.rate:
        place.row[DROPOUT] = round(layer.rate * 2**32)
        place.row[ALIKE] = place.steps if isinstance(layer, SpatialDropout1D) else 1
        place.row[MASK] = place.work(place.steps // int(place.row[ALIKE]), int(place.row[WIDE]))


@procedure("ttfiii")
def forward(job, row, work, lanes, update, first_lane):
    """Fill OUT [steps, lanes, wide] with mask * x."""
    stride, wide, count = row[INPUT_STRIDE], row[WIDE], row[STEPS] * lanes
    out = shift(work, row[OUT])
    copy_rows(count, row[UNITS], shift(work, row[X] + row[X_SKIP] * lanes * stride), stride, out, wide)
    if dropping(job, row):
        # Every step of every lane has a number of its own in the hash, whatever block it is in.
        drawn = row[STEPS] // row[ALIKE]
        mask, first = shift(work, row[MASK]), first_lane * drawn
        draw_mask(job, row, row[DROPOUT], 0, drawn * lanes, row[UNITS], wide, update, first, mask)
        drop(mask, drawn * lanes * wide, row[ALIKE], out, out)


@procedure("ttfif")
def backward(job, row, work, lanes, gradients):
    """From D_OUT, which it overwrites, to the gradient of the input."""
    wide, count = row[WIDE], row[STEPS] * lanes
    d_out = shift(work, row[D_OUT])
    if row[D_X] < 0:
        return
    if dropping(job, row):
        drop(shift(work, row[MASK]), row[STEPS] // row[ALIKE] * lanes * wide, row[ALIKE], d_out, d_out)
    copy_rows(count, row[UNITS], d_out, wide, shift(work, row[D_X]), row[INPUT_STRIDE])
