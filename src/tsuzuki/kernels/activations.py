"""Activations and their slopes on whole vectors, chosen by a number at run time so that one program serves all.

Softmax looks at all values of a row together, so only layers that compute whole rows have it, and cells do not.

Each slope is computed from the activation's output, which the backward pass still has; its input is gone by then.
"""

import math

import numpy as np

from tsuzuki.kernels.host import HAS_AVX512, WIDTH
from tsuzuki.kernels.language import (
    call_activation,
    fma,
    inlined,
    ints_at,
    kernel,
    larger,
    load,
    procedure,
    rounded,
    shift,
    smaller,
    splat,
    store,
    sum_lanes,
    times_power_of_two,
    where_positive,
)
from tsuzuki.kernels.table import (
    HARD_SIGMOID,
    LINEAR,
    LOG_SOFTMAX,
    RARE,
    RARE_ACTIVATE,
    RARE_SLOPE,
    RELU,
    SIGMOID,
    SOFTMAX,
    TANH,
)

f32 = np.float32


# tanh is nearly x P(x^2) / Q(x^2) for |x| <= TANH_LIMIT; `tools/fit_tanh.py` finds these, constants first.
TANH_LIMIT = 7.9
TANH_P = (9.9999986917e-01, 1.2934418136e-01, 2.9604739664e-03, 1.1531846022e-05)
TANH_Q = (1.0, 4.6267644834e-01, 2.3854085700e-02, 2.4001214553e-04, 2.4925500784e-07)

LOG2_E = 1.4426950408889634
# ln 2 as a float32, and what is left.
LN_2 = float(np.float32(math.log(2)))
LN_2_REST = math.log(2) - LN_2


@inlined
def tanh(x):
    """x P(x^2) / Q(x^2), the pair with the smallest relative error (1.3e-7) where tanh is further than 3e-7 from 1.

    Within 5 * 2^-23 of tanh, relatively, over the whole line (tested); NaN stays NaN. The division is a true one: it
    takes less of a small network's time than an estimate made exact, and both polynomials end at once.
    """
    x = larger(smaller(x, splat(f32(TANH_LIMIT))), splat(f32(-TANH_LIMIT)))
    x2 = x * x
    p = splat(f32(TANH_P[3]))
    p = fma(p, x2, splat(f32(TANH_P[2])))
    p = fma(p, x2, splat(f32(TANH_P[1])))
    p = fma(p, x2, splat(f32(TANH_P[0])))
    q = splat(f32(TANH_Q[4]))
    q = fma(q, x2, splat(f32(TANH_Q[3])))
    q = fma(q, x2, splat(f32(TANH_Q[2])))
    q = fma(q, x2, splat(f32(TANH_Q[1])))
    q = fma(q, x2, splat(f32(TANH_Q[0])))
    return x * p / q


@inlined
def sigmoid_of_tanh(x):
    """1 / (1 + exp(-x)), as a stretched tanh."""
    half = splat(f32(0.5))
    return fma(half, tanh(half * x), half)


@inlined
def power_of_two(f):
    """2^f for -1/2 <= f <= 1/2: the polynomial of degree 5 with the smallest relative error (7.5e-8)."""
    p = splat(f32(1.327647165858693e-03))
    p = fma(p, f, splat(f32(9.675541331784651e-03)))
    p = fma(p, f, splat(f32(5.550713274530890e-02)))
    p = fma(p, f, splat(f32(2.402211972390640e-01)))
    p = fma(p, f, splat(f32(6.931469670641283e-01)))
    return fma(p, f, splat(f32(1)))


@inlined
def sigmoid_of_power(x):
    """1 / (1 + 2^(-x log2 e)), with fewer multiplications than by way of tanh (1.4 % of a GRU's or LSTM's time)."""
    exponent = smaller(x * splat(f32(-1.44269504088896)), splat(f32(126)))
    whole = rounded(exponent)
    one = splat(f32(1))
    return one / (one + times_power_of_two(power_of_two(exponent - whole), whole))


@inlined
def exponential(x):
    """exp(x) for x from -87 to 88, which others are moved to: x = whole ln 2 + rest, ln 2 in two parts."""
    x = larger(smaller(x, splat(f32(88))), splat(f32(-87)))
    whole = rounded(x * splat(f32(LOG2_E)))
    rest = fma(whole, splat(f32(-LN_2)), x)
    rest = fma(whole, splat(f32(-LN_2_REST)), rest)
    return times_power_of_two(power_of_two(rest * splat(f32(LOG2_E))), whole)


sigmoid = sigmoid_of_power if HAS_AVX512 else sigmoid_of_tanh


@inlined
def hard_sigmoid(x):
    """x / 6 + 1/2 between 0 and 1 (Keras 3's line, not the steeper one of Keras 2)."""
    line = fma(x, splat(f32(1 / 6)), splat(f32(0.5)))
    return larger(smaller(line, splat(f32(1))), splat(f32(0)))


@inlined
def activate(kind, x):
    """The activation `kind` of x."""
    if kind == TANH:
        return tanh(x)
    if kind == SIGMOID:
        return sigmoid(x)
    if kind == RELU:
        return larger(x, splat(f32(0)))
    if kind == HARD_SIGMOID:
        return hard_sigmoid(x)
    if kind >= RARE:
        return call_activation(ints_at(kind)[RARE_ACTIVATE], kind, x)
    return x


@inlined
def slope(kind, y):
    """The derivative of the activation `kind` where its output is y (of some rare ones, where their input is y)."""
    one = splat(f32(1))
    if kind == TANH:
        return one - y * y
    if kind == SIGMOID:
        return y * (one - y)
    if kind == RELU:
        return where_positive(y, one, splat(f32(0)))
    if kind == HARD_SIGMOID:
        return where_positive(y * (one - y), splat(f32(1 / 6)), splat(f32(0)))
    if kind >= RARE:
        return call_activation(ints_at(kind)[RARE_SLOPE], kind, y)
    return one


@procedure("ifi")
def activate_all(kind, values, count):
    """Apply an activation in place to `count` floats (a multiple of WIDTH)."""
    if kind == TANH:
        for at in range(0, count, WIDTH):
            store(values, at, tanh(load(values, at)))
    elif kind != LINEAR:
        for at in range(0, count, WIDTH):
            store(values, at, activate(kind, load(values, at)))


@procedure("ifffi")
def times_slope(kind, gradients, outputs, results, count):
    """results = gradients * the slope of `kind` at `outputs`, over `count` floats; may run in place."""
    if kind == TANH:
        for at in range(0, count, WIDTH):
            store(results, at, load(gradients, at) * slope(TANH, load(outputs, at)))
    else:
        for at in range(0, count, WIDTH):
            store(results, at, load(gradients, at) * slope(kind, load(outputs, at)))


@kernel
def softmax_into(results, values, units, wide):
    """results = softmax(values) of a row, zeros in the padding; may run in place. Returns log(sum of exp(values))."""
    largest = values[0]
    for o in range(units):
        # A NaN stays, since nothing is larger than it.
        if not values[o] <= largest:
            largest = values[o]
    for o in range(0, wide, WIDTH):
        store(results, o, exponential(load(values, o) - splat(largest)))
    for o in range(units, wide):
        results[o] = f32(0)
    total = splat(f32(0))
    for o in range(0, wide, WIDTH):
        total = total + load(results, o)
    whole = sum_lanes(total)
    share = splat(f32(1) / whole)
    for o in range(0, wide, WIDTH):
        store(results, o, load(results, o) * share)
    return np.float64(largest) + math.log(np.float64(whole))


@procedure("ifiii")
def activate_rows(kind, values, rows, units, wide):
    """Apply any activation in place to rows of `units` values, `wide` floats each."""
    if kind != SOFTMAX and kind != LOG_SOFTMAX:
        activate_all(kind, values, rows * wide)
        return
    for row in range(rows):
        here = shift(values, row * wide)
        if kind == SOFTMAX:
            softmax_into(here, here, units, wide)
            continue
        largest, total = here[0], np.float64(0)
        for o in range(units):
            if not here[o] <= largest:
                largest = here[o]
        for o in range(units):
            total += math.exp(here[o] - largest)
        log_sum = largest + f32(math.log(total))
        for o in range(units):
            here[o] -= log_sum


@procedure("iffiii")
def times_slope_of_rows(kind, gradients, outputs, rows, units, wide):
    """Gradients, in place, times the slope of any activation at `outputs`."""
    if kind != SOFTMAX and kind != LOG_SOFTMAX:
        times_slope(kind, gradients, outputs, gradients, rows * wide)
        return
    for row in range(rows):
        slopes, here = shift(gradients, row * wide), shift(outputs, row * wide)
        shared = f32(0)
        for o in range(units):
            shared += slopes[o] * here[o] if kind == SOFTMAX else slopes[o]
        for o in range(units):
            if kind == SOFTMAX:
                slopes[o] = here[o] * (slopes[o] - shared)
            else:
                slopes[o] -= f32(math.exp(here[o])) * shared
