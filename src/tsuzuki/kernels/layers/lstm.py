"""LSTM with the gates i, f, c, o side by side, as in Keras: c' = f c + i g and h' = o activation(c').

SQUASHED keeps activation(c') of every step for the way back.
"""

from tsuzuki.kernels.activations import activate, slope
from tsuzuki.kernels.blocks import lanes_in, work_of
from tsuzuki.kernels.host import WIDTH
from tsuzuki.kernels.language import fma, inlined, kernel, load, procedure, shift, store
from tsuzuki.kernels.memory import Place, take_recurrent
from tsuzuki.kernels.projection import project, project_back
from tsuzuki.kernels.recurrence import (
    begin_states,
    carry_back,
    carry_back_together,
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
    times_recurrent_together,
)
from tsuzuki.kernels.step_masks import give_past, hold_states, set_aside
from tsuzuki.kernels.table import (
    ACTIVATED,
    ACTIVATION,
    BLOCK_LANES,
    BLOCKS,
    D_FINAL,
    FORWARD_TOGETHER,
    HELD,
    INPUT_STEPS,
    LINKS,
    OUT,
    OWN_1,
    OWN_2,
    PARTS,
    RECURRENT_ACTIVATED,
    RECURRENT_ACTIVATION,
    SECOND_STATE_OUT,
    SIGMOID,
    SIZE,
    TANH,
    THREADS,
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
    place.row[FORWARD_TOGETHER] = 1
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


@kernel
def begin_forward(job, row, work, lanes, update, first_lane):
    """What comes before the first step."""
    project(job, row, work, lanes, row[INPUT_STEPS], shift(work, row[Z]), update, first_lane)
    draw_state_mask(job, row, work, lanes, update, first_lane)
    if row[LINKS] >= 0:
        begin_states(job, row, work, lanes)


@inlined
def step_forward(row, work, lanes, step, z, cell, squashed, out):
    """From a step's sums to its states."""
    wide, keeps = row[WIDE], keeps_sums(row)
    size = lanes * wide
    here = shift(z, step * 4 * size)
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
    if row[X_STEP_MASK] >= 0:
        hold_states(row, work, lanes, step)


@procedure("ttfiii")
def forward(job, row, work, lanes, update, first_lane):
    """Fill OUT and CELL [1 + steps, lanes, wide], whose first rows hold the state before the first step."""
    steps, wide = row[INPUT_STEPS], row[WIDE]
    size = lanes * wide
    z, cell, out = shift(work, row[Z]), shift(work, row[CELL]), shift(work, row[OUT])
    squashed = shift(work, row[SQUASHED])
    begin_forward(job, row, work, lanes, update, first_lane)
    for step in range(steps):
        here = shift(z, step * 4 * size)
        state = state_before(job, row, work, lanes, step)
        times_recurrent(job, row, lanes, state, 0, 4, here, 4 * wide, here, 4 * wide)
        step_forward(row, work, lanes, step, z, cell, squashed, out)


@procedure("ttfiii")
def forward_together(job, row, work, thread, update, first_lane):
    """`forward` of all blocks of a thread."""
    for block in range(thread, job[BLOCKS], job[THREADS]):
        first = block * job[BLOCK_LANES] * row[PARTS]
        begin_forward(job, row, work_of(job, block), lanes_in(job, row, block), update, first)
    for step in range(row[INPUT_STEPS]):
        times_recurrent_together(job, row, thread, step, row[Z], work, 0)
        for block in range(thread, job[BLOCKS], job[THREADS]):
            own = work_of(job, block)
            z, cell, out = shift(own, row[Z]), shift(own, row[CELL]), shift(own, row[OUT])
            step_forward(row, own, lanes_in(job, row, block), step, z, cell, shift(own, row[SQUASHED]), out)


@kernel
def begin_backward(job, row, work, lanes):
    """What comes before the last step."""
    start_second(row, work, lanes, shift(work, row[D_CELL]))
    if row[LINKS] >= 0 or row[D_FINAL] >= 0:
        take_final_gradients(job, row, work, lanes)


@inlined
def step_backward(job, row, work, lanes, step, slopes, cell, squashed, d_cell):
    """From the gradient of a step's states to the slopes at its sums, and the gradient of the cell before."""
    wide = row[WIDE]
    size = lanes * wide
    d_out = d_state(job, row, work, lanes, step)
    if row[X_STEP_MASK] >= 0:
        set_aside(row, work, lanes, step, d_out, shift(work, row[HELD]))
        set_aside(row, work, lanes, step, d_cell, shift(work, row[HELD] + size))
    gates_backward(
        row[ACTIVATION],
        row[RECURRENT_ACTIVATION],
        lanes,
        wide,
        shift(slopes, step * 4 * size),
        seen_by(row, RECURRENT_ACTIVATED, work, row[Z], step * 4 * size),
        seen_by(row, ACTIVATED, work, row[Z], step * 4 * size),
        shift(cell, step * size),
        shift(squashed, step * size),
        shift(cell, (step + 1) * size) if row[ACTIVATED] >= 0 else shift(squashed, step * size),
        d_out,
        d_cell,
    )


@inlined
def pass_masked(job, row, work, lanes, step, d_cell):
    """Give gradients that were set aside to the states before the step."""
    if row[X_STEP_MASK] >= 0:
        give_past(row, lanes, shift(work, row[HELD]), d_state(job, row, work, lanes, step - 1))
        give_past(row, lanes, shift(work, row[HELD] + lanes * row[WIDE]), d_cell)


@kernel
def end_backward(job, row, work, lanes, gradients):
    """The gradients of weights and input, from the slopes of all steps."""
    slopes, steps = shift(work, row[Z]), row[INPUT_STEPS]
    states = states_before(job, row, work)
    recurrent_gradient(job, row, work, lanes, steps, states, slopes, 4 * row[WIDE], 0, 4, gradients)
    if row[LINKS] >= 0:
        give_back_state(job, row, work, lanes, 0, d_state(job, row, work, lanes, -1))
        give_back_state(job, row, work, lanes, 1, shift(work, row[D_CELL]))
    project_back(job, row, work, lanes, steps, slopes, gradients)


@procedure("ttfif")
def backward(job, row, work, lanes, gradients):
    """From D_OUT, which it overwrites, to the gradients of weights and input; Z becomes the slopes."""
    steps, wide = row[INPUT_STEPS], row[WIDE]
    slopes, cell, d_cell = shift(work, row[Z]), shift(work, row[CELL]), shift(work, row[D_CELL])
    squashed = shift(work, row[SQUASHED])
    begin_backward(job, row, work, lanes)
    for back in range(steps):
        step = steps - 1 - back
        step_backward(job, row, work, lanes, step, slopes, cell, squashed, d_cell)
        if step > 0 or row[LINKS] >= 0:
            here = shift(slopes, step * 4 * lanes * wide)
            carry_back(job, row, work, lanes, step, here, 4 * wide, 0, 4, True)
            pass_masked(job, row, work, lanes, step, d_cell)
    end_backward(job, row, work, lanes, gradients)


@procedure("ttfif")
def backward_together(job, row, work, thread, gradients):
    """`backward` of all blocks of a thread; `gradients` are those of the first block of all."""
    steps = row[INPUT_STEPS]
    for block in range(thread, job[BLOCKS], job[THREADS]):
        begin_backward(job, row, work_of(job, block), lanes_in(job, row, block))
    for back in range(steps):
        step = steps - 1 - back
        for block in range(thread, job[BLOCKS], job[THREADS]):
            own = work_of(job, block)
            slopes, cell, d_cell = shift(own, row[Z]), shift(own, row[CELL]), shift(own, row[D_CELL])
            step_backward(
                job, row, own, lanes_in(job, row, block), step, slopes, cell, shift(own, row[SQUASHED]), d_cell
            )
        if step > 0 or row[LINKS] >= 0:
            carry_back_together(job, row, thread, step, row[Z], 1)
            for block in range(thread, job[BLOCKS], job[THREADS]):
                own = work_of(job, block)
                pass_masked(job, row, own, lanes_in(job, row, block), step, shift(own, row[D_CELL]))
    for block in range(thread, job[BLOCKS], job[THREADS]):
        own = shift(gradients, block * job[SIZE])
        end_backward(job, row, work_of(job, block), lanes_in(job, row, block), own)
