"""Normalization: each value less a mean, over a deviation, both known beforehand; or the way back."""

import numpy as np

from tsuzuki.kernels.language import procedure, shift
from tsuzuki.kernels.memory import Place, describe_outputs, describe_source, take_constant, take_outputs
from tsuzuki.kernels.table import D_OUT, D_X, INPUT_STRIDE, OUT, OWN_1, OWN_2, OWN_3, STEPS, UNITS, WIDE, X_SKIP, X
from tsuzuki.network.normalisation import Normalization

DESCRIPTIONS = (Normalization,)
# Where the means and deviations stand in the work space, and whether the way back is computed.
MEANS, DEVIATIONS, INVERTED = OWN_1, OWN_2, OWN_3
# Keras's smallest deviation (keras.config.epsilon).
SMALLEST = 1e-7


def lay_out(layer: Normalization, place: Place) -> None:
    """Reserve the output and the numbers."""
    describe_source(place)
    describe_outputs(place, place.sources[0].size)
    take_outputs(place)
    times = 1 if len(layer.means) > 1 else place.sources[0].size
    row = place.row
    row[MEANS] = take_constant(place, layer.means * times)
    deviations = [max(float(np.sqrt(np.float32(variance))), SMALLEST) for variance in layer.variances]
    row[DEVIATIONS] = take_constant(place, tuple(deviations) * times)
    row[INVERTED] = layer.invert


@procedure("ttfiii")
def forward(job, row, work, lanes, update, first_lane):
    """Fill OUT [steps, lanes, wide]."""
    means, deviations = shift(work, row[MEANS]), shift(work, row[DEVIATIONS])
    for i in range(row[STEPS] * lanes):
        x = shift(work, row[X] + (row[X_SKIP] * lanes + i) * row[INPUT_STRIDE])
        out = shift(work, row[OUT] + i * row[WIDE])
        for unit in range(row[UNITS]):
            if row[INVERTED]:
                out[unit] = means[unit] + x[unit] * deviations[unit]
            else:
                out[unit] = (x[unit] - means[unit]) / deviations[unit]


@procedure("ttfif")
def backward(job, row, work, lanes, gradients):
    """The gradient of the input from D_OUT."""
    deviations = shift(work, row[DEVIATIONS])
    if row[D_X] < 0:
        return
    for i in range(row[STEPS] * lanes):
        d_x, d_out = shift(work, row[D_X] + i * row[INPUT_STRIDE]), shift(work, row[D_OUT] + i * row[WIDE])
        for unit in range(row[UNITS]):
            d_x[unit] = d_out[unit] * deviations[unit] if row[INVERTED] else d_out[unit] / deviations[unit]
