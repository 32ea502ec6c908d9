"""Matrix products for recurrent layers, all made of the one register tile.

A product reads B in *panels* of two vectors. Where B's rows are short its own layout serves (the panel is only an
offset); where they are long, rows lie whole pages apart and evict one another from the cache, so panels are copied
together first (`pack`, `pack_transposed`, or inside `product`, for one block of the depth at a time).
"""

from tsuzuki.kernels.host import MAX_ROWS, PACKED_ROWS, WIDTH
from tsuzuki.kernels.language import kernel, load, procedure, shift, store, tile, transpose_square
from tsuzuki.kernels.table import DEEP, DEPTH_BLOCK, PANEL, ROWS_TOGETHER, SHORT_ROW

# Where a transposed left side meets fewer columns, copying it is not worth its time.
COLUMNS_WORTH_COPYING = 4 * PANEL


def scratch_floats(rows: int) -> int:
    """Floats that `product` needs beside its operands where a transposed left side has so many rows."""
    return DEPTH_BLOCK * (PANEL + min(rows, ROWS_TOGETHER)) + WIDTH


@procedure("iifif")
def pack(depth, n, b, b_stride, panels):
    """Copy B[depth, n] into panels [ceil(n / PANEL), depth, PANEL]."""
    at = 0
    for column in range(0, n, PANEL):
        if column + PANEL <= n:
            for k in range(depth):
                store(panels, at, load(b, k * b_stride + column))
                store(panels, at + WIDTH, load(b, k * b_stride + column + WIDTH))
                at += PANEL
        else:
            for k in range(depth):
                store(panels, at, load(b, k * b_stride + column))
                at += PANEL


@procedure("iifif")
def pack_transposed(rows, n, b, b_stride, panels):
    """Copy the transpose of B[rows, n] into panels [ceil(rows / PANEL), n, PANEL], zeros where a row is padding."""
    for row in range(0, rows, WIDTH):
        panel = shift(panels, (row // PANEL) * n * PANEL + row % PANEL)
        height = min(WIDTH, rows - row)
        for column in range(0, n, WIDTH):
            transpose_square(height, shift(b, row * b_stride + column), b_stride, shift(panel, column * PANEL), PANEL)


@kernel
def next_rows(left, most):
    """Rows of the next tile, of which one has `most`: the last two share what is left evenly, 12 as 6 + 6, so that
    neither is too small."""
    if left <= most:
        return left
    if left < 2 * most:
        return (left + 1) // 2
    return most


@procedure("iiiiiifiifiififi", inlines=True)
def product_of_pieces(
    manner, m, n, depth, pieces, gap, a, a_stride, a_step, b, b_stride, b_panel, start, start_stride, c, c_stride
):
    """`product_of_panels` where the depth comes in `pieces` with a `gap` of padding behind each in both A and B."""
    column = 0
    panel = b
    while column < n:
        width = 2 if column + PANEL <= n else 1
        row = 0
        while row < m:
            rows = next_rows(m - row, MAX_ROWS)
            from_start, to_c = shift(start, row * start_stride + column), shift(c, row * c_stride + column)
            a_rows = shift(a, row * a_stride)
            tile(
                rows,
                width,
                manner,
                a_rows,
                a_stride,
                a_step,
                panel,
                b_stride,
                from_start,
                start_stride,
                to_c,
                c_stride,
                depth,
                pieces,
                gap,
            )
            row += rows
        column += PANEL
        panel = shift(panel, b_panel)


@procedure("iiiifiifiififi", inlines=True)
def product_of_panels(manner, m, n, depth, a, a_stride, a_step, b, b_stride, b_panel, start, start_stride, c, c_stride):
    """C[m, n] = start + A[m, depth] @ B, B's panel p at b + p * b_panel with rows b_stride apart; WIDTH divides n.

    `manner` is that of the tiles (see `register_tile`); DEEP is worth it where B is so large that it was packed.
    """
    product_of_pieces(
        manner, m, n, depth, 1, 0, a, a_stride, a_step, b, b_stride, b_panel, start, start_stride, c, c_stride
    )


@procedure("iifif")
def pack_rows(depth, m, a, a_step, packed):
    """Copy the transpose of A[depth, m] in the pieces that a product's tiles read, [depth, rows of the tile] each.

    Where it lies, the rows of one tile are a whole row of A apart: a page, for large networks, for each step of the
    depth. What is written past the rows of a step is written again by the next one, or by the next tile.
    """
    row = 0
    while row < m:
        rows = next_rows(m - row, PACKED_ROWS)
        at = row * depth
        for k in range(depth):
            for more in range(0, rows, WIDTH):
                store(packed, at + more, load(a, k * a_step + row + more))
            at += rows
        row += rows


@procedure("iiiffififi")
def product_of_packed_rows(m, n, depth, packed, b, b_stride, start, start_stride, c, c_stride):
    """C[m, n] = start + A @ B for a panel B of n columns, A as `pack_rows` left it."""
    columns, row = 2 if n == PANEL else 1, 0
    while row < m:
        rows = next_rows(m - row, PACKED_ROWS)
        tile(
            rows,
            columns,
            DEEP,
            shift(packed, row * depth),
            1,
            rows,
            b,
            b_stride,
            shift(start, row * start_stride),
            start_stride,
            shift(c, row * c_stride),
            c_stride,
            depth,
            1,
            0,
        )
        row += rows


@procedure("iiififififif")
def product_transposed(m, n, depth, a, a_step, b, b_stride, start, start_stride, c, c_stride, scratch):
    """C[m, n] = start + the transpose of A[depth, m] @ B[depth, n]; `scratch` as for `product`."""
    packed = shift(scratch, DEPTH_BLOCK * PANEL)
    first = 0
    while first < m:
        together = min(ROWS_TOGETHER, m - first)
        done = 0
        while done < depth:
            count = min(DEPTH_BLOCK, depth - done)
            pack_rows(count, together, shift(a, done * a_step + first), a_step, packed)
            for column in range(0, n, PANEL):
                width = min(PANEL, n - column)
                pack(count, width, shift(b, done * b_stride + column), b_stride, scratch)
                to = shift(c, first * c_stride + column)
                begin, begin_stride = to, c_stride
                if done == 0:
                    begin, begin_stride = shift(start, first * start_stride + column), start_stride
                product_of_packed_rows(
                    together, width, count, packed, scratch, PANEL, begin, begin_stride, to, c_stride
                )
            done += count
        first += together


@procedure("iiiifiifififif")
def product(in_order, m, n, depth, a, a_stride, a_step, b, b_stride, start, start_stride, c, c_stride, scratch):
    """C[m, n] = start + A[m, depth] @ B[depth, n]; `scratch` holds `scratch_floats(m)` floats.

    With `in_order` (1, else 0) the bits of a row of C depend on that row of A alone, not on how many rows there are.
    """
    if b_stride <= SHORT_ROW or m <= MAX_ROWS:
        product_of_panels(
            in_order, m, n, depth, a, a_stride, a_step, b, b_stride, PANEL, start, start_stride, c, c_stride
        )
        return
    if a_stride == 1 and a_step > 1 and n >= COLUMNS_WORTH_COPYING:
        product_transposed(m, n, depth, a, a_step, b, b_stride, start, start_stride, c, c_stride, scratch)
        return
    done = 0
    while done < depth:
        count = min(DEPTH_BLOCK, depth - done)
        a_block = shift(a, done * a_step)
        for column in range(0, n, PANEL):
            width = min(PANEL, n - column)
            pack(count, width, shift(b, done * b_stride + column), b_stride, scratch)
            to = shift(c, column)
            # The first block of the depth begins from `start`, later ones from what is there already.
            begin, begin_stride = to, c_stride
            if done == 0:
                begin, begin_stride = shift(start, column), start_stride
            product_of_panels(
                DEEP - in_order,
                m,
                width,
                count,
                a_block,
                a_stride,
                a_step,
                scratch,
                PANEL,
                PANEL,
                begin,
                begin_stride,
                to,
                c_stride,
            )
        done += count
