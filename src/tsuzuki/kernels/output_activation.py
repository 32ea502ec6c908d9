"""The activation of a layer's output, of whatever kind; a unit that uses it holds no activation itself."""

from tsuzuki.kernels.activations import activate_rows, times_slope_of_rows
from tsuzuki.kernels.host import WIDTH
from tsuzuki.kernels.language import kernel, load, shift, store
from tsuzuki.kernels.table import ACTIVATED, ACTIVATION, OUT, UNITS, WIDE


@kernel
def activate_kept(row, work, out, rows):
    """Apply a row's activation in place to its output; what goes in is kept where the slope needs it."""
    if row[ACTIVATED] >= 0:
        kept = shift(work, row[ACTIVATED])
        for at in range(0, rows * row[WIDE], WIDTH):
            store(kept, at, load(out, at))
    activate_rows(row[ACTIVATION], out, rows, row[UNITS], row[WIDE])


@kernel
def times_slope_kept(row, work, gradients, rows):
    """Gradients, in place, times the slope of a row's activation."""
    seen = shift(work, row[OUT] if row[ACTIVATED] < 0 else row[ACTIVATED])
    times_slope_of_rows(row[ACTIVATION], gradients, seen, rows, row[UNITS], row[WIDE])
