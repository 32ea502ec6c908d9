"""GRU with the gates z, r, h side by side, as in Keras: h' = z h + (1 - z) candidate.

With the reset gate *after* the product the candidate is activation(x W + b + r (h V + b')), and EXTRA holds h V + b' of
all gates, later the slopes there; with the reset gate *before* it, activation(x W + b + (r h) V), and EXTRA holds r h.
"""

import numpy as np

from tsuzuki.kernels.activations import activate, slope
from tsuzuki.kernels.blocks import lanes_in, work_of
from tsuzuki.kernels.host import WIDTH
from tsuzuki.kernels.language import floats_at, fma, inlined, kernel, load, procedure, shift, splat, store
from tsuzuki.kernels.memory import Place, take_recurrent
from tsuzuki.kernels.projection import project, project_back, sum_rows
from tsuzuki.kernels.recurrence import (
    begin_states,
    carry_back,
    carry_back_together,
    d_state,
    draw_state_mask,
    dropping_state,
    give_back_state,
    keeps_sums,
    kept_sums,
    recurrent_gradient,
    seen_by,
    state_before,
    states_before,
    take_final_gradients,
    times_recurrent,
    times_recurrent_t,
    times_recurrent_together,
)
from tsuzuki.kernels.step_masks import give_past, hold_states, set_aside
from tsuzuki.kernels.table import (
    ACTIVATED,
    ACTIVATION,
    BIAS,
    BLOCK_LANES,
    BLOCKS,
    D_CARRIED,
    D_FINAL,
    FORWARD_TOGETHER,
    HELD,
    INPUT_STEPS,
    LINKS,
    OUT,
    OWN_1,
    OWN_2,
    OWN_3,
    PARAMETERS,
    PARTS,
    RECURRENT_ACTIVATED,
    RECURRENT_ACTIVATION,
    RECURRENT_MASK,
    RETURNS_ALL,
    SIGMOID,
    SIZE,
    TANH,
    THREADS,
    WIDE,
    WORK,
    X_STEP_MASK,
    ZEROS,
    Z,
)
from tsuzuki.network.layers import GRU

DESCRIPTIONS = (GRU,)
# Whether the reset gate comes after the product, the second bias (-1: none), and what EXTRA says above.
RESET_AFTER, RECURRENT_BIAS, EXTRA = OWN_1, OWN_2, OWN_3

f32 = np.float32


def lay_out(layer: GRU, place: Place) -> None:
    """Reserve what a recurrent layer needs, and EXTRA."""
    take_recurrent(place, layer)
    row = place.row
    row[RESET_AFTER] = row[FORWARD_TOGETHER] = layer.reset_after
    row[EXTRA] = place.work(place.input_steps, place.whole if layer.reset_after else int(row[WIDE]))
    if layer.reset_after and layer.use_bias:
        row[RECURRENT_BIAS] = row[BIAS] + place.whole


@inlined
def turn_after_forward(activation, gate, lanes, wide, z, sums, keeps, product, before, out):
    """Reset after the product: z [lanes, 3 wide] holds x W + b, product likewise h V + b."""
    one = splat(f32(1))
    for lane in range(lanes):
        at, base = lane * wide, 3 * lane * wide
        for unit in range(base, base + wide, WIDTH):
            update_sum = load(z, unit) + load(product, unit)
            reset_sum = load(z, unit + wide) + load(product, unit + wide)
            update, reset = activate(gate, update_sum), activate(gate, reset_sum)
            candidate_sum = fma(reset, load(product, unit + 2 * wide), load(z, unit + 2 * wide))
            candidate = activate(activation, candidate_sum)
            if keeps:
                store(sums, unit, update_sum)
                store(sums, unit + wide, reset_sum)
                store(sums, unit + 2 * wide, candidate_sum)
            store(z, unit, update)
            store(z, unit + wide, reset)
            store(z, unit + 2 * wide, candidate)
            h = at + unit - base
            store(out, h, fma(update, load(before, h), (one - update) * candidate))


@inlined
def turn_after_backward(activation, gate, lanes, wide, z, of_gates, of_input, product, before, d_out, d_before, adds):
    """Turn the gates' values into the slopes at x W + b, product into those at h V + b; give h its direct share."""
    one = splat(f32(1))
    for lane in range(lanes):
        at, base = lane * wide, 3 * lane * wide
        for unit in range(base, base + wide, WIDTH):
            update = load(z, unit)
            reset = load(z, unit + wide)
            candidate = load(z, unit + 2 * wide)
            h = at + unit - base
            d_h = load(d_out, h)
            d_candidate = d_h * (one - update) * slope(activation, load(of_input, unit + 2 * wide))
            d_update = d_h * (load(before, h) - candidate) * slope(gate, load(of_gates, unit))
            d_reset = d_candidate * load(product, unit + 2 * wide) * slope(gate, load(of_gates, unit + wide))
            store(z, unit, d_update)
            store(z, unit + wide, d_reset)
            store(z, unit + 2 * wide, d_candidate)
            store(product, unit, d_update)
            store(product, unit + wide, d_reset)
            store(product, unit + 2 * wide, d_candidate * reset)
            share = d_h * update
            if adds:
                share = share + load(d_before, h)
            store(d_before, h, share)


@procedure("iiiiffifff")
def after_forward(activation, gate, lanes, wide, z, sums, keeps, extra, before, out):
    """`turn_after_forward` with the usual activations as constants: no questions inside the loop."""
    if activation == TANH and gate == SIGMOID:
        turn_after_forward(TANH, SIGMOID, lanes, wide, z, z, False, extra, before, out)
    else:
        turn_after_forward(activation, gate, lanes, wide, z, sums, keeps, extra, before, out)


@procedure("iiiifffffffi")
def after_backward(activation, gate, lanes, wide, z, of_gates, of_input, extra, before, d_out, d_before, adds):
    """`turn_after_backward`, likewise; slopes come from `of_gates` and `of_input`: values, or what went in."""
    if activation == TANH and gate == SIGMOID:
        turn_after_backward(TANH, SIGMOID, lanes, wide, z, z, z, extra, before, d_out, d_before, adds)
    else:
        turn_after_backward(activation, gate, lanes, wide, z, of_gates, of_input, extra, before, d_out, d_before, adds)


@kernel
def before_forward(gate, lanes, wide, z, sums, keeps, extra, entering):
    """Reset before the product: the first two gates, and extra = r h."""
    for lane in range(lanes):
        at, base = lane * wide, 3 * lane * wide
        for unit in range(0, wide, WIDTH):
            if keeps:
                store(sums, base + unit, load(z, base + unit))
                store(sums, base + wide + unit, load(z, base + wide + unit))
            update = activate(gate, load(z, base + unit))
            reset = activate(gate, load(z, base + wide + unit))
            store(z, base + unit, update)
            store(z, base + wide + unit, reset)
            store(extra, at + unit, reset * load(entering, at + unit))


@kernel
def before_finish(activation, lanes, wide, z, sums, keeps, before, out):
    """The candidate from its finished sum, and the new state."""
    one = splat(f32(1))
    for lane in range(lanes):
        at, base = lane * wide, 3 * lane * wide
        for unit in range(0, wide, WIDTH):
            if keeps:
                store(sums, base + 2 * wide + unit, load(z, base + 2 * wide + unit))
            update = load(z, base + unit)
            candidate = activate(activation, load(z, base + 2 * wide + unit))
            store(z, base + 2 * wide + unit, candidate)
            store(out, at + unit, fma(update, load(before, at + unit), (one - update) * candidate))


@kernel
def before_backward(activation, gate, lanes, wide, z, of_gates, of_input, before, d_out, d_before, adds):
    """Slopes of the update gate and the candidate; the reset gate's waits for the product with V."""
    one = splat(f32(1))
    for lane in range(lanes):
        at, base = lane * wide, 3 * lane * wide
        for unit in range(0, wide, WIDTH):
            update = load(z, base + unit)
            candidate = load(z, base + 2 * wide + unit)
            d_h = load(d_out, at + unit)
            slope_of_update = slope(gate, load(of_gates, base + unit))
            slope_of_candidate = slope(activation, load(of_input, base + 2 * wide + unit))
            store(z, base + unit, d_h * (load(before, at + unit) - candidate) * slope_of_update)
            store(z, base + 2 * wide + unit, d_h * (one - update) * slope_of_candidate)
            share = d_h * update
            if adds:
                share = share + load(d_before, at + unit)
            store(d_before, at + unit, share)


@kernel
def before_reset(gate, lanes, wide, z, of_gates, entering, d_product, mask, masks, d_before, last):
    """From the gradient of r h to the slope of the reset gate and h's share; `last` leaves h alone."""
    for lane in range(lanes):
        at, base = lane * wide, 3 * lane * wide
        for unit in range(0, wide, WIDTH):
            reset = load(z, base + wide + unit)
            d = load(d_product, at + unit)
            slope_of_reset = slope(gate, load(of_gates, base + wide + unit))
            store(z, base + wide + unit, d * load(entering, at + unit) * slope_of_reset)
            if not last:
                share = d * reset
                if masks:
                    share = share * load(mask, at + unit)
                store(d_before, at + unit, load(d_before, at + unit) + share)


@kernel
def begin_forward(job, row, work, lanes, update, first_lane):
    """What comes before the first step."""
    project(job, row, work, lanes, row[INPUT_STEPS], shift(work, row[Z]), update, first_lane)
    draw_state_mask(job, row, work, lanes, update, first_lane)
    if row[LINKS] >= 0:
        begin_states(job, row, work, lanes)


@inlined
def step_forward(job, row, work, lanes, step, entering):
    """A step's gates and its state, from the sums; with the reset gate before the product, that product too."""
    wide, keeps = row[WIDE], keeps_sums(row)
    activation, gate, size = row[ACTIVATION], row[RECURRENT_ACTIVATION], lanes * wide
    here = shift(work, row[Z] + step * 3 * size)
    before, out = shift(work, row[OUT] + step * size), shift(work, row[OUT] + (step + 1) * size)
    sums = kept_sums(row, work, step * 3 * size) if keeps else here
    if row[RESET_AFTER]:
        beside = shift(work, row[EXTRA] + step * 3 * size)
        after_forward(activation, gate, lanes, wide, here, sums, keeps, beside, before, out)
    else:
        beside, candidate = shift(work, row[EXTRA] + step * size), shift(here, 2 * wide)
        times_recurrent(job, row, lanes, entering, 0, 2, here, 3 * wide, here, 3 * wide)
        before_forward(gate, lanes, wide, here, sums, keeps, beside, entering)
        times_recurrent(job, row, lanes, beside, 2, 1, candidate, 3 * wide, candidate, 3 * wide)
        before_finish(activation, lanes, wide, here, sums, keeps, before, out)
    if row[X_STEP_MASK] >= 0:
        hold_states(row, work, lanes, step)


@kernel
def recurrent_bias(job, row):
    """What h V begins from: the second bias, or zeros."""
    if row[RECURRENT_BIAS] >= 0:
        return shift(floats_at(job[PARAMETERS]), row[RECURRENT_BIAS])
    return shift(floats_at(job[WORK]), job[ZEROS])


@procedure("ttfiii")
def forward(job, row, work, lanes, update, first_lane):
    """Fill OUT [1 + steps, lanes, wide], whose first row holds the state before the first step."""
    wide, bias = row[WIDE], recurrent_bias(job, row)
    begin_forward(job, row, work, lanes, update, first_lane)
    for step in range(row[INPUT_STEPS]):
        entering = state_before(job, row, work, lanes, step)
        if row[RESET_AFTER]:
            beside = shift(work, row[EXTRA] + step * 3 * lanes * wide)
            times_recurrent(job, row, lanes, entering, 0, 3, bias, 0, beside, 3 * wide)
        step_forward(job, row, work, lanes, step, entering)


@procedure("ttfiii")
def forward_together(job, row, work, thread, update, first_lane):
    """`forward` of all blocks of a thread, with the reset gate after the product."""
    for block in range(thread, job[BLOCKS], job[THREADS]):
        first = block * job[BLOCK_LANES] * row[PARTS]
        begin_forward(job, row, work_of(job, block), lanes_in(job, row, block), update, first)
    for step in range(row[INPUT_STEPS]):
        times_recurrent_together(job, row, thread, step, row[EXTRA], recurrent_bias(job, row), 1)
        for block in range(thread, job[BLOCKS], job[THREADS]):
            own, lanes = work_of(job, block), lanes_in(job, row, block)
            step_forward(job, row, own, lanes, step, own)


@kernel
def begin_backward(job, row, work, lanes):
    """What comes before the last step."""
    if row[LINKS] >= 0 or row[D_FINAL] >= 0:
        take_final_gradients(job, row, work, lanes)


@inlined
def step_backward(job, row, work, lanes, step):
    """From the gradient of a step's state to the slopes at its sums, and the share that passes no product."""
    wide, begins = row[WIDE], row[LINKS] >= 0
    activation, gate, size = row[ACTIVATION], row[RECURRENT_ACTIVATION], lanes * wide
    here, before = shift(work, row[Z] + step * 3 * size), shift(work, row[OUT] + step * size)
    d_out = d_state(job, row, work, lanes, step)
    # Before the first step there is no gradient to keep: its share goes where d_out was.
    d_before = d_state(job, row, work, lanes, step - 1 if step > 0 or begins else 0)
    if row[X_STEP_MASK] >= 0:
        set_aside(row, work, lanes, step, d_out, shift(work, row[HELD]))
    of_gates = seen_by(row, RECURRENT_ACTIVATED, work, row[Z], step * 3 * size)
    of_input = seen_by(row, ACTIVATED, work, row[Z], step * 3 * size)
    # Where the layer above sees every step, the gradient it gave to the state before this one is added to.
    adds = row[RETURNS_ALL] != 0 and (step > 0 or begins)
    if row[RESET_AFTER]:
        beside = shift(work, row[EXTRA] + step * 3 * size)
        after_backward(activation, gate, lanes, wide, here, of_gates, of_input, beside, before, d_out, d_before, adds)
    else:
        before_backward(activation, gate, lanes, wide, here, of_gates, of_input, before, d_out, d_before, adds)
        d_product, mask = shift(work, row[D_CARRIED]), shift(work, row[RECURRENT_MASK])
        times_recurrent_t(job, row, lanes, shift(here, 2 * wide), 3 * wide, 2, 1, shift(work, job[ZEROS]), 0, d_product)
        entering, masks = shift(states_before(job, row, work), step * size), dropping_state(job, row)
        last = step == 0 and not begins
        before_reset(gate, lanes, wide, here, of_gates, entering, d_product, mask, masks, d_before, last)


@inlined
def pass_masked(job, row, work, lanes, step):
    """Give gradients that were set aside to the state before the step."""
    if row[X_STEP_MASK] >= 0:
        give_past(row, lanes, shift(work, row[HELD]), d_state(job, row, work, lanes, step - 1))


@kernel
def end_backward(job, row, work, lanes, gradients):
    """The gradients of weights and input, from the slopes of all steps."""
    steps, wide = row[INPUT_STEPS], row[WIDE]
    slopes, extra, states = shift(work, row[Z]), shift(work, row[EXTRA]), states_before(job, row, work)
    if row[RESET_AFTER]:
        recurrent_gradient(job, row, work, lanes, steps, states, extra, 3 * wide, 0, 3, gradients)
        if row[RECURRENT_BIAS] >= 0:
            sum_rows(steps * lanes, 3 * wide, extra, 3 * wide, shift(gradients, row[RECURRENT_BIAS]))
    else:
        recurrent_gradient(job, row, work, lanes, steps, states, slopes, 3 * wide, 0, 2, gradients)
        recurrent_gradient(job, row, work, lanes, steps, extra, shift(slopes, 2 * wide), 3 * wide, 2, 1, gradients)
    if row[LINKS] >= 0:
        give_back_state(job, row, work, lanes, 0, d_state(job, row, work, lanes, -1))
    project_back(job, row, work, lanes, steps, slopes, gradients)


@procedure("ttfif")
def backward(job, row, work, lanes, gradients):
    """From D_OUT, which it overwrites, to the gradients of weights and input; Z becomes the slopes."""
    steps, wide = row[INPUT_STEPS], row[WIDE]
    # The slopes at h V: of all gates beside Z, or of the first two in it.
    slopes, count = (row[EXTRA], 3) if row[RESET_AFTER] else (row[Z], 2)
    begin_backward(job, row, work, lanes)
    for back in range(steps):
        step = steps - 1 - back
        step_backward(job, row, work, lanes, step)
        if step > 0 or row[LINKS] >= 0:
            here = shift(work, slopes + step * 3 * lanes * wide)
            carry_back(job, row, work, lanes, step, here, 3 * wide, 0, count, False)
            pass_masked(job, row, work, lanes, step)
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
            step_backward(job, row, work_of(job, block), lanes_in(job, row, block), step)
        if step > 0 or row[LINKS] >= 0:
            carry_back_together(job, row, thread, step, row[EXTRA], 0)
            for block in range(thread, job[BLOCKS], job[THREADS]):
                pass_masked(job, row, work_of(job, block), lanes_in(job, row, block), step)
    for block in range(thread, job[BLOCKS], job[THREADS]):
        own = shift(gradients, block * job[SIZE])
        end_backward(job, row, work_of(job, block), lanes_in(job, row, block), own)
