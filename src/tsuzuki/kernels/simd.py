"""Whole vectors of float32 as a Numba type, pointers to them, and the register tile that all matrix products use.

Numba will not vectorise the small, dependent loops of a recurrent step well by itself. Here the vector is a type of
its own: `load`, `store`, `fma` and the operators each become one LLVM instruction on <WIDTH x float>, with WIDTH chosen
for the host. Memory is reached through bare pointers: a Numba array is seven words in every call, a pointer is one.

The fast-math flags leave out `nnan` and `ninf` on purpose: a diverging run must still be seen as NaN. For the same
reason `smaller` and `larger` are a comparison and a choice, in the order that lets a NaN in their first argument pass;
LLVM's minnum and maxnum would swallow it.
"""

import operator

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.core.datamodel import PrimitiveModel
from numba.extending import intrinsic, overload, register_model

from tsuzuki.kernels.host import HAS_AVX512, MAX_ROWS, WIDTH

FLOAT, INT, INDEX = ir.FloatType(), ir.IntType(32), ir.IntType(64)
VECTOR = ir.VectorType(FLOAT, WIDTH)
FLAGS = ("contract", "reassoc", "arcp", "nsz")

floats = types.CPointer(types.float32)
doubles = types.CPointer(types.float64)
ints = types.CPointer(types.int64)
small_ints = types.CPointer(types.int32)

# One decorator for every kernel: inlined at LLVM's discretion, no bounds checks, no exception on a division by zero.
kernel = njit(fastmath=set(FLAGS), error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)


def procedure(kinds):
    """A kernel called from many places, compiled once: "i" is an integer, "t" the job or a row of it, "f" floats.

    Without the kinds named, Numba would compile it again for each literal number that a caller passes.
    """
    meanings = {"i": types.int64, "t": ints, "f": floats}
    return njit(
        types.void(*(meanings[kind] for kind in kinds)),
        fastmath=set(FLAGS),
        error_model="numpy",
        no_cpython_wrapper=True,
        no_cfunc_wrapper=True,
    )


# For the few-line functions on vectors, which must vanish into their callers.
inlined = njit(
    fastmath=set(FLAGS), error_model="numpy", forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True
)


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


def _broadcast(builder, scalar):
    undefined = ir.Constant(VECTOR, ir.Undefined)
    first = builder.insert_element(undefined, scalar, ir.Constant(INT, 0))
    zeros = ir.Constant(ir.VectorType(INT, WIDTH), [0] * WIDTH)
    return builder.shuffle_vector(first, undefined, zeros)


def _llvm(builder, name, *arguments):
    function = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(VECTOR, [VECTOR] * len(arguments)), f"llvm.{name}.v{WIDTH}f32"
    )
    return builder.call(function, arguments, fastmath=FLAGS)


@intrinsic
def splat(typing, scalar):
    """One float32 in every lane."""
    return vector(types.float32), lambda context, builder, signature, args: _broadcast(builder, args[0])


def _arithmetic(instruction):
    @intrinsic
    def operation(typing, a, b):
        if a == vector and b == vector:
            return vector(vector, vector), lambda context, builder, signature, args: getattr(builder, instruction)(
                *args, flags=FLAGS
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
    return vector(vector, vector, vector), lambda context, builder, signature, args: _llvm(builder, "fma", *args)


@intrinsic
def sqrt(typing, a):
    """Square root of each lane."""
    return vector(vector), lambda context, builder, signature, args: _llvm(builder, "sqrt", *args)


@intrinsic
def absolute(typing, a):
    """Magnitude of each lane."""
    return vector(vector), lambda context, builder, signature, args: _llvm(builder, "fabs", *args)


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
def sum_lanes(typing, a):
    """The sum of all lanes."""

    def generate(context, builder, signature, args):
        function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(FLOAT, [FLOAT, VECTOR]), f"llvm.vector.reduce.fadd.v{WIDTH}f32"
        )
        return builder.call(function, [ir.Constant(FLOAT, 0.0), args[0]], fastmath=FLAGS)

    return types.float32(vector), generate


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


def _vector_place(builder, data, offset):
    return builder.bitcast(builder.gep(data, [offset]), VECTOR.as_pointer())


@intrinsic
def load(typing, pointer, offset):
    """The WIDTH floats that start at `offset` (in floats)."""

    def generate(context, builder, signature, args):
        value = builder.load(_vector_place(builder, args[0], args[1]))
        value.align = 4
        return value

    return vector(floats, types.intp), generate


@intrinsic
def store(typing, pointer, offset, value):
    """Write a vector to the WIDTH floats that start at `offset`."""

    def generate(context, builder, signature, args):
        builder.store(args[2], _vector_place(builder, args[0], args[1])).align = 4
        return context.get_dummy_value()

    return types.void(floats, types.intp, vector), generate


@intrinsic
def transpose_square(typing, height, source, source_stride, target, target_stride):
    """Transpose [height <= WIDTH, WIDTH] in registers to [WIDTH, WIDTH]; the columns past `height` become zero.

    log2(WIDTH) rounds of shuffles instead of WIDTH^2 scalar moves.
    """

    def generate(context, builder, signature, args):
        height, source, source_stride, target, target_stride = args
        rows = []
        for r in range(WIDTH):
            real = builder.icmp_signed("<", INDEX(r), height)
            at = builder.select(real, builder.mul(source_stride, INDEX(r)), INDEX(0))
            value = builder.load(_vector_place(builder, source, at))
            value.align = 4
            rows.append(builder.select(real, value, ir.Constant(VECTOR, [0.0] * WIDTH)))
        distance = 1
        while distance < WIDTH:
            # Swap the off-diagonal quarters of every 2*distance square.
            low = [c if not c & distance else WIDTH + (c ^ distance) for c in range(WIDTH)]
            high = [(c | distance) if not c & distance else WIDTH + c for c in range(WIDTH)]
            for r in range(WIDTH):
                if not r & distance:
                    a, b = rows[r], rows[r | distance]
                    for at, mask in ((r, low), (r | distance, high)):
                        picked = ir.Constant(ir.VectorType(INT, WIDTH), mask)
                        rows[at] = builder.shuffle_vector(a, b, picked)
            distance *= 2
        for r in range(WIDTH):
            builder.store(rows[r], _vector_place(builder, target, builder.mul(target_stride, INDEX(r)))).align = 4
        return context.get_dummy_value()

    index = types.intp
    return types.void(index, floats, index, floats, index), generate


def _chains(rows, columns):
    # A fused multiply-add takes 4 cycles and two start in each, so fewer than 8 independent sums leave the unit idle:
    # a narrow tile runs several sums over the depth side by side.
    sums = rows * columns
    return 8 if sums == 1 else 4 if sums == 2 else 2 if sums <= 4 or columns == 1 else 1


def _tile(
    builder, rows, columns, a, a_stride, a_step, b, b_stride, start, start_stride, c, c_stride, depth, pieces, gap
):
    """Emit one register tile: the rows * columns sums stay in registers over the whole depth."""
    chains = _chains(rows, columns)
    sums = [
        [[cgutils.alloca_once(builder, VECTOR) for _ in range(chains)] for _ in range(columns)] for _ in range(rows)
    ]
    zero = ir.Constant(VECTOR, [0.0] * WIDTH)
    for r in range(rows):
        for column in range(columns):
            at = builder.add(builder.mul(start_stride, INDEX(r)), INDEX(column * WIDTH))
            value = builder.load(_vector_place(builder, start, at))
            value.align = 4
            builder.store(value, sums[r][column][0])
            for chain in range(1, chains):
                builder.store(zero, sums[r][column][chain])

    # An empty piece of assembly hides from LLVM how addresses follow from one another. It would otherwise prepare one
    # for every row and step of an unrolled loop, which takes longer than a short product itself (measured: 1.5 times).
    def hidden(value):
        return builder.asm(ir.FunctionType(value.type, [value.type]), "", "=r,0", [value], False)

    a_rows = [hidden(builder.gep(a, [builder.mul(a_stride, INDEX(r))])) for r in range(rows)]

    def multiply(a_at, b_row, chain):
        b_values = []
        for column in range(columns):
            value = builder.load(_vector_place(builder, b_row, INDEX(column * WIDTH)))
            value.align = 4
            b_values.append(value)
        for r in range(rows):
            spread = _broadcast(builder, builder.load(builder.gep(a_rows[r], [a_at])))
            for column in range(columns):
                place = sums[r][column][chain]
                builder.store(_llvm(builder, "fma", spread, b_values[column], builder.load(place)), place)
        return hidden(builder.add(a_at, a_step)), hidden(builder.gep(b_row, [b_stride]))

    def loop(count, a_at, b_row, many):
        """Go through `count` rounds of `many` steps of the depth; return where it ended."""
        before, body, after = builder.block, *(builder.append_basic_block(name) for name in ("body", "after"))
        builder.cbranch(builder.icmp_signed(">", count, INDEX(0)), body, after)
        builder.position_at_end(body)
        left, a_now, b_now = (builder.phi(value.type) for value in (count, a_at, b_row))
        a_next, b_next = a_now, b_now
        for chain in range(many):
            a_next, b_next = multiply(a_next, b_next, chain)
        less = builder.sub(left, INDEX(1))
        builder.cbranch(builder.icmp_signed(">", less, INDEX(0)), body, after)
        for phi, first, later in ((left, count, less), (a_now, a_at, a_next), (b_now, b_row, b_next)):
            phi.add_incoming(first, before)
            phi.add_incoming(later, body)
        builder.position_at_end(after)
        ends = []
        for first, later in ((a_at, a_next), (b_row, b_next)):
            phi = builder.phi(first.type)
            phi.add_incoming(first, before)
            phi.add_incoming(later, body)
            ends.append(phi)
        return ends

    # chains is 1, 2, 4 or 8: whole rounds are a shift, the rest a mask.
    whole, rest = builder.lshr(depth, INDEX(chains.bit_length() - 1)), builder.and_(depth, INDEX(chains - 1))
    a_gap, b_gap = builder.mul(gap, a_step), builder.mul(gap, b_stride)
    before, piece, after = builder.block, *(builder.append_basic_block(name) for name in ("piece", "done"))
    builder.branch(piece)
    builder.position_at_end(piece)
    left, a_piece, b_piece = (builder.phi(kind) for kind in (INDEX, INDEX, b.type))
    a_at, b_row = loop(whole, a_piece, b_piece, chains)
    if chains > 1:
        a_at, b_row = loop(rest, a_at, b_row, 1)
    less = builder.sub(left, INDEX(1))
    for phi, first, later in (
        (left, pieces, less),
        (a_piece, INDEX(0), builder.add(a_at, a_gap)),
        (b_piece, b, builder.gep(b_row, [b_gap])),
    ):
        phi.add_incoming(first, before)
        phi.add_incoming(later, builder.block)
    builder.cbranch(builder.icmp_signed(">", less, INDEX(0)), piece, after)
    builder.position_at_end(after)
    for r in range(rows):
        for column in range(columns):
            parts = [builder.load(place) for place in sums[r][column]]
            while len(parts) > 1:
                parts = [
                    builder.fadd(*parts[i : i + 2], flags=FLAGS) if i + 1 < len(parts) else parts[i]
                    for i in range(0, len(parts), 2)
                ]
            at = builder.add(builder.mul(c_stride, INDEX(r)), INDEX(column * WIDTH))
            builder.store(parts[0], _vector_place(builder, c, at)).align = 4


def _tile_function(module, rows, columns):
    """The tile as a function of its own: inside a common one, the address arithmetic of all tiles is hoisted to the
    entry and paid by every call (measured: half of the time of a small network)."""
    pointer, index = FLOAT.as_pointer(), INDEX
    kind = ir.FunctionType(
        ir.VoidType(), [pointer, index, index, pointer, index, pointer, index, pointer, index, index, index, index]
    )
    name = f"tsuzuki_tile_{rows}x{columns}"
    if name in module.globals:
        return module.globals[name]
    function = ir.Function(module, kind, name)
    function.linkage = "linkonce_odr"
    function.attributes.add("noinline")
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    _tile(builder, rows, columns, *function.args)
    builder.ret_void()
    return function


def _tile_table(module):
    """The addresses of all tiles, [columns - 1, rows - 1]: calling through it is one instruction in every caller."""
    if "tsuzuki_tiles" in module.globals:
        return module.globals["tsuzuki_tiles"]
    functions = [_tile_function(module, rows, columns) for columns in (1, 2) for rows in range(1, MAX_ROWS + 1)]
    kind = ir.ArrayType(functions[0].type, len(functions))
    table = ir.GlobalVariable(module, kind, "tsuzuki_tiles")
    table.linkage, table.global_constant = "linkonce_odr", True
    table.initializer = ir.Constant(kind, functions)
    return table


@intrinsic
def tile(typing, rows, columns, a, a_stride, a_step, b, b_stride, start, start_stride, c, c_stride, depth, pieces, gap):
    """C[rows, columns * WIDTH] = start + A[rows, pieces * depth] @ B[pieces * depth, columns * WIDTH].

    1 <= rows <= MAX_ROWS, columns 1 or 2. A is read at a + row * a_stride + k * a_step, so a transposed A is only other
    strides; start_stride 0 adds one row (a bias) to all. The depth comes in pieces, after each of which `gap` positions
    (padding) are passed over in both A and B.
    """
    index = types.intp

    def generate(context, builder, signature, args):
        rows, columns, *rest = args
        table = _tile_table(builder.module)
        number = builder.add(builder.mul(builder.sub(columns, INDEX(1)), INDEX(MAX_ROWS)), builder.sub(rows, INDEX(1)))
        function = builder.load(builder.gep(table, [INDEX(0), number], inbounds=True))
        builder.call(function, rest)
        return context.get_dummy_value()

    kinds = (index, index, floats, index, index, floats, index, floats, index, floats, index, index, index, index)
    return types.void(*kinds), generate


def _x86(builder, name, value):
    """An AVX-512 estimate, good to 14 bits."""
    mask = ir.IntType(16)
    kind = ir.FunctionType(VECTOR, [VECTOR, VECTOR, mask])
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.x86.avx512.{name}.ps.512")
    return builder.call(function, [value, ir.Constant(VECTOR, [0.0] * WIDTH), mask(-1)])


@intrinsic
def rounded(typing, a):
    """The nearest whole number."""
    return vector(vector), lambda context, builder, signature, args: _llvm(builder, "rint", *args)


@intrinsic
def times_power_of_two(typing, a, exponent):
    """a * 2^exponent for whole exponents: one instruction of AVX-512."""

    def generate(context, builder, signature, args):
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
            return builder.fdiv(ir.Constant(VECTOR, [1.0] * WIDTH), a, flags=FLAGS)
        guess = _x86(builder, "rcp14", a)
        error = _llvm(builder, "fma", builder.fneg(a), guess, ir.Constant(VECTOR, [1.0] * WIDTH))
        return _llvm(builder, "fma", guess, error, guess)

    return vector(vector), generate


@intrinsic
def reciprocal_root(typing, a):
    """1 / sqrt(a), likewise."""

    def generate(context, builder, signature, args):
        (a,) = args
        if not HAS_AVX512:
            return builder.fdiv(ir.Constant(VECTOR, [1.0] * WIDTH), _llvm(builder, "sqrt", a), flags=FLAGS)
        guess = _x86(builder, "rsqrt14", a)
        product = builder.fmul(a, guess, flags=FLAGS)
        error = _llvm(builder, "fma", builder.fneg(product), guess, ir.Constant(VECTOR, [1.0] * WIDTH))
        half = builder.fmul(guess, ir.Constant(VECTOR, [0.5] * WIDTH), flags=FLAGS)
        return _llvm(builder, "fma", half, error, guess)

    return vector(vector), generate
