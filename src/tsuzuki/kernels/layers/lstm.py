"""LSTM with the gates i, f, c, o side by side, as in Keras: c' = f c + i g and h' = o activation(c').

SQUASHED keeps activation(c') of every step for the way back.
"""

from tsuzuki.kernels.activations import activate, slope
from tsuzuki.kernels.host import WIDTH
from tsuzuki.kernels.language import fma, inlined, load, procedure, shift, store
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
    seen_by,
    start_second,
    state_before,
    states_before,
    take_final_gradients,
    times_recurrent,
)
from tsuzuki.kernels.step_masks import give_past, hold_states, set_aside
from tsuzuki.kernels.table import (
    ACTIVATED,
    ACTIVATION,
    D_FINAL,
    HELD,
    INPUT_STEPS,
    LINKS,
    OUT,
    OWN_1,
    OWN_2,
    RECURRENT_ACTIVATED,
    RECURRENT_ACTIVATION,
    SECOND_STATE_OUT,
    SIGMOID,
    TANH,
    WIDE,
    X_STEP_MASK,
    Z,
)
from tsuzuki.network.layers import LSTM

DESCRIPTIONS = (LSTM,)
CELL, D_CELL, SQUASHED = SECOND_STATE_OUT, OWN_1, OWN_2


def lay_out(layer: LSTM, place: Place) -> None:
    """Reserve what a recurrent layer needs, the cell's gradient, and activation(cell) of every step."""
    take_recurrent(place, layer)
    wide = int(place.row[WIDE])
    place.row[D_CELL], place.row[SQUASHED] = place.work(1, wide), place.work(place.input_steps, wide)


@inlined
def turn_forward(activation, gate, lanes, wide, z, sums, keeps, cell_before, cell, squashed, out):
    """The work of `gates_forward`, in which the choices may be constants."""
    for lane in range(lanes):
        at, base = lane * wide, 4 * lane * wide
        for unit in range(0, wide, WIDTH):
            if keeps:
                for at_gate in range(base + unit, base + unit + 4 * wide, wide):
                    store(sums, at_gate, load(z, at_gate))
            i = activate(gate, load(z, base + unit))
            f = activate(gate, load(z, base + wide + unit))
            g = activate(activation, load(z, base + 2 * wide + unit))
            o = activate(gate, load(z, base + 3 * wide + unit))
            c = fma(f, load(cell_before, at + unit), i * g)
            s = activate(activation, c)
            store(z, base + unit, i)
            store(z, base + wide + unit, f)
            store(z, base + 2 * wide + unit, g)
            store(z, base + 3 * wide + unit, o)
            store(cell, at + unit, c)
            store(squashed, at + unit, s)
            store(out, at + unit, o * s)


@inlined
def turn_backward(activation, gate, lanes, wide, z, of_gates, of_input, cell_before, squashed, of_cell, d_out, d_cell):
    """The work of `gates_backward`, in which the choices may be constants."""
    for lane in range(lanes):
        at, base = lane * wide, 4 * lane * wide
        for unit in range(0, wide, WIDTH):
            i = load(z, base + unit)
            f = load(z, base + wide + unit)
            g = load(z, base + 2 * wide + unit)
            o = load(z, base + 3 * wide + unit)
            d_h = load(d_out, at + unit)
            s = load(squashed, at + unit)
            slope_i = slope(gate, load(of_gates, base + unit))
            slope_f = slope(gate, load(of_gates, base + wide + unit))
            slope_g = slope(activation, load(of_input, base + 2 * wide + unit))
            slope_o = slope(gate, load(of_gates, base + 3 * wide + unit))
            d_c = fma(d_h * o, slope(activation, load(of_cell, at + unit)), load(d_cell, at + unit))
            store(z, base + unit, d_c * g * slope_i)
            store(z, base + wide + unit, d_c * load(cell_before, at + unit) * slope_f)
            store(z, base + 2 * wide + unit, d_c * i * slope_g)
            store(z, base + 3 * wide + unit, d_h * s * slope_o)
            store(d_cell, at + unit, d_c * f)


@procedure("iiiiffiffff")
def gates_forward(activation, gate, lanes, wide, z, sums, keeps, cell_before, cell, squashed, out):
    """Turn the sums z [lanes, 4 wide] into the gates' values, in place; fill cell, activation(cell) and out."""
    # The usual activations as constants: no questions inside the loop (measured: 0.8 of the time at 10 units).
    if activation == TANH and gate == SIGMOID:
        turn_forward(TANH, SIGMOID, lanes, wide, z, z, False, cell_before, cell, squashed, out)
    else:
        turn_forward(activation, gate, lanes, wide, z, sums, keeps, cell_before, cell, squashed, out)


@procedure("iiiiffffffff")
def gates_backward(activation, gate, lanes, wide, z, of_gates, of_input, cell_before, squashed, of_cell, d_out, d_cell):
    """Turn the gates' values z into the slopes at their sums, in place; d_cell goes one step back.

    The slopes of the activations come from `of_gates`, `of_input` and `of_cell`: their values, or what went in.
    """
    if activation == TANH and gate == SIGMOID:
        turn_backward(TANH, SIGMOID, lanes, wide, z, z, z, cell_before, squashed, squashed, d_out, d_cell)
    else:
        turn_backward(
            activation, gate, lanes, wide, z, of_gates, of_input, cell_before, squashed, of_cell, d_out, d_cell
        )


@procedure("ttfiii")
def forward(job, row, work, lanes, update, first_lane):
    """Fill OUT and CELL [1 + steps, lanes, wide], whose first rows hold the state before the first step."""
    steps, wide = row[INPUT_STEPS], row[WIDE]
    size = lanes * wide
    z, cell, out = shift(work, row[Z]), shift(work, row[CELL]), shift(work, row[OUT])
    squashed, masked, keeps = shift(work, row[SQUASHED]), row[X_STEP_MASK] >= 0, keeps_sums(row)
    project(job, row, work, lanes, steps, z, update, first_lane)
    draw_state_mask(job, row, work, lanes, update, first_lane)
    if row[LINKS] >= 0:
        begin_states(job, row, work, lanes)
    for step in range(steps):
        here = shift(z, step * 4 * size)
        state = state_before(job, row, work, lanes, step)
        times_recurrent(job, row, lanes, state, 0, 4, here, 4 * wide, here, 4 * wide)
        gates_forward(
            row[ACTIVATION],
            row[RECURRENT_ACTIVATION],
            lanes,
            wide,
            here,
            kept_sums(row, work, step * 4 * size) if keeps else here,
            keeps,
            shift(cell, step * size),
            shift(cell, (step + 1) * size),
            shift(squashed, step * size),
            shift(out, (step + 1) * size),
        )
        if masked:
            hold_states(row, work, lanes, step)


@procedure("ttfif")
def backward(job, row, work, lanes, gradients):
    """From D_OUT, which it overwrites, to the gradients of weights and input; Z becomes the slopes."""
    steps, wide = row[INPUT_STEPS], row[WIDE]
    size = lanes * wide
    slopes, cell, d_cell = shift(work, row[Z]), shift(work, row[CELL]), shift(work, row[D_CELL])
    squashed, masked = shift(work, row[SQUASHED]), row[X_STEP_MASK] >= 0
    held, held_cell = shift(work, row[HELD]), shift(work, row[HELD] + size)
    start_second(row, work, lanes, d_cell)
    begins = row[LINKS] >= 0
    if begins or row[D_FINAL] >= 0:
        take_final_gradients(job, row, work, lanes)
    for back in range(steps):
        step = steps - 1 - back
        here, d_out = shift(slopes, step * 4 * size), d_state(job, row, work, lanes, step)
        if masked:
            set_aside(row, work, lanes, step, d_out, held)
            set_aside(row, work, lanes, step, d_cell, held_cell)
        gates_backward(
            row[ACTIVATION],
            row[RECURRENT_ACTIVATION],
            lanes,
            wide,
            here,
            seen_by(row, RECURRENT_ACTIVATED, work, row[Z], step * 4 * size),
            seen_by(row, ACTIVATED, work, row[Z], step * 4 * size),
            shift(cell, step * size),
            shift(squashed, step * size),
            shift(cell, (step + 1) * size) if row[ACTIVATED] >= 0 else shift(squashed, step * size),
            d_out,
            d_cell,
        )
        if step > 0 or begins:
            carry_back(job, row, work, lanes, step, here, 4 * wide, 0, 4, True)
            if masked:
                give_past(row, lanes, held, d_state(job, row, work, lanes, step - 1))
                give_past(row, lanes, held_cell, d_cell)
    states = states_before(job, row, work)
    recurrent_gradient(job, row, work, lanes, steps, states, slopes, 4 * wide, 0, 4, gradients)
    if begins:
        give_back_state(job, row, work, lanes, 0, d_state(job, row, work, lanes, -1))
        give_back_state(job, row, work, lanes, 1, d_cell)
    project_back(job, row, work, lanes, steps, slopes, gradients)
