"""Where several layers read one output: on the way back their gradients are added up."""

import numpy as np

from tsuzuki.kernels.language import procedure, shift
from tsuzuki.kernels.memory import Place, describe_links, describe_outputs
from tsuzuki.kernels.table import D_X, LINK, LINK_COUNT, LINK_D_X, LINK_STEPS, LINKS, STEPS, WIDE

# No description: it is laid out behind every layer that has several readers.
DESCRIPTIONS = ()

f32 = np.float32


def lay_out(units: int, place: Place) -> None:
    """List the readers' gradients [steps, lanes, wide], which are summed into D_X."""
    describe_outputs(place, units)
    describe_links(place, place.sources)


@procedure("ttfiii")
def forward(job, row, work, lanes, update, first_lane):
    """Leave the output where it is."""


@procedure("ttfif")
def backward(job, row, work, lanes, gradients):
    """D_X [steps, lanes, wide] = the sum of the readers' gradients, which may be of the last steps alone."""
    size, target = lanes * row[WIDE], shift(work, row[D_X])
    for at in range(row[STEPS] * size):
        target[at] = f32(0)
    for i in range(row[LINK_COUNT]):
        link = shift(job, row[LINKS] + i * LINK)
        source = shift(work, link[LINK_D_X])
        first = (row[STEPS] - link[LINK_STEPS]) * size
        for at in range(link[LINK_STEPS] * size):
            target[first + at] += source[at]
