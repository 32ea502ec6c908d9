"""Losses: the mean over all scored values of an update, and its slope at every output.

A target is read from the flat array of targets through the row's start and step, never copied. NaN there means
"missing": such a value is not scored. An output o belongs to target o // heads: one head for a point forecast, one for
each quantile, two (mean and log variance) for the Gaussian.
"""

import math

import numpy as np

from tsuzuki.kernels.host import WIDTH
from tsuzuki.kernels.language import (
    doubles_at,
    floats_at,
    ints_at,
    kernel,
    procedure,
    shift,
    small_ints_at,
    splat,
    store,
)
from tsuzuki.kernels.table import (
    BY_LANE,
    D_OUT,
    EVERY_STEP,
    EXITS,
    FEATURES,
    FORECASTS,
    GAUSSIAN,
    HEADS,
    HORIZON,
    HUBER,
    IMPUTE_FROM,
    INPUTS,
    LANES,
    LAST_FORECAST,
    LOSS,
    LOSS_SETTINGS,
    MAE,
    MASKED_TARGETS,
    MSE,
    OUT,
    OUTPUT_WEIGHTS,
    RESIDUAL,
    SAMPLE_WEIGHTS,
    SCALES,
    SCORED_OFFSET,
    STARTS,
    STEPS,
    TARGET_STRIDE,
    TARGETS,
    TIMESTEPS,
    TRAIN,
    UNITS,
    VALID,
    WIDE,
)

f32 = np.float32


@kernel
def scored(job, valid, step):
    """Whether the step of a row with so many valid steps is scored."""
    if job[EVERY_STEP]:
        return step < valid
    return valid == job[TIMESTEPS]


@procedure("ti", "i")
def count_scored(job, k):
    """How many target values the update k scores over all lanes; missing ones are not counted."""
    lanes, steps, horizon = job[LANES], job[TIMESTEPS], job[HORIZON]
    starts, valid = shift(ints_at(job[STARTS]), k * lanes), shift(small_ints_at(job[VALID]), k * lanes)
    total = 0
    if not job[MASKED_TARGETS]:
        for lane in range(lanes):
            if job[EVERY_STEP]:
                total += valid[lane]
            elif valid[lane] == steps:
                total += 1
        return total * horizon
    targets = floats_at(job[TARGETS])
    first = 0 if job[EVERY_STEP] else steps - 1
    for lane in range(lanes):
        for step in range(first, steps):
            if scored(job, valid[lane], step):
                at = (starts[lane] + step + 1) * job[TARGET_STRIDE]
                for h in range(horizon):
                    if not math.isnan(targets[at + h]):
                        total += 1
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
def score_plainly(job, row, lanes, starts, valid, out, d_out, scale):
    """`score` for the usual case, without its questions (2 % of a small network's time)."""
    wide, first_step, stride = row[WIDE], job[TIMESTEPS] - row[STEPS], job[TARGET_STRIDE]
    inputs, targets = floats_at(job[INPUTS]), floats_at(job[TARGETS])
    total = 0.0
    for s in range(row[STEPS]):
        for lane in range(lanes):
            at = (s * lanes + lane) * wide
            here, slopes = shift(out, at), shift(d_out, at)
            for o in range(0, wide, WIDTH):
                store(slopes, o, splat(f32(0)))
            if scored(job, valid[lane], first_step + s):
                position = starts[lane] + first_step + s + 1
                base = inputs[(position - 1) * job[FEATURES]] if job[RESIDUAL] else f32(0)
                for h in range(job[HORIZON]):
                    error = here[h] + base - targets[position * stride + h]
                    total += error * error * scale
                    slopes[h] = f32(2) * error * scale
    return total


@procedure("ttfiiii", "d")
def score(job, row, work, lanes, k, first_lane, count):
    """The loss of a block's rows in update k, as their part of the mean over `count` values; fills D_OUT, forecasts."""
    wide, outputs, heads = row[WIDE], row[UNITS], job[HEADS]
    kind, settings = job[LOSS], doubles_at(job[LOSS_SETTINGS])
    stride, training = job[TARGET_STRIDE], job[TRAIN] != 0
    starts = shift(ints_at(job[STARTS]), k * job[LANES] + first_lane)
    valid = shift(small_ints_at(job[VALID]), k * job[LANES] + first_lane)
    exits = shift(small_ints_at(job[EXITS]), k * job[LANES] + first_lane)
    out, d_out = shift(work, row[OUT] + row[SCORED_OFFSET] * lanes * wide), shift(work, row[D_OUT])
    inputs = floats_at(job[INPUTS])
    targets, sample_weights = floats_at(job[TARGETS]), floats_at(job[SAMPLE_WEIGHTS])
    output_weights, forecasts = floats_at(job[OUTPUT_WEIGHTS]), floats_at(job[FORECASTS])
    # Each head's loss is a mean of its own for quantiles; mean and variance of the Gaussian are one loss.
    parts = count if kind == GAUSSIAN else count * heads
    scale = f32(1.0 / parts) if parts > 0 else f32(0)
    first_step = job[TIMESTEPS] - row[STEPS]
    weighted = job[SAMPLE_WEIGHTS] != 0 or job[OUTPUT_WEIGHTS] != 0
    unusual = weighted or job[MASKED_TARGETS] != 0 or job[FORECASTS] != 0 or job[IMPUTE_FROM] >= 0 or job[TARGETS] == 0
    if kind == MSE and not unusual:
        return score_plainly(job, row, lanes, starts, valid, out, d_out, scale)
    total = 0.0
    for s in range(row[STEPS]):
        step = first_step + s
        for lane in range(lanes):
            at = (s * lanes + lane) * wide
            here, slopes = shift(out, at), shift(d_out, at)
            if training:
                for o in range(0, wide, WIDTH):
                    store(slopes, o, splat(f32(0)))
            if not scored(job, valid[lane], step):
                continue
            position = starts[lane] + step + 1
            base = f32(0)
            if job[RESIDUAL]:
                base = inputs[(position - 1) * job[FEATURES]]
            if job[IMPUTE_FROM] >= 0:
                work[job[LAST_FORECAST] + lane] = here[job[IMPUTE_FROM]] + base
            if job[FORECASTS] != 0:
                place = k * job[LANES] + first_lane + lane if job[BY_LANE] else position
                if job[SCALES] != 0:
                    # In the unit of the series, which has the number of the state it saves.
                    mean_and_scale = shift(doubles_at(job[SCALES]), 2 * exits[lane])
                    for o in range(outputs):
                        value = np.float64(here[o] + base) * mean_and_scale[1] + mean_and_scale[0]
                        forecasts[place * outputs + o] = f32(value)
                else:
                    for o in range(outputs):
                        forecasts[place * outputs + o] = here[o] + base
            if job[TARGETS] == 0:
                continue
            weight = scale
            if job[SAMPLE_WEIGHTS] != 0:
                weight = scale * sample_weights[position]
            for h in range(job[HORIZON]):
                y = targets[position * stride + h]
                if job[MASKED_TARGETS] and math.isnan(y):
                    continue
                for head in range(heads):
                    o = h * heads + head
                    value, slope = value_and_slope(kind, settings, heads, head, y - base, here, o)
                    w = weight
                    if job[OUTPUT_WEIGHTS] != 0:
                        w = weight * output_weights[o]
                    total += value * w
                    if training:
                        slopes[o] = slope * w
    return total
