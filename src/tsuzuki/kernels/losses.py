"""Losses: the mean over all scored values of an update, and its slope at every output.

An objective of the table says which outputs are scored by which targets. A target is read from the flat array of
targets through the row's start and step, never copied. NaN there means "missing": such a value is not scored. Output o
belongs to target o // heads: one head for a point forecast, one for each quantile, two (mean and log variance) for the
Gaussian. The losses of classes, which look at all outputs of a row together, stand in `class_losses`.
"""

import math

import numpy as np

from tsuzuki.kernels.host import WIDTH
from tsuzuki.kernels.language import (
    absolute,
    doubles_at,
    floats_at,
    ints_at,
    kernel,
    larger,
    load,
    load_some,
    procedure,
    shift,
    small_ints_at,
    smaller,
    splat,
    store,
    sum_lanes,
    sum_lanes_widely,
    where_number,
    where_positive,
)
from tsuzuki.kernels.table import (
    BY_LANE,
    COUNTED_WHOLE,
    END_D_OUT,
    END_OUT,
    END_SKIP,
    END_STEPS,
    END_UNITS,
    END_WIDE,
    EVERY_STEP,
    EXITS,
    FEATURES,
    FIRST_FORECAST,
    FIRST_TARGET,
    FORECAST_STRIDE,
    FORECASTS,
    GAUSSIAN,
    HEADS,
    HORIZON,
    HUBER,
    IGNORED,
    IGNORES,
    IMPUTE_FROM,
    INPUTS,
    LANES,
    LAST_FORECAST,
    LOSS,
    LOSS_SETTINGS,
    MAE,
    MASKED_TARGETS,
    MSE,
    OUTPUT_WEIGHTS,
    RESIDUAL,
    SAMPLE_WEIGHTS,
    SCALES,
    SHARE,
    STARTS,
    TARGET_STRIDE,
    TARGETS,
    TIMESTEPS,
    TRAIN,
    VALID,
    WEIGHT_COLUMN,
    WEIGHT_STRIDE,
)

f32 = np.float32
# So many target values of a row are scored as vectors.
WORTH_VECTORS = 3


@kernel
def first_step_of(job, objective):
    """The step of a row that the first step of the outputs belongs to; outputs may have more steps than rows."""
    return max(0, job[TIMESTEPS] - objective[END_STEPS])


@kernel
def scored(job, objective, valid, step):
    """Whether the step of a row with so many valid steps is scored."""
    if objective[EVERY_STEP]:
        return step < valid or valid == job[TIMESTEPS]
    return valid == job[TIMESTEPS]


@kernel
def position_of(job, objective, k, first_lane, s, lane):
    """Where the target of a lane's step `s` of the outputs in update k lies; -1 where it is not scored."""
    at, step = k * job[LANES] + first_lane + lane, first_step_of(job, objective) + s
    if scored(job, objective, small_ints_at(job[VALID])[at], step):
        return ints_at(job[STARTS])[at] + step + 1
    return -1


@kernel
def outputs_of(objective, work, lanes, s, lane):
    """A row's outputs."""
    at = ((objective[END_SKIP] + s) * lanes + lane) * objective[END_WIDE]
    return shift(work, objective[END_OUT] + at)


@kernel
def slopes_of(objective, work, lanes, s, lane):
    """A row's slopes at the outputs, cleared."""
    wide = objective[END_WIDE]
    slopes = shift(work, objective[END_D_OUT] + (s * lanes + lane) * wide)
    clear(slopes, wide)
    return slopes


@kernel
def missing(objective, y):
    """Whether a target is not scored."""
    return math.isnan(y) or (objective[IGNORES] != 0 and y == f32(objective[IGNORED]))


@kernel
def known(objective, targets):
    """How many of a row's targets are scored."""
    found, horizon = 0, objective[HORIZON]
    for h in range(horizon):
        if not missing(objective, targets[h]):
            found += 1
    if objective[COUNTED_WHOLE]:
        return 1 if found == horizon else 0
    return found


@kernel
def count_numbers(job, objective, starts, valid, targets, stride):
    """`count_scored` by whole vectors, each lane of which counts its own; `targets` are those behind the first step."""
    first, one, zero = first_step_of(job, objective), splat(f32(1)), splat(f32(0))
    found, horizon = zero, objective[HORIZON]
    for lane in range(job[LANES]):
        for step in range(first, first + objective[END_STEPS]):
            if scored(job, objective, valid[lane], step):
                own = shift(targets, (starts[lane] + step) * stride)
                for at in range(0, horizon, WIDTH):
                    found = found + where_number(load_some(own, at, horizon - at), one, zero)
    return int(sum_lanes(found))


@procedure("tti", "i")
def count_scored(job, objective, k):
    """How many target values the update k scores over all lanes; missing ones are not counted."""
    lanes, steps = job[LANES], objective[END_STEPS]
    starts, valid = shift(ints_at(job[STARTS]), k * lanes), shift(small_ints_at(job[VALID]), k * lanes)
    first, total = first_step_of(job, objective), 0
    if not objective[MASKED_TARGETS]:
        for lane in range(lanes):
            if valid[lane] == job[TIMESTEPS]:
                total += steps
            elif objective[EVERY_STEP]:
                total += max(0, valid[lane] - first)
        return total if objective[COUNTED_WHOLE] else total * objective[HORIZON]
    targets, stride = shift(floats_at(job[TARGETS]), objective[FIRST_TARGET]), job[TARGET_STRIDE]
    if objective[HORIZON] >= WORTH_VECTORS and not (objective[IGNORES] or objective[COUNTED_WHOLE]):
        return count_numbers(job, objective, starts, valid, shift(targets, stride), stride)
    for lane in range(lanes):
        for step in range(first, first + steps):
            if scored(job, objective, valid[lane], step):
                total += known(objective, shift(targets, (starts[lane] + step + 1) * stride))
    return total


@kernel
def value_and_slope(kind, settings, heads, head, y, outputs, o):
    """The loss of one output and its derivative there."""
    error = outputs[o] - y
    if kind == MSE:
        return error * error, f32(2) * error
    if kind == MAE:
        return abs(error), f32(1) if error > 0 else (f32(-1) if error < 0 else error)
    if kind == HUBER:
        delta = f32(settings[0])
        if abs(error) <= delta:
            return f32(0.5) * error * error, error
        if error > 0:
            return delta * error - f32(0.5) * delta * delta, delta
        return -delta * error - f32(0.5) * delta * delta, -delta
    if kind == GAUSSIAN:
        # Half of (log variance + squared error / variance); the mean is head 0, the log variance head 1.
        mean, log_variance = outputs[o - head], outputs[o - head + 1]
        precision = f32(math.exp(-log_variance))
        error = mean - y
        if head == 0:
            return f32(0.5) * error * error * precision, error * precision
        return f32(0.5) * log_variance, f32(0.5) - f32(0.5) * error * error * precision
    # Pinball (Koenker and Bassett 1978): q above the forecast, 1 - q below it.
    level = f32(settings[head])
    if error > 0:
        return (f32(1) - level) * error, f32(1) - level
    return -level * error, -level if error < 0 else error


@kernel
def clear(slopes, wide):
    """Zeros for the slopes of a row that is not scored, and for the padding of the others."""
    for o in range(0, wide, WIDTH):
        store(slopes, o, splat(f32(0)))


@kernel
def record(job, objective, work, here, base, k, first_lane, lane, position):
    """Hand a row's outputs on: as the forecast that a missing input is replaced by, and to whoever called."""
    if job[IMPUTE_FROM] >= 0:
        work[job[LAST_FORECAST] + lane] = here[job[IMPUTE_FROM]] + base
    if job[FORECASTS] == 0:
        return
    at = k * job[LANES] + first_lane + lane
    place = at if job[BY_LANE] else position
    forecasts = shift(floats_at(job[FORECASTS]), place * job[FORECAST_STRIDE] + objective[FIRST_FORECAST])
    if job[SCALES] != 0:
        # In the unit of the series, which has the number of the state it saves.
        mean_and_scale = shift(doubles_at(job[SCALES]), 2 * small_ints_at(job[EXITS])[at])
        for o in range(objective[END_UNITS]):
            forecasts[o] = f32(np.float64(here[o] + base) * mean_and_scale[1] + mean_and_scale[0])
    else:
        for o in range(objective[END_UNITS]):
            forecasts[o] = here[o] + base


@kernel
def weight_of(job, objective, position):
    """The sample weight of a target."""
    if job[SAMPLE_WEIGHTS] == 0:
        return f32(1)
    return floats_at(job[SAMPLE_WEIGHTS])[position * job[WEIGHT_STRIDE] + objective[WEIGHT_COLUMN]]


@kernel
def share_of(objective):
    """The factor of an objective's slopes."""
    return f32(1) if objective[SHARE] == 0 else f32(doubles_at(objective[SHARE])[0])


@kernel
def score_plainly(job, objective, lanes, starts, valid, out, d_out, scale):
    """`score` for the usual case, without its questions (2 % of a small network's time)."""
    wide, first_step, stride = objective[END_WIDE], first_step_of(job, objective), job[TARGET_STRIDE]
    inputs, targets = floats_at(job[INPUTS]), floats_at(job[TARGETS])
    total = 0.0
    for s in range(objective[END_STEPS]):
        for lane in range(lanes):
            at = (s * lanes + lane) * wide
            here, slopes = shift(out, at), shift(d_out, at)
            clear(slopes, wide)
            if scored(job, objective, valid[lane], first_step + s):
                position = starts[lane] + first_step + s + 1
                base = inputs[(position - 1) * job[FEATURES]] if job[RESIDUAL] else f32(0)
                for h in range(objective[HORIZON]):
                    error = here[h] + base - targets[position * stride + h]
                    total += error * error * scale
                    slopes[h] = f32(2) * error * scale
    return total


@kernel
def score_vectors(kind, settings, here, base, targets, count, weight, share, slopes, training):
    """The loss of a row's outputs, of which there is one for each of `count` targets; fills the slopes in training.

    What lies behind the last target is NaN, as missing targets are: no loss, and no slope.
    """
    total, zero, one, half = 0.0, splat(f32(0)), splat(f32(1)), splat(f32(0.5))
    bases, weights, shares, delta = splat(base), splat(weight), splat(share), f32(settings[0])
    deltas, corner = splat(delta), splat(f32(0.5) * delta * delta)
    for at in range(0, count, WIDTH):
        y = load_some(targets, at, count - at)
        error = load(here, at) - (y - bases)
        size = absolute(error)
        if kind == MSE:
            value, slope = error * error, (one + one) * error
        elif kind == MAE:
            value, slope = size, where_positive(error, one, where_positive(zero - error, zero - one, error))
        else:
            value = where_positive(size - deltas, deltas * size - corner, half * error * error)
            slope = larger(smaller(error, deltas), zero - deltas)
        total += sum_lanes_widely(where_number(y, value * weights, zero))
        if training:
            store(slopes, at, where_number(y, slope * weights * shares, zero))
    return total


@procedure("ttfiiii", "d")
def score(job, objective, work, lanes, k, first_lane, count):
    """The loss of a block's rows in update k, as their part of the mean over `count` values.

    Fills the slopes at the outputs, and the forecasts.
    """
    wide, heads = objective[END_WIDE], objective[HEADS]
    kind, settings = objective[LOSS], doubles_at(objective[LOSS_SETTINGS])
    stride, training = job[TARGET_STRIDE], job[TRAIN] != 0
    starts = shift(ints_at(job[STARTS]), k * job[LANES] + first_lane)
    valid = shift(small_ints_at(job[VALID]), k * job[LANES] + first_lane)
    out = shift(work, objective[END_OUT] + objective[END_SKIP] * lanes * wide)
    d_out = shift(work, objective[END_D_OUT])
    inputs, targets = floats_at(job[INPUTS]), shift(floats_at(job[TARGETS]), objective[FIRST_TARGET])
    output_weights = floats_at(objective[OUTPUT_WEIGHTS])
    # Each head's loss is a mean of its own for quantiles; mean and variance of the Gaussian are one loss.
    parts = count if kind == GAUSSIAN else count * heads
    scale = f32(1.0 / parts) if parts > 0 else f32(0)
    first_step = first_step_of(job, objective)
    weighted = job[SAMPLE_WEIGHTS] != 0 or objective[OUTPUT_WEIGHTS] != 0 or objective[SHARE] != 0
    unusual = weighted or objective[MASKED_TARGETS] != 0 or job[FORECASTS] != 0 or job[IMPUTE_FROM] >= 0
    if kind == MSE and not unusual and job[TARGETS] != 0 and objective[FIRST_TARGET] == 0:
        return score_plainly(job, objective, lanes, starts, valid, out, d_out, scale)
    total, share = 0.0, share_of(objective)
    plain = heads == 1 and objective[OUTPUT_WEIGHTS] == 0 and kind in (MSE, MAE, HUBER)
    vectors = plain and objective[HORIZON] >= WORTH_VECTORS
    for s in range(objective[END_STEPS]):
        step = first_step + s
        for lane in range(lanes):
            at = (s * lanes + lane) * wide
            here, slopes = shift(out, at), shift(d_out, at)
            if training:
                clear(slopes, wide)
            if not scored(job, objective, valid[lane], step):
                continue
            position = starts[lane] + step + 1
            base = f32(0)
            if job[RESIDUAL]:
                base = inputs[(position - 1) * job[FEATURES]]
            record(job, objective, work, here, base, k, first_lane, lane, position)
            if job[TARGETS] == 0:
                continue
            weight = scale * weight_of(job, objective, position)
            if vectors:
                own, horizon = shift(targets, position * stride), objective[HORIZON]
                total += score_vectors(kind, settings, here, base, own, horizon, weight, share, slopes, training)
                continue
            for h in range(objective[HORIZON]):
                y = targets[position * stride + h]
                if objective[MASKED_TARGETS] and math.isnan(y):
                    continue
                for head in range(heads):
                    o = h * heads + head
                    value, slope = value_and_slope(kind, settings, heads, head, y - base, here, o)
                    w = weight
                    if objective[OUTPUT_WEIGHTS] != 0:
                        w = weight * output_weights[o]
                    total += value * w
                    if training:
                        slopes[o] = slope * w * share
    return total
