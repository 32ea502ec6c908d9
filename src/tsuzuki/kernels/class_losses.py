"""Cross-entropies: losses of rows whose outputs are the probabilities of classes, or logits.

Where the outputs come straight from softmax or sigmoid, the layer leaves that to the loss (LEFT_ACTIVATION), which then
computes from the logits, where nothing is rounded to 0 or 1, and puts the probabilities in their place. Other
probabilities are clipped at 1e-7, as Keras does.
"""

import math

import numpy as np

from tsuzuki.kernels.activations import softmax_into
from tsuzuki.kernels.language import doubles_at, floats_at, kernel, procedure, shift
from tsuzuki.kernels.losses import clear, known, outputs_of, position_of, record, share_of, slopes_of, weight_of
from tsuzuki.kernels.table import (
    BINARY,
    END_STEPS,
    END_UNITS,
    END_WIDE,
    FIRST_TARGET,
    HORIZON,
    LEFT_ACTIVATION,
    LINEAR,
    LOSS,
    LOSS_SETTINGS,
    MASKED_TARGETS,
    SPARSE,
    TARGET_STRIDE,
    TARGETS,
)

f32 = np.float32
# Places in the settings.
SMOOTHING, FROM_LOGITS = 0, 1
EPSILON = f32(1e-7)


@kernel
def clipped(p):
    """A probability between 1e-7 and 1 - 1e-7; NaN stays NaN."""
    return EPSILON if p < EPSILON else (f32(1) - EPSILON if p > f32(1) - EPSILON else p)


@kernel
def inside(p):
    """Whether clipping leaves a probability as it is, so that it has a slope."""
    return p >= EPSILON and p <= f32(1) - EPSILON


@kernel
def label(objective, settings, targets, c):
    """How much of a row belongs to class c, by its targets, or by the one that names a class."""
    if objective[LOSS] == SPARSE:
        return f32(1) if c == np.int64(targets[0]) else f32(0)
    smoothing = f32(settings[SMOOTHING])
    return targets[c] * (f32(1) - smoothing) + smoothing / f32(objective[END_UNITS])


@kernel
def of_logits(objective, settings, targets, logits, slopes):
    """The cross-entropy of a row's logits; the slopes there are probability less label."""
    units = objective[END_UNITS]
    log_sum = softmax_into(slopes, logits, units, objective[END_WIDE])
    if objective[LOSS] == SPARSE:
        c = np.int64(targets[0])
        if c < 0 or c >= units:
            return math.nan
        value = log_sum - logits[c]
        if objective[LEFT_ACTIVATION] != LINEAR:
            for o in range(objective[END_UNITS]):
                logits[o] = slopes[o]
        slopes[c] -= f32(1)
        return value
    value = 0.0
    for c in range(units):
        y = label(objective, settings, targets, c)
        value += y * (log_sum - logits[c])
        probability = slopes[c]
        slopes[c] = probability - y
        if objective[LEFT_ACTIVATION] != LINEAR:
            logits[c] = probability
    return value


@kernel
def of_probabilities(objective, settings, targets, outputs, slopes):
    """The cross-entropy of a row's probabilities, which are made to add up to 1, and clipped."""
    units, sparse, whole = objective[END_UNITS], objective[LOSS] == SPARSE, f32(0)
    for c in range(units):
        # Keras divides first and clips then, but clips first where a target names the class.
        whole += clipped(outputs[c]) if sparse else outputs[c]
    value, shared = 0.0, f32(0)
    for c in range(units):
        y = label(objective, settings, targets, c)
        p = clipped(outputs[c]) / whole if sparse else clipped(outputs[c] / whole)
        if y != f32(0):
            value -= y * math.log(p)
        if sparse:
            slopes[c] = (p - y) / outputs[c] if inside(outputs[c]) else f32(0)
        else:
            slopes[c] = -y / p if inside(outputs[c] / whole) else f32(0)
            shared += slopes[c] * outputs[c] / whole
    if not sparse:
        for c in range(units):
            slopes[c] = (slopes[c] - shared) / whole
    return value


@kernel
def of_two_classes(objective, settings, targets, outputs, slopes, from_logits):
    """The binary cross-entropy of each output by itself, added up."""
    value, smoothing = 0.0, f32(settings[SMOOTHING])
    for o in range(objective[HORIZON]):
        y = targets[o] * (f32(1) - smoothing) + f32(0.5) * smoothing
        z, p, loss, slope = outputs[o], outputs[o], 0.0, f32(0)
        if from_logits:
            small = math.exp(-abs(z))
            p = f32((1.0 if z >= 0 else small) / (1.0 + small))
            loss, slope = max(z, f32(0)) - z * y + math.log(1.0 + small), p - y
        else:
            p = clipped(z)
            loss = -(y * math.log(p) + (f32(1) - y) * math.log(f32(1) - p))
            slope = (p - y) / (p * (f32(1) - p)) if inside(z) else f32(0)
        if objective[LEFT_ACTIVATION] != LINEAR:
            outputs[o] = p
        if not (objective[MASKED_TARGETS] and math.isnan(targets[o])):
            value += loss
            slopes[o] = slope
    return value


@procedure("ttfiiii", "d")
def score(job, objective, work, lanes, k, first_lane, count):
    """As `losses.score`; only where there are targets."""
    settings = doubles_at(objective[LOSS_SETTINGS])
    targets = shift(floats_at(job[TARGETS]), objective[FIRST_TARGET])
    scale = f32(1.0 / count) if count > 0 else f32(0)
    share, total = share_of(objective), 0.0
    from_logits = objective[LEFT_ACTIVATION] != LINEAR or settings[FROM_LOGITS] != 0
    for s in range(objective[END_STEPS]):
        for lane in range(lanes):
            slopes = slopes_of(objective, work, lanes, s, lane)
            position = position_of(job, objective, k, first_lane, s, lane)
            if position < 0:
                continue
            here, own = outputs_of(objective, work, lanes, s, lane), shift(targets, position * job[TARGET_STRIDE])
            value = 0.0
            if objective[LOSS] == BINARY:
                value = of_two_classes(objective, settings, own, here, slopes, from_logits)
            elif from_logits:
                value = of_logits(objective, settings, own, here, slopes)
            else:
                value = of_probabilities(objective, settings, own, here, slopes)
            record(job, objective, work, here, f32(0), k, first_lane, lane, position)
            if objective[MASKED_TARGETS] and known(objective, own) == 0:
                clear(slopes, objective[END_WIDE])
                continue
            weight = scale * weight_of(job, objective, position)
            total += value * weight
            for o in range(objective[END_UNITS]):
                slopes[o] *= weight * share
    return total
