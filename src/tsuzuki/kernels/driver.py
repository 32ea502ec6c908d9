"""The driver: some consecutive updates of any network, or a run forward without updates.

It knows no layer kind: each row of the table holds the addresses of its kind's forward and backward pass.

Each thread calls `run` with its number. A thread takes whole blocks of lanes through the forward and the backward pass;
then the threads meet, each sums the blocks' gradients for its slice of the parameters and moves them, they meet again,
and each refreshes its share of the packed copies. The blocks depend on the lanes alone and their gradients are summed
in a fixed order, so the bits do not depend on the number of threads.
"""

import math

import numpy as np

from tsuzuki.kernels.barrier import wait_at_barrier
from tsuzuki.kernels.host import WIDTH
from tsuzuki.kernels.language import (
    call_backward,
    call_forward,
    call_score,
    call_update,
    doubles_at,
    floats_at,
    ints_at,
    kernel,
    load,
    procedure,
    shift,
    small_ints_at,
    splat,
    stand_alone,
    store,
)
from tsuzuki.kernels.losses import count_scored
from tsuzuki.kernels.matrix import pack, pack_transposed
from tsuzuki.kernels.optimizers import clip_gradients, optimise, sum_gradients
from tsuzuki.kernels.table import (
    AVERAGE,
    BACKWARD,
    BANK,
    BARRIER,
    BLOCK_LANES,
    BLOCK_LOSSES,
    BLOCKS,
    CLIP,
    CONSTRAIN,
    COUNTS,
    ENTRIES,
    EXITS,
    FEATURES,
    FIRST_UPDATE,
    FORGETS,
    FORWARD,
    FRESH,
    GATES,
    GRADIENTS,
    HEADER,
    IMPUTE_FROM,
    INPUT_SIZE,
    INPUT_STEPS,
    INPUTS,
    KERNEL,
    LAG_COUNT,
    LAGS,
    LANES,
    LAST_FORECAST,
    LAST_FORECAST_STATE,
    LAYERS,
    LOSSES,
    OBJECTIVE,
    OBJECTIVE_COUNT,
    OBJECTIVES,
    OPTIMISE,
    PACKED,
    PACKED_KERNEL_T,
    PACKED_RECURRENT,
    PACKED_RECURRENT_T,
    PARAMETERS,
    PENALISE,
    PENALTIES,
    READINGS,
    RECURRENT_KERNEL,
    ROW,
    RULES,
    SCALES,
    SCORE,
    SCORED,
    SHAPE_GRADIENTS,
    SIZE,
    SOME_FORGET,
    SPACING,
    STARTS,
    STATE,
    STATE_OUT,
    STATE_SIZE,
    STATES,
    THREADS,
    TIMESTEPS,
    TRAIN,
    UNITS,
    UPDATES,
    VALID,
    WIDE,
    WORK,
    WORK_SIZE,
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
            for n in range(row[STATES] if row[FORGETS] else 0):
                states = shift(work, shift(row, 2 * n)[STATE_OUT])
                fill(states, lanes * row[WIDE], states, False)


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


@kernel
def forward(job, work, lanes, k, first_lane):
    """All layers, first to last."""
    update = job[FIRST_UPDATE] + k
    for i in range(job[LAYERS]):
        row = shift(job, HEADER + i * ROW)
        call_forward(row[FORWARD], job, row, work, lanes, update, first_lane)


@kernel
def backward(job, work, lanes, gradients):
    """All layers, last to first."""
    for back in range(job[LAYERS]):
        row = shift(job, HEADER + (job[LAYERS] - 1 - back) * ROW)
        call_backward(row[BACKWARD], job, row, work, lanes, gradients)


@kernel
def count_all(job, k, counts):
    """Count what update k scores of each objective; returns all of it."""
    total = 0
    for j in range(job[OBJECTIVE_COUNT]):
        counts[j] = count_scored(job, shift(job, job[OBJECTIVES] + j * OBJECTIVE), k)
        total += counts[j]
    return total


@kernel
def score_all(job, work, lanes, k, first_lane, counts, losses):
    """A block's share of each objective's loss, and the slopes at all outputs."""
    for j in range(job[OBJECTIVE_COUNT]):
        objective = shift(job, job[OBJECTIVES] + j * OBJECTIVE)
        losses[j] = call_score(objective[SCORE], job, objective, work, lanes, k, first_lane, counts[j])


@kernel
def sum_losses(job, k, counts, writes):
    """Add up the blocks' shares of update k's losses, and write them down; returns whether all of them are finite."""
    objectives, finite = job[OBJECTIVE_COUNT], True
    losses, scored = shift(doubles_at(job[LOSSES]), k * objectives), shift(ints_at(job[SCORED]), k * objectives)
    shares = doubles_at(job[BLOCK_LOSSES])
    for j in range(objectives):
        loss = 0.0
        for block in range(job[BLOCKS]):
            loss += shares[block * objectives + j]
        finite = finite and math.isfinite(loss)
        if writes:
            losses[j], scored[j] = loss, counts[j]
    return finite


@kernel
def takes(job, turn, thread):
    """Whether a task is this thread's; the division is left out where there is only one."""
    return job[THREADS] == 1 or turn % job[THREADS] == thread


@kernel
def refresh_packed(job, thread):
    """Bring this thread's share of the packed copies up to the parameters."""
    stand_alone()
    parameters, packed, turn = floats_at(job[PARAMETERS]), floats_at(job[PACKED]), 0
    for i in range(job[LAYERS]):
        row = shift(job, HEADER + i * ROW)
        wide, units = row[GATES] * row[WIDE], row[UNITS]
        if row[PACKED_RECURRENT] >= 0:
            if takes(job, turn, thread):
                pack(units, wide, shift(parameters, row[RECURRENT_KERNEL]), wide, shift(packed, row[PACKED_RECURRENT]))
            turn += 1
        if row[PACKED_RECURRENT_T] >= 0 and job[TRAIN]:
            if takes(job, turn, thread):
                target = shift(packed, row[PACKED_RECURRENT_T])
                pack_transposed(units, wide, shift(parameters, row[RECURRENT_KERNEL]), wide, target)
            turn += 1
        if row[PACKED_KERNEL_T] >= 0 and job[TRAIN]:
            if takes(job, turn, thread):
                target = shift(packed, row[PACKED_KERNEL_T])
                pack_transposed(row[INPUT_SIZE], wide, shift(parameters, row[KERNEL]), wide, target)
            turn += 1


@kernel
def slice_of(size, thread, threads):
    """Where this thread's slice of `size` floats begins, in whole vectors."""
    return size // WIDTH * thread // threads * WIDTH


@procedure("ii", "i")
def run(address, thread):
    """Do the job at `address` as thread number `thread`; return how many updates were finite, from the first on."""
    job = ints_at(address)
    lanes, blocks, threads, training = job[LANES], job[BLOCKS], job[THREADS], job[TRAIN] != 0
    place, objectives = ints_at(job[BARRIER]), job[OBJECTIVE_COUNT]
    counts = shift(ints_at(job[COUNTS]), thread * objectives)
    first_float, end_float = slice_of(job[SIZE], thread, threads), slice_of(job[SIZE], thread + 1, threads)
    meeting = 1
    if not job[FRESH]:
        refresh_packed(job, thread)
    wait_at_barrier(place, threads, meeting)
    for k in range(job[UPDATES]):
        count = count_all(job, k, counts)
        if job[RULES] and thread == 0 and job[PENALTIES] != 0:
            call_update(job[PENALISE], job, k, 0, job[SIZE])
        block = thread
        while block < blocks:
            work = shift(floats_at(job[WORK]), block * job[WORK_SIZE])
            first_lane = block * job[BLOCK_LANES]
            some = min(job[BLOCK_LANES], lanes - first_lane)
            enter(job, work, some, k, first_lane)
            gather(job, work, some, k, first_lane)
            forward(job, work, some, k, first_lane)
            losses = shift(doubles_at(job[BLOCK_LOSSES]), block * objectives)
            score_all(job, work, some, k, first_lane, counts, losses)
            if training:
                backward(job, work, some, shift(floats_at(job[GRADIENTS]), block * job[SIZE]))
            leave(job, work, some, k, first_lane)
            block += threads
        if not training:
            # Only a single thread scores without training: the others' losses would need a meeting.
            if job[LOSSES] != 0:
                sum_losses(job, k, counts, True)
            continue
        meeting += 1
        wait_at_barrier(place, threads, meeting)
        if not sum_losses(job, k, counts, thread == 0):
            return k
        if count == 0:
            continue
        sum_gradients(job, first_float, end_float)
        if job[RULES]:
            call_update(job[SHAPE_GRADIENTS], job, k, first_float, end_float)
        if job[CLIP]:
            meeting += 1
            wait_at_barrier(place, threads, meeting)
            if thread == 0:
                clip_gradients(job)
            meeting += 1
            wait_at_barrier(place, threads, meeting)
        if job[OPTIMISE]:
            call_update(job[OPTIMISE], job, k, first_float, end_float)
        else:
            optimise(job, k, first_float, end_float)
        if job[AVERAGE]:
            call_update(job[AVERAGE], job, k, first_float, end_float)
        if job[RULES]:
            meeting += 1
            wait_at_barrier(place, threads, meeting)
            if thread == 0:
                call_update(job[CONSTRAIN], job, k, 0, job[SIZE])
        meeting += 1
        wait_at_barrier(place, threads, meeting)
        refresh_packed(job, thread)
        meeting += 1
        wait_at_barrier(place, threads, meeting)
    return job[UPDATES]
