"""Merges of inputs of equal size, value by value: sum, mean, product, difference, largest and smallest."""

import numpy as np

from tsuzuki.kernels.language import kernel, procedure, shift
from tsuzuki.kernels.memory import Place, describe_links, describe_outputs, take_joined_mask, take_outputs
from tsuzuki.kernels.step_masks import join_masks
from tsuzuki.kernels.table import (
    D_OUT,
    LINK,
    LINK_COUNT,
    LINK_D_X,
    LINK_SKIP,
    LINK_STRIDE,
    LINK_X,
    LINKS,
    OUT,
    OWN_1,
    STEPS,
    UNITS,
    WIDE,
)
from tsuzuki.network.layers import Add, Average, Maximum, Minimum, Multiply, Subtract

DESCRIPTIONS = (Add, Average, Multiply, Subtract, Maximum, Minimum)
ADD, AVERAGE, MULTIPLY, SUBTRACT, MAXIMUM, MINIMUM = range(6)
HOW = OWN_1

f32 = np.float32


def lay_out(layer: Add | Average | Multiply | Subtract | Maximum | Minimum, place: Place) -> None:
    """Reserve the output; the inputs stand in a list."""
    describe_outputs(place, place.sources[0].size)
    describe_links(place, place.sources)
    take_outputs(place)
    take_joined_mask(place)
    place.row[HOW] = DESCRIPTIONS.index(type(layer))


@kernel
def joined(how, first, second):
    """Two values as one; a mean is divided at the end."""
    if how == MULTIPLY:
        return first * second
    if how == SUBTRACT:
        return first - second
    if how == MAXIMUM:
        return first if first > second else second
    if how == MINIMUM:
        return first if first < second else second
    return first + second


@kernel
def values_at(work, link, lanes, i):
    """Row `i` of an input."""
    return shift(work, link[LINK_X] + (link[LINK_SKIP] * lanes + i) * link[LINK_STRIDE])


@procedure("ttfiii")
def forward(job, row, work, lanes, update, first_lane):
    """Fill OUT [steps, lanes, wide]."""
    join_masks(job, row, work, lanes)
    how, inputs, links = row[HOW], row[LINK_COUNT], shift(job, row[LINKS])
    share = f32(1) / f32(inputs) if how == AVERAGE else f32(1)
    for i in range(row[STEPS] * lanes):
        out = shift(work, row[OUT] + i * row[WIDE])
        for unit in range(row[UNITS]):
            total = values_at(work, links, lanes, i)[unit]
            for n in range(1, inputs):
                total = joined(how, total, values_at(work, shift(links, n * LINK), lanes, i)[unit])
            out[unit] = total * share


@kernel
def slope_of(how, work, links, inputs, n, lanes, i, unit, out):
    """The derivative of the output by input `n`."""
    if how == AVERAGE:
        return f32(1) / f32(inputs)
    if how == SUBTRACT:
        return f32(1) if n == 0 else f32(-1)
    if how == MULTIPLY:
        product = f32(1)
        for other in range(inputs):
            if other != n:
                product *= values_at(work, shift(links, other * LINK), lanes, i)[unit]
        return product
    if how in (MAXIMUM, MINIMUM):
        chosen = 0
        for other in range(inputs):
            chosen += 1 if values_at(work, shift(links, other * LINK), lanes, i)[unit] == out else 0
        is_chosen = values_at(work, shift(links, n * LINK), lanes, i)[unit] == out
        return f32(1) / f32(chosen) if is_chosen else f32(0)
    return f32(1)


@procedure("ttfif")
def backward(job, row, work, lanes, gradients):
    """Give each input its share of D_OUT."""
    how, inputs, links = row[HOW], row[LINK_COUNT], shift(job, row[LINKS])
    for n in range(inputs):
        link = shift(links, n * LINK)
        if link[LINK_D_X] < 0:
            continue
        for i in range(row[STEPS] * lanes):
            d_out, out = shift(work, row[D_OUT] + i * row[WIDE]), shift(work, row[OUT] + i * row[WIDE])
            d_x = shift(work, link[LINK_D_X] + i * link[LINK_STRIDE])
            for unit in range(row[UNITS]):
                d_x[unit] = d_out[unit] * slope_of(how, work, links, inputs, n, lanes, i, unit, out[unit])
