"""The driver: some consecutive updates of any network, or a run forward without updates.

It knows no layer kind: each row of the table holds the addresses of its kind's forward and backward pass.

Each thread calls `run` with its number. A thread takes whole blocks of lanes through the forward and the backward pass;
then the threads meet, each sums the blocks' gradients for its slice of the parameters and moves them, they meet again,
and each refreshes its share of the packed copies. The blocks depend on the lanes alone and their gradients are summed
in a fixed order, so the bits do not depend on the number of threads.

A layer that looks at the whole batch in training, as one that normalises by its moments, cuts the way in two: before
it, each block leaves its share in the work space, the threads meet, and then every block reads the shares of all. On
the way back it is the same, at the same layer.
"""

import math

import numpy as np

from tsuzuki.kernels.barrier import wait_at_barrier
from tsuzuki.kernels.block_data import enter, gather, leave
from tsuzuki.kernels.blocks import lanes_in, lanes_of, work_of
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
    procedure,
    shift,
    stand_alone,
)
from tsuzuki.kernels.last_write import write_at
from tsuzuki.kernels.losses import count_scored
from tsuzuki.kernels.matrix import pack, pack_transposed
from tsuzuki.kernels.optimizers import clip_gradients, optimise, sum_gradients
from tsuzuki.kernels.table import (
    AVERAGE,
    BACKWARD,
    BACKWARD_TOGETHER,
    BARRIER,
    BLOCK_LANES,
    BLOCK_LOSSES,
    BLOCKS,
    CLIP,
    CONSTRAIN,
    COUNTS,
    FIRST_UPDATE,
    FORWARD,
    FORWARD_TOGETHER,
    FRESH,
    FROM_SLOPES,
    GATES,
    GRADIENTS,
    HEADER,
    INPUT_SIZE,
    KERNEL,
    LANES,
    LAYERS,
    LOSSES,
    MEETINGS,
    MEETS,
    OBJECTIVE,
    OBJECTIVE_COUNT,
    OBJECTIVES,
    OPTIMISE,
    PACKED,
    PACKED_KERNEL_T,
    PACKED_RECURRENT,
    PACKED_RECURRENT_T,
    PARAMETERS,
    PART,
    PARTS,
    PENALISE,
    PENALTIES,
    PENALTY,
    PLACE_OF_WEIGHTS,
    RECURRENT_KERNEL,
    ROW,
    RULES,
    SCORE,
    SCORED,
    SETTLE,
    SHAPE_GRADIENTS,
    SHARE_BACKWARD,
    SHARE_FORWARD,
    SIZE,
    SOME_PENALISE,
    SOME_SQUARES,
    THREADS,
    TOGETHER,
    TRAIN,
    UNITS,
    UP_TO_OUTPUTS,
    UPDATES,
    WIDE,
    WORK,
    WORK_SIZE,
)

f32 = np.float32


@kernel
def meeting_layer(job, number):
    """The layer before which the threads meet for the time `number`, counted from 1: that after the last if for none.

    The 0th is the first layer.
    """
    layer, found = 0, 0
    if number == 0:
        return 0
    while layer < job[LAYERS]:
        if shift(job, HEADER + layer * ROW)[MEETS] == 1:
            found += 1
            if found == number:
                return layer
        layer += 1
    return layer


@kernel
def forward(job, work, lanes, k, first_lane, first, end, meets):
    """The layers from `first` to before `end`, and the block's share in what the layer `end` wants to know."""
    update = job[FIRST_UPDATE] + k
    for i in range(first, end):
        row = shift(job, HEADER + i * ROW)
        parts = row[PARTS]
        call_forward(row[FORWARD], job, row, work, lanes * parts, update, first_lane * parts)
    if meets:
        row = shift(job, HEADER + end * ROW)
        call_forward(row[SHARE_FORWARD], job, row, work, lanes, update, first_lane)


@kernel
def backward(job, work, lanes, k, first_lane, gradients, first, end, meets):
    """The layers from before `end` to `first`; with `meets`, of the first only the block's share in its gradients.

    A layer whose weights others before it have too has gradients behind those of all blocks.
    """
    for back in range(end - 1, first - 1 + meets, -1):
        row = shift(job, HEADER + back * ROW)
        own = shift(gradients, row[PLACE_OF_WEIGHTS] * job[BLOCKS] * job[SIZE])
        call_backward(row[BACKWARD], job, row, work, lanes * row[PARTS], own)
    if meets:
        row = shift(job, HEADER + first * ROW)
        call_forward(row[SHARE_BACKWARD], job, row, work, lanes, job[FIRST_UPDATE] + k, first_lane)


@kernel
def settle(job):
    """Let the layers that look at all blocks take the update's statistics up."""
    for number in range(job[MEETINGS]):
        row = shift(job, HEADER + meeting_layer(job, number + 1) * ROW)
        call_forward(row[SETTLE], job, row, floats_at(job[WORK]), 0, 0, 0)


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
def add_penalties(job, k):
    """Add to update k's penalty what layers add to the loss, block by block."""
    penalties = doubles_at(job[PENALTIES])
    for i in range(job[LAYERS]):
        at = shift(job, HEADER + i * ROW)[PENALTY]
        for block in range(job[BLOCKS] if at >= 0 else 0):
            write_at(penalties, k, penalties[k] + shift(floats_at(job[WORK]), block * job[WORK_SIZE])[at])


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


@kernel
def forward_in_all_blocks(job, row, thread, k):
    """A layer's way forward in all blocks of a thread."""
    update = job[FIRST_UPDATE] + k
    if row[FORWARD_TOGETHER] != 0:
        call_forward(row[FORWARD_TOGETHER], job, row, floats_at(job[WORK]), thread, update, 0)
    else:
        for block in range(thread, job[BLOCKS], job[THREADS]):
            first_lane = block * job[BLOCK_LANES] * row[PARTS]
            call_forward(row[FORWARD], job, row, work_of(job, block), lanes_in(job, row, block), update, first_lane)


@kernel
def backward_in_all_blocks(job, row, thread):
    """A layer's way back in all blocks of a thread."""
    own = shift(floats_at(job[GRADIENTS]), row[PLACE_OF_WEIGHTS] * job[BLOCKS] * job[SIZE])
    if row[BACKWARD_TOGETHER] != 0:
        call_backward(row[BACKWARD_TOGETHER], job, row, floats_at(job[WORK]), thread, own)
    else:
        for block in range(thread, job[BLOCKS], job[THREADS]):
            of_block = shift(own, block * job[SIZE])
            call_backward(row[BACKWARD], job, row, work_of(job, block), lanes_in(job, row, block), of_block)


@kernel
def go_together(job, thread, k, counts):
    """What a thread does in an update up to its gradients, layer by layer through all of its blocks.

    A network's large weights come from a cache far out then once for all blocks (see `recurrence`).
    """
    stand_alone()
    blocks, threads, layers, objectives = job[BLOCKS], job[THREADS], job[LAYERS], job[OBJECTIVE_COUNT]
    goes, returns = job[PART] != FROM_SLOPES, job[PART] != UP_TO_OUTPUTS
    if goes:
        for block in range(thread, blocks, threads):
            work, lanes, first_lane = work_of(job, block), lanes_of(job, block), block * job[BLOCK_LANES]
            enter(job, work, lanes, k, first_lane)
            gather(job, work, lanes, k, first_lane)
        for i in range(layers):
            forward_in_all_blocks(job, shift(job, HEADER + i * ROW), thread, k)
    for block in range(thread, blocks, threads):
        losses = shift(doubles_at(job[BLOCK_LOSSES]), block * objectives)
        score_all(job, work_of(job, block), lanes_of(job, block), k, block * job[BLOCK_LANES], counts, losses)
    if returns:
        for back in range(layers - 1, -1, -1):
            if job[TRAIN] != 0:
                backward_in_all_blocks(job, shift(job, HEADER + back * ROW), thread)
        for block in range(thread, blocks, threads):
            leave(job, work_of(job, block), lanes_of(job, block), k, block * job[BLOCK_LANES])


@procedure("ii", "i")
def run(address, thread):
    """Do the job at `address` as thread number `thread`; return how many updates were finite, from the first on."""
    job = ints_at(address)
    lanes, blocks, threads, training = job[LANES], job[BLOCKS], job[THREADS], job[TRAIN] != 0
    place, objectives, meetings = ints_at(job[BARRIER]), job[OBJECTIVE_COUNT], job[MEETINGS] if training else 0
    # Where somebody else scores, an update is done in two calls.
    goes, returns = job[PART] != FROM_SLOPES, job[PART] != UP_TO_OUTPUTS
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
        # Without meetings on the way there is one phase: a block goes forward and back at once.
        phases = (2 * meetings if returns else meetings) + 1
        if job[TOGETHER]:
            go_together(job, thread, k, counts)
            phases = 0
        for phase in range(0 if goes else meetings, phases):
            if phase > 0 and (goes or phase > meetings):
                meeting += 1
                wait_at_barrier(place, threads, meeting)
            stretch = min(phase, 2 * meetings - phase)
            first = meeting_layer(job, stretch)
            end = job[LAYERS] if stretch == meetings else meeting_layer(job, stretch + 1)
            block = thread
            while block < blocks:
                work = shift(floats_at(job[WORK]), block * job[WORK_SIZE])
                first_lane = block * job[BLOCK_LANES]
                some = min(job[BLOCK_LANES], lanes - first_lane)
                if phase == 0 and goes:
                    enter(job, work, some, k, first_lane)
                    gather(job, work, some, k, first_lane)
                if phase <= meetings and goes:
                    forward(job, work, some, k, first_lane, first, end, phase < meetings)
                if phase == meetings:
                    losses = shift(doubles_at(job[BLOCK_LOSSES]), block * objectives)
                    score_all(job, work, some, k, first_lane, counts, losses)
                if training and phase >= meetings and returns:
                    gradients = shift(floats_at(job[GRADIENTS]), block * job[SIZE])
                    last = end + (phase > meetings)
                    backward(job, work, some, k, first_lane, gradients, first, last, stretch > 0)
                if phase == 2 * meetings and returns:
                    leave(job, work, some, k, first_lane)
                block += threads
        if not training or not returns:
            # Only a single thread scores without training: the others' losses would need a meeting.
            if job[LOSSES] != 0:
                sum_losses(job, k, counts, True)
                if job[SOME_PENALISE]:
                    add_penalties(job, k)
            continue
        meeting += 1
        wait_at_barrier(place, threads, meeting)
        if job[SOME_PENALISE] and thread == 0:
            add_penalties(job, k)
        if not sum_losses(job, k, counts, thread == 0):
            return k
        if count == 0:
            continue
        sum_gradients(job, first_float, end_float)
        if job[RULES]:
            call_update(job[SHAPE_GRADIENTS], job, k, first_float, end_float)
        if job[SOME_SQUARES] and threads > 1 and not job[CLIP]:
            # An optimiser reads sums of squares that lie in another thread's slice.
            meeting += 1
            wait_at_barrier(place, threads, meeting)
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
        if meetings > 0 and thread == 0:
            settle(job)
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
