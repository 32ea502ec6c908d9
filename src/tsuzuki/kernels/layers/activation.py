"""An activation by itself, value by value; or nothing but the last steps."""

import numpy as np

from tsuzuki.kernels.dropout_masks import copy_rows
from tsuzuki.kernels.language import procedure, shift
from tsuzuki.kernels.memory import Place, describe_outputs, describe_source, take_activation, take_outputs
from tsuzuki.kernels.output_activation import activate_kept, times_slope_kept
from tsuzuki.kernels.table import D_OUT, D_X, INPUT_STEPS, INPUT_STRIDE, OUT, STEPS, UNITS, WIDE, X_SKIP, X
from tsuzuki.network.activation_layers import ELU, LeakyReLU, Rectifier, ReLU
from tsuzuki.network.layers import Activation
from tsuzuki.network.normalisation import Rescaling
from tsuzuki.network.shaping import LastSteps

f32 = np.float32
DESCRIPTIONS = (Activation, ReLU, LeakyReLU, ELU, Rescaling, LastSteps)


def lay_out(layer: Activation | Rectifier | LastSteps, place: Place) -> None:
    """Reserve the output."""
    describe_source(place)
    describe_outputs(place, place.sources[0].size)
    take_outputs(place)
    if isinstance(layer, Rectifier):
        take_activation(place, *layer.function)
    else:
        take_activation(place, layer.activation if isinstance(layer, Activation) else "linear")


@procedure("ttfiii")
def forward(job, row, work, lanes, update, first_lane):
    """Fill OUT [steps, lanes, wide] with activation(x)."""
    stride, wide, count = row[INPUT_STRIDE], row[WIDE], row[STEPS] * lanes
    out, skip = shift(work, row[OUT]), row[X_SKIP] + row[INPUT_STEPS] - row[STEPS]
    copy_rows(count, row[UNITS], shift(work, row[X] + skip * lanes * stride), stride, out, wide)
    activate_kept(row, work, out, count)


@procedure("ttfif")
def backward(job, row, work, lanes, gradients):
    """From D_OUT, which it overwrites, to the gradient of the input."""
    wide, count = row[WIDE], row[STEPS] * lanes
    d_out = shift(work, row[D_OUT])
    if row[D_X] < 0:
        return
    times_slope_kept(row, work, d_out, count)
    before = (row[INPUT_STEPS] - row[STEPS]) * lanes * row[INPUT_STRIDE]
    d_x = shift(work, row[D_X])
    for at in range(before):
        d_x[at] = f32(0)
    copy_rows(count, row[UNITS], d_out, wide, shift(d_x, before), row[INPUT_STRIDE])
