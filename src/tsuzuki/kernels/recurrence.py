"""What all recurrent cells share in time: the state's way into a product, and the gradient's way back through it."""

import numpy as np

from tsuzuki.kernels.blocks import lanes_in, work_of
from tsuzuki.kernels.dropout_masks import copy_rows, draw_mask, drop
from tsuzuki.kernels.host import WIDTH
from tsuzuki.kernels.language import floats_at, fma, kernel, load, procedure, shift, splat, stand_alone, store
from tsuzuki.kernels.matrix import product, product_of_panels, product_of_pieces
from tsuzuki.kernels.table import (
    ACTIVATED,
    BLOCKS,
    BY_LANE,
    D_CARRIED,
    D_FINAL,
    D_OUT,
    DEEP,
    GATES,
    INPUT_STEPS,
    LINK,
    LINK_COUNT,
    LINK_D_X,
    LINK_SKIP,
    LINK_STRIDE,
    LINK_X,
    LINKS,
    MASKED_STATE,
    OUT,
    PACKED,
    PACKED_RECURRENT,
    PACKED_RECURRENT_T,
    PANEL,
    PARAMETERS,
    RECURRENT_ACTIVATED,
    RECURRENT_DROPOUT,
    RECURRENT_KERNEL,
    RECURRENT_MASK,
    RETURNS_ALL,
    SCRATCH,
    SECOND_D_FINAL,
    SHORT_ROW,
    STATE_OUT,
    THREADS,
    TRAIN,
    UNITS,
    WIDE,
    ZEROS,
)


@kernel
def dropping_state(job, row):
    """Whether this layer drops parts of its state in this run."""
    return job[TRAIN] != 0 and row[RECURRENT_DROPOUT] > 0


@kernel
def draw_state_mask(job, row, work, lanes, update, first_lane):
    """Draw the update's mask for the state, if the layer has one."""
    if dropping_state(job, row):
        mask = shift(work, row[RECURRENT_MASK])
        draw_mask(job, row, row[RECURRENT_DROPOUT], 1, lanes, row[UNITS], row[WIDE], update, first_lane, mask)


@kernel
def keeps_sums(row):
    """Whether what goes into the activations is kept."""
    return row[ACTIVATED] >= 0 or row[RECURRENT_ACTIVATED] >= 0


@kernel
def kept_sums(row, work, at):
    """Where what goes into the activations is kept, `at` floats from the beginning; to be asked only if it is."""
    return shift(work, max(row[ACTIVATED], row[RECURRENT_ACTIVATED]) + at)


@kernel
def seen_by(row, field, work, values, at):
    """What an activation's slope is computed from: its values, or what went in where `field` says that it is kept."""
    return shift(work, (row[field] if row[field] >= 0 else values) + at)


@kernel
def state_before(job, row, work, lanes, step):
    """The state [lanes, wide] that enters the product at `step`: as it was, or its masked copy, made here."""
    stand_alone()
    size = lanes * row[WIDE]
    state = shift(work, row[OUT] + step * size)
    if dropping_state(job, row):
        masked = shift(work, row[MASKED_STATE] + step * size)
        drop(shift(work, row[RECURRENT_MASK]), size, 1, state, masked)
        return masked
    return state


@kernel
def states_before(job, row, work):
    """The states of all steps that entered products, [steps * lanes, wide]."""
    if dropping_state(job, row):
        return shift(work, row[MASKED_STATE])
    return shift(work, row[OUT])


@procedure("ttifiififi")
def times_recurrent(job, row, lanes, state, first_gate, count, start, start_stride, results, stride):
    """results = start + state V, for `count` gates from `first_gate` on, which begins a panel."""
    wide, units = row[WIDE], row[UNITS]
    whole = row[GATES] * wide
    if whole <= SHORT_ROW:
        weights = shift(floats_at(job[PARAMETERS]), row[RECURRENT_KERNEL] + first_gate * wide)
        product_of_panels(
            job[BY_LANE],
            lanes,
            count * wide,
            units,
            state,
            wide,
            1,
            weights,
            whole,
            PANEL,
            start,
            start_stride,
            results,
            stride,
        )
    else:
        panels = shift(floats_at(job[PACKED]), row[PACKED_RECURRENT] + first_gate * wide * units)
        product_of_panels(
            DEEP - job[BY_LANE],
            lanes,
            count * wide,
            units,
            state,
            wide,
            1,
            panels,
            PANEL,
            units * PANEL,
            start,
            start_stride,
            results,
            stride,
        )


@procedure("ttifiiifif")
def times_recurrent_t(job, row, lanes, slopes, slope_stride, first_gate, count, start, start_stride, results):
    """results[lanes, wide] = start + slopes[lanes, count gates] V^T, for `count` gates from `first_gate` on."""
    wide, units = row[WIDE], row[UNITS]
    turned = shift(floats_at(job[PACKED]), row[PACKED_RECURRENT_T] + first_gate * wide * PANEL)
    panel = row[GATES] * wide * PANEL
    # A gate's padding holds nothing but zeros, which need not be multiplied.
    product_of_pieces(
        DEEP if row[GATES] * wide > SHORT_ROW else 0,
        lanes,
        wide,
        units,
        count,
        wide - units,
        slopes,
        slope_stride,
        1,
        turned,
        PANEL,
        panel,
        start,
        start_stride,
        results,
        wide,
    )


@procedure("ttiiifi")
def times_recurrent_together(job, row, thread, step, results, start, starts):
    """`times_recurrent` for all gates of a step, in all blocks of a thread, panel by panel.

    Each block has its results at the offset `results` of its work space, [steps, lanes, gates * wide]. With `starts`
    they begin from the row at `start`, else from what stands there.
    """
    wide, units = row[WIDE], row[UNITS]
    whole = row[GATES] * wide
    panels = shift(floats_at(job[PACKED]), row[PACKED_RECURRENT])
    for column in range(0, whole, PANEL):
        panel, width = shift(panels, column * units), min(PANEL, whole - column)
        for block in range(thread, job[BLOCKS], job[THREADS]):
            work, lanes = work_of(job, block), lanes_in(job, row, block)
            state = shift(work, row[OUT] + step * lanes * wide)
            to = shift(work, results + step * lanes * whole + column)
            begin, stride = to, whole
            if starts:
                begin, stride = shift(start, column), 0
            product_of_panels(
                DEEP - job[BY_LANE],
                lanes,
                width,
                units,
                state,
                wide,
                1,
                panel,
                PANEL,
                units * PANEL,
                begin,
                stride,
                to,
                whole,
            )


@kernel
def d_state(job, row, work, lanes, step):
    """The gradient [lanes, wide] of the state after `step`, into which the step after it has written its share."""
    if row[RETURNS_ALL]:
        return shift(work, row[D_OUT] + step * lanes * row[WIDE])
    return shift(work, row[D_OUT])


@procedure("ttfiifiiii")
def carry_back(job, row, work, lanes, step, slopes, slope_stride, first_gate, count, fresh):
    """Give the state before `step` its share slopes V^T of the gradient.

    It is added to what stands there already (the gradient from the layer above, the share that does not pass V); with
    `fresh`, nothing stands there yet unless the layer above sees every step.
    """
    wide = row[WIDE]
    size = lanes * wide
    target = d_state(job, row, work, lanes, step - 1)
    start, start_stride = target, wide
    if fresh and not row[RETURNS_ALL]:
        start, start_stride = shift(work, job[ZEROS]), 0
    if dropping_state(job, row):
        share, mask = shift(work, row[D_CARRIED]), shift(work, row[RECURRENT_MASK])
        times_recurrent_t(job, row, lanes, slopes, slope_stride, first_gate, count, shift(work, job[ZEROS]), 0, share)
        for at in range(0, size, WIDTH):
            before = load(start, at if start_stride > 0 else 0)
            store(target, at, fma(load(share, at), load(mask, at), before))
    else:
        times_recurrent_t(job, row, lanes, slopes, slope_stride, first_gate, count, start, start_stride, target)


@procedure("ttiiii")
def carry_back_together(job, row, thread, step, slopes, fresh):
    """`carry_back` of all gates, in all blocks of a thread, panel by panel.

    Each block has its slopes at the offset `slopes` of its work space, [steps, lanes, gates * wide].
    """
    wide, units, gates = row[WIDE], row[UNITS], row[GATES]
    turned, panel = shift(floats_at(job[PACKED]), row[PACKED_RECURRENT_T]), gates * wide * PANEL
    for column in range(0, wide, PANEL):
        here, width = shift(turned, column // PANEL * panel), min(PANEL, wide - column)
        for block in range(thread, job[BLOCKS], job[THREADS]):
            work, lanes = work_of(job, block), lanes_in(job, row, block)
            target = shift(d_state(job, row, work, lanes, step - 1), column)
            start, start_stride = target, wide
            if fresh and not row[RETURNS_ALL]:
                start, start_stride = shift(work, job[ZEROS]), 0
            product_of_pieces(
                DEEP,
                lanes,
                width,
                units,
                gates,
                wide - units,
                shift(work, slopes + step * lanes * gates * wide),
                gates * wide,
                1,
                here,
                PANEL,
                panel,
                start,
                start_stride,
                target,
                wide,
            )


@procedure("ttfiiffiiif")
def recurrent_gradient(job, row, work, lanes, steps, states, slopes, slope_stride, first_gate, count, gradients):
    """The gradient of V's `count` gates from `first_gate` on: states^T slopes over all lanes and steps at once."""
    wide = row[WIDE]
    whole = row[GATES] * wide
    zeros, scratch = shift(work, job[ZEROS]), shift(work, job[SCRATCH])
    target = shift(gradients, row[RECURRENT_KERNEL] + first_gate * wide)
    product(
        0,
        row[UNITS],
        count * wide,
        steps * lanes,
        states,
        1,
        wide,
        slopes,
        slope_stride,
        zeros,
        0,
        target,
        whole,
        scratch,
    )


@procedure("ttfi")
def begin_states(job, row, work, lanes):
    """Put the states that the layer begins with before its first step."""
    for n in range(row[LINK_COUNT]):
        link, stride = shift(job, row[LINKS] + n * LINK), row[WIDE]
        x = shift(work, link[LINK_X] + link[LINK_SKIP] * lanes * link[LINK_STRIDE])
        copy_rows(lanes, row[UNITS], x, link[LINK_STRIDE], shift(work, shift(row, 2 * n)[STATE_OUT]), stride)


@procedure("ttfi")
def take_final_gradients(job, row, work, lanes):
    """Add the gradient of the state after the last step, and make room for that of the state before the first."""
    size, zero = lanes * row[WIDE], splat(np.float32(0))
    if row[D_FINAL] >= 0:
        last, final = d_state(job, row, work, lanes, row[INPUT_STEPS] - 1), shift(work, row[D_FINAL])
        for at in range(0, size, WIDTH):
            store(last, at, load(last, at) + load(final, at))
    if row[LINKS] >= 0 and row[RETURNS_ALL]:
        first = d_state(job, row, work, lanes, -1)
        for at in range(0, size, WIDTH):
            store(first, at, zero)


@procedure("tfif")
def start_second(row, work, lanes, d_second):
    """The gradient of the second state after the last step: zeros, or what others have left."""
    for at in range(0, lanes * row[WIDE], WIDTH):
        final = splat(np.float32(0))
        if row[SECOND_D_FINAL] >= 0:
            final = load(shift(work, row[SECOND_D_FINAL]), at)
        store(d_second, at, final)


@procedure("ttfiif")
def give_back_state(job, row, work, lanes, n, gradient):
    """Give the gradient of the state `n` before the first step to the layer that it comes from."""
    link = shift(job, row[LINKS] + n * LINK)
    if link[LINK_D_X] >= 0:
        copy_rows(lanes, row[UNITS], gradient, row[WIDE], shift(work, link[LINK_D_X]), link[LINK_STRIDE])
