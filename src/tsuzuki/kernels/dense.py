"""Dense: activation(x W + b), at each step by itself."""

from tsuzuki.kernels.activations import activate_all, times_slope
from tsuzuki.kernels.projection import project, project_back
from tsuzuki.kernels.simd import kernel, shift, stand_alone
from tsuzuki.kernels.table import ACTIVATION, D_OUT, LINEAR, OUT, STEPS, WIDE


@kernel
def forward(job, row, work, lanes, update, first_lane):
    """Fill OUT [steps, lanes, wide]."""
    stand_alone()
    out = shift(work, row[OUT])
    project(job, row, work, lanes, row[STEPS], out, update, first_lane)
    activate_all(row[ACTIVATION], out, row[STEPS] * lanes * row[WIDE])


@kernel
def backward(job, row, work, lanes, gradients):
    """From D_OUT, which it overwrites, to the gradients of weights and input."""
    stand_alone()
    d_out = shift(work, row[D_OUT])
    if row[ACTIVATION] != LINEAR:
        times_slope(row[ACTIVATION], d_out, shift(work, row[OUT]), d_out, row[STEPS] * lanes * row[WIDE])
    project_back(job, row, work, lanes, row[STEPS], d_out, gradients)
