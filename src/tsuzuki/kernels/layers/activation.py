"""An activation by itself, value by value."""

from tsuzuki.kernels.dropout_masks import copy_rows
from tsuzuki.kernels.language import procedure, shift
from tsuzuki.kernels.memory import Place, describe_outputs, describe_source, take_activation, take_outputs
from tsuzuki.kernels.output_activation import activate_kept, times_slope_kept
from tsuzuki.kernels.table import D_OUT, D_X, INPUT_STRIDE, OUT, STEPS, UNITS, WIDE, X_SKIP, X
from tsuzuki.network.activation_layers import ELU, LeakyReLU, Rectifier, ReLU
from tsuzuki.network.layers import Activation
from tsuzuki.network.normalisation import Rescaling

DESCRIPTIONS = (Activation, ReLU, LeakyReLU, ELU, Rescaling)


def lay_out(layer: Activation | Rectifier, place: Place) -> None:
    """Reserve the output."""
    describe_source(place)
    describe_outputs(place, place.sources[0].size)
    take_outputs(place)
    take_activation(place, *((layer.activation,) if isinstance(layer, Activation) else layer.function))


@procedure("ttfiii")
def forward(job, row, work, lanes, update, first_lane):
    """Fill OUT [steps, lanes, wide] with activation(x)."""
    stride, wide, count = row[INPUT_STRIDE], row[WIDE], row[STEPS] * lanes
    out = shift(work, row[OUT])
    copy_rows(count, row[UNITS], shift(work, row[X] + row[X_SKIP] * lanes * stride), stride, out, wide)
    activate_kept(row, work, out, count)


@procedure("ttfif")
def backward(job, row, work, lanes, gradients):
    """From D_OUT, which it overwrites, to the gradient of the input."""
    wide, count = row[WIDE], row[STEPS] * lanes
    d_out = shift(work, row[D_OUT])
    if row[D_X] < 0:
        return
    times_slope_kept(row, work, d_out, count)
    copy_rows(count, row[UNITS], d_out, wide, shift(work, row[D_X]), row[INPUT_STRIDE])
