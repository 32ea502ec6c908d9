"""The register tile that all matrix products use, and the transposition of a square in registers.

Emitted as LLVM instructions, because what decides their speed (which sums stay in which registers over the depth) is
not for a compiler to guess.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from tsuzuki.kernels.host import PACKED_ROWS, WIDTH
from tsuzuki.kernels.instructions import FLOAT, INDEX, INT, VECTOR, broadcast, floats, llvm, prefetch, vector_place
from tsuzuki.kernels.table import DEEP, IN_ORDER


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
            value = builder.load(vector_place(builder, source, at))
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
            builder.store(rows[r], vector_place(builder, target, builder.mul(target_stride, INDEX(r)))).align = 4
        return context.get_dummy_value()

    index = types.intp
    return types.void(index, floats, index, floats, index), generate


# The right side of a deep product is asked for so many rows before it is needed, so that what streams from the caches
# further out has arrived: half as many help less, twice as many no more. Of a shallow one it costs more than it gains.
ROWS_AHEAD = 16


def _chains(rows, columns, in_order):
    # A stream's lane must come to the same bits alone and among others, so there each sum is one chain.
    if in_order:
        return 1
    # A fused multiply-add takes 4 cycles and two start in each, so fewer than 8 independent sums leave the unit idle:
    # a narrow tile runs several sums over the depth side by side.
    sums = rows * columns
    return 8 if sums == 1 else 4 if sums == 2 else 2 if sums <= 4 or columns == 1 else 1


def _tile(
    builder,
    rows,
    columns,
    in_order,
    deep,
    a,
    a_stride,
    a_step,
    b,
    b_stride,
    start,
    start_stride,
    c,
    c_stride,
    depth,
    pieces,
    gap,
):
    """Emit one register tile: the rows * columns sums stay in registers over the whole depth."""
    chains = _chains(rows, columns, in_order)
    sums = [
        [[cgutils.alloca_once(builder, VECTOR) for _ in range(chains)] for _ in range(columns)] for _ in range(rows)
    ]
    zero = ir.Constant(VECTOR, [0.0] * WIDTH)
    for r in range(rows):
        for column in range(columns):
            at = builder.add(builder.mul(start_stride, INDEX(r)), INDEX(column * WIDTH))
            value = builder.load(vector_place(builder, start, at))
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
        if deep:
            ahead = builder.gep(b_row, [builder.mul(b_stride, INDEX(ROWS_AHEAD))])
            for column in range(columns):
                prefetch(builder, vector_place(builder, ahead, INDEX(column * WIDTH)))
        b_values = []
        for column in range(columns):
            value = builder.load(vector_place(builder, b_row, INDEX(column * WIDTH)))
            value.align = 4
            b_values.append(value)
        for r in range(rows):
            spread = broadcast(builder, builder.load(builder.gep(a_rows[r], [a_at])))
            for column in range(columns):
                place = sums[r][column][chain]
                builder.store(llvm(builder, "fma", spread, b_values[column], builder.load(place)), place)
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
                    builder.fadd(*parts[i : i + 2]) if i + 1 < len(parts) else parts[i] for i in range(0, len(parts), 2)
                ]
            at = builder.add(builder.mul(c_stride, INDEX(r)), INDEX(column * WIDTH))
            builder.store(parts[0], vector_place(builder, c, at)).align = 4


def _tile_function(module, rows, columns, in_order, deep=False):
    """The tile as a function of its own: inside a common one, the address arithmetic of all tiles is hoisted to the
    entry and paid by every call (measured: half of the time of a small network)."""
    pointer, index = FLOAT.as_pointer(), INDEX
    kind = ir.FunctionType(
        ir.VoidType(), [pointer, index, index, pointer, index, pointer, index, pointer, index, index, index, index]
    )
    in_order = in_order and _chains(rows, columns, False) > 1
    name = f"tsuzuki_tile_{rows}x{columns}" + ("_in_order" if in_order else "") + ("_deep" if deep else "")
    if name in module.globals:
        return module.globals[name]
    function = ir.Function(module, kind, name)
    function.linkage = "linkonce_odr"
    function.attributes.add("noinline")
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    _tile(builder, rows, columns, in_order, deep, *function.args)
    builder.ret_void()
    return function


def _tile_table(module):
    """The addresses of all tiles, [manner, columns - 1, rows - 1]: calling through it takes one instruction."""
    if "tsuzuki_tiles" in module.globals:
        return module.globals["tsuzuki_tiles"]
    functions = [
        _tile_function(module, rows, columns, manner == IN_ORDER, manner == DEEP and columns > 1)
        for manner in range(3)
        for columns in (1, 2)
        for rows in range(1, PACKED_ROWS + 1)
    ]
    kind = ir.ArrayType(functions[0].type, len(functions))
    table = ir.GlobalVariable(module, kind, "tsuzuki_tiles")
    table.linkage, table.global_constant = "linkonce_odr", True
    table.initializer = ir.Constant(kind, functions)
    return table


@intrinsic
def tile(
    typing,
    rows,
    columns,
    manner,
    a,
    a_stride,
    a_step,
    b,
    b_stride,
    start,
    start_stride,
    c,
    c_stride,
    depth,
    pieces,
    gap,
):
    """C[rows, columns * WIDTH] = start + A[rows, pieces * depth] @ B[pieces * depth, columns * WIDTH].

    1 <= rows <= PACKED_ROWS, columns 1 or 2. A is read at a + row * a_stride + k * a_step, so a transposed A is only
    other strides; start_stride 0 adds one row (a bias) to all. The depth comes in pieces, after each of which `gap`
    positions (padding) are passed over in both A and B. `manner` is 0, IN_ORDER (the bits of a row do not
    depend on `rows`) or DEEP (the bits are those of 0; B is asked for ahead).
    """
    index = types.intp

    def generate(context, builder, signature, args):
        rows, columns, manner, *rest = args
        table = _tile_table(builder.module)
        half = builder.add(builder.mul(manner, INDEX(2)), builder.sub(columns, INDEX(1)))
        number = builder.add(builder.mul(half, INDEX(PACKED_ROWS)), builder.sub(rows, INDEX(1)))
        function = builder.load(builder.gep(table, [INDEX(0), number], inbounds=True))
        builder.call(function, rest)
        return context.get_dummy_value()

    kinds = (
        index,
        index,
        index,
        floats,
        index,
        index,
        floats,
        index,
        floats,
        index,
        floats,
        index,
        index,
        index,
        index,
    )
    return types.void(*kinds), generate
