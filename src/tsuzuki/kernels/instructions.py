"""What the words of `language` mean to Numba: whole vectors of float32 as a type, and pointers to them.

Numba will not vectorise the small, dependent loops of a recurrent step well by itself. Here the vector is a type of
its own: `load`, `store`, `fma` and the operators each become one LLVM instruction on <WIDTH x float>, with WIDTH chosen
for the host. Memory is reached through bare pointers: a Numba array is seven words in every call, a pointer is one.

No operation carries a fast-math flag: what is fused or summed in another order is written so, and LLVM may not change a
bit. So the same kernels give the same bits however they are compiled: unit by unit, from the wheel, or for one network.
`smaller` and `larger` are a comparison and a choice, in the order that lets a NaN in their first argument pass (a
diverging run must be seen as NaN); LLVM's minnum and maxnum would swallow it.
"""

import math
import operator

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.datamodel import PrimitiveModel
from numba.extending import intrinsic, overload, register_model

from tsuzuki.kernels.host import HAS_AVX512, WIDTH

FLOAT, INT, INDEX = ir.FloatType(), ir.IntType(32), ir.IntType(64)
VECTOR = ir.VectorType(FLOAT, WIDTH)

floats = types.CPointer(types.float32)
doubles = types.CPointer(types.float64)
ints = types.CPointer(types.int64)
small_ints = types.CPointer(types.int32)


@intrinsic
def stand_alone(typing):
    """Keep the function this is called in from being inlined: called from many places, it would be compiled in each."""

    def generate(context, builder, signature, args):
        builder.function.attributes.add("noinline")
        return context.get_dummy_value()

    return types.void(), generate


class VectorType(types.Type):
    """WIDTH float32 in one register."""

    def __init__(self):
        super().__init__(f"float32x{WIDTH}")


vector = VectorType()


@register_model(VectorType)
class VectorModel(PrimitiveModel):
    """How Numba keeps a vector: as LLVM's own."""

    def __init__(self, manager, fe_type):
        super().__init__(manager, fe_type, VECTOR)


def prefetch(builder, place):
    """Emit a hint that what lies at an address will be read; it may lie outside what can be read."""
    byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
    kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
    hint = builder.module.declare_intrinsic("llvm.prefetch", [byte], kind)
    # A read, to be kept in every cache, of data.
    builder.call(hint, [builder.bitcast(place, byte), number(0), number(3), number(1)])


def broadcast(builder, scalar):
    undefined = ir.Constant(VECTOR, ir.Undefined)
    first = builder.insert_element(undefined, scalar, ir.Constant(INT, 0))
    zeros = ir.Constant(ir.VectorType(INT, WIDTH), [0] * WIDTH)
    return builder.shuffle_vector(first, undefined, zeros)


def llvm(builder, name, *arguments):
    function = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(VECTOR, [VECTOR] * len(arguments)), f"llvm.{name}.v{WIDTH}f32"
    )
    return builder.call(function, arguments)


@intrinsic
def splat(typing, scalar):
    """One float32 in every lane."""
    return vector(types.float32), lambda context, builder, signature, args: broadcast(builder, args[0])


def _arithmetic(instruction):
    @intrinsic
    def operation(typing, a, b):
        if a == vector and b == vector:
            return vector(vector, vector), lambda context, builder, signature, args: getattr(builder, instruction)(
                *args
            )
        return None

    return operation


def _install(python_operator, instruction):
    operation = _arithmetic(instruction)

    @overload(python_operator, inline="always")
    def _(a, b):
        if a == vector and b == vector:
            return lambda a, b: operation(a, b)
        return None


for _operator, _instruction in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _install(_operator, _instruction)


@intrinsic
def fma(typing, a, b, c):
    """a * b + c, rounded once."""
    return vector(vector, vector, vector), lambda context, builder, signature, args: llvm(builder, "fma", *args)


@intrinsic
def sqrt(typing, a):
    """Square root of each lane."""
    return vector(vector), lambda context, builder, signature, args: llvm(builder, "sqrt", *args)


@intrinsic
def absolute(typing, a):
    """Magnitude of each lane."""
    return vector(vector), lambda context, builder, signature, args: llvm(builder, "fabs", *args)


def _choice(comparison):
    @intrinsic
    def choose(typing, a, b):
        def generate(context, builder, signature, args):
            a, b = args
            return builder.select(builder.fcmp_ordered(comparison, b, a), b, a)

        return vector(vector, vector), generate

    return choose


smaller = _choice("<")
"""The smaller of a and b in each lane; NaN where a is NaN."""
larger = _choice(">")
"""The larger of a and b in each lane; NaN where a is NaN."""


@intrinsic
def where_positive(typing, condition, a, b):
    """a where condition > 0, else b."""

    def generate(context, builder, signature, args):
        condition, a, b = args
        return builder.select(builder.fcmp_ordered(">", condition, ir.Constant(VECTOR, [0.0] * WIDTH)), a, b)

    return vector(vector, vector, vector), generate


@intrinsic
def where_number(typing, condition, a, b):
    """a where condition is a number, b where it is NaN."""

    def generate(context, builder, signature, args):
        condition, a, b = args
        return builder.select(builder.fcmp_ordered("ord", condition, condition), a, b)

    return vector(vector, vector, vector), generate


def _sum(builder, value):
    """The upper half onto the lower one, until one is left."""
    width = WIDTH
    while width > 1:
        width //= 2
        halves = [
            builder.shuffle_vector(
                value, value, ir.Constant(ir.VectorType(INT, width), list(range(first, first + width)))
            )
            for first in (0, width)
        ]
        value = builder.fadd(*halves)
    return builder.extract_element(value, INT(0))


@intrinsic
def sum_lanes(typing, a):
    """The sum of all lanes, by halves."""
    return types.float32(vector), lambda context, builder, signature, args: _sum(builder, args[0])


@intrinsic
def sum_lanes_widely(typing, a):
    """The sum of all lanes as a double, by halves."""

    def generate(context, builder, signature, args):
        return _sum(builder, builder.fpext(args[0], ir.VectorType(ir.DoubleType(), WIDTH)))

    return types.float64(vector), generate


def _pointer(kind):
    @intrinsic
    def convert(typing, address):
        def generate(context, builder, signature, args):
            return builder.inttoptr(args[0], context.get_value_type(kind))

        return kind(types.int64), generate

    return convert


floats_at = _pointer(floats)
doubles_at = _pointer(doubles)
ints_at = _pointer(ints)
small_ints_at = _pointer(small_ints)


@intrinsic
def shift(typing, pointer, offset):
    """The pointer `offset` elements further on."""
    return pointer(pointer, types.intp), lambda context, builder, signature, args: builder.gep(args[0], [args[1]])


def vector_place(builder, data, offset):
    return builder.bitcast(builder.gep(data, [offset]), VECTOR.as_pointer())


@intrinsic
def load(typing, pointer, offset):
    """The WIDTH floats that start at `offset` (in floats)."""

    def generate(context, builder, signature, args):
        value = builder.load(vector_place(builder, args[0], args[1]))
        value.align = 4
        return value

    return vector(floats, types.intp), generate


@intrinsic
def load_some(typing, pointer, offset, count):
    """The first `count` floats that start at `offset`, NaN in the other lanes; nothing is read there."""

    def generate(context, builder, signature, args):
        place, numbers = vector_place(builder, args[0], args[1]), ir.VectorType(INDEX, WIDTH)
        counts = builder.insert_element(ir.Constant(numbers, ir.Undefined), args[2], INT(0))
        zeros = ir.Constant(ir.VectorType(INT, WIDTH), [0] * WIDTH)
        counts = builder.shuffle_vector(counts, counts, zeros)
        mask = builder.icmp_signed("<", ir.Constant(numbers, list(range(WIDTH))), counts)
        kind = ir.FunctionType(VECTOR, [place.type, INT, mask.type, VECTOR])
        function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.masked.load.v{WIDTH}f32.p0")
        return builder.call(function, [place, INT(4), mask, ir.Constant(VECTOR, [math.nan] * WIDTH)])

    return vector(floats, types.intp, types.intp), generate


@intrinsic
def store(typing, pointer, offset, value):
    """Write a vector to the WIDTH floats that start at `offset`."""

    def generate(context, builder, signature, args):
        builder.store(args[2], vector_place(builder, args[0], args[1])).align = 4
        return context.get_dummy_value()

    return types.void(floats, types.intp, vector), generate


def _x86(builder, name, value):
    """An AVX-512 estimate, good to 14 bits."""
    mask = ir.IntType(16)
    kind = ir.FunctionType(VECTOR, [VECTOR, VECTOR, mask])
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.x86.avx512.{name}.ps.512")
    return builder.call(function, [value, ir.Constant(VECTOR, [0.0] * WIDTH), mask(-1)])


@intrinsic
def rounded(typing, a):
    """The nearest whole number."""
    return vector(vector), lambda context, builder, signature, args: llvm(builder, "rint", *args)


@intrinsic
def times_power_of_two(typing, a, exponent):
    """a * 2^exponent for whole exponents from -126 to 127: one instruction of AVX-512, else by the exponent's bits."""

    def generate(context, builder, signature, args):
        if not HAS_AVX512:
            whole = ir.VectorType(INT, WIDTH)
            bits = builder.add(builder.fptosi(args[1], whole), ir.Constant(whole, [127] * WIDTH))
            power = builder.bitcast(builder.shl(bits, ir.Constant(whole, [23] * WIDTH)), VECTOR)
            return builder.fmul(args[0], power)
        mask, how = ir.IntType(16), ir.IntType(32)
        kind = ir.FunctionType(VECTOR, [VECTOR, VECTOR, VECTOR, mask, how])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.avx512.mask.scalef.ps.512")
        nearest_even = how(4)
        return builder.call(function, [*args, ir.Constant(VECTOR, [0.0] * WIDTH), mask(-1), nearest_even])

    return vector(vector, vector), generate


@intrinsic
def reciprocal(typing, a):
    """1 / a. With AVX-512 an estimate and one step of Newton's method, a third of a division's time."""

    def generate(context, builder, signature, args):
        (a,) = args
        if not HAS_AVX512:
            return builder.fdiv(ir.Constant(VECTOR, [1.0] * WIDTH), a)
        guess = _x86(builder, "rcp14", a)
        error = llvm(builder, "fma", builder.fneg(a), guess, ir.Constant(VECTOR, [1.0] * WIDTH))
        return llvm(builder, "fma", guess, error, guess)

    return vector(vector), generate


@intrinsic
def reciprocal_root(typing, a):
    """1 / sqrt(a), likewise."""

    def generate(context, builder, signature, args):
        (a,) = args
        if not HAS_AVX512:
            return builder.fdiv(ir.Constant(VECTOR, [1.0] * WIDTH), llvm(builder, "sqrt", a))
        guess = _x86(builder, "rsqrt14", a)
        product = builder.fmul(a, guess)
        error = llvm(builder, "fma", builder.fneg(product), guess, ir.Constant(VECTOR, [1.0] * WIDTH))
        half = builder.fmul(guess, ir.Constant(VECTOR, [0.5] * WIDTH))
        return llvm(builder, "fma", half, error, guess)

    return vector(vector), generate
