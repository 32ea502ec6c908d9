"""A barrier for the few threads that work on one update: they meet several times in every one, microseconds apart.

A thread that arrives early spins, because waking a sleeping thread takes longer than the work between two meetings;
after a while it gives up its turn, so that more threads than cores still get on.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from tsuzuki.kernels.simd import ints, kernel

# About 20 microseconds of spinning before the first offer of the turn.
PATIENCE = 20_000


@intrinsic
def add_atomically(typing, place, value):
    """Add to an integer that other threads see; returns what stood there before."""

    def generate(context, builder, signature, args):
        return builder.atomic_rmw("add", args[0], args[1], "seq_cst")

    return types.int64(ints, types.int64), generate


@intrinsic
def read_atomically(typing, place):
    """Read an integer that other threads write."""

    def generate(context, builder, signature, args):
        return builder.load_atomic(args[0], "seq_cst", 8)

    return types.int64(ints), generate


@intrinsic
def give_way(typing):
    """Offer the rest of this thread's turn to others (POSIX sched_yield)."""

    def generate(context, builder, signature, args):
        function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(ir.IntType(32), []), "sched_yield")
        builder.call(function, [])
        return context.get_dummy_value()

    return types.void(), generate


@kernel
def wait_at_barrier(place, threads, meeting):
    """Wait until all threads have come to the meeting with this number, counted from 1."""
    if threads == 1:
        return
    add_atomically(place, 1)
    everybody = threads * meeting
    waited = 0
    while read_atomically(place) < everybody:
        waited += 1
        if waited > PATIENCE:
            give_way()
