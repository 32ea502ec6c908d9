"""Penalties on weights, their bounds after an update, and weights that stay as they are; a unit of its own.

The procedures are called through their addresses in the job, only where a network has such rules.
"""

import math

import numpy as np

from tsuzuki.kernels.host import WIDTH
from tsuzuki.kernels.language import (
    absolute,
    doubles_at,
    floats_at,
    fma,
    ints_at,
    kernel,
    larger,
    load,
    procedure,
    shift,
    smaller,
    splat,
    sqrt,
    store,
    sum_lanes,
    where_positive,
)
from tsuzuki.kernels.last_write import write_at
from tsuzuki.kernels.table import (
    CONSTRAINT,
    FROZEN,
    GRADIENTS,
    NO_CONSTRAINT,
    NON_NEGATIVE,
    PARAMETERS,
    PENALTIES,
    RULE,
    RULE_L1,
    RULE_L2,
    RULE_LARGEST,
    RULE_RATE,
    RULE_SMALLEST,
    RULES,
    VARIABLE,
    VARIABLE_COUNT,
    VARIABLE_OFFSET,
    VARIABLE_ROWS,
    VARIABLE_SIZE,
    VARIABLES,
    WHOLE_NORM,
)

f32 = np.float32


@procedure("tiii")
def penalise(job, k, first, last):
    """Write down the penalty of the weights as they are before update k, always summed in the same order."""
    parameters, variables, penalties = floats_at(job[PARAMETERS]), ints_at(job[VARIABLES]), doubles_at(job[PENALTIES])
    total = 0.0
    for v in range(job[VARIABLE_COUNT]):
        entry, rule = shift(variables, v * VARIABLE), shift(doubles_at(job[RULES]), v * RULE)
        weights = shift(parameters, entry[VARIABLE_OFFSET])
        for at in range(0, 0 if entry[FROZEN] else entry[VARIABLE_SIZE], WIDTH):
            w = load(weights, at)
            total += rule[RULE_L1] * sum_lanes(absolute(w)) + rule[RULE_L2] * sum_lanes(w * w)
    write_at(penalties, k, total)


@procedure("tiii")
def shape_gradients(job, k, first, last):
    """Add the penalties' gradients between two places, and take away those of weights that stay."""
    parameters, gradients = floats_at(job[PARAMETERS]), floats_at(job[GRADIENTS])
    variables, zero = ints_at(job[VARIABLES]), splat(f32(0))
    for v in range(job[VARIABLE_COUNT]):
        entry, rule = shift(variables, v * VARIABLE), shift(doubles_at(job[RULES]), v * RULE)
        begin = max(first, entry[VARIABLE_OFFSET])
        end = min(last, entry[VARIABLE_OFFSET] + entry[VARIABLE_SIZE])
        up, down, twice = splat(f32(rule[RULE_L1])), splat(f32(-rule[RULE_L1])), splat(f32(2 * rule[RULE_L2]))
        for at in range(begin, end, WIDTH):
            w = load(parameters, at)
            slope = fma(twice, w, where_positive(w, up, where_positive(zero - w, down, zero)))
            store(gradients, at, zero if entry[FROZEN] else load(gradients, at) + slope)


@kernel
def scale_of(rule, norm):
    """The factor that brings a norm into its bounds."""
    rate = f32(rule[RULE_RATE])
    bounded = larger(smaller(norm, splat(f32(rule[RULE_LARGEST]))), splat(f32(rule[RULE_SMALLEST])))
    return fma(splat(rate), bounded, splat(f32(1) - rate) * norm) / (norm + splat(f32(1e-7)))


@procedure("tiii")
def constrain(job, k, first, last):
    """Bring all weights into their bounds."""
    parameters, variables = floats_at(job[PARAMETERS]), ints_at(job[VARIABLES])
    zero = splat(f32(0))
    for v in range(job[VARIABLE_COUNT]):
        entry, rule = shift(variables, v * VARIABLE), shift(doubles_at(job[RULES]), v * RULE)
        kind, size = entry[CONSTRAINT], entry[VARIABLE_SIZE]
        if kind == NO_CONSTRAINT or entry[FROZEN]:
            continue
        weights, wide = shift(parameters, entry[VARIABLE_OFFSET]), size // entry[VARIABLE_ROWS]
        if kind == NON_NEGATIVE:
            for at in range(0, size, WIDTH):
                store(weights, at, larger(load(weights, at), zero))
        elif kind == WHOLE_NORM:
            total = 0.0
            for at in range(0, size, WIDTH):
                total += sum_lanes(load(weights, at) * load(weights, at))
            factor = scale_of(rule, splat(f32(math.sqrt(total))))
            for at in range(0, size, WIDTH):
                store(weights, at, load(weights, at) * factor)
        else:
            for unit in range(0, wide, WIDTH):
                squares = zero
                for at in range(unit, size, wide):
                    squares = fma(load(weights, at), load(weights, at), squares)
                factor = scale_of(rule, sqrt(squares))
                for at in range(unit, size, wide):
                    store(weights, at, load(weights, at) * factor)
