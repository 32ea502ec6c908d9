"""The optimisers that are rarer, and the moving average of the parameters: a unit that is compiled where one is used.

The procedures are called through their addresses in the job. What changes with the update alone, such as a bias
correction, stands in RATES and MORE_RATES. Padding stays zero under all of them.
"""

import numpy as np

from tsuzuki.kernels.host import WIDTH
from tsuzuki.kernels.language import (
    absolute,
    doubles_at,
    floats_at,
    fma,
    kernel,
    larger,
    load,
    procedure,
    shift,
    smaller,
    splat,
    sqrt,
    store,
    where_positive,
)
from tsuzuki.kernels.optimizers import decay_weights, piece_at
from tsuzuki.kernels.table import (
    ADADELTA,
    ADAGRAD,
    ADAMAX,
    AVERAGE_EVERY,
    AVERAGE_MOMENTUM,
    AVERAGE_SLOT,
    DECAYS,
    FIRST_UPDATE,
    FLAG,
    FTRL,
    GRADIENTS,
    LION,
    MORE_RATES,
    NADAM,
    OPTIMIZER,
    OPTIMIZER_SETTINGS,
    PARAMETERS,
    RATES,
    SIZE,
    SLOTS,
)

f32 = np.float32


@kernel
def adagrad(parameters, slots, gradients, apart, first, last, rate, epsilon):
    """Adagrad (Duchi et al. 2011). Slot: the sum of squares."""
    for at in range(first, last, WIDTH):
        g = load(gradients, at)
        before = load(slots, at)
        total = before + load(gradients, apart + at) if apart != 0 else fma(g, g, before)
        store(slots, at, total)
        store(parameters, at, load(parameters, at) - splat(rate) * g / sqrt(total + splat(epsilon)))


@kernel
def adadelta(parameters, slots, size, gradients, apart, first, last, rate, rho, epsilon):
    """Adadelta (Zeiler 2012). Slots: mean square of the gradient, and of the steps."""
    kept, rest = splat(rho), splat(f32(1) - rho)
    for at in range(first, last, WIDTH):
        g, steps = load(gradients, at), load(slots, size + at)
        own = load(gradients, apart + at) if apart != 0 else g * g
        square = fma(kept, load(slots, at), rest * own)
        store(slots, at, square)
        step = sqrt(steps + splat(epsilon)) * g / sqrt(square + splat(epsilon))
        of_steps = own * (steps + splat(epsilon)) / (square + splat(epsilon)) if apart != 0 else step * step
        store(slots, size + at, fma(kept, steps, rest * of_steps))
        store(parameters, at, load(parameters, at) - splat(rate) * step)


@kernel
def adamax(parameters, slots, size, gradients, apart, first, last, rate, beta_1, beta_2, epsilon):
    """Adamax (Kingma and Ba 2015); the rate holds the bias correction. Slots: mean, and norm."""
    new, kept = splat(f32(1) - beta_1), splat(beta_2)
    for at in range(first, last, WIDTH):
        g, mean = load(gradients, at), load(slots, at)
        mean = fma(g - mean, new, mean)
        own = load(gradients, apart + at) if apart != 0 else absolute(g)
        norm = larger(kept * load(slots, size + at), own)
        store(slots, at, mean)
        store(slots, size + at, norm)
        store(parameters, at, load(parameters, at) - splat(rate) * mean / (norm + splat(epsilon)))


@kernel
def nadam(parameters, slots, size, gradients, apart, first, last, of_mean, of_gradient, root, beta_1, beta_2, epsilon):
    """Nadam (Dozat 2016); the rates of mean and gradient, and the root, hold all corrections. Slots: as Adam's."""
    new_1, new_2 = splat(f32(1) - beta_1), splat(f32(1) - beta_2)
    for at in range(first, last, WIDTH):
        g, mean, square = load(gradients, at), load(slots, at), load(slots, size + at)
        mean = fma(g - mean, new_1, mean)
        own = load(gradients, apart + at) if apart != 0 else g * g
        square = fma(own - square, new_2, square)
        store(slots, at, mean)
        store(slots, size + at, square)
        step = fma(splat(of_mean), mean, splat(of_gradient) * g)
        store(parameters, at, load(parameters, at) - step / fma(sqrt(square), splat(root), splat(epsilon)))


@kernel
def lion(parameters, slots, gradients, first, last, rate, beta_1, beta_2):
    """Lion (Chen et al. 2023): the sign of a mean. Slot: the mean."""
    zero, up, down = splat(f32(0)), splat(rate), splat(-rate)
    for at in range(first, last, WIDTH):
        g, mean = load(gradients, at), load(slots, at)
        direction = fma(splat(beta_1), mean, splat(f32(1) - beta_1) * g)
        step = where_positive(direction, up, where_positive(zero - direction, down, zero))
        store(parameters, at, load(parameters, at) - step)
        store(slots, at, fma(splat(beta_2), mean, splat(f32(1) - beta_2) * g))


@kernel
def ftrl(parameters, slots, size, gradients, apart, first, last, rate, l1, l2, shrinkage, beta):
    """FTRL-proximal (McMahan et al. 2013). Slots: the sum of squares, and the linear term."""
    high, low, both = splat(l1), splat(-l1), splat(f32(2) * l2 + beta / rate)
    inverse = splat(f32(1) / rate)
    for at in range(first, last, WIDTH):
        g, w, before = load(gradients, at), load(parameters, at), load(slots, at)
        total = before + load(gradients, apart + at) if apart != 0 else fma(g, g, before)
        linear = load(slots, size + at) + fma(splat(f32(2) * shrinkage), w, g)
        linear = linear - (sqrt(total) - sqrt(before)) * inverse * w
        store(slots, at, total)
        store(slots, size + at, linear)
        # In the padding there may be nothing to divide by.
        below = larger(fma(sqrt(total), inverse, both), splat(f32(1e-30)))
        store(parameters, at, (larger(smaller(linear, high), low) - linear) / below)


@procedure("tiii")
def optimise_rarely(job, k, first, last):
    """Apply update k to the parameters between two places."""
    if job[DECAYS] != 0:
        decay_weights(job, k, first, last)
    at = first
    while at < last:
        end, apart = piece_at(job, at, last)
        if apart >= 0:
            move_rarely(job, k, at, end, apart)
        at = end


@procedure("tiiii")
def move_rarely(job, k, first, last, apart):
    """Move the parameters between two places; the squares of their gradients may lie some way behind these."""
    parameters, slots, gradients = floats_at(job[PARAMETERS]), floats_at(job[SLOTS]), floats_at(job[GRADIENTS])
    settings, size, kind = doubles_at(job[OPTIMIZER_SETTINGS]), job[SIZE], job[OPTIMIZER]
    rate = f32(doubles_at(job[RATES])[k])
    a, b, epsilon, d = f32(settings[0]), f32(settings[1]), f32(settings[2]), f32(settings[FLAG])
    if kind == ADAGRAD:
        adagrad(parameters, slots, gradients, apart, first, last, rate, epsilon)
    elif kind == ADADELTA:
        adadelta(parameters, slots, size, gradients, apart, first, last, rate, a, epsilon)
    elif kind == ADAMAX:
        adamax(parameters, slots, size, gradients, apart, first, last, rate, a, b, epsilon)
    elif kind == NADAM:
        more = shift(doubles_at(job[MORE_RATES]), 2 * k)
        nadam(parameters, slots, size, gradients, apart, first, last, rate, f32(more[0]), f32(more[1]), a, b, epsilon)
    elif kind == LION:
        lion(parameters, slots, gradients, first, last, rate, a, b)
    elif kind == FTRL:
        ftrl(parameters, slots, size, gradients, apart, first, last, rate, a, b, epsilon, d)


@procedure("tiii")
def average_parameters(job, k, first, last):
    """Follow the parameters with their moving average, and now and then put it in their place."""
    settings, update = doubles_at(job[OPTIMIZER_SETTINGS]), job[FIRST_UPDATE] + k
    parameters = floats_at(job[PARAMETERS])
    averages = shift(floats_at(job[SLOTS]), AVERAGE_SLOT * job[SIZE])
    kept = f32(settings[AVERAGE_MOMENTUM]) if update > 0 else f32(0)
    every = int(settings[AVERAGE_EVERY])
    overwrites = every > 0 and (update + 1) % every == 0
    for at in range(first, last, WIDTH):
        average = fma(splat(kept), load(averages, at), splat(f32(1) - kept) * load(parameters, at))
        store(averages, at, average)
        if overwrites:
            store(parameters, at, average)
