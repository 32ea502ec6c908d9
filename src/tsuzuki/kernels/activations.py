"""Activations and their slopes on whole vectors, chosen by a number at run time so that one program serves all.

Each slope is computed from the activation's output, which the backward pass still has; its input is gone by then.
"""

import numpy as np

from tsuzuki.kernels.host import HAS_AVX512, WIDTH
from tsuzuki.kernels.language import (
    fma,
    inlined,
    larger,
    load,
    procedure,
    rounded,
    smaller,
    splat,
    store,
    times_power_of_two,
    where_positive,
)
from tsuzuki.kernels.table import HARD_SIGMOID, LINEAR, RELU, SIGMOID, TANH

f32 = np.float32


# tanh is nearly x P(x^2) / Q(x^2) for |x| <= TANH_LIMIT; `tools/fit_tanh.py` finds these, constants first.
TANH_LIMIT = 7.9
TANH_P = (9.9999986917e-01, 1.2934418136e-01, 2.9604739664e-03, 1.1531846022e-05)
TANH_Q = (1.0, 4.6267644834e-01, 2.3854085700e-02, 2.4001214553e-04, 2.4925500784e-07)


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
def sigmoid_of_power(x):
    """1 / (1 + 2^(-x log2 e)), with fewer multiplications than by way of tanh (1.4 % of a GRU's or LSTM's time).

    2^f for -1/2 <= f <= 1/2 is the polynomial of degree 5 with the smallest relative error (7.5e-8).
    """
    exponent = smaller(x * splat(f32(-1.44269504088896)), splat(f32(126)))
    whole = rounded(exponent)
    f = exponent - whole
    p = splat(f32(1.327647165858693e-03))
    p = fma(p, f, splat(f32(9.675541331784651e-03)))
    p = fma(p, f, splat(f32(5.550713274530890e-02)))
    p = fma(p, f, splat(f32(2.402211972390640e-01)))
    p = fma(p, f, splat(f32(6.931469670641283e-01)))
    p = fma(p, f, splat(f32(1)))
    one = splat(f32(1))
    return one / (one + times_power_of_two(p, whole))


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
    return x


@inlined
def slope(kind, y):
    """The derivative of the activation `kind` where its output is y."""
    one = splat(f32(1))
    if kind == TANH:
        return one - y * y
    if kind == SIGMOID:
        return y * (one - y)
    if kind == RELU:
        return where_positive(y, one, splat(f32(0)))
    if kind == HARD_SIGMOID:
        return where_positive(y * (one - y), splat(f32(1 / 6)), splat(f32(0)))
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
