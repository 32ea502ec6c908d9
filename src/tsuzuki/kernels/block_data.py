"""What a block of lanes begins an update with and what it leaves: states carried or saved, and the rows' inputs."""

import math

import numpy as np

from tsuzuki.kernels.host import WIDTH
from tsuzuki.kernels.language import (
    doubles_at,
    floats_at,
    ints_at,
    kernel,
    load,
    shift,
    small_ints_at,
    splat,
    stand_alone,
    store,
)
from tsuzuki.kernels.table import (
    BANK,
    ENTRIES,
    EXITS,
    FEATURES,
    FORGETS,
    HEADER,
    IMPUTE_FROM,
    INPUT_STEPS,
    INPUTS,
    LAG_COUNT,
    LAGS,
    LANES,
    LAST_FORECAST,
    LAST_FORECAST_STATE,
    LAYERS,
    PARTS,
    READINGS,
    ROW,
    SCALES,
    SOME_FORGET,
    SPACING,
    STARTS,
    STATE,
    STATE_OUT,
    STATE_SIZE,
    STATES,
    TIMESTEPS,
    VALID,
    WIDE,
    X_GATHERED,
)

f32 = np.float32
CARRY, ZERO = -2, -1


@kernel
def fill(target, wide, source, from_source):
    """Write `wide` floats: a copy, or zeros."""
    for at in range(0, wide, WIDTH):
        store(target, at, load(source, at) if from_source else splat(f32(0)))


@kernel
def enter(job, work, lanes, k, first_lane):
    """Give each lane the state its row begins with: the one it carries, zeros, or a saved one."""
    stand_alone()
    entries = shift(small_ints_at(job[ENTRIES]), k * job[LANES] + first_lane)
    for lane in range(lanes):
        entry = entries[lane]
        if entry == CARRY:
            continue
        saved = shift(floats_at(job[BANK]), max(entry, 0) * job[STATE_SIZE])
        work[job[LAST_FORECAST] + lane] = saved[job[LAST_FORECAST_STATE]] if entry >= 0 else f32(0)
        for i in range(job[LAYERS]):
            row = shift(job, HEADER + i * ROW)
            wide = row[WIDE]
            for n in range(row[STATES]):
                state = shift(row, 2 * n)
                fill(shift(work, state[STATE_OUT] + lane * wide), wide, shift(saved, state[STATE]), entry >= 0)
    if job[SOME_FORGET]:
        for i in range(job[LAYERS]):
            row = shift(job, HEADER + i * ROW)
            for n in range(row[FORGETS]):
                states = shift(work, shift(row, 2 * n)[STATE_OUT])
                fill(states, lanes * row[PARTS] * row[WIDE], states, False)


@kernel
def keep(job, row, lanes, valid, exits, states, saved_at):
    """`leave` for the states [1 + steps, lanes, wide] of one kind, which a saved state has at `saved_at`.

    Where a layer goes through other steps than the row has, rows are whole.
    """
    wide = row[WIDE]
    for lane in range(lanes):
        if valid[lane] == 0:
            continue
        front = shift(states, lane * wide)
        last = valid[lane] if row[INPUT_STEPS] == job[TIMESTEPS] else row[INPUT_STEPS]
        fill(front, wide, shift(states, (last * lanes + lane) * wide), True)
        if exits[lane] >= 0:
            fill(shift(floats_at(job[BANK]), exits[lane] * job[STATE_SIZE] + saved_at), wide, front, True)


@kernel
def leave(job, work, lanes, k, first_lane):
    """Carry each lane's state after its last valid step to the front, and save it where a row says so."""
    stand_alone()
    at = k * job[LANES] + first_lane
    valid, exits = shift(small_ints_at(job[VALID]), at), shift(small_ints_at(job[EXITS]), at)
    for i in range(job[LAYERS]):
        row = shift(job, HEADER + i * ROW)
        for n in range(row[STATES]):
            state = shift(row, 2 * n)
            keep(job, row, lanes, valid, exits, shift(work, state[STATE_OUT]), state[STATE])
    if job[IMPUTE_FROM] >= 0:
        for lane in range(lanes):
            if valid[lane] > 0 and exits[lane] >= 0:
                saved = shift(floats_at(job[BANK]), exits[lane] * job[STATE_SIZE])
                saved[job[LAST_FORECAST_STATE]] = work[job[LAST_FORECAST] + lane]


@kernel
def lag(values, stride, behind, over):
    """The mean of `over` values that end `behind` steps before the one at `values`, less that one.

    0 where one is still missing: in a lane that begins behind a gap which another lane has not filled yet.
    """
    total = f32(0)
    for i in range(behind, behind + over):
        total += values[-i * stride]
    difference = total / f32(over) - values[0]
    return f32(0) if math.isnan(difference) and not math.isnan(values[0]) else difference


@kernel
def ingest_reading(row, reading, mean_and_scale):
    """Write a reading into a row: its value, scaled, and whether it is missing."""
    row[0] = f32((reading - mean_and_scale[0]) / mean_and_scale[1])
    row[1] = f32(math.isnan(reading))


@kernel
def gather(job, work, lanes, k, first_lane):
    """Read the rows' inputs through their starts into [steps, lanes, inputs]; zeros past the last valid step.

    New readings are written into the first step's row before. An input row is a row of the flat array and, behind it,
    its lags. Where the first value is missing and the network feeds itself, its last forecast is put there for good, so
    that lags find it too.
    """
    stand_alone()
    features, steps, lags = job[FEATURES], job[TIMESTEPS], job[LAG_COUNT]
    at = k * job[LANES] + first_lane
    starts, valid = shift(ints_at(job[STARTS]), at), shift(small_ints_at(job[VALID]), at)
    readings, exits = shift(doubles_at(job[READINGS]), at), shift(small_ints_at(job[EXITS]), at)
    inputs, x, pairs = floats_at(job[INPUTS]), shift(work, job[X_GATHERED]), ints_at(job[LAGS])
    whole = features + lags
    if whole == 1 and job[IMPUTE_FROM] < 0:
        for step in range(steps):
            for lane in range(lanes):
                x[step * lanes + lane] = inputs[starts[lane] + step] if step < valid[lane] else f32(0)
        return
    for lane in range(lanes):
        source, real = shift(inputs, starts[lane] * features), valid[lane]
        if job[READINGS] != 0 and real > 0:
            ingest_reading(source, readings[lane], shift(doubles_at(job[SCALES]), 2 * exits[lane]))
        for step in range(real):
            target, here = shift(x, (step * lanes + lane) * whole), shift(source, step * features)
            if job[IMPUTE_FROM] >= 0 and math.isnan(here[0]):
                here[0] = work[job[LAST_FORECAST] + lane]
            for feature in range(features):
                target[feature] = here[feature]
            for i in range(lags):
                target[features + i] = lag(here, features * job[SPACING], pairs[2 * i], pairs[2 * i + 1])
        for step in range(real, steps):
            target = shift(x, (step * lanes + lane) * whole)
            for feature in range(whole):
                target[feature] = f32(0)
