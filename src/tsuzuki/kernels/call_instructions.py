"""What the words of `language` mean to Numba that leave a kernel: calls through the table, and what threads share."""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from tsuzuki.kernels.instructions import floats, ints, vector


def _through_table(kinds, result=types.void):
    """A call of the procedure whose address stands in the table, with arguments of these kinds."""

    def generate(context, builder, signature, args):
        address, *rest = args
        gives = ir.VoidType() if result is types.void else context.get_value_type(result)
        function = ir.FunctionType(gives, [value.type for value in rest])
        value = builder.call(builder.inttoptr(address, function.as_pointer()), rest)
        return context.get_dummy_value() if result is types.void else value

    return result(types.int64, *kinds), generate


@intrinsic
def call_forward(typing, address, job, row, work, lanes, update, first_lane):
    """Call a layer kind's `forward`."""
    return _through_table((ints, ints, floats, types.int64, types.int64, types.int64))


@intrinsic
def call_backward(typing, address, job, row, work, lanes, gradients):
    """Call a layer kind's `backward`."""
    return _through_table((ints, ints, floats, types.int64, floats))


@intrinsic
def call_activation(typing, address, record, x):
    """Call a rare activation, or its slope."""
    return _through_table((types.int64, vector), vector)


@intrinsic
def call_score(typing, address, job, objective, work, lanes, update, first_lane, count):
    """Call a loss's `score`."""
    kinds = (ints, ints, floats, types.int64, types.int64, types.int64, types.int64)
    return _through_table(kinds, types.float64)


@intrinsic
def call_update(typing, address, job, k, first, last):
    """Call a procedure that changes the parameters, or their gradients, between two places."""
    return _through_table((ints, types.int64, types.int64, types.int64))


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
        function.attributes.add("nonlazybind")
        builder.call(function, [])
        return context.get_dummy_value()

    return types.void(), generate
