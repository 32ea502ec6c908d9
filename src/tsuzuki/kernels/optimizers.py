"""Optimisers on the flat vector of parameters, with Keras's formulas and Keras's places for epsilon.

Keras's sources: keras/src/optimizers/{sgd,rmsprop,adam,adamw,base_optimizer}.py (3.15). Rates come one for each update,
so every schedule is the same to the kernel; Adam's bias correction is already in its rate. The padding has gradient 0
and stays 0 under all of them.
"""

import math

import numpy as np

from tsuzuki.kernels.host import WIDTH
from tsuzuki.kernels.language import (
    doubles_at,
    floats_at,
    fma,
    ints_at,
    kernel,
    larger,
    load,
    procedure,
    reciprocal,
    reciprocal_root,
    shift,
    smaller,
    splat,
    sqrt,
    store,
    sum_lanes,
)
from tsuzuki.kernels.table import (
    ADAM,
    CLIP,
    CLIP_GLOBAL_NORM,
    CLIP_LIMIT,
    CLIP_NORM,
    CLIP_VALUE,
    DECAYED,
    DECAYS,
    FLAG,
    GRADIENT_PARTS,
    GRADIENTS,
    OPTIMIZER,
    OPTIMIZER_SETTINGS,
    PARAMETERS,
    RATES,
    RMSPROP,
    SGD,
    SIZE,
    SLOTS,
    SOME_SQUARES,
    SQUARES_APART,
    VARIABLE,
    VARIABLE_COUNT,
    VARIABLE_OFFSET,
    VARIABLE_SIZE,
    VARIABLES,
)
from tsuzuki.kernels.touched_rows import touched_piece

f32 = np.float32
SQUARES_TOGETHER = 8


@procedure("tii")
def sum_gradients(job, first, last):
    """Add all gradients into the first block's, always in the same order, between two places."""
    gradients, size, parts = floats_at(job[GRADIENTS]), job[SIZE], job[GRADIENT_PARTS]
    if parts == 1:
        return
    begin = first
    while begin < last:
        end, touched = touched_piece(job, begin, last)
        for at in range(begin, end if touched else begin, WIDTH):
            total = load(gradients, at)
            for part in range(1, parts):
                total = total + load(gradients, part * size + at)
            store(gradients, at, total)
        begin = end


@kernel
def squared_norm(values, size, apart):
    """The sum of squares of a variable's gradient, which may lie some way behind it."""
    total = 0.0
    if apart != 0:
        for at in range(0, size, WIDTH):
            total += sum_lanes(load(values, apart + at))
        return total
    # Some vectors together: a sum over lanes takes as long as the squares of four.
    for begin in range(0, size, SQUARES_TOGETHER * WIDTH):
        squares = splat(f32(0))
        for at in range(begin, min(size, begin + SQUARES_TOGETHER * WIDTH), WIDTH):
            squares = fma(load(values, at), load(values, at), squares)
        total += sum_lanes(squares)
    return total


@procedure("t")
def clip_gradients(job):
    """Clip the summed gradients: each value, each variable's norm, or the norm of all together."""
    gradients, limit = floats_at(job[GRADIENTS]), doubles_at(job[OPTIMIZER_SETTINGS])[CLIP_LIMIT]
    variables = ints_at(job[VARIABLES])
    kind = job[CLIP]
    norm = 0.0
    if kind == CLIP_GLOBAL_NORM:
        for v in range(job[VARIABLE_COUNT]):
            entry = shift(variables, v * VARIABLE)
            norm += squared_norm(shift(gradients, entry[VARIABLE_OFFSET]), entry[VARIABLE_SIZE], entry[SQUARES_APART])
        norm = math.sqrt(norm)
    for v in range(job[VARIABLE_COUNT]):
        entry = shift(variables, v * VARIABLE)
        values, size, apart = shift(gradients, entry[VARIABLE_OFFSET]), entry[VARIABLE_SIZE], entry[SQUARES_APART]
        if kind == CLIP_VALUE and apart != 0:
            # Each occurrence is clipped where it is added.
            continue
        if kind == CLIP_VALUE:
            high, low = splat(f32(limit)), splat(f32(-limit))
            for at in range(0, size, WIDTH):
                store(values, at, larger(smaller(load(values, at), high), low))
        else:
            if kind == CLIP_NORM:
                norm = math.sqrt(squared_norm(values, size, apart))
            if norm > limit:
                factor = splat(f32(limit / norm))
                for at in range(0, size, WIDTH):
                    store(values, at, load(values, at) * factor)
                    if apart != 0:
                        store(values, apart + at, load(values, apart + at) * factor * factor)
            if kind == CLIP_GLOBAL_NORM and apart != 0:
                # TensorFlow sums the occurrences here, whether it clips or not.
                for at in range(0, size, WIDTH):
                    store(values, apart + at, load(values, at) * load(values, at))


@kernel
def decay_weights(job, k, first, last):
    """Decoupled decay (AdamW; Loshchilov and Hutter 2019) of the variables that take it, between two places."""
    parameters, variables = floats_at(job[PARAMETERS]), ints_at(job[VARIABLES])
    kept = splat(f32(1.0 - doubles_at(job[DECAYS])[k]))
    for v in range(job[VARIABLE_COUNT]):
        entry = shift(variables, v * VARIABLE)
        if entry[DECAYED]:
            begin = max(first, entry[VARIABLE_OFFSET])
            end = min(last, entry[VARIABLE_OFFSET] + entry[VARIABLE_SIZE])
            for at in range(begin, end, WIDTH):
                store(parameters, at, load(parameters, at) * kept)


@kernel
def sgd(parameters, slots, gradients, first, last, rate, momentum, nesterov):
    """v = momentum v - rate g; w += v, or w += momentum v - rate g with Nesterov."""
    rates, momenta = splat(rate), splat(momentum)
    for at in range(first, last, WIDTH):
        step = rates * load(gradients, at)
        w = load(parameters, at)
        if momentum == 0:
            store(parameters, at, w - step)
        else:
            v = momenta * load(slots, at) - step
            store(slots, at, v)
            store(parameters, at, w + (momenta * v - step if nesterov else v))


@kernel
def rmsprop(parameters, slots, size, gradients, apart, first, last, rate, rho, momentum, epsilon, centered):
    """RMSprop (Hinton 2012); epsilon stands inside the root. Slots: mean square, momentum, mean."""
    rates, rhos, rest = splat(rate), splat(rho), splat(f32(1) - rho)
    epsilons, momenta = splat(epsilon), splat(momentum)
    for at in range(first, last, WIDTH):
        g = load(gradients, at)
        own = load(gradients, apart + at) if apart != 0 else g * g
        square = fma(rhos, load(slots, at), rest * own)
        store(slots, at, square)
        if centered:
            mean = fma(rhos, load(slots, 2 * size + at), rest * g)
            store(slots, 2 * size + at, mean)
            square = square - mean * mean
        step = rates * g * reciprocal_root(square + epsilons)
        if momentum != 0:
            step = fma(momenta, load(slots, size + at), step)
            store(slots, size + at, step)
        store(parameters, at, load(parameters, at) - step)


@kernel
def adam(parameters, slots, size, gradients, apart, first, last, rate, beta_1, beta_2, epsilon, amsgrad):
    """Adam (Kingma and Ba 2015); the rate holds the bias correction. Slots: mean, mean square, its largest so far."""
    rates, epsilons = splat(rate), splat(epsilon)
    new_1, new_2 = splat(f32(1) - beta_1), splat(f32(1) - beta_2)
    for at in range(first, last, WIDTH):
        g = load(gradients, at)
        mean, square = load(slots, at), load(slots, size + at)
        mean = fma(g - mean, new_1, mean)
        own = load(gradients, apart + at) if apart != 0 else g * g
        square = fma(own - square, new_2, square)
        store(slots, at, mean)
        store(slots, size + at, square)
        if amsgrad:
            square = larger(square, load(slots, 2 * size + at))
            store(slots, 2 * size + at, square)
        store(parameters, at, load(parameters, at) - mean * rates * reciprocal(sqrt(square) + epsilons))


@kernel
def piece_at(job, at, last):
    """Where a piece of the parameters ends, and how far behind its gradients their squares lie.

    0: they are still to be squared; -1: the piece holds no parameters, but such squares, or none of it moves.
    """
    last, touched = touched_piece(job, at, last)
    if not touched:
        return last, -1
    variables = ints_at(job[VARIABLES])
    for v in range(job[VARIABLE_COUNT] if job[SOME_SQUARES] else 0):
        entry = shift(variables, v * VARIABLE)
        begin, size, apart = entry[VARIABLE_OFFSET], entry[VARIABLE_SIZE], entry[SQUARES_APART]
        if apart != 0:
            if at < begin:
                return min(begin, last), 0
            if at < begin + size:
                return min(begin + size, last), apart
            if at < begin + apart + size:
                return min(begin + apart + size, last), -1
    return last, 0


@procedure("tiii")
def optimise(job, k, first, last):
    """Apply update k to the parameters between two places."""
    if job[DECAYS] != 0:
        decay_weights(job, k, first, last)
    at = first
    while at < last:
        end, apart = piece_at(job, at, last)
        if apart >= 0:
            move(job, k, at, end, apart)
        at = end


@procedure("tiiii")
def move(job, k, first, last, apart):
    """Move the parameters between two places; the squares of their gradients may lie some way behind these."""
    parameters, slots, gradients = floats_at(job[PARAMETERS]), floats_at(job[SLOTS]), floats_at(job[GRADIENTS])
    settings, size = doubles_at(job[OPTIMIZER_SETTINGS]), job[SIZE]
    rate = f32(doubles_at(job[RATES])[k])
    a, b, epsilon, flag = f32(settings[0]), f32(settings[1]), f32(settings[2]), settings[FLAG] != 0
    if job[OPTIMIZER] == RMSPROP:
        rmsprop(parameters, slots, size, gradients, apart, first, last, rate, a, b, epsilon, flag)
    elif job[OPTIMIZER] == ADAM:
        adam(parameters, slots, size, gradients, apart, first, last, rate, a, b, epsilon, flag)
    elif job[OPTIMIZER] == SGD:
        sgd(parameters, slots, gradients, first, last, rate, a, flag)
