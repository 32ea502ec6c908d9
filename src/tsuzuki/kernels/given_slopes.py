"""Losses that no kernel knows: whoever calls computes the slopes at the outputs, and puts them where targets would be.

Such an update runs in two calls. The first goes forward and hands the outputs on, the second goes on from the slopes.
"""

import numpy as np

from tsuzuki.kernels.language import floats_at, ints_at, procedure, shift, small_ints_at
from tsuzuki.kernels.losses import clear, first_step_of, record, scored
from tsuzuki.kernels.table import (
    END_D_OUT,
    END_OUT,
    END_SKIP,
    END_STEPS,
    END_UNITS,
    END_WIDE,
    FIRST_TARGET,
    LANES,
    STARTS,
    TARGET_STRIDE,
    TARGETS,
    VALID,
)

f32 = np.float32


@procedure("ttfiiii", "d")
def score(job, objective, work, lanes, k, first_lane, count):
    """Hand the outputs on and take the slopes up; the loss is for others to tell, and 0 here."""
    wide, units, stride = objective[END_WIDE], objective[END_UNITS], job[TARGET_STRIDE]
    starts = shift(ints_at(job[STARTS]), k * job[LANES] + first_lane)
    valid = shift(small_ints_at(job[VALID]), k * job[LANES] + first_lane)
    out = shift(work, objective[END_OUT] + objective[END_SKIP] * lanes * wide)
    d_out, first_step = shift(work, objective[END_D_OUT]), first_step_of(job, objective)
    given = shift(floats_at(job[TARGETS]), objective[FIRST_TARGET])
    for s in range(objective[END_STEPS]):
        for lane in range(lanes):
            at = (s * lanes + lane) * wide
            slopes = shift(d_out, at)
            clear(slopes, wide)
            if not scored(job, objective, valid[lane], first_step + s):
                continue
            position = starts[lane] + first_step + s + 1
            record(job, objective, work, shift(out, at), f32(0), k, first_lane, lane, position)
            for o in range(units):
                slopes[o] = given[position * stride + o]
    return 0.0
