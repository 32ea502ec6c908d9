"""The layer kinds, a file each: how much memory a layer takes, its forward and its backward pass.

A file says in `DESCRIPTIONS` which layers of `network.layers` it computes, in `lay_out` what they need, and has two
procedures, `forward` and `backward`, whose addresses stand in the layer's row. Nothing else needs to know of it.
"""

import functools
import pkgutil
from importlib import import_module
from types import ModuleType

from tsuzuki.network.layers import Layer


@functools.cache
def kinds() -> dict[str, ModuleType]:
    """All layer kinds by name."""
    return {found.name: import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)}


@functools.cache
def _table() -> dict[type[Layer], str]:
    return {layer: name for name, kind in kinds().items() for layer in kind.DESCRIPTIONS}


def kind_of(layer: Layer) -> str:
    """The name of the kind that computes a layer."""
    return _table()[type(layer)]
