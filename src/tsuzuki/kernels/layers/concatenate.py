"""Several inputs side by side; also what joins several outputs of a network."""

from tsuzuki.kernels.dropout_masks import copy_rows
from tsuzuki.kernels.language import procedure, shift
from tsuzuki.kernels.memory import Place, describe_links, describe_outputs, take_joined_mask, take_outputs
from tsuzuki.kernels.step_masks import join_masks
from tsuzuki.kernels.table import (
    D_OUT,
    LINK,
    LINK_COUNT,
    LINK_D_X,
    LINK_SIZE,
    LINK_SKIP,
    LINK_STRIDE,
    LINK_X,
    LINKS,
    OUT,
    STEPS,
    WIDE,
)
from tsuzuki.network.layers import Concatenate

DESCRIPTIONS = (Concatenate,)


def lay_out(layer: Concatenate, place: Place) -> None:
    """Reserve the output; the inputs stand in a list."""
    describe_outputs(place, sum(source.size for source in place.sources))
    describe_links(place, place.sources)
    take_outputs(place)
    take_joined_mask(place)


@procedure("ttfiii")
def forward(job, row, work, lanes, update, first_lane):
    """Fill OUT [steps, lanes, wide], input by input."""
    join_masks(job, row, work, lanes)
    wide, count, at = row[WIDE], row[STEPS] * lanes, row[OUT]
    for i in range(row[LINK_COUNT]):
        link = shift(job, row[LINKS] + i * LINK)
        stride = link[LINK_STRIDE]
        x = shift(work, link[LINK_X] + link[LINK_SKIP] * lanes * stride)
        copy_rows(count, link[LINK_SIZE], x, stride, shift(work, at), wide)
        at += link[LINK_SIZE]


@procedure("ttfif")
def backward(job, row, work, lanes, gradients):
    """Give each input its part of D_OUT."""
    wide, count, at = row[WIDE], row[STEPS] * lanes, row[D_OUT]
    for i in range(row[LINK_COUNT]):
        link = shift(job, row[LINKS] + i * LINK)
        if link[LINK_D_X] >= 0:
            d_x = shift(work, link[LINK_D_X])
            copy_rows(count, link[LINK_SIZE], shift(work, at), wide, d_x, link[LINK_STRIDE])
        at += link[LINK_SIZE]
