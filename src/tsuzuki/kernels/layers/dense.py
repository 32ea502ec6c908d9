"""Dense: activation(x W + b), at each step by itself."""

from tsuzuki.kernels.language import procedure, shift
from tsuzuki.kernels.memory import Place, describe_outputs, describe_source, take_activation, take_outputs, take_weights
from tsuzuki.kernels.output_activation import activate_kept, times_slope_kept
from tsuzuki.kernels.projection import project, project_back
from tsuzuki.kernels.table import ACTIVATION, D_OUT, LINEAR, OUT, STEPS
from tsuzuki.network.layers import Dense

DESCRIPTIONS = (Dense,)


def lay_out(layer: Dense, place: Place) -> None:
    """Reserve weights and output."""
    describe_source(place)
    describe_outputs(place, layer.units)
    take_activation(place, layer.activation)
    take_weights(place)
    take_outputs(place)


@procedure("ttfiii")
def forward(job, row, work, lanes, update, first_lane):
    """Fill OUT [steps, lanes, wide]."""
    out = shift(work, row[OUT])
    project(job, row, work, lanes, row[STEPS], out, update, first_lane)
    activate_kept(row, work, out, row[STEPS] * lanes)


@procedure("ttfif")
def backward(job, row, work, lanes, gradients):
    """From D_OUT, which it overwrites, to the gradients of weights and input."""
    d_out = shift(work, row[D_OUT])
    if row[ACTIVATION] != LINEAR:
        times_slope_kept(row, work, d_out, row[STEPS] * lanes)
    project_back(job, row, work, lanes, row[STEPS], d_out, gradients)
