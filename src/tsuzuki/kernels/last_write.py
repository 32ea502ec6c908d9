"""A write that must stay: Numba takes a kernel's last write to what is no argument for dead, and leaves it out."""

from tsuzuki.kernels.language import kernel


@kernel
def write_at(target, k, value):
    """target[k] = value."""
    target[k] = value
