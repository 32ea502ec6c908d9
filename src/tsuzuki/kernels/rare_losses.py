"""Losses that few networks are trained with, as Keras computes them, in a unit that others need not compile."""

import math

import numpy as np

from tsuzuki.kernels.language import doubles_at, floats_at, kernel, procedure, shift
from tsuzuki.kernels.losses import known, missing, outputs_of, position_of, record, share_of, slopes_of, weight_of
from tsuzuki.kernels.table import (
    CATEGORICAL_HINGE,
    COSINE_SIMILARITY,
    COUNTED_WHOLE,
    END_STEPS,
    END_UNITS,
    FIRST_TARGET,
    HORIZON,
    KL_DIVERGENCE,
    LOG_COSH,
    LOG_COUNTS,
    LOSS,
    LOSS_SETTINGS,
    MAPE,
    MASKED_TARGETS,
    MSLE,
    POISSON,
    SQUARED_HINGE,
    TARGET_STRIDE,
    TARGETS,
)

f32 = np.float32
EPSILON = 1e-7
# Logarithms of means lie within this, so that means are finite in 32 bits.
LARGEST = 80.0


@kernel
def of_count(z, y, dispersion):
    """The loss of a count's mean, given by its logarithm, and its derivative there, as float64."""
    mean = math.exp(min(max(z, -LARGEST), LARGEST))
    more = 1.0 + dispersion * mean
    if dispersion > 0:
        return (y + 1.0 / dispersion) * math.log(more) - y * z, (mean - y) / more
    return mean - y * z, mean - y


@kernel
def of_value(kind, z, y):
    """The loss of one output and its derivative there, as float64."""
    if kind == MAPE:
        scale = 100.0 / max(abs(y), EPSILON)
        return scale * abs(z - y), scale if z > y else (-scale if z < y else z - y)
    if kind == MSLE:
        error = math.log(max(z, EPSILON) + 1.0) - math.log(max(y, EPSILON) + 1.0)
        return error * error, 2.0 * error / (z + 1.0) if z >= EPSILON else (0.0 if z < EPSILON else z)
    if kind == LOG_COSH:
        size = abs(z - y)
        small = math.exp(-2.0 * size)
        slope = (1.0 - small) / (1.0 + small)
        return size + math.log(1.0 + small) - math.log(2.0), slope if z > y else -slope
    if kind == POISSON:
        return z - y * math.log(z + EPSILON), 1.0 - y / (z + EPSILON)
    # Labels 0 and 1 stand for -1 and 1.
    side = -1.0 if y == 0 else y
    gap = 1.0 - side * z
    if gap < 0:
        return 0.0, 0.0
    return (gap * gap, -2.0 * side * gap) if kind == SQUARED_HINGE else (gap, -side)


@kernel
def between(value):
    """A value between 1e-7 and 1; NaN stays NaN."""
    return EPSILON if value < EPSILON else (1.0 if value > 1 else value)


@kernel
def divergence(units, targets, outputs, slopes):
    """Kullback and Leibler's divergence of a row."""
    value = 0.0
    for o in range(units):
        y, p = between(np.float64(targets[o])), between(np.float64(outputs[o]))
        value += y * math.log(y / p)
        slopes[o] = f32(-y / p) if outputs[o] >= EPSILON and outputs[o] <= 1 else f32(0)
    return value


@kernel
def hinge_of_classes(units, targets, outputs, slopes):
    """How much the largest wrong output is above the right one less 1."""
    right, wrong, at = 0.0, (1.0 - targets[0]) * np.float64(outputs[0]), 0
    for o in range(units):
        right += targets[o] * np.float64(outputs[o])
        other = (1.0 - targets[o]) * np.float64(outputs[o])
        if other > wrong:
            wrong, at = other, o
    value = wrong - right + 1.0
    if value < 0:
        return 0.0
    for o in range(units):
        slopes[o] = -targets[o]
    slopes[at] += f32(1) - targets[at]
    return value


@kernel
def similarity(units, targets, outputs, slopes):
    """The cosine of the angle between outputs and targets, negative so that less is nearer."""
    both, squares, target_squares = 0.0, 0.0, 0.0
    for o in range(units):
        y, z = np.float64(targets[o]), np.float64(outputs[o])
        both += y * z
        squares += z * z
        target_squares += y * y
    if squares == 0 or target_squares == 0:
        return 0.0
    size = math.sqrt(squares)
    cosine = both / (size * math.sqrt(target_squares))
    for o in range(units):
        slopes[o] = f32((cosine * outputs[o] / size - targets[o] / math.sqrt(target_squares)) / size)
    return -cosine


@kernel
def of_row(objective, targets, outputs, slopes):
    """The loss of a row, and its slopes at the outputs."""
    kind, units = objective[LOSS], objective[END_UNITS]
    if kind == KL_DIVERGENCE:
        return divergence(units, targets, outputs, slopes)
    if kind == CATEGORICAL_HINGE:
        return hinge_of_classes(units, targets, outputs, slopes)
    if kind == COSINE_SIMILARITY:
        return similarity(units, targets, outputs, slopes)
    value = 0.0
    for o in range(objective[HORIZON]):
        if not missing(objective, targets[o]):
            z, y = np.float64(outputs[o]), np.float64(targets[o])
            if kind == LOG_COUNTS:
                loss, slope = of_count(z, y, doubles_at(objective[LOSS_SETTINGS])[0])
            else:
                loss, slope = of_value(kind, z, y)
            value += loss
            slopes[o] = f32(slope)
    return value


@procedure("ttfiiii", "d")
def score(job, objective, work, lanes, k, first_lane, count):
    """As `losses.score`; only where there are targets."""
    targets = shift(floats_at(job[TARGETS]), objective[FIRST_TARGET])
    scale = f32(1.0 / count) if count > 0 else f32(0)
    share, total = share_of(objective), 0.0
    for s in range(objective[END_STEPS]):
        for lane in range(lanes):
            slopes = slopes_of(objective, work, lanes, s, lane)
            position = position_of(job, objective, k, first_lane, s, lane)
            if position < 0:
                continue
            here, own = outputs_of(objective, work, lanes, s, lane), shift(targets, position * job[TARGET_STRIDE])
            record(job, objective, work, here, f32(0), k, first_lane, lane, position)
            if objective[MASKED_TARGETS] and objective[COUNTED_WHOLE] and known(objective, own) == 0:
                continue
            weight = scale * weight_of(job, objective, position)
            total += of_row(objective, own, here, slopes) * weight
            for o in range(objective[END_UNITS]):
                slopes[o] *= weight * share
    return total
