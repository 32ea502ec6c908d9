"""The layer kinds, a file each: how much memory a layer takes, its forward and its backward pass.

A file says in `DESCRIPTIONS` which layers of `network.layers` it computes, in `lay_out` what they need, and has two
procedures, `forward` and `backward`, whose addresses stand in the layer's row. Nothing else needs to know of it.
"""

import functools
import pkgutil
import re
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from tsuzuki.network.layers import Layer
from tsuzuki.network.time_distributed import computed


def module_of(name: str) -> ModuleType:
    """The file of a kind; no other is imported."""
    return import_module(f"{__name__}.{name}")


@functools.cache
def kinds() -> dict[str, ModuleType]:
    """All layer kinds by name."""
    return {found.name: module_of(found.name) for found in pkgutil.iter_modules(__path__)}


@functools.cache
def _table() -> dict[type[Layer], str]:
    return {layer: name for name, kind in kinds().items() for layer in kind.DESCRIPTIONS}


@functools.cache
def _kind_of(described: type[Layer]) -> str:
    # Most files are called like their layer, which saves a start from importing them all (30 ms).
    name = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", described.__name__).lower()
    if find_spec(f"{__name__}.{name}") is not None and described in module_of(name).DESCRIPTIONS:
        return name
    return _table()[described]


def kind_of(layer: Layer) -> str:
    """The name of the kind that computes a layer."""
    return _kind_of(type(computed(layer)))
