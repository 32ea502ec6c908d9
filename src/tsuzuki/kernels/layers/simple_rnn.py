"""SimpleRNN: h[t] = activation(x[t] W + b + h[t-1] V)."""

from tsuzuki.kernels.activations import activate_all, times_slope
from tsuzuki.kernels.dropout_masks import copy_rows
from tsuzuki.kernels.language import procedure, shift
from tsuzuki.kernels.memory import Place, take_recurrent
from tsuzuki.kernels.projection import project, project_back
from tsuzuki.kernels.recurrence import (
    begin_states,
    carry_back,
    d_state,
    draw_state_mask,
    give_back_state,
    keeps_sums,
    kept_sums,
    recurrent_gradient,
    state_before,
    states_before,
    take_final_gradients,
    times_recurrent,
)
from tsuzuki.kernels.step_masks import give_past, hold_states, set_aside
from tsuzuki.kernels.table import ACTIVATION, D_FINAL, HELD, INPUT_STEPS, LINKS, OUT, WIDE, X_STEP_MASK, Z
from tsuzuki.network.layers import SimpleRNN

DESCRIPTIONS = (SimpleRNN,)


def lay_out(layer: SimpleRNN, place: Place) -> None:
    """Reserve what a recurrent layer needs; there is nothing more to it."""
    take_recurrent(place, layer)


@procedure("ttfiii")
def forward(job, row, work, lanes, update, first_lane):
    """Fill OUT [1 + steps, lanes, wide], whose first row holds the state before the first step."""
    steps, wide = row[INPUT_STEPS], row[WIDE]
    size = lanes * wide
    z, masked = shift(work, row[Z]), row[X_STEP_MASK] >= 0
    project(job, row, work, lanes, steps, z, update, first_lane)
    draw_state_mask(job, row, work, lanes, update, first_lane)
    if row[LINKS] >= 0:
        begin_states(job, row, work, lanes)
    for step in range(steps):
        state = state_before(job, row, work, lanes, step)
        out = shift(work, row[OUT] + (step + 1) * size)
        times_recurrent(job, row, lanes, state, 0, 1, shift(z, step * size), wide, out, wide)
        if keeps_sums(row):
            copy_rows(1, size, out, size, kept_sums(row, work, step * size), size)
        activate_all(row[ACTIVATION], out, size)
        if masked:
            hold_states(row, work, lanes, step)


@procedure("ttfif")
def backward(job, row, work, lanes, gradients):
    """From D_OUT, which it overwrites, to the gradients of weights and input; Z becomes the slopes."""
    steps, wide = row[INPUT_STEPS], row[WIDE]
    size = lanes * wide
    slopes, masked, held = shift(work, row[Z]), row[X_STEP_MASK] >= 0, shift(work, row[HELD])
    begins = row[LINKS] >= 0
    if begins or row[D_FINAL] >= 0:
        take_final_gradients(job, row, work, lanes)
    for back in range(steps):
        step = steps - 1 - back
        here = shift(slopes, step * size)
        seen = kept_sums(row, work, step * size) if keeps_sums(row) else shift(work, row[OUT] + (step + 1) * size)
        d_out = d_state(job, row, work, lanes, step)
        if masked:
            set_aside(row, work, lanes, step, d_out, held)
        times_slope(row[ACTIVATION], d_out, seen, here, size)
        if step > 0 or begins:
            carry_back(job, row, work, lanes, step, here, wide, 0, 1, True)
            if masked:
                give_past(row, lanes, held, d_state(job, row, work, lanes, step - 1))
    recurrent_gradient(job, row, work, lanes, steps, states_before(job, row, work), slopes, wide, 0, 1, gradients)
    if begins:
        give_back_state(job, row, work, lanes, 0, d_state(job, row, work, lanes, -1))
    project_back(job, row, work, lanes, steps, slopes, gradients)
