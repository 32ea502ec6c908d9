"""What the compiled code is made for: the vector width and the register tile that suit this machine's CPU.

Plain Python without Numba, because the layout of parameters (padding) needs the width too, also where nothing is
compiled because the machine code is already on disk.
"""

import functools
import os


@functools.cache
def features() -> frozenset[str]:
    """Name the host CPU's features as LLVM knows them."""
    from llvmlite import binding

    return frozenset(name for name, present in binding.get_host_cpu_features().items() if present)


def _width() -> int:
    """Floats in a vector: 16 with AVX-512, 8 with AVX, else 4 (SSE, NEON). TSUZUKI_VECTOR_WIDTH overrides it."""
    wanted = os.environ.get("TSUZUKI_VECTOR_WIDTH")
    if wanted in ("4", "8", "16"):
        return int(wanted)
    if "avx512f" in features():
        return 16
    return 8 if "avx" in features() else 4


WIDTH = _width()
# Rows of the register tile at two vectors a row: 10 x 2 sums, 2 rows of B and a broadcast need 23 of AVX-512's 32
# registers (12 x 2 was slower); NEON takes 8 x 2, machines with 16 registers 6 x 2.
MAX_ROWS = 10 if WIDTH == 16 else 8 if "neon" in features() else 6
# And where both sides have been copied together, as for the gradients of large weights (12 x 2: 3 % faster there).
PACKED_ROWS = 12 if WIDTH == 16 else MAX_ROWS
# AVX-512 has estimates of 1 / x and 1 / sqrt(x) that one step of Newton's method makes exact to a last bit or two, and
# multiplies by powers of two.
HAS_AVX512 = WIDTH == 16 and "avx512f" in features()


def padded(count: int) -> int:
    """Round up to whole vectors."""
    return -(-count // WIDTH) * WIDTH
