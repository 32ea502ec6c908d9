"""BatchNormalization: each value less its mean over an update's rows, over its deviation there.

In training every block leaves its count, means and sums of squared distances; the threads meet, and all blocks take the
same moments of the whole from these shares, in their order (Chan, Golub and LeVeque 1979), so that the bits depend on
no number of threads. On the way back the sums of gradients are shared in the same way.
"""

import math

import numpy as np

from tsuzuki.kernels.language import doubles_at, floats_at, kernel, procedure, shift, small_ints_at
from tsuzuki.kernels.last_write import write_at
from tsuzuki.kernels.memory import (
    Place,
    describe_outputs,
    describe_source,
    float_as_integers,
    take_outputs,
    take_vectors,
)
from tsuzuki.kernels.table import (
    BIAS,
    BLOCK_LANES,
    BLOCKS,
    D_OUT,
    D_X,
    FIRST_UPDATE,
    INPUT_STRIDE,
    KERNEL,
    LANES,
    MEETS,
    OUT,
    OWN_1,
    OWN_2,
    OWN_3,
    OWN_4,
    OWN_5,
    OWN_6,
    OWN_7,
    OWN_8,
    PARAMETERS,
    RECURRENT_KERNEL,
    STEPS,
    TIMESTEPS,
    TRAIN,
    UNITS,
    VALID,
    WIDE,
    WORK,
    WORK_SIZE,
    X_SKIP,
    X_STEP_MASK,
    X_STEP_MASK_SKIP,
    X,
    Z,
)
from tsuzuki.network.normalisation import BatchNormalization

DESCRIPTIONS = (BatchNormalization,)
GAMMA, BETA, MOVING_MEAN, MOVING_VARIANCE = KERNEL, BIAS, RECURRENT_KERNEL, OWN_1
# Epsilon and momentum, each a significand and an exponent; the block's share, float64: a count, then for each value a
# mean, a sum of squared distances, a sum of gradients and one of gradients times normalised values; the last two as
# floats, for the block's own gradients; and what each value is multiplied by and moved by, [3, wide].
EPSILON, EPSILON_EXPONENT, MOMENTUM, MOMENTUM_EXPONENT = OWN_2, OWN_3, OWN_4, OWN_5
SHARE, SUMS, VECTORS = OWN_6, OWN_7, OWN_8
# Normalised values [steps, lanes, wide], and behind them which steps count [steps, lanes].
NORMAL = Z

f32 = np.float32


def lay_out(layer: BatchNormalization, place: Place) -> None:
    """Reserve weights, the output, what is kept, and the block's share of the sums."""
    describe_source(place)
    describe_outputs(place, place.sources[0].size)
    row = place.row
    take_vectors(
        place,
        {"gamma": GAMMA, "beta": BETA, "moving_mean": MOVING_MEAN, "moving_variance": MOVING_VARIANCE},
    )
    take_outputs(place)
    row[EPSILON], row[EPSILON_EXPONENT] = float_as_integers(layer.epsilon)
    row[MOMENTUM], row[MOMENTUM_EXPONENT] = float_as_integers(layer.momentum)
    wide = int(row[WIDE])
    row[NORMAL] = place.work(place.steps, wide + 1)
    row[SHARE], row[SUMS] = place.spaces.work.take(2 * (1 + 4 * wide)), place.spaces.work.take(2 * wide)
    row[VECTORS] = place.spaces.work.take(3 * wide)
    row[MEETS] = 1 if layer.trainable else -1


@kernel
def share_of(job, row, block):
    """A block's share of the sums."""
    return doubles_at(job[WORK] + 4 * (block * job[WORK_SIZE] + row[SHARE]))


@kernel
def counts_of(row, work, lanes):
    """Which steps count [steps, lanes], 1 or 0."""
    return shift(work, row[NORMAL] + row[STEPS] * lanes * row[WIDE])


@kernel
def normalises_by_batch(job, row):
    """Whether the moments are those of the update."""
    return job[TRAIN] != 0 and row[MEETS] == 1


@kernel
def count_of(job, row):
    """How many steps count in all blocks."""
    total = 0.0
    for block in range(job[BLOCKS]):
        total += share_of(job, row, block)[0]
    return max(total, 1.0)


@kernel
def mean_of(job, row, unit, whole):
    """The mean of a value over all blocks."""
    total = 0.0
    for block in range(job[BLOCKS]):
        share = share_of(job, row, block)
        total += share[0] * share[1 + unit]
    return total / whole


@kernel
def variance_of(job, row, unit, mean, whole):
    """The variance of a value over all blocks."""
    total = 0.0
    for block in range(job[BLOCKS]):
        share = share_of(job, row, block)
        off = share[1 + unit] - mean
        total += share[1 + row[WIDE] + unit] + share[0] * off * off
    return total / whole


@kernel
def sum_of(job, row, which):
    """A sum over all blocks."""
    total = 0.0
    for block in range(job[BLOCKS]):
        total += share_of(job, row, block)[which]
    return total


@kernel
def epsilon_of(row):
    """What is added to the variance."""
    return np.float64(row[EPSILON]) * 2.0 ** row[EPSILON_EXPONENT]


@procedure("ttfiii")
def share_forward(job, row, work, lanes, update, first_lane):
    """Note which steps count, and the block's count, means and sums of squared distances."""
    wide, units, stride, steps = row[WIDE], row[UNITS], row[INPUT_STRIDE], row[STEPS]
    x, counts = shift(work, row[X] + row[X_SKIP] * lanes * stride), counts_of(row, work, lanes)
    valid = shift(small_ints_at(job[VALID]), (update - job[FIRST_UPDATE]) * job[LANES] + first_lane)
    share, total = share_of(job, row, first_lane // job[BLOCK_LANES]), 0.0
    means, distances = shift(share, 1), shift(share, 1 + wide)
    for unit in range(units):
        write_at(means, unit, 0.0)
        write_at(distances, unit, 0.0)
    for step in range(steps):
        for lane in range(lanes):
            i = step * lanes + lane
            real = step < valid[lane] if steps == job[TIMESTEPS] else valid[lane] == job[TIMESTEPS]
            if row[X_STEP_MASK] >= 0:
                real = real and shift(work, row[X_STEP_MASK] + row[X_STEP_MASK_SKIP] * lanes)[i] != 0
            counts[i] = f32(real)
            if real:
                total += 1.0
                for unit in range(units):
                    write_at(means, unit, means[unit] + x[i * stride + unit])
    write_at(share, 0, total)
    for unit in range(units):
        write_at(means, unit, means[unit] / max(total, 1.0))
    for i in range(steps * lanes):
        if counts[i] != 0:
            for unit in range(units):
                off = x[i * stride + unit] - means[unit]
                write_at(distances, unit, distances[unit] + off * off)


@procedure("ttfiii")
def forward(job, row, work, lanes, update, first_lane):
    """Fill OUT [steps, lanes, wide]."""
    wide, units, stride = row[WIDE], row[UNITS], row[INPUT_STRIDE]
    parameters, whole = floats_at(job[PARAMETERS]), count_of(job, row)
    gammas, betas = shift(parameters, row[GAMMA]), shift(parameters, row[BETA])
    means, factors = shift(work, row[VECTORS]), shift(work, row[VECTORS] + wide)
    for unit in range(units):
        if normalises_by_batch(job, row):
            mean = mean_of(job, row, unit, whole)
            variance = variance_of(job, row, unit, mean, whole)
        else:
            mean = np.float64(parameters[row[MOVING_MEAN] + unit])
            variance = np.float64(parameters[row[MOVING_VARIANCE] + unit])
        means[unit], factors[unit] = f32(mean), f32(1.0 / math.sqrt(variance + epsilon_of(row)))
    for i in range(row[STEPS] * lanes):
        x, out = shift(work, row[X] + (row[X_SKIP] * lanes + i) * stride), shift(work, row[OUT] + i * wide)
        normal = shift(work, row[NORMAL] + i * wide)
        for unit in range(units):
            normal[unit] = (x[unit] - means[unit]) * factors[unit]
        for unit in range(units):
            out[unit] = normal[unit] * gammas[unit] if row[GAMMA] >= 0 else normal[unit]
        for unit in range(units if row[BETA] >= 0 else 0):
            out[unit] += betas[unit]


@procedure("ttfiii")
def share_backward(job, row, work, lanes, update, first_lane):
    """The block's sums of gradients, and of gradients times normalised values."""
    wide, units = row[WIDE], row[UNITS]
    share = share_of(job, row, first_lane // job[BLOCK_LANES])
    totals, along = shift(share, 1 + 2 * wide), shift(share, 1 + 3 * wide)
    for unit in range(units):
        write_at(totals, unit, 0.0)
        write_at(along, unit, 0.0)
    for i in range(row[STEPS] * lanes):
        d_out, normal = shift(work, row[D_OUT] + i * wide), shift(work, row[NORMAL] + i * wide)
        for unit in range(units):
            write_at(totals, unit, totals[unit] + d_out[unit])
            write_at(along, unit, along[unit] + d_out[unit] * normal[unit])
    own_totals, own_along = shift(work, row[SUMS]), shift(work, row[SUMS] + wide)
    for unit in range(units):
        own_totals[unit], own_along[unit] = f32(totals[unit]), f32(along[unit])


@procedure("ttfif")
def backward(job, row, work, lanes, gradients):
    """From D_OUT to the gradients of gamma, beta and the input."""
    wide, units, stride = row[WIDE], row[UNITS], row[INPUT_STRIDE]
    parameters, by_batch = floats_at(job[PARAMETERS]), normalises_by_batch(job, row)
    slopes, shared = shift(work, row[VECTORS]), shift(work, row[VECTORS] + wide)
    along, whole = shift(work, row[VECTORS] + 2 * wide), count_of(job, row)
    for unit in range(units):
        if by_batch and row[BETA] >= 0:
            gradients[row[BETA] + unit] = work[row[SUMS] + unit]
        if by_batch and row[GAMMA] >= 0:
            gradients[row[GAMMA] + unit] = work[row[SUMS] + wide + unit]
        # The factor stands where the forward pass has left it.
        slope = shared[unit] * (parameters[row[GAMMA] + unit] if row[GAMMA] >= 0 else f32(1))
        slopes[unit], shared[unit], along[unit] = slope, f32(0), f32(0)
        if by_batch:
            shared[unit] = f32(sum_of(job, row, 1 + 2 * wide + unit) / whole)
            along[unit] = f32(sum_of(job, row, 1 + 3 * wide + unit) / whole)
    for i in range(row[STEPS] * lanes if row[D_X] >= 0 else 0):
        d_out, normal = shift(work, row[D_OUT] + i * wide), shift(work, row[NORMAL] + i * wide)
        d_x = shift(work, row[D_X] + i * stride)
        counts = counts_of(row, work, lanes)[i] if by_batch else f32(0)
        for unit in range(units):
            d_x[unit] = slopes[unit] * (d_out[unit] - counts * (shared[unit] + normal[unit] * along[unit]))


@procedure("ttfiii")
def settle(job, row, work, lanes, update, first_lane):
    """Let the moving averages follow the update's moments."""
    parameters = floats_at(job[PARAMETERS])
    stays = np.float64(row[MOMENTUM]) * 2.0 ** row[MOMENTUM_EXPONENT]
    whole = count_of(job, row)
    for unit in range(row[UNITS]):
        mean = mean_of(job, row, unit, whole)
        variance = variance_of(job, row, unit, mean, whole)
        at = row[MOVING_MEAN] + unit
        write_at(parameters, at, f32(parameters[at] * stays + mean * (1.0 - stays)))
        at = row[MOVING_VARIANCE] + unit
        write_at(parameters, at, f32(parameters[at] * stays + variance * (1.0 - stays)))
