"""GRU with the gates z, r, h side by side, as in Keras: h' = z h + (1 - z) candidate.

With the reset gate *after* the product the candidate is activation(x W + b + r (h V + b')), and EXTRA holds h V + b' of
all gates, later the slopes there; with the reset gate *before* it, activation(x W + b + (r h) V), and EXTRA holds r h.
"""

import numpy as np

from tsuzuki.kernels.activations import activate, slope
from tsuzuki.kernels.host import WIDTH
from tsuzuki.kernels.language import floats_at, fma, inlined, kernel, load, procedure, shift, splat, store
from tsuzuki.kernels.memory import Place, take_recurrent
from tsuzuki.kernels.projection import project, project_back, sum_rows
from tsuzuki.kernels.recurrence import (
    begin_states,
    carry_back,
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
)
from tsuzuki.kernels.step_masks import give_past, hold_states, set_aside
from tsuzuki.kernels.table import (
    ACTIVATED,
    ACTIVATION,
    BIAS,
    D_CARRIED,
    D_FINAL,
    HELD,
    INPUT_STEPS,
    LINKS,
    OUT,
    OWN_1,
    OWN_2,
    OWN_3,
    PARAMETERS,
    RECURRENT_ACTIVATED,
    RECURRENT_ACTIVATION,
    RECURRENT_MASK,
    RETURNS_ALL,
    SIGMOID,
    TANH,
    WIDE,
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
    row[RESET_AFTER] = layer.reset_after
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


@procedure("ttfiii")
def forward(job, row, work, lanes, update, first_lane):
    """Fill OUT [1 + steps, lanes, wide], whose first row holds the state before the first step."""
    steps, wide = row[INPUT_STEPS], row[WIDE]
    activation, gate = row[ACTIVATION], row[RECURRENT_ACTIVATION]
    size = lanes * wide
    z, extra, masked = shift(work, row[Z]), shift(work, row[EXTRA]), row[X_STEP_MASK] >= 0
    keeps = keeps_sums(row)
    project(job, row, work, lanes, steps, z, update, first_lane)
    draw_state_mask(job, row, work, lanes, update, first_lane)
    if row[LINKS] >= 0:
        begin_states(job, row, work, lanes)
    bias = shift(work, job[ZEROS])
    if row[RECURRENT_BIAS] >= 0:
        bias = shift(floats_at(job[PARAMETERS]), row[RECURRENT_BIAS])
    for step in range(steps):
        here = shift(z, step * 3 * size)
        before, out = shift(work, row[OUT] + step * size), shift(work, row[OUT] + (step + 1) * size)
        entering = state_before(job, row, work, lanes, step)
        sums = kept_sums(row, work, step * 3 * size) if keeps else here
        if row[RESET_AFTER]:
            beside = shift(extra, step * 3 * size)
            times_recurrent(job, row, lanes, entering, 0, 3, bias, 0, beside, 3 * wide)
            after_forward(activation, gate, lanes, wide, here, sums, keeps, beside, before, out)
        else:
            beside, candidate = shift(extra, step * size), shift(here, 2 * wide)
            times_recurrent(job, row, lanes, entering, 0, 2, here, 3 * wide, here, 3 * wide)
            before_forward(gate, lanes, wide, here, sums, keeps, beside, entering)
            times_recurrent(job, row, lanes, beside, 2, 1, candidate, 3 * wide, candidate, 3 * wide)
            before_finish(activation, lanes, wide, here, sums, keeps, before, out)
        if masked:
            hold_states(row, work, lanes, step)


@procedure("ttfif")
def backward(job, row, work, lanes, gradients):
    """From D_OUT, which it overwrites, to the gradients of weights and input; Z becomes the slopes."""
    steps, wide = row[INPUT_STEPS], row[WIDE]
    activation, gate = row[ACTIVATION], row[RECURRENT_ACTIVATION]
    size = lanes * wide
    slopes, extra = shift(work, row[Z]), shift(work, row[EXTRA])
    d_product, mask = shift(work, row[D_CARRIED]), shift(work, row[RECURRENT_MASK])
    states = states_before(job, row, work)
    # Where the layer above sees every step, the gradient it gave to the state before this one is added to.
    adds = row[RETURNS_ALL] != 0
    masked, held = row[X_STEP_MASK] >= 0, shift(work, row[HELD])
    begins = row[LINKS] >= 0
    if begins or row[D_FINAL] >= 0:
        take_final_gradients(job, row, work, lanes)
    for back in range(steps):
        step = steps - 1 - back
        here = shift(slopes, step * 3 * size)
        before = shift(work, row[OUT] + step * size)
        d_out = d_state(job, row, work, lanes, step)
        # Before the first step there is no gradient to keep: its share goes where d_out was.
        d_before = d_state(job, row, work, lanes, step - 1 if step > 0 or begins else 0)
        if masked:
            set_aside(row, work, lanes, step, d_out, held)
        of_gates = seen_by(row, RECURRENT_ACTIVATED, work, row[Z], step * 3 * size)
        of_input = seen_by(row, ACTIVATED, work, row[Z], step * 3 * size)
        if row[RESET_AFTER]:
            beside = shift(extra, step * 3 * size)
            goes_on = adds and (step > 0 or begins)
            after_backward(
                activation, gate, lanes, wide, here, of_gates, of_input, beside, before, d_out, d_before, goes_on
            )
            if step > 0 or begins:
                carry_back(job, row, work, lanes, step, beside, 3 * wide, 0, 3, False)
        else:
            goes_on = adds and (step > 0 or begins)
            before_backward(activation, gate, lanes, wide, here, of_gates, of_input, before, d_out, d_before, goes_on)
            zeros = shift(work, job[ZEROS])
            times_recurrent_t(job, row, lanes, shift(here, 2 * wide), 3 * wide, 2, 1, zeros, 0, d_product)
            entering = shift(states, step * size)
            masks = dropping_state(job, row)
            last = step == 0 and not begins
            before_reset(gate, lanes, wide, here, of_gates, entering, d_product, mask, masks, d_before, last)
            if step > 0 or begins:
                carry_back(job, row, work, lanes, step, here, 3 * wide, 0, 2, False)
        if masked and (step > 0 or begins):
            give_past(row, lanes, held, d_before)
    if row[RESET_AFTER]:
        recurrent_gradient(job, row, work, lanes, steps, states, extra, 3 * wide, 0, 3, gradients)
        if row[RECURRENT_BIAS] >= 0:
            sum_rows(job, work, steps * lanes, 3 * wide, extra, 3 * wide, shift(gradients, row[RECURRENT_BIAS]))
    else:
        recurrent_gradient(job, row, work, lanes, steps, states, slopes, 3 * wide, 0, 2, gradients)
        recurrent_gradient(job, row, work, lanes, steps, extra, shift(slopes, 2 * wide), 3 * wide, 2, 1, gradients)
    if begins:
        give_back_state(job, row, work, lanes, 0, d_state(job, row, work, lanes, -1))
    project_back(job, row, work, lanes, steps, slopes, gradients)
