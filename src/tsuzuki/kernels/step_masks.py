"""Masks of steps [steps, lanes], 1 where a step counts and 0 where not, as Keras passes them from layer to layer.

A layer's row names the mask of its input and of its output, each with steps to skip there, or -1 where there is none.
In a cell a masked step holds all states; on the way back their gradients go past it untouched.
"""

import numpy as np

from tsuzuki.kernels.host import WIDTH
from tsuzuki.kernels.language import kernel, load, procedure, shift, splat, store
from tsuzuki.kernels.table import (
    LINK,
    LINK_COUNT,
    LINK_STEP_MASK,
    LINK_STEP_MASK_SKIP,
    LINKS,
    STATE_OUT,
    STATES,
    STEP_MASK,
    STEPS,
    WIDE,
    X_STEP_MASK,
    X_STEP_MASK_SKIP,
)

f32 = np.float32


@kernel
def input_mask(row, work, lanes, step):
    """The mask [lanes] of a step of the input; to be asked only where there is one."""
    return shift(work, row[X_STEP_MASK] + (row[X_STEP_MASK_SKIP] + step) * lanes)


@procedure("tfii")
def hold_states(row, work, lanes, step):
    """Where `step` is masked, the states after it are those before it."""
    wide, mask = row[WIDE], input_mask(row, work, lanes, step)
    for n in range(row[STATES]):
        states = shift(work, shift(row, 2 * n)[STATE_OUT])
        for lane in range(lanes):
            if mask[lane] == 0:
                before, after = (step * lanes + lane) * wide, ((step + 1) * lanes + lane) * wide
                for unit in range(0, wide, WIDTH):
                    store(states, after + unit, load(states, before + unit))


@procedure("tfiiff")
def set_aside(row, work, lanes, step, gradient, held):
    """Move the gradient [lanes, wide] of the masked lanes into `held`, so that the step gives them no slopes."""
    wide, mask = row[WIDE], input_mask(row, work, lanes, step)
    for lane in range(lanes):
        masked = mask[lane] == 0
        for at in range(lane * wide, (lane + 1) * wide, WIDTH):
            store(held, at, load(gradient, at) if masked else splat(f32(0)))
            if masked:
                store(gradient, at, splat(f32(0)))


@procedure("tiff")
def give_past(row, lanes, held, gradient):
    """Add what was set aside to the gradient [lanes, wide] of the state one step before."""
    for at in range(0, lanes * row[WIDE], WIDTH):
        store(gradient, at, load(gradient, at) + load(held, at))


@procedure("ttfi")
def join_masks(job, row, work, lanes):
    """Of several inputs a step counts where it does in one of them."""
    if row[STEP_MASK] < 0:
        return
    count, target = row[STEPS] * lanes, shift(work, row[STEP_MASK])
    for i in range(count):
        target[i] = f32(0)
    for n in range(row[LINK_COUNT]):
        link = shift(job, row[LINKS] + n * LINK)
        mask = shift(work, link[LINK_STEP_MASK] + link[LINK_STEP_MASK_SKIP] * lanes)
        for i in range(count):
            if mask[i] != 0:
                target[i] = f32(1)
