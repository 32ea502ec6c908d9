"""Activations that few networks use, in a unit of their own that is compiled only for these.

Whoever uses one has, in place of an activation's number, the address of a record: two procedures, the number here, and
the settings as doubles. The slope is computed from the activation's value, but for the last five from what went in.
"""

import math

import numpy as np

from tsuzuki.kernels.activations import exponential, hard_sigmoid, sigmoid, tanh
from tsuzuki.kernels.language import (
    absolute,
    doubles_at,
    fma,
    inlined,
    ints_at,
    larger,
    procedure,
    smaller,
    splat,
    where_positive,
)
from tsuzuki.kernels.table import RARE_NUMBER, RARE_SETTINGS
from tsuzuki.network.activations import FROM_INPUT, FROM_VALUE

f32 = np.float32

# The rectifier is the function behind `ReLU` with settings, the line that behind `Rescaling`.
NAMES = (*FROM_VALUE, "rectifier", "line", *FROM_INPUT)
(
    EXPONENTIAL_LINEAR,
    SELU,
    CELU,
    SOFTPLUS,
    SOFTSIGN,
    EXPONENTIAL,
    LEAKY_RELU,
    RELU6,
    LOG_SIGMOID,
    HARD_TANH,
    RECTIFIER,
    LINE,
    GELU,
    GELU_TANH,
    SILU,
    MISH,
    HARD_SILU,
) = range(17)
# Klambauer et al. 2017.
SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805


@inlined
def setting(record, i):
    """A setting in every lane."""
    return splat(f32(doubles_at(record)[RARE_SETTINGS + i]))


@inlined
def exponential_less_1(x):
    """exp(x) - 1 for x <= 0, exact where it is small: 2 t / (1 - t) with t = tanh(x / 2)."""
    t = tanh(splat(f32(0.5)) * smaller(x, splat(f32(0))))
    return (t + t) / (splat(f32(1)) - t)


@inlined
def logarithm_of_1_plus(u):
    """log(1 + u) for 0 <= u <= 1, as 2 atanh(u / (2 + u)): the series to the power 15 is off by 1e-9."""
    s = u / (splat(f32(2)) + u)
    square = s * s
    p = splat(f32(2 / 15))
    p = fma(p, square, splat(f32(2 / 13)))
    p = fma(p, square, splat(f32(2 / 11)))
    p = fma(p, square, splat(f32(2 / 9)))
    p = fma(p, square, splat(f32(2 / 7)))
    p = fma(p, square, splat(f32(2 / 5)))
    p = fma(p, square, splat(f32(2 / 3)))
    p = fma(p, square, splat(f32(2)))
    return p * s


@inlined
def softplus(x):
    """log(1 + exp(x)), without overflow."""
    return larger(x, splat(f32(0))) + logarithm_of_1_plus(exponential(splat(f32(0)) - absolute(x)))


@inlined
def normal_distribution(x):
    """The share of a normal distribution below x, off by 8e-8 at most (Abramowitz and Stegun 1964, 7.1.26)."""
    z = absolute(x) * splat(f32(math.sqrt(0.5)))
    t = splat(f32(1)) / fma(splat(f32(0.3275911)), z, splat(f32(1)))
    p = splat(f32(1.061405429))
    p = fma(p, t, splat(f32(-1.453152027)))
    p = fma(p, t, splat(f32(1.421413741)))
    p = fma(p, t, splat(f32(-0.284496736)))
    p = fma(p, t, splat(f32(0.254829592)))
    above = splat(f32(0.5)) * p * t * exponential(splat(f32(0)) - z * z)
    return where_positive(x, splat(f32(1)) - above, above)


@inlined
def half_of_1_and_tanh(x):
    """The same by a tanh (Hendrycks and Gimpel 2016), as a sigmoid of twice its argument, exact for large -x."""
    return sigmoid(splat(f32(2 * math.sqrt(2 / math.pi))) * x * fma(splat(f32(0.044715)), x * x, splat(f32(1))))


@procedure("iv", "v")
def activate_rarely(record, x):
    """The activation that a record describes, of x."""
    kind, zero, one = ints_at(record)[RARE_NUMBER], splat(f32(0)), splat(f32(1))
    if kind == EXPONENTIAL_LINEAR:
        return where_positive(x, x, setting(record, 0) * exponential_less_1(x))
    if kind == SELU:
        below = splat(f32(SELU_ALPHA)) * exponential_less_1(x)
        return splat(f32(SELU_SCALE)) * where_positive(x, x, below)
    if kind == CELU:
        alpha = setting(record, 0)
        return where_positive(x, x, alpha * exponential_less_1(x / alpha))
    if kind == SOFTPLUS:
        return softplus(x)
    if kind == SOFTSIGN:
        return x / (one + absolute(x))
    if kind == EXPONENTIAL:
        return exponential(x)
    if kind == LEAKY_RELU:
        return where_positive(x, x, setting(record, 0) * x)
    if kind == RELU6:
        return smaller(larger(x, zero), splat(f32(6)))
    if kind == LOG_SIGMOID:
        return zero - softplus(zero - x)
    if kind == HARD_TANH:
        return smaller(larger(x, splat(f32(-1))), one)
    if kind == RECTIFIER:
        above = x - setting(record, 2)
        return smaller(where_positive(splat(f32(0)) - above, setting(record, 0) * above, x), setting(record, 1))
    if kind == LINE:
        return fma(setting(record, 0), x, setting(record, 1))
    if kind == GELU:
        return x * normal_distribution(x)
    if kind == GELU_TANH:
        return x * half_of_1_and_tanh(x)
    if kind == SILU:
        return x * sigmoid(x)
    if kind == MISH:
        return x * tanh(softplus(x))
    return x * hard_sigmoid(x)


@procedure("iv", "v")
def slope_rarely(record, y):
    """Its derivative where its value is y; from GELU on, where its input is y."""
    kind, zero, one = ints_at(record)[RARE_NUMBER], splat(f32(0)), splat(f32(1))
    if kind == EXPONENTIAL_LINEAR:
        return where_positive(y, one, y + setting(record, 0))
    if kind == SELU:
        return where_positive(y, splat(f32(SELU_SCALE)), y + splat(f32(SELU_SCALE * SELU_ALPHA)))
    if kind == CELU:
        return where_positive(y, one, y / setting(record, 0) + one)
    if kind == SOFTPLUS:
        return zero - exponential_less_1(zero - y)
    if kind == SOFTSIGN:
        rest = one - absolute(y)
        return rest * rest
    if kind == EXPONENTIAL:
        return y
    if kind == LEAKY_RELU:
        return where_positive(y, one, setting(record, 0))
    if kind == RELU6:
        return where_positive(y * (splat(f32(6)) - y), one, zero)
    if kind == LOG_SIGMOID:
        return zero - exponential_less_1(y)
    if kind == HARD_TANH:
        return where_positive(one - y * y, one, zero)
    if kind == RECTIFIER:
        # Below a threshold under 0 the value is 0, since there is no slope then.
        passed = where_positive(setting(record, 2) + splat(f32(1e-30)), y, absolute(y))
        rising = where_positive(passed, one, setting(record, 0))
        return where_positive(setting(record, 1) - y, rising, zero)
    if kind == LINE:
        return setting(record, 0)
    if kind == GELU:
        density = splat(f32(1 / math.sqrt(2 * math.pi))) * exponential(splat(f32(-0.5)) * y * y)
        return fma(y, density, normal_distribution(y))
    if kind == GELU_TANH:
        share = half_of_1_and_tanh(y)
        inside = splat(f32(2 * math.sqrt(2 / math.pi))) * fma(splat(f32(3 * 0.044715)), y * y, one)
        return fma(y * share * (one - share), inside, share)
    if kind == SILU:
        s = sigmoid(y)
        return s + y * s * (one - s)
    if kind == MISH:
        t = tanh(softplus(y))
        return t + y * (one - t * t) * sigmoid(y)
    inside = fma(y, splat(f32(1 / 3)), splat(f32(0.5)))
    outside = where_positive(y, one, zero)
    return where_positive(splat(f32(3)) - absolute(y), inside, outside)
